//! The operations and schemas of `/openapi.json`, as the pages show them.

use serde_json::{Map, Value};

/// An operation.
pub(super) struct OperationView {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) tag: String,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) parameters: Vec<ParameterView>,
    pub(super) bodies: Vec<BodyView>,
    pub(super) responses: Vec<ResponseView>,
}

pub(super) struct ParameterView {
    pub(super) name: String,
    /// `path`, `query` or `header`.
    pub(super) location: String,
    pub(super) required: bool,
    pub(super) description: String,
    pub(super) example: String,
    pub(super) schema: String,
}

/// A body of a request or a response.
pub(super) struct BodyView {
    pub(super) content_type: String,
    pub(super) schema: String,
    /// Title and content of each example.
    pub(super) examples: Vec<(String, String)>,
}

pub(super) struct ResponseView {
    pub(super) status: String,
    pub(super) description: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) bodies: Vec<BodyView>,
}

/// All operations of a document, in document order.
pub(super) fn operations(document: &Value) -> Vec<OperationView> {
    let mut operations = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            operations.push(OperationView::new(document, path, method, operation));
        }
    }
    operations
}

/// Name and content of each schema in `components`.
pub(super) fn schemas(document: &Value) -> Vec<(String, String)> {
    let schemas = members(&document["components"]["schemas"]);
    schemas
        .map(|(name, schema)| (name.clone(), pretty_json(schema)))
        .collect()
}

impl OperationView {
    fn new(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let body = resolve(document, &operation["requestBody"]);
        let responses = members(&operation["responses"]);
        Self {
            id: string_value(&operation["operationId"]),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            tag: string_value(&operation["tags"][0]),
            summary: string_value(&operation["summary"]),
            description: string_value(&operation["description"]),
            parameters: parameters
                .map(|one| ParameterView::new(resolve(document, one)))
                .collect(),
            bodies: bodies(document, &body["content"]),
            responses: responses
                .map(|(status, one)| ResponseView::new(document, status, one))
                .collect(),
        }
    }

    /// The path parameters.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &ParameterView> {
        self.parameters.iter().filter(|one| one.location == "path")
    }

    /// The header parameters.
    pub(super) fn header_parameters(&self) -> impl Iterator<Item = &ParameterView> {
        self.parameters
            .iter()
            .filter(|one| one.location == "header")
    }
}

impl ParameterView {
    fn new(parameter: &Value) -> Self {
        Self {
            name: string_value(&parameter["name"]),
            location: string_value(&parameter["in"]),
            required: parameter["required"] == true,
            description: string_value(&parameter["description"]),
            example: match &parameter["example"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            },
            schema: pretty_json(&parameter["schema"]),
        }
    }
}

impl ResponseView {
    fn new(document: &Value, status: &str, response: &Value) -> Self {
        let response = resolve(document, response);
        let headers = members(&response["headers"]);
        let headers = headers.map(|(name, header)| {
            let header = resolve(document, header);
            (name.clone(), string_value(&header["description"]))
        });
        Self {
            status: status.to_owned(),
            description: string_value(&response["description"]),
            headers: headers.collect(),
            bodies: bodies(document, &response["content"]),
        }
    }
}

fn bodies(document: &Value, content: &Value) -> Vec<BodyView> {
    let bodies = members(content).map(|(content_type, body)| {
        let examples = members(&body["examples"]).map(|(name, example)| {
            let example = resolve(document, example);
            let title = example["summary"].as_str().unwrap_or(name);
            (title.to_owned(), pretty_json(&example["value"]))
        });
        let single = body
            .get("example")
            .map(|example| ("example".to_owned(), pretty_json(example)));
        BodyView {
            content_type: content_type.clone(),
            schema: pretty_json(&body["schema"]),
            examples: examples.chain(single).collect(),
        }
    });
    bodies.collect()
}

/// Resolves a `$ref`; other values are returned unchanged.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|uri| uri.strip_prefix('#'));
    let found = reference.and_then(|pointer| document.pointer(pointer));
    found.unwrap_or(value)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn string_value(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pretty_json(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
