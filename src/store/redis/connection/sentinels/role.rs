//! The role of a server.

use redis::{ConnectionAddr, RedisResult, Value, from_redis_value_ref};

use crate::{
    model::readiness::{Finding, Reason},
    store::redis::connection::server_mode::finding_of,
};

/// The role that a server reports.
pub(super) enum Role {
    Primary,
    /// A primary that is loading its data set.
    Loading,
    Other(Finding),
}

/// Parses the reply of `address` to `ROLE`.
pub(super) fn parse_role(address: &ConnectionAddr, reply: &RedisResult<Value>) -> Role {
    let role = match reply {
        Ok(Value::Array(parts)) => parts.first().map(from_redis_value_ref::<String>),
        Ok(_) => None,
        Err(error) => return Role::Other(finding_of(error)),
    };
    match role {
        Some(Ok(role)) if role == "master" => Role::Primary,
        _ => {
            let detail = format!("the sentinels return {address}, which is not a primary");
            Role::Other(Finding::new(Reason::NoPrimary, detail))
        }
    }
}

/// Whether the server is still loading its data set.
pub(super) fn is_loading(error: &redis::RedisError) -> bool {
    finding_of(error).reason == Reason::StoreLoading
}
