//! Route groups of listeners.

use reqwest::Client;

use crate::support::{Bodies, TestApp, TestResponse, on_redis_only};

on_redis_only!(
    the_public_listener_serves_its_groups_and_the_private_one_everything,
    a_listener_of_the_match_group_serves_no_client_routes,
);

/// Sends a request to an address and returns the status.
async fn status(address: std::net::SocketAddr, method: &str, path: &str) -> u16 {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let url = format!("http://{address}{path}");
    let request = Client::new().request(method, url);
    request.send().await.unwrap().status().as_u16()
}

const CREATE: (&str, &str) = ("POST", "/genesys/1/service/store");
const MATCH: &str = "/genesys/1/service/match-interaction?_access_number=1";
const STATUS: (&str, &str) = ("GET", "/genesys/1/admin/node/status");

async fn the_public_listener_serves_its_groups_and_the_private_one_everything(app: TestApp) {
    for (public, create, matched, admin) in [
        ("client", 200, "ServiceNotFound", 404),
        ("client,match", 200, "NoMatch", 404),
        ("client, admin", 200, "ServiceNotFound", 200),
        ("match", 404, "NoMatch", 404),
        ("admin", 404, "NotFound", 200),
        ("none", 404, "NotFound", 404),
        // An empty value selects the default.
        ("", 200, "NoMatch", 200),
        ("client, match, admin", 200, "NoMatch", 200),
    ] {
        let settings = [
            ("server.public", public),
            ("server.private_listen", "127.0.0.1:0"),
        ];
        let app = app.start_sibling(&settings).await;
        assert_eq!(
            status(app.address, CREATE.0, CREATE.1).await,
            create,
            "{public}"
        );
        for request in [app.get(MATCH), app.post(MATCH)] {
            TestResponse::send(request)
                .await
                .error_message(matched, 404);
        }
        assert_eq!(
            status(app.address, STATUS.0, STATUS.1).await,
            admin,
            "{public}"
        );
        let private = app.private_address.unwrap();
        assert_ne!(private, app.address);
        for (address, expected) in [(app.address, create), (private, 200)] {
            assert_eq!(status(address, "GET", "/livez").await, 200);
            assert_eq!(status(address, "GET", "/readyz").await, 200);
            assert_eq!(status(address, CREATE.0, CREATE.1).await, expected);
        }
        assert_eq!(status(private, STATUS.0, STATUS.1).await, 200);
        // Both listeners use one store.
        let url = format!("http://{private}/genesys/1/service/store");
        let created = TestResponse::send(app.client.post(url).form_body("a=1")).await;
        let storage = format!("{}/storage", created.service_id());
        assert_eq!(
            status(app.address, "GET", &storage).await,
            create,
            "{public}"
        );
        app.stop().await;
    }
}

async fn a_listener_of_the_match_group_serves_no_client_routes(app: TestApp) {
    let settings = [
        ("server.public", "match"),
        ("server.private_listen", "127.0.0.1:0"),
    ];
    let app = app.start_sibling(&settings).await;
    let url = format!("http://{}/genesys/1/service", app.private_address.unwrap());
    let create = app.client.post(format!("{url}/request-interaction"));
    let created = TestResponse::send(create.form_body("a=1")).await;
    let (service, number) = (
        created.service_id(),
        created.json()["_access_number"].clone(),
    );
    for method in ["GET", "PUT", "DELETE", "POST"] {
        for path in ["", "/storage", "/storage/a", "/update"] {
            let found = status(app.address, method, &format!("{service}{path}")).await;
            assert!([404, 405].contains(&found), "{method} {path}: {found}");
        }
    }
    let number = number.as_str().unwrap();
    let call = format!("/genesys/1/service/match-interaction?_access_number={number}");
    let found = TestResponse::send(app.get(&format!("{call}&_return_user_data=true"))).await;
    assert_eq!(found.json()["_user_data"]["a"], "1");
    assert_eq!(found.service_id(), service);
}
