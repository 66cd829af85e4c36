//! Access numbers: the cost of a booking in a large group and in a small one, and the effect of very many
//! services that end in the same second.

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
/// Concurrent requests during their creation.
const CONCURRENCY: usize = 64;
/// Minimum TTL of the services: about the time to create them.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout for the release of all numbers.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum cost of a booking in the large group, compared with the small group.
const TARGET: f64 = 1.5;

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, a response is not a success, or numbers are not released.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let catalog = setup.directory().join("catalog.toml");
    fs::write(&catalog, catalog_text())?;
    let catalog = catalog.display().to_string();
    let redis = Redis::start(setup.directory()).await?;
    let settings = [("SWITCHBOARD__CATALOG__FILE", catalog.as_str())];
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
    for (index, (group, size, strategy)) in groups.into_iter().enumerate() {
        let base = 2_000_000_000 + index * 1_000_000;
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

/// The same request to both groups, alternating.
async fn run_group_sizes(setup: &Setup, redis: &Redis, service: &Service) -> Result<()> {
    let request = |group: &str| Request {
        url: service.url(group),
        form: Some("_provide_code=true&_phone_number=6504699999"),
        expected: "_access_code".to_owned(),
        among: None,
    };
    let measured = |name: &'static str| {
        let request = request(name.split(' ').next().unwrap_or_default());
        Measured::new((name, "service"), request, &service.process, redis)
    };
    let mut rows = [
        measured("small group (100)"),
        measured("large group (100,000)"),
    ];
    Measured::measure_alternating(&mut rows, &service.client, setup).await?;
    Measured::check(rows.iter())?;
    let ratio = rows[1].redis_us() / rows[0].redis_us();
    print_line(&format!(
        "\nAccess numbers: request-interaction with a code, booked for 5 s.\n{}\n\n  \
         Redis CPU per number, large group / small group: {ratio:.2}, target <= {TARGET}: {}",
        Measured::rows(rows.iter()),
        verdict(ratio <= TARGET)
    ))
}

/// Very many services with a number each that end in the same second.
async fn run_mass_expiry(setup: &Setup, redis: &Redis, service: &Service) -> Result<()> {
    let id = service.create("CustomerNumber=4711").await?;
    let read = Request {
        url: service.url(&format!("{id}/storage/CustomerNumber")),
        form: None,
        expected: "4711".to_owned(),
        among: None,
    };
    read.check(&service.client).await?;
    let before = read
        .load(Duration::from_secs(10), setup.directory())
        .await?;
    let end = SystemTime::now() + CREATE_TIMEOUT;
    let end_ms = end.duration_since(UNIX_EPOCH)?.as_millis();
    let started = Instant::now();
    stream::iter(0..MASS_EXPIRY_SERVICES)
        .map(|_| create_service(service, end_ms))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    let create_time = started.elapsed();
    let wait = end.duration_since(SystemTime::now())?;
    sleep(wait.saturating_sub(Duration::from_secs(1))).await;
    let until_end = end.duration_since(SystemTime::now()).unwrap_or_default();
    let ended = Instant::now() + until_end;
    let (during, released) = tokio::join!(
        read.load(Duration::from_secs(10), setup.directory()),
        wait_until_released(redis, ended),
    );
    let (during, released) = (during?, released?);
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
        "\n{MASS_EXPIRY_SERVICES} services with a number each end in the same second (created in {:.0} s):\n  all \
         numbers released {:.1} s after their end, target < {} s: {}\n{}",
        create_time.as_secs_f64(),
        released.as_secs_f64(),
        RELEASE_TIMEOUT.as_secs(),
        verdict(released < RELEASE_TIMEOUT),
        table.text()
    ))
}

/// Creates a service with a booked number that ends at `end_ms`.
async fn create_service(service: &Service, end_ms: u128) -> Result<()> {
    let form = "_booking_expiration_timeout=1800&_ttl=1800";
    let id = service.create_named("crowd", form).await?;
    let end = jiff::Timestamp::from_millisecond(i64::try_from(end_ms)?)?;
    let path = format!("{id}?expiration_time={end}");
    let request = service.client.put(service.url(&path));
    request.send().await?.error_for_status()?;
    Ok(())
}

/// Waits until no number, list or index entry of the services remains; returns the time since `ended`.
async fn wait_until_released(redis: &Redis, ended: Instant) -> Result<Duration> {
    loop {
        sleep(Duration::from_millis(50)).await;
        let booked: u64 = redis.command(&["HLEN", "sb1:grp:{crowd}:bookings"])?;
        let since = Instant::now().saturating_duration_since(ended);
        if booked == 0
            && redis
                .command::<Vec<String>>(&["KEYS", "sb1:own:*"])?
                .is_empty()
        {
            return Ok(since);
        }
        if since > 2 * RELEASE_TIMEOUT {
            return Err(format!("{booked} numbers were not released").into());
        }
    }
}
