//! Revisions, and changes and reads under conditions.

use std::time::Duration;

use futures_util::future::join_all;
use rand::RngExt;
use switchboard::{
    model::{
        Changes, CreateResult, KeyName, ReadAll, Revision, Revisions, ServiceId, StorageRead,
        Value, WriteCondition, WriteResult,
    },
    store::Store,
};

use crate::support::stores::{
    MAX_KEYS, create_service, download, file, in_ms, key, on_every_store, read_contents,
    remove_changes, set_changes, storage_area, stored, test_bytes, text, upload, write_changes,
    write_with_ttl,
};

on_every_store!(
    each_change_of_keys_has_a_larger_revision,
    what_changes_no_key_has_no_new_revision,
    a_custom_id_that_is_used_again_has_larger_revisions,
    a_change_of_another_revision_changes_nothing,
    one_of_the_listed_revisions_is_enough,
    new_names_must_not_exist_as_a_string_or_binary,
    both_conditions_must_be_met,
    known_contents_are_not_read,
    an_area_is_deleted_at_its_revision_only,
    a_service_that_has_ended_meets_no_condition,
    one_of_many_concurrent_changes_of_a_revision_is_made,
    no_increment_of_many_writers_is_lost_or_doubled,
);

async fn revision_of(store: &dyn Store, id: &ServiceId) -> Revision {
    read_contents(store, id).await.revision
}

fn at(revision: Revision) -> WriteCondition {
    WriteCondition {
        revisions: Some(Revisions::Listed(vec![revision])),
        names_are_new: false,
    }
}

fn if_new() -> WriteCondition {
    WriteCondition {
        revisions: None,
        names_are_new: true,
    }
}

fn set_if(set: Vec<(KeyName, Value)>, condition: WriteCondition) -> Changes {
    Changes {
        condition,
        ..set_changes(set)
    }
}

async fn each_change_of_keys_has_a_larger_revision(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1")]).await;
    let mut last = revision_of(store, &id).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    for changes in [
        set_changes(vec![text("a", "2")]),
        set_changes(vec![text("a", "2"), text("b", "1")]),
        set_changes(vec![file("map", &map)]),
        remove_changes(&["a", "never there"]),
        remove_changes(&["map"]),
        Changes {
            remove: vec![key("b")],
            ..set_changes(vec![text("c", "1")])
        },
    ] {
        let revision = write_changes(store, &id, changes).await;
        assert!(revision > last, "{revision} after {last}");
        assert_eq!(revision_of(store, &id).await, revision);
        last = revision;
    }
    let none = WriteCondition::default();
    let cleared = stored(store.clear(&id, &none).await.unwrap());
    assert!(cleared > last);
    assert_eq!(revision_of(store, &id).await, cleared);
}

async fn what_changes_no_key_has_no_new_revision(store: &dyn Store) {
    let id = ServiceId::generate_for_storage_area();
    let area = storage_area(&id, in_ms(60_000), vec![text("a", "1")]);
    assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
    for changed in [false, true] {
        if changed {
            write_changes(store, &id, set_changes(vec![text("a", "2")])).await;
        }
        let before = revision_of(store, &id).await;
        assert_eq!(write_changes(store, &id, Changes::default()).await, before);
        let missing = remove_changes(&["never there"]);
        assert_eq!(write_changes(store, &id, missing).await, before);
        write_with_ttl(store, &id, Changes::default(), 90_000).await;
        store.set_end(&id, in_ms(80_000)).await.unwrap();
        assert_eq!(revision_of(store, &id).await, before);
    }
    let none = WriteCondition::default();
    let cleared = stored(store.clear(&id, &none).await.unwrap());
    let again = stored(store.clear(&id, &none).await.unwrap());
    assert_eq!(again, cleared);
    assert_eq!(revision_of(store, &id).await, cleared);
}

async fn a_custom_id_that_is_used_again_has_larger_revisions(store: &dyn Store) {
    let id = ServiceId::custom("ann", "session1");
    let mut last = Revision::default();
    // The creates are requested at the same time, so they differ in nothing else.
    let created = in_ms(0);
    for _ in 0..10 {
        let mut area = storage_area(&id, in_ms(60_000), vec![text("a", "1")]);
        area.created = created;
        assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
        for n in 0..3 {
            let revision = match n {
                0 => revision_of(store, &id).await,
                _ => write_changes(store, &id, set_changes(vec![text("a", "2")])).await,
            };
            assert!(revision > last, "{revision} after {last}");
            last = revision;
        }
        store.delete(&id).await.unwrap();
    }
}

async fn a_change_of_another_revision_changes_nothing(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1")]).await;
    let old = revision_of(store, &id).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    let current = write_changes(store, &id, set_changes(vec![file("map", &map)])).await;
    let before = read_contents(store, &id).await;
    let failed = WriteResult::ConditionFailed(current);
    let other = upload(store, &id, &test_bytes(20)).await;
    let too_many = (0..=MAX_KEYS).map(|n| text(&format!("key {n}"), "v"));
    for condition in [
        at(old),
        at(current.next()),
        WriteCondition {
            revisions: Some(Revisions::default()),
            names_are_new: false,
        },
    ] {
        for set in [
            vec![text("a", "2"), file("map", &other)],
            vec![text("new", "1")],
            Vec::new(),
            too_many.clone().collect(),
        ] {
            let changes = Changes {
                remove: vec![key("map2"), key("b")],
                ..set_if(set, condition.clone())
            };
            let written = store.write(&id, &changes, None).await.unwrap();
            assert_eq!(written, failed);
        }
        let cleared = store.clear(&id, &condition).await.unwrap();
        assert_eq!(cleared, failed);
        assert_eq!(read_contents(store, &id).await, before);
    }
    assert_eq!(download(store, &id, &map).await, Some(test_bytes(10)));
    // The upload of the refused write can still be used.
    let changes = set_if(vec![file("map", &other)], at(current));
    let next = stored(store.write(&id, &changes, None).await.unwrap());
    assert!(next > current);
    assert_eq!(download(store, &id, &other).await, Some(test_bytes(20)));
}

async fn one_of_the_listed_revisions_is_enough(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1")]).await;
    let old = revision_of(store, &id).await;
    let current = write_changes(store, &id, set_changes(vec![text("a", "2")])).await;
    let listed = Revisions::Listed(vec![old, Revision::new(7), current]);
    let mut last = current;
    for revisions in [listed, Revisions::Any] {
        let condition = WriteCondition {
            revisions: Some(revisions),
            names_are_new: false,
        };
        let changes = set_if(vec![text("a", "3")], condition);
        let next = stored(store.write(&id, &changes, None).await.unwrap());
        assert!(next > last);
        last = next;
    }
}

async fn new_names_must_not_exist_as_a_string_or_binary(store: &dyn Store) {
    let id = create_service(store, vec![text("text", "1")]).await;
    let map = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("map", &map)])).await;
    let other = upload(store, &id, &test_bytes(20)).await;
    let before = read_contents(store, &id).await;
    for set in [
        vec![text("text", "2")],
        vec![text("new", "2"), text("text", "2")],
        vec![text("map", "2")],
        vec![file("text", &other)],
        vec![file("map", &other), text("new", "2")],
    ] {
        let written = store.write(&id, &set_if(set, if_new()), None).await;
        let failed = WriteResult::ConditionFailed(before.revision);
        assert_eq!(written.unwrap(), failed);
        assert_eq!(read_contents(store, &id).await, before);
    }
    let new = set_if(vec![text("a", "2"), file("b", &other)], if_new());
    stored(store.write(&id, &new, None).await.unwrap());
    let none = set_if(Vec::new(), if_new());
    stored(store.write(&id, &none, None).await.unwrap());
}

async fn both_conditions_must_be_met(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1")]).await;
    let current = revision_of(store, &id).await;
    for (name, revision, met) in [
        ("a", current, false),
        ("b", current.next(), false),
        ("b", current, true),
    ] {
        let condition = WriteCondition {
            names_are_new: true,
            ..at(revision)
        };
        let changes = set_if(vec![text(name, "2")], condition);
        let written = store.write(&id, &changes, None).await.unwrap();
        assert_eq!(matches!(written, WriteResult::Stored(_)), met, "{name}");
    }
}

async fn known_contents_are_not_read(store: &dyn Store) {
    let large = "x".repeat(2 * 1024 * 1024);
    let id = create_service(store, vec![text("large", &large)]).await;
    for changed in [false, true] {
        if changed {
            write_changes(store, &id, set_changes(vec![text("a", "1")])).await;
        }
        let current = revision_of(store, &id).await;
        for known in [
            Revisions::Any,
            Revisions::Listed(vec![Revision::new(7), current]),
        ] {
            for max_bytes in [0, usize::MAX] {
                let read = ReadAll {
                    max_bytes,
                    known: known.clone(),
                    with_binaries: false,
                };
                let read = store.read_all(&id, &read).await.unwrap();
                assert_eq!(read, Some(StorageRead::Known(current)));
            }
        }
        let read = ReadAll {
            known: Revisions::Listed(vec![current.next()]),
            ..ReadAll::strings(usize::MAX)
        };
        let read = store.read_all(&id, &read).await.unwrap();
        assert!(matches!(read, Some(StorageRead::Contents(_))));
    }
}

async fn an_area_is_deleted_at_its_revision_only(store: &dyn Store) {
    for id in [
        ServiceId::generate_for_storage_area(),
        ServiceId::custom("ann", "session1"),
    ] {
        let area = storage_area(&id, in_ms(60_000), vec![text("a", "1")]);
        assert_eq!(store.create(area).await.unwrap(), CreateResult::Created);
        let old = revision_of(store, &id).await;
        let current = write_changes(store, &id, set_changes(vec![text("a", "2")])).await;
        let deleted = store.delete_area(&id, &at(old)).await.unwrap();
        assert_eq!(deleted, WriteResult::ConditionFailed(current));
        assert_eq!(revision_of(store, &id).await, current);
        let deleted = store.delete_area(&id, &at(current)).await.unwrap();
        assert_eq!(deleted, WriteResult::Stored(current));
        let deleted = store.delete_area(&id, &at(current)).await.unwrap();
        assert_eq!(deleted, WriteResult::ServiceNotFound);
    }
}

async fn a_service_that_has_ended_meets_no_condition(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "1")]).await;
    let current = revision_of(store, &id).await;
    store.delete(&id).await.unwrap();
    for condition in [at(current), if_new()] {
        let changes = set_if(vec![text("b", "1")], condition.clone());
        let written = store.write(&id, &changes, None).await.unwrap();
        assert_eq!(written, WriteResult::ServiceNotFound);
        let cleared = store.clear(&id, &condition).await.unwrap();
        assert_eq!(cleared, WriteResult::ServiceNotFound);
    }
}

async fn one_of_many_concurrent_changes_of_a_revision_is_made(store: &dyn Store) {
    let id = create_service(store, vec![text("a", "0")]).await;
    let mut current = revision_of(store, &id).await;
    for round in 0..20 {
        let write = async |n: usize| {
            let value = format!("{round} {n}");
            let changes = set_if(vec![text("a", &value)], at(current));
            (value, store.write(&id, &changes, None).await.unwrap())
        };
        let results = join_all((0..16).map(write)).await;
        let made = results.iter().filter_map(|(value, result)| match result {
            WriteResult::Stored(revision) => Some((value, *revision)),
            _ => None,
        });
        let made: Vec<_> = made.collect();
        assert_eq!(made.len(), 1, "{results:?}");
        let contents = read_contents(store, &id).await;
        assert_eq!(contents.texts, [("a".to_owned(), made[0].0.clone())]);
        assert_eq!(contents.revision, made[0].1);
        current = contents.revision;
    }
}

/// Increments the key once, and repeats that after a conflict. The pause before is longer each time.
async fn increment(store: &dyn Store, id: &ServiceId) {
    for attempt in 0_u64.. {
        let contents = read_contents(store, id).await;
        let count: u64 = contents.texts[0].1.parse().unwrap();
        let changes = set_if(
            vec![text("count", &(count + 1).to_string())],
            at(contents.revision),
        );
        match store.write(id, &changes, None).await.unwrap() {
            WriteResult::Stored(_) => return,
            refused => assert!(matches!(refused, WriteResult::ConditionFailed(_))),
        }
        let pause = rand::rng().random_range(0..=(1 << attempt.min(8)));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

async fn no_increment_of_many_writers_is_lost_or_doubled(store: &dyn Store) {
    const WRITERS: usize = 64;
    const INCREMENTS: usize = 10_000;
    let id = create_service(store, vec![text("count", "0")]).await;
    let before = revision_of(store, &id).await;
    let writer = async |n: usize| {
        for _ in (n..INCREMENTS).step_by(WRITERS) {
            increment(store, &id).await;
        }
    };
    join_all((0..WRITERS).map(writer)).await;
    let after = read_contents(store, &id).await;
    assert_eq!(after.texts[0].1, INCREMENTS.to_string());
    let changes = after.revision.number() - before.number();
    assert_eq!(changes, INCREMENTS as u64);
}
