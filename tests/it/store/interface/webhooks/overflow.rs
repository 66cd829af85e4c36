//! Queues of endpoints with more pending events than their limit. The stores have limits of 3 pending events and 2 dead
//! letters.

use std::{slice::from_ref, time::Duration};

use switchboard::{
    model::webhook::{Event, NextAttempt, Resend, WebhookLimits},
    store::{AdminStore, WebhookHub},
    telemetry::metrics::WebhookMetrics,
};

use super::{add, claim, endpoint, event, finish, result, status};
use crate::support::{
    now,
    stores::{RedisFixture, memory},
};

/// Makes tests on the embedded store and on Redis.
macro_rules! with_small_limits {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::memory().with_webhooks(super::small_limits())).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                let mut redis = super::RedisFixture::shared().await;
                redis.store = redis.store.with_webhooks(super::small_limits());
                super::$name(&redis.store).await;
            })*
        }
    };
}

with_small_limits!(
    the_oldest_events_beyond_a_limit_become_dead_letters,
    the_next_event_does_not_wait_for_one_that_is_gone,
    results_of_an_event_that_is_gone_do_not_count_for_the_next_one,
    events_are_sent_again_in_their_order_as_long_as_there_is_room,
    events_that_are_sent_again_are_pending_since_then,
    events_are_deleted,
);

fn small_limits() -> WebhookHub {
    let limits = WebhookLimits {
        max_pending: 3,
        max_dead_letters: 2,
    };
    WebhookHub::new(limits, &WebhookMetrics::default())
}

/// Events of a queue, a millisecond apart.
fn events(queue: &str, count: u32) -> Vec<Event> {
    let now = now();
    let at_its_time = |n: u32| Event {
        time: now.after(Duration::from_millis(n.into())),
        ..event(queue, n)
    };
    (0..count).map(at_its_time).collect()
}

async fn the_oldest_events_beyond_a_limit_become_dead_letters(store: &dyn AdminStore) {
    let all = events("a", 8);
    add(store, &all).await;
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(claimed.events, all[5..]);
    let status = status(store).await;
    let counts = (status.pending, status.dead, status.became_dead);
    assert_eq!(counts, (3, 2, 5));
    assert_eq!(status.oldest, Some(all[5].time));
    let letters = store.dead_letters(&endpoint(), None, 10).await.unwrap();
    let reasons: Vec<&str> = letters
        .entries
        .iter()
        .map(|one| one.reason.as_str())
        .collect();
    assert_eq!(reasons, ["too many pending events"; 2]);
}

async fn the_next_event_does_not_wait_for_one_that_is_gone(store: &dyn AdminStore) {
    let all = events("a", 4);
    add(store, &all[..3]).await;
    let claimed = claim(store).await.pop().unwrap();
    let later = Some(NextAttempt::After(Duration::from_secs(3_600)));
    finish(store, vec![result(&claimed, 0, later)]).await;
    assert_eq!(claim(store).await, []);
    add(store, &all[3..]).await;
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(claimed.events, all[1..]);
    assert_eq!(claimed.failed_attempts, 0);
    let letters = store.dead_letters(&endpoint(), None, 10).await.unwrap();
    assert_eq!(letters.entries[0].attempts, 1);
    // A claimed queue remains claimed.
    let mut newest = event("b", 1);
    newest.time = newest.time.after(Duration::from_secs(60));
    add(store, &[newest]).await;
    let claimed = claim(store).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    assert_eq!(claimed[0].queue, "b");
}

async fn results_of_an_event_that_is_gone_do_not_count_for_the_next_one(store: &dyn AdminStore) {
    let all = events("a", 5);
    add(store, &all[..3]).await;
    let claimed = claim(store).await.pop().unwrap();
    add(store, &all[3..4]).await;
    let later = Some(NextAttempt::After(Duration::from_secs(3_600)));
    finish(store, vec![result(&claimed, 0, later)]).await;
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(
        (&claimed.events[..], claimed.failed_attempts),
        (&all[1..4], 0)
    );
    // It is delivered although it has become a dead letter.
    add(store, &all[4..]).await;
    assert_eq!(status(store).await.dead, 2);
    finish(store, vec![result(&claimed, 1, None)]).await;
    let status = status(store).await;
    assert_eq!((status.pending, status.dead, status.delivered), (3, 1, 1));
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(claimed.events, all[2..]);
}

async fn events_are_sent_again_in_their_order_as_long_as_there_is_room(store: &dyn AdminStore) {
    let all = events("a", 5);
    add(store, &all).await;
    let endpoint = endpoint();
    let resend = |which| store.resend_dead_letters(&endpoint, which);
    let since = || Resend::Since(now().before(Duration::from_secs(60)));
    assert_eq!(resend(since()).await.unwrap(), 0);
    let claimed = claim(store).await.pop().unwrap();
    finish(store, vec![result(&claimed, 3, None)]).await;
    assert_eq!(resend(since()).await.unwrap(), 2);
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(claimed.events, all[..2]);
}

async fn events_that_are_sent_again_are_pending_since_then(store: &dyn AdminStore) {
    let long_ago = now().before(Duration::from_secs(3 * 24 * 3_600));
    let old = Event {
        time: long_ago,
        ..event("a", 1)
    };
    add(store, from_ref(&old)).await;
    assert_eq!(status(store).await.oldest, Some(long_ago));
    let claimed = claim(store).await.pop().unwrap();
    finish(
        store,
        vec![result(&claimed, 0, Some(NextAttempt::DeadLetter))],
    )
    .await;
    let before = now();
    let (endpoint, which) = (endpoint(), Resend::One(old.id.clone()));
    let resent = store.resend_dead_letters(&endpoint, which).await;
    assert_eq!(resent.unwrap(), 1);
    // The embedded store has the clock of this machine, and so has Redis.
    let oldest = status(store).await.oldest.unwrap();
    assert!(oldest >= before, "{oldest} is before {before}");
    // Of events of the last hour, the first one is now the oldest.
    let hour_ago = |event: Event| Event {
        time: event.time.before(Duration::from_secs(3_600)),
        ..event
    };
    let new: Vec<Event> = events("b", 3).into_iter().map(hour_ago).collect();
    add(store, &new).await;
    let dead = store.dead_letters(&endpoint, None, 10).await.unwrap();
    let dead: Vec<&Event> = dead.entries.iter().map(|letter| &letter.event).collect();
    assert_eq!(dead, [&new[0]]);
    // What receivers get is unchanged.
    let claimed = claim(store).await;
    assert_eq!(claimed[0].events, [old]);
    assert_eq!(claimed[1].events, new[1..]);
}

async fn events_are_deleted(store: &dyn AdminStore) {
    assert_eq!(store.webhook_endpoints().await.unwrap(), []);
    add(store, &events("a", 5)).await;
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(store.webhook_endpoints().await.unwrap(), [endpoint()]);
    let endpoint = endpoint();
    let delete = async || store.delete_webhook_events(&endpoint).await.unwrap();
    assert_eq!((delete().await, delete().await), (5, 0));
    // Those that were in delivery do not come back with their result.
    let later = Some(NextAttempt::After(Duration::ZERO));
    finish(store, vec![result(&claimed, 1, later)]).await;
    let status_after = status(store).await;
    let counts = (status_after.pending, status_after.dead);
    assert_eq!((counts, status_after.became_dead), ((0, 0), 2));
    assert_eq!(claim(store).await, []);
    let next = events("a", 6).split_off(5);
    add(store, &next).await;
    assert_eq!(claim(store).await.pop().unwrap().events, next);
}
