//! Services: create, describe, expiration and delete.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    components::{
        boolean_schema, empty_response, form_data_body, gms_user_parameter, header_parameter,
        integer_schema, json_response, path_parameter, query_fields_parameter, query_parameter,
        schema_ref, service_id_parameter, string_schema, text_response,
    },
    operation::Operation,
};
use crate::settings::{Limits, RouteGroups};

const PATH: &str = "/genesys/1/service/{service}";

/// Errors of a body of fields.
pub(super) const BODY_ERRORS: [&str; 4] = [
    "UnreadableJson",
    "InvalidBody",
    "TooLarge",
    "UnsupportedMediaType",
];

/// Errors of creates: of all listeners, of those with the route group `match`, and of those with `client`.
const CREATE_ERRORS: [&str; 4] = [
    "Forbidden",
    "ServiceNotFound",
    "IdempotencyKeyReused",
    "StoreFull",
];
const MATCH_ERRORS: [&str; 1] = ["NoMatch"];
const CLIENT_CREATE_ERRORS: [&str; 3] = ["NoAccessNumber", "BackendUnreachable", "BackendTimeout"];

const CREATE_DESCRIPTION: &str = "\
    The configured service in the path determines the effect and the response of a create. Unknown parameters are \
    ignored. An option of the configured service takes precedence over the parameter of that name, unless \
    `_overwritable_options` lists it. User data and files are stored before the response is sent.";

/// The operations of a listener with these route groups.
pub(super) fn operations(groups: RouteGroups, limits: &Limits) -> Vec<Operation> {
    if !groups.client {
        return if groups.matching {
            create_operations(groups, limits).into()
        } else {
            Vec::new()
        };
    }
    let mut operations: Vec<Operation> = create_operations(groups, limits).into();
    operations.push(set_end(limits, PATH, "setExpiration", service_parameter()));
    operations.push(set_end(
        limits,
        "/genesys/1/cs/services/{id}",
        "setConversationExpiration",
        service_id_parameter(),
    ));
    operations.push(
        Operation::new(
            Method::DELETE,
            PATH,
            ("services", "deleteService"),
            "Delete a service",
        )
        .description(
            "All replicas return 404 for the id at once. The resources of the service, such as access \
                 numbers and binaries, are released shortly after.",
        )
        .client_auth()
        .parameters([service_parameter()])
        .response(StatusCode::OK, text_response("The service is deleted", "OK"))
        .errors(&["ServiceNotFound", "StoreFull"]),
    );
    operations
}

fn create_operations(groups: RouteGroups, limits: &Limits) -> [Operation; 2] {
    let known = create_parameters(groups, limits);
    let in_query = known
        .iter()
        .map(|(name, schema)| query_parameter(name, schema));
    let post = Operation::new(
        Method::POST,
        PATH,
        ("services", "createService"),
        "Create a service",
    );
    let post = with_create_details(post, groups)
        .description(CREATE_DESCRIPTION)
        .request_body(with_examples(form_data_body(limits, &known), groups));
    let get = if groups.client {
        let summary = "Describe or create a service";
        let get = Operation::new(Method::GET, PATH, ("services", "getService"), summary);
        get.description(
            "If the path has the name of a configured service, this is a create with the parameters and user \
             data of the query string. Otherwise the path has the id of a service, and the response describes \
             it without the values of its storage.",
        )
    } else {
        let summary = "Create a service by query string";
        Operation::new(Method::GET, PATH, ("services", "createByQuery"), summary)
            .description(CREATE_DESCRIPTION)
    };
    [
        post.parameters([query_fields_parameter(limits)]),
        with_create_details(get, groups)
            .parameters(in_query)
            .parameters([query_fields_parameter(limits)]),
    ]
}

/// Adds the properties that creates by `POST` and `GET` share.
fn with_create_details(operation: Operation, groups: RouteGroups) -> Operation {
    let describes = operation.method == Method::GET && groups.client;
    let schema = if describes {
        json!({"anyOf": [schema_ref("Created"), schema_ref("Service")]})
    } else {
        schema_ref("Created")
    };
    let mut response = json_response("Result of the create", &schema);
    if groups.client {
        response["links"] = create_links();
    }
    response["headers"] = json!({
        "Idempotent-Replayed": {
            "description": "The response is that of the first request with this Idempotency-Key",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Warning": {
            "description": "Names a parameter that is ignored because the configured service has an option of \
                            that name",
            "schema": {"type": "string"},
        },
    });
    let description = "A repeated request of the same client with the same key, while the service is active, returns \
                       the first response and creates nothing. A different request with the key is rejected. A client is \
                       identified by its API key, Authorization and gms_user headers; without them by its address.";
    let key_schema =
        json!({"type": "string", "minLength": 16, "maxLength": 255, "pattern": "^[!-~]+$"});
    let operation = operation
        .client_auth()
        .parameters([
            service_parameter(),
            header_parameter("Idempotency-Key", description, &key_schema),
            gms_user_parameter(),
        ])
        .response(StatusCode::OK, response)
        .errors(&CREATE_ERRORS)
        .errors(&BODY_ERRORS);
    let operation = if groups.matching {
        operation.errors(&MATCH_ERRORS)
    } else {
        operation
    };
    if groups.client {
        operation.errors(&CLIENT_CREATE_ERRORS)
    } else {
        operation
    }
}

fn set_end(limits: &Limits, path: &'static str, name: &str, parameter: Value) -> Operation {
    let known = expiration_parameters(limits);
    let in_query = known
        .iter()
        .map(|(name, schema)| query_parameter(name, schema));
    Operation::new(Method::PUT, path, ("services", name), "Set the expiration of a service")
        .description(
            "The service, its storage and its bookings expire together at the new time. Requires `ttl` or \
             `expiration_time`, in the body or in the query string; `ttl` takes precedence.",
        )
        .client_auth()
        .parameters([parameter])
        .parameters(in_query)
        .request_body(form_data_body(limits, &known))
        .response(StatusCode::OK, empty_response("The expiration time is set"))
        .errors(&["ServiceNotFound", "StoreFull"])
        .errors(&BODY_ERRORS)
}

/// The parameters that set the expiration of a service.
pub(super) fn expiration_parameters(limits: &Limits) -> [(&'static str, Value); 2] {
    [
        (
            "ttl",
            integer_schema("Seconds from now.", 1, limits.max_ttl.as_secs(), 3600),
        ),
        (
            "expiration_time",
            json!({
                "description": format!(
                    "ISO 8601, UTC without an offset. In the future, at most {} seconds from now.",
                    limits.max_ttl.as_secs(),
                ),
                "type": "string", "examples": ["2031-05-17T09:30:00.000Z"],
            }),
        ),
    ]
}

fn service_parameter() -> Value {
    path_parameter(
        "service",
        "The name of a configured service, or the id of a service.",
        "store",
    )
}

/// The parameters of the builtins that a listener with these route groups creates.
fn create_parameters(groups: RouteGroups, limits: &Limits) -> Vec<(&'static str, Value)> {
    let phone = string_schema(
        "Phone number of the caller (request-interaction, match-interaction).",
        "+1 650 469 9999",
    );
    let mut known = vec![("_phone_number", phone)];
    if groups.client {
        let max_ttl = limits.max_ttl.as_secs();
        known.extend([
            (
                "_ttl",
                integer_schema(
                    "Time to live of the service and its data, in seconds.",
                    1,
                    max_ttl,
                    3600,
                ),
            ),
            (
                "_provide_code",
                boolean_schema(
                    "Return an access code too (request-interaction, request-access).",
                ),
            ),
            (
                "_resource_group",
                string_schema(
                    "Resource group of the access number (request-interaction, request-access).",
                    "DNIS",
                ),
            ),
            (
                "_booking_expiration_timeout",
                integer_schema(
                    "Seconds for which the number is reserved (request-interaction, request-access).",
                    5,
                    1_800,
                    30,
                ),
            ),
            (
                "_access_code_length",
                integer_schema(
                    "Digits of the code, including the prefix (request-interaction, request-access).",
                    1,
                    16,
                    4,
                ),
            ),
            (
                "_access_code_prefix",
                string_schema(
                    "Leading digits of the code, or a range such as `7-9` (request-interaction, request-access).",
                    "7-9",
                ),
            ),
            (
                "_return_pool_health",
                boolean_schema(
                    "Return the size of the resource group and its free numbers (request-interaction, request-access).",
                ),
            ),
            (
                "_id",
                string_schema(
                    "Service of the access number; required (request-access).",
                    "39a98e24-b03b-4191-b756-1efe8f3b16b8",
                ),
            ),
        ]);
    }
    if groups.matching {
        known.extend([
            (
                "_access_number",
                string_schema("Dialed number; required (match-interaction).", "8003449999"),
            ),
            (
                "_access_code",
                string_schema(
                    "Access code that the caller keyed in (match-interaction).",
                    "7341",
                ),
            ),
            (
                "_return_user_data",
                boolean_schema("Return the strings of the service too (match-interaction)."),
            ),
        ]);
    }
    known
}

/// Adds an example for each builtin to a request body.
fn with_examples(mut body: Value, groups: RouteGroups) -> Value {
    let mut examples = json!({});
    if groups.client {
        examples["store"] = json!({
            "summary": "store: storage with a time to live",
            "value": {"_ttl": 3600, "language": "french", "address": {"city": "mycity"}},
        });
        examples["request-interaction"] = json!({
            "summary": "request-interaction: a number to dial",
            "value": {"_phone_number": "+1 650 469 9999", "_provide_code": "true", "reason": "billing"},
        });
        examples["request-access"] = json!({
            "summary": "request-access: a number for an existing service",
            "value": {"_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8", "_provide_code": "true"},
        });
    }
    if groups.matching {
        examples["match-interaction"] = json!({
            "summary": "match-interaction: find the service of a call",
            "value": {"_access_number": "8003449999", "_phone_number": "+1 650 469 9999", "_return_user_data": "true"},
        });
    }
    body["content"]["application/json"]["examples"] = examples;
    body
}

/// Links from the `_id` of a create.
fn create_links() -> Value {
    let links = [
        ("get", "getService", "service"),
        ("setExpiration", "setExpiration", "service"),
        ("delete", "deleteService", "service"),
        ("readStorage", "readStorage", "id"),
        ("writeStorage", "writeStorage", "id"),
        ("clearStorage", "clearStorage", "id"),
        ("sendRequest", "sendRequest", "id"),
    ];
    let links = links.map(|(name, operation, parameter)| {
        let link =
            json!({"operationId": operation, "parameters": {parameter: "$response.body#/_id"}});
        (name.to_owned(), link)
    });
    Value::Object(links.into_iter().collect())
}

/// The JSON Schema of the response of a create.
pub(super) fn created_schema() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let digits = |description: &str| json!({"type": "string", "pattern": "^[0-9]+$", "description": description});
    json!({
        "description": "The result of a create. Builtins return strings only. A service with a backend \
            returns the response of the backend and `_id`.",
        "type": "object",
        "properties": {
            "_id": text("Id of the service; not returned by request-access"),
            "_access_number": text("Number to dial"),
            "_access_code": digits("Code to key in after dialing"),
            "_expiration_time": digits("Seconds for which the number is reserved"),
            "_pool_size": digits("Size of the resource group"),
            "_pool_free": digits("Free numbers of the resource group"),
            "_data_id": text("Same as `_id`"),
            "_user_data": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Strings of the service",
            },
        },
        "examples": [
            {"_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8"},
            {
                "_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8", "_access_number": "8003449999",
                "_access_code": "7341", "_expiration_time": "30",
            },
        ],
    })
}
