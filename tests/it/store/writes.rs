//! Writing, removing and clearing.

use futures_util::future::join_all;
use switchboard::store::{AllTexts, BlobId, Changes, Store, StoredKind, WriteResult};

use crate::support::stores::{
    create_service, download, file, in_ms, key, on_every_store, owned_pairs, read_strings,
    remove_changes, set_changes, test_bytes, text, try_read_strings, upload, write_changes,
};

on_every_store!(
    all_strings_are_read_up_to_a_number_of_bytes,
    what_is_written_is_read,
    a_write_leaves_other_keys_as_they_are,
    an_empty_string_is_a_value,
    a_value_may_be_long,
    removing_leaves_nothing_and_may_be_repeated,
    one_write_may_set_and_remove,
    a_write_without_changes_tells_whether_the_service_lives,
    a_write_does_not_move_the_end,
    a_write_whose_bytes_are_lost_changes_nothing,
    thousands_of_keys_go_in_and_out_at_once,
    clearing_leaves_the_service_and_nothing_in_it,
    a_reader_never_sees_part_of_a_write,
);

async fn what_is_written_is_read(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    write_changes(
        store,
        &id,
        set_changes(vec![text("a", "1"), text("b", "2")]),
    )
    .await;
    let read = store.read(&id, &key("a")).await.unwrap();
    assert_eq!(read, Some(StoredKind::Text("1".to_owned())));
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
}

async fn a_write_leaves_other_keys_as_they_are(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    write_changes(
        store,
        &id,
        set_changes(vec![text("b", "3"), text("c", "4")]),
    )
    .await;
    let expected = owned_pairs(&[("a", "1"), ("b", "3"), ("c", "4")]);
    assert_eq!(read_strings(store, &id).await, expected);
}

async fn an_empty_string_is_a_value(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "")]).await;
    let read = store.read(&id, &key("k")).await.unwrap();
    assert_eq!(read, Some(StoredKind::Text(String::new())));
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "")]));
}

async fn a_value_may_be_long(store: &dyn Store) {
    let long = "\u{20ac}\0\n".repeat(200_000);
    let id = create_service(store, Vec::new()).await;
    write_changes(store, &id, set_changes(vec![text("k", &long)])).await;
    let read = store.read(&id, &key("k")).await.unwrap();
    assert!(read == Some(StoredKind::Text(long)));
}

async fn removing_leaves_nothing_and_may_be_repeated(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    for _ in 0..2 {
        write_changes(store, &id, remove_changes(&["a", "never there"])).await;
        assert_eq!(read_strings(store, &id).await, owned_pairs(&[("b", "2")]));
        let read = store.read(&id, &key("a")).await.unwrap();
        assert_eq!(read, Some(StoredKind::Empty));
    }
}

async fn one_write_may_set_and_remove(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    let both = Changes {
        set: vec![text("c", "3")],
        remove: vec![key("a")],
    };
    write_changes(store, &id, both).await;
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("b", "2"), ("c", "3")])
    );
}

async fn a_write_without_changes_tells_whether_the_service_lives(store: &dyn Store) {
    let id = create_service(store, vec![text("k", "v")]).await;
    write_changes(store, &id, Changes::default()).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
    store.delete(&id).await.unwrap();
    let written = store.write(&id, Changes::default()).await.unwrap();
    assert_eq!(written, WriteResult::ServiceNotFound);
}

async fn a_write_does_not_move_the_end(store: &dyn Store) {
    let id = create_service(store, Vec::new()).await;
    let end = in_ms(45_000);
    store.set_end(&id, end).await.unwrap();
    let map = upload(store, &id, &test_bytes(10)).await;
    write_changes(
        store,
        &id,
        set_changes(vec![text("k", "v"), file("map", &map)]),
    )
    .await;
    write_changes(store, &id, remove_changes(&["k"])).await;
    store.clear(&id).await.unwrap();
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(told.end, end);
}

async fn a_write_whose_bytes_are_lost_changes_nothing(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1"), text("b", "2")]).await;
    let whole = upload(store, &id, &test_bytes(10)).await;
    let mut lost = whole.clone();
    lost.blob = BlobId::generate();
    let changes = Changes {
        set: vec![text("a", "3"), file("whole", &whole), file("lost", &lost)],
        remove: vec![key("b")],
    };
    let written = store.write(&id, changes).await.unwrap();
    assert_eq!(written, WriteResult::UploadLost);
    assert_eq!(
        read_strings(store, &id).await,
        owned_pairs(&[("a", "1"), ("b", "2")])
    );
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(told.binaries, []);

    write_changes(store, &id, set_changes(vec![file("whole", &whole)])).await;
    assert_eq!(download(store, &id, &whole).await, Some(test_bytes(10)));
}

async fn thousands_of_keys_go_in_and_out_at_once(store: &dyn Store) {
    let names: Vec<String> = (0..3_000).map(|n| format!("key {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let id = create_service(store, Vec::new()).await;
    let all = names.iter().map(|name| text(name, name));
    write_changes(store, &id, set_changes(all.collect())).await;
    assert_eq!(read_strings(store, &id).await.len(), names.len());
    write_changes(store, &id, remove_changes(&names)).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
}

async fn clearing_leaves_the_service_and_nothing_in_it(store: &dyn Store) {
    let mut data: Vec<_> = (0..2_500).map(|n| text(&n.to_string(), "v")).collect();
    let id = create_service(store, Vec::new()).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    data.push(file("map", &map));
    write_changes(store, &id, set_changes(data)).await;

    assert_eq!(store.clear(&id).await.unwrap(), Some(()));
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[]));
    let found = store.find_binary(&id, &key("map")).await.unwrap();
    assert_eq!(found, Some(None));
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((told.keys.len(), told.binaries.len()), (0, 0));
    assert_eq!(told.definition, "store");

    assert_eq!(store.clear(&id).await.unwrap(), Some(()));
    write_changes(store, &id, set_changes(vec![text("k", "v")])).await;
    assert_eq!(read_strings(store, &id).await, owned_pairs(&[("k", "v")]));
}

async fn a_reader_never_sees_part_of_a_write(store: &dyn Store) {
    let all = |value: usize| {
        let value = value.to_string();
        let pair = |name| text(name, &value);
        set_changes(["a", "b", "c"].map(pair).into())
    };
    let id = create_service(store, all(0).set).await;
    let round = async |value: usize| {
        write_changes(store, &id, all(value)).await;
        let read = try_read_strings(store, &id).await.unwrap();
        assert_eq!(read.len(), 3);
        assert!(
            read.iter().all(|(_, value)| *value == read[0].1),
            "{read:?}"
        );
    };
    join_all((1..100).map(round)).await;
}

async fn all_strings_are_read_up_to_a_number_of_bytes(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "12345"), text("b", "\u{e9}")]).await;
    let read = async |max: usize| store.read_all(&id, max).await.unwrap().unwrap();
    assert!(matches!(read(usize::MAX).await, AllTexts::Texts(texts) if texts.len() == 2));
    for max in [0, 8] {
        let AllTexts::TooLarge { bytes } = read(max).await else {
            panic!("all was read");
        };
        assert!(bytes >= 9, "{bytes}");
        assert!(matches!(read(bytes).await, AllTexts::Texts(_)));
    }
    // Large strings are read by another command.
    let large = "x".repeat(2 * 1024 * 1024);
    write_changes(store, &id, set_changes(vec![text("large", &large)])).await;
    let AllTexts::TooLarge { bytes } = read(large.len()).await else {
        panic!("all strings were read");
    };
    assert!(bytes > large.len(), "{bytes}");
    assert!(matches!(read(bytes).await, AllTexts::Texts(texts) if texts.len() == 3));
}
