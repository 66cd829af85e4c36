//! Actions on several active services and bookings.

use redis::cmd;
use reqwest::Method;

use super::fixture::{
    AdminSession, HOME, all_between, between, hidden_fields, id_of, listed_ids, page_html,
    redirect_target, unescaped,
};
use crate::{
    api::admin::fixture::{
        audit_actions, create_entry, create_service, create_service_with, exclusive_group_options,
        get_json, request_interaction_options, start_admin,
    },
    support::{TestApp, TestResponse, encode, on_every_kind_of_store, on_redis_only},
};

on_every_kind_of_store!(
    selected_services_are_deleted_after_a_confirmation,
    selected_services_are_extended,
    selected_bookings_are_released,
    results_are_shown_without_a_repetition,
    invalid_selections_change_nothing,
);

mod failures {
    use super::*;

    on_redis_only!(a_failed_change_does_not_prevent_the_others);

    pub(super) async fn a_failed_change_does_not_prevent_the_others(app: TestApp) {
        super::a_failed_change_does_not_prevent_the_others(app).await;
    }
}

const SERVICES: &str = "/selected/active-services";
const BOOKINGS: &str = "/selected/bookings";

/// Submits the selection of a list page.
pub(super) async fn select(
    session: &AdminSession<'_>,
    path: &str,
    action: &str,
    selected: &[&str],
) -> TestResponse {
    let back = encode("/genesys/1/admin/ui/bookings?number=1");
    let selected = selected
        .iter()
        .map(|value| format!("&row={}", encode(value)));
    let selected: String = selected.collect();
    session
        .get(&format!("{path}?action={action}&back={back}{selected}"))
        .await
}

/// Submits the confirmation, with the fields of the page and others. Returns the page with the results.
pub(super) async fn confirm(
    session: &AdminSession<'_>,
    path: &str,
    confirmation: &TestResponse,
    others: &[(&str, &str)],
) -> TestResponse {
    assert_eq!(confirmation.status, 200, "{}", confirmation.text());
    let page = page_html(confirmation);
    let form = between(page, "<form class=\"card\"", "</form>");
    let hidden = hidden_fields(form);
    let mut fields: Vec<(&str, &str)> = hidden
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.extend_from_slice(others);
    let response = session.submit_fields(path, &fields).await;
    if response.status != 303 {
        return response;
    }
    session.get(redirect_target(&response)).await
}

/// The summary of the results.
pub(super) fn summary(response: &TestResponse) -> &str {
    assert_eq!(response.status, 200, "{}", response.text());
    let rest = page_html(response).split_once("<h1>").unwrap().1;
    between(rest, "\">", "</p>")
}

async fn create_services(app: &TestApp, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let service = create_service_with(app, "store", "_ttl=600").await;
        ids.push(id_of(&service.service_id()));
    }
    ids
}

fn as_strs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

async fn selected_services_are_deleted_after_a_confirmation(app: TestApp) {
    let app = start_admin(&app).await;
    let ids = create_services(&app, 5).await;
    let session = AdminSession::sign_in(&app).await;
    let selected = as_strs(&ids[..4]);
    let list = "/active-services";
    let confirmation = select(&session, SERVICES, "delete", &selected).await;
    let page = page_html(&confirmation);
    assert!(page.contains("<h1>Delete 4 services?</h1>"), "{page}");
    assert!(page.contains("cannot be undone"), "{page}");
    assert!(
        page.contains("href=\"/genesys/1/admin/ui/bookings?number=1\">Cancel"),
        "{page}"
    );
    assert!(
        audit_actions(&app).await.is_empty(),
        "nothing has changed yet"
    );
    let gone = app.delete(&format!("/genesys/1/service/{}", ids[2]));
    TestResponse::send(gone).await.assert_ok();
    let result = confirm(&session, SERVICES, &confirmation, &[]).await;
    assert_eq!(summary(&result), "3 done, 1 already gone, 0 failed");
    assert!(page_html(&result).contains("an entry for each change that was attempted"));
    let gone = between(page_html(&result), "<h2>Already gone</h2>", "</ul>");
    let described = [ids[2].as_str(), "service definition store"];
    assert_eq!(all_between(gone, "<bdi>", "</bdi>"), described);
    assert_eq!(listed_ids(&session.page(list).await), ids[4..]);
    let mut events = audit_actions(&app).await;
    events.sort();
    let mut expected: Vec<String> = [0, 1, 3]
        .map(|n: usize| format!("delete active service {}", ids[n]))
        .into();
    expected.sort();
    assert_eq!(events, expected, "one entry for each");
    // A second submission finds nothing.
    let again = confirm(&session, SERVICES, &confirmation, &[]).await;
    assert_eq!(summary(&again), "0 done, 4 already gone, 0 failed");
}

async fn selected_services_are_extended(app: TestApp) {
    let app = start_admin(&app).await;
    let ids = create_services(&app, 3).await;
    let session = AdminSession::sign_in(&app).await;
    let selected = as_strs(&ids[..2]);
    let confirmation = select(&session, SERVICES, "extend", &selected).await;
    let page = page_html(&confirmation);
    assert!(
        page.contains("<h1>Set expiry of 2 services?</h1>"),
        "{page}"
    );
    for wrong in ["0", "soon", ""] {
        // The confirmation is shown again, with the problem.
        let ttl = [("ttl", wrong)];
        let rejected = confirm(&session, SERVICES, &confirmation, &ttl).await;
        assert_eq!(rejected.status, 400, "{wrong}");
        let problem = between(page_html(&rejected), "role=\"alert\">", "</p>");
        assert!(problem.contains("from 1 to 2592000"), "{problem}");
    }
    assert!(audit_actions(&app).await.is_empty());
    let result = confirm(&session, SERVICES, &confirmation, &[("ttl", "7200")]).await;
    assert_eq!(summary(&result), "2 done, 0 already gone, 0 failed");
    let expiry = between(page_html(&result), "New expiry: <time datetime=\"", "\"");
    for (n, id) in ids.iter().enumerate() {
        let service = get_json(&app, &format!("active-services/{id}")).await;
        assert_eq!(service["ttl"].as_u64().unwrap() > 7_000, n < 2, "{service}");
        assert_eq!(service["expires_at"] == expiry, n < 2, "{service}");
    }
    assert_eq!(audit_actions(&app).await.len(), 2);
}

async fn selected_bookings_are_released(app: TestApp) {
    let app = start_admin(&app).await;
    for (group, number) in [("a/b", "8005550001"), ("c", "8005550002")] {
        let path = format!("groups/{}", encode(group));
        create_entry(&app, &path, &exclusive_group_options(&[number])).await;
        let name = format!("call-{}", number.chars().last().unwrap());
        let path = format!("services/{name}");
        create_entry(&app, &path, &request_interaction_options(group)).await;
        create_service(&app, &name).await.service_id();
    }
    create_service(&app, "request-interaction")
        .await
        .service_id();
    let session = AdminSession::sign_in(&app).await;
    let page = session.page("/bookings").await;
    assert!(page.contains("1-3 of about 3"), "{page}");
    let page = session.page("/bookings?number=%2B18005550001").await;
    assert!(page.contains("1-1 of 1"), "{page}");
    assert!(
        page.contains("<bdi>a/b</bdi>") && !page.contains("<bdi>8005550002</bdi>"),
        "{page}"
    );
    let page = session.page("/bookings?group=c").await;
    assert!(page.contains("<bdi>8005550002</bdi>"), "{page}");
    assert!(page.contains("1-1 of about 1"), "{page}");
    assert_eq!(session.get("/bookings?group=none").await.status, 404);
    let of_number = "/bookings?number=8005550001&group=";
    let page = session.page(&format!("{of_number}a%2Fb")).await;
    assert!(page.contains("1-1 of 1"), "{page}");
    let page = session.page(&format!("{of_number}c")).await;
    assert!(page.contains("No bookings found."), "{page}");
    let unknown = session.get(&format!("{of_number}none")).await;
    assert_eq!(unknown.status, 404);
    assert!(
        session
            .page("/bookings?number=8005550009")
            .await
            .contains("No bookings found.")
    );
    let page = session.page("/bookings").await;
    let values = all_between(&page, "name=\"row\" value=\"", "\"");
    let values: Vec<&str> = values
        .into_iter()
        .filter(|value| !value.ends_with("/DNIS"))
        .collect();
    assert_eq!(values.len(), 2);
    let confirmation = select(&session, BOOKINGS, "release", &values).await;
    let page = page_html(&confirmation);
    assert!(page.contains("<h1>Release 2 numbers?</h1>"));
    for described in [
        "<bdi>8005550001</bdi></a> <span class=\"faint\"><bdi>group a/b, service ",
        "<bdi>8005550002</bdi></a> <span class=\"faint\"><bdi>group c, service ",
    ] {
        assert!(unescaped(page).contains(described), "{page}");
    }
    assert!(
        audit_actions(&app)
            .await
            .iter()
            .all(|action| !action.starts_with("release"))
    );
    let result = confirm(&session, BOOKINGS, &confirmation, &[]).await;
    assert_eq!(summary(&result), "2 done, 0 already gone, 0 failed");
    let page = session.page("/bookings").await;
    assert!(page.contains("1-1 of about 1"), "{page}");
    let mut released = audit_actions(&app).await;
    released.retain(|action| action.starts_with("release"));
    released.sort();
    assert_eq!(
        released,
        [
            "release booking a/b/8005550001",
            "release booking c/8005550002"
        ]
    );
    let again = confirm(&session, BOOKINGS, &confirmation, &[]).await;
    assert_eq!(summary(&again), "0 done, 2 already gone, 0 failed");
    let gone = between(page_html(&again), "<h2>Already gone</h2>", "</ul>");
    assert!(gone.contains("<bdi>8005550001</bdi>"), "{gone}");
    assert!(gone.contains(", caller none</bdi>"), "{gone}");
    // The numbers can be booked again.
    create_service(&app, "call-1").await.service_id();
}

async fn results_are_shown_without_a_repetition(app: TestApp) {
    let app = start_admin(&app).await;
    let ids = create_services(&app, 40).await;
    let session = AdminSession::sign_in(&app).await;
    let selected = as_strs(&ids);
    let confirmation = select(&session, SERVICES, "extend", &selected).await;
    for id in &ids[1..] {
        let delete = app.delete(&format!("/genesys/1/service/{id}"));
        TestResponse::send(delete).await.assert_ok();
    }
    let form = hidden_fields(page_html(&confirmation));
    let mut fields: Vec<(&str, &str)> =
        form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    fields.push(("ttl", "7200"));
    let changed = session.submit_fields(SERVICES, &fields).await;
    let result = redirect_target(&changed).to_owned();
    assert!(result.len() < 4_000, "{} bytes", result.len());
    for _ in 0..2 {
        let page = session.get(&result).await;
        assert_eq!(summary(&page), "1 done, 39 already gone, 0 failed");
        let gone = between(page_html(&page), "<h2>Already gone</h2>", "</ul>");
        let listed = all_between(gone, "<li>", "</li>").len();
        assert!(listed > 3, "{gone}");
        assert!(gone.contains(&format!("{} more", 39 - listed)), "{gone}");
    }
    assert_eq!(audit_actions(&app).await.len(), 1);
    // Results that the session has not signed are not shown.
    let forged = result.replacen("result=", "result=e30", 1);
    assert_eq!(session.get(&forged).await.status, 400);
    let other = AdminSession::sign_in(&app).await;
    assert_eq!(other.get(&result).await.status, 400);
}

async fn invalid_selections_change_nothing(app: TestApp) {
    let app = start_admin(&app).await;
    let ids = create_services(&app, 1).await;
    let session = AdminSession::sign_in(&app).await;
    let many: Vec<String> = (0..101).map(|n| format!("id{n}")).collect();
    let id = [ids[0].as_str()];
    for (path, action, selected, status) in [
        (SERVICES, "delete", &[][..], 400),
        (SERVICES, "delete", &as_strs(&many), 400),
        (SERVICES, "sing", &id, 400),
        (SERVICES, "release", &id, 400),
        (BOOKINGS, "delete", &id, 400),
        (BOOKINGS, "release", &[], 400),
    ] {
        let response = select(&session, path, action, selected).await;
        assert_eq!(response.status, status, "{path} {action}");
        assert!(
            page_html(&response).contains("no changes were made"),
            "{}",
            response.text()
        );
    }
    // No page of another site may prepare a confirmation.
    for path in [SERVICES, "/groups/DNIS/quarantine"] {
        let link = format!("{path}?action=extend&ttl=1&row={}", id[0]);
        for (site, status) in [("cross-site", 403), ("same-site", 403), ("none", 200)] {
            let link = session.request(Method::GET, &link);
            let link = link.header("sec-fetch-site", site);
            let link = link.header("sec-fetch-mode", "navigate");
            let opened = TestResponse::send(link).await;
            if path == SERVICES || status == 403 {
                assert_eq!(opened.status, status, "{path} {site}");
                assert!(!opened.text().contains("value=\"1\""), "{}", opened.text());
            }
        }
    }
    // The error leads back to the list with its filters.
    let list = "/active-services?gms_user=ada";
    let none = session.request(Method::GET, &format!("{SERVICES}?action=delete"));
    let none = none.header("referer", app.url(&format!("{HOME}{list}")));
    let none = TestResponse::send(none).await;
    assert_eq!(none.status, 400);
    let back = format!("<a href=\"{HOME}{list}\">Back to the previous page</a>");
    assert!(page_html(&none).contains(&back), "{}", none.text());
    // Neither a missing nor a foreign token is accepted.
    for token in ["", "x"] {
        for path in [SERVICES, BOOKINGS] {
            let fields = [("form_token", token), ("action", "delete"), ("row", id[0])];
            let response = session.submit_fields(path, &fields).await;
            assert_eq!(response.status, 403, "{path}");
        }
    }
    assert_eq!(listed_ids(&session.page("/active-services").await), ids);
    assert!(audit_actions(&app).await.is_empty());
}

async fn a_failed_change_does_not_prevent_the_others(app: TestApp) {
    let app = start_admin(&app).await;
    let ids = create_services(&app, 3).await;
    let session = AdminSession::sign_in(&app).await;
    let selected = as_strs(&ids);
    let confirmation = select(&session, SERVICES, "delete", &selected).await;
    // A service of which the times cannot be read, and a key of another type in place of a service.
    let key = app.redis_keys(&format!("*{}*", ids[1])).await;
    let key = key.iter().find(|key| key.ends_with('}')).unwrap_or(&key[0]);
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let mut damages = [cmd("HDEL"), cmd("SET")];
    damages[0].arg(key).arg("_end");
    damages[1].arg(key).arg("x");
    for damage in damages {
        damage.query_async::<()>(&mut connection).await.unwrap();
        let confirmation = select(&session, SERVICES, "delete", &selected).await;
        let page = page_html(&confirmation);
        let row = between(page, &format!("<bdi>{}</bdi></a>", ids[1]), "</li>");
        assert!(row.contains("its record cannot be read"), "{page}");
        assert!(!page.contains("already gone"), "{page}");
    }
    let result = confirm(&session, SERVICES, &confirmation, &[]).await;
    assert_eq!(summary(&result), "2 done, 0 already gone, 1 failed");
    let failed = between(page_html(&result), "<h2>Failed</h2>", "</ul>");
    assert!(
        failed.contains(&format!("<bdi>{}</bdi></a>", ids[1])),
        "{failed}"
    );
    assert!(failed.contains("</span>: <bdi>"), "{failed}");
    let mut remove = cmd("UNLINK");
    remove
        .arg(key)
        .query_async::<()>(&mut connection)
        .await
        .unwrap();
}
