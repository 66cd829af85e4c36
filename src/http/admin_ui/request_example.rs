//! An example request of an operation, for the Postman collection and the client code.

use crate::http::openapi::lookup::{DocumentedOperation, parameter_example, response_bodies};

/// The credentials that an operation requires.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// HTTP Basic: a user name and a password.
    Basic,
    /// The header `x-api-key`.
    ApiKey,
}

/// A request with the examples of the description.
pub(super) struct RequestExample<'a> {
    pub(super) method: &'static str,
    /// The path, with examples of its parameters.
    pub(super) path: String,
    /// Content type and text of the body, if the operation has one.
    pub(super) body: Option<(&'a str, String)>,
    /// All that are required; none if they are optional.
    pub(super) credentials: Vec<Credentials>,
    /// Whether the response is an event stream, which does not end by itself.
    pub(super) is_stream: bool,
}

impl<'a> RequestExample<'a> {
    pub(super) fn new(operation: &DocumentedOperation<'a>) -> Self {
        let mut path = operation.path.to_owned();
        for parameter in operation.path_parameters() {
            let example = parameter_example(parameter);
            if !example.is_empty() {
                path = path.replace(&format!("{{{}}}", parameter.name), &example);
            }
        }
        let body = operation.bodies().first().map(|(content_type, body)| {
            let examples = operation.examples(body);
            // A create has an example for each of several services in the path.
            let of_path =
                |(title, _): &&(&str, String)| title.split(':').next() == path.rsplit('/').next();
            let example = examples.iter().find(of_path).or(examples.first());
            let text = example.map_or("", |(_, text)| text);
            (*content_type, text.to_owned())
        });
        let schemes = operation.security_schemes().into_iter();
        let credentials = schemes.map(|scheme| {
            if scheme.starts_with("apiKey") {
                Credentials::ApiKey
            } else {
                Credentials::Basic
            }
        });
        let responses = operation.responses().into_iter();
        let mut contents = responses.flat_map(|(_, response)| response_bodies(response));
        Self {
            method: operation.method,
            path,
            body,
            credentials: credentials.collect(),
            is_stream: contents.any(|(content_type, _)| content_type == "text/event-stream"),
        }
    }
}
