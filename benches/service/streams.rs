//! Event streams: their memory and idle CPU time, the time from a change to its event, and reading one key meanwhile.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    Result,
    baseline::Ceiling,
    print_line,
    process::Process,
    rounds::Measured,
    servers::{FORM, Redis, Service},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// Open streams, each of a chat or a storage of its own.
const STREAMS: usize = 10_000;
/// Changes whose events are timed.
const CHANGES: usize = 1_000;
/// Concurrent requests during the creation.
const CONCURRENCY: usize = 64;
/// For which nothing happens while the CPU time is measured.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// Timeout of one read from a stream.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Rounds of reading one key.
const READ_ROUNDS: usize = 7;
const KIB_PER_MIB: f64 = 1024.0;

/// A kind of streams.
struct Kind {
    name: &'static str,
    /// The configured service of each stream.
    definition: &'static str,
    /// The request after the creation, if there is one.
    start: Option<&'static str>,
    stream: &'static str,
    /// The request that changes what a stream shows, and its form, whose value is in the event.
    change: (&'static str, &'static str),
}

const CHANGED: &str = "changed";

const CHATS: Kind = Kind {
    name: "streams of chats",
    definition: "chat",
    start: Some("/ixn/chat"),
    stream: "/ixn/chat/events",
    change: ("/ixn/chat/send", "message=changed"),
};

const STORAGES: Kind = Kind {
    name: "watchers of storages",
    definition: "store",
    start: None,
    stream: "/storage",
    change: ("/storage", "Name=changed"),
};

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, a response is not a success, or an event does not arrive.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let catalog = setup.directory().join("streams.toml");
    fs::write(
        &catalog,
        "[services.store]\n_type = 'builtin'\n_service = 'store'\n\
         [services.chat]\n_type = 'builtin'\n_service = 'request-chat'\n",
    )?;
    let catalog = catalog.display().to_string();
    let settings = [("SWITCHBOARD__CATALOG__FILE", catalog.as_str())];
    let bare = measure_bare(setup).await?;
    print_line(&format!(
        "\nStreams without events of actix-web alone: memory of each, with its connection, {bare:.1} KiB"
    ))?;
    for kind in [&CHATS, &STORAGES] {
        let redis = Redis::start(setup.directory()).await?;
        let service = Service::start_with(&redis, setup.directory(), &settings).await?;
        let streams = measure(kind, &service, &redis).await?;
        read_beside(setup, kind, &service, &redis).await?;
        drop(streams);
    }
    Ok(())
}

/// The memory of a stream of actix-web in KiB.
async fn measure_bare(setup: &Setup) -> Result<f64> {
    let ceiling = Ceiling::start(setup.directory()).await?;
    let without = ceiling.process.resident()?;
    let all = open_all(ceiling.address, vec!["1/events".to_owned(); STREAMS]).await?;
    memory_of_each(&ceiling.process, without, &all).await
}

/// Opens the streams of a kind, measures them and prints the results.
async fn measure(kind: &Kind, service: &Service, redis: &Redis) -> Result<Vec<EventStream>> {
    let ids: Vec<String> = stream::iter(0..STREAMS)
        .map(|_| create(service, kind))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    let without = service.process.resident()?;
    let paths = ids.iter().map(|id| format!("{id}{}", kind.stream));
    let mut streams = open_all(service.address, paths.collect()).await?;
    let memory = memory_of_each(&service.process, without, &streams).await?;
    let idle = idle_cpu(service, redis).await?;
    let times = time_changes(service, kind, &ids, &mut streams).await?;
    let title = format!("{STREAMS} {}", kind.name);
    let mut table = Table::new(1, &[&title, ""]);
    for (what, value) in [
        (
            "memory of each, with its connection",
            format!("{memory:.1} KiB"),
        ),
        ("idle: CPU of the service", format!("{:.1} %", idle.0)),
        ("idle: CPU of Redis", format!("{:.1} %", idle.1)),
        (
            "change to event, p50",
            format!("{:.1} ms", percentile(&times, 50)),
        ),
        (
            "change to event, p99",
            format!("{:.1} ms", percentile(&times, 99)),
        ),
    ] {
        table.add(vec![what.to_owned(), value]);
    }
    print_line(&format!(
        "\nStreams: {CHANGES} changes, one at a time.\n{}",
        table.text()
    ))?;
    Ok(streams)
}

async fn open_all(address: SocketAddr, paths: Vec<String>) -> Result<Vec<EventStream>> {
    stream::iter(paths)
        .map(|path| EventStream::open(address, path))
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

/// The memory in KiB that a process has in addition to that `without` the streams, for each of them.
async fn memory_of_each(process: &Process, without: f64, streams: &[EventStream]) -> Result<f64> {
    sleep(Duration::from_secs(3)).await;
    Ok((process.resident()? - without) * KIB_PER_MIB / count(streams.len()))
}

/// Reading one key on the service with the streams and on one without, alternating.
async fn read_beside(setup: &Setup, kind: &Kind, service: &Service, redis: &Redis) -> Result<()> {
    let other_redis = Redis::start(setup.directory()).await?;
    let other = Service::start(&other_redis, setup.directory()).await?;
    let mut rows = Vec::new();
    for (by, service, redis) in [
        ("no streams", &other, &other_redis),
        (kind.name, service, redis),
    ] {
        let id = service.create("FirstName=Jane").await?;
        let request = service.read_first_name(&id);
        rows.push(Measured::new(
            ("read one key", by),
            request,
            &service.process,
            redis,
        ));
    }
    Measured::measure_alternating_rounds(&mut rows, &service.client, setup, READ_ROUNDS).await?;
    let [without, with] = rows.as_slice() else {
        return Err("rows missing".into());
    };
    let disturbed = with.is_disturbed() || without.is_disturbed();
    let ratio = with.requests_per_second() / without.requests_per_second();
    let mut ratios = Ratios::new();
    let target = Target::AtLeast(0.98);
    ratios.add("with / without", "requests/s", ratio, target, disturbed);
    print_line(&format!(
        "\n{}\n{}",
        Measured::rows(rows.iter()),
        ratios.text()
    ))?;
    Measured::check(rows.iter())
}

/// Creates what a stream shows; returns the id of the service.
async fn create(service: &Service, kind: &Kind) -> Result<String> {
    let id = service.create_named(kind.definition, "").await?;
    if let Some(start) = kind.start {
        post(service, &format!("{id}{start}"), "").await?;
    }
    Ok(id)
}

async fn post(service: &Service, path: &str, form: &'static str) -> Result<()> {
    let request = service.client.post(service.url(path)).body(form);
    let response = request.header("content-type", FORM).send().await?;
    response.error_for_status()?.bytes().await?;
    Ok(())
}

/// CPU time of the service and of Redis in percent of a core.
async fn idle_cpu(service: &Service, redis: &Redis) -> Result<(f64, f64)> {
    let cpu = || {
        Ok::<_, Box<dyn std::error::Error>>((
            service.process.cpu_seconds()?,
            redis.process.cpu_seconds()?,
        ))
    };
    let (started, before) = (Instant::now(), cpu()?);
    sleep(IDLE_TIME).await;
    let (after, seconds) = (cpu()?, started.elapsed().as_secs_f64());
    let percent = |after: f64, before: f64| (after - before) / seconds * 100.0;
    Ok((percent(after.0, before.0), percent(after.1, before.1)))
}

/// The sorted times in milliseconds from before a change is sent until its event has arrived.
async fn time_changes(
    service: &Service,
    kind: &Kind,
    ids: &[String],
    streams: &mut [EventStream],
) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(CHANGES);
    let (path, form) = kind.change;
    for (id, stream) in ids.iter().zip(streams).take(CHANGES) {
        stream.discard_received()?;
        let started = Instant::now();
        post(service, &format!("{id}{path}"), form).await?;
        stream.wait_for(CHANGED).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn count(streams: usize) -> f64 {
    streams as f64
}

/// A connection with an open stream.
struct EventStream(TcpStream);

impl EventStream {
    /// Opens the stream and reads its beginning.
    async fn open(address: SocketAddr, path: String) -> Result<Self> {
        let mut stream = Self(TcpStream::connect(address).await?);
        let request = format!(
            "GET /genesys/1/service/{path} HTTP/1.1\r\nhost: {address}\r\n\
             accept: text/event-stream\r\n\r\n"
        );
        stream.0.write_all(request.as_bytes()).await?;
        stream.wait_for("text/event-stream").await?;
        Ok(stream)
    }

    /// Reads until `text` has arrived.
    async fn wait_for(&mut self, text: &str) -> Result<()> {
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        let arrived = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        while !arrived(&received) {
            let length = timeout(READ_TIMEOUT, self.0.read(&mut buffer)).await??;
            if length == 0 {
                return Err("a stream has ended".into());
            }
            received.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
        Ok(())
    }

    /// Discards what has arrived.
    fn discard_received(&self) -> Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match self.0.try_read(&mut buffer) {
                Ok(0) => return Err("a stream has ended".into()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
