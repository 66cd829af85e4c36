//! The deliverer of a process: starts and ends the tasks of endpoints as the catalog changes, and wakes them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{AbortHandle, JoinError, JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{error, warn};

use super::{
    client::WebhookClient,
    endpoint_task::{EndpointControl, EndpointTask},
    queue_delivery::DeliveryContext,
    supervisor::restart_after_panic,
};
use crate::{
    model::webhook::WebhookEndpoint, service::CurrentCatalog, settings, store::AdminStore,
    telemetry::metrics::WebhookMetrics,
};

/// The interval at which all endpoints are polled for due events. Events of this process wake their endpoint at once.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The running deliverer.
pub struct WebhookDeliverer {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The task of an endpoint.
struct RunningEndpoint {
    control: Arc<EndpointControl>,
    task: AbortHandle,
}

/// What the tasks of all endpoints need.
#[derive(Clone)]
struct Shared {
    store: Arc<dyn AdminStore>,
    catalog: CurrentCatalog,
    context: Arc<DeliveryContext>,
    concurrency: usize,
}

/// The state of the deliverer.
struct Endpoints {
    shared: Shared,
    running: HashMap<WebhookEndpoint, RunningEndpoint>,
    /// All tasks, also those of endpoints that are not in the catalog any more, until their last request ends. They are
    /// aborted when this is dropped.
    tasks: JoinSet<()>,
}

impl WebhookDeliverer {
    /// Starts to deliver the events of the endpoints in `catalog`.
    ///
    /// # Errors
    /// The certificates of `settings` are invalid.
    pub fn start(
        store: Arc<dyn AdminStore>,
        catalog: CurrentCatalog,
        settings: &settings::Webhooks,
        metrics: &WebhookMetrics,
    ) -> Result<Self, String> {
        let shared = Shared {
            store,
            catalog,
            context: Arc::new(DeliveryContext {
                client: WebhookClient::new(settings)?,
                metrics: metrics.clone(),
            }),
            concurrency: settings.concurrency,
        };
        let (stop, stopped) = watch::channel(false);
        let start = move || Endpoints::new(shared.clone()).run(stopped.clone());
        let task = tokio::spawn(restart_after_panic("webhook deliverer", start));
        Ok(Self { stop, task })
    }

    /// Stops to claim events, and waits at most `max_wait` for the requests in flight. The events of later ones are
    /// delivered again when their lease ends.
    pub async fn shut_down(self, max_wait: Duration) {
        let Self { stop, mut task } = self;
        // It fails if the task has ended.
        stop.send(true).ok();
        if timeout(max_wait, &mut task).await.is_err() {
            warn!("webhook deliveries interrupted by the shutdown");
            // It ends the tasks of all endpoints, too.
            task.abort();
        }
    }
}

impl Endpoints {
    fn new(shared: Shared) -> Self {
        Self {
            shared,
            running: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut version = self.shared.catalog.subscribe_version();
        let store = Arc::clone(&self.shared.store);
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.follow_catalog();
        loop {
            tokio::select! {
                // It fails if the deliverer is dropped.
                _ = stopped.wait_for(|is_stopped| *is_stopped) => break,
                // The sender exists as long as the catalog.
                _ = version.changed() => self.follow_catalog(),
                endpoint = store.next_webhook_signal() => self.wake(&endpoint),
                _ = poll.tick() => self.wake_all(),
                Some(ended) = self.tasks.join_next() => log_panic(ended.err()),
            }
        }
        self.stop_all().await;
    }

    fn wake(&self, endpoint: &WebhookEndpoint) {
        if let Some(endpoint) = self.running.get(endpoint) {
            endpoint.control.wake();
        }
    }

    /// Wakes all tasks. A task that has ended because of a bug is started again.
    fn wake_all(&mut self) {
        let mut running = self.running.values();
        if running.any(|endpoint| endpoint.task.is_finished()) {
            self.follow_catalog();
        }
        for endpoint in self.running.values() {
            endpoint.control.wake();
        }
    }

    /// Starts the tasks of new endpoints, updates the others, and ends those that are not in the catalog any more.
    fn follow_catalog(&mut self) {
        let webhooks = self.shared.catalog.load().webhooks();
        let removed = self
            .running
            .extract_if(|endpoint, _| !webhooks.contains_key(endpoint));
        removed.for_each(|(_, endpoint)| endpoint.control.stop());
        for (endpoint, config) in webhooks {
            match self.running.get(&endpoint) {
                Some(running) if !running.task.is_finished() => {
                    running.control.config.store(config);
                }
                _ => {
                    let control = Arc::new(EndpointControl::new(config));
                    let task = self.start_task(endpoint.clone(), &control);
                    self.running
                        .insert(endpoint, RunningEndpoint { control, task });
                }
            }
        }
    }

    fn start_task(
        &mut self,
        endpoint: WebhookEndpoint,
        control: &Arc<EndpointControl>,
    ) -> AbortHandle {
        let task = EndpointTask {
            endpoint,
            control: Arc::clone(control),
            context: Arc::clone(&self.shared.context),
            store: Arc::clone(&self.shared.store),
            concurrency: self.shared.concurrency,
        };
        self.tasks.spawn(async move { task.run().await })
    }

    async fn stop_all(mut self) {
        for endpoint in self.running.values() {
            endpoint.control.stop();
        }
        while let Some(ended) = self.tasks.join_next().await {
            log_panic(ended.err());
        }
    }
}

fn log_panic(error: Option<JoinError>) {
    if let Some(error) = error {
        error!(%error, "task of a webhook panicked");
    }
}
