//! The cost of a request to a service on a backend, and the cost of a slow backend.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    Result,
    load::Request,
    print_line,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
    table::{Table, verdict},
};

/// Maximum CPU time of the service per request, in microseconds.
const TARGET: f64 = 40.0;
/// Concurrent requests to a slow backend, and the number of repetitions.
const IN_FLIGHT: usize = 1_000;
const WAVES: usize = 3;
/// Response time of the slow backend, and timeout until all have a response.
const SLOW: Duration = Duration::from_secs(2);
const WAVE: Duration = Duration::from_secs(30);
/// Maximum additional MiB of the last wave, compared with the first.
const GROWTH: f64 = 4.0;

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start or a response is not a success.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let backend = Backend::start().await?;
    let url = format!("http://{}", backend.address);
    let catalog = setup.directory().join("backends.toml");
    let text = format!(
        "[services.store]\n_type = 'builtin'\n_service = 'store'\n\
         [services.ors]\n_type = 'ors'\n_service = 'http://docs/x.scxml'\n_ors = '{url}'\n\
         [services.http]\n_type = 'http'\n_service = '{url}'\n_request = '{url}/{{request}}'\n"
    );
    std::fs::write(&catalog, text)?;
    let catalog = catalog.display().to_string();
    let settings = [("SWITCHBOARD__CATALOG__FILE", catalog.as_str())];
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start_with(&redis, setup.directory(), &settings).await?;
    run_requests(setup, &redis, &service).await?;
    drop(service);
    let service = Service::start_with(&redis, setup.directory(), &settings).await?;
    run_slow_backends(&service).await
}

async fn run_requests(setup: &Setup, redis: &Redis, service: &Service) -> Result<()> {
    let mut rows = Vec::new();
    for name in ["ors", "http"] {
        let id = service.create_named(name, "CustomerNumber=4711").await?;
        let request = Request {
            url: service.url(&format!("{id}/ixn/chat/send")),
            form: Some("_parameter={\"chatLineList\":[\"A\",\"B\"]}&text=hello"),
            expected: "\"done\"".to_owned(),
            among: None,
        };
        rows.push(Measured::new(
            (name, "service"),
            request,
            &service.process,
            redis,
        ));
    }
    Measured::measure_alternating(&mut rows, &service.client, setup).await?;
    Measured::check(rows.iter())?;
    let mut verdicts = Vec::new();
    for row in &rows {
        let (what, cost) = (row.what, row.cpu_us());
        let verdict = verdict(cost <= TARGET);
        verdicts.push(format!(
            "  {what}: {cost:.1} us of CPU per request, target <= {TARGET} us: {verdict}"
        ));
    }
    print_line(&format!(
        "\nBackends: a service-specific request, with one round trip to Redis and one request to a backend \
         that responds at once.\n{}\n\n{}",
        Measured::rows(rows.iter()),
        verdicts.join("\n")
    ))
}

async fn run_slow_backends(service: &Service) -> Result<()> {
    let id = service.create_named("http", "").await?;
    let idle = service.process.resident()?;
    let mut peaks = Vec::new();
    for _ in 0..WAVES {
        let sampler = service.process.sample_memory()?;
        let started = Instant::now();
        let url = service.url(&format!("{id}/slow"));
        let all = try_join_all((0..IN_FLIGHT).map(|_| wait(&url)));
        timeout(WAVE, all).await??;
        if started.elapsed() < SLOW {
            return Err("the slow backend responded too early".into());
        }
        peaks.push(sampler.stop()?);
        sleep(Duration::from_millis(200)).await;
    }
    let mut table = Table::new(1, &["", "MiB"]);
    table.add(vec!["idle".to_owned(), format!("{idle:.1}")]);
    for (wave, peak) in peaks.iter().enumerate() {
        table.add(vec![format!("wave {}", wave + 1), format!("{peak:.1}")]);
    }
    let first = peaks.first().copied().unwrap_or_default();
    let growth = peaks.last().copied().unwrap_or_default() - first;
    print_line(&format!(
        "\n{IN_FLIGHT} concurrent requests to a backend that takes {} s, {WAVES} times:\n{}\n\n  \
         the last wave took {growth:.1} MiB more than the first, target <= {GROWTH}: {}",
        SLOW.as_secs(),
        table.text(),
        verdict(growth <= GROWTH)
    ))
}

/// Sends one request on a connection of its own.
async fn wait(url: &str) -> Result<()> {
    let rest = url.strip_prefix("http://").ok_or("no http URL")?;
    let (address, path) = rest.split_once('/').ok_or("no path")?;
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    if response.starts_with("HTTP/1.1 200") && response.ends_with(RESPONSE) {
        return Ok(());
    }
    Err(format!("unexpected response of the slow backend: {response:?}").into())
}

const RESPONSE: &str = "{\"session\":\"S-1\",\"answer\":\"done\"}";

/// The times at which webhook events were received, by their id; repeated events have the first time.
pub(crate) type ReceivedEvents = Arc<Mutex<HashMap<String, Instant>>>;

/// A mock backend on a thread of its own. It sends the same response to every request, `/slow` later.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    /// The received webhook events.
    pub(crate) events: ReceivedEvents,
    /// Stops the backend on drop.
    _stop: oneshot::Sender<()>,
}

impl Backend {
    pub(crate) async fn start() -> Result<Self> {
        let (address_sender, address) = oneshot::channel();
        let (stop, stopped) = oneshot::channel();
        let events = ReceivedEvents::default();
        let received = Arc::clone(&events);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new().spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else {
                    return;
                };
                drop(
                    listener
                        .local_addr()
                        .map(|address| address_sender.send(address)),
                );
                tokio::select! {
                    () = accept(listener, &received) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self {
            address: address.await?,
            events,
            _stop: stop,
        })
    }
}

async fn accept(listener: TcpListener, events: &ReceivedEvents) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true));
        tokio::spawn(serve(stream, Arc::clone(events)));
    }
}

/// Reads requests, each with its `content-length`, and sends responses.
async fn serve(mut stream: TcpStream, events: ReceivedEvents) -> Option<()> {
    let kind = "content-type: application/json";
    let response = format!(
        "HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {}\r\n\r\n{RESPONSE}",
        RESPONSE.len()
    );
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|length| length.split('\r').next()?.parse().ok());
        let whole = end + length.unwrap_or(0);
        while bytes.len() < whole {
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
        bytes.drain(..whole);
        if let Some((_, rest)) = head.split_once("webhook-id: ") {
            let id = rest.lines().next()?.to_owned();
            let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
            events.entry(id).or_insert_with(Instant::now);
        }
        if head.lines().next()?.contains("/slow") {
            sleep(SLOW).await;
        }
        stream.write_all(response.as_bytes()).await.ok()?;
    }
}
