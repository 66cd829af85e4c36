//! Behavior that all pages share: caching, methods, error pages.

use reqwest::{Method, StatusCode};

use super::fixture::{AdminSession, HOME, id_of, page_html};
use crate::{
    api::admin::fixture::{create_service, start_admin},
    support::{Bodies, TestApp, TestResponse, encode},
};

/// All pages of a fresh installation, and the page of a service.
pub(super) async fn all_pages(app: &TestApp) -> Vec<String> {
    let service = create_service(app, "store").await.service_id();
    let service_page = format!("/active-services/{}", id_of(&service));
    let fixed = [
        "",
        "/services",
        "/services/store",
        "/new/services?preset=request-interaction",
        "/groups",
        "/groups/DNIS",
        "/match-explanation",
        "/new/groups",
        "/catalog",
        "/chats",
        "/try-chat",
        "/try",
        "/api",
        "/active-services",
        "/bookings",
        &service_page,
        "/audit-log",
    ];
    fixed.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn pages_are_not_cached() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    let mut checked = 0;
    let mut check = |path: &str, response: &TestResponse, status: u16| {
        assert_eq!(response.status, status, "{path}");
        let cache_control = response.header("cache-control");
        assert_eq!(cache_control, "no-cache, no-store", "{path}");
        checked += 1;
    };
    for page in all_pages(&app).await {
        check(&page, &session.get(&page).await, 200);
        let unauthenticated = session.unauthenticated_request(Method::GET, &page);
        check(&page, &TestResponse::send(unauthenticated).await, 303);
    }
    for (page, status) in [
        ("/sign-in", 200),
        ("/catalog/export", 200),
        ("/", 303),
        ("/nothing", 404),
        ("/services/unknown", 404),
        ("/active-services?limit=0", 400),
        ("/sign-out", 405),
        ("/assets/nothing", 404),
    ] {
        check(page, &session.get(page).await, status);
    }
    for (page, status) in [("/sign-in", 401), ("/services/store", 403)] {
        let form = session.unauthenticated_request(Method::POST, page);
        check(page, &TestResponse::send(form.form_body("")).await, status);
    }
    assert_eq!(checked, 2 * 17 + 8 + 2);
}

#[tokio::test]
async fn head_matches_get_without_a_body() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    let mut pages = all_pages(&app).await;
    let more = ["/sign-in", "/catalog/export", "/assets/pages.js", "/"];
    pages.extend(more.map(str::to_owned));
    pages.extend(["/nothing", "/services/unknown"].map(str::to_owned));
    for page in pages {
        let get = session.get(&page).await;
        let head = TestResponse::send(session.request(Method::HEAD, &page)).await;
        assert_eq!(head.status, get.status, "{page}");
        assert_eq!(head.text(), "", "{page}");
        for name in ["content-type", "location", "content-security-policy"] {
            assert_eq!(head.header(name), get.header(name), "{page}");
        }
    }
    let unauthenticated = session.unauthenticated_request(Method::HEAD, "/services");
    let unauthenticated = TestResponse::send(unauthenticated).await;
    assert_eq!(unauthenticated.status, StatusCode::SEE_OTHER);
    assert_eq!(
        unauthenticated.header("location"),
        format!(
            "{HOME}/sign-in?to={}",
            "%2Fgenesys%2F1%2Fadmin%2Fui%2Fservices"
        )
    );
}

#[tokio::test]
async fn unsupported_method_has_an_error_page() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    for (method, page, allow) in [
        (Method::PUT, "", "GET, HEAD"),
        (Method::POST, "/audit-log", "GET, HEAD"),
        (Method::DELETE, "/services/store", "GET, HEAD, POST"),
        (Method::GET, "/sign-out", "POST"),
        (Method::GET, "/groups/DNIS/release", "POST"),
        (Method::PUT, "/selected/bookings", "GET, HEAD, POST"),
        (Method::DELETE, "/sign-in", "GET, HEAD, POST"),
        (Method::POST, "/assets/pages.js", "GET, HEAD"),
        (Method::HEAD, "/overview/events", "GET"),
    ] {
        let response = TestResponse::send(session.request(method.clone(), page)).await;
        assert_eq!(response.status, 405, "{method} {page}");
        assert_eq!(response.header("allow"), allow, "{method} {page}");
        let text = page_html(&response);
        if method != Method::HEAD {
            let message = format!("{method} is not allowed for this path; allowed: {allow}");
            assert!(text.contains(&message), "{method} {page}: {text}");
        }
    }
    // The admin API responds with JSON.
    let api = app.request(Method::POST, "/genesys/1/admin/audit-log");
    let api = api.basic_auth("admin", Some(crate::api::admin::fixture::PASSWORD));
    let api = TestResponse::send(api).await;
    api.error_message("MethodNotAllowed", 405);
    assert_eq!(api.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn unknown_path_has_an_error_page_for_every_method() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    for page in [
        "/nothing",
        "/services/store/nothing",
        "/a/b/c",
        "/assets/a/b",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT] {
            let response = TestResponse::send(session.request(method, page)).await;
            assert_eq!(response.status, 404, "{page}");
            let text = page_html(&response);
            assert!(text.contains("no route matches"), "{page}");
            assert!(text.contains("Sign out"), "{page}");
            assert_eq!(response.header("allow"), "");
        }
    }
}

#[tokio::test]
async fn form_targets_are_not_redirect_targets() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    let sign_in = format!("{HOME}/sign-in");
    for page in [
        "/sign-out",
        "/services/store/delete",
        "/groups/DNIS/release",
        "/nothing",
    ] {
        let redirect = TestResponse::send(session.unauthenticated_request(Method::GET, page)).await;
        assert_eq!(redirect.status, 303, "{page}");
        assert_eq!(redirect.header("location"), sign_in, "{page}");
        // Not even if the sign-in form has it as its target.
        let password = encode(crate::api::admin::fixture::PASSWORD);
        let to = encode(&format!("{HOME}{page}"));
        let form = format!("name=admin&password={password}&to={to}");
        let request = session.unauthenticated_request(Method::POST, "/sign-in");
        let signed_in = TestResponse::send(request.form_body(&form)).await;
        assert_eq!(signed_in.header("location"), HOME, "{page}");
    }
}
