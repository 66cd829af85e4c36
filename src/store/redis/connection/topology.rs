//! Who has the data: one server, whichever the sentinels name, or the primaries of a Cluster.

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
    model::readiness::{Finding, Reason},
    settings::{self, RedisMode},
    store::StoreError,
};

/// What stands behind the URL. Nothing outside of here asks which it is.
pub(super) enum Topology {
    /// The one server.
    Single(ConnectionAddr),
    /// Whichever server the sentinels name.
    Sentinel(Box<Sentinels>),
    /// Members of a Cluster; the first one that answers tells the others.
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
            Ok(Connector::new(&one)?.first_address().clone())
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

    /// Whether it stays as it is.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self, Self::Single(_))
    }

    /// Finds out who has the data now; `known` are those who had it.
    ///
    /// # Errors
    /// Why nobody who was asked can tell.
    pub(super) async fn discover(&self, known: &SlotMap) -> Result<Vec<SlotRange>, Finding> {
        match self {
            Self::Single(server) => Ok(vec![(0, SLOT_COUNT - 1, server.clone())]),
            Self::Sentinel(sentinels) => {
                let primary = sentinels.find_primary(known).await?;
                Ok(vec![(0, SLOT_COUNT - 1, primary)])
            }
            Self::Cluster { members, connector } => {
                let ask = cmd("CLUSTER").arg("SLOTS").to_owned();
                // Those who are at work know best, and are connected.
                let asked = known
                    .nodes()
                    .iter()
                    .filter(|node| node.shared.is_connected());
                let asked = asked.map(|node| {
                    Box::pin(async {
                        let answer = node.shared.send(&ask, Durability::Local).await;
                        let answer = answer.map_err(|error| error.to_finding())?;
                        let answer = answer.map_err(|error| finding_of(&error))?;
                        slot_ranges(answer, &node.address, connector)
                    })
                });
                let asked: Vec<_> = asked.collect();
                if !asked.is_empty()
                    && let Ok((ranges, _)) = select_ok(asked).await
                {
                    return Ok(ranges);
                }
                first_response(members, connector, &ask).await
            }
        }
    }
}

/// Asks all members at once, each over a connection for this, and takes the first answer that tells the
/// ranges.
async fn first_response(
    members: &[ConnectionAddr],
    connector: &Connector,
    ask: &Cmd,
) -> Result<Vec<SlotRange>, Finding> {
    let answers = members.iter().map(|member| async move {
        let mut connection = connector
            .open(member)
            .await
            .map_err(|error| finding_of(&error))?;
        let answer: RedisResult<Value> = ask.query_async(&mut connection).await;
        match answer {
            Ok(answer) => slot_ranges(answer, member, connector),
            Err(error) => {
                let mode = ServerMode::detect(&mut connection).await;
                let misfit = mode.and_then(|mode| mode.mismatch(RedisMode::Cluster));
                Err(misfit.unwrap_or_else(|| finding_of(&error)))
            }
        }
    });
    let mut answers: FuturesUnordered<_> = answers.collect();
    let mut worst: Option<Finding> = None;
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(ranges) => return Ok(ranges),
            Err(finding) => {
                let both = worst.into_iter().chain([finding]);
                worst = both.min_by_key(|finding| finding.reason);
            }
        }
    }
    Err(worst.unwrap_or_else(|| Finding::new(Reason::StoreUnreachable, "no member is known")))
}

/// What `CLUSTER SLOTS` says; `from` is the server that said it.
fn slot_ranges(
    answer: Value,
    from: &ConnectionAddr,
    connector: &Connector,
) -> Result<Vec<SlotRange>, Finding> {
    let ranges = parse_slot_ranges(answer, from, connector).map_err(|error| finding_of(&error))?;
    if ranges.is_empty() {
        let message = "no slot of the Redis Cluster is assigned to a server";
        return Err(Finding::with_message(Reason::ClusterDown, message, message));
    }
    Ok(ranges)
}

fn parse_slot_ranges(
    answer: Value,
    from: &ConnectionAddr,
    connector: &Connector,
) -> RedisResult<Vec<SlotRange>> {
    let entries: Vec<Vec<Value>> = from_redis_value(answer)?;
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let [first, last, primary, ..] = entry.as_slice() else {
            return Err(RedisError::from((
                ErrorKind::Parse,
                "an answer to CLUSTER SLOTS",
            )));
        };
        let address = parse_primary(primary, from, connector)?;
        ranges.push((
            from_redis_value_ref(first)?,
            from_redis_value_ref(last)?,
            address,
        ));
    }
    // Each server tells them in an order of its own.
    ranges.sort_by_key(|(from, ..)| *from);
    Ok(ranges)
}

/// The address of a primary: host, port, id, and from Redis 7 on what else is known of it. A host that is
/// null or empty is that of the server that was asked (`cluster-preferred-endpoint-type
/// unknown-endpoint`); `?` stands for a host name that is not set, and the address is beside it.
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
        let known = parts.nth(1).and_then(|known| from_redis_value(known).ok());
        let known: Option<HashMap<String, String>> = known;
        host = known
            .and_then(|mut known| known.remove("ip"))
            .unwrap_or_default();
    }
    Ok(connector.address(host_or_responder(&host, from), port))
}

/// The host, or that of the server that named it where the name says nothing.
pub(super) fn host_or_responder<'a>(host: &'a str, asked: &'a ConnectionAddr) -> &'a str {
    match asked {
        ConnectionAddr::Tcp(asked, _) | ConnectionAddr::TcpTls { host: asked, .. }
            if matches!(host, "" | "?") =>
        {
            asked
        }
        _ => host,
    }
}
