//! Very many services that end in the same second, and their effect on readers of one key.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::{Result, load::Request, servers::Service, setup::Setup, table::Table};

/// Services that end together.
pub(crate) const SERVICES: usize = 50_000;
/// Concurrent requests during their creation.
const CONCURRENCY: usize = 64;
/// Minimum TTL of the services: about the time to create them.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// Duration of the reads.
const READS: Duration = Duration::from_secs(10);

/// What happened.
pub(crate) struct MassExpiry<T> {
    /// The time to create the services.
    pub(crate) create_time: Duration,
    /// What the caller waited for.
    pub(crate) outcome: T,
    /// The reads before the end and while the services end.
    pub(crate) reads: Table,
}

/// Creates [`SERVICES`] services of `definition` with the fields of `form`, which end at the same time, and waits with
/// `wait`, which gets that time.
///
/// # Errors
/// If a response is not a success, or the error of `wait`.
pub(crate) async fn run<T>(
    setup: &Setup,
    service: &Service,
    (definition, form): (&str, &str),
    wait: impl AsyncFnOnce(Instant) -> Result<T>,
) -> Result<MassExpiry<T>> {
    let id = service.create("CustomerNumber=4711").await?;
    let read = Request {
        url: service.url(&format!("{id}/storage/CustomerNumber")),
        form: None,
        expected: "4711".to_owned(),
        among: None,
    };
    read.check(&service.client).await?;
    let before = read.load(READS, setup.directory()).await?;
    let end = SystemTime::now() + CREATE_TIMEOUT;
    let started = Instant::now();
    stream::iter(0..SERVICES)
        .map(|_| create_service(service, definition, form, end))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    let create_time = started.elapsed();
    let until_end = end.duration_since(SystemTime::now())?;
    sleep(until_end.saturating_sub(Duration::from_secs(1))).await;
    let until_end = end.duration_since(SystemTime::now()).unwrap_or_default();
    let ended = Instant::now() + until_end;
    let (during, outcome) = tokio::join!(read.load(READS, setup.directory()), wait(ended));
    let (during, outcome) = (during?, outcome?);
    let mut reads = Table::new(1, &["", "requests/s", "p50 ms", "p99 ms", "errors"]);
    for (what, load) in [("reads before", &before), ("reads while they end", &during)] {
        reads.add(vec![
            what.to_owned(),
            format!("{:.0}", load.requests / load.seconds),
            format!("{:.2}", load.p50_ms),
            format!("{:.2}", load.p99_ms),
            format!("{:.0}", load.errors),
        ]);
    }
    Ok(MassExpiry {
        create_time,
        outcome,
        reads,
    })
}

/// Creates a service that ends at `end`.
async fn create_service(
    service: &Service,
    definition: &str,
    form: &str,
    end: SystemTime,
) -> Result<()> {
    let id = service.create_named(definition, form).await?;
    let end_ms = end.duration_since(UNIX_EPOCH)?.as_millis();
    let end = jiff::Timestamp::from_millisecond(i64::try_from(end_ms)?)?;
    let path = format!("{id}?expiration_time={end}");
    let request = service.client.put(service.url(&path));
    request.send().await?.error_for_status()?;
    Ok(())
}
