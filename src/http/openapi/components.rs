//! Parameters, request bodies, responses and schemas that several operations share.

use serde_json::{Map, Value, json};

use crate::{model::MAX_KEY_NAME_BYTES, settings::Limits};

/// The description of fields in query strings and bodies.
const FORM_DATA_DESCRIPTION: &str = "\
    Fields: names with values. Names that begin with `_` are parameters and are never stored; other names have 1 to \
    256 bytes. Fields of the body take precedence over fields of the query string with the same name.";

/// A path parameter: any text, percent-encoded.
pub(super) fn path_parameter(name: &str, description: &str, example: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description,
        "schema": {"type": "string", "minLength": 1}, "example": example,
    })
}

/// The path parameter of a service id.
pub(super) fn service_id_parameter() -> Value {
    path_parameter(
        "id",
        "The id of a service, from the response of its create. It is opaque; an unknown id returns 404.",
        "39a98e24-b03b-4191-b756-1efe8f3b16b8",
    )
}

/// The path parameter of a storage key.
pub(super) fn key_parameter(example: &str) -> Value {
    let description = "The storage key: any characters, 1 to 256 bytes; encode `/` as `%2F`.";
    path_parameter("key", description, example)
}

/// An optional request header.
pub(super) fn header_parameter(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": schema})
}

/// A query parameter.
pub(super) fn query_parameter(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "schema": schema})
}

/// The header `gms_user`.
pub(super) fn gms_user_parameter() -> Value {
    header_parameter(
        "gms_user",
        "The user of the client. Optional; stored with a created service, passed on to backends, and \
         recorded in traces.",
        &json!({"type": "string"}),
    )
}

/// Additional fields in the query string.
pub(super) fn query_fields_parameter(limits: &Limits) -> Value {
    json!({
        "name": "fields", "in": "query", "style": "form", "explode": true, "description": FORM_DATA_DESCRIPTION,
        "schema": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": key_name_schema(),
            "maxProperties": limits.fields,
        },
    })
}

fn key_name_schema() -> Value {
    json!({"minLength": 1, "maxLength": MAX_KEY_NAME_BYTES})
}

/// A request body of fields, with the schemas of the `known` ones.
pub(super) fn form_data_body(limits: &Limits, known: &[(&'static str, Value)]) -> Value {
    let known = known.iter();
    let known: Map<String, Value> = known
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let fields = |others: &Value, names: Value| {
        json!({
            "type": "object",
            "properties": known,
            "additionalProperties": others,
            "propertyNames": names,
            "maxProperties": limits.fields,
        })
    };
    let text = json!({"type": "string"});
    let mut in_multipart = key_name_schema();
    in_multipart["pattern"] = json!("^[^\\x00-\\x08\\x0A-\\x1F\\x7F]+$");
    // Client generators do not support a part that is either text or binary.
    let part = json!({"type": "string", "format": "binary"});
    json!({
        "description": format!(
            "{FORM_DATA_DESCRIPTION} A JSON body is one object: numbers and booleans are stored as text in their \
             original notation, objects and arrays as flat text such as `{{street=mystreet, city=mycity}}` and \
             `[1, 2]`, nested at most {} levels deep; `null` stores nothing, and an update removes the key. In \
             multipart bodies a part with a file name is a binary. Limits: {} fields, {} bytes per string, {} \
             bytes per binary, {} bytes for a JSON or form body, {} bytes for any body. The body is optional.",
            limits.json_depth, limits.fields, limits.string_bytes, limits.binary_bytes,
            limits.form_bytes, limits.body_bytes,
        ),
        "content": {
            "application/json": {"schema": fields(&json!(true), key_name_schema())},
            "application/x-www-form-urlencoded": {"schema": fields(&text, key_name_schema())},
            "multipart/form-data": {"schema": fields(&part, in_multipart)},
        },
    })
}

/// A plain-text response.
pub(super) fn text_response(description: &str, text: &str) -> Value {
    let content = json!({"text/plain": {"schema": {"type": "string", "const": text}}});
    json!({"description": description, "content": content})
}

/// A response without a body.
pub(super) fn empty_response(description: &str) -> Value {
    json!({"description": description})
}

/// A JSON response with this schema.
pub(super) fn json_response(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

/// A reference to a schema of the components.
pub(super) fn schema_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The schema of strings by key.
pub(super) fn strings_schema() -> Value {
    json!({
        "description": "Strings by key",
        "type": "object",
        "additionalProperties": {"type": "string"},
    })
}

/// An integer, as a number or as text.
pub(super) fn integer_schema(description: &str, low: u64, high: u64, example: u64) -> Value {
    json!({
        "description": format!("{description} {low} to {high}; a number or a string of digits."),
        "type": ["integer", "string"], "minimum": low, "maximum": high,
        "pattern": "^0*[1-9][0-9]*$", "examples": [example],
    })
}

/// A boolean, as a boolean or as text.
pub(super) fn boolean_schema(description: &str) -> Value {
    json!({
        "description": format!("{description} Case-insensitive; default `false`."),
        "type": ["boolean", "string"],
        "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$", "examples": ["true"],
    })
}

/// A string.
pub(super) fn string_schema(description: &str, example: &str) -> Value {
    json!({"description": description, "type": "string", "examples": [example]})
}
