//! What every store does for operators.

use switchboard::store::{
    AdminStore, CatalogChange, CatalogChangeResult, CatalogStep, Cursor, Preview, StoredCatalog,
    Table, Timestamp,
};

use crate::support::stores::{
    create_service, create_until, file, in_ms, key, on_every_store, set_changes, test_bytes, text,
    upload, write_changes,
};

on_every_store!(
    a_change_is_made_only_from_the_version_that_it_was_made_of,
    what_is_deleted_is_retired_until_it_is_made_again_or_forgotten,
    the_history_is_told_newest_first_from_any_place,
    replicas_are_told_until_they_withdraw,
    services_are_listed_by_end_however_many_end_at_once,
    of_long_strings_no_more_than_their_beginnings_is_told,
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

async fn a_change_is_made_only_from_the_version_that_it_was_made_of(store: &dyn AdminStore) {
    assert_eq!(store.catalog_version().await.unwrap(), "");
    assert_eq!(
        store.read_catalog().await.unwrap(),
        StoredCatalog::default()
    );
    let put = |text: &str| vec![CatalogStep::Put(service("a/b\n"), text.to_owned())];
    let made = store
        .change_catalog(&change("", "1", put("x\ny"), &["made"]))
        .await;
    assert_eq!(made.unwrap(), CatalogChangeResult::Applied);
    let late = store
        .change_catalog(&change("", "2", put("z"), &["late"]))
        .await;
    assert_eq!(late.unwrap(), CatalogChangeResult::Superseded);
    let is = store.read_catalog().await.unwrap();
    assert_eq!(is.version, "1");
    let entry = &is.entries[&service("a/b\n")];
    assert_eq!(
        (entry.revision.as_str(), entry.text.as_str()),
        ("1", "x\ny")
    );
    assert_eq!(store.catalog_version().await.unwrap(), "1");
    assert_eq!(store.audit_events(None, 10).await.unwrap().len(), 1);
    store.catalog_changed().await_if_future().await;
}

/// A message may have come or not, for nobody listens here.
trait AwaitIfFuture: Future {
    async fn await_if_future(self)
    where
        Self: Sized,
    {
        let soon = std::time::Duration::from_millis(1);
        drop(tokio::time::timeout(soon, self).await);
    }
}

impl<F: Future> AwaitIfFuture for F {}

async fn what_is_deleted_is_retired_until_it_is_made_again_or_forgotten(store: &dyn AdminStore) {
    let put = |name: &str| CatalogStep::Put(service(name), format!("text of {name}"));
    let both = change("", "1", vec![put("a"), put("b")], &[]);
    store.change_catalog(&both).await.unwrap();
    let retire = |name: &str| CatalogStep::Retire(service(name));
    let steps = vec![retire("a"), retire("b"), retire("never")];
    store
        .change_catalog(&change("1", "2", steps, &[]))
        .await
        .unwrap();
    let is = store.read_catalog().await.unwrap();
    assert!(is.entries.is_empty());
    let retired = &is.retired[&service("a")];
    assert_eq!(retired.text, "text of a");
    assert_eq!(retired.since, Timestamp::from_millis(1_000));
    assert_eq!(is.retired.len(), 2);
    let steps = vec![put("a"), CatalogStep::Forget(service("b"))];
    store
        .change_catalog(&change("2", "3", steps, &[]))
        .await
        .unwrap();
    let is = store.read_catalog().await.unwrap();
    assert!(is.retired.is_empty());
    assert_eq!(is.entries.len(), 1);
}

async fn the_history_is_told_newest_first_from_any_place(store: &dyn AdminStore) {
    for n in 0..5 {
        store
            .append_audit_event(&format!("event {n}"), 100)
            .await
            .unwrap();
    }
    let texts = |events: &[switchboard::store::AuditEvent]| -> Vec<String> {
        events.iter().map(|one| one.text.clone()).collect()
    };
    let page = store.audit_events(None, 3).await.unwrap();
    assert_eq!(texts(&page), ["event 4", "event 3", "event 2"]);
    let rest = store.audit_events(Some(&page[2].id), 3).await.unwrap();
    assert_eq!(texts(&rest), ["event 1", "event 0"]);
    let none = store.audit_events(Some(&rest[1].id), 3).await.unwrap();
    assert!(none.is_empty());
}

async fn replicas_are_told_until_they_withdraw(store: &dyn AdminStore) {
    assert!(store.replicas().await.unwrap().is_empty());
    for (replica, told) in [("b", "second"), ("a", "first"), ("b", "second\nagain")] {
        store.heartbeat(replica, told).await.unwrap();
    }
    assert_eq!(store.replicas().await.unwrap(), ["first", "second\nagain"]);
    store.deregister("a").await.unwrap();
    store.deregister("never").await.unwrap();
    assert_eq!(store.replicas().await.unwrap(), ["second\nagain"]);
}

async fn services_are_listed_by_end_however_many_end_at_once(store: &dyn AdminStore) {
    let end = in_ms(600_000);
    let mut expected = Vec::new();
    for n in 0..30 {
        let end = if n < 25 { end } else { in_ms(700_000 + n) };
        expected.push(create_until(store, end, Vec::new()).await);
    }
    assert_eq!(store.count_services().await.unwrap(), 30);
    let (mut found, mut after): (Vec<_>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let page = store.services_by_end(after.as_ref(), 4).await.unwrap();
        found.extend(page.entries.into_iter().map(|one| (one.end, one.id)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(found.is_sorted_by_key(|(end, id)| (*end, id.as_str().to_owned())));
    let mut found: Vec<_> = found
        .into_iter()
        .map(|(_, id)| id.as_str().to_owned())
        .collect();
    let mut expected: Vec<_> = expected.iter().map(|id| id.as_str().to_owned()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let gone = switchboard::store::ServiceId::from(expected[0].clone());
    store.delete(&gone).await.unwrap();
    assert_eq!(store.count_services().await.unwrap(), 29);
}

async fn of_long_strings_no_more_than_their_beginnings_is_told(store: &dyn AdminStore) {
    let wide = "\u{1f600}".repeat(300_000);
    let data = [("short", "ab"), ("empty", ""), ("wide", &wide)];
    let id = create_service(store, data.map(|(name, value)| text(name, value)).into()).await;
    let binary = upload(store, &id, &test_bytes(10)).await;
    write_changes(store, &id, set_changes(vec![file("binary", &binary)])).await;
    let keys = ["wide", "wide", "none", "binary", "short", "empty"].map(key);
    let told = store.previews(&id, &keys, 6).await.unwrap();
    let begin = |text: &str, bytes| {
        let text = text.to_owned();
        Some(Preview { text, bytes })
    };
    // A character that is cut in two is left out.
    let expected = [
        begin("\u{1f600}", wide.len()),
        begin("\u{1f600}", wide.len()),
        None,
        None,
        begin("ab", 2),
        begin("", 0),
    ];
    assert_eq!(told, expected);
    store.delete(&id).await.unwrap();
    let told = store.previews(&id, &keys[..1], 6).await.unwrap();
    assert_eq!(told, [None]);
}
