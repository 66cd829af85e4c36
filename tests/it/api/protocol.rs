//! The HTTP protocol, including variants of clients and proxies.

mod body_streams;
mod browsers;
mod conditions;
mod head;
mod negotiation;
mod parser;
mod refusals;
mod upgrades;
