//! What several operations share: parameters, bodies of pairs, answers.

use serde_json::{Map, Value, json};

use crate::{settings::Limits, store::MAX_KEY_NAME_BYTES};

/// What is said of pairs wherever they are read.
const FORM_DATA_DESCRIPTION: &str = "Pairs of names and values. Names that begin with `_` are parameters and never stored; \
                     other names have 1 to 256 bytes. Pairs of the query string count too; the body \
                     wins where both have a name.";

/// A parameter in the path: any text, percent-encoded.
pub(super) fn path_parameter(name: &str, description: &str, example: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description,
        "schema": {"type": "string", "minLength": 1}, "example": example,
    })
}

/// The id of a service, in the path.
pub(super) fn service_id_parameter() -> Value {
    path_parameter(
        "id",
        "The id of a service, as its create answered it. Opaque: whatever names nothing is 404.",
        "39a98e24-b03b-4191-b756-1efe8f3b16b8",
    )
}

/// The name of a key, in the path, such as `example`.
pub(super) fn key_parameter(example: &str) -> Value {
    let description = "The name of a key: any characters, 1 to 256 bytes; `/` is written `%2F`.";
    path_parameter("key", description, example)
}

/// A header that may be sent.
pub(super) fn header_parameter(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": schema})
}

/// A parameter in the query.
pub(super) fn query_parameter(name: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "schema": schema})
}

/// Who asks, for traces.
pub(super) fn gms_user_parameter() -> Value {
    header_parameter(
        "gms_user",
        "Who asks. Optional everywhere; kept with a service that is created, passed on to backends, and \
         shown in traces.",
        &json!({"type": "string"}),
    )
}

/// Any further pairs in the query.
pub(super) fn query_fields_parameter(limits: &Limits) -> Value {
    json!({
        "name": "pairs", "in": "query", "style": "form", "explode": true, "description": FORM_DATA_DESCRIPTION,
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

/// A body of pairs, of which these are known by name.
pub(super) fn form_data_body(limits: &Limits, known: &[(&'static str, Value)]) -> Value {
    let known = known.iter();
    let known: Map<String, Value> = known
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    let pairs = |others: &Value, names: Value| {
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
    // Text is a binary without a file name; generators of clients do not take either or.
    let part = json!({"type": "string", "format": "binary"});
    json!({
        "description": format!(
            "{FORM_DATA_DESCRIPTION} JSON is one object: numbers and booleans become text as they are written, maps and \
             arrays flat text such as `{{street=mystreet, city=mycity}}` and `[1, 2]`, at most {} levels \
             deep; `null` stores nothing and removes the key on an update. In multipart bodies a part \
             with a file name is a binary. At most {} pairs, {} bytes a string, {} bytes a binary, {} \
             bytes a JSON or form body, {} bytes any body. No body is no pairs.",
            limits.json_depth, limits.fields, limits.string_bytes, limits.binary_bytes,
            limits.form_bytes, limits.body_bytes,
        ),
        "content": {
            "application/json": {"schema": pairs(&json!(true), key_name_schema())},
            "application/x-www-form-urlencoded": {"schema": pairs(&text, key_name_schema())},
            "multipart/form-data": {"schema": pairs(&part, in_multipart)},
        },
    })
}

/// An answer of plain text.
pub(super) fn text_response(description: &str, text: &str) -> Value {
    let content = json!({"text/plain": {"schema": {"type": "string", "const": text}}});
    json!({"description": description, "content": content})
}

/// An answer without a body.
pub(super) fn empty_response(description: &str) -> Value {
    json!({"description": description})
}

/// An answer in JSON of this schema.
pub(super) fn json_response(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

/// A schema of the components.
pub(super) fn schema_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// All strings of a service, or one.
pub(super) fn strings_schema() -> Value {
    json!({
        "description": "Keys and their strings",
        "type": "object",
        "additionalProperties": {"type": "string"},
    })
}

/// A whole number, as a number or as text.
pub(super) fn integer_schema(description: &str, low: u64, high: u64, example: u64) -> Value {
    json!({
        "description": format!("{description} {low} to {high}; a number or its digits."),
        "type": ["integer", "string"], "minimum": low, "maximum": high,
        "pattern": "^0*[1-9][0-9]*$", "examples": [example],
    })
}

/// A boolean, as such or as text.
pub(super) fn boolean_schema(description: &str) -> Value {
    json!({
        "description": format!("{description} In small or capital letters; `false` where it is absent."),
        "type": ["boolean", "string"],
        "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$", "examples": ["true"],
    })
}

/// Text.
pub(super) fn string_schema(description: &str, example: &str) -> Value {
    json!({"description": description, "type": "string", "examples": [example]})
}
