//! The requests of real clients.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{STORAGE, binary_path, written_id};
use crate::{
    api::admin::fixture::{get_json, start_admin_with},
    support::{Bodies, Multipart, TestApp, TestResponse, encode, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_session_store_keeps_its_entries_under_its_own_ids,
    a_session_store_without_its_password_reaches_nothing,
    a_mobile_client_updates_with_forms_and_files,
    values_of_json_are_stored_as_strings,
);

/// The settings of a server with a session store.
const PASSWORD: [(&str, &str); 2] = [("auth.username", "sessions"), ("auth.password", "sesame")];

/// A request of the session store: its user, and credentials without being asked for them.
fn by_session_store(request: RequestBuilder) -> RequestBuilder {
    let request = request.basic_auth("sessions", Some("sesame"));
    request.header("gms_user", "chat-server")
}

/// The remaining seconds of a storage area of the session store.
async fn ttl(app: &TestApp, id: &str) -> u64 {
    let internal = encode(&format!("custom/chat-server/{id}"));
    let listed = get_json(app, &format!("active-services/{internal}")).await;
    assert_eq!(listed["gms_user"], "chat-server");
    listed["ttl"].as_u64().unwrap()
}

async fn a_session_store_keeps_its_entries_under_its_own_ids(app: TestApp) {
    let app = start_admin_with(&app, &PASSWORD).await;
    for (id, seconds) in [
        ("session8A7F1", 86_400),
        ("event17", 300),
        ("chatService-support", 86_400),
    ] {
        let path = format!("{STORAGE}/{id}");
        let write = async |seconds: u64, form: &str| {
            let request = app.post(&format!("{path}/{seconds}")).form_body(form);
            written_id(&TestResponse::send(by_session_store(request)).await)
        };
        let read = async || TestResponse::send(by_session_store(app.get(&path))).await;
        read().await.error_message("ServiceNotFound", 404);
        assert_eq!(
            write(seconds, "user=Ann+Lee&count=42&empty=&zero=007").await,
            id
        );
        let expected = json!({"user": "Ann Lee", "count": "42", "empty": "", "zero": "007"});
        let answer = read().await;
        assert_eq!(answer.json(), expected);
        let kind = answer.header("content-type");
        assert_eq!(kind, "application/json;charset=utf-8");
        assert!((seconds - 60..=seconds).contains(&ttl(&app, id).await));

        // Every write merges, and the TTL counts from it.
        assert_eq!(write(1_000, "count=43&price=1.50&user=").await, id);
        let expected =
            json!({"user": "", "count": "43", "empty": "", "zero": "007", "price": "1.50"});
        assert_eq!(read().await.json(), expected);
        assert!((940..=1_000).contains(&ttl(&app, id).await));

        let key = by_session_store(app.get(&format!("{path}/count")));
        assert_eq!(TestResponse::send(key).await.text(), "{\"count\":\"43\"}");
        let key = by_session_store(app.get(&format!("{path}/empty")));
        let plain = TestResponse::send(key.header("accept", "text/plain")).await;
        assert_eq!((plain.status.as_u16(), plain.text()), (200, ""));

        let delete = || TestResponse::send(by_session_store(app.delete(&path)));
        delete().await.assert_ok();
        read().await.error_message("ServiceNotFound", 404);
        delete().await.error_message("ServiceNotFound", 404);
        // The id can be used again, and nothing of the earlier use returns.
        assert_eq!(write(seconds, "again=1").await, id);
        assert_eq!(read().await.json(), json!({"again": "1"}));
    }
}

async fn a_session_store_without_its_password_reaches_nothing(app: TestApp) {
    let app = start_admin_with(&app, &PASSWORD).await;
    let path = format!("{STORAGE}/session1");
    let create = app.post(&format!("{path}/300")).form_body("a=1");
    written_id(&TestResponse::send(by_session_store(create)).await);
    for (method, path) in [
        (Method::POST, format!("{STORAGE}/300")),
        (Method::POST, format!("{path}/300")),
        (Method::POST, format!("{STORAGE}/custom/session1/300")),
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/a")),
        (Method::GET, binary_path("session1", "a")),
        (Method::DELETE, format!("{path}/a")),
        (Method::DELETE, path.clone()),
    ] {
        for password in [None, Some("wrong")] {
            let request = app.request(method.clone(), &path);
            let request = request.header("gms_user", "chat-server");
            let request = match password {
                Some(password) => request.basic_auth("sessions", Some(password)),
                None => request,
            };
            let answer = TestResponse::send(request).await;
            answer.error_message("Unauthorized", 401);
            assert!(answer.header("www-authenticate").starts_with("Basic "));
        }
    }
    let read = TestResponse::send(by_session_store(app.get(&path))).await;
    assert_eq!(read.json(), json!({"a": "1"}));
}

async fn a_mobile_client_updates_with_forms_and_files(app: TestApp) {
    let create = app.post(&format!("{STORAGE}/3600"));
    let create = create.form_body("name=Ann&phone=5551234&note=");
    let id = written_id(&TestResponse::send(create).await);
    let update = format!("{STORAGE}/{id}/3600");
    let body = Multipart::new().text("name", "Ann Lee");
    let body = body.file("picture", "me.png", "image/png", b"12345");
    let updated = TestResponse::send(app.post(&update).multipart_body(body)).await;
    assert_eq!(written_id(&updated), id);
    let updated = TestResponse::send(app.post(&update).form_body("phone=&visits=3")).await;
    assert_eq!(written_id(&updated), id);

    let read = TestResponse::send(app.get(&format!("{STORAGE}/{id}"))).await;
    let flat: BTreeMap<String, String> = serde_json::from_slice(&read.body).unwrap();
    let expected = [
        ("name", "Ann Lee"),
        ("note", ""),
        ("phone", ""),
        ("visits", "3"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(flat, BTreeMap::from(expected));

    let binary = format!("{STORAGE}/binary/{id}/picture");
    let answer = TestResponse::send(app.get(&binary)).await;
    assert_eq!(
        (answer.status.as_u16(), &*answer.body),
        (200, &b"12345"[..])
    );
    assert_eq!(answer.header("content-type"), "image/png");
    // The order of the segments is not that of the path of a service.
    let other = app.get(&format!("{STORAGE}/{id}/binary/picture"));
    TestResponse::send(other)
        .await
        .error_message("NotFound", 404);
    // As a string, the error names the path of the binary.
    let string = TestResponse::send(app.get(&format!("{STORAGE}/{id}/picture"))).await;
    let message = string.error_message("KeyNotFound", 404);
    let path = message.rsplit(' ').next().unwrap();
    assert_eq!(TestResponse::send(app.get(path)).await.body, b"12345");

    for key in ["picture", "name", "never-there"] {
        let delete = app.delete(&format!("{STORAGE}/{id}/{key}"));
        TestResponse::send(delete).await.assert_ok();
    }
    let gone = TestResponse::send(app.get(&binary)).await;
    gone.error_message("KeyNotFound", 404);
    let read = TestResponse::send(app.get(&format!("{STORAGE}/{id}"))).await;
    assert_eq!(read.json(), json!({"note": "", "phone": "", "visits": "3"}));
}

async fn values_of_json_are_stored_as_strings(app: TestApp) {
    let body = r#"{"text":"t","empty":"","number":42,"price":1.50,"yes":true}"#;
    let create = app.post(&format!("{STORAGE}/600")).json_body(body);
    let id = written_id(&TestResponse::send(create).await);
    let service = app.post("/genesys/1/service/store").json_body(body);
    let service = TestResponse::send(service).await.service_id();
    let read = TestResponse::send(app.get(&format!("{STORAGE}/{id}")))
        .await
        .json();
    assert_eq!(read, app.storage(&service).await);
    assert_eq!(
        (&read["number"], &read["empty"]),
        (&json!("42"), &json!(""))
    );
    assert!(read.as_object().unwrap().values().all(Value::is_string));
}
