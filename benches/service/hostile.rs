//! The effect of hostile clients on readers of one key: many that do nothing, are slow, or send requests
//! that are refused.

use std::{future::pending, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    ROUNDS, Result, print_line,
    requests::TEN_PAIRS,
    rounds::{Measured, median},
    servers::{Redis, Service},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// Maximum ratio of the p99 latency of readers.
const TARGET: Target = Target::AtMost(3.0);
/// Maximum additional memory of the service with hostile clients, in MiB.
const MEMORY_TARGET: Target = Target::AtMost(128.0);
/// Timeout until the service has freed that memory after they have disconnected.
const RETURN_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum part of that memory that may remain, in MiB.
const MAX_RETAINED_MIB: f64 = 32.0;
/// Strings of 1 MiB in a large storage.
const LARGE_STRINGS: usize = 60;
/// Interval of two bytes of a slow client, and of two attempts of a refused one.
const PAUSE: Duration = Duration::from_millis(500);
const RETRY_INTERVAL: Duration = Duration::from_millis(50);
/// Size of one write of a fast client: `10000` in the head of a chunk.
const BLOCK: usize = 0x1_0000;
/// Timeout until all clients of a kind are connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Kinds of clients.
#[derive(Clone, Copy)]
enum Kind {
    /// One request each, then nothing.
    Idle,
    /// An endless head, byte by byte.
    SlowHead,
    /// An endless body, byte by byte.
    SlowBody,
    /// An endless body at full speed.
    Endless,
    /// Heads of 256 KiB.
    LongHead,
    /// Multipart strings of 1 MiB without an end.
    Strings,
    /// Requests all strings of a large storage and does not read the response.
    Unread,
}

const KINDS: [(&str, Kind, usize); 7] = [
    ("10,000 idle", Kind::Idle, 10_000),
    ("1,000 slow heads", Kind::SlowHead, 1_000),
    ("1,000 slow bodies", Kind::SlowBody, 1_000),
    ("16 endless bodies", Kind::Endless, 16),
    ("16 long heads", Kind::LongHead, 16),
    ("8 endless multipart bodies", Kind::Strings, 8),
    ("12 readers of 60 MiB that do not read", Kind::Unread, 12),
];

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, or a response is not a success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let row = |by: &'static str| {
        Measured::new(
            ("read one key", by),
            service.read_first_name(&id),
            &service.process,
            &redis,
        )
    };
    let mut alone = row("alone");
    alone.request.check(&service.client).await?;
    alone.warm_up(setup).await?;
    let large = large_storage(&service).await?;
    let mut rows_with_clients = KINDS.map(|(name, ..)| (row(name), Vec::new(), Vec::new()));
    for _ in 0..ROUNDS {
        alone.round(setup).await?;
        for ((_, kind, count), (row, peaks, added)) in KINDS.iter().zip(&mut rows_with_clients) {
            let before = service.process.resident()?;
            let sampler = service.process.sample_memory()?;
            let clients = connect_clients(service.address, *kind, *count, &large).await?;
            row.round(setup).await?;
            drop(clients);
            let peak = sampler.stop()?;
            peaks.push(peak);
            added.push(peak - before);
            if matches!(kind, Kind::Strings | Kind::Unread) {
                wait_for_return(&service, before + MAX_RETAINED_MIB, row.by).await?;
            }
        }
    }
    let (mut ratios, mut memory) = (Ratios::new(), Table::new(1, &["", "MiB"]));
    for ((_, kind, _), (row, peaks, added)) in KINDS.iter().zip(&mut rows_with_clients) {
        peaks.sort_by(f64::total_cmp);
        added.sort_by(f64::total_cmp);
        memory.add(vec![row.by.to_owned(), format!("{:.0}", median(peaks))]);
        if matches!(kind, Kind::Strings | Kind::Unread) {
            let disturbed = row.is_disturbed();
            let what = format!("MiB added by {}", row.by);
            ratios.add(&what, "memory", median(added), MEMORY_TARGET, disturbed);
        }
        let ratio = row.p99_ms() / alone.p99_ms();
        let disturbed = row.is_disturbed() || alone.is_disturbed();
        ratios.add(
            &format!("with {} / alone", row.by),
            "p99",
            ratio,
            TARGET,
            disturbed,
        );
    }
    let rows = || {
        [&alone]
            .into_iter()
            .chain(rows_with_clients.iter().map(|(row, ..)| row))
    };
    print_line(&format!(
        "\nHostile: reading one key with hostile clients; {ROUNDS} alternating rounds; medians. Memory is \
         the peak of the service.\n{}\n{}\n{}",
        Measured::rows(rows()),
        ratios.text(),
        memory.text()
    ))?;
    Measured::check(rows())
}

/// Creates a service with many large strings; returns its id.
async fn large_storage(service: &Service) -> Result<String> {
    let id = service.create(TEN_PAIRS).await?;
    let storage = service.url(&format!("{id}/storage"));
    for number in 0..LARGE_STRINGS {
        let string = "x".repeat(1024 * 1024);
        let request = service
            .client
            .post(&storage)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("key{number}={string}"));
        request.send().await?.error_for_status()?;
    }
    Ok(id)
}

/// Waits until the service has at most this much memory.
async fn wait_for_return(service: &Service, mib: f64, by: &str) -> Result<()> {
    let returned = async {
        while service.process.resident()? > mib {
            sleep(PAUSE).await;
        }
        Ok(())
    };
    let waited = timeout(RETURN_TIMEOUT, returned).await;
    waited.unwrap_or_else(|_elapsed| {
        let resident = service.process.resident()?;
        print_line(&format!(
            "a minute after {by} the service still has {resident:.0} MiB (expected at most {mib:.0})"
        ))
    })
}

/// Connects clients; all are connected when this returns. They disconnect on drop.
async fn connect_clients(
    address: SocketAddr,
    kind: Kind,
    count: usize,
    large: &str,
) -> Result<JoinSet<()>> {
    let mut clients = JoinSet::new();
    let (connected, mut receiver) = tokio::sync::mpsc::channel(count);
    for _ in 0..count {
        let (connected, large) = (connected.clone(), large.to_owned());
        clients.spawn(async move {
            let mut connected = Some(connected);
            loop {
                // Reconnect after a refused or closed connection.
                drop(run_hostile_client(address, kind, &large, &mut connected).await);
                sleep(RETRY_INTERVAL).await;
            }
        });
        // No faster than the service accepts.
        if clients.len() % 100 == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    }
    let all = async {
        for _ in 0..count {
            receiver.recv().await.ok_or("a client has ended")?;
        }
        Ok(clients)
    };
    timeout(CONNECT_TIMEOUT, all).await?
}

async fn run_hostile_client(
    address: SocketAddr,
    kind: Kind,
    large: &str,
    connected: &mut Option<tokio::sync::mpsc::Sender<()>>,
) -> Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let unread = format!("GET /genesys/1/service/{large}/storage HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = match kind {
        Kind::Unread => unread.as_str(),
        Kind::Strings => {
            "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\nContent-Length: 83000000\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        }
        Kind::Idle => "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        Kind::SlowHead | Kind::LongHead => "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ",
        Kind::SlowBody => {
            "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        }
        Kind::Endless => {
            "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        }
    };
    connection.write_all(head.as_bytes()).await?;
    if matches!(kind, Kind::Idle) {
        connection.read_exact(&mut [0; 12]).await?;
    }
    if let Some(connected) = connected.take() {
        connected.send(()).await?;
    }
    let block = || vec![b'a'; BLOCK];
    match kind {
        Kind::Idle | Kind::Unread => pending().await,
        Kind::Strings => {
            for number in 0..79 {
                let part = format!(
                    "--b\r\nContent-Disposition: form-data; name=\"k{number}\"\r\n\r\n{}\r\n",
                    "x".repeat(1_048_000)
                );
                connection.write_all(part.as_bytes()).await?;
            }
            pending().await
        }
        Kind::SlowHead | Kind::SlowBody => loop {
            sleep(PAUSE).await;
            connection.write_all(b"a").await?;
        },
        Kind::Endless => {
            let chunk = [b"10000\r\n".as_slice(), &block(), b"\r\n"].concat();
            loop {
                connection.write_all(&chunk).await?;
            }
        }
        Kind::LongHead => {
            for _ in 0..4 {
                connection.write_all(&block()).await?;
            }
            connection.read_exact(&mut [0; 12]).await?;
            Ok(())
        }
    }
}
