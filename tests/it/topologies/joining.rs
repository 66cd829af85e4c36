//! A server joins a Cluster and takes over a slot: it is asked for what it has, and listened to.

use std::{net::TcpListener, sync::Arc};

use redis::{Value, cmd, from_redis_value};

use super::moving::{Member, ask, members, move_slot, take_owner};
use crate::support::{
    Kind, TestApp, TestRedis,
    bookings::{book, end, eventually},
    own_server::OwnServer,
    random_prefix,
};

/// Waits until all members, and the new one, know that the Cluster is whole.
async fn all_know_of_each_other(members: &mut [Member], count: usize) {
    let known = format!("cluster_known_nodes:{count}\r\n");
    for member in members {
        eventually("it knows all members", async || {
            let told = ask(member, &["CLUSTER", "INFO"]).await.unwrap();
            let told: String = from_redis_value(told).unwrap();
            (told.contains(&known) && told.contains("cluster_state:ok")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_joins_a_cluster_is_asked_and_listened_to() {
    let redis = Arc::new(TestRedis::own_of(Kind::Cluster));
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &[]).await;
    let booked = book(&app, "_provide_code=true&_ttl=1800").await;
    let mut members = members(&redis).await;

    // Its port for the other members has to be named: by default it may be none that there is.
    let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let bus = bus.unwrap().port().to_string();
    let options = [("cluster-enabled", "yes"), ("cluster-port", bus.as_str())];
    let new = OwnServer::start(&options).await;
    let mut joined = Member::at(new.port(), new.client().await.unwrap()).await;
    let port = new.port().to_string();
    let meet = ["CLUSTER", "MEET", "127.0.0.1", &port, &bus];
    ask(&mut members[0], &meet).await.unwrap();
    all_know_of_each_other(&mut members, 4).await;
    all_know_of_each_other(std::slice::from_mut(&mut joined), 4).await;

    let key = format!("{}svc:{{{}}}", app.prefix, booked.id);
    let (slot, mut from) = take_owner(&mut members, &key).await;
    move_slot(&slot, &mut from, &mut joined, async || {}).await;
    let numsub = ["PUBSUB", "NUMSUB", "__keyevent@0__:expired"];
    eventually("it is listened to", async || {
        let told = ask(&mut joined, &numsub).await.unwrap();
        let (_, listening): (String, usize) = from_redis_value(told).unwrap();
        (listening > 0).then_some(())
    })
    .await;
    let flags = ["CONFIG", "GET", "notify-keyspace-events"];
    let told = ask(&mut joined, &flags).await.unwrap();
    let (_, flags): (String, String) = from_redis_value(told).unwrap();
    assert!(!flags.is_empty());

    assert_eq!(app.told(&booked.service()).await["_id"], booked.id);
    end(&app, &booked).await;
    let left = cmd("KEYS").arg(format!("*{}*", booked.id)).to_owned();
    eventually("what it held is given back", async || {
        let left: Value = left.query_async(&mut joined.connection).await.unwrap();
        let left: Vec<String> = from_redis_value(left).unwrap();
        left.is_empty().then_some(())
    })
    .await;
}
