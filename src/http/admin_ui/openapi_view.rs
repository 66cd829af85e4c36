//! The description of the API (`/openapi.json`), read for pages: so what they show is what is described.

use serde_json::{Map, Value};

/// An operation, as pages show it.
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
    /// Where it stands: `path`, `query` or `header`.
    pub(super) location: String,
    pub(super) required: bool,
    pub(super) description: String,
    pub(super) example: String,
    pub(super) schema: String,
}

/// What a request or an answer may carry.
pub(super) struct BodyView {
    pub(super) content_type: String,
    pub(super) schema: String,
    /// Each with what it is of.
    pub(super) examples: Vec<(String, String)>,
}

pub(super) struct ResponseView {
    pub(super) status: String,
    pub(super) description: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) bodies: Vec<BodyView>,
}

/// All operations of a document, in its order.
pub(super) fn operations(document: &Value) -> Vec<OperationView> {
    let mut operations = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            operations.push(OperationView::new(document, path, method, operation));
        }
    }
    operations
}

/// Name and text of each schema that others name.
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
        let answers = members(&operation["responses"]);
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
            responses: answers
                .map(|(status, one)| ResponseView::new(document, status, one))
                .collect(),
        }
    }

    /// The parameters in its path.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &ParameterView> {
        self.parameters.iter().filter(|one| one.location == "path")
    }

    /// The headers that it heeds.
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
    fn new(document: &Value, status: &str, answer: &Value) -> Self {
        let answer = resolve(document, answer);
        let headers = members(&answer["headers"]);
        let headers = headers.map(|(name, header)| {
            let header = resolve(document, header);
            (name.clone(), string_value(&header["description"]))
        });
        Self {
            status: status.to_owned(),
            description: string_value(&answer["description"]),
            headers: headers.collect(),
            bodies: bodies(document, &answer["content"]),
        }
    }
}

fn bodies(document: &Value, content: &Value) -> Vec<BodyView> {
    let bodies = members(content).map(|(kind, body)| {
        let examples = members(&body["examples"]).map(|(name, example)| {
            let example = resolve(document, example);
            let of = example["summary"].as_str().unwrap_or(name);
            (of.to_owned(), pretty_json(&example["value"]))
        });
        let single = body
            .get("example")
            .map(|example| ("example".to_owned(), pretty_json(example)));
        BodyView {
            content_type: kind.clone(),
            schema: pretty_json(&body["schema"]),
            examples: examples.chain(single).collect(),
        }
    });
    bodies.collect()
}

/// What a reference refers to; anything else is itself.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
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
