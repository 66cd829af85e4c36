//! Access numbers: the cost of a booking in a large group and in a small one, and the effect of very many
//! services that end in the same second.

use std::{
    fs,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    Result,
    load::Request,
    mass_expiry::{self, Reads, SERVICES},
    print_line,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    table::verdict,
    targets::{Ratios, Target},
};

/// Timeout for the release of all numbers.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(60);
/// Target for the release of all numbers.
const RELEASE_TARGET: Duration = Duration::from_secs(2);
/// Maximum Redis CPU of a booking in the large group, compared with the small group.
const GROUP_TARGET: Target = Target::AtMost(1.5);
/// Maximum CPU and Redis CPU of a booking, compared with a read of one key.
const READ_TARGETS: [Target; 2] = [Target::AtMost(3.5), Target::AtMost(25.0)];

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
        ("crowd", SERVICES, "CLUSTER"),
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
    let id = service.create(TEN_PAIRS).await?;
    let read = service.read_first_name(&id);
    let read = Measured::new(("read one key", "service"), read, &service.process, redis);
    // Before the bookings, because their release takes place in the rounds after them.
    let mut reads = [read];
    Measured::measure_alternating(&mut reads, &service.client, setup).await?;
    let mut rows = [
        measured("small group (100)"),
        measured("large group (100,000)"),
    ];
    Measured::measure_alternating(&mut rows, &service.client, setup).await?;
    let all = || reads.iter().chain(&rows);
    print_line(&format!(
        "\nAccess numbers: request-interaction with a code, booked for 5 s; CPU includes the release.\n{}\n{}",
        Measured::rows(all()),
        ratios(&reads[0], &rows).text()
    ))?;
    Measured::check(all())
}

fn ratios(read: &Measured<'_>, [small, large]: &[Measured<'_>; 2]) -> Ratios {
    let mut ratios = Ratios::new();
    let groups = large.redis_us() / small.redis_us();
    let disturbed = small.is_disturbed() || large.is_disturbed();
    let name = "large group / small group";
    ratios.add(
        name,
        "Redis CPU per request",
        groups,
        GROUP_TARGET,
        disturbed,
    );
    let disturbed = read.is_disturbed() || small.is_disturbed();
    let [cpu, redis] = READ_TARGETS;
    let (name, ratio) = ("small group / read one key", small.cpu_us() / read.cpu_us());
    ratios.add(name, "CPU per request", ratio, cpu, disturbed);
    let ratio = small.redis_us() / read.redis_us();
    ratios.add(name, "Redis CPU per request", ratio, redis, disturbed);
    ratios
}

/// Very many services with a number each that end in the same second.
async fn run_mass_expiry(setup: &Setup, redis: &Redis, service: &Service) -> Result<()> {
    let services = ("crowd", "_booking_expiration_timeout=1800&_ttl=1800");
    let wait = async |ended| wait_until_released(redis, ended).await;
    let servers = (redis, service);
    let result = mass_expiry::run(setup, servers, Reads::ClosedLoop, services, wait).await?;
    let released = result.outcome;
    print_line(&format!(
        "\n{SERVICES} services with a number each end in the same second (created in {:.0} s):\n  all \
         numbers released {:.1} s after their end, target <= {} s: {}\n{}",
        result.create_time.as_secs_f64(),
        released.as_secs_f64(),
        RELEASE_TARGET.as_secs(),
        verdict(released <= RELEASE_TARGET),
        result.reads
    ))
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
