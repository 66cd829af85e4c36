//! Hostile names and values on every page that shows them.

use serde_json::json;

use super::fixture::{AdminSession, all_between, between, escaped, page_html, service_page};
use crate::{
    api::admin::fixture::{
        create_entry, exclusive_group_options, request_interaction_options, start_admin,
        store_options,
    },
    support::{Bodies, Multipart, TestApp, TestResponse, disposition, encode, on_redis_only},
};

on_redis_only!(
    hostile_names_and_values_are_text_on_every_page,
    hostile_requests_are_rejected_as_text,
    hostile_names_and_options_are_text,
);

const HOSTILE_TEXTS: [&str; 7] = [
    "<img src=x onerror=alert(1)>",
    "\"'><img src=x onerror=alert(1)>",
    "</pre></bdi></title><img src=x>",
    "a'b\u{202e}gnp\u{2066}.exe",
    "{{ frame.form_token }} {% raw %} %3Cimg%3E",
    "javascript:alert(1)",
    "-->]]><img src=x>&lt;img",
];

/// A valid group name: braces are not allowed.
fn group_of(hostile: &str) -> String {
    hostile.replace(['{', '}'], "|")
}

/// A valid name of a configured service: `/` is not allowed.
fn definition_of(hostile: &str) -> String {
    hostile.replace('/', "\\")
}

/// Creates service number `n` with `hostile` in every name and value. Returns the path of its page.
async fn create_service(app: &TestApp, n: usize, hostile: &str) -> String {
    let (group, definition) = (group_of(hostile), definition_of(hostile));
    let number = format!("800555000{n}");
    let path = format!("groups/{}", encode(&group));
    create_entry(app, &path, &exclusive_group_options(&[&number])).await;
    let path = format!("services/{}", encode(&definition));
    create_entry(app, &path, &request_interaction_options(&group)).await;
    let quoted = encode(hostile);
    let file = format!("{}; filename*=UTF-8''{quoted}", disposition("file"));
    let body = Multipart::new()
        .text("long", &long_text(hostile))
        .part(&format!("{file}\r\nContent-Type: text/html"), b"x");
    let create = app.post(&format!("/genesys/1/service/{}", encode(&definition)));
    let create = create.header("gms_user", hostile.as_bytes());
    let service = TestResponse::send(create.multipart_body(body))
        .await
        .service_id();
    let write = app.post(&format!("{service}/storage"));
    let write = write.form_body(&format!("{quoted}={quoted}"));
    TestResponse::send(write).await.assert_empty();
    service_page(&service)
}

/// About 1 MiB of repetitions.
fn long_text(hostile: &str) -> String {
    hostile.repeat(1024 * 1024 / hostile.len())
}

async fn hostile_names_and_values_are_text_on_every_page(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    for (n, hostile) in HOSTILE_TEXTS.into_iter().enumerate() {
        let path = create_service(&app, n, hostile).await;
        let (text, name) = (escaped(hostile), escaped(&definition_of(hostile)));
        for page in ["/active-services", "/audit-log"] {
            let page = session.page(page).await;
            assert_harmless(&page);
            assert!(page.contains(&format!("<bdi>{name}</bdi>")), "{page}");
        }
        let page = session.page(&path).await;
        assert_harmless(&page);
        for shown in [
            format!("<bdi>{name}</bdi></a></dd>"),
            format!("<dd><bdi>{text}</bdi>"),
            format!("<th scope=\"row\"><bdi class=\"value\">{text}</bdi>"),
            format!("<td><bdi class=\"value\">{text}</bdi>"),
            format!("<bdi>text/html</bdi>, <bdi>{text}</bdi>"),
            format!("<bdi>{}</bdi></a>", escaped(&group_of(hostile))),
        ] {
            assert!(page.contains(&shown), "no {shown} in {page}");
        }
        assert!(page.len() < 30_000, "{} bytes", page.len());
        assert!(page.contains("1.0 MiB"), "a long value is not truncated");
        let download = session.get(&format!("{path}/values/long")).await;
        assert!(download.text() == long_text(hostile));
    }
}

async fn hostile_requests_are_rejected_as_text(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let path = service_page(&app.create("a=b").await);
    for hostile in HOSTILE_TEXTS {
        let quoted = encode(hostile);
        for (request, expected) in [
            (format!("/active-services/{quoted}"), 404),
            (format!("/active-services?id={quoted}"), 404),
            (format!("/active-services/{quoted}/values/{quoted}"), 404),
            (format!("{path}/values/{quoted}"), 404),
            (format!("{path}/binaries/{quoted}"), 404),
            (format!("{path}?message={quoted}&after={quoted}"), 200),
            (format!("{path}?limit={quoted}"), 400),
            (format!("/active-services?after={quoted}"), 400),
            (
                format!("/active-services?limit={quoted}&done={quoted}"),
                400,
            ),
            (format!("/audit-log?after={quoted}"), 400),
            (format!("/match-explanation?after={quoted}"), 400),
            (format!("/match-explanation?_access_number={quoted}"), 200),
        ] {
            let response = session.get(&request).await;
            assert_eq!(response.status, expected, "{request}");
            assert_harmless(page_html(&response));
        }
        for (form, expected) in [
            (&[("action", "set_expiration"), ("ttl", hostile)][..], 400),
            (&[("action", hostile)], 400),
            (
                &[
                    ("action", "release"),
                    ("group", hostile),
                    ("booking", hostile),
                ],
                404,
            ),
        ] {
            let response = session.submit_form(&path, form).await;
            assert_eq!(response.status, expected, "{form:?}");
            assert_harmless(page_html(&response));
        }
    }
}

async fn hostile_names_and_options_are_text(app: TestApp) {
    let app = start_admin(&app).await;
    let hostile = "<img src=x onerror=alert(1)>\"'\u{202e}";
    let mut options = store_options();
    options[format!("_{hostile}")] = json!("</pre><img src=x>");
    options["_long"] = json!("<img>".repeat(200_000));
    create_entry(&app, &format!("services/{}", encode(hostile)), &options).await;
    let page = AdminSession::sign_in(&app).await.page("/audit-log").await;
    assert_eq!(page.matches("<img").count(), 1, "only the logo");
    let name = format!("<bdi>{}</bdi>", escaped(hostile));
    assert!(page.contains(&name), "no {name}");
    // A long state is stored truncated, and the page shows it.
    let state = between(&page, "<pre>", "</pre>");
    assert!(state.contains("_truncated"), "{state}");
    assert!(state.contains("_bytes"), "{state}");
}

/// Asserts that the page contains no markup of the input, and only relative URLs.
fn assert_harmless(page: &str) {
    let images = page.matches("<img ").count();
    assert_eq!(images, 1, "the logo is the only image");
    assert!(!page.contains("<img src=x"), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    for attribute in ["href=\"", "action=\""] {
        let mut all = all_between(page, attribute, "\"").into_iter();
        assert!(all.all(|url| url.starts_with(['/', '#'])), "{page}");
    }
    assert_eq!(page.matches("</title>").count(), 1, "{page}");
}
