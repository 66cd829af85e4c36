//! `GET /openapi.json`: the OpenAPI 3.1 description of the API.
//!
//! A [`Document`] is created once for each listener and describes the routes of that listener. It is assembled from
//! the code: errors from the error table ([`errors`]), limits from the settings, schemas that are declared next to
//! their types. A derive macro has little to derive from: all fields share one body reader, options are text in any
//! notation, and most responses are maps of strings. Tests compare its paths and methods with the routes
//! (`tests/it/api/openapi.rs`), and responses with its descriptions.
//!
//! A group of routes is a file with a function `operations`; [`ApiSurface::operations`] lists them.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH, PRAGMA},
    },
    web::{Bytes, Data},
};
use serde_json::{Map, Value, json};

use self::{errors::ErrorTable, operation::Operation};
use super::{ApiError, ListenerConfig, client_api::services as client_services, etag, response};
use crate::{
    model::stable_hash,
    settings::{Limits, RouteGroups, Settings, VERSION},
};

mod admin;
mod components;
mod errors;
mod health;
mod operation;
mod services;
mod storage;

const INTRODUCTION: &str = "\
A service is created from a configured service. It stores strings and binaries until it expires, and the routing \
side finds them when a call arrives.

All errors have the same JSON format; the member `exception` is present in errors only. In addition to the errors \
of each operation, paths without a route return `NotFound` (404), and methods that a route does not have return \
`MethodNotAllowed` (405, with `Allow`). `HEAD` is supported wherever `GET` does not create a service. Responses \
must not be cached (`Cache-Control: no-cache, no-store`), except this document. The headers `traceparent` and \
`x-request-id` are passed on to backends; headers that are not listed are ignored.";

/// Caches must revalidate the document.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// The OpenAPI document of a listener.
pub struct Document {
    text: Bytes,
    tag: HeaderValue,
}

/// `GET /openapi.json`
pub(super) async fn get_openapi(document: Data<Document>, request: HttpRequest) -> HttpResponse {
    let tag = document.tag.to_str().unwrap_or_default();
    let mut response = if etag::matches_weak(&request, &IF_NONE_MATCH, tag) {
        response::without_body(StatusCode::NOT_MODIFIED).finish()
    } else {
        response::json(document.text.clone())
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, document.tag.clone());
    headers.insert(CACHE_CONTROL, REVALIDATE);
    headers.remove(PRAGMA);
    response
}

impl Document {
    /// Creates the document of `listener`.
    #[must_use]
    pub fn new(listener: &ListenerConfig, settings: &Settings) -> Self {
        let surface = ApiSurface {
            groups: listener.groups,
            limits: &settings.limits,
            metrics_enabled: listener.telemetry.has_metrics(),
            admin_enabled: listener.groups.admin && listener.admin_enabled,
        };
        let errors = ErrorTable::new(settings.api.unreadable_json_status);
        let security = client_security(!settings.auth.api_keys.is_empty());
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Switchboard Service API",
                "version": VERSION,
                "description": surface.introduction(),
                "license": {"name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "paths": paths(surface.operations(), &errors, &security),
            "components": {
                "schemas": surface.schemas(),
                "headers": surface.headers(),
                "responses": errors.responses(),
                "examples": errors.examples(),
                "securitySchemes": surface.security_schemes(),
            },
        });
        let text = document.to_string();
        let tag = format!("\"{:016x}\"", stable_hash(text.as_bytes()));
        Self {
            text: text.into(),
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    /// The document as JSON.
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

/// The routes that a listener serves.
struct ApiSurface<'a> {
    groups: RouteGroups,
    limits: &'a Limits,
    /// Whether it serves `/metrics`.
    metrics_enabled: bool,
    /// Whether it serves the admin API.
    admin_enabled: bool,
}

impl ApiSurface<'_> {
    fn introduction(&self) -> String {
        if self.admin_enabled {
            [INTRODUCTION, admin::INTRODUCTION].join("\n\n")
        } else {
            INTRODUCTION.to_owned()
        }
    }

    fn operations(&self) -> Vec<Operation> {
        let (groups, limits) = (self.groups, self.limits);
        let mut operations = services::operations(groups, limits);
        operations.extend(storage::operations(groups, limits));
        operations.extend(health::operations(groups, self.metrics_enabled));
        if self.admin_enabled {
            operations.extend(admin::operations(limits));
        }
        operations
    }

    fn schemas(&self) -> Value {
        let mut schemas = json!({
            "Error": ApiError::schema(),
            "Service": client_services::service_schema(),
            "Created": services::created_schema(),
            "Strings": components::strings_schema(),
        });
        if self.admin_enabled {
            for (name, schema) in admin::schemas(self.limits) {
                schemas[name] = schema;
            }
        }
        schemas
    }

    fn headers(&self) -> Value {
        let headers = self.admin_enabled.then(admin::headers);
        Value::Object(headers.unwrap_or_default())
    }

    fn security_schemes(&self) -> Value {
        let mut schemes = client_security_schemes();
        if self.admin_enabled {
            schemes["admin"] = admin::security_scheme();
        }
        schemes
    }
}

fn paths(operations: Vec<Operation>, errors: &ErrorTable, security: &Value) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let method = operation.method.as_str().to_ascii_lowercase();
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[method] = operation.into_object(errors, security);
    }
    Value::Object(paths)
}

/// The security requirements of client routes: an API key if any are configured, and optionally the credentials of
/// the configured service, which depend on the catalog.
fn client_security(has_api_keys: bool) -> Value {
    if has_api_keys {
        json!([
            {"apiKey": []}, {"apiKeyShort": []},
            {"apiKey": [], "basic": []}, {"apiKeyShort": [], "basic": []},
        ])
    } else {
        json!([{}, {"basic": []}])
    }
}

fn client_security_schemes() -> Value {
    json!({
        "basic": {
            "type": "http", "scheme": "basic",
            "description": "Required by configured services that have a user name and a password, and by \
                            the services created from them",
        },
        "apiKey": {
            "type": "apiKey", "in": "header", "name": "x-api-key",
            "description": "Required by all requests of clients if API keys are configured",
        },
        "apiKeyShort": {
            "type": "apiKey", "in": "header", "name": "apikey",
            "description": "Alternative header for the API key",
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn operations_list_each_error_once() {
        let errors = ErrorTable::new(500);
        let limits = Settings::defaults().unwrap().limits;
        for (client, matching) in [(true, true), (true, false), (false, true)] {
            let surface = ApiSurface {
                groups: RouteGroups {
                    client,
                    matching,
                    admin: true,
                },
                limits: &limits,
                metrics_enabled: true,
                admin_enabled: true,
            };
            for operation in surface.operations() {
                let (path, exceptions) = (operation.path, &operation.exceptions);
                let unknown = exceptions.iter().find(|name| errors.status(name).is_none());
                assert_eq!(unknown, None, "{path}");
                let distinct: BTreeSet<_> = exceptions.iter().collect();
                assert_eq!(distinct.len(), exceptions.len(), "{path}: {exceptions:?}");
            }
        }
    }
}
