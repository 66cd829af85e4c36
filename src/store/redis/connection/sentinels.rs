//! Asks sentinels for the primary.
//!
//! A sentinel may be stale: cut off from the others, it goes on naming a server that is a replica by now, or
//! is gone. So all sentinels are asked at once, and what they name is tried in the order of their
//! configuration epoch (each failover has a higher one), then of how many name it. Only a server that says
//! of itself that it is a primary (`ROLE`) is taken. While no majority has answered, the primary in use
//! counts as named with the epoch under which it was found, so a single stale sentinel does not lead away
//! from it.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::{
    ConnectionAddr, RedisResult, Value, aio::MultiplexedConnection, cmd, from_redis_value_ref,
};
use tokio::time::{Instant, timeout, timeout_at};

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

/// How long the other sentinels may take after the first one has answered.
const OTHERS_TIMEOUT: Duration = Duration::from_millis(150);
/// How long a sentinel may take to say its epoch, which it need not.
const EPOCH_TIMEOUT: Duration = Duration::from_millis(100);

/// The sentinels of one primary.
pub(super) struct Sentinels {
    addresses: Vec<ConnectionAddr>,
    /// The name by which they know the primary.
    name: String,
    connector: Connector,
    primary_connector: Connector,
    /// The primary found last, and its epoch where a sentinel told it.
    last_primary: Mutex<Option<Candidate>>,
}

/// A server that may be the primary.
#[derive(Clone)]
struct Candidate {
    address: ConnectionAddr,
    epoch: Option<u64>,
    /// How many sentinels name it.
    votes: usize,
    /// The place of the first of them in the URL.
    position: usize,
}

/// What a server says of itself.
enum Role {
    Primary,
    /// It is one, and loads its data set.
    Loading,
    Other(Finding),
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

    /// Finds the primary; `known` has the one in use.
    ///
    /// # Errors
    /// The most telling reason why none was found.
    pub(super) async fn find_primary(&self, known: &SlotMap) -> Result<ConnectionAddr, Finding> {
        let asked = self.addresses.iter().enumerate();
        let asked = asked.map(|(place, at)| async move { (place, self.query_sentinel(at).await) });
        let mut pending: FuturesUnordered<_> = asked.collect();
        let mut named: Vec<Candidate> = Vec::new();
        let mut failures: Vec<Finding> = Vec::new();
        let mut roles: Vec<(ConnectionAddr, Role)> = Vec::new();
        let mut until: Option<Instant> = None;
        loop {
            let next = match until {
                Some(until) => timeout_at(until, pending.next()).await,
                None => Ok(pending.next().await),
            };
            match next {
                Ok(Some((place, Ok((address, epoch))))) => {
                    until.get_or_insert_with(|| Instant::now() + OTHERS_TIMEOUT);
                    add_vote(&mut named, address, epoch, place);
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
            let answered = self.addresses.len() - pending.len() - failures.len();
            let candidates = self.candidates(&named, answered);
            if let Some(primary) = self.choose_primary(candidates, known, &mut roles).await {
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
            // Those who have not answered yet may name another one.
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
        Err(worst.unwrap_or_else(|| Finding::new(Reason::NoPrimary, "no sentinel answers")))
    }

    /// Which server a sentinel names, and under which configuration epoch.
    async fn query_sentinel(
        &self,
        sentinel: &ConnectionAddr,
    ) -> Result<(ConnectionAddr, Option<u64>), Finding> {
        let asked = async {
            let connection = self.connector.open(sentinel).await;
            let mut connection =
                connection.map_err(|error| sentinel_finding(&finding_of(&error)))?;
            let mut get = cmd("SENTINEL");
            get.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
            let answer: RedisResult<Option<(String, u16)>> = get.query_async(&mut connection).await;
            let named = match answer {
                Ok(named) => named,
                Err(error) => {
                    let mode = ServerMode::detect(&mut connection).await;
                    let misfit = mode.and_then(|mode| mode.mismatch(RedisMode::Sentinel));
                    return Err(misfit.unwrap_or_else(|| sentinel_finding(&finding_of(&error))));
                }
            };
            let (host, port) = named.ok_or_else(|| {
                let message = "a sentinel knows no primary of the name in redis.sentinel_master";
                Finding::with_message(Reason::NoPrimary, message, format!("{sentinel}: {message}"))
            })?;
            let epoch = timeout(EPOCH_TIMEOUT, self.config_epoch(&mut connection)).await;
            Ok((
                self.primary_connector.address(&host, port),
                epoch.ok().flatten(),
            ))
        };
        let silent = |_elapsed| {
            let detail = format!("the sentinel {sentinel} does not answer in time");
            Finding::new(Reason::StoreUnreachable, detail)
        };
        timeout(self.connector.connect_timeout(), asked)
            .await
            .map_err(silent)?
    }

    /// The configuration epoch; `None` where the sentinel does not say, or may not.
    async fn config_epoch(&self, connection: &mut MultiplexedConnection) -> Option<u64> {
        let mut ask = cmd("SENTINEL");
        ask.arg("MASTER").arg(&self.name);
        let fields: RedisResult<HashMap<String, String>> = ask.query_async(connection).await;
        fields.ok()?.get("config-epoch")?.parse().ok()
    }

    /// All candidates, the best first. `answered` sentinels have named one.
    fn candidates(&self, named: &[Candidate], answered: usize) -> Vec<Candidate> {
        let mut candidates = named.to_vec();
        let found = self
            .last_primary
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if answered * 2 <= self.addresses.len()
            && answered > 0
            && let Some(found) = found
        {
            match candidates
                .iter_mut()
                .find(|known| known.address == found.address)
            {
                Some(known) => known.epoch = known.epoch.max(found.epoch),
                None => candidates.push(Candidate {
                    votes: 0,
                    position: usize::MAX,
                    ..found
                }),
            }
        }
        candidates.sort_by_key(|one| (Reverse((one.epoch, one.votes)), one.position));
        candidates
    }

    /// The first candidate that says that it is a primary. `roles` keeps what was said.
    async fn choose_primary(
        &self,
        candidates: Vec<Candidate>,
        known: &SlotMap,
        roles: &mut Vec<(ConnectionAddr, Role)>,
    ) -> Option<Candidate> {
        for candidate in candidates {
            if roles
                .iter()
                .any(|(address, _)| *address == candidate.address)
            {
                continue;
            }
            match self.query_role(&candidate.address, known).await {
                Role::Primary => return Some(candidate),
                other => roles.push((candidate.address, other)),
            }
        }
        None
    }

    /// Asks a server for its role: over the lane where it is in use.
    async fn query_role(&self, address: &ConnectionAddr, known: &SlotMap) -> Role {
        let ask = cmd("ROLE");
        if let Some(node) = known.node_at(address)
            && node.shared.is_connected()
        {
            return match node.shared.send(&ask, Durability::Local).await {
                Ok(reply) => parse_role(address, &reply),
                Err(error) => Role::Other(error.to_finding()),
            };
        }
        let asked = async {
            let mut connection = self.primary_connector.open(address).await?;
            let reply: RedisResult<Value> = ask.query_async(&mut connection).await;
            let ping: RedisResult<()> = cmd("PING").query_async(&mut connection).await;
            RedisResult::Ok((reply, ping))
        };
        match timeout(self.primary_connector.connect_timeout(), asked).await {
            Ok(Ok((reply, Err(error)))) if is_loading(&error) => {
                match parse_role(address, &reply) {
                    Role::Primary => Role::Loading,
                    other => other,
                }
            }
            Ok(Ok((reply, _))) => parse_role(address, &reply),
            Ok(Err(error)) => Role::Other(finding_of(&error)),
            Err(_elapsed) => {
                let detail = format!("{address} does not answer in time");
                Role::Other(Finding::new(Reason::StoreUnreachable, detail))
            }
        }
    }
}

fn add_vote(named: &mut Vec<Candidate>, address: ConnectionAddr, epoch: Option<u64>, place: usize) {
    if let Some(known) = named.iter_mut().find(|known| known.address == address) {
        known.votes += 1;
        known.epoch = known.epoch.max(epoch);
        known.position = known.position.min(place);
        return;
    }
    named.push(Candidate {
        address,
        epoch,
        votes: 1,
        position: place,
    });
}

fn is_loading(error: &redis::RedisError) -> bool {
    finding_of(error).reason == Reason::StoreLoading
}

fn parse_role(address: &ConnectionAddr, reply: &RedisResult<Value>) -> Role {
    let role = match reply {
        Ok(Value::Array(parts)) => parts.first().map(from_redis_value_ref::<String>),
        Ok(_) => None,
        Err(error) => return Role::Other(finding_of(error)),
    };
    match role {
        Some(Ok(role)) if role == "master" => Role::Primary,
        _ => {
            let detail = format!("the sentinels name {address}, which is no primary");
            Role::Other(Finding::new(Reason::NoPrimary, detail))
        }
    }
}

/// A failure of a sentinel: its credentials are not those of the primary.
fn sentinel_finding(finding: &Finding) -> Finding {
    let message = "a sentinel refuses the user name or password: set redis.sentinel_username and \
                   redis.sentinel_password";
    match finding.reason {
        Reason::AuthFailed => {
            Finding::with_message(Reason::AuthFailed, message, finding.detail.clone())
        }
        _ => finding.clone(),
    }
}
