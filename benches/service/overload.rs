//! What is left of the service when far more is asked of it than it can take.

use crate::{
    ROUNDS, Result,
    load::{CONNECTIONS, Load, Request},
    print_line,
    requests::TEN_PAIRS,
    rounds::median,
    servers::{Redis, Service},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// Clients that ask again at once, whatever the answer: as many as take the service to its limit, four
/// times as many, and a crowd.
const CLIENTS: [usize; 3] = [CONNECTIONS, 4 * CONNECTIONS, 64 * CONNECTIONS];
/// How much of its most it should still do.
const GOODPUT: Target = Target::AtLeast(0.8);
/// Milliseconds within which an answer is due: `redis.response_timeout_ms`.
const DEADLINE_MS: f64 = 2_000.0;

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let request = Request {
        url: service.url(&format!("{id}/storage/FirstName")),
        form: None,
        answer: "\"Jane\"".to_owned(),
        among: None,
    };
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
    let most = median_of(&rounds[0].1, goodput);
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
                "good answers",
                median_of(rounds, goodput) / most,
                target,
                false,
            );
            let name = format!("{clients} clients, p99 / the deadline");
            let late = median_of(rounds, |load| load.p99_ms) / DEADLINE_MS;
            ratios.add(&name, "time", late, Target::AtMost(1.0), false);
        }
    }
    print_line(&format!(
        "\nOverload: reading one key; {ROUNDS} rounds by turns; medians. Whoever is refused asks again at once.\n{}\n{}",
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
