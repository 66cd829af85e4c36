//! What every store does for operators who are signed in.

use std::time::Duration;

use switchboard::store::AdminStore;

use crate::support::{
    eventually,
    stores::{LONG_TTL, in_ms, on_every_store, sleep_until},
};

on_every_store!(
    a_visit_ends_when_nothing_is_done,
    a_visit_that_is_used_goes_on,
    a_visit_that_is_only_looked_at_ends_as_it_would_have,
    a_visit_ends_when_it_is_ended_and_no_other_does,
);

/// A life that the test sees the end of, and begins something in on any machine.
const SHORT_TTL: Duration = Duration::from_secs(3);

async fn a_visit_ends_when_nothing_is_done(store: &dyn AdminStore) {
    store
        .create_session("a", "told\n\"é", SHORT_TTL)
        .await
        .unwrap();
    let end = in_ms(3_000);
    sleep_until(end).await;
    assert_eq!(store.touch_session("a", LONG_TTL).await.unwrap(), None);
    assert_eq!(
        store.touch_session("a", LONG_TTL).await.unwrap(),
        None,
        "nor later"
    );
    assert_eq!(store.peek_session("a").await.unwrap(), None);
    // One that was used begins to end when it was.
    store.create_session("b", "told", LONG_TTL).await.unwrap();
    let life = Duration::from_millis(50);
    assert!(store.touch_session("b", life).await.unwrap().is_some());
    sleep_until(in_ms(50)).await;
    assert_eq!(store.peek_session("b").await.unwrap(), None);
}

async fn a_visit_that_is_used_goes_on(store: &dyn AdminStore) {
    let told = "told\n\"é";
    store.create_session("a", told, SHORT_TTL).await.unwrap();
    let end = in_ms(3_000);
    assert_eq!(
        store.touch_session("a", LONG_TTL).await.unwrap().as_deref(),
        Some(told)
    );
    sleep_until(end).await;
    let looked = store.peek_session("a").await.unwrap();
    assert_eq!(looked.as_deref(), Some(told));
    assert_eq!(
        store.touch_session("a", LONG_TTL).await.unwrap().as_deref(),
        Some(told)
    );
}

async fn a_visit_that_is_only_looked_at_ends_as_it_would_have(store: &dyn AdminStore) {
    store.create_session("a", "told", SHORT_TTL).await.unwrap();
    let looked = store.peek_session("a").await.unwrap();
    assert_eq!(looked.as_deref(), Some("told"));
    eventually("it ends while it is looked at", async || {
        let looked = store.peek_session("a").await.unwrap();
        looked.is_none().then_some(())
    })
    .await;
    assert_eq!(store.touch_session("a", LONG_TTL).await.unwrap(), None);
}

async fn a_visit_ends_when_it_is_ended_and_no_other_does(store: &dyn AdminStore) {
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
