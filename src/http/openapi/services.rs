//! Creating a service, and the service itself.

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

/// What can be wrong with a body of pairs.
pub(super) const BODY_ERRORS: [&str; 4] = [
    "UnreadableJson",
    "InvalidBody",
    "TooLarge",
    "UnsupportedMediaType",
];

/// Rows of a create, wherever it is; those of `match-interaction` alone where that is all there is.
const CREATE_ERRORS: [&str; 4] = [
    "Forbidden",
    "ServiceNotFound",
    "IdempotencyKeyReused",
    "StoreFull",
];
const MATCH_ERRORS: [&str; 1] = ["NoMatch"];
const CLIENT_CREATE_ERRORS: [&str; 3] = ["NoAccessNumber", "BackendUnreachable", "BackendTimeout"];

const CREATE_DESCRIPTION: &str = "What a create does and answers is told by the configured service that the path names. \
    A parameter that the service does not know is passed over, and one that the service is configured \
    with wins over the request's unless it is listed in `_overwritable_options`. User data and files are \
    in storage before the answer is sent.";

/// The operations on services that a listener with these groups has.
pub(super) fn operations(groups: RouteGroups, limits: &Limits) -> Vec<Operation> {
    if !groups.client {
        return if groups.matching {
            create_operations(groups, limits).into()
        } else {
            Vec::new()
        };
    }
    let mut operations: Vec<Operation> = create_operations(groups, limits).into();
    operations.push(set_end(limits, PATH, "setEnd", service_parameter()));
    operations.push(set_end(
        limits,
        "/genesys/1/cs/services/{id}",
        "setEndOfConversation",
        service_id_parameter(),
    ));
    operations.push(
        Operation::new(
            Method::DELETE,
            PATH,
            ("services", "endService"),
            "End a service",
        )
        .description(
            "From that moment every replica answers 404 for the id. What the service held, access \
                 numbers and binaries for example, is given back shortly after.",
        )
        .client_auth()
        .parameters([service_parameter()])
        .response(StatusCode::OK, text_response("It has ended", "OK"))
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
        let summary = "Tell a service, or create one";
        let get = Operation::new(Method::GET, PATH, ("services", "tellService"), summary);
        get.description(
            "Where the segment is the name of a configured service this is a create, with the query as \
             its parameters and user data; else it is the id of a service, which is told without the \
             values of its storage.",
        )
    } else {
        let summary = "Create a service by a query";
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

/// What creates by `POST` and by `GET` have in common.
fn with_create_details(operation: Operation, groups: RouteGroups) -> Operation {
    let tells = operation.method == Method::GET && groups.client;
    let created = if tells {
        json!({"anyOf": [schema_ref("Created"), schema_ref("Service")]})
    } else {
        schema_ref("Created")
    };
    let mut response = json_response("What the configured service gives", &created);
    if groups.client {
        response["links"] = create_links();
    }
    response["headers"] = json!({
        "Idempotent-Replayed": {
            "description": "The answer is that of the first request with this Idempotency-Key",
            "schema": {"type": "string", "enum": ["true"]},
        },
        "Warning": {
            "description": "Names a parameter that does not count, because the configured service has an option of \
                            that name",
            "schema": {"type": "string"},
        },
    });
    let repeat = "A repeat of the request by the same caller, within the service's life, that brings the same key gets \
                  the first answer again and creates nothing. Another request of that caller under the key is refused. \
                  The caller is told by the API key, the Authorization and the gms_user header; without any of them \
                  by the client address.";
    let characters =
        json!({"type": "string", "minLength": 16, "maxLength": 255, "pattern": "^[!-~]+$"});
    let operation = operation
        .client_auth()
        .parameters([
            service_parameter(),
            header_parameter("Idempotency-Key", repeat, &characters),
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

fn set_end(limits: &Limits, path: &'static str, name: &str, place: Value) -> Operation {
    let known = expiration_parameters(limits);
    let in_query = known
        .iter()
        .map(|(name, schema)| query_parameter(name, schema));
    Operation::new(Method::PUT, path, ("services", name), "Move the end of a service")
        .description(
            "The service, its storage and what is held for it end together at the new time. One of `ttl` \
             and `expiration_time` is needed, in the body or in the query; `ttl` wins.",
        )
        .client_auth()
        .parameters([place])
        .parameters(in_query)
        .request_body(form_data_body(limits, &known))
        .response(StatusCode::OK, empty_response("It has been moved"))
        .errors(&["ServiceNotFound", "StoreFull"])
        .errors(&BODY_ERRORS)
}

/// The parameters that say when a service is to end.
pub(super) fn expiration_parameters(limits: &Limits) -> [(&'static str, Value); 2] {
    [
        (
            "ttl",
            integer_schema("Seconds from now on.", 1, limits.max_ttl.as_secs(), 3600),
        ),
        (
            "expiration_time",
            json!({
                "description": format!(
                    "ISO 8601; without an offset it is UTC. In the future, at most {} seconds from now.",
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

/// The parameters of the builtins that a listener with these groups creates.
fn create_parameters(groups: RouteGroups, limits: &Limits) -> Vec<(&'static str, Value)> {
    let phone = string_schema(
        "Of request-interaction and match-interaction: the caller's phone number.",
        "+1 650 469 9999",
    );
    let mut known = vec![("_phone_number", phone)];
    if groups.client {
        let life = limits.max_ttl.as_secs();
        known.extend([
            (
                "_ttl",
                integer_schema(
                    "Seconds that the service and all its data live.",
                    1,
                    life,
                    3600,
                ),
            ),
            (
                "_provide_code",
                boolean_schema(
                    "Of request-interaction and request-access: give an access code too.",
                ),
            ),
            (
                "_resource_group",
                string_schema(
                    "Of the same: the pool that the access number is taken from.",
                    "DNIS",
                ),
            ),
            (
                "_booking_expiration_timeout",
                integer_schema(
                    "Of the same: seconds that the number is held.",
                    5,
                    1_800,
                    30,
                ),
            ),
            (
                "_access_code_length",
                integer_schema(
                    "Of the same: digits of the code, its prefix included.",
                    1,
                    16,
                    4,
                ),
            ),
            (
                "_access_code_prefix",
                string_schema(
                    "Of the same: leading digits of the code, or a range of them such as `7-9`.",
                    "7-9",
                ),
            ),
            (
                "_return_pool_health",
                boolean_schema(
                    "Of the same: tell how many numbers the pool has and how many are free.",
                ),
            ),
            (
                "_id",
                string_schema(
                    "Of request-access, required: the service that the number is for.",
                    "39a98e24-b03b-4191-b756-1efe8f3b16b8",
                ),
            ),
        ]);
    }
    if groups.matching {
        known.extend([
            (
                "_access_number",
                string_schema(
                    "Of match-interaction, required: the number that was dialled.",
                    "8003449999",
                ),
            ),
            (
                "_access_code",
                string_schema("Of match-interaction: the code that was keyed in.", "7341"),
            ),
            (
                "_return_user_data",
                boolean_schema("Of match-interaction: tell the strings of the service too."),
            ),
        ]);
    }
    known
}

/// A body with an example for each builtin.
fn with_examples(mut body: Value, groups: RouteGroups) -> Value {
    let mut examples = json!({});
    if groups.client {
        examples["store"] = json!({
            "summary": "store: plain storage with a life",
            "value": {"_ttl": 3600, "language": "french", "address": {"city": "mycity"}},
        });
        examples["request-interaction"] = json!({
            "summary": "request-interaction: a number to dial",
            "value": {"_phone_number": "+1 650 469 9999", "_provide_code": "true", "reason": "billing"},
        });
        examples["request-access"] = json!({
            "summary": "request-access: a number for a service that exists",
            "value": {"_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8", "_provide_code": "true"},
        });
    }
    if groups.matching {
        examples["match-interaction"] = json!({
            "summary": "match-interaction: whose call is it",
            "value": {"_access_number": "8003449999", "_phone_number": "+1 650 469 9999", "_return_user_data": "true"},
        });
    }
    body["content"]["application/json"]["examples"] = examples;
    body
}

/// Where the `_id` of a create leads.
fn create_links() -> Value {
    let links = [
        ("tell", "tellService", "service"),
        ("setEnd", "setEnd", "service"),
        ("end", "endService", "service"),
        ("readStorage", "readStorage", "id"),
        ("writeStorage", "writeStorage", "id"),
        ("clearStorage", "clearStorage", "id"),
        ("ask", "askService", "id"),
    ];
    let links = links.map(|(name, operation, place)| {
        let link = json!({"operationId": operation, "parameters": {place: "$response.body#/_id"}});
        (name.to_owned(), link)
    });
    Value::Object(links.into_iter().collect())
}

/// The JSON Schema of what a create answers.
pub(super) fn created_schema() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let digits = |description: &str| json!({"type": "string", "pattern": "^[0-9]+$", "description": description});
    json!({
        "description": "What the configured service gives. Builtins answer with strings only. A service \
            with a backend answers with what the backend answered, and `_id`.",
        "type": "object",
        "properties": {
            "_id": text("The id of the service; not in the answer of request-access"),
            "_access_number": text("The number to dial"),
            "_access_code": digits("The code to key in then"),
            "_expiration_time": digits("Seconds for which the number is held"),
            "_pool_size": digits("Numbers of the pool"),
            "_pool_free": digits("Those of them that are free"),
            "_data_id": text("The same as `_id`"),
            "_user_data": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "The strings of the service",
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
