//! What is given back though Redis tells nobody, though the catalogue changed, though everything is
//! gone.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use redis::{AsyncCommands, aio::MultiplexedConnection, cmd};
use switchboard::store::{
    AllocationStrategy, BookResult as Outcome, Booking, BookingOwner, CreateResult, IdempotencyKey,
    NewService, ServiceId, Store, redis::RedisStore,
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

/// A replica with this group, on `redis`, under `prefix`.
pub(super) async fn start_replica(redis: &Arc<TestRedis>, prefix: &str, group: &str) -> TestApp {
    let catalogue = catalog(group);
    let overrides = [("catalog.file", catalogue.path())];
    TestApp::start(Some(Arc::clone(redis)), prefix, &overrides).await
}

/// Waits until somebody is told of services that end, then sees to it that nobody is any more.
async fn disable_notifications(connection: &mut MultiplexedConnection) {
    let mut ask = cmd("PUBSUB");
    ask.arg("NUMSUB").arg("__keyevent@0__:evicted");
    eventually("a replica listens", async || {
        let (_, listening): (String, u64) = ask.query_async(connection).await.unwrap();
        (listening > 0).then_some(())
    })
    .await;
    let mut set = cmd("CONFIG");
    set.arg("SET").arg("notify-keyspace-events").arg("");
    set.exec_async(connection).await.unwrap();
}

/// The shard of the index that lists a service, and when the sweep looks after it.
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

/// Has the sweep look after a service now. Gives the shard of the index that lists it.
async fn make_cleanup_due(app: &TestApp, id: &ServiceId) -> String {
    let (shard, _) = cleanup_entry(app, id).await;
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let now = now().millis();
    let _: () = connection.zadd(&shard, id.as_str(), now).await.unwrap();
    shard
}

#[tokio::test]
async fn what_nobody_was_told_of_comes_back_within_seconds() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 2)).await;
    disable_notifications(&mut redis.connection().await).await;
    let form = "_booking_expiration_timeout=1800&_ttl=1800";
    let (deleted, ended) = (book_number(&app, form).await, book_number(&app, form).await);
    assert_none_free(&app, "").await;
    let ends = now().after(Duration::from_millis(200));
    set_end(&app, &ended, &format!("expiration_time={ends}")).await;
    delete_service(&app, &deleted).await;
    let since = now();
    let mut back = vec![book_when_free(&app, "").await.number];
    back.push(book_when_free(&app, "").await.number);
    back.sort();
    assert_eq!(back, [number(0), number(1)]);
    let took = now().since(since);
    assert!(took < Duration::from_secs(15), "{took:?}");
    for id in [&deleted.id, &ended.id] {
        let left = format!("*{id}*");
        eventually("nothing is left", async || {
            keys(&app, &left).await.is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_whose_call_came_is_looked_after_at_its_end_though_it_was_moved() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 1)).await;
    disable_notifications(&mut redis.connection().await).await;
    let booked = book_number(&app, "_ttl=1800&_booking_expiration_timeout=1800").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, booked.id);
    // It holds nothing any more, and is in the index still.
    let id = ServiceId::from(booked.id.clone());
    set_end(&app, &booked, "ttl=1").await;
    let soon = now().after(Duration::from_secs(1)).millis();
    assert!(cleanup_due_at(&app, &id).await <= soon);
    eventually("nothing is left", async || {
        keys(&app, "idx:*").await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_nobody_asks_for_is_given_back_when_it_runs_out() {
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
    let audit = verify_bookings(&app, &group).await;
    assert!(audit.is_clean() && audit.booked.is_empty(), "{audit}");
}

#[tokio::test]
async fn a_number_held_for_a_service_that_was_never_made_comes_back() {
    let group = default_group_toml("CLUSTER", 1);
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &group).await;
    let id = ServiceId::generate();
    let store = redis_store(&redis, &app.prefix).await;
    let asked = now();
    let pool = resource_group(AllocationStrategy::Exclusive, 1);
    // As a replica that dies between the booking and the making of the service. Its group is the one
    // that was filled by the catalogue.
    let held = store
        .book_number(BookingOwner::New(&id), &pool, &booking_request(1_800_000))
        .await;
    assert!(matches!(held.unwrap(), Outcome::Booked(_)));
    drop(store);
    assert_none_free(&app, "").await;

    // The sweep looks after it thirty seconds later.
    let late = asked.after(Duration::from_secs(40)).millis();
    let due = cleanup_due_at(&app, &id).await;
    assert!(asked.millis() < due && due < late, "{due}");
    let shard = make_cleanup_due(&app, &id).await;
    assert_eq!(book_when_free(&app, "").await.number, number(0));
    eventually("nothing is left", async || {
        let left = keys(&app, &format!("*{id}*")).await;
        let mut connection = redis.connection().await;
        let listed: Option<i64> = connection.zscore(&shard, id.as_str()).await.unwrap();
        (left.is_empty() && listed.is_none()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_ends_while_it_is_given_a_number_keeps_none() {
    let group = default_group_toml("CLUSTER", 60);
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &group).await;
    for _ in 0..60 {
        let service = app.create("_ttl=1800").await;
        let id = service.rsplit('/').next().unwrap();
        let form = format!("_id={id}&_booking_expiration_timeout=1800");
        let delete = TestResponse::send(app.delete(&service));
        let (answer, deleted) = join(create(&app, "request-access", &form), delete).await;
        assert_eq!(deleted.status, 200);
        assert!(
            answer.status == 200 || answer.status == 404,
            "{}",
            answer.text()
        );
    }
    eventually("no number is held", async || {
        let audit = verify_bookings(&app, &group).await;
        assert!(audit.lost.is_empty(), "{audit}");
        (audit.is_clean() && audit.booked.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_number_that_left_the_catalogue_does_not_come_back() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let app = start_replica(&redis, &prefix, &default_group_toml("CLUSTER", 2)).await;
    let form = "_booking_expiration_timeout=1800";
    let (gone, kept) = (book_number(&app, form).await, book_number(&app, form).await);
    app.stop().await;

    let changed = group_toml("DNIS", "CLUSTER", &[&number(1), &number(2)]);
    let app = start_replica(&redis, &prefix, &changed).await;
    // It is held until then, and found by whoever dials it.
    let new = eventually("the new number is there", async || {
        let answer = create(&app, "request-interaction", form).await;
        (answer.status == 200).then(|| answer.json()["_access_number"].clone())
    })
    .await;
    assert_eq!(new, number(2));
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, gone.id);
    assert_none_free(&app, "").await;
    delete_service(&app, &kept).await;
    assert_eq!(book_when_free(&app, "").await.number, number(1));
    assert_none_free(&app, "").await;
    let audit = verify_bookings(&app, &changed).await;
    assert!(audit.lost.is_empty(), "{audit}");
}

#[tokio::test]
async fn a_number_that_is_written_otherwise_in_the_catalogue_comes_back() {
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
    let version = format!("{prefix}grp:{{DNIS}}:numbers");
    let mut connection = redis.connection().await;
    eventually("the group is filled", async || {
        let numbers: Vec<String> = connection.hkeys(&version).await.unwrap();
        (numbers == ["+1 800 555 0001"]).then_some(())
    })
    .await;
    // It is the same subscriber, and held.
    assert_none_free(&app, "").await;
    delete_service(&app, &booked).await;
    assert_eq!(book_when_free(&app, "").await.number, "+1 800 555 0001");
    let audit = verify_bookings(&app, &changed).await;
    assert!(audit.is_clean(), "{audit}");
}

#[tokio::test]
async fn a_group_that_is_no_longer_shared_gives_each_number_to_one() {
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
    eventually("it was given back", async || {
        let left = keys(&app, &format!("*{}*", shared[0].id)).await;
        left.is_empty().then_some(())
    })
    .await;
    assert_none_free(&app, "").await; // the third one still has it
    delete_service(&app, &shared[2]).await;
    assert_eq!(book_when_free(&app, "").await.number, number(0));
    assert_none_free(&app, "").await;
}

#[tokio::test]
async fn a_redis_that_lost_everything_gives_out_numbers_again() {
    let redis = Arc::new(TestRedis::dedicated());
    let group = default_group_toml("CLUSTER", 2);
    let app = start_replica(&redis, &random_prefix(), &group).await;
    for _ in 0..3 {
        let (one, other) = (book_number(&app, "").await, book_number(&app, "").await);
        assert_ne!(one.number, other.number);
        assert_none_free(&app, "").await;
        let mut connection = redis.connection().await;
        cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    }
    let service = app.create("").await;
    let id = service.rsplit('/').next().unwrap();
    assert_eq!(book_another(&app, id, "").await.number, number(0));
    let audit = verify_bookings(&app, &group).await;
    assert!(audit.is_clean(), "{audit}");
}

/// A service that is to be made with a booking.
fn service_with_booking(booking: &Booking, id: &ServiceId, life: u64) -> NewService {
    let now = now();
    NewService {
        id: id.clone(),
        definition: "request-interaction".to_owned(),
        created: now,
        end: now.after(Duration::from_millis(life)),
        gms_user: None,
        data: Vec::new(),
        booking: Some(booking.clone()),
        idempotency: Some((idempotency_key(), "first".to_owned())),
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
async fn a_service_whose_number_was_given_back_meanwhile_is_not_made() {
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 1)).await;
    let store = redis_store(&redis, &app.prefix).await;
    let id = ServiceId::generate();
    let booking = book_on_new_service(&store, &id, 1).await;
    make_cleanup_due(&app, &id).await;
    let next = book_when_free(&app, "_booking_expiration_timeout=1800").await;
    let made = store
        .create(service_with_booking(&booking, &id, 60_000))
        .await
        .unwrap();
    assert_eq!(made, CreateResult::UploadLost);
    assert_eq!(store.definition(&id).await.unwrap(), None);
    store.release_number(&id, &booking).await.unwrap();
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, next.id);
}

#[tokio::test]
async fn the_sweep_looks_after_a_service_at_its_end_whoever_else_wanted_to_make_it() {
    let redis = TestRedis::shared();
    let app = start_replica(&redis, &random_prefix(), &default_group_toml("CLUSTER", 2)).await;
    let store = redis_store(&redis, &app.prefix).await;
    let id = ServiceId::generate();
    let (one, other) = (
        book_on_new_service(&store, &id, 2).await,
        book_on_new_service(&store, &id, 2).await,
    );
    let made = store
        .create(service_with_booking(&one, &id, 60_000))
        .await
        .unwrap();
    assert_eq!(made, CreateResult::Created);
    let late = store
        .create(service_with_booking(&other, &id, 86_400_000))
        .await
        .unwrap();
    assert_eq!(late, CreateResult::Replayed("first".to_owned()));
    let due = cleanup_due_at(&app, &id).await;
    assert!(due < now().after(Duration::from_secs(60)).millis());
}
