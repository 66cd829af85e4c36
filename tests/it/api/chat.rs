//! Chats on services of `request-chat`: `docs/chat.md`.

pub(crate) mod agents;
mod client;
mod client_families;
mod events;
