//! The arguments and the reply of the script that books a number.

use std::{fmt::Debug, time::Duration};

use serde_json::json;

use crate::model::{
    AllocationStrategy, Booking, BookingId, Group, PoolUsage, StoreError,
    webhook::{BookingWebhooks, Subscription},
};

/// The name of a strategy in scripts.
pub(in crate::store::redis) fn strategy_name(strategy: AllocationStrategy) -> &'static str {
    match strategy {
        AllocationStrategy::Random => "random",
        AllocationStrategy::RoundRobin => "round_robin",
        AllocationStrategy::Exclusive => "exclusive",
    }
}

/// The subscriptions to the events of a booking, as `scripts/bookings.lua` stores them.
pub(super) fn format_webhooks(group: &str, webhooks: &BookingWebhooks) -> String {
    let code = |subscription: Option<Subscription>| {
        subscription.map_or_else(String::new, Subscription::code)
    };
    let hooks = json!({
        "group": group,
        "definition": webhooks.definition,
        "of_group": code(webhooks.of_group),
        "of_definition": code(webhooks.of_definition),
    });
    hooks.to_string()
}

/// Parses the reply of `book_number.lua`.
pub(super) fn parse_booking(
    group: &Group,
    id: BookingId,
    expires_in: Duration,
    reply: Vec<String>,
) -> Result<Booking, StoreError> {
    let corrupt = |what: &dyn Debug| StoreError::Corrupt(format!("booked number: {what:?}"));
    let mut reply = reply.into_iter();
    let (Some(number), Some(code)) = (reply.next(), reply.next()) else {
        return Err(corrupt(&reply));
    };
    let count =
        |text: Option<String>| text.map(|text| text.parse().map_err(|_error| corrupt(&text)));
    let (size, free) = (
        count(reply.next()).transpose()?,
        count(reply.next()).transpose()?,
    );
    Ok(Booking {
        id,
        group: group.name.clone(),
        number,
        code: Some(code).filter(|code| !code.is_empty()),
        expires_in,
        pool: size.zip(free).map(|(size, free)| PoolUsage {
            size,
            free,
            quarantined: 0,
        }),
    })
}
