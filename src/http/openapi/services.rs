//! Creating a service, and the service itself.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    operation::Operation,
    shapes::{
        answer, body, boolean, empty, gms_user, header, id, place, query, query_pairs, schema,
        text, whole_number, words,
    },
};
use crate::settings::{Groups, Limits};

const PATH: &str = "/genesys/1/service/{service}";

/// What can be wrong with a body of pairs.
pub(super) const OF_BODIES: [&str; 4] = [
    "UnreadableJson",
    "InvalidBody",
    "TooLarge",
    "UnsupportedMediaType",
];

/// Rows of a create, wherever it is; those of `match-interaction` alone where that is all there is.
const OF_CREATES: [&str; 4] = [
    "Forbidden",
    "ServiceNotFound",
    "IdempotencyKeyReused",
    "StoreFull",
];
const OF_MATCHES: [&str; 1] = ["NoMatch"];
const OF_SERVICES: [&str; 3] = ["NoAccessNumber", "BackendUnreachable", "BackendTimeout"];

const CREATE: &str = "What a create does and answers is told by the configured service that the path names. \
    A parameter that the service does not know is passed over, and one that the service is configured \
    with wins over the request's unless it is listed in `_overwritable_options`. User data and files are \
    in storage before the answer is sent.";

/// The operations on services that a listener with these groups has.
pub(super) fn operations(groups: Groups, limits: &Limits) -> Vec<Operation> {
    if !groups.client {
        return if groups.matching {
            creates(groups, limits).into()
        } else {
            Vec::new()
        };
    }
    let mut operations: Vec<Operation> = creates(groups, limits).into();
    operations.push(set_end(limits, PATH, "setEnd", service()));
    operations.push(set_end(
        limits,
        "/genesys/1/cs/services/{id}",
        "setEndOfConversation",
        id(),
    ));
    operations.push(
        Operation::new(
            Method::DELETE,
            PATH,
            ("services", "endService"),
            "End a service",
        )
        .described(
            "From that moment every replica answers 404 for the id. What the service held, access \
                 numbers and binaries for example, is given back shortly after.",
        )
        .of_callers()
        .taking([service()])
        .answering(StatusCode::OK, text("It has ended", "OK"))
        .failing(&["ServiceNotFound", "StoreFull"]),
    );
    operations
}

fn creates(groups: Groups, limits: &Limits) -> [Operation; 2] {
    let known = parameters(groups, limits);
    let in_query = known.iter().map(|(name, schema)| query(name, schema));
    let post = Operation::new(
        Method::POST,
        PATH,
        ("services", "createService"),
        "Create a service",
    );
    let post = create(post, groups)
        .described(CREATE)
        .reading(with_examples(body(limits, &known), groups));
    let get = if groups.client {
        let summary = "Tell a service, or create one";
        let get = Operation::new(Method::GET, PATH, ("services", "tellService"), summary);
        get.described(
            "Where the segment is the name of a configured service this is a create, with the query as \
             its parameters and user data; else it is the id of a service, which is told without the \
             values of its storage.",
        )
    } else {
        let summary = "Create a service by a query";
        Operation::new(Method::GET, PATH, ("services", "createByQuery"), summary).described(CREATE)
    };
    [
        post.taking([query_pairs(limits)]),
        create(get, groups)
            .taking(in_query)
            .taking([query_pairs(limits)]),
    ]
}

/// What creates by `POST` and by `GET` have in common.
fn create(operation: Operation, groups: Groups) -> Operation {
    let tells = operation.method == Method::GET && groups.client;
    let created = if tells {
        json!({"anyOf": [schema("Created"), schema("Service")]})
    } else {
        schema("Created")
    };
    let mut response = answer("What the configured service gives", &created);
    if groups.client {
        response["links"] = links();
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
        .of_callers()
        .taking([
            service(),
            header("Idempotency-Key", repeat, &characters),
            gms_user(),
        ])
        .answering(StatusCode::OK, response)
        .failing(&OF_CREATES)
        .failing(&OF_BODIES);
    let operation = if groups.matching {
        operation.failing(&OF_MATCHES)
    } else {
        operation
    };
    if groups.client {
        operation.failing(&OF_SERVICES)
    } else {
        operation
    }
}

fn set_end(limits: &Limits, path: &'static str, name: &str, place: Value) -> Operation {
    let known = end_parameters(limits);
    let in_query = known.iter().map(|(name, schema)| query(name, schema));
    Operation::new(Method::PUT, path, ("services", name), "Move the end of a service")
        .described(
            "The service, its storage and what is held for it end together at the new time. One of `ttl` \
             and `expiration_time` is needed, in the body or in the query; `ttl` wins.",
        )
        .of_callers()
        .taking([place])
        .taking(in_query)
        .reading(body(limits, &known))
        .answering(StatusCode::OK, empty("It has been moved"))
        .failing(&["ServiceNotFound", "StoreFull"])
        .failing(&OF_BODIES)
}

/// The parameters that say when a service is to end.
pub(super) fn end_parameters(limits: &Limits) -> [(&'static str, Value); 2] {
    [
        (
            "ttl",
            whole_number("Seconds from now on.", 1, limits.life.as_secs(), 3600),
        ),
        (
            "expiration_time",
            json!({
                "description": format!(
                    "ISO 8601; without an offset it is UTC. In the future, at most {} seconds from now.",
                    limits.life.as_secs(),
                ),
                "type": "string", "examples": ["2031-05-17T09:30:00.000Z"],
            }),
        ),
    ]
}

fn service() -> Value {
    place(
        "service",
        "The name of a configured service, or the id of a service.",
        "store",
    )
}

/// The parameters of the builtins that a listener with these groups creates.
fn parameters(groups: Groups, limits: &Limits) -> Vec<(&'static str, Value)> {
    let phone = words(
        "Of request-interaction and match-interaction: the caller's phone number.",
        "+1 650 469 9999",
    );
    let mut known = vec![("_phone_number", phone)];
    if groups.client {
        let life = limits.life.as_secs();
        known.extend([
            (
                "_ttl",
                whole_number(
                    "Seconds that the service and all its data live.",
                    1,
                    life,
                    3600,
                ),
            ),
            (
                "_provide_code",
                boolean("Of request-interaction and request-access: give an access code too."),
            ),
            (
                "_resource_group",
                words(
                    "Of the same: the pool that the access number is taken from.",
                    "DNIS",
                ),
            ),
            (
                "_booking_expiration_timeout",
                whole_number(
                    "Of the same: seconds that the number is held.",
                    5,
                    1_800,
                    30,
                ),
            ),
            (
                "_access_code_length",
                whole_number(
                    "Of the same: digits of the code, its prefix included.",
                    1,
                    16,
                    4,
                ),
            ),
            (
                "_access_code_prefix",
                words(
                    "Of the same: leading digits of the code, or a range of them such as `7-9`.",
                    "7-9",
                ),
            ),
            (
                "_return_pool_health",
                boolean("Of the same: tell how many numbers the pool has and how many are free."),
            ),
            (
                "_id",
                words(
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
                words(
                    "Of match-interaction, required: the number that was dialled.",
                    "8003449999",
                ),
            ),
            (
                "_access_code",
                words("Of match-interaction: the code that was keyed in.", "7341"),
            ),
            (
                "_return_user_data",
                boolean("Of match-interaction: tell the strings of the service too."),
            ),
        ]);
    }
    known
}

/// A body with an example for each builtin.
fn with_examples(mut body: Value, groups: Groups) -> Value {
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
fn links() -> Value {
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
pub(super) fn created() -> Value {
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
