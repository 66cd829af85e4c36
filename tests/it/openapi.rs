//! The API's own description: that it is whole, that it tells what is there, and that it is kept well.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Bodies, TestApp, bookings, encode};

mod errors;

/// The methods of each path.
type Routes = BTreeMap<String, BTreeSet<String>>;

async fn document(app: &TestApp) -> Value {
    let answer = Answer::of(app.get("/openapi.json")).await;
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
fn listed() -> Vec<(String, String)> {
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

/// The methods that the route at a path is for, as it says itself; `None` where there is no route.
async fn allowed(app: &TestApp, path: &str) -> Option<BTreeSet<String>> {
    let refused = Answer::of(app.request(Method::PATCH, path)).await;
    if refused.status == StatusCode::NOT_FOUND {
        refused.message_of("NotFound", 404);
        return None;
    }
    refused.message_of("MethodNotAllowed", 405);
    let allow = refused.header("allow").split(", ");
    Some(allow.map(str::to_owned).collect())
}

#[tokio::test]
async fn its_paths_and_methods_are_those_of_the_route_list() {
    let app = TestApp::on_memory().await;
    let mut expected = Routes::new();
    for (path, found) in listed() {
        if let Some(methods) = allowed(&app, &found).await {
            expected.entry(path).or_default().extend(methods);
        }
    }
    assert!(expected.len() >= 10, "{expected:#?}");
    assert_eq!(routes(&document(&app).await), expected);
}

#[tokio::test]
async fn a_listener_tells_what_it_serves_and_nothing_else() {
    let everything = routes(&document(&TestApp::on_memory().await).await);
    for public in [
        "client",
        "client, match",
        "match",
        "admin",
        "",
        "client, match, admin",
    ] {
        let listening = ("server.private_listen", "127.0.0.1:0");
        let app = TestApp::on_memory().await;
        let app = app.sibling(&[("server.public", public), listening]).await;
        let told = routes(&document(&app).await);
        for (path, found) in listed() {
            let served = allowed(&app, &found).await;
            assert_eq!(told.get(&path), served.as_ref(), "{public}: {path}");
        }
        let private = format!("http://{}/openapi.json", app.private_address.unwrap());
        let private = Answer::of(app.client.get(private)).await.json();
        assert_eq!(routes(&private), everything, "{public}");
    }
}

#[tokio::test]
async fn whatever_it_refers_to_is_there() {
    let app = TestApp::on_memory().await;
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
    for overrides in [
        &[][..],
        &[("server.public", "match")],
        &[("auth.api_keys", "k")],
    ] {
        let app = TestApp::on_memory().await.sibling(overrides).await;
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
            let secured = path.starts_with("/genesys/1/service") || path.contains("/cs/");
            assert_eq!(!told["security"].is_null(), secured, "{operation}");
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
        ("limits.life_seconds", "600"),
        ("api.unreadable_json_status", "400"),
    ];
    let app = app.sibling(&settings).await;
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
async fn the_ranges_it_tells_are_those_that_are_kept() {
    let app = TestApp::on_memory().await;
    let app = bookings::serving(&app, &bookings::default_group("RANDOM", 9)).await;
    let document = document(&app).await;
    let service = app.create("a=1").await;
    let call = "/genesys/1/service/request-interaction";
    let in_body = "/requestBody/content/application~1json/schema/properties";
    let mut checked = 0;
    for (method, path) in [(Method::POST, call), (Method::PUT, &service)] {
        let operation = method.as_str().to_lowercase();
        let place = format!("/paths/~1genesys~11~1service~1{{service}}/{operation}{in_body}");
        for (name, schema) in document.pointer(&place).unwrap().as_object().unwrap() {
            let Some(low) = schema["minimum"].as_u64() else {
                continue;
            };
            let high = schema["maximum"].as_u64().unwrap();
            let told = format!("a whole number from {low} to {high} is allowed");
            for (value, allowed) in [
                (low, true),
                (high, true),
                (low - 1, false),
                (high + 1, false),
            ] {
                let form = format!("{name}={value}&_provide_code=true");
                let answer = Answer::of(app.request(method.clone(), path).form_body(&form)).await;
                assert_eq!(
                    answer.status == StatusCode::OK,
                    allowed,
                    "{form}: {}",
                    answer.text()
                );
                assert!(
                    allowed || answer.text().contains(&told),
                    "{form}: {}",
                    answer.text()
                );
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

#[tokio::test]
async fn who_has_it_need_not_be_sent_it_again() {
    let app = TestApp::on_memory().await;
    let first = Answer::of(app.get("/openapi.json")).await;
    assert_eq!(
        first.header("content-type"),
        "application/json;charset=utf-8"
    );
    assert_eq!(first.header("cache-control"), "no-cache");
    assert_eq!(first.header("pragma"), "");
    let tag = first.header("etag");
    // Another replica, another worker: the same version.
    let other = Answer::of(app.sibling(&[]).await.get("/openapi.json")).await;
    assert_eq!(other.header("etag"), tag);
    assert_eq!(other.body, first.body);
    for known in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let again = Answer::of(app.get("/openapi.json").header("If-None-Match", &known)).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!((again.text(), again.header("etag")), ("", tag));
        assert_eq!(again.header("cache-control"), "no-cache");
    }
    let changed = app.get("/openapi.json").header("If-None-Match", "\"x\"");
    assert_eq!(Answer::of(changed).await.body, first.body);
    let shorter = app.sibling(&[("limits.life_seconds", "60")]).await;
    assert_ne!(
        Answer::of(shorter.get("/openapi.json"))
            .await
            .header("etag"),
        tag
    );
}

#[tokio::test]
async fn its_examples_of_bodies_work_as_they_stand() {
    let app = TestApp::on_memory().await;
    let document = document(&app).await;
    let examples = "/paths/~1genesys~11~1service~1{service}/post/requestBody/content/application~1json/examples";
    let examples = document.pointer(examples).unwrap().as_object().unwrap();
    let mut id = String::new();
    for name in [
        "store",
        "request-interaction",
        "request-access",
        "match-interaction",
    ] {
        let example = examples[name]["value"].to_string();
        let body = example.replace("39a98e24-b03b-4191-b756-1efe8f3b16b8", &id);
        let path = format!("/genesys/1/service/{}", encode(name));
        let create = app
            .post(&path)
            .header("content-type", "application/json")
            .body(body);
        let answer = Answer::of(create).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
        if let Some(told) = answer.json()["_id"].as_str() {
            id = told.to_owned();
        }
    }
    assert_eq!(examples.len(), 4);
}
