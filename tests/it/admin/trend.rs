//! How full the pools of resource groups were over the last hour.

use std::{sync::Arc, time::Duration};

use switchboard::{
    app,
    service::{InForce, Sample, Trend},
    store::{Booked, Holder, Moment, WholeStore, redis::RedisStore},
};

use crate::support::{
    TestRedis,
    bookings::{Catalogue, group, living, number, wish},
    eventually,
    proxy::{Proxy, Way},
    random_prefix, settings,
    stores::{memory, on_every_store},
};

on_every_store!(
    the_fill_at_each_look_is_told,
    what_is_an_hour_old_goes_and_so_does_a_group_that_is_gone,
    what_is_seen_in_between_takes_no_room_of_what_is_kept,
);

/// A time, so many seconds after one long ago.
fn at(seconds: u64) -> Moment {
    Moment::from_millis(1_000_000).after(Duration::from_secs(seconds))
}

/// What is in force where there are these groups, each of three numbers that are held for one service at a time.
fn having(names: &[String]) -> InForce {
    let groups = names.iter().enumerate().map(|(at, name)| {
        let numbers = [0, 1, 2].map(|n| number(at * 10 + n));
        group(name, "LOCAL", &numbers.each_ref().map(String::as_str))
    });
    let file = Catalogue::of(&groups.collect::<String>());
    let settings = settings(&[("catalog.file", file.path())]);
    InForce::new(Arc::new(app::catalog(&settings).unwrap()))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Holds a number of a group for longer than a test takes. From then on the store knows the group.
async fn hold(store: &dyn WholeStore, in_force: &InForce, name: &str) {
    let id = living(store, 60_000).await;
    let groups = in_force.now().groups().current;
    let group = groups.iter().find(|group| group.name == name).unwrap();
    let holder = Holder::Existing(&id);
    let booked = store.book(holder, group, &wish(60_000)).await;
    assert!(matches!(booked, Ok(Booked::Held(_))), "{booked:?}");
}

/// Size and free of each sample.
fn figures(trend: &Trend, group: &str) -> Vec<(u64, u64)> {
    let samples = trend.of(group).into_iter();
    samples.map(|sample| (sample.size, sample.free)).collect()
}

async fn the_fill_at_each_look_is_told(store: &dyn WholeStore) {
    let (trend, groups) = (Trend::default(), having(&names(&["a", "b"])));
    for (seconds, held) in [(0, "a"), (30, "b"), (60, "a")] {
        hold(store, &groups, held).await;
        trend.look(store, &groups, at(seconds)).await;
    }
    let sample = |seconds, free| Sample {
        at: at(seconds),
        size: 3,
        free,
    };
    let expected = [sample(0, 2), sample(30, 2), sample(60, 1)];
    assert_eq!(trend.of("a"), expected);
    // Of a group that the store does not know yet, nobody holds a number.
    assert_eq!(trend.of("b"), [sample(0, 3), sample(30, 2), sample(60, 2)]);
    assert_eq!(trend.of("none"), []);
}

async fn what_is_an_hour_old_goes_and_so_does_a_group_that_is_gone(store: &dyn WholeStore) {
    let (trend, groups) = (Trend::default(), having(&names(&["a", "b"])));
    hold(store, &groups, "a").await;
    hold(store, &groups, "b").await;
    for look in 0..150 {
        trend.look(store, &groups, at(look * 30)).await;
    }
    let samples = trend.of("a");
    let ends = (samples[0].at, samples[samples.len() - 1].at);
    assert_eq!((samples.len(), ends), (120, (at(900), at(4_470))));
    // However often it is looked.
    for more in 1..20 {
        trend.look(store, &groups, at(4_470 + more)).await;
    }
    assert_eq!(trend.of("a").len(), 120);
    trend.look(store, &groups, at(8_085)).await;
    // The last look, and the one from the hour before it.
    assert_eq!(trend.of("a").len(), 2);
    // A clock that was set back.
    trend.look(store, &groups, at(8_000)).await;
    assert_eq!(trend.of("a").last().unwrap().at, at(8_000));

    let rest = having(&names(&["b"]));
    trend.look(store, &rest, at(8_090)).await;
    assert_eq!(trend.of("a"), []);
    assert!(!trend.of("b").is_empty());
}

async fn what_is_seen_in_between_takes_no_room_of_what_is_kept(store: &dyn WholeStore) {
    let (trend, groups) = (Trend::default(), having(&names(&["a"])));
    for seconds in [0, 30, 40, 50, 59, 60, 61] {
        trend.look(store, &groups, at(seconds)).await;
    }
    let kept: Vec<Moment> = trend.of("a").iter().map(|sample| sample.at).collect();
    assert_eq!(kept, [at(0), at(30), at(59), at(61)]);
}

#[tokio::test]
async fn of_very_many_groups_the_first_thousand_are_looked_at() {
    let (trend, store) = (Trend::default(), memory());
    let all: Vec<String> = (0..1_030).map(|n| format!("group-{n:04}")).collect();
    let groups = having(&all);
    for name in &all {
        hold(&store, &groups, name).await;
    }
    trend.look(&store, &groups, at(0)).await;
    let seen = all.iter().filter(|name| !trend.of(name).is_empty());
    assert!(seen.eq(&all[..1_000]));
}

#[tokio::test]
async fn while_redis_is_away_nothing_is_noted() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to(&redis.url().replace("redis://", ""));
    let (url, prefix) = (proxy.url(), random_prefix());
    let set = settings(&[("redis.url", &url), ("redis.prefix", &prefix)]);
    let store = RedisStore::open(&set.redis, 100).await.unwrap();
    let (trend, groups) = (Trend::default(), having(&names(&["a"])));
    hold(&store, &groups, "a").await;
    trend.look(&store, &groups, at(0)).await;
    proxy.set(Way::Cut);
    trend.look(&store, &groups, at(30)).await;
    assert_eq!(trend.of("a").len(), 1);
    proxy.mend();
    eventually("it is seen again", async || {
        trend.look(&store, &groups, at(60)).await;
        (trend.of("a").len() == 2).then_some(())
    })
    .await;
    assert_eq!(figures(&trend, "a"), [(3, 2), (3, 2)]);
    assert_eq!(trend.of("a")[1].at, at(60));
}
