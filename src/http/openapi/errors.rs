//! The errors of operations. Their responses are those of the examples of the error table ([`ApiError::examples`]).
//!
//! Each row of the table is a type for `responses(...)` of `utoipa::path`, and so are sets of rows that several
//! operations have in common. Several rows can have the same status, and the status of one is a setting, so the types
//! return responses by name, and [`ErrorTable::group_by_status`] combines them.

use std::collections::BTreeMap;

use actix_web::{
    ResponseError,
    body::MessageBody,
    http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA},
};
use serde_json::{Value, json};
use utoipa::{
    IntoResponses,
    openapi::{
        Components, Content, ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr,
        Response, ResponseBuilder, Responses, Type,
        example::{Example, ExampleBuilder},
    },
};

use super::{headers::require, surface};
use crate::http::ApiError;

/// Declares types for `responses(...)`: sets of rows, and single rows.
macro_rules! error_responses {
    (sets: { $($(#[$doc:meta])* $set:ident: [$($member:ident),+];)+ } rows: { $($row:ident),+ $(,)? }) => {
        $(error_responses!(@declare $(#[$doc])* $set: $($member),+);)+
        $(error_responses!(@declare #[doc = concat!("`", stringify!($row), "`.")] $row: $row);)+
    };
    (@declare $(#[$doc:meta])* $name:ident: $($row:ident),+) => {
        $(#[$doc])*
        pub(in crate::http) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                references(&[$(stringify!($row)),+])
            }
        }
    };
}

error_responses! {
    sets: {
    /// Errors of all client routes: a path that is not UTF-8, missing authentication, an unavailable store, and
    /// internal errors.
    ClientErrors: [
        InvalidParameter, Unauthorized, Overloaded, TooManyRequests, StoreUnavailable, Internal
    ];
    /// Errors of all admin routes. Some have no parameters, so `InvalidParameter` is not one of them.
    AdminErrors: [
        Unauthorized, Forbidden, TooManyRequests, Overloaded, StoreUnavailable, Internal
    ];
    /// Errors of all routes of agents.
    AgentErrors: [
        Unauthorized, Forbidden, TooManyRequests, Overloaded, StoreUnavailable, Internal
    ];
    /// Errors of a body of fields.
    BodyErrors: [UnreadableJson, InvalidBody, TooLarge, UnsupportedMediaType];
    /// Errors of requests to chats.
    ChatErrors: [ChatDisconnected, ChatFull, ChatUnavailable];
    /// Errors of changes of the catalog.
    CatalogErrors: [
        InvalidParameter, ReadOnly, PreconditionFailed, PreconditionRequired, StoreFull
    ];
    /// Errors of query parameters of the admin API.
    QueryErrors: [InvalidParameter, TooLarge];
    }
    rows: {
    BackendTimeout, BackendUnreachable, BookingNotFound, ChatEnded, ChatFull, ChatTaken, Forbidden, GroupNotFound, InvalidBody,
    IdempotencyKeyReused, InvalidDefinition, InvalidParameter, KeyNotFound, NotInChat, NumberNotFound, PreconditionFailed, RangeNotSatisfiable, RequestNotFound, ServiceNotFound, StoreFull, TooLarge,
    UnsupportedMediaType, WebhookNotFound,
    }
}

/// Errors of creates, which depend on the configured services that the listener creates.
pub(in crate::http) struct CreateErrors;

impl IntoResponses for CreateErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut rows = vec![
            "Forbidden",
            "ServiceNotFound",
            "IdempotencyKeyReused",
            "StoreFull",
        ];
        let groups = surface::current(|surface| (surface.groups.matching, surface.groups.client));
        if groups.0 {
            rows.push("NoMatch");
        }
        if groups.1 {
            rows.extend(["NoAccessNumber", "BackendUnreachable", "BackendTimeout"]);
        }
        references(&rows)
    }
}

/// References to the responses of these rows, by name.
fn references(rows: &[&str]) -> BTreeMap<String, RefOr<Response>> {
    let references = rows.iter().map(|row| {
        let reference = Ref::from_response_name(*row);
        ((*row).to_owned(), RefOr::Ref(reference))
    });
    references.collect()
}

/// The response of a row of the table.
struct ErrorRow {
    status: u16,
    phrase: &'static str,
    /// The headers that not all responses have.
    headers: BTreeMap<String, String>,
    body: Value,
}

/// The error table.
pub(super) struct ErrorTable(BTreeMap<String, ErrorRow>);

impl ErrorTable {
    /// Creates the table with this status of `UnreadableJson`.
    pub(super) fn new(unreadable_json_status: u16) -> Self {
        let examples = ApiError::examples(unreadable_json_status);
        let rows = examples
            .iter()
            .filter_map(|error| Some((error.exception().to_owned(), ErrorRow::new(error)?)));
        Self(rows.collect())
    }

    /// Adds the responses and examples of all rows.
    pub(super) fn add_components(&self, components: &mut Components) {
        for (name, row) in &self.0 {
            let summary = format!("{} {}", row.status, row.phrase);
            let example = ExampleBuilder::new().summary(summary);
            let example = example.value(Some(row.body.clone()));
            components.examples.insert(name.clone(), example.into());
            let response = self.response(&[name]).into();
            components.responses.insert(name.clone(), response);
        }
    }

    /// Replaces the responses of rows, which are stored by name, by one for each status.
    pub(super) fn group_by_status(&self, responses: &mut Responses) {
        let mut rows: BTreeMap<u16, Vec<String>> = BTreeMap::new();
        for name in responses.responses.keys() {
            if let Some(row) = self.0.get(name) {
                rows.entry(row.status).or_default().push(name.clone());
            }
        }
        for (status, names) in rows {
            let names: Vec<&String> = names.iter().collect();
            let references = names.iter().map(|name| responses.responses.remove(*name));
            let reference = references.last().flatten().filter(|_| names.len() == 1);
            let response = reference.unwrap_or_else(|| self.response(&names).into());
            responses.responses.insert(status.to_string(), response);
        }
    }

    /// The response of one of these rows, which have the same status.
    fn response(&self, names: &[&String]) -> Response {
        let rows: Vec<&ErrorRow> = names.iter().filter_map(|name| self.0.get(*name)).collect();
        let phrase = rows.first().map_or("", |row| row.phrase);
        let list: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let examples = names.iter().map(|name| {
            let reference = Ref::new(format!("#/components/examples/{name}"));
            ((*name).clone(), RefOr::<Example>::Ref(reference))
        });
        // Not narrower: client generators drop responses that they cannot merge.
        let schema = Ref::from_schema_name("Error");
        let content = ContentBuilder::new().schema(Some(schema));
        let content: Content = content.examples_from_iter(examples).build();
        let response = ResponseBuilder::new().description(format!("{phrase}: {}", list.join(", ")));
        let mut response = response.content("application/json", content).build();
        response.headers = headers(&rows);
        response
    }
}

impl ErrorRow {
    fn new(error: &ApiError) -> Option<Self> {
        let response = error.error_response();
        let common = [CONTENT_TYPE, CACHE_CONTROL, PRAGMA, CONNECTION];
        let headers = response.headers().iter();
        let headers = headers.filter(|(name, _)| !common.contains(name));
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let (headers, status) = (headers.collect(), response.status());
        let body = response.into_body().try_into_bytes().ok()?;
        Some(Self {
            status: status.as_u16(),
            phrase: status.canonical_reason().unwrap_or_default(),
            headers,
            body: serde_json::from_slice(&body).ok()?,
        })
    }
}

/// The headers of a response of one of `rows`. Headers that all of them have are required.
fn headers(rows: &[&ErrorRow]) -> BTreeMap<String, RefOr<Header>> {
    let mut headers = BTreeMap::new();
    for (name, value) in rows.iter().flat_map(|row| &row.headers) {
        let number = value.parse::<u64>();
        let json_type = number.as_ref().map_or(Type::String, |_| Type::Integer);
        let mut header = HeaderBuilder::new()
            .description(Some(description(name)))
            .schema(Some(ObjectBuilder::new().schema_type(json_type)))
            .example(Some(
                number.map_or_else(|_| json!(value), |number| json!(number)),
            ))
            .build();
        if rows.iter().all(|row| row.headers.contains_key(name)) {
            require(&mut header);
        }
        headers.insert(name.clone(), header.into());
    }
    headers
}

fn description(header: &str) -> &'static str {
    match header {
        "allow" => "Methods of the route",
        "content-range" => "Size of the binary in bytes",
        "retry-after" => "Seconds after which the request can be retried",
        "www-authenticate" => "Authentication challenge",
        _ => "",
    }
}
