//! The error table in the document, generated from the response of one example of each row
//! ([`ApiError::examples`]).

use std::collections::BTreeMap;

use actix_web::{
    ResponseError,
    body::MessageBody,
    http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA},
};
use serde_json::{Map, Value, json};

use crate::http::ApiError;

/// The response of a row of the table.
struct ErrorRow {
    status: u16,
    phrase: String,
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
        let rows = examples.iter().filter_map(|error| {
            let row = ErrorRow::from_error(error)?;
            Some((row.body.get("exception")?.as_str()?.to_owned(), row))
        });
        Self(rows.collect())
    }

    /// The status of an exception; `None` if the table does not have it.
    pub(super) fn status(&self, exception: &str) -> Option<u16> {
        self.0.get(exception).map(|row| row.status)
    }

    /// The response of an operation for exceptions with the same status.
    pub(super) fn response(&self, exceptions: &[&str]) -> Value {
        match exceptions {
            [one] => json!({"$ref": format!("#/components/responses/{one}")}),
            several => self.response_object(several),
        }
    }

    /// `components.responses`: one for each row.
    pub(super) fn responses(&self) -> Value {
        let responses = self.0.keys();
        let responses = responses.map(|name| (name.clone(), self.response_object(&[name])));
        Value::Object(responses.collect())
    }

    /// `components.examples`: one for each row.
    pub(super) fn examples(&self) -> Value {
        let examples = self.0.iter().map(|(name, row)| {
            let summary = json!(format!("{} {}", row.status, row.phrase));
            (name.clone(), json!({"summary": summary, "value": row.body}))
        });
        Value::Object(examples.collect())
    }

    fn response_object(&self, exceptions: &[&str]) -> Value {
        let rows = exceptions.iter().filter_map(|name| self.0.get(*name));
        let rows: Vec<&ErrorRow> = rows.collect();
        let phrase = rows.first().map_or("", |row| &row.phrase);
        let examples = exceptions.iter().map(|name| {
            let reference = format!("#/components/examples/{name}");
            ((*name).to_owned(), json!({"$ref": reference}))
        });
        json!({
            "description": format!("{phrase}: {}", exceptions.join(", ")),
            "headers": headers(&rows),
            "content": {"application/json": {
                // Not narrower: client generators drop responses that they cannot merge.
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": Value::Object(examples.collect()),
            }},
        })
    }
}

impl ErrorRow {
    fn from_error(error: &ApiError) -> Option<Self> {
        let response = error.error_response();
        let common = [CONTENT_TYPE, CACHE_CONTROL, PRAGMA, CONNECTION];
        let headers = response.headers().iter();
        let headers = headers.filter(|(name, _)| !common.contains(name));
        let headers = headers.filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        let (headers, status) = (headers.collect(), response.status());
        let body = response.into_body().try_into_bytes().ok()?;
        Some(Self {
            status: status.as_u16(),
            phrase: status.canonical_reason().unwrap_or_default().to_owned(),
            headers,
            body: serde_json::from_slice(&body).ok()?,
        })
    }
}

/// The headers of a response of one of `rows`. Headers that all of them have are required.
fn headers(rows: &[&ErrorRow]) -> Value {
    let mut headers = Map::new();
    for row in rows {
        for (name, value) in &row.headers {
            let is_required = rows.iter().all(|row| row.headers.contains_key(name));
            let json_type = value.parse::<u64>().map_or("string", |_| "integer");
            let header = json!({
                "description": description(name),
                "required": is_required,
                "schema": {"type": json_type},
                "example": value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number)),
            });
            headers.insert(name.clone(), header);
        }
    }
    Value::Object(headers)
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
