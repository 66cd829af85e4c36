//! `server.public`: the groups of routes that a listener serves.

use serde::{Deserialize, Deserializer};

use super::values;

/// The groups of routes that a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the groups are independent of each other"
)]
pub struct RouteGroups {
    /// Services, their storage, their requests.
    pub client: bool,
    /// The Storage API: `/genesys/1/storage/...`.
    pub storage: bool,
    /// Creates of `match-interaction`, under every configured name.
    pub matching: bool,
    /// `/genesys/1/agent/...`: agents of chats.
    pub agent: bool,
    /// `/genesys/1/admin/...`, metrics, status.
    pub admin: bool,
}

impl RouteGroups {
    /// All groups.
    pub const ALL: Self = Self {
        client: true,
        storage: true,
        matching: true,
        agent: true,
        admin: true,
    };

    /// Parses the names of groups, separated by commas; `none` for no group.
    fn parse(text: &str) -> Option<Self> {
        let mut groups = Self {
            client: false,
            storage: false,
            matching: false,
            agent: false,
            admin: false,
        };
        if text.trim() == "none" {
            return Some(groups);
        }
        let mut names = values::entries(text).peekable();
        names.peek()?;
        for name in names {
            match name {
                "client" => groups.client = true,
                "storage" => groups.storage = true,
                "match" => groups.matching = true,
                "agent" => groups.agent = true,
                "admin" => groups.admin = true,
                _ => return None,
            }
        }
        Some(groups)
    }
}

impl<'de> Deserialize<'de> for RouteGroups {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "expected some of client, storage, match, agent and admin, with commas between them, or none";
        values::parsed(from, expected, Self::parse)
    }
}
