//! `GET /openapi.json`: the OpenAPI 3.1 description of the API.
//!
//! A [`Document`] belongs to one listener and describes the routes of that listener. Handlers and response
//! types describe themselves with the macros of utoipa, and `src/http/routes.rs` lists the handlers. This module
//! adds what depends on the listener and the settings. Tests compare paths and methods with the routes
//! (`tests/it/api/openapi.rs`), and responses with their descriptions.

use std::sync::OnceLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH, PRAGMA},
    },
    web::{Bytes, Data},
};
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, RefOr, ServerBuilder, path::Operation,
};

use self::{
    errors::ErrorTable, parameters::IfNoneMatchHeader, path_items::operations_mut,
    surface::ApiSurface,
};
use super::{etag, response};
use crate::{model::stable_hash, settings::VERSION};

pub(super) mod errors;
pub(super) mod fields;
pub(super) mod headers;
mod known_fields;
pub(super) mod lookup;
mod names;
pub(super) mod options;
pub(super) mod parameters;
mod path_items;
pub(super) mod responses;
mod security;
pub(super) mod surface;
mod tags;
mod webhook_events;

/// The name of the API.
pub(super) const TITLE: &str = "Switchboard API";

const INTRODUCTION: &str = "\
A service is created from a configured service. It stores strings and binaries until it expires, and the routing \
side finds them when a call arrives. The Storage API (`/genesys/1/storage/...`) stores data with an expiration time \
without a service.

All errors have the same JSON format; the member `exception` is present in errors only. In addition to the errors \
of each operation, paths without a route return `NotFound` (404), and methods that a route does not have return \
`MethodNotAllowed` (405, with `Allow`). `HEAD` is supported wherever `GET` does not create a service. Responses \
must not be cached (`Cache-Control: no-cache, no-store`), except this document. The headers `traceparent` and \
`x-request-id` are passed on to backends; headers that are not listed are ignored.";

const AGENT_INTRODUCTION: &str = "\
The paths below `/genesys/1/agent/` require the credentials of an agent: a user name and a password (HTTP Basic), or the \
API key of a program. All agents have access to all chats. Cross-site requests of browsers are rejected (`Forbidden`).";

const ADMIN_INTRODUCTION: &str = "\
The paths below `/genesys/1/admin/`, except the node status, require the credentials of an operator (HTTP Basic). \
After ten failed attempts from one address within a minute, further attempts are rejected until the minute has passed \
(`TooManyRequests`). Cross-site requests of browsers are rejected (`Forbidden`). Replacing and deleting catalog \
entries requires `If-Match` with the `ETag` of the entry.";

/// Caches must revalidate the document.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// The OpenAPI document of a listener. It takes 1.5 MiB of memory, so it is created for the first request that needs it.
pub struct Document {
    surface: ApiSurface,
    list: fn(&ApiSurface) -> OpenApi,
    content: OnceLock<Content>,
}

/// The content of a document.
struct Content {
    api: OpenApi,
    text: Bytes,
    tag: HeaderValue,
}

/// `GET /openapi.json`
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getOpenApi",
    tag = "health",
    summary = "This document",
    description = "The routes of the listener that served it.",
    params(IfNoneMatchHeader),
    responses(
        (status = 200, description = "OpenAPI document", body = Object, content_type = "application/json",
            headers(("ETag" = String, description = "The version of the document"))),
        (status = 304, description = "The cached version is current",
            headers(("ETag" = String, description = "The version of the document"))),
    ),
)]
pub(super) async fn get_openapi(document: Data<Document>, request: HttpRequest) -> HttpResponse {
    let Content {
        text, tag: version, ..
    } = document.content();
    let tag = version.to_str().unwrap_or_default();
    let mut response = if etag::matches_weak(&request, &IF_NONE_MATCH, tag) {
        response::without_body(StatusCode::NOT_MODIFIED).finish()
    } else {
        response::json(text.clone())
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, version.clone());
    headers.insert(CACHE_CONTROL, REVALIDATE);
    headers.remove(PRAGMA);
    response
}

impl Document {
    /// The document of `surface`, which has the operations that `list` returns.
    pub(super) fn new(surface: ApiSurface, list: fn(&ApiSurface) -> OpenApi) -> Self {
        Self {
            surface,
            list,
            content: OnceLock::new(),
        }
    }

    /// Whether the listener serves the console.
    pub(super) fn has_console(&self) -> bool {
        self.surface.admin_enabled
    }

    /// Whether the listener would serve the console if the admin API were enabled.
    pub(super) fn lacks_console(&self) -> bool {
        self.surface.groups.admin && !self.surface.admin_enabled
    }

    fn content(&self) -> &Content {
        self.content
            .get_or_init(|| Content::new(self.surface.document(self.list)))
    }
}

impl Content {
    fn new(api: OpenApi) -> Self {
        // Members of maps have no order in `OpenApi`; replicas must return the same text.
        let text = serde_json::to_value(&api).unwrap_or_default().to_string();
        let tag = format!("\"{:016x}\"", stable_hash(text.as_bytes()));
        Self {
            api,
            text: text.into(),
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }
}

impl ApiSurface {
    /// The document of this surface.
    fn document(&self, list: fn(&Self) -> OpenApi) -> OpenApi {
        let license = LicenseBuilder::new()
            .name("MIT or Apache-2.0")
            .identifier(Some("MIT OR Apache-2.0"));
        let parts = [
            (true, INTRODUCTION),
            (self.agents_enabled, AGENT_INTRODUCTION),
            (self.admin_enabled, ADMIN_INTRODUCTION),
        ];
        let parts = parts.into_iter().filter(|(is_served, _)| *is_served);
        let introduction = parts.map(|(_, text)| text).collect::<Vec<_>>().join("\n\n");
        let mut document = self.enter(|| list(self));
        document.info = InfoBuilder::new()
            .title(TITLE)
            .version(VERSION)
            .description(Some(introduction))
            .license(Some(license.build()))
            .build();
        document.servers = Some(vec![ServerBuilder::new().url("/").build()]);
        let errors = ErrorTable::new(self.unreadable_json_status);
        if self.groups.client || self.admin_enabled {
            document.webhooks = Some(webhook_events::webhooks());
        }
        let components = document.components.get_or_insert_default();
        self.add_components(components, &errors);
        for operation in operations_mut(&mut document) {
            self.complete(operation, &errors);
        }
        document.tags = Some(tags::used_tags(&document));
        security::declare_public(&mut document);
        document
    }

    fn add_components(&self, components: &mut Components, errors: &ErrorTable) {
        errors.add_components(components);
        security::add_schemes(components, self);
        if self.admin_enabled || self.agents_enabled {
            headers::add_admin_headers(components);
        }
    }

    /// Adds to an operation what depends on the surface and what all operations have in common.
    fn complete(&self, operation: &mut Operation, errors: &ErrorTable) {
        fields::describe_body(operation, &self.limits);
        headers::mark_required(operation);
        if security::is_admin(operation) || security::is_agent(operation) {
            headers::reference_admin_headers(operation);
        }
        if self.has_api_keys {
            security::require_api_key(operation);
        }
        self.remove_unserved(operation);
        errors.group_by_status(&mut operation.responses);
    }

    /// Removes examples of builtins that the listener does not create, and links to operations that it does not have.
    fn remove_unserved(&self, operation: &mut Operation) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            for content in body.content.values_mut() {
                if let RefOr::T(content) = content {
                    content.examples.retain(|name, _| self.creates(name));
                }
            }
        }
        if self.groups.matching && !self.groups.client {
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    response.links.clear();
                }
            }
        }
    }

    /// Whether the listener creates services of this builtin.
    fn creates(&self, builtin: &str) -> bool {
        if builtin == "match-interaction" {
            self.groups.matching
        } else {
            self.groups.client
        }
    }
}

#[cfg(test)]
mod tests;
