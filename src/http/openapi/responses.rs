//! Parts of types that implement `IntoResponses`: descriptions of responses that several operations have in common.

use std::collections::BTreeMap;

use utoipa::openapi::{
    RefOr, Response, ResponseBuilder,
    link::{Link, LinkBuilder},
};

/// Responses by their status.
pub(in crate::http) fn by_status<const N: usize>(
    responses: [(u16, ResponseBuilder); N],
) -> BTreeMap<String, RefOr<Response>> {
    let responses = responses.into_iter();
    let responses = responses.map(|(status, builder)| (status.to_string(), builder.build().into()));
    responses.collect()
}

/// A link to an operation, with the values of its parameters.
pub(in crate::http) fn link(operation: &str, parameters: &[(&str, &str)]) -> Link {
    let link = LinkBuilder::new().operation_id(operation);
    let parameters = parameters.iter();
    let link = parameters.fold(link, |link, (name, value)| link.parameter(*name, *value));
    link.build()
}
