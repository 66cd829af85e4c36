//! What somebody is told who asks for a path where nothing is: where to go on, as far as this listener serves
//! it.

use super::{ApiError, Exposure};

const ADMIN: &str = "/genesys/1/admin";
const CONSOLE: &str = "; the administration's pages are at /genesys/1/admin/ui";
const NO_CONSOLE: &str = "; there is no administration: the setting admin.password turns it on, and its pages at \
                          /genesys/1/admin/ui";
const DESCRIBED: &str = "; what is served here is described at /openapi.json";

/// What a listener serves of the administration. By default nothing is known of it, and nothing told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// `None` where the listener does not serve it; else whether there is one.
    administered: Option<bool>,
}

impl Hints {
    pub(super) fn new(exposure: &Exposure) -> Self {
        let served = exposure.groups.admin;
        Self {
            administered: served.then_some(exposure.administered),
        }
    }

    /// The error for `path`.
    pub(super) fn not_found(self, path: &str) -> ApiError {
        let below = path.strip_prefix(ADMIN);
        let console = match (self.administered, below) {
            (Some(true), Some("" | "/")) => CONSOLE,
            (Some(false), Some(below)) if below.is_empty() || below.starts_with('/') => NO_CONSOLE,
            (Some(true), _) if path == "/" => CONSOLE,
            (Some(false), _) if path == "/" => NO_CONSOLE,
            _ => "",
        };
        let described = if path == "/" { DESCRIBED } else { "" };
        ApiError::NotFound([path, described, console].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_go_on_is_told_as_far_as_it_is_served() {
        let told = |administered, path| Hints { administered }.not_found(path).to_string();
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
            "/genesys/1/admin/ui/live",
            "/genesys/1/admin/services",
        ] {
            assert!(
                told(Some(false), path).contains("the setting admin.password"),
                "{path}"
            );
        }
    }
}
