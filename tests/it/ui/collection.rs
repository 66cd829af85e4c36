//! The Postman collection of the page *API reference*.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

use super::fixture::AdminSession;
use crate::{
    api::admin::fixture::{ADMIN_SETTINGS, PASSWORD},
    support::{TestApp, TestResponse, random_prefix},
};

/// The path below the home page.
const COLLECTION: &str = "/api/collection.json";

/// The requests of a collection, with their names.
fn requests(collection: &Value) -> Vec<(&str, &Value)> {
    let folders = collection["item"].as_array().unwrap().iter();
    let items = folders.flat_map(|folder| folder["item"].as_array().unwrap());
    items
        .map(|item| (item["name"].as_str().unwrap(), &item["request"]))
        .collect()
}

fn request<'a>(collection: &'a Value, name: &str) -> &'a Value {
    let mut requests = requests(collection).into_iter();
    requests.find(|(other, _)| *other == name).unwrap().1
}

/// Replaces the variables of a collection in a text.
fn with_variables(collection: &Value, text: &str) -> String {
    let variables = collection["variable"].as_array().unwrap().iter();
    let text = text.replace("{{$guid}}", &random_prefix());
    let text = text.replace("{{apiKey}}", "k");
    variables.fold(text, |text, variable| {
        let [key, value] = ["key", "value"].map(|member| variable[member].as_str().unwrap());
        text.replace(&format!("{{{{{key}}}}}"), value)
    })
}

/// The entries of a list that are not disabled, as names and values.
fn enabled(list: &Value) -> Vec<(&str, &str)> {
    let entries = list.as_array().unwrap().iter();
    let entries = entries.filter(|entry| entry["disabled"] != true);
    entries
        .map(|entry| {
            (
                entry["key"].as_str().unwrap(),
                entry["value"].as_str().unwrap(),
            )
        })
        .collect()
}

/// Builds a request of a collection as Postman does.
fn build(app: &TestApp, collection: &Value, name: &str) -> RequestBuilder {
    let request = request(collection, name);
    let mut url = with_variables(collection, request["url"]["host"][0].as_str().unwrap());
    for segment in request["url"]["path"].as_array().unwrap() {
        let segment = segment.as_str().unwrap();
        let variables = request["url"]["variable"].as_array().unwrap();
        let value = segment.strip_prefix(':').map_or(segment, |name| {
            let variable = variables.iter().find(|variable| variable["key"] == name);
            variable.unwrap()["value"].as_str().unwrap()
        });
        url = format!("{url}/{}", with_variables(collection, value));
    }
    for (index, (name, value)) in enabled(&request["url"]["query"]).into_iter().enumerate() {
        let separator = if index == 0 { '?' } else { '&' };
        url = format!("{url}{separator}{name}={value}");
    }
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let mut builder = app.client.request(method, url);
    for (name, value) in enabled(&request["header"]) {
        builder = builder.header(name, with_variables(collection, value));
    }
    if request["auth"]["type"] == "basic" {
        builder = builder.basic_auth("admin", Some(PASSWORD));
    }
    if let Some(body) = request["body"]["raw"].as_str() {
        builder = builder.body(with_variables(collection, body));
    }
    builder
}

/// Sets the value of a variable, as a user of the collection does.
fn set_variable(collection: &mut Value, name: &str, value: &str) {
    let variables = collection["variable"].as_array_mut().unwrap();
    let mut named = variables
        .iter_mut()
        .filter(|variable| variable["key"] == name);
    named.next().unwrap()["value"] = value.into();
}

#[tokio::test]
async fn collection_contains_every_operation() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let pages = AdminSession::sign_in(&app).await;
    let response = pages.get(COLLECTION).await;
    assert_eq!(response.status, StatusCode::OK);
    assert!(
        response
            .header("content-disposition")
            .contains("postman_collection.json")
    );
    let collection = response.json();
    let schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
    assert_eq!(collection["info"]["schema"], schema);
    let requests = requests(&collection);
    for (name, request) in &requests {
        let url = &request["url"];
        let path: Vec<&str> = url["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|segment| segment.as_str().unwrap())
            .collect();
        let query = enabled(&url["query"]).into_iter();
        let query: Vec<String> = query
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = query.join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        let raw = format!("{{{{baseUrl}}}}/{}{separator}{query}", path.join("/"));
        assert_eq!(url["raw"], raw, "{name}");
        let variables = path
            .iter()
            .filter(|segment| segment.starts_with(':'))
            .count();
        assert_eq!(
            url["variable"].as_array().unwrap().len(),
            variables,
            "{name}"
        );
        let is_admin =
            url["raw"].as_str().unwrap().contains("/1/admin/") && *name != "getNodeStatus";
        assert_eq!(request["auth"]["type"] == "basic", is_admin, "{name}");
    }
    let document = TestResponse::send(app.get("/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|path| path.as_object().unwrap().len()).sum();
    let with_file = requests.iter().filter(|(_, request)| {
        let parts = request["body"]["formdata"].as_array();
        parts.is_some_and(|parts| parts.iter().any(|part| part["type"] == "file"))
    });
    let with_file = with_file.count();
    assert!(with_file > 3, "{with_file}");
    assert_eq!(requests.len(), operations + with_file);
    let tags = document["tags"].as_array().unwrap().iter();
    let tags: Vec<&Value> = tags.map(|tag| &tag["name"]).collect();
    let folders: Vec<&Value> = collection["item"]
        .as_array()
        .unwrap()
        .iter()
        .map(|folder| &folder["name"])
        .collect();
    assert_eq!(folders, tags);
}

#[tokio::test]
async fn requests_of_the_collection_are_accepted() {
    for settings in [
        vec![ADMIN_SETTINGS[0]],
        vec![ADMIN_SETTINGS[0], ("auth.api_keys", "k")],
    ] {
        let app = TestApp::start(None, &random_prefix(), &settings).await;
        let pages = AdminSession::sign_in(&app).await;
        let mut collection = pages.get(COLLECTION).await.json();
        let base_url = collection["variable"][0]["value"].as_str().unwrap();
        assert_eq!(base_url, app.url(""));
        let send = async |collection: &Value, name: &str| {
            let response = TestResponse::send(build(&app, collection, name)).await;
            assert!(response.status.is_success(), "{name}: {}", response.text());
            response
        };
        let uses_key = collection["variable"].to_string().contains("apiKey");
        assert_eq!(uses_key, settings.len() > 1);
        let created = send(&collection, "createService").await;
        let id = created.json()["_id"].as_str().unwrap().to_owned();
        // Another key creates another service.
        let other = send(&collection, "createService").await;
        assert_ne!(other.json()["_id"], id);
        set_variable(&mut collection, "serviceId", &id);
        send(&collection, "readStorage").await;
        send(&collection, "setExpiration").await;
        let listed = send(&collection, "listActiveServices").await;
        assert!(listed.text().contains(&id));
        send(&collection, "readKey").await;
        send(&collection, "putGroup").await;
        send(&collection, "putConfiguredService").await;
        send(&collection, "deleteActiveService").await;
        send(&collection, "writeCustomStorageArea").await;
        send(&collection, "deleteStorageArea").await;
    }
}

#[tokio::test]
async fn collection_requires_a_session() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let pages = AdminSession::sign_in(&app).await;
    let request = pages.unauthenticated_request(Method::GET, COLLECTION);
    assert_eq!(
        TestResponse::send(request).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn requests_share_the_variables_of_their_ids() {
    let app = TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await;
    let pages = AdminSession::sign_in(&app).await;
    let collection = pages.get(COLLECTION).await.json();
    let text = collection["item"].to_string();
    for variable in &collection["variable"].as_array().unwrap()[3..] {
        let [name, value] = ["key", "value"].map(|member| variable[member].as_str().unwrap());
        let uses = text.matches(&format!("{{{{{name}}}}}")).count();
        assert!(uses > 0, "{name}");
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(value.bytes().all(is_valid), "{name}: {value}");
    }
    let id = "39a98e24-b03b-4191-b756-1efe8f3b16b8";
    assert!(!text.contains(id), "{id} in a request");
    for (name, request) in requests(&collection) {
        for variable in request["url"]["variable"].as_array().unwrap() {
            assert_ne!(variable["value"], "", "{name}");
        }
    }
}
