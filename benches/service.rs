//! What Switchboard costs: requests per second, CPU time per request, memory per transfer.
//!
//! `cargo bench --bench service` starts everything itself, on free ports of the loopback: a
//! `redis-server` that keeps nothing on disk, the service as it is built for release and as it is
//! set by default, and, where it is installed, `webdis`, the HTTP gateway to Redis written in C,
//! as the peer to be compared with. It takes ten to twelve minutes, and ends all it started.
//!
//! Needed: `wrk` and `redis-server`; `webdis` if there is to be a comparison; 3 GiB of memory.
//!
//! ```text
//! cargo bench --bench service                  all parts
//! cargo bench --bench service -- requests      this part only
//! cargo bench --bench service -- sizes memory  these parts only, of: requests, sizes, beside, footprint,
//!                                              hostile, overload, bookings, backends,
//!                                              memory, telemetry
//! SWITCHBOARD_BENCH_SECONDS=20 cargo bench --bench service
//! ```
//!
//! The last makes each round longer: 5 seconds otherwise, 1 to 60 allowed.
//!
//! **Requests** come from `wrk` with one thread and 64 connections. Service and webdis take turns,
//! three rounds each, on the same Redis and, when reading, on the very same hash. The table has the
//! median of the rounds for each column by itself, and beside the requests per second their lowest
//! and highest round. CPU time is user and system time of all threads of a process, divided by the
//! requests answered. The third in turn when one key is read is the ceiling: actix-web with nothing
//! behind it that answers the same bytes, in a process of its own.
//!
//! **Sizes** are 1,000 and 1,000,000 stored services, read at random; each size has a Redis and a
//! service of its own, and they take turns. The stored ones are copies of one that the service made.
//!
//! **Beside** is reading one key while 16 binaries of 64 MiB are on their way, in or out. Their client
//! shares the machine.
//!
//! **Hostile** is reading one key beside clients that do nothing, are slow, or send what is refused. They
//! share the machine too.
//!
//! **Overload** is reading one key for far more clients than can be served, who ask again at once.
//!
//! **Footprint** is the memory that a small service takes in Redis, at 100,000 of them.
//!
//! The column *others* is the first to look at: it tells how many cores were busy with none of the
//! processes that take part, in the worst of the rounds. On a machine of few cores a single compiler
//! is enough to turn a target that is met into one that is not, and the other way round; it also
//! lowers CPU time per request, because requests that wait are then taken together. A run that was
//! disturbed says so and proves nothing.
//!
//! **Bookings** are requests for access numbers from a group of 100 and from one of 100,000, by turns;
//! and 50,000 services with a number each that end in the same second, with the time until all of it is
//! given back and what readers notice of it.
//!
//! **Backends** are requests to services that run on one: an Orchestration Server and a web service, both
//! played by a thread of the benchmark; and 1,000 of them at once while it takes two seconds for each.
//!
//! **Memory** is the resident size of the service, once after its first requests (idle) and at its
//! highest while binaries of 64 MiB go in or out, one or 16 at a time. Each step has a process of
//! its own, so that none profits from what another one left behind, and is taken three times; the
//! highest counts. The MiB per second say little: the client shares the machine.
//!
//! **Telemetry** is reading one key with metrics, the log's lines of requests and traces off, as they are
//! shipped with 1 % traced, and with a line for every request; nine rounds by turns.
//!
//! A target that is missed is told and is no failure: figures depend on the machine. What fails the
//! run is what keeps it from measuring, a request that was not answered with success above all.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use tokio::{
    select,
    signal::unix::{SignalKind, signal},
};

use self::setup::Setup;

#[path = "service/backends.rs"]
mod backends;
#[path = "service/baseline.rs"]
mod baseline;
#[path = "service/bookings.rs"]
mod bookings;
#[path = "service/concurrent_transfers.rs"]
mod concurrent_transfers;
#[path = "service/cpu.rs"]
mod cpu;
#[path = "service/footprint.rs"]
mod footprint;
#[path = "service/hostile.rs"]
mod hostile;
#[path = "service/load.rs"]
mod load;
#[path = "service/machine.rs"]
mod machine;
#[path = "service/memory.rs"]
mod memory;
#[path = "service/overload.rs"]
mod overload;
#[path = "service/process.rs"]
mod process;
#[path = "service/requests.rs"]
mod requests;
#[path = "service/rounds.rs"]
mod rounds;
#[path = "service/servers.rs"]
mod servers;
#[path = "service/setup.rs"]
mod setup;
#[path = "service/sizes.rs"]
mod sizes;
#[path = "service/table.rs"]
mod table;
#[path = "service/targets.rs"]
mod targets;
#[path = "service/telemetry.rs"]
mod telemetry;
#[path = "service/transfers.rs"]
mod transfers;

/// Whatever keeps the benchmark from measuring ends it.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rounds of everything that is measured.
const ROUNDS: usize = 3;

const PARTS: [&str; 10] = [
    "requests",
    "sizes",
    "beside",
    "footprint",
    "hostile",
    "overload",
    "bookings",
    "backends",
    "memory",
    "telemetry",
];

/// As in the service, for the ceiling.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some(baseline::OPTION) {
        let port = words.next().and_then(|port| port.parse().ok());
        let served = port.map(baseline::serve);
        return ExitCode::from(u8::from(!matches!(served, Some(Ok(())))));
    }
    measure()
}

#[tokio::main(flavor = "current_thread")]
async fn measure() -> ExitCode {
    let (options, parts): (BTreeSet<String>, BTreeSet<String>) =
        env::args().skip(1).partition(|word| word.starts_with("--"));
    // `cargo bench` says so; `cargo test --all-targets` also comes here, to see it start.
    if !options.contains("--bench") {
        return ExitCode::SUCCESS;
    }
    // Whoever loses is dropped here, and every process that was started with it.
    let outcome = select! {
        outcome = run(&parts) => outcome,
        outcome = wait_for_signal() => outcome,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "\nthe benchmark failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(parts: &BTreeSet<String>) -> Result<()> {
    if let Some(part) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        let known = PARTS.join(", ");
        return Err(format!("there is no part {part:?}, only {known}").into());
    }
    let wanted = |part: &str| parts.is_empty() || parts.contains(part);
    let setup = Setup::new()?;
    print_line(&machine::line()?)?;
    if wanted("requests") {
        requests::run(&setup).await?;
    }
    if wanted("sizes") {
        sizes::run(&setup).await?;
    }
    if wanted("beside") {
        concurrent_transfers::run(&setup).await?;
    }
    if wanted("footprint") {
        footprint::run(&setup).await?;
    }
    if wanted("hostile") {
        hostile::run(&setup).await?;
    }
    if wanted("overload") {
        overload::run(&setup).await?;
    }
    if wanted("bookings") {
        bookings::run(&setup).await?;
    }
    if wanted("backends") {
        backends::run(&setup).await?;
    }
    if wanted("memory") {
        memory::run(&setup).await?;
    }
    if wanted("telemetry") {
        telemetry::run(&setup).await?;
    }
    Ok(())
}

/// Returns when the process is told to end.
async fn wait_for_signal() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err("it was told to stop".into())
}

/// Writes one piece of the report.
fn print_line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
