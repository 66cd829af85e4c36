//! A slot moves from one server of a Cluster to another while its service is written to and read.

use std::{cell::Cell, sync::Arc};

use redis::{RedisResult, Value, aio::MultiplexedConnection, cmd, from_redis_value};

use crate::support::{Answer, Bodies, Kind, TestApp, TestRedis, random_prefix};

/// A server of the Cluster: its connection, its id and where it listens.
pub(super) struct Member {
    pub(super) connection: MultiplexedConnection,
    id: String,
    port: u16,
}

impl Member {
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) async fn at(port: u16, mut connection: MultiplexedConnection) -> Self {
        let my_id = cmd("CLUSTER").arg("MYID").to_owned();
        let id = my_id.query_async(&mut connection).await.unwrap();
        Self {
            connection,
            id,
            port,
        }
    }
}

pub(super) async fn members(redis: &TestRedis) -> Vec<Member> {
    let mut members = Vec::new();
    for address in redis.addresses() {
        let connection = redis.connection_to(&address).await;
        let port = address.to_string().rsplit_once(':').unwrap().1.parse();
        members.push(Member::at(port.unwrap(), connection).await);
    }
    members
}

/// Takes the member out of `members` that has `key`; gives its slot too.
pub(super) async fn take_owner(members: &mut Vec<Member>, key: &str) -> (String, Member) {
    let slot = ask(&mut members[0], &["CLUSTER", "KEYSLOT", key]).await;
    let slot: u64 = from_redis_value(slot.unwrap()).unwrap();
    let mut owner = 0;
    for (at, member) in members.iter_mut().enumerate() {
        if ask(member, &["EXISTS", key]).await.is_ok() {
            owner = at;
        }
    }
    (slot.to_string(), members.remove(owner))
}

pub(super) async fn ask(member: &mut Member, words: &[&str]) -> RedisResult<Value> {
    let mut ask = cmd(words[0]);
    ask.arg(&words[1..]);
    ask.query_async(&mut member.connection).await
}

/// Moves `slot` from one member to another as the tools of Redis do, key by key.
pub(super) async fn move_slot(
    slot: &str,
    from: &mut Member,
    to: &mut Member,
    pause: impl AsyncFn(),
) {
    let setslot = ["CLUSTER", "SETSLOT", slot];
    let (from_id, to_id) = (from.id.clone(), to.id.clone());
    let importing = [&setslot[..], &["IMPORTING", &from_id]].concat();
    ask(to, &importing).await.unwrap();
    let migrating = [&setslot[..], &["MIGRATING", &to_id]].concat();
    ask(from, &migrating).await.unwrap();
    pause().await;
    loop {
        let keys = ask(from, &["CLUSTER", "GETKEYSINSLOT", slot, "1"]).await;
        let keys: Vec<String> = from_redis_value(keys.unwrap()).unwrap();
        let Some(key) = keys.first() else { break };
        let port = to.port.to_string();
        let migrate = ["MIGRATE", "127.0.0.1", &port, key, "0", "5000"];
        ask(from, &migrate).await.unwrap();
        pause().await;
    }
    let owned = [&setslot[..], &["NODE", &to_id]].concat();
    ask(to, &owned).await.unwrap();
    ask(from, &owned).await.unwrap();
}

#[tokio::test]
async fn a_slot_moves_while_it_is_written_to_and_nobody_notices() {
    written_to_while_a_slot_moves(&[]).await;
}

/// Redirections and `CLUSTER SLOTS` have no host then: it is that of the server that was asked.
#[tokio::test]
async fn a_slot_moves_in_a_cluster_that_names_no_hosts() {
    written_to_while_a_slot_moves(&[("cluster-preferred-endpoint-type", "unknown-endpoint")]).await;
}

/// They have `?` as the host then.
#[tokio::test]
async fn a_slot_moves_in_a_cluster_whose_host_names_are_not_set() {
    written_to_while_a_slot_moves(&[("cluster-preferred-endpoint-type", "hostname")]).await;
}

#[tokio::test]
async fn a_slot_moves_in_a_cluster_that_goes_by_host_names() {
    let names = [
        ("cluster-announce-hostname", "localhost"),
        ("cluster-preferred-endpoint-type", "hostname"),
    ];
    written_to_while_a_slot_moves(&names).await;
}

/// All members have these settings.
async fn written_to_while_a_slot_moves(settings: &[(&str, &str)]) {
    let redis = Arc::new(TestRedis::own_of(Kind::Cluster));
    for mut member in members(&redis).await {
        for (name, value) in settings {
            ask(&mut member, &["CONFIG", "SET", name, value])
                .await
                .unwrap();
        }
    }
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &[]).await;
    let service = app.create("a=1").await;
    let id = service.rsplit('/').next().unwrap();
    let mut members = members(&redis).await;
    let key = format!("{}svc:{{{id}}}", app.prefix);
    let (slot, mut from) = take_owner(&mut members, &key).await;
    let mut to = members.remove(0);

    let (over, written) = (Cell::new(false), Cell::new(0));
    let client = async {
        let mut stored = Vec::new();
        while !over.get() {
            let name = format!("key{}", stored.len());
            let write = app.post(&format!("{service}/storage"));
            let answer = Answer::of(write.form_body(&format!("{name}={name}"))).await;
            answer.assert_empty();
            let read = Answer::of(app.get(&format!("{service}/storage/{name}"))).await;
            assert_eq!(read.status, 200, "{}", read.text());
            stored.push(name);
            written.set(stored.len());
        }
        stored
    };
    let some_more = async || {
        let before = written.get();
        while written.get() < before + 10 {
            tokio::task::yield_now().await;
        }
    };
    let mover = async {
        for _ in 0..3 {
            some_more().await;
            move_slot(&slot, &mut from, &mut to, some_more).await;
            some_more().await;
            move_slot(&slot, &mut to, &mut from, some_more).await;
        }
        some_more().await;
        over.set(true);
    };
    let (stored, ()) = tokio::join!(client, mover);
    let held = app.storage(&service).await;
    for name in &stored {
        assert_eq!(held[name], *name.as_str());
    }
    assert_eq!(held.as_object().unwrap().len(), stored.len() + 1);
}
