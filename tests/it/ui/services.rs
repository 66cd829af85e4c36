//! *Active services*: list, search, detail and downloads.

use std::collections::BTreeSet;

use super::fixture::{
    AdminSession, all_between, between, escaped, id_of, listed_ids, next_page, page_html,
    redirect_target, service_page,
};
use crate::{
    api::admin::fixture::{
        audit_actions, create_service, create_service_with, create_service_with_file_and_booking,
        get_json, start_admin,
    },
    support::{Bodies, Multipart, TestApp, TestResponse, on_redis_only},
};

on_redis_only!(
    empty_list_shows_how_to_create_a_service,
    services_are_listed_by_expiration_time_in_pages,
    service_is_found_by_id_and_shown_in_full,
    services_are_found_by_prefix_of_their_id,
    keys_are_paginated,
    keys_of_dots_can_be_downloaded,
    values_are_downloads_that_browsers_do_not_render,
    unknown_service_has_an_error_page,
);

async fn empty_list_shows_how_to_create_a_service(app: TestApp) {
    let app = start_admin(&app).await;
    let page = AdminSession::sign_in(&app)
        .await
        .page("/active-services")
        .await;
    assert!(page.contains("No active services."), "{page}");
    let line = between(&page, "<pre>curl -X POST ", " -d");
    assert_eq!(line, app.url("/genesys/1/service/store"));
    let create = app.client.post(line).form_body("language=french");
    TestResponse::send(create).await.service_id();
    let page = AdminSession::sign_in(&app)
        .await
        .page("/active-services")
        .await;
    assert!(!page.contains("No active services."), "{page}");
}

async fn services_are_listed_by_expiration_time_in_pages(app: TestApp) {
    let app = start_admin(&app).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let ttl = format!("_ttl={}", 1_000 * (n + 1));
        expected.push(id_of(
            &create_service_with(&app, "store", &ttl).await.service_id(),
        ));
    }
    let session = AdminSession::sign_in(&app).await;
    let page = session.page("/active-services").await;
    assert!(page.contains("7 active services."), "{page}");
    assert_eq!(listed_ids(&page), expected);
    assert_eq!(next_page(&page), None);
    let (mut found, mut path) = (Vec::new(), "/active-services?limit=3".to_owned());
    loop {
        let page = session.page(&path).await;
        assert_eq!(page.contains("First page"), !found.is_empty());
        found.extend(listed_ids(&page));
        let Some(next) = next_page(&page) else { break };
        path = next;
    }
    assert_eq!(found, expected);
    for wrong in ["after=x", "limit=0", "limit=201"] {
        let response = session.get(&format!("/active-services?{wrong}")).await;
        assert_eq!(response.status, 400, "{wrong}");
        assert!(page_html(&response).contains("role=\"alert\""), "{wrong}");
    }
}

async fn service_is_found_by_id_and_shown_in_full(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with_file_and_booking(&app)
        .await
        .service_id();
    let session = AdminSession::sign_in(&app).await;
    let typed = format!("/active-services?id=+{}+", id_of(&service));
    let found = session.get(&typed).await;
    assert_eq!(redirect_target(&found), service_page(&service));
    let page = session.page(&service_page(&service)).await;
    for text in [
        "<bdi>request-interaction</bdi>",
        "<bdi>jane</bdi>",
        "23 h 59 min",
        "<bdi class=\"value\">language</bdi>",
        "<bdi class=\"value\">french</bdi>",
        "<bdi class=\"value\">map</bdi>",
        "<bdi>image/png</bdi>",
        "<bdi>map.png</bdi>",
        "5 bytes",
        "<bdi>8003449999</bdi>",
        "<bdi>DNIS</bdi>",
    ] {
        assert!(page.contains(text), "no {text} in {page}");
    }
    let service_json = &get_json(&app, &format!("active-services/{}", id_of(&service))).await;
    for time in [
        &service_json["created_at"],
        &service_json["expires_at"],
        &service_json["bookings"][0]["expires_at"],
    ] {
        let time = time.as_str().unwrap();
        let exact = format!("<time datetime=\"{time}\" title=\"{time}\">");
        assert!(page.contains(&exact), "no {exact} in {page}");
    }
}

async fn services_are_found_by_prefix_of_their_id(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service(&app, "store").await.service_id();
    let id = id_of(&service);
    let session = AdminSession::sign_in(&app).await;
    let hint = &id[..8];
    for typed in [
        hint,
        &format!("{hint}..."),
        &hint.to_uppercase(),
        &id.to_uppercase(),
    ] {
        let found = session.get(&format!("/active-services?id={typed}")).await;
        assert_eq!(redirect_target(&found), service_page(&service), "{typed}");
    }
    // The client API is case-sensitive.
    let other = app.get(&format!("/genesys/1/service/{}", id.to_uppercase()));
    if id.chars().any(|c| c.is_ascii_lowercase()) {
        TestResponse::send(other)
            .await
            .error_message("ServiceNotFound", 404);
    }
    // Of seventeen ids, two begin with the same hexadecimal digit.
    let mut ids = vec![id];
    for _ in 0..16 {
        ids.push(id_of(&create_service(&app, "store").await.service_id()));
    }
    let first = |digit: char| ids.iter().filter(move |id| id.starts_with(digit)).cloned();
    let digit = "0123456789abcdef"
        .chars()
        .find(|digit| first(*digit).count() > 1);
    let digit = digit.unwrap();
    let page = session.page(&format!("/active-services?id={digit}")).await;
    let found: BTreeSet<_> = listed_ids(&page).into_iter().collect();
    assert_eq!(found, first(digit).collect());
    assert_eq!(session.get("/active-services?id=zz").await.status, 404);
}

async fn keys_are_paginated(app: TestApp) {
    let app = start_admin(&app).await;
    let names: Vec<String> = (0..25).map(|n| format!("a/{n:02} é&")).collect();
    let mut body = Multipart::new().file("a/07+", "f", "image/png", b"x");
    for name in &names {
        body = body.text(name, "v");
    }
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = TestResponse::send(create).await.service_id();
    let mut expected: BTreeSet<String> = names.iter().map(|name| escaped(name)).collect();
    expected.insert("a/07+".to_owned());
    let session = AdminSession::sign_in(&app).await;
    let mut path = format!("{}?limit=10", service_page(&service));
    let mut pages = Vec::new();
    loop {
        let page = session.page(&path).await;
        assert!(page.contains("26 keys, 1 with a binary value"), "{page}");
        let page_keys = all_between(&page, "<th scope=\"row\"><bdi class=\"value\">", "</bdi>");
        pages.push(page_keys.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let Some(next) = next_page(&page) else { break };
        path = next;
    }
    let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [10, 10, 6]);
    assert_eq!(pages.concat(), Vec::from_iter(expected));
}

async fn keys_of_dots_can_be_downloaded(app: TestApp) {
    let app = start_admin(&app).await;
    let body = Multipart::new()
        .file("..", "f", "image/png", b"two dots")
        .text(".", &"one dot".repeat(1_000));
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = TestResponse::send(create).await.service_id();
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(&service_page(&service)).await;
    for (kind, expected) in [("values", "one dot"), ("binaries", "two dots")] {
        let begin = format!(
            "href=\"/genesys/1/admin/ui{}/{kind}/",
            service_page(&service)
        );
        let rest = between(&page, &begin, "\"");
        let response = session
            .get(&format!("{}/{kind}/{rest}", service_page(&service)))
            .await;
        assert_eq!(response.status, 200, "{rest}");
        assert!(response.text().starts_with(expected), "{rest}");
    }
}

async fn values_are_downloads_that_browsers_do_not_render(app: TestApp) {
    let app = start_admin(&app).await;
    let content = b"<script>alert(1)</script>".repeat(30_000);
    let long = "<script>alert(1)</script>é".repeat(38_000);
    let (key, text) = ("a/b%2Fc \u{202e}é.html", "t/x%2Fy.html");
    let body =
        Multipart::new()
            .text(text, &long)
            .file(key, "evil \u{e9}.html", "text/html", &content);
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = TestResponse::send(create).await.service_id();
    let session = AdminSession::sign_in(&app).await;
    let page = session.page(&service_page(&service)).await;
    let link = |kind: &str| {
        let begin = format!(
            "href=\"/genesys/1/admin/ui{}/{kind}/",
            service_page(&service)
        );
        let rest = between(&page, &begin, "\"").to_owned();
        format!("{}/{kind}/{rest}", service_page(&service))
    };
    let safe = |response: &TestResponse, name: &str| {
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        let disposition = response.header("content-disposition");
        assert_eq!(disposition, format!("attachment; filename*=UTF-8''{name}"));
        let policy = response.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
    };
    let binary = session.get(&link("binaries")).await;
    assert_eq!(binary.status, 200);
    assert!(binary.body == content);
    assert_eq!(binary.header("content-type"), "application/octet-stream");
    let policy = binary.header("content-security-policy");
    assert!(policy.starts_with("sandbox;"), "{policy}");
    safe(&binary, "evil%20%C3%A9.html");
    let part = session.request(reqwest::Method::GET, &link("binaries"));
    let part = TestResponse::send(part.header("range", "bytes=1-6")).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "script"));
    assert_eq!(part.header("content-type"), "application/octet-stream");
    let value = session.get(&link("values")).await;
    assert_eq!(value.status, 200);
    assert!(value.body == long.as_bytes());
    assert_eq!(value.header("content-type"), "text/plain;charset=utf-8");
    safe(&value, "t%2Fx%252Fy.html.txt");
    // Unknown keys have an error page.
    for path in ["values/none", "binaries/none", "values/", "binaries/"] {
        let response = session
            .get(&format!("{}/{path}", service_page(&service)))
            .await;
        assert_eq!(response.status, 404, "{path}");
    }
    let wrong = link("values").replace("/values/", "/binaries/");
    assert!(page_html(&session.get(&wrong).await).contains("role=\"alert\""));
}

async fn unknown_service_has_an_error_page(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let deleted = create_service(&app, "store").await.service_id();
    let path = service_page(&deleted);
    let token = session.page(&path).await;
    let token = between(&token, "name=\"form_token\" value=\"", "\"");
    TestResponse::send(app.delete(&deleted)).await.assert_ok();
    let extend = [
        ("action", "set_expiration"),
        ("ttl", "60"),
        ("form_token", token),
    ];
    let delete = [("action", "delete"), ("form_token", token)];
    for response in [
        session.get(&path).await,
        session.get("/active-services/unknown").await,
        session.get("/active-services?id=unknown").await,
        session.submit_fields(&path, &extend).await,
        session.submit_fields(&path, &delete).await,
    ] {
        assert_eq!(response.status, 404);
        let page = page_html(&response);
        assert!(
            page.contains("not found. It has expired, or the ID is incorrect."),
            "{page}"
        );
        assert!(
            page.contains("href=\"/genesys/1/admin/ui/active-services\">Back"),
            "{page}"
        );
    }
    assert!(audit_actions(&app).await.is_empty());
}
