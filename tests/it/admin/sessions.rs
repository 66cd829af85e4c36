//! Services with a backend whose definition is changed or deleted while they live.

use serde_json::{Value, json};

use super::desk::{administered, create, create_with, make, remove};
use crate::support::{
    Answer, Bodies, TestApp,
    backends::{Backend, Way},
    on_every_kind_of_store,
};

on_every_kind_of_store!(what_was_made_from_a_deleted_definition_is_asked_and_ended,);

fn on(backend: &Backend) -> Value {
    json!({
        "_type": "http",
        "_service": format!("{}/rooms/{{id}}", backend.url()),
        "_request.send": format!("{}/rooms/{{id}}/send", backend.url()),
        "_terminate": format!("{}/rooms/{{id}}/close", backend.url()),
    })
}

async fn what_was_made_from_a_deleted_definition_is_asked_and_ended(app: TestApp) {
    let backend = Backend::new(|_| Way::ok("{}")).await;
    let app = administered(&app).await;
    make(&app, "services/chat", &on(&backend)).await;
    let service = create_with(&app, "chat", "a=1").await.service();
    let id = service.rsplit('/').next().unwrap().to_owned();
    remove(&app, "services/chat").await;
    create(&app, "chat")
        .await
        .message_of("ServiceNotFound", 404);
    let send = app.post(&format!("{service}/send")).form_body("text=hello");
    let answer = Answer::of(send).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Answer::of(app.delete(&service)).await.assert_ok();
    backend.awaits(&format!("POST /rooms/{id}/close")).await;
}
