//! The error table as the document has it. Everything here is taken from errors as they are answered:
//! one of each row ([`ApiError::examples`]), made into its response.

use std::collections::BTreeMap;

use actix_web::{
    ResponseError,
    body::MessageBody,
    http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA},
};
use serde_json::{Map, Value, json};

use crate::http::ApiError;

/// A row of the table, as it is answered.
struct ErrorRow {
    status: u16,
    phrase: String,
    /// Headers that not every answer has.
    headers: BTreeMap<String, String>,
    body: Value,
}

/// The error table.
pub(super) struct ErrorTable(BTreeMap<String, ErrorRow>);

impl ErrorTable {
    /// The table where JSON that cannot be read has this status.
    pub(super) fn new(unreadable_json_status: u16) -> Self {
        let examples = ApiError::examples(unreadable_json_status);
        let rows = examples.iter().filter_map(|error| {
            let row = ErrorRow::from_error(error)?;
            Some((row.body.get("exception")?.as_str()?.to_owned(), row))
        });
        Self(rows.collect())
    }

    /// The status of an exception; `None` where the table has none of that name.
    pub(super) fn status(&self, exception: &str) -> Option<u16> {
        self.0.get(exception).map(|row| row.status)
    }

    /// The response of an operation that may fail with these exceptions, which have one status.
    pub(super) fn response(&self, exceptions: &[&str]) -> Value {
        match exceptions {
            [one] => json!({"$ref": format!("#/components/responses/{one}")}),
            several => self.response_object(several),
        }
    }

    /// `components.responses`: each row by itself.
    pub(super) fn responses(&self) -> Value {
        let responses = self.0.keys();
        let responses = responses.map(|name| (name.clone(), self.response_object(&[name])));
        Value::Object(responses.collect())
    }

    /// `components.examples`: each row once.
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
            let place = format!("#/components/examples/{name}");
            ((*name).to_owned(), json!({"$ref": place}))
        });
        json!({
            "description": format!("{phrase}: {}", exceptions.join(", ")),
            "headers": headers(&rows),
            "content": {"application/json": {
                // Nothing narrower: generators of clients drop a response that they cannot merge.
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

/// The headers of a response of one of `rows`; required are those that each of them has.
fn headers(rows: &[&ErrorRow]) -> Value {
    let mut headers = Map::new();
    for row in rows {
        for (name, value) in &row.headers {
            let in_all = rows.iter().all(|row| row.headers.contains_key(name));
            let kind = value.parse::<u64>().map_or("string", |_| "integer");
            let header = json!({
                "description": description(name),
                "required": in_all,
                "schema": {"type": kind},
                "example": value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number)),
            });
            headers.insert(name.clone(), header);
        }
    }
    Value::Object(headers)
}

fn description(header: &str) -> &'static str {
    match header {
        "allow" => "The methods that are allowed here",
        "content-range" => "The size of the whole, in bytes",
        "retry-after" => "Seconds after which it may be tried again",
        "www-authenticate" => "What is asked for",
        _ => "",
    }
}
