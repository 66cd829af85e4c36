//! The topology of Redis: one server, the primary that the sentinels return, or the primaries of a
//! Cluster.

use std::collections::HashMap;

use futures_util::{StreamExt, future::select_ok, stream::FuturesUnordered};
use redis::{
    Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError, RedisResult, Value, cmd,
    from_redis_value, from_redis_value_ref,
};

use super::{
    connector::Connector,
    multiplexed::Durability,
    sentinels::Sentinels,
    server_mode::{ServerMode, finding_of},
    slot_map::{SLOT_COUNT, SlotMap, SlotRange},
};
use crate::{
    model::{
        StoreError,
        readiness::{Finding, Reason},
    },
    settings::{self, RedisMode},
};

/// The topology at the URL. Other modules do not depend on its kind.
pub(super) enum Topology {
    /// A single server.
    Single(ConnectionAddr),
    /// The primary that the sentinels return.
    Sentinel(Box<Sentinels>),
    /// Members of a Cluster; the first one that responds returns all primaries.
    Cluster {
        members: Vec<ConnectionAddr>,
        connector: Box<Connector>,
    },
}

impl Topology {
    pub(super) fn from_settings(
        settings: &settings::Redis,
        connector: &Connector,
    ) -> Result<Self, StoreError> {
        let addresses = settings.urls.iter().map(|url| {
            let one = settings::Redis {
                urls: vec![url.clone()],
                ..settings.clone()
            };
            Ok(Connector::new(&one, &connector.metrics)?
                .first_address()
                .clone())
        });
        let addresses: Vec<ConnectionAddr> = addresses.collect::<Result<_, StoreError>>()?;
        Ok(match settings.mode {
            RedisMode::Single => Self::Single(connector.first_address().clone()),
            RedisMode::Sentinel => {
                Self::Sentinel(Box::new(Sentinels::new(settings, addresses, connector)))
            }
            RedisMode::Cluster => Self::Cluster {
                members: addresses,
                connector: Box::new(connector.clone()),
            },
        })
    }

    /// Whether the topology never changes.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// Reads the topology; `current` is the map in use.
    ///
    /// # Errors
    /// The reason why no server returned it.
    pub(super) async fn discover(&self, current: &SlotMap) -> Result<Vec<SlotRange>, Finding> {
        match self {
            Self::Single(server) => Ok(vec![(0, SLOT_COUNT - 1, server.clone())]),
            Self::Sentinel(sentinels) => {
                let primary = sentinels.find_primary(current).await?;
                Ok(vec![(0, SLOT_COUNT - 1, primary)])
            }
            Self::Cluster { members, connector } => {
                let get_slots = cmd("CLUSTER").arg("SLOTS").to_owned();
                // Servers in use have the latest information and are connected.
                let queries = current
                    .nodes()
                    .iter()
                    .filter(|node| node.shared.is_connected());
                let queries = queries.map(|node| {
                    Box::pin(async {
                        let reply = node.shared.send(&get_slots, Durability::Local).await;
                        let reply = reply.map_err(|error| error.to_finding())?;
                        let reply = reply.map_err(|error| finding_of(&error))?;
                        slot_ranges(reply, &node.address, connector)
                    })
                });
                let queries: Vec<_> = queries.collect();
                if !queries.is_empty()
                    && let Ok((ranges, _)) = select_ok(queries).await
                {
                    return Ok(ranges);
                }
                first_response(members, connector, &get_slots).await
            }
        }
    }
}

/// Queries all members concurrently over temporary connections, and returns the slot ranges of the first
/// valid response.
async fn first_response(
    members: &[ConnectionAddr],
    connector: &Connector,
    get_slots: &Cmd,
) -> Result<Vec<SlotRange>, Finding> {
    let responses = members.iter().map(|member| async move {
        let mut connection = connector
            .open(member)
            .await
            .map_err(|error| finding_of(&error))?;
        let reply: RedisResult<Value> = get_slots.query_async(&mut connection).await;
        match reply {
            Ok(reply) => slot_ranges(reply, member, connector),
            Err(error) => {
                let mode = ServerMode::detect(&mut connection).await;
                let mismatch = mode.and_then(|mode| mode.mismatch(RedisMode::Cluster));
                Err(mismatch.unwrap_or_else(|| finding_of(&error)))
            }
        }
    });
    let mut responses: FuturesUnordered<_> = responses.collect();
    let mut worst: Option<Finding> = None;
    while let Some(response) = responses.next().await {
        match response {
            Ok(ranges) => return Ok(ranges),
            Err(finding) => {
                let both = worst.into_iter().chain([finding]);
                worst = both.min_by_key(|finding| finding.reason);
            }
        }
    }
    Err(worst
        .unwrap_or_else(|| Finding::new(Reason::StoreUnreachable, "no cluster member configured")))
}

/// Parses the reply of `CLUSTER SLOTS` from the server `from`.
fn slot_ranges(
    reply: Value,
    from: &ConnectionAddr,
    connector: &Connector,
) -> Result<Vec<SlotRange>, Finding> {
    let ranges = parse_slot_ranges(reply, from, connector).map_err(|error| finding_of(&error))?;
    if ranges.is_empty() {
        let message = "no slot of the Redis Cluster is assigned to a server";
        return Err(Finding::with_message(Reason::ClusterDown, message, message));
    }
    Ok(ranges)
}

fn parse_slot_ranges(
    reply: Value,
    from: &ConnectionAddr,
    connector: &Connector,
) -> RedisResult<Vec<SlotRange>> {
    let entries: Vec<Vec<Value>> = from_redis_value(reply)?;
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let [first, last, primary, ..] = entry.as_slice() else {
            return Err(RedisError::from((
                ErrorKind::Parse,
                "reply to CLUSTER SLOTS",
            )));
        };
        let address = parse_primary(primary, from, connector)?;
        ranges.push((
            from_redis_value_ref(first)?,
            from_redis_value_ref(last)?,
            address,
        ));
    }
    // The order of ranges differs between servers.
    ranges.sort_by_key(|(from, ..)| *from);
    Ok(ranges)
}

/// Parses the address of a primary: host, port, id, and since Redis 7 metadata. An empty or null host is
/// that of the responding server (`cluster-preferred-endpoint-type unknown-endpoint`); `?` means that no
/// host name is set, and the metadata contains the address.
fn parse_primary(
    primary: &Value,
    from: &ConnectionAddr,
    connector: &Connector,
) -> RedisResult<ConnectionAddr> {
    let mut parts = Vec::<Value>::from_redis_value_ref(primary)?.into_iter();
    let host: Option<String> = from_redis_value(parts.next().unwrap_or(Value::Nil))?;
    let port = u16::from_redis_value(parts.next().unwrap_or(Value::Nil))?;
    let mut host = host.unwrap_or_default();
    if host == "?" {
        let metadata = parts
            .nth(1)
            .and_then(|metadata| from_redis_value(metadata).ok());
        let metadata: Option<HashMap<String, String>> = metadata;
        host = metadata
            .and_then(|mut metadata| metadata.remove("ip"))
            .unwrap_or_default();
    }
    Ok(connector.address(host_or_responder(&host, from), port))
}

/// Returns the host, or that of the responding server if it is empty or `?`.
pub(super) fn host_or_responder<'a>(host: &'a str, responder: &'a ConnectionAddr) -> &'a str {
    match responder {
        ConnectionAddr::Tcp(responder, _)
        | ConnectionAddr::TcpTls {
            host: responder, ..
        } if matches!(host, "" | "?") => responder,
        _ => host,
    }
}
