//! Requests of agents on chats.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::fixture::{
    ADMIN_PASSWORD, ANN, BOB, BOT, client, get, get_json, perform, post, request, rows, start,
    start_chat,
};
use crate::support::{Bodies, Multipart, TestApp, TestResponse, encode, on_every_kind_of_store};

on_every_kind_of_store!(
    an_agent_joins_answers_leaves_and_ends,
    a_transfer_is_left_and_joined_in_one_update,
    exclusive_joins_find_another_agent,
    requests_that_cannot_be_performed_change_nothing,
    bodies_of_every_kind_are_accepted,
    hostile_text_arrives_unchanged,
    the_data_of_the_service_is_beside_the_chat,
    a_chat_ends_with_its_service,
    joins_leaves_and_ends_are_in_the_audit_log,
);

async fn an_agent_joins_answers_leaves_and_ends(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "userDisplayName=Carl&subject=Help").await;
    let joined = perform(&app, ANN, &id, "join", "nickname= Maria ").await;
    assert_eq!(rows(&joined), ["Joined Carl", "Joined Maria"]);
    assert_eq!(joined["id"], id);
    assert_eq!(joined["definition"], "request-chat");
    assert_eq!(
        (&joined["state"], &joined["subject"]),
        (&json!("active"), &json!("Help"))
    );
    let member = json!({"agent": "ann", "party": "AGENT", "nickname": "Maria", "typing": false});
    assert_eq!(joined["members"], json!([member]));
    assert_eq!(joined["clientTyping"], false);
    assert_eq!(joined["chatIxnState"], "TRANSCRIPT");
    // Joining twice changes nothing.
    let again = perform(
        &app,
        ANN,
        &id,
        "join",
        "nickname=Other&transcriptPosition=2",
    )
    .await;
    assert_eq!(rows(&again), [""; 0]);
    let typing = perform(&app, ANN, &id, "typing", "transcriptPosition=2").await;
    assert_eq!(rows(&typing), ["TypingStarted Maria"]);
    assert_eq!(typing["members"][0]["typing"], true);
    let sent = perform(&app, ANN, &id, "send", "message=Hello&transcriptPosition=3").await;
    assert_eq!(rows(&sent), ["Maria: Hello"]);
    assert_eq!(sent["transcriptPosition"], 4);
    client(&app, &id, "startTyping", "").await;
    let bot = perform(
        &app,
        BOT,
        &id,
        "join",
        "party=external&transcriptPosition=4",
    )
    .await;
    assert_eq!(rows(&bot), ["Joined bot"]);
    assert_eq!(bot["clientTyping"], true);
    let left = perform(&app, ANN, &id, "leave", "transcriptPosition=5").await;
    assert_eq!(rows(&left), ["Left Maria"]);
    assert_eq!(
        rows(&perform(&app, ANN, &id, "leave", "transcriptPosition=6").await),
        [""; 0]
    );
    let ended = perform(&app, BOT, &id, "end", "transcriptPosition=6").await;
    assert_eq!(rows(&ended), ["Left bot"]);
    assert_eq!(
        (&ended["state"], &ended["chatIxnState"]),
        (&json!("ended"), &json!("DISCONNECTED"))
    );
    for (what, form) in [
        ("send", "message=x"),
        ("join", ""),
        ("leave", ""),
        ("end", ""),
    ] {
        post(&app, ANN, &id, what, form)
            .await
            .error_message("ChatEnded", 409);
    }
    let transcript = get_json(&app, ANN, &format!("chats/{id}?transcriptPosition=5")).await;
    assert_eq!(rows(&transcript), ["Left Maria", "Left bot"]);
}

async fn a_transfer_is_left_and_joined_in_one_update(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    perform(&app, BOT, &id, "join", "party=EXTERNAL").await;
    perform(&app, ANN, &id, "join", "").await;
    let taken = perform(&app, BOB, &id, "join", "transfer=True&transcriptPosition=3").await;
    assert_eq!(rows(&taken), ["Left ann", &format!("Joined {}", BOB.0)]);
    let members = taken["members"].as_array().unwrap();
    let names: Vec<_> = members
        .iter()
        .map(|member| member["agent"].as_str().unwrap())
        .collect();
    assert_eq!(names, [BOT.0, BOB.0]);
    let refreshed = client(&app, &id, "refresh", "transcriptPosition=3").await;
    assert_eq!(rows(&refreshed), rows(&taken));
    post(&app, ANN, &id, "send", "message=x")
        .await
        .error_message("NotInChat", 409);
}

async fn exclusive_joins_find_another_agent(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    // Only agents count.
    perform(&app, BOT, &id, "join", "party=EXTERNAL").await;
    perform(&app, ANN, &id, "join", "exclusive=true").await;
    post(&app, BOB, &id, "join", "exclusive=true")
        .await
        .error_message("ChatTaken", 409);
    perform(&app, ANN, &id, "join", "exclusive=true").await;
    let chat = perform(&app, BOB, &id, "join", "").await;
    assert_eq!(chat["members"].as_array().unwrap().len(), 3);
}

async fn requests_that_cannot_be_performed_change_nothing(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    for (what, form) in [
        ("send", ""),
        ("send", "message="),
        ("typing", "typing=maybe"),
        ("join", "nickname="),
        ("join", "nickname=%20%09"),
        ("join", "nickname=a%0Ab"),
        ("join", "nickname=a%09b"),
        ("join", "nickname=a%E2%80%A8b"),
        ("join", &format!("nickname={}", "x".repeat(65))),
        ("join", "party=CLIENT"),
        ("join", "party=boss"),
        ("join", "exclusive=1"),
        ("join", "exclusive=true&transfer=true"),
        ("leave", "transcriptPosition=-1"),
        ("end", "transcriptPosition=x"),
    ] {
        post(&app, ANN, &id, what, form)
            .await
            .error_message("InvalidParameter", 400);
    }
    for what in ["send", "typing"] {
        post(&app, ANN, &id, what, "message=x")
            .await
            .error_message("NotInChat", 409);
    }
    perform(&app, ANN, &id, "join", "").await;
    let long = format!("message={}", "x".repeat(16 * 1024 + 1));
    post(&app, ANN, &id, "send", &long)
        .await
        .error_message("TooLarge", 413);
    let chat = get_json(&app, ANN, &format!("chats/{id}")).await;
    assert_eq!(rows(&chat), ["Joined Customer", "Joined ann"]);
    let store = app.create("a=1").await;
    let without_chat = store.rsplit('/').next().unwrap();
    for id in [without_chat, "no-such-id", "custom%2Fa%2Fb", "%2F"] {
        for what in ["join", "send", "typing", "leave", "end"] {
            post(&app, ANN, id, what, "message=x")
                .await
                .error_message("ServiceNotFound", 404);
        }
        get(&app, ANN, &format!("chats/{id}"))
            .await
            .error_message("ServiceNotFound", 404);
        get(&app, ANN, &format!("chats/{id}/events"))
            .await
            .error_message("ServiceNotFound", 404);
    }
}

async fn bodies_of_every_kind_are_accepted(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    let path = |what: &str| format!("chats/{id}/{what}");
    let join = request(&app, ANN, Method::POST, &path("join"));
    let joined = TestResponse::send(join.json_body(r#"{"nickname":"M","exclusive":"True"}"#)).await;
    assert_eq!(rows(&joined.json()), ["Joined Customer", "Joined M"]);
    let message = request(&app, ANN, Method::POST, &path("send?transcriptPosition=2"));
    let multipart = Multipart::default().text("message", "in parts");
    let sent = TestResponse::send(message.multipart_body(multipart)).await;
    assert_eq!(rows(&sent.json()), ["M: in parts"]);
    let message = request(
        &app,
        ANN,
        Method::POST,
        &path("send?message=query&transcriptPosition=3"),
    );
    assert_eq!(
        rows(&TestResponse::send(message).await.json()),
        ["M: query"]
    );
    let message = request(&app, ANN, Method::POST, &path("send?transcriptPosition=4"));
    let labeled = TestResponse::send(message.form_body(r#"{"message":"JSON","other":null}"#)).await;
    assert_eq!(rows(&labeled.json()), ["M: JSON"]);
}

async fn hostile_text_arrives_unchanged(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    let nickname = "<b>\u{202e}M\"\\&</b>";
    let form = format!("nickname={}", encode(nickname));
    perform(&app, ANN, &id, "join", &form).await;
    let texts = [
        "<script>alert(1)</script>".to_owned(),
        "\u{202e}right to left\u{0}\u{1}\u{7f}\u{2028}\r\n\tend".to_owned(),
        "\u{1f469}\u{200d}\u{1f4bb} ".repeat(1_000),
        "\n\ndata: x\n\nevent: end\n".to_owned(),
    ];
    for text in &texts {
        let form = format!("message={}", encode(text));
        let sent = perform(&app, ANN, &id, "send", &form).await;
        let last = sent["transcriptToShow"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        assert_eq!((&last[1], &last[2]), (&json!(nickname), &json!(text)));
    }
    let chat = client(&app, &id, "refresh", "transcriptPosition=2").await;
    let read: Vec<_> = chat["transcriptToShow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[2].clone())
        .collect();
    assert_eq!(read, texts.map(|text| json!(text)));
}

async fn the_data_of_the_service_is_beside_the_chat(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "FirstName=Carl&city=Rome").await;
    let upload = app.post(&format!("/genesys/1/service/{id}/storage"));
    let upload =
        upload.multipart_body(Multipart::default().file("photo", "p.png", "image/png", b"12345"));
    TestResponse::send(upload).await.assert_empty();
    let chat = get_json(&app, ANN, &format!("chats/{id}")).await;
    assert_eq!(chat["userData"]["city"], "Rome");
    assert_eq!(chat["userData"]["FirstName"], "Carl");
    let file =
        json!({"name": "photo", "content_type": "image/png", "file_name": "p.png", "size": 5});
    assert_eq!(chat["files"], json!([file]));
    assert_eq!(rows(&chat), ["Joined Carl"]);
    let path = format!("chats/{id}/files/photo");
    let file = get(&app, ANN, &path).await;
    assert_eq!(
        (file.status, &file.body[..]),
        (StatusCode::OK, &b"12345"[..])
    );
    assert_eq!(file.header("content-type"), "application/octet-stream");
    let range = request(&app, BOT, Method::GET, &path).header("range", "bytes=1-2");
    let range = TestResponse::send(range).await;
    let expected = (StatusCode::PARTIAL_CONTENT, &b"23"[..]);
    assert_eq!((range.status, &range.body[..]), expected);
    get(&app, ANN, &format!("chats/{id}/files/none"))
        .await
        .error_message("KeyNotFound", 404);
    let other = TestResponse::send(app.post("/genesys/1/service/store"))
        .await
        .json();
    let other = other["_id"].as_str().unwrap();
    get(&app, ANN, &format!("chats/{other}/files/photo"))
        .await
        .error_message("ServiceNotFound", 404);
}

async fn a_chat_ends_with_its_service(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    perform(&app, ANN, &id, "join", "").await;
    TestResponse::send(app.delete(&format!("/genesys/1/service/{id}")))
        .await
        .assert_ok();
    get(&app, ANN, &format!("chats/{id}"))
        .await
        .error_message("ServiceNotFound", 404);
    post(&app, ANN, &id, "send", "message=x")
        .await
        .error_message("ServiceNotFound", 404);
    post(&app, ANN, &id, "leave", "")
        .await
        .error_message("ServiceNotFound", 404);
    let events = get(&app, ANN, &format!("chats/{id}/events")).await;
    assert_eq!(events.status, StatusCode::NOT_FOUND);
}

async fn joins_leaves_and_ends_are_in_the_audit_log(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    for (agent, what, form) in [
        (BOT, "leave", ""),
        (ANN, "join", ""),
        (ANN, "join", ""),
        (ANN, "send", "message=secret"),
        (ANN, "typing", ""),
        (ANN, "leave", ""),
        (ANN, "join", ""),
    ] {
        perform(&app, agent, &id, what, form).await;
    }
    post(&app, BOT, &id, "join", "exclusive=true")
        .await
        .error_message("ChatTaken", 409);
    perform(&app, BOT, &id, "end", "").await;
    post(&app, ANN, &id, "end", "")
        .await
        .error_message("ChatEnded", 409);
    let log = app
        .get("/genesys/1/admin/audit-log")
        .basic_auth("admin", Some(ADMIN_PASSWORD));
    let log = TestResponse::send(log).await;
    assert!(!log.text().contains("secret"), "{}", log.text());
    let log = log.json();
    let events = log["events"].as_array().unwrap().iter();
    let events = events.map(|event| {
        assert_eq!(
            (&event["kind"], &event["name"]),
            (&json!("chat"), &json!(id))
        );
        assert_eq!(event["client_address"], "127.0.0.1");
        (
            event["actor"].as_str().unwrap(),
            event["action"].as_str().unwrap(),
        )
    });
    let events: Vec<_> = events.collect();
    // Neither those that changed nothing nor those that failed.
    let expected = ["join", "leave", "join"].map(|action| ("ann", action));
    assert_eq!(events[0], ("bot", "end"));
    assert_eq!(events[1..], expected);
}
