//! The cost of Switchboard: requests per second, CPU time per request, memory per transfer.
//!
//! `cargo bench --bench service` starts all servers on free ports of the loopback: a `redis-server`
//! without persistence, the service as a build of the profile `dist` with its default settings, and, if they are
//! installed, peers for comparison: `webdis`, the HTTP gateway to Redis written in C, nginx with Lua, and Node with
//! fastify. It takes twelve to fourteen minutes, and stops all processes that it started.
//!
//! Required: `wrk` and `redis-server`; 3 GiB of memory. `make tools-bench` installs them, the peers, and `oha` for the
//! open loop.
//!
//! ```text
//! cargo bench --bench service                  all parts
//! cargo bench --bench service -- requests      one part
//! cargo bench --bench service -- sizes memory  several parts, of: requests, peers, sizes, transfers,
//!                                              footprint, hostile, overload, bookings,
//!                                              backends, memory, telemetry, streams, webhooks
//! SWITCHBOARD_BENCH_SECONDS=20 cargo bench --bench service
//! ```
//!
//! The last command sets the duration of each round: default 5 seconds, allowed 1 to 60.
//!
//! **Requests** are sent by `wrk` with one thread and 64 connections. Service and webdis alternate, three
//! rounds each, on the same Redis and, for reads, on the same hash. The table has the median of the
//! rounds for each column, and the lowest and highest round of the requests per second. CPU time is user
//! and system time of all threads of a process, divided by the number of responses. Reads of one key are
//! compared with a third server, the ceiling: actix-web alone, which responds with the same bytes, in a
//! process of its own.
//!
//! **Peers** are webdis, nginx with `lua-resty-redis` and a pool of connections, and fastify with `ioredis`, automatic
//! pipelining and a cluster; nginx and fastify have a worker process for each core. They read one key of 100,000
//! services at random, from the same hashes, by turns with the service. nginx and fastify have the status, headers and
//! body of the service, which is checked; webdis has its own body. CPU time and memory are of all processes of a server;
//! pages that processes share are divided among them. In the **open loop** `oha` sends requests at half of the measured
//! maximum of each server, by turns too. It measures from the time at which a request should have been sent.
//!
//! **Sizes** are 1,000 and 1,000,000 stored services, read at random; each size has its own Redis and
//! service, and they alternate. The stored services are copies of one that the service created.
//!
//! **Transfers** is reading one key during 16 transfers of binaries of 64 MiB, in or out. Their client
//! shares the machine.
//!
//! **Hostile** is reading one key while hostile clients do nothing, are slow, or send requests that are
//! refused. They share the machine too.
//!
//! **Overload** is reading one key with far more clients than can be served, which retry at once.
//!
//! **Footprint** is the memory of a small service in Redis, measured with 100,000 of them.
//!
//! Check the column *others* first: it is the number of cores that were busy with other processes, in
//! the worst round. On a machine with few cores a single compiler can change whether a target is met, in
//! both directions; it also lowers CPU time per request, because waiting requests are then processed in
//! batches. The report marks a disturbed run; its figures are not valid.
//!
//! **Bookings** are requests for access numbers from a group of 100 and from one of 100,000, alternating, compared with
//! reads of one key before them; their CPU time includes the release of earlier ones. And 50,000 services with a number
//! each that end in the same second, with the time until all numbers are released and the effect on readers.
//!
//! **Backends** are requests to services on backends: an Orchestration Server and a web service, both
//! mocked by a thread of the benchmark; and 1,000 concurrent requests that take two seconds each.
//!
//! **Memory** is the resident size of the service, after its first requests, 40 s later (idle), and the peak during
//! transfers of binaries of 64 MiB in or out, one or 16 at a time. Each step has a process of its own, so
//! that earlier steps have no effect, and is measured three times; the highest counts. The MiB per second
//! are of limited use: the client shares the machine.
//!
//! **Telemetry** is reading one key with metrics, request log and traces disabled, with the defaults and
//! 1 % traced, and with a log line for every request; nine alternating rounds.
//!
//! **Streams** are 10,000 event streams of chats on one process, and 10,000 watchers of storages: the memory of each, the
//! CPU time while nothing happens, the time from a change to its event, and reading one key on a service with and on one
//! without streams; and the memory of event streams of actix-web alone. Their client shares the machine.
//!
//! **Webhooks** are the events of 50,000 services that end in the same second, delivered to a receiver on a thread of the
//! benchmark that responds at once, and the effect on readers: at half of their measured maximum, which leaves CPU time
//! for the events, and as often as they can.
//!
//! A missed target is reported and is not a failure: figures depend on the machine. A run fails if it
//! cannot measure, above all if a response is not a success.

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
#[path = "service/mass_expiry.rs"]
mod mass_expiry;
#[path = "service/memory.rs"]
mod memory;
#[path = "service/open_loop.rs"]
mod open_loop;
#[path = "service/overload.rs"]
mod overload;
#[path = "service/peer_servers.rs"]
mod peer_servers;
#[path = "service/peers.rs"]
mod peers;
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
#[path = "service/streams.rs"]
mod streams;
#[path = "service/table.rs"]
mod table;
#[path = "service/targets.rs"]
mod targets;
#[path = "service/telemetry.rs"]
mod telemetry;
#[path = "service/transfers.rs"]
mod transfers;
#[path = "service/webhooks.rs"]
mod webhooks;

/// Any error that prevents a measurement ends the benchmark.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rounds of each measurement.
const ROUNDS: usize = 3;

const PARTS: [&str; 13] = [
    "requests",
    "peers",
    "sizes",
    "transfers",
    "footprint",
    "hostile",
    "overload",
    "bookings",
    "backends",
    "memory",
    "telemetry",
    "streams",
    "webhooks",
];

/// As in the service, for the ceiling.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // `reqwest` requires it also without TLS. It cannot fail: nothing else installs one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some(baseline::OPTION) {
        let port = words.next().and_then(|port| port.parse().ok());
        let result = port.map(baseline::serve);
        return ExitCode::from(u8::from(!matches!(result, Some(Ok(())))));
    }
    measure()
}

#[tokio::main(flavor = "current_thread")]
async fn measure() -> ExitCode {
    let (options, parts): (BTreeSet<String>, BTreeSet<String>) =
        env::args().skip(1).partition(|word| word.starts_with("--"));
    // `cargo bench` passes this option; `cargo test --all-targets` runs this program without it.
    if !options.contains("--bench") {
        return ExitCode::SUCCESS;
    }
    // The other future is dropped, and with it all started processes.
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
        return Err(format!("unknown part {part:?}, expected one of {known}").into());
    }
    let wanted = |part: &str| parts.is_empty() || parts.contains(part);
    let setup = Setup::new()?;
    print_line(&machine::line()?)?;
    if wanted("requests") {
        requests::run(&setup).await?;
    }
    if wanted("peers") {
        peers::run(&setup).await?;
    }
    if wanted("sizes") {
        sizes::run(&setup).await?;
    }
    if wanted("transfers") {
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
    if wanted("streams") {
        streams::run(&setup).await?;
    }
    if wanted("webhooks") {
        webhooks::run(&setup).await?;
    }
    Ok(())
}

/// Returns on a shutdown signal.
async fn wait_for_signal() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Err("interrupted by a signal".into())
}

/// Prints a part of the report.
fn print_line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
