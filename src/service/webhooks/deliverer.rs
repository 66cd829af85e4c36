//! The deliverer of a process: starts and ends the tasks of endpoints as the catalog changes, and wakes them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::warn;

use super::{
    client::WebhookClient,
    endpoint_task::{EndpointControl, EndpointTask},
    queue_delivery::DeliveryContext,
};
use crate::{
    model::webhook::WebhookEndpoint, service::CurrentCatalog, settings, store::AdminStore,
    telemetry::metrics::WebhookMetrics,
};

/// The interval at which all endpoints are polled for due events. Events of this process wake their endpoint at once.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The running deliverer.
pub struct WebhookDeliverer {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// The task of an endpoint.
struct RunningEndpoint {
    control: Arc<EndpointControl>,
    task: JoinHandle<()>,
}

/// The state of the deliverer.
struct Endpoints {
    store: Arc<dyn AdminStore>,
    catalog: CurrentCatalog,
    context: Arc<DeliveryContext>,
    concurrency: usize,
    running: HashMap<WebhookEndpoint, RunningEndpoint>,
    /// Tasks of endpoints that are not in the catalog any more, until their last request ends.
    ending: Vec<JoinHandle<()>>,
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
        let endpoints = Endpoints {
            store,
            catalog,
            context: Arc::new(DeliveryContext {
                client: WebhookClient::new(settings)?,
                metrics: metrics.clone(),
            }),
            concurrency: settings.concurrency,
            running: HashMap::new(),
            ending: Vec::new(),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(endpoints.run(stopped));
        Ok(Self { stop, task })
    }

    /// Stops to claim events, and waits at most `max_wait` for the requests in flight. The events of later ones are
    /// delivered again when their lease ends.
    pub async fn shut_down(self, max_wait: Duration) {
        let Self { stop, mut task } = self;
        // It fails if the task has ended.
        stop.send(()).ok();
        if timeout(max_wait, &mut task).await.is_err() {
            warn!("webhook deliveries interrupted by the shutdown");
            task.abort();
        }
    }
}

impl Endpoints {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut version = self.catalog.subscribe_version();
        let store = Arc::clone(&self.store);
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.follow_catalog();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                // The sender exists as long as the catalog.
                _ = version.changed() => self.follow_catalog(),
                endpoint = store.next_webhook_signal() => self.wake(&endpoint),
                _ = poll.tick() => self.wake_all(),
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
        if self
            .running
            .values()
            .any(|endpoint| endpoint.task.is_finished())
        {
            self.follow_catalog();
        }
        for endpoint in self.running.values() {
            endpoint.control.wake();
        }
    }

    /// Starts the tasks of new endpoints, updates the others, and ends those that are not in the catalog any more.
    fn follow_catalog(&mut self) {
        let webhooks = self.catalog.load().webhooks();
        let removed = self
            .running
            .extract_if(|endpoint, _| !webhooks.contains_key(endpoint));
        let ending = removed.map(|(_, endpoint)| {
            endpoint.control.stop();
            endpoint.task
        });
        self.ending.extend(ending);
        self.ending.retain(|task| !task.is_finished());
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
        &self,
        endpoint: WebhookEndpoint,
        control: &Arc<EndpointControl>,
    ) -> JoinHandle<()> {
        let task = EndpointTask {
            endpoint,
            control: Arc::clone(control),
            context: Arc::clone(&self.context),
            store: Arc::clone(&self.store),
            concurrency: self.concurrency,
        };
        tokio::spawn(async move { task.run().await })
    }

    async fn stop_all(self) {
        for endpoint in self.running.values() {
            endpoint.control.stop();
        }
        let running = self.running.into_values().map(|endpoint| endpoint.task);
        for task in running.chain(self.ending) {
            // A panic was logged.
            drop(task.await);
        }
    }
}
