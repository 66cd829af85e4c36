//! An example command that creates a service.

use std::net::SocketAddr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Catalog;
use crate::{
    service::{
        builtin::Builtin,
        definition::{Definition, DefinitionKind},
    },
    settings::RouteGroups,
};

impl Catalog {
    /// A `curl` command that creates a service without a backend at `origin` (scheme, host and port); `None` if no
    /// such service is configured or `groups` do not serve it. `keys` adds an API key header. User names, passwords
    /// and keys are placeholders.
    #[must_use]
    pub fn example_command(&self, origin: &str, groups: RouteGroups, keys: bool) -> Option<String> {
        let service = [Builtin::Store, Builtin::RequestInteraction]
            .iter()
            .find_map(|builtin| self.find_builtin(*builtin, groups))?;
        let name = utf8_percent_encode(service.name(), NON_ALPHANUMERIC).to_string();
        let name = name
            .replace("%2D", "-")
            .replace("%5F", "_")
            .replace("%2E", ".");
        let mut command = "curl -X POST".to_owned();
        // Certificates are rarely issued for addresses.
        let host = origin.strip_prefix("https://");
        if host.is_some_and(|host| host.parse::<SocketAddr>().is_ok()) {
            command += " -k";
        }
        // curl prompts for the password. User names are not logged.
        match self.access_policy.accepts_any_user(service.name()) {
            Some(true) => command += " -u any",
            Some(false) => command += " -u \"$USERNAME\"",
            None => {}
        }
        if keys {
            command += " -H \"x-api-key: $API_KEY\"";
        }
        let url = format!("{origin}/genesys/1/service/{name}");
        Some(format!("{command} {} -d key=value", shell_quote(&url)))
    }

    /// A configured service of type `builtin`, preferably one without a password.
    fn find_builtin(&self, builtin: Builtin, groups: RouteGroups) -> Option<&Definition> {
        let is_builtin = |definition: &&Definition| matches!(definition.kind(), DefinitionKind::Builtin(kind) if *kind == builtin);
        let names = self.definitions.keys();
        let available = names.filter_map(|name| {
            self.get_for_route_groups(name, groups)
                .map(|definition| &**definition)
        });
        available.filter(is_builtin).min_by_key(|definition| {
            self.access_policy
                .accepts_any_user(definition.name())
                .is_some()
        })
    }
}

/// Quotes a word for a POSIX shell.
#[must_use]
pub fn shell_quote(word: &str) -> String {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/%@".contains(&b);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(is_safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        service::{CatalogContext, CatalogFile, PhoneNumbers, WebhookRules},
        settings::Credentials,
    };

    fn example(text: &str, server: Credentials, groups: RouteGroups) -> Option<String> {
        let context = CatalogContext {
            max_ttl_seconds: 3_600,
            phone_numbers: PhoneNumbers::new(rlibphonenumber::Region::US),
            default_credentials: server,
            variables: Arc::new(|_| None),
            webhooks: WebhookRules::default(),
        };
        let file = CatalogFile::parse("test", text).unwrap();
        let catalog = Catalog::from_file("test", &file, &context).unwrap();
        catalog.example_command("http://127.0.0.1:8080", groups, false)
    }

    fn service(name: &str, kind: &str, more: &str) -> String {
        format!("[services.{name:?}]\n_type = \"builtin\"\n_service = {kind:?}\n{more}\n")
    }

    #[test]
    fn the_command_names_a_configured_builtin() {
        let command = |rest: &str| Some(format!("curl -X POST {rest} -d key=value"));
        let url = "http://127.0.0.1:8080/genesys/1/service";
        let group = "[resources.DNIS]\n_allocation_strategy = \"RANDOM\"\nnumbers = [\"1\"]\n";
        let number = group.to_owned() + &service("dial me", "request-interaction", "");
        let routing = service("match", "match-interaction", "");
        let protected = service("keep", "store", "username = \"clerk\"\npassword = \"p\"");
        for (text, expected) in [
            (String::new(), None),
            (routing.clone(), None),
            (
                "[services.far]\n_type = \"http\"\n_service = \"http://h/{id}\"".to_owned(),
                None,
            ),
            (
                service("shop", "store", ""),
                command(&format!("{url}/shop")),
            ),
            (number.clone(), command(&format!("{url}/dial%20me"))),
            (
                number + &service("z", "store", ""),
                command(&format!("{url}/z")),
            ),
            (
                protected.clone(),
                command(&format!("-u \"$USERNAME\" {url}/keep")),
            ),
            (
                protected + &service("open", "store", ""),
                command(&format!("{url}/open")),
            ),
        ] {
            let no_credentials = Credentials::default();
            assert_eq!(
                example(&text, no_credentials.clone(), RouteGroups::ALL),
                expected
            );
            let matching = RouteGroups {
                client: false,
                ..RouteGroups::ALL
            };
            assert_eq!(example(&text, no_credentials, matching), None);
        }
        let server = Credentials {
            username: None,
            password: Some("p".to_owned().into()),
        };
        let command_with_default = example(&service("shop", "store", ""), server, RouteGroups::ALL);
        assert_eq!(command_with_default, command(&format!("-u any {url}/shop")));
    }

    #[test]
    fn addresses_and_api_keys_are_quoted_for_the_shell() {
        let text = service("shop", "store", "");
        let context = CatalogContext {
            max_ttl_seconds: 3_600,
            phone_numbers: PhoneNumbers::new(rlibphonenumber::Region::US),
            default_credentials: Credentials::default(),
            variables: Arc::new(|_| None),
            webhooks: WebhookRules::default(),
        };
        let file = CatalogFile::parse("test", &text).unwrap();
        let catalog = Catalog::from_file("test", &file, &context).unwrap();
        assert_eq!(
            catalog
                .example_command("https://[::1]:8443", RouteGroups::ALL, true)
                .unwrap(),
            "curl -X POST -k -H \"x-api-key: $API_KEY\" \
             'https://[::1]:8443/genesys/1/service/shop' -d key=value"
        );
    }
}
