//! Very many services that end in the same second, and their effect on readers of one key.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::{
    Result,
    load::Request,
    open_loop,
    rounds::Measured,
    servers::{Redis, Service},
    setup::Setup,
};

/// Services that end together.
pub(crate) const SERVICES: usize = 50_000;
/// Concurrent requests during their creation.
const CONCURRENCY: usize = 64;
/// Minimum TTL of the services: about the time to create them.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// Duration of the reads.
const READS: Duration = Duration::from_secs(10);

/// How one key is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// As often as possible, so that reads and the cleanup compete for all cores.
    ClosedLoop,
    /// At a fixed rate.
    OpenLoop,
}

/// What happened.
pub(crate) struct MassExpiry<T> {
    /// The time to create the services.
    pub(crate) create_time: Duration,
    /// What the caller waited for.
    pub(crate) outcome: T,
    /// The reads before the end and while the services end, as a table.
    pub(crate) reads: String,
}

/// Creates [`SERVICES`] services of `definition` with the fields of `form`, which end at the same time, and waits with
/// `wait`, which gets that time.
///
/// # Errors
/// If a response is not a success, or the error of `wait`.
pub(crate) async fn run<T>(
    setup: &Setup,
    (redis, service): (&Redis, &Service),
    reads: Reads,
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
    let mut rows = vec![measured("reads before", &read, redis, service)];
    rows[0].round_of(READS, setup).await?;
    let mut during = measured("reads while they end", &read, redis, service);
    if reads == Reads::OpenLoop {
        during = rows[0].open_loop("the same while they end", open_loop::PART_OF_MAXIMUM);
        let mut before = rows[0].open_loop(
            "reads before, at half of the maximum",
            open_loop::PART_OF_MAXIMUM,
        );
        before.round_of(READS, setup).await?;
        rows.push(before);
    }
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
    let (measured, outcome) = tokio::join!(during.round_of(READS, setup), wait(ended));
    measured?;
    rows.push(during);
    Ok(MassExpiry {
        create_time,
        outcome: outcome?,
        reads: Measured::rows(rows.iter()),
    })
}

fn measured<'a>(
    what: &'static str,
    read: &Request,
    redis: &'a Redis,
    service: &'a Service,
) -> Measured<'a> {
    Measured::new((what, "service"), read.clone(), &service.process, redis)
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
