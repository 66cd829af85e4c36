//! Forms whose session has ended: the input is kept and can be submitted again.

use reqwest::{Method, RequestBuilder};

use super::{
    fixture::{AdminSession, between, hidden_fields, page_html, redirect_target},
    form_fields::{Fields, error_message, form_fields, set, submit},
};
use crate::{
    api::admin::fixture::{create_entry, exclusive_group_options, get_json, start_admin},
    support::{Bodies, TestApp, TestResponse, encode, on_redis_only},
};

on_redis_only!(
    input_survives_the_end_of_a_session,
    input_that_is_too_large_is_reported,
    forms_of_other_pages_are_not_shown_again,
    secrets_in_rejected_forms_are_not_shown,
);

const PAGE: &str = "/groups/desk";
const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn send(
    request: RequestBuilder,
    header: (&str, &str),
    referrer: &str,
    fields: &Fields,
) -> TestResponse {
    let pair = |(name, value): &(String, String)| format!("{}={}", encode(name), encode(value));
    let form: Vec<String> = fields.iter().map(pair).collect();
    let request = request.header(header.0, header.1);
    let request = request.header("referer", referrer);
    TestResponse::send(request.form_body(&form.join("&"))).await
}

/// The fields of the form that submits the input again.
fn fields_again(page: &str) -> Fields {
    let action = "<form method=\"post\" action=\"/genesys/1/admin/ui/groups/desk\">";
    let form = between(page, action, "</form>");
    assert!(form.contains(">Submit again</button>"), "{form}");
    hidden_fields(form)
}

/// The form of a group with numbers to add.
async fn edited_fields(app: &TestApp, session: &AdminSession<'_>) -> Fields {
    create_entry(
        app,
        "groups/desk",
        &exclusive_group_options(&["8005550100"]),
    )
    .await;
    let mut fields = form_fields(&session.page(PAGE).await);
    set(&mut fields, "numbers_add", "8005550101\r\n8005550102");
    fields
}

async fn input_survives_the_end_of_a_session(app: TestApp) {
    let app = start_admin(&app).await;
    let fields = edited_fields(&app, &AdminSession::sign_in(&app).await).await;
    let later = AdminSession::sign_in(&app).await;
    let page_url = app.url("/genesys/1/admin/ui/groups/desk?state=free");
    let without_session = later.unauthenticated_request(Method::POST, PAGE);
    let expired = send(without_session, SAME_ORIGIN, &page_url, &fields).await;
    assert_eq!(expired.status, 403);
    let page = page_html(&expired);
    assert!(
        error_message(page).contains("your session has expired"),
        "{page}"
    );
    let target = "%2Fgenesys%2F1%2Fadmin%2Fui%2Fgroups%2Fdesk%3Fstate%3Dfree";
    let sign_in =
        format!("/sign-in?to={target}\" target=\"_blank\" rel=\"noopener\">Sign in (new tab)</a>");
    assert!(page.contains(&sign_in), "{page}");
    assert!(!page.contains("Back to"), "{page}");
    // After the sign-in in another tab, the operator confirms the input under the new session.
    let (again, request) = (fields_again(page), later.request(Method::POST, PAGE));
    let confirm = send(request, SAME_ORIGIN, &page_url, &again).await;
    assert_eq!(confirm.status, 403);
    let page = page_html(&confirm);
    assert!(
        error_message(page).contains("opened before you signed in again"),
        "{page}"
    );
    assert!(
        page.contains("numbers_add</bdi>") && !page.contains("Sign in"),
        "{page}"
    );
    assert!(!page.contains("revision</bdi>"), "{page}");
    let numbers = get_json(&app, "groups/desk").await["options"]["numbers"].clone();
    assert_eq!(numbers.as_array().unwrap().len(), 1);
    let saved = submit(&later, PAGE, &fields_again(page)).await;
    assert_eq!(
        redirect_target(&saved),
        "/groups/desk?message=saved&added=2"
    );
}

async fn input_that_is_too_large_is_reported(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = edited_fields(&app, &session).await;
    set(&mut fields, "numbers_add", &"8005550101\n".repeat(25_000));
    for (request, advice) in [
        (
            session.unauthenticated_request(Method::POST, PAGE),
            "Sign in, then enter it again",
        ),
        (session.request(Method::POST, PAGE), "Enter it again"),
    ] {
        set(&mut fields, "form_token", "other");
        let page = send(request, SAME_ORIGIN, &app.url(""), &fields).await;
        assert_eq!(page.status, 403);
        let page = page_html(&page);
        assert!(page.contains("larger than 256 KiB"), "{page}");
        assert!(page.contains(advice), "{advice}: {page}");
        assert!(!page.contains("Submit again"), "{page}");
    }
}

async fn forms_of_other_pages_are_not_shown_again(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let mut fields = edited_fields(&app, &session).await;
    set(&mut fields, "form_token", "other");
    for header in [
        ("sec-fetch-site", "none"),
        ("sec-fetch-site", "cross-site"),
        ("origin", "http://elsewhere"),
        ("x-none", "none"),
    ] {
        for request in [
            session.request(Method::POST, PAGE),
            session.unauthenticated_request(Method::POST, PAGE),
        ] {
            let rejected = send(request, header, "http://elsewhere/", &fields).await;
            assert_eq!(rejected.status, 403, "{header:?}");
            let page = page_html(&rejected);
            assert!(!page.contains("Submit again"), "{header:?}: {page}");
            assert!(!page.contains("8005550101"), "{header:?}: {page}");
        }
    }
}

async fn secrets_in_rejected_forms_are_not_shown(app: TestApp) {
    let app = start_admin(&app).await;
    let session = AdminSession::sign_in(&app).await;
    let fields = [
        ("option:password", "first"),
        ("other_name", "_header.X-Key"),
        ("other_value", "second"),
        ("option:_ttl", "77 & <b>"),
    ];
    let fields = fields
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .to_vec();
    let request = session.request(Method::POST, PAGE);
    let origin = app.url("");
    let rejected = send(request, ("origin", &origin), &origin, &fields).await;
    let page = page_html(&rejected);
    let table = between(page, "<tbody>", "</tbody>");
    assert!(
        !table.contains("first") && !table.contains("second"),
        "{table}"
    );
    assert_eq!(
        table.matches("<bdi class=\"value\">********</bdi>").count(),
        2,
        "{table}"
    );
    assert!(!page.contains("<b>"), "{page}");
    assert_eq!(fields_again(page)[1..], fields);
}
