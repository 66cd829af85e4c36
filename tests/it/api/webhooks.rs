//! Webhooks: events are delivered to receivers, `docs/webhooks.md`.

mod dead_letters;
mod deliveries;
mod events;
mod failures;
pub(crate) mod fixture;
mod official_libraries;
mod requests;
mod unconfigured;
