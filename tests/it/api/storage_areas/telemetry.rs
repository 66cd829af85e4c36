//! Metrics of the routes, and the audit log.

use reqwest::Method;
use serde_json::{Value, json};

use super::{STORAGE, area_path, as_user, create_area, picture, read_as, write_as, written_id};
use crate::{
    api::admin::fixture::{audit_actions, get_json, request, start_admin},
    support::{Bodies, TestApp, TestResponse, encode, metrics::Metrics, on_every_kind_of_store},
};

on_every_kind_of_store!(
    operators_extend_and_delete_areas_like_services,
    operators_list_areas_with_their_kind,
);

#[tokio::test]
async fn requests_are_counted_by_route_without_ids() {
    let app = TestApp::on_memory().await;
    let id = create_area(&app, "a=1").await;
    let write = app.post(&format!("{}/600", area_path(&id)));
    written_id(&TestResponse::send(write.multipart_body(picture(b"1"))).await);
    let custom = app.post(&format!("{STORAGE}/custom/session1/600"));
    written_id(&TestResponse::send(as_user(custom, "ann")).await);
    for _ in 0..3 {
        read_as(&app, "", &id).await;
        read_as(&app, "", "session1").await;
    }
    TestResponse::send(app.get(&format!("{}/a", area_path(&id)))).await;
    TestResponse::send(app.get(&super::binary_path(&id, "picture"))).await;
    let metrics = Metrics::scrape(app.address).await;
    let not_found = "404\",exception=\"ServiceNotFound";
    for (route, method, status, count) in [
        ("{idOrTtl}", "POST", "200", 1.0),
        ("{idOrTtl}/{keyOrTtl}", "POST", "200", 1.0),
        ("custom/{id}/{ttl}", "POST", "200", 1.0),
        ("{idOrTtl}", "GET", "200", 3.0),
        ("{idOrTtl}", "GET", not_found, 3.0),
        ("{idOrTtl}/{keyOrTtl}", "GET", "200", 1.0),
        ("binary/{id}/{key}", "GET", "200", 1.0),
    ] {
        let labels = format!("route=\"{STORAGE}/{route}\",method=\"{method}\",status=\"{status}\"");
        let value = metrics.value(&format!("http_requests_total{{{labels}}}"));
        assert!((value - count).abs() < 0.5, "{labels}: {}", metrics.text);
    }
    for secret in [id.as_str(), "session1", "ann"] {
        assert!(!metrics.text.contains(secret), "{secret}");
    }
}

async fn operators_extend_and_delete_areas_like_services(app: TestApp) {
    let app = start_admin(&app).await;
    written_id(&write_as(&app, "ann", "a/session 1", "a=1").await);
    let internal = "custom/ann/a%2Fsession%201";
    let path = format!("active-services/{}", encode(internal));
    let detail = get_json(&app, &path).await;
    assert_eq!(detail["id"], internal);
    assert_eq!(
        (&detail["gms_user"], &detail["keys"]),
        (&json!("ann"), &json!(["a"]))
    );
    let extend = request(&app, Method::PUT, &path).form_body("ttl=1000");
    TestResponse::send(extend).await.assert_ok();
    assert!(get_json(&app, &path).await["ttl"].as_u64().unwrap() > 600);
    TestResponse::send(request(&app, Method::DELETE, &path))
        .await
        .assert_ok();
    super::assert_not_found(&app, "ann", "a/session 1").await;
    let expected = [
        format!("delete active service {internal}"),
        format!("set_expiration active service {internal}"),
    ];
    assert_eq!(audit_actions(&app).await, expected);
}

async fn operators_list_areas_with_their_kind(app: TestApp) {
    let app = start_admin(&app).await;
    let area = create_area(&app, "a=1").await;
    written_id(&write_as(&app, "ann", "session1", "a=1").await);
    let service = app.create("a=1").await;
    let service = service.rsplit('/').next().unwrap();
    let listed = get_json(&app, "active-services").await;
    let find = |id: &str| {
        let all = listed["services"].as_array().unwrap().iter();
        let mut found = all.filter(|one| one["id"] == id);
        found
            .next()
            .unwrap_or_else(|| panic!("no {id} in {listed}"))
            .clone()
    };
    for (id, kind, custom_id) in [
        (service, "service", Value::Null),
        (&area, "storage_area", Value::Null),
        ("custom/ann/session1", "storage_area", json!("session1")),
    ] {
        let path = format!("active-services/{}", encode(id));
        for one in [find(id), get_json(&app, &path).await] {
            assert_eq!(
                (&one["kind"], &one["custom_id"]),
                (&json!(kind), &custom_id),
                "{one}"
            );
        }
    }
    // A custom id is found by its beginning, with and without the internal form.
    for (prefix, expected) in [
        ("session1", "custom/ann/session1"),
        ("SESS", "custom/ann/session1"),
        ("custom/ann/se", "custom/ann/session1"),
        (&area[..8], &area),
    ] {
        let found = get_json(&app, &format!("active-services?prefix={}", encode(prefix))).await;
        let ids: Vec<&Value> = found["services"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["id"])
            .collect();
        assert_eq!(ids, [expected], "{prefix}");
    }
}
