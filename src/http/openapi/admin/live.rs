//! What lives: services and bookings; and who did what, and who is up.

use actix_web::http::{Method, StatusCode};
use serde_json::json;

use super::{OF_QUERIES, done, marked, operation, page, told};
use crate::{
    http::{
        admin::live::MAX_PREFIX_CHARACTERS,
        openapi::{
            operation::Operation,
            services::{OF_BODIES, end_parameters},
            shapes::{body, id, place, query},
        },
    },
    settings::Limits,
};

const BOOKINGS: &str = "/genesys/1/admin/groups/{group}/bookings";
const BOOKING: &str = "/genesys/1/admin/groups/{group}/bookings/{booking}";
const LIVE: &str = "/genesys/1/admin/live";
const ONE: &str = "/genesys/1/admin/live/{id}";

/// Places in lists of what ends, and in the history.
const BY_END: &str = "^[0-9]{1,18}-";
const BY_TIME: &str = "^[0-9]{1,19}(-[0-9]{1,19})?$";

/// The operations on what lives, and on what is told of the past and of replicas.
pub(super) fn operations(limits: &Limits) -> [Operation; 8] {
    [
        list_bookings(),
        release(),
        list(),
        look_up(),
        extend(limits),
        end(),
        history(),
        replicas(),
    ]
}

fn list_bookings() -> Operation {
    let number = json!({
        "description": "Only the bookings of this number, oldest first, on one page; however it is written. At \
                        most 64 bytes",
        "type": "string", "maxLength": 64, "examples": ["+1 800 344 9999"],
    });
    let group = place("group", "The name of a resource group.", "DNIS");
    operation(
        Method::GET,
        BOOKINGS,
        "listBookings",
        "List who holds which number",
    )
    .described("Those that run out first come first. Codes are told to nobody.")
    .taking([group, query("number", &number)])
    .taking(page(BY_END))
    .answering(StatusCode::OK, marked(told("A page of them", "Bookings")))
    .failing(&["GroupNotFound"])
    .failing(&OF_QUERIES)
}

fn release() -> Operation {
    let group = place("group", "The name of a resource group.", "DNIS");
    let booking = place("booking", "The id of a booking.", "b1");
    let release = operation(
        Method::DELETE,
        BOOKING,
        "releaseBooking",
        "Give a number back",
    )
    .described("Whatever the service does that it is held for, which lives on.")
    .taking([group, booking])
    .failing(&["InvalidParameter", "BookingNotFound", "StoreFull"]);
    done(release, "It is free")
}

fn list() -> Operation {
    let prefix = json!({
        "description": "Only services whose ids begin with this, as the log shows it",
        "type": "string", "pattern": "[^.\u{2026}]$", "maxLength": MAX_PREFIX_CHARACTERS,
        "examples": ["0f9d7c1e"],
    });
    operation(
        Method::GET,
        LIVE,
        "listLiveServices",
        "List services by their end",
    )
    .described(
        "A page may have fewer than `limit`: some may just have ended. With `prefix` the result is one page \
         of the services whose ids begin with it, in any case; the 20,000 services that end first are searched.",
    )
    .taking([query("prefix", &prefix)])
    .taking(page(BY_END))
    .answering(
        StatusCode::OK,
        marked(told("A page of them", "LiveServices")),
    )
    .failing(&OF_QUERIES)
}

fn look_up() -> Operation {
    let response = told("It, without the values of its storage", "LiveService");
    operation(
        Method::GET,
        ONE,
        "readLiveService",
        "Tell what a service holds",
    )
    .taking([id()])
    .answering(StatusCode::OK, marked(response))
    .failing(&["InvalidParameter", "ServiceNotFound"])
}

fn extend(limits: &Limits) -> Operation {
    let known = end_parameters(limits);
    let in_query = known.iter().map(|(name, schema)| query(name, schema));
    let extend = operation(
        Method::PUT,
        ONE,
        "moveEndOfLiveService",
        "Move the end of a service",
    )
    .described("As clients do: one of `ttl` and `expiration_time` is needed, and `ttl` wins.")
    .taking([id()])
    .taking(in_query)
    .reading(body(limits, &known))
    .failing(&["InvalidParameter", "ServiceNotFound", "StoreFull"])
    .failing(&OF_BODIES);
    done(extend, "It has been moved")
}

fn end() -> Operation {
    let end = operation(Method::DELETE, ONE, "endLiveService", "End a service")
        .described("As clients do: all that it held is given back.")
        .taking([id()])
        .failing(&["InvalidParameter", "ServiceNotFound", "StoreFull"]);
    done(end, "It has ended")
}

fn history() -> Operation {
    operation(
        Method::GET,
        "/genesys/1/admin/history",
        "listHistory",
        "List what operators did",
    )
    .described(
        "Newest first. What is done to services and bookings is noted before it is done, so it may have failed \
         then.",
    )
    .taking(page(BY_TIME))
    .answering(StatusCode::OK, marked(told("A page of it", "History")))
    .failing(&OF_QUERIES)
}

fn replicas() -> Operation {
    operation(
        Method::GET,
        "/genesys/1/admin/replicas",
        "listReplicas",
        "List the replicas that are up",
    )
    .answering(StatusCode::OK, marked(told("All of them", "Replicas")))
}
