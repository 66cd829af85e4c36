//! Detection of the mode of a server, and its comparison with `redis.mode`.

use std::collections::HashMap;

use redis::{RedisError, RedisResult, Value, aio::MultiplexedConnection, cmd, from_redis_value};

use super::errors::reason_of;
use crate::{
    model::readiness::{Finding, Reason},
    settings::RedisMode,
    tls_errors::{advice, with_advice},
};

/// The mode of a server, according to `HELLO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerMode {
    Standalone,
    Sentinel,
    Cluster,
}

impl ServerMode {
    /// Queries the mode of a server; `None` if it is not reported, as by some proxies.
    pub(super) async fn detect(connection: &mut MultiplexedConnection) -> Option<Self> {
        let reply: RedisResult<Value> = cmd("HELLO").query_async(connection).await;
        let mut fields: HashMap<String, Value> = from_redis_value(reply.ok()?).ok()?;
        let mode: String = from_redis_value(fields.remove("mode")?).ok()?;
        match mode.as_str() {
            "standalone" => Some(Self::Standalone),
            "sentinel" => Some(Self::Sentinel),
            "cluster" => Some(Self::Cluster),
            _ => None,
        }
    }

    /// Returns the problem if a server of this mode is at `redis.url`; `None` if the modes match.
    pub(super) fn mismatch(self, mode: RedisMode) -> Option<Finding> {
        let message = match (mode, self) {
            (RedisMode::Single, Self::Standalone)
            | (RedisMode::Sentinel, Self::Sentinel)
            | (RedisMode::Cluster, Self::Cluster) => return None,
            (RedisMode::Single, Self::Cluster) => {
                "redis.mode is single, but the server at redis.url is a member of a Redis Cluster: set \
                 redis.mode = cluster"
            }
            (RedisMode::Single, Self::Sentinel) => {
                "redis.mode is single, but the server at redis.url is a sentinel: set redis.mode = sentinel \
                 and redis.sentinel_master, or set redis.url to the Redis server itself"
            }
            (RedisMode::Sentinel, Self::Standalone) => {
                "redis.mode is sentinel, but the server at redis.url is a Redis server, not a sentinel: set \
                 redis.mode = single, or set redis.url to the sentinels (their port is usually 26379)"
            }
            (RedisMode::Sentinel, Self::Cluster) => {
                "redis.mode is sentinel, but the server at redis.url is a member of a Redis Cluster: set \
                 redis.mode = cluster"
            }
            (RedisMode::Cluster, Self::Standalone) => {
                "redis.mode is cluster, but the server at redis.url is not a member of a Redis Cluster: set \
                 redis.mode = single"
            }
            (RedisMode::Cluster, Self::Sentinel) => {
                "redis.mode is cluster, but the server at redis.url is a sentinel: set redis.mode = sentinel \
                 and redis.sentinel_master, or set redis.url to members of the Redis Cluster"
            }
        };
        Some(Finding::with_message(Reason::WrongMode, message, message))
    }
}

/// The text of an error; of several errors in a pipeline only the first one, because the others usually
/// are the same.
fn first_error_text(error: &RedisError) -> String {
    let errors = error.clone().into_server_errors();
    match errors.as_deref() {
        Some([(_, first), _, ..]) => first.to_string(),
        _ => error.to_string(),
    }
}

/// The command in the text of a denial, as ACL rules name it: `no permissions to run the 'x' command`.
fn denied_command(text: &str) -> Option<&str> {
    let (_, quoted) = text.split_once("run the '")?;
    quoted.split_once("' command").map(|(command, _)| command)
}

/// The finding for a server that could not be used.
pub(super) fn finding_of(error: &RedisError) -> Finding {
    let (reason, text) = (reason_of(error), first_error_text(error));
    if reason == Reason::MissingRights
        && let Some(command) = denied_command(&text)
    {
        let message = format!("the Redis user lacks the right +{command}");
        return Finding::with_message(reason, message, text);
    }
    match advice(&text) {
        Some(advice) => {
            let message = format!("the TLS connection to Redis failed: {advice}");
            Finding::with_message(reason, message, with_advice(text))
        }
        None => Finding::new(reason, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_commands_are_named() {
        for (text, command) in [
            (
                "this user has no permissions to run the 'script|load' command",
                Some("script|load"),
            ),
            (
                "User a has no permissions to run the 'script' command or its subcommand",
                Some("script"),
            ),
            ("No permissions to access a key", None),
        ] {
            assert_eq!(denied_command(text), command);
        }
    }

    #[test]
    fn each_mismatch_names_the_setting_and_its_value() {
        let modes = [
            (RedisMode::Single, ServerMode::Standalone, "single"),
            (RedisMode::Sentinel, ServerMode::Sentinel, "sentinel"),
            (RedisMode::Cluster, ServerMode::Cluster, "cluster"),
        ];
        for (configured, _, name) in modes {
            for (_, detected, expected) in modes {
                let mismatch = detected.mismatch(configured);
                assert_eq!(mismatch.is_none(), name == expected);
                if let Some(finding) = mismatch {
                    let prefix = format!("redis.mode is {name}, but ");
                    assert!(finding.message.starts_with(&prefix), "{}", finding.message);
                    let advice = format!("set redis.mode = {expected}");
                    assert!(finding.message.contains(&advice), "{}", finding.message);
                }
            }
        }
    }
}
