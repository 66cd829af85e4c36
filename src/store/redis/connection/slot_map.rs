//! The hash slots of a Cluster and their servers. Outside of a Cluster one server has all slots.

use std::sync::{Arc, OnceLock};

use redis::{Arg, Cmd, ConnectionAddr};

use super::node::Node;

/// The number of hash slots, fixed by the Cluster specification.
pub(super) const SLOT_COUNT: u16 = 16_384;

/// The maximum number of tags tried to find a key on each server; most are found among the first
/// hundred.
const MAX_PROBE_TAG: u32 = 65_536;

/// A range of slots, inclusive, and its server.
pub(super) type SlotRange = (u16, u16, ConnectionAddr);

/// Returns the slot of a key: of the part between its first `{` and the next `}`, if it is not empty.
pub(super) fn hash_slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let length = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..length).filter(|tag| !tag.is_empty())
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOT_COUNT
}

/// Returns the first key of a command: the first argument of most, the third of `EVALSHA`.
pub(super) fn first_key(command: &Cmd) -> Option<&[u8]> {
    let mut arguments = command.args_iter().map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => &[],
    });
    let at = usize::from(arguments.next()? == b"EVALSHA") * 2;
    arguments.nth(at)
}

/// The known servers and their slots.
#[derive(Default)]
pub(super) struct SlotMap {
    owners: Vec<Arc<Node>>,
    ranges: Vec<(u16, u16, usize)>,
    /// Servers without slots that were the target of a redirection.
    redirect_nodes: Vec<Arc<Node>>,
    /// The tag of a key on each owner.
    probe_tags: OnceLock<Vec<Option<u32>>>,
}

impl SlotMap {
    /// Returns a map of these ranges. Existing servers are reused; `open` opens new ones.
    pub(super) fn updated<E>(
        &self,
        ranges: Vec<SlotRange>,
        mut open: impl FnMut(ConnectionAddr) -> Result<Node, E>,
    ) -> Result<Self, E> {
        let mut next = Self::default();
        for (from, to, address) in ranges {
            let existing = next.owners.iter().position(|node| node.address == address);
            let owner = if let Some(owner) = existing {
                owner
            } else {
                let node = self.node_at(&address);
                let node = node.map_or_else(|| open(address).map(Arc::new), Ok)?;
                next.owners.push(node);
                next.owners.len() - 1
            };
            next.ranges.push((from, to, owner));
        }
        let redirect_nodes = self.redirect_nodes.iter().filter(|node| {
            let owns = next
                .owners
                .iter()
                .any(|owner| owner.address == node.address);
            !owns && node.shared.is_connected()
        });
        next.redirect_nodes = redirect_nodes.cloned().collect();
        Ok(next)
    }

    /// Returns a copy with a server that was the target of a redirection.
    pub(super) fn with_redirect_node(&self, node: Arc<Node>) -> Self {
        let mut redirect_nodes = self.redirect_nodes.clone();
        redirect_nodes.push(node);
        Self {
            owners: self.owners.clone(),
            ranges: self.ranges.clone(),
            redirect_nodes,
            probe_tags: OnceLock::new(),
        }
    }

    /// The servers that have slots.
    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.owners
    }

    /// Whether the map has exactly these ranges.
    pub(super) fn matches(&self, ranges: &[SlotRange]) -> bool {
        let current = self.ranges.iter().map(|(from, to, owner)| {
            let address = self.owners.get(*owner).map(|node| &node.address);
            (*from, *to, address)
        });
        let expected = ranges
            .iter()
            .map(|(from, to, address)| (*from, *to, Some(address)));
        current.eq(expected)
    }

    /// Whether every slot has a server.
    pub(super) fn is_complete(&self) -> bool {
        let count = |(from, to, _): &(u16, u16, usize)| u32::from(to.saturating_sub(*from)) + 1;
        self.ranges.iter().map(count).sum::<u32>() >= u32::from(SLOT_COUNT)
    }

    /// Returns a tag for each owner such that `key` builds a key on it.
    pub(super) fn probe_tags(&self, key: impl Fn(u32) -> String) -> &[Option<u32>] {
        self.probe_tags.get_or_init(|| {
            if self.single_node().is_some() {
                return vec![Some(0)];
            }
            let mut tags = vec![None; self.owners.len()];
            for tag in 0..MAX_PROBE_TAG {
                if tags.iter().all(Option::is_some) {
                    break;
                }
                let slot = hash_slot(key(tag).as_bytes());
                let has_slot = |(from, to, _): &&(u16, u16, usize)| (*from..=*to).contains(&slot);
                let owner = self
                    .ranges
                    .iter()
                    .find(has_slot)
                    .map(|(_, _, owner)| *owner);
                if let Some(missing @ None) = owner.and_then(|owner| tags.get_mut(owner)) {
                    *missing = Some(tag);
                }
            }
            tags
        })
    }

    pub(super) fn node_at(&self, address: &ConnectionAddr) -> Option<Arc<Node>> {
        let mut all = self.owners.iter().chain(&self.redirect_nodes);
        all.find(|node| node.address == *address).cloned()
    }

    /// Returns the server that has all slots, if there is one.
    pub(super) fn single_node(&self) -> Option<&Arc<Node>> {
        match self.ranges.as_slice() {
            [(0, last, owner)] if *last == SLOT_COUNT - 1 => self.owners.get(*owner),
            _ => None,
        }
    }

    /// Returns the server of a command. If one server has all slots, the key is not needed. If the owner
    /// is unknown, any server is used: it redirects the command.
    pub(super) fn node_for(&self, command: &Cmd) -> Option<Arc<Node>> {
        if let Some(node) = self.single_node() {
            return Some(Arc::clone(node));
        }
        self.node_for_key(first_key(command).unwrap_or_default())
    }

    /// Returns the server that has `key`, or the first one if the slot has no server.
    pub(super) fn node_for_key(&self, key: &[u8]) -> Option<Arc<Node>> {
        let slot = hash_slot(key);
        let has = |from, to| (from..=to).contains(&slot);
        let range = self.ranges.iter().find(|(from, to, _)| has(*from, *to));
        let owner = range.map_or(0, |(_, _, owner)| *owner);
        self.owners.get(owner).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_slots_match_the_specification() {
        assert_eq!(hash_slot(b"123456789"), 0x31c3);
        assert_eq!(hash_slot(b"foo"), 12_182);
        assert_eq!(hash_slot(b"sb1:svc:{foo}"), hash_slot(b"foo"));
        assert_eq!(hash_slot(b"x{}y"), hash_slot(b"x{}y"));
        assert_ne!(hash_slot(b"x{}y"), hash_slot(b""));
        assert_eq!(hash_slot(b"{a}{b}"), hash_slot(b"a"));
        assert_eq!(
            hash_slot(b"{a"),
            crc16::State::<crc16::XMODEM>::calculate(b"{a") % SLOT_COUNT
        );
    }

    #[test]
    fn first_key_of_evalsha_follows_the_key_count() {
        let mut call = redis::cmd("EVALSHA");
        call.arg("hash").arg(1).arg("key").arg("argument");
        assert_eq!(first_key(&call), Some(b"key".as_slice()));
        assert_eq!(
            first_key(redis::cmd("HGET").arg("key").arg("field")),
            Some(b"key".as_slice())
        );
        assert_eq!(first_key(&redis::cmd("PING")), None);
    }
}
