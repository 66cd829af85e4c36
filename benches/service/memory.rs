//! Memory of the service, idle and during transfers of binaries.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    ROUNDS, Result, print_line,
    rounds::median,
    servers::{Redis, Service},
    setup::Setup,
    table::{Table, verdict},
    transfers,
};

/// Maximum MiB of an idle service.
const IDLE_MIB_TARGET: f64 = 20.0;
/// Time without requests after which a service is idle: unused parts are unloaded and freed memory is returned.
const IDLE_AFTER: Duration = Duration::from_secs(40);
/// Concurrent transfers, and their maximum additional MiB.
const STEPS: [(u8, f64); 2] = [(1, 8.0), (16, 48.0)];

/// The results of a step.
struct Step {
    name: String,
    target: f64,
    rounds: Vec<Measured>,
}

struct Measured {
    started: f64,
    peak: f64,
    mib_per_second: f64,
}

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start or a transfer fails.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let (service, _) = start(&redis, setup).await?;
    sleep(IDLE_AFTER).await;
    let idle = service.process.resident()?;
    drop(service);
    let mut steps = Vec::new();
    for (count, target) in STEPS {
        let step = |direction| Step {
            name: format!("{count} {direction}"),
            target,
            rounds: Vec::new(),
        };
        let (mut up, mut down) = (step("up"), step("down"));
        for _ in 0..ROUNDS {
            let (ids, measured) = upload_step(count, &redis, setup).await?;
            up.rounds.push(measured);
            down.rounds.push(download_step(&ids, &redis, setup).await?);
        }
        steps.extend([up, down]);
    }
    print_line(&format!(
        "\nMemory of the service: after its first requests, after {} s without requests, and with binaries of 64 MiB; \
         a new process each time, the highest of {ROUNDS} rounds.\n{}",
        IDLE_AFTER.as_secs(),
        table(idle, &steps).text()
    ))
}

/// A service process after its first requests, and its memory.
async fn start(redis: &Redis, setup: &Setup) -> Result<(Service, f64)> {
    let service = Service::start(redis, setup.directory()).await?;
    let id = service.create("key=value").await?;
    service.delete(&id).await?;
    sleep(Duration::from_millis(200)).await;
    let started = service.process.resident()?;
    Ok((service, started))
}

async fn upload_step(count: u8, redis: &Redis, setup: &Setup) -> Result<(Vec<String>, Measured)> {
    let (service, started) = start(redis, setup).await?;
    let sampler = service.process.sample_memory()?;
    let (ids, mib_per_second) = transfers::upload_all(&service, count).await?;
    let measured = Measured {
        started,
        peak: sampler.stop()?,
        mib_per_second,
    };
    Ok((ids, measured))
}

/// Downloads the binaries, deletes them and waits until nothing of them remains.
async fn download_step(ids: &[String], redis: &Redis, setup: &Setup) -> Result<Measured> {
    let (service, started) = start(redis, setup).await?;
    let sampler = service.process.sample_memory()?;
    let mib_per_second = transfers::download_all(&service, ids).await?;
    let peak = sampler.stop()?;
    for id in ids {
        service.delete(id).await?;
    }
    redis.wait_until_empty().await?;
    Ok(Measured {
        started,
        peak,
        mib_per_second,
    })
}

fn table(idle: f64, steps: &[Step]) -> Table {
    let mut table = Table::new(1, &["", "MiB", "over start", "target", "", "MiB/s"]);
    let all = steps.iter().flat_map(|step| &step.rounds);
    let started = highest(all.map(|round| round.started));
    table.add(vec!["started".to_owned(), format!("{started:.1}")]);
    table.add(vec![
        "idle".to_owned(),
        format!("{idle:.1}"),
        String::new(),
        format!("< {IDLE_MIB_TARGET:.0}"),
        verdict(idle < IDLE_MIB_TARGET),
    ]);
    for Step {
        name,
        target,
        rounds,
    } in steps
    {
        let added = highest(rounds.iter().map(|round| round.peak - round.started));
        let mut rates: Vec<f64> = rounds.iter().map(|round| round.mib_per_second).collect();
        rates.sort_by(f64::total_cmp);
        table.add(vec![
            name.clone(),
            format!("{:.1}", highest(rounds.iter().map(|round| round.peak))),
            format!("{added:.1}"),
            format!("< {target:.0} more"),
            verdict(added < *target),
            format!("{:.0}", median(&rates)),
        ]);
    }
    table
}

fn highest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}
