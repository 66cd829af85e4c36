//! Webhooks: the delivery of the events of very many services that end in the same second, and reading one key meanwhile.

use std::{
    fs,
    sync::PoisonError,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Client;
use tokio::time::sleep;

use crate::{
    Result,
    backends::Backend,
    mass_expiry::{self, Reads, SERVICES},
    open_loop, print_line,
    servers::{Redis, Service},
    setup::Setup,
    table::verdict,
};

/// Timeout for the delivery of all events.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum p99 of the time from the end of a service to the receipt of its event.
const TARGET: Duration = Duration::from_secs(5);

/// Concurrent requests of a plain client: `webhooks.concurrency`.
const CONCURRENCY: usize = 64;
/// About the size of an event.
const PLAIN_BODY_BYTES: usize = 200;

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
    let plain = post_plainly(&receiver).await?;
    print_line(&format!(
        "\nWebhooks: {SERVICES} services that end in the same second, and the time from the end to the receipt of the \
         event. As many\nrequests of a plain client to the same receiver, without reads beside them: {:.1} s",
        plain.as_secs_f64()
    ))?;
    for reads in [Reads::OpenLoop, Reads::ClosedLoop] {
        if reads == Reads::OpenLoop && !open_loop::is_installed() {
            print_line("\nReads at a fixed rate: oha is not installed, not measured.")?;
            continue;
        }
        let redis = Redis::start(setup.directory()).await?;
        let service = Service::start_with(&redis, setup.directory(), &settings).await?;
        measure(setup, (&redis, &service), reads, &receiver).await?;
    }
    Ok(())
}

/// Measures and prints the delivery while keys are read, and the reads.
async fn measure(
    setup: &Setup,
    servers: (&Redis, &Service),
    reads: Reads,
    receiver: &Backend,
) -> Result<()> {
    let events = || receiver.events.lock();
    events().unwrap_or_else(PoisonError::into_inner).clear();
    let wait = async |ended| wait_for_events(receiver, ended).await;
    let result = mass_expiry::run(setup, servers, reads, ("crowd", ""), wait).await?;
    let times = result.outcome;
    let (median, p99) = (times[SERVICES / 2], times[SERVICES * 99 / 100]);
    let (what, verdict) = match reads {
        Reads::OpenLoop => {
            let verdict = format!(
                ", target <= {} s: {}",
                TARGET.as_secs(),
                verdict(p99 <= TARGET)
            );
            ("at a fixed rate", verdict)
        }
        Reads::ClosedLoop => ("as often as possible", String::new()),
    };
    print_line(&format!(
        "\nReads {what}: events after p50 {:.1} s, p99 {:.1} s{verdict}\n{}",
        median.as_secs_f64(),
        p99.as_secs_f64(),
        result.reads
    ))
}

/// The time of [`SERVICES`] requests of a client that does nothing else.
async fn post_plainly(receiver: &Backend) -> Result<Duration> {
    let (client, url) = (Client::new(), format!("http://{}/", receiver.address));
    let body = "x".repeat(PLAIN_BODY_BYTES);
    let post = async |_| {
        let request = client.post(&url).body(body.clone());
        request.send().await?.error_for_status()?.bytes().await
    };
    let started = Instant::now();
    stream::iter(0..SERVICES)
        .map(post)
        .buffer_unordered(CONCURRENCY)
        .try_for_each(async |_| Ok(()))
        .await?;
    Ok(started.elapsed())
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
