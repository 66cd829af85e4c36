//! Whether Redis permits all commands, keys and channels that this program uses.
//!
//! Each is tried: with `ACL DRYRUN` where that is permitted (Redis 7), else really, in a form that does
//! nothing. Commands are tried on a string of our own, where those for other types fail with `WRONGTYPE`
//! after their permission was checked; keys by deleting a field that no hash has.

use std::{collections::BTreeSet, time::Duration};

use redis::{Cmd, Value, aio::ConnectionLike, cmd};
use uuid::Uuid;

use super::{Finding, Target};
use crate::{settings::RedisMode, store::StoreError};

/// When a right is needed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
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
const COMMANDS: &[(Need, &str)] = &[
    (Need::Always, "SET K x PX 10000"),
    (Need::Always, "PING"),
    (Need::Always, "TIME"),
    (Need::Always, "UNWATCH"),
    (
        Need::Always,
        "EVALSHA 0000000000000000000000000000000000000000 0",
    ),
    (Need::Always, "SCRIPT LOAD return"),
    (Need::Always, "GET K"),
    (Need::Always, "GETEX K"),
    (Need::Always, "INCR K"),
    (Need::Always, "DECR K"),
    (Need::Always, "EXISTS K"),
    (Need::Always, "EXPIRE K 10"),
    (Need::Always, "PEXPIRE K 10000"),
    (Need::Always, "PTTL K"),
    (Need::Always, "HGET K f"),
    (Need::Always, "HSET K f v"),
    (Need::Always, "HMGET K f"),
    (Need::Always, "HGETALL K"),
    (Need::Always, "HKEYS K"),
    (Need::Always, "HLEN K"),
    (Need::Always, "HSTRLEN K f"),
    (Need::Always, "HEXISTS K f"),
    (Need::Always, "HDEL K f"),
    (Need::Always, "ZADD K 0 m"),
    (Need::Always, "ZREM K m"),
    (Need::Always, "ZSCORE K m"),
    (Need::Always, "ZCARD K"),
    (Need::Always, "ZCOUNT K 0 0"),
    (Need::Always, "ZRANGE K 0 0"),
    (Need::Always, "ZRANGEBYSCORE K 0 0"),
    (Need::Always, "ZRANGEBYLEX K - +"),
    (Need::Always, "ZREVRANGEBYLEX K + -"),
    (Need::Always, "ZRANDMEMBER K"),
    (Need::Always, "ZREMRANGEBYSCORE K 0 0"),
    (Need::Always, "XADD K * f v"),
    (Need::Always, "XREVRANGE K + - COUNT 1"),
    (Need::Cluster, "CLUSTER SLOTS"),
    (Need::Cluster, "ASKING"),
    (Need::Sentinel, "ROLE"),
    (Need::Replicas, "WAIT 0 1"),
    (Need::Optional, "SCAN 0 COUNT 1"),
    (Need::Optional, "CONFIG GET notify-keyspace-events"),
    (Need::Always, "PEXPIREAT K T"),
    (Need::Always, "UNLINK K"),
];

/// Places in [`COMMANDS`] of those that would make a key of another type if the first one was denied.
const MAKE_KEYS: [&str; 5] = ["INCR", "DECR", "HSET", "ZADD", "XADD"];

/// Rules without which no service can be created or read.
const BLOCKING: [&str; 7] = [
    "+evalsha",
    "+exists",
    "+hget",
    "+hset",
    "+pexpireat",
    "+set",
    "+time",
];

/// An instant far ahead, in milliseconds.
const FAR: i64 = 1 << 50;

/// What a denial is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    Command,
    Key,
    Channel,
}

/// A command to try, what it needs, and what it is tried for.
struct Trial {
    need: Need,
    command: Cmd,
    /// The ACL rule that a denied key or channel is missing.
    pattern: String,
}

pub(super) async fn check(target: &mut Target<'_>) -> Result<Finding, StoreError> {
    let Some(key) = target
        .store
        .redis
        .key_on(target.node, |tag| target.store.keys.probe(tag))
    else {
        return Ok(Finding::unknown("to tell which slots it has"));
    };
    let user: Option<String> = target.ask(cmd("ACL").arg("WHOAMI")).await?;
    let trials = trials(target, &key);
    let can_ask = is_permitted(target, &cmd("PING")).await?.is_some();
    let denials = match &user {
        Some(user) if can_ask => {
            let questions = trials.iter().map(|trial| dry(user, &trial.command));
            send(target, &questions.collect::<Vec<_>>()).await?
        }
        _ => really(target, &trials).await?,
    };
    let (mut missing, mut optional) = (BTreeSet::new(), BTreeSet::new());
    for (trial, denied) in trials.iter().zip(denials) {
        let rule = match denied {
            None => continue,
            Some(Denied::Command) => format!("+{}", name(&trial.command)),
            Some(Denied::Key | Denied::Channel) => trial.pattern.clone(),
        };
        let rules = if trial.need == Need::Optional {
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
        |rule: &String| BLOCKING.contains(&rule.as_str()) || Some(rule) == services.as_ref();
    let is_blocking = missing.iter().any(is_needed);
    let finding = match (missing.is_empty(), optional.is_empty()) {
        (false, _) => Finding::new(false, format!("{user} lacks {}", list(missing))),
        (true, false) => Finding::new(
            true,
            format!("{user} lacks only optional {}", list(optional)),
        ),
        (true, true) => Finding::new(true, "all commands, keys and channels are permitted"),
    };
    Ok(Finding {
        is_blocking,
        ..finding
    })
}

/// Whether the user may send `command`, as `ACL DRYRUN` says; `None` where that is not permitted.
pub(super) async fn is_permitted(
    target: &mut Target<'_>,
    command: &Cmd,
) -> Result<Option<bool>, StoreError> {
    let Some(user) = target.ask::<String>(cmd("ACL").arg("WHOAMI")).await? else {
        return Ok(None);
    };
    let says: Option<String> = target.ask(&dry(&user, command)).await?;
    Ok(says.map(|text| denied(&text).is_none()))
}

/// All that this program needs under its settings.
fn trials(target: &Target<'_>, key: &str) -> Vec<Trial> {
    let (store, random) = (target.store, Uuid::new_v4().simple().to_string());
    let applies = |need| match need {
        Need::Always | Need::Optional => true,
        Need::Cluster => store.mode == RedisMode::Cluster,
        Need::Sentinel => store.mode == RedisMode::Sentinel,
        Need::Replicas => store.waits_for_replicas,
    };
    // Where the time of Redis is not known yet, the string lives until it is deleted at the end.
    let now = store.redis.now();
    let soon = now.map_or(FAR, |now| now.after(Duration::from_secs(10)).millis());
    let mut trials: Vec<Trial> = Vec::new();
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
        trials.push(Trial {
            need: *need,
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
            keys.push(Trial {
                need: Need::Always,
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
        keys.push(Trial {
            need,
            command,
            pattern,
        });
    };
    for one in target.node.notification_channels() {
        channel(Need::Always, "SUBSCRIBE", &one, "");
    }
    let changes = store.keys.changes();
    channel(Need::Optional, "SUBSCRIBE", &changes, "");
    channel(Need::Optional, "PUBLISH", &changes, "check");
    let last = trials.len().saturating_sub(1);
    trials.splice(last..last, keys);
    trials
}

/// Asks whether `user` may send `command`.
fn dry(user: &str, command: &Cmd) -> Cmd {
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
async fn send(
    target: &mut Target<'_>,
    commands: &[Cmd],
) -> Result<Vec<Option<Denied>>, StoreError> {
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
        Ok(Value::BulkString(text)) => denied(&String::from_utf8_lossy(&text)),
        Ok(Value::SimpleString(text)) => denied(&text),
        Ok(_) => None,
        Err(error) => denied(&error.to_string()),
    };
    Ok(replies.into_iter().map(denied).collect())
}

/// Sends what is to be tried: all of it but subscriptions over the connection of the checks.
async fn really(
    target: &mut Target<'_>,
    trials: &[Trial],
) -> Result<Vec<Option<Denied>>, StoreError> {
    let [first, rest @ ..] = trials else {
        return Ok(Vec::new());
    };
    let mut denials = send(target, std::slice::from_ref(&first.command)).await?;
    let string_stands = denials.iter().all(Option::is_none);
    let is_subscription = |trial: &Trial| name(&trial.command) == "subscribe";
    let is_sent = |trial: &Trial| {
        let makes_key = MAKE_KEYS
            .iter()
            .any(|made| made.eq_ignore_ascii_case(&name(&trial.command)));
        !is_subscription(trial) && (string_stands || !makes_key)
    };
    let sent = rest.iter().filter(|trial| is_sent(trial));
    let sent: Vec<Cmd> = sent.map(|trial| trial.command.clone()).collect();
    let mut sent = send(target, &sent).await?.into_iter();
    for trial in rest {
        denials.push(if is_sent(trial) {
            sent.next().flatten()
        } else if is_subscription(trial) {
            subscribe(target, trial).await?
        } else {
            None
        });
    }
    Ok(denials)
}

async fn subscribe(target: &mut Target<'_>, trial: &Trial) -> Result<Option<Denied>, StoreError> {
    let mut subscriber = target.node.subscriber().await?;
    let channel = trial.pattern.trim_start_matches('&');
    match target.node.in_time(subscriber.subscribe(channel)).await {
        Err(StoreError::Denied(text)) => Ok(denied(&text)),
        Err(error @ StoreError::Unknown(_)) => Err(error),
        _ => Ok(None),
    }
}

/// What a text denies: Redis words it by its version, and `ACL DRYRUN` again otherwise.
fn denied(text: &str) -> Option<Denied> {
    let text = text.to_ascii_lowercase();
    if !text.contains("noperm") && !text.contains("no permissions") {
        return None;
    }
    Some(if text.contains("channel") {
        Denied::Channel
    } else if text.contains(" key") {
        Denied::Key
    } else {
        Denied::Command
    })
}

/// The name of a command as ACL rules have it.
fn name(command: &Cmd) -> String {
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
