//! Push by `CometD`: contract of chat, section 2.

mod delivery;
mod fixture;
mod messages;
mod protocol;
mod websocket;
