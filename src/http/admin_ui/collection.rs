//! `collection.json` of the page *API reference*: the operations of the listener as a Postman collection 2.1, which Bruno
//! imports too.

use std::collections::HashMap;

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_DISPOSITION, HeaderValue},
    web::Data,
};
use serde_json::{Value, json};
use utoipa::openapi::Required;

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
    ("key", "language"),
    ("file", EXAMPLE_FILE),
    ("definition", "call-us"),
    ("group", "sales"),
    ("number", "+1 800 555 0201"),
    ("booking", "b1"),
    ("webhook", "services/shop"),
];
/// The operation whose requests store the id of the created service in the variable `serviceId`.
const CREATE: &str = "createService";
const STORE_ID: &str = "const { _id } = pm.response.code < 300 ? pm.response.json() : {};\n\
                        if (_id) pm.collectionVariables.set(\"serviceId\", _id);";
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

/// The collection of these operations, which are sorted by tag, with the variables that they use. Credentials are
/// variables without values.
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
    let folders: Value = folders.collect();
    let text = folders.to_string();
    let variables = variables.chain(shared);
    let variables = variables.filter(|(key, _)| text.contains(&reference(key)));
    let variables = variables.map(|(key, value)| json!({"key": key, "value": value}));
    json!({
        "info": {"name": TITLE, "schema": SCHEMA},
        "item": folders,
        "variable": variables.collect::<Vec<_>>(),
    })
}

/// The requests of an operation.
fn items(operation: &DocumentedOperation<'_>) -> Vec<Value> {
    let with_file = RequestExample::with_file(operation);
    let with_file = with_file.map(|example| (format!("{} with a file", operation.id()), example));
    let first = (operation.id().to_owned(), RequestExample::new(operation));
    let items = [first].into_iter().chain(with_file);
    let items = items.map(|(name, example)| {
        let mut item = json!({"name": name, "request": request(operation, example)});
        if operation.id() == CREATE {
            let script =
                json!({"type": "text/javascript", "exec": STORE_ID.lines().collect::<Vec<_>>()});
            item["event"] = json!([{"listen": "test", "script": script}]);
        }
        item
    });
    items.collect()
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
                headers.push(json!({"key": "x-api-key", "value": reference("apiKey")}));
            }
            Credentials::Basic => request["auth"] = basic_auth(),
        }
    }
    request["header"] = Value::Array(headers);
    request
}

/// The URL. Only query parameters that are required are enabled.
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
    let mut raw = format!("{}{path}", reference("baseUrl"));
    let mut query = Vec::new();
    for parameter in operation.query_parameters() {
        let (name, value) = (&parameter.name, parameter_example(parameter));
        let (value, is_required) = (percent_encode(&value), parameter.required == Required::True);
        if is_required {
            // Bruno reads the enabled parameters from this text.
            raw.push(if raw.contains('?') { '&' } else { '?' });
            raw.push_str(&format!("{name}={value}"));
        }
        query.push(json!({
            "key": name,
            "value": value,
            "description": parameter.description,
            "disabled": !is_required,
        }));
    }
    json!({
        "raw": raw,
        "host": [reference("baseUrl")],
        "path": segments,
        "query": query,
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
    variable.map_or_else(|| percent_encode(example), |(name, _)| reference(name))
}

/// The text that stands for the value of a variable.
fn reference(variable: &str) -> String {
    format!("{{{{{variable}}}}}")
}

fn basic_auth() -> Value {
    let parameters = ["username", "password"]
        .map(|name| json!({"key": name, "value": reference(name), "type": "string"}));
    json!({"type": "basic", "basic": parameters})
}
