//! Credentials in settings, with any characters, on every kind of Redis.

use std::sync::Arc;

use redis::cmd;

use crate::support::{RedisKind, TestApp, TestRedis, TestResponse, random_prefix};

const PASSWORD: &str = "p/a#s?s@w:o%r&d=+ \\\"'";

#[tokio::test]
async fn username_and_password_settings_accept_any_characters() {
    for kind in [RedisKind::Single, RedisKind::Sentinel, RedisKind::Cluster] {
        let redis = Arc::new(TestRedis::dedicated_kind(kind));
        for mut connection in redis.connections().await {
            let mut acl = cmd("ACL");
            acl.arg("SETUSER").arg("switch/board");
            acl.arg(&["reset", "on", "~*", "&*", "+@all"]);
            acl.arg(format!(">{PASSWORD}"));
            acl.exec_async(&mut connection).await.unwrap();
            let mut restrict = cmd("ACL");
            restrict
                .arg("SETUSER")
                .arg("default")
                .arg(&["-@all", "+acl"]);
            restrict.exec_async(&mut connection).await.unwrap();
        }
        let settings = [
            ("redis.username", "switch/board"),
            ("redis.password", PASSWORD),
        ];
        let app = TestApp::start(Some(redis), &random_prefix(), &settings).await;
        let service = app.create("a=1").await;
        assert_eq!(
            app.get_service(&service).await["_keys"],
            serde_json::json!(["a"])
        );
        TestResponse::send(app.delete(&service)).await.assert_ok();
        app.stop().await;
    }
}
