//! Contract section 1, "Bodies": the fields of a request, for each content type.

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Bodies, Multipart, RawConnection, TestApp, TestResponse, on_redis_only};

pub(crate) const STORE: &str = "/genesys/1/service/store";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const LATIN1_FORM: &str = "application/x-www-form-urlencoded; charset=ISO-8859-1";

on_redis_only!(
    a_form_is_decoded,
    unencoded_json_in_a_form_is_taken_literally,
    json_with_the_content_type_of_a_form_is_parsed_as_json,
    body_fields_take_precedence_over_query_fields,
    request_without_a_body_has_no_fields,
    empty_body_of_any_type_has_no_fields,
    unsupported_content_types_are_rejected,
    chunked_bodies_are_accepted,
    last_value_of_a_repeated_name_wins,
    boolean_values_keep_their_notation,
    text_around_multipart_parts_is_ignored,
);

/// Sends a create and returns the storage of the service.
pub(crate) async fn create_and_read(app: &TestApp, create: RequestBuilder) -> Value {
    let service = TestResponse::send(create).await.service_id();
    app.storage(&service).await
}

async fn a_form_is_decoded(app: TestApp) {
    for (form, expected) in [
        ("a=1&b=2", json!({"a": "1", "b": "2"})),
        ("a+b=c+d&e%20f=g%26h", json!({"a b": "c d", "e f": "g&h"})),
        ("a=b=c&d", json!({"a": "b=c", "d": ""})),
        ("&&a=1&", json!({"a": "1"})),
        ("a=100%&b=%zz", json!({"a": "100%", "b": "%zz"})),
        (
            "a=%C3%A9&%F0%9F%98%80=\u{e9}",
            json!({"a": "\u{e9}", "\u{1f600}": "\u{e9}"}),
        ),
        ("a=%EF%BB%BFx", json!({"a": "\u{feff}x"})),
    ] {
        assert_eq!(
            create_and_read(&app, app.post(STORE).form_body(form)).await,
            expected,
            "{form}"
        );
    }
}

async fn unencoded_json_in_a_form_is_taken_literally(app: TestApp) {
    let raw = r#"{"a":["b & c+d=e","100%20"]}"#;
    let encoded = crate::support::encode(raw);
    for form in [
        format!("x=1&Parameter={raw}&y=2"),
        format!("Parameter={raw}&x=1&y=2"),
        format!("x=1&y=2&Parameter={encoded}"),
    ] {
        let expected = json!({"x": "1", "Parameter": raw, "y": "2"});
        assert_eq!(
            create_and_read(&app, app.post(STORE).form_body(&form)).await,
            expected
        );
    }
    let form = r#"_parameter={"a":["b"]}&x=1"#;
    assert_eq!(
        create_and_read(&app, app.post(STORE).form_body(form)).await,
        json!({"x": "1"})
    );
    for text in ["{x", "[1", "{}z"] {
        let form = format!("a={text}");
        assert_eq!(
            create_and_read(&app, app.post(STORE).form_body(&form)).await,
            json!({"a": text})
        );
    }
}

async fn json_with_the_content_type_of_a_form_is_parsed_as_json(app: TestApp) {
    for body in [r#"{"a":1,"b":["x"]}"#, " \r\n{\"a\":1,\n\"b\":[\"x\"]}\n"] {
        for label in [FORM, "application/x-www-form-urlencoded; charset=UTF-8"] {
            let request = app.post(STORE).typed_body(label, body.as_bytes());
            assert_eq!(
                create_and_read(&app, request).await,
                json!({"a": "1", "b": "[x]"})
            );
        }
    }
}

async fn body_fields_take_precedence_over_query_fields(app: TestApp) {
    let path = format!("{STORE}?a=query&b=que%20ry&_ttl=60&gone=1");
    let multipart = Multipart::new().text("a", "body").text("c", "body");
    for (request, removes) in [
        (app.post(&path).form_body("a=body&c=body"), false),
        (
            app.post(&path)
                .json_body(r#"{"a":"body","c":"body","gone":null}"#),
            true,
        ),
        (app.post(&path).multipart_body(multipart), false),
    ] {
        let mut expected = json!({"a": "body", "b": "que ry", "c": "body", "gone": "1"});
        if removes {
            expected.as_object_mut().unwrap().remove("gone");
        }
        assert_eq!(create_and_read(&app, request).await, expected);
    }
}

async fn request_without_a_body_has_no_fields(app: TestApp) {
    let mut connection = RawConnection::connect(&app).await;
    for head in [
        "",
        "Content-Length: 0\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: text/plain\r\nContent-Length: 0\r\n",
    ] {
        connection
            .send(format!(
                "POST {STORE}?a=1 HTTP/1.1\r\nHost: x\r\n{head}\r\n"
            ))
            .await;
        let service = connection.read_response().await.service_id();
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    }
}

async fn empty_body_of_any_type_has_no_fields(app: TestApp) {
    let mut connection = RawConnection::connect(&app).await;
    for kind in [
        "",
        FORM,
        LATIN1_FORM,
        "application/json",
        Multipart::CONTENT_TYPE,
    ] {
        let kind = match kind {
            "" => String::new(),
            kind => format!("Content-Type: {kind}\r\n"),
        };
        for length in [
            "Content-Length: 0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            connection
                .send(format!(
                    "POST {STORE}?a=1 HTTP/1.1\r\nHost: x\r\n{kind}{length}"
                ))
                .await;
            let service = connection.read_response().await.service_id();
            assert_eq!(app.storage(&service).await, json!({"a": "1"}));
        }
    }
    for kind in [FORM, "application/json"] {
        let request = app.post(STORE).typed_body(kind, b" \r\n");
        assert_eq!(create_and_read(&app, request).await, json!({}));
    }
}

async fn unsupported_content_types_are_rejected(app: TestApp) {
    for kind in [
        "text/plain",
        "application/xml",
        "application/jsonp",
        "application/json-patch+json",
        "application/octet-stream",
        "multipart/mixed; boundary=b",
        "json",
        "\u{e9}",
    ] {
        let request = app.post(STORE).typed_body(kind, b"a=1");
        let response = TestResponse::send(request).await;
        let message = response.error_message("UnsupportedMediaType", 415);
        let essence = kind.split(';').next().unwrap();
        assert!(
            message.contains(essence) || !essence.is_ascii(),
            "{message}"
        );
    }
}

async fn chunked_bodies_are_accepted(app: TestApp) {
    let multipart = Multipart::new()
        .text("a", "one")
        .text("b", "\u{e9}\r\n--b-")
        .bytes();
    for (kind, body) in [
        (FORM, "a=one&b=%C3%A9\r\n--b-".as_bytes()),
        (
            "application/json",
            r#"{"a":"one","b":"\u00e9\r\n--b-"}"#.as_bytes(),
        ),
        (Multipart::CONTENT_TYPE, &multipart),
    ] {
        for size in [1, 7] {
            let chunks = body
                .chunks(size)
                .map(|chunk| Ok(Bytes::copy_from_slice(chunk)));
            let chunks: Vec<Result<Bytes, std::io::Error>> = chunks.collect();
            let request = app.post(STORE).header("content-type", kind);
            let request = request.body(Body::wrap_stream(stream::iter(chunks)));
            let expected = json!({"a": "one", "b": "\u{e9}\r\n--b-"});
            assert_eq!(create_and_read(&app, request).await, expected, "{kind}");
        }
    }
}

async fn last_value_of_a_repeated_name_wins(app: TestApp) {
    let multipart = Multipart::new()
        .text("a", "1")
        .text("b", "2")
        .text("a", "3");
    for request in [
        app.post(STORE).form_body("a=1&b=2&a=3"),
        app.post(STORE).json_body(r#"{"a":1,"b":2,"a":3}"#),
        app.post(STORE).multipart_body(multipart),
        app.post(&format!("{STORE}?a=1&b=2&a=3")),
    ] {
        assert_eq!(
            create_and_read(&app, request).await,
            json!({"a": "3", "b": "2"})
        );
    }
}

async fn boolean_values_keep_their_notation(app: TestApp) {
    let form = app.post(STORE).form_body("a=True&b=FALSE&c=true");
    assert_eq!(
        create_and_read(&app, form).await,
        json!({"a": "True", "b": "FALSE", "c": "true"})
    );
    let json = app
        .post(STORE)
        .json_body(r#"{"a":true,"b":false,"c":"True"}"#);
    assert_eq!(
        create_and_read(&app, json).await,
        json!({"a": "true", "b": "false", "c": "True"})
    );
}

async fn text_around_multipart_parts_is_ignored(app: TestApp) {
    let mut body = b"This is for readers of mail.\r\n".to_vec();
    body.extend(
        Multipart::new()
            .text("a", "1")
            .text("b", "\r\n--b-7d3f")
            .bytes(),
    );
    body.extend(b"\r\nand this\r\n--too");
    let request = app.post(STORE).typed_body(Multipart::CONTENT_TYPE, &body);
    assert_eq!(
        create_and_read(&app, request).await,
        json!({"a": "1", "b": "\r\n--b-7d3f"})
    );
}
