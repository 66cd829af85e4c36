//! Resources that are released without notifications, after catalog changes, and after data loss.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};
use switchboard::{
    model::{
        AllocationStrategy, BookResult as Outcome, Booking, BookingOwner, CreateResult,
        IdempotencyKey, NewService, ServiceId,
    },
    store::{BookingStore, ServiceStore, redis::RedisStore},
};

use crate::support::{
    TestApp, TestRedis, TestResponse,
    bookings::{
        assert_none_free, book_another, book_number, book_when_free, booking_request, catalog,
        create, default_group_toml, delete_service, eventually, group_toml, keys, match_call,
        number, redis_store, resource_group, set_end, verify_bookings,
    },
    now, random_prefix,
};

/// Starts a replica with this group on `redis` with `prefix`.
pub(super) async fn start_replica(redis: &Arc<TestRedis>, prefix: &str, group: &str) -> TestApp {
    let catalog_file = catalog(group);
    let overrides = [("catalog.file", catalog_file.path())];
    TestApp::start(Some(Arc::clone(redis)), prefix, &overrides).await
}

/// Waits until a replica subscribes to keyspace notifications, then disables them.
async fn disable_notifications(connection: &mut MultiplexedConnection) {
    let mut numsub = cmd("PUBSUB");
    numsub.arg("NUMSUB").arg("__keyevent@0__:evicted");
    eventually("a replica is subscribed", async || {
        let (_, subscribers): (String, u64) = numsub.query_async(connection).await.unwrap();
        (subscribers > 0).then_some(())
    })
    .await;
    let mut set = cmd("CONFIG");
    set.arg("SET").arg("notify-keyspace-events").arg("");
    set.exec_async(connection).await.unwrap();
}

/// Returns the cleanup index shard of a service, and the time of its next sweep.
async fn cleanup_entry(app: &TestApp, id: &ServiceId) -> (String, i64) {
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    for shard in keys(app, "idx:*").await {
        let due: Option<i64> = connection.zscore(&shard, id.as_str()).await.unwrap();
        if let Some(due) = due {
            return (shard, due);
        }
    }
    panic!("{id} is not in the index");
}

async fn cleanup_due_at(app: &TestApp, id: &ServiceId) -> i64 {
    cleanup_entry(app, id).await.1
}

/// Schedules the sweep of a service now. Returns its cleanup index shard.
async fn make_cleanup_due(app: &TestApp, id: &ServiceId) -> String {
    let (shard, _) = cleanup_entry(app, id).await;
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let now = now().millis();
    let _: () = connection.zadd(&shard, id.as_str(), now).await.unwrap();
    shard
}

#[tokio::test]
async fn sweep_releases_numbers_without_notifications() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 2)).await;
    disable_notifications(&mut redis.connection().await).await;
    let form = "_booking_expiration_timeout=1800&_ttl=1800";
    let (deleted, ended) = (book_number(&app, form).await, book_number(&app, form).await);
    assert_none_free(&app, "").await;
    let end = now().after(Duration::from_secs(3));
    set_end(&app, &ended, &format!("expiration_time={end}")).await;
    delete_service(&app, &deleted).await;
    let started_at = now();
    let mut released = vec![book_when_free(&app, "").await.number];
    released.push(book_when_free(&app, "").await.number);
    released.sort();
    assert_eq!(released, [number(0), number(1)]);
    let elapsed = now().since(started_at);
    assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");
    for id in [&deleted.id, &ended.id] {
        let pattern = format!("*{id}*");
        eventually("no keys remain", async || {
            keys(&app, &pattern).await.is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn matched_service_is_swept_at_its_changed_end() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 1)).await;
    disable_notifications(&mut redis.connection().await).await;
    let booked = book_number(&app, "_ttl=1800&_booking_expiration_timeout=1800").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, booked.id);
    // It owns nothing any more, but is still in the index.
    let id = ServiceId::from(booked.id.clone());
    set_end(&app, &booked, "ttl=4").await;
    let soon = now().after(Duration::from_secs(10)).millis();
    assert!(cleanup_due_at(&app, &id).await <= soon);
    eventually("the index is empty", async || {
        keys(&app, "idx:*").await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn idle_group_releases_expired_bookings() {
    let group = default_group_toml("CLUSTER", 3);
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &group).await;
    for _ in 0..3 {
        book_number(&app, "_booking_expiration_timeout=5&_ttl=60").await;
    }
    let mut connection = redis.connection().await;
    let free = format!("{}grp:{{DNIS}}:free", app.prefix);
    eventually("all numbers are free", async || {
        let count: usize = connection.zcard(&free).await.unwrap();
        (count == 3).then_some(())
    })
    .await;
    let report = verify_bookings(&app, &group).await;
    assert!(report.is_clean() && report.booked.is_empty(), "{report}");
}

#[tokio::test]
async fn booking_of_abandoned_create_is_released() {
    let group = default_group_toml("CLUSTER", 1);
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &group).await;
    let id = ServiceId::generate();
    let store = redis_store(&redis, &app.prefix).await;
    let started_at = now();
    let pool = resource_group(AllocationStrategy::Exclusive, 1);
    // This simulates a replica that crashes between the booking and the create. The group was
    // synchronized from the catalog.
    let booked = store
        .book_number(BookingOwner::New(&id), &pool, &booking_request(1_800_000))
        .await;
    assert!(matches!(booked.unwrap(), Outcome::Booked(_)));
    drop(store);
    assert_none_free(&app, "").await;

    // The sweep is scheduled thirty seconds later.
    let latest = started_at.after(Duration::from_secs(40)).millis();
    let due = cleanup_due_at(&app, &id).await;
    assert!(started_at.millis() < due && due < latest, "{due}");
    let shard = make_cleanup_due(&app, &id).await;
    assert_eq!(book_when_free(&app, "").await.number, number(0));
    eventually("no keys remain", async || {
        let remaining = keys(&app, &format!("*{id}*")).await;
        let mut connection = redis.connection().await;
        let entry: Option<i64> = connection.zscore(&shard, id.as_str()).await.unwrap();
        (remaining.is_empty() && entry.is_none()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn service_ending_during_booking_leaves_no_booking() {
    let group = default_group_toml("CLUSTER", 60);
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &group).await;
    for _ in 0..60 {
        let service = app.create("_ttl=1800").await;
        let id = service.rsplit('/').next().unwrap();
        let form = format!("_id={id}&_booking_expiration_timeout=1800");
        let delete = TestResponse::send(app.delete(&service));
        let (response, deleted) = join(create(&app, "request-access", &form), delete).await;
        assert_eq!(deleted.status, 200);
        assert!(
            response.status == 200 || response.status == 404,
            "{}",
            response.text()
        );
    }
    eventually("no number is booked", async || {
        let report = verify_bookings(&app, &group).await;
        assert!(report.lost.is_empty(), "{report}");
        (report.is_clean() && report.booked.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn number_removed_from_catalog_is_not_reused() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let app = start_replica(&redis, &prefix, &default_group_toml("CLUSTER", 2)).await;
    let form = "_booking_expiration_timeout=1800";
    let (removed, remaining) = (book_number(&app, form).await, book_number(&app, form).await);
    app.stop().await;

    let changed = group_toml("DNIS", "CLUSTER", &[&number(1), &number(2)]);
    let app = start_replica(&redis, &prefix, &changed).await;
    // Its booking remains until then, and calls to the number match.
    let added = eventually("the added number is available", async || {
        let response = create(&app, "request-interaction", form).await;
        (response.status == 200).then(|| response.json()["_access_number"].clone())
    })
    .await;
    assert_eq!(added, number(2));
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, removed.id);
    assert_none_free(&app, "").await;
    delete_service(&app, &remaining).await;
    assert_eq!(book_when_free(&app, "").await.number, number(1));
    assert_none_free(&app, "").await;
    let report = verify_bookings(&app, &changed).await;
    assert!(report.lost.is_empty(), "{report}");
}

#[tokio::test]
async fn respelled_number_is_released() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let app = start_replica(
        &redis,
        &prefix,
        &group_toml("DNIS", "CLUSTER", &["8005550001"]),
    )
    .await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    app.stop().await;

    let changed = group_toml("DNIS", "CLUSTER", &["+1 800 555 0001"]);
    let app = start_replica(&redis, &prefix, &changed).await;
    let numbers_key = format!("{prefix}grp:{{DNIS}}:numbers");
    let mut connection = redis.connection().await;
    eventually("the group is synchronized", async || {
        let numbers: Vec<String> = connection.hkeys(&numbers_key).await.unwrap();
        (numbers == ["+1 800 555 0001"]).then_some(())
    })
    .await;
    // It is the same subscriber, and still booked.
    assert_none_free(&app, "").await;
    delete_service(&app, &booked).await;
    assert_eq!(book_when_free(&app, "").await.number, "+1 800 555 0001");
    let report = verify_bookings(&app, &changed).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn group_changed_to_exclusive_books_each_number_once() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let app = start_replica(&redis, &prefix, &default_group_toml("ROUND_ROBIN", 2)).await;
    let form = "_booking_expiration_timeout=1800";
    let shared = [
        book_number(&app, form).await,
        book_number(&app, form).await,
        book_number(&app, form).await,
    ];
    assert_eq!(shared[2].number, number(0));
    app.stop().await;

    let app = start_replica(&redis, &prefix, &default_group_toml("CLUSTER", 2)).await;
    assert_none_free(&app, "").await;
    delete_service(&app, &shared[1]).await;
    assert_eq!(book_when_free(&app, "").await.number, number(1));
    delete_service(&app, &shared[0]).await;
    eventually("the booking is released", async || {
        let remaining = keys(&app, &format!("*{}*", shared[0].id)).await;
        remaining.is_empty().then_some(())
    })
    .await;
    assert_none_free(&app, "").await; // the third service still has a booking
    delete_service(&app, &shared[2]).await;
    assert_eq!(book_when_free(&app, "").await.number, number(0));
    assert_none_free(&app, "").await;
}

#[tokio::test]
async fn numbers_are_available_after_total_data_loss() {
    let redis = Arc::new(TestRedis::dedicated());
    let group = default_group_toml("CLUSTER", 2);
    let app = start_replica(&redis, &random_prefix(), &group).await;
    for _ in 0..3 {
        let (first, second) = (book_number(&app, "").await, book_number(&app, "").await);
        assert_ne!(first.number, second.number);
        assert_none_free(&app, "").await;
        let mut connection = redis.connection().await;
        cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    }
    let service = app.create("").await;
    let id = service.rsplit('/').next().unwrap();
    assert_eq!(book_another(&app, id, "").await.number, number(0));
    let report = verify_bookings(&app, &group).await;
    assert!(report.is_clean(), "{report}");
}

/// A service to be created with a booking.
fn service_with_booking(booking: &Booking, id: &ServiceId, ttl_ms: u64) -> NewService {
    let now = now();
    NewService {
        id: id.clone(),
        definition: "request-interaction".to_owned(),
        created: now,
        end: now.after(Duration::from_millis(ttl_ms)),
        gms_user: None,
        data: Vec::new(),
        booking: Some(booking.clone()),
        idempotency: Some((idempotency_key(), "first".to_owned())),
        webhook: None,
        is_pending: false,
    }
}

fn idempotency_key() -> IdempotencyKey {
    IdempotencyKey {
        key: ServiceId::generate().to_string(),
    }
}

async fn book_on_new_service(store: &RedisStore, id: &ServiceId, size: usize) -> Booking {
    let pool = resource_group(AllocationStrategy::Exclusive, size);
    match store
        .book_number(BookingOwner::New(id), &pool, &booking_request(1_800_000))
        .await
    {
        Ok(Outcome::Booked(booking)) => booking,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn create_fails_after_its_booking_was_released() {
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 1)).await;
    let store = redis_store(&redis, &app.prefix).await;
    let id = ServiceId::generate();
    let booking = book_on_new_service(&store, &id, 1).await;
    make_cleanup_due(&app, &id).await;
    let next = book_when_free(&app, "_booking_expiration_timeout=1800").await;
    let result = store
        .create(service_with_booking(&booking, &id, 60_000))
        .await
        .unwrap();
    assert_eq!(result, CreateResult::UploadLost);
    assert_eq!(store.definition(&id).await.unwrap(), None);
    store.release_number(&id, &booking).await.unwrap();
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, next.id);
}

#[tokio::test]
async fn sweep_uses_end_of_the_winning_create() {
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 2)).await;
    let store = redis_store(&redis, &app.prefix).await;
    let id = ServiceId::generate();
    let (first, second) = (
        book_on_new_service(&store, &id, 2).await,
        book_on_new_service(&store, &id, 2).await,
    );
    let created = store
        .create(service_with_booking(&first, &id, 60_000))
        .await
        .unwrap();
    assert_eq!(created, CreateResult::Created);
    let replayed = store
        .create(service_with_booking(&second, &id, 86_400_000))
        .await
        .unwrap();
    assert_eq!(replayed, CreateResult::Replayed("first".to_owned()));
    let due = cleanup_due_at(&app, &id).await;
    assert!(due < now().after(Duration::from_secs(90)).millis());
}
