//! Custom ids: whose they are, and which characters they have.

use serde_json::json;

use super::{
    STORAGE, area_path, as_user, assert_not_found, binary_path, create_area, picture, read_as,
    write_as, written_id,
};
use crate::support::{
    Bodies, RawConnection, TestApp, TestResponse, encode, on_every_kind_of_store,
};

on_every_kind_of_store!(
    equal_custom_ids_of_two_users_are_two_areas,
    shared_custom_ids_are_those_of_all_users,
    any_text_is_a_custom_id,
    segments_of_other_paths_and_long_texts_are_no_custom_ids,
    a_custom_id_that_is_a_number_is_not_a_ttl,
    an_existing_id_is_no_custom_id,
);

async fn equal_custom_ids_of_two_users_are_two_areas(app: TestApp) {
    for user in ["ann", "bob", "Ann", "\u{fc}", "a/b", "custom"] {
        let form = format!("owner={}", encode(user));
        assert_eq!(
            written_id(&write_as(&app, user, "session1", &form).await),
            "session1"
        );
    }
    for user in ["ann", "bob", "Ann", "\u{fc}", "a/b", "custom"] {
        let read = read_as(&app, user, "session1").await;
        assert_eq!(read.json(), json!({"owner": user}));
        let key = as_user(app.get(&format!("{STORAGE}/session1/owner")), user);
        assert_eq!(TestResponse::send(key).await.json(), json!({"owner": user}));
    }
    assert_not_found(&app, "carol", "session1").await;
    let anonymous = read_as(&app, "", "session1").await;
    let message = anonymous.error_message("ServiceNotFound", 404);
    assert!(message.contains("gms_user"), "{message}");
    for request in [
        app.get(&area_path("session1")).header("gms_user", ""),
        app.get(&format!("{STORAGE}/session1/owner")),
        app.get(&binary_path("session1", "owner")),
        app.delete(&area_path("session1")),
        app.delete(&format!("{STORAGE}/session1/owner")),
        app.post(&format!("{STORAGE}/session1/600"))
            .form_body("a=1"),
        app.post(&format!("{STORAGE}/custom/session1/600"))
            .form_body("a=1"),
        app.post(&format!("{STORAGE}/session1/600"))
            .multipart_body(picture(b"1")),
    ] {
        let answer = TestResponse::send(request).await;
        answer.error_message("ServiceNotFound", 404);
    }
    let delete = as_user(app.delete(&area_path("session1")), "bob");
    TestResponse::send(delete).await.assert_ok();
    assert_not_found(&app, "bob", "session1").await;
    assert_eq!(
        read_as(&app, "ann", "session1").await.json(),
        json!({"owner": "ann"})
    );
}

async fn shared_custom_ids_are_those_of_all_users(app: TestApp) {
    let app = app.start_sibling(&[("storage.custom_ids", "shared")]).await;
    // A create names its user also here.
    let anonymous = write_as(&app, "", "event1", "a=1").await;
    anonymous.error_message("ServiceNotFound", 404);
    written_id(&write_as(&app, "ann", "event1", "a=1").await);
    written_id(&write_as(&app, "bob", "event1", "b=2").await);
    written_id(&write_as(&app, "", "event1", "c=3").await);
    for user in ["ann", "bob", "carol", ""] {
        let read = read_as(&app, user, "event1").await;
        assert_eq!(read.json(), json!({"a": "1", "b": "2", "c": "3"}), "{user}");
    }
    TestResponse::send(app.delete(&area_path("event1")))
        .await
        .assert_ok();
    assert_not_found(&app, "ann", "event1").await;
}

async fn any_text_is_a_custom_id(app: TestApp) {
    let longest = "x".repeat(256);
    let ids = [
        "30",
        "0",
        "-1",
        "a/b",
        "\u{fc}",
        "a b",
        "+",
        "%",
        "%2F",
        "?",
        "#",
        "a:b",
        "{x}",
        "}",
        "*",
        "\u{0}",
        "\r\n",
        "custom/x",
        "customs",
        "Custom",
        "store",
        "\u{1f600}",
        &longest,
    ];
    for (n, id) in ids.iter().enumerate() {
        let form = format!("n={n}");
        let paths = [
            format!("{}/600", area_path(id)),
            format!("{STORAGE}/custom/{}/600", encode(id)),
        ];
        for path in paths {
            let write = as_user(app.post(&path), "ann").form_body(&form);
            assert_eq!(written_id(&TestResponse::send(write).await), *id);
        }
        let write = as_user(app.post(&format!("{}/600", area_path(id))), "ann");
        written_id(&TestResponse::send(write.multipart_body(picture(b"12345"))).await);
    }
    for (n, id) in ids.iter().enumerate() {
        let read = read_as(&app, "ann", id).await;
        assert_eq!(read.json(), json!({"n": n.to_string()}), "{id:?}");
        let binary = as_user(app.get(&binary_path(id, "picture")), "ann");
        assert_eq!(TestResponse::send(binary).await.body, b"12345", "{id:?}");
        // The path of the binary in the message works.
        let string = as_user(app.get(&format!("{}/picture", area_path(id))), "ann");
        let message = TestResponse::send(string).await;
        let message = message.error_message("KeyNotFound", 404);
        let path = message.rsplit(' ').next().unwrap();
        let binary = as_user(app.get(path), "ann");
        assert_eq!(TestResponse::send(binary).await.body, b"12345", "{path}");
        assert_not_found(&app, "bob", id).await;
        let delete = as_user(app.delete(&area_path(id)), "ann");
        TestResponse::send(delete).await.assert_ok();
        assert_not_found(&app, "ann", id).await;
    }
}

async fn segments_of_other_paths_and_long_texts_are_no_custom_ids(app: TestApp) {
    let long = "x".repeat(257);
    for (id, expected) in [
        ("custom", "is reserved"),
        ("binary", "is reserved"),
        (&long, "257 bytes"),
        (&"\u{fc}".repeat(129), "258 bytes"),
    ] {
        for path in [
            format!("{}/600", area_path(id)),
            format!("{STORAGE}/custom/{}/600", encode(id)),
        ] {
            for user in ["ann", ""] {
                let write = as_user(app.post(&path), user).form_body("a=1");
                let answer = TestResponse::send(write).await;
                let message = answer.error_message("InvalidParameter", 400);
                assert!(message.contains(expected), "{message}");
            }
        }
        for request in [
            app.get(&area_path(id)),
            app.get(&format!("{}/key", area_path(id))),
            app.delete(&area_path(id)),
        ] {
            let answer = TestResponse::send(as_user(request, "ann")).await;
            answer.error_message("ServiceNotFound", 404);
        }
    }
}

async fn a_custom_id_that_is_a_number_is_not_a_ttl(app: TestApp) {
    written_id(&write_as(&app, "ann", "30", "a=1").await);
    let create = as_user(app.post(&format!("{STORAGE}/30")), "ann");
    let id = written_id(&TestResponse::send(create.form_body("a=2")).await);
    assert_ne!(id, "30");
    assert_eq!(read_as(&app, "ann", "30").await.json(), json!({"a": "1"}));
    assert_eq!(read_as(&app, "", &id).await.json(), json!({"a": "2"}));
    // A generated id is that of all users.
    assert_eq!(read_as(&app, "bob", &id).await.json(), json!({"a": "2"}));
    assert_not_found(&app, "", "30").await;
}

async fn an_existing_id_is_no_custom_id(app: TestApp) {
    let area = create_area(&app, "owner=all").await;
    let service = app.create("owner=all").await;
    let service = service.rsplit('/').next().unwrap();
    for id in [area.as_str(), service] {
        // A write without `custom` finds what exists.
        written_id(&write_as(&app, "ann", id, "more=1").await);
        let all = json!({"owner": "all", "more": "1"});
        assert_eq!(read_as(&app, "bob", id).await.json(), all);
        // A custom id would hide it from this user.
        for file in [false, true] {
            let custom = as_user(app.post(&format!("{STORAGE}/custom/{id}/600")), "ann");
            let custom = if file {
                custom.multipart_body(picture(b"1"))
            } else {
                custom.form_body("owner=ann")
            };
            let answer = TestResponse::send(custom).await;
            let message = answer.error_message("InvalidParameter", 400);
            assert!(message.contains("cannot be a custom id"), "{message}");
        }
        assert_eq!(read_as(&app, "ann", id).await.json(), all);
    }
}

/// Clients and proxies normalize these paths, so the bytes are sent as they are.
#[tokio::test]
async fn dots_in_a_path_are_ids_if_the_client_sends_them() {
    let app = TestApp::on_memory().await;
    let mut connection = RawConnection::connect(&app).await;
    let mut send = async |method: &str, path: &str, body: &str| {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\ngms_user: ann\r\n");
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let request = format!("{head}{kind}Content-Length: {length}\r\n\r\n{body}");
        connection.send(request).await;
        connection.read_response().await
    };
    for (dots, encoded) in [(".", "%2e"), ("..", "%2E%2e")] {
        let written = send("POST", &format!("{STORAGE}/{dots}/600"), "a=1").await;
        assert_eq!(written_id(&written), dots);
        let read = send("GET", &format!("{STORAGE}/{encoded}"), "").await;
        assert_eq!(read.json(), json!({"a": "1"}));
        let deleted = send("DELETE", &format!("{STORAGE}/{dots}"), "").await;
        deleted.assert_ok();
    }
}
