//! Web services as backends.

use serde_json::{Value, json};
use switchboard::{app, settings::Settings};

use crate::support::{
    Bodies, CatalogFile, Multipart, TestApp, TestResponse,
    backends::{Backend, MockResponse, http_service, start_app},
    on_redis_only,
};

on_redis_only!(
    each_request_uses_its_template_and_method,
    requests_and_responses_are_json,
    client_values_cannot_change_the_target,
    clients_cannot_set_the_id_in_a_template,
    the_session_name_comes_from_the_create_response,
    secrets_are_expanded_in_headers_only,
);

async fn create(app: &TestApp, form: &str) -> String {
    let request = app.post("/genesys/1/service/web").form_body(form);
    TestResponse::send(request).await.service_id()
}

async fn each_request_uses_its_template_and_method(app: TestApp) {
    let backend = Backend::with_json(r#"{"a":1}"#).await;
    let url = backend.url();
    let options = format!(
        "_method = 'PUT'\n\
         '_request.send' = '{url}/rooms/{{id}}/{{kind}}'\n\
         '_request.list/all' = '{url}/rooms/{{id}}?from={{from}}&by={{service}}'\n\
         '_method.list/all' = 'GET'\n\
         _request = '{url}/other/{{request}}'\n"
    );
    let app = start_app(
        &app,
        &(http_service(&format!("{url}/rooms?nick={{nick}}")) + &options),
        &[],
    )
    .await;
    let service = create(&app, "nick=J%26J+%C3%A9&_a=1").await;
    assert_eq!(
        backend.last_request().request_line(),
        "PUT /rooms?nick=J%26J%20%C3%A9"
    );
    let id = service.rsplit('/').next().unwrap();
    let send = async |request: &str, form: &str| {
        let request = app.post(&format!("{service}/{request}")).form_body(form);
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.text(), r#"{"a":1}"#);
        backend.last_request()
    };
    let received = send("send", "kind=x/y").await;
    assert_eq!(received.request_line(), format!("PUT /rooms/{id}/x%2Fy"));
    let received = send("list/all", "from=2&more=3").await;
    assert_eq!(
        received.request_line(),
        format!("GET /rooms/{id}?from=2&by=web")
    );
    assert_eq!(
        (received.body.as_str(), received.header("content-type")),
        ("", "")
    );
    let received = send("some/thing%3Felse", "").await;
    assert_eq!(received.request_line(), "PUT /other/some/thing%3Felse");
}

async fn requests_and_responses_are_json(app: TestApp) {
    let backend = Backend::with_json(r#"{"_id":"theirs"}"#).await;
    let url = backend.url();
    let options = format!("_request = '{url}/{{request}}'");
    let app = start_app(&app, &(http_service(&url) + &options), &[]).await;
    let request = app.post("/genesys/1/service/web");
    let answer = TestResponse::send(request.form_body("_p=1&_data_id=x&user=data")).await;
    assert_eq!(
        answer.text(),
        r#"{"_id":"theirs"}"#,
        "the response contains an id"
    );
    let sent = backend.last_request();
    assert_eq!(sent.header("content-type"), "application/json");
    let body: Value = serde_json::from_str(&sent.body).unwrap();
    let id = body["_data_id"].as_str().unwrap();
    assert_eq!(body, json!({"_data_id": id, "_p": "1"}));
    let service = format!("/genesys/1/service/{id}");
    assert_eq!(app.storage(&service).await, json!({"user": "data"}));
    let body = Multipart::new()
        .text("q", "\"é\"\n")
        .file("f", "f", "image/png", b"1");
    let request = app.post(&format!("{service}/ask")).multipart_body(body);
    assert_eq!(
        TestResponse::send(request).await.text(),
        r#"{"_id":"theirs"}"#
    );
    let body: Value = serde_json::from_str(&backend.last_request().body).unwrap();
    let path = format!("{service}/storage/binary/f");
    assert_eq!(body, json!({"_data_id": id, "q": "\"é\"\n", "f": path}));
}

async fn client_values_cannot_change_the_target(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let url = backend.url();
    let options = format!("'_request.go' = '{url}/a/{{to}}/b?c={{also}}'");
    let app = start_app(&app, &(http_service(&url) + &options), &[]).await;
    let service = create(&app, "").await;
    let go = async |to: &str| {
        let form = json!({"to": to, "also": to}).to_string();
        TestResponse::send(app.post(&format!("{service}/go")).json_body(&form)).await
    };
    for to in [
        "@evil.test",
        "//evil.test/",
        "?x#y",
        "%2e%2e/",
        "\r\nHost: evil",
        "a:b@c",
    ] {
        assert_eq!(go(to).await.status, 200, "{to:?}");
        let arrived = backend.last_request();
        assert_eq!(arrived.header("host"), backend.address.to_string());
        let segments: Vec<&str> = arrived.path.split(['/', '?', '#']).collect();
        assert_eq!(segments.len(), 5, "{segments:?}");
        assert_eq!((segments[1], segments[3]), ("a", "b"));
    }
    let before = backend.received_requests().len();
    for to in ["..", ".", ""] {
        go(to).await.error_message("InvalidParameter", 400);
    }
    assert_eq!(backend.received_requests().len(), before);
}

async fn clients_cannot_set_the_id_in_a_template(app: TestApp) {
    const FORGED: &str = "_data_id=forged&_DATA_ID=forged&_id=forged&_session=forged";
    const IDS: &str = "{id}/{_id}/{_data_id}/{_DATA_ID}";
    let backend = Backend::with_json(r#"{"room":17}"#).await;
    let url = backend.url();
    let options = format!(
        "'_request.send' = '{url}/send/{IDS}?s={{_session}}'\n_request = '{url}/other/{IDS}'\n\
         _terminate = '{url}/end/{IDS}'\n_session = 'room'\n"
    );
    let options = http_service(&format!("{url}/rooms/{IDS}")) + &options;
    let app = start_app(&app, &options, &[]).await;
    let service = create(&app, FORGED).await;
    let id = service.rsplit('/').next().unwrap();
    let ids = [id; 4].join("/");
    let line = backend.last_request().request_line();
    assert_eq!(line, format!("POST /rooms/{ids}"));
    for (request, expected) in [
        ("send", format!("POST /send/{ids}?s=17")),
        ("some", format!("POST /other/{ids}")),
    ] {
        let request = app.post(&format!("{service}/{request}?{FORGED}"));
        let answer = TestResponse::send(request.form_body(FORGED)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(backend.last_request().request_line(), expected);
    }
    TestResponse::send(app.delete(&service)).await.assert_ok();
    let expected = format!("POST /end/{ids}");
    backend.wait_for_request(&expected).await;
}

async fn the_session_name_comes_from_the_create_response(app: TestApp) {
    let backend = Backend::with_json(r#"{"chat":{"x":1},"room":17}"#).await;
    let options = format!(
        "_ors = '{}'\n_session = 'room'\n_request = '/rooms/{{_session}}/{{request}}'\n\
         _terminate = '/rooms/{{_session}}'\n_terminate_method = 'DELETE'\n",
        backend.url()
    );
    let app = start_app(&app, &(http_service("/rooms") + &options), &[]).await;
    let service = create(&app, "").await;
    let send = app.post(&format!("{service}/say")).form_body("a=1");
    assert_eq!(TestResponse::send(send).await.status, 200);
    assert_eq!(backend.last_request().request_line(), "POST /rooms/17/say");
    TestResponse::send(app.delete(&service)).await.assert_ok();
    backend.wait_for_request("DELETE /rooms/17").await;
    backend.set_responder(|_| MockResponse::ok(r#"{"room":""}"#));
    let create = TestResponse::send(app.post("/genesys/1/service/web")).await;
    let message = create.error_message("BackendUnreachable", 502);
    assert!(
        message.contains("\"room\" is not a session name"),
        "{message}"
    );
}

async fn secrets_are_expanded_in_headers_only(app: TestApp) {
    let backend = Backend::with_json("{}").await;
    let catalog_file = CatalogFile::new(
        &(http_service(&(backend.url() + "/{_token}"))
            + "'_header.Authorization' = 'Bearer ${BACKEND_TOKEN}!'"),
    );
    let settings = |token: &str| {
        let variables = [
            ("SWITCHBOARD__CATALOG__FILE", catalog_file.path()),
            ("BACKEND_TOKEN", token),
        ];
        Settings::load(None, variables).unwrap()
    };
    let parsed = app::catalog(&settings("s3cret")).unwrap();
    assert!(!format!("{parsed:?}").contains("s3cret"), "{parsed:?}");
    assert!(!format!("{:?}", settings("s3cret")).contains("s3cret"));
    let message = app::catalog(&settings("s3\ncret")).unwrap_err().to_string();
    assert!(
        message.contains("contains characters that are invalid in a header"),
        "{message}"
    );
    assert!(!message.contains("s3"), "{message}");
    // Files with secrets often end with a line feed.
    assert!(app::catalog(&settings("s3cret\n")).is_ok());
    let message = app::catalog(&settings("")).unwrap_err().to_string();
    assert!(
        message.ends_with(
            "service \"web\", option _header.Authorization: the environment variable \
             \"BACKEND_TOKEN\" is not set"
        ),
        "{message}"
    );
    drop(app);
}

#[test]
fn rejects_invalid_backend_definitions() {
    let settings = |catalog_file: &CatalogFile| {
        let variables = [("SWITCHBOARD__CATALOG__FILE", catalog_file.path())];
        Settings::load(None, variables).unwrap()
    };
    let ors = "_type = 'ors'\n_service = 'http://d/x.scxml'\n";
    let web = "_type = 'http'\n_service = 'http://h/x'\n";
    for (options, option, expected) in [
        (
            "_type = 'ors'\n_ors = 'http://o'\n",
            "_service",
            "expected http://",
        ),
        (ors, "_ors", "is missing"),
        (&format!("{ors}_ors = 'ors:7210'\n"), "_ors", "\"ors:7210\""),
        (
            &format!("{ors}_ors = 'http://o'\n_ors_lb_strategy = 'best'\n"),
            "_ors_lb_strategy",
            "circular or linear",
        ),
        ("_type = 'http'\n", "_service", "expected http://"),
        (
            "_type = 'http'\n_service = 'http://{h}/x'\n",
            "_service",
            "only in the path",
        ),
        (
            "_type = 'http'\n_service = '/x'\n",
            "_ors",
            "templates that begin with a path",
        ),
        (
            "_type = 'http'\n_service = 'http://h/{_session}'\n",
            "_service",
            "_session",
        ),
        (
            &format!("{web}_method = 'TRACE'\n"),
            "_method",
            "GET, POST, PUT, PATCH or DELETE",
        ),
        (
            &format!("{web}'_method.a' = 'GET'\n"),
            "_method.a",
            "_request.a is missing",
        ),
        (
            &format!("{web}'_request.a' = 'http://h/{{_session}}'\n"),
            "_request.a",
            "needs the option _session",
        ),
        (
            &format!("{web}_terminate = 'http://h/{{x}}'\n"),
            "_terminate",
            "{id}, {service} or {_session}",
        ),
        (
            "_type = 'http'\n_service = 'http://h/x?s={_service}'\n",
            "_service",
            "contains {_service}, an option that clients cannot set",
        ),
        (
            &format!("{web}_request = 'http://h/{{_type}}'\n"),
            "_request",
            "contains {_type}, an option that clients cannot set",
        ),
        (
            &format!("{web}'_request.a' = 'http://h/{{_header.X}}'\n"),
            "_request.a",
            "contains {_header.X}, an option that clients cannot set",
        ),
        (
            &format!("{web}_terminate = 'http://h/{{_ors}}'\n"),
            "_terminate",
            "contains {_ors}, an option that clients cannot set",
        ),
        (
            &format!("{web}'_header.Host' = 'x'\n"),
            "_header.Host",
            "cannot be configured",
        ),
        (
            &format!("{web}'_header.a b' = 'x'\n"),
            "_header.a b",
            "not a valid header name",
        ),
    ] {
        let catalog_file = CatalogFile::new(&format!("[services.x]\n{options}"));
        let error = app::catalog(&settings(&catalog_file))
            .unwrap_err()
            .to_string();
        let prefix = format!("service \"x\", option {option}: ");
        assert!(error.contains(&prefix), "{options}: {error}");
        assert!(error.contains(expected), "{options}: {error}");
    }
}
