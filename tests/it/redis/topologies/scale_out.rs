//! A server joins a Cluster and takes over a slot: it serves the slot, and its notifications are
//! subscribed.

use std::sync::Arc;

use redis::{Value, cmd, from_redis_value};

use super::resharding::{ClusterNode, cluster_nodes, command, move_slot, take_slot_owner};
use crate::support::{
    RedisKind, TestApp, TestRedis,
    bookings::{book_number, delete_service, eventually},
    dedicated_redis::DedicatedRedis,
    ports::free_port,
    random_prefix,
};

/// Waits until all members know the others and the Cluster is complete.
async fn wait_until_gossip_converges(members: &mut [ClusterNode], count: usize) {
    let known = format!("cluster_known_nodes:{count}\r\n");
    for member in members {
        eventually("a member knows all others", async || {
            let info = command(member, &["CLUSTER", "INFO"]).await.unwrap();
            let info: String = from_redis_value(info).unwrap();
            (info.contains(&known) && info.contains("cluster_state:ok")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn joined_cluster_server_is_used_and_subscribed() {
    let redis = Arc::new(TestRedis::dedicated_kind(RedisKind::Cluster));
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &[]).await;
    let booked = book_number(&app, "_provide_code=true&_ttl=1800").await;
    let mut members = cluster_nodes(&redis).await;

    // The cluster bus port must be set explicitly: the default may be invalid.
    let bus = free_port().to_string();
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
    eventually("notifications are subscribed", async || {
        let reply = command(&mut joined, &numsub).await.unwrap();
        let (_, subscribers): (String, usize) = from_redis_value(reply).unwrap();
        (subscribers > 0).then_some(())
    })
    .await;
    let flags = ["CONFIG", "GET", "notify-keyspace-events"];
    // A replica subscribes before it enables the notifications.
    eventually("notifications are enabled", async || {
        let reply = command(&mut joined, &flags).await.unwrap();
        let (_, flags): (String, String) = from_redis_value(reply).unwrap();
        (!flags.is_empty()).then_some(())
    })
    .await;

    assert_eq!(
        app.get_service(&booked.service_path()).await["_id"],
        booked.id
    );
    delete_service(&app, &booked).await;
    let remaining = cmd("KEYS").arg(format!("*{}*", booked.id)).to_owned();
    eventually("its resources are released", async || {
        let remaining: Value = remaining.query_async(&mut joined.connection).await.unwrap();
        let remaining: Vec<String> = from_redis_value(remaining).unwrap();
        remaining.is_empty().then_some(())
    })
    .await;
}
