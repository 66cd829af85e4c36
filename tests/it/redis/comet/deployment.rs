//! Three replicas behind a load balancer, and a chat of their client.

use std::{net::SocketAddr, process::Command, sync::Arc};

use reqwest::{Client, StatusCode};

use crate::support::{
    Bodies, TestRedis, TestResponse, eventually, program::Program, random_prefix,
    round_robin::RoundRobin,
};

/// Replicas in processes of their own.
pub(super) struct Deployment {
    replicas: Vec<(Program, SocketAddr)>,
    balancer: RoundRobin,
    pub(super) user: String,
    client: Client,
    /// Keeps Redis running.
    _redis: Arc<TestRedis>,
}

impl Deployment {
    pub(super) async fn start() -> Self {
        let arguments = ["cometd", "cometd", "aiocometd"];
        let install = Command::new(".ci/clients/install").args(arguments).status();
        let installed = install.unwrap();
        assert!(
            installed.success(),
            "the clients of CometD are not installed"
        );
        let redis = TestRedis::shared();
        let prefix = random_prefix();
        let redis_settings = redis.settings();
        let mut settings = vec![
            ("redis.prefix", prefix.as_str()),
            // Each request can go to another replica.
            ("server.keep_alive_seconds", "0"),
            ("comet.timeout_seconds", "2"),
        ];
        settings.extend(
            redis_settings
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let mut replicas = Vec::new();
        for _ in 0..3 {
            let mut replica = Program::serve(&settings);
            let address = replica.address().await;
            replicas.push((replica, address));
        }
        let addresses = replicas.iter().map(|(_, address)| *address).collect();
        Self {
            balancer: RoundRobin::new(addresses).await,
            replicas,
            user: uuid::Uuid::new_v4().to_string(),
            client: Client::new(),
            _redis: redis,
        }
    }

    pub(super) fn comet_url(&self) -> String {
        format!("http://{}/genesys/cometd", self.balancer.address)
    }

    /// The number of connects that wait on a replica.
    async fn waiting(&self, address: SocketAddr) -> usize {
        let metrics = self.client.get(format!("http://{address}/metrics"));
        let text = TestResponse::send(metrics).await.text().to_owned();
        let name = "switchboard_comet_connects_waiting ";
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().parse().unwrap()
    }

    async fn waiting_replica(&self) -> Option<usize> {
        for (index, (_, address)) in self.replicas.iter().enumerate() {
            if self.waiting(*address).await > 0 {
                return Some(index);
            }
        }
        None
    }

    pub(super) async fn wait_until_waiting(&self) {
        eventually("a connect waits", async || self.waiting_replica().await).await;
    }

    /// Kills the replica on which a connect waits, like a machine failure.
    pub(super) async fn kill_waiting_replica(&mut self) {
        let waiting = async || self.waiting_replica().await;
        let index = eventually("a connect waits", waiting).await;
        drop(self.replicas.remove(index));
    }

    /// Sends a request of the client through the replica that is next after `turn`.
    async fn post(&self, turn: usize, path: &str, form: &str) -> TestResponse {
        let (_, address) = &self.replicas[turn % self.replicas.len()];
        let request = self.client.post(format!("http://{address}{path}"));
        let request = request.header("gms_user", &self.user).form_body(form);
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text());
        response
    }
}

/// A chat with pushes to the user of the deployment.
pub(super) struct Chat {
    path: String,
    turn: usize,
    /// The position of the last event.
    pub(super) position: u64,
}

impl Chat {
    pub(super) async fn start(deployment: &Deployment) -> Self {
        let created = deployment
            .post(0, "/genesys/1/service/request-chat", "")
            .await;
        let mut chat = Self {
            path: created.service_id(),
            turn: 0,
            position: 0,
        };
        chat.request(deployment, "", "notify_by=comet&firstName=Ann")
            .await;
        chat
    }

    pub(super) async fn send(&mut self, deployment: &Deployment) {
        let form = format!("message={}", self.turn);
        self.request(deployment, "/send", &form).await;
    }

    pub(super) async fn end(&mut self, deployment: &Deployment) {
        self.request(deployment, "/disconnect", "").await;
    }

    async fn request(&mut self, deployment: &Deployment, name: &str, form: &str) {
        self.turn += 1;
        let path = format!("{}/ixn/chat{name}", self.path);
        let form = format!("{form}&transcriptPosition=0");
        let response = deployment.post(self.turn, &path, &form).await;
        self.position = response.json()["transcriptPosition"].as_u64().unwrap();
    }
}
