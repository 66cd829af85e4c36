//! HTTP itself, as clients and proxies of all kinds speak it.

mod body_streams;
mod browsers;
mod conditions;
mod head;
mod negotiation;
mod parser;
mod refusals;
mod upgrades;
