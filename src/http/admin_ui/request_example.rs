//! An example request of an operation, for the Postman collection and the client code. All values are examples of the
//! description.

use serde_json::Value;
use utoipa::openapi::path::Parameter;

use super::percent_encode;
use crate::http::openapi::{
    fields::EXAMPLE_FILE,
    lookup::{DocumentedOperation, parameter_example, response_bodies},
};

/// The content type of [`EXAMPLE_FILE`].
pub(super) const FILE_TYPE: &str = "image/png";
/// The header whose value differs in each request.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The header that changes what exists, with which a create fails.
const IF_MATCH: &str = "If-Match";

/// The credentials that an operation requires.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// HTTP Basic: a user name and a password.
    Basic,
    /// The header `x-api-key`.
    ApiKey,
}

/// The value of a header.
pub(super) enum HeaderExample {
    Text(String),
    /// A random text that no other request has.
    Random,
}

/// The body of a request.
pub(super) enum RequestBody<'a> {
    None,
    Text {
        content_type: &'a str,
        text: String,
    },
    /// `multipart/form-data` with these fields, and then the file [`EXAMPLE_FILE`] under its name.
    Multipart(Vec<(String, String)>),
}

/// What the body of a response is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseBody {
    Text,
    /// Binary, for [`EXAMPLE_FILE`].
    File,
    /// Events; it does not end by itself.
    Stream,
}

/// A request with the examples of the description.
pub(super) struct RequestExample<'a> {
    pub(super) method: &'static str,
    /// The path with examples of its parameters, and the query string.
    pub(super) path: String,
    /// Without those of credentials and of the body.
    pub(super) headers: Vec<(&'a str, HeaderExample)>,
    pub(super) body: RequestBody<'a>,
    /// All that are required; none if they are optional.
    pub(super) credentials: Vec<Credentials>,
    pub(super) response: ResponseBody,
}

impl<'a> RequestExample<'a> {
    pub(super) fn new(operation: &DocumentedOperation<'a>) -> Self {
        let mut path = operation.path.to_owned();
        for parameter in operation.path_parameters() {
            let example = percent_encode(&parameter_example(parameter));
            path = path.replace(&format!("{{{}}}", parameter.name), &example);
        }
        let body = text_body(operation, &path);
        for (name, value) in examples(operation.query_parameters()) {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("{name}={}", percent_encode(&value)));
        }
        let mut headers = examples(operation.header_parameters());
        headers.retain(|(name, _)| *name != IF_MATCH || !operation.creates());
        let schemes = operation.security_schemes().into_iter();
        let credentials = schemes.map(|scheme| {
            if scheme.starts_with("apiKey") {
                Credentials::ApiKey
            } else {
                Credentials::Basic
            }
        });
        Self {
            method: operation.method,
            path,
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, HeaderExample::new(name, value)))
                .collect(),
            body,
            credentials: credentials.collect(),
            response: response_body(operation),
        }
    }

    /// The request with a file, if the operation stores files.
    pub(super) fn with_file(operation: &DocumentedOperation<'a>) -> Option<Self> {
        let bodies = operation.bodies().into_iter();
        let mut examples = bodies.filter_map(|(_, body)| body.example.as_ref()?.as_object());
        let fields = examples.find(|fields| fields.contains_key(EXAMPLE_FILE))?;
        let texts = fields.iter().filter(|(name, _)| *name != EXAMPLE_FILE);
        let texts =
            texts.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())));
        Some(Self {
            body: RequestBody::Multipart(texts.collect()),
            ..Self::new(operation)
        })
    }
}

impl HeaderExample {
    fn new(name: &str, example: String) -> Self {
        if name == IDEMPOTENCY_KEY {
            Self::Random
        } else {
            Self::Text(example)
        }
    }
}

impl RequestBody<'_> {
    /// The text of the body, on one line if it is JSON.
    pub(super) fn compact_text(&self) -> Option<String> {
        let Self::Text { text, .. } = self else {
            return None;
        };
        let json = self.is_json().then(|| serde_json::from_str::<Value>(text));
        let json = json.and_then(Result::ok);
        Some(json.map_or_else(|| text.clone(), |json| json.to_string()))
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self, Self::Text { content_type, .. } if *content_type == "application/json")
    }
}

/// Names and examples of the parameters that have one.
fn examples(parameters: Vec<&Parameter>) -> Vec<(&str, String)> {
    let examples = parameters.into_iter().map(|parameter| {
        let example = parameter_example(parameter);
        (parameter.name.as_str(), example)
    });
    examples
        .filter(|(_, example)| !example.is_empty())
        .collect()
}

/// The first body with an example, of the type that says most.
fn text_body<'a>(operation: &DocumentedOperation<'a>, path: &str) -> RequestBody<'a> {
    let mut bodies = operation.bodies();
    bodies.sort_by_key(|(content_type, _)| *content_type == "application/octet-stream");
    let Some(&(content_type, body)) = bodies.first() else {
        return RequestBody::None;
    };
    let examples = operation.examples(body);
    // A create has an example for each of several services in the path.
    let of_path = |(title, _): &&(&str, String)| title.split(':').next() == path.rsplit('/').next();
    let example = examples.iter().find(of_path).or(examples.first());
    RequestBody::Text {
        content_type,
        text: example.map_or_else(String::new, |(_, text)| text.clone()),
    }
}

fn response_body(operation: &DocumentedOperation<'_>) -> ResponseBody {
    let responses = operation.responses().into_iter();
    let successful = responses.filter(|(status, _)| status.starts_with('2'));
    let contents = successful.flat_map(|(_, response)| response_bodies(response));
    let types: Vec<&str> = contents.map(|(content_type, _)| content_type).collect();
    let is_stream = |content_type: &&str| *content_type == "text/event-stream";
    if types.contains(&"application/octet-stream") {
        ResponseBody::File
    } else if !types.is_empty() && types.iter().all(is_stream) {
        ResponseBody::Stream
    } else {
        ResponseBody::Text
    }
}
