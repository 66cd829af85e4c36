//! How full the pools of resource groups were over the last hour.

use std::{sync::Arc, time::Duration};

use switchboard::{
    app,
    service::{CurrentCatalog, GroupUsage, UsageSample},
    store::{AdminStore, BookResult, BookingOwner, Timestamp, redis::RedisStore},
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
    the_fill_at_each_look_is_told,
    what_is_an_hour_old_goes_and_so_does_a_group_that_is_gone,
    what_is_seen_in_between_takes_no_room_of_what_is_kept,
);

/// A time, so many seconds after one long ago.
fn timestamp_at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000).after(Duration::from_secs(seconds))
}

/// What is in force where there are these groups, each of three numbers that are held for one service at a time.
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

/// Holds a number of a group for longer than a test takes. From then on the store knows the group.
async fn book_number(store: &dyn AdminStore, in_force: &CurrentCatalog, name: &str) {
    let id = create_service(store, 60_000).await;
    let groups = in_force.load().groups().current;
    let group = groups.iter().find(|group| group.name == name).unwrap();
    let holder = BookingOwner::Existing(&id);
    let booked = store
        .book_number(holder, group, &booking_request(60_000))
        .await;
    assert!(matches!(booked, Ok(BookResult::Booked(_))), "{booked:?}");
}

/// Size and free of each sample.
fn usage_samples(trend: &GroupUsage, group: &str) -> Vec<(u64, u64)> {
    let samples = trend.history(group).into_iter();
    samples.map(|sample| (sample.size, sample.free)).collect()
}

async fn the_fill_at_each_look_is_told(store: &dyn AdminStore) {
    let (trend, groups) = (
        GroupUsage::default(),
        catalog_with_groups(&names(&["a", "b"])),
    );
    for (seconds, held) in [(0, "a"), (30, "b"), (60, "a")] {
        book_number(store, &groups, held).await;
        trend.sample(store, &groups, timestamp_at(seconds)).await;
    }
    let sample = |seconds, free| UsageSample {
        at: timestamp_at(seconds),
        size: 3,
        free,
    };
    let expected = [sample(0, 2), sample(30, 2), sample(60, 1)];
    assert_eq!(trend.history("a"), expected);
    // Of a group that the store does not know yet, nobody holds a number.
    assert_eq!(
        trend.history("b"),
        [sample(0, 3), sample(30, 2), sample(60, 2)]
    );
    assert_eq!(trend.history("none"), []);
}

async fn what_is_an_hour_old_goes_and_so_does_a_group_that_is_gone(store: &dyn AdminStore) {
    let (trend, groups) = (
        GroupUsage::default(),
        catalog_with_groups(&names(&["a", "b"])),
    );
    book_number(store, &groups, "a").await;
    book_number(store, &groups, "b").await;
    for look in 0..150 {
        trend.sample(store, &groups, timestamp_at(look * 30)).await;
    }
    let samples = trend.history("a");
    let ends = (samples[0].at, samples[samples.len() - 1].at);
    assert_eq!(
        (samples.len(), ends),
        (120, (timestamp_at(900), timestamp_at(4_470)))
    );
    // However often it is looked.
    for more in 1..20 {
        trend
            .sample(store, &groups, timestamp_at(4_470 + more))
            .await;
    }
    assert_eq!(trend.history("a").len(), 120);
    trend.sample(store, &groups, timestamp_at(8_085)).await;
    // The last look, and the one from the hour before it.
    assert_eq!(trend.history("a").len(), 2);
    // A clock that was set back.
    trend.sample(store, &groups, timestamp_at(8_000)).await;
    assert_eq!(trend.history("a").last().unwrap().at, timestamp_at(8_000));

    let rest = catalog_with_groups(&names(&["b"]));
    trend.sample(store, &rest, timestamp_at(8_090)).await;
    assert_eq!(trend.history("a"), []);
    assert!(!trend.history("b").is_empty());
}

async fn what_is_seen_in_between_takes_no_room_of_what_is_kept(store: &dyn AdminStore) {
    let (trend, groups) = (GroupUsage::default(), catalog_with_groups(&names(&["a"])));
    for seconds in [0, 30, 40, 50, 59, 60, 61] {
        trend.sample(store, &groups, timestamp_at(seconds)).await;
    }
    let kept: Vec<Timestamp> = trend.history("a").iter().map(|sample| sample.at).collect();
    assert_eq!(
        kept,
        [
            timestamp_at(0),
            timestamp_at(30),
            timestamp_at(59),
            timestamp_at(61)
        ]
    );
}

#[tokio::test]
async fn of_very_many_groups_the_first_thousand_are_looked_at() {
    let (trend, store) = (GroupUsage::default(), memory());
    let all: Vec<String> = (0..1_030).map(|n| format!("group-{n:04}")).collect();
    let groups = catalog_with_groups(&all);
    for name in &all {
        book_number(&store, &groups, name).await;
    }
    trend.sample(&store, &groups, timestamp_at(0)).await;
    let seen = all.iter().filter(|name| !trend.history(name).is_empty());
    assert!(seen.eq(&all[..1_000]));
}

#[tokio::test]
async fn while_redis_is_away_nothing_is_noted() {
    let redis = TestRedis::shared();
    let proxy = Proxy::new(&redis.url().replace("redis://", ""));
    let (url, prefix) = (proxy.url(), random_prefix());
    let set = settings(&[("redis.url", &url), ("redis.prefix", &prefix)]);
    let store = RedisStore::open(&set.redis, 100).await.unwrap();
    let (trend, groups) = (GroupUsage::default(), catalog_with_groups(&names(&["a"])));
    book_number(&store, &groups, "a").await;
    trend.sample(&store, &groups, timestamp_at(0)).await;
    proxy.set_mode(ProxyMode::Close);
    trend.sample(&store, &groups, timestamp_at(30)).await;
    assert_eq!(trend.history("a").len(), 1);
    proxy.restore();
    eventually("it is seen again", async || {
        trend.sample(&store, &groups, timestamp_at(60)).await;
        (trend.history("a").len() == 2).then_some(())
    })
    .await;
    assert_eq!(usage_samples(&trend, "a"), [(3, 2), (3, 2)]);
    assert_eq!(trend.history("a")[1].at, timestamp_at(60));
}
