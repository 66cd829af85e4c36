//! Contract section 1, "Errors": unknown paths and methods.

use crate::support::{TestApp, TestResponse, on_redis_only};

on_redis_only!(unknown_paths_are_not_found,);

async fn unknown_paths_are_not_found(app: TestApp) {
    for path in [
        "/",
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
const ROUTES: [(&str, &[&str]); 11] = [
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
            let method_name = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
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
