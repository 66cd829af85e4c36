//! Chats on services of the builtin `request-chat`: requests of clients and agents, and their listeners.

pub use self::{
    agents::{
        AgentContext, AgentCredentials, AgentEvent, AgentRequest, AgentStream, Agents, ChatDetail,
        OpenChats,
    },
    fields::{parse_position, transcript_position},
    object::{ChatObject, PublicAddress},
    stream::{ChatStream, ChatStreamItem},
};
pub(super) use self::{
    client::ChatResponse,
    request::{ChatRequest, chat_path},
    start::ChatStart,
};

mod agents;
mod client;
mod fields;
mod object;
mod request;
mod start;
mod stream;
mod transcript;
