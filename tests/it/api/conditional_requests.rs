//! Conditional reads and writes of storages (RFC 9110 13).

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::storage_areas::STORAGE;
use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

mod counters;

on_every_kind_of_store!(
    all_responses_have_the_current_etag,
    a_read_of_a_known_revision_has_no_body,
    a_read_of_another_revision_is_refused,
    the_request_update_has_conditions,
    a_change_of_another_revision_is_refused,
    new_names_are_stored_once,
    malformed_conditions_are_rejected,
    a_service_that_does_not_exist_is_not_found,
    areas_are_changed_under_conditions,
    a_write_with_if_match_creates_no_area,
    a_write_with_if_none_match_can_create_an_area,
);

/// The `ETag` of a storage.
async fn etag(app: &TestApp, path: &str) -> String {
    let read = TestResponse::send(app.get(path)).await;
    assert_eq!(read.status, 200, "{}", read.text());
    read.header("etag").to_owned()
}

/// The number in an `ETag`.
fn number(etag: &str) -> u64 {
    let number = etag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    number.unwrap().parse().unwrap()
}

/// Asserts a 412 with this `ETag`.
async fn assert_refused(request: RequestBuilder, etag: &str) {
    let refused = TestResponse::send(request).await;
    let message = refused.error_message("PreconditionFailed", 412);
    assert_eq!(refused.header("etag"), etag, "{message}");
    assert!(message.contains(etag), "{message}");
}

/// Asserts a success with a larger revision than `before`, and returns its `ETag`.
async fn assert_changed(request: RequestBuilder, before: &str) -> String {
    let changed = TestResponse::send(request).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let etag = changed.header("etag");
    assert!(number(etag) > number(before), "{etag} after {before}");
    etag.to_owned()
}

async fn all_responses_have_the_current_etag(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    let mut last = etag(&app, &path).await;
    let file = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    for request in [
        app.post(&path).form_body("Key1=new"),
        app.post(&path).multipart_body(file),
        app.post(&path).json_body(r#"{"Key2":"2","Key1":null}"#),
        app.delete(&format!("{path}/map")),
        app.delete(&path),
    ] {
        last = assert_changed(request, &last).await;
        assert_eq!(etag(&app, &path).await, last);
    }
    // Nothing is changed.
    for request in [
        app.delete(&path),
        app.delete(&format!("{path}/none")),
        app.post(&path).form_body(""),
        app.request(Method::HEAD, &path),
    ] {
        let response = TestResponse::send(request).await;
        assert_eq!(response.header("etag"), last);
    }
    let extended = app.put(&service).form_body("ttl=600");
    TestResponse::send(extended).await.assert_empty();
    assert_eq!(etag(&app, &path).await, last);
}

async fn a_read_of_another_revision_is_refused(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let id = service.rsplit('/').next().unwrap();
    for path in [format!("{service}/storage"), format!("{STORAGE}/{id}")] {
        let current = etag(&app, &path).await;
        for method in [Method::GET, Method::HEAD] {
            let read = |tag: &str| app.request(method.clone(), &path).header("if-match", tag);
            for tag in [&current, "*"] {
                let response = TestResponse::send(read(tag)).await;
                assert_eq!(
                    (response.status.as_u16(), response.header("etag")),
                    (200, &*current)
                );
            }
            for tag in ["\"7\"", &format!("W/{current}")] {
                let refused = TestResponse::send(read(tag)).await;
                assert_eq!(
                    (refused.status.as_u16(), refused.header("etag")),
                    (412, &*current)
                );
            }
        }
        // The first condition has precedence.
        let both = app.get(&path).header("if-match", "\"7\"");
        assert_refused(both.header("if-none-match", &current), &current).await;
    }
}

async fn the_request_update_has_conditions(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    let current = etag(&app, &path).await;
    let update = || app.post(&format!("{service}/update")).form_body("Key1=new");
    assert_refused(update().header("if-match", "\"7\""), &current).await;
    assert_refused(update().header("if-none-match", "*"), &current).await;
    let malformed = TestResponse::send(update().header("if-match", "x")).await;
    malformed.error_message("InvalidParameter", 400);
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
    let updated = TestResponse::send(update().header("if-match", &current)).await;
    assert_eq!(updated.status, 200);
    assert_eq!(app.storage(&service).await, json!({"Key1": "new"}));
}

async fn a_read_of_a_known_revision_has_no_body(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let id = service.rsplit('/').next().unwrap();
    for path in [format!("{service}/storage"), format!("{STORAGE}/{id}")] {
        let current = etag(&app, &path).await;
        let weak = format!("W/{current}");
        let list = format!("\"7\", {weak}");
        for (known, status) in [
            (current.as_str(), 304),
            (&weak, 304),
            (&list, 304),
            ("*", 304),
            ("\"7\"", 200),
            ("\"x\"", 200),
            ("nonsense", 200),
        ] {
            for method in [Method::GET, Method::HEAD] {
                let read = app.request(method, &path).header("if-none-match", known);
                let read = TestResponse::send(read).await;
                assert_eq!(read.status, status, "{known}");
                assert_eq!(read.header("etag"), current);
                if status == 304 {
                    assert_eq!((read.text(), read.header("content-type")), ("", ""));
                }
            }
        }
        let write = app.post(&format!("{service}/storage"));
        let changed = assert_changed(write.form_body("Key1=new"), &current).await;
        let read = app.get(&path).header("if-none-match", &current);
        let read = TestResponse::send(read).await;
        assert_eq!(read.json(), json!({"Key1": "new"}));
        assert_eq!(read.header("etag"), changed);
    }
    let none = app.get("/genesys/1/service/none/storage");
    let none = TestResponse::send(none.header("if-none-match", "*")).await;
    none.error_message("ServiceNotFound", 404);
}

async fn a_change_of_another_revision_is_refused(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    let old = etag(&app, &path).await;
    let file = |bytes: &[u8]| Multipart::new().file("map", "map.png", "image/png", bytes);
    let stored = app.post(&path).multipart_body(file(b"first"));
    let current = assert_changed(stored, &old).await;
    let weak = format!("W/{current}");
    for tags in [old.as_str(), &weak, "\"7\", \"x\""] {
        for request in [
            app.post(&path).form_body("Key1=new&Key2=2"),
            app.post(&path).json_body(r#"{"map":null}"#),
            app.post(&path).multipart_body(file(b"second")),
            app.post(&path),
            app.delete(&path),
            app.delete(&format!("{path}/Key1")),
            app.delete(&format!("{path}/none")),
        ] {
            assert_refused(request.header("if-match", tags), &current).await;
        }
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
    let map = app.get(&format!("{path}/binary/map"));
    assert_eq!(TestResponse::send(map).await.text(), "first");
    assert_eq!(etag(&app, &path).await, current);
    let mut last = current;
    for request in [
        app.post(&path).multipart_body(file(b"second")),
        app.delete(&format!("{path}/Key1")),
        app.delete(&path),
    ] {
        let tags = format!("\"7\", {last}");
        last = assert_changed(request.header("if-match", tags), &last).await;
    }
    let any = app.post(&path).form_body("a=1").header("if-match", "*");
    assert_changed(any, &last).await;
}

async fn new_names_are_stored_once(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    let file = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let stored = app.post(&path).multipart_body(file);
    let before = etag(&app, &path).await;
    let current = assert_changed(stored, &before).await;
    let write = |body: &str| app.post(&path).form_body(body).header("if-none-match", "*");
    for body in ["Key1=new", "map=1", "new=1&Key1=new"] {
        assert_refused(write(body), &current).await;
    }
    let next = assert_changed(write("Key2=2&Key3=3"), &current).await;
    assert_refused(write("Key3=4"), &next).await;
    let expected = json!({"Key1": "Value1", "Key2": "2", "Key3": "3"});
    assert_eq!(app.storage(&service).await, expected);
    let both = |tag: &str, body: &str| write(body).header("if-match", tag);
    assert_refused(both(&current, "Key4=4"), &next).await;
    assert_refused(both(&next, "Key3=4"), &next).await;
    assert_changed(both(&next, "Key4=4"), &next).await;
}

async fn malformed_conditions_are_rejected(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    for (name, value) in [
        ("if-match", "1"),
        ("if-match", "\"1"),
        ("if-match", ""),
        ("if-match", "*, \"1\""),
        ("if-none-match", "\"1\""),
        ("if-none-match", "1"),
    ] {
        for request in [
            app.post(&path).form_body("Key1=new"),
            app.delete(&path),
            app.delete(&format!("{path}/Key1")),
        ] {
            let rejected = TestResponse::send(request.header(name, value)).await;
            let message = rejected.error_message("InvalidParameter", 400);
            assert!(message.contains(name), "{message}");
        }
    }
    // A delete has no names.
    let delete = app.delete(&path).header("if-none-match", "*");
    let rejected = TestResponse::send(delete).await;
    rejected.error_message("InvalidParameter", 400);
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
}

async fn a_service_that_does_not_exist_is_not_found(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let path = format!("{service}/storage");
    let current = etag(&app, &path).await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    for tag in [&current, "*"] {
        for request in [
            app.post(&path).form_body("Key1=new"),
            app.delete(&path),
            app.delete(&format!("{path}/Key1")),
        ] {
            let missing = TestResponse::send(request.header("if-match", tag)).await;
            missing.error_message("ServiceNotFound", 404);
        }
    }
}

async fn areas_are_changed_under_conditions(app: TestApp) {
    let created = app.post(&format!("{STORAGE}/600")).form_body("Key1=1");
    let created = TestResponse::send(created).await.json();
    let path = format!("{STORAGE}/{}", created["id"].as_str().unwrap());
    let old = etag(&app, &path).await;
    let write = |body: &str| app.post(&format!("{path}/600")).form_body(body);
    let current = assert_changed(write("Key2=2").header("if-match", &old), &old).await;
    for request in [
        write("Key2=3"),
        app.delete(&path),
        app.delete(&format!("{path}/Key1")),
    ] {
        assert_refused(request.header("if-match", &old), &current).await;
    }
    let taken = write("Key2=3").header("if-none-match", "*");
    assert_refused(taken, &current).await;
    let key = app.delete(&format!("{path}/Key1"));
    let last = assert_changed(key.header("if-match", &current), &current).await;
    let read = TestResponse::send(app.get(&path)).await;
    assert_eq!(read.json(), json!({"Key2": "2"}));
    let delete = app.delete(&path).header("if-match", &last);
    TestResponse::send(delete).await.assert_ok();
    let read = TestResponse::send(app.get(&path)).await;
    read.error_message("ServiceNotFound", 404);
}

async fn a_write_with_if_match_creates_no_area(app: TestApp) {
    for (path, tag) in [
        ("session1/600", "\"7\""),
        ("session1/600", "*"),
        ("custom/session1/600", "*"),
    ] {
        let write = app.post(&format!("{STORAGE}/{path}")).form_body("a=1");
        let write = write.header("gms_user", "ann").header("if-match", tag);
        assert_refused(write, "").await;
    }
    let read = app.get(&format!("{STORAGE}/session1"));
    let read = TestResponse::send(read.header("gms_user", "ann")).await;
    read.error_message("ServiceNotFound", 404);
    // Without a user there is nothing that the write could create.
    let write = app.post(&format!("{STORAGE}/session1/600"));
    let write = write.form_body("a=1").header("if-match", "*");
    let missing = TestResponse::send(write).await;
    missing.error_message("ServiceNotFound", 404);
}

async fn a_write_with_if_none_match_can_create_an_area(app: TestApp) {
    let write = |body: &str| {
        let write = app.post(&format!("{STORAGE}/session1/600")).form_body(body);
        let write = write.header("gms_user", "ann");
        write.header("if-none-match", "*")
    };
    let created = TestResponse::send(write("a=1")).await;
    assert_eq!(created.json(), json!({"id": "session1"}));
    let read = app
        .get(&format!("{STORAGE}/session1"))
        .header("gms_user", "ann");
    let read = TestResponse::send(read).await;
    let current = read.header("etag").to_owned();
    assert_refused(write("a=2"), &current).await;
    assert_changed(write("b=2"), &current).await;
}
