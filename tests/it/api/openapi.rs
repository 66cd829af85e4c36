//! The OpenAPI document: completeness, agreement with the routes, and caching.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    api::{
        admin::fixture::{ADMIN_SETTINGS, PASSWORD},
        chat::agents::fixture::hash,
    },
    support::{TestApp, TestResponse, random_prefix},
};

mod admin_api;
mod clients;
mod errors;
mod names;
mod schemas;

/// The methods of each path.
type Routes = BTreeMap<String, BTreeSet<String>>;

/// A process that serves all routes. The operator is an agent too.
async fn start_with_all_routes() -> TestApp {
    let users = agent_users();
    let settings = [ADMIN_SETTINGS[0], ("agents.users", &users)];
    TestApp::start(None, &random_prefix(), &settings).await
}

/// The setting `agents.users` with the credentials of the operator.
fn agent_users() -> String {
    format!("admin:{}", hash(PASSWORD))
}

async fn document(app: &TestApp) -> Value {
    let response = TestResponse::send(app.get("/openapi.json")).await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.text());
    response.json()
}

fn routes(document: &Value) -> Routes {
    let paths = document["paths"].as_object().unwrap().iter();
    let paths = paths.map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        (
            path.clone(),
            methods.map(|name| name.to_uppercase()).collect(),
        )
    });
    paths.collect()
}

/// Calls `visit` with each value of the document and its path.
fn walk<'a>(value: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(path, value);
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                walk(value, &format!("{path}/{name}"), visit);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, &format!("{path}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// The operations of the document, with method and path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

/// Resolves a reference.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let pointer = reference.strip_prefix('#').unwrap();
    document
        .pointer(pointer)
        .unwrap_or_else(|| panic!("{reference} does not resolve"))
}

/// The paths of the routes, parsed from the source, each with a path that matches it.
fn documented_routes() -> Vec<(String, String)> {
    let source = [
        include_str!("../../../src/http/routes.rs"),
        include_str!("../../../src/http/routes/admin.rs"),
    ]
    .concat();
    // The routes of agents exist below two prefixes, of which one is documented.
    let source = source.replace("concat!($prefix, \"", "(\"/genesys/1/agent");
    let source = source.replace("agent_routes_below!(\"", "");
    let literals = source.split("(\"/").skip(1);
    let literals = literals.map(|rest| rest.split('"').next().unwrap());
    let paths = literals.map(|literal| {
        let (mut path, mut example) = ("/".to_owned(), "/".to_owned());
        for (index, part) in literal.split(['{', '}']).enumerate() {
            if index % 2 == 0 {
                path.push_str(part);
                example.push_str(part);
                continue;
            }
            let (name, pattern) = part.split_once(':').unwrap_or((part, ""));
            path.push_str(&format!("{{{name}}}"));
            example.push_str(if pattern.is_empty() { name } else { "a/b/c" });
        }
        (path, example)
    });
    paths.collect()
}

/// The document describes `HEAD` once for all routes, and as an operation for binaries only.
fn without_head(mut routes: Routes) -> Routes {
    let methods = routes.values_mut();
    methods.for_each(|methods| methods.retain(|method| method != "HEAD"));
    routes
}

/// Whether a path requires admin authentication.
fn is_admin_path(path: &str) -> bool {
    path.starts_with("/genesys/1/admin/") && !path.ends_with("/node/status")
}

/// The methods of the route of a path, from its `Allow` header; `None` if there is no route.
async fn allowed_methods(app: &TestApp, path: &str) -> Option<BTreeSet<String>> {
    let request = app.request(Method::PATCH, path);
    let refused = TestResponse::send(request.basic_auth("admin", Some(PASSWORD))).await;
    if refused.status == StatusCode::NOT_FOUND {
        refused.error_message("NotFound", 404);
        return None;
    }
    refused.error_message("MethodNotAllowed", 405);
    // The document describes `HEAD` once for all routes.
    let allow = refused.header("allow").split(", ");
    let allow = allow.filter(|method| *method != "HEAD");
    Some(allow.map(str::to_owned).collect())
}

#[tokio::test]
async fn paths_and_methods_match_the_routes() {
    let app = start_with_all_routes().await;
    let mut expected = Routes::new();
    for (path, example) in documented_routes() {
        if let Some(methods) = allowed_methods(&app, &example).await {
            expected.entry(path).or_default().extend(methods);
        }
    }
    assert!(expected.len() >= 20, "{expected:#?}");
    let documented = without_head(routes(&document(&app).await));
    assert_eq!(documented, expected);
}

#[tokio::test]
async fn document_describes_the_routes_of_its_listener() {
    let everything = routes(&document(&start_with_all_routes().await).await);
    for (public, password) in [
        ("client", PASSWORD),
        ("storage", PASSWORD),
        ("client, storage", PASSWORD),
        ("client, match", PASSWORD),
        ("match", PASSWORD),
        ("admin", PASSWORD),
        ("", PASSWORD),
        ("client, match, admin", PASSWORD),
        ("client, match, admin", ""),
        ("agent", PASSWORD),
        ("client, agent", ""),
        ("admin", ""),
    ] {
        let users = agent_users();
        let settings = [
            ("agents.users", users.as_str()),
            ("server.public", public),
            ("server.private_listen", "127.0.0.1:0"),
            ("admin.password", password),
        ];
        let app = TestApp::start(None, &random_prefix(), &settings).await;
        let documented = without_head(routes(&document(&app).await));
        for (path, example) in documented_routes() {
            let served = allowed_methods(&app, &example).await;
            assert_eq!(documented.get(&path), served.as_ref(), "{public}: {path}");
        }
        let private = format!("http://{}/openapi.json", app.private_address.unwrap());
        let mut private = routes(&TestResponse::send(app.client.get(private)).await.json());
        if password.is_empty() {
            let admin_routes = everything.iter().filter(|(path, _)| is_admin_path(path));
            private.extend(admin_routes.map(|(path, methods)| (path.clone(), methods.clone())));
        }
        assert_eq!(private, everything, "{public}");
    }
}

#[tokio::test]
async fn references_and_links_resolve() {
    let app = start_with_all_routes().await;
    let document = document(&app).await;
    let names: BTreeSet<&str> = operations(&document)
        .iter()
        .map(|(_, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    let (mut references, mut links) = (0, 0);
    walk(&document, "", &mut |path, value| {
        if let Some(reference) = value["$ref"].as_str() {
            resolve(&document, value);
            assert!(reference.starts_with("#/components/"), "{path}");
            references += 1;
        }
        if path.contains("/links/")
            && let Some(operation) = value["operationId"].as_str()
        {
            assert!(names.contains(operation), "{path}: {operation}");
            links += 1;
        }
    });
    assert!(references > 50 && links > 5, "{references} {links}");
    let used = document["components"]["schemas"].as_object().unwrap();
    for name in used.keys() {
        let reference = format!("\"#/components/schemas/{name}\"");
        assert!(
            document.to_string().contains(&reference),
            "{name} is never used"
        );
    }
}

#[tokio::test]
async fn operations_are_complete() {
    for other in [
        ("admin.password", ""),
        ("admin.username", "root"),
        ("server.public", "match"),
        ("auth.api_keys", "k"),
    ] {
        let app = TestApp::start(None, &random_prefix(), &[ADMIN_SETTINGS[0], other]).await;
        let document = document(&app).await;
        assert_eq!(document["openapi"], "3.1.0");
        for member in ["title", "version", "description", "license"] {
            assert!(!document["info"][member].is_null(), "{member}");
        }
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let license = &document["info"]["license"]["identifier"];
        assert_eq!(*license, env!("CARGO_PKG_LICENSE"));
        let mut names = BTreeSet::new();
        for (operation, object) in operations(&document) {
            let name = object["operationId"].as_str().unwrap();
            assert!(names.insert(name), "duplicate operation id {name}");
            assert!(
                !object["summary"].as_str().unwrap().is_empty(),
                "{operation}"
            );
            assert_eq!(object["tags"].as_array().unwrap().len(), 1, "{operation}");
            let responses = object["responses"].as_object().unwrap();
            assert!(responses.contains_key("200"), "{operation}");
            for response in responses.values() {
                let response = resolve(&document, response);
                assert!(
                    !response["description"].as_str().unwrap().is_empty(),
                    "{operation}"
                );
            }
            let parameters = object["parameters"].as_array().into_iter().flatten();
            let mut locations = BTreeSet::new();
            for parameter in parameters {
                let (name, location) = (&parameter["name"], &parameter["in"]);
                assert!(
                    locations.insert(format!("{location} {name}")),
                    "{operation}: {name} twice"
                );
                assert!(!parameter["schema"].is_null(), "{operation}: {name}");
                let described = [
                    &parameter["description"],
                    &parameter["schema"]["description"],
                ];
                assert!(
                    described.iter().any(|text| text.is_string()),
                    "{operation}: {name}"
                );
            }
            let path = operation.split(' ').nth(1).unwrap();
            let in_path = path
                .split('{')
                .skip(1)
                .map(|part| part.split('}').next().unwrap());
            let in_path: BTreeSet<String> =
                in_path.map(|name| format!("\"path\" {name:?}")).collect();
            let mut documented = locations.clone();
            documented.retain(|location| location.starts_with("\"path\""));
            assert_eq!(documented, in_path, "{operation}");
            let is_admin = is_admin_path(path);
            let is_client = [
                "/genesys/1/service",
                "/genesys/1/storage",
                "/genesys/1/cs/",
                "/genesys/cometd",
            ]
            .iter()
            .any(|prefix| path.starts_with(prefix));
            let is_secured = !object["security"].as_array().unwrap().is_empty();
            assert_eq!(is_secured, is_client || is_admin, "{operation}");
            let has_admin_scheme = object["security"] == json!([{"admin": []}]);
            assert_eq!(has_admin_scheme, is_admin, "{operation}");
        }
    }
}

#[tokio::test]
async fn security_and_limits_follow_the_settings() {
    let app = TestApp::on_memory().await;
    let create = "/paths/~1genesys~11~1service~1{service}/post";
    let max_ttl = format!("{create}/requestBody/content/application~1json/schema/properties/_ttl");
    let open = document(&app).await;
    assert_eq!(
        open.pointer(create).unwrap()["security"],
        json!([{}, {"basic": []}])
    );
    assert_eq!(open.pointer(&max_ttl).unwrap()["maximum"], 2_592_000);
    assert_eq!(
        open["components"]["responses"]["UnreadableJson"]["description"],
        "Internal Server Error: UnreadableJson"
    );
    let settings = [
        ("auth.api_keys", "s3cret"),
        ("limits.max_ttl_seconds", "600"),
        ("api.unreadable_json_status", "400"),
    ];
    let app = app.start_sibling(&settings).await;
    let keyed = document(&app).await;
    let security = keyed.pointer(create).unwrap()["security"]
        .as_array()
        .unwrap();
    assert!(security.iter().all(|one| {
        one.as_object()
            .unwrap()
            .keys()
            .any(|name| name.starts_with("apiKey"))
    }));
    assert_eq!(keyed.pointer(&max_ttl).unwrap()["maximum"], 600);
    let status = &keyed["components"]["examples"]["UnreadableJson"]["value"]["code"];
    assert_eq!(*status, 400);
    assert!(!keyed.to_string().contains("s3cret"));
}

#[tokio::test]
async fn document_supports_conditional_requests() {
    let app = TestApp::on_memory().await;
    let first = TestResponse::send(app.get("/openapi.json")).await;
    assert_eq!(
        first.header("content-type"),
        "application/json;charset=utf-8"
    );
    assert_eq!(first.header("cache-control"), "no-cache");
    assert_eq!(first.header("pragma"), "");
    let tag = first.header("etag");
    // Other replicas and workers return the same version.
    let other = TestResponse::send(app.start_sibling(&[]).await.get("/openapi.json")).await;
    assert_eq!(other.header("etag"), tag);
    assert_eq!(other.body, first.body);
    for cached in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again =
            TestResponse::send(app.get("/openapi.json").header("If-None-Match", &cached)).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{cached}");
        assert_eq!((again.text(), again.header("etag")), ("", tag));
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    let changed = app.get("/openapi.json").header("If-None-Match", "\"x\"");
    assert_eq!(TestResponse::send(changed).await.body, first.body);
    let shorter = app.start_sibling(&[("limits.max_ttl_seconds", "60")]).await;
    assert_ne!(
        TestResponse::send(shorter.get("/openapi.json"))
            .await
            .header("etag"),
        tag
    );
}
