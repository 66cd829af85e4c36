//! Statistics of all replicas in rings, and when a group was last exhausted.

use std::time::Duration;

use redis::{AsyncCommands, cmd};
use switchboard::{
    model::{
        AllocationStrategy, BookResult, BookingOwner, ServiceId, Timestamp,
        statistics::{SAMPLE_INTERVAL, Statistics, StatisticsRange},
    },
    store::{AdminQueries, AdminStore, BookingStore, Clock, StatisticsStore, redis::RedisStore},
    telemetry::metrics::RedisMetrics,
};

use crate::support::{
    bookings::{booking_request, create_service, resource_group},
    dedicated_redis::DedicatedRedis,
    eventually, random_prefix, settings,
    statistics::{ring_key, server_time, write_statistics},
    stores::{MAX_KEYS, RedisFixture, on_every_store},
};

on_every_store!(
    samples_of_an_interval_are_merged,
    a_late_sample_belongs_to_its_own_interval,
    an_exhausted_group_has_the_time_of_the_last_failed_booking,
);

fn sample(successes: u64, services: Option<u64>) -> Statistics {
    let mut sample = Statistics {
        samples: 1,
        successes,
        failed_matches: 1,
        active_services: services,
        ..Statistics::default()
    };
    sample.requests.add(0.001, successes);
    sample
}

/// Adds two samples of replicas in one interval. Returns its start.
async fn add_two(store: &dyn StatisticsStore) -> Timestamp {
    let start =
        |at: Timestamp| StatisticsRange::Hour.interval_start(at.before(SAMPLE_INTERVAL / 2));
    let first = store
        .add_statistics(&sample(3, Some(7)), Duration::ZERO)
        .await
        .unwrap();
    let second = store
        .add_statistics(&sample(4, None), Duration::ZERO)
        .await
        .unwrap();
    if start(first) == start(second) {
        return start(first);
    }
    let third = store
        .add_statistics(&sample(3, Some(7)), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(start(second), start(third));
    start(third)
}

async fn a_late_sample_belongs_to_its_own_interval(store: &dyn StatisticsStore) {
    let age = Duration::from_secs(600);
    let at = store
        .add_statistics(&sample(9, Some(1)), age)
        .await
        .unwrap();
    let taken = at.before(age + SAMPLE_INTERVAL / 2);
    for range in StatisticsRange::ALL {
        let history = store.statistics(range).await.unwrap();
        let [(start, merged)] = history.intervals.try_into().unwrap();
        assert_eq!((start, merged.successes), (range.interval_start(taken), 9));
    }
}

async fn samples_of_an_interval_are_merged(store: &dyn StatisticsStore) {
    let start = add_two(store).await;
    let hour = eventually("the interval is complete", async || {
        let history = store.statistics(StatisticsRange::Hour).await.unwrap();
        (history.until > start).then_some(history)
    })
    .await;
    let merged = hour.intervals.iter().find(|(at, _)| *at == start);
    let mut expected = Statistics {
        samples: 2,
        successes: 7,
        failed_matches: 2,
        active_services: Some(7),
        ..Statistics::default()
    };
    expected.requests.add(0.001, 7);
    assert_eq!(merged, Some(&(start, expected)));
    let now = store.now().unwrap();
    assert!(
        now.since(hour.until) < 3 * SAMPLE_INTERVAL,
        "{now} {}",
        hour.until
    );
    // The samples are in an interval of a day that is not complete, or just is.
    let day = store.statistics(StatisticsRange::Day).await.unwrap();
    let of_day = StatisticsRange::Day.interval_start(start);
    let is_complete = day.until > of_day;
    assert_eq!(!day.intervals.is_empty(), is_complete);
}

async fn an_exhausted_group_has_the_time_of_the_last_failed_booking(store: &dyn AdminStore) {
    let group = resource_group(AllocationStrategy::Exclusive, 1);
    let names = ["unknown", group.name.as_str()];
    assert_eq!(store.exhausted_at(&names).await.unwrap(), [None, None]);
    let (first, second) = (
        create_service(store, 60_000).await,
        create_service(store, 60_000).await,
    );
    let book = async |id| {
        let owner = BookingOwner::Existing(id);
        let request = booking_request(60_000);
        store.book_number(owner, &group, &request).await.unwrap()
    };
    assert!(matches!(book(&first).await, BookResult::Booked(_)));
    assert_eq!(store.exhausted_at(&names).await.unwrap(), [None, None]);
    let before = store.now().unwrap();
    assert!(matches!(book(&second).await, BookResult::Exhausted(_)));
    let times = store.exhausted_at(&names).await.unwrap();
    assert_eq!(times[0], None);
    let at = times[1].unwrap();
    let distance = at.since(before).max(before.since(at));
    assert!(distance.as_secs() < 5, "{at} {before}");
}

#[tokio::test]
async fn a_failed_booking_is_answered_even_if_its_time_cannot_be_recorded() {
    let server = DedicatedRedis::start(&[]).await;
    let (url, prefix) = (server.url(), random_prefix());
    let settings = settings(&[("redis.url", &url), ("redis.prefix", &prefix)]).redis;
    let metrics = RedisMetrics::default();
    let store = RedisStore::open(&settings, MAX_KEYS, &metrics);
    let store = store.await.unwrap();
    let group = resource_group(AllocationStrategy::Exclusive, 1);
    let names = [group.name.as_str()];
    let first = create_service(&store, 60_000).await;
    let book = async |owner: BookingOwner<'_>| {
        let request = booking_request(60_000);
        store.book_number(owner, &group, &request).await.unwrap()
    };
    let booked = book(BookingOwner::Existing(&first)).await;
    assert!(matches!(booked, BookResult::Booked(_)));
    server.command(&["ACL", "SETUSER", "default", "-set"]).await;
    let second = create_service(&store, 60_000).await;
    let third = ServiceId::generate();
    for owner in [
        BookingOwner::Existing(&second),
        BookingOwner::NewRepeatable(&third, "digest"),
    ] {
        assert!(matches!(book(owner).await, BookResult::Exhausted(_)));
    }
    assert_eq!(store.exhausted_at(&names).await.unwrap(), [None]);
}

#[tokio::test]
async fn rings_in_redis_are_bounded_and_expire() {
    let redis = RedisFixture::shared().await;
    let mut connection = redis.connection.clone();
    let mut bytes = 0;
    // All values have 8 digits.
    let [counts, gauges] = [35, 4].map(|values| vec!["99999999"; values].join(" "));
    let large = Statistics::parse(&counts, &gauges).unwrap();
    for range in StatisticsRange::ALL {
        // Twice as many intervals as the ring has, as if replicas had run for that time.
        let history = eventually("a read of the interval after a write in it", async || {
            let before = range.interval_start(server_time(&mut connection.clone()).await);
            let ages = (0..2 * range.intervals()).rev();
            let intervals = ages.map(|age| (age, large.clone()));
            write_statistics(&mut connection.clone(), &redis.prefix, range, intervals).await;
            let history = redis.store.statistics(range).await.unwrap();
            let after = range.interval_start(server_time(&mut connection.clone()).await);
            (before == after && history.until == after).then_some(history)
        })
        .await;
        let until = redis.store.now().unwrap();
        assert!(until.since(history.until) < 2 * range.interval());
        let starts = history.intervals.iter().map(|(start, _)| *start);
        let starts: Vec<Timestamp> = starts.collect();
        assert!(starts.is_sorted() && starts.first() >= Some(&history.start()));
        // The interval in progress has a slot of its own, so all complete ones are read.
        assert_eq!(starts.len(), range.intervals() as usize);
    }
    redis
        .store
        .add_statistics(&sample(1, None), Duration::ZERO)
        .await
        .unwrap();
    for range in StatisticsRange::ALL {
        let key = ring_key(&redis.prefix, range);
        let fields: usize = connection.hlen(&key).await.unwrap();
        assert_eq!(fields, range.slots() as usize);
        let ttl: i64 = connection.pttl(&key).await.unwrap();
        let longest = (range.duration() + range.interval()).as_millis();
        assert!(
            ttl > 0 && ttl.unsigned_abs() <= longest.try_into().unwrap(),
            "{ttl}"
        );
        let mut usage = cmd("MEMORY");
        let usage = usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
        bytes += usage.query_async::<usize>(&mut connection).await.unwrap();
    }
    assert!(bytes < 300_000, "{bytes}");
}

#[tokio::test]
async fn statistics_before_the_range_and_of_other_versions_are_skipped() {
    let redis = RedisFixture::shared().await;
    let mut connection = redis.connection.clone();
    let range = StatisticsRange::Hour;
    // All replicas were down for an hour and longer.
    let ages = range.intervals() + 2..range.intervals() + 100;
    let old = ages.map(|age| (age, sample(1, None)));
    write_statistics(&mut connection, &redis.prefix, range, old).await;
    let key = ring_key(&redis.prefix, range);
    let start = range.interval_start(server_time(&mut connection).await);
    let start = start.before(2 * range.interval()).millis();
    let later = format!("{start}\n1 2 3\n4");
    let slot = start / 10_000 % i64::from(range.slots());
    let _: () = connection.hset(&key, slot, later).await.unwrap();
    let history = redis.store.statistics(range).await.unwrap();
    assert_eq!(history.intervals, []);
    redis
        .store
        .add_statistics(&sample(5, None), Duration::ZERO)
        .await
        .unwrap();
    let now = redis.store.now().unwrap();
    let history = eventually("a sample is complete", async || {
        let history = redis.store.statistics(range).await.unwrap();
        (history.until >= now).then_some(history)
    })
    .await;
    let samples: Vec<u64> = history
        .intervals
        .iter()
        .map(|(_, at)| at.successes)
        .collect();
    assert_eq!(samples, [5]);
}
