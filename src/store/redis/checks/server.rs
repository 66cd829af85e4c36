//! The checks of the role, version and configuration of a server.

use std::collections::HashMap;

use redis::{Value, cmd, from_redis_value_ref};

use super::{CheckOutcome, CheckTarget, check::ServerInfo};
use crate::{model::StoreError, settings::RedisMode, store::WallClock};

/// The minimum version of Redis that has all commands: major and minor.
const MIN_VERSION: (u64, u64) = (6, 2);
/// The maximum clock skew in milliseconds.
const MAX_SKEW_MS: i64 = 1_000;

/// Reads [`ServerInfo`] with `HELLO`, which some servers permit that deny `INFO`, otherwise with `INFO`.
async fn server_info(target: &mut CheckTarget<'_>) -> Result<ServerInfo, StoreError> {
    if let Some(server_info) = &target.server_info {
        return Ok(server_info.clone());
    }
    let hello: Option<HashMap<String, Value>> = target.query(&cmd("HELLO")).await?;
    let server_info = if let Some(hello) = hello {
        let text = |name: &str| from_redis_value_ref::<String>(hello.get(name)?).ok();
        ServerInfo {
            server: text("server"),
            version: text("version"),
            mode: text("mode"),
            role: text("role"),
        }
    } else {
        let mut info = info(target, "server").await?.unwrap_or_default();
        info.extend(self::info(target, "replication").await?.unwrap_or_default());
        ServerInfo {
            server: info.remove("server_name"),
            version: info.remove("redis_version"),
            mode: info.remove("redis_mode"),
            role: info.remove("role"),
        }
    };
    target.server_info = Some(server_info.clone());
    Ok(server_info)
}

/// Reads a section of `INFO`; `None` if it is denied.
async fn info(
    target: &mut CheckTarget<'_>,
    section: &str,
) -> Result<Option<HashMap<String, String>>, StoreError> {
    let text: Option<String> = target.query(cmd("INFO").arg(section)).await?;
    let lines = |text: String| -> HashMap<String, String> {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    Ok(text.map(lines))
}

/// Reads a configuration value; `None` if it is denied.
pub(super) async fn config(
    target: &mut CheckTarget<'_>,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let pair: Option<Vec<String>> = target.query(cmd("CONFIG").arg("GET").arg(name)).await?;
    Ok(pair.and_then(|pair| pair.into_iter().nth(1)))
}

pub(super) async fn role(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let Some(role) = server_info(target).await?.role else {
        return Ok(CheckOutcome::unknown("HELLO and INFO"));
    };
    let is_primary = role == "master" || role == "primary";
    Ok(CheckOutcome::new(
        is_primary,
        if is_primary { "primary" } else { &role },
    ))
}

pub(super) async fn mode(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let (name, expected) = match target.store.mode {
        RedisMode::Single => ("single", "standalone"),
        RedisMode::Sentinel => ("sentinel", "standalone"),
        RedisMode::Cluster => ("cluster", "cluster"),
    };
    let Some(mode) = server_info(target).await?.mode else {
        return Ok(CheckOutcome::unknown("HELLO and INFO"));
    };
    let detail = format!("server {mode}, redis.mode = \"{name}\"");
    Ok(CheckOutcome::new(mode == expected, detail))
}

pub(super) async fn version(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let ServerInfo {
        server, version, ..
    } = server_info(target).await?;
    let Some(version) = version else {
        return Ok(CheckOutcome::unknown("HELLO and INFO"));
    };
    let server = server.unwrap_or_else(|| "redis".to_owned());
    let mut parts = version
        .split('.')
        .map_while(|part| part.parse::<u64>().ok());
    let parts = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    // Forks have their own version numbers, starting at 7.2 or anew.
    let passed = server != "redis" || parts >= MIN_VERSION;
    Ok(CheckOutcome::new(passed, format!("{server} {version}")))
}

pub(super) async fn eviction(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let mut policy = config(target, "maxmemory-policy").await?;
    if policy.is_none() {
        let memory = info(target, "memory").await?;
        policy = memory.and_then(|mut memory| memory.remove("maxmemory_policy"));
    }
    Ok(match policy {
        Some(policy) => CheckOutcome::new(policy == "noeviction", policy),
        None => CheckOutcome::unknown("CONFIG GET and INFO"),
    })
}

pub(super) async fn persistence(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let info = info(target, "persistence").await?;
    let append_only = config(target, "appendonly").await?;
    let save = config(target, "save").await?;
    let field = |name: &str| info.as_ref()?.get(name).map(String::as_str);
    let failing: Vec<&str> = [
        "rdb_last_bgsave_status",
        "aof_last_write_status",
        "aof_last_bgrewrite_status",
    ]
    .into_iter()
    .filter(|name| field(name) == Some("err"))
    .collect();
    if !failing.is_empty() {
        return Ok(CheckOutcome::new(
            false,
            format!("Redis cannot write: {}", failing.join(", ")),
        ));
    }
    let append_only = append_only.map(|value| value == "yes");
    let append_only = append_only.or_else(|| field("aof_enabled").map(|value| value == "1"));
    Ok(match (append_only, save) {
        (Some(true), _) => CheckOutcome::new(true, "append-only file"),
        (Some(false), Some(save)) if save.is_empty() => CheckOutcome::new(
            false,
            "neither append-only file nor snapshots: a restart loses everything",
        ),
        (Some(false), Some(save)) => CheckOutcome::new(
            true,
            format!("snapshots only (save {save}): a crash loses changes since the last one"),
        ),
        (Some(false), None) => CheckOutcome::new(false, "no append-only file"),
        (None, _) => CheckOutcome::unknown("CONFIG GET and INFO"),
    })
}

pub(super) async fn clock(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let wall = WallClock::default();
    let before = wall.now().millis();
    let Some((seconds, micros)) = target.query::<(i64, i64)>(&cmd("TIME")).await? else {
        return Ok(CheckOutcome::unknown("TIME"));
    };
    // Redis read its clock between sending and receiving.
    let local = i64::midpoint(before, wall.now().millis());
    let skew = local - (seconds * 1_000 + micros / 1_000);
    let detail = format!("clock skew {skew:+} ms between this machine and Redis");
    Ok(CheckOutcome::new(skew.abs() <= MAX_SKEW_MS, detail))
}
