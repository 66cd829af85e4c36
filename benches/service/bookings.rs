//! Fifth part: access numbers. What handing one out costs in a large group and in a small one, and what
//! it is like when very many services end in the same second.

use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::{
    Result,
    load::Request,
    print_line,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    table::{Table, verdict},
};

/// Services that end together.
const MASS_EXPIRY_SERVICES: usize = 50_000;
/// Requests under way at once while they are made.
const CONCURRENCY: usize = 64;
/// How long they live at the least: it takes about this long to make them.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// What giving everything back may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);
/// What a number in the large group may cost, compared with one in the small group.
const TARGET: f64 = 1.5;

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start, a request was not answered with success, or numbers did not come back.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let catalogue = setup.directory().join("catalogue.toml");
    fs::write(&catalogue, catalog_text())?;
    let catalogue = catalogue.display().to_string();
    let redis = Redis::start(setup.directory()).await?;
    let settings = [("SWITCHBOARD__CATALOG__FILE", catalogue.as_str())];
    let service = Service::start_with(&redis, setup.directory(), &settings).await?;
    run_group_sizes(setup, &redis, &service).await?;
    run_mass_expiry(setup, &redis, &service).await
}

fn catalog_text() -> String {
    let groups = [
        ("small", 100, "ROUND_ROBIN"),
        ("large", 100_000, "ROUND_ROBIN"),
        ("crowd", MASS_EXPIRY_SERVICES, "CLUSTER"),
    ];
    let mut parts = vec!["[services.store]\n_type = 'builtin'\n_service = 'store'".to_owned()];
    for (place, (group, size, strategy)) in groups.into_iter().enumerate() {
        let base = 2_000_000_000 + place * 1_000_000;
        let numbers: Vec<String> = (base..base + size).map(|n| format!("'{n}'")).collect();
        parts.push(format!(
            "[services.{group}]\n_type = 'builtin'\n_service = 'request-interaction'\n_ttl = '5'\n\
             _resource_group = '{group}'\n_overwritable_options = '_ttl'\n\
             [resources.{group}]\n_allocation_strategy = '{strategy}'\n\
             _booking_expiration_timeout = '5'\nnumbers = [{}]",
            numbers.join(",")
        ));
    }
    parts.join("\n")
}

/// The same request to both groups, by turns.
async fn run_group_sizes(setup: &Setup, redis: &Redis, service: &Service) -> Result<()> {
    let request = |group: &str| Request {
        url: service.url(group),
        form: Some("_provide_code=true&_phone_number=6504699999"),
        answer: "_access_code".to_owned(),
        among: None,
    };
    let measured = |of: &'static str| {
        let request = request(of.split(' ').next().unwrap_or_default());
        Measured::new((of, "service"), request, &service.process, redis)
    };
    let mut rows = [
        measured("small group (100)"),
        measured("large group (100,000)"),
    ];
    Measured::measure_alternating(&mut rows, &service.client, setup).await?;
    Measured::check(rows.iter())?;
    let ratio = rows[1].redis_us() / rows[0].redis_us();
    print_line(&format!(
        "\nAccess numbers: request-interaction with a code, held for 5 s.\n{}\n\n  \
         Redis CPU per number, large group / small group: {ratio:.2}, target <= {TARGET}: {}",
        Measured::rows(rows.iter()),
        verdict(ratio <= TARGET)
    ))
}

/// Very many services, each with a number of its own, that end in the same second.
async fn run_mass_expiry(setup: &Setup, redis: &Redis, service: &Service) -> Result<()> {
    let id = service.create("CustomerNumber=4711").await?;
    let read = Request {
        url: service.url(&format!("{id}/storage/CustomerNumber")),
        form: None,
        answer: "4711".to_owned(),
        among: None,
    };
    read.check(&service.client).await?;
    let before = read
        .load(Duration::from_secs(10), setup.directory())
        .await?;
    let end = SystemTime::now() + CREATE_TIMEOUT;
    let end_ms = end.duration_since(UNIX_EPOCH)?.as_millis();
    let made = Instant::now();
    stream::iter(0..MASS_EXPIRY_SERVICES)
        .map(|_| create_service(service, end_ms))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    let made = made.elapsed();
    let wait = end.duration_since(SystemTime::now())?;
    sleep(wait.saturating_sub(Duration::from_secs(1))).await;
    let until_end = end.duration_since(SystemTime::now()).unwrap_or_default();
    let ended = Instant::now() + until_end;
    let (during, back) = tokio::join!(
        read.load(Duration::from_secs(10), setup.directory()),
        wait_until_released(redis, ended),
    );
    let (during, back) = (during?, back?);
    let mut table = Table::new(1, &["", "requests/s", "p50 ms", "p99 ms", "errors"]);
    for (what, load) in [("reads before", &before), ("reads while they end", &during)] {
        table.add(vec![
            what.to_owned(),
            format!("{:.0}", load.requests / load.seconds),
            format!("{:.2}", load.p50_ms),
            format!("{:.2}", load.p99_ms),
            format!("{:.0}", load.errors),
        ]);
    }
    print_line(&format!(
        "\n{MASS_EXPIRY_SERVICES} services with a number each end in the same second (made in {:.0} s):\n  all of it \
         given back {:.1} s after their end, target < {} s: {}\n{}",
        made.as_secs_f64(),
        back.as_secs_f64(),
        RELEASE_TIMEOUT.as_secs(),
        verdict(back < RELEASE_TIMEOUT),
        table.text()
    ))
}

/// Makes one service that holds a number until it ends, at `end_ms`.
async fn create_service(service: &Service, end_ms: u128) -> Result<()> {
    let form = "_booking_expiration_timeout=1800&_ttl=1800";
    let id = service.create_named("crowd", form).await?;
    let end = jiff::Timestamp::from_millisecond(i64::try_from(end_ms)?)?;
    let place = format!("{id}?expiration_time={end}");
    let request = service.client.put(service.url(&place));
    request.send().await?.error_for_status()?;
    Ok(())
}

/// Returns, with the time since `ended`, when no number, list or index entry of theirs is left.
async fn wait_until_released(redis: &Redis, ended: Instant) -> Result<Duration> {
    loop {
        sleep(Duration::from_millis(50)).await;
        let held: u64 = redis.command(&["HLEN", "sb1:grp:{crowd}:bookings"])?;
        let since = Instant::now().saturating_duration_since(ended);
        if held == 0
            && redis
                .command::<Vec<String>>(&["KEYS", "sb1:own:*"])?
                .is_empty()
        {
            return Ok(since);
        }
        if since > 2 * RELEASE_TIMEOUT {
            return Err(format!("{held} numbers did not come back").into());
        }
    }
}
