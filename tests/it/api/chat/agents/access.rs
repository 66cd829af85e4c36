//! Credentials of agents.

use reqwest::{Method, StatusCode};

use super::fixture::{ANN, BOB, BOT, agent_settings, get, request, start, start_chat};
use crate::support::{TestApp, TestResponse, on_every_kind_of_store, on_redis_only, random_prefix};

on_every_kind_of_store!(
    passwords_and_api_keys_of_agents_give_access,
    too_many_failed_attempts_lock_an_address_out,
);
mod on_redis_alone {
    use super::*;

    on_redis_only!(
        without_agents_there_are_no_routes,
        the_route_group_selects_the_listener,
        requests_of_other_sites_are_rejected,
    );

    async fn without_agents_there_are_no_routes(app: TestApp) {
        for path in ["", "/", "/chats", "/chats/x/join", "/events"] {
            let response = TestResponse::send(app.get(&format!("/genesys/1/agent{path}"))).await;
            let message = response.error_message("NotFound", 404);
            assert!(message.contains("agents.users"), "{message}");
        }
        let document = TestResponse::send(app.get("/openapi.json")).await.json();
        assert_eq!(
            document["paths"]["/genesys/1/agent/chats"],
            serde_json::Value::Null
        );
    }

    async fn the_route_group_selects_the_listener(app: TestApp) {
        let others = [
            ("server.public", "client"),
            ("server.private_listen", "127.0.0.1:0"),
        ];
        let app = start(&app, &others).await;
        let refused = get(&app, ANN, "chats").await;
        let message = refused.error_message("NotFound", 404);
        assert!(!message.contains("agents.users"), "{message}");
        let url = format!(
            "http://{}/genesys/1/agent/chats",
            app.private_address.unwrap()
        );
        let allowed = app.client.get(url).basic_auth(ANN.0, Some(ANN.1));
        assert_eq!(allowed.send().await.unwrap().status(), StatusCode::OK);
        let other = app.start_sibling(&[("server.public", "agent")]).await;
        assert_eq!(
            get(&other, ANN, "chats").await.status,
            StatusCode::NOT_FOUND
        );
    }

    async fn requests_of_other_sites_are_rejected(app: TestApp) {
        let app = start(&app, &[]).await;
        let request = request(&app, ANN, Method::GET, "chats");
        let response = TestResponse::send(request.header("sec-fetch-site", "cross-site")).await;
        response.error_message("Forbidden", 403);
    }
}

async fn passwords_and_api_keys_of_agents_give_access(app: TestApp) {
    let app = start(&app, &[("auth.api_keys", "key-of-clients-01")]).await;
    // Twice, because a success is remembered.
    for agent in [ANN, BOB, BOT, ANN, BOB, BOT] {
        assert_eq!(
            get(&app, agent, "chats").await.status,
            StatusCode::OK,
            "{agent:?}"
        );
    }
    let path = "/genesys/1/agent/chats";
    let short = app.get(path).header("apikey", BOT.1);
    assert_eq!(TestResponse::send(short).await.status, StatusCode::OK);
    let missing = TestResponse::send(app.get(path)).await;
    missing.error_message("Unauthorized", 401);
    assert!(missing.header("www-authenticate").starts_with("Basic"));
    for (name, password) in [
        (ANN.0, BOB.1),
        (ANN.0, ""),
        ("", ""),
        ("Ann", ANN.1),
        (BOT.0, BOT.1),
        ("admin", super::fixture::ADMIN_PASSWORD),
        ("eve", ANN.1),
    ] {
        let request = app.get(path).basic_auth(name, Some(password));
        let request = request.header("x-forwarded-for", format!("192.0.2.{}", password.len()));
        TestResponse::send(request)
            .await
            .error_message("Unauthorized", 401);
    }
    for key in [
        "key-of-clients-01",
        "0123456789abcdef:bo",
        "0123456789abcdef:bot2",
    ] {
        let request = app.get(path).header("x-api-key", key);
        let request = request.header("x-forwarded-for", "192.0.2.99");
        TestResponse::send(request)
            .await
            .error_message("Unauthorized", 401);
    }
    // Wrong credentials are not replaced by a valid key.
    let both = app.get(path).basic_auth(ANN.0, Some("wrong"));
    let both = both
        .header("x-api-key", BOT.1)
        .header("x-forwarded-for", "192.0.2.98");
    TestResponse::send(both)
        .await
        .error_message("Unauthorized", 401);
}

async fn too_many_failed_attempts_lock_an_address_out(app: TestApp) {
    let app = start(&app, &[]).await;
    let attempt = async |agent: (&str, &str), password: &str, from: &str| {
        let request = app.get("/genesys/1/agent/chats");
        let request = request.basic_auth(agent.0, Some(password));
        TestResponse::send(request.header("x-forwarded-for", from)).await
    };
    for n in 0..10 {
        let name = if n % 2 == 0 { ANN } else { ("stranger", "") };
        let wrong = attempt(name, &format!("wrong {n}"), "192.0.2.1").await;
        wrong.error_message("Unauthorized", 401);
        // A correct attempt is refunded.
        assert_eq!(attempt(BOB, BOB.1, "192.0.2.1").await.status, n_status(n));
    }
    for password in ["wrong", ANN.1] {
        let refused = attempt(ANN, password, "192.0.2.1").await;
        refused.error_message("TooManyRequests", 429);
        assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 60);
    }
    let key = app.get("/genesys/1/agent/chats").header("x-api-key", BOT.1);
    let key = TestResponse::send(key.header("x-forwarded-for", "192.0.2.1")).await;
    key.error_message("TooManyRequests", 429);
    assert_eq!(
        attempt(ANN, ANN.1, "192.0.2.2").await.status,
        StatusCode::OK
    );
    // A chat cannot be read without credentials, whatever its id.
    let id = start_chat(&app, "").await;
    for path in ["", "/events", "/join", "/send?message=x", "/end"] {
        let path = format!("/genesys/1/agent/chats/{id}{path}");
        for request in [app.get(&path), app.post(&path)] {
            let status = TestResponse::send(request).await.status;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
}

/// After the tenth failed attempt, valid credentials are rejected too.
fn n_status(failed: usize) -> StatusCode {
    if failed < 9 {
        StatusCode::OK
    } else {
        StatusCode::TOO_MANY_REQUESTS
    }
}

#[tokio::test]
async fn many_requests_with_one_password_cost_one_verification() {
    // The hash takes long enough that hundreds of verifications would exceed the timeout of the test.
    let password = switchboard::password_hash::PasswordHash::create("slow").unwrap();
    let mut settings = agent_settings();
    settings[0].1 = format!("ann:{}", password.to_phc());
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let requests = (0..300).map(|_| get(&app, ("ann", "slow"), "chats"));
    let mut served = 0;
    for response in requests {
        served += usize::from(response.await.status == StatusCode::OK);
    }
    assert_eq!(served, 300);
}
