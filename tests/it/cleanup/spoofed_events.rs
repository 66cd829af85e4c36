//! Messages about the end of a service that are not true, or come late, do nothing.

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

/// A replica with a group of two, that is told of services that end.
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
    let mut ask = cmd("PUBSUB");
    ask.arg("NUMSUB").arg("__keyevent@0__:evicted");
    eventually("a replica listens", async || {
        let (_, listening): (String, u64) = ask.query_async(&mut connection).await.unwrap();
        (listening > 0).then_some(())
    })
    .await;
    wait_for_cleanup(&app, &ended).await;
    app
}

/// Ends a service and waits until what it held is given back; whatever was told before was dealt with
/// by then.
async fn wait_for_cleanup(app: &TestApp, booked: &Booked) {
    delete_service(app, booked).await;
    eventually("it was given back", async || {
        let left = keys(app, &format!("*{{{}}}*", booked.id)).await;
        left.is_empty().then_some(())
    })
    .await;
}

/// Tells all replicas that a key is gone.
async fn publish_event(app: &TestApp, key: &str) {
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    for event in ["del", "expired", "evicted"] {
        let mut publish = cmd("PUBLISH");
        publish.arg(format!("__keyevent@0__:{event}")).arg(key);
        let heard: u64 = publish.query_async(&mut connection).await.unwrap();
        assert!(heard > 0, "nobody listens");
    }
}

#[tokio::test]
async fn a_message_about_a_living_service_does_nothing() {
    let app = start_subscribed().await;
    let body = Multipart::new()
        .text("_booking_expiration_timeout", "1800")
        .file("map", "map.png", "image/png", b"bytes");
    let request = app.post("/genesys/1/service/request-interaction");
    let request = request.header("content-type", Multipart::CONTENT_TYPE);
    let lives = Booked::from_response(&TestResponse::send(request.body(body.bytes())).await);
    let before = keys(&app, "*").await.len();
    for _ in 0..3 {
        publish_event(&app, &format!("{}svc:{{{}}}", app.prefix, lives.id)).await;
        let other = book_number(&app, "").await;
        wait_for_cleanup(&app, &other).await;
    }
    eventually("nothing but the others' is gone", async || {
        (keys(&app, "*").await.len() == before).then_some(())
    })
    .await;
    let picture = app.get(&format!("{}/storage/binary/map", lives.service_path()));
    assert_eq!(TestResponse::send(picture).await.body, b"bytes");
    let held = verify_bookings(&app, &default_group_toml("CLUSTER", 2)).await;
    assert!(held.is_clean(), "{held}");
    assert_eq!(held.booked.len(), 1, "{held}");
    assert_eq!(held.booked[0].service.as_str(), lives.id);
    book_number(&app, "").await;
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", lives.number);
    assert_eq!(match_call(&app, &call).await, lives.id);
}

#[tokio::test]
async fn a_late_message_gives_nothing_back_that_another_one_holds() {
    let app = start_subscribed().await;
    let kept = book_number(&app, "").await;
    let gone = book_number(&app, "").await;
    delete_service(&app, &gone).await;
    let next = book_when_free(&app, "_booking_expiration_timeout=1800").await;
    assert_eq!(next.number, gone.number);
    publish_event(&app, &format!("{}svc:{{{}}}", app.prefix, gone.id)).await;
    wait_for_cleanup(&app, &kept).await;
    assert_eq!(book_number(&app, "").await.number, kept.number);
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", next.number);
    assert_eq!(match_call(&app, &call).await, next.id);
}

#[tokio::test]
async fn messages_about_anything_else_do_nothing() {
    let app = start_subscribed().await;
    let lives = book_number(&app, "").await;
    let prefix = &app.prefix;
    for key in [
        String::new(),
        "other:svc:{x}".to_owned(),
        format!("{prefix}svc:{{}}"),
        format!("{prefix}svc:{{nobody}}"),
        format!("{prefix}own:{{{}}}", lives.id),
        format!("{prefix}grp:{{DNIS}}:booked"),
        "\0\u{fffd}".repeat(1_000),
    ] {
        publish_event(&app, &key).await;
    }
    let other = book_number(&app, "").await;
    wait_for_cleanup(&app, &other).await;
    let held = verify_bookings(&app, &default_group_toml("CLUSTER", 2)).await;
    assert!(held.is_clean(), "{held}");
    assert_eq!(held.booked.len(), 1, "{held}");
    let call = format!("_access_number={}", number(1));
    assert_eq!(lives.number, number(1), "number 0 was used before");
    assert_eq!(match_call(&app, &call).await, lives.id);
}
