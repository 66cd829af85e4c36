//! Admin sessions on every store.

use std::time::Duration;

use switchboard::store::AdminStore;

use crate::support::{
    eventually,
    stores::{LONG_TTL, in_ms, on_every_store, sleep_until},
};

on_every_store!(
    idle_session_expires,
    touch_extends_the_session,
    peek_does_not_extend_the_session,
    delete_ends_only_that_session,
);

/// Short enough to wait for, long enough for the first steps of a test on a slow machine.
const SHORT_TTL: Duration = Duration::from_secs(3);

async fn idle_session_expires(store: &dyn AdminStore) {
    store
        .create_session("a", "text\n\"é", SHORT_TTL)
        .await
        .unwrap();
    let expiration = in_ms(3_000);
    sleep_until(expiration).await;
    assert_eq!(store.touch_session("a", LONG_TTL).await.unwrap(), None);
    assert_eq!(
        store.touch_session("a", LONG_TTL).await.unwrap(),
        None,
        "it stays expired"
    );
    assert_eq!(store.peek_session("a").await.unwrap(), None);
    // The TTL starts at the last touch.
    store.create_session("b", "text", LONG_TTL).await.unwrap();
    let ttl = Duration::from_millis(50);
    assert!(store.touch_session("b", ttl).await.unwrap().is_some());
    sleep_until(in_ms(50)).await;
    assert_eq!(store.peek_session("b").await.unwrap(), None);
}

async fn touch_extends_the_session(store: &dyn AdminStore) {
    let text = "text\n\"é";
    store.create_session("a", text, SHORT_TTL).await.unwrap();
    let expiration = in_ms(3_000);
    assert_eq!(
        store.touch_session("a", LONG_TTL).await.unwrap().as_deref(),
        Some(text)
    );
    sleep_until(expiration).await;
    let peeked = store.peek_session("a").await.unwrap();
    assert_eq!(peeked.as_deref(), Some(text));
    assert_eq!(
        store.touch_session("a", LONG_TTL).await.unwrap().as_deref(),
        Some(text)
    );
}

async fn peek_does_not_extend_the_session(store: &dyn AdminStore) {
    store.create_session("a", "text", SHORT_TTL).await.unwrap();
    let peeked = store.peek_session("a").await.unwrap();
    assert_eq!(peeked.as_deref(), Some("text"));
    eventually("the session expires while it is peeked at", async || {
        let peeked = store.peek_session("a").await.unwrap();
        peeked.is_none().then_some(())
    })
    .await;
    assert_eq!(store.touch_session("a", LONG_TTL).await.unwrap(), None);
}

async fn delete_ends_only_that_session(store: &dyn AdminStore) {
    for name in ["a", "b"] {
        store.create_session(name, name, LONG_TTL).await.unwrap();
    }
    store.delete_session("a").await.unwrap();
    store.delete_session("a").await.unwrap();
    store.delete_session("never").await.unwrap();
    assert_eq!(store.touch_session("a", LONG_TTL).await.unwrap(), None);
    assert_eq!(store.peek_session("a").await.unwrap(), None);
    assert_eq!(
        store.touch_session("b", LONG_TTL).await.unwrap().as_deref(),
        Some("b")
    );
}
