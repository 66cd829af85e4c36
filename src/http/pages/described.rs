//! The description of the API (`/openapi.json`), read for pages: so what they show is what is described.

use serde_json::{Map, Value};

/// An operation, as pages show it.
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) tag: String,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) bodies: Vec<Body>,
    pub(super) answers: Vec<Answer>,
}

pub(super) struct Parameter {
    pub(super) name: String,
    /// Where it stands: `path`, `query` or `header`.
    pub(super) place: String,
    pub(super) required: bool,
    pub(super) description: String,
    pub(super) example: String,
    pub(super) schema: String,
}

/// What a request or an answer may carry.
pub(super) struct Body {
    pub(super) kind: String,
    pub(super) schema: String,
    /// Each with what it is of.
    pub(super) examples: Vec<(String, String)>,
}

pub(super) struct Answer {
    pub(super) status: String,
    pub(super) description: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) bodies: Vec<Body>,
}

/// All operations of a document, in its order.
pub(super) fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            operations.push(Operation::of(document, path, method, operation));
        }
    }
    operations
}

/// Name and text of each schema that others name.
pub(super) fn schemas(document: &Value) -> Vec<(String, String)> {
    let schemas = members(&document["components"]["schemas"]);
    schemas
        .map(|(name, schema)| (name.clone(), pretty(schema)))
        .collect()
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let body = resolved(document, &operation["requestBody"]);
        let answers = members(&operation["responses"]);
        Self {
            id: text(&operation["operationId"]),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            tag: text(&operation["tags"][0]),
            summary: text(&operation["summary"]),
            description: text(&operation["description"]),
            parameters: parameters
                .map(|one| Parameter::of(resolved(document, one)))
                .collect(),
            bodies: bodies(document, &body["content"]),
            answers: answers
                .map(|(status, one)| Answer::of(document, status, one))
                .collect(),
        }
    }

    /// The parameters in its path.
    pub(super) fn places(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|one| one.place == "path")
    }

    /// The headers that it heeds.
    pub(super) fn headers(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|one| one.place == "header")
    }
}

impl Parameter {
    fn of(parameter: &Value) -> Self {
        Self {
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            required: parameter["required"] == true,
            description: text(&parameter["description"]),
            example: match &parameter["example"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            },
            schema: pretty(&parameter["schema"]),
        }
    }
}

impl Answer {
    fn of(document: &Value, status: &str, answer: &Value) -> Self {
        let answer = resolved(document, answer);
        let headers = members(&answer["headers"]);
        let headers = headers.map(|(name, header)| {
            let header = resolved(document, header);
            (name.clone(), text(&header["description"]))
        });
        Self {
            status: status.to_owned(),
            description: text(&answer["description"]),
            headers: headers.collect(),
            bodies: bodies(document, &answer["content"]),
        }
    }
}

fn bodies(document: &Value, content: &Value) -> Vec<Body> {
    let bodies = members(content).map(|(kind, body)| {
        let examples = members(&body["examples"]).map(|(name, example)| {
            let example = resolved(document, example);
            let of = example["summary"].as_str().unwrap_or(name);
            (of.to_owned(), pretty(&example["value"]))
        });
        let single = body
            .get("example")
            .map(|example| ("example".to_owned(), pretty(example)));
        Body {
            kind: kind.clone(),
            schema: pretty(&body["schema"]),
            examples: examples.chain(single).collect(),
        }
    });
    bodies.collect()
}

/// What a reference refers to; anything else is itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    let found = reference.and_then(|pointer| document.pointer(pointer));
    found.unwrap_or(value)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pretty(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
