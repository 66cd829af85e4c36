//! The HTTP protocol, including variants of clients and proxies.

mod browsers;
mod conditions;
mod head;
mod negotiation;
mod parser;
mod refusals;
mod upgrades;
