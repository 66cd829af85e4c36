//! What somebody is told who asks for a path where nothing is: where to go on, as far as this listener serves
//! it.

use super::{ApiError, ListenerConfig};

const ADMIN_PREFIX: &str = "/genesys/1/admin";
const ADMIN_UI_HINT: &str = "; the administration's pages are at /genesys/1/admin/ui";
const ADMIN_DISABLED_HINT: &str = "; there is no administration: the setting admin.password turns it on, and its pages at \
                          /genesys/1/admin/ui";
const OPENAPI_HINT: &str = "; what is served here is described at /openapi.json";

/// What a listener serves of the administration. By default nothing is known of it, and nothing told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NotFoundHints {
    /// `None` where the listener does not serve it; else whether there is one.
    admin_enabled: Option<bool>,
}

impl NotFoundHints {
    pub(super) fn new(exposure: &ListenerConfig) -> Self {
        let served = exposure.groups.admin;
        Self {
            admin_enabled: served.then_some(exposure.admin_enabled),
        }
    }

    /// The error for `path`.
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
        let described = if path == "/" { OPENAPI_HINT } else { "" };
        ApiError::NotFound([path, described, console].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_only_what_the_listener_serves() {
        let told = |administered, path| {
            NotFoundHints {
                admin_enabled: administered,
            }
            .not_found(path)
            .to_string()
        };
        for (administered, path, expected) in [
            (
                None,
                "/",
                "there is nothing at /; what is served here is described at /openapi.json",
            ),
            (
                None,
                "/genesys/1/admin",
                "there is nothing at /genesys/1/admin",
            ),
            (
                None,
                "/genesys/1/admin/ui",
                "there is nothing at /genesys/1/admin/ui",
            ),
            (
                Some(true),
                "/genesys/1/admin/none",
                "there is nothing at /genesys/1/admin/none",
            ),
            (
                Some(false),
                "/genesys/1/administer",
                "there is nothing at /genesys/1/administer",
            ),
        ] {
            assert_eq!(told(administered, path), expected);
        }
        for path in ["/", "/genesys/1/admin", "/genesys/1/admin/"] {
            assert!(told(Some(true), path).ends_with("pages are at /genesys/1/admin/ui"));
            assert!(told(Some(false), path).contains("the setting admin.password turns it on"));
        }
        for path in [
            "/genesys/1/admin/ui",
            "/genesys/1/admin/ui/active-services",
            "/genesys/1/admin/services",
        ] {
            assert!(
                told(Some(false), path).contains("the setting admin.password"),
                "{path}"
            );
        }
    }
}
