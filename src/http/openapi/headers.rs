//! Headers of responses.

use std::collections::BTreeMap;

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

/// A header that is always present. utoipa has no field for it.
pub(super) fn required(mut header: Header) -> Header {
    let extensions = header.extensions.get_or_insert_default();
    extensions.insert("required".to_owned(), json!(true));
    header
}

/// Adds the headers of the admin API to the components.
pub(super) fn add_admin_headers(components: &mut Components) {
    for (name, value, description) in ADMIN_HEADERS {
        let mut schema = ObjectBuilder::new().schema_type(Type::String).build();
        let extensions = schema.extensions.get_or_insert_default();
        extensions.insert("const".to_owned(), json!(value));
        let header = HeaderBuilder::new()
            .description(Some(description))
            .schema(Some(Schema::from(schema)))
            .build();
        components
            .headers
            .insert(name.to_owned(), required(header).into());
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

/// Marks the headers of an operation as required, except those of type `Option`.
pub(super) fn mark_required(operation: &mut Operation) {
    for response in declared_responses(operation) {
        let headers = std::mem::take(&mut response.headers).into_iter();
        let headers = headers.map(|(name, header)| match header {
            RefOr::T(header) => (name, RefOr::T(without_null(header))),
            reference @ RefOr::Ref(_) => (name, reference),
        });
        response.headers = headers.collect::<BTreeMap<_, _>>();
    }
}

/// The header with the type string; a header of type `Option` is not required.
fn without_null(mut header: Header) -> Header {
    match &mut header.schema {
        Some(RefOr::T(Schema::Object(schema)))
            if matches!(schema.schema_type, SchemaType::Array(_)) =>
        {
            schema.schema_type = Type::String.into();
            header
        }
        Some(RefOr::T(Schema::OneOf(types))) => {
            // The type, and null.
            header.schema = types.items.first().cloned();
            header
        }
        _ => required(header),
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
