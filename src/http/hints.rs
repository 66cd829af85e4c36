//! Hints in the 404 for paths without a route: the console if the listener serves it, and the settings that enable it
//! and the API for agents.

use super::{ApiError, listener::ListenerConfig};

const ADMIN_PREFIX: &str = "/genesys/1/admin";
const ADMIN_UI_HINT: &str = "the console is at /genesys/1/admin/ui";
/// What enables the console and the admin API, on listeners that would serve them.
pub(super) const ADMIN_DISABLED: &str = "the admin API is disabled: the settings admin.password, operators.users and \
                                         single_sign_on.issuer enable it and the console at /genesys/1/admin/ui";
const AGENT_PREFIX: &str = "/genesys/1/agent";
const AGENTS_DISABLED_HINT: &str =
    "; the API for agents is disabled: the settings agents.users and agents.api_keys enable it";

/// The hints of a listener. The default gives no hints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NotFoundHints {
    /// Whether the admin API is enabled; `None` if the listener does not serve the route group `admin`.
    admin_enabled: Option<bool>,
    /// Whether the listener serves the route group `agent`, but no agents are configured.
    lacks_agents: bool,
}

impl NotFoundHints {
    pub(super) fn new(listener: &ListenerConfig) -> Self {
        let groups = listener.groups;
        Self {
            admin_enabled: groups.admin.then_some(listener.admin_enabled),
            lacks_agents: groups.agent && !listener.agents_enabled,
        }
    }

    /// The error for a path without a route.
    pub(super) fn not_found(self, path: &str) -> ApiError {
        let below = path.strip_prefix(ADMIN_PREFIX);
        let console = match (self.admin_enabled, below) {
            (Some(true), Some("" | "/")) => ["; ", ADMIN_UI_HINT],
            (Some(false), Some(below)) if below.is_empty() || below.starts_with('/') => {
                ["; ", ADMIN_DISABLED]
            }
            _ => ["", ""],
        };
        let below = path.strip_prefix(AGENT_PREFIX);
        let is_agent = below.is_some_and(|below| below.is_empty() || below.starts_with('/'));
        let agents = if self.lacks_agents && is_agent {
            AGENTS_DISABLED_HINT
        } else {
            ""
        };
        ApiError::NotFound([path, &console.concat(), agents].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_only_what_the_listener_serves() {
        let message = |admin_enabled, path| {
            let hints = NotFoundHints {
                admin_enabled,
                lacks_agents: false,
            };
            hints.not_found(path).to_string()
        };
        for (admin_enabled, path, expected) in [
            (
                None,
                "/genesys/1/admin",
                "no route matches /genesys/1/admin",
            ),
            (
                None,
                "/genesys/1/admin/ui",
                "no route matches /genesys/1/admin/ui",
            ),
            (
                Some(true),
                "/genesys/1/admin/none",
                "no route matches /genesys/1/admin/none",
            ),
            (
                Some(false),
                "/genesys/1/administer",
                "no route matches /genesys/1/administer",
            ),
        ] {
            assert_eq!(message(admin_enabled, path), expected);
        }
        for path in ["/genesys/1/admin", "/genesys/1/admin/"] {
            assert!(message(Some(true), path).ends_with("the console is at /genesys/1/admin/ui"));
            assert!(message(Some(false), path).contains(
                "the settings admin.password, operators.users and single_sign_on.issuer enable it"
            ));
        }
        for path in [
            "/genesys/1/admin/ui",
            "/genesys/1/admin/ui/active-services",
            "/genesys/1/admin/services",
        ] {
            assert!(
                message(Some(false), path).contains("the settings admin.password"),
                "{path}"
            );
        }
    }

    #[test]
    fn paths_of_agents_name_the_setting_only_if_there_are_none() {
        for (lacks_agents, path, expected) in [
            (true, "/genesys/1/agent", true),
            (true, "/genesys/1/agent/chats", true),
            (true, "/genesys/1/agents", false),
            (false, "/genesys/1/agent/chats", false),
        ] {
            let hints = NotFoundHints {
                admin_enabled: None,
                lacks_agents,
            };
            let message = hints.not_found(path).to_string();
            assert_eq!(message.contains("agents.users"), expected, "{message}");
        }
    }
}
