//! Finds out whether Redis serves requests: each server that has data is asked to read a key and to write
//! one in a way that changes nothing.

use futures_util::future::join_all;
use redis::{Pipeline, Value, cmd};

use super::{
    Connections,
    errors::{Redirect, restriction_of},
    node::Node,
    server_mode::{ServerMode, finding_of},
    slot_map::SlotMap,
};
use crate::{
    model::readiness::{Finding, Reason},
    settings::RedisMode,
    store::{StoreError, redis::keys::Keys},
};

/// The state of one server: what keeps it from reading, and what from writing.
#[derive(Default)]
struct Health {
    read: Option<Finding>,
    write: Option<Finding>,
}

impl Connections {
    /// What keeps Redis from serving requests, as a whole or in part; nothing where all is well.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where too many requests wait already.
    pub(in crate::store::redis) async fn check_health(
        &self,
        keys: &Keys,
    ) -> Result<Vec<Finding>, StoreError> {
        let _place = self.acquire_permit()?;
        let (map, trouble) = (self.cluster.slot_map(), self.cluster.topology_error());
        if map.nodes().is_empty() {
            let unknown = || Finding::new(Reason::StoreUnreachable, "no server is known yet");
            return Ok(vec![trouble.unwrap_or_else(unknown)]);
        }
        let is_single = self.cluster.topology.is_fixed();
        let tags = map.probe_tags(|tag| keys.probe(tag));
        let probes = map.nodes().iter().zip(tags).map(|(node, tag)| {
            let commands = tag.map(|tag| probe_commands(&keys.probe(tag)));
            async move {
                match commands {
                    Some(commands) => probe(node, &commands, is_single).await,
                    // It has so few slots that none of the keys tried is in one.
                    None => Health::default(),
                }
            }
        });
        let all = join_all(probes).await;
        if all.iter().any(|health| health.read.is_some()) {
            self.cluster.refresh_requested.notify_one();
        }
        Ok(summarize(&map, all, trouble))
    }
}

/// One command that reads and one that is refused wherever a write is, and else does nothing: `XX` sets only
/// a key that exists.
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
    Health {
        read: read.and_then(|error| match Redirect::from_error(&error) {
            None => Some(finding_of(&error)),
            // A proxy may hide the mode, but not this.
            Some(_) if is_single => ServerMode::Cluster.mismatch(RedisMode::Single),
            Some(_) => None,
        }),
        write: write.and_then(|error| {
            let reason = restriction_of(&error)?;
            Some(Finding::new(reason, error.to_string()))
        }),
    }
}

/// What the states of all servers mean together.
fn summarize(map: &SlotMap, all: Vec<Health>, trouble: Option<Finding>) -> Vec<Finding> {
    let serving = all.iter().filter(|health| health.read.is_none()).count();
    let complete = serving == all.len() && map.is_complete();
    let (reads, writes): (Vec<_>, Vec<_>) = all
        .into_iter()
        .map(|health| (health.read, health.write))
        .unzip();
    let mut findings: Vec<Finding> = Vec::new();
    let mut reads = reads.into_iter().flatten();
    if serving == 0 {
        // Of several servers, what they say themselves tells more than that others do not answer.
        findings.extend(reads.min_by_key(|finding| finding.reason));
    } else if !complete {
        let detail = reads.next().map_or_else(
            || "some slots have no server".to_owned(),
            |finding| finding.detail,
        );
        findings.push(Finding::new(Reason::ClusterPartlyDown, detail));
    }
    findings.extend(writes.into_iter().flatten());
    findings.extend(trouble.map(|trouble| match (serving, trouble.reason) {
        (0, _) | (_, Reason::SentinelsUnreachable) => trouble,
        (_, _) => Finding::new(Reason::SentinelsUnreachable, trouble.detail),
    }));
    findings.sort_by_key(|finding| finding.reason);
    findings.dedup_by_key(|finding| finding.reason);
    findings
}
