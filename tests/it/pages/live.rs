//! *Services*: living services are looked at and looked after by hand.

use std::collections::BTreeSet;

use super::desk::{Desk, all_between, between, escaped, html, leads_to};
use crate::{
    admin::desk::{administered, caller_of, create, create_with, deeds, exclusive, make, told},
    support::{
        Answer, Bodies, Multipart, TestApp, bookings::Booked, disposition, encode,
        on_every_kind_of_store,
    },
};

on_every_kind_of_store!(
    where_none_lives_it_is_said_how_to_make_one,
    all_that_live_are_listed_by_their_ends_a_page_at_a_time,
    one_is_found_by_its_id_and_told_with_all_that_it_holds,
    its_end_is_moved,
    an_end_that_is_not_allowed_is_refused_with_what_is,
    it_is_deleted_by_hand,
    a_number_of_it_is_given_back_by_hand,
    many_names_are_told_a_page_at_a_time,
    a_name_that_browsers_take_for_a_step_in_a_path_is_read_too,
    what_it_holds_is_kept_as_a_file_and_shown_nowhere,
    hostile_names_and_values_are_text_on_every_page,
    a_form_that_does_not_show_the_token_of_the_visit_changes_nothing,
    a_service_that_is_not_there_is_a_page_that_says_so,
);

/// The id in a path of the API.
fn id_of(service: &str) -> String {
    service.rsplit('/').next().unwrap().to_owned()
}

/// The page of a service, below the pages.
fn page_of(service: &str) -> String {
    format!("/live/{}", id_of(service))
}

/// Ids in a list, in their order.
fn listed(page: &str) -> Vec<String> {
    let links = all_between(
        page,
        "class=\"mono\" href=\"/genesys/1/admin/ui/live/",
        "\"",
    );
    links.into_iter().map(str::to_owned).collect()
}

/// Where the next page is.
fn next(page: &str) -> Option<String> {
    let link = page.split_once("rel=\"next\" href=\"/genesys/1/admin/ui")?;
    let path = link.1.split_once('"')?.0;
    Some(path.replace("&amp;", "&"))
}

async fn where_none_lives_it_is_said_how_to_make_one(app: TestApp) {
    let app = administered(&app).await;
    let page = Desk::at(&app).await.page("/live").await;
    assert!(page.contains("No service lives."), "{page}");
    let line = between(&page, "<pre>curl -X POST ", " -d");
    assert_eq!(line, app.url("/genesys/1/service/store"));
    let made = app.client.post(line).form_body("language=french");
    Answer::of(made).await.service();
    let page = Desk::at(&app).await.page("/live").await;
    assert!(!page.contains("No service lives."), "{page}");
}

async fn all_that_live_are_listed_by_their_ends_a_page_at_a_time(app: TestApp) {
    let app = administered(&app).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let ttl = format!("_ttl={}", 1_000 * (n + 1));
        expected.push(id_of(&create_with(&app, "store", &ttl).await.service()));
    }
    let desk = Desk::at(&app).await;
    let page = desk.page("/live").await;
    assert!(page.contains("7 services live."), "{page}");
    assert_eq!(listed(&page), expected);
    assert_eq!(next(&page), None);
    let (mut found, mut path) = (Vec::new(), "/live?limit=3".to_owned());
    loop {
        let page = desk.page(&path).await;
        assert_eq!(page.contains("First page"), !found.is_empty());
        found.extend(listed(&page));
        let Some(next) = next(&page) else { break };
        path = next;
    }
    assert_eq!(found, expected);
    for wrong in ["after=x", "limit=0", "limit=201"] {
        let answer = desk.get(&format!("/live?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(html(&answer).contains("role=\"alert\""), "{wrong}");
    }
}

async fn one_is_found_by_its_id_and_told_with_all_that_it_holds(app: TestApp) {
    let app = administered(&app).await;
    let body =
        Multipart::new()
            .text("language", "french")
            .file("map", "map.png", "image/png", b"bytes");
    let create = app.post("/genesys/1/service/request-interaction");
    let create = create.header("gms_user", "jane").multipart_body(body);
    let service = Answer::of(create).await.service();
    let desk = Desk::at(&app).await;
    let typed = format!("/live?id=+{}+", id_of(&service));
    let found = desk.get(&typed).await;
    assert_eq!(leads_to(&found), page_of(&service));
    let page = desk.page(&page_of(&service)).await;
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
    let live = &told(&app, &format!("live/{}", id_of(&service))).await;
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

async fn its_end_is_moved(app: TestApp) {
    let app = administered(&app).await;
    let service = create_with(&app, "store", "_ttl=60").await.service();
    let (desk, path) = (Desk::at(&app).await, page_of(&service));
    let sent = desk.send(&path, &[("act", "extend"), ("ttl", " 7200 ")]);
    let led = leads_to(&sent.await).to_owned();
    assert_eq!(led, format!("{path}?done=extended"));
    assert!(app.told(&service).await["_ttl"].as_u64().unwrap() > 7_000);
    let page = desk.page(&led).await;
    assert!(page.contains("The end is moved"), "{page}");
    assert!(page.contains("1 h 59 min"), "{page}");
    // An address says nothing in its own words.
    let page = desk.page(&format!("{path}?done=Call+me+at+800")).await;
    assert!(!page.contains("Call me"), "{page}");
    assert!(!page.contains("class=\"done\""), "{page}");
    let expected = format!("extend live service {}", id_of(&service));
    assert_eq!(deeds(&app).await, [expected]);
}

async fn an_end_that_is_not_allowed_is_refused_with_what_is(app: TestApp) {
    let app = administered(&app).await;
    let service = create_with(&app, "store", "_ttl=60").await.service();
    let (desk, path) = (Desk::at(&app).await, page_of(&service));
    for ttl in ["0", "-5", "2592001", "soon", "", "\"><b>"] {
        let answer = desk.send(&path, &[("act", "extend"), ("ttl", ttl)]).await;
        assert_eq!(answer.status, 400, "{ttl}");
        let page = html(&answer);
        let problem = between(page, "role=\"alert\">", "</p>");
        assert!(problem.contains("from 1 to 2592000"), "{problem}");
        // What was typed can be put right.
        let typed = format!("value=\"{}\"></div>", escaped(ttl));
        assert!(page.contains(&typed), "{page}");
    }
    let answer = desk.send(&path, &[("act", "sing")]).await;
    assert_eq!(answer.status, 400);
    assert!(app.told(&service).await["_ttl"].as_u64().unwrap() <= 60);
    assert!(deeds(&app).await.is_empty());
}

async fn it_is_deleted_by_hand(app: TestApp) {
    let app = administered(&app).await;
    let (service, other) = (
        create(&app, "store").await.service(),
        create(&app, "store").await.service(),
    );
    let (desk, path) = (Desk::at(&app).await, page_of(&service));
    // It is asked once, and said what will happen.
    let page = desk.page(&path).await;
    let asked = between(&page, "<summary>Delete…</summary>", "</details>");
    assert!(asked.contains("cannot be undone"), "{asked}");
    assert!(asked.contains("method=\"post\""), "{asked}");
    let led = leads_to(&desk.send(&path, &[("act", "delete")]).await).to_owned();
    assert_eq!(led, "/live?done=deleted");
    Answer::of(app.get(&service))
        .await
        .message_of("ServiceNotFound", 404);
    let page = desk.page(&led).await;
    assert!(page.contains("The service is deleted."), "{page}");
    assert_eq!(listed(&page), [id_of(&other)]);
    assert_eq!(desk.get(&path).await.status, 404);
    let expected = format!("end live service {}", id_of(&service));
    assert_eq!(deeds(&app).await, [expected]);
}

async fn a_number_of_it_is_given_back_by_hand(app: TestApp) {
    let app = administered(&app).await;
    make(&app, "groups/a%2Fb", &exclusive(&["8005550001"])).await;
    make(&app, "services/call", &caller_of("a/b")).await;
    let held = Booked::of(&create(&app, "call").await);
    create(&app, "call").await.message_of("NoAccessNumber", 503);
    let (desk, path) = (Desk::at(&app).await, page_of(&held.service()));
    let page = desk.page(&path).await;
    let asked = between(&page, "<summary>Give back…</summary>", "</details>");
    assert!(asked.contains("free for another service"), "{asked}");
    let group = between(asked, "name=\"group\" value=\"", "\"").to_owned();
    let booking = between(asked, "name=\"booking\" value=\"", "\"").to_owned();
    assert_eq!(group, "a/b");
    let form = [("act", "release"), ("group", &group), ("booking", &booking)];
    let led = leads_to(&desk.send(&path, &form).await).to_owned();
    assert_eq!(led, format!("{path}?done=released"));
    let page = desk.page(&led).await;
    assert!(page.contains("The number is given back."), "{page}");
    assert!(page.contains("It holds no number."), "{page}");
    // It is free again, and the service lives on.
    let next = Booked::of(&create(&app, "call").await);
    assert_eq!(next.number, held.number);
    app.told(&held.service()).await;
    // Whoever sends it once more is told so.
    let again = desk.send(&path, &form).await;
    assert_eq!(again.status, 404);
    let problem = between(html(&again), "role=\"alert\">", "</p>");
    assert!(problem.contains("there is no booking"), "{problem}");
    create(&app, "call").await.message_of("NoAccessNumber", 503);
}

async fn many_names_are_told_a_page_at_a_time(app: TestApp) {
    let app = administered(&app).await;
    let names: Vec<String> = (0..25).map(|n| format!("a/{n:02} é&")).collect();
    let mut body = Multipart::new().file("a/07+", "f", "image/png", b"x");
    for name in &names {
        body = body.text(name, "v");
    }
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = Answer::of(create).await.service();
    let mut expected: BTreeSet<String> = names.iter().map(|name| escaped(name)).collect();
    expected.insert("a/07+".to_owned());
    let desk = Desk::at(&app).await;
    let mut path = format!("{}?limit=10", page_of(&service));
    let mut pages = Vec::new();
    loop {
        let page = desk.page(&path).await;
        assert!(page.contains("26 names, 1 with a binary."), "{page}");
        let here = all_between(&page, "<th scope=\"row\"><bdi class=\"value\">", "</bdi>");
        pages.push(here.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let Some(next) = next(&page) else { break };
        path = next;
    }
    let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [10, 10, 6]);
    assert_eq!(pages.concat(), Vec::from_iter(expected));
}

async fn a_name_that_browsers_take_for_a_step_in_a_path_is_read_too(app: TestApp) {
    let app = administered(&app).await;
    let body = Multipart::new()
        .file("..", "f", "image/png", b"two dots")
        .text(".", &"one dot".repeat(1_000));
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = Answer::of(create).await.service();
    let desk = Desk::at(&app).await;
    let page = desk.page(&page_of(&service)).await;
    for (kind, expected) in [("values", "one dot"), ("binaries", "two dots")] {
        let begin = format!("href=\"/genesys/1/admin/ui{}/{kind}/", page_of(&service));
        let rest = between(&page, &begin, "\"");
        let answer = desk
            .get(&format!("{}/{kind}/{rest}", page_of(&service)))
            .await;
        assert_eq!(answer.status, 200, "{rest}");
        assert!(answer.text().starts_with(expected), "{rest}");
    }
}

async fn what_it_holds_is_kept_as_a_file_and_shown_nowhere(app: TestApp) {
    let app = administered(&app).await;
    let content = b"<script>alert(1)</script>".repeat(30_000);
    let long = "<script>alert(1)</script>é".repeat(38_000);
    let (key, text) = ("a/b%2Fc \u{202e}é.html", "t/x%2Fy.html");
    let body =
        Multipart::new()
            .text(text, &long)
            .file(key, "evil \u{e9}.html", "text/html", &content);
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    let service = Answer::of(create).await.service();
    let desk = Desk::at(&app).await;
    let page = desk.page(&page_of(&service)).await;
    let link = |what: &str| {
        let begin = format!("href=\"/genesys/1/admin/ui{}/{what}/", page_of(&service));
        let rest = between(&page, &begin, "\"").to_owned();
        format!("{}/{what}/{rest}", page_of(&service))
    };
    let safe = |answer: &Answer, name: &str| {
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
    let part = Answer::of(part.header("range", "bytes=1-6")).await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "script"));
    assert_eq!(part.header("content-type"), "application/octet-stream");
    let value = desk.get(&link("values")).await;
    assert_eq!(value.status, 200);
    assert!(value.body == long.as_bytes());
    assert_eq!(value.header("content-type"), "text/plain;charset=utf-8");
    safe(&value, "t%2Fx%252Fy.html.txt");
    // What is none of them is a page that says so.
    for path in ["values/none", "binaries/none", "values/", "binaries/"] {
        let answer = desk.get(&format!("{}/{path}", page_of(&service))).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let wrong = link("values").replace("/values/", "/binaries/");
    assert!(html(&desk.get(&wrong).await).contains("role=\"alert\""));
}

const HOSTILE: [&str; 7] = [
    "<img src=x onerror=alert(1)>",
    "\"'><img src=x onerror=alert(1)>",
    "</pre></bdi></title><img src=x>",
    "\u{202e}gnp.exe",
    "{{ frame.form_token }} {% raw %} %3Cimg%3E",
    "javascript:alert(1)",
    "-->]]><img src=x>&lt;img",
];

async fn hostile_names_and_values_are_text_on_every_page(app: TestApp) {
    let app = administered(&app).await;
    let desk = Desk::at(&app).await;
    for (n, hostile) in HOSTILE.iter().enumerate() {
        let numbers = format!("800555000{n}");
        // What is made from it has a name that may stand in a path.
        let name = hostile.replace('/', "\\");
        let pool = hostile.replace(['{', '}'], "|");
        let group = format!("groups/{}", encode(&pool));
        make(&app, &group, &exclusive(&[&numbers])).await;
        let service = format!("services/{}", encode(&name));
        make(&app, &service, &caller_of(&pool)).await;
        let long = hostile.repeat(1024 * 1024 / hostile.len());
        let quoted = encode(hostile);
        let file = format!(
            "{}; filename=\"{quoted}\"; filename*=UTF-8''{quoted}\r\nContent-Type: text/html",
            disposition(&format!("f{}", hostile.replace('"', "%22")))
        );
        let body = Multipart::new()
            .text(&hostile.replace('"', "%22"), hostile)
            .text("long", &long)
            .part(&file, b"x");
        let create = app.post(&format!("/genesys/1/service/{}", encode(&name)));
        let create = create
            .header("gms_user", hostile.as_bytes())
            .multipart_body(body);
        let service = Answer::of(create).await.service();
        let path = page_of(&service);
        for page in ["/live", &path, "/history"] {
            let page = desk.page(page).await;
            assert_harmless(&page);
            let shown = format!("<bdi>{}</bdi>", escaped(&name));
            assert!(page.contains(&shown), "no {shown}");
        }
        let page = desk.page(&path).await;
        let in_group = format!("<bdi>{}</bdi></a></td>", escaped(&pool));
        assert!(page.contains(&in_group), "no {in_group} in {page}");
        assert!(page.len() < 30_000, "{} bytes", page.len());
        assert!(page.contains("1.0 MiB"), "a long value is cut");
        let value = format!("<bdi class=\"value\">{}</bdi>", escaped(hostile));
        assert!(page.contains(&value), "no {value} in {page}");
        let whole = desk.get(&format!("{path}/values/long")).await;
        assert!(whole.text() == long);
        let released = [("act", "release"), ("group", hostile), ("booking", hostile)];
        let refused = desk.send(&path, &released).await;
        assert_eq!(refused.status, 404);
        assert_harmless(html(&refused));
        for lost in [
            format!("/live/{quoted}"),
            format!("/live?id={quoted}"),
            format!("{path}/values/{quoted}none"),
            format!("{path}/binaries/{quoted}"),
        ] {
            let answer = desk.get(&lost).await;
            assert_eq!(answer.status, 404, "{lost}");
            assert_harmless(html(&answer));
        }
        for wrong in ["/live?after=", "/live?limit=", "/history?after="] {
            let answer = desk.get(&format!("{wrong}{quoted}")).await;
            assert_eq!(answer.status, 400, "{wrong}");
            assert_harmless(html(&answer));
        }
        let said = desk.page(&format!("{path}?done={quoted}&after=%00")).await;
        assert_harmless(&said);
        Answer::of(app.delete(&service)).await.assert_ok();
    }
}

/// Nothing of what was sent is markup, and no address is one that runs.
fn assert_harmless(page: &str) {
    let head = page.matches("<img ").count();
    assert_eq!(head, 1, "the sign of the pages is their only picture");
    assert!(!page.contains("<img src=x"), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    for address in ["href=\"", "action=\""] {
        let mut all = all_between(page, address, "\"").into_iter();
        assert!(all.all(|one| one.starts_with(['/', '#'])), "{page}");
    }
    assert_eq!(page.matches("</title>").count(), 1, "{page}");
}

async fn a_form_that_does_not_show_the_token_of_the_visit_changes_nothing(app: TestApp) {
    let app = administered(&app).await;
    let service = create_with(
        &app,
        "request-interaction",
        "_ttl=60&_booking_expiration_timeout=60",
    )
    .await
    .service();
    let (desk, path) = (Desk::at(&app).await, page_of(&service));
    let page = desk.page(&path).await;
    let booking = between(&page, "name=\"booking\" value=\"", "\"");
    let other = Desk::at(&app).await.page(&path).await;
    let of_another_visit = between(&other, "name=\"form_token\" value=\"", "\"");
    for token in ["", "x", of_another_visit] {
        for form in [
            &[("act", "delete")][..],
            &[("act", "extend"), ("ttl", "7200")],
            &[("act", "release"), ("group", "DNIS"), ("booking", booking)],
        ] {
            let bare = desk.send_bare(&path, form).await;
            let with_token = [form, &[("form_token", token)]].concat();
            let shown = desk.send_bare(&path, &with_token).await;
            for answer in [bare, shown] {
                assert_eq!(answer.status, 403, "{form:?}");
                assert!(html(&answer).contains("nothing was changed"));
            }
        }
    }
    let live = told(&app, &format!("live/{}", id_of(&service))).await;
    assert!(live["ttl"].as_u64().unwrap() <= 60);
    assert_eq!(live["bookings"].as_array().unwrap().len(), 1);
    assert!(deeds(&app).await.is_empty());
}

async fn a_service_that_is_not_there_is_a_page_that_says_so(app: TestApp) {
    let app = administered(&app).await;
    let desk = Desk::at(&app).await;
    let gone = create(&app, "store").await.service();
    let path = page_of(&gone);
    let token = desk.page(&path).await;
    let token = between(&token, "name=\"form_token\" value=\"", "\"");
    Answer::of(app.delete(&gone)).await.assert_ok();
    let extend = [("act", "extend"), ("ttl", "60"), ("form_token", token)];
    let delete = [("act", "delete"), ("form_token", token)];
    for answer in [
        desk.get(&path).await,
        desk.get("/live/nobody").await,
        desk.get("/live?id=nobody").await,
        desk.send_bare(&path, &extend).await,
        desk.send_bare(&path, &delete).await,
    ] {
        assert_eq!(answer.status, 404);
        let page = html(&answer);
        assert!(page.contains("No service lives by the id"), "{page}");
        assert!(
            page.contains("href=\"/genesys/1/admin/ui/live\">Back"),
            "{page}"
        );
    }
    assert!(deeds(&app).await.is_empty());
}
