//! The names in operations, for searches.

use serde_json::Value;
use utoipa::openapi::Content;

use super::lookup::{DocumentedOperation, response_bodies};

/// References are followed at most this many levels deep: schemas may contain themselves.
const MAX_DEPTH: usize = 8;

impl DocumentedOperation<'_> {
    /// The names of the parameters, of the fields of bodies and of their examples, and the status codes and names of
    /// errors.
    pub(in crate::http) fn names(&self) -> Vec<String> {
        let parameters = self.parameters().into_iter();
        let mut names: Vec<String> = parameters.map(|parameter| parameter.name.clone()).collect();
        let mut contents: Vec<&Content> = self.bodies().into_iter().map(|body| body.1).collect();
        for (status, response) in self.responses() {
            names.push(status.to_owned());
            contents.extend(response_bodies(response).into_iter().map(|body| body.1));
        }
        for content in contents {
            names.extend(content.examples.keys().cloned());
            let titles = self.examples(content).into_iter();
            names.extend(titles.map(|(title, _)| title.to_owned()));
            let schema = serde_json::to_value(&content.schema).unwrap_or_default();
            self.add_fields(&schema, MAX_DEPTH, &mut names);
        }
        names
    }

    /// Adds the names of the fields of a schema.
    fn add_fields(&self, schema: &Value, depth: usize, names: &mut Vec<String>) {
        if depth == 0 {
            return;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            self.add_fields(&self.schema(name), depth - 1, names);
        }
        if let Some(fields) = schema["properties"].as_object() {
            names.extend(fields.keys().cloned());
        }
        let parts: Vec<&Value> = match schema {
            Value::Object(parts) => parts.values().collect(),
            Value::Array(parts) => parts.iter().collect(),
            _ => Vec::new(),
        };
        for part in parts {
            self.add_fields(part, depth, names);
        }
    }
}
