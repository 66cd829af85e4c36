//! Messages about the end of a service that are not true, or come late, do nothing.

use std::sync::Arc;

use redis::cmd;

use crate::support::{
    Answer, TestApp, TestRedis,
    bookings::{
        Booked, Multipart, audit, book, book_when_free, default_group, end, eventually, keys,
        matched, none_free, number,
    },
};

use super::unheard::replica;

/// A replica with a group of two, that is told of services that end.
async fn listening() -> TestApp {
    let redis = Arc::new(TestRedis::own());
    let app = replica(
        &redis,
        &crate::support::random_prefix(),
        &default_group("CLUSTER", 2),
    )
    .await;
    let ended = book(&app, "").await;
    let mut connection = redis.connection().await;
    let mut ask = cmd("PUBSUB");
    ask.arg("NUMSUB").arg("__keyevent@0__:evicted");
    eventually("a replica listens", async || {
        let (_, listening): (String, u64) = ask.query_async(&mut connection).await.unwrap();
        (listening > 0).then_some(())
    })
    .await;
    clean_up_after(&app, &ended).await;
    app
}

/// Ends a service and waits until what it held is given back; whatever was told before was dealt with
/// by then.
async fn clean_up_after(app: &TestApp, booked: &Booked) {
    end(app, booked).await;
    eventually("it was given back", async || {
        let left = keys(app, &format!("*{{{}}}*", booked.id)).await;
        left.is_empty().then_some(())
    })
    .await;
}

/// Tells all replicas that a key is gone.
async fn tell(app: &TestApp, key: &str) {
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
    let app = listening().await;
    let body = Multipart::new()
        .text("_booking_expiration_timeout", "1800")
        .file("map", "map.png", "image/png", b"bytes");
    let request = app.post("/genesys/1/service/request-interaction");
    let request = request.header("content-type", Multipart::CONTENT_TYPE);
    let lives = Booked::of(&Answer::of(request.body(body.bytes())).await);
    let before = keys(&app, "*").await.len();
    for _ in 0..3 {
        tell(&app, &format!("{}svc:{{{}}}", app.prefix, lives.id)).await;
        let other = book(&app, "").await;
        clean_up_after(&app, &other).await;
    }
    eventually("nothing but the others' is gone", async || {
        (keys(&app, "*").await.len() == before).then_some(())
    })
    .await;
    let picture = app.get(&format!("{}/storage/binary/map", lives.service()));
    assert_eq!(Answer::of(picture).await.body, b"bytes");
    let held = audit(&app, &default_group("CLUSTER", 2)).await;
    assert!(held.is_clean(), "{held}");
    assert_eq!(held.held.len(), 1, "{held}");
    assert_eq!(held.held[0].service.as_str(), lives.id);
    book(&app, "").await;
    none_free(&app, "").await;
    let call = format!("_access_number={}", lives.number);
    assert_eq!(matched(&app, &call).await, lives.id);
}

#[tokio::test]
async fn a_late_message_gives_nothing_back_that_another_one_holds() {
    let app = listening().await;
    let kept = book(&app, "").await;
    let gone = book(&app, "").await;
    end(&app, &gone).await;
    let next = book_when_free(&app, "_booking_expiration_timeout=1800").await;
    assert_eq!(next.number, gone.number);
    tell(&app, &format!("{}svc:{{{}}}", app.prefix, gone.id)).await;
    clean_up_after(&app, &kept).await;
    assert_eq!(book(&app, "").await.number, kept.number);
    none_free(&app, "").await;
    let call = format!("_access_number={}", next.number);
    assert_eq!(matched(&app, &call).await, next.id);
}

#[tokio::test]
async fn messages_about_anything_else_do_nothing() {
    let app = listening().await;
    let lives = book(&app, "").await;
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
        tell(&app, &key).await;
    }
    let other = book(&app, "").await;
    clean_up_after(&app, &other).await;
    let held = audit(&app, &default_group("CLUSTER", 2)).await;
    assert!(held.is_clean(), "{held}");
    assert_eq!(held.held.len(), 1, "{held}");
    let call = format!("_access_number={}", number(1));
    assert_eq!(lives.number, number(1), "number 0 was used before");
    assert_eq!(matched(&app, &call).await, lives.id);
}
