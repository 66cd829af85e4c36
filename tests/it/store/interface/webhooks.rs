//! The queues of webhook endpoints: claims, results, dead letters and bounds.

use std::time::Duration;

use serde_json::{Map, json};
use switchboard::{
    model::{
        ServiceId,
        webhook::{
            ClaimedQueue, DeliveryFailure, EndpointStatus, Event, EventId, EventType, NextAttempt,
            QueueResult, Resend, WebhookEndpoint,
        },
    },
    store::AdminStore,
};

use crate::support::{eventually, now, stores::on_every_store};

mod overflow;

on_every_store!(
    events_of_a_queue_are_claimed_in_order,
    a_claim_lasts_until_its_lease_ends,
    an_event_is_added_once,
    a_failure_delays_only_its_queue,
    many_results_are_recorded_at_once,
    events_become_dead_letters_and_are_sent_again,
    a_stopped_endpoint_has_no_due_events,
    dead_letters_are_paginated,
    signals_name_the_endpoint,
);

const LEASE: Duration = Duration::from_secs(60);

pub(super) fn endpoint() -> WebhookEndpoint {
    WebhookEndpoint::of_definition("chat}a/b")
}

/// An event of a queue; different numbers are different events. Without a queue it is independent of all others.
fn event(queue: &str, number: u32) -> Event {
    let event_type = match queue {
        "" => EventType::WebhookTest,
        _ => EventType::ChatMessage,
    };
    Event {
        id: EventId::new(event_type, queue, &number.to_string()),
        event_type,
        time: now(),
        service: (!queue.is_empty()).then(|| ServiceId::from(queue.to_owned())),
        definition: Some("chat".to_owned()),
        data: Map::from_iter([("n".to_owned(), json!(number))]),
    }
}

async fn add(store: &dyn AdminStore, events: &[Event]) {
    for event in events {
        store.add_event(&endpoint(), event.clone()).await.unwrap();
    }
}

async fn claim(store: &dyn AdminStore) -> Vec<ClaimedQueue> {
    let claimed = store.claim_deliveries(&endpoint(), 100, LEASE).await;
    let mut claimed = claimed.unwrap();
    claimed.sort_by(|a, b| a.queue.cmp(&b.queue));
    claimed
}

/// The result that the first `delivered` events were delivered, and what happened to the next one.
fn result(claimed: &ClaimedQueue, delivered: usize, next: Option<NextAttempt>) -> QueueResult {
    let ids = claimed.events.iter().map(|event| event.id.clone());
    QueueResult {
        queue: claimed.queue.clone(),
        claim: claimed.claim.clone(),
        delivered: ids.take(delivered).collect(),
        failure: next.map(|next| DeliveryFailure {
            error: "status 500".to_owned(),
            next,
        }),
    }
}

async fn finish(store: &dyn AdminStore, results: Vec<QueueResult>) {
    store.finish_deliveries(&endpoint(), results).await.unwrap();
}

async fn status(store: &dyn AdminStore) -> EndpointStatus {
    let all = store.webhook_status(&[endpoint()]).await.unwrap();
    all.into_iter().next().unwrap()
}

async fn events_of_a_queue_are_claimed_in_order(store: &dyn AdminStore) {
    let all: Vec<Event> = (0..20).map(|n| event("a", n)).collect();
    add(store, &all).await;
    let without_service = event("", 1);
    add(store, std::slice::from_ref(&without_service)).await;
    let claimed = claim(store).await;
    assert_eq!(claimed.len(), 2, "{claimed:?}");
    assert_eq!(claimed[0].events, all[..16]);
    assert_eq!(claimed[1].events, [without_service]);
    let results = vec![result(&claimed[0], 16, None), result(&claimed[1], 1, None)];
    finish(store, results).await;
    let rest = claim(store).await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(rest[0].events, all[16..]);
    finish(store, vec![result(&rest[0], 4, None)]).await;
    assert_eq!(claim(store).await, []);
    let status = status(store).await;
    let counts = (status.pending, status.delivered, status.failed, status.dead);
    assert_eq!(counts, (0, 21, 0, 0));
    assert!(status.last_success.is_some() && status.oldest.is_none());
}

async fn a_claim_lasts_until_its_lease_ends(store: &dyn AdminStore) {
    add(store, &[event("a", 1), event("a", 2)]).await;
    let short = Duration::from_millis(50);
    let first = store.claim_deliveries(&endpoint(), 1, short).await.unwrap();
    let second = eventually("the lease ends", async || claim(store).await.pop()).await;
    assert_eq!(first[0].events, second.events);
    assert_eq!(claim(store).await, []);
    // The first one has delivered an event meanwhile; its failure is that of an old claim.
    let late = result(&first[0], 1, Some(NextAttempt::StopEndpoint));
    finish(store, vec![late]).await;
    let after = status(store).await;
    assert_eq!((after.pending, after.delivered), (1, 1));
    assert_eq!((after.failed, after.stopped_since), (0, None));
    assert_eq!(claim(store).await, []);
    finish(store, vec![result(&second, 2, None)]).await;
    assert_eq!(status(store).await.pending, 0);
}

async fn an_event_is_added_once(store: &dyn AdminStore) {
    add(store, &[event("a", 1), event("a", 1)]).await;
    let claimed = claim(store).await;
    assert_eq!(claimed[0].events.len(), 1);
    add(store, &[event("a", 1)]).await;
    let dead = result(&claimed[0], 0, Some(NextAttempt::DeadLetter));
    finish(store, vec![dead]).await;
    add(store, &[event("a", 1)]).await;
    let status = status(store).await;
    assert_eq!((status.pending, status.dead), (0, 1));
}

async fn a_failure_delays_only_its_queue(store: &dyn AdminStore) {
    add(store, &[event("a", 1), event("a", 2), event("b", 1)]).await;
    let claimed = claim(store).await;
    let retry = Some(NextAttempt::After(Duration::from_secs(2)));
    let results = vec![result(&claimed[0], 0, retry), result(&claimed[1], 0, None)];
    finish(store, results).await;
    // What was not attempted is due at once.
    let again = claim(store).await;
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(
        (again[0].queue.as_str(), again[0].failed_attempts),
        ("b", 0)
    );
    let failed = status(store).await;
    assert_eq!(failed.failed, 1);
    assert_eq!(failed.last_failure.unwrap().1, "status 500");
    let retried = eventually("the queue is due", async || claim(store).await.pop()).await;
    assert_eq!((retried.queue.as_str(), retried.failed_attempts), ("a", 1));
    let retry = Some(NextAttempt::After(Duration::ZERO));
    finish(store, vec![result(&retried, 0, retry)]).await;
    let retried = claim(store).await.pop().unwrap();
    assert_eq!(retried.failed_attempts, 2);
    // The failures of one event do not count for the next one.
    finish(store, vec![result(&retried, 1, retry)]).await;
    let next = claim(store).await.pop().unwrap();
    assert_eq!((next.failed_attempts, next.events.len()), (1, 1));
}

/// More than a script passes to one command.
async fn many_results_are_recorded_at_once(store: &dyn AdminStore) {
    for queue in 0..100 {
        let all: Vec<Event> = (0..16).map(|n| event(&format!("{queue:02}"), n)).collect();
        add(store, &all).await;
    }
    let claimed = claim(store).await;
    let retry = Some(NextAttempt::After(Duration::ZERO));
    let results = claimed.iter().enumerate().map(|(index, one)| {
        assert_eq!(one.events.len(), 16);
        match index % 10 {
            0 => result(one, 5, retry),
            1 => result(one, 0, Some(NextAttempt::DeadLetter)),
            2 => result(one, 0, None),
            _ => result(one, 16, None),
        }
    });
    finish(store, results.collect()).await;
    let (rest, after) = (claim(store).await, status(store).await);
    let counts = (after.pending, after.delivered, after.failed, after.dead);
    assert_eq!(counts, (420, 1_170, 20, 10));
    let rest: Vec<_> = rest
        .iter()
        .map(|one| (&*one.queue, one.events[0].clone(), one.failed_attempts))
        .collect();
    let expected = (0..100).filter_map(|queue| {
        let (first, failed_attempts) = match queue % 10 {
            0 => (5, 1),
            1 => (1, 0),
            2 => (0, 0),
            _ => return None,
        };
        let queue = &claimed[queue].queue;
        Some((&**queue, first, failed_attempts))
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(rest.len(), expected.len());
    for (one, (queue, first, failed_attempts)) in rest.iter().zip(expected) {
        assert_eq!((one.0, one.2), (queue, failed_attempts));
        assert_eq!(one.1.data["n"], json!(first));
    }
}

async fn events_become_dead_letters_and_are_sent_again(store: &dyn AdminStore) {
    let all = [event("a", 1), event("a", 2), event("a", 3)];
    add(store, &all).await;
    let claimed = claim(store).await.pop().unwrap();
    let retry = Some(NextAttempt::After(Duration::ZERO));
    finish(store, vec![result(&claimed, 0, retry)]).await;
    let claimed = claim(store).await.pop().unwrap();
    let dead = Some(NextAttempt::DeadLetter);
    finish(store, vec![result(&claimed, 0, dead)]).await;
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(
        (&claimed.events[..], claimed.failed_attempts),
        (&all[1..], 0)
    );
    finish(store, vec![result(&claimed, 1, dead)]).await;
    assert_eq!(claim(store).await, []);
    let letters = store.dead_letters(&endpoint(), None, 10).await.unwrap();
    let mut attempts: Vec<_> = letters
        .entries
        .iter()
        .map(|one| (one.event.clone(), one.attempts))
        .collect();
    attempts.sort_by_key(|(_, attempts)| std::cmp::Reverse(*attempts));
    assert_eq!(attempts, [(all[0].clone(), 2), (all[2].clone(), 1)]);
    assert_eq!(letters.entries[0].reason, "status 500");
    let endpoint = endpoint();
    let resend = |which| store.resend_dead_letters(&endpoint, which);
    assert_eq!(resend(Resend::One(all[1].id.clone())).await.unwrap(), 0);
    assert_eq!(resend(Resend::One(all[2].id.clone())).await.unwrap(), 1);
    let later = now().after(Duration::from_secs(60));
    assert_eq!(resend(Resend::Since(later)).await.unwrap(), 0);
    let since = now().before(Duration::from_secs(60));
    assert_eq!(resend(Resend::Since(since)).await.unwrap(), 1);
    let claimed = claim(store).await.pop().unwrap();
    assert_eq!(claimed.events, [all[2].clone(), all[0].clone()]);
    let status = status(store).await;
    assert_eq!((status.dead, status.became_dead), (0, 2));
}

async fn a_stopped_endpoint_has_no_due_events(store: &dyn AdminStore) {
    add(store, &[event("a", 1), event("b", 1)]).await;
    let claimed = claim(store).await;
    let stop = Some(NextAttempt::StopEndpoint);
    let results = vec![result(&claimed[0], 0, stop), result(&claimed[1], 1, None)];
    finish(store, results).await;
    add(store, &[event("c", 1)]).await;
    assert_eq!(claim(store).await, []);
    let stopped = status(store).await;
    assert_eq!((stopped.pending, stopped.delivered), (2, 1));
    assert!(stopped.stopped_since.is_some());
    assert!(store.resume_endpoint(&endpoint()).await.unwrap());
    assert!(!store.resume_endpoint(&endpoint()).await.unwrap());
    let claimed = claim(store).await;
    let queues: Vec<(&str, u32)> = claimed
        .iter()
        .map(|one| (one.queue.as_str(), one.failed_attempts))
        .collect();
    assert_eq!(queues, [("a", 1), ("c", 0)]);
    assert_eq!(status(store).await.stopped_since, None);
}

async fn dead_letters_are_paginated(store: &dyn AdminStore) {
    let all: Vec<Event> = (0..5).map(|n| event(&n.to_string(), n)).collect();
    add(store, &all).await;
    let claimed = claim(store).await;
    let dead = claimed
        .iter()
        .map(|one| result(one, 0, Some(NextAttempt::DeadLetter)));
    finish(store, dead.collect()).await;
    let (mut after, mut ids) = (None, Vec::new());
    loop {
        let page = store
            .dead_letters(&endpoint(), after.as_ref(), 2)
            .await
            .unwrap();
        assert!(page.entries.len() <= 2);
        ids.extend(page.entries.into_iter().map(|letter| letter.event.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ids.sort();
    let mut expected: Vec<EventId> = all.into_iter().map(|event| event.id).collect();
    expected.sort();
    assert_eq!(ids, expected);
}

async fn signals_name_the_endpoint(store: &dyn AdminStore) {
    add(store, &[event("a", 1)]).await;
    assert_eq!(store.next_webhook_signal().await, endpoint());
}
