//! A chat of a test.

use serde_json::{Value, json};

use super::{Bodies, TestApp, TestResponse};

/// Creates a service with a chat that was not started; returns its path.
pub(crate) async fn create_chat_service(app: &TestApp) -> String {
    let created = TestResponse::send(app.post("/genesys/1/service/request-chat")).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let id = created.json()["_id"].as_str().unwrap().to_owned();
    format!("/genesys/1/service/{id}")
}

/// Creates a service and starts its chat with these fields of a form; returns its path.
pub(crate) async fn start_chat(app: &TestApp, form: &str) -> String {
    let service = create_chat_service(app).await;
    let start = app.post(&format!("{service}/ixn/chat")).form_body(form);
    let started = TestResponse::send(start).await;
    assert_eq!(started.status, 200, "{}", started.text());
    assert_eq!(started.json()["chatIxnState"], "CONNECTED");
    service
}

/// Sends a request to a chat with these fields of a form; returns the chat object.
pub(crate) async fn request_chat(app: &TestApp, service: &str, request: &str, form: &str) -> Value {
    let request = app
        .post(&format!("{service}/ixn/chat/{request}"))
        .form_body(form);
    let response = TestResponse::send(request).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

/// The kinds and texts of the events in a chat object.
pub(crate) fn rows(chat: &Value) -> Vec<(String, String)> {
    let rows = chat["transcriptToShow"].as_array().unwrap();
    let text = |row: &Value, index: usize| row[index].as_str().unwrap().to_owned();
    rows.iter()
        .map(|row| (text(row, 0), text(row, 2)))
        .collect()
}

/// The texts of the messages in a chat object.
pub(crate) fn messages(chat: &Value) -> Vec<String> {
    let messages = rows(chat)
        .into_iter()
        .filter(|(kind, _)| kind == "Message.Text");
    messages.map(|(_, text)| text).collect()
}

/// Checks the members and types of a chat object.
pub(crate) fn assert_is_chat_object(chat: &Value) {
    for member in [
        "chatIxnState",
        "chatSessionId",
        "startedAt",
        "chatServiceMessage",
    ] {
        assert!(chat[member].is_string(), "{member}: {chat}");
    }
    assert!(chat["transcriptPosition"].is_u64(), "{chat}");
    for row in chat["transcriptToShow"].as_array().unwrap() {
        let row = row.as_array().unwrap();
        assert!(
            row.len() == 5 && row.iter().all(Value::is_string),
            "{row:?}"
        );
    }
    assert_eq!(chat["exception"], json!(null));
}
