//! The maximum number of keys of a service.

use switchboard::{
    model::{Changes, KeyName, ServiceId, Value, WriteCondition, WriteResult},
    store::Store,
};

use crate::support::stores::{
    MAX_KEYS, create_service, file, key, on_every_store, read_strings, remove_changes, set_changes,
    test_bytes, text, upload, write_changes,
};

on_every_store!(
    keys_can_be_added_up_to_the_limit,
    exceeding_the_key_limit_changes_nothing,
    existing_keys_can_be_replaced_at_the_limit,
    one_write_can_replace_keys_at_the_limit,
    removed_key_can_be_replaced_by_another,
);

/// Creates a service with a string, a binary and further keys, `count` in total.
async fn create_with_keys(store: &dyn Store, count: usize) -> ServiceId {
    let id = create_service(store, Vec::new()).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    let mut data: Vec<(KeyName, Value)> = vec![text("text", "v"), file("binary", &map)];
    data.extend((2..count).map(|n| text(&format!("filler {n}"), "v")));
    write_changes(store, &id, set_changes(data)).await;
    assert_eq!(count_keys(store, &id).await, count);
    id
}

/// The number of keys of both kinds.
async fn count_keys(store: &dyn Store, id: &ServiceId) -> usize {
    let description = store.describe(id).await.unwrap().unwrap();
    description.keys.len() + description.binaries.len()
}

async fn keys_can_be_added_up_to_the_limit(store: &dyn Store) {
    let id = create_with_keys(store, MAX_KEYS - 3).await;
    for n in 0..3 {
        write_changes(
            store,
            &id,
            set_changes(vec![text(&format!("last {n}"), "v")]),
        )
        .await;
    }
    assert_eq!(count_keys(store, &id).await, MAX_KEYS);
    let one_more = set_changes(vec![text("one more", "v")]);
    let written = store.write(&id, &one_more, None).await.unwrap();
    assert_eq!(written, WriteResult::TooManyKeys);
}

async fn exceeding_the_key_limit_changes_nothing(store: &dyn Store) {
    let id = create_with_keys(store, MAX_KEYS - 1).await;
    let before = read_strings(store, &id).await;
    let two_more = Changes {
        set: vec![text("text", "new"), text("one", "v"), text("two", "v")],
        remove: vec![key("never there")],
        ..Changes::default()
    };
    let written = store.write(&id, &two_more, None).await.unwrap();
    assert_eq!(written, WriteResult::TooManyKeys);
    assert_eq!(read_strings(store, &id).await, before);

    let binary = upload(store, &id, &test_bytes(10)).await;
    let two_more = set_changes(vec![file("one", &binary), text("two", "v")]);
    let written = store.write(&id, &two_more, None).await.unwrap();
    assert_eq!(written, WriteResult::TooManyKeys);
    assert_eq!(count_keys(store, &id).await, MAX_KEYS - 1);
    write_changes(store, &id, set_changes(vec![file("one", &binary)])).await;
}

async fn existing_keys_can_be_replaced_at_the_limit(store: &dyn Store) {
    let id = create_with_keys(store, MAX_KEYS).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    // Each key is first replaced by its own kind, then by the other.
    let own = set_changes(vec![text("text", "new"), file("binary", &binary)]);
    write_changes(store, &id, own).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    let other = set_changes(vec![file("text", &binary), text("binary", "new")]);
    write_changes(store, &id, other).await;
    let all = (2..MAX_KEYS).map(|n| text(&format!("filler {n}"), "new"));
    write_changes(store, &id, set_changes(all.collect())).await;
    assert_eq!(count_keys(store, &id).await, MAX_KEYS);
}

async fn one_write_can_replace_keys_at_the_limit(store: &dyn Store) {
    let id = create_with_keys(store, MAX_KEYS).await;
    let exchange = |removed: &str, new: &str| Changes {
        set: vec![text(new, "v")],
        remove: vec![key(removed)],
        ..Changes::default()
    };
    write_changes(store, &id, exchange("text", "a")).await;
    write_changes(store, &id, exchange("binary", "b")).await;
    assert_eq!(count_keys(store, &id).await, MAX_KEYS);
    // Removing a missing key does not count.
    let written = store.write(&id, &exchange("never there", "c"), None).await;
    assert_eq!(written.unwrap(), WriteResult::TooManyKeys);
}

async fn removed_key_can_be_replaced_by_another(store: &dyn Store) {
    let id = create_with_keys(store, MAX_KEYS).await;
    write_changes(store, &id, remove_changes(&["binary"])).await;
    write_changes(store, &id, set_changes(vec![text("a", "v")])).await;
    let written = store
        .write(&id, &set_changes(vec![text("b", "v")]), None)
        .await;
    assert_eq!(written.unwrap(), WriteResult::TooManyKeys);
    store.clear(&id, &WriteCondition::default()).await.unwrap();
    write_changes(store, &id, set_changes(vec![text("b", "v")])).await;
}
