//! Active services with a backend whose definition is deleted.

use serde_json::{Value, json};

use super::fixture::{
    create_entry, create_service, create_service_with, delete_entry, start_admin,
};
use crate::support::{
    Bodies, TestApp, TestResponse,
    backends::{Backend, MockResponse},
    on_every_kind_of_store,
};

on_every_kind_of_store!(service_of_a_deleted_definition_still_uses_its_backend,);

fn backend_options(backend: &Backend) -> Value {
    json!({
        "_type": "http",
        "_service": format!("{}/rooms/{{id}}", backend.url()),
        "_request.send": format!("{}/rooms/{{id}}/send", backend.url()),
        "_terminate": format!("{}/rooms/{{id}}/close", backend.url()),
    })
}

async fn service_of_a_deleted_definition_still_uses_its_backend(app: TestApp) {
    let backend = Backend::new(|_| MockResponse::ok("{}")).await;
    let app = start_admin(&app).await;
    create_entry(&app, "services/chat", &backend_options(&backend)).await;
    let service = create_service_with(&app, "chat", "a=1").await.service_id();
    let id = service.rsplit('/').next().unwrap().to_owned();
    delete_entry(&app, "services/chat").await;
    create_service(&app, "chat")
        .await
        .error_message("ServiceNotFound", 404);
    let send = app.post(&format!("{service}/send")).form_body("text=hello");
    let response = TestResponse::send(send).await;
    assert_eq!(response.status, 200, "{}", response.text());
    TestResponse::send(app.delete(&service)).await.assert_ok();
    backend
        .wait_for_request(&format!("POST /rooms/{id}/close"))
        .await;
}
