//! The minimum rights of the service according to `docs/operations.md`.

use std::sync::Arc;

use redis::cmd;
use reqwest::{Client, Method, redirect::Policy};

use crate::support::{
    Bodies, Multipart, TestApp, TestRedis, TestResponse,
    bookings::{book_number, eventually, match_call},
    chat::{request_chat, start_chat},
    event_stream::EventStream,
    random_prefix,
};

const OPERATIONS_DOC: &str = include_str!("../../../../docs/operations.md");

/// The documented rights for keys with `prefix`.
fn documented_acl(prefix: &str) -> Vec<String> {
    let rights = OPERATIONS_DOC
        .split("ACL SETUSER switchboard")
        .nth(1)
        .unwrap();
    let rights = rights.split("```").next().unwrap().replace('\\', " ");
    let rights = rights
        .replace("sb1:", prefix)
        .replace(">secret", ">hunter2");
    rights.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn documented_rights_are_sufficient() {
    let (redis, prefix) = (Arc::new(TestRedis::dedicated()), random_prefix());
    let mut connection = redis.connection().await;
    let mut acl = cmd("ACL");
    acl.arg("SETUSER")
        .arg("switchboard")
        .arg(documented_acl(&prefix));
    acl.exec_async(&mut connection).await.unwrap();
    let url = redis.url().replace("//", "//switchboard:hunter2@");
    let settings = [
        ("redis.url", url.as_str()),
        ("rate_limit.creates_per_address", "1000"),
        ("rate_limit.failed_matches_per_number", "1000"),
        ("admin.password", "hunter2"),
        // Without polling, so that only the notification can propagate the change.
        ("catalog.poll_seconds", "3600"),
    ];
    let app = TestApp::start(Some(Arc::clone(&redis)), &prefix, &settings).await;

    use_admin_api(&app, &settings).await;
    use_admin_ui(&app).await;
    let service = app.create("a=1").await;
    let file = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    for _ in 0..2 {
        let write = app.post(&format!("{service}/storage"));
        TestResponse::send(write.multipart_body(file.clone()))
            .await
            .assert_empty();
    }
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/map"))).await;
    assert_eq!(binary.body, b"bytes");
    assert_eq!(
        app.get_service(&service).await["_keys"],
        serde_json::json!(["a"])
    );
    TestResponse::send(app.put(&service).form_body("ttl=60"))
        .await
        .assert_empty();
    TestResponse::send(app.delete(&format!("{service}/storage/a")))
        .await
        .assert_ok();
    TestResponse::send(app.delete(&format!("{service}/storage")))
        .await
        .assert_ok();
    let create = app
        .post("/genesys/1/service/store")
        .header("Idempotency-Key", "order-4711-of-0001");
    let idempotent = TestResponse::send(create).await.service_id();
    let booked = book_number(&app, "_provide_code=true").await;
    let call = format!(
        "_access_number={}&_access_code={}",
        booked.number,
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, booked.id);
    let chat = use_chat(&app).await;
    for service in [&service, &idempotent, &booked.service_path(), &chat] {
        TestResponse::send(app.delete(service)).await.assert_ok();
    }
    eventually("everything is released", async || {
        let own = app.redis_keys("own:*").await;
        let index = app.redis_keys("idx:*").await;
        (own.is_empty() && index.is_empty()).then_some(())
    })
    .await;
    let log = cmd("ACL").arg("LOG").to_owned();
    let denied: Vec<redis::Value> = log.query_async(&mut connection).await.unwrap();
    // The client library tries to set its name.
    let denied = denied.iter().map(|entry| format!("{entry:?}"));
    let denied: Vec<String> = denied.filter(|entry| !entry.contains("setinfo")).collect();
    assert!(denied.is_empty(), "{denied:?}");
}

/// Uses all commands of a chat; returns the path of its service.
async fn use_chat(app: &TestApp) -> String {
    let service = start_chat(app, "firstName=Ann").await;
    let events = app.get(&format!("{service}/ixn/chat/events"));
    let mut stream = EventStream::open(events).await;
    assert_eq!(stream.next().await.unwrap().id, "1");
    request_chat(app, &service, "send", "message=Hello").await;
    assert_eq!(stream.next().await.unwrap().id, "2");
    for request in ["refresh", "startTyping", "disconnect"] {
        request_chat(app, &service, request, "").await;
    }
    service
}

/// Uses the admin API; a catalog change reaches the other replica by notification.
async fn use_admin_api(app: &TestApp, settings: &[(&str, &str)]) {
    let other = TestApp::start(app.redis.clone(), &app.prefix, settings).await;
    let operator = |method: Method, path: &str| {
        let request = app.request(method, &format!("/genesys/1/admin/{path}"));
        request.basic_auth("admin", Some("hunter2"))
    };
    let group = r#"{"_allocation_strategy":"LOCAL","numbers":["8005550001"]}"#;
    let put = operator(Method::PUT, "groups/pool").json_body(group);
    assert_eq!(TestResponse::send(put).await.status, 201);
    let form = "_resource_group=pool";
    eventually("the other replica has the group", async || {
        let create = other.post("/genesys/1/service/request-interaction");
        (TestResponse::send(create.form_body(form)).await.status == 200).then_some(())
    })
    .await;
    let bookings = TestResponse::send(operator(Method::GET, "groups/pool/bookings"))
        .await
        .json();
    let booking = &bookings["bookings"][0];
    let text = |member: &str| booking[member].as_str().unwrap();
    let by_number = operator(Method::GET, "groups/pool/bookings?number=8005550001");
    assert_eq!(
        TestResponse::send(by_number).await.json()["bookings"][0],
        *booking
    );
    let call = "_access_number=8005550001&_access_code=1";
    let explain = operator(Method::POST, "match-explanation").form_body(call);
    let explained = TestResponse::send(explain).await.json();
    assert_eq!(explained["failure"], "other_code");
    let call = other
        .post("/genesys/1/service/match-interaction")
        .form_body(call);
    TestResponse::send(call).await.error_message("NoMatch", 404);
    eventually("the failed match is listed", async || {
        let listed = TestResponse::send(operator(Method::GET, "failed-matches")).await;
        listed.text().contains("other_code").then_some(())
    })
    .await;
    let active = format!("active-services/{}", text("service"));
    let extend = operator(Method::PUT, &active).form_body("ttl=600");
    TestResponse::send(extend).await.assert_ok();
    let release = format!("groups/pool/bookings/{}", text("booking"));
    for path in [release, active] {
        TestResponse::send(operator(Method::DELETE, &path))
            .await
            .assert_ok();
    }
    let delete = operator(Method::DELETE, "groups/pool").header("if-match", "*");
    TestResponse::send(delete).await.assert_ok();
    for path in [
        "audit-log",
        "failed-matches",
        "active-services",
        "replicas",
        "catalog",
        "groups",
    ] {
        let response = TestResponse::send(operator(Method::GET, path)).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
    other.stop().await;
}

/// Signs in, first with a wrong password, receives an update of the overview, and signs out.
async fn use_admin_ui(app: &TestApp) {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let ui_url = |path: &str| app.url(&format!("/genesys/1/admin/ui{path}"));
    let sign_in = async |password: &str| {
        let form = format!("name=admin&password={password}");
        TestResponse::send(client.post(ui_url("/sign-in")).form_body(&form)).await
    };
    assert_eq!(sign_in("wrong").await.status, 401);
    let signed_in = sign_in("hunter2").await;
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
    let page = TestResponse::send(client.get(ui_url("")).header("cookie", cookie)).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let stream = client
        .get(ui_url("/overview/events"))
        .header("cookie", cookie);
    let first = stream.send().await.unwrap().chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"event: message\n"), "{first:?}");
    let id = app.create("language=french").await;
    let id = id.rsplit('/').next().unwrap();
    for path in [format!("/active-services/{id}"), "/groups/DNIS".to_owned()] {
        let page = client.get(ui_url(&path)).header("cookie", cookie);
        assert_eq!(TestResponse::send(page).await.status, 200, "{path}");
    }
    TestResponse::send(app.delete(&format!("/genesys/1/service/{id}")))
        .await
        .assert_ok();
    let token = page.text().split("name=\"form_token\" value=\"").nth(1);
    let token = token.unwrap().split('"').next().unwrap();
    let sign_out = client.post(ui_url("/sign-out")).header("cookie", cookie);
    let sign_out = TestResponse::send(sign_out.form_body(&format!("form_token={token}"))).await;
    assert_eq!(sign_out.status, 303, "{}", sign_out.text());
}
