//! The TTL in the path.

use serde_json::json;

use super::{STORAGE, area_path, as_user, assert_not_found, read_as, write_as, written_id};
use crate::{
    api::admin::fixture::{get_json, start_admin},
    support::{Bodies, TestApp, TestResponse, encode, eventually, on_every_kind_of_store},
};

on_every_kind_of_store!(
    an_invalid_ttl_is_replaced_with_a_warning,
    an_invalid_ttl_is_an_error_if_the_server_is_strict,
    a_valid_ttl_is_used_as_it_is,
    an_area_ends_after_its_ttl,
    a_ttl_is_required,
);

const INVALID: [&str; 9] = [
    "0", "-1", "1.5", "abc", "2592001", " ", "30s", "1e99", "NaN",
];

/// The remaining seconds of a storage area with a generated id.
async fn ttl(app: &TestApp, id: &str) -> u64 {
    let area = app.get_service(&format!("/genesys/1/service/{id}")).await;
    area["_ttl"].as_u64().unwrap()
}

async fn an_invalid_ttl_is_replaced_with_a_warning(app: TestApp) {
    let app = start_admin(&app).await;
    for text in INVALID {
        let expected = format!(
            "299 - \"ttl is '{text}'; expected an integer from 1 to 2592000; 30 seconds are used\""
        );
        let create = app.post(&format!("{STORAGE}/{}", encode(text)));
        let created = TestResponse::send(create.form_body("a=1")).await;
        let id = written_id(&created);
        assert_eq!(created.header("warning"), expected);
        assert!(ttl(&app, &id).await <= 30, "{text}");

        TestResponse::send(app.put(&format!("/genesys/1/service/{id}?ttl=600")))
            .await
            .assert_empty();
        let update = app.post(&format!("{}/{}", area_path(&id), encode(text)));
        let updated = TestResponse::send(update.form_body("b=2")).await;
        assert_eq!(written_id(&updated), id);
        assert_eq!(updated.header("warning"), expected);
        assert!(ttl(&app, &id).await <= 30, "{text}");
        assert_eq!(
            read_as(&app, "", &id).await.json(),
            json!({"a": "1", "b": "2"})
        );

        for custom in ["session1", "custom/session1"] {
            let write = app.post(&format!("{STORAGE}/{custom}/{}", encode(text)));
            let written = TestResponse::send(as_user(write, "ann").form_body("a=1")).await;
            assert_eq!(written_id(&written), "session1");
            assert_eq!(written.header("warning"), expected);
        }
        let internal = encode("custom/ann/session1");
        let listed = get_json(&app, &format!("active-services/{internal}")).await;
        assert!(listed["ttl"].as_u64().unwrap() <= 30, "{text}: {listed}");
    }
}

async fn an_invalid_ttl_is_an_error_if_the_server_is_strict(app: TestApp) {
    let app = app
        .start_sibling(&[("api.strict_storage_ttl", "true")])
        .await;
    let service = app.create("a=1").await;
    let id = service.rsplit('/').next().unwrap();
    for text in INVALID {
        for path in [
            format!("{STORAGE}/{}", encode(text)),
            format!("{STORAGE}/session1/{}", encode(text)),
            format!("{STORAGE}/custom/session1/{}", encode(text)),
            format!("{STORAGE}/{id}/{}", encode(text)),
        ] {
            let write = as_user(app.post(&path), "ann").form_body("a=2");
            let answer = TestResponse::send(write).await;
            let message = answer.error_message("InvalidParameter", 400);
            assert!(message.contains("from 1 to 2592000"), "{message}");
            assert_eq!(answer.header("warning"), "");
        }
    }
    assert_not_found(&app, "ann", "session1").await;
    assert_eq!(app.storage(&service).await, json!({"a": "1"}));
}

async fn a_valid_ttl_is_used_as_it_is(app: TestApp) {
    for (text, seconds) in [
        ("60", 60),
        ("2592000", 2_592_000),
        ("086400", 86_400),
        ("600.0", 600),
        ("6e2", 600),
        (" 300 ", 300),
    ] {
        let create = app.post(&format!("{STORAGE}/{}", encode(text)));
        let created = TestResponse::send(create.form_body("a=1")).await;
        assert!(!created.headers.contains_key("warning"), "{text}");
        let remaining = ttl(&app, &written_id(&created)).await;
        assert!(
            (seconds - 50..=seconds).contains(&remaining),
            "{text}: {remaining}"
        );
    }
    // The maximum is that of services.
    let app = app.start_sibling(&[("limits.max_ttl_seconds", "20")]).await;
    let created = app.post(&format!("{STORAGE}/21")).form_body("a=1");
    let created = TestResponse::send(created).await;
    let warning = created.header("warning");
    assert!(
        warning.contains("from 1 to 20; 20 seconds are used"),
        "{warning}"
    );
    assert!(ttl(&app, &written_id(&created)).await <= 20);
}

async fn an_area_ends_after_its_ttl(app: TestApp) {
    let write = async |path: &str| {
        let write = as_user(app.post(&format!("{STORAGE}/{path}")), "ann");
        written_id(&TestResponse::send(write.form_body("a=1")).await)
    };
    let (area, custom) = (write("1").await, write("session1/1").await);
    // A later write with a longer TTL keeps an area.
    let kept = write("session2/2").await;
    write("session2/600").await;
    for id in [&area, &custom] {
        eventually("the area ends", async || {
            (read_as(&app, "ann", id).await.status == 404).then_some(())
        })
        .await;
    }
    assert_eq!(read_as(&app, "ann", &kept).await.json(), json!({"a": "1"}));
    // A generated id is not used again, a custom id is.
    let late = write_as(&app, "", &area, "b=2").await;
    late.error_message("ServiceNotFound", 404);
    written_id(&write_as(&app, "ann", &custom, "b=2").await);
    assert_eq!(
        read_as(&app, "ann", &custom).await.json(),
        json!({"b": "2"})
    );
}

async fn a_ttl_is_required(app: TestApp) {
    for path in [
        "",
        "/",
        "/session1/",
        "/custom/session1",
        "/custom/session1/",
    ] {
        let write = as_user(app.post(&format!("{STORAGE}{path}")), "ann").form_body("a=1");
        let answer = TestResponse::send(write).await;
        // The path of `custom` without a TTL has that of an update.
        let (exception, status) = match path {
            "/custom/session1" => ("InvalidParameter", 400),
            _ => ("NotFound", 404),
        };
        answer.error_message(exception, status);
    }
    assert_not_found(&app, "ann", "session1").await;
}

#[tokio::test]
async fn a_warning_is_a_valid_header_for_any_text() {
    let app = TestApp::on_memory().await;
    let long = "9".repeat(4_000);
    for text in [
        "\r\nX-Evil: 1",
        "\"\\\"",
        "\u{fc}\u{1f600}",
        "\u{0}\u{7f}\t",
        "<script>alert(1)</script>",
        &long,
        &format!("600{}x", " ".repeat(400)),
        &"\u{1f600}".repeat(100),
    ] {
        let create = app.post(&format!("{STORAGE}/{}", encode(text)));
        let created = TestResponse::send(create.form_body("a=1")).await;
        let id = written_id(&created);
        assert!(ttl(&app, &id).await <= 30, "{text:?}");
        assert_eq!(created.headers.get_all("warning").iter().count(), 1);
        assert!(!created.headers.contains_key("x-evil"));
        let warning = created.header("warning");
        let quoted = warning
            .strip_prefix("299 - \"")
            .and_then(|text| text.strip_suffix('"'));
        let quoted = quoted.unwrap_or_else(|| panic!("{warning}"));
        assert!(quoted.ends_with("; 30 seconds are used"), "{warning}");
        let is_text = |byte| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
        assert!(quoted.bytes().all(is_text), "{warning}");
        assert!(warning.len() <= 300, "{} bytes", warning.len());
    }
}
