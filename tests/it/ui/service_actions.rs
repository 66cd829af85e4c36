//! *Services*: living services are looked after by hand.

use super::fixture::{
    AdminSession, between, escaped, id_of, listed_ids, page_html, redirect_target, service_page,
};
use crate::{
    admin::fixture::{
        audit_actions, create_entry, create_service, create_service_with, exclusive_group_options,
        get_json, request_interaction_options, start_admin,
    },
    support::{TestApp, TestResponse, bookings::Booked, on_every_kind_of_store},
};

on_every_kind_of_store!(
    its_end_is_moved,
    an_end_that_is_not_allowed_is_refused_with_what_is,
    it_is_deleted_by_hand,
    a_number_of_it_is_given_back_by_hand,
    a_form_that_does_not_show_the_token_of_the_visit_changes_nothing,
);

async fn its_end_is_moved(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(&app, "store", "_ttl=60")
        .await
        .service_id();
    let (desk, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    let sent = desk.submit_form(&path, &[("act", "extend"), ("ttl", " 7200 ")]);
    let led = redirect_target(&sent.await).to_owned();
    assert_eq!(led, format!("{path}?done=extended"));
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 7_000);
    let page = desk.page(&led).await;
    assert!(page.contains("The end is moved"), "{page}");
    assert!(page.contains("1 h 59 min"), "{page}");
    // An address says nothing in its own words.
    let page = desk.page(&format!("{path}?done=Call+me+at+800")).await;
    assert!(!page.contains("Call me"), "{page}");
    assert!(!page.contains("class=\"done\""), "{page}");
    let expected = format!("extend live service {}", id_of(&service));
    assert_eq!(audit_actions(&app).await, [expected]);
}

async fn an_end_that_is_not_allowed_is_refused_with_what_is(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(&app, "store", "_ttl=60")
        .await
        .service_id();
    let (desk, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    for ttl in ["0", "-5", "2592001", "soon", "", "\"><b>"] {
        let answer = desk
            .submit_form(&path, &[("act", "extend"), ("ttl", ttl)])
            .await;
        assert_eq!(answer.status, 400, "{ttl}");
        let page = page_html(&answer);
        let problem = between(page, "role=\"alert\">", "</p>");
        assert!(problem.contains("from 1 to 2592000"), "{problem}");
        // What was typed can be put right.
        let typed = format!("value=\"{}\"></div>", escaped(ttl));
        assert!(page.contains(&typed), "{page}");
    }
    let answer = desk.submit_form(&path, &[("act", "sing")]).await;
    assert_eq!(answer.status, 400);
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() <= 60);
    assert!(audit_actions(&app).await.is_empty());
}

async fn it_is_deleted_by_hand(app: TestApp) {
    let app = start_admin(&app).await;
    let (service, other) = (
        create_service(&app, "store").await.service_id(),
        create_service(&app, "store").await.service_id(),
    );
    let (desk, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    // It is asked once, and said what will happen.
    let page = desk.page(&path).await;
    let asked = between(&page, "<summary>Delete…</summary>", "</details>");
    assert!(asked.contains("cannot be undone"), "{asked}");
    assert!(asked.contains("method=\"post\""), "{asked}");
    let led = redirect_target(&desk.submit_form(&path, &[("act", "delete")]).await).to_owned();
    assert_eq!(led, "/active-services?done=deleted");
    TestResponse::send(app.get(&service))
        .await
        .error_message("ServiceNotFound", 404);
    let page = desk.page(&led).await;
    assert!(page.contains("The service is deleted."), "{page}");
    assert_eq!(listed_ids(&page), [id_of(&other)]);
    assert_eq!(desk.get(&path).await.status, 404);
    let expected = format!("end live service {}", id_of(&service));
    assert_eq!(audit_actions(&app).await, [expected]);
}

async fn a_number_of_it_is_given_back_by_hand(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(
        &app,
        "groups/a%2Fb",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    create_entry(&app, "services/call", &request_interaction_options("a/b")).await;
    let held = Booked::from_response(&create_service(&app, "call").await);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let (desk, path) = (
        AdminSession::sign_in(&app).await,
        service_page(&held.service_path()),
    );
    let page = desk.page(&path).await;
    let asked = between(&page, "<summary>Give back…</summary>", "</details>");
    assert!(asked.contains("free for another service"), "{asked}");
    let group = between(asked, "name=\"group\" value=\"", "\"").to_owned();
    let booking = between(asked, "name=\"booking\" value=\"", "\"").to_owned();
    assert_eq!(group, "a/b");
    let form = [("act", "release"), ("group", &group), ("booking", &booking)];
    let led = redirect_target(&desk.submit_form(&path, &form).await).to_owned();
    assert_eq!(led, format!("{path}?done=released"));
    let page = desk.page(&led).await;
    assert!(page.contains("The number is given back."), "{page}");
    assert!(page.contains("It holds no number."), "{page}");
    // It is free again, and the service lives on.
    let next = Booked::from_response(&create_service(&app, "call").await);
    assert_eq!(next.number, held.number);
    app.get_service(&held.service_path()).await;
    // Whoever sends it once more is told so.
    let again = desk.submit_form(&path, &form).await;
    assert_eq!(again.status, 404);
    let problem = between(page_html(&again), "role=\"alert\">", "</p>");
    assert!(problem.contains("there is no booking"), "{problem}");
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
}

async fn a_form_that_does_not_show_the_token_of_the_visit_changes_nothing(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(
        &app,
        "request-interaction",
        "_ttl=60&_booking_expiration_timeout=60",
    )
    .await
    .service_id();
    let (desk, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    let page = desk.page(&path).await;
    let booking = between(&page, "name=\"booking\" value=\"", "\"");
    let other = AdminSession::sign_in(&app).await.page(&path).await;
    let of_another_visit = between(&other, "name=\"form_token\" value=\"", "\"");
    for token in ["", "x", of_another_visit] {
        for form in [
            &[("act", "delete")][..],
            &[("act", "extend"), ("ttl", "7200")],
            &[("act", "release"), ("group", "DNIS"), ("booking", booking)],
        ] {
            let bare = desk.submit_fields(&path, form).await;
            let with_token = [form, &[("form_token", token)]].concat();
            let shown = desk.submit_fields(&path, &with_token).await;
            for answer in [bare, shown] {
                assert_eq!(answer.status, 403, "{form:?}");
                assert!(page_html(&answer).contains("nothing was changed"));
            }
        }
    }
    let live = get_json(&app, &format!("live/{}", id_of(&service))).await;
    assert!(live["ttl"].as_u64().unwrap() <= 60);
    assert_eq!(live["bookings"].as_array().unwrap().len(), 1);
    assert!(audit_actions(&app).await.is_empty());
}
