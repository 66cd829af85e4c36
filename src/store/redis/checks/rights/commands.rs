//! The commands whose permission is tested.

/// When a right is required.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirement {
    Always,
    Cluster,
    Sentinel,
    /// With `redis.wait_replicas`.
    Replicas,
    /// The program works without it.
    Optional,
}

/// Every command that the program or its scripts send, in a form that is harmless for `K`, a string key
/// of this program. The first command creates that string, the last one deletes it.
pub(super) const COMMANDS: &[(Requirement, &str)] = &[
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
    (Requirement::Always, "RPUSH K v"),
    (Requirement::Always, "LRANGE K 0 0"),
    (Requirement::Always, "LREM K 1 v"),
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

/// Those of [`COMMANDS`] that would create a key of another type if the first command was denied.
pub(super) const KEY_CREATING_COMMANDS: [&str; 6] =
    ["INCR", "DECR", "HSET", "ZADD", "XADD", "RPUSH"];

/// The rules without which no service can be created or read.
pub(super) const ESSENTIAL_RULES: [&str; 8] = [
    "+evalsha",
    "+exists",
    "+hget",
    "+hset",
    "+pexpireat",
    "+script|load",
    "+set",
    "+time",
];
