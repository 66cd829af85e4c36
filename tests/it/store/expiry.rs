//! The end of a service: by its time, moved, or at once.

use switchboard::store::{CHUNK_BYTES, ServiceId, Store, Timestamp, WriteResult};

use crate::support::{
    eventually, now,
    stores::{
        create_service, create_until, download, file, in_ms, key, on_every_store, owned_pairs,
        read_strings, remove_changes, set_changes, sleep_until, test_bytes, text, try_read_strings,
        upload, write_changes,
    },
};

on_every_store!(
    a_service_ends_at_its_end_and_not_before,
    a_value_outlives_no_service,
    bytes_end_with_their_service,
    a_life_made_longer_keeps_everything,
    a_life_made_shorter_ends_everything_sooner,
    what_is_stored_after_the_end_was_moved_ends_with_it,
    an_end_in_the_past_ends_a_service_at_once,
    an_end_may_be_moved_again_and_again,
    a_service_that_ended_cannot_be_moved,
    a_service_that_was_deleted_is_gone_for_every_verb,
    deleting_a_service_leaves_others_alone,
);

/// Nothing finds the service any more, nor brings it back.
async fn assert_gone(store: &dyn Store, id: &ServiceId) {
    let written = store.write(id, set_changes(vec![text("k", "v")])).await;
    assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
    let written = store.write(id, remove_changes(&["k"])).await;
    assert_eq!(written.unwrap(), WriteResult::ServiceNotFound);
    assert_eq!(store.clear(id).await.unwrap(), None);
    assert_eq!(store.set_end(id, in_ms(60_000)).await.unwrap(), None);
    assert_eq!(store.definition(id).await.unwrap(), None);
    assert_eq!(store.describe(id).await.unwrap(), None);
    assert_eq!(store.read(id, &key("k")).await.unwrap(), None);
    assert_eq!(try_read_strings(store, id).await, None);
    assert_eq!(store.find_binary(id, &key("map")).await.unwrap(), None);
    assert_eq!(store.delete(id).await.unwrap(), None);
}

async fn a_service_ends_at_its_end_and_not_before(store: &dyn Store) {
    let end = in_ms(150);
    let id = create_until(store, end, vec![text("k", "v")]).await;
    eventually("the service ends", async || {
        let asked = now();
        let read = try_read_strings(store, &id).await;
        if read.is_some() {
            assert!(asked <= end, "alive at {asked}, after {end}");
            return None;
        }
        assert!(now() >= end, "gone before {end}");
        Some(())
    })
    .await;
    assert_gone(store, &id).await;
}

async fn a_value_outlives_no_service(store: &dyn Store) {
    let end = in_ms(100);
    let id = create_until(store, end, Vec::new()).await;
    write_changes(store, &id, set_changes(vec![text("k", "v")])).await;
    sleep_until(end).await;
    assert_gone(store, &id).await;
}

async fn bytes_end_with_their_service(store: &dyn Store) {
    let end = in_ms(200);
    let id = create_until(store, end, Vec::new()).await;
    let binary = upload(store, &id, &test_bytes(2 * CHUNK_BYTES)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    sleep_until(end).await;
    assert_gone(store, &id).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

async fn a_life_made_longer_keeps_everything(store: &dyn Store) {
    let (end, later) = (in_ms(200), in_ms(60_000));
    let id = create_until(store, end, vec![text("k", "v")]).await;
    let old = upload(store, &id, &test_bytes(10)).await;
    let new = upload(store, &id, &test_bytes(CHUNK_BYTES + 1)).await;
    let other = upload(store, &id, &test_bytes(20)).await;
    write_changes(store, &id, set_changes(vec![file("map", &old)])).await;
    let both = set_changes(vec![file("map", &new), file("other", &other)]);
    write_changes(store, &id, both).await;
    assert_eq!(store.set_end(&id, later).await.unwrap(), Some(()));
    sleep_until(end).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((told.end, told.binaries.len()), (later, 2));
    assert!(download(store, &id, &new).await == Some(test_bytes(CHUNK_BYTES + 1)));
    assert!(download(store, &id, &other).await == Some(test_bytes(20)));
}

async fn a_life_made_shorter_ends_everything_sooner(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    let end = in_ms(150);
    assert_eq!(store.set_end(&id, end).await.unwrap(), Some(()));
    eventually("the service ends", async || {
        let asked = now();
        let read = try_read_strings(store, &id).await;
        assert!(read.is_none() || asked <= end, "alive after {end}");
        read.is_none().then_some(())
    })
    .await;
    assert!(now() >= end, "gone before {end}");
    assert_gone(store, &id).await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

async fn what_is_stored_after_the_end_was_moved_ends_with_it(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let end = in_ms(200);
    store.set_end(&id, end).await.unwrap();
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    sleep_until(end).await;
    assert_gone(store, &id).await;
    assert_eq!(download(store, &id, &binary).await, None);

    let end = in_ms(100);
    let id = create_until(store, end, Vec::new()).await;
    store.set_end(&id, in_ms(60_000)).await.unwrap();
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    sleep_until(end).await;
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

async fn an_end_in_the_past_ends_a_service_at_once(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    let moved = store.set_end(&id, Timestamp::from_millis(1)).await.unwrap();
    assert_eq!(moved, Some(()));
    assert_gone(store, &id).await;
    assert_eq!(download(store, &id, &binary).await, None);
}

async fn an_end_may_be_moved_again_and_again(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    for seconds in [50, 70, 40, 90, 90] {
        let end = in_ms(1_000 * seconds);
        assert_eq!(store.set_end(&id, end).await.unwrap(), Some(()));
        let told = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(told.end, end);
    }
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

async fn a_service_that_ended_cannot_be_moved(store: &dyn Store) {
    let end = in_ms(50);
    let id = create_until(store, end, vec![text("k", "v")]).await;
    sleep_until(end).await;
    assert_eq!(store.set_end(&id, in_ms(60_000)).await.unwrap(), None);
    assert_gone(store, &id).await;
}

async fn a_service_that_was_deleted_is_gone_for_every_verb(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &binary)])).await;
    assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    assert_gone(store, &id).await;
}

async fn deleting_a_service_leaves_others_alone(store: &dyn Store) {
    let (gone, stays) = (
        create_service(store, Vec::new()).await,
        create_service(store, Vec::new()).await,
    );
    let binary = upload(store, &stays, &test_bytes(10)).await;
    let both = vec![text("k", "v"), file("map", &binary)];
    write_changes(store, &stays, set_changes(both)).await;
    store.delete(&gone).await.unwrap();
    assert_eq!(
        read_strings(store, &stays).await,
        owned_pairs(&[("k", "v")])
    );
    let bytes = download(store, &stays, &binary).await;
    assert_eq!(bytes, Some(test_bytes(10)));
}
