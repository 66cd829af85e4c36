//! `application/json`: one object, whose values are converted to strings.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::collector::{FieldCollector, too_large};
use crate::{
    http::ApiError,
    service::{FieldValue, FlattenError, flatten},
};

/// Adds the members of the JSON object `text` to the fields.
///
/// # Errors
/// [`ApiError::UnreadableJson`] with line and column and with this `status` if `text` is not a JSON object.
pub(super) fn read(
    text: &str,
    status: u16,
    collector: &mut FieldCollector<'_>,
) -> Result<(), ApiError> {
    let unreadable = |reason: String| ApiError::UnreadableJson { reason, status };
    let mut json = serde_json::Deserializer::from_str(text);
    let members = Members(collector.limits.fields).deserialize(&mut json);
    let members = members.and_then(|members| json.end().map(|()| members));
    // The body is the first level of nesting.
    let depth = collector.limits.json_depth - 1;
    for (name, value) in members.map_err(|error| unreadable(error.to_string()))? {
        collector.count_field()?;
        let value = value.map_or("null", RawValue::get);
        match flatten(value, depth) {
            Ok(Some(text)) => {
                collector.check_string_length(&name, text.len())?;
                collector.add_counted(name, FieldValue::Text(text));
            }
            Ok(None) => collector.add_counted(name, FieldValue::Null),
            Err(FlattenError::TooDeep(_)) => {
                return Err(too_large(
                    "JSON is nested deeper than",
                    depth + 1,
                    "",
                    "json_depth",
                ));
            }
            Err(FlattenError::Malformed { reason, read }) => {
                // The value is a slice of the text, so its address gives its offset.
                let start = value.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
                let (line, column) = line_and_column(text, start.wrapping_add(read));
                let reason = format!("{reason} at line {line} column {column}");
                return Err(unreadable(reason));
            }
        }
    }
    Ok(())
}

/// The line and column (from 1) of byte `read`, counted from 1.
fn line_and_column(text: &str, read: usize) -> (usize, usize) {
    let lines = text.get(..read).unwrap_or(text).split('\n');
    lines.fold((0, 0), |(line, _), text| (line + 1, text.len()))
}

/// Deserializes the members of an object: their names, and the text of their values. Contains the maximum number
/// of members; after one more, members are only validated, to limit the memory.
struct Members(usize);

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Vec<(String, Option<&'de RawValue>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Option<&'de RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while members.len() <= self.0 {
            let Some(name) = map.next_key::<String>()? else {
                return Ok(members);
            };
            members.push((name, Some(map.next_value()?)));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(members)
    }
}
