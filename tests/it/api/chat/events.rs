//! The events of a chat as server-sent events.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    CatalogFile, TestApp, TestResponse,
    chat::{assert_is_chat_object, messages, request_chat, rows, start_chat},
    event_stream::EventStream,
    eventually, on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_stream_has_each_event_once_and_ends_with_the_chat,
    a_stream_resumes_after_the_last_event_id,
    a_stream_ends_with_its_service,
    another_replica_wakes_the_stream,
    invalid_positions_are_rejected,
);

async fn a_stream_has_each_event_once_and_ends_with_the_chat(app: TestApp) {
    let service = start_chat(&app, "userDisplayName=Ann").await;
    let path = format!("{service}/ixn/chat/events");
    let mut stream = EventStream::open(app.get(&path)).await;
    let first = stream.next().await.unwrap();
    assert_is_chat_object(&first.data);
    assert_eq!((first.name.as_str(), first.id.as_str()), ("", "1"));
    assert_eq!(rows(&first.data).len(), 1);
    for text in ["a", "b\nc", "\u{202e}<script>"] {
        let form = format!("message={}", crate::support::encode(text));
        request_chat(&app, &service, "send", &form).await;
        let event = stream.next().await.unwrap();
        assert_eq!(messages(&event.data), [text]);
        assert_eq!(event.data["transcriptPosition"].to_string(), event.id);
    }
    request_chat(&app, &service, "disconnect", "").await;
    let last = stream.next().await.unwrap();
    assert_eq!(last.data["chatIxnState"], "DISCONNECTED");
    let end = stream.next().await.unwrap();
    assert_eq!((end.name.as_str(), end.id.as_str()), ("end", "5"));
    assert_eq!(stream.next().await, None);
    // A browser that reconnects must stop.
    let again = app.get(&path).header("last-event-id", "5");
    assert_eq!(TestResponse::send(again).await.status, 204);
}

async fn a_stream_resumes_after_the_last_event_id(app: TestApp) {
    let service = start_chat(&app, "").await;
    for text in ["a", "b", "c"] {
        request_chat(&app, &service, "send", &format!("message={text}")).await;
    }
    let path = format!("{service}/ixn/chat/events");
    for request in [
        app.get(&path).header("last-event-id", "2"),
        app.get(&format!("{path}?transcriptPosition=2")),
        app.get(&format!("{path}?transcriptPosition=0"))
            .header("last-event-id", "2"),
        app.post(&format!("{path}?transcriptPosition=2")),
    ] {
        let event = EventStream::open(request).await.next().await.unwrap();
        assert_eq!(messages(&event.data), ["b", "c"]);
    }
}

async fn a_stream_ends_with_its_service(app: TestApp) {
    let service = start_chat(&app, "").await;
    let path = format!("{service}/ixn/chat/events?transcriptPosition=1");
    let mut stream = EventStream::open(app.get(&path)).await;
    assert_eq!(TestResponse::send(app.delete(&service)).await.status, 200);
    let end = stream.next().await.unwrap();
    assert_eq!(end.name, "end");
    assert_eq!(end.data, json!({"reason": "ended"}));
    assert_eq!(stream.next().await, None);
}

async fn another_replica_wakes_the_stream(app: TestApp) {
    let service = start_chat(&app, "").await;
    // The embedded store is that of one replica.
    let other = match &app.redis {
        Some(_) => Some(app.start_replica().await),
        None => None,
    };
    let other = other.as_ref().unwrap_or(&app);
    let path = format!("{service}/ixn/chat/events?transcriptPosition=1");
    let mut stream = EventStream::open(app.get(&path)).await;
    for text in ["a", "b", "c"] {
        request_chat(other, &service, "send", &format!("message={text}")).await;
        let event = stream.next().await.unwrap();
        assert_eq!(messages(&event.data), [text]);
    }
}

async fn invalid_positions_are_rejected(app: TestApp) {
    let service = start_chat(&app, "").await;
    let path = format!("{service}/ixn/chat/events");
    for request in [
        app.get(&path).header("last-event-id", "x"),
        app.get(&format!("{path}?transcriptPosition=-1")),
    ] {
        let response = TestResponse::send(request).await;
        response.error_message("InvalidParameter", 400);
    }
}

#[tokio::test]
async fn streams_are_limited() {
    // A short timeout of the client makes heartbeats frequent, which detect that a stream was closed.
    let catalog = CatalogFile::new(
        "[services.request-chat]\n_type = \"builtin\"\n_service = \"request-chat\"\n_client_timeout = \"5\"\n",
    );
    let settings = [("limits.watchers", "1"), ("catalog.file", catalog.path())];
    let app = TestApp::start(None, "t:", &settings).await;
    let service = start_chat(&app, "").await;
    let path = format!("{service}/ixn/chat/events");
    let stream = EventStream::open(app.get(&path)).await;
    let rejected = TestResponse::send(app.get(&path)).await;
    assert_eq!(rejected.headers["retry-after"], "1");
    rejected.error_message("Overloaded", 503);
    drop(stream);
    eventually("a stream after the first one is closed", async || {
        let response = app.get(&path).send().await.unwrap();
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn streams_end_with_a_hint_when_the_replica_stops() {
    let app = TestApp::on_redis().await;
    let service = start_chat(&app, "").await;
    let other = app.start_replica().await;
    let path = format!("{service}/ixn/chat/events");
    let mut stream = EventStream::open(app.get(&path)).await;
    let event = stream.next().await.unwrap();
    assert_eq!(stream.retry, Some(1_000));
    let stopping = tokio::spawn(app.stop());
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    assert_eq!(
        ended.unwrap(),
        None,
        "the stream ends before its next heartbeat"
    );
    assert!(stream.retry.unwrap() < 1_000);
    stopping.await.unwrap();
    request_chat(&other, &service, "send", "message=later").await;
    let resumed = other.get(&path).header("last-event-id", event.id);
    let event = EventStream::open(resumed).await.next().await.unwrap();
    assert_eq!(messages(&event.data), ["later"]);
}
