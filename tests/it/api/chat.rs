//! Chats on services of `request-chat`: `docs/chat.md`.

pub(crate) mod agents;
