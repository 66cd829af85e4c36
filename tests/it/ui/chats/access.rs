//! Roles: agents have access to *Chats* only; the API for agents in the console.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{CHATS, start_with_agents, start_with_users};
use crate::{
    api::{
        admin::fixture::start_admin,
        chat::agents::fixture::{ANN, BOB, rows, start_chat},
    },
    support::{
        Bodies, Multipart, TestApp, TestResponse, encode, event_stream::EventStream,
        on_every_kind_of_store,
    },
    ui::{
        fixture::{AdminSession, HOME, all_between, between, redirect_target},
        methods::all_pages,
    },
};

on_every_kind_of_store!(
    an_agent_has_access_to_chats_only,
    an_agent_answers_a_chat_with_the_session,
    an_administrator_acts_as_an_agent,
    changes_need_the_form_token_of_the_session,
    requests_of_other_sites_are_rejected,
    an_agent_downloads_files_of_chats_only,
    a_session_ends_with_the_password_of_the_agent,
    a_stream_ends_with_its_session,
    wrong_passwords_of_agents_are_limited,
);

/// The form token of a session.
async fn form_token(session: &AdminSession<'_>) -> String {
    let page = session.page(CHATS).await;
    between(&page, "data-token=\"", "\"").to_owned()
}

/// A request to the API for agents in the console.
fn api(session: &AdminSession<'_>, method: Method, path: &str, token: &str) -> RequestBuilder {
    let request = session.request(method, &format!("/agent/{path}"));
    request.header("x-form-token", token)
}

async fn an_agent_has_access_to_chats_only(app: TestApp) {
    let app = start_with_agents(&app).await;
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    let page = session.page(CHATS).await;
    let menu = between(&page, "<nav", "</nav>");
    let links = all_between(menu, "href=\"", "\"");
    assert_eq!(links, [format!("{HOME}{CHATS}")]);
    assert!(page.contains("Signed in as <strong><bdi>ann</bdi>"));
    let mut rejected = all_pages(&app).await;
    rejected.retain(|page| page != CHATS);
    rejected.extend(["/catalog/export", "/overview/events", "/nothing"].map(str::to_owned));
    for page in &rejected {
        let response = session.get(page).await;
        assert_eq!(response.status, 403, "{page}");
        let text = response.text();
        assert!(text.contains("this page is for administrators"), "{page}");
        assert!(text.contains(&format!("href=\"{HOME}{CHATS}\">Back to Chats")));
        assert!(!text.contains("Audit log"), "{page}: {text}");
    }
    let token = form_token(&session).await;
    for form in ["/services/store/delete", "/groups/DNIS/release", "/catalog"] {
        let response = session.submit_fields(form, &[("form_token", &token)]).await;
        assert_eq!(response.status, 403, "{form}");
    }
    for path in ["services", "active-services", "audit-log"] {
        let request = app.get(&format!("/genesys/1/admin/{path}"));
        let request = request.basic_auth(ANN.0, Some(ANN.1));
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, 401, "{path}");
    }
    let sign_out = session
        .submit_fields("/sign-out", &[("form_token", &token)])
        .await;
    assert_eq!(redirect_target(&sign_out), "/sign-in");
    assert_eq!(session.get(CHATS).await.status, 303);
}

async fn an_agent_answers_a_chat_with_the_session(app: TestApp) {
    let app = start_with_agents(&app).await;
    let id = start_chat(&app, "userDisplayName=Carl&order=4711").await;
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    let token = form_token(&session).await;
    let waiting = session.get("/agent/chats?state=waiting").await.json();
    assert_eq!(waiting["chats"][0]["id"], id.as_str());
    let detail = session.get(&format!("/agent/chats/{id}")).await.json();
    assert_eq!(detail["userData"]["order"], "4711");
    for (request, form) in [
        ("join", "exclusive=true&nickname=Ann"),
        ("typing", "typing=true"),
        ("send", "message=Hello"),
        ("leave", ""),
        ("end", ""),
    ] {
        let request = api(
            &session,
            Method::POST,
            &format!("chats/{id}/{request}"),
            &token,
        );
        let response = TestResponse::send(request.form_body(form)).await;
        assert_eq!(response.status, 200, "{form}: {}", response.text());
    }
    let available = api(&session, Method::PUT, "availability", &token);
    let available = TestResponse::send(available.form_body("available=true")).await;
    assert_eq!(
        available.json(),
        json!({"available": true, "definitions": []})
    );
    let request = session.request(Method::GET, &format!("/agent/chats/{id}/events"));
    let events = EventStream::open(request).await.next_named("").await.data;
    let expected = [
        "Joined Carl",
        "Joined Ann",
        "TypingStarted Ann",
        "Ann: Hello",
        "Left Ann",
    ];
    assert_eq!(rows(&events), expected);
    let admin = AdminSession::sign_in(&app).await;
    let log = admin.page("/audit-log").await;
    for action in ["join", "leave", "end"] {
        assert!(log.contains(&format!("<td>{action}</td>")), "{log}");
    }
}

/// No agents are configured.
async fn an_administrator_acts_as_an_agent(app: TestApp) {
    let app = start_admin(&app).await;
    let id = start_chat(&app, "").await;
    let session = AdminSession::sign_in(&app).await;
    let token = form_token(&session).await;
    let mut events = EventStream::open(session.request(Method::GET, "/agent/events")).await;
    let chats = events.next_named("chats").await;
    assert_eq!(chats.data["chats"][0]["id"], id.as_str());
    let join = api(&session, Method::POST, &format!("chats/{id}/join"), &token);
    let joined = TestResponse::send(join.form_body("")).await.json();
    assert_eq!(joined["members"][0]["agent"], "admin");
    let active = events.next_named("chat.active").await;
    assert_eq!(active.data["agents"], json!(["admin"]));
    // The API for programs stays disabled.
    let programs = app.get("/genesys/1/agent/chats");
    let programs = TestResponse::send(programs.basic_auth("admin", Some("x"))).await;
    assert_eq!(programs.status, 404);
}

/// Method and path of every route of the API for agents in the console.
fn api_routes(id: &str) -> Vec<(Method, String)> {
    let reads = ["chats", "events", &format!("chats/{id}")].map(str::to_owned);
    let mut routes: Vec<_> = reads.map(|path| (Method::GET, path)).to_vec();
    routes.push((Method::GET, format!("chats/{id}/events")));
    routes.push((Method::PUT, "availability".to_owned()));
    for request in ["join", "send", "typing", "leave", "end"] {
        routes.push((Method::POST, format!("chats/{id}/{request}")));
    }
    routes
}

async fn changes_need_the_form_token_of_the_session(app: TestApp) {
    let app = start_with_agents(&app).await;
    let id = start_chat(&app, "").await;
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    let other = AdminSession::sign_in_as(&app, BOB.0, BOB.1).await;
    let tokens = ["", "x", &form_token(&other).await].map(str::to_owned);
    for (method, path) in api_routes(&id) {
        let page = format!("/agent/{path}");
        let anonymous = session.unauthenticated_request(method.clone(), &page);
        let response = TestResponse::send(anonymous).await;
        response.error_message("Forbidden", 403);
        for token in &tokens {
            let request = api(&session, method.clone(), &path, token).send();
            let expected = if method == Method::GET { 200 } else { 403 };
            let status = request.await.unwrap().status();
            assert_eq!(status, expected, "{method} {path} {token}");
        }
    }
    let chat = session.get(&format!("/agent/chats/{id}")).await.json();
    assert_eq!(chat["transcriptPosition"], 1, "nothing was changed");
}

async fn requests_of_other_sites_are_rejected(app: TestApp) {
    let app = start_with_agents(&app).await;
    let id = start_chat(&app, "").await;
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    let token = form_token(&session).await;
    for (method, path) in api_routes(&id) {
        let request = api(&session, method.clone(), &path, &token);
        let request = request.header("origin", "https://elsewhere.test");
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, 403, "{method} {path}");
    }
}

async fn an_agent_downloads_files_of_chats_only(app: TestApp) {
    let app = start_with_agents(&app).await;
    let file = || Multipart::new().file("map", "map.html", "text/html", b"<script>ran=1</script>");
    let id = start_chat(&app, "").await;
    let upload = app.post(&format!("/genesys/1/service/{id}/storage"));
    assert_eq!(
        TestResponse::send(upload.multipart_body(file()))
            .await
            .status,
        200
    );
    let other = app.post("/genesys/1/service/store");
    let other = TestResponse::send(other.multipart_body(file())).await;
    let other = other.json()["_id"].as_str().unwrap().to_owned();
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    let detail = session.get(&format!("/agent/chats/{id}")).await.json();
    assert_eq!(detail["files"][0]["name"], "map");
    let download = session.get(&format!("/agent/chats/{id}/files/map")).await;
    assert_eq!(
        (download.status.as_u16(), download.body.as_slice()),
        (200, &b"<script>ran=1</script>"[..])
    );
    assert_eq!(download.header("content-type"), "application/octet-stream");
    let missing = session
        .get(&format!("/agent/chats/{other}/files/map"))
        .await;
    assert_eq!(missing.status, 404);
    let anonymous = format!("/agent/chats/{id}/files/map");
    let anonymous = session.unauthenticated_request(Method::GET, &anonymous);
    assert_eq!(TestResponse::send(anonymous).await.status, 403);
}

async fn a_session_ends_with_the_password_of_the_agent(app: TestApp) {
    // The memory store has no second replica.
    if app.redis.is_none() {
        return;
    }
    let app = start_with_agents(&app).await;
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    assert_eq!(session.get(CHATS).await.status, 200);
    let changed = start_with_users(&app, &app.prefix, &[(ANN.0, "another"), BOB]).await;
    let cookie = session.request(Method::GET, CHATS).build().unwrap();
    let cookie = cookie.headers()["cookie"].to_str().unwrap().to_owned();
    let request = changed.get(&format!("{HOME}/agent/chats"));
    let response = TestResponse::send(request.header("cookie", cookie)).await;
    response.error_message("Forbidden", 403);
    // It has ended on all replicas.
    assert_eq!(session.get(CHATS).await.status, 303);
}

async fn a_stream_ends_with_its_session(app: TestApp) {
    let app = start_with_agents(&app).await;
    let session = AdminSession::sign_in_as(&app, ANN.0, ANN.1).await;
    let token = form_token(&session).await;
    let mut events = EventStream::open(session.request(Method::GET, "/agent/events")).await;
    assert_eq!(events.next().await.unwrap().name, "chats");
    session
        .submit_fields("/sign-out", &[("form_token", &token)])
        .await;
    assert!(events.next().await.is_none());
}

async fn wrong_passwords_of_agents_are_limited(app: TestApp) {
    let app = start_with_agents(&app).await;
    let sign_in = async |password: &str| {
        let form = format!("name={}&password={}", ANN.0, encode(password));
        let request = app.post(&format!("{HOME}/sign-in")).form_body(&form);
        TestResponse::send(request).await.status.as_u16()
    };
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 100 {
        statuses.push(sign_in("wrong").await);
    }
    assert_eq!(statuses.pop(), Some(429));
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    assert_eq!(sign_in(ANN.1).await, 429, "no guess is revealed");
}
