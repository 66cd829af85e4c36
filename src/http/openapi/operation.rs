//! A builder for operations of the document: route, parameters, responses, and errors of the error table.

use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::errors::ErrorTable;

/// Errors of all client routes: a path that is not UTF-8, missing authentication, an unavailable store, and internal
/// errors.
const CLIENT_ERRORS: [&str; 6] = [
    "InvalidParameter",
    "Unauthorized",
    "Overloaded",
    "TooManyRequests",
    "StoreUnavailable",
    "Internal",
];

/// Errors of all admin routes. Some have no parameters, so `InvalidParameter` is not one of them.
const ADMIN_ERRORS: [&str; 6] = [
    "Unauthorized",
    "Forbidden",
    "TooManyRequests",
    "Overloaded",
    "StoreUnavailable",
    "Internal",
];

/// The authentication that a route requires.
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
    /// Creates an operation. `path` is the path of the route, without the patterns of its parameters.
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

    /// Sets the description.
    pub(super) fn description(mut self, description: &str) -> Self {
        self.fields
            .insert("description".to_owned(), json!(description));
        self
    }

    /// Requires client authentication.
    pub(super) fn client_auth(mut self) -> Self {
        self.security = Some(SecurityScheme::Client);
        self.errors(&CLIENT_ERRORS)
    }

    /// Requires admin authentication.
    pub(super) fn admin_auth(mut self) -> Self {
        self.security = Some(SecurityScheme::Admin);
        self.errors(&ADMIN_ERRORS)
    }

    /// Adds parameters.
    pub(super) fn parameters(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// Sets the request body.
    pub(super) fn request_body(mut self, body: Value) -> Self {
        self.fields.insert("requestBody".to_owned(), body);
        self
    }

    /// Adds a response object.
    pub(super) fn response(mut self, status: StatusCode, response: Value) -> Self {
        self.responses.insert(status.as_str().to_owned(), response);
        self
    }

    /// Adds errors of the error table.
    pub(super) fn errors(mut self, exceptions: &[&'static str]) -> Self {
        self.exceptions.extend(exceptions);
        self
    }

    /// The operation object; `security` has the security requirements of client routes.
    pub(super) fn into_object(self, errors: &ErrorTable, security: &Value) -> Value {
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
        if let Some(scheme) = self.security {
            let requirements = match scheme {
                SecurityScheme::Client => security.clone(),
                SecurityScheme::Admin => json!([{"admin": []}]),
            };
            fields.insert("security".to_owned(), requirements);
        }
        fields.insert("responses".to_owned(), Value::Object(responses));
        Value::Object(fields)
    }
}
