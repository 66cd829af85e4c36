//! Who has the data: one server, whichever the sentinels name, or the primaries of a Cluster.

use futures_util::future::select_ok;
use redis::{
    Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError, RedisResult, Value, cmd,
    from_redis_value, from_redis_value_ref,
};

use super::{
    connector::Connector,
    errors::reason_of,
    lane::Write,
    slots::{Map, Range, SLOTS},
};
use crate::{
    model::readiness::Finding,
    settings::{self, RedisMode},
    store::StoreError,
};

/// What stands behind the URL. Nothing outside of here asks which it is.
pub(super) enum Topology {
    /// The one server.
    Single(ConnectionAddr),
    /// Sentinels, and the name by which they know the primary.
    Sentinel {
        sentinels: Vec<ConnectionAddr>,
        name: String,
        connector: Box<Connector>,
        primaries: Box<Connector>,
    },
    /// Members of a Cluster; the first one that answers tells the others.
    Cluster {
        members: Vec<ConnectionAddr>,
        connector: Box<Connector>,
    },
}

impl Topology {
    pub(super) fn of(
        settings: &settings::Redis,
        connector: &Connector,
    ) -> Result<Self, StoreError> {
        let addresses = settings.urls.iter().map(|url| {
            let one = settings::Redis {
                urls: vec![url.clone()],
                ..settings.clone()
            };
            Ok(Connector::new(&one)?.first().clone())
        });
        let addresses: Vec<ConnectionAddr> = addresses.collect::<Result<_, StoreError>>()?;
        Ok(match settings.mode {
            RedisMode::Single => Self::Single(connector.first().clone()),
            RedisMode::Sentinel => Self::Sentinel {
                sentinels: addresses,
                name: settings.sentinel_master.clone(),
                connector: Box::new(connector.to_sentinels(settings)),
                primaries: Box::new(connector.clone()),
            },
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
    pub(super) async fn find(&self, known: &Map) -> Result<Vec<Range>, Finding> {
        match self {
            Self::Single(server) => Ok(vec![(0, SLOTS - 1, server.clone())]),
            Self::Sentinel {
                sentinels,
                name,
                connector,
                primaries,
            } => {
                let mut ask = cmd("SENTINEL");
                ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
                let primary = first_answer(sentinels, connector, &ask, |answer, _| {
                    let named: Option<(String, u16)> = from_redis_value(answer)?;
                    let unknown = || {
                        RedisError::from((ErrorKind::Client, "the sentinel knows no such primary"))
                    };
                    named.ok_or_else(unknown)
                });
                let (host, port) = primary.await.map_err(|error| away(&error))?;
                Ok(vec![(0, SLOTS - 1, primaries.address(&host, port))])
            }
            Self::Cluster { members, connector } => {
                let ask = cmd("CLUSTER").arg("SLOTS").to_owned();
                // Those who are at work know best, and are connected.
                let asked = known.owners().iter().filter(|node| node.lane.is_up());
                let asked = asked.map(|node| {
                    Box::pin(async {
                        let answer = node.lane.send(&ask, Write::Done).await;
                        let answer = answer.map_err(|error| error.to_finding())?;
                        let ranges =
                            answer.and_then(|answer| ranges(answer, &node.address, connector));
                        ranges.map_err(|error| away(&error))
                    })
                });
                let asked: Vec<_> = asked.collect();
                if !asked.is_empty()
                    && let Ok((ranges, _)) = select_ok(asked).await
                {
                    return Ok(ranges);
                }
                let tell = |answer, from: &_| ranges(answer, from, connector);
                first_answer(members, connector, &ask, tell)
                    .await
                    .map_err(|error| away(&error))
            }
        }
    }
}

fn away(error: &RedisError) -> Finding {
    Finding::new(reason_of(error), error.to_string())
}

/// Asks all of them at once, each over a connection for this, and takes the first answer that tells.
async fn first_answer<T>(
    servers: &[ConnectionAddr],
    connector: &Connector,
    ask: &Cmd,
    tell: impl Fn(Value, &ConnectionAddr) -> RedisResult<T>,
) -> RedisResult<T> {
    let answers = servers.iter().map(|server| {
        let tell = &tell;
        Box::pin(async move {
            let mut connection = connector.open(server).await?;
            tell(ask.query_async(&mut connection).await?, server)
        })
    });
    select_ok(answers).await.map(|(answer, _others)| answer)
}

/// What `CLUSTER SLOTS` says; `from` is who said it, and who is meant where no host is named.
fn ranges(answer: Value, from: &ConnectionAddr, connector: &Connector) -> RedisResult<Vec<Range>> {
    let entries: Vec<Vec<Value>> = from_redis_value(answer)?;
    let mut ranges = Vec::with_capacity(entries.len());
    for entry in entries {
        let [first, last, primary, ..] = entry.as_slice() else {
            return Err(RedisError::from((
                ErrorKind::Parse,
                "an answer to CLUSTER SLOTS",
            )));
        };
        let primary: Vec<Value> = from_redis_value_ref(primary)?;
        let mut primary = primary.into_iter();
        let host: Option<String> = from_redis_value(primary.next().unwrap_or(Value::Nil))?;
        let port = u16::from_redis_value(primary.next().unwrap_or(Value::Nil))?;
        let host = match (host, from) {
            (Some(host), _) if !host.is_empty() && host != "?" => host,
            (_, ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. }) => host.clone(),
            (_, _) => String::new(),
        };
        let address = connector.address(&host, port);
        ranges.push((
            from_redis_value_ref(first)?,
            from_redis_value_ref(last)?,
            address,
        ));
    }
    if ranges.is_empty() {
        return Err(RedisError::from((
            ErrorKind::Client,
            "the Cluster has no slots",
        )));
    }
    // Each server tells them in an order of its own.
    ranges.sort_by_key(|(from, ..)| *from);
    Ok(ranges)
}
