//! Storage areas with custom ids, which can be used again after their end.

use futures_util::future::join_all;
use switchboard::{
    model::{CreateResult, ServiceId, ServiceQuery, StoredKind, Timestamp},
    store::{AdminStore, Store},
};

use crate::support::stores::{
    download, file, in_ms, key, on_every_store, owned_pairs, read_strings, set_changes,
    sleep_until, storage_area, test_bytes, text, try_read_strings, upload, write_with_ttl,
};

on_every_store!(
    deleted_custom_id_can_be_used_again,
    expired_custom_id_can_be_used_again,
    create_with_existing_custom_id_changes_nothing,
    concurrent_creates_with_a_custom_id_create_one,
    custom_ids_of_two_users_are_independent,
    list_contains_a_custom_id_while_it_is_in_use,
    rejected_create_does_not_change_the_list,
);

fn custom_id() -> ServiceId {
    ServiceId::custom("ann", "session1")
}

async fn create(store: &dyn Store, id: &ServiceId, end: Timestamp, value: &str) {
    let area = storage_area(id, end, vec![text(value, value)]);
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
}

/// Uses a custom id with a binary until `end_use` ends it, then again with another binary.
async fn assert_used_again(store: &dyn Store, end: Timestamp, end_use: impl AsyncFn(&ServiceId)) {
    let id = custom_id();
    let old = upload(store, &id, &test_bytes(10)).await;
    let data = vec![text("old", "1"), file("map", &old)];
    let area = storage_area(&id, end, data);
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    end_use(&id).await;
    assert_eq!(try_read_strings(store, &id).await, None);

    let new = upload(store, &id, &test_bytes(20)).await;
    let data = vec![text("new", "2"), file("file", &new)];
    let area = storage_area(&id, in_ms(60_000), data);
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    let expected = owned_pairs(&[("new", "2")]);
    assert_eq!(read_strings(store, &id).await, expected);
    let found = store.find_binary(&id, &key("map")).await.unwrap();
    assert_eq!(found, Some(None));
    write_with_ttl(store, &id, set_changes(vec![text("a", "3")]), 90_000).await;
    assert_eq!(download(store, &id, &new).await, Some(test_bytes(20)));
    assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    assert_eq!(store.definition(&id).await.unwrap(), None);
}

async fn deleted_custom_id_can_be_used_again(store: &dyn Store) {
    for _ in 0..3 {
        assert_used_again(store, in_ms(60_000), async |id| {
            assert_eq!(store.delete(id).await.unwrap(), Some(()));
        })
        .await;
    }
}

async fn expired_custom_id_can_be_used_again(store: &dyn Store) {
    let end = in_ms(200);
    assert_used_again(store, end, async |_| sleep_until(end).await).await;
}

async fn create_with_existing_custom_id_changes_nothing(store: &dyn Store) {
    let (id, end) = (custom_id(), in_ms(60_000));
    create(store, &id, end, "first").await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    let data = vec![text("second", "second"), file("map", &binary)];
    let rejected = storage_area(&id, in_ms(90_000), data.clone());
    let rejected = store.create(rejected).await.unwrap();
    assert_eq!(rejected, CreateResult::IdInUse(data));
    let expected = owned_pairs(&[("first", "first")]);
    assert_eq!(read_strings(store, &id).await, expected);
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.end, description.binaries), (end, Vec::new()));
    // The data that the caller got back can be written.
    let changes = set_changes(vec![file("map", &binary)]);
    write_with_ttl(store, &id, changes, 60_000).await;
    assert_eq!(download(store, &id, &binary).await, Some(test_bytes(10)));
}

async fn concurrent_creates_with_a_custom_id_create_one(store: &dyn Store) {
    let id = custom_id();
    let racers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let creates = racers.map(|name| {
        let data = vec![text(name, "")];
        store.create(storage_area(&id, in_ms(60_000), data))
    });
    let mut winners = Vec::new();
    for (name, result) in racers.iter().zip(join_all(creates).await) {
        match result.unwrap() {
            CreateResult::Created => winners.push(((*name).to_owned(), String::new())),
            other => assert_eq!(other, CreateResult::IdInUse(vec![text(name, "")])),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(read_strings(store, &id).await, winners);
}

async fn custom_ids_of_two_users_are_independent(store: &dyn Store) {
    let [anns, bobs] = ["ann", "bob/}{%"].map(|user| ServiceId::custom(user, "session/%1"));
    create(store, &anns, in_ms(60_000), "1").await;
    create(store, &bobs, in_ms(60_000), "2").await;
    store.delete(&anns).await.unwrap();
    assert_eq!(store.definition(&anns).await.unwrap(), None);
    let read = store.read(&bobs, &key("2")).await.unwrap();
    assert_eq!(read, Some(StoredKind::Text("2".to_owned())));
}

/// The expiration times of all listed services.
async fn listed_ends(store: &dyn AdminStore) -> Vec<Timestamp> {
    let query = ServiceQuery {
        limit: 10,
        max_searched: 10,
        ..ServiceQuery::default()
    };
    let page = store.services_by_end(&query).await.unwrap();
    let count = store.count_services().await.unwrap();
    assert_eq!(count, page.services.len() as u64);
    page.services.iter().map(|entry| entry.end).collect()
}

async fn end_of(store: &dyn AdminStore, id: &ServiceId) -> Timestamp {
    store.describe(id).await.unwrap().unwrap().end
}

async fn list_contains_a_custom_id_while_it_is_in_use(store: &dyn AdminStore) {
    let id = custom_id();
    for _ in 0..2 {
        let end = in_ms(60_000);
        create(store, &id, end, "first").await;
        assert_eq!(listed_ends(store).await, [end]);
        for ttl in [90_000, 30_000, 120_000] {
            let changes = set_changes(vec![text("a", "1")]);
            write_with_ttl(store, &id, changes, ttl).await;
            assert_eq!(listed_ends(store).await, [end_of(store, &id).await]);
        }
        store.delete(&id).await.unwrap();
        assert_eq!(listed_ends(store).await, []);
    }
    // After an expiration the entry of the earlier use remains for a while.
    let end = in_ms(150);
    create(store, &id, in_ms(60_000), "second").await;
    store.set_end(&id, end).await.unwrap();
    sleep_until(end).await;
    assert_eq!(listed_ends(store).await, []);
    let end = in_ms(60_000);
    create(store, &id, end, "third").await;
    assert_eq!(listed_ends(store).await, [end]);
}

async fn rejected_create_does_not_change_the_list(store: &dyn AdminStore) {
    let (id, end) = (custom_id(), in_ms(60_000));
    create(store, &id, end, "first").await;
    let sooner = in_ms(50);
    let rejected = store.create(storage_area(&id, sooner, Vec::new())).await;
    assert_eq!(rejected.unwrap(), CreateResult::IdInUse(Vec::new()));
    sleep_until(sooner).await;
    assert_eq!(listed_ends(store).await, [end]);
}
