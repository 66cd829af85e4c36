//! Binaries of storage areas.

use reqwest::Method;
use serde_json::json;

use super::{STORAGE, area_path, as_user, binary_path, picture, read_as, written_id};
use crate::{
    api::binaries::test_bytes,
    support::{Bodies, TestApp, TestResponse, encode, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_download_supports_ranges_and_conditions,
    files_are_uploaded_to_new_and_to_existing_custom_ids,
    a_file_for_an_unknown_id_is_not_stored,
    a_deleted_area_has_no_binaries,
);

async fn a_download_supports_ranges_and_conditions(app: TestApp) {
    let content = test_bytes(700_000);
    let create = app
        .post(&format!("{STORAGE}/600"))
        .multipart_body(picture(&content));
    let id = written_id(&TestResponse::send(create).await);
    let path = binary_path(&id, "picture");
    let whole = TestResponse::send(app.get(&path)).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body == content);
    for (header, value) in [
        ("content-type", "image/png"),
        ("content-length", "700000"),
        (
            "content-disposition",
            "attachment; filename=\"me.png\"; filename*=UTF-8''me.png",
        ),
        ("x-content-type-options", "nosniff"),
    ] {
        if header == "content-disposition" {
            assert!(whole.header(header).contains("me.png"));
        } else {
            assert_eq!(whole.header(header), value);
        }
    }
    let tag = whole.header("etag").to_owned();
    let head = TestResponse::send(app.request(Method::HEAD, &path)).await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
    for name in [
        "etag",
        "content-length",
        "content-type",
        "content-disposition",
    ] {
        assert_eq!(head.header(name), whole.header(name));
    }
    let get = |name: &str, value: &str| TestResponse::send(app.get(&path).header(name, value));
    let part = get("range", "bytes=262143-262145").await;
    assert_eq!(part.status, 206);
    assert_eq!(part.header("content-range"), "bytes 262143-262145/700000");
    assert!(part.body == content[262_143..262_146]);
    get("range", "bytes=700000-")
        .await
        .error_message("RangeNotSatisfiable", 416);
    let unchanged = get("if-none-match", &tag).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.text()), (304, ""));
    assert_eq!(get("if-match", &tag).await.status, 200);
    get("if-match", "\"x\"")
        .await
        .error_message("PreconditionFailed", 412);

    let replace = app.post(&format!("{}/600", area_path(&id)));
    let replace = replace.multipart_body(picture(b"12345"));
    written_id(&TestResponse::send(replace).await);
    get("if-match", &tag)
        .await
        .error_message("PreconditionFailed", 412);
    let changed = get("if-none-match", &tag).await;
    assert_eq!(
        (changed.status.as_u16(), &*changed.body),
        (200, &b"12345"[..])
    );
}

async fn files_are_uploaded_to_new_and_to_existing_custom_ids(app: TestApp) {
    for content in [test_bytes(700_000), b"12345".to_vec(), Vec::new()] {
        let body = picture(&content).text("size", &content.len().to_string());
        let write = as_user(app.post(&format!("{STORAGE}/pictures/600")), "ann");
        let written = TestResponse::send(write.multipart_body(body)).await;
        assert_eq!(written_id(&written), "pictures");
        let read = as_user(app.get(&binary_path("pictures", "picture")), "ann");
        assert!(TestResponse::send(read).await.body == content);
        let strings = read_as(&app, "ann", "pictures").await;
        assert_eq!(strings.json(), json!({"size": content.len().to_string()}));
    }
    for user in ["", "bob"] {
        let read = as_user(app.get(&binary_path("pictures", "picture")), user);
        let answer = TestResponse::send(read).await;
        answer.error_message("ServiceNotFound", 404);
    }
}

async fn a_file_for_an_unknown_id_is_not_stored(app: TestApp) {
    let unknown = "39a98e24-b03b-8191-b756-1efe8f3b16b8";
    for path in [
        "pictures/600".to_owned(),
        "custom/pictures/600".to_owned(),
        format!("{unknown}/600"),
        format!("{}/600", encode("custom/ann/pictures")),
    ] {
        let write = app.post(&format!("{STORAGE}/{path}"));
        let write = write.multipart_body(picture(&test_bytes(300_000)));
        let answer = TestResponse::send(write).await;
        answer.error_message("ServiceNotFound", 404);
    }
    assert!(app.redis_keys("*").await.is_empty());
}

async fn a_deleted_area_has_no_binaries(app: TestApp) {
    let write = || as_user(app.post(&format!("{STORAGE}/pictures/600")), "ann");
    let body = picture(&test_bytes(300_000));
    written_id(&TestResponse::send(write().multipart_body(body)).await);
    let delete = as_user(app.delete(&area_path("pictures")), "ann");
    TestResponse::send(delete).await.assert_ok();
    let read = || as_user(app.get(&binary_path("pictures", "picture")), "ann");
    TestResponse::send(read())
        .await
        .error_message("ServiceNotFound", 404);
    // The next area of this custom id has none either.
    written_id(&TestResponse::send(write().form_body("a=1")).await);
    TestResponse::send(read())
        .await
        .error_message("KeyNotFound", 404);
    assert_eq!(
        read_as(&app, "ann", "pictures").await.json(),
        json!({"a": "1"})
    );
}
