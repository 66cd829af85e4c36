//! Ids and names are opaque, whatever characters they contain.

use switchboard::{
    model::{
        CreateResult, MAX_KEY_NAME_BYTES, NewService, ServiceId, StoredKind, WriteCondition,
        WriteResult,
    },
    store::Store,
};

use crate::support::stores::{
    create_service, download, empty_service, file, in_ms, key, on_every_store, owned_pairs,
    read_strings, remove_changes, set_changes, test_bytes, text, upload, write_changes,
};

on_every_store!(
    id_accepts_any_characters,
    similar_ids_are_different_services,
    name_accepts_any_characters,
    similar_names_are_different_keys,
    names_similar_to_internal_fields_are_user_data,
);

const UNUSUAL_NAMES: [&str; 14] = [
    "}",
    "{",
    "}{",
    "{}",
    "a}b{c",
    "{a}",
    " ",
    "\0",
    "a\r\nb",
    "*",
    "a:b/c?d",
    "\u{1f980}\u{301}",
    "%7D",
    "[a-z]",
];

/// A unique id that begins and ends with `odd`.
fn id(odd: &str) -> ServiceId {
    ServiceId::from(format!("{odd}{}{odd}", ServiceId::generate()))
}

async fn id_accepts_any_characters(store: &dyn Store) {
    for odd in UNUSUAL_NAMES {
        let id = id(odd);
        let binary = upload(store, &id, &test_bytes(10)).await;
        let service = NewService {
            id: id.clone(),
            data: vec![text("k", "v"), file("map", &binary)],
            ..empty_service()
        };
        assert_eq!(
            store.create(service).await.unwrap(),
            CreateResult::Created,
            "{odd}"
        );
        let second = upload(store, &id, &test_bytes(20)).await;
        let more = vec![file("second", &second), text("k", "w")];
        write_changes(store, &id, set_changes(more)).await;
        let changed = store.set_end(&id, in_ms(50_000)).await.unwrap();
        assert_eq!(changed, Some(()));
        assert_eq!(
            read_strings(store, &id).await,
            owned_pairs(&[("k", "w")]),
            "{odd}"
        );
        for (binary, length) in [(&binary, 10), (&second, 20)] {
            let bytes = download(store, &id, binary).await;
            assert_eq!(bytes, Some(test_bytes(length)), "{odd}");
        }
        assert_eq!(store.delete(&id).await.unwrap(), Some(()), "{odd}");
        assert_eq!(store.definition(&id).await.unwrap(), None, "{odd}");
    }
}

async fn similar_ids_are_different_services(store: &dyn Store) {
    let known = create_service(store, vec![text("k", "v")]).await;
    let known = known.as_str();
    for other in [
        format!("{known}}}"),
        format!("{{{known}"),
        format!("{{{known}}}"),
        format!("{known} "),
        format!("{known}\0"),
        format!("{known}}}:x"),
        known.to_uppercase() + "X",
        known[1..].to_owned(),
        String::new(),
    ] {
        let other = ServiceId::from(other);
        let written = store
            .write(&other, &remove_changes(&["k"]), None)
            .await
            .unwrap();
        assert_eq!(written, WriteResult::ServiceNotFound, "{other:?}");
        assert_eq!(store.delete(&other).await.unwrap(), None, "{other:?}");
    }
    let known = ServiceId::from(known.to_owned());
    assert_eq!(
        read_strings(store, &known).await,
        owned_pairs(&[("k", "v")])
    );
}

async fn name_accepts_any_characters(store: &dyn Store) {
    let long = "n".repeat(MAX_KEY_NAME_BYTES);
    let id = create_service(store, Vec::new()).await;
    for name in UNUSUAL_NAMES
        .into_iter()
        .chain(["a/b", "storage", "binary", &long])
    {
        write_changes(store, &id, set_changes(vec![text(name, name)])).await;
        let value = store.read(&id, &key(name)).await.unwrap();
        assert_eq!(value, Some(StoredKind::Text(name.to_owned())));
        let binary = upload(store, &id, name.as_bytes()).await;
        write_changes(store, &id, set_changes(vec![file(name, &binary)])).await;
        let found = store.find_binary(&id, &key(name)).await.unwrap();
        assert_eq!(found, Some(Some(binary)));
        write_changes(store, &id, remove_changes(&[name])).await;
        let description = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(
            (description.keys.len(), description.binaries.len()),
            (0, 0),
            "{name}"
        );
    }
}

async fn similar_names_are_different_keys(store: &dyn Store) {
    // The last two are the same letter, composed and decomposed.
    let names = ["k", "K", "k ", " k", "k\0", "k:", "\u{fc}", "u\u{308}"];
    let id = create_service(store, names.map(|name| text(name, name)).into()).await;
    assert_eq!(read_strings(store, &id).await.len(), names.len());
    for name in names {
        let value = store.read(&id, &key(name)).await.unwrap();
        assert_eq!(value, Some(StoredKind::Text(name.to_owned())));
    }
    write_changes(store, &id, remove_changes(&["k"])).await;
    assert_eq!(read_strings(store, &id).await.len(), names.len() - 1);
}

async fn names_similar_to_internal_fields_are_user_data(store: &dyn Store) {
    let names = [
        "bin:k", "service", "end", "answer", "claim", "created", "0", "blob:0",
    ];
    let id = create_service(store, names.map(|name| text(name, "v")).into()).await;
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!(
        (description.keys.len(), description.binaries.len()),
        (names.len(), 0)
    );
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("k", &binary)])).await;
    let value = store.read(&id, &key("bin:k")).await.unwrap();
    assert_eq!(value, Some(StoredKind::Text("v".to_owned())));
    store.clear(&id, &WriteCondition::default()).await.unwrap();
    let description = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((description.keys.len(), description.binaries.len()), (0, 0));
    assert_eq!(description.definition, "store");
}
