//! What lives: services and bookings; and who did what, and who is up.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use super::{
    QUERY_ERRORS, ok_response, operation, page_parameters, schema_response, with_common_headers,
};
use crate::{
    http::{
        admin_api::active_services::MAX_PREFIX_CHARACTERS,
        openapi::{
            components::{form_data_body, path_parameter, query_parameter, service_id_parameter},
            operation::Operation,
            services::{BODY_ERRORS, expiration_parameters},
        },
    },
    settings::Limits,
};

const BOOKINGS: &str = "/genesys/1/admin/groups/{group}/bookings";
const BOOKING: &str = "/genesys/1/admin/groups/{group}/bookings/{booking}";
const ACTIVE_SERVICES: &str = "/genesys/1/admin/active-services";
const ACTIVE_SERVICE: &str = "/genesys/1/admin/active-services/{id}";

/// Places in lists of what ends, and in the history.
const EXPIRATION_CURSOR: &str = "^[0-9]{1,18}-";
const AUDIT_LOG_CURSOR: &str = "^[0-9]{1,19}(-[0-9]{1,19})?$";

/// The operations on what lives, and on what is told of the past and of replicas.
pub(super) fn operations(limits: &Limits) -> [Operation; 8] {
    [
        list_bookings(),
        release_number(),
        list_services(),
        get_service(),
        set_service_end(limits),
        delete_service(),
        list_audit_log(),
        list_replicas(),
    ]
}

fn list_bookings() -> Operation {
    let number = json!({
        "description": "Only the bookings of this number, oldest first, on one page; however it is written. At \
                        most 64 bytes",
        "type": "string", "maxLength": 64, "examples": ["+1 800 344 9999"],
    });
    let group = path_parameter("group", "The name of a resource group.", "DNIS");
    operation(
        Method::GET,
        BOOKINGS,
        "listBookings",
        "List who holds which number",
    )
    .description("Those that run out first come first. Codes are told to nobody.")
    .parameters([group, query_parameter("number", &number)])
    .parameters(page_parameters(EXPIRATION_CURSOR))
    .response(
        StatusCode::OK,
        with_common_headers(schema_response("A page of them", "Bookings")),
    )
    .errors(&["GroupNotFound"])
    .errors(&QUERY_ERRORS)
}

fn release_number() -> Operation {
    let group = path_parameter("group", "The name of a resource group.", "DNIS");
    let booking = path_parameter("booking", "The id of a booking.", "b1");
    let release = operation(
        Method::DELETE,
        BOOKING,
        "releaseBooking",
        "Give a number back",
    )
    .description("Whatever the service does that it is held for, which lives on.")
    .parameters([group, booking])
    .errors(&["InvalidParameter", "BookingNotFound", "StoreFull"]);
    ok_response(release, "It is free")
}

fn list_services() -> Operation {
    let prefix = json!({
        "description": "Only services whose ids begin with this, as the log shows it",
        "type": "string", "pattern": "[^.\u{2026}]$", "maxLength": MAX_PREFIX_CHARACTERS,
        "examples": ["0f9d7c1e"],
    });
    operation(
        Method::GET,
        ACTIVE_SERVICES,
        "listLiveServices",
        "List services by their end",
    )
    .description(
        "A page may have fewer than `limit`: some may just have ended. With `prefix` the result is one page \
         of the services whose ids begin with it, in any case; the 20,000 services that end first are searched.",
    )
    .parameters([query_parameter("prefix", &prefix)])
    .parameters(page_parameters(EXPIRATION_CURSOR))
    .response(
        StatusCode::OK,
        with_common_headers(schema_response("A page of them", "LiveServices")),
    )
    .errors(&QUERY_ERRORS)
}

fn get_service() -> Operation {
    let response = schema_response("It, without the values of its storage", "LiveService");
    operation(
        Method::GET,
        ACTIVE_SERVICE,
        "readLiveService",
        "Tell what a service holds",
    )
    .parameters([service_id_parameter()])
    .response(StatusCode::OK, with_common_headers(response))
    .errors(&["InvalidParameter", "ServiceNotFound"])
}

fn set_service_end(limits: &Limits) -> Operation {
    let known = expiration_parameters(limits);
    let in_query = known
        .iter()
        .map(|(name, schema)| query_parameter(name, schema));
    let extend = operation(
        Method::PUT,
        ACTIVE_SERVICE,
        "moveEndOfLiveService",
        "Move the end of a service",
    )
    .description("As clients do: one of `ttl` and `expiration_time` is needed, and `ttl` wins.")
    .parameters([service_id_parameter()])
    .parameters(in_query)
    .request_body(form_data_body(limits, &known))
    .errors(&["InvalidParameter", "ServiceNotFound", "StoreFull"])
    .errors(&BODY_ERRORS);
    ok_response(extend, "It has been moved")
}

fn delete_service() -> Operation {
    let end = operation(
        Method::DELETE,
        ACTIVE_SERVICE,
        "endLiveService",
        "End a service",
    )
    .description("As clients do: all that it held is given back.")
    .parameters([service_id_parameter()])
    .errors(&["InvalidParameter", "ServiceNotFound", "StoreFull"]);
    ok_response(end, "It has ended")
}

fn list_audit_log() -> Operation {
    operation(
        Method::GET,
        "/genesys/1/admin/audit-log",
        "listHistory",
        "List what operators did",
    )
    .description(
        "Newest first. What is done to services and bookings is noted before it is done, so it may have failed \
         then.",
    )
    .parameters(page_parameters(AUDIT_LOG_CURSOR))
    .response(StatusCode::OK, with_common_headers(schema_response("A page of it", "History")))
    .errors(&QUERY_ERRORS)
}

fn list_replicas() -> Operation {
    operation(
        Method::GET,
        "/genesys/1/admin/replicas",
        "listReplicas",
        "List the replicas that are up",
    )
    .response(
        StatusCode::OK,
        with_common_headers(schema_response("All of them", "Replicas")),
    )
}
