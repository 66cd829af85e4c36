//! The names in the OpenAPI document, which generators use for modules and functions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{document, operations, start_with_all_routes};

/// The first words of operation ids.
const VERBS: [&str; 26] = [
    "clear",
    "create",
    "delete",
    "end",
    "exchange",
    "explain",
    "export",
    "get",
    "head",
    "join",
    "leave",
    "list",
    "merge",
    "put",
    "quarantine",
    "read",
    "receive",
    "release",
    "replace",
    "resend",
    "restore",
    "resume",
    "send",
    "set",
    "stream",
    "write",
];

/// Whether an operation id is a verb and a noun in camel case.
fn is_verb_and_noun(id: &str) -> bool {
    let is_alphanumeric = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let end = id.find(|character: char| !character.is_ascii_lowercase());
    let verb = end.map(|end| &id[..end]);
    is_alphanumeric && verb.is_some_and(|verb| VERBS.contains(&verb))
}

/// The operations of the events that webhooks receive.
fn webhook_operations(document: &Value) -> Vec<&Value> {
    let webhooks = document["webhooks"].as_object().unwrap().values();
    webhooks.map(|item| &item["post"]).collect()
}

#[tokio::test]
async fn operation_ids_are_a_verb_and_a_noun() {
    let document = document(&start_with_all_routes().await).await;
    let webhooks = webhook_operations(&document);
    let paths = operations(&document).into_iter();
    let all = paths.map(|(_, operation)| operation).chain(webhooks);
    let mut ids = BTreeSet::new();
    for operation in all {
        let id = operation["operationId"].as_str().unwrap();
        assert!(is_verb_and_noun(id), "{id}");
        assert!(ids.insert(id), "{id} twice");
        let description = operation["description"].as_str().unwrap();
        assert!(!description.is_empty(), "{id}");
    }
    assert!(ids.contains("createService") && ids.contains("receiveServiceExpirationUpdated"));
}

#[tokio::test]
async fn tags_are_those_of_operations_in_the_order_of_use() {
    let document = document(&start_with_all_routes().await).await;
    let webhooks = webhook_operations(&document);
    assert!(!webhooks.is_empty());
    let paths = operations(&document).into_iter();
    let all = paths.map(|(_, operation)| operation).chain(webhooks);
    let used: BTreeSet<&str> = all
        .map(|operation| operation["tags"][0].as_str().unwrap())
        .collect();
    let declared = document["tags"].as_array().unwrap();
    let names: Vec<&str> = declared
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().copied().collect::<BTreeSet<_>>(), used);
    assert_eq!(names.len(), used.len(), "a tag twice: {names:?}");
    assert_eq!(names[..3], ["services", "storage", "binaries"]);
    assert_eq!(names.last(), Some(&"health"));
    assert!(declared.iter().all(|tag| tag["description"].is_string()));
}

#[tokio::test]
async fn operations_without_credentials_are_declared_public() {
    let document = document(&start_with_all_routes().await).await;
    for (operation, object) in operations(&document) {
        let is_probe = object["tags"] == json!(["health"]);
        assert_eq!(object["security"] == json!([]), is_probe, "{operation}");
    }
    let mut webhooks = webhook_operations(&document).into_iter();
    assert!(webhooks.all(|operation| operation["security"] == json!([])));
}
