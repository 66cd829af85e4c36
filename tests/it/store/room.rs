//! How many keys a service may hold: the limit itself is allowed, one more is not.

use switchboard::store::{Changes, KeyName, ServiceId, Store, Value, Written};

use crate::support::stores::{
    MAX_KEYS, file, key, make, on_every_store, removing, setting, some_bytes, text, texts, upload,
    write,
};

on_every_store!(
    a_service_may_be_filled_to_the_limit_one_by_one,
    one_key_too_many_changes_nothing,
    what_is_there_may_be_replaced_at_the_limit,
    room_made_in_a_write_may_be_used_in_it,
    a_key_removed_makes_room_for_one,
);

/// A service with two keys of its own and as many others as make up `count`.
async fn filled(store: &dyn Store, count: usize) -> ServiceId {
    let id = make(store, Vec::new()).await;
    let map = upload(store, &id, &some_bytes(10)).await;
    let mut data: Vec<(KeyName, Value)> = vec![text("text", "v"), file("binary", &map)];
    data.extend((2..count).map(|n| text(&format!("filler {n}"), "v")));
    write(store, &id, setting(data)).await;
    assert_eq!(held(store, &id).await, count);
    id
}

/// How many keys it holds, of either kind.
async fn held(store: &dyn Store, id: &ServiceId) -> usize {
    let told = store.describe(id).await.unwrap().unwrap();
    told.keys.len() + told.binaries.len()
}

async fn a_service_may_be_filled_to_the_limit_one_by_one(store: &dyn Store) {
    let id = filled(store, MAX_KEYS - 3).await;
    for n in 0..3 {
        write(store, &id, setting(vec![text(&format!("last {n}"), "v")])).await;
    }
    assert_eq!(held(store, &id).await, MAX_KEYS);
    let one_more = setting(vec![text("one more", "v")]);
    let written = store.write(&id, one_more).await.unwrap();
    assert_eq!(written, Written::TooManyKeys);
}

async fn one_key_too_many_changes_nothing(store: &dyn Store) {
    let id = filled(store, MAX_KEYS - 1).await;
    let before = texts(store, &id).await;
    let two_more = Changes {
        set: vec![text("text", "new"), text("one", "v"), text("two", "v")],
        remove: vec![key("never there")],
    };
    let written = store.write(&id, two_more).await.unwrap();
    assert_eq!(written, Written::TooManyKeys);
    assert_eq!(texts(store, &id).await, before);

    let binary = upload(store, &id, &some_bytes(10)).await;
    let two_more = setting(vec![file("one", &binary), text("two", "v")]);
    let written = store.write(&id, two_more).await.unwrap();
    assert_eq!(written, Written::TooManyKeys);
    assert_eq!(held(store, &id).await, MAX_KEYS - 1);
    write(store, &id, setting(vec![file("one", &binary)])).await;
}

async fn what_is_there_may_be_replaced_at_the_limit(store: &dyn Store) {
    let id = filled(store, MAX_KEYS).await;
    let binary = upload(store, &id, &some_bytes(10)).await;
    // Each kind by its own, then by the other.
    let own = setting(vec![text("text", "new"), file("binary", &binary)]);
    write(store, &id, own).await;
    let binary = upload(store, &id, &some_bytes(10)).await;
    let other = setting(vec![file("text", &binary), text("binary", "new")]);
    write(store, &id, other).await;
    let all = (2..MAX_KEYS).map(|n| text(&format!("filler {n}"), "new"));
    write(store, &id, setting(all.collect())).await;
    assert_eq!(held(store, &id).await, MAX_KEYS);
}

async fn room_made_in_a_write_may_be_used_in_it(store: &dyn Store) {
    let id = filled(store, MAX_KEYS).await;
    let exchange = |gone: &str, new: &str| Changes {
        set: vec![text(new, "v")],
        remove: vec![key(gone)],
    };
    write(store, &id, exchange("text", "a")).await;
    write(store, &id, exchange("binary", "b")).await;
    assert_eq!(held(store, &id).await, MAX_KEYS);
    // What is not there makes no room.
    let written = store.write(&id, exchange("never there", "c")).await;
    assert_eq!(written.unwrap(), Written::TooManyKeys);
}

async fn a_key_removed_makes_room_for_one(store: &dyn Store) {
    let id = filled(store, MAX_KEYS).await;
    write(store, &id, removing(&["binary"])).await;
    write(store, &id, setting(vec![text("a", "v")])).await;
    let written = store.write(&id, setting(vec![text("b", "v")])).await;
    assert_eq!(written.unwrap(), Written::TooManyKeys);
    store.clear(&id).await.unwrap();
    write(store, &id, setting(vec![text("b", "v")])).await;
}
