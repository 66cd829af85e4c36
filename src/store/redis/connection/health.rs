//! The health check of Redis: it sends each server that has data a command that reads a key and one that
//! would write one but changes nothing.

use std::sync::atomic::Ordering::Relaxed;

use futures_util::future::join_all;
use redis::{Pipeline, Value, cmd};

use super::{
    Connections, MAX_HEALTH_CHECKS,
    errors::{Redirect, restriction_of},
    in_flight::InFlightPermit,
    node::Node,
    server_mode::{ServerMode, finding_of},
    slot_map::SlotMap,
};
use crate::{
    model::{
        StoreError,
        readiness::{Finding, Reason},
    },
    settings::RedisMode,
    store::redis::keys::Keys,
};

/// The state of one server: problems of reads and of writes.
#[derive(Default)]
struct Health {
    read: Option<Finding>,
    write: Option<Finding>,
}

impl Connections {
    /// Returns the problems that prevent Redis from serving all or some requests; empty if there are
    /// none.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if too many health checks are in flight.
    pub(in crate::store::redis) async fn check_health(
        &self,
        keys: &Keys,
    ) -> Result<Vec<Finding>, StoreError> {
        let _permit = InFlightPermit::acquire(&self.health_checks, MAX_HEALTH_CHECKS)?;
        // Later the operations in flight may have ended.
        let is_overloaded = self.in_flight.load(Relaxed) >= self.max_in_flight;
        let (map, topology_error) = (self.cluster.slot_map(), self.cluster.topology_error());
        if map.nodes().is_empty() {
            let unknown = || Finding::new(Reason::StoreUnreachable, "Redis topology unknown");
            return Ok(vec![topology_error.unwrap_or_else(unknown)]);
        }
        let is_single = self.cluster.topology.is_fixed();
        let tags = map.probe_tags(|tag| keys.probe(tag));
        let probes = map.nodes().iter().zip(tags).map(|(node, tag)| {
            let commands = tag.map(|tag| probe_commands(&keys.probe(tag)));
            async move {
                match commands {
                    Some(commands) => probe(node, &commands, is_single).await,
                    // The server has so few slots that no tested key is in one of them.
                    None => Health::default(),
                }
            }
        });
        let all = join_all(probes).await;
        if all.iter().any(|health| health.read.is_some()) {
            self.cluster.refresh_requested.notify_one();
        }
        let mut findings = summarize(&map, all, topology_error);
        if is_overloaded {
            findings.push(Finding::new(Reason::Overloaded, ""));
        }
        Ok(findings)
    }
}

/// A read, and a write that is rejected wherever writes are, but otherwise changes nothing: `XX` sets
/// only existing keys.
fn probe_commands(key: &str) -> Pipeline {
    let mut commands = redis::pipe();
    commands.add_command(cmd("EXISTS").arg(key).to_owned());
    let mut write = cmd("SET");
    write.arg(key).arg("").arg("XX").arg("PX").arg(1);
    commands.add_command(write);
    commands
}

async fn probe(node: &Node, commands: &Pipeline, is_single: bool) -> Health {
    let replies = match node.shared.probe(commands).await {
        Ok(Ok(replies)) => replies,
        Ok(Err(error)) => {
            return Health {
                read: Some(finding_of(&error)),
                write: None,
            };
        }
        Err(error) => {
            let down = node.shared.failure().unwrap_or_else(|| error.to_finding());
            return Health {
                read: Some(down),
                write: None,
            };
        }
    };
    let mut errors = replies
        .into_iter()
        .map(|reply: Result<Value, _>| reply.err());
    let (read, write) = (errors.next().flatten(), errors.next().flatten());
    let read = read.and_then(|error| match Redirect::from_error(&error) {
        None => Some(finding_of(&error)),
        // A proxy may hide the mode, but not this error.
        Some(_) if is_single => ServerMode::Cluster.mismatch(RedisMode::Single),
        Some(_) => None,
    });
    // Restrictions of writes imply that reads work.
    let write = write.filter(|_| read.is_none()).and_then(|error| {
        let reason = restriction_of(&error)?;
        Some(Finding::new(reason, error.to_string()))
    });
    Health { read, write }
}

/// Combines the states of all servers.
fn summarize(map: &SlotMap, all: Vec<Health>, topology_error: Option<Finding>) -> Vec<Finding> {
    let serving = all.iter().filter(|health| health.read.is_none()).count();
    let complete = serving == all.len() && map.is_complete();
    let (reads, writes): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|health| (health.read, health.write))
        .unzip();
    let mut findings: Vec<Finding> = Vec::new();
    let mut reads = reads.into_iter().flatten();
    if serving == 0 {
        // An error response of one server is more specific than the timeouts of others.
        findings.extend(reads.min_by_key(|finding| finding.reason));
    } else if !complete {
        let detail = reads.next().map_or_else(
            || "some slots are not served".to_owned(),
            |finding| finding.detail,
        );
        findings.push(Finding::new(Reason::ClusterPartlyDown, detail));
    }
    findings.extend(writes.into_iter().flatten());
    findings.extend(topology_error.map(|error| match (serving, error.reason) {
        (0, _) | (_, Reason::SentinelsUnreachable) => error,
        (_, _) => Finding::new(Reason::SentinelsUnreachable, error.detail),
    }));
    findings.sort_by_key(|finding| finding.reason);
    findings.dedup_by_key(|finding| finding.reason);
    findings
}
