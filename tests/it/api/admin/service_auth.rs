//! Service credentials that are set and removed in definitions.

use std::sync::Arc;

use serde_json::json;

use super::fixture::{
    ADMIN_SETTINGS, create_entry, create_service, replace_entry, start_admin, start_replica,
    store_options,
};
use crate::support::{
    TestApp, TestRedis, TestResponse, eventually, on_every_kind_of_store,
    proxy::{Proxy, ProxyMode},
    random_prefix,
};

on_every_kind_of_store!(credentials_apply_as_soon_as_they_are_set,);

async fn credentials_apply_as_soon_as_they_are_set(app: TestApp) {
    let app = start_admin(&app).await;
    create_entry(&app, "services/vault", &store_options()).await;
    let service = create_service(&app, "vault").await.service_id();
    let plain = app.create("a=1").await;
    let read = |service: &str| app.get(&format!("{service}/storage"));
    assert_eq!(TestResponse::send(read(&service)).await.status, 200);
    let mut protected = store_options();
    protected["password"] = json!("hunter2");
    replace_entry(&app, "services/vault", &protected).await;
    TestResponse::send(read(&service))
        .await
        .error_message("Unauthorized", 401);
    create_service(&app, "vault")
        .await
        .error_message("Unauthorized", 401);
    let authorized = read(&service).basic_auth("any", Some("hunter2"));
    assert_eq!(TestResponse::send(authorized).await.status, 200);
    assert_eq!(TestResponse::send(read(&plain)).await.status, 200);
    replace_entry(&app, "services/vault", &store_options()).await;
    assert_eq!(TestResponse::send(read(&service)).await.status, 200);
}

#[tokio::test]
async fn credentials_apply_on_replicas_without_the_admin_api() {
    let app = start_admin(&TestApp::on_redis().await).await;
    let other = app.start_replica().await;
    let mut protected = store_options();
    protected["password"] = json!("hunter2");
    create_entry(&app, "services/vault", &protected).await;
    let create = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("hunter2"));
    let service = TestResponse::send(create).await.service_id();
    eventually("the other replica requires the credentials", async || {
        (TestResponse::send(other.get(&service)).await.status == 401).then_some(())
    })
    .await;
    // A new replica loads the credentials before it accepts requests.
    let fresh = start_replica(&app, &[]).await;
    TestResponse::send(fresh.get(&service))
        .await
        .error_message("Unauthorized", 401);
}

#[tokio::test]
async fn replica_without_the_catalog_denies_access() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(Arc::clone(&redis)), &random_prefix(), &ADMIN_SETTINGS).await;
    let mut protected = store_options();
    protected["password"] = json!("hunter2");
    create_entry(&app, "services/vault", &protected).await;
    let create = app
        .post("/genesys/1/service/vault")
        .basic_auth("any", Some("hunter2"));
    let service = TestResponse::send(create).await.service_id();
    let proxy = Proxy::to_redis(&redis);
    proxy.set_mode(ProxyMode::Close);
    let url = proxy.url();
    let late = start_replica(&app, &[("redis.url", url.as_str())]).await;
    let read = async || TestResponse::send(late.get(&format!("{service}/storage"))).await;
    read().await.error_message("StoreUnavailable", 503);
    let unknown = TestResponse::send(late.post("/genesys/1/service/vault")).await;
    unknown.error_message("StoreUnavailable", 503);
    proxy.restore();
    eventually("the replica requires the credentials", async || {
        let response = read().await;
        assert!(
            matches!(response.status.as_u16(), 401 | 503),
            "{}",
            response.text()
        );
        (response.status == 401).then_some(())
    })
    .await;
}
