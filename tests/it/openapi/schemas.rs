//! Whether a value is what a schema says: as much of JSON Schema as the description needs, and nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::resolve;

/// Holds `value` against `schema`; notes which members of objects were seen, by `place`.
///
/// Fails for what the schema does not allow, and for a keyword that is not known here.
pub(super) fn check(
    document: &Value,
    schema: &Value,
    value: &Value,
    place: &str,
    seen: &mut BTreeSet<String>,
) {
    let schema = resolve(document, schema);
    for (keyword, said) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "description" | "examples" => {}
            "type" => assert!(has_type(said, value), "{place}: {value} is no {said}"),
            "const" => assert_eq!(value, said, "{place}"),
            "enum" => assert!(said.as_array().unwrap().contains(value), "{place}: {value}"),
            "minimum" => assert!(value.as_u64() >= said.as_u64(), "{place}: {value}"),
            "format" => {
                assert_eq!(said, "date-time", "{place}");
                let text = value.as_str().unwrap();
                assert_eq!((text.len(), &text[23..]), (24, "Z"), "{place}: {text}");
            }
            "required" => {
                for name in said.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    assert!(value.get(name).is_some(), "{place} has no {name}: {value}");
                }
            }
            "properties" => {
                for (name, schema) in said.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        let place = format!("{place}.{name}");
                        check(document, schema, value, &place, seen);
                        seen.insert(place);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object();
                for (name, value) in value.as_object().unwrap() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        assert!(said.is_object(), "{place} has {name}, which is not told");
                        check(document, said, value, place, seen);
                    }
                }
            }
            "items" => {
                for value in value.as_array().unwrap() {
                    check(document, said, value, &format!("{place}[]"), seen);
                }
            }
            "allOf" => {
                for schema in said.as_array().unwrap() {
                    check(document, schema, value, place, seen);
                }
            }
            "anyOf" => {
                let types = said.as_array().unwrap().iter();
                let mut types = types.map(|one| &one["type"]);
                assert!(types.any(|one| has_type(one, value)), "{place}: {value}");
            }
            other => panic!("{place}: {other} is not known"),
        }
    }
}

/// The members of objects that a schema tells of, as [`check`] notes them.
pub(super) fn members(document: &Value, schema: &Value, place: &str, told: &mut BTreeSet<String>) {
    let schema = resolve(document, schema);
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        members(document, schema, &place, told);
        told.insert(place);
    }
    if schema["items"].is_object() {
        members(document, &schema["items"], &format!("{place}[]"), told);
    }
    for schema in schema["allOf"].as_array().into_iter().flatten() {
        members(document, schema, place, told);
    }
}

/// Whether a value is of a type, or of one of several.
fn has_type(types: &Value, value: &Value) -> bool {
    if let Some(types) = types.as_array() {
        return types.iter().any(|one| has_type(one, value));
    }
    match types.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not known"),
    }
}
