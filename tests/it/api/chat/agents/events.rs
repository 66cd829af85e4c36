//! The event streams of agents.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::{
    ANN, BOB, client, events_of, get, perform, request, rows, start, start_chat, start_chat_of,
};
use crate::support::{
    Bodies, CatalogFile, TestApp, TestResponse,
    event_stream::{EventStream, ServerEvent},
    on_every_kind_of_store,
};

on_every_kind_of_store!(
    chats_begin_to_wait_become_active_and_end,
    a_chat_that_the_agent_joins_is_returned_from_its_first_event,
    an_agent_that_leaves_gets_its_leave_and_no_more,
    the_end_of_a_service_is_the_end_of_its_chat,
    the_stream_of_one_chat_ends_with_it,
    availability_selects_the_chats_of_the_stream,
    the_number_of_streams_is_limited,
    a_stream_ends_with_a_hint_when_the_replica_shuts_down,
);

/// Name, id of the chat, and state of an event.
fn brief(event: &ServerEvent) -> (String, String, String) {
    let text = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
    (event.name.clone(), text("id"), text("state"))
}

fn expected(name: &str, id: &str, state: &str) -> (String, String, String) {
    (name.to_owned(), id.to_owned(), state.to_owned())
}

async fn chats_begin_to_wait_become_active_and_end(app: TestApp) {
    let app = start(&app, &[]).await;
    let first = start_chat(&app, "userDisplayName=Carl").await;
    let mut events = events_of(&app, ANN, None).await;
    let chats = events.next().await.unwrap();
    assert_eq!(
        (chats.name.as_str(), &chats.data["complete"]),
        ("chats", &json!(true))
    );
    assert_eq!(chats.data["chats"][0]["id"], first);
    assert_eq!(chats.data["chats"][0]["nickname"], "Carl");
    assert_eq!(events.retry, Some(1_000));
    let second = start_chat(&app, "").await;
    let event = events.next().await.unwrap();
    assert_eq!(brief(&event), expected("chat.waiting", &second, "waiting"));
    // Messages of chats that the agent is not in are not in the stream.
    client(&app, &second, "send", "message=x").await;
    perform(&app, BOB, &second, "join", "").await;
    let event = events.next().await.unwrap();
    assert_eq!(brief(&event), expected("chat.active", &second, "active"));
    assert_eq!(event.data["agents"], json!([BOB.0]));
    perform(&app, BOB, &second, "leave", "").await;
    let event = events.next().await.unwrap();
    assert_eq!(brief(&event), expected("chat.waiting", &second, "waiting"));
    for id in [&second, &first] {
        client(&app, id, "disconnect", "").await;
        let event = events.next().await.unwrap();
        assert_eq!(brief(&event), expected("chat.ended", id, "ended"));
    }
}

async fn a_chat_that_the_agent_joins_is_returned_from_its_first_event(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    for n in 0..5 {
        client(&app, &id, "send", &format!("message={n}")).await;
    }
    let mut events = events_of(&app, ANN, None).await;
    events.next_named("chats").await;
    perform(&app, ANN, &id, "join", "").await;
    let mut received = Vec::new();
    let mut position = 0;
    while received.len() < 7 {
        let event = events.next_named("chat.event").await;
        let new = rows(&event.data);
        position += new.len();
        assert_eq!(event.data["transcriptPosition"], position);
        received.extend(new);
    }
    let expected: Vec<String> = (0..5).map(|n| format!("Customer: {n}")).collect();
    assert_eq!(received[0], "Joined Customer");
    assert_eq!(received[1..6], expected);
    assert_eq!(received[6], "Joined ann");
    client(&app, &id, "startTyping", "").await;
    let typing = events.next_named("chat.event").await;
    assert_eq!(
        (&typing.data["clientTyping"], rows(&typing.data).len()),
        (&json!(true), 0)
    );
    client(&app, &id, "send", "message=done").await;
    let sent = events.next_named("chat.event").await;
    assert_eq!(rows(&sent.data), ["Customer: done"]);
    assert_eq!(sent.data["clientTyping"], false);
    perform(&app, ANN, &id, "end", "").await;
    let mut last = events.next_named("chat.event").await;
    while last.data["chatIxnState"] != "DISCONNECTED" {
        last = events.next_named("chat.event").await;
    }
    let event = events.next().await.unwrap();
    assert_eq!(brief(&event), expected_end(&id));
}

fn expected_end(id: &str) -> (String, String, String) {
    expected("chat.ended", id, "ended")
}

async fn an_agent_that_leaves_gets_its_leave_and_no_more(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    perform(&app, ANN, &id, "join", "").await;
    let mut events = events_of(&app, ANN, None).await;
    assert_eq!(rows(&events.next_named("chat.event").await.data).len(), 2);
    perform(&app, ANN, &id, "leave", "").await;
    let mut left = Vec::new();
    while !left.contains(&"Left ann".to_owned()) {
        left.extend(rows(&events.next_named("chat.event").await.data));
    }
    client(&app, &id, "send", "message=private").await;
    let other = start_chat(&app, "").await;
    loop {
        let event = events.next().await.unwrap();
        assert_ne!(event.name, "chat.event", "{event:?}");
        if brief(&event) == expected("chat.waiting", &other, "waiting") {
            break;
        }
    }
    // After it has joined again, it begins again.
    perform(&app, ANN, &id, "join", "").await;
    let again = events.next_named("chat.event").await;
    assert_eq!(rows(&again.data)[0], "Joined Customer");
}

async fn the_end_of_a_service_is_the_end_of_its_chat(app: TestApp) {
    let app = start(&app, &[]).await;
    let own = start_chat(&app, "").await;
    let other = start_chat(&app, "").await;
    perform(&app, ANN, &own, "join", "").await;
    let mut events = events_of(&app, ANN, None).await;
    events.next_named("chat.event").await;
    for id in [&own, &other] {
        TestResponse::send(app.delete(&format!("/genesys/1/service/{id}")))
            .await
            .assert_ok();
        let event = events.next_named("chat.ended").await;
        assert_eq!(brief(&event), expected_end(id));
    }
}

async fn the_stream_of_one_chat_ends_with_it(app: TestApp) {
    let app = start(&app, &[]).await;
    let id = start_chat(&app, "").await;
    let path = format!("chats/{id}/events");
    let mut events = EventStream::open(request(&app, ANN, Method::GET, &path)).await;
    let first = events.next().await.unwrap();
    assert_eq!(
        (first.id.as_str(), rows(&first.data)),
        ("1", vec!["Joined Customer".to_owned()])
    );
    client(&app, &id, "disconnect", "message=bye").await;
    let mut received = Vec::new();
    let end = loop {
        let event = events.next().await.unwrap();
        if event.name == "end" {
            break event;
        }
        received.extend(rows(&event.data));
    };
    assert_eq!(received, ["Customer: bye", "Left Customer"]);
    assert_eq!(end.id, "3");
    assert!(events.next().await.is_none());
    let over = get(&app, ANN, &format!("{path}?transcriptPosition=3")).await;
    assert_eq!(over.status, StatusCode::NO_CONTENT);
}

async fn set_availability(app: &TestApp, json: &str) -> Value {
    let put = request(app, ANN, Method::PUT, "availability").json_body(json);
    let response = TestResponse::send(put).await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.text());
    response.json()
}

async fn availability_selects_the_chats_of_the_stream(app: TestApp) {
    let catalog = CatalogFile::new(
        "[services.sales]\n_type = \"builtin\"\n_service = \"request-chat\"\n\
         [services.support]\n_type = \"builtin\"\n_service = \"request-chat\"\n",
    );
    let app = start(&app, &[("catalog.file", catalog.path())]).await;
    let availability = set_availability(&app, r#"{"definitions":["sales","other"]}"#).await;
    assert_eq!(
        availability,
        json!({"available": true, "definitions": ["sales", "other"]})
    );
    let sales = start_chat_of(&app, "sales", "").await;
    let support = start_chat_of(&app, "support", "").await;
    let joined = start_chat_of(&app, "support", "").await;
    perform(&app, ANN, &joined, "join", "").await;
    let mut events = events_of(&app, ANN, None).await;
    let chats = events.next().await.unwrap();
    let ids = |event: &ServerEvent| -> Vec<String> {
        let chats = event.data["chats"].as_array().unwrap().iter();
        chats
            .map(|chat| chat["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&chats), [sales.clone(), joined.clone()]);
    // The stream renews the availability, and applies a change.
    assert_eq!(
        set_availability(&app, r#"{"available":false}"#).await["available"],
        false
    );
    let chats = events.next_named("chats").await;
    assert_eq!(ids(&chats), [sales, support, joined]);
    for json in [r#"{"available":"maybe"}"#, r#"{"definitions":"a\nb"}"#] {
        let put = request(&app, ANN, Method::PUT, "availability").json_body(json);
        let response = TestResponse::send(put).await;
        response.error_message("InvalidParameter", 400);
    }
}

async fn the_number_of_streams_is_limited(app: TestApp) {
    let app = start(&app, &[("agents.max_streams", "2")]).await;
    let mut first = events_of(&app, ANN, None).await;
    let _second = events_of(&app, BOB, None).await;
    first.next_named("chats").await;
    let refused = get(&app, ANN, "events").await;
    let message = refused.error_message("Overloaded", 503);
    assert!(message.contains("agents.max_streams"), "{message}");
    assert_eq!(refused.header("retry-after"), "1");
    drop(first);
    crate::support::eventually("a stream can be opened", async || {
        // The server detects a closed connection when it sends an event.
        start_chat(&app, "").await;
        let response = request(&app, ANN, Method::GET, "events")
            .send()
            .await
            .unwrap();
        (response.status() == StatusCode::OK).then_some(())
    })
    .await;
}

async fn a_stream_ends_with_a_hint_when_the_replica_shuts_down(app: TestApp) {
    let app = start(&app, &[]).await;
    let mut events = events_of(&app, ANN, None).await;
    events.next_named("chats").await;
    let (end, ()) = futures_util::join!(events.next(), app.stop());
    assert!(end.is_none(), "{end:?}");
    assert!(events.retry.unwrap() < 1_000);
}
