//! The least that the service needs to be allowed, as `docs/OPERATING.md` has it.

use std::sync::Arc;

use redis::cmd;

use crate::support::{
    Answer, Bodies, Multipart, TestApp, TestRedis,
    bookings::{book, eventually, matched},
    random_prefix,
};

const OPERATING: &str = include_str!("../../../docs/OPERATING.md");

/// The rights that the documentation tells, for keys that begin with `prefix`.
fn documented(prefix: &str) -> Vec<String> {
    let rights = OPERATING.split("ACL SETUSER switchboard").nth(1).unwrap();
    let rights = rights.split("```").next().unwrap().replace('\\', " ");
    let rights = rights
        .replace("sb1:", prefix)
        .replace(">secret", ">hunter2");
    rights.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_documented_rights_are_enough_for_everything() {
    let (redis, prefix) = (Arc::new(TestRedis::own()), random_prefix());
    let mut connection = redis.connection().await;
    let mut acl = cmd("ACL");
    acl.arg("SETUSER")
        .arg("switchboard")
        .arg(documented(&prefix));
    acl.exec_async(&mut connection).await.unwrap();
    let url = redis.url().replace("//", "//switchboard:hunter2@");
    let settings = [
        ("redis.url", url.as_str()),
        ("throttle.creates_per_address", "1000"),
        ("throttle.failed_matches_per_number", "1000"),
    ];
    let app = TestApp::start(Some(Arc::clone(&redis)), &prefix, &settings).await;

    let service = app.create("a=1").await;
    let file = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    for _ in 0..2 {
        let write = app.post(&format!("{service}/storage"));
        Answer::of(write.multipart_body(file.clone()))
            .await
            .assert_empty();
    }
    let binary = Answer::of(app.get(&format!("{service}/storage/binary/map"))).await;
    assert_eq!(binary.body, b"bytes");
    assert_eq!(app.told(&service).await["_keys"], serde_json::json!(["a"]));
    Answer::of(app.put(&service).form_body("ttl=60"))
        .await
        .assert_empty();
    Answer::of(app.delete(&format!("{service}/storage/a")))
        .await
        .assert_ok();
    Answer::of(app.delete(&format!("{service}/storage")))
        .await
        .assert_ok();
    let create = app
        .post("/genesys/1/service/store")
        .header("Idempotency-Key", "k");
    let repeatable = Answer::of(create).await.service();
    let booked = book(&app, "_provide_code=true").await;
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(matched(&app, &call).await, booked.id);
    for service in [&service, &repeatable, &booked.service()] {
        Answer::of(app.delete(service)).await.assert_ok();
    }
    eventually("everything is given back", async || {
        let own = app.redis_keys("own:*").await;
        let index = app.redis_keys("idx:*").await;
        (own.is_empty() && index.is_empty()).then_some(())
    })
    .await;
    let log = cmd("ACL").arg("LOG").to_owned();
    let refused: Vec<redis::Value> = log.query_async(&mut connection).await.unwrap();
    // The client tells its name where it may.
    let refused = refused.iter().map(|entry| format!("{entry:?}"));
    let refused: Vec<String> = refused.filter(|entry| !entry.contains("setinfo")).collect();
    assert!(refused.is_empty(), "{refused:?}");
}
