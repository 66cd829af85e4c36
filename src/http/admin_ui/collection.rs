//! `collection.json` of the page *API reference*: the operations of the listener as a Postman collection 2.1, which Bruno
//! imports too.

use std::collections::HashMap;

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_DISPOSITION, HeaderValue},
    web::Data,
};
use serde_json::{Value, json};

use super::{
    PageResult, percent_encode,
    request_example::{Credentials, HeaderExample, RequestBody, RequestExample},
    signed_in::SignedIn,
};
use crate::http::{
    AppState, Document,
    openapi::{
        TITLE,
        fields::EXAMPLE_FILE,
        lookup::{DocumentedOperation, by_tag, parameter_example},
        parameters::EXAMPLE_ID,
    },
    public_address::base_url,
    response,
};

/// The variables for examples of path parameters, so that one change applies to all requests. Their values are
/// percent-encoded.
const SHARED: [(&str, &str); 10] = [
    ("serviceId", EXAMPLE_ID),
    ("serviceName", "store"),
    ("storageAreaId", "session4711"),
    ("key", "Key1"),
    ("file", EXAMPLE_FILE),
    ("definition", "call-us"),
    ("group", "sales"),
    ("number", "+1 800 555 0201"),
    ("booking", "b1"),
    ("webhook", "services/shop"),
];
/// A dynamic variable with a random UUID.
const RANDOM: &str = "{{$guid}}";

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
        let items: Vec<Value> = folder.iter().flat_map(items).collect();
        json!({"name": name, "item": items})
    });
    let variables = [
        ("baseUrl", base_url),
        ("username", ""),
        ("password", ""),
        ("apiKey", ""),
    ];
    let variables = variables
        .into_iter()
        .map(|(key, value)| (key, value.to_owned()));
    let shared = SHARED.map(|(key, value)| (key, percent_encode(value)));
    let variables = variables.chain(shared);
    let variables = variables.map(|(key, value)| json!({"key": key, "value": value}));
    json!({
        "info": {"name": TITLE, "schema": SCHEMA},
        "item": folders.collect::<Vec<_>>(),
        "variable": variables.collect::<Vec<_>>(),
    })
}

/// The requests of an operation.
fn items(operation: &DocumentedOperation<'_>) -> Vec<Value> {
    let mut items = vec![json!({
        "name": operation.id(),
        "request": request(operation, RequestExample::new(operation)),
    })];
    if let Some(example) = RequestExample::with_file(operation) {
        items.push(json!({
            "name": format!("{} with a file", operation.id()),
            "request": request(operation, example),
        }));
    }
    items
}

/// The request of an operation, with the examples of the description.
fn request(operation: &DocumentedOperation<'_>, example: RequestExample<'_>) -> Value {
    let mut headers = headers(operation, example.headers);
    let mut request = json!({
        "method": operation.method,
        "description": operation.description(),
        "url": url(operation),
    });
    match example.body {
        RequestBody::None => {}
        RequestBody::Text { content_type, text } => {
            headers.push(json!({"key": "Content-Type", "value": content_type}));
            let text = text.replace(EXAMPLE_ID, &shared_value(EXAMPLE_ID));
            request["body"] = json!({"mode": "raw", "raw": text});
        }
        RequestBody::Multipart(fields) => {
            let fields = fields.into_iter();
            let texts =
                fields.map(|(key, value)| json!({"key": key, "value": value, "type": "text"}));
            let file = json!({"key": EXAMPLE_FILE, "src": EXAMPLE_FILE, "type": "file"});
            let parts: Vec<Value> = texts.chain([file]).collect();
            request["body"] = json!({"mode": "formdata", "formdata": parts});
        }
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
    request
}

/// The URL. Query parameters without an example are disabled.
fn url(operation: &DocumentedOperation<'_>) -> Value {
    let path = operation.path.replace('{', ":").replace('}', "");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let variables = operation.path_parameters().into_iter().map(|parameter| {
        json!({
            "key": parameter.name,
            "value": shared_value(&parameter_example(parameter)),
            "description": parameter.description,
        })
    });
    let query = operation.query_parameters().into_iter().map(|parameter| {
        let example = parameter_example(parameter);
        json!({
            "key": parameter.name,
            "value": percent_encode(&example),
            "description": parameter.description,
            "disabled": example.is_empty(),
        })
    });
    json!({
        "raw": format!("{{{{baseUrl}}}}{path}"),
        "host": ["{{baseUrl}}"],
        "path": segments,
        "query": query.collect::<Vec<_>>(),
        "variable": variables.collect::<Vec<_>>(),
    })
}

/// The headers of the operation. Those without an example are disabled.
fn headers(
    operation: &DocumentedOperation<'_>,
    examples: Vec<(&str, HeaderExample)>,
) -> Vec<Value> {
    let examples: HashMap<&str, HeaderExample> = examples.into_iter().collect();
    let headers = operation.header_parameters().into_iter().map(|parameter| {
        let value = match examples.get(parameter.name.as_str()) {
            Some(HeaderExample::Text(text)) => text,
            Some(HeaderExample::Random) => RANDOM,
            None => "",
        };
        json!({
            "key": parameter.name,
            "value": value,
            "description": parameter.description,
            "disabled": value.is_empty(),
        })
    });
    headers.collect()
}

/// The value of a path parameter: the variable with this example, or the example.
fn shared_value(example: &str) -> String {
    let variable = SHARED.iter().find(|(_, value)| *value == example);
    variable.map_or_else(
        || percent_encode(example),
        |(name, _)| format!("{{{{{name}}}}}"),
    )
}

fn basic_auth() -> Value {
    let parameters = ["username", "password"].map(|name| {
        let value = format!("{{{{{name}}}}}");
        json!({"key": name, "value": value, "type": "string"})
    });
    json!({"type": "basic", "basic": parameters})
}
