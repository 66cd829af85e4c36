//! *Active services*: actions of operators.

use super::fixture::{
    AdminSession, between, escaped, id_of, listed_ids, page_html, redirect_target, service_page,
};
use crate::{
    api::admin::fixture::{
        audit_actions, create_entry, create_service, create_service_with, exclusive_group_options,
        get_json, request_interaction_options, start_admin,
    },
    support::{TestApp, TestResponse, bookings::Booked, on_redis_only},
};

on_redis_only!(
    operator_sets_the_expiration_time,
    invalid_ttl_is_rejected_with_the_allowed_range,
    operator_deletes_a_service,
    operator_releases_a_number,
    form_without_the_session_token_is_rejected,
);

async fn operator_sets_the_expiration_time(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(&app, "store", "_ttl=60")
        .await
        .service_id();
    let (session, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    let sent = session.submit_form(&path, &[("action", "set_expiration"), ("ttl", " 7200 ")]);
    let target = redirect_target(&sent.await).to_owned();
    assert_eq!(target, format!("{path}?message=expiration_set"));
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 7_000);
    let page = session.page(&target).await;
    assert!(page.contains("Expiry updated"), "{page}");
    assert!(page.contains("1 h 59 min"), "{page}");
    // The URL cannot contain the text of a message.
    let page = session
        .page(&format!("{path}?message=Call+me+at+800"))
        .await;
    assert!(!page.contains("Call me"), "{page}");
    assert!(!page.contains("class=\"done\""), "{page}");
    let expected = format!("set_expiration active service {}", id_of(&service));
    assert_eq!(audit_actions(&app).await, [expected]);
}

async fn invalid_ttl_is_rejected_with_the_allowed_range(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(&app, "store", "_ttl=60")
        .await
        .service_id();
    let (session, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    for ttl in ["0", "-5", "2592001", "soon", "", "\"><b>"] {
        let response = session
            .submit_form(&path, &[("action", "set_expiration"), ("ttl", ttl)])
            .await;
        assert_eq!(response.status, 400, "{ttl}");
        let page = page_html(&response);
        let problem = between(page, "role=\"alert\">", "</p>");
        assert!(problem.contains("from 1 to 2592000"), "{problem}");
        // The input is kept for correction.
        let typed = format!("value=\"{}\"></div>", escaped(ttl));
        assert!(page.contains(&typed), "{page}");
    }
    let response = session.submit_form(&path, &[("action", "sing")]).await;
    assert_eq!(response.status, 400);
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() <= 60);
    assert!(audit_actions(&app).await.is_empty());
}

async fn operator_deletes_a_service(app: TestApp) {
    let app = start_admin(&app).await;
    let (service, other) = (
        create_service(&app, "store").await.service_id(),
        create_service(&app, "store").await.service_id(),
    );
    let (session, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    // The confirmation describes the effect.
    let page = session.page(&path).await;
    let confirmation = between(&page, "<summary>Delete…</summary>", "</details>");
    assert!(confirmation.contains("cannot be undone"), "{confirmation}");
    assert!(confirmation.contains("method=\"post\""), "{confirmation}");
    let target =
        redirect_target(&session.submit_form(&path, &[("action", "delete")]).await).to_owned();
    assert_eq!(target, "/active-services?message=deleted");
    TestResponse::send(app.get(&service))
        .await
        .error_message("ServiceNotFound", 404);
    let page = session.page(&target).await;
    assert!(page.contains("Service deleted."), "{page}");
    assert_eq!(listed_ids(&page), [id_of(&other)]);
    assert_eq!(session.get(&path).await.status, 404);
    let expected = format!("delete active service {}", id_of(&service));
    assert_eq!(audit_actions(&app).await, [expected]);
}

async fn operator_releases_a_number(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(
        &app,
        "groups/a%2Fb",
        &exclusive_group_options(&["8005550001"]),
    )
    .await;
    create_entry(&app, "services/call", &request_interaction_options("a/b")).await;
    let booked = Booked::from_response(&create_service(&app, "call").await);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let (session, path) = (
        AdminSession::sign_in(&app).await,
        service_page(&booked.service_path()),
    );
    let page = session.page(&path).await;
    let confirmation = between(&page, "<summary>Release…</summary>", "</details>");
    assert!(
        confirmation.contains("available to other services"),
        "{confirmation}"
    );
    let group = between(confirmation, "name=\"group\" value=\"", "\"").to_owned();
    let booking = between(confirmation, "name=\"booking\" value=\"", "\"").to_owned();
    assert_eq!(group, "a/b");
    let form = [
        ("action", "release"),
        ("group", &group),
        ("booking", &booking),
    ];
    let target = redirect_target(&session.submit_form(&path, &form).await).to_owned();
    assert_eq!(target, format!("{path}?message=released"));
    let page = session.page(&target).await;
    assert!(page.contains("Number released."), "{page}");
    assert!(page.contains("No booked numbers"), "{page}");
    // The number is free, and the service stays active.
    let next = Booked::from_response(&create_service(&app, "call").await);
    assert_eq!(next.number, booked.number);
    app.get_service(&booked.service_path()).await;
    // A second submission is rejected.
    let again = session.submit_form(&path, &form).await;
    assert_eq!(again.status, 404);
    let problem = between(page_html(&again), "role=\"alert\">", "</p>");
    assert!(problem.contains("has no booking"), "{problem}");
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
}

async fn form_without_the_session_token_is_rejected(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(
        &app,
        "request-interaction",
        "_ttl=60&_booking_expiration_timeout=60",
    )
    .await
    .service_id();
    let (session, path) = (AdminSession::sign_in(&app).await, service_page(&service));
    let page = session.page(&path).await;
    let booking = between(&page, "name=\"booking\" value=\"", "\"");
    let other = AdminSession::sign_in(&app).await.page(&path).await;
    let other_session_token = between(&other, "name=\"form_token\" value=\"", "\"");
    for token in ["", "x", other_session_token] {
        for form in [
            &[("action", "delete")][..],
            &[("action", "set_expiration"), ("ttl", "7200")],
            &[
                ("action", "release"),
                ("group", "DNIS"),
                ("booking", booking),
            ],
        ] {
            let bare = session.submit_fields(&path, form).await;
            let with_token = [form, &[("form_token", token)]].concat();
            let with_other_token = session.submit_fields(&path, &with_token).await;
            for response in [bare, with_other_token] {
                assert_eq!(response.status, 403, "{form:?}");
                assert!(page_html(&response).contains("no changes were made"));
            }
        }
    }
    let service_json = get_json(&app, &format!("active-services/{}", id_of(&service))).await;
    assert!(service_json["ttl"].as_u64().unwrap() <= 60);
    assert_eq!(service_json["bookings"].as_array().unwrap().len(), 1);
    assert!(audit_actions(&app).await.is_empty());
}
