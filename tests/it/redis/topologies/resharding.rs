//! A slot moves between servers of a Cluster while its service is written and read.

use std::{cell::Cell, sync::Arc, time::Duration};

use redis::{RedisResult, Value, aio::MultiplexedConnection, cmd, from_redis_value};
use tokio::time::sleep;

use crate::{
    api::webhooks::fixture::{LOCAL_RECEIVERS, SECRET, receiver, verify},
    support::{
        Bodies, CatalogFile, RedisKind, TestApp, TestRedis, TestResponse,
        chat::{messages, request_chat, start_chat},
        eventually, random_prefix,
    },
};

/// A server of the Cluster: its connection, its id and its port.
pub(super) struct ClusterNode {
    pub(super) connection: MultiplexedConnection,
    id: String,
    port: u16,
}

impl ClusterNode {
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) async fn connect(port: u16, mut connection: MultiplexedConnection) -> Self {
        let my_id = cmd("CLUSTER").arg("MYID").to_owned();
        let id = my_id.query_async(&mut connection).await.unwrap();
        Self {
            connection,
            id,
            port,
        }
    }
}

pub(super) async fn cluster_nodes(redis: &TestRedis) -> Vec<ClusterNode> {
    let mut members = Vec::new();
    for address in redis.addresses() {
        let connection = redis.connection_to(&address).await;
        let port = address.to_string().rsplit_once(':').unwrap().1.parse();
        members.push(ClusterNode::connect(port.unwrap(), connection).await);
    }
    members
}

/// Removes the member with `key` from `members`, and returns its slot and the member.
pub(super) async fn take_slot_owner(
    members: &mut Vec<ClusterNode>,
    key: &str,
) -> (String, ClusterNode) {
    let slot = command(&mut members[0], &["CLUSTER", "KEYSLOT", key]).await;
    let slot: u64 = from_redis_value(slot.unwrap()).unwrap();
    let mut owner = 0;
    for (position, member) in members.iter_mut().enumerate() {
        if command(member, &["EXISTS", key]).await.is_ok() {
            owner = position;
        }
    }
    (slot.to_string(), members.remove(owner))
}

pub(super) async fn command(member: &mut ClusterNode, words: &[&str]) -> RedisResult<Value> {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut member.connection).await
}

/// Moves `slot` between members like the Redis tools, key by key.
pub(super) async fn move_slot(
    slot: &str,
    from: &mut ClusterNode,
    to: &mut ClusterNode,
    pause: impl AsyncFn(),
) {
    let setslot = ["CLUSTER", "SETSLOT", slot];
    let (from_id, to_id) = (from.id.clone(), to.id.clone());
    let importing = [&setslot[..], &["IMPORTING", &from_id]].concat();
    command(to, &importing).await.unwrap();
    let migrating = [&setslot[..], &["MIGRATING", &to_id]].concat();
    command(from, &migrating).await.unwrap();
    pause().await;
    loop {
        let keys = command(from, &["CLUSTER", "GETKEYSINSLOT", slot, "1"]).await;
        let keys: Vec<String> = from_redis_value(keys.unwrap()).unwrap();
        let Some(key) = keys.first() else { break };
        let port = to.port.to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, key, "0", "5000"];
        command(from, &migrate).await.unwrap();
        pause().await;
    }
    let owned = [&setslot[..], &["NODE", &to_id]].concat();
    command(to, &owned).await.unwrap();
    command(from, &owned).await.unwrap();
}

#[tokio::test]
async fn resharding_during_writes_is_transparent() {
    assert_writes_survive_resharding(&[]).await;
}

/// Redirections and `CLUSTER SLOTS` then have an empty host, which means that of the responding server.
#[tokio::test]
async fn resharding_with_unknown_endpoints_is_transparent() {
    assert_writes_survive_resharding(&[("cluster-preferred-endpoint-type", "unknown-endpoint")])
        .await;
}

/// The host is then `?`.
#[tokio::test]
async fn resharding_with_unset_host_names_is_transparent() {
    assert_writes_survive_resharding(&[("cluster-preferred-endpoint-type", "hostname")]).await;
}

#[tokio::test]
async fn resharding_with_host_names_is_transparent() {
    let names = [
        ("cluster-announce-hostname", "localhost"),
        ("cluster-preferred-endpoint-type", "hostname"),
    ];
    assert_writes_survive_resharding(&names).await;
}

/// Writes and reads during resharding, with these settings on all members.
async fn assert_writes_survive_resharding(settings: &[(&str, &str)]) {
    let redis = Arc::new(TestRedis::dedicated_kind(RedisKind::Cluster));
    for mut member in cluster_nodes(&redis).await {
        for (name, value) in settings {
            command(&mut member, &["CONFIG", "SET", name, value])
                .await
                .unwrap();
        }
    }
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &[]).await;
    let service = app.create("a=1").await;
    let id = service.rsplit('/').next().unwrap();
    let mut members = cluster_nodes(&redis).await;
    let key = format!("{}svc:{{{id}}}", app.prefix);
    let (slot, mut from) = take_slot_owner(&mut members, &key).await;
    let mut to = members.remove(0);

    let (stopped, written) = (Cell::new(false), Cell::new(0));
    let client = async {
        let mut stored = Vec::new();
        while !stopped.get() {
            let name = format!("key{}", stored.len());
            let write = app.post(&format!("{service}/storage"));
            let response = TestResponse::send(write.form_body(&format!("{name}={name}"))).await;
            response.assert_empty();
            let read = TestResponse::send(app.get(&format!("{service}/storage/{name}"))).await;
            assert_eq!(read.status, 200, "{}", read.text());
            stored.push(name);
            written.set(stored.len());
        }
        stored
    };
    let wait_for_writes = async || {
        let before = written.get();
        while written.get() < before + 10 {
            tokio::task::yield_now().await;
        }
    };
    let mover = async {
        for _ in 0..3 {
            wait_for_writes().await;
            move_slot(&slot, &mut from, &mut to, wait_for_writes).await;
            wait_for_writes().await;
            move_slot(&slot, &mut to, &mut from, wait_for_writes).await;
        }
        wait_for_writes().await;
        stopped.set(true);
    };
    let (stored, ()) = tokio::join!(client, mover);
    let storage = app.storage(&service).await;
    for name in &stored {
        assert_eq!(storage[name], *name.as_str());
    }
    assert_eq!(storage.as_object().unwrap().len(), stored.len() + 1);
}

/// The scripts of a chat have several keys, some of which do not exist: while the slot migrates, Redis refuses them, and the
/// caller repeats them until it has migrated.
#[tokio::test]
async fn a_chat_with_a_webhook_continues_while_its_slot_migrates() {
    let redis = Arc::new(TestRedis::dedicated_kind(RedisKind::Cluster));
    let receiver = receiver(200).await;
    let url = receiver.url();
    let catalog = CatalogFile::new(&format!(
        "[services.request-chat]\n_type = 'builtin'\n_service = 'request-chat'\n_webhook_url = '{url}'\n\
         _webhook_secret = '{SECRET}'\n_webhook_events = 'chat.message'\n"
    ));
    let settings = [&[("catalog.file", catalog.path())], &LOCAL_RECEIVERS[..]].concat();
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &settings).await;
    let service = start_chat(&app, "").await;
    let id = service.rsplit('/').next().unwrap();
    let mut members = cluster_nodes(&redis).await;
    let key = format!("{}svc:{{{id}}}", app.prefix);
    let (slot, mut from) = take_slot_owner(&mut members, &key).await;
    let mut to = members.remove(0);

    let (stopped, sent) = (Cell::new(false), Cell::new(0));
    let client = async {
        while !stopped.get() {
            let form = format!(
                "message={}&transcriptPosition={}",
                sent.get(),
                sent.get() + 1
            );
            let chat = request_chat(&app, &service, "send", &form).await;
            assert_eq!(messages(&chat), [sent.get().to_string()]);
            sent.set(sent.get() + 1);
            sleep(Duration::from_millis(10)).await;
        }
    };
    let wait_for_messages = async || {
        let before = sent.get();
        while sent.get() < before + 10 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let pause = async || sleep(Duration::from_millis(100)).await;
    let mover = async {
        for _ in 0..2 {
            wait_for_messages().await;
            move_slot(&slot, &mut from, &mut to, pause).await;
            wait_for_messages().await;
            move_slot(&slot, &mut to, &mut from, pause).await;
        }
        wait_for_messages().await;
        stopped.set(true);
    };
    tokio::join!(client, mover);
    let transcript = request_chat(&app, &service, "refresh", "transcriptPosition=1").await;
    let expected: Vec<String> = (0..sent.get()).map(|n| n.to_string()).collect();
    assert_eq!(messages(&transcript), expected);
    let positions = eventually("the events are delivered", async || {
        let requests = receiver.received_requests();
        let position = |request| {
            verify(request, SECRET)["data"]["position"]
                .as_u64()
                .unwrap()
        };
        let mut positions: Vec<u64> = requests.iter().map(position).collect();
        positions.dedup();
        (positions.len() >= expected.len()).then_some(positions)
    })
    .await;
    let expected: Vec<u64> = (2..expected.len() as u64 + 2).collect();
    assert_eq!(positions, expected);
}
