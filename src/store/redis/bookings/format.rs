//! The arguments and the reply of the script that books a number.

use std::time::Duration;

use serde_json::json;

use crate::model::{
    AllocationStrategy, Booking, BookingId, BookingRequest, Group, PoolUsage, StoreError,
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
    request: &BookingRequest,
    reply: Vec<String>,
) -> Result<Booking, StoreError> {
    let [number, code, size, free] = <[String; 4]>::try_from(reply)
        .map_err(|reply| StoreError::Corrupt(format!("booked number: {reply:?}")))?;
    let count = |text: &str| text.parse().unwrap_or_default();
    Ok(Booking {
        id,
        group: group.name.clone(),
        number,
        code: Some(code).filter(|code| !code.is_empty()),
        expires_in,
        pool: request.include_pool.then(|| PoolUsage {
            size: count(&size),
            free: count(&free),
        }),
    })
}
