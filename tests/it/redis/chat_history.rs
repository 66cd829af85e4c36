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

use futures_util::future::join_all;
use reqwest::Client;
use switchboard::{
    model::{
        ServiceId,
        chat::{AgentJoin, ChatAction, ChatOutcome, ChatReply, ChatWindow, Party},
    },
    store::{ChatStore, redis::RedisStore},
    telemetry::metrics::RedisMetrics,
};
use tokio::time::sleep;

use self::{
    history::History,
    listeners::{EventListener, Listener, PollingListener},
};
use crate::support::{
    Bodies, TestRedis, TestResponse, program::Program, proxy::Proxy, random_prefix, settings,
};

mod history;
mod listeners;

/// The number of replicas.
const REPLICAS: usize = 3;
/// The minimum number of replicas that are killed.
const MIN_KILLS: usize = 4;
/// The pause of a writer after a message that was acknowledged, and after another one.
const PAUSE: Duration = Duration::from_millis(15);
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(150);

/// Settings of the replicas and of the store of the agents.
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

/// The replicas, each behind a proxy with a fixed address.
struct Deployment {
    redis: TestRedis,
    prefix: String,
    proxies: Vec<Proxy>,
    store: RedisStore,
}

impl Deployment {
    async fn start() -> (Self, Vec<Program>) {
        let (redis, prefix) = (TestRedis::sentinels_with_replicas().await, random_prefix());
        let mut all = redis.settings();
        all.push(("redis.prefix", prefix.clone()));
        all.extend(SETTINGS.map(|(name, value)| (name, value.to_owned())));
        let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let redis_settings = settings(&all).redis;
        let metrics = RedisMetrics::default();
        let store = RedisStore::open(&redis_settings, 1_000, &metrics);
        let deployment = Self {
            store: store.await.unwrap(),
            proxies: (0..REPLICAS).map(|_| Proxy::new("127.0.0.1:1")).collect(),
            redis,
            prefix,
        };
        let mut replicas = Vec::new();
        for proxy in &deployment.proxies {
            replicas.push(deployment.start_replica(proxy).await);
        }
        (deployment, replicas)
    }

    /// Starts a replica behind a proxy.
    async fn start_replica(&self, proxy: &Proxy) -> Program {
        let mut all = self.redis.settings();
        all.push(("redis.prefix", self.prefix.clone()));
        let mut all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (*n, v.as_str())).collect();
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
            sleep(Duration::from_millis(1_200)).await;
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

/// A writer of a chat, at alternating replicas.
struct Writer {
    client: Client,
    addresses: Vec<SocketAddr>,
    chat: String,
}

impl Writer {
    /// Sends a request of the client; returns whether it was acknowledged.
    async fn post(&self, attempt: usize, path: &str, form: &str) -> bool {
        let address = self.addresses[attempt % self.addresses.len()];
        let url = format!("http://{address}{}{path}", self.chat);
        let request = self.client.post(url).form_body(form);
        match request.send().await {
            Ok(response) => TestResponse::from_response(response).await.status == 200,
            Err(_) => false,
        }
    }
}

/// Performs an action of an agent; returns whether it was acknowledged.
async fn act(store: &RedisStore, id: &ServiceId, action: &ChatAction) -> bool {
    let window = ChatWindow::After(u64::MAX);
    match store.update_chat(id, action, window).await {
        Ok(ChatReply::Chat(ChatOutcome::Done | ChatOutcome::Ended, _)) => true,
        Ok(reply) => panic!("{reply:?}"),
        Err(_) => false,
    }
}

async fn act_until_done(store: &RedisStore, id: &ServiceId, action: &ChatAction) {
    while !act(store, id, action).await {
        sleep(Duration::from_millis(50)).await;
    }
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

/// Runs one chat with two writers and these listeners; returns the number of acknowledged messages.
async fn run_chat(
    deployment: &Deployment,
    n: usize,
    messages: usize,
    progress: &Progress,
) -> usize {
    let writer = Writer {
        client: Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap(),
        addresses: deployment.addresses(),
        chat: create_chat(&deployment.addresses(), n).await,
    };
    let id = ServiceId::from(writer.chat.split('/').nth(4).unwrap().to_owned());
    let (store, agent) = (&deployment.store, "bob".to_owned());
    let join = ChatAction::Join(AgentJoin {
        agent: agent.clone(),
        nickname: "Bob".to_owned(),
        party: Party::Agent,
        exclusive: false,
        transfer: false,
    });
    act_until_done(store, &id, &join).await;
    let listeners: Vec<Box<dyn Listener>> = vec![
        Box::new(PollingListener),
        Box::new(EventListener),
        Box::new(EventListener),
    ];
    let listening = listeners
        .iter()
        .enumerate()
        .map(|(start, listener)| listener.listen(deployment.addresses(), n + start, &writer.chat));
    let write = async {
        let client = write(messages, progress, async |m, text| {
            writer
                .post(n + m, "/send", &format!("message=c{text}"))
                .await
        });
        let agent_messages = write(messages, progress, async |_, text| {
            let action = ChatAction::AgentMessage(agent.clone(), format!("a{text}"));
            act(store, &id, &action).await
        });
        let acknowledged = futures_util::future::join(client, agent_messages).await;
        act_until_done(store, &id, &ChatAction::AgentEnd(agent.clone())).await;
        acknowledged
    };
    let ((client, agent), seen) = futures_util::future::join(write, join_all(listening)).await;
    let history = History {
        acknowledged: [with_prefix("c", &client), with_prefix("a", &agent)],
        transcript: PollingListener
            .listen(deployment.addresses(), n, &writer.chat)
            .await,
        seen,
    };
    history.check();
    history.acknowledged.iter().map(Vec::len).sum()
}

/// Creates a service and starts its chat; returns the path of the chat.
async fn create_chat(addresses: &[SocketAddr], n: usize) -> String {
    let client = Client::new();
    for attempt in n.. {
        let address = addresses[attempt % addresses.len()];
        let url = format!("http://{address}/genesys/1/service/request-chat");
        let Ok(created) = client.post(url).send().await else {
            continue;
        };
        let created = TestResponse::from_response(created).await;
        if created.status != 200 {
            continue;
        }
        let chat = format!("{}/ixn/chat", created.service_id());
        let url = format!("http://{address}{chat}");
        let start = client.post(url).form_body("firstName=Ann").send().await;
        if start.is_ok_and(|response| response.status() == 200) {
            return chat;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn acknowledged_messages_arrive_once_in_one_order_through_crashes() {
    let chats = size_from("CHAT_HISTORY_CHATS", 5);
    let events = size_from("CHAT_HISTORY_EVENTS", 1_000);
    let (deployment, replicas) = Deployment::start().await;
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
    let (kills, acknowledged) = futures_util::future::join(failures, chats).await;
    println!(
        "{} acknowledged messages in {} chats, {kills} killed replicas, one failover: {:.1?}",
        acknowledged.iter().sum::<usize>(),
        acknowledged.len(),
        started.elapsed()
    );
    assert!(kills >= MIN_KILLS);
}
