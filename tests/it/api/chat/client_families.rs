//! What families of public clients send, and what they need in the responses.

use serde_json::json;

use crate::support::{
    Bodies, TestApp, TestResponse,
    chat::{create_chat_service, messages, request_chat},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_mobile_app_that_sends_json_with_capitalized_booleans,
    a_web_app_that_labels_json_as_a_form,
    a_web_app_that_polls_with_an_empty_form,
    a_web_app_that_follows_the_urls,
);

async fn a_mobile_app_that_sends_json_with_capitalized_booleans(app: TestApp) {
    let service = create_chat_service(&app).await;
    let body = r#"{"_verbose": "True", "notify_by": "", "firstName": "Ann", "lastName": "Lee", "email": "a@example.com",
        "subject": "Invoice", "push_notification_type": "fcm", "push_notification_debug": "False"}"#;
    let start = app.post(&format!("{service}/ixn/chat")).json_body(body);
    let chat = TestResponse::send(start).await.json();
    let mut position = chat["transcriptPosition"].as_u64().unwrap();
    for text in ["one", "two"] {
        let send = app.post(&format!("{service}/ixn/chat/send"));
        let send = send.json_body(&json!({"message": text}).to_string());
        assert_eq!(TestResponse::send(send).await.status, 200);
        let path = format!("{service}/ixn/chat/refresh?transcriptPosition={position}");
        let chat = TestResponse::send(app.post(&path).json_body("{}"))
            .await
            .json();
        assert_eq!(messages(&chat), [text]);
        position = chat["transcriptPosition"].as_u64().unwrap();
    }
    let end = app
        .post(&format!("{service}/ixn/chat/disconnect"))
        .json_body("{}");
    assert_eq!(
        TestResponse::send(end).await.json()["chatIxnState"],
        "DISCONNECTED"
    );
}

async fn a_web_app_that_labels_json_as_a_form(app: TestApp) {
    let service = create_chat_service(&app).await;
    let send = async |request: &str, body: &str| {
        let path = format!("{service}/ixn/chat{request}");
        let label = "application/x-www-form-urlencoded; charset=UTF-8";
        let request = app.post(&path).header("content-type", label);
        let response = TestResponse::send(request.body(body.to_owned())).await;
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    };
    let chat = send(
        "",
        r#"{"firstName": "Ann", "lastName": null, "_verbose": true}"#,
    )
    .await;
    assert_eq!(chat["transcriptToShow"][0][1], "Ann");
    send("/startTyping", r#"{"message": null}"#).await;
    let chat = send("/refresh", r#"{"message": "hi", "transcriptPosition": 1}"#).await;
    assert_eq!(messages(&chat), ["hi"]);
    let chat = send("/refresh", r#"{"message": null, "transcriptPosition": 2}"#).await;
    assert_eq!(chat["transcriptToShow"], json!([]));
    assert_eq!(chat["transcriptPosition"], 2);
}

async fn a_web_app_that_polls_with_an_empty_form(app: TestApp) {
    let service = create_chat_service(&app).await;
    let start = app.post(&format!("{service}/ixn/chat"));
    let start = start.form_body("FirstName=Ann&LastName=Lee&EmailAddress=a%40example.com");
    let chat = TestResponse::send(start).await.json();
    assert_eq!(chat["transcriptToShow"][0][1], "Ann Lee");
    let mut seen = Vec::new();
    for text in ["one", "two", "three"] {
        request_chat(&app, &service, "send", &format!("message={text}")).await;
        let chat = request_chat(&app, &service, "refresh", "").await;
        seen.extend(messages(&chat));
        let idle = request_chat(&app, &service, "refresh", "").await;
        assert_eq!(idle["transcriptToShow"], json!([]));
    }
    assert_eq!(seen, ["one", "two", "three"]);
}

async fn a_web_app_that_follows_the_urls(app: TestApp) {
    let service = create_chat_service(&app).await;
    let start = app
        .post(&format!("{service}/ixn/chat"))
        .header("gms_user", "ann");
    let start = start.form_body("notify_by=comet&_verbose=true&userDisplayName=Ann");
    let chat = TestResponse::send(start).await.json();
    let follow = async |member: &str, form: &str| {
        let path = chat[member].as_str().unwrap();
        let response = TestResponse::send(app.post(path).form_body(form)).await;
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    };
    follow("_chatIxnAPI_START_TYPING_URL", "").await;
    follow("_chatIxnAPI_STOP_TYPING_URL", "").await;
    follow("_chatIxnAPI_SEND_URL", "message=hello").await;
    assert_eq!(
        messages(&follow("_chatIxnAPI_REFRESH_URL", "transcriptPosition=1").await),
        ["hello"]
    );
    let all = follow("_chatIxnAPI_REFRESH_FROM_START_URL", "").await;
    assert_eq!(all["transcriptPosition"], 2);
    let ended = follow("_chatIxnAPI_DISCONNECT_URL", "").await;
    assert_eq!(ended["chatIxnState"], "DISCONNECTED");
}
