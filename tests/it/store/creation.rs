//! Making a service, and telling what it is.

use futures_util::future::join_all;
use switchboard::store::{
    Created, IdempotencyKey, NewService, ServiceId, Slot, Store, StoreError, Written,
};

use crate::support::stores::{
    MAX_KEYS, all_texts, download, empty, file, in_ms, key, make, on_every_store, pairs, setting,
    some_bytes, text, texts, upload,
};

on_every_store!(
    a_service_has_what_it_was_created_with,
    a_service_without_data_has_an_empty_storage,
    a_service_may_be_created_with_as_many_keys_as_it_may_hold,
    who_created_a_service_is_kept_with_it,
    an_id_that_names_nothing_is_found_by_no_verb,
    an_id_in_use_is_refused_and_its_service_unchanged,
    a_repeated_create_gives_the_first_answer_and_changes_nothing,
    of_racing_creates_one_makes_the_service_and_all_tell_its_answer,
    a_create_whose_bytes_are_lost_makes_nothing,
    a_service_whose_end_has_passed_is_not_seen,
);

fn repeatable(id: &ServiceId, value: &str) -> NewService {
    let key = IdempotencyKey {
        key: id.to_string(),
    };
    NewService {
        id: id.clone(),
        data: vec![text("k", value)],
        repeatable: Some((key, format!("answer {value}"))),
        ..empty()
    }
}

async fn a_service_has_what_it_was_created_with(store: &dyn Store) {
    let mut service = empty();
    let (id, created, end) = (service.id.clone(), in_ms(0), in_ms(70_000));
    let bytes = some_bytes(1_000);
    let map = upload(store, &id, &bytes).await;
    "shop".clone_into(&mut service.definition);
    (service.created, service.end) = (created, end);
    service.data = vec![text("a", "1"), file("map", &map), text("b", "2")];
    assert_eq!(store.create(service).await.unwrap(), Created::New);

    let definition = store.definition(&id).await.unwrap();
    assert_eq!(definition.as_deref(), Some("shop"));
    assert_eq!(texts(store, &id).await, pairs(&[("a", "1"), ("b", "2")]));
    let mut told = store.describe(&id).await.unwrap().unwrap();
    told.keys.sort();
    assert_eq!((told.definition.as_str(), told.gms_user), ("shop", None));
    assert_eq!((told.created, told.end), (created, end));
    assert_eq!(told.keys, ["a", "b"]);
    assert_eq!(told.binaries, [("map".to_owned(), map.clone())]);
    assert_eq!(download(store, &id, &map).await, Some(bytes));
}

async fn a_service_without_data_has_an_empty_storage(store: &dyn Store) {
    let id = make(store, Vec::new()).await;
    assert_eq!(texts(store, &id).await, pairs(&[]));
    let told = store.describe(&id).await.unwrap().unwrap();
    assert_eq!((told.keys.len(), told.binaries.len()), (0, 0));
    assert_eq!(store.read(&id, &key("k")).await.unwrap(), Some(Slot::Empty));
    let found = store.find_binary(&id, &key("k")).await.unwrap();
    assert_eq!(found, Some(None));
}

async fn a_service_may_be_created_with_as_many_keys_as_it_may_hold(store: &dyn Store) {
    let data = (0..MAX_KEYS).map(|n| text(&format!("key {n}"), "v"));
    let id = make(store, data.collect()).await;
    assert_eq!(texts(store, &id).await.len(), MAX_KEYS);
}

async fn who_created_a_service_is_kept_with_it(store: &dyn Store) {
    for user in [None, Some(""), Some("J\u{fc}rgen {7}\n")] {
        let mut service = empty();
        let id = service.id.clone();
        service.gms_user = user.map(str::to_owned);
        assert_eq!(store.create(service).await.unwrap(), Created::New);
        let told = store.describe(&id).await.unwrap().unwrap();
        assert_eq!(told.gms_user.as_deref(), user);
        assert_eq!(texts(store, &id).await, pairs(&[]));
    }
}

async fn an_id_that_names_nothing_is_found_by_no_verb(store: &dyn Store) {
    let id = ServiceId::fresh();
    let written = store.write(&id, setting(vec![text("k", "v")])).await;
    assert_eq!(written.unwrap(), Written::NoService);
    assert_eq!(store.definition(&id).await.unwrap(), None);
    assert_eq!(store.describe(&id).await.unwrap(), None);
    assert_eq!(store.read(&id, &key("k")).await.unwrap(), None);
    assert_eq!(all_texts(store, &id).await, None);
    assert_eq!(store.clear(&id).await.unwrap(), None);
    assert_eq!(store.set_end(&id, in_ms(60_000)).await.unwrap(), None);
    assert_eq!(store.find_binary(&id, &key("k")).await.unwrap(), None);
    assert_eq!(store.delete(&id).await.unwrap(), None);
}

async fn an_id_in_use_is_refused_and_its_service_unchanged(store: &dyn Store) {
    let id = make(store, vec![text("k", "first")]).await;
    let again = NewService {
        id: id.clone(),
        data: vec![text("k", "second")],
        ..empty()
    };
    let refused = store.create(again).await;
    assert!(matches!(refused, Err(StoreError::Bug(_))), "{refused:?}");
    assert_eq!(texts(store, &id).await, pairs(&[("k", "first")]));
}

async fn a_repeated_create_gives_the_first_answer_and_changes_nothing(store: &dyn Store) {
    let id = ServiceId::fresh();
    let first = store.create(repeatable(&id, "first")).await.unwrap();
    assert_eq!(first, Created::New);
    let again = store.create(repeatable(&id, "second")).await.unwrap();
    assert_eq!(again, Created::Before("answer first".to_owned()));
    assert_eq!(texts(store, &id).await, pairs(&[("k", "first")]));
}

async fn of_racing_creates_one_makes_the_service_and_all_tell_its_answer(store: &dyn Store) {
    let id = ServiceId::fresh();
    let racers = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let outcomes = join_all(racers.map(|name| store.create(repeatable(&id, name)))).await;
    let outcomes: Vec<Created> = outcomes.into_iter().map(Result::unwrap).collect();
    let made = outcomes.iter().filter(|outcome| **outcome == Created::New);
    assert_eq!(made.count(), 1, "{outcomes:?}");
    let stored = texts(store, &id).await;
    let before = Created::Before(format!("answer {}", stored[0].1));
    let told = outcomes.iter().filter(|outcome| **outcome == before);
    assert_eq!(told.count(), racers.len() - 1, "{outcomes:?}");
}

async fn a_create_whose_bytes_are_lost_makes_nothing(store: &dyn Store) {
    let id = ServiceId::fresh();
    let whole = upload(store, &id, &some_bytes(10)).await;
    let mut one_chunk_short = upload(store, &id, &some_bytes(600_000)).await;
    one_chunk_short.size = 900_000;
    let service = |lost| NewService {
        id: id.clone(),
        data: vec![text("k", "v"), file("whole", &whole), lost],
        ..empty()
    };
    let mut never_uploaded = whole.clone();
    never_uploaded.blob = switchboard::store::BlobId::fresh();
    for lost in [&never_uploaded, &one_chunk_short] {
        let outcome = store.create(service(file("lost", lost))).await.unwrap();
        assert_eq!(outcome, Created::UploadLost);
        assert_eq!(store.definition(&id).await.unwrap(), None);
    }
    let outcome = store.create(service(text("kept", "v"))).await.unwrap();
    assert_eq!(outcome, Created::New);
    assert_eq!(download(store, &id, &whole).await, Some(some_bytes(10)));
}

async fn a_service_whose_end_has_passed_is_not_seen(store: &dyn Store) {
    let mut service = empty();
    let id = service.id.clone();
    service.data = vec![text("k", "v")];
    service.end = switchboard::store::Moment::from_millis(in_ms(0).millis() - 1);
    store.create(service).await.unwrap();
    assert_eq!(store.definition(&id).await.unwrap(), None);
    assert_eq!(all_texts(store, &id).await, None);
}
