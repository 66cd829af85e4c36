//! Reading one key of few services and of very many, each time of another service.

use crate::{
    ROUNDS, Result,
    load::Request,
    print_line,
    requests::TEN_PAIRS,
    rounds::Measured,
    servers::{NUMBERED_ID_PREFIX, Redis, Service},
    setup::Setup,
    targets::{Ratios, Target},
};

/// Numbers of stored services.
const SIZES: [(u32, &str); 2] = [(1_000, "of 1,000"), (1_000_000, "of 1,000,000")];
/// Minimum requests per second of the larger size, compared with the smaller one.
const RATE: Target = Target::AtLeast(0.95);
/// Maximum CPU time per request, compared in the same way.
const CPU: Target = Target::AtMost(1.1);

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, or a response is not a success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let mut servers = Vec::new();
    for (size, _) in SIZES {
        let redis = Redis::start(setup.directory()).await?;
        let service = Service::start(&redis, setup.directory()).await?;
        let id = service.create(TEN_PAIRS).await?;
        redis.copy(&id, size)?;
        servers.push((redis, service));
    }
    let rows = SIZES.iter().zip(&servers);
    let rows = rows.map(|(&(size, name), (redis, service))| {
        let request = Request {
            among: Some(size),
            ..service.read_first_name(&format!("{NUMBERED_ID_PREFIX}*"))
        };
        Measured::new(("read one key", name), request, &service.process, redis)
    });
    let mut rows: Vec<Measured<'_>> = rows.collect();
    let client = &servers.first().ok_or("no sizes")?.1.client;
    Measured::measure_alternating(&mut rows, client, setup).await?;
    print_line(&format!(
        "\nSizes: reading one key of another service each time, {ROUNDS} alternating rounds; medians.\n{}\n{}",
        Measured::rows(rows.iter()),
        ratios(&rows).text()
    ))?;
    Measured::check(rows.iter())
}

fn ratios(rows: &[Measured<'_>]) -> Ratios {
    let mut ratios = Ratios::new();
    if let [small, large] = rows {
        let disturbed = small.is_disturbed() || large.is_disturbed();
        let mut add = |metric: &str, ratio: f64, target| {
            ratios.add(
                "1,000,000 / 1,000 services",
                metric,
                ratio,
                target,
                disturbed,
            );
        };
        let rate = large.requests_per_second() / small.requests_per_second();
        add("requests/s", rate, RATE);
        add("CPU per request", large.cpu_us() / small.cpu_us(), CPU);
        let redis = large.redis_us() / small.redis_us();
        add("Redis CPU per request", redis, CPU);
    }
    ratios
}
