//! Chats on services of the builtin `request-chat`: requests of clients and agents, and their listeners.

pub use self::{
    listeners::{ChatListener, ChatListeners},
    object::{ChatObject, PublicAddress},
    stream::{ChatStream, ChatStreamItem},
};
pub(super) use self::{
    request::{ChatRequest, chat_path},
    start::ChatStart,
};

mod client;
mod fields;
mod listeners;
mod object;
mod request;
mod start;
mod stream;
mod transcript;
