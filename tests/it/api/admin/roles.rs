//! Operators of the settings: their roles in the admin API, and their passwords.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    fixture::actors,
    operators_fixture::{ADA, OLGA, VERA, request_as, start_with_operators},
};
use crate::support::{Bodies, TestApp, TestResponse, encode, on_every_kind_of_store};

on_every_kind_of_store!(
    each_operation_requires_its_role,
    an_operator_is_named_in_the_audit_log,
    operators_alone_enable_the_admin_api,
    wrong_passwords_of_operators_are_limited,
);

/// The operations that change nothing although they are no GET.
const READS: [(&str, &str); 1] = [("POST", "/genesys/1/admin/match-explanation")];

/// Methods and paths of all operations of the admin API, with a value for each parameter of the path.
async fn operations(app: &TestApp) -> Vec<(Method, String)> {
    let document = TestResponse::send(app.get("/openapi.json")).await.json();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            if operation["security"] == json!([{"admin": []}]) {
                operations.push((
                    method,
                    path.replace("{status}", "ONLINE").replace(['{', '}'], ""),
                ));
            }
        }
    }
    operations
}

fn is_read(method: &Method, path: &str) -> bool {
    *method == Method::GET || READS.contains(&(method.as_str(), path))
}

/// Whether the operation changes the catalog.
fn is_catalog_change(method: &Method, path: &str) -> bool {
    let below = path.strip_prefix("/genesys/1/admin/").unwrap();
    let is_catalog = ["services/name", "groups/name", "catalog", "catalog/restore"];
    !is_read(method, path) && is_catalog.contains(&below)
}

async fn status_of(app: &TestApp, user: (&str, &str), method: &Method, path: &str) -> TestResponse {
    let request = app.request(method.clone(), path);
    TestResponse::send(request.basic_auth(user.0, Some(user.1))).await
}

async fn each_operation_requires_its_role(app: TestApp) {
    let app = start_with_operators(&app).await;
    let operations = operations(&app).await;
    let (mut reads, mut actions, mut changes) = (0, 0, 0);
    for (method, path) in &operations {
        let by_viewer = status_of(&app, VERA, method, path).await;
        let by_operator = status_of(&app, OLGA, method, path).await;
        let by_admin = status_of(&app, ADA, method, path).await;
        let rejected = |response: &TestResponse, expected: &str| {
            let message = response.error_message("Forbidden", 403);
            assert_eq!(message, expected, "{method} {path}");
        };
        assert_ne!(by_admin.status, StatusCode::FORBIDDEN, "{method} {path}");
        if is_read(method, path) {
            reads += 1;
            assert_ne!(by_viewer.status, StatusCode::FORBIDDEN, "{method} {path}");
        } else if is_catalog_change(method, path) {
            changes += 1;
            rejected(&by_viewer, "this requires the role admin");
            rejected(&by_operator, "this requires the role admin");
            continue;
        } else {
            actions += 1;
            rejected(&by_viewer, "this requires the role operator or admin");
        }
        assert_ne!(by_operator.status, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert!(
        reads >= 12 && actions >= 7 && changes >= 7,
        "{operations:?}"
    );
    // A method that a path does not have is 405 for every role.
    let path = "/genesys/1/admin/audit-log";
    for user in [VERA, OLGA, ADA] {
        let response = status_of(&app, user, &Method::POST, path).await;
        response.error_message("MethodNotAllowed", 405);
    }
}

async fn an_operator_is_named_in_the_audit_log(app: TestApp) {
    let app = start_with_operators(&app).await;
    let service = TestResponse::send(app.post("/genesys/1/service/store")).await;
    let id = service.service_id().rsplit('/').next().unwrap().to_owned();
    let path = format!("active-services/{}", encode(&id));
    let delete = request_as(&app, OLGA, Method::DELETE, &path);
    assert_eq!(TestResponse::send(delete).await.status, 200);
    let options = json!({"_type": "builtin", "_service": "store", "password": "hidden"});
    let put = request_as(&app, ADA, Method::PUT, "services/cart");
    assert_eq!(
        TestResponse::send(put.json_body(&options.to_string()))
            .await
            .status,
        201
    );
    let log = TestResponse::send(request_as(&app, VERA, Method::GET, "audit-log"))
        .await
        .json();
    let actors = actors(&log);
    assert_eq!(actors, [ADA.0, OLGA.0]);
    // Nothing that a viewer reads contains a secret.
    for path in ["audit-log", "services", "services/cart", "catalog"] {
        let response = TestResponse::send(request_as(&app, VERA, Method::GET, path)).await;
        assert_eq!(response.status, 200, "{path}");
        assert!(
            !response.text().contains("hidden"),
            "{path}: {}",
            response.text()
        );
    }
}

async fn operators_alone_enable_the_admin_api(app: TestApp) {
    let users = super::operators_fixture::users(&[VERA]);
    let settings = [("operators.users", users.as_str())];
    let app = TestApp::start(
        app.redis.clone(),
        &crate::support::random_prefix(),
        &settings,
    )
    .await;
    let get = |user| TestResponse::send(request_as(&app, user, Method::GET, "services"));
    assert_eq!(get(VERA).await.status, 200);
    for user in [OLGA, ("admin", ""), (VERA.0, OLGA.1)] {
        get(user).await.error_message("Unauthorized", 401);
    }
}

async fn wrong_passwords_of_operators_are_limited(app: TestApp) {
    let app = start_with_operators(&app).await;
    let get = |password: &'static str| {
        TestResponse::send(request_as(
            &app,
            (VERA.0, password),
            Method::GET,
            "services",
        ))
    };
    assert_eq!(get(VERA.1).await.status, 200);
    for _ in 0..10 {
        get("wrong").await.error_message("Unauthorized", 401);
    }
    get("wrong").await.error_message("TooManyRequests", 429);
    get(VERA.1).await.error_message("TooManyRequests", 429);
}
