//! Credentials that come and go with definitions.

use std::sync::Arc;

use serde_json::json;

use super::desk::{ON, administered, create, make, replace, replica_of, store};
use crate::support::{
    Answer, TestApp, TestRedis, eventually, on_every_kind_of_store,
    proxy::{Proxy, Way},
    random_prefix,
};

on_every_kind_of_store!(a_lock_counts_from_the_moment_that_it_is_there,);

async fn a_lock_counts_from_the_moment_that_it_is_there(app: TestApp) {
    let app = administered(&app).await;
    make(&app, "services/vault", &store()).await;
    let service = create(&app, "vault").await.service();
    let plain = app.create("a=1").await;
    let read = |service: &str| app.get(&format!("{service}/storage"));
    assert_eq!(Answer::of(read(&service)).await.status, 200);
    let mut locked = store();
    locked["password"] = json!("hunter2");
    replace(&app, "services/vault", &locked).await;
    Answer::of(read(&service))
        .await
        .message_of("Unauthorized", 401);
    create(&app, "vault").await.message_of("Unauthorized", 401);
    let opened = read(&service).basic_auth("any", Some("hunter2"));
    assert_eq!(Answer::of(opened).await.status, 200);
    assert_eq!(Answer::of(read(&plain)).await.status, 200);
    replace(&app, "services/vault", &store()).await;
    assert_eq!(Answer::of(read(&service)).await.status, 200);
}

#[tokio::test]
async fn a_lock_counts_on_replicas_without_an_administration() {
    let app = administered(&TestApp::on_redis().await).await;
    let other = app.replica().await;
    let mut locked = store();
    locked["password"] = json!("hunter2");
    make(&app, "services/vault", &locked).await;
    let create = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("hunter2"));
    let service = Answer::of(create).await.service();
    eventually("the other replica knows of the lock", async || {
        (Answer::of(other.get(&service)).await.status == 401).then_some(())
    })
    .await;
    // One that starts knows it before it lets anybody in.
    let fresh = replica_of(&app, &[]).await;
    Answer::of(fresh.get(&service))
        .await
        .message_of("Unauthorized", 401);
}

#[tokio::test]
async fn a_replica_that_does_not_know_yet_what_is_locked_lets_nobody_in() {
    let redis = Arc::new(TestRedis::own());
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &ON).await;
    let mut locked = store();
    locked["password"] = json!("hunter2");
    make(&app, "services/vault", &locked).await;
    let create = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("hunter2"));
    let service = Answer::of(create).await.service();
    let proxy = Proxy::to(&redis.addresses()[0].to_string());
    proxy.set(Way::Cut);
    let url = proxy.url();
    let late = replica_of(&app, &[("redis.url", url.as_str())]).await;
    let read = async || Answer::of(late.get(&format!("{service}/storage"))).await;
    read().await.message_of("StoreUnavailable", 503);
    let unknown = Answer::of(late.post("/genesys/1/service/vault")).await;
    unknown.message_of("StoreUnavailable", 503);
    proxy.mend();
    eventually("it asks for what opens the lock", async || {
        let answer = read().await;
        assert!(
            matches!(answer.status.as_u16(), 401 | 503),
            "{}",
            answer.text()
        );
        (answer.status == 401).then_some(())
    })
    .await;
}
