//! The cost of conditions and watchers.

use super::CommandMonitor;
use crate::support::{Bodies, TestResponse, event_stream::EventStream};

#[tokio::test]
async fn conditions_and_watchers_take_no_further_round_trip() {
    let mut monitor = CommandMonitor::new().await;
    let service = monitor.app.create("a=1&b=2").await;
    let path = |rest: &str| format!("{service}/storage{rest}");
    let read = TestResponse::send(monitor.app.get(&path(""))).await;
    let etag = read.header("etag").to_owned();
    let app = &monitor.app;
    for request in [
        app.get(&path("")).header("if-none-match", "\"7\""),
        app.post(&path(""))
            .form_body("a=2")
            .header("if-match", etag),
        app.post(&path(""))
            .form_body("c=1")
            .header("if-none-match", "*"),
        app.delete(&path("/c")).header("if-match", "*"),
    ] {
        assert_eq!(monitor.commands_of(request).await, ["EVALSHA"]);
    }
    // Registers the watcher, and reads the storage.
    let watch = monitor.app.get(&path(""));
    let watch = watch.header("accept", "text/event-stream");
    monitor.commands_since_last().await;
    let mut stream = EventStream::open(watch).await;
    assert_eq!(stream.next().await.unwrap().name, "snapshot");
    assert_eq!(monitor.own_commands().await, ["EVALSHA", "EVALSHA"]);
    // The change, and the one read for its watchers.
    monitor.commands_since_last().await;
    let write = monitor.app.post(&path("")).form_body("a=3");
    TestResponse::send(write).await.assert_empty();
    assert_eq!(stream.next().await.unwrap().name, "change");
    assert_eq!(monitor.own_commands().await, ["EVALSHA", "EVALSHA"]);
}
