//! Schemas of configured services and resource groups. Rules that involve other entries are not part of them.

use serde_json::{Map, Value, json};

use crate::{
    http::openapi::components::{boolean_schema, integer_schema},
    service::MAX_OPTIONS,
    settings::Limits,
};

/// One or more characters, without control characters.
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
            "description": "Builtin",
        }),
    )];
    let backends = "Base URLs of the backends, separated by commas";
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
                "URL template of requests without their own `_request.<name>`",
            )),
        ),
        (
            "_terminate",
            optional(&url_schema(
                "URL template of the request after the service has ended",
            )),
        ),
        ("_method", optional(&method_schema())),
        ("_terminate_method", optional(&method_schema())),
        (
            "_session",
            optional(&text_schema(
                "Member of the create response that has the session id",
            )),
        ),
        ("_ors", optional(&text_schema(backends))),
        ("_ors_lb_strategy", strategy_schema()),
    ];
    json!({
        "description": format!(
            "A configured service: a flat table of at most {MAX_OPTIONS} options. Other options are stored with it."
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
                "description": "`CLUSTER` and `LOCAL` reserve a number for one service at a time; `RANDOM` and \
                                `ROUND_ROBIN` share numbers",
            },
            "_backup_resource": optional(&number("Number that is returned when no other number is free")),
            "_booking_expiration_timeout": booking_timeout(),
            "numbers": {"type": "array", "items": number("1 to 64 bytes"), "uniqueItems": true},
        },
        "required": ["_allocation_strategy", "numbers"],
        "propertyNames": option_name_schema(),
        "additionalProperties": empty_schema(),
    })
}

/// Configured services of a `_type`, with its own and the common options.
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
        "additionalProperties": text_schema("Stored with the entry"),
    });
    if name == "http" {
        schema["patternProperties"] = json!({
            "^_request\\.": optional(&url_schema("URL template of the request with this name")),
            "^_method\\.": optional(&method_schema()),
        });
    }
    schema
}

fn common_options(limits: &Limits) -> [(&'static str, Value); 10] {
    let max_ttl = limits.max_ttl.as_secs();
    let prefix = json!({
        "description": "Leading digits of the access code, or a range such as `7-9`",
        "type": ["string", "integer"], "minimum": 0, "pattern": "^[0-9]{1,16}(-[0-9]{1,16})?$",
    });
    let user = json!({
        "description": "User name that clients must send, with `password`. No colon",
        "type": ["string", "number", "boolean"], "pattern": "^[^:]*$",
    });
    [
        (
            "_ttl",
            optional(&integer_schema(
                "Time to live of a service, in seconds.",
                1,
                max_ttl,
                3600,
            )),
        ),
        (
            "_resource_group",
            optional(&text_schema(
                "Resource group of the access numbers; it must exist",
            )),
        ),
        (
            "_provide_code",
            optional(&boolean_schema("Return an access code too.")),
        ),
        (
            "_access_code_length",
            optional(&integer_schema(
                "Digits of the access code, including the prefix.",
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
                "Return the size of the resource group and its free numbers.",
            )),
        ),
        (
            "_overwritable_options",
            optional(&text_schema(
                "Options that parameters of a request override, separated by commas",
            )),
        ),
        ("username", optional(&user)),
        (
            "password",
            optional(&text_schema(
                "Password that clients must send; never returned",
            )),
        ),
    ]
}

fn booking_timeout() -> Value {
    optional(&integer_schema(
        "Seconds for which a number is reserved.",
        5,
        1_800,
        60,
    ))
}

/// The schema of option names.
fn option_name_schema() -> Value {
    json!({"pattern": NO_CONTROLS})
}

/// Text; numbers and booleans are stored as text in their original notation.
fn text_schema(description: &str) -> Value {
    json!({"description": description, "type": ["string", "number", "boolean", "null"]})
}

/// An absolute URL, or a path that is appended to a URL of `_ors`.
fn url_schema(description: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": "^(https?://[A-Za-z0-9]|/)"})
}

fn method_schema() -> Value {
    json!({"description": "HTTP method", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]})
}

fn strategy_schema() -> Value {
    optional(&json!({
        "enum": ["circular", "linear"],
        "description": "Load balancing: round robin, or the first available backend",
    }))
}

/// Values that count as absent.
fn empty_schema() -> Value {
    json!({"enum": ["", null]})
}

/// An optional option, which may be empty.
fn optional(schema: &Value) -> Value {
    json!({"anyOf": [schema, empty_schema()]})
}
