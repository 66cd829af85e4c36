//! Storage areas with a custom id are stored under an id that no client can use.

use reqwest::RequestBuilder;
use serde_json::json;

use super::{STORAGE, as_user, assert_not_found, read_as, write_as, written_id};
use crate::support::{Bodies, Multipart, TestApp, TestResponse, encode, on_every_kind_of_store};

on_every_kind_of_store!(
    internal_ids_are_not_found_anywhere,
    internal_ids_of_shared_areas_are_not_found_anywhere,
    an_internal_id_as_a_custom_id_is_another_area,
);

/// Every request that names storage by `id`, which is percent-encoded.
fn all_requests(app: &TestApp, id: &str) -> Vec<RequestBuilder> {
    let file = || Multipart::new().file("secret", "f", "text/plain", b"other");
    let (area, service) = (
        format!("{STORAGE}/{id}"),
        format!("/genesys/1/service/{id}"),
    );
    vec![
        app.get(&area),
        app.get(&format!("{area}/secret")),
        app.get(&format!("{STORAGE}/binary/{id}/secret")),
        app.delete(&format!("{area}/secret")),
        app.delete(&area),
        app.get(&service),
        app.get(&format!("{service}/storage")),
        app.get(&format!("{service}/storage/secret")),
        app.get(&format!("{service}/storage/binary/secret")),
        app.post(&format!("{service}/storage"))
            .form_body("secret=other"),
        app.post(&format!("{service}/storage"))
            .multipart_body(file()),
        app.post(&format!("{service}/update"))
            .form_body("secret=other"),
        app.get(&format!("{service}/update?secret=other")),
        app.post(&format!("{service}/other"))
            .form_body("secret=other"),
        app.put(&format!("{service}?ttl=60")),
        app.put(&format!("/genesys/1/cs/services/{id}?ttl=60")),
        app.delete(&format!("{service}/storage/secret")),
        app.delete(&format!("{service}/storage")),
        app.delete(&service),
        app.post("/genesys/1/service/request-access")
            .form_body(&format!("_id={id}&secret=other")),
    ]
}

/// Asserts that no request that names `internal` finds the storage area.
async fn assert_hidden(app: &TestApp, internal: &str) {
    let (once, twice) = (encode(internal), encode(&encode(internal)));
    let upper = encode(&internal.replace("custom", "Custom"));
    for id in [&once, &twice, &upper] {
        for user in ["", "bob", "ann"] {
            for request in all_requests(app, id) {
                let answer = TestResponse::send(as_user(request, user)).await;
                let message = answer.error_message("ServiceNotFound", 404);
                assert!(!message.contains("hidden"), "{message}");
            }
        }
        for path in [format!("{id}/600"), format!("custom/{id}/600")] {
            let write = app.post(&format!("{STORAGE}/{path}"));
            let answer = TestResponse::send(write.form_body("secret=other")).await;
            answer.error_message("ServiceNotFound", 404);
        }
    }
}

async fn internal_ids_are_not_found_anywhere(app: TestApp) {
    written_id(&write_as(&app, "ann", "session1", "secret=hidden").await);
    assert_hidden(&app, "custom/ann/session1").await;
    assert_hidden(&app, "custom//session1").await;
    let read = read_as(&app, "ann", "session1").await;
    assert_eq!(read.json(), json!({"secret": "hidden"}));
}

async fn internal_ids_of_shared_areas_are_not_found_anywhere(app: TestApp) {
    let app = app.start_sibling(&[("storage.custom_ids", "shared")]).await;
    written_id(&write_as(&app, "ann", "session1", "secret=hidden").await);
    assert_hidden(&app, "custom//session1").await;
    let read = read_as(&app, "bob", "session1").await;
    assert_eq!(read.json(), json!({"secret": "hidden"}));
}

async fn an_internal_id_as_a_custom_id_is_another_area(app: TestApp) {
    written_id(&write_as(&app, "ann", "session1", "secret=hidden").await);
    let internal = "custom/ann/session1";
    for user in ["bob", "ann"] {
        let written = write_as(&app, user, internal, &format!("secret={user}")).await;
        assert_eq!(written_id(&written), internal);
        let read = read_as(&app, user, internal).await;
        assert_eq!(read.json(), json!({"secret": user}));
    }
    assert_not_found(&app, "", internal).await;
    let read = read_as(&app, "ann", "session1").await;
    assert_eq!(read.json(), json!({"secret": "hidden"}));
    // Neither user names nor custom ids with the separator of the internal form reach it.
    for (user, id) in [
        ("", "session1"),
        ("an", "n/session1"),
        ("ann/session1", ""),
        ("custom/ann", "session1"),
    ] {
        if !id.is_empty() {
            assert_not_found(&app, user, id).await;
        }
    }
}
