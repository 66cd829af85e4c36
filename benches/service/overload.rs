//! The goodput of the service under far too much load.

use crate::{
    ROUNDS, Result,
    load::{CONNECTIONS, Load},
    print_line,
    requests::TEN_PAIRS,
    rounds::median,
    servers::{Redis, Service},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// Clients that retry at once after any response: as many as saturate the service, four times as many, and
/// 64 times as many.
const CLIENTS: [usize; 3] = [CONNECTIONS, 4 * CONNECTIONS, 64 * CONNECTIONS];
/// Minimum goodput, compared with the maximum.
const GOODPUT: Target = Target::AtLeast(0.8);
/// Maximum response time in milliseconds: `redis.response_timeout_ms`.
const DEADLINE_MS: f64 = 2_000.0;

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let request = service.read_first_name(&id);
    request.check(&service.client).await?;
    let mut rounds = CLIENTS.map(|clients| (clients, Vec::new()));
    for _ in 0..ROUNDS {
        for (clients, rounds) in &mut rounds {
            let load = request.load_on(*clients, setup.round, setup.directory());
            rounds.push(load.await?);
        }
    }
    let (mut table, mut ratios) = (
        Table::new(1, &["", "good/s", "503/s", "p50 ms", "p99 ms"]),
        Ratios::new(),
    );
    let max = median_of(&rounds[0].1, goodput);
    for (clients, rounds) in &rounds {
        table.add(vec![
            format!("{clients} clients"),
            format!("{:.0}", median_of(rounds, goodput)),
            format!(
                "{:.0}",
                median_of(rounds, |load| load.errors / load.seconds)
            ),
            format!("{:.1}", median_of(rounds, |load| load.p50_ms)),
            format!("{:.1}", median_of(rounds, |load| load.p99_ms)),
        ]);
        if *clients > CONNECTIONS {
            let target = if *clients > 4 * CONNECTIONS {
                Target::None
            } else {
                GOODPUT
            };
            let name = format!("{clients} clients / {CONNECTIONS}");
            ratios.add(
                &name,
                "goodput",
                median_of(rounds, goodput) / max,
                target,
                false,
            );
            let name = format!("{clients} clients, p99 / deadline");
            let late = median_of(rounds, |load| load.p99_ms) / DEADLINE_MS;
            ratios.add(&name, "time", late, Target::AtMost(1.0), false);
        }
    }
    print_line(&format!(
        "\nOverload: reading one key; {ROUNDS} alternating rounds; medians. Refused clients retry at once.\n{}\n{}",
        table.text(),
        ratios.text()
    ))
}

fn goodput(load: &Load) -> f64 {
    (load.requests - load.errors) / load.seconds
}

fn median_of(rounds: &[Load], figure: impl Fn(&Load) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    median(&figures)
}
