//! Usage of resource groups over the last hour.

use std::{sync::Arc, time::Duration};

use switchboard::{
    app,
    model::{BookResult, BookingOwner, Timestamp},
    service::{CurrentCatalog, GroupUsage, UsageSample},
    store::{AdminStore, redis::RedisStore},
    telemetry::metrics::RedisMetrics,
};

use crate::support::{
    TestRedis,
    bookings::{CatalogFile, booking_request, create_service, group_toml, number},
    eventually,
    proxy::{Proxy, ProxyMode},
    random_prefix, settings,
    stores::{memory, on_every_store},
};

on_every_store!(
    usage_is_sampled,
    old_samples_and_deleted_groups_are_removed,
    extra_samples_do_not_shorten_the_history,
);

/// A timestamp this number of seconds after a fixed one.
fn timestamp_at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000).after(Duration::from_secs(seconds))
}

/// A catalog with these exclusive groups of three numbers each.
fn catalog_with_groups(names: &[String]) -> CurrentCatalog {
    let groups = names.iter().enumerate().map(|(at, name)| {
        let numbers = [0, 1, 2].map(|n| number(at * 10 + n));
        group_toml(name, "LOCAL", &numbers.each_ref().map(String::as_str))
    });
    let file = CatalogFile::new(&groups.collect::<String>());
    let settings = settings(&[("catalog.file", file.path())]);
    CurrentCatalog::new(Arc::new(app::catalog(&settings).unwrap()))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Books a number for longer than the test runs, which also creates the pool of the group in the store.
async fn book_number(store: &dyn AdminStore, catalog: &CurrentCatalog, name: &str) {
    let id = create_service(store, 60_000).await;
    let groups = catalog.load().groups().current;
    let group = groups.iter().find(|group| group.name == name).unwrap();
    let owner = BookingOwner::Existing(&id);
    let booked = store
        .book_number(owner, group, &booking_request(60_000))
        .await;
    assert!(matches!(booked, Ok(BookResult::Booked(_))), "{booked:?}");
}

/// Size and free numbers of each sample.
fn usage_samples(usage: &GroupUsage, group: &str) -> Vec<(u64, u64)> {
    let samples = usage.history(group).into_iter();
    samples.map(|sample| (sample.size, sample.free)).collect()
}

async fn usage_is_sampled(store: &dyn AdminStore) {
    let (usage, groups) = (
        GroupUsage::default(),
        catalog_with_groups(&names(&["a", "b"])),
    );
    for (seconds, group) in [(0, "a"), (30, "b"), (60, "a")] {
        book_number(store, &groups, group).await;
        usage.sample(store, &groups, timestamp_at(seconds)).await;
    }
    let sample = |seconds, free| UsageSample {
        at: timestamp_at(seconds),
        size: 3,
        free,
    };
    let expected = [sample(0, 2), sample(30, 2), sample(60, 1)];
    assert_eq!(usage.history("a"), expected);
    // All numbers of a group without a pool in the store are free.
    assert_eq!(
        usage.history("b"),
        [sample(0, 3), sample(30, 2), sample(60, 2)]
    );
    assert_eq!(usage.history("none"), []);
}

async fn old_samples_and_deleted_groups_are_removed(store: &dyn AdminStore) {
    let (usage, groups) = (
        GroupUsage::default(),
        catalog_with_groups(&names(&["a", "b"])),
    );
    book_number(store, &groups, "a").await;
    book_number(store, &groups, "b").await;
    for n in 0..150 {
        usage.sample(store, &groups, timestamp_at(n * 30)).await;
    }
    let samples = usage.history("a");
    let ends = (samples[0].at, samples[samples.len() - 1].at);
    assert_eq!(
        (samples.len(), ends),
        (120, (timestamp_at(900), timestamp_at(4_470)))
    );
    // Additional samples within the interval.
    for more in 1..20 {
        usage
            .sample(store, &groups, timestamp_at(4_470 + more))
            .await;
    }
    assert_eq!(usage.history("a").len(), 120);
    usage.sample(store, &groups, timestamp_at(8_085)).await;
    // The last sample, and one of the hour before it.
    assert_eq!(usage.history("a").len(), 2);
    // The clock was set back.
    usage.sample(store, &groups, timestamp_at(8_000)).await;
    assert_eq!(usage.history("a").last().unwrap().at, timestamp_at(8_000));

    let rest = catalog_with_groups(&names(&["b"]));
    usage.sample(store, &rest, timestamp_at(8_090)).await;
    assert_eq!(usage.history("a"), []);
    assert!(!usage.history("b").is_empty());
}

async fn extra_samples_do_not_shorten_the_history(store: &dyn AdminStore) {
    let (usage, groups) = (GroupUsage::default(), catalog_with_groups(&names(&["a"])));
    for seconds in [0, 30, 40, 50, 59, 60, 61] {
        usage.sample(store, &groups, timestamp_at(seconds)).await;
    }
    let times: Vec<Timestamp> = usage.history("a").iter().map(|sample| sample.at).collect();
    assert_eq!(
        times,
        [
            timestamp_at(0),
            timestamp_at(30),
            timestamp_at(59),
            timestamp_at(61)
        ]
    );
}

#[tokio::test]
async fn the_first_1000_groups_are_sampled() {
    let (usage, store) = (GroupUsage::default(), memory());
    let all: Vec<String> = (0..1_030).map(|n| format!("group-{n:04}")).collect();
    let groups = catalog_with_groups(&all);
    for name in &all {
        book_number(&store, &groups, name).await;
    }
    usage.sample(&store, &groups, timestamp_at(0)).await;
    let sampled = all.iter().filter(|name| !usage.history(name).is_empty());
    assert!(sampled.eq(&all[..1_000]));
}

#[tokio::test]
async fn no_samples_are_taken_while_redis_is_unavailable() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let (url, prefix) = (proxy.url(), random_prefix());
    let set = settings(&[("redis.url", &url), ("redis.prefix", &prefix)]);
    let store = RedisStore::open(&set.redis, 100, &RedisMetrics::default())
        .await
        .unwrap();
    let (usage, groups) = (GroupUsage::default(), catalog_with_groups(&names(&["a"])));
    book_number(&store, &groups, "a").await;
    usage.sample(&store, &groups, timestamp_at(0)).await;
    proxy.set_mode(ProxyMode::Close);
    usage.sample(&store, &groups, timestamp_at(30)).await;
    assert_eq!(usage.history("a").len(), 1);
    proxy.restore();
    eventually("samples are taken again", async || {
        usage.sample(&store, &groups, timestamp_at(60)).await;
        (usage.history("a").len() == 2).then_some(())
    })
    .await;
    assert_eq!(usage_samples(&usage, "a"), [(3, 2), (3, 2)]);
    assert_eq!(usage.history("a")[1].at, timestamp_at(60));
}
