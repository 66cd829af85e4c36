//! Sessions on an Orchestration Server.

use serde_json::json;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse,
    backends::{Backend, MockResponse, ors_service, start_app},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_create_starts_a_session_and_returns_its_first_response,
    user_data_is_stored_before_the_backend_is_called,
    requests_and_responses_are_passed_through_unchanged,
    unencoded_lists_are_passed_through,
    files_are_stored_and_sent_as_paths,
    correlation_headers_are_propagated,
    update_is_not_sent_to_the_backend,
    configured_options_win_and_server_side_options_are_not_sent,
    clients_cannot_set_the_data_id,
);

async fn create(app: &TestApp, form: &str) -> String {
    let request = app.post("/genesys/1/service/chat").form_body(form);
    TestResponse::send(request).await.service_id()
}

async fn a_create_starts_a_session_and_returns_its_first_response(app: TestApp) {
    let reply = r#"{"text":"hello","n":1.50,"list":[{}]}"#;
    let backend = Backend::new_ors(move |_| MockResponse::ok(reply)).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let create = app.post("/genesys/1/service/chat");
    let answer = TestResponse::send(create.form_body("_lang=en&name=J%26J&_x=1")).await;
    let id = answer.json()["_id"].as_str().unwrap().to_owned();
    let expected = format!(r#"{{"_id":"{id}",{}"#, &reply[1..]);
    assert_eq!(answer.text(), expected);
    let [start, begin] = &backend.received_requests()[..] else {
        panic!("{:?}", backend.request_lines())
    };
    assert_eq!(start.request_line(), "POST /scxml/session/start");
    let form = json!({"src": "http://docs/chat.scxml", "_data_id": id, "_lang": "en", "_x": "1"});
    assert_eq!(json!(start.form()), form);
    assert_eq!(
        begin.request_line(),
        "POST /scxml/session/S-1/request/gms.start"
    );
    assert_eq!(begin.form()["_data_id"], id);
    let service = answer.service_id();
    assert_eq!(app.storage(&service).await, json!({"name": "J&J"}));
    assert_eq!(app.get_service(&service).await["_service"], "chat");
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 86_000);
}

async fn user_data_is_stored_before_the_backend_is_called(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::Hang).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let create = app.post("/genesys/1/service/chat").form_body("city=Rome");
    let client = tokio::spawn(create.send());
    let start = backend.wait_for_request("POST /scxml/session/start").await;
    let service = format!("/genesys/1/service/{}", start.form()["_data_id"]);
    assert_eq!(app.storage(&service).await, json!({"city": "Rome"}));
    client.abort();
}

async fn requests_and_responses_are_passed_through_unchanged(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let service = create(&app, "kept=1").await;
    for answer in [
        r#"{ "b":1e400, "a":{"x":[1.10,null,"é\u00e9"]}, "a":true }"#,
        "{}",
        "[]",
        "\"text\"",
    ] {
        backend.set_responder(move |_| MockResponse::ok(answer));
        let path = format!("{service}/ixn/chat/send%20it?q=1");
        let body = r#"{"text":"a&b=é","_n":1.50,"map":{"k":["v"]},"no":null}"#;
        let response = TestResponse::send(app.post(&path).json_body(body)).await;
        assert_eq!((response.status.as_u16(), response.text()), (200, answer));
        assert_eq!(
            response.header("content-type"),
            "application/json;charset=utf-8"
        );
        assert_eq!(response.header("cache-control"), "no-cache, no-store");
        let arrived = backend.last_request();
        let line = "POST /scxml/session/S-1/request/ixn/chat/send%20it";
        assert_eq!(arrived.request_line(), line);
        let expected = json!({"text": "a&b=é", "_n": "1.50", "map": "{k=[v]}", "q": "1"});
        assert_eq!(json!(arrived.form()), expected);
    }
    // A response without content is an empty object.
    backend.set_responder(|_| MockResponse::Raw("HTTP/1.1 204 No Content\r\n\r\n".to_owned()));
    let response = TestResponse::send(app.get(&format!("{service}/poll?since=2"))).await;
    assert_eq!((response.status.as_u16(), response.text()), (200, "{}"));
    assert_eq!(backend.last_request().form()["since"], "2");
    // The fields of requests are not stored.
    assert_eq!(app.storage(&service).await, json!({"kept": "1"}));
}

async fn unencoded_lists_are_passed_through(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let service = create(&app, "").await;
    let lists = r#"{"chatLineList":["A","B & C+D=100%"]}"#;
    let form = format!("_parameter={lists}&x=1");
    let request = app.post(&format!("{service}/ixn/chat")).form_body(&form);
    assert_eq!(TestResponse::send(request).await.text(), "{}");
    let arrived = backend.last_request().form();
    assert_eq!(
        (arrived["_parameter"].as_str(), arrived["x"].as_str()),
        (lists, "1")
    );
}

async fn files_are_stored_and_sent_as_paths(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let service = create(&app, "").await;
    let file = Multipart::new()
        .text("note", "look")
        .file("my pic/1", "p.png", "image/png", b"123")
        .file("_dropped", "p", "image/png", b"4");
    let request = app.post(&format!("{service}/attach"));
    assert_eq!(
        TestResponse::send(request.multipart_body(file))
            .await
            .text(),
        "{}"
    );
    let arrived = backend.last_request().form();
    assert_eq!(arrived.len(), 2, "{arrived:?}");
    let path = &arrived["my pic/1"];
    assert_eq!(path, &format!("{service}/storage/binary/my%20pic%2F1"));
    let read = TestResponse::send(app.get(path)).await;
    assert_eq!(
        (&read.body[..], read.header("content-type")),
        (&b"123"[..], "image/png")
    );
    // A stored file remains if the backend fails, and the error message says so.
    backend.set_responder(|_| MockResponse::Json(500, "{}".to_owned()));
    let file = Multipart::new().file("other", "p", "image/png", b"5");
    let request = app.post(&format!("{service}/attach")).multipart_body(file);
    let message = TestResponse::send(request)
        .await
        .error_message("BackendUnreachable", 502);
    assert_eq!(
        message,
        "ORS request failed: ORS responded with 500; its files are in the service's storage"
    );
    let read = TestResponse::send(app.get(&format!("{service}/storage/binary/other"))).await;
    assert_eq!(read.body, b"5");
}

async fn correlation_headers_are_propagated(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let headers = [
        ("gms_user", "joé"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("x-request-id", "r 1"),
    ];
    let mut request = app.post("/genesys/1/service/chat");
    for (name, value) in headers {
        request = request.header(name, value.as_bytes());
    }
    let service = TestResponse::send(request).await.service_id();
    for arrived in backend.received_requests() {
        for (name, value) in headers {
            assert_eq!(arrived.header(name), value, "{}", arrived.request_line());
        }
    }
    TestResponse::send(app.post(&format!("{service}/x"))).await;
    let arrived = backend.last_request();
    assert_eq!(arrived.header("gms_user"), "");
    assert_eq!(
        arrived.header("x-request-id").len(),
        36,
        "a request id is generated"
    );
    assert_eq!(arrived.header("host"), backend.address.to_string());
}

async fn update_is_not_sent_to_the_backend(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let service = create(&app, "").await;
    let before = backend.received_requests().len();
    let update = app.post(&format!("{service}/update")).form_body("a=1");
    TestResponse::send(update).await.assert_empty();
    assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    let mut wire = RawConnection::connect(&app).await;
    for unknown in ["a//b", "a/", "x/%2E%2E/y", "%2E", "x/../y"] {
        let answer = wire.request("GET", &format!("{service}/{unknown}")).await;
        answer.error_message("RequestNotFound", 404);
    }
    let unknown_service = app.post("/genesys/1/service/unknown/x");
    TestResponse::send(unknown_service)
        .await
        .error_message("ServiceNotFound", 404);
    assert_eq!(backend.received_requests().len(), before);
}

async fn configured_options_win_and_server_side_options_are_not_sent(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let options = "_lang = 'de'\n_color = 'red'\n_overwritable_options = '_color'\n\
                   '_header.X-Key' = 'secret'\n";
    let app = start_app(&app, &(ors_service(&[&backend.url()]) + options), &[]).await;
    let form = "_lang=en&_color=blue&_ors=http://x&_header.X-Key=1&_service=x&_type=http&_free=1";
    create(&app, form).await;
    let start = backend.received_requests().remove(0);
    assert_eq!(start.header("x-key"), "secret");
    let mut form = start.form();
    form.remove("_data_id");
    let expected =
        json!({"src": "http://docs/chat.scxml", "_lang": "de", "_color": "blue", "_free": "1"});
    assert_eq!(json!(form), expected);
}

async fn clients_cannot_set_the_data_id(app: TestApp) {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let app = start_app(&app, &ors_service(&[&backend.url()]), &[]).await;
    let service = create(&app, "_data_id=forged&_DATA_ID=forged&src=forged&_x=1").await;
    let request = app.post(&format!("{service}/say?_data_id=forged"));
    TestResponse::send(request.form_body("src=a.png&_Data_Id=forged&_data_id=forged")).await;
    let requests = backend.received_requests();
    let id = service.rsplit('/').next().unwrap();
    let expected = [
        json!({"src": "http://docs/chat.scxml", "_data_id": id, "_x": "1"}),
        json!({"_data_id": id, "_x": "1"}),
        // In a service-specific request `src` is a field of the client.
        json!({"src": "a.png"}),
    ];
    assert_eq!(requests.len(), expected.len());
    for (call, expected) in requests.iter().zip(&expected) {
        assert_eq!(&json!(call.form()), expected, "{}", call.request_line());
        assert!(!format!("{call:?}").contains("forged"));
    }
}
