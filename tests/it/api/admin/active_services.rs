//! Active services in the admin API.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{
    create_service, create_service_with, create_service_with_file_and_booking, get, get_json,
    request, start_admin,
};
use crate::support::{Bodies, TestApp, TestResponse, eventually, on_every_kind_of_store};

on_every_kind_of_store!(
    services_are_counted_and_listed_by_expiration_time,
    service_is_returned_with_keys_binaries_and_bookings,
    service_is_extended_and_deleted,
    ended_service_is_not_listed,
    services_are_found_by_prefix_of_their_id,
);

fn id_of(service: &str) -> String {
    service.rsplit('/').next().unwrap().to_owned()
}

/// All ids, read page by page.
async fn list_all_ids(app: &TestApp, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = format!("active-services?limit={limit}");
    loop {
        let page = get_json(app, &path).await;
        let services = page["services"].as_array().unwrap();
        assert!(services.len() <= limit);
        ids.extend(
            services
                .iter()
                .map(|service| service["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            return ids;
        };
        path = format!("active-services?limit={limit}&after={next}");
    }
}

async fn services_are_counted_and_listed_by_expiration_time(app: TestApp) {
    let app = start_admin(&app).await;
    let mut expected = Vec::new();
    // Some expire at the same time.
    let end = "_ttl=600";
    for n in 0..12 {
        let form = if n % 3 == 0 {
            end.to_owned()
        } else {
            format!("_ttl={}", 1_000 + n)
        };
        expected.push(id_of(
            &create_service_with(&app, "store", &form).await.service_id(),
        ));
    }
    for service in expected.iter().take(3) {
        let put = app.put(&format!("/genesys/1/service/{service}"));
        let moved = put.form_body("expiration_time=2026-12-20T00:00:00Z");
        let moved = TestResponse::send(moved).await;
        assert!(
            moved.status == 200 || moved.status == 400,
            "{}",
            moved.text()
        );
    }
    assert_eq!(
        get_json(&app, "active-services").await["approximate_count"],
        12
    );
    for limit in [1, 5, 200] {
        let ids = list_all_ids(&app, limit).await;
        let mut sorted = ids.clone();
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected, "by {limit}");
    }
    let page = get_json(&app, "active-services").await;
    let ends: Vec<&Value> = page["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| &service["expires_at"])
        .collect();
    assert!(ends.is_sorted_by_key(|end| end.as_str()), "{ends:?}");
    for wrong in ["after=x", "after=-1-x", "after=x-y", "limit=0", "limit=201"] {
        let response = get(&app, &format!("active-services?{wrong}")).await;
        response.error_message("InvalidParameter", 400);
    }
}

async fn service_is_returned_with_keys_binaries_and_bookings(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with_file_and_booking(&app).await;
    let id = id_of(&service.service_id());
    let detail = get_json(&app, &format!("active-services/{id}")).await;
    assert_eq!(detail["id"], id.as_str());
    assert_eq!(detail["service"], "request-interaction");
    assert_eq!(detail["gms_user"], "jane");
    assert_eq!(detail["keys"], serde_json::json!(["language"]));
    assert_eq!(detail["binaries"][0]["name"], "map");
    assert_eq!(detail["binaries"][0]["size"], 5);
    assert_eq!(detail["bookings"][0]["group"], "DNIS");
    assert_eq!(detail["bookings"][0]["number"], "8003449999");
    let unknown = get(&app, "active-services/unknown").await;
    unknown.error_message("ServiceNotFound", 404);
}

async fn service_is_extended_and_deleted(app: TestApp) {
    let app = start_admin(&app).await;
    let service = create_service_with(&app, "store", "_ttl=60")
        .await
        .service_id();
    let path = format!("active-services/{}", id_of(&service));
    let put = |form: &str| TestResponse::send(request(&app, Method::PUT, &path).form_body(form));
    put("ttl=0").await.error_message("InvalidParameter", 400);
    put("").await.error_message("InvalidParameter", 400);
    put("ttl=600").await.assert_ok();
    assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 60);
    assert!(get_json(&app, &path).await["ttl"].as_u64().unwrap() > 60);
    let end = || TestResponse::send(request(&app, Method::DELETE, &path));
    end().await.assert_ok();
    TestResponse::send(app.get(&service))
        .await
        .error_message("ServiceNotFound", 404);
    end().await.error_message("ServiceNotFound", 404);
    put("ttl=600").await.error_message("ServiceNotFound", 404);
    assert_eq!(
        get_json(&app, "active-services").await["approximate_count"],
        0
    );
}

async fn ended_service_is_not_listed(app: TestApp) {
    let app = start_admin(&app).await;
    let active = id_of(&create_service(&app, "store").await.service_id());
    let ended = create_service_with(&app, "store", "_ttl=1")
        .await
        .service_id();
    eventually("the service expires", async || {
        (TestResponse::send(app.get(&ended)).await.status == 404).then_some(())
    })
    .await;
    assert_eq!(list_all_ids(&app, 10).await, [active.as_str()]);
    let count =
        async || (get_json(&app, "active-services").await["approximate_count"] == 1).then_some(());
    eventually("the service is not counted", count).await;
}

#[tokio::test]
async fn sweep_removes_ended_services_from_the_list() {
    let app = start_admin(&TestApp::on_redis().await).await;
    let service = create_service_with(&app, "store", "_ttl=3")
        .await
        .service_id();
    let redis = app.redis.as_ref().unwrap();
    let pattern = format!("{}end:*", app.prefix);
    assert_eq!(redis.keys(&pattern).await.len(), 1, "{service}");
    eventually("the index is empty", async || {
        redis.keys(&pattern).await.is_empty().then_some(())
    })
    .await;
}

async fn services_are_found_by_prefix_of_their_id(app: TestApp) {
    let app = start_admin(&app).await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(id_of(&create_service(&app, "store").await.service_id()));
    }
    let found = async |query: &str| {
        let page = get_json(&app, &format!("active-services?{query}")).await;
        assert_eq!(page["approximate_count"], json!(20));
        // The search continues if it is not complete.
        assert_eq!(page["next"].is_null(), page["complete"] == true);
        let services = page["services"].as_array().unwrap().iter();
        let found: Vec<String> = services
            .map(|service| service["id"].as_str().unwrap().to_owned())
            .collect();
        (found, page["complete"].as_bool().unwrap())
    };
    for id in &ids {
        let (head, digit) = (&id[..8], &id[..1]);
        for prefix in [
            head.to_owned(),
            head.to_uppercase(),
            format!("{head}..."),
            format!("{head}%E2%80%A6"),
            id.clone(),
        ] {
            let found = found(&format!("prefix={prefix}")).await;
            assert_eq!(found, (vec![id.clone()], true), "{prefix}");
        }
        let (mut found, complete) = found(&format!("prefix={digit}&limit=200")).await;
        let mut expected = ids.clone();
        expected.retain(|id| id.starts_with(digit));
        found.sort();
        expected.sort();
        assert_eq!((found, complete), (expected, true));
    }
    let (none, complete) = found("prefix=x").await;
    assert!(none.is_empty() && complete);
    let digit = ids
        .iter()
        .map(|id| &id[..1])
        .find(|digit| ids.iter().filter(|id| id.starts_with(digit)).count() > 1);
    // Twenty ids and sixteen digits.
    let (first, complete) = found(&format!("prefix={}&limit=1", digit.unwrap())).await;
    assert_eq!((first.len(), complete), (1, false));
    let page = get_json(&app, "active-services").await;
    assert!(page.get("complete").is_none());
    for wrong in [
        "prefix=",
        "prefix=...",
        &format!("prefix={}", "0".repeat(65)),
    ] {
        let response = get(&app, &format!("active-services?{wrong}")).await;
        let message = response.error_message("InvalidParameter", 400);
        assert!(message.contains("1 to 64"), "{message}");
    }
}
