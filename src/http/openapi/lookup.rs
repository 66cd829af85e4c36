//! The operations of a document with their references resolved, as the console shows them.

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{
    Components, Content, RefOr, Response,
    path::{Operation, Parameter, ParameterIn},
};

use super::{Document, path_items::operations_of, tags};

/// An operation of a document.
#[derive(Clone, Copy)]
pub(in crate::http) struct DocumentedOperation<'a> {
    pub(in crate::http) method: &'static str,
    pub(in crate::http) path: &'a str,
    operation: &'a Operation,
    components: &'a Components,
}

impl Document {
    /// All operations: by tag, and within a tag, in the order of use.
    pub(in crate::http) fn operations(&self) -> Vec<DocumentedOperation<'_>> {
        let Some(components) = &self.content().api.components else {
            return Vec::new();
        };
        let paths = self.content().api.paths.paths.iter();
        let operations = paths.flat_map(|(path, item)| {
            let operations = operations_of(item).into_iter();
            operations.filter_map(move |(method, operation)| {
                Some(DocumentedOperation {
                    method,
                    path,
                    operation: operation.as_ref()?,
                    components,
                })
            })
        });
        let mut operations: Vec<DocumentedOperation<'_>> = operations.collect();
        operations.sort_by_key(DocumentedOperation::position);
        operations
    }

    /// Name and text of each schema in the components.
    pub(in crate::http) fn schemas(&self) -> Vec<(&str, String)> {
        let components = self.content().api.components.iter();
        let schemas = components.flat_map(|components| &components.schemas);
        schemas
            .map(|(name, schema)| (name.as_str(), pretty_json(schema)))
            .collect()
    }
}

/// Operations, which are sorted by tag, with their tags.
pub(in crate::http) fn by_tag<'o, 'a>(
    operations: &'o [DocumentedOperation<'a>],
) -> impl Iterator<Item = (&'a str, &'o [DocumentedOperation<'a>])> {
    let groups = operations.chunk_by(|one, next| one.tag() == next.tag());
    groups.filter_map(|group| Some((group.first()?.tag(), group)))
}

impl<'a> DocumentedOperation<'a> {
    pub(in crate::http) fn id(&self) -> &'a str {
        self.operation.operation_id.as_deref().unwrap_or_default()
    }

    pub(in crate::http) fn tag(&self) -> &'a str {
        let tags = self.operation.tags.as_deref().unwrap_or_default();
        tags.first().map_or("", String::as_str)
    }

    pub(in crate::http) fn summary(&self) -> &'a str {
        self.operation.summary.as_deref().unwrap_or_default()
    }

    pub(in crate::http) fn description(&self) -> &'a str {
        self.operation.description.as_deref().unwrap_or_default()
    }

    /// The order of use: short paths first; of a path the create, then reads, changes and deletes.
    fn position(&self) -> (usize, usize, &'a str, usize) {
        let of_method = match self.method {
            "POST" => 0,
            "PUT" if self.creates() => 0,
            "GET" => 1,
            "HEAD" => 2,
            "PUT" => 3,
            _ => 4,
        };
        let segments = self.path.split('/').count();
        (tags::position(self.tag()), segments, self.path, of_method)
    }

    /// Whether it has a response for something new.
    pub(in crate::http) fn creates(&self) -> bool {
        self.operation.responses.responses.contains_key("201")
    }

    /// The security schemes of the first requirement, the usual one; none if it is optional.
    pub(in crate::http) fn security_schemes(&self) -> Vec<String> {
        let first = self.operation.security.iter().flatten().next();
        let requirement = serde_json::to_value(first).unwrap_or_default();
        let schemes = requirement.as_object().into_iter().flatten();
        schemes.map(|(scheme, _)| scheme.clone()).collect()
    }

    /// The schema with this name in the components.
    pub(super) fn schema(&self, name: &str) -> Value {
        serde_json::to_value(self.components.schemas.get(name)).unwrap_or_default()
    }

    pub(in crate::http) fn parameters(&self) -> Vec<&'a Parameter> {
        let parameters = self.operation.parameters.iter().flatten();
        let parameters = parameters.filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        parameters.collect()
    }

    pub(in crate::http) fn path_parameters(&self) -> Vec<&'a Parameter> {
        self.parameters_in(&ParameterIn::Path)
    }

    pub(in crate::http) fn header_parameters(&self) -> Vec<&'a Parameter> {
        self.parameters_in(&ParameterIn::Header)
    }

    /// The query parameters, without the one that stands for fields with any names.
    pub(in crate::http) fn query_parameters(&self) -> Vec<&'a Parameter> {
        let mut parameters = self.parameters_in(&ParameterIn::Query);
        parameters.retain(|parameter| parameter.style.is_none());
        parameters
    }

    fn parameters_in(&self, location: &ParameterIn) -> Vec<&'a Parameter> {
        let mut parameters = self.parameters();
        parameters.retain(|parameter| parameter.parameter_in == *location);
        parameters
    }

    /// The bodies of requests, by content type.
    pub(in crate::http) fn bodies(&self) -> Vec<(&'a str, &'a Content)> {
        let bodies = match &self.operation.request_body {
            Some(RefOr::T(body)) => body.content.iter().collect(),
            _ => Vec::new(),
        };
        contents(bodies)
    }

    /// The responses, by status.
    pub(in crate::http) fn responses(&self) -> Vec<(&'a str, &'a Response)> {
        let responses = self.operation.responses.responses.iter();
        let responses = responses.filter_map(|(status, response)| match response {
            RefOr::T(response) => Some((status.as_str(), response)),
            RefOr::Ref(reference) => {
                let name = reference.ref_location.rsplit('/').next()?;
                match self.components.responses.get(name)? {
                    RefOr::T(response) => Some((status.as_str(), response)),
                    RefOr::Ref(_) => None,
                }
            }
        });
        responses.collect()
    }

    /// Names and descriptions of the headers of a response.
    pub(in crate::http) fn headers(&self, response: &'a Response) -> Vec<(&'a str, &'a str)> {
        let headers = response.headers.iter().map(|(name, header)| {
            let header = match header {
                RefOr::Ref(_) => self.components.headers.get(name).unwrap_or(header),
                RefOr::T(_) => header,
            };
            let description = match header {
                RefOr::T(header) => header.description.as_deref(),
                RefOr::Ref(_) => None,
            };
            (name.as_str(), description.unwrap_or_default())
        });
        headers.collect()
    }

    /// Titles and texts of the examples of a body.
    pub(in crate::http) fn examples(&self, content: &'a Content) -> Vec<(&'a str, String)> {
        let examples = content.examples.iter().filter_map(|(name, example)| {
            let example = match example {
                RefOr::Ref(_) => self.components.examples.get(name)?,
                RefOr::T(_) => example,
            };
            match example {
                RefOr::T(example) => Some((example.summary.as_str(), pretty_json(&example.value))),
                RefOr::Ref(_) => None,
            }
        });
        let single = content.example.iter();
        let single = single.map(|example| ("example", pretty_json(example)));
        examples.chain(single).collect()
    }
}

/// The bodies of a response, by content type.
pub(in crate::http) fn response_bodies(response: &Response) -> Vec<(&str, &Content)> {
    contents(response.content.iter().collect())
}

fn contents<'a>(all: Vec<(&'a String, &'a RefOr<Content>)>) -> Vec<(&'a str, &'a Content)> {
    let contents = all
        .into_iter()
        .filter_map(|(content_type, content)| match content {
            RefOr::T(content) => Some((content_type.as_str(), content)),
            RefOr::Ref(_) => None,
        });
    contents.collect()
}

/// The location of a parameter: `path`, `query` or `header`.
pub(in crate::http) fn location(parameter: &Parameter) -> &'static str {
    match parameter.parameter_in {
        ParameterIn::Path => "path",
        ParameterIn::Header => "header",
        ParameterIn::Cookie => "cookie",
        _ => "query",
    }
}

/// The example of a parameter, which utoipa has no access to except in the JSON. Requests in samples have all parameters
/// with an example.
pub(in crate::http) fn parameter_example(parameter: &Parameter) -> String {
    let json = serde_json::to_value(parameter).unwrap_or_default();
    json.get("example").map_or_else(String::new, pretty_json)
}

/// A part of the document as a text for people; a string as it is.
pub(in crate::http) fn pretty_json(part: &impl Serialize) -> String {
    match serde_json::to_value(part).unwrap_or_default() {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => serde_json::to_string_pretty(&other).unwrap_or_default(),
    }
}
