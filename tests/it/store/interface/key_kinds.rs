//! A key has one value: a string or a binary.

use switchboard::{
    model::{Binary, Changes, ServiceId, StoredKind},
    store::Store,
};

use crate::support::stores::{
    create_service, download, file, key, on_every_store, owned_pairs, read_strings, remove_changes,
    set_changes, test_bytes, text, upload, write_changes,
};

on_every_store!(
    string_replaces_binary,
    binary_replaces_string,
    binary_replaces_binary,
    removal_applies_to_both_kinds,
    alternating_kinds_leave_one_value,
    one_write_can_swap_kinds,
);

async fn assert_only_text(store: &dyn Store, id: &ServiceId, expected: &str) {
    let value = store.read(id, &key("k")).await.unwrap();
    assert_eq!(value, Some(StoredKind::Text(expected.to_owned())));
    assert_eq!(
        read_strings(store, id).await,
        owned_pairs(&[("k", expected)])
    );
    let found = store.find_binary(id, &key("k")).await.unwrap();
    assert_eq!(found, Some(None));
    let description = store.describe(id).await.unwrap().unwrap();
    assert_eq!(
        (description.keys, description.binaries),
        (vec!["k".to_owned()], vec![])
    );
}

async fn assert_only_binary(store: &dyn Store, id: &ServiceId, expected: &Binary) {
    let value = store.read(id, &key("k")).await.unwrap();
    assert_eq!(value, Some(StoredKind::Binary));
    assert_eq!(read_strings(store, id).await, owned_pairs(&[]));
    let found = store.find_binary(id, &key("k")).await.unwrap();
    assert_eq!(found, Some(Some(expected.clone())));
    let description = store.describe(id).await.unwrap().unwrap();
    let binaries = vec![("k".to_owned(), expected.clone())];
    assert_eq!((description.keys, description.binaries), (vec![], binaries));
}

async fn string_replaces_binary(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("k", &map)])).await;
    assert_only_binary(store, &id, &map).await;
    write_changes(store, &id, set_changes(vec![text("k", "v")])).await;
    assert_only_text(store, &id, "v").await;
}

async fn binary_replaces_string(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    assert_only_text(store, &id, "v").await;
    let map = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("k", &map)])).await;
    assert_only_binary(store, &id, &map).await;
}

async fn binary_replaces_binary(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    for length in [10, 20] {
        let map = upload(store, &id, &test_bytes(length)).await;
        write_changes(store, &id, set_changes(vec![file("k", &map)])).await;
        assert_only_binary(store, &id, &map).await;
        let bytes = download(store, &id, &map).await;
        assert_eq!(bytes, Some(test_bytes(length)));
    }
}

async fn removal_applies_to_both_kinds(store: &dyn Store) {
    let id = create_service(store, vec![text("text", "v")]).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &map)])).await;
    write_changes(store, &id, remove_changes(&["map", "text"])).await;
    for name in ["map", "text"] {
        let value = store.read(&id, &key(name)).await.unwrap();
        assert_eq!(value, Some(StoredKind::Empty));
        let found = store.find_binary(&id, &key(name)).await.unwrap();
        assert_eq!(found, Some(None));
    }
}

async fn alternating_kinds_leave_one_value(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    for round in 0..10 {
        let map = upload(store, &id, &test_bytes(round)).await;
        write_changes(store, &id, set_changes(vec![file("k", &map)])).await;
        assert_only_binary(store, &id, &map).await;
        let value = round.to_string();
        write_changes(store, &id, set_changes(vec![text("k", &value)])).await;
        assert_only_text(store, &id, &value).await;
    }
}

async fn one_write_can_swap_kinds(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    let first = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("other", &first)])).await;
    let second = upload(store, &id, &test_bytes(20)).await;
    let swap = Changes {
        set: vec![file("k", &second)],
        remove: vec![key("other")],
        ..Changes::default()
    };
    write_changes(store, &id, swap).await;
    assert_only_binary(store, &id, &second).await;
}
