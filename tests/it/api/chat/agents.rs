//! The API for agents of chats.

mod access;
mod events;
pub(crate) mod fixture;
mod lists;
mod operations;
mod races;
mod requests;
mod resumption;
