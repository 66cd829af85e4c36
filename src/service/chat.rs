//! Chats on services of the builtin `request-chat`: requests of clients and agents, and their listeners.

pub use self::{
    listeners::{ChatListener, ChatListeners},
    object::{ChatObject, ChatObjectState},
};

mod listeners;
mod object;
