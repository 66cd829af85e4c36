//! Contract section 1, "Bodies": JSON. Values become strings.

use serde_json::json;

use crate::support::{Bodies, TestApp, TestResponse, on_redis_only};

const STORE: &str = "/genesys/1/service/store";

on_redis_only!(
    scalars_become_strings,
    maps_and_arrays_become_flat_text,
    numbers_keep_their_notation,
    strings_are_unescaped,
    names_are_unescaped,
    null_is_not_stored,
    last_value_of_a_repeated_key_wins,
    any_charset_label_is_accepted,
);

/// Creates a service with `body` and reads the key `a`.
async fn create_and_flatten(app: &TestApp, body: &str) -> String {
    let service = TestResponse::send(app.post(STORE).json_body(body))
        .await
        .service_id();
    let key = app.get(&format!("{service}/storage/a"));
    TestResponse::send(key.header("accept", "text/plain"))
        .await
        .text()
        .to_owned()
}

async fn scalars_become_strings(app: TestApp) {
    for (value, expected) in [
        ("\"text\"", "text"),
        ("\"\"", ""),
        ("7", "7"),
        ("true", "true"),
        ("false", "false"),
        ("\"null\"", "null"),
    ] {
        assert_eq!(
            create_and_flatten(&app, &format!("{{\"a\":{value}}}")).await,
            expected
        );
    }
}

async fn maps_and_arrays_become_flat_text(app: TestApp) {
    for (value, expected) in [
        (
            r#"{"street":"mystreet","city":"mycity"}"#,
            "{street=mystreet, city=mycity}",
        ),
        (
            r#"["9002@SIP_Switch","5555666"]"#,
            "[9002@SIP_Switch, 5555666]",
        ),
        ("[]", "[]"),
        ("{}", "{}"),
        (
            r#"{"z":1,"b":[true,null,{"c":{}}],"a":"x"}"#,
            "{z=1, b=[true, null, {c={}}], a=x}",
        ),
        (r#" [ "a, b" , "c=d" , "\"e\"" ] "#, "[a, b, c=d, \"e\"]"),
        (r#"{"k":1,"j":2,"k":3}"#, "{k=3, j=2}"),
    ] {
        assert_eq!(
            create_and_flatten(&app, &format!("{{\"a\":{value}}}")).await,
            expected
        );
    }
}

async fn numbers_keep_their_notation(app: TestApp) {
    for number in [
        "0",
        "-0",
        "1.50",
        "1e5",
        "1E+05",
        "12345678901234567890123456789",
        "0.1000000000000000001",
        "1e400",
    ] {
        assert_eq!(
            create_and_flatten(&app, &format!("{{\"a\":{number}}}")).await,
            number
        );
        let nested =
            create_and_flatten(&app, &format!("{{\"a\":[{number},{{\"b\":{number}}}]}}")).await;
        assert_eq!(nested, format!("[{number}, {{b={number}}}]"));
    }
}

async fn strings_are_unescaped(app: TestApp) {
    let body = r#"{"a":"\u00e9\ud83d\ude00\n\t\"\\\/\u0000"}"#;
    assert_eq!(
        create_and_flatten(&app, body).await,
        "\u{e9}\u{1f600}\n\t\"\\/\u{0}"
    );
}

async fn names_are_unescaped(app: TestApp) {
    assert_eq!(create_and_flatten(&app, r#"{"\u0061":"1"}"#).await, "1");
    let request = app.post(STORE).json_body(r#"{"\u005fttl":"0"}"#);
    TestResponse::send(request)
        .await
        .error_message("InvalidParameter", 400);
}

async fn null_is_not_stored(app: TestApp) {
    let request = app
        .post(STORE)
        .json_body(r#"{"a":null,"b":[null],"_ttl":null}"#);
    let service = TestResponse::send(request).await.service_id();
    assert_eq!(app.storage(&service).await, json!({"b": "[null]"}));
}

async fn last_value_of_a_repeated_key_wins(app: TestApp) {
    for (body, expected) in [
        (r#"{"a":1,"a":"2"}"#, json!({"a": "2"})),
        (r#"{"a":1,"b":2,"a":null}"#, json!({"b": "2"})),
        (r#"{"a":null,"a":[1]}"#, json!({"a": "[1]"})),
    ] {
        let service = TestResponse::send(app.post(STORE).json_body(body))
            .await
            .service_id();
        assert_eq!(app.storage(&service).await, expected, "{body}");
    }
}

async fn any_charset_label_is_accepted(app: TestApp) {
    let utf_16 = "\u{feff}{\"a\":\"\u{e9}\"}".encode_utf16();
    let utf_16: Vec<u8> = utf_16.flat_map(u16::to_le_bytes).collect();
    for (label, body) in [
        ("application/json", "{\"a\":\"\u{e9}\"}".as_bytes()),
        ("application/json", "\u{feff}{\"a\":\"\u{e9}\"}".as_bytes()),
        (
            "application/json;charset=UTF-8",
            "{\"a\":\"\u{e9}\"}".as_bytes(),
        ),
        (
            "application/json; charset=whatever",
            "{\"a\":\"\u{e9}\"}".as_bytes(),
        ),
        ("application/json; charset=ISO-8859-1", b"{\"a\":\"\xe9\"}"),
        ("application/json; charset=utf-16le", &utf_16),
    ] {
        let service = TestResponse::send(app.post(STORE).typed_body(label, body))
            .await
            .service_id();
        assert_eq!(
            app.storage(&service).await,
            json!({"a": "\u{e9}"}),
            "{label}"
        );
    }
}
