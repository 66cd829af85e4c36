//! The check that Redis permits all commands, keys and channels that this program uses.
//!
//! Each is tested with `ACL DRYRUN` if that is permitted (Redis 7), otherwise by executing a harmless
//! form of it. Commands are tested on a string key of this program: commands of other types fail with
//! `WRONGTYPE` after their permission was checked. Keys are tested by deleting a field that no hash has.

use std::{collections::BTreeSet, time::Duration};

use redis::{Cmd, Value, aio::ConnectionLike, cmd};
use uuid::Uuid;

use self::commands::{COMMANDS, ESSENTIAL_RULES, KEY_CREATING_COMMANDS, Requirement};
use super::{CheckOutcome, CheckTarget};
use crate::{model::StoreError, settings::RedisMode, store::redis::connection::store_error};

mod commands;

/// A time in the far future, in milliseconds.
const FAR_FUTURE_MS: i64 = 1 << 50;

/// The subject of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    Command,
    Key,
    Channel,
}

/// A command to test, and the right that it tests.
struct RightProbe {
    requirement: Requirement,
    command: Cmd,
    /// The ACL rule to add if the key or channel is denied.
    pattern: String,
}

pub(super) async fn check(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let Some(key) = target
        .store
        .redis
        .key_on_node(target.node, |tag| target.store.keys.probe(tag))
    else {
        return Ok(CheckOutcome::unknown("reading its slots"));
    };
    let user: Option<String> = target.query(cmd("ACL").arg("WHOAMI")).await?;
    let probes = right_probes(target, &key);
    let can_dryrun = is_permitted(target, &cmd("PING")).await?.is_some();
    let denials = match &user {
        Some(user) if can_dryrun => {
            let commands = probes
                .iter()
                .map(|probe| dryrun_command(user, &probe.command));
            send_commands(target, &commands.collect::<Vec<_>>()).await?
        }
        _ => try_commands(target, &probes).await?,
    };
    let (mut missing, mut optional) = (BTreeSet::new(), BTreeSet::new());
    for (probe, denied) in probes.iter().zip(denials) {
        let rule = match denied {
            None => continue,
            Some(Denial::Command) => format!("+{}", acl_name(&probe.command)),
            Some(Denial::Key | Denial::Channel) => probe.pattern.clone(),
        };
        let rules = if probe.requirement == Requirement::Optional {
            &mut optional
        } else {
            &mut missing
        };
        rules.insert(rule);
    }
    let list = |rules: BTreeSet<String>| rules.into_iter().collect::<Vec<_>>().join(" ");
    let user = user.unwrap_or_else(|| "the user of redis.url".to_owned());
    let services = target.store.keys.samples("").into_iter().next();
    let services = services.map(|(_, pattern)| format!("~{pattern}"));
    let is_needed =
        |rule: &String| ESSENTIAL_RULES.contains(&rule.as_str()) || Some(rule) == services.as_ref();
    let is_blocking = missing.iter().any(is_needed);
    let finding = match (missing.is_empty(), optional.is_empty()) {
        (false, _) => CheckOutcome::new(false, format!("{user} lacks {}", list(missing))),
        (true, false) => CheckOutcome::new(
            true,
            format!("{user} lacks only optional {}", list(optional)),
        ),
        (true, true) => CheckOutcome::new(true, "all commands, keys and channels are permitted"),
    };
    Ok(CheckOutcome {
        is_blocking,
        ..finding
    })
}

/// Whether the user may send `command`, according to `ACL DRYRUN`; `None` if that is not permitted.
pub(super) async fn is_permitted(
    target: &mut CheckTarget<'_>,
    command: &Cmd,
) -> Result<Option<bool>, StoreError> {
    let Some(user) = target.query::<String>(cmd("ACL").arg("WHOAMI")).await? else {
        return Ok(None);
    };
    let reply: Option<String> = target.query(&dryrun_command(&user, command)).await?;
    Ok(reply.map(|text| parse_denial(&text).is_none()))
}

/// The rights that this program needs with its settings.
fn right_probes(target: &CheckTarget<'_>, key: &str) -> Vec<RightProbe> {
    let (store, random) = (target.store, Uuid::new_v4().simple().to_string());
    let applies = |requirement| match requirement {
        Requirement::Always | Requirement::Optional => true,
        Requirement::Cluster => store.mode == RedisMode::Cluster,
        Requirement::Sentinel => store.mode == RedisMode::Sentinel,
        Requirement::Replicas => store.waits_for_replicas,
    };
    // If the time of Redis is not known yet, the string exists until it is deleted at the end.
    let now = store.redis.now();
    let expires_at = now.map_or(FAR_FUTURE_MS, |now| {
        now.after(Duration::from_secs(10)).millis()
    });
    let mut probes: Vec<RightProbe> = Vec::new();
    for (requirement, line) in COMMANDS
        .iter()
        .filter(|(requirement, _)| applies(*requirement))
    {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().unwrap_or_default());
        for word in words {
            match word {
                "K" => command.arg(key),
                "T" => command.arg(expires_at),
                word => command.arg(word),
            };
        }
        let pattern = format!("~{}", store.keys.probe("*"));
        probes.push(RightProbe {
            requirement: *requirement,
            command,
            pattern,
        });
    }
    // Before the last command, which deletes the string.
    let mut keys = Vec::new();
    for (sample, pattern) in store.keys.samples(&random) {
        for command_name in ["HEXISTS", "HDEL"] {
            let command = cmd(command_name).arg(&sample).arg(&random).to_owned();
            let pattern = format!("~{pattern}");
            keys.push(RightProbe {
                requirement: Requirement::Always,
                command,
                pattern,
            });
        }
    }
    let mut channel = |requirement, command_name: &str, channel: &str, extra: &str| {
        let mut command = cmd(command_name);
        command.arg(channel);
        if !extra.is_empty() {
            command.arg(extra);
        }
        let pattern = format!("&{channel}");
        keys.push(RightProbe {
            requirement,
            command,
            pattern,
        });
    };
    for one in target.node.notification_channels() {
        channel(Requirement::Always, "SUBSCRIBE", &one, "");
    }
    for changes in [store.keys.catalog_channel(), store.keys.chat_channel()] {
        channel(Requirement::Optional, "SUBSCRIBE", &changes, "");
        channel(Requirement::Optional, "PUBLISH", &changes, "check");
    }
    let last = probes.len().saturating_sub(1);
    probes.splice(last..last, keys);
    probes
}

/// The command that tests whether `user` may send `command`.
fn dryrun_command(user: &str, command: &Cmd) -> Cmd {
    let mut dryrun = cmd("ACL");
    dryrun.arg("DRYRUN").arg(user);
    for argument in command.args_iter() {
        if let redis::Arg::Simple(bytes) = argument {
            dryrun.arg(bytes);
        }
    }
    dryrun
}

/// Sends all commands, and returns the reason of each denial.
async fn send_commands(
    target: &mut CheckTarget<'_>,
    commands: &[Cmd],
) -> Result<Vec<Option<Denial>>, StoreError> {
    let mut pipeline = redis::pipe();
    for command in commands {
        pipeline.add_command(command.clone());
    }
    let count = commands.len();
    let replies = target
        .connection
        .req_packed_commands(&pipeline, 0, count)
        .await;
    let replies = replies.map_err(|error| store_error(&error))?;
    let denied = |reply: Value| match reply.extract_error() {
        Ok(Value::BulkString(text)) => parse_denial(&String::from_utf8_lossy(&text)),
        Ok(Value::SimpleString(text)) => parse_denial(&text),
        Ok(_) => None,
        Err(error) => parse_denial(&error.to_string()),
    };
    Ok(replies.into_iter().map(denied).collect())
}

/// Sends the commands of the probes, except subscriptions, over the connection of the checks.
async fn try_commands(
    target: &mut CheckTarget<'_>,
    probes: &[RightProbe],
) -> Result<Vec<Option<Denial>>, StoreError> {
    let [first, rest @ ..] = probes else {
        return Ok(Vec::new());
    };
    let mut denials = send_commands(target, std::slice::from_ref(&first.command)).await?;
    let string_exists = denials.iter().all(Option::is_none);
    let is_subscription = |probe: &RightProbe| acl_name(&probe.command) == "subscribe";
    let is_sent = |probe: &RightProbe| {
        let creates_key = KEY_CREATING_COMMANDS
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&acl_name(&probe.command)));
        !is_subscription(probe) && (string_exists || !creates_key)
    };
    let sent = rest.iter().filter(|probe| is_sent(probe));
    let sent: Vec<Cmd> = sent.map(|probe| probe.command.clone()).collect();
    let mut sent = send_commands(target, &sent).await?.into_iter();
    for probe in rest {
        denials.push(if is_sent(probe) {
            sent.next().flatten()
        } else if is_subscription(probe) {
            try_subscribe(target, probe).await?
        } else {
            None
        });
    }
    Ok(denials)
}

async fn try_subscribe(
    target: &mut CheckTarget<'_>,
    probe: &RightProbe,
) -> Result<Option<Denial>, StoreError> {
    let mut subscriber = target.node.subscriber().await?;
    let channel = probe.pattern.trim_start_matches('&');
    match target
        .node
        .with_response_timeout(subscriber.subscribe(channel))
        .await
    {
        Err(StoreError::Denied(text)) => Ok(parse_denial(&text)),
        Err(error @ StoreError::Unknown(_)) => Err(error),
        _ => Ok(None),
    }
}

/// Parses the text of a denial. The wording depends on the version of Redis, and differs in `ACL
/// DRYRUN`.
fn parse_denial(text: &str) -> Option<Denial> {
    let text = text.to_ascii_lowercase();
    if !text.contains("noperm") && !text.contains("no permissions") {
        return None;
    }
    Some(if text.contains("channel") {
        Denial::Channel
    } else if text.contains(" key") {
        Denial::Key
    } else {
        Denial::Command
    })
}

/// The name of a command in ACL rules.
fn acl_name(command: &Cmd) -> String {
    let mut words = command.args_iter().map(|argument| match argument {
        redis::Arg::Simple(bytes) => String::from_utf8_lossy(bytes).to_ascii_lowercase(),
        _ => String::new(),
    });
    let name = words.next().unwrap_or_default();
    match (name.as_str(), words.next()) {
        ("acl" | "client" | "cluster" | "config" | "script", Some(sub)) => format!("{name}|{sub}"),
        _ => name,
    }
}

#[cfg(test)]
mod tests;
