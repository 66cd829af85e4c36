//! What every store does for operators.

use switchboard::store::{
    Beginning, CatalogChange, CatalogChanged, Moment, Place, Step, StoredCatalog, Table, WholeStore,
};

use crate::support::stores::{
    file, in_ms, key, make, make_until, on_every_store, setting, some_bytes, text, upload, write,
};

on_every_store!(
    a_change_is_made_only_from_the_version_that_it_was_made_of,
    what_is_deleted_is_retired_until_it_is_made_again_or_forgotten,
    the_history_is_told_newest_first_from_any_place,
    replicas_are_told_until_they_withdraw,
    services_are_listed_by_end_however_many_end_at_once,
    of_long_strings_no_more_than_their_beginnings_is_told,
);

fn change(from: &str, to: &str, steps: Vec<Step>, events: &[&str]) -> CatalogChange {
    CatalogChange {
        from: from.to_owned(),
        to: to.to_owned(),
        at: Moment::from_millis(1_000),
        steps,
        events: events.iter().map(|one| (*one).to_owned()).collect(),
        history: 100,
    }
}

fn service(name: &str) -> (Table, String) {
    (Table::Services, name.to_owned())
}

async fn a_change_is_made_only_from_the_version_that_it_was_made_of(store: &dyn WholeStore) {
    assert_eq!(store.catalog_version().await.unwrap(), "");
    assert_eq!(
        store.stored_catalog().await.unwrap(),
        StoredCatalog::default()
    );
    let put = |text: &str| vec![Step::Put(service("a/b\n"), text.to_owned())];
    let made = store
        .change_catalog(&change("", "1", put("x\ny"), &["made"]))
        .await;
    assert_eq!(made.unwrap(), CatalogChanged::Done);
    let late = store
        .change_catalog(&change("", "2", put("z"), &["late"]))
        .await;
    assert_eq!(late.unwrap(), CatalogChanged::Superseded);
    let is = store.stored_catalog().await.unwrap();
    assert_eq!(is.version, "1");
    let entry = &is.entries[&service("a/b\n")];
    assert_eq!(
        (entry.revision.as_str(), entry.text.as_str()),
        ("1", "x\ny")
    );
    assert_eq!(store.catalog_version().await.unwrap(), "1");
    assert_eq!(store.history(None, 10).await.unwrap().len(), 1);
    store.told_of_change().await_or_not().await;
}

/// A message may have come or not, for nobody listens here.
trait AwaitOrNot: Future {
    async fn await_or_not(self)
    where
        Self: Sized,
    {
        let soon = std::time::Duration::from_millis(1);
        drop(tokio::time::timeout(soon, self).await);
    }
}

impl<F: Future> AwaitOrNot for F {}

async fn what_is_deleted_is_retired_until_it_is_made_again_or_forgotten(store: &dyn WholeStore) {
    let put = |name: &str| Step::Put(service(name), format!("text of {name}"));
    let both = change("", "1", vec![put("a"), put("b")], &[]);
    store.change_catalog(&both).await.unwrap();
    let retire = |name: &str| Step::Retire(service(name));
    let steps = vec![retire("a"), retire("b"), retire("never")];
    store
        .change_catalog(&change("1", "2", steps, &[]))
        .await
        .unwrap();
    let is = store.stored_catalog().await.unwrap();
    assert!(is.entries.is_empty());
    let retired = &is.retired[&service("a")];
    assert_eq!(retired.text, "text of a");
    assert_eq!(retired.since, Moment::from_millis(1_000));
    assert_eq!(is.retired.len(), 2);
    let steps = vec![put("a"), Step::Forget(service("b"))];
    store
        .change_catalog(&change("2", "3", steps, &[]))
        .await
        .unwrap();
    let is = store.stored_catalog().await.unwrap();
    assert!(is.retired.is_empty());
    assert_eq!(is.entries.len(), 1);
}

async fn the_history_is_told_newest_first_from_any_place(store: &dyn WholeStore) {
    for n in 0..5 {
        store.note(&format!("event {n}"), 100).await.unwrap();
    }
    let texts = |events: &[switchboard::store::PastEvent]| -> Vec<String> {
        events.iter().map(|one| one.text.clone()).collect()
    };
    let page = store.history(None, 3).await.unwrap();
    assert_eq!(texts(&page), ["event 4", "event 3", "event 2"]);
    let rest = store.history(Some(&page[2].place), 3).await.unwrap();
    assert_eq!(texts(&rest), ["event 1", "event 0"]);
    let none = store.history(Some(&rest[1].place), 3).await.unwrap();
    assert!(none.is_empty());
}

async fn replicas_are_told_until_they_withdraw(store: &dyn WholeStore) {
    assert!(store.replicas().await.unwrap().is_empty());
    for (replica, told) in [("b", "second"), ("a", "first"), ("b", "second\nagain")] {
        store.announce(replica, told).await.unwrap();
    }
    assert_eq!(store.replicas().await.unwrap(), ["first", "second\nagain"]);
    store.withdraw("a").await.unwrap();
    store.withdraw("never").await.unwrap();
    assert_eq!(store.replicas().await.unwrap(), ["second\nagain"]);
}

async fn services_are_listed_by_end_however_many_end_at_once(store: &dyn WholeStore) {
    let end = in_ms(600_000);
    let mut expected = Vec::new();
    for n in 0..30 {
        let end = if n < 25 { end } else { in_ms(700_000 + n) };
        expected.push(make_until(store, end, Vec::new()).await);
    }
    assert_eq!(store.count_services().await.unwrap(), 30);
    let (mut found, mut after): (Vec<_>, Option<Place>) = (Vec::new(), None);
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

async fn of_long_strings_no_more_than_their_beginnings_is_told(store: &dyn WholeStore) {
    let wide = "\u{1f600}".repeat(300_000);
    let data = [("short", "ab"), ("empty", ""), ("wide", &wide)];
    let id = make(store, data.map(|(name, value)| text(name, value)).into()).await;
    let binary = upload(store, &id, &some_bytes(10)).await;
    write(store, &id, setting(vec![file("binary", &binary)])).await;
    let keys = ["wide", "wide", "none", "binary", "short", "empty"].map(key);
    let told = store.beginnings(&id, &keys, 6).await.unwrap();
    let begin = |text: &str, bytes| {
        let text = text.to_owned();
        Some(Beginning { text, bytes })
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
    let told = store.beginnings(&id, &keys[..1], 6).await.unwrap();
    assert_eq!(told, [None]);
}
