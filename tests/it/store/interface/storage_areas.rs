//! Writes that change the expiration time of a storage area.

use std::time::Duration;

use switchboard::{
    model::{BlobId, CHUNK_BYTES, Changes, CreateResult, ServiceId, Timestamp, WriteResult},
    store::Store,
};

use super::idempotency_claims::{assert_free, assert_replayed, claim, fresh_key};
use crate::support::{
    ends::{before_end, is_written},
    now,
    stores::{
        MAX_KEYS, download, file, in_ms, key, on_every_store, owned_pairs, read_strings,
        remove_changes, set_changes, sleep_until, storage_area, test_bytes, text, try_read_strings,
        upload, write_with_ttl,
    },
};

on_every_store!(
    write_extends_storage_area,
    write_shortens_storage_area,
    write_without_changes_extends_storage_area,
    binaries_follow_the_ttl_of_a_write,
    new_binaries_have_the_ttl_of_their_write,
    write_with_ttl_replaces_binaries,
    rejected_write_does_not_change_the_end,
    ended_storage_area_is_not_revived,
    idempotency_key_follows_the_ttl_of_a_write,
    rejected_write_does_not_change_an_idempotency_key,
    concurrent_writes_with_ttl_are_all_stored,
);

/// Creates a storage area with a string, which ends at `end`.
async fn create_until(store: &dyn Store, end: Timestamp) -> ServiceId {
    let id = ServiceId::generate_for_storage_area();
    let area = storage_area(&id, end, vec![text("k", "v")]);
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    id
}

async fn end_of(store: &dyn Store, id: &ServiceId) -> Timestamp {
    store.describe(id).await.unwrap().unwrap().end
}

/// A write that exceeds the maximum number of keys, and one with a lost upload.
async fn rejected_writes(store: &dyn Store, id: &ServiceId) -> [(Changes, WriteResult); 2] {
    let too_many = (0..=MAX_KEYS).map(|n| text(&format!("key {n}"), "v"));
    let mut lost = upload(store, id, &test_bytes(10)).await;
    lost.blob = BlobId::generate();
    let lost = set_changes(vec![text("k", "new"), file("lost", &lost)]);
    [
        (set_changes(too_many.collect()), WriteResult::TooManyKeys),
        (lost, WriteResult::UploadLost),
    ]
}

/// Sends [`rejected_writes`] with a short TTL, and waits until it would have expired.
async fn send_rejected_writes(store: &dyn Store, id: &ServiceId) {
    for (changes, expected) in rejected_writes(store, id).await {
        let ttl = Some(Duration::from_millis(50));
        let written = store.write(id, &changes, ttl).await.unwrap();
        assert_eq!(written, expected);
    }
    sleep_until(in_ms(50)).await;
}

async fn write_extends_storage_area(store: &dyn Store) {
    let ((id, earliest), end) = before_end(200, async |end| {
        let id = create_until(store, end).await;
        let (earliest, changes) = (in_ms(59_000), set_changes(vec![text("l", "w")]));
        let stored = is_written(store, &id, changes, Some(60_000)).await;
        stored.then_some((id, earliest))
    })
    .await;
    sleep_until(end).await;
    let expected = owned_pairs(&[("k", "v"), ("l", "w")]);
    assert_eq!(read_strings(store, &id).await, expected);
    let end = end_of(store, &id).await;
    assert!(earliest < end && end < in_ms(61_000), "{end}");
}

async fn write_shortens_storage_area(store: &dyn Store) {
    let id = create_until(store, in_ms(60_000)).await;
    write_with_ttl(store, &id, set_changes(vec![text("l", "w")]), 100).await;
    sleep_until(in_ms(100)).await;
    assert_eq!(try_read_strings(store, &id).await, None);
    assert_eq!(store.definition(&id).await.unwrap(), None);
}

async fn write_without_changes_extends_storage_area(store: &dyn Store) {
    let (id, end) = before_end(150, async |end| {
        let id = create_until(store, end).await;
        let stored = is_written(store, &id, Changes::default(), Some(60_000)).await;
        stored.then_some(id)
    })
    .await;
    sleep_until(end).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
}

async fn binaries_follow_the_ttl_of_a_write(store: &dyn Store) {
    let bytes = test_bytes(CHUNK_BYTES + 1);
    let ((id, first, second), end) = before_end(400, async |end| {
        let id = create_until(store, end).await;
        let (first, second) = (
            upload(store, &id, &bytes).await,
            upload(store, &id, &bytes).await,
        );
        for (name, binary) in [("first", &first), ("second", &second)] {
            let changes = set_changes(vec![file(name, binary)]);
            store.write(&id, &changes, None).await.unwrap();
        }
        let changes = set_changes(vec![text("l", "w")]);
        let stored = is_written(store, &id, changes, Some(60_000)).await;
        stored.then_some((id, first, second))
    })
    .await;
    sleep_until(end).await;
    for binary in [&first, &second] {
        assert!(download(store, &id, binary).await.as_ref() == Some(&bytes));
    }
    write_with_ttl(store, &id, remove_changes(&["l"]), 100).await;
    sleep_until(in_ms(100)).await;
    assert_eq!(try_read_strings(store, &id).await, None);
    for binary in [&first, &second] {
        assert_eq!(download(store, &id, binary).await, None);
    }
}

async fn new_binaries_have_the_ttl_of_their_write(store: &dyn Store) {
    let ((id, first, second), end) = before_end(400, async |end| {
        let id = create_until(store, end).await;
        let (first, second) = (
            upload(store, &id, &test_bytes(10)).await,
            upload(store, &id, &test_bytes(20)).await,
        );
        for (name, binary) in [("first", &first), ("second", &second)] {
            let changes = set_changes(vec![file(name, binary)]);
            if !is_written(store, &id, changes, Some(60_000)).await {
                return None;
            }
        }
        Some((id, first, second))
    })
    .await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &first).await, Some(test_bytes(10)));
    assert_eq!(download(store, &id, &second).await, Some(test_bytes(20)));
}

async fn write_with_ttl_replaces_binaries(store: &dyn Store) {
    let id = create_until(store, in_ms(60_000)).await;
    let mut binaries = Vec::new();
    for size in [10, 20, 30] {
        let binary = upload(store, &id, &test_bytes(size)).await;
        write_with_ttl(store, &id, set_changes(vec![file("map", &binary)]), 60_000).await;
        binaries.push(binary);
    }
    let found = store.find_binary(&id, &key("map")).await.unwrap();
    assert_eq!(found, Some(Some(binaries[2].clone())));
    // Replaced binaries remain readable for downloads in progress.
    for (binary, size) in binaries.iter().zip([10, 20, 30]) {
        assert_eq!(download(store, &id, binary).await, Some(test_bytes(size)));
    }
    write_with_ttl(store, &id, set_changes(vec![text("map", "text")]), 60_000).await;
    let expected = owned_pairs(&[("k", "v"), ("map", "text")]);
    assert_eq!(read_strings(store, &id).await, expected);
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(description.binaries, []);
}

async fn rejected_write_does_not_change_the_end(store: &dyn Store) {
    let id = create_until(store, in_ms(60_000)).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_with_ttl(store, &id, set_changes(vec![file("map", &binary)]), 60_000).await;
    let end = end_of(store, &id).await;
    send_rejected_writes(store, &id).await;
    assert_eq!(end_of(store, &id).await, end);
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

async fn ended_storage_area_is_not_revived(store: &dyn Store) {
    let end = in_ms(50);
    let expired = create_until(store, end).await;
    let deleted = create_until(store, in_ms(60_000)).await;
    store.delete(&deleted).await.unwrap();
    sleep_until(end).await;
    let unknown = ServiceId::generate_for_storage_area();
    for id in [expired, deleted, unknown, ServiceId::custom("ann", "a")] {
        let binary = upload(store, &id, &test_bytes(10)).await;
        for set in [Vec::new(), vec![text("k", "v"), file("map", &binary)]] {
            let ttl = Some(Duration::from_secs(60));
            let written = store.write(&id, &set_changes(set), ttl).await.unwrap();
            assert_eq!(written, WriteResult::ServiceNotFound);
        }
        assert_eq!(store.definition(&id).await.unwrap(), None);
    }
}

async fn idempotency_key_follows_the_ttl_of_a_write(store: &dyn Store) {
    let ((key, id), end) = before_end(200, async |end| {
        let key = fresh_key();
        let (id, _) = claim(store, &key).await;
        let mut area = storage_area(&id, end, Vec::new());
        area.idempotency = Some((key.clone(), "the response".to_owned()));
        assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
        let changes = set_changes(vec![text("k", "v")]);
        let stored = is_written(store, &id, changes, Some(60_000)).await;
        stored.then_some((key, id))
    })
    .await;
    sleep_until(end).await;
    assert_replayed(store, &key, &id).await;
    write_with_ttl(store, &id, set_changes(vec![text("k", "w")]), 100).await;
    sleep_until(in_ms(100)).await;
    assert_free(store, &key).await;
}

async fn rejected_write_does_not_change_an_idempotency_key(store: &dyn Store) {
    let key = fresh_key();
    let (id, _) = claim(store, &key).await;
    let mut area = storage_area(&id, in_ms(60_000), Vec::new());
    area.idempotency = Some((key.clone(), "the response".to_owned()));
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    send_rejected_writes(store, &id).await;
    assert_replayed(store, &key, &id).await;
}

async fn concurrent_writes_with_ttl_are_all_stored(store: &dyn Store) {
    let id = create_until(store, in_ms(60_000)).await;
    let mut writes = Vec::new();
    for n in 0..6 {
        let binary = upload(store, &id, &test_bytes(n + 1)).await;
        let name = format!("file {n}");
        writes.push((name.clone(), set_changes(vec![file(&name, &binary)])));
    }
    let all = writes.into_iter().map(async |(name, changes)| {
        write_with_ttl(store, &id, changes, 60_000).await;
        name
    });
    let names = futures_util::future::join_all(all).await;
    let earliest = now().after(Duration::from_secs(50));
    for (n, name) in names.iter().enumerate() {
        let found = store.find_binary(&id, &key(name)).await.unwrap();
        let binary = found.unwrap().unwrap();
        assert_eq!(download(store, &id, &binary).await, Some(test_bytes(n + 1)));
    }
    assert!(end_of(store, &id).await > earliest);
}
