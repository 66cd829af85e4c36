//! What configured services and resource groups may say, as far as a schema can tell: whether it fits what
//! else there is, the service finds out.

use serde_json::{Map, Value, json};

use crate::{
    http::openapi::shapes::{boolean, whole_number},
    service::MOST_OPTIONS,
    settings::Limits,
};

/// One character or more, and no control characters.
const NO_CONTROLS: &str = "^[^\\x00-\\x1F\\x7F-\\x9F]+$";

/// The JSON Schema of a configured service.
pub(super) fn definition(limits: &Limits) -> Value {
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
        ("_service", url("URL of an SCXML document")),
        ("_ors", url(backends)),
        ("_ors_lb_strategy", strategy()),
    ];
    let http = [
        ("_service", url("URL template of the create")),
        (
            "_request",
            optional(&url("URL template of every request without one of its own")),
        ),
        (
            "_terminate",
            optional(&url(
                "URL template of what is asked when the service has ended",
            )),
        ),
        ("_method", optional(&method())),
        ("_terminate_method", optional(&method())),
        (
            "_session",
            optional(&text(
                "The member of the create's answer that names the session",
            )),
        ),
        ("_ors", optional(&text(backends))),
        ("_ors_lb_strategy", strategy()),
    ];
    json!({
        "description": format!(
            "A configured service: a flat table of at most {MOST_OPTIONS} options. Others than these are kept with it."
        ),
        "anyOf": [
            kind("builtin", &["_type", "_service"], builtin, limits),
            kind("ors", &["_type", "_service", "_ors"], ors, limits),
            kind("http", &["_type", "_service"], http, limits),
        ],
    })
}

/// The JSON Schema of a resource group.
pub(super) fn group() -> Value {
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
            "_booking_expiration_timeout": held(),
            "numbers": {"type": "array", "items": number("1 to 64 bytes"), "uniqueItems": true},
        },
        "required": ["_allocation_strategy", "numbers"],
        "propertyNames": option_name(),
        "additionalProperties": nothing(),
    })
}

/// Configured services of a `_type`, with its own options and those of all.
fn kind<const N: usize>(
    name: &str,
    required: &[&str],
    own: [(&str, Value); N],
    limits: &Limits,
) -> Value {
    let own = own.map(|(option, schema)| (option.to_owned(), schema));
    let mut properties: Map<String, Value> = own.into_iter().collect();
    properties.insert("_type".to_owned(), json!({"const": name}));
    for (option, schema) in of_all(limits) {
        properties.insert(option.to_owned(), schema);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "propertyNames": option_name(),
        "additionalProperties": text("Kept with it"),
    });
    if name == "http" {
        schema["patternProperties"] = json!({
            "^_request\\.": optional(&url("URL template of the request of that name")),
            "^_method\\.": optional(&method()),
        });
    }
    schema
}

fn of_all(limits: &Limits) -> [(&'static str, Value); 10] {
    let life = limits.life.as_secs();
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
            optional(&whole_number(
                "Seconds that a service lives.",
                1,
                life,
                3600,
            )),
        ),
        (
            "_resource_group",
            optional(&text(
                "The group that access numbers are taken from; there is one",
            )),
        ),
        (
            "_provide_code",
            optional(&boolean("Give an access code too.")),
        ),
        (
            "_access_code_length",
            optional(&whole_number(
                "Digits of it, its prefix included.",
                1,
                16,
                4,
            )),
        ),
        ("_access_code_prefix", optional(&prefix)),
        ("_booking_expiration_timeout", held()),
        (
            "_return_pool_health",
            optional(&boolean(
                "Tell how many numbers there are and how many are free.",
            )),
        ),
        (
            "_overwritable_options",
            optional(&text(
                "Options that a request may override, separated by commas",
            )),
        ),
        ("username", optional(&user)),
        ("password", optional(&text("Asked of callers; never told"))),
    ]
}

fn held() -> Value {
    optional(&whole_number(
        "Seconds that a number is held.",
        5,
        1_800,
        60,
    ))
}

/// What an option may be called.
fn option_name() -> Value {
    json!({"pattern": NO_CONTROLS})
}

/// Any text; numbers and booleans are the text that they are written as.
fn text(description: &str) -> Value {
    json!({"description": description, "type": ["string", "number", "boolean", "null"]})
}

/// An absolute URL, or a path behind one of `_ors`.
fn url(description: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": "^(https?://[A-Za-z0-9]|/)"})
}

fn method() -> Value {
    json!({"description": "How it is asked", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]})
}

fn strategy() -> Value {
    optional(&json!({
        "enum": ["circular", "linear"],
        "description": "How they are taken: each in its turn, or the first one that can be reached",
    }))
}

/// What is as good as absent.
fn nothing() -> Value {
    json!({"enum": ["", null]})
}

/// An option that may be there, and may be empty.
fn optional(schema: &Value) -> Value {
    json!({"anyOf": [schema, nothing()]})
}
