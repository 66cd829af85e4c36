//! Bookings, active services, audit log and replicas.

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

/// Cursors of lists in the order of expiration, and of the audit log.
const EXPIRATION_CURSOR: &str = "^[0-9]{1,18}-";
const AUDIT_LOG_CURSOR: &str = "^[0-9]{1,19}(-[0-9]{1,19})?$";

/// The operations on bookings, active services, the audit log and replicas.
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
        "description": "Only the bookings of this number, in any notation, oldest first and on one page. At \
                        most 64 bytes",
        "type": "string", "maxLength": 64, "examples": ["+1 800 344 9999"],
    });
    let group = path_parameter("group", "The name of a resource group.", "DNIS");
    operation(
        Method::GET,
        BOOKINGS,
        "listBookings",
        "List the bookings of a resource group",
    )
    .description("In the order of their expiration. Access codes are not returned.")
    .parameters([group, query_parameter("number", &number)])
    .parameters(page_parameters(EXPIRATION_CURSOR))
    .response(
        StatusCode::OK,
        with_common_headers(schema_response("A page of bookings", "Bookings")),
    )
    .errors(&["GroupNotFound"])
    .errors(&QUERY_ERRORS)
}

fn release_number() -> Operation {
    let group = path_parameter("group", "The name of a resource group.", "DNIS");
    let booking = path_parameter("booking", "The id of a booking.", "b1");
    let release = operation(Method::DELETE, BOOKING, "releaseNumber", "Release a number")
        .description("Deletes the booking. Its service remains active.")
        .parameters([group, booking])
        .errors(&["InvalidParameter", "BookingNotFound", "StoreFull"]);
    ok_response(release, "The number is free")
}

fn list_services() -> Operation {
    let prefix = json!({
        "description": "Only services whose ids begin with this prefix, as in the log",
        "type": "string", "pattern": "[^.\u{2026}]$", "maxLength": MAX_PREFIX_CHARACTERS,
        "examples": ["0f9d7c1e"],
    });
    operation(
        Method::GET,
        ACTIVE_SERVICES,
        "listActiveServices",
        "List active services by expiration",
    )
    .description(
        "A page may have fewer than `limit` entries, because services can end meanwhile. With `prefix` the result is \
         one page of the services whose ids begin with it, case-insensitively; the 20,000 services that expire first \
         are searched.",
    )
    .parameters([query_parameter("prefix", &prefix)])
    .parameters(page_parameters(EXPIRATION_CURSOR))
    .response(
        StatusCode::OK,
        with_common_headers(schema_response("A page of services", "ActiveServiceList")),
    )
    .errors(&QUERY_ERRORS)
}

fn get_service() -> Operation {
    let response = schema_response(
        "The service, without the values of its storage",
        "ActiveService",
    );
    operation(
        Method::GET,
        ACTIVE_SERVICE,
        "getActiveService",
        "Describe an active service",
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
    let operation = operation(
        Method::PUT,
        ACTIVE_SERVICE,
        "setActiveServiceExpiration",
        "Set the expiration of an active service",
    )
    .description(
        "Like the client API: requires `ttl` or `expiration_time`; `ttl` takes precedence.",
    )
    .parameters([service_id_parameter()])
    .parameters(in_query)
    .request_body(form_data_body(limits, &known))
    .errors(&["InvalidParameter", "ServiceNotFound", "StoreFull"])
    .errors(&BODY_ERRORS);
    ok_response(operation, "The expiration time is set")
}

fn delete_service() -> Operation {
    let delete = operation(
        Method::DELETE,
        ACTIVE_SERVICE,
        "deleteActiveService",
        "Delete an active service",
    )
    .description("Like the client API: the resources of the service are released.")
    .parameters([service_id_parameter()])
    .errors(&["InvalidParameter", "ServiceNotFound", "StoreFull"]);
    ok_response(delete, "The service is deleted")
}

fn list_audit_log() -> Operation {
    operation(
        Method::GET,
        "/genesys/1/admin/audit-log",
        "listAuditLog",
        "List the audit log",
    )
    .description(
        "Newest first. Changes of services and bookings are recorded before they are made, so a recorded change \
         may have failed.",
    )
    .parameters(page_parameters(AUDIT_LOG_CURSOR))
    .response(StatusCode::OK, with_common_headers(schema_response("A page of events", "AuditLogPage")))
    .errors(&QUERY_ERRORS)
}

fn list_replicas() -> Operation {
    operation(
        Method::GET,
        "/genesys/1/admin/replicas",
        "listReplicas",
        "List the running replicas",
    )
    .response(
        StatusCode::OK,
        with_common_headers(schema_response("All running replicas", "Replicas")),
    )
}
