//! A server joins a Cluster and takes over a slot: it is asked for what it has, and listened to.

use std::{net::TcpListener, sync::Arc};

use redis::{Value, cmd, from_redis_value};

use super::resharding::{ClusterNode, cluster_nodes, command, move_slot, take_slot_owner};
use crate::support::{
    RedisKind, TestApp, TestRedis,
    bookings::{book_number, delete_service, eventually},
    dedicated_redis::DedicatedRedis,
    random_prefix,
};

/// Waits until all members, and the new one, know that the Cluster is whole.
async fn wait_until_gossip_converges(members: &mut [ClusterNode], count: usize) {
    let known = format!("cluster_known_nodes:{count}\r\n");
    for member in members {
        eventually("it knows all members", async || {
            let told = command(member, &["CLUSTER", "INFO"]).await.unwrap();
            let told: String = from_redis_value(told).unwrap();
            (told.contains(&known) && told.contains("cluster_state:ok")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_joins_a_cluster_is_asked_and_listened_to() {
    let redis = Arc::new(TestRedis::dedicated_kind(RedisKind::Cluster));
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &[]).await;
    let booked = book_number(&app, "_provide_code=true&_ttl=1800").await;
    let mut members = cluster_nodes(&redis).await;

    // Its port for the other members has to be named: by default it may be none that there is.
    let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let bus = bus.unwrap().port().to_string();
    let options = [("cluster-enabled", "yes"), ("cluster-port", bus.as_str())];
    let new = DedicatedRedis::start(&options).await;
    let mut joined = ClusterNode::connect(new.port(), new.connection().await.unwrap()).await;
    let port = new.port().to_string();
    let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
    command(&mut members[0], &meet).await.unwrap();
    wait_until_gossip_converges(&mut members, 4).await;
    wait_until_gossip_converges(std::slice::from_mut(&mut joined), 4).await;

    let key = format!("{}svc:{{{}}}", app.prefix, booked.id);
    let (slot, mut from) = take_slot_owner(&mut members, &key).await;
    move_slot(&slot, &mut from, &mut joined, async || {}).await;
    let numsub = ["PUBSUB", "NUMSUB", "__keyevent@0__:expired"];
    eventually("it is listened to", async || {
        let told = command(&mut joined, &numsub).await.unwrap();
        let (_, listening): (String, usize) = from_redis_value(told).unwrap();
        (listening > 0).then_some(())
    })
    .await;
    let flags = ["CONFIG", "GET", "notify-keyspace-events"];
    let told = command(&mut joined, &flags).await.unwrap();
    let (_, flags): (String, String) = from_redis_value(told).unwrap();
    assert!(!flags.is_empty());

    assert_eq!(
        app.get_service(&booked.service_path()).await["_id"],
        booked.id
    );
    delete_service(&app, &booked).await;
    let left = cmd("KEYS").arg(format!("*{}*", booked.id)).to_owned();
    eventually("what it held is given back", async || {
        let left: Value = left.query_async(&mut joined.connection).await.unwrap();
        let left: Vec<String> = from_redis_value(left).unwrap();
        left.is_empty().then_some(())
    })
    .await;
}
