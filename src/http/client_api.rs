//! Handlers of the client API.

pub(super) mod binaries;
pub(super) mod chat_events;
pub(super) mod create;
pub(super) mod service_requests;
pub(super) mod services;
pub(super) mod storage;
pub(super) mod storage_areas;
