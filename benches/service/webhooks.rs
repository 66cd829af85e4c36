//! Webhooks: the delivery of the events of very many services that end in the same second, and reading one key meanwhile.

use std::{
    fs,
    sync::PoisonError,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use crate::{
    Result,
    backends::Backend,
    load::Request,
    print_line,
    servers::{Redis, Service},
    setup::Setup,
    table::{Table, verdict},
};

/// Services that end together.
const SERVICES: usize = 50_000;
/// Concurrent requests during their creation.
const CONCURRENCY: usize = 64;
/// The time to create them.
const CREATE_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout for the delivery of all events.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum p99 of the time from the end of a service to the receipt of its event.
const TARGET: Duration = Duration::from_secs(5);
/// Duration of the reads.
const READS: Duration = Duration::from_secs(10);

/// Measures and prints the results.
///
/// # Errors
/// If a server does not start, a response is not a success, or events are not delivered.
pub(crate) async fn run(setup: &Setup) -> Result<()> {
    let receiver = Backend::start().await?;
    let catalog = setup.directory().join("webhooks.toml");
    let text = format!(
        "[services.store]\n_type = 'builtin'\n_service = 'store'\n\
         [services.crowd]\n_type = 'builtin'\n_service = 'store'\n\
         _webhook_url = 'http://{}/'\n_webhook_events = 'service.expired'\n\
         _webhook_secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'\n",
        receiver.address
    );
    fs::write(&catalog, text)?;
    let catalog = catalog.display().to_string();
    let settings = [
        ("SWITCHBOARD__CATALOG__FILE", catalog.as_str()),
        ("SWITCHBOARD__WEBHOOKS__ALLOW_HTTP", "true"),
        ("SWITCHBOARD__WEBHOOKS__ALLOWED_NETWORKS", "127.0.0.0/8"),
    ];
    let redis = Redis::start(setup.directory()).await?;
    let service = Service::start_with(&redis, setup.directory(), &settings).await?;
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
    stream::iter(0..SERVICES)
        .map(|_| create_service(&service, end))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    let wait = end.duration_since(SystemTime::now())?;
    sleep(wait.saturating_sub(Duration::from_secs(1))).await;
    let until_end = end.duration_since(SystemTime::now()).unwrap_or_default();
    let ended = Instant::now() + until_end;
    let (during, times) = tokio::join!(
        read.load(READS, setup.directory()),
        wait_for_events(&receiver, ended),
    );
    let (during, times) = (during?, times?);
    let mut table = Table::new(1, &["", "requests/s", "p50 ms", "p99 ms", "errors"]);
    for (what, load) in [("reads before", &before), ("reads while they end", &during)] {
        table.add(vec![
            what.to_owned(),
            format!("{:.0}", load.requests / load.seconds),
            format!("{:.2}", load.p50_ms),
            format!("{:.2}", load.p99_ms),
            format!("{:.0}", load.errors),
        ]);
    }
    let (median, p99) = (times[SERVICES / 2], times[SERVICES * 99 / 100]);
    print_line(&format!(
        "\nWebhooks: {SERVICES} services that end in the same second; from the end to the receipt of the event: p50 \
         {:.1} s, p99 {:.1} s, target <= {} s: {}\n{}",
        median.as_secs_f64(),
        p99.as_secs_f64(),
        TARGET.as_secs(),
        verdict(p99 <= TARGET),
        table.text()
    ))
}

/// Creates a service with a webhook that ends at `end`.
async fn create_service(service: &Service, end: SystemTime) -> Result<()> {
    let id = service.create_named("crowd", "").await?;
    let end_ms = end.duration_since(UNIX_EPOCH)?.as_millis();
    let end = jiff::Timestamp::from_millisecond(i64::try_from(end_ms)?)?;
    let path = format!("{id}?expiration_time={end}");
    let request = service.client.put(service.url(&path));
    request.send().await?.error_for_status()?;
    Ok(())
}

/// Waits for the events of all services; returns the sorted times since `ended`.
async fn wait_for_events(receiver: &Backend, ended: Instant) -> Result<Vec<Duration>> {
    loop {
        sleep(Duration::from_millis(100)).await;
        let events = receiver.events.lock();
        let events = events.unwrap_or_else(PoisonError::into_inner);
        if events.len() >= SERVICES {
            let mut times: Vec<Duration> = events
                .values()
                .map(|received| received.saturating_duration_since(ended))
                .collect();
            times.sort();
            return Ok(times);
        }
        if ended.elapsed() > DELIVERY_TIMEOUT {
            return Err(format!("only {} events were delivered", events.len()).into());
        }
    }
}
