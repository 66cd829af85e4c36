//! Headers of responses.

use serde_json::json;
use utoipa::openapi::{
    Components, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, Schema, Type,
    path::Operation, schema::SchemaType,
};

/// The headers of all responses of the admin API, with their values and descriptions.
const ADMIN_HEADERS: [(&str, &str, &str); 4] = [
    (
        "Cache-Control",
        "no-cache, no-store",
        "Responses must not be cached",
    ),
    (
        "X-Content-Type-Options",
        "nosniff",
        "Browsers must not guess the content type",
    ),
    (
        "Cross-Origin-Resource-Policy",
        "same-origin",
        "Pages of other sites cannot load it",
    ),
    (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
        "It cannot be embedded and runs no scripts",
    ),
];

/// Marks a header as always present. utoipa has no field for it.
pub(super) fn require(header: &mut Header) {
    let extensions = header.extensions.get_or_insert_default();
    extensions.insert("required".to_owned(), json!(true));
}

/// Adds the headers of the admin API to the components.
pub(super) fn add_admin_headers(components: &mut Components) {
    for (name, value, description) in ADMIN_HEADERS {
        let mut schema = ObjectBuilder::new().schema_type(Type::String).build();
        let extensions = schema.extensions.get_or_insert_default();
        extensions.insert("const".to_owned(), json!(value));
        let mut header = HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(Schema::from(schema)))
            .build();
        require(&mut header);
        components.headers.insert(name.to_owned(), header.into());
    }
}

/// References the headers of the admin API in the successful responses of an operation.
pub(super) fn reference_admin_headers(operation: &mut Operation) {
    for response in declared_responses(operation) {
        for (name, ..) in ADMIN_HEADERS {
            let reference = Ref::new(format!("#/components/headers/{name}"));
            response
                .headers
                .insert(name.to_owned(), RefOr::Ref(reference));
        }
    }
}

/// A header that all responses of a kind have.
pub(in crate::http) fn header(description: &str) -> Header {
    let header = HeaderBuilder::new().description(Some(description));
    let schema = ObjectBuilder::new().schema_type(Type::String);
    header.schema(Some(schema)).build()
}

/// A header that not all responses of a kind have: its only value is `value`, or any text.
pub(in crate::http) fn optional_header(description: &str, value: Option<&str>) -> Header {
    let header = HeaderBuilder::new().description(Some(description));
    let nullable = SchemaType::Array(vec![Type::String, Type::Null]);
    let schema = ObjectBuilder::new().schema_type(nullable);
    let schema = schema.enum_values(value.map(|value| [value]));
    header.schema(Some(schema)).build()
}

/// Marks the headers of an operation as required, except optional ones.
pub(super) fn mark_required(operation: &mut Operation) {
    for response in declared_responses(operation) {
        for header in response.headers.values_mut() {
            if let RefOr::T(header) = header {
                mark_header(header);
            }
        }
    }
}

/// Marks a header as required, or removes null from the types of an optional one.
fn mark_header(header: &mut Header) {
    match &mut header.schema {
        Some(RefOr::T(Schema::Object(schema)))
            if matches!(schema.schema_type, SchemaType::Array(_)) =>
        {
            schema.schema_type = Type::String.into();
        }
        _ => require(header),
    }
}

/// The responses that are not in the components.
fn declared_responses(operation: &mut Operation) -> impl Iterator<Item = &mut Response> {
    let responses = operation.responses.responses.values_mut();
    responses.filter_map(|response| match response {
        RefOr::T(response) => Some(response),
        RefOr::Ref(_) => None,
    })
}
