//! Matching between replicas with different `phone.default_region`.

use futures_util::future::join_all;

use crate::support::{
    RedisKind, TestApp, TestRedis,
    bookings::{
        assert_no_match, assert_none_free, book_number, catalog, create, default_group_toml,
        eventually, group_toml, match_call, number, wait_for_clock_tick,
    },
    random_prefix,
};

/// Starts a replica with the default region `region` and the resource groups `groups`.
async fn start_replica(kind: RedisKind, prefix: &str, region: &str, groups: &str) -> TestApp {
    let catalog_file = catalog(groups);
    let overrides = [
        ("catalog.file", catalog_file.path()),
        ("phone.default_region", region),
    ];
    TestApp::start(Some(TestRedis::shared_kind(kind)), prefix, &overrides).await
}

/// Starts replicas for US and DE, with numbers without a country code.
async fn start_us_and_de(kind: RedisKind, strategy: &str) -> (TestApp, TestApp) {
    let (prefix, groups) = (random_prefix(), default_group_toml(strategy, 1));
    let us = start_replica(kind, &prefix, "US", &groups).await;
    (us, start_replica(kind, &prefix, "DE", &groups).await)
}

fn call_form(caller: &str) -> String {
    format!("_access_number={}&_phone_number={caller}", number(0))
}

#[tokio::test]
async fn a_booking_made_under_one_region_is_matched_under_another() {
    for kind in [RedisKind::Single, RedisKind::Cluster] {
        let (us, de) = start_us_and_de(kind, "ROUND_ROBIN").await;
        for (booked_at, booked_as, called_at, called_as) in [
            (&us, "6504699999", &de, "%2B16504699999"),
            (&us, "6504699999", &de, "6504699999"),
            (&us, "6504699999", &de, "(650)%20469-9999"),
            (&us, "6504699999x12", &de, "tel:6504699999;ext=12"),
            (&us, "%2B493012345678", &de, "030%2012345678"),
            (&de, "%2B16504699999", &us, "6504699999"),
            (&de, "%2B16504699999", &us, "%2B16504699999"),
            (&de, "030%2012345678", &us, "03012345678"),
            (&de, "030%2012345678", &us, "%2B493012345678"),
            (&de, "sip:alice@example.org", &us, "sip:alice@example.org"),
        ] {
            let id = book_number(booked_at, &format!("_phone_number={booked_as}"))
                .await
                .id;
            for other in ["6504699998", "%2B446504699999", "sip:bob@example.org"] {
                assert_no_match(called_at, &call_form(other)).await;
            }
            let found = match_call(called_at, &call_form(called_as)).await;
            assert_eq!(found, id, "{booked_as} is called by {called_as}");
            assert_no_match(booked_at, &call_form(booked_as)).await;
        }
    }
}

#[tokio::test]
async fn an_access_number_of_another_region_is_matched_by_any_spelling() {
    for kind in [RedisKind::Single, RedisKind::Cluster] {
        // The server runs as long as this handle exists.
        let _redis = TestRedis::shared_kind(kind);
        let mut groups = default_group_toml("ROUND_ROBIN", 0);
        groups = groups.replace("[]", "[\"(800) 555-0000\"]");
        groups += "_backup_resource = \"(800) 555-0001\"\n";
        groups += &group_toml("full", "LOCAL", &[]);
        groups += "_backup_resource = \"(800) 555-0002\"\n";
        let prefix = random_prefix();
        let us = start_replica(kind, &prefix, "US", &groups).await;
        let booked = book_number(&us, "").await.id;
        let backup = book_number(&us, "_resource_group=full").await.id;
        let coded = book_number(&us, "_provide_code=true").await;
        us.stop().await;
        let de = start_replica(kind, &prefix, "DE", &groups).await;
        for dialed in ["8005550009", "%2B448005550000", "%2B498005550000", "0800"] {
            assert_no_match(&de, &format!("_access_number={dialed}")).await;
        }
        let by_code = format!("_access_number=8005550000&_access_code={}", coded.code());
        assert_eq!(match_call(&de, &by_code).await, coded.id);
        assert_eq!(match_call(&de, "_access_number=8005550000").await, booked);
        let dialed = "_access_number=%2B18005550002";
        assert_eq!(match_call(&de, dialed).await, backup);
        let backup = book_number(&de, "_resource_group=full").await.id;
        let us = start_replica(kind, &prefix, "US", &groups).await;
        let dialed = "_access_number=800%20555%200002";
        assert_eq!(match_call(&us, dialed).await, backup);
    }
}

#[tokio::test]
async fn the_newest_booking_is_matched_under_any_region() {
    let (us, de) = start_us_and_de(RedisKind::Single, "ROUND_ROBIN").await;
    let mut ids = Vec::new();
    for app in [&us, &de, &us, &de] {
        ids.push(book_number(app, "_phone_number=030%2012345678").await.id);
        wait_for_clock_tick().await;
    }
    let dialed = format!("_access_number={}", number(0));
    for (app, id) in [&de, &us, &us, &de].into_iter().zip(ids.iter().rev()) {
        assert_eq!(match_call(app, &dialed).await, *id);
    }
    assert_no_match(&us, &dialed).await;
}

#[tokio::test]
async fn a_number_is_booked_once_while_the_region_changes() {
    let (us, de) = start_us_and_de(RedisKind::Single, "LOCAL").await;
    let first = book_number(&us, "_phone_number=6504699999").await.id;
    us.stop().await;
    assert_none_free(&de, "").await;
    // DE becomes cleanup leader and parses the numbers again.
    let redis = de.redis.clone().unwrap();
    let version = format!("{}grp:{{DNIS}}:version", de.prefix);
    let mut connection = redis.connections().await.remove(0);
    eventually("the group is synchronized under DE", async || {
        let version: String = redis::AsyncCommands::get(&mut connection, &version)
            .await
            .unwrap();
        version.ends_with("@DE").then_some(())
    })
    .await;
    assert_none_free(&de, "").await;
    assert_eq!(match_call(&de, &call_form("6504699999")).await, first);
    let second = book_number(&de, "_phone_number=030%2012345678").await.id;
    assert_none_free(&de, "").await;
    assert_eq!(match_call(&de, &call_form("%2B493012345678")).await, second);
}

#[tokio::test]
async fn one_of_concurrent_calls_at_two_regions_matches_a_booking() {
    let (us, de) = start_us_and_de(RedisKind::Single, "ROUND_ROBIN").await;
    let id = book_number(&us, "_phone_number=6504699999").await.id;
    let form = call_form("6504699999");
    let calls = (0..20).map(|n| {
        create(
            if n % 2 == 0 { &us } else { &de },
            "match-interaction",
            &form,
        )
    });
    let answers = join_all(calls).await;
    let (found, missed): (Vec<_>, Vec<_>) = answers.iter().partition(|one| one.status == 200);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].json()["_id"], id);
    for answer in missed {
        answer.error_message("NoMatch", 404);
    }
}

#[tokio::test]
async fn a_booking_without_region_is_matched_under_its_own_region() {
    let (us, de) = start_us_and_de(RedisKind::Single, "ROUND_ROBIN").await;
    let id = book_number(&us, "_phone_number=6504699999").await.id;
    let redis = us.redis.clone().unwrap();
    let regions = format!("{}grp:{{DNIS}}:regions", us.prefix);
    let mut connection = redis.connections().await.remove(0);
    let deleted: usize = redis::AsyncCommands::del(&mut connection, regions)
        .await
        .unwrap();
    assert_eq!(deleted, 1);
    assert_no_match(&de, &call_form("6504699999")).await;
    assert_eq!(match_call(&us, &call_form("%2B16504699999")).await, id);
}
