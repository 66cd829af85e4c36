//! What readers of one key notice of clients that mean harm: many that do nothing, that are slow, or
//! that send what is refused.

use std::{future::pending, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    ROUNDS, Result,
    load::Request,
    requests::TEN_PAIRS,
    rounds::{Measured, median},
    say,
    servers::{Redis, Service},
    setup::Setup,
    table::Table,
    targets::{Ratios, Target},
};

/// How much longer the slowest readers may wait meanwhile.
const TARGET: Target = Target::AtMost(3.0);
/// Between two bytes of a slow client, and two attempts of one that is refused.
const PAUSE: Duration = Duration::from_millis(500);
const AGAIN: Duration = Duration::from_millis(50);
/// Bytes sent at a time by those that are not slow: `10000` in a chunk's head.
const BLOCK: usize = 0x1_0000;
/// How long all clients of a kind may take to be there.
const GATHERING: Duration = Duration::from_secs(30);

/// Clients of a kind.
#[derive(Clone, Copy)]
enum Kind {
    /// One request each, and then nothing.
    Idle,
    /// A head that never ends, byte by byte.
    SlowHead,
    /// A body that never ends, byte by byte.
    SlowBody,
    /// A body with no end, as fast as it is taken.
    Endless,
    /// Heads of 256 KiB.
    LongHead,
}

const KINDS: [(&str, Kind, usize); 5] = [
    ("10,000 idle", Kind::Idle, 10_000),
    ("1,000 slow heads", Kind::SlowHead, 1_000),
    ("1,000 slow bodies", Kind::SlowBody, 1_000),
    ("16 endless bodies", Kind::Endless, 16),
    ("16 long heads", Kind::LongHead, 16),
];

/// Measures, and prints what was measured.
///
/// # Errors
/// Where a server does not start, or a request was not answered with success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start(&redis, setup.directory()).await?;
    let id = service.create(TEN_PAIRS).await?;
    let row = |by: &'static str| {
        let request = Request {
            url: service.at(&format!("{id}/storage/FirstName")),
            form: None,
            answer: "\"Jane\"".to_owned(),
            among: None,
        };
        Measured::new(("read one key", by), request, &service.process, &redis)
    };
    let mut alone = row("alone");
    alone.request.check(&service.client).await?;
    alone.warm_up(setup).await?;
    let mut beside = KINDS.map(|(name, ..)| (row(name), Vec::new()));
    for _ in 0..ROUNDS {
        alone.round(setup).await?;
        for ((_, kind, count), (row, peaks)) in KINDS.iter().zip(&mut beside) {
            let watch = service.process.watch()?;
            let clients = gather(service.address, *kind, *count).await?;
            row.round(setup).await?;
            drop(clients);
            peaks.push(watch.end()?);
        }
    }
    let (mut ratios, mut memory) = (Ratios::new(), Table::new(1, &["", "MiB"]));
    for (row, peaks) in &mut beside {
        peaks.sort_by(f64::total_cmp);
        memory.add(vec![row.by.to_owned(), format!("{:.0}", median(peaks))]);
        let ratio = row.p99_ms() / alone.p99_ms();
        let disturbed = row.is_disturbed() || alone.is_disturbed();
        ratios.add(
            &format!("beside {} / alone", row.by),
            "p99",
            ratio,
            TARGET,
            disturbed,
        );
    }
    let rows = || {
        [&alone]
            .into_iter()
            .chain(beside.iter().map(|(row, _)| row))
    };
    say(&format!(
        "\nHostile: reading one key while clients mean harm; {ROUNDS} rounds by turns; medians. Memory is \
         the highest of the service.\n{}\n{}\n{}",
        Measured::rows(rows()),
        ratios.text(),
        memory.text()
    ))?;
    Measured::check(rows())
}

/// Clients that are all there when this returns, and gone when they are dropped.
async fn gather(address: SocketAddr, kind: Kind, count: usize) -> Result<JoinSet<()>> {
    let mut clients = JoinSet::new();
    let (there, mut arrived) = tokio::sync::mpsc::channel(count);
    for _ in 0..count {
        let there = there.clone();
        clients.spawn(async move {
            let mut told = Some(there);
            loop {
                // Whoever is refused or given up comes back.
                drop(harm(address, kind, &mut told).await);
                sleep(AGAIN).await;
            }
        });
        // Not faster than they can be accepted.
        if clients.len() % 100 == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    }
    let all = async {
        for _ in 0..count {
            arrived.recv().await.ok_or("a client is gone")?;
        }
        Ok(clients)
    };
    timeout(GATHERING, all).await?
}

async fn harm(
    address: SocketAddr,
    kind: Kind,
    told: &mut Option<tokio::sync::mpsc::Sender<()>>,
) -> Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let head = match kind {
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
    if let Some(told) = told.take() {
        told.send(()).await?;
    }
    let block = || vec![b'a'; BLOCK];
    match kind {
        Kind::Idle => pending().await,
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
