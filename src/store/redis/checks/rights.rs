//! Whether Redis permits all commands, keys and channels that this program uses.
//!
//! Each is tried: with `ACL DRYRUN` where that is permitted (Redis 7), else really, in a form that does
//! nothing. Commands are tried on a string of our own, where those for other types fail with `WRONGTYPE`
//! after their permission was checked; keys by deleting a field that no hash has.

use std::{collections::BTreeSet, time::Duration};

use redis::{Cmd, Value, aio::ConnectionLike, cmd};
use uuid::Uuid;

use super::{CheckOutcome, CheckTarget};
use crate::{settings::RedisMode, store::StoreError};

/// When a right is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requirement {
    Always,
    Cluster,
    Sentinel,
    /// With `redis.wait_replicas`.
    Replicas,
    /// The program works without it.
    Optional,
}

/// Every command that the program or its scripts send, in a form that does no harm to `K`, a string of
/// our own. The first makes that string, the last deletes it.
const COMMANDS: &[(Requirement, &str)] = &[
    (Requirement::Always, "SET K x PX 10000"),
    (Requirement::Always, "PING"),
    (Requirement::Always, "TIME"),
    (Requirement::Always, "UNWATCH"),
    (
        Requirement::Always,
        "EVALSHA 0000000000000000000000000000000000000000 0",
    ),
    (Requirement::Always, "SCRIPT LOAD return"),
    (Requirement::Always, "GET K"),
    (Requirement::Always, "GETEX K"),
    (Requirement::Always, "INCR K"),
    (Requirement::Always, "DECR K"),
    (Requirement::Always, "EXISTS K"),
    (Requirement::Always, "EXPIRE K 10"),
    (Requirement::Always, "PEXPIRE K 10000"),
    (Requirement::Always, "PTTL K"),
    (Requirement::Always, "HGET K f"),
    (Requirement::Always, "HSET K f v"),
    (Requirement::Always, "HMGET K f"),
    (Requirement::Always, "HGETALL K"),
    (Requirement::Always, "HKEYS K"),
    (Requirement::Always, "HLEN K"),
    (Requirement::Always, "HSTRLEN K f"),
    (Requirement::Always, "HEXISTS K f"),
    (Requirement::Always, "HDEL K f"),
    (Requirement::Always, "ZADD K 0 m"),
    (Requirement::Always, "ZREM K m"),
    (Requirement::Always, "ZSCORE K m"),
    (Requirement::Always, "ZCARD K"),
    (Requirement::Always, "ZCOUNT K 0 0"),
    (Requirement::Always, "ZRANGE K 0 0"),
    (Requirement::Always, "ZRANGEBYSCORE K 0 0"),
    (Requirement::Always, "ZRANGEBYLEX K - +"),
    (Requirement::Always, "ZREVRANGEBYLEX K + -"),
    (Requirement::Always, "ZRANDMEMBER K"),
    (Requirement::Always, "ZREMRANGEBYSCORE K 0 0"),
    (Requirement::Always, "XADD K * f v"),
    (Requirement::Always, "XREVRANGE K + - COUNT 1"),
    (Requirement::Cluster, "CLUSTER SLOTS"),
    (Requirement::Cluster, "ASKING"),
    (Requirement::Sentinel, "ROLE"),
    (Requirement::Replicas, "WAIT 0 1"),
    (Requirement::Optional, "SCAN 0 COUNT 1"),
    (Requirement::Optional, "CONFIG GET notify-keyspace-events"),
    (Requirement::Always, "PEXPIREAT K T"),
    (Requirement::Always, "UNLINK K"),
];

/// Places in [`COMMANDS`] of those that would make a key of another type if the first one was denied.
const KEY_CREATING_COMMANDS: [&str; 5] = ["INCR", "DECR", "HSET", "ZADD", "XADD"];

/// Rules without which no service can be created or read.
const ESSENTIAL_RULES: [&str; 7] = [
    "+evalsha",
    "+exists",
    "+hget",
    "+hset",
    "+pexpireat",
    "+set",
    "+time",
];

/// An instant far ahead, in milliseconds.
const FAR_FUTURE_MS: i64 = 1 << 50;

/// What a denial is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    Command,
    Key,
    Channel,
}

/// A command to try, what it needs, and what it is tried for.
struct RightProbe {
    requirement: Requirement,
    command: Cmd,
    /// The ACL rule that a denied key or channel is missing.
    pattern: String,
}

pub(super) async fn check(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let Some(key) = target
        .store
        .redis
        .key_on_node(target.node, |tag| target.store.keys.probe(tag))
    else {
        return Ok(CheckOutcome::unknown("to tell which slots it has"));
    };
    let user: Option<String> = target.query(cmd("ACL").arg("WHOAMI")).await?;
    let trials = right_probes(target, &key);
    let can_ask = is_permitted(target, &cmd("PING")).await?.is_some();
    let denials = match &user {
        Some(user) if can_ask => {
            let questions = trials
                .iter()
                .map(|trial| dryrun_command(user, &trial.command));
            send_commands(target, &questions.collect::<Vec<_>>()).await?
        }
        _ => try_commands(target, &trials).await?,
    };
    let (mut missing, mut optional) = (BTreeSet::new(), BTreeSet::new());
    for (trial, denied) in trials.iter().zip(denials) {
        let rule = match denied {
            None => continue,
            Some(Denial::Command) => format!("+{}", acl_name(&trial.command)),
            Some(Denial::Key | Denial::Channel) => trial.pattern.clone(),
        };
        let rules = if trial.requirement == Requirement::Optional {
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

/// Whether the user may send `command`, as `ACL DRYRUN` says; `None` where that is not permitted.
pub(super) async fn is_permitted(
    target: &mut CheckTarget<'_>,
    command: &Cmd,
) -> Result<Option<bool>, StoreError> {
    let Some(user) = target.query::<String>(cmd("ACL").arg("WHOAMI")).await? else {
        return Ok(None);
    };
    let says: Option<String> = target.query(&dryrun_command(&user, command)).await?;
    Ok(says.map(|text| parse_denial(&text).is_none()))
}

/// All that this program needs under its settings.
fn right_probes(target: &CheckTarget<'_>, key: &str) -> Vec<RightProbe> {
    let (store, random) = (target.store, Uuid::new_v4().simple().to_string());
    let applies = |need| match need {
        Requirement::Always | Requirement::Optional => true,
        Requirement::Cluster => store.mode == RedisMode::Cluster,
        Requirement::Sentinel => store.mode == RedisMode::Sentinel,
        Requirement::Replicas => store.waits_for_replicas,
    };
    // Where the time of Redis is not known yet, the string lives until it is deleted at the end.
    let now = store.redis.now();
    let soon = now.map_or(FAR_FUTURE_MS, |now| {
        now.after(Duration::from_secs(10)).millis()
    });
    let mut trials: Vec<RightProbe> = Vec::new();
    for (need, line) in COMMANDS.iter().filter(|(need, _)| applies(*need)) {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().unwrap_or_default());
        for word in words {
            match word {
                "K" => command.arg(key),
                "T" => command.arg(soon),
                word => command.arg(word),
            };
        }
        let pattern = format!("~{}", store.keys.probe("*"));
        trials.push(RightProbe {
            requirement: *need,
            command,
            pattern,
        });
    }
    // Before the last one, which deletes the string.
    let mut keys = Vec::new();
    for (sample, pattern) in store.keys.samples(&random) {
        for verb in ["HEXISTS", "HDEL"] {
            let command = cmd(verb).arg(&sample).arg(&random).to_owned();
            let pattern = format!("~{pattern}");
            keys.push(RightProbe {
                requirement: Requirement::Always,
                command,
                pattern,
            });
        }
    }
    let mut channel = |need, verb: &str, channel: &str, extra: &str| {
        let mut command = cmd(verb);
        command.arg(channel);
        if !extra.is_empty() {
            command.arg(extra);
        }
        let pattern = format!("&{channel}");
        keys.push(RightProbe {
            requirement: need,
            command,
            pattern,
        });
    };
    for one in target.node.notification_channels() {
        channel(Requirement::Always, "SUBSCRIBE", &one, "");
    }
    let changes = store.keys.catalog_channel();
    channel(Requirement::Optional, "SUBSCRIBE", &changes, "");
    channel(Requirement::Optional, "PUBLISH", &changes, "check");
    let last = trials.len().saturating_sub(1);
    trials.splice(last..last, keys);
    trials
}

/// Asks whether `user` may send `command`.
fn dryrun_command(user: &str, command: &Cmd) -> Cmd {
    let mut dry = cmd("ACL");
    dry.arg("DRYRUN").arg(user);
    for argument in command.args_iter() {
        if let redis::Arg::Simple(bytes) = argument {
            dry.arg(bytes);
        }
    }
    dry
}

/// Sends all of them, and gives what each was denied for.
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
    let replies = replies.map_err(|error| super::store_error(&error))?;
    let denied = |reply: Value| match reply.extract_error() {
        Ok(Value::BulkString(text)) => parse_denial(&String::from_utf8_lossy(&text)),
        Ok(Value::SimpleString(text)) => parse_denial(&text),
        Ok(_) => None,
        Err(error) => parse_denial(&error.to_string()),
    };
    Ok(replies.into_iter().map(denied).collect())
}

/// Sends what is to be tried: all of it but subscriptions over the connection of the checks.
async fn try_commands(
    target: &mut CheckTarget<'_>,
    trials: &[RightProbe],
) -> Result<Vec<Option<Denial>>, StoreError> {
    let [first, rest @ ..] = trials else {
        return Ok(Vec::new());
    };
    let mut denials = send_commands(target, std::slice::from_ref(&first.command)).await?;
    let string_stands = denials.iter().all(Option::is_none);
    let is_subscription = |trial: &RightProbe| acl_name(&trial.command) == "subscribe";
    let is_sent = |trial: &RightProbe| {
        let makes_key = KEY_CREATING_COMMANDS
            .iter()
            .any(|made| made.eq_ignore_ascii_case(&acl_name(&trial.command)));
        !is_subscription(trial) && (string_stands || !makes_key)
    };
    let sent = rest.iter().filter(|trial| is_sent(trial));
    let sent: Vec<Cmd> = sent.map(|trial| trial.command.clone()).collect();
    let mut sent = send_commands(target, &sent).await?.into_iter();
    for trial in rest {
        denials.push(if is_sent(trial) {
            sent.next().flatten()
        } else if is_subscription(trial) {
            try_subscribe(target, trial).await?
        } else {
            None
        });
    }
    Ok(denials)
}

async fn try_subscribe(
    target: &mut CheckTarget<'_>,
    trial: &RightProbe,
) -> Result<Option<Denial>, StoreError> {
    let mut subscriber = target.node.subscriber().await?;
    let channel = trial.pattern.trim_start_matches('&');
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

/// What a text denies: Redis words it by its version, and `ACL DRYRUN` again otherwise.
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

/// The name of a command as ACL rules have it.
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
