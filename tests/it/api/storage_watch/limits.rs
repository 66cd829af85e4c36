//! The limits of streams, and of the memory of their events.

use serde_json::{Value, json};

use super::{change, next, watch, watch_request};
use crate::support::{Bodies, TestApp, TestResponse, event_stream::EventStream};

/// An application in which a response has at most three quarters of 1 MiB.
async fn small_app() -> TestApp {
    TestApp::start(None, "t:", &[("limits.response_memory_bytes", "1048576")]).await
}

#[tokio::test]
async fn one_storage_takes_at_most_half_of_the_streams() {
    let app = TestApp::start(None, "t:", &[("limits.watchers", "4")]).await;
    let path = format!("{}/storage", app.create("a=1").await);
    let _streams = [watch(&app, &path).await, watch(&app, &path).await];
    let rejected = TestResponse::send(watch_request(&app, &path)).await;
    assert_eq!(rejected.headers["retry-after"], "1");
    rejected.error_message("Overloaded", 503);
    let other = format!("{}/storage", app.create("a=1").await);
    next(&mut watch(&app, &other).await, "snapshot").await;
}

#[tokio::test]
async fn a_storage_of_half_of_the_memory_is_watched() {
    let app = small_app().await;
    let path = format!("{}/storage", app.create("").await);
    let mut all = json!({"a": "1", "b": "x".repeat(600_000)});
    change(app.post(&path).json_body(&all.to_string())).await;
    let mut stream = watch(&app, &path).await;
    assert_eq!(next(&mut stream, "snapshot").await.data, all);
    change(app.post(&path).form_body("a=2")).await;
    assert_eq!(next(&mut stream, "change").await.data, json!({"a": "2"}));
    // There is no memory for this change in addition to the contents.
    all = json!({"a": "2", "b": "y".repeat(600_000)});
    let body = json!({"b": all["b"]}).to_string();
    let revision = change(app.post(&path).json_body(&body)).await;
    let snapshot = next(&mut stream, "snapshot").await;
    assert_eq!((snapshot.data, snapshot.id), (all, revision));
}

#[tokio::test]
async fn a_stream_of_a_storage_that_becomes_too_large_ends() {
    let app = small_app().await;
    let path = format!("{}/storage", app.create("a=1").await);
    let mut stream = watch(&app, &path).await;
    next(&mut stream, "snapshot").await;
    // Each character takes six bytes of JSON.
    let body = json!({"b": "\u{1}".repeat(200_000)}).to_string();
    change(app.post(&path).json_body(&body)).await;
    let end = next(&mut stream, "end").await;
    assert_eq!(end.data, json!({"reason": "too_large"}));
    assert_eq!(stream.next().await, None);
    let again = TestResponse::send(watch_request(&app, &path)).await;
    again.error_message("TooLarge", 413);
}

#[tokio::test]
async fn a_revision_that_the_store_has_lost_is_followed_by_a_snapshot() {
    let app = TestApp::start(None, "t:", &[]).await;
    let path = format!("{}/storage", app.create("a=1").await);
    let resume = watch_request(&app, &path).header("last-event-id", u64::MAX.to_string());
    let mut stream = EventStream::open(resume).await;
    let snapshot: Value = next(&mut stream, "snapshot").await.data;
    assert_eq!(snapshot, json!({"a": "1"}));
}
