//! The requests of the client of a chat.

use serde_json::json;

use crate::support::{
    Bodies, CatalogFile, Multipart, TestApp, TestResponse,
    chat::{assert_is_chat_object, create_chat_service, messages, request_chat, rows, start_chat},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    create_returns_the_path_of_the_start,
    a_start_returns_the_chat_and_stores_the_user_data,
    a_repeated_start_returns_the_same_chat,
    requests_before_the_start_are_not_found,
    positions_are_dense_and_windows_have_no_gaps,
    a_refresh_without_a_position_continues_after_the_last_one,
    the_fields_of_all_encodings_are_read,
    an_ended_chat_is_disconnected,
    the_transcript_stays_until_the_service_ends,
    a_message_is_required_and_limited,
    the_verbose_object_has_the_public_address,
    only_the_id_of_the_service_opens_its_chat,
);

async fn create_returns_the_path_of_the_start(app: TestApp) {
    for request in [
        app.post("/genesys/1/service/request-chat"),
        app.get("/genesys/1/service/request-chat"),
    ] {
        let created = TestResponse::send(request).await.json();
        let id = created["_id"].as_str().unwrap();
        let path = format!("/genesys/1/service/{id}/ixn/chat");
        assert_eq!(created, json!({"_id": id, "_chatIxnAPI-CREATE-URL": path}));
    }
}

async fn a_start_returns_the_chat_and_stores_the_user_data(app: TestApp) {
    let service = create_chat_service(&app).await;
    let form = "firstName=Ann&lastName=Lee&subject=Invoice&message=first&notify_by=comet&\
                push_notification_deviceid=x&subscriptionID=7";
    let start = app.post(&format!("{service}/ixn/chat")).form_body(form);
    let chat = TestResponse::send(start).await.json();
    assert_is_chat_object(&chat);
    assert_eq!(chat["chatIxnState"], "CONNECTED");
    assert_eq!(chat["transcriptPosition"], 1);
    let joined = json!([[
        "Notice.Joined",
        "Ann Lee",
        "has joined the session",
        "0",
        "CLIENT"
    ]]);
    assert_eq!(chat["transcriptToShow"], joined);
    let stored =
        json!({"firstName": "Ann", "lastName": "Lee", "subject": "Invoice", "message": "first"});
    assert_eq!(app.storage(&service).await, stored);
}

async fn a_repeated_start_returns_the_same_chat(app: TestApp) {
    let service = start_chat(&app, "userDisplayName=Ann").await;
    request_chat(&app, &service, "send", "message=hello").await;
    let start = app.get(&format!("{service}/ixn/chat?userDisplayName=Bo"));
    let chat = TestResponse::send(start).await.json();
    assert_eq!(chat["chatIxnState"], "CONNECTED");
    assert_eq!(chat["transcriptPosition"], 2);
    assert_eq!(chat["transcriptToShow"][0][1], "Ann");
}

async fn requests_before_the_start_are_not_found(app: TestApp) {
    let service = create_chat_service(&app).await;
    for request in [
        "refresh",
        "send",
        "startTyping",
        "disconnect",
        "transcript",
        "events",
    ] {
        let path = format!("{service}/ixn/chat/{request}");
        for request in [app.get(&path), app.post(&path).form_body("message=x")] {
            let response = TestResponse::send(request).await;
            response.error_message("RequestNotFound", 404);
        }
    }
    let gone = "/genesys/1/service/39a98e24-b03b-4191-b756-1efe8f3b16b8";
    for request in ["", "/refresh", "/events"] {
        let response = TestResponse::send(app.get(&format!("{gone}/ixn/chat{request}"))).await;
        response.error_message("ServiceNotFound", 404);
    }
}

async fn positions_are_dense_and_windows_have_no_gaps(app: TestApp) {
    let service = start_chat(&app, "").await;
    for index in 2..=5 {
        let form = format!("message=m{index}&transcriptPosition={}", index - 1);
        let chat = request_chat(&app, &service, "send", &form).await;
        assert_eq!(chat["transcriptPosition"], index);
        assert_eq!(messages(&chat), [format!("m{index}")]);
    }
    for after in 0..=5 {
        let form = format!("transcriptPosition={after}");
        let chat = request_chat(&app, &service, "refresh", &form).await;
        assert_eq!(chat["transcriptPosition"], 5);
        assert_eq!(rows(&chat).len(), 5 - after);
    }
    let beyond = request_chat(&app, &service, "refresh", "transcriptPosition=99").await;
    assert_eq!(beyond["transcriptPosition"], 99);
    assert_eq!(beyond["transcriptToShow"], json!([]));
    for value in ["-1", "x", "1.5"] {
        let path = format!("{service}/ixn/chat/refresh?transcriptPosition={value}");
        let response = TestResponse::send(app.post(&path)).await;
        let message = response.error_message("InvalidParameter", 400);
        assert!(message.contains(value), "{message}");
    }
}

async fn a_refresh_without_a_position_continues_after_the_last_one(app: TestApp) {
    let service = start_chat(&app, "").await;
    let first = request_chat(&app, &service, "refresh", "").await;
    assert_eq!(rows(&first).len(), 1);
    // Only a refresh changes the position.
    for _ in 0..2 {
        let sent = request_chat(&app, &service, "send", "message=a").await;
        assert_eq!(messages(&sent).last().unwrap(), "a");
    }
    let second = request_chat(&app, &service, "refresh", "message=b").await;
    assert_eq!(messages(&second), ["a", "a", "b"]);
    let third = request_chat(&app, &service, "refresh", "").await;
    assert_eq!(third["transcriptToShow"], json!([]));
    assert_eq!(third["transcriptPosition"], 4);
}

async fn the_fields_of_all_encodings_are_read(app: TestApp) {
    let service = start_chat(&app, "").await;
    let path = format!("{service}/ixn/chat/send");
    let requests = [
        app.post(&path)
            .form_body("message=form&transcriptPosition=1"),
        app.post(&path)
            .json_body(r#"{"message": "json", "transcriptPosition": 2, "x": null}"#),
        app.post(&path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(r#"{"message": "mislabeled", "transcriptPosition": "3"}"#),
        app.post(&path).multipart_body(
            Multipart::new()
                .text("message", "multipart")
                .text("transcriptPosition", "4"),
        ),
        app.post(&format!("{path}?message=query&transcriptPosition=5")),
        app.get(&format!("{path}?message=get&transcriptPosition=6")),
    ];
    let expected = ["form", "json", "mislabeled", "multipart", "query", "get"];
    for (request, expected) in requests.into_iter().zip(expected) {
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(messages(&response.json()), [expected]);
    }
    let file =
        Multipart::new()
            .text("message", "with a file")
            .file("pic", "p", "image/png", b"123");
    let response = TestResponse::send(app.post(&path).multipart_body(file)).await;
    response.error_message("InvalidParameter", 400);
    let chat = request_chat(&app, &service, "refresh", "transcriptPosition=7").await;
    assert_eq!(chat["transcriptToShow"], json!([]));
}

async fn an_ended_chat_is_disconnected(app: TestApp) {
    let service = start_chat(&app, "userDisplayName=Ann").await;
    let ended = request_chat(
        &app,
        &service,
        "disconnect",
        "message=bye&transcriptPosition=1",
    )
    .await;
    assert_eq!(ended["chatIxnState"], "DISCONNECTED");
    let expected = json!([
        ["Message.Text", "Ann", "bye", "0", "CLIENT"],
        ["Notice.Left", "Ann", "has left the session", "0", "CLIENT"],
    ]);
    assert_eq!(ended["transcriptToShow"], expected);
    for request in ["disconnect", "send", "refresh", "startTyping"] {
        let chat = request_chat(&app, &service, request, "message=x&transcriptPosition=3").await;
        assert_eq!(chat["chatIxnState"], "DISCONNECTED", "{request}");
        assert_eq!(chat["transcriptToShow"], json!([]), "{request}");
    }
    let partial = request_chat(&app, &service, "refresh", "transcriptPosition=0").await;
    assert_eq!(rows(&partial).len(), 3);
}

async fn the_transcript_stays_until_the_service_ends(app: TestApp) {
    let service = start_chat(&app, "userDisplayName=Ann").await;
    // More events than one store operation returns.
    for index in 0..520 {
        request_chat(&app, &service, "send", &format!("message={index}")).await;
    }
    request_chat(&app, &service, "disconnect", "").await;
    let path = format!("{service}/ixn/chat/transcript");
    let transcript = TestResponse::send(app.get(&path)).await.json();
    assert_eq!(transcript["transcriptPosition"], 522);
    let rows = transcript["_transcript"].as_array().unwrap();
    assert_eq!(rows.len(), 522);
    assert_eq!(rows[520][2], "519");
    assert_eq!(rows[521][0], "Notice.Left");
    // A run that is cut off is not the end.
    let chat = request_chat(&app, &service, "refresh", "transcriptPosition=0").await;
    assert_eq!(chat["chatIxnState"], "TRANSCRIPT");
    let position = chat["transcriptPosition"].as_u64().unwrap();
    let form = format!("transcriptPosition={position}");
    let rest = request_chat(&app, &service, "refresh", &form).await;
    assert_eq!(rest["chatIxnState"], "DISCONNECTED");
    assert_eq!(rest["transcriptPosition"], 522);

    assert_eq!(TestResponse::send(app.delete(&service)).await.status, 200);
    for request in ["transcript", "refresh", "events"] {
        let response = TestResponse::send(app.get(&format!("{service}/ixn/chat/{request}"))).await;
        response.error_message("ServiceNotFound", 404);
    }
}

async fn a_message_is_required_and_limited(app: TestApp) {
    let service = start_chat(&app, "").await;
    for form in ["", "message=", "text=x"] {
        let request = app
            .post(&format!("{service}/ixn/chat/send"))
            .form_body(form);
        TestResponse::send(request)
            .await
            .error_message("UnsupportedMediaType", 415);
    }
    let long = format!("message={}", "x".repeat(16 * 1024));
    let chat = request_chat(&app, &service, "send", &long).await;
    assert_eq!(messages(&chat)[0].len(), 16 * 1024);
    for request in ["send", "refresh", "disconnect"] {
        let request = app.post(&format!("{service}/ixn/chat/{request}"));
        let response = TestResponse::send(request.form_body(&format!("{long}x"))).await;
        let message = response.error_message("TooLarge", 413);
        assert!(message.contains("16384"), "{message}");
    }
    let chat = request_chat(&app, &service, "refresh", "transcriptPosition=2").await;
    assert_eq!(
        (&chat["chatIxnState"], &chat["transcriptPosition"]),
        (&json!("TRANSCRIPT"), &json!(2))
    );
}

async fn the_verbose_object_has_the_public_address(app: TestApp) {
    let service = create_chat_service(&app).await;
    let start = app
        .post(&format!("{service}/ixn/chat"))
        .form_body("_verbose=True");
    let chat = TestResponse::send(start.header("host", "chat.example.com:8443"))
        .await
        .json();
    assert_is_chat_object(&chat);
    assert_eq!(chat["chatServerHost"], "chat.example.com");
    assert_eq!(chat["chatWebApiPort"], 8443);
    assert_eq!(chat["isTLSrequired"], false);
    assert_eq!(chat["clientTimeZoneOffset"], 0);
    for (member, request) in [
        ("_chatIxnAPI_SEND_URL", "send"),
        ("_chatIxnAPI_REFRESH_URL", "refresh"),
        ("_chatIxnAPI_START_TYPING_URL", "startTyping"),
        ("_chatIxnAPI_STOP_TYPING_URL", "stopTyping"),
        ("_chatIxnAPI_DISCONNECT_URL", "disconnect"),
        (
            "_chatIxnAPI_REFRESH_FROM_START_URL",
            "refresh?transcriptPosition=0",
        ),
    ] {
        assert_eq!(chat[member], format!("{service}/ixn/chat/{request}"));
    }
    let again = request_chat(&app, &service, "refresh", "_verbose=true").await;
    assert_eq!(again["secureKey"], chat["secureKey"]);
    let brief = request_chat(&app, &service, "refresh", "_verbose=FALSE").await;
    assert_eq!(brief["secureKey"], json!(null));
}

async fn only_the_id_of_the_service_opens_its_chat(app: TestApp) {
    let service = start_chat(&app, "_verbose=true").await;
    let chat = request_chat(&app, &service, "refresh", "_verbose=true").await;
    for member in ["chatSessionId", "userId", "secureKey"] {
        let id = chat[member].as_str().unwrap();
        for request in [
            "refresh?transcriptPosition=0",
            "events",
            "transcript",
            "send?message=x",
            "disconnect",
        ] {
            let path = format!("/genesys/1/service/{id}/ixn/chat/{request}");
            let response = TestResponse::send(app.get(&path)).await;
            assert_eq!(response.status, 404, "{member}, {request}");
            assert!(!response.text().contains("session"), "{}", response.text());
        }
    }
    let after = request_chat(&app, &service, "refresh", "transcriptPosition=0").await;
    assert_eq!(rows(&after).len(), 1, "{after}");
    assert_eq!(after["chatIxnState"], "TRANSCRIPT");
}

/// Starts a service whose catalog has a `request-chat` with these options.
async fn app_with_options(options: &str) -> TestApp {
    let catalog = CatalogFile::new(&format!(
        "[services.request-chat]\n_type = \"builtin\"\n_service = \"request-chat\"\n{options}"
    ));
    TestApp::start(None, "t:", &[("catalog.file", catalog.path())]).await
}

#[tokio::test]
async fn the_end_can_be_an_error() {
    let app = app_with_options("_chat_400_response_on_disconnected = \"true\"\n").await;
    let service = start_chat(&app, "").await;
    request_chat(&app, &service, "disconnect", "message=bye").await;
    // Events that the client has not received come first.
    let rest = request_chat(&app, &service, "refresh", "").await;
    assert_eq!(messages(&rest), ["bye"]);
    for request in ["refresh", "send", "disconnect"] {
        let request = app.post(&format!("{service}/ixn/chat/{request}"));
        let response = TestResponse::send(request.form_body("message=x")).await;
        response.error_message("ChatDisconnected", 400);
    }
}

#[tokio::test]
async fn a_full_transcript_rejects_messages_but_not_the_end() {
    let app = app_with_options("_chat_max_events = \"10\"\n").await;
    let service = start_chat(&app, "").await;
    for _ in 2..=10 {
        request_chat(&app, &service, "send", "message=x").await;
    }
    let send = app
        .post(&format!("{service}/ixn/chat/send"))
        .form_body("message=x");
    TestResponse::send(send)
        .await
        .error_message("ChatFull", 409);
    let ended = request_chat(&app, &service, "disconnect", "").await;
    assert_eq!(ended["transcriptPosition"], 11);
    assert_eq!(ended["chatIxnState"], "DISCONNECTED");
}

#[tokio::test]
async fn without_an_agent_a_start_can_be_rejected() {
    let app = app_with_options("_chat_requires_agent = \"true\"\n").await;
    let service = create_chat_service(&app).await;
    let response = TestResponse::send(app.post(&format!("{service}/ixn/chat"))).await;
    assert_eq!(response.headers["retry-after"], "10");
    response.error_message("ChatUnavailable", 503);
    // Nothing has changed.
    assert_eq!(app.storage(&service).await, json!({}));
}

#[tokio::test]
async fn messages_can_be_limited_per_chat() {
    let limit = [("rate_limit.messages_per_chat", "2")];
    let app = TestApp::start(None, "t:", &limit).await;
    let (first, second) = (start_chat(&app, "").await, start_chat(&app, "").await);
    for service in [&first, &second] {
        for _ in 0..2 {
            request_chat(&app, service, "send", "message=x").await;
        }
        let send = app
            .post(&format!("{service}/ixn/chat/send"))
            .form_body("message=x");
        let response = TestResponse::send(send).await;
        response.error_message("TooManyRequests", 429);
        let read = request_chat(&app, service, "refresh", "").await;
        assert_eq!(messages(&read).len(), 2);
    }
}
