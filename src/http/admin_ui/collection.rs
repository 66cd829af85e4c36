//! `collection.json` of the page *API reference*: the operations of the listener as a Postman collection 2.1, which Bruno
//! imports too.

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_DISPOSITION, HeaderValue},
    web::Data,
};
use serde_json::{Value, json};

use super::{
    PageResult,
    request_example::{Credentials, RequestExample},
    signed_in::SignedIn,
};
use crate::http::{
    AppState, Document,
    openapi::{
        TITLE,
        lookup::{DocumentedOperation, by_tag, parameter_example},
    },
    public_address::base_url,
    response,
};

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
const FILE_NAME: HeaderValue =
    HeaderValue::from_static("attachment; filename=\"switchboard.postman_collection.json\"");

/// `GET /genesys/1/admin/ui/api/collection.json`
pub(super) async fn get_collection(
    state: Data<AppState>,
    document: Data<Document>,
    request: HttpRequest,
    _session: SignedIn,
) -> PageResult {
    let base_url = base_url(&request, &state.trusted_proxies);
    let collection = collection(&document.operations(), &base_url);
    let mut response = response::json(collection.to_string());
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, FILE_NAME);
    Ok(response)
}

/// The collection of these operations, which are sorted by tag. Credentials are variables without values.
fn collection(operations: &[DocumentedOperation<'_>], base_url: &str) -> Value {
    let folders = by_tag(operations).map(|(name, folder)| {
        let items: Vec<Value> = folder.iter().map(item).collect();
        json!({"name": name, "item": items})
    });
    let variables = [
        ("baseUrl", base_url),
        ("username", ""),
        ("password", ""),
        ("apiKey", ""),
    ];
    let variables = variables.map(|(key, value)| json!({"key": key, "value": value}));
    json!({
        "info": {"name": TITLE, "schema": SCHEMA},
        "item": folders.collect::<Vec<_>>(),
        "variable": variables,
    })
}

/// The request of an operation, with the examples of the description.
fn item(operation: &DocumentedOperation<'_>) -> Value {
    let path = operation.path.replace('{', ":").replace('}', "");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let variables = operation.path_parameters().into_iter().map(|parameter| {
        json!({
            "key": parameter.name,
            "value": parameter_example(parameter),
            "description": parameter.description,
        })
    });
    let mut request = json!({
        "method": operation.method,
        "header": [],
        "description": operation.description(),
        "url": {
            "raw": format!("{{{{baseUrl}}}}{path}"),
            "host": ["{{baseUrl}}"],
            "path": segments,
            "variable": variables.collect::<Vec<_>>(),
        },
    });
    let example = RequestExample::new(operation);
    let mut headers = Vec::new();
    if let Some((content_type, body)) = example.body {
        headers.push(json!({"key": "Content-Type", "value": content_type}));
        request["body"] = json!({"mode": "raw", "raw": body});
    }
    for credentials in example.credentials {
        match credentials {
            Credentials::ApiKey => {
                headers.push(json!({"key": "x-api-key", "value": "{{apiKey}}"}));
            }
            Credentials::Basic => request["auth"] = basic_auth(),
        }
    }
    request["header"] = Value::Array(headers);
    json!({"name": operation.id(), "request": request})
}

fn basic_auth() -> Value {
    let parameters = ["username", "password"].map(|name| {
        let value = format!("{{{{{name}}}}}");
        json!({"key": name, "value": value, "type": "string"})
    });
    json!({"type": "basic", "basic": parameters})
}
