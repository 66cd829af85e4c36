//! What is left of the service when far more is asked of it than it can take.

use crate::{
    ROUNDS, Result,
    load::{CONNECTIONS, Load, Request},
    requests::TEN_PAIRS,
    rounds::median,
    say,
    servers::{Redis, Service},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// Clients that ask again at once, whatever the answer: 64 times as many as take the service to its limit,
/// and more than may wait for Redis.
const CROWD: usize = 64 * CONNECTIONS;
/// How much of its most it should still do.
const GOODPUT: Target = Target::AtLeast(0.8);
/// Milliseconds within which an answer is due: `redis.answer_timeout_ms`.
const DEADLINE: f64 = 2_000.0;

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let request = Request {
        url: service.at(&format!("{id}/storage/FirstName")),
        form: None,
        answer: "\"Jane\"".to_owned(),
        among: None,
    };
    request.check(&service.client).await?;
    let (mut most, mut crowded) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (connections, rounds) in [(CONNECTIONS, &mut most), (CROWD, &mut crowded)] {
            let load = request.load_on(connections, setup.round, setup.directory());
            rounds.push(load.await?);
        }
    }
    let mut table = Table::new(1, &["", "good/s", "503/s", "p50 ms", "p99 ms"]);
    for (name, rounds) in [("as many as it takes", &most), ("a crowd", &crowded)] {
        table.add(vec![
            format!(
                "{name}, {} clients",
                if name == "a crowd" {
                    CROWD
                } else {
                    CONNECTIONS
                }
            ),
            format!("{:.0}", of(rounds, good)),
            format!("{:.0}", of(rounds, |load| load.errors / load.seconds)),
            format!("{:.1}", of(rounds, |load| load.p50_ms)),
            format!("{:.1}", of(rounds, |load| load.p99_ms)),
        ]);
    }
    let mut ratios = Ratios::new();
    let kept = of(&crowded, good) / of(&most, good);
    ratios.add("a crowd / the most", "good answers", kept, GOODPUT, false);
    let late = of(&crowded, |load| load.p99_ms) / DEADLINE;
    ratios.add(
        "p99 / the deadline",
        "time",
        late,
        Target::AtMost(1.0),
        false,
    );
    say(&format!(
        "\nOverload: reading one key; {ROUNDS} rounds by turns; medians. Whoever is refused asks again at once.\n{}\n{}",
        table.text(),
        ratios.text()
    ))
}

fn good(load: &Load) -> f64 {
    (load.requests - load.errors) / load.seconds
}

fn of(rounds: &[Load], figure: impl Fn(&Load) -> f64) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    median(&figures)
}
