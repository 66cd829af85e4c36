//! Chats through crashes: every acknowledged message arrives at every listener once, in one order, while replicas are
//! killed and Redis fails over.
//!
//! `CHAT_HISTORY_CHATS` and `CHAT_HISTORY_EVENTS` set the size of a longer run.

use std::{
    env,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use reqwest::{Client, RequestBuilder};
use tokio::time::sleep;

use self::{
    history::History,
    listeners::{AgentListener, CometListener, EventListener, Listener, PollingListener},
};
use crate::support::{
    Bodies, TestRedis, TestResponse, program::Program, proxy::Proxy, random_prefix,
};

mod history;
mod listeners;

/// The number of replicas.
const REPLICAS: usize = 3;
/// The minimum number of replicas that are killed.
const MIN_KILLS: usize = 4;
/// The pause between two kills, for each 20 chats: their listeners have to connect again.
const PAUSE_BETWEEN_KILLS: Duration = Duration::from_millis(1_200);
/// The pause of a writer after a message that was acknowledged, and after another one.
const PAUSE: Duration = Duration::from_millis(15);
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(150);

/// Settings of the replicas.
const SETTINGS: [(&str, &str); 5] = [
    ("redis.wait_replicas", "1"),
    ("redis.wait_timeout_ms", "1000"),
    ("redis.connect_timeout_ms", "1000"),
    ("redis.response_timeout_ms", "2000"),
    ("limits.watchers", "100000"),
];

#[expect(clippy::disallowed_methods, reason = "the size of a longer run")]
fn size_from(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// The API key of the agent of chat `n`.
fn agent_key(n: usize) -> String {
    format!("key-of-an-agent-{n}")
}

/// The replicas, each behind a proxy with a fixed address.
struct Deployment {
    redis: TestRedis,
    /// Settings that differ between runs.
    settings: Vec<(&'static str, String)>,
    proxies: Vec<Proxy>,
    pause_between_kills: Duration,
}

impl Deployment {
    /// Starts replicas, with an agent for each chat.
    async fn start(chats: usize) -> (Self, Vec<Program>) {
        let redis = TestRedis::sentinels_with_replicas().await;
        let agents: Vec<String> = (0..chats)
            .map(|n| format!("agent{n}:{}", agent_key(n)))
            .collect();
        let mut settings = redis.settings();
        settings.push(("redis.prefix", random_prefix()));
        settings.push(("agents.api_keys", agents.join("\n")));
        let deployment = Self {
            proxies: (0..REPLICAS).map(|_| Proxy::new("127.0.0.1:1")).collect(),
            redis,
            settings,
            pause_between_kills: PAUSE_BETWEEN_KILLS * u32::try_from(1 + chats / 20).unwrap(),
        };
        let mut replicas = Vec::new();
        for proxy in &deployment.proxies {
            replicas.push(deployment.start_replica(proxy).await);
        }
        (deployment, replicas)
    }

    /// Starts a replica behind a proxy.
    async fn start_replica(&self, proxy: &Proxy) -> Program {
        let own = self.settings.iter();
        let mut all: Vec<(&str, &str)> = own.map(|(n, v)| (*n, v.as_str())).collect();
        all.extend(SETTINGS);
        let mut replica = Program::serve(&all);
        proxy.set_target(&replica.address().await.to_string());
        replica
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.proxies.iter().map(|proxy| proxy.address).collect()
    }

    /// Kills and restarts one replica after the other until all is written; in between kills the primary.
    async fn cause_failures(&self, mut replicas: Vec<Program>, progress: &Progress) -> usize {
        let mut kills = 0;
        while !progress.is_written.load(Relaxed) {
            sleep(self.pause_between_kills).await;
            let victim = kills % REPLICAS;
            drop(replicas.remove(victim));
            sleep(Duration::from_millis(300)).await;
            let replica = self.start_replica(&self.proxies[victim]).await;
            replicas.insert(victim, replica);
            kills += 1;
            if kills == 2 {
                let primary = self.redis.addresses()[0].to_string();
                let port = primary.rsplit(':').next().unwrap().parse().unwrap();
                self.redis.kill(port);
            }
            progress.has_failures.store(kills >= MIN_KILLS, Relaxed);
        }
        kills
    }
}

/// The progress of both sides of the test, each of which waits for the other.
#[derive(Default)]
struct Progress {
    /// Whether there were enough failures.
    has_failures: AtomicBool,
    /// Whether all chats have ended.
    is_written: AtomicBool,
}

/// A party of a chat that sends requests to alternating replicas.
#[derive(Clone)]
struct Customer {
    client: Client,
    addresses: Vec<SocketAddr>,
    /// The path of the chat.
    chat: String,
}

/// The agent of a chat.
#[derive(Clone)]
struct Agent {
    client: Client,
    addresses: Vec<SocketAddr>,
    key: String,
    /// The id of the service.
    chat: String,
}

impl Customer {
    /// Sends a message; returns whether it was acknowledged.
    async fn send(&self, attempt: usize, text: &str) -> bool {
        let address = self.addresses[attempt % self.addresses.len()];
        let request = self
            .client
            .post(format!("http://{address}{}/send", self.chat));
        is_acknowledged(request.form_body(&format!("message={text}"))).await
    }
}

impl Agent {
    /// Sends a request; returns whether it was acknowledged.
    async fn post(&self, attempt: usize, what: &str, form: &str) -> bool {
        let (address, chat) = (self.addresses[attempt % self.addresses.len()], &self.chat);
        let url = format!("http://{address}/genesys/1/agent/chats/{chat}/{what}");
        let request = self.client.post(url).header("x-api-key", &self.key);
        is_acknowledged(request.form_body(form)).await
    }

    /// Sends a request until it is acknowledged.
    async fn perform(&self, what: &str, form: &str) {
        for attempt in 0.. {
            if self.post(attempt, what, form).await {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The complete response; `None` if the replica was killed.
async fn try_send(request: RequestBuilder) -> Option<TestResponse> {
    let response = request.send().await.ok()?;
    TestResponse::try_from_response(response).await.ok()
}

async fn is_acknowledged(request: RequestBuilder) -> bool {
    let Some(response) = try_send(request).await else {
        return false;
    };
    // The end of a chat is repeated if its response was lost.
    response.status == 200 || (response.status == 409 && response.text().contains("ChatEnded"))
}

/// Sends numbered messages until there are enough of them and of failures; returns those that were acknowledged.
async fn write(
    messages: usize,
    progress: &Progress,
    send: impl AsyncFn(usize, &str) -> bool,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for m in 0.. {
        if acknowledged.len() >= messages && progress.has_failures.load(Relaxed) {
            break;
        }
        let text = m.to_string();
        if send(m, &text).await {
            acknowledged.push(text);
            sleep(PAUSE).await;
        } else {
            sleep(PAUSE_AFTER_ERROR).await;
        }
    }
    acknowledged
}

fn with_prefix(prefix: &str, texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| format!("{prefix}{text}")).collect()
}

/// Runs one chat with two writers and listeners of all kinds; returns the number of acknowledged messages.
async fn run_chat(
    deployment: &Deployment,
    n: usize,
    messages: usize,
    progress: &Progress,
) -> usize {
    let client = Client::builder().timeout(Duration::from_secs(10));
    let (client, addresses) = (client.build().unwrap(), deployment.addresses());
    let user = format!("user{n}");
    let chat = create_chat(&addresses, n, &user).await;
    let agent = Agent {
        client: Client::new(),
        addresses: addresses.clone(),
        key: agent_key(n),
        chat: chat.split('/').nth(4).unwrap().to_owned(),
    };
    let customer = Customer {
        client,
        addresses: addresses.clone(),
        chat: chat.clone(),
    };
    agent.perform("join", "nickname=Bob").await;
    let listeners: Vec<Box<dyn Listener>> = vec![
        Box::new(PollingListener),
        Box::new(EventListener),
        Box::new(CometListener { user }),
        Box::new(AgentListener(agent.clone())),
    ];
    let listeners = listeners.iter().enumerate();
    let listening =
        listeners.map(|(start, listener)| listener.listen(addresses.clone(), n + start, &chat));
    let write = async {
        let by_customer = write(messages, progress, async |m, text| {
            customer.send(n + m, &format!("c{text}")).await
        });
        let by_agent = write(messages, progress, async |m, text| {
            agent.post(n + m, "send", &format!("message=a{text}")).await
        });
        let acknowledged = join(by_customer, by_agent).await;
        agent.perform("end", "").await;
        acknowledged
    };
    let ((by_customer, by_agent), seen) = join(write, join_all(listening)).await;
    let history = History {
        acknowledged: [with_prefix("c", &by_customer), with_prefix("a", &by_agent)],
        transcript: PollingListener.listen(addresses, n, &chat).await,
        seen,
    };
    history.check();
    history.acknowledged.iter().map(Vec::len).sum()
}

/// Creates a service and starts its chat; returns the path of the chat.
async fn create_chat(addresses: &[SocketAddr], n: usize, user: &str) -> String {
    let client = Client::new();
    for attempt in n.. {
        let address = addresses[attempt % addresses.len()];
        let url = format!("http://{address}/genesys/1/service/request-chat");
        let Some(created) = try_send(client.post(url)).await else {
            continue;
        };
        if created.status != 200 {
            continue;
        }
        let chat = format!("{}/ixn/chat", created.service_id());
        let url = format!("http://{address}{chat}");
        let start = client.post(url).header("gms_user", user);
        let start = start.form_body("firstName=Ann&notify_by=comet").send();
        if start.await.is_ok_and(|response| response.status() == 200) {
            return chat;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn acknowledged_messages_arrive_once_in_one_order_through_crashes() {
    let chats = size_from("CHAT_HISTORY_CHATS", 5);
    let events = size_from("CHAT_HISTORY_EVENTS", 1_000);
    let (deployment, replicas) = Deployment::start(chats).await;
    let progress = Progress::default();
    let started = Instant::now();
    let failures = deployment.cause_failures(replicas, &progress);
    let chats = async {
        let per_writer = events / chats / 2;
        let all = (0..chats).map(|n| run_chat(&deployment, n, per_writer, &progress));
        let acknowledged = join_all(all).await;
        progress.is_written.store(true, Relaxed);
        acknowledged
    };
    let (kills, acknowledged) = join(failures, chats).await;
    println!(
        "{} acknowledged messages in {} chats, {kills} killed replicas, one failover: {:.1?}",
        acknowledged.iter().sum::<usize>(),
        acknowledged.len(),
        started.elapsed()
    );
    assert!(kills >= MIN_KILLS);
}
