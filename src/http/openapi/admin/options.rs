//! What configured services and resource groups may say, as far as a schema can tell: whether it fits what
//! else there is, the service finds out.

use serde_json::{Map, Value, json};

use crate::{
    http::openapi::components::{boolean_schema, integer_schema},
    service::MAX_OPTIONS,
    settings::Limits,
};

/// One character or more, and no control characters.
const NO_CONTROLS: &str = "^[^\\x00-\\x1F\\x7F-\\x9F]+$";

/// The JSON Schema of a configured service.
pub(super) fn definition_schema(limits: &Limits) -> Value {
    let builtin = [(
        "_service",
        json!({
            "enum": [
                "app-to-connect-basic", "match-interaction", "request-access", "request-interaction",
                "store",
            ],
            "description": "What it does",
        }),
    )];
    let backends = "URLs of what it runs on, separated by commas";
    let ors = [
        ("_service", url_schema("URL of an SCXML document")),
        ("_ors", url_schema(backends)),
        ("_ors_lb_strategy", strategy_schema()),
    ];
    let http = [
        ("_service", url_schema("URL template of the create")),
        (
            "_request",
            optional(&url_schema(
                "URL template of every request without one of its own",
            )),
        ),
        (
            "_terminate",
            optional(&url_schema(
                "URL template of what is asked when the service has ended",
            )),
        ),
        ("_method", optional(&method_schema())),
        ("_terminate_method", optional(&method_schema())),
        (
            "_session",
            optional(&text_schema(
                "The member of the create's answer that names the session",
            )),
        ),
        ("_ors", optional(&text_schema(backends))),
        ("_ors_lb_strategy", strategy_schema()),
    ];
    json!({
        "description": format!(
            "A configured service: a flat table of at most {MAX_OPTIONS} options. Others than these are kept with it."
        ),
        "anyOf": [
            definition_variant("builtin", &["_type", "_service"], builtin, limits),
            definition_variant("ors", &["_type", "_service", "_ors"], ors, limits),
            definition_variant("http", &["_type", "_service"], http, limits),
        ],
    })
}

/// The JSON Schema of a resource group.
pub(super) fn group_schema() -> Value {
    let number = |description: &str| {
        json!({
            "description": description,
            "type": ["string", "number", "boolean"],
            "minLength": 1, "maxLength": 64, "pattern": NO_CONTROLS,
        })
    };
    json!({
        "description": "A resource group: a set of access numbers",
        "type": "object",
        "properties": {
            "_allocation_strategy": {
                "enum": ["RANDOM", "ROUND_ROBIN", "CLUSTER", "LOCAL"],
                "description": "`CLUSTER` and `LOCAL` hold a number for one service at a time; `RANDOM` and \
                                `ROUND_ROBIN` share it",
            },
            "_backup_resource": optional(&number("Handed out when all numbers are taken")),
            "_booking_expiration_timeout": booking_timeout(),
            "numbers": {"type": "array", "items": number("1 to 64 bytes"), "uniqueItems": true},
        },
        "required": ["_allocation_strategy", "numbers"],
        "propertyNames": option_name_schema(),
        "additionalProperties": empty_schema(),
    })
}

/// Configured services of a `_type`, with its own options and those of all.
fn definition_variant<const N: usize>(
    name: &str,
    required: &[&str],
    own: [(&str, Value); N],
    limits: &Limits,
) -> Value {
    let own = own.map(|(option, schema)| (option.to_owned(), schema));
    let mut properties: Map<String, Value> = own.into_iter().collect();
    properties.insert("_type".to_owned(), json!({"const": name}));
    for (option, schema) in common_options(limits) {
        properties.insert(option.to_owned(), schema);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "propertyNames": option_name_schema(),
        "additionalProperties": text_schema("Kept with it"),
    });
    if name == "http" {
        schema["patternProperties"] = json!({
            "^_request\\.": optional(&url_schema("URL template of the request of that name")),
            "^_method\\.": optional(&method_schema()),
        });
    }
    schema
}

fn common_options(limits: &Limits) -> [(&'static str, Value); 10] {
    let life = limits.max_ttl.as_secs();
    let prefix = json!({
        "description": "Leading digits of it, or a range of them such as `7-9`",
        "type": ["string", "integer"], "minimum": 0, "pattern": "^[0-9]{1,16}(-[0-9]{1,16})?$",
    });
    let user = json!({
        "description": "Asked of callers, together with `password`. No colon",
        "type": ["string", "number", "boolean"], "pattern": "^[^:]*$",
    });
    [
        (
            "_ttl",
            optional(&integer_schema(
                "Seconds that a service lives.",
                1,
                life,
                3600,
            )),
        ),
        (
            "_resource_group",
            optional(&text_schema(
                "The group that access numbers are taken from; there is one",
            )),
        ),
        (
            "_provide_code",
            optional(&boolean_schema("Give an access code too.")),
        ),
        (
            "_access_code_length",
            optional(&integer_schema(
                "Digits of it, its prefix included.",
                1,
                16,
                4,
            )),
        ),
        ("_access_code_prefix", optional(&prefix)),
        ("_booking_expiration_timeout", booking_timeout()),
        (
            "_return_pool_health",
            optional(&boolean_schema(
                "Tell how many numbers there are and how many are free.",
            )),
        ),
        (
            "_overwritable_options",
            optional(&text_schema(
                "Options that a request may override, separated by commas",
            )),
        ),
        ("username", optional(&user)),
        (
            "password",
            optional(&text_schema("Asked of callers; never told")),
        ),
    ]
}

fn booking_timeout() -> Value {
    optional(&integer_schema(
        "Seconds that a number is held.",
        5,
        1_800,
        60,
    ))
}

/// What an option may be called.
fn option_name_schema() -> Value {
    json!({"pattern": NO_CONTROLS})
}

/// Any text; numbers and booleans are the text that they are written as.
fn text_schema(description: &str) -> Value {
    json!({"description": description, "type": ["string", "number", "boolean", "null"]})
}

/// An absolute URL, or a path behind one of `_ors`.
fn url_schema(description: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": "^(https?://[A-Za-z0-9]|/)"})
}

fn method_schema() -> Value {
    json!({"description": "How it is asked", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]})
}

fn strategy_schema() -> Value {
    optional(&json!({
        "enum": ["circular", "linear"],
        "description": "How they are taken: each in its turn, or the first one that can be reached",
    }))
}

/// What is as good as absent.
fn empty_schema() -> Value {
    json!({"enum": ["", null]})
}

/// An option that may be there, and may be empty.
fn optional(schema: &Value) -> Value {
    json!({"anyOf": [schema, empty_schema()]})
}
