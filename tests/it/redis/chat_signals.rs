//! Changes of a chat or a storage on one replica wake the listeners on another.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse,
    chat::{messages as messages_of, request_chat, start_chat},
    event_stream::EventStream,
    proxy::{Proxy, ProxyMode},
    random_prefix,
};
use redis::cmd;

/// Sends this number of messages at the first replica, each after the previous one has arrived at a listener of the
/// second one. Returns how long that took.
async fn exchange(first: &TestApp, second: &TestApp, messages: usize) -> Duration {
    let service = start_chat(first, "firstName=Ann").await;
    let events = second.get(&format!("{service}/ixn/chat/events"));
    let mut stream = EventStream::open(events).await;
    assert_eq!(stream.next().await.unwrap().id, "1");
    let started = Instant::now();
    for n in 0..messages {
        request_chat(first, &service, "send", &format!("message={n}")).await;
        let event = stream.next().await.unwrap();
        assert_eq!(event.id, (n + 2).to_string());
        assert_eq!(messages_of(&event.data), [n.to_string()]);
    }
    started.elapsed()
}

/// Makes this number of changes of a storage at the first replica, each after the previous one has arrived at a watcher of
/// the second one. Returns how long that took.
async fn change_storage(first: &TestApp, second: &TestApp, changes: usize) -> Duration {
    let service = first.create("count=start").await;
    let path = format!("{service}/storage");
    let watch = second.get(&path).header("accept", "text/event-stream");
    let mut stream = EventStream::open(watch).await;
    assert_eq!(stream.next().await.unwrap().name, "snapshot");
    let started = Instant::now();
    for n in 0..changes {
        let write = first.post(&path).form_body(&format!("count={n}"));
        TestResponse::send(write).await.assert_empty();
        let event = stream.next().await.unwrap();
        assert_eq!(event.data, json!({"count": n.to_string()}));
    }
    started.elapsed()
}

/// Without signals, each message waits for the next poll: 30 messages would take 30 seconds.
async fn assert_woken_by_signals(kind: RedisKind) {
    let (redis, prefix) = (TestRedis::shared_kind(kind), random_prefix());
    let first = TestApp::start(Some(Arc::clone(&redis)), &prefix, &[]).await;
    let second = TestApp::start(Some(redis), &prefix, &[]).await;
    let elapsed = exchange(&first, &second, 30).await;
    assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");
    let elapsed = change_storage(&first, &second, 30).await;
    assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");
}

#[tokio::test]
async fn listener_on_another_replica_is_woken() {
    assert_woken_by_signals(RedisKind::Single).await;
}

#[tokio::test]
async fn listener_on_another_replica_is_woken_by_a_cluster() {
    assert_woken_by_signals(RedisKind::Cluster).await;
}

#[tokio::test]
async fn listener_on_another_replica_is_woken_behind_sentinels() {
    assert_woken_by_signals(RedisKind::Sentinel).await;
}

/// The changes of the first replica reach Redis late, its notifications too. If a listener were woken before a change is
/// there, it would find nothing and wait for the next poll.
#[tokio::test]
async fn listener_is_woken_after_the_write() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let proxy = Proxy::to_redis(&redis);
    let slow = [("redis.url", &*proxy.url())];
    let first = TestApp::start(Some(Arc::clone(&redis)), &prefix, &slow).await;
    let second = TestApp::start(Some(redis), &prefix, &[]).await;
    proxy.set_mode(ProxyMode::Forward(Duration::from_millis(20)));
    let elapsed = exchange(&first, &second, 30).await;
    assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");
    let elapsed = change_storage(&first, &second, 30).await;
    assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");
}

/// Two replicas whose Redis user has these rights in addition to all commands and keys.
async fn assert_found_by_poll(rights: &[&str]) {
    let (redis, prefix) = (Arc::new(TestRedis::dedicated()), random_prefix());
    let mut connection = redis.connection().await;
    let mut acl = cmd("ACL");
    acl.arg("SETUSER").arg("switchboard").arg("on");
    acl.arg(">hunter2")
        .arg("~*")
        .arg("+@all")
        .arg("resetchannels");
    acl.arg("&__keyevent@0__:*").arg(rights);
    acl.exec_async(&mut connection).await.unwrap();
    let url = redis.url().replace("//", "//switchboard:hunter2@");
    let settings = [("redis.url", url.as_str())];
    let first = TestApp::start(Some(Arc::clone(&redis)), &prefix, &settings).await;
    let second = TestApp::start(Some(redis), &prefix, &settings).await;
    let elapsed = exchange(&first, &second, 4).await;
    assert!(elapsed < Duration::from_secs(12), "{elapsed:?}");
    let elapsed = change_storage(&first, &second, 4).await;
    assert!(elapsed < Duration::from_secs(12), "{elapsed:?}");
}

#[tokio::test]
async fn change_is_found_if_redis_denies_the_channel() {
    assert_found_by_poll(&[]).await;
}

#[tokio::test]
async fn change_is_found_if_redis_denies_publishing() {
    assert_found_by_poll(&["allchannels", "-publish"]).await;
}
