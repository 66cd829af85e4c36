//! Contract section 1, "Bodies": charsets of content types and parts.

use serde_json::json;

use crate::{
    api::bodies::{FORM, LATIN1_FORM, STORE, create_and_read},
    support::{Bodies, Multipart, TestApp, TestResponse, disposition, on_redis_only},
};

on_redis_only!(
    the_charset_of_a_form_is_applied,
    the_charset_of_a_part_is_applied,
    the_charset_of_a_multipart_body_applies_to_parts_without_one,
    text_that_is_invalid_in_its_charset_is_rejected,
    an_unknown_charset_is_rejected,
    content_types_are_parsed_leniently,
);

async fn the_charset_of_a_form_is_applied(app: TestApp) {
    for body in [b"a=caf\xe9&\xe9=1".as_slice(), b"a=caf%E9&%e9=1"] {
        let expected = json!({"a": "caf\u{e9}", "\u{e9}": "1"});
        assert_eq!(
            create_and_read(&app, app.post(STORE).typed_body(LATIN1_FORM, body)).await,
            expected
        );
    }
    // At the start of a file these bytes would be the BOM of another charset.
    let request = app
        .post(STORE)
        .typed_body(LATIN1_FORM, b"a=%FF%FEb&c=%FE%FF&d=%EF%BB%BF");
    let expected = json!({"a": "\u{ff}\u{fe}b", "c": "\u{fe}\u{ff}", "d": "\u{ef}\u{bb}\u{bf}"});
    assert_eq!(create_and_read(&app, request).await, expected);
    let shift_jis = "application/x-www-form-urlencoded;charset=Shift_JIS";
    let request = app.post(STORE).typed_body(shift_jis, b"a=%93%FA%96%7B");
    assert_eq!(
        create_and_read(&app, request).await,
        json!({"a": "\u{65e5}\u{672c}"})
    );
}

async fn the_charset_of_a_part_is_applied(app: TestApp) {
    let latin = |name| {
        format!(
            "{}\r\nContent-Type: text/plain; charset=ISO-8859-1",
            disposition(name)
        )
    };
    let multipart = Multipart::new()
        .part(&latin("a"), b"caf\xe9")
        .part(&disposition("b"), "caf\u{e9}".as_bytes())
        .part(&latin("c"), b"\xff\xfex")
        .part(&disposition("d"), "\u{feff}x".as_bytes());
    let expected =
        json!({"a": "caf\u{e9}", "b": "caf\u{e9}", "c": "\u{ff}\u{fe}x", "d": "\u{feff}x"});
    assert_eq!(
        create_and_read(&app, app.post(STORE).multipart_body(multipart)).await,
        expected
    );
}

async fn the_charset_of_a_multipart_body_applies_to_parts_without_one(app: TestApp) {
    let utf_8 = format!(
        "{}\r\nContent-Type: text/plain;charset=utf-8",
        disposition("b")
    );
    let multipart = Multipart::new()
        .part(&disposition("a"), b"caf\xe9")
        .part(&utf_8, "caf\u{e9}".as_bytes());
    let kind = format!("{};charset=ISO-8859-1", Multipart::CONTENT_TYPE);
    let request = app.post(STORE).typed_body(&kind, &multipart.bytes());
    assert_eq!(
        create_and_read(&app, request).await,
        json!({"a": "caf\u{e9}", "b": "caf\u{e9}"})
    );
}

async fn text_that_is_invalid_in_its_charset_is_rejected(app: TestApp) {
    let ascii_head = format!(
        "{}\r\nContent-Type: text/plain; charset=utf-8",
        disposition("a")
    );
    let names = "or in the charset that Content-Type";
    let allowed = format!("text must be UTF-8, {names} or the field _charset_ names");
    let json = format!("JSON must be UTF-8, {names} names");
    for (request, place, allowed) in [
        (
            app.post(STORE).typed_body(FORM, b"a=1&bc=x%E9"),
            "the value of field 2, \"bc\"",
            &allowed,
        ),
        (
            app.post(STORE).typed_body(FORM, b"a=x\xe9"),
            "the value of field 1, \"a\"",
            &allowed,
        ),
        (
            app.post(STORE).typed_body(FORM, b"a=1&b=2&x%E9=1"),
            "the name of field 3",
            &allowed,
        ),
        (
            app.post(STORE).typed_body("application/json", b"\"\xe9\""),
            "the body",
            &json,
        ),
        (
            app.post(STORE)
                .multipart_body(Multipart::new().part(&disposition("a"), b"x\xe9")),
            "part 1 of the body: the value of \"a\"",
            &allowed,
        ),
        (
            app.post(STORE)
                .multipart_body(Multipart::new().part(&ascii_head, b"x\xe9")),
            "part 1 of the body: the value of \"a\"",
            &allowed,
        ),
    ] {
        let message = TestResponse::send(request)
            .await
            .error_message("InvalidBody", 400);
        let expected = format!("{place}: the text is not valid UTF-8 at byte 1; {allowed}");
        assert_eq!(message, expected);
    }
    let query = app.post(&format!("{STORE}?a=1&b=x%E9"));
    let message = TestResponse::send(query)
        .await
        .error_message("InvalidParameter", 400);
    assert_eq!(
        message,
        "the value of field 2, \"b\": the text is not valid UTF-8 at byte 1; the query must be \
         percent-encoded UTF-8"
    );
}

async fn an_unknown_charset_is_rejected(app: TestApp) {
    let part = format!(
        "{}\r\nContent-Type: text/plain; charset=klingon",
        disposition("a")
    );
    for request in [
        app.post(STORE)
            .typed_body(&format!("{FORM};charset=klingon"), b"a=1"),
        app.post(STORE)
            .multipart_body(Multipart::new().part(&part, b"1")),
    ] {
        let message = TestResponse::send(request)
            .await
            .error_message("UnsupportedMediaType", 415);
        assert!(message.contains("klingon"), "{message}");
    }
}

async fn content_types_are_parsed_leniently(app: TestApp) {
    for (label, body) in [
        ("Application/X-WWW-Form-URLEncoded", "a=\u{e9}"),
        (
            "application/x-www-form-urlencoded ;charset=\"utf-8\"",
            "a=\u{e9}",
        ),
        ("APPLICATION/JSON", "{\"a\":\"\u{e9}\"}"),
        ("application/json;Charset=utf8", "{\"a\":\"\u{e9}\"}"),
        ("application/json; charset=klingon", "{\"a\":\"\u{e9}\"}"),
        ("application/json; odd", "{\"a\":\"\u{e9}\"}"),
    ] {
        let request = app.post(STORE).typed_body(label, body.as_bytes());
        assert_eq!(
            create_and_read(&app, request).await,
            json!({"a": "\u{e9}"}),
            "{label}"
        );
    }
    let kind = Multipart::CONTENT_TYPE.replace("multipart/form-data", "Multipart/Form-Data");
    let body = Multipart::new().text("a", "\u{e9}").bytes();
    assert_eq!(
        create_and_read(&app, app.post(STORE).typed_body(&kind, &body)).await,
        json!({"a": "\u{e9}"})
    );
}
