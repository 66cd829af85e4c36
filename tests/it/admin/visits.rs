//! What every store does for operators who are signed in.

use std::time::Duration;

use switchboard::store::WholeStore;

use crate::support::{
    eventually,
    stores::{LONG, in_ms, on_every_store, past},
};

on_every_store!(
    a_visit_ends_when_nothing_is_done,
    a_visit_that_is_used_goes_on,
    a_visit_that_is_only_looked_at_ends_as_it_would_have,
    a_visit_ends_when_it_is_ended_and_no_other_does,
);

/// A life that the test sees the end of, and begins something in on any machine.
const SHORT: Duration = Duration::from_secs(3);

async fn a_visit_ends_when_nothing_is_done(store: &dyn WholeStore) {
    store.begin_visit("a", "told\n\"é", SHORT).await.unwrap();
    let end = in_ms(3_000);
    past(end).await;
    assert_eq!(store.visit("a", LONG).await.unwrap(), None);
    assert_eq!(store.visit("a", LONG).await.unwrap(), None, "nor later");
    assert_eq!(store.look_at_visit("a").await.unwrap(), None);
    // One that was used begins to end when it was.
    store.begin_visit("b", "told", LONG).await.unwrap();
    let life = Duration::from_millis(50);
    assert!(store.visit("b", life).await.unwrap().is_some());
    past(in_ms(50)).await;
    assert_eq!(store.look_at_visit("b").await.unwrap(), None);
}

async fn a_visit_that_is_used_goes_on(store: &dyn WholeStore) {
    let told = "told\n\"é";
    store.begin_visit("a", told, SHORT).await.unwrap();
    let end = in_ms(3_000);
    assert_eq!(store.visit("a", LONG).await.unwrap().as_deref(), Some(told));
    past(end).await;
    let looked = store.look_at_visit("a").await.unwrap();
    assert_eq!(looked.as_deref(), Some(told));
    assert_eq!(store.visit("a", LONG).await.unwrap().as_deref(), Some(told));
}

async fn a_visit_that_is_only_looked_at_ends_as_it_would_have(store: &dyn WholeStore) {
    store.begin_visit("a", "told", SHORT).await.unwrap();
    let looked = store.look_at_visit("a").await.unwrap();
    assert_eq!(looked.as_deref(), Some("told"));
    eventually("it ends while it is looked at", async || {
        let looked = store.look_at_visit("a").await.unwrap();
        looked.is_none().then_some(())
    })
    .await;
    assert_eq!(store.visit("a", LONG).await.unwrap(), None);
}

async fn a_visit_ends_when_it_is_ended_and_no_other_does(store: &dyn WholeStore) {
    for name in ["a", "b"] {
        store.begin_visit(name, name, LONG).await.unwrap();
    }
    store.end_visit("a").await.unwrap();
    store.end_visit("a").await.unwrap();
    store.end_visit("never").await.unwrap();
    assert_eq!(store.visit("a", LONG).await.unwrap(), None);
    assert_eq!(store.look_at_visit("a").await.unwrap(), None);
    assert_eq!(store.visit("b", LONG).await.unwrap().as_deref(), Some("b"));
}
