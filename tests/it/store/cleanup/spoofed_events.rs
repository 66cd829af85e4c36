//! Forged or late notifications about the end of a service are ignored.

use std::sync::Arc;

use redis::cmd;

use crate::support::{
    TestApp, TestRedis, TestResponse,
    bookings::{
        Booked, Multipart, assert_none_free, book_number, book_when_free, default_group_toml,
        delete_service, eventually, keys, match_call, number, verify_bookings,
    },
};

use super::lost_events::start_replica;

/// Starts a replica with a group of two numbers and a notification subscription.
async fn start_subscribed() -> TestApp {
    let redis = Arc::new(TestRedis::dedicated());
    let app = start_replica(
        &redis,
        &crate::support::random_prefix(),
        &default_group_toml("CLUSTER", 2),
    )
    .await;
    let ended = book_number(&app, "").await;
    let mut connection = redis.connection().await;
    let mut numsub = cmd("PUBSUB");
    numsub.arg("NUMSUB").arg("__keyevent@0__:evicted");
    eventually("a replica is subscribed", async || {
        let (_, subscribers): (String, u64) = numsub.query_async(&mut connection).await.unwrap();
        (subscribers > 0).then_some(())
    })
    .await;
    wait_for_cleanup(&app, &ended).await;
    app
}

/// Deletes a service and waits until its resources are released; earlier notifications have been
/// processed by then.
async fn wait_for_cleanup(app: &TestApp, booked: &Booked) {
    delete_service(app, booked).await;
    eventually("its resources are released", async || {
        let remaining = keys(app, &format!("*{{{}}}*", booked.id)).await;
        remaining.is_empty().then_some(())
    })
    .await;
}

/// Publishes the notifications that a key is gone.
async fn publish_event(app: &TestApp, key: &str) {
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    for event in ["del", "expired", "evicted"] {
        let mut publish = cmd("PUBLISH");
        publish.arg(format!("__keyevent@0__:{event}")).arg(key);
        let receivers: u64 = publish.query_async(&mut connection).await.unwrap();
        assert!(receivers > 0, "no subscribers");
    }
}

#[tokio::test]
async fn notification_about_active_service_is_ignored() {
    let app = start_subscribed().await;
    let body = Multipart::new()
        .text("_booking_expiration_timeout", "1800")
        .file("map", "map.png", "image/png", b"bytes");
    let request = app.post("/genesys/1/service/request-interaction");
    let request = request.header("content-type", Multipart::CONTENT_TYPE);
    let active = Booked::from_response(&TestResponse::send(request.body(body.bytes())).await);
    let before = keys(&app, "*").await.len();
    for _ in 0..3 {
        publish_event(&app, &format!("{}svc:{{{}}}", app.prefix, active.id)).await;
        let other = book_number(&app, "").await;
        wait_for_cleanup(&app, &other).await;
    }
    eventually("only the other services are deleted", async || {
        (keys(&app, "*").await.len() == before).then_some(())
    })
    .await;
    let download = app.get(&format!("{}/storage/binary/map", active.service_path()));
    assert_eq!(TestResponse::send(download).await.body, b"bytes");
    let report = verify_bookings(&app, &default_group_toml("CLUSTER", 2)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.booked.len(), 1, "{report}");
    assert_eq!(report.booked[0].service.as_str(), active.id);
    book_number(&app, "").await;
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", active.number);
    assert_eq!(match_call(&app, &call).await, active.id);
}

#[tokio::test]
async fn late_notification_does_not_release_new_booking() {
    let app = start_subscribed().await;
    let other = book_number(&app, "").await;
    let deleted = book_number(&app, "").await;
    delete_service(&app, &deleted).await;
    let next = book_when_free(&app, "_booking_expiration_timeout=1800").await;
    assert_eq!(next.number, deleted.number);
    publish_event(&app, &format!("{}svc:{{{}}}", app.prefix, deleted.id)).await;
    wait_for_cleanup(&app, &other).await;
    assert_eq!(book_number(&app, "").await.number, other.number);
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", next.number);
    assert_eq!(match_call(&app, &call).await, next.id);
}

#[tokio::test]
async fn unrelated_notifications_are_ignored() {
    let app = start_subscribed().await;
    let active = book_number(&app, "").await;
    let prefix = &app.prefix;
    for key in [
        String::new(),
        "other:svc:{x}".to_owned(),
        format!("{prefix}svc:{{}}"),
        format!("{prefix}svc:{{unknown}}"),
        format!("{prefix}own:{{{}}}", active.id),
        format!("{prefix}grp:{{DNIS}}:booked"),
        "\0\u{fffd}".repeat(1_000),
    ] {
        publish_event(&app, &key).await;
    }
    let other = book_number(&app, "").await;
    wait_for_cleanup(&app, &other).await;
    let report = verify_bookings(&app, &default_group_toml("CLUSTER", 2)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.booked.len(), 1, "{report}");
    let call = format!("_access_number={}", number(1));
    assert_eq!(active.number, number(1), "number 0 was used before");
    assert_eq!(match_call(&app, &call).await, active.id);
}
