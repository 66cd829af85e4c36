//! `GET /openapi.json`: the API told in OpenAPI 3.1, by the program itself.
//!
//! A [`Document`] is made once for each listener, and tells what that listener serves. It is put together
//! by hand from what the code has: errors from the one error table ([`errors`]), limits from the settings,
//! schemas that stand beside their types. A derive crate would have little to derive from: there is one body
//! reader for all pairs, options are text however they are written, and most answers are pairs of strings.
//! That its paths and methods are those of the route list is tested (`tests/it/openapi.rs`), and that the
//! service answers as it says, too.
//!
//! A group of routes is one file with one function `operations`; a new one is listed in [`Served::operations`].

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
use super::{ApiError, ListenerConfig, etag, response, services as told};
use crate::{
    settings::{Limits, RouteGroups, Settings, VERSION},
    store::stable_hash,
};

mod admin;
mod components;
mod errors;
mod health;
mod operation;
mod services;
mod storage;

const INTRODUCTION: &str = "\
Services are created from configured ones, keep key/value and binary data for as long as they live, and let \
the routing side find that data when a call arrives.

Every error, from whichever layer, has one shape; `exception` is the sign of failure. Beside those that each \
operation lists, `NotFound` (404) is the answer where there is no route, and `MethodNotAllowed` (405, with \
`Allow`) where the route does not take the method. `HEAD` is answered as `GET` is, without the body, wherever \
`GET` does not create. Answers may not be kept (`Cache-Control: no-cache, \
no-store`), except this document. The headers `traceparent` and `x-request-id` go along to backends; others that \
are not listed are ignored.";

/// It may be kept, and is asked about before it is used.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// What a listener serves, in OpenAPI 3.1.
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
    /// What a listener serves that exposes this under `settings`.
    #[must_use]
    pub fn new(exposure: &ListenerConfig, settings: &Settings) -> Self {
        let served = ApiSurface {
            groups: exposure.groups,
            limits: &settings.limits,
            metrics_enabled: exposure.telemetry.has_metrics(),
            admin_enabled: exposure.groups.admin && exposure.admin_enabled,
        };
        let errors = ErrorTable::new(settings.api.unreadable_json_status);
        let security = client_security(!settings.auth.api_keys.is_empty());
        let document = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Switchboard: the Service API",
                "version": VERSION,
                "description": served.introduction(),
                "license": {"name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "paths": paths(served.operations(), &errors, &security),
            "components": {
                "schemas": served.schemas(),
                "headers": served.headers(),
                "responses": errors.responses(),
                "examples": errors.examples(),
                "securitySchemes": served.security_schemes(),
            },
        });
        let text = document.to_string();
        let tag = format!("\"{:016x}\"", stable_hash(text.as_bytes()));
        Self {
            text: text.into(),
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    /// The document, to be read.
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

/// What a listener serves.
struct ApiSurface<'a> {
    groups: RouteGroups,
    limits: &'a Limits,
    /// Whether requests are counted.
    metrics_enabled: bool,
    /// Whether operators are served.
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
            "Service": told::service_schema(),
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
            schemes["operator"] = admin::security_scheme();
        }
        schemes
    }
}

fn paths(operations: Vec<Operation>, errors: &ErrorTable, security: &Value) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let method = operation.method.as_str().to_ascii_lowercase();
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[method] = operation.to_object(errors, security);
    }
    Value::Object(paths)
}

/// What is asked of callers: one of the API keys, if there are any; and the user name and password of a
/// configured service where it has one, which only the service knows.
fn client_security(keyed: bool) -> Value {
    if keyed {
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
            "description": "Asked for by configured services that have a user name and a password, and by \
                            all that was created from them",
        },
        "apiKey": {
            "type": "apiKey", "in": "header", "name": "x-api-key",
            "description": "Asked for of every request of clients where the operator has set API keys",
        },
        "apiKeyShort": {
            "type": "apiKey", "in": "header", "name": "apikey",
            "description": "The same under another name",
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
            let served = ApiSurface {
                groups: RouteGroups {
                    client,
                    matching,
                    admin: true,
                },
                limits: &limits,
                metrics_enabled: true,
                admin_enabled: true,
            };
            for operation in served.operations() {
                let (path, named) = (operation.path, &operation.exceptions);
                let unknown = named.iter().find(|name| errors.status(name).is_none());
                assert_eq!(unknown, None, "{path}");
                let once: BTreeSet<_> = named.iter().collect();
                assert_eq!(once.len(), named.len(), "{path}: {named:?}");
            }
        }
    }
}
