//! Contract section 6: service-specific requests of builtin services.

use serde_json::json;

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    an_update_stores_its_user_data,
    an_unknown_request_is_rejected_with_its_name,
    storage_areas_support_only_updates,
    fixed_routes_win_over_requests,
);

async fn an_update_stores_its_user_data(app: TestApp) {
    let service = app.create("Key1=Value1&gone=1").await;
    let update = format!("{service}/update");
    let file = Multipart::new()
        .file("pic", "p", "image/png", b"123")
        .text("Key5", "5");
    for request in [
        app.post(&update).form_body("Key2=2&_ttl=1"),
        app.post(&update).json_body(r#"{"Key3":3,"gone":null}"#),
        app.get(&format!("{update}?Key4=4")),
        app.post(&update).multipart_body(file),
        app.post(&update),
    ] {
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let expected = json!({"Key1": "Value1", "Key2": "2", "Key3": "3", "Key4": "4", "Key5": "5"});
    assert_eq!(app.storage(&service).await, expected);
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    assert_eq!(binary.body, b"123");
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 1);
}

async fn an_unknown_request_is_rejected_with_its_name(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    for name in [
        "ixn/chat/send",
        "updates",
        "Update",
        "update/",
        "storages",
        "binary/x",
        "a%2Fb",
    ] {
        let path = format!("{service}/{name}");
        for request in [app.post(&path).form_body("Key1=new"), app.get(&path)] {
            let message = TestResponse::send(request)
                .await
                .error_message("RequestNotFound", 404);
            let decoded_name = name.replace("%2F", "/");
            assert!(message.contains(&format!("{decoded_name:?}")), "{message}");
        }
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
}

async fn fixed_routes_win_over_requests(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    for path in [
        "storage/",
        "storage/a/b",
        "storage/binary/",
        "storage/binary/a/b",
    ] {
        let answer = TestResponse::send(app.get(&format!("{service}/{path}"))).await;
        answer.error_message("NotFound", 404);
    }
    for path in ["storage/update", "storage/binary/update"] {
        let answer = TestResponse::send(app.post(&format!("{service}/{path}"))).await;
        answer.error_message("MethodNotAllowed", 405);
    }
}

async fn storage_areas_support_only_updates(app: TestApp) {
    let create = app.post("/genesys/1/storage/60").form_body("Key1=Value1");
    let created = TestResponse::send(create).await.json();
    let id = created["id"].as_str().unwrap();
    let area = format!("/genesys/1/service/{id}");
    let update = app.post(&format!("{area}/update")).form_body("Key2=2");
    TestResponse::send(update).await.assert_empty();
    let request = app.post(&format!("{area}/foo")).form_body("Key1=new");
    let message = TestResponse::send(request)
        .await
        .error_message("RequestNotFound", 404);
    let expected = "storage areas do not support the request \"foo\"; supported: \"update\"";
    assert_eq!(message, expected);
    let expected = json!({"Key1": "Value1", "Key2": "2"});
    assert_eq!(app.storage(&area).await, expected);
    TestResponse::send(app.delete(&area)).await.assert_ok();
    let request = app.post(&format!("{area}/foo")).form_body("Key1=new");
    let message = TestResponse::send(request)
        .await
        .error_message("ServiceNotFound", 404);
    assert!(message.starts_with("there is no storage area"), "{message}");
}
