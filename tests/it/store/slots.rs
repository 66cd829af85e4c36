//! A name is one slot: text or binary, never both.

use switchboard::store::{Binary, Changes, ServiceId, Slot, Store};

use crate::support::stores::{
    download, file, key, make, on_every_store, pairs, removing, setting, some_bytes, text, texts,
    upload, write,
};

on_every_store!(
    a_string_replaces_a_binary_of_its_name,
    a_binary_replaces_a_string_of_its_name,
    a_binary_replaces_a_binary_of_its_name,
    removing_a_name_removes_whatever_it_holds,
    a_slot_that_changes_hands_again_and_again_stays_one,
    a_string_and_a_binary_may_change_places,
);

async fn holds_only_text(store: &dyn Store, id: &ServiceId, expected: &str) {
    let slot = store.read(id, &key("k")).await.unwrap();
    assert_eq!(slot, Some(Slot::Text(expected.to_owned())));
    assert_eq!(texts(store, id).await, pairs(&[("k", expected)]));
    let found = store.find_binary(id, &key("k")).await.unwrap();
    assert_eq!(found, Some(None));
    let told = store.describe(id).await.unwrap().unwrap();
    assert_eq!((told.keys, told.binaries), (vec!["k".to_owned()], vec![]));
}

async fn holds_only_binary(store: &dyn Store, id: &ServiceId, expected: &Binary) {
    let slot = store.read(id, &key("k")).await.unwrap();
    assert_eq!(slot, Some(Slot::Binary));
    assert_eq!(texts(store, id).await, pairs(&[]));
    let found = store.find_binary(id, &key("k")).await.unwrap();
    assert_eq!(found, Some(Some(expected.clone())));
    let told = store.describe(id).await.unwrap().unwrap();
    let binaries = vec![("k".to_owned(), expected.clone())];
    assert_eq!((told.keys, told.binaries), (vec![], binaries));
}

async fn a_string_replaces_a_binary_of_its_name(store: &dyn Store) {
    let id = make(store, Vec::new()).await;
    let map = upload(store, &id, &some_bytes(10)).await;
    write(store, &id, setting(vec![file("k", &map)])).await;
    holds_only_binary(store, &id, &map).await;
    write(store, &id, setting(vec![text("k", "v")])).await;
    holds_only_text(store, &id, "v").await;
}

async fn a_binary_replaces_a_string_of_its_name(store: &dyn Store) {
    let id = make(store, vec![text("k", "v")]).await;
    holds_only_text(store, &id, "v").await;
    let map = upload(store, &id, &some_bytes(10)).await;
    write(store, &id, setting(vec![file("k", &map)])).await;
    holds_only_binary(store, &id, &map).await;
}

async fn a_binary_replaces_a_binary_of_its_name(store: &dyn Store) {
    let id = make(store, Vec::new()).await;
    for length in [10, 20] {
        let map = upload(store, &id, &some_bytes(length)).await;
        write(store, &id, setting(vec![file("k", &map)])).await;
        holds_only_binary(store, &id, &map).await;
        let bytes = download(store, &id, &map).await;
        assert_eq!(bytes, Some(some_bytes(length)));
    }
}

async fn removing_a_name_removes_whatever_it_holds(store: &dyn Store) {
    let id = make(store, vec![text("text", "v")]).await;
    let map = upload(store, &id, &some_bytes(10)).await;
    write(store, &id, setting(vec![file("map", &map)])).await;
    write(store, &id, removing(&["map", "text"])).await;
    for name in ["map", "text"] {
        let slot = store.read(&id, &key(name)).await.unwrap();
        assert_eq!(slot, Some(Slot::Empty));
        let found = store.find_binary(&id, &key(name)).await.unwrap();
        assert_eq!(found, Some(None));
    }
}

async fn a_slot_that_changes_hands_again_and_again_stays_one(store: &dyn Store) {
    let id = make(store, Vec::new()).await;
    for round in 0..10 {
        let map = upload(store, &id, &some_bytes(round)).await;
        write(store, &id, setting(vec![file("k", &map)])).await;
        holds_only_binary(store, &id, &map).await;
        let value = round.to_string();
        write(store, &id, setting(vec![text("k", &value)])).await;
        holds_only_text(store, &id, &value).await;
    }
}

async fn a_string_and_a_binary_may_change_places(store: &dyn Store) {
    let id = make(store, vec![text("k", "v")]).await;
    let first = upload(store, &id, &some_bytes(10)).await;
    write(store, &id, setting(vec![file("other", &first)])).await;
    let second = upload(store, &id, &some_bytes(20)).await;
    let swap = Changes {
        set: vec![file("k", &second)],
        remove: vec![key("other")],
    };
    write(store, &id, swap).await;
    holds_only_binary(store, &id, &second).await;
}
