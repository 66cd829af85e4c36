//! Which server has which key: the hash slots of a Cluster. Elsewhere one server has all of them.

use std::sync::{Arc, OnceLock};

use redis::{Arg, Cmd, ConnectionAddr};

use super::node::Node;

/// Number of hash slots; a fixed part of the Cluster specification.
pub(super) const SLOT_COUNT: u16 = 16_384;

/// How many tags are tried until each server has a key: most have one among the first hundred.
const MAX_PROBE_TAG: u32 = 65_536;

/// Slots from one to another, both included, and the server that has them.
pub(super) type SlotRange = (u16, u16, ConnectionAddr);

/// The slot of a key: of what stands between its first `{` and the next `}`, if anything does.
pub(super) fn hash_slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let length = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..length).filter(|tag| !tag.is_empty())
    });
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key)) % SLOT_COUNT
}

/// The first key of a command: behind the name of most, behind script and number of keys of `EVALSHA`.
pub(super) fn first_key(command: &Cmd) -> Option<&[u8]> {
    let mut arguments = command.args_iter().map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => &[],
    });
    let at = usize::from(arguments.next()? == b"EVALSHA") * 2;
    arguments.nth(at)
}

/// The servers that have the slots, as far as is known.
#[derive(Default)]
pub(super) struct SlotMap {
    owners: Vec<Arc<Node>>,
    ranges: Vec<(u16, u16, usize)>,
    /// Servers that others sent us to and that have no slots yet.
    redirect_nodes: Vec<Arc<Node>>,
    /// Of each owner, the tag of a key that it has.
    probe_tags: OnceLock<Vec<Option<u32>>>,
}

impl SlotMap {
    /// A map of these ranges. Servers that are in `self` already stay as they are; `make` opens others.
    pub(super) fn updated<E>(
        &self,
        ranges: Vec<SlotRange>,
        mut make: impl FnMut(ConnectionAddr) -> Result<Node, E>,
    ) -> Result<Self, E> {
        let mut next = Self::default();
        for (from, to, address) in ranges {
            let known = next.owners.iter().position(|node| node.address == address);
            let owner = if let Some(owner) = known {
                owner
            } else {
                let node = self.node_at(&address);
                let node = node.map_or_else(|| make(address).map(Arc::new), Ok)?;
                next.owners.push(node);
                next.owners.len() - 1
            };
            next.ranges.push((from, to, owner));
        }
        let guests = self.redirect_nodes.iter().filter(|guest| {
            let owns = next.owners.iter().any(|node| node.address == guest.address);
            !owns && guest.shared.is_connected()
        });
        next.redirect_nodes = guests.cloned().collect();
        Ok(next)
    }

    /// The same with a server that others sent us to.
    pub(super) fn with_redirect_node(&self, guest: Arc<Node>) -> Self {
        let mut guests = self.redirect_nodes.clone();
        guests.push(guest);
        Self {
            owners: self.owners.clone(),
            ranges: self.ranges.clone(),
            redirect_nodes: guests,
            probe_tags: OnceLock::new(),
        }
    }

    /// The servers that have slots.
    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.owners
    }

    /// Whether it says the same as these ranges.
    pub(super) fn matches(&self, ranges: &[SlotRange]) -> bool {
        let ours = self.ranges.iter().map(|(from, to, owner)| {
            let address = self.owners.get(*owner).map(|node| &node.address);
            (*from, *to, address)
        });
        let theirs = ranges.iter().map(|(from, to, at)| (*from, *to, Some(at)));
        ours.eq(theirs)
    }

    /// Whether each slot has a server.
    pub(super) fn is_complete(&self) -> bool {
        let count = |(from, to, _): &(u16, u16, usize)| u32::from(to.saturating_sub(*from)) + 1;
        self.ranges.iter().map(count).sum::<u32>() >= u32::from(SLOT_COUNT)
    }

    /// Of each owner, the tag for which `key` spells a key that it has.
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
                if let Some(free @ None) = owner.and_then(|owner| tags.get_mut(owner)) {
                    *free = Some(tag);
                }
            }
            tags
        })
    }

    pub(super) fn node_at(&self, address: &ConnectionAddr) -> Option<Arc<Node>> {
        let mut all = self.owners.iter().chain(&self.redirect_nodes);
        all.find(|node| node.address == *address).cloned()
    }

    /// The server that has everything, if one has.
    pub(super) fn single_node(&self) -> Option<&Arc<Node>> {
        match self.ranges.as_slice() {
            [(0, last, owner)] if *last == SLOT_COUNT - 1 => self.owners.get(*owner),
            _ => None,
        }
    }

    /// The server for a command. Where one has everything nobody looks for a key. A server that knows
    /// more of a young Cluster than we do sends us on, so where the owner is not known any will do.
    pub(super) fn node_for(&self, command: &Cmd) -> Option<Arc<Node>> {
        if let Some(sole) = self.single_node() {
            return Some(Arc::clone(sole));
        }
        self.node_for_key(first_key(command).unwrap_or_default())
    }

    /// The server that has `key`; of one that nobody has, the first.
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
