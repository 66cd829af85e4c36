//! Hints in the 404 for paths without a route: the console and the OpenAPI document, if the listener serves them.

use super::{ApiError, listener::ListenerConfig};

const ADMIN_PREFIX: &str = "/genesys/1/admin";
const ADMIN_UI_HINT: &str = "; the console is at /genesys/1/admin/ui";
const ADMIN_DISABLED_HINT: &str = "; the admin API is disabled: the setting admin.password enables it and \
                                   the console at /genesys/1/admin/ui";
const OPENAPI_HINT: &str = "; the OpenAPI document is at /openapi.json";

/// The hints of a listener. The default gives no hints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NotFoundHints {
    /// Whether the admin API is enabled; `None` if the listener does not serve the route group `admin`.
    admin_enabled: Option<bool>,
}

impl NotFoundHints {
    pub(super) fn new(listener: &ListenerConfig) -> Self {
        let groups = listener.groups;
        Self {
            admin_enabled: groups.admin.then_some(listener.admin_enabled),
        }
    }

    /// The error for a path without a route.
    pub(super) fn not_found(self, path: &str) -> ApiError {
        let below = path.strip_prefix(ADMIN_PREFIX);
        let console = match (self.admin_enabled, below) {
            (Some(true), Some("" | "/")) => ADMIN_UI_HINT,
            (Some(false), Some(below)) if below.is_empty() || below.starts_with('/') => {
                ADMIN_DISABLED_HINT
            }
            (Some(true), _) if path == "/" => ADMIN_UI_HINT,
            (Some(false), _) if path == "/" => ADMIN_DISABLED_HINT,
            _ => "",
        };
        let openapi = if path == "/" { OPENAPI_HINT } else { "" };
        ApiError::NotFound([path, openapi, console].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_only_what_the_listener_serves() {
        let message =
            |admin_enabled, path| NotFoundHints { admin_enabled }.not_found(path).to_string();
        for (admin_enabled, path, expected) in [
            (
                None,
                "/",
                "no route matches /; the OpenAPI document is at /openapi.json",
            ),
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
        for path in ["/", "/genesys/1/admin", "/genesys/1/admin/"] {
            assert!(message(Some(true), path).ends_with("the console is at /genesys/1/admin/ui"));
            assert!(message(Some(false), path).contains("the setting admin.password enables it"));
        }
        for path in [
            "/genesys/1/admin/ui",
            "/genesys/1/admin/ui/active-services",
            "/genesys/1/admin/services",
        ] {
            assert!(
                message(Some(false), path).contains("the setting admin.password"),
                "{path}"
            );
        }
    }
}
