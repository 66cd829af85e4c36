//! What every page has in common, whatever it is asked for.

use reqwest::{Method, StatusCode};

use super::fixture::{AdminSession, HOME, id_of, page_html};
use crate::{
    admin::fixture::{create_service, start_admin},
    support::{Bodies, TestApp, TestResponse, encode},
};

/// All pages that are there without anything having been made, and one of a service.
async fn all_pages(app: &TestApp) -> Vec<String> {
    let service = create_service(app, "store").await.service_id();
    let live = format!("/active-services/{}", id_of(&service));
    let fixed = [
        "",
        "/services",
        "/services/store",
        "/new/services?template=request-interaction",
        "/groups",
        "/groups/DNIS",
        "/new/groups",
        "/catalog",
        "/try",
        "/api",
        "/active-services",
        &live,
        "/audit-log",
    ];
    fixed.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn no_page_is_kept_by_anybody() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let desk = AdminSession::sign_in(&app).await;
    let mut seen = 0;
    let mut check = |path: &str, answer: &TestResponse, status: u16| {
        assert_eq!(answer.status, status, "{path}");
        let kept = answer.header("cache-control");
        assert_eq!(kept, "no-cache, no-store", "{path}");
        seen += 1;
    };
    for page in all_pages(&app).await {
        check(&page, &desk.get(&page).await, 200);
        let nobody = desk.unauthenticated_request(Method::GET, &page);
        check(&page, &TestResponse::send(nobody).await, 303);
    }
    for (page, status) in [
        ("/sign-in", 200),
        ("/catalog/export", 200),
        ("/", 303),
        ("/nothing", 404),
        ("/services/nobody", 404),
        ("/active-services?limit=0", 400),
        ("/sign-out", 405),
        ("/assets/nothing", 404),
    ] {
        check(page, &desk.get(page).await, status);
    }
    for (page, status) in [("/sign-in", 401), ("/services/store", 403)] {
        let form = desk.unauthenticated_request(Method::POST, page);
        check(page, &TestResponse::send(form.form_body("")).await, status);
    }
    assert_eq!(seen, 2 * 13 + 8 + 2);
}

#[tokio::test]
async fn a_page_answers_head_as_it_does_get_without_the_body() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let desk = AdminSession::sign_in(&app).await;
    let mut pages = all_pages(&app).await;
    let more = ["/sign-in", "/catalog/export", "/assets/pages.js", "/"];
    pages.extend(more.map(str::to_owned));
    pages.extend(["/nothing", "/services/nobody"].map(str::to_owned));
    for page in pages {
        let get = desk.get(&page).await;
        let head = TestResponse::send(desk.request(Method::HEAD, &page)).await;
        assert_eq!(head.status, get.status, "{page}");
        assert_eq!(head.text(), "", "{page}");
        for name in ["content-type", "location", "content-security-policy"] {
            assert_eq!(head.header(name), get.header(name), "{page}");
        }
    }
    let nobody = desk.unauthenticated_request(Method::HEAD, "/services");
    let nobody = TestResponse::send(nobody).await;
    assert_eq!(nobody.status, StatusCode::SEE_OTHER);
    assert_eq!(
        nobody.header("location"),
        format!(
            "{HOME}/sign-in?to={}",
            "%2Fgenesys%2F1%2Fadmin%2Fui%2Fservices"
        )
    );
}

#[tokio::test]
async fn a_method_that_a_page_does_not_take_is_told_on_a_page() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let desk = AdminSession::sign_in(&app).await;
    for (method, page, allow) in [
        (Method::PUT, "", "GET, HEAD"),
        (Method::POST, "/audit-log", "GET, HEAD"),
        (Method::DELETE, "/services/store", "GET, HEAD, POST"),
        (Method::GET, "/sign-out", "POST"),
        (Method::GET, "/groups/DNIS/release", "POST"),
        (Method::DELETE, "/sign-in", "GET, HEAD, POST"),
        (Method::POST, "/assets/pages.js", "GET, HEAD"),
        (Method::HEAD, "/overview/events", "GET"),
    ] {
        let answer = TestResponse::send(desk.request(method.clone(), page)).await;
        assert_eq!(answer.status, 405, "{method} {page}");
        assert_eq!(answer.header("allow"), allow, "{method} {page}");
        let text = page_html(&answer);
        if method != Method::HEAD {
            let message = format!("{method} is not allowed for this path; allowed: {allow}");
            assert!(text.contains(&message), "{method} {page}: {text}");
        }
    }
    // The API goes on as it was.
    let api = app.request(Method::POST, "/genesys/1/admin/audit-log");
    let api = api.basic_auth("admin", Some(crate::admin::fixture::PASSWORD));
    let api = TestResponse::send(api).await;
    api.error_message("MethodNotAllowed", 405);
    assert_eq!(api.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn what_is_no_page_is_told_on_one_whatever_the_method() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let desk = AdminSession::sign_in(&app).await;
    for page in [
        "/nothing",
        "/services/store/nothing",
        "/a/b/c",
        "/assets/a/b",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT] {
            let answer = TestResponse::send(desk.request(method, page)).await;
            assert_eq!(answer.status, 404, "{page}");
            let text = page_html(&answer);
            assert!(text.contains("no route matches"), "{page}");
            assert!(text.contains("Sign out"), "{page}");
            assert_eq!(answer.header("allow"), "");
        }
    }
}

#[tokio::test]
async fn nobody_is_led_to_where_only_forms_go() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let desk = AdminSession::sign_in(&app).await;
    let sign_in = format!("{HOME}/sign-in");
    for page in [
        "/sign-out",
        "/services/store/delete",
        "/groups/DNIS/release",
        "/nothing",
    ] {
        let asked = TestResponse::send(desk.unauthenticated_request(Method::GET, page)).await;
        assert_eq!(asked.status, 303, "{page}");
        assert_eq!(asked.header("location"), sign_in, "{page}");
        // Nor where somebody wrote it there.
        let password = encode(crate::admin::fixture::PASSWORD);
        let to = encode(&format!("{HOME}{page}"));
        let form = format!("name=admin&password={password}&to={to}");
        let request = desk.unauthenticated_request(Method::POST, "/sign-in");
        let begun = TestResponse::send(request.form_body(&form)).await;
        assert_eq!(begun.header("location"), HOME, "{page}");
    }
}
