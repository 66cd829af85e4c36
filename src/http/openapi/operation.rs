//! One operation of the document, said in the terms of the code: its route, what it takes, what it
//! answers, and which rows of the error table.

use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::errors::ErrorTable;

/// What every route of clients may answer beside its own errors: a path that is no text, a store that is
/// away, a fault of ours, and whatever is asked of callers.
const CLIENT_ERRORS: [&str; 6] = [
    "InvalidParameter",
    "Unauthorized",
    "Overloaded",
    "TooManyRequests",
    "StoreUnavailable",
    "Internal",
];

/// The same for every route of operators, but that not all of them take what can be malformed.
const ADMIN_ERRORS: [&str; 6] = [
    "Unauthorized",
    "Forbidden",
    "TooManyRequests",
    "Overloaded",
    "StoreUnavailable",
    "Internal",
];

/// What is asked of whom before a route.
enum SecurityScheme {
    Client,
    Admin,
}

/// A method of a path.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: Method,
    pub(super) exceptions: Vec<&'static str>,
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    security: Option<SecurityScheme>,
}

impl Operation {
    /// `path` as the route list has it, without the patterns of its places.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        (tag, id): (&str, &str),
        summary: &str,
    ) -> Self {
        let mut fields = Map::new();
        fields.insert("operationId".to_owned(), json!(id));
        fields.insert("summary".to_owned(), json!(summary));
        fields.insert("tags".to_owned(), json!([tag]));
        Self {
            path,
            method,
            exceptions: Vec::new(),
            fields,
            parameters: Vec::new(),
            responses: Map::new(),
            security: None,
        }
    }

    /// What there is to say beyond the summary.
    pub(super) fn description(mut self, description: &str) -> Self {
        self.fields
            .insert("description".to_owned(), json!(description));
        self
    }

    /// A route that the gate stands before.
    pub(super) fn client_auth(mut self) -> Self {
        self.security = Some(SecurityScheme::Client);
        self.errors(&CLIENT_ERRORS)
    }

    /// A route that the gate of the administration stands before.
    pub(super) fn admin_auth(mut self) -> Self {
        self.security = Some(SecurityScheme::Admin);
        self.errors(&ADMIN_ERRORS)
    }

    /// Takes these parameters.
    pub(super) fn parameters(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Takes this body.
    pub(super) fn request_body(mut self, body: Value) -> Self {
        self.fields.insert("requestBody".to_owned(), body);
        self
    }

    /// Answers with this, a response object.
    pub(super) fn response(mut self, status: StatusCode, response: Value) -> Self {
        self.responses.insert(status.as_str().to_owned(), response);
        self
    }

    /// May fail with these rows of the error table.
    pub(super) fn errors(mut self, exceptions: &[&'static str]) -> Self {
        self.exceptions.extend(exceptions);
        self
    }

    /// The operation object; `security` is what is asked of callers.
    pub(super) fn to_object(self, errors: &ErrorTable, security: &Value) -> Value {
        let mut fields = self.fields;
        let mut responses = self.responses;
        let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        for exception in self.exceptions {
            if let Some(status) = errors.status(exception) {
                by_status.entry(status).or_default().push(exception);
            }
        }
        for (status, exceptions) in by_status {
            responses.insert(status.to_string(), errors.response(&exceptions));
        }
        if !self.parameters.is_empty() {
            fields.insert("parameters".to_owned(), json!(self.parameters));
        }
        if let Some(gate) = self.security {
            let asked = match gate {
                SecurityScheme::Client => security.clone(),
                SecurityScheme::Admin => json!([{"operator": []}]),
            };
            fields.insert("security".to_owned(), asked);
        }
        fields.insert("responses".to_owned(), Value::Object(responses));
        Value::Object(fields)
    }
}
