//! A validator for the part of JSON Schema that the OpenAPI document uses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::resolve;

/// Validates `value` against `schema` and adds the members of objects to `seen`, as paths below `path`.
///
/// Panics if the value is invalid or the schema has an unsupported keyword.
pub(super) fn check(
    document: &Value,
    schema: &Value,
    value: &Value,
    path: &str,
    seen: &mut BTreeSet<String>,
) {
    let schema = resolve(document, schema);
    for (keyword, expected) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "description" | "examples" => {}
            "type" => assert!(
                has_type(expected, value),
                "{path}: {value} is not of type {expected}"
            ),
            "const" => assert_eq!(value, expected, "{path}"),
            "enum" => assert!(
                expected.as_array().unwrap().contains(value),
                "{path}: {value}"
            ),
            "minimum" => assert!(value.as_u64() >= expected.as_u64(), "{path}: {value}"),
            "format" if value.is_null() => {}
            "format" if expected == "date-time" => {
                let text = value.as_str().unwrap();
                assert_eq!((text.len(), &text[23..]), (24, "Z"), "{path}: {text}");
            }
            "format" => assert!(
                ["int32", "int64", "double"].contains(&expected.as_str().unwrap()),
                "{path}: {expected}"
            ),
            "required" => {
                for name in expected.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    assert!(value.get(name).is_some(), "{path} has no {name}: {value}");
                }
            }
            "properties" => {
                for (name, schema) in expected.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        let path = format!("{path}.{name}");
                        check(document, schema, value, &path, seen);
                        seen.insert(path);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object();
                for (name, value) in value.as_object().unwrap() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        assert!(
                            expected.is_object(),
                            "{path} has the undocumented member {name}"
                        );
                        check(document, expected, value, path, seen);
                    }
                }
            }
            "items" => {
                for value in value.as_array().unwrap() {
                    check(document, expected, value, &format!("{path}[]"), seen);
                }
            }
            "allOf" => {
                for schema in expected.as_array().unwrap() {
                    check(document, schema, value, path, seen);
                }
            }
            "propertyNames" => assert_eq!(*expected, json!({"type": "string"}), "{path}"),
            "oneOf" => {
                let types = expected.as_array().unwrap().iter();
                let matching = types.filter(|one| has_type(&one["type"], value)).count();
                assert_eq!(matching, 1, "{path}: {value}");
            }
            "anyOf" => {
                let types = expected.as_array().unwrap().iter();
                let mut types = types.map(|one| &one["type"]);
                assert!(types.any(|one| has_type(one, value)), "{path}: {value}");
            }
            other => panic!("{path}: unsupported keyword {other}"),
        }
    }
}

/// Adds the members of objects that a schema declares to `documented`, in the notation of [`check`].
pub(super) fn members(
    document: &Value,
    schema: &Value,
    path: &str,
    documented: &mut BTreeSet<String>,
) {
    let schema = resolve(document, schema);
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        members(document, schema, &path, documented);
        documented.insert(path);
    }
    if schema["items"].is_object() {
        members(document, &schema["items"], &format!("{path}[]"), documented);
    }
    for schema in schema["allOf"].as_array().into_iter().flatten() {
        members(document, schema, path, documented);
    }
}

/// Whether a value has the type, or one of several types.
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
        other => panic!("unsupported type {other}"),
    }
}
