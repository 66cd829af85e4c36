//! Roles of operators in the console: pages, forms and sessions.

use reqwest::Method;

use super::{
    fixture::{AdminSession, HOME, all_between, between, service_page},
    methods::all_pages,
};
use crate::{
    api::{
        admin::{
            fixture::create_service,
            operators_fixture::{ADA, OLGA, VERA, start_replica_with, start_with_operators, users},
        },
        chat::agents::fixture::start_chat,
    },
    support::{Bodies, TestApp, TestResponse, browser::Browser, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_viewer_reads_all_pages_without_actions,
    an_operator_acts_but_does_not_change_the_catalog,
    forms_require_their_role,
    a_viewer_reads_chats_but_does_not_answer,
    a_session_is_valid_on_every_replica_and_ends_with_the_role,
);

/// Pages that show actions only.
const ACTION_PAGES: [&str; 4] = [
    "/new/services?preset=request-interaction",
    "/new/groups",
    "/try-chat",
    "/try",
];
const CATALOG_PAGES: [&str; 2] = [ACTION_PAGES[0], ACTION_PAGES[1]];

/// The targets of the forms of a page that change something.
fn form_targets(page: &str) -> Vec<String> {
    let targets = all_between(page, "<form", ">").into_iter();
    let targets = targets.filter(|form| form.contains("method=\"post\""));
    let targets = targets.map(|form| between(form, "action=\"", "\"").to_owned());
    targets
        .filter(|target| {
            !target.ends_with("/sign-out") && !target.ends_with("/match-explanation#result")
        })
        .collect()
}

async fn a_viewer_reads_all_pages_without_actions(app: TestApp) {
    let app = start_with_operators(&app).await;
    let session = AdminSession::sign_in_as(&app, VERA.0, VERA.1).await;
    for page in all_pages(&app).await {
        if ACTION_PAGES.contains(&page.as_str()) {
            assert_eq!(session.get(&page).await.status, 403, "{page}");
            continue;
        }
        let html = session.page(&page).await;
        assert_eq!(form_targets(&html), [""; 0], "{page}");
        // The script of Chats hides the forms of answers.
        let has_actions = html.contains("/new/") || html.contains("\"danger\"");
        assert!(!has_actions || page == "/chats", "{page}");
        let menu = between(&html, "<nav", "</nav>");
        assert!(
            menu.contains("Audit log") && !menu.contains("Try chat"),
            "{page}: {menu}"
        );
        assert!(html.contains("<bdi>vera</bdi></strong> <span class=\"tag\">viewer</span>"));
    }
    assert!(!session.page("/api").await.contains("Try it"));
    assert_eq!(session.get("/catalog/export").await.status, 200);
    let events = session
        .request(Method::GET, "/overview/events")
        .send()
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
}

async fn an_operator_acts_but_does_not_change_the_catalog(app: TestApp) {
    let app = start_with_operators(&app).await;
    let session = AdminSession::sign_in_as(&app, OLGA.0, OLGA.1).await;
    for page in all_pages(&app).await {
        let status = session.get(&page).await.status;
        let expected = if CATALOG_PAGES.contains(&page.as_str()) {
            403
        } else {
            200
        };
        assert_eq!(status, expected, "{page}");
    }
    for page in ["/services", "/services/store", "/groups", "/catalog"] {
        assert_eq!(form_targets(&session.page(page).await), [""; 0], "{page}");
    }
    assert!(session.page("/api").await.contains("Try it"));
    let group = session.page("/groups/DNIS").await;
    assert!(group.contains("action=\"/genesys/1/admin/ui/groups/DNIS/quarantine\""));
    let service = service_page(&create_service(&app, "store").await.service_id());
    let html = session.page(&service).await;
    assert_eq!(
        form_targets(&html),
        [format!("{HOME}{service}"), format!("{HOME}{service}")]
    );
    let deleted = session.submit_form(&service, &[("action", "delete")]).await;
    assert_eq!(deleted.status, 303, "{}", deleted.text());
    let log = session.page("/audit-log").await;
    assert!(
        log.contains("<bdi>olga</bdi>") && log.contains("<td>delete</td>"),
        "{log}"
    );
}

async fn forms_require_their_role(app: TestApp) {
    let app = start_with_operators(&app).await;
    let service = service_page(&create_service(&app, "store").await.service_id());
    let actions = [
        "/groups/DNIS/release",
        "/groups/DNIS/quarantine",
        "/selected/active-services",
        "/selected/bookings",
        &service,
        "/replicas/x",
        "/webhooks/x",
    ];
    let changes = [
        "/services/x",
        "/services/x/delete",
        "/new/services",
        "/groups/x",
        "/groups/x/delete",
        "/new/groups",
        "/catalog",
        "/catalog/restore",
    ];
    for (user, rejected) in [
        (VERA, &[&actions[..], &changes[..]].concat()[..]),
        (OLGA, &changes),
    ] {
        let session = AdminSession::sign_in_as(&app, user.0, user.1).await;
        let page = session.page("").await;
        let token = between(&page, "name=\"form_token\" value=\"", "\"").to_owned();
        for form in rejected {
            let response = session.submit_fields(form, &[("form_token", &token)]).await;
            assert_eq!(response.status, 403, "{form}");
            assert!(
                response.text().contains("this requires the role "),
                "{form}"
            );
        }
    }
    let session = AdminSession::sign_in_as(&app, ADA.0, ADA.1).await;
    for form in [&actions[..], &changes[..]].concat() {
        let response = session.submit_fields(form, &[]).await;
        assert!(
            !response.text().contains("this requires the role "),
            "{form}"
        );
    }
}

async fn a_viewer_reads_chats_but_does_not_answer(app: TestApp) {
    let app = start_with_operators(&app).await;
    let id = start_chat(&app, "").await;
    for (user, may_answer) in [(VERA, false), (OLGA, true)] {
        let session = AdminSession::sign_in_as(&app, user.0, user.1).await;
        let page = session.page("/chats").await;
        assert_eq!(page.contains("data-read-only"), !may_answer);
        assert_eq!(page.contains("id=\"available\""), may_answer);
        let token = between(&page, "data-token=\"", "\"").to_owned();
        let chat = session.get(&format!("/agent/chats/{id}")).await;
        assert_eq!(chat.status, 200);
        let send = async |method, path: &str| {
            let request = session.request(method, path).header("x-form-token", &token);
            TestResponse::send(request.form_body("available=true")).await
        };
        let join = send(Method::POST, &format!("/agent/chats/{id}/join")).await;
        let available = send(Method::PUT, "/agent/availability").await;
        if may_answer {
            assert_eq!(
                (join.status.as_u16(), available.status.as_u16()),
                (200, 200)
            );
        } else {
            join.error_message("Forbidden", 403);
            available.error_message("Forbidden", 403);
        }
    }
}

async fn a_session_is_valid_on_every_replica_and_ends_with_the_role(app: TestApp) {
    // The memory store has no second replica.
    if app.redis.is_none() {
        return;
    }
    let first = start_with_operators(&app).await;
    let all = users(&[VERA, OLGA, ADA]);
    let removed = users(&[OLGA, ADA]);
    let other_role = all.replace("vera:viewer", "vera:operator");
    let other_password = users(&[(VERA.0, "another"), OLGA, ADA]);
    for (users, expected) in [
        (&all, 200),
        (&removed, 303),
        (&other_role, 303),
        (&other_password, 303),
    ] {
        let session = AdminSession::sign_in_as(&first, VERA.0, VERA.1).await;
        let replica = start_replica_with(&app, &first.prefix, users).await;
        assert_eq!(
            session.on(&replica).get("/services").await.status,
            expected,
            "{users}"
        );
        // The session has ended on all replicas.
        assert_eq!(session.get("/services").await.status, expected, "{users}");
    }
}

#[tokio::test]
async fn the_script_works_on_pages_without_actions() {
    let app = start_with_operators(&TestApp::on_memory().await).await;
    create_service(&app, "store").await.service_id();
    let browser = Browser::open().await;
    let list = app.url(&format!("{HOME}/active-services"));
    browser.goto(&list).await;
    browser.fill("User name", VERA.0).await;
    browser.fill("Password", VERA.1).await;
    browser.press("Sign in").await;
    browser.wait_for_text("1 active service.").await;
    // An error in a listener is reported before the click ends.
    let click = "let found = 'none'; addEventListener('error', (event) => { found = event.message; }); \
                 document.querySelector('input[name=row]').click(); return found";
    assert_eq!(browser.run(click).await, "none");
}
