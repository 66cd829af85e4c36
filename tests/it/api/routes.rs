//! Contract section 1, "Errors": unknown paths and methods; the root.

use reqwest::{Client, Method, StatusCode, redirect::Policy};
use serde_json::json;

use crate::{
    api::admin::fixture::ADMIN_SETTINGS,
    support::{TestApp, TestResponse, on_redis_only, random_prefix},
};

on_redis_only!(unknown_paths_are_not_found,);

async fn unknown_paths_are_not_found(app: TestApp) {
    for path in [
        "/genesys",
        "/genesys/1/service",
        "/genesys/1/service/",
        "/genesys/1/services/store",
        "/genesys/1/cs/services/",
        "/genesys/1/cs/services/a/b",
        "//genesys/1/service/store",
        "/genesys%2F1/service/store",
        "/Genesys/1/service/store",
        "/livez/",
        "/\u{e9}?a=b",
    ] {
        let response = TestResponse::send(app.put(path)).await;
        response.error_message("NotFound", 404);
    }
}

/// The methods of each path.
const ROUTES: [(&str, &[&str]); 12] = [
    ("/", &["GET", "HEAD"]),
    ("{service}", &["DELETE", "GET", "HEAD", "POST", "PUT"]),
    ("{cs}", &["PUT"]),
    ("{service}/storage", &["DELETE", "GET", "HEAD", "POST"]),
    ("{service}/storage/Key1", &["DELETE", "GET", "HEAD"]),
    ("{service}/storage/binary/pic", &["GET", "HEAD"]),
    ("{service}/update", &["GET", "POST"]),
    ("/genesys/1/admin/node/status", &["GET", "HEAD"]),
    ("/genesys/1/node", &["GET", "HEAD"]),
    ("/livez", &["GET", "HEAD"]),
    ("/openapi.json", &["GET", "HEAD"]),
    ("/readyz", &["GET", "HEAD"]),
];

#[tokio::test]
async fn other_methods_return_the_allowed_methods() {
    let app = TestApp::on_memory().await;
    for (path, expected) in ROUTES {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"] {
            let service = app.create("Key1=Value1").await;
            let cs = service.replace("/service/", "/cs/services/");
            let path = path.replace("{service}", &service).replace("{cs}", &cs);
            let method_name = Method::from_bytes(method.as_bytes()).unwrap();
            let response = TestResponse::send(app.request(method_name, &path)).await;
            if expected.contains(&method) {
                assert_ne!(response.status, 405, "{method} {path}");
                continue;
            }
            let message = response.error_message("MethodNotAllowed", 405);
            assert!(message.contains(method), "{message}");
            let mut allow: Vec<&str> = response.header("allow").split(", ").collect();
            allow.sort_unstable();
            assert_eq!(allow, expected, "{method} {path}");
        }
    }
}

/// The response to `method /` at a base URL; redirects are not followed.
async fn request_root(method: Method, base: &str) -> TestResponse {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    TestResponse::send(client.request(method, format!("{base}/"))).await
}

#[tokio::test]
async fn root_leads_to_the_console_if_the_listener_serves_it() {
    for (settings, redirects) in [
        (vec![ADMIN_SETTINGS[0]], true),
        (vec![ADMIN_SETTINGS[0], ("auth.api_keys", "k")], true),
        (vec![], false),
        (vec![("auth.api_keys", "k")], false),
        (vec![("server.public", "client")], false),
    ] {
        let app = TestApp::start(None, &random_prefix(), &settings).await;
        check_root(&app.url(""), redirects).await;
        let could_redirect = settings
            .iter()
            .all(|(setting, _)| *setting != "server.public");
        if !redirects {
            let root = request_root(Method::GET, &app.url("")).await.json();
            let console = root["console"].as_str().unwrap_or_default();
            assert_eq!(console.contains("admin.password"), could_redirect, "{root}");
        }
    }
    // Each listener by its own routes.
    let private = ("server.private_listen", "127.0.0.1:0");
    for public in ["client, match, storage, agent", "none"] {
        let settings = [ADMIN_SETTINGS[0], private, ("server.public", public)];
        let app = TestApp::start(None, &random_prefix(), &settings).await;
        check_root(&app.url(""), false).await;
        let private = format!("http://{}", app.private_address.unwrap());
        check_root(&private, true).await;
    }
}

async fn check_root(base: &str, redirects: bool) {
    for method in [Method::GET, Method::HEAD] {
        let response = request_root(method.clone(), base).await;
        if redirects {
            assert_eq!(response.status, StatusCode::SEE_OTHER, "{method}");
            assert_eq!(response.header("location"), "/genesys/1/admin/ui");
            continue;
        }
        assert_eq!(response.status, StatusCode::OK, "{method}");
        if method == Method::GET {
            let mut root = response.json();
            root.as_object_mut().unwrap().remove("console");
            let expected = json!({"title": "Switchboard API", "openapi": "/openapi.json"});
            assert_eq!(root, expected);
        } else {
            assert_eq!(response.text(), "");
        }
    }
    let refused = request_root(Method::DELETE, base).await;
    refused.error_message("MethodNotAllowed", 405);
}
