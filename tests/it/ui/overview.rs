//! Charts and current problems on the overview.

use std::{sync::Arc, time::Instant};

use futures_util::StreamExt;
use reqwest::Method;
use switchboard::model::statistics::{Statistics, StatisticsRange};

use super::{
    browser::inspect_page,
    browser_fixture::{ADMIN_SETTINGS, BrowserFixture, HOME, in_a_browser, sign_in},
    fixture::{AdminSession, between},
};
use crate::{
    api::admin::fixture::{
        create_service, get_json, start_admin, start_admin_with, start_with_group,
    },
    support::{
        TestApp, TestRedis, browser::Browser, dedicated_redis::DedicatedRedis, eventually,
        random_prefix, statistics::write_statistics,
    },
};

in_a_browser!(charts_show_the_last_hour_or_day);

/// The titles of the charts.
const CHARTS: [&str; 7] = [
    "Requests by outcome",
    "Latency of requests",
    "Active services",
    "Bookings",
    "Failed matches",
    "Cleanup lag",
    "Redis latency",
];

/// Statistics that differ from interval to interval.
fn sample_statistics(age: u32) -> Statistics {
    let wave = u64::from(age % 40).abs_diff(20);
    let mut statistics = Statistics {
        samples: 2,
        successes: 5_000 + 300 * wave,
        client_errors: 400 + 10 * wave,
        server_errors: u64::from(age % 60 < 5) * 200,
        failed_matches: wave % 7,
        active_services: Some(20_220 + 50 * wave),
        bookings: Some(900 + wave),
        cleanup_lag_ms: Some(200 + 10 * wave),
        round_trip_us: Some(400 + 5 * wave),
        ..Statistics::default()
    };
    statistics.requests.add(0.0025, 9_900);
    statistics.requests.add(0.1, 100 + wave);
    statistics.operations.add(0.0005, 9_900);
    statistics.operations.add(0.005, 150);
    statistics
}

/// Fills both rings, with a gap of a tenth of the range.
async fn fill_rings(app: &TestApp) {
    let mut connection = TestRedis::shared().connection().await;
    for range in StatisticsRange::ALL {
        let all = 1..range.intervals();
        let gap = 100..100 + range.intervals() / 10;
        let ages = all.filter(|age| !gap.contains(age));
        let intervals = ages.map(|age| (age, sample_statistics(age)));
        write_statistics(&mut connection, &app.prefix, range, intervals).await;
    }
}

async fn charts_show_the_last_hour_or_day(fixture: BrowserFixture) {
    fill_rings(&fixture.app).await;
    let browser = fixture.open_signed_in().await;
    let texts = async || {
        let texts = "return [...document.querySelectorAll('svg[role=img]')].map((svg) => \
                     document.getElementById(svg.getAttribute('aria-labelledby')).textContent)";
        let texts = browser.run(texts).await;
        let texts = texts.as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = texts().await;
    assert_eq!(all.len(), CHARTS.len());
    for (text, title) in all.iter().zip(CHARTS) {
        assert!(text.starts_with(&format!("{title}, last hour. ")), "{text}");
        assert!(text.contains("No sample in "), "{text}");
    }
    assert!(
        all[0].contains("2xx, 3xx: ") && all[0].contains("5xx: "),
        "{}",
        all[0]
    );
    assert!(all[2].contains("largest 21,220"), "{}", all[2]);
    // Lines differ without color, and break at the gap.
    let dashes = "return [0, 1, 2].map((line) => getComputedStyle(document.querySelector(\
                  `#chart-requests polyline.line-${line}`)).strokeDasharray)";
    let dashes = browser.run(dashes).await;
    let dashes: Vec<&str> = dashes
        .as_array()
        .unwrap()
        .iter()
        .map(|dash| dash.as_str().unwrap())
        .collect();
    assert!(
        dashes[0] == "none" && dashes[1] != "none" && dashes[1] != dashes[2],
        "{dashes:?}"
    );
    let parts = "return document.querySelectorAll('#chart-services polyline').length";
    assert!(browser.run(parts).await.as_u64() >= Some(2));
    browser.follow("Day").await;
    browser.wait_for_text("a point for each 5 minutes").await;
    assert_eq!(browser.run("return location.search").await, "?range=day");
    let current = "return document.querySelector('.switch [aria-current]').textContent";
    assert_eq!(browser.run(current).await, "Day");
    assert!(texts().await[0].starts_with("Requests by outcome, last day. "));
    // A live update replaces the charts by those of the same range.
    browser
        .run("document.querySelector('[data-part=charts]').innerHTML = ''")
        .await;
    browser.wait_for_text("a point for each 5 minutes").await;
    browser.resize(390, 800).await;
    let overflow = "return document.documentElement.scrollWidth - innerWidth";
    assert!(
        browser.run(overflow).await.as_i64() <= Some(0),
        "no horizontal scrolling"
    );
    browser.follow("Hour").await;
    browser.wait_for_text("a point for each 10 seconds").await;
    inspect_page(&browser, "overview-charts").await;
}

#[tokio::test]
async fn problems_are_listed_with_what_to_do() {
    let redis = DedicatedRedis::start(&[("maxmemory-policy", "allkeys-lru")]).await;
    let url = redis.url();
    let settings = [("redis.url", url.as_str()), ADMIN_SETTINGS[0]];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let group = serde_json::json!({
        "_allocation_strategy": "LOCAL",
        "_booking_expiration_timeout": "1800",
        "numbers": ["8005550001"],
    });
    crate::api::admin::fixture::create_group_and_service(&app, &group).await;
    assert_eq!(create_service(&app, "call").await.status, 200);
    create_service(&app, "call")
        .await
        .error_message("NoAccessNumber", 503);
    let browser = Browser::open().await;
    sign_in(&browser, &app).await;
    browser
        .wait_for_text("Redis fails the check eviction: allkeys-lru")
        .await;
    browser
        .wait_for_text("Set maxmemory-policy to noeviction")
        .await;
    browser
        .wait_for_text("Resource group support has no number to book")
        .await;
    let severities =
        "return [...document.querySelectorAll('.problems strong')].map((e) => e.textContent)";
    let severities = browser.run(severities).await;
    let severities = severities.as_array().unwrap();
    let is_sorted = severities.is_sorted_by_key(|severity| severity.as_str());
    assert!(is_sorted && severities[0] == "critical", "{severities:?}");
    let last = "return [...document.querySelectorAll('td')].find((cell) => \
                cell.textContent.includes('exhausted')).nextElementSibling.querySelector('time').dateTime";
    let last = browser.run(last).await;
    assert!(last.as_str().unwrap().ends_with('Z'), "{last}");
    inspect_page(&browser, "overview-problems").await;
    browser.resize(390, 800).await;
    let overflow = "return document.documentElement.scrollWidth - innerWidth";
    assert!(
        browser.run(overflow).await.as_i64() <= Some(0),
        "no horizontal scrolling"
    );
    browser.follow("Open the group support").await;
    browser.wait_for_text("Last NoAccessNumber").await;
    assert_eq!(browser.path().await, format!("{HOME}/groups/support"));
}

#[tokio::test]
async fn an_overview_without_problems_and_samples_says_so() {
    let app = start_admin(&TestApp::on_memory().await).await;
    let session = AdminSession::sign_in(&app).await;
    let day = session.page("?range=day").await;
    assert!(day.contains("No samples yet."), "{day}");
    eventually("no problems", async || {
        session.page("").await.contains("No problems").then_some(())
    })
    .await;
    assert_eq!(session.get("?range=week").await.status, 400);
    let page = eventually("the first sample", async || {
        let page = session.page("").await;
        page.contains("<svg class=\"trend\"").then_some(page)
    })
    .await;
    for title in CHARTS {
        assert!(page.contains(&format!("<h3>{title}</h3>")), "{title}");
    }
}

#[tokio::test]
async fn without_metrics_the_charts_have_no_data_about_requests() {
    let app = TestApp::on_memory().await;
    let app = start_admin_with(&app, &[("metrics.enabled", "false")]).await;
    let session = AdminSession::sign_in(&app).await;
    let page = eventually("the first sample", async || {
        let page = session.page("").await;
        page.contains("<svg class=\"trend\"").then_some(page)
    })
    .await;
    assert!(page.contains("No data about requests, latencies and failed matches"));
    let chart = |id: &str| between(&page, &format!("id=\"chart-{id}\""), "</figure>");
    for id in ["requests", "latency", "failed-matches"] {
        let chart = chart(id);
        assert!(chart.contains(": no data"), "{chart}");
        assert!(!chart.contains("<polyline"), "{chart}");
    }
    assert!(chart("services").contains("<polyline"), "{page}");
    let history = get_json(&app, "statistics").await;
    assert_eq!(history["intervals"][0]["samples"], 0, "{history}");
    assert!(
        history["intervals"][0]["active_services"].is_u64(),
        "{history}"
    );
}

#[tokio::test]
async fn an_offline_replica_is_a_problem_with_a_link_to_it() {
    let app = start_with_group(&TestApp::on_memory().await, &["8005550001"]).await;
    let session = AdminSession::sign_in(&app).await;
    let offline = app.post("/genesys/1/admin/node/changestatus/OFFLINE");
    let offline = offline.basic_auth("admin", Some(ADMIN_SETTINGS[0].1));
    assert_eq!(offline.send().await.unwrap().status(), 200);
    let page = eventually("the problem", async || {
        let page = session.page("").await;
        page.contains("Replica is OFFLINE").then_some(page)
    })
    .await;
    assert!(page.contains(">Open the replica</a>"), "{page}");
    let row = "<li class=\"warning\"><p><strong>warning</strong> <bdi>Replica is OFFLINE</bdi></p>";
    assert!(page.contains(row), "{page}");
}

/// Open pages share the times of failed bookings, which are one command for each resource group.
#[tokio::test]
async fn live_updates_read_failed_bookings_every_five_seconds() {
    let server = Arc::new(TestRedis::dedicated());
    let settings = [ADMIN_SETTINGS[0], ("server.workers", "2")];
    let redis = Some(Arc::clone(&server));
    let app = TestApp::start(redis, &random_prefix(), &settings).await;
    let session = AdminSession::sign_in(&app).await;
    let monitor = redis::Client::open(server.url()).unwrap();
    let monitor = monitor.get_async_monitor().await.unwrap();
    let mut commands = monitor.into_on_message::<String>();
    let started = Instant::now();
    let open = async || {
        let stream = session.request(Method::GET, "/overview/events");
        stream.send().await.unwrap()
    };
    for mut stream in [open().await, open().await] {
        // It takes about 12 seconds; the second stream has received the same ones meanwhile.
        let mut received = Vec::new();
        while String::from_utf8_lossy(&received)
            .matches("event: details")
            .count()
            < 6
        {
            received.extend_from_slice(&stream.chunk().await.unwrap().unwrap());
        }
    }
    let max_reads = started.elapsed().as_secs() / 5 + 1;
    let end = random_prefix();
    let mut mark = redis::cmd("ECHO");
    let mark = mark.arg(&end);
    mark.exec_async(&mut server.connection().await)
        .await
        .unwrap();
    let mut reads = 0;
    loop {
        let command = commands.next().await.unwrap();
        if command.contains(&end) {
            break;
        }
        reads += u64::from(command.contains("grp:{DNIS}:exhausted_at"));
    }
    assert!((1..=max_reads).contains(&reads), "{reads} of {max_reads}");
}
