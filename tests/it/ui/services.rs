//! *Services*: living services are looked at.

use std::collections::BTreeSet;

use super::fixture::{
    AdminSession, all_between, between, escaped, id_of, listed_ids, page_html, redirect_target,
    service_page,
};
use crate::{
    admin::fixture::{audit_actions, create_service, create_service_with, get_json, start_admin},
    support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(
    where_none_lives_it_is_said_how_to_make_one,
    all_that_live_are_listed_by_their_ends_a_page_at_a_time,
    one_is_found_by_its_id_and_told_with_all_that_it_holds,
    those_are_found_whose_ids_begin_as_the_log_has_them,
    many_names_are_told_a_page_at_a_time,
    a_name_that_browsers_take_for_a_step_in_a_path_is_read_too,
    what_it_holds_is_kept_as_a_file_and_shown_nowhere,
    a_service_that_is_not_there_is_a_page_that_says_so,
);

/// Where the next page is.
fn next_page(page: &str) -> Option<String> {
    let link = page.split_once("rel=\"next\" href=\"/genesys/1/admin/ui")?;
    let path = link.1.split_once('"')?.0;
    Some(path.replace("&amp;", "&"))
}

async fn where_none_lives_it_is_said_how_to_make_one(app: TestApp) {
    let app = start_admin(&app).await;
    let page = AdminSession::sign_in(&app)
        .await
        .page("/active-services")
        .await;
    assert!(page.contains("No service lives."), "{page}");
    let line = between(&page, "<pre>curl -X POST ", " -d");
    assert_eq!(line, app.url("/genesys/1/service/store"));
    let made = app.client.post(line).form_body("language=french");
    TestResponse::send(made).await.service_id();
    let page = AdminSession::sign_in(&app)
        .await
        .page("/active-services")
        .await;
    assert!(!page.contains("No service lives."), "{page}");
}

async fn all_that_live_are_listed_by_their_ends_a_page_at_a_time(app: TestApp) {
    let app = start_admin(&app).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let ttl = format!("_ttl={}", 1_000 * (n + 1));
        expected.push(id_of(
            &create_service_with(&app, "store", &ttl).await.service_id(),
        ));
    }
    let desk = AdminSession::sign_in(&app).await;
    let page = desk.page("/active-services").await;
    assert!(page.contains("7 services live."), "{page}");
    assert_eq!(listed_ids(&page), expected);
    assert_eq!(next_page(&page), None);
    let (mut found, mut path) = (Vec::new(), "/active-services?limit=3".to_owned());
    loop {
        let page = desk.page(&path).await;
        assert_eq!(page.contains("First page"), !found.is_empty());
        found.extend(listed_ids(&page));
        let Some(next) = next_page(&page) else { break };
        path = next;
    }
    assert_eq!(found, expected);
    for wrong in ["after=x", "limit=0", "limit=201"] {
        let answer = desk.get(&format!("/active-services?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(page_html(&answer).contains("role=\"alert\""), "{wrong}");
    }
}

async fn one_is_found_by_its_id_and_told_with_all_that_it_holds(app: TestApp) {
    let app = start_admin(&app).await;
    let body =
        Multipart::new()
            .text("language", "french")
            .file("map", "map.png", "image/png", b"bytes");
    let create = app.post("/genesys/1/service/request-interaction");
    let create = create.header("gms_user", "jane").multipart_body(body);
    let service = TestResponse::send(create).await.service_id();
    let desk = AdminSession::sign_in(&app).await;
    let typed = format!("/active-services?id=+{}+", id_of(&service));
    let found = desk.get(&typed).await;
    assert_eq!(redirect_target(&found), service_page(&service));
    let page = desk.page(&service_page(&service)).await;
    for told in [
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
        assert!(page.contains(told), "no {told} in {page}");
    }
    let live = &get_json(&app, &format!("live/{}", id_of(&service))).await;
    for time in [
        &live["created"],
        &live["end"],
        &live["bookings"][0]["until"],
    ] {
        let time = time.as_str().unwrap();
        let exact = format!("<time datetime=\"{time}\" title=\"{time}\">");
        assert!(page.contains(&exact), "no {exact} in {page}");
    }
}

async fn those_are_found_whose_ids_begin_as_the_log_has_them(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service(&app, "store").await.service_id();
    let id = id_of(&service);
    let desk = AdminSession::sign_in(&app).await;
    let hint = &id[..8];
    for typed in [
        hint,
        &format!("{hint}..."),
        &hint.to_uppercase(),
        &id.to_uppercase(),
    ] {
        let found = desk.get(&format!("/active-services?id={typed}")).await;
        assert_eq!(redirect_target(&found), service_page(&service), "{typed}");
    }
    // To clients case counts.
    let other = app.get(&format!("/genesys/1/service/{}", id.to_uppercase()));
    if id.chars().any(|c| c.is_ascii_lowercase()) {
        TestResponse::send(other)
            .await
            .error_message("ServiceNotFound", 404);
    }
    // Of seventeen two begin with the same digit.
    let mut ids = vec![id];
    for _ in 0..16 {
        ids.push(id_of(&create_service(&app, "store").await.service_id()));
    }
    let first = |digit: char| ids.iter().filter(move |id| id.starts_with(digit)).cloned();
    let digit = "0123456789abcdef"
        .chars()
        .find(|digit| first(*digit).count() > 1);
    let digit = digit.unwrap();
    let page = desk.page(&format!("/active-services?id={digit}")).await;
    let found: BTreeSet<_> = listed_ids(&page).into_iter().collect();
    assert_eq!(found, first(digit).collect());
    assert_eq!(desk.get("/active-services?id=zz").await.status, 404);
}

async fn many_names_are_told_a_page_at_a_time(app: TestApp) {
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
    let desk = AdminSession::sign_in(&app).await;
    let mut path = format!("{}?limit=10", service_page(&service));
    let mut pages = Vec::new();
    loop {
        let page = desk.page(&path).await;
        assert!(page.contains("26 names, 1 with a binary."), "{page}");
        let here = all_between(&page, "<th scope=\"row\"><bdi class=\"value\">", "</bdi>");
        pages.push(here.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let Some(next) = next_page(&page) else { break };
        path = next;
    }
    let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [10, 10, 6]);
    assert_eq!(pages.concat(), Vec::from_iter(expected));
}

async fn a_name_that_browsers_take_for_a_step_in_a_path_is_read_too(app: TestApp) {
    let app = start_admin(&app).await;
    let body = Multipart::new()
        .file("..", "f", "image/png", b"two dots")
        .text(".", &"one dot".repeat(1_000));
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = TestResponse::send(create).await.service_id();
    let desk = AdminSession::sign_in(&app).await;
    let page = desk.page(&service_page(&service)).await;
    for (kind, expected) in [("values", "one dot"), ("binaries", "two dots")] {
        let begin = format!(
            "href=\"/genesys/1/admin/ui{}/{kind}/",
            service_page(&service)
        );
        let rest = between(&page, &begin, "\"");
        let answer = desk
            .get(&format!("{}/{kind}/{rest}", service_page(&service)))
            .await;
        assert_eq!(answer.status, 200, "{rest}");
        assert!(answer.text().starts_with(expected), "{rest}");
    }
}

async fn what_it_holds_is_kept_as_a_file_and_shown_nowhere(app: TestApp) {
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
    let desk = AdminSession::sign_in(&app).await;
    let page = desk.page(&service_page(&service)).await;
    let link = |what: &str| {
        let begin = format!(
            "href=\"/genesys/1/admin/ui{}/{what}/",
            service_page(&service)
        );
        let rest = between(&page, &begin, "\"").to_owned();
        format!("{}/{what}/{rest}", service_page(&service))
    };
    let safe = |answer: &TestResponse, name: &str| {
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let disposition = answer.header("content-disposition");
        assert_eq!(disposition, format!("attachment; filename*=UTF-8''{name}"));
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
    };
    let binary = desk.get(&link("binaries")).await;
    assert_eq!(binary.status, 200);
    assert!(binary.body == content);
    assert_eq!(binary.header("content-type"), "application/octet-stream");
    let policy = binary.header("content-security-policy");
    assert!(policy.starts_with("sandbox;"), "{policy}");
    safe(&binary, "evil%20%C3%A9.html");
    let part = desk.request(reqwest::Method::GET, &link("binaries"));
    let part = TestResponse::send(part.header("range", "bytes=1-6")).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "script"));
    assert_eq!(part.header("content-type"), "application/octet-stream");
    let value = desk.get(&link("values")).await;
    assert_eq!(value.status, 200);
    assert!(value.body == long.as_bytes());
    assert_eq!(value.header("content-type"), "text/plain;charset=utf-8");
    safe(&value, "t%2Fx%252Fy.html.txt");
    // What is none of them is a page that says so.
    for path in ["values/none", "binaries/none", "values/", "binaries/"] {
        let answer = desk
            .get(&format!("{}/{path}", service_page(&service)))
            .await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let wrong = link("values").replace("/values/", "/binaries/");
    assert!(page_html(&desk.get(&wrong).await).contains("role=\"alert\""));
}

async fn a_service_that_is_not_there_is_a_page_that_says_so(app: TestApp) {
    let app = start_admin(&app).await;
    let desk = AdminSession::sign_in(&app).await;
    let gone = create_service(&app, "store").await.service_id();
    let path = service_page(&gone);
    let token = desk.page(&path).await;
    let token = between(&token, "name=\"form_token\" value=\"", "\"");
    TestResponse::send(app.delete(&gone)).await.assert_ok();
    let extend = [("act", "extend"), ("ttl", "60"), ("form_token", token)];
    let delete = [("act", "delete"), ("form_token", token)];
    for answer in [
        desk.get(&path).await,
        desk.get("/active-services/nobody").await,
        desk.get("/active-services?id=nobody").await,
        desk.submit_fields(&path, &extend).await,
        desk.submit_fields(&path, &delete).await,
    ] {
        assert_eq!(answer.status, 404);
        let page = page_html(&answer);
        assert!(page.contains("No service lives by the id"), "{page}");
        assert!(
            page.contains("href=\"/genesys/1/admin/ui/active-services\">Back"),
            "{page}"
        );
    }
    assert!(audit_actions(&app).await.is_empty());
}
