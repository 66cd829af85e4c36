//! Discovery of the primary through sentinels.
//!
//! A sentinel may be stale: if it is partitioned, it still returns a server that has become a replica or
//! is gone. Therefore all sentinels are queried concurrently, and the servers that they return are tried
//! in the order of their configuration epoch (each failover increments it), then of the number of
//! sentinels that return them. A server is accepted only if it reports (`ROLE`) that it is a primary.
//! Until a majority has responded, the current primary counts as a candidate with the epoch under which
//! it was found, so a single stale sentinel cannot replace it.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::{ConnectionAddr, RedisResult, Value, aio::MultiplexedConnection, cmd};
use tokio::time::{Instant, timeout, timeout_at};

use self::role::{Role, is_loading, parse_role};
use super::{
    connector::Connector,
    multiplexed::Durability,
    server_mode::{ServerMode, finding_of},
    slot_map::SlotMap,
};
use crate::{
    model::readiness::{Finding, Reason},
    settings::{self, RedisMode},
};

mod role;

/// The timeout of the other sentinels after the first response.
const OTHERS_TIMEOUT: Duration = Duration::from_millis(150);
/// The timeout of the optional query of the epoch.
const EPOCH_TIMEOUT: Duration = Duration::from_millis(100);

/// The sentinels of one primary.
pub(super) struct Sentinels {
    addresses: Vec<ConnectionAddr>,
    /// The name of the primary on the sentinels.
    name: String,
    connector: Connector,
    primary_connector: Connector,
    /// The primary found last, and its epoch if known.
    last_primary: Mutex<Option<Candidate>>,
}

/// A server that may be the primary.
#[derive(Clone)]
struct Candidate {
    address: ConnectionAddr,
    epoch: Option<u64>,
    /// The number of sentinels that return it.
    votes: usize,
    /// The position of the first of them in the URL.
    position: usize,
}

impl Sentinels {
    pub(super) fn new(
        settings: &settings::Redis,
        addresses: Vec<ConnectionAddr>,
        primaries: &Connector,
    ) -> Self {
        Self {
            addresses,
            name: settings.sentinel_master.clone(),
            connector: primaries.for_sentinels(settings),
            primary_connector: primaries.clone(),
            last_primary: Mutex::default(),
        }
    }

    /// Finds the primary; `current` contains the one in use.
    ///
    /// # Errors
    /// The most significant reason why none was found.
    pub(super) async fn find_primary(&self, current: &SlotMap) -> Result<ConnectionAddr, Finding> {
        let queries = self.addresses.iter().enumerate();
        let queries = queries.map(|(position, address)| async move {
            (position, self.query_sentinel(address).await)
        });
        let mut pending: FuturesUnordered<_> = queries.collect();
        let mut votes: Vec<Candidate> = Vec::new();
        let mut failures: Vec<Finding> = Vec::new();
        let mut roles: Vec<(ConnectionAddr, Role)> = Vec::new();
        let mut until: Option<Instant> = None;
        loop {
            let next = match until {
                Some(until) => timeout_at(until, pending.next()).await,
                None => Ok(pending.next().await),
            };
            match next {
                Ok(Some((position, Ok((address, epoch))))) => {
                    until.get_or_insert_with(|| Instant::now() + OTHERS_TIMEOUT);
                    add_vote(&mut votes, address, epoch, position);
                    if !pending.is_empty() {
                        continue;
                    }
                }
                Ok(Some((_, Err(finding)))) => {
                    failures.push(finding);
                    if !pending.is_empty() {
                        continue;
                    }
                }
                Ok(None) | Err(_) => {}
            }
            let responded = self.addresses.len() - pending.len() - failures.len();
            let candidates = self.candidates(&votes, responded);
            let chosen = self.choose_primary(candidates, current, &mut roles).await;
            if let Some(primary) = chosen {
                if primary.votes == 0 {
                    // The primary in use is kept, but no sentinel that has responded names it.
                    if pending.is_empty() {
                        return Err(stale_finding(&primary.address));
                    }
                    until = None;
                    continue;
                }
                let address = primary.address.clone();
                *self
                    .last_primary
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(primary);
                return Ok(address);
            }
            if pending.is_empty() {
                break;
            }
            // The remaining sentinels may return another one.
            until = None;
        }
        let loading = roles.iter().find(|(_, role)| matches!(role, Role::Loading));
        if let Some((address, _)) = loading {
            return Ok(address.clone());
        }
        failures.extend(roles.into_iter().filter_map(|(_, role)| match role {
            Role::Other(finding) => Some(finding),
            Role::Primary | Role::Loading => None,
        }));
        let worst = failures.into_iter().min_by_key(|finding| finding.reason);
        Err(worst.unwrap_or_else(|| Finding::new(Reason::NoPrimary, "no sentinel responds")))
    }

    /// Returns the server and the configuration epoch from a sentinel.
    async fn query_sentinel(
        &self,
        sentinel: &ConnectionAddr,
    ) -> Result<(ConnectionAddr, Option<u64>), Finding> {
        let query = async {
            let connection = self.connector.open(sentinel).await;
            let mut connection =
                connection.map_err(|error| sentinel_finding(&finding_of(&error)))?;
            let mut get = cmd("SENTINEL");
            get.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
            let reply: RedisResult<Option<(String, u16)>> = get.query_async(&mut connection).await;
            let primary = match reply {
                Ok(primary) => primary,
                Err(error) => {
                    let mode = ServerMode::detect(&mut connection).await;
                    let mismatch = mode.and_then(|mode| mode.mismatch(RedisMode::Sentinel));
                    return Err(mismatch.unwrap_or_else(|| sentinel_finding(&finding_of(&error))));
                }
            };
            let (host, port) = primary.ok_or_else(|| {
                let message =
                    "a sentinel does not monitor the primary named in redis.sentinel_master";
                Finding::with_message(Reason::NoPrimary, message, format!("{sentinel}: {message}"))
            })?;
            let epoch = timeout(EPOCH_TIMEOUT, self.config_epoch(&mut connection)).await;
            Ok((
                self.primary_connector.address(&host, port),
                epoch.ok().flatten(),
            ))
        };
        let timed_out = |_elapsed| {
            let detail = format!("the sentinel {sentinel} did not respond in time");
            Finding::new(Reason::StoreUnreachable, detail)
        };
        timeout(self.connector.connect_timeout(), query)
            .await
            .map_err(timed_out)?
    }

    /// Returns the configuration epoch; `None` if the sentinel does not return or permit it.
    async fn config_epoch(&self, connection: &mut MultiplexedConnection) -> Option<u64> {
        let mut get = cmd("SENTINEL");
        get.arg("MASTER").arg(&self.name);
        let fields: RedisResult<HashMap<String, String>> = get.query_async(connection).await;
        fields.ok()?.get("config-epoch")?.parse().ok()
    }

    /// Returns all candidates, best first. `responded` is the number of sentinels that returned one.
    fn candidates(&self, votes: &[Candidate], responded: usize) -> Vec<Candidate> {
        let mut candidates = votes.to_vec();
        let last = self
            .last_primary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if responded * 2 <= self.addresses.len()
            && responded > 0
            && let Some(last) = last
        {
            match candidates
                .iter_mut()
                .find(|candidate| candidate.address == last.address)
            {
                Some(candidate) => candidate.epoch = candidate.epoch.max(last.epoch),
                None => candidates.push(Candidate {
                    votes: 0,
                    position: usize::MAX,
                    ..last
                }),
            }
        }
        candidates.sort_by_key(|candidate| {
            (
                Reverse((candidate.epoch, candidate.votes)),
                candidate.position,
            )
        });
        candidates
    }

    /// Returns the first candidate that reports the role of a primary, and records all reported roles in
    /// `roles`.
    async fn choose_primary(
        &self,
        candidates: Vec<Candidate>,
        current: &SlotMap,
        roles: &mut Vec<(ConnectionAddr, Role)>,
    ) -> Option<Candidate> {
        for candidate in candidates {
            if roles
                .iter()
                .any(|(address, _)| *address == candidate.address)
            {
                continue;
            }
            match self.query_role(&candidate.address, current).await {
                Role::Primary => return Some(candidate),
                other => roles.push((candidate.address, other)),
            }
        }
        None
    }

    /// Queries the role of a server, over the multiplexed connection if it is in use.
    async fn query_role(&self, address: &ConnectionAddr, current: &SlotMap) -> Role {
        let get_role = cmd("ROLE");
        if let Some(node) = current.node_at(address)
            && node.shared.is_connected()
        {
            return match node.shared.send(&get_role, Durability::Local).await {
                Ok(reply) => parse_role(address, &reply),
                Err(error) => Role::Other(error.to_finding()),
            };
        }
        let query = async {
            let mut connection = self.primary_connector.open(address).await?;
            let reply: RedisResult<Value> = get_role.query_async(&mut connection).await;
            let ping: RedisResult<()> = cmd("PING").query_async(&mut connection).await;
            RedisResult::Ok((reply, ping))
        };
        match timeout(self.primary_connector.connect_timeout(), query).await {
            Ok(Ok((reply, Err(error)))) if is_loading(&error) => {
                match parse_role(address, &reply) {
                    Role::Primary => Role::Loading,
                    other => other,
                }
            }
            Ok(Ok((reply, _))) => parse_role(address, &reply),
            Ok(Err(error)) => Role::Other(finding_of(&error)),
            Err(_elapsed) => {
                let detail = format!("{address} did not respond in time");
                Role::Other(Finding::new(Reason::StoreUnreachable, detail))
            }
        }
    }
}

fn add_vote(
    candidates: &mut Vec<Candidate>,
    address: ConnectionAddr,
    epoch: Option<u64>,
    position: usize,
) {
    if let Some(candidate) = candidates
        .iter_mut()
        .find(|candidate| candidate.address == address)
    {
        candidate.votes += 1;
        candidate.epoch = candidate.epoch.max(epoch);
        candidate.position = candidate.position.min(position);
        return;
    }
    candidates.push(Candidate {
        address,
        epoch,
        votes: 1,
        position,
    });
}

fn stale_finding(primary: &ConnectionAddr) -> Finding {
    let detail = format!("no sentinel that responds names the primary in use, {primary}");
    Finding::new(Reason::SentinelsUnreachable, detail)
}

/// Adapts an authentication failure of a sentinel, whose credentials are not those of the primary.
fn sentinel_finding(finding: &Finding) -> Finding {
    let message = "a sentinel rejected the username or password: set redis.sentinel_username and \
                   redis.sentinel_password";
    match finding.reason {
        Reason::AuthFailed => {
            Finding::with_message(Reason::AuthFailed, message, finding.detail.clone())
        }
        _ => finding.clone(),
    }
}
