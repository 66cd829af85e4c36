//! Webhooks of replicas that are killed or stopped within a delivery.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Client;
use tokio::time::sleep;

use crate::{
    api::webhooks::fixture::{LOCAL_RECEIVERS, SECRET, verify},
    support::{
        CatalogFile, TestRedis, TestResponse,
        backends::{Backend, MockResponse},
        eventually,
        program::Program,
        random_prefix,
    },
};

/// Longer than the lease of a killed replica.
const LEASE_TIMEOUT: Duration = Duration::from_secs(60);

/// Replicas in processes of their own that send the events of `shop` to a receiver.
struct Deployment {
    receiver: Backend,
    catalog: CatalogFile,
    prefix: String,
    redis: Arc<TestRedis>,
}

impl Deployment {
    async fn new(response: MockResponse) -> Self {
        let receiver = Backend::new(move |_| response.clone()).await;
        let url = receiver.url();
        let catalog = format!(
            "[services.shop]\n_type = 'builtin'\n_service = 'store'\n_webhook_url = '{url}'\n\
             _webhook_secret = '{SECRET}'\n_webhook_events = 'service.created'\n"
        );
        Self {
            receiver,
            catalog: CatalogFile::new(&catalog),
            prefix: random_prefix(),
            redis: TestRedis::shared(),
        }
    }

    fn start_replica(&self) -> Program {
        let redis = self.redis.settings();
        let mut settings = vec![
            ("redis.prefix", self.prefix.as_str()),
            ("catalog.file", self.catalog.path()),
            ("server.drain_seconds", "0"),
        ];
        settings.extend(redis.iter().map(|(name, value)| (*name, value.as_str())));
        settings.extend_from_slice(&LOCAL_RECEIVERS);
        Program::serve(&settings)
    }

    /// The ids of the events of all requests to the receiver.
    fn received_ids(&self) -> Vec<String> {
        let requests = self.receiver.received_requests();
        let ids = requests
            .iter()
            .map(|request| verify(request, SECRET)["id"].clone());
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    }
}

async fn create_service(replica: &mut Program) {
    let url = format!("http://{}/genesys/1/service/shop", replica.address().await);
    TestResponse::send(Client::new().post(url))
        .await
        .service_id();
}

#[tokio::test]
async fn an_event_is_delivered_after_its_replica_was_killed() {
    let deployment = Deployment::new(MockResponse::Hang).await;
    let mut first = deployment.start_replica();
    create_service(&mut first).await;
    eventually("the receiver has a request", async || {
        deployment.received_ids().pop()
    })
    .await;
    // Kills the process.
    drop(first);
    deployment
        .receiver
        .set_responder(|_| MockResponse::ok("{}"));
    let second = deployment.start_replica();
    let deadline = Instant::now() + LEASE_TIMEOUT;
    while deployment.received_ids().len() < 2 {
        assert!(
            Instant::now() < deadline,
            "the event is not delivered again"
        );
        sleep(Duration::from_millis(100)).await;
    }
    let ids = deployment.received_ids();
    assert_eq!(ids[0], ids[1]);
    drop(second);
}

#[tokio::test]
async fn a_replica_finishes_its_deliveries_before_it_exits() {
    let response = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned();
    let delay = Duration::from_secs(2);
    let deployment = Deployment::new(MockResponse::Delayed(delay, response)).await;
    let mut first = deployment.start_replica();
    create_service(&mut first).await;
    eventually("the receiver has a request", async || {
        deployment.received_ids().pop()
    })
    .await;
    first.signal("TERM");
    assert_eq!(first.wait().await.code, Some(0));
    // The event was recorded as delivered: another replica delivers only the next one.
    let mut second = deployment.start_replica();
    create_service(&mut second).await;
    let ids = eventually("the next event is delivered", async || {
        Some(deployment.received_ids()).filter(|ids| ids.len() > 1)
    })
    .await;
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}
