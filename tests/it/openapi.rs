//! The API's own description: that it is whole, that it tells what is there, and that it is kept well.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    admin::fixture::{ADMIN_SETTINGS, PASSWORD},
    support::{TestApp, TestResponse, random_prefix},
};

mod admin_api;
mod clients;
mod errors;
mod schemas;

/// The methods of each path.
type Routes = BTreeMap<String, BTreeSet<String>>;

/// A service that has everything there is.
async fn start_with_all_routes() -> TestApp {
    TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await
}

async fn document(app: &TestApp) -> Value {
    let answer = TestResponse::send(app.get("/openapi.json")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
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

/// Everything in the document, with the way to it.
fn walk<'a>(value: &'a Value, path: &str, see: &mut impl FnMut(&str, &'a Value)) {
    see(path, value);
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                walk(value, &format!("{path}/{name}"), see);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                walk(value, &format!("{path}/{at}"), see);
            }
        }
        _ => {}
    }
}

/// The operations of the document: method and path, and what is said.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    operations.collect()
}

/// What a reference leads to.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else {
        return value;
    };
    let place = reference.strip_prefix('#').unwrap();
    document
        .pointer(place)
        .unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// The paths of the route list, off its source, and for each one that its route is found by.
fn documented_routes() -> Vec<(String, String)> {
    let source = include_str!("../../src/http.rs");
    let literals = source.split("(\"/").skip(1);
    let literals = literals.map(|rest| rest.split('"').next().unwrap());
    let paths = literals.map(|literal| {
        let (mut path, mut found) = ("/".to_owned(), "/".to_owned());
        for (at, part) in literal.split(['{', '}']).enumerate() {
            if at % 2 == 0 {
                path.push_str(part);
                found.push_str(part);
                continue;
            }
            let (place, pattern) = part.split_once(':').unwrap_or((part, ""));
            path.push_str(&format!("{{{place}}}"));
            found.push_str(if pattern.is_empty() { place } else { "a/b/c" });
        }
        (path, found)
    });
    paths.collect()
}

/// `HEAD` is told once for all routes, and described for binaries only.
fn without_head(mut routes: Routes) -> Routes {
    let methods = routes.values_mut();
    methods.for_each(|methods| methods.retain(|method| method != "HEAD"));
    routes
}

/// Whether a path is for operators only.
fn is_administration(path: &str) -> bool {
    path.starts_with("/genesys/1/admin/") && !path.contains("/node/")
}

/// The methods that the route at a path is for, as it says itself; `None` where there is no route.
async fn allowed_methods(app: &TestApp, path: &str) -> Option<BTreeSet<String>> {
    let refused = app.request(Method::PATCH, path);
    let refused = TestResponse::send(refused.basic_auth("admin", Some(PASSWORD))).await;
    if refused.status == StatusCode::NOT_FOUND {
        refused.error_message("NotFound", 404);
        return None;
    }
    refused.error_message("MethodNotAllowed", 405);
    // `HEAD` is told once for all of them.
    let allow = refused.header("allow").split(", ");
    let allow = allow.filter(|method| *method != "HEAD");
    Some(allow.map(str::to_owned).collect())
}

#[tokio::test]
async fn its_paths_and_methods_are_those_of_the_route_list() {
    let app = start_with_all_routes().await;
    let mut expected = Routes::new();
    for (path, found) in documented_routes() {
        if let Some(methods) = allowed_methods(&app, &found).await {
            expected.entry(path).or_default().extend(methods);
        }
    }
    assert!(expected.len() >= 20, "{expected:#?}");
    let told = without_head(routes(&document(&app).await));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_listener_tells_what_it_serves_and_nothing_else() {
    let everything = routes(&document(&start_with_all_routes().await).await);
    for (public, password) in [
        ("client", PASSWORD),
        ("client, match", PASSWORD),
        ("match", PASSWORD),
        ("admin", PASSWORD),
        ("", PASSWORD),
        ("client, match, admin", PASSWORD),
        ("client, match, admin", ""),
        ("admin", ""),
    ] {
        let settings = [
            ("server.public", public),
            ("server.private_listen", "127.0.0.1:0"),
            ("admin.password", password),
        ];
        let app = TestApp::start(None, &random_prefix(), &settings).await;
        let told = without_head(routes(&document(&app).await));
        for (path, found) in documented_routes() {
            let served = allowed_methods(&app, &found).await;
            assert_eq!(told.get(&path), served.as_ref(), "{public}: {path}");
        }
        let private = format!("http://{}/openapi.json", app.private_address.unwrap());
        let mut private = routes(&TestResponse::send(app.client.get(private)).await.json());
        if password.is_empty() {
            let administered = everything
                .iter()
                .filter(|(path, _)| is_administration(path));
            private.extend(administered.map(|(path, methods)| (path.clone(), methods.clone())));
        }
        assert_eq!(private, everything, "{public}");
    }
}

#[tokio::test]
async fn whatever_it_refers_to_is_there() {
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
async fn every_operation_is_named_told_and_complete() {
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
        for (operation, told) in operations(&document) {
            let name = told["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} is there twice");
            assert!(!told["summary"].as_str().unwrap().is_empty(), "{operation}");
            assert_eq!(told["tags"].as_array().unwrap().len(), 1, "{operation}");
            let responses = told["responses"].as_object().unwrap();
            assert!(responses.contains_key("200"), "{operation}");
            for response in responses.values() {
                let response = resolve(&document, response);
                assert!(
                    !response["description"].as_str().unwrap().is_empty(),
                    "{operation}"
                );
            }
            let places = told["parameters"].as_array().into_iter().flatten();
            let mut told_places = BTreeSet::new();
            for parameter in places {
                let (name, place) = (&parameter["name"], &parameter["in"]);
                assert!(
                    told_places.insert(format!("{place} {name}")),
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
            let mut told_in_path = told_places.clone();
            told_in_path.retain(|place| place.starts_with("\"path\""));
            assert_eq!(told_in_path, in_path, "{operation}");
            let administration = is_administration(path);
            let of_callers = path.starts_with("/genesys/1/service") || path.contains("/cs/");
            let asked = !told["security"].is_null();
            assert_eq!(asked, of_callers || administration, "{operation}");
            let operator = told["security"] == json!([{"operator": []}]);
            assert_eq!(operator, administration, "{operation}");
        }
    }
}

#[tokio::test]
async fn what_is_asked_of_callers_and_what_is_limited_is_told_as_it_is_set() {
    let app = TestApp::on_memory().await;
    let create = "/paths/~1genesys~11~1service~1{service}/post";
    let life = format!("{create}/requestBody/content/application~1json/schema/properties/_ttl");
    let open = document(&app).await;
    assert_eq!(
        open.pointer(create).unwrap()["security"],
        json!([{}, {"basic": []}])
    );
    assert_eq!(open.pointer(&life).unwrap()["maximum"], 2_592_000);
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
    assert_eq!(keyed.pointer(&life).unwrap()["maximum"], 600);
    let status = &keyed["components"]["examples"]["UnreadableJson"]["value"]["code"];
    assert_eq!(*status, 400);
    assert!(!keyed.to_string().contains("s3cret"));
}

#[tokio::test]
async fn who_has_it_need_not_be_sent_it_again() {
    let app = TestApp::on_memory().await;
    let first = TestResponse::send(app.get("/openapi.json")).await;
    assert_eq!(
        first.header("content-type"),
        "application/json;charset=utf-8"
    );
    assert_eq!(first.header("cache-control"), "no-cache");
    assert_eq!(first.header("pragma"), "");
    let tag = first.header("etag");
    // Another replica, another worker: the same version.
    let other = TestResponse::send(app.start_sibling(&[]).await.get("/openapi.json")).await;
    assert_eq!(other.header("etag"), tag);
    assert_eq!(other.body, first.body);
    for known in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again =
            TestResponse::send(app.get("/openapi.json").header("If-None-Match", &known)).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{known}");
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
