//! The end of a service: by expiration, after a change, or by deletion.

use switchboard::{
    model::{CHUNK_BYTES, ServiceId, Timestamp, WriteCondition, WriteResult},
    store::Store,
};

use crate::support::{
    ends::{before_end, is_written},
    eventually, now,
    stores::{
        create_service, create_until, download, file, in_ms, key, on_every_store, owned_pairs,
        read_strings, remove_changes, set_changes, sleep_until, test_bytes, text, try_read_strings,
        upload, write_changes,
    },
};

on_every_store!(
    service_expires_at_its_end,
    values_expire_with_their_service,
    binaries_expire_with_their_service,
    extension_preserves_all_data,
    shortening_expires_all_data_earlier,
    data_stored_after_end_change_uses_new_end,
    end_in_the_past_deletes_service,
    end_can_be_changed_repeatedly,
    end_of_expired_service_cannot_be_changed,
    no_operation_finds_deleted_service,
    deleting_a_service_does_not_affect_others,
);

/// No operation finds the service or recreates it.
async fn assert_not_found(store: &dyn Store, id: &ServiceId) {
    let written = store
        .write(id, &set_changes(vec![text("k", "v")]), None)
        .await;
    assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
    let written = store.write(id, &remove_changes(&["k"]), None).await;
    assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
    let cleared = store.clear(id, &WriteCondition::default()).await;
    assert_eq!(cleared.unwrap(), WriteResult::ServiceNotFound);
    assert_eq!(store.set_end(id, in_ms(60_000)).await.unwrap(), None);
    assert_eq!(store.definition(id).await.unwrap(), None);
    assert_eq!(store.describe(id).await.unwrap(), None);
    assert_eq!(store.read(id, &key("k")).await.unwrap(), None);
    assert_eq!(try_read_strings(store, id).await, None);
    assert_eq!(store.find_binary(id, &key("map")).await.unwrap(), None);
    assert_eq!(store.delete(id).await.unwrap(), None);
}

async fn service_expires_at_its_end(store: &dyn Store) {
    let end = in_ms(150);
    let id = create_until(store, end, vec![text("k", "v")]).await;
    eventually("the service ends", async || {
        let before = now();
        let read = try_read_strings(store, &id).await;
        if read.is_some() {
            assert!(before <= end, "active at {before}, after {end}");
            return None;
        }
        assert!(now() >= end, "expired before {end}");
        Some(())
    })
    .await;
    assert_not_found(store, &id).await;
}

async fn values_expire_with_their_service(store: &dyn Store) {
    let (id, end) = before_end(100, async |end| {
        let id = create_until(store, end, Vec::new()).await;
        let changes = set_changes(vec![text("k", "v")]);
        let stored = is_written(store, &id, changes, None).await;
        stored.then_some(id)
    })
    .await;
    sleep_until(end).await;
    assert_not_found(store, &id).await;
}

async fn binaries_expire_with_their_service(store: &dyn Store) {
    let ((id, binary), end) = before_end(200, async |end| {
        let id = create_until(store, end, Vec::new()).await;
        let binary = upload(store, &id, &test_bytes(2 * CHUNK_BYTES)).await;
        let changes = set_changes(vec![file("map", &binary)]);
        let stored = is_written(store, &id, changes, None).await;
        stored.then_some((id, binary))
    })
    .await;
    sleep_until(end).await;
    assert_not_found(store, &id).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

async fn extension_preserves_all_data(store: &dyn Store) {
    let later = in_ms(60_000);
    let ((id, new, other), end) = before_end(200, async |end| {
        let id = create_until(store, end, vec![text("k", "v")]).await;
        let old = upload(store, &id, &test_bytes(10)).await;
        let new = upload(store, &id, &test_bytes(CHUNK_BYTES + 1)).await;
        let other = upload(store, &id, &test_bytes(20)).await;
        let first = set_changes(vec![file("map", &old)]);
        let both = set_changes(vec![file("map", &new), file("other", &other)]);
        let stored =
            is_written(store, &id, first, None).await && is_written(store, &id, both, None).await;
        store.set_end(&id, later).await.unwrap()?;
        stored.then_some((id, new, other))
    })
    .await;
    sleep_until(end).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.end, description.binaries.len()), (later, 2));
    assert!(download(store, &id, &new).await == Some(test_bytes(CHUNK_BYTES + 1)));
    assert!(download(store, &id, &other).await == Some(test_bytes(20)));
}

async fn shortening_expires_all_data_earlier(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    let end = in_ms(150);
    assert_eq!(store.set_end(&id, end).await.unwrap(), Some(()));
    eventually("the service ends", async || {
        let before = now();
        let read = try_read_strings(store, &id).await;
        assert!(read.is_none() || before <= end, "active after {end}");
        read.is_none().then_some(())
    })
    .await;
    assert!(now() >= end, "expired before {end}");
    assert_not_found(store, &id).await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

async fn data_stored_after_end_change_uses_new_end(store: &dyn Store) {
    let ((id, binary), end) = before_end(200, async |end| {
        let id = create_service(store, Vec::new()).await;
        store.set_end(&id, end).await.unwrap();
        let binary = upload(store, &id, &test_bytes(10)).await;
        let changes = set_changes(vec![file("map", &binary)]);
        let stored = is_written(store, &id, changes, None).await;
        stored.then_some((id, binary))
    })
    .await;
    sleep_until(end).await;
    assert_not_found(store, &id).await;
    assert_eq!(download(store, &id, &binary).await, None);

    let (id, end) = before_end(100, async |end| {
        let id = create_until(store, end, Vec::new()).await;
        store.set_end(&id, in_ms(60_000)).await.unwrap()?;
        Some(id)
    })
    .await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

async fn end_in_the_past_deletes_service(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    let changed = store.set_end(&id, Timestamp::from_millis(1)).await.unwrap();
    assert_eq!(changed, Some(()));
    assert_not_found(store, &id).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

async fn end_can_be_changed_repeatedly(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    for seconds in [50, 70, 40, 90, 90] {
        let end = in_ms(1_000 * seconds);
        assert_eq!(store.set_end(&id, end).await.unwrap(), Some(()));
        let description = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(description.end, end);
    }
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

async fn end_of_expired_service_cannot_be_changed(store: &dyn Store) {
    let end = in_ms(50);
    let id = create_until(store, end, vec![text("k", "v")]).await;
    sleep_until(end).await;
    assert_eq!(store.set_end(&id, in_ms(60_000)).await.unwrap(), None);
    assert_not_found(store, &id).await;
}

async fn no_operation_finds_deleted_service(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    assert_not_found(store, &id).await;
}

async fn deleting_a_service_does_not_affect_others(store: &dyn Store) {
    let (deleted, remaining) = (
        create_service(store, Vec::new()).await,
        create_service(store, Vec::new()).await,
    );
    let binary = upload(store, &remaining, &test_bytes(10)).await;
    let both = vec![text("k", "v"), file("map", &binary)];
    write_changes(store, &remaining, set_changes(both)).await;
    store.delete(&deleted).await.unwrap();
    assert_eq!(
        read_strings(store, &remaining).await,
        owned_pairs(&[("k", "v")])
    );
    let bytes = download(store, &remaining, &binary).await;
    assert_eq!(bytes, Some(test_bytes(10)));
}
