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

/// Builds a request of a collection as Postman does, with these values of variables.
fn build(app: &TestApp, request: &Value, base_url: &str, id: &str) -> RequestBuilder {
    let mut url = base_url.to_owned();
    for segment in request["url"]["path"].as_array().unwrap() {
        let segment = segment.as_str().unwrap();
        let variables = request["url"]["variable"].as_array().unwrap();
        let value = segment.strip_prefix(':').map_or(segment, |name| {
            let variable = variables.iter().find(|variable| variable["key"] == name);
            let example = variable.unwrap()["value"].as_str().unwrap();
            if name == "id" { id } else { example }
        });
        url = format!("{url}/{value}");
    }
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let mut builder = app.client.request(method, url);
    for header in request["header"].as_array().unwrap() {
        let [name, value] = ["key", "value"].map(|member| header[member].as_str().unwrap());
        builder = builder.header(name, value.replace("{{apiKey}}", "k"));
    }
    if request["auth"]["type"] == "basic" {
        builder = builder.basic_auth("admin", Some(PASSWORD));
    }
    if let Some(body) = request["body"]["raw"].as_str() {
        builder = builder.body(body.to_owned());
    }
    builder
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
        assert_eq!(
            url["raw"],
            format!("{{{{baseUrl}}}}/{}", path.join("/")),
            "{name}"
        );
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
    assert_eq!(requests.len(), operations);
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
        let collection = pages.get(COLLECTION).await.json();
        let base_url = collection["variable"][0]["value"].as_str().unwrap();
        assert_eq!(base_url, app.url(""));
        let create = build(&app, request(&collection, "createService"), base_url, "");
        let created = TestResponse::send(create).await;
        assert_eq!(created.status, StatusCode::OK, "{}", created.text());
        let id = created.json()["_id"].as_str().unwrap().to_owned();
        let read = build(&app, request(&collection, "readStorage"), base_url, &id);
        let read = TestResponse::send(read).await;
        assert_eq!(read.status, StatusCode::OK, "{}", read.text());
        let list = build(
            &app,
            request(&collection, "listActiveServices"),
            base_url,
            "",
        );
        let listed = TestResponse::send(list).await;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.text());
        assert!(listed.text().contains(&id));
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
