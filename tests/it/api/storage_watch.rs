//! Watching a storage by server-sent events.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::storage_areas::STORAGE;
use crate::support::{
    Bodies, Multipart, TestApp, TestResponse,
    event_stream::{EventStream, ServerEvent},
    eventually, on_every_kind_of_store,
};

mod limits;
mod states;

on_every_kind_of_store!(
    a_stream_has_a_snapshot_and_the_differences,
    a_stream_resumes_at_its_revision,
    a_large_storage_is_sent_completely_after_each_change,
    another_replica_notifies_watchers,
    a_stream_ends_with_its_service,
    a_stream_of_a_service_that_expires_ends,
    areas_are_watched_by_their_ids,
    other_requests_get_json,
);

/// The request for the stream of a storage.
fn watch_request(app: &TestApp, path: &str) -> RequestBuilder {
    app.get(path).header("accept", "text/event-stream")
}

/// Opens the stream of a storage.
async fn watch(app: &TestApp, path: &str) -> EventStream {
    EventStream::open(watch_request(app, path)).await
}

/// The next event, which must be of this kind.
async fn next(stream: &mut EventStream, event: &str) -> ServerEvent {
    let next = stream.next().await.unwrap();
    assert_eq!(next.name, event, "{next:?}");
    next
}

/// Makes a change, and returns its revision.
async fn change(request: RequestBuilder) -> String {
    let changed = TestResponse::send(request).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    changed.header("etag").trim_matches('"').to_owned()
}

/// Applies an event to the state of a client.
pub(crate) fn apply(state: &mut Value, event: &ServerEvent) {
    match event.name.as_str() {
        "snapshot" => *state = event.data.clone(),
        "change" => {
            let state = state.as_object_mut().unwrap();
            for (name, value) in event.data.as_object().unwrap() {
                if value.is_null() {
                    assert!(state.remove(name).is_some(), "{name} was not there");
                } else {
                    let before = state.insert(name.clone(), value.clone());
                    assert_ne!(before.as_ref(), Some(value), "{name} is the same");
                }
            }
        }
        other => panic!("{other}"),
    }
}

async fn a_stream_has_a_snapshot_and_the_differences(app: TestApp) {
    let service = app.create("Key1=Value1&Key2=").await;
    let path = format!("{service}/storage");
    let file = |bytes: &[u8]| Multipart::new().file("map", "map.png", "image/png", bytes);
    TestResponse::send(app.post(&path).multipart_body(file(b"first"))).await;
    let mut stream = watch(&app, &path).await;
    let snapshot = next(&mut stream, "snapshot").await;
    let etag = snapshot.data["map"]["_binary"]["etag"].clone();
    let binary = app.get(&format!("{path}/binary/map"));
    assert_eq!(TestResponse::send(binary).await.header("etag"), etag);
    let descriptor = |size: usize, etag: &Value| {
        json!({"_binary": {
            "content_type": "image/png", "file_name": "map.png", "size": size, "etag": etag
        }})
    };
    let expected = json!({"Key1": "Value1", "Key2": "", "map": descriptor(5, &etag)});
    assert_eq!(snapshot.data, expected);
    for (request, expected) in [
        (
            app.post(&path).form_body("Key1=new&Key3=3"),
            json!({"Key1": "new", "Key3": "3"}),
        ),
        (
            app.post(&path)
                .json_body(r#"{"Key1":null,"Key3":"3","Key4":"\"\n"}"#),
            json!({"Key1": null, "Key4": "\"\n"}),
        ),
        (app.delete(&format!("{path}/Key3")), json!({"Key3": null})),
        (
            app.post(&path).form_body("map=text"),
            json!({"map": "text"}),
        ),
    ] {
        let revision = change(request).await;
        let event = next(&mut stream, "change").await;
        assert_eq!((event.id, event.data), (revision, expected));
    }
    let revision = change(app.post(&path).multipart_body(file(b"second"))).await;
    let event = next(&mut stream, "change").await;
    let etag = &event.data["map"]["_binary"]["etag"];
    assert_eq!(event.data, json!({"map": descriptor(6, etag)}));
    assert_eq!(event.id, revision);
    change(app.delete(&path)).await;
    let event = next(&mut stream, "change").await;
    assert_eq!(event.data, json!({"Key2": null, "Key4": null, "map": null}));
}

async fn a_stream_resumes_at_its_revision(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    let snapshot = next(&mut watch(&app, &path).await, "snapshot").await;
    let resume = |id: &str| watch_request(&app, &path).header("last-event-id", id);
    // Nothing has changed, so the first event is the next change.
    let mut resumed = EventStream::open(resume(&snapshot.id)).await;
    let revision = change(app.post(&path).form_body("Key2=2")).await;
    let event = next(&mut resumed, "change").await;
    assert_eq!((event.data, event.id), (json!({"Key2": "2"}), revision));
    for id in [&snapshot.id, "7", "x", ""] {
        let event = next(&mut EventStream::open(resume(id)).await, "snapshot").await;
        assert_eq!(event.data, json!({"Key1": "Value1", "Key2": "2"}));
    }
}

async fn a_large_storage_is_sent_completely_after_each_change(app: TestApp) {
    let fields = (0..500).map(|n| (format!("Key{n}"), json!("x".repeat(300))));
    let mut all = Value::Object(fields.collect());
    let service = app.create("").await;
    let path = format!("{service}/storage");
    change(app.post(&path).json_body(&all.to_string())).await;
    let mut streams = [watch(&app, &path).await, watch(&app, &path).await];
    for stream in &mut streams {
        assert_eq!(next(stream, "snapshot").await.data, all);
    }
    for value in ["1", "2"] {
        let revision = change(app.post(&path).form_body(&format!("Key7={value}"))).await;
        all["Key7"] = json!(value);
        for stream in &mut streams {
            let event = next(stream, "snapshot").await;
            assert_eq!((event.data, &event.id), (all.clone(), &revision));
        }
    }
    // After keys were removed, differences are sent again.
    change(app.delete(&path)).await;
    for stream in &mut streams {
        assert_eq!(next(stream, "snapshot").await.data, json!({}));
    }
    change(app.post(&path).form_body("a=1")).await;
    for stream in &mut streams {
        assert_eq!(next(stream, "change").await.data, json!({"a": "1"}));
    }
}

async fn another_replica_notifies_watchers(app: TestApp) {
    // The embedded store is that of one replica.
    let other = match &app.redis {
        Some(_) => Some(app.start_replica().await),
        None => None,
    };
    let other = other.as_ref().unwrap_or(&app);
    let service = app.create("count=0").await;
    let path = format!("{service}/storage");
    let mut streams = [watch(&app, &path).await, watch(other, &path).await];
    for stream in &mut streams {
        next(stream, "snapshot").await;
    }
    for n in 1..20 {
        let writer = if n % 2 == 0 { &app } else { other };
        change(writer.post(&path).form_body(&format!("count={n}"))).await;
        for stream in &mut streams {
            let event = next(stream, "change").await;
            assert_eq!(event.data, json!({"count": n.to_string()}));
        }
    }
}

async fn a_stream_ends_with_its_service(app: TestApp) {
    let service = app.create("a=1").await;
    let path = format!("{service}/storage");
    let mut stream = watch(&app, &path).await;
    let snapshot = next(&mut stream, "snapshot").await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    let end = next(&mut stream, "end").await;
    assert_eq!(
        (end.id, end.data),
        (snapshot.id, json!({"reason": "ended"}))
    );
    assert_eq!(stream.next().await, None);
    let again = TestResponse::send(watch_request(&app, &path)).await;
    again.error_message("ServiceNotFound", 404);
}

async fn a_stream_of_a_service_that_expires_ends(app: TestApp) {
    let service = app.create("a=1&_ttl=4").await;
    let mut stream = watch(&app, &format!("{service}/storage")).await;
    next(&mut stream, "snapshot").await;
    next(&mut stream, "end").await;
    assert_eq!(stream.next().await, None);
}

async fn areas_are_watched_by_their_ids(app: TestApp) {
    let as_ann = |request: RequestBuilder| request.header("gms_user", "ann");
    let write = |body: &str| {
        let write = app.post(&format!("{STORAGE}/session1/600"));
        as_ann(write.form_body(body))
    };
    TestResponse::send(write("a=1")).await;
    let path = format!("{STORAGE}/session1");
    let missing = TestResponse::send(watch_request(&app, &path)).await;
    missing.error_message("ServiceNotFound", 404);
    let mut stream = EventStream::open(as_ann(watch_request(&app, &path))).await;
    assert_eq!(next(&mut stream, "snapshot").await.data, json!({"a": "1"}));
    change(write("b=2")).await;
    assert_eq!(next(&mut stream, "change").await.data, json!({"b": "2"}));
    // The expiration time is no part of the storage.
    change(write("")).await;
    change(as_ann(app.delete(&format!("{path}/a")))).await;
    assert_eq!(next(&mut stream, "change").await.data, json!({"a": null}));
    let delete = as_ann(app.delete(&path));
    TestResponse::send(delete).await.assert_ok();
    next(&mut stream, "end").await;

    let service = app.create("a=1").await;
    let id = service.rsplit('/').next().unwrap();
    let mut stream = watch(&app, &format!("{STORAGE}/{id}")).await;
    next(&mut stream, "snapshot").await;
    change(app.post(&format!("{service}/storage")).form_body("a=2")).await;
    assert_eq!(next(&mut stream, "change").await.data, json!({"a": "2"}));
}

async fn other_requests_get_json(app: TestApp) {
    let service = app.create("a=1").await;
    let path = format!("{service}/storage");
    for accept in [
        "*/*",
        "application/json, text/event-stream;q=0.5",
        "text/plain",
        "text/*",
        "text/html, text/*;q=0.9, */*;q=0.8",
        "text/event-stream;q=0, text/*",
    ] {
        let read = TestResponse::send(app.get(&path).header("accept", accept)).await;
        assert_eq!(read.json(), json!({"a": "1"}), "{accept}");
        assert_eq!(read.header("vary"), "Accept");
    }
    let head = app.request(Method::HEAD, &path);
    let head = TestResponse::send(head.header("accept", "text/event-stream")).await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
    assert_eq!(head.header("content-type"), "text/event-stream");
    assert_eq!((head.header("vary"), head.header("etag")), ("Accept", ""));
}

#[tokio::test]
async fn streams_are_limited() {
    let app = TestApp::start(None, "t:", &[("limits.watchers", "1")]).await;
    let service = app.create("a=1").await;
    let path = format!("{service}/storage");
    let stream = watch(&app, &path).await;
    let rejected = TestResponse::send(watch_request(&app, &path)).await;
    assert_eq!(rejected.headers["retry-after"], "1");
    rejected.error_message("Overloaded", 503);
    assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    drop(stream);
    eventually("a stream after the first one is closed", async || {
        // A closed stream is detected when something is sent.
        change(app.post(&path).form_body("a=2")).await;
        let response = watch_request(&app, &path).send().await.unwrap();
        (response.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn streams_end_with_a_hint_when_the_replica_stops() {
    let app = TestApp::on_redis().await;
    let service = app.create("a=1").await;
    let other = app.start_replica().await;
    let path = format!("{service}/storage");
    let mut stream = watch(&app, &path).await;
    let snapshot = next(&mut stream, "snapshot").await;
    let stopping = tokio::spawn(app.stop());
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    assert_eq!(ended.unwrap(), None);
    assert!(stream.retry.unwrap() < 1_000);
    stopping.await.unwrap();
    let resumed = watch_request(&other, &path).header("last-event-id", snapshot.id);
    let mut resumed = EventStream::open(resumed).await;
    change(other.post(&path).form_body("a=2")).await;
    assert_eq!(next(&mut resumed, "change").await.data, json!({"a": "2"}));
}
