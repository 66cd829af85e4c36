//! Operations of the admin store on every store.

use std::time::Duration;

use switchboard::{
    model::{
        CatalogChange, CatalogChangeResult, CatalogStep, NodeStatus, Preview, StoredCatalog, Table,
        Timestamp,
    },
    store::AdminStore,
};

use crate::support::stores::{
    create_service, file, key, on_every_store, set_changes, test_bytes, text, upload, write_changes,
};

on_every_store!(
    change_requires_the_current_version,
    deleted_entry_is_retired_until_recreated_or_forgotten,
    audit_events_are_listed_newest_first_from_a_cursor,
    replicas_are_listed_until_they_deregister,
    heartbeats_return_the_last_requested_status,
    previews_contain_only_the_beginning_of_long_strings,
);

fn change(from: &str, to: &str, steps: Vec<CatalogStep>, events: &[&str]) -> CatalogChange {
    CatalogChange {
        from: from.to_owned(),
        to: to.to_owned(),
        changed_at: Timestamp::from_millis(1_000),
        steps,
        events: events.iter().map(|one| (*one).to_owned()).collect(),
        history: 100,
    }
}

fn service(name: &str) -> (Table, String) {
    (Table::Services, name.to_owned())
}

async fn change_requires_the_current_version(store: &dyn AdminStore) {
    assert_eq!(store.catalog_version().await.unwrap(), "");
    assert_eq!(
        store.read_catalog().await.unwrap(),
        StoredCatalog::default()
    );
    let put = |text: &str| vec![CatalogStep::Put(service("a/b\n"), text.to_owned())];
    let applied = store
        .change_catalog(&change("", "1", put("x\ny"), &["made"]))
        .await;
    assert_eq!(applied.unwrap(), CatalogChangeResult::Applied);
    let superseded = store
        .change_catalog(&change("", "2", put("z"), &["late"]))
        .await;
    assert_eq!(superseded.unwrap(), CatalogChangeResult::Superseded);
    let catalog = store.read_catalog().await.unwrap();
    assert_eq!(catalog.version, "1");
    let entry = &catalog.entries[&service("a/b\n")];
    assert_eq!(
        (entry.revision.as_str(), entry.text.as_str()),
        ("1", "x\ny")
    );
    assert_eq!(store.catalog_version().await.unwrap(), "1");
    assert_eq!(store.audit_events(None, 10).await.unwrap().len(), 1);
    store.catalog_changed().await_if_future().await;
}

/// Waits briefly for a message that may not arrive: nothing is subscribed here.
trait AwaitIfFuture: Future {
    async fn await_if_future(self)
    where
        Self: Sized,
    {
        let wait = Duration::from_millis(1);
        drop(tokio::time::timeout(wait, self).await);
    }
}

impl<F: Future> AwaitIfFuture for F {}

async fn deleted_entry_is_retired_until_recreated_or_forgotten(store: &dyn AdminStore) {
    let put = |name: &str| CatalogStep::Put(service(name), format!("text of {name}"));
    let both = change("", "1", vec![put("a"), put("b")], &[]);
    store.change_catalog(&both).await.unwrap();
    let retire = |name: &str| CatalogStep::Retire(service(name));
    let steps = vec![retire("a"), retire("b"), retire("never")];
    store
        .change_catalog(&change("1", "2", steps, &[]))
        .await
        .unwrap();
    let catalog = store.read_catalog().await.unwrap();
    assert!(catalog.entries.is_empty());
    let retired = &catalog.retired[&service("a")];
    assert_eq!(retired.text, "text of a");
    assert_eq!(retired.since, Timestamp::from_millis(1_000));
    assert_eq!(catalog.retired.len(), 2);
    let steps = vec![put("a"), CatalogStep::Forget(service("b"))];
    store
        .change_catalog(&change("2", "3", steps, &[]))
        .await
        .unwrap();
    let catalog = store.read_catalog().await.unwrap();
    assert!(catalog.retired.is_empty());
    assert_eq!(catalog.entries.len(), 1);
}

async fn audit_events_are_listed_newest_first_from_a_cursor(store: &dyn AdminStore) {
    for n in 0..5 {
        store
            .append_audit_event(&format!("event {n}"), 100)
            .await
            .unwrap();
    }
    let texts = |events: &[switchboard::model::AuditEvent]| -> Vec<String> {
        events.iter().map(|one| one.text.clone()).collect()
    };
    let page = store.audit_events(None, 3).await.unwrap();
    assert_eq!(texts(&page), ["event 4", "event 3", "event 2"]);
    let rest = store.audit_events(Some(&page[2].id), 3).await.unwrap();
    assert_eq!(texts(&rest), ["event 1", "event 0"]);
    let none = store.audit_events(Some(&rest[1].id), 3).await.unwrap();
    assert!(none.is_empty());
}

async fn replicas_are_listed_until_they_deregister(store: &dyn AdminStore) {
    assert!(store.replicas().await.unwrap().is_empty());
    for (replica, text) in [("b", "second"), ("a", "first"), ("b", "second\nagain")] {
        assert_eq!(store.heartbeat(replica, text).await.unwrap(), None);
    }
    assert_eq!(heartbeats(store).await, ["first", "second\nagain"]);
    store.deregister("a").await.unwrap();
    store.deregister("never").await.unwrap();
    assert_eq!(heartbeats(store).await, ["second\nagain"]);
}

async fn heartbeats(store: &dyn AdminStore) -> Vec<String> {
    let listed = store.replicas().await.unwrap().into_iter();
    listed.map(|replica| replica.heartbeat).collect()
}

async fn heartbeats_return_the_last_requested_status(store: &dyn AdminStore) {
    let request = async |replica: &str, status, by: &str, after: i64| {
        let after = Timestamp::from_millis(after);
        let request = store.request_status(replica, status, by, after).await;
        request.unwrap()
    };
    for replica in ["a", "b"] {
        store.heartbeat(replica, replica).await.unwrap();
    }
    let before = store.now().unwrap();
    let first = request("a", NodeStatus::Offline, "jane", 0).await;
    assert_eq!(
        (first.status, first.by.as_str()),
        (NodeStatus::Offline, "jane")
    );
    assert!(first.at.since(before) < Duration::from_secs(10));
    // Requests in the same millisecond have an order, also if the clock of the store was set back.
    let second = request("a", NodeStatus::Online, "joe\nor \"x\"", 0).await;
    assert!(second.at > first.at);
    let future = second.at.millis() + 3_600_000;
    let third = request("a", NodeStatus::Offline, "", future).await;
    assert_eq!(third.at.millis(), future + 1);
    let last = request("a", NodeStatus::Online, "joe\nor \"x\"", 0).await;
    assert_eq!(last.at.millis(), future + 2);
    // It is returned until the replica deregisters.
    for _ in 0..2 {
        let returned = store.heartbeat("a", "a").await.unwrap();
        assert_eq!(returned.as_ref(), Some(&last));
    }
    assert_eq!(store.heartbeat("b", "b").await.unwrap(), None);
    let listed = store.replicas().await.unwrap().into_iter();
    let requests: Vec<_> = listed.map(|replica| replica.request).collect();
    assert_eq!(requests, [Some(last), None]);
    store.deregister("a").await.unwrap();
    assert_eq!(store.heartbeat("a", "a").await.unwrap(), None);
    assert_eq!(heartbeats(store).await, ["a", "b"]);
}

async fn previews_contain_only_the_beginning_of_long_strings(store: &dyn AdminStore) {
    let wide = "\u{1f600}".repeat(300_000);
    let data = [("short", "ab"), ("empty", ""), ("wide", &wide)];
    let id = create_service(store, data.map(|(name, value)| text(name, value)).into()).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("binary", &binary)])).await;
    let keys = ["wide", "wide", "none", "binary", "short", "empty"].map(key);
    let previews = store.previews(&id, &keys, 6).await.unwrap();
    let preview = |text: &str, bytes| {
        let text = text.to_owned();
        Some(Preview { text, bytes })
    };
    // A partial character at the end is removed.
    let expected = [
        preview("\u{1f600}", wide.len()),
        preview("\u{1f600}", wide.len()),
        None,
        None,
        preview("ab", 2),
        preview("", 0),
    ];
    assert_eq!(previews, expected);
    store.delete(&id).await.unwrap();
    let previews = store.previews(&id, &keys[..1], 6).await.unwrap();
    assert_eq!(previews, [None]);
}
