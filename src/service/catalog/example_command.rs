//! A command line that creates a service, for whoever wants to try this one.

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
    /// A create of a service that needs no backend, sent to `origin` (scheme, host and port) with `curl`;
    /// `None` where no such service is configured or `groups` do not serve it. With `keys`, an API key is
    /// asked for. User names, passwords and keys are left to whoever runs it.
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
        // A certificate is for a name, and hardly for an address.
        let host = origin.strip_prefix("https://");
        if host.is_some_and(|host| host.parse::<SocketAddr>().is_ok()) {
            command += " -k";
        }
        // Without a password curl asks for it. The log has no user names.
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

    /// A configured service that is `builtin`; one that stands open before one that asks for a password.
    fn find_builtin(&self, builtin: Builtin, groups: RouteGroups) -> Option<&Definition> {
        let is_it = |one: &&Definition| matches!(one.kind(), DefinitionKind::Builtin(kind) if *kind == builtin);
        let names = self.definitions.keys();
        let seen =
            names.filter_map(|name| self.get_for_route_groups(name, groups).map(|one| &**one));
        seen.filter(is_it)
            .min_by_key(|one| self.access_policy.accepts_any_user(one.name()).is_some())
    }
}

/// A word as a shell takes it.
fn shell_quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/%@".contains(&b);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        service::{CatalogContext, CatalogFile, PhoneNumbers},
        settings::Credentials,
    };

    fn example(text: &str, server: Credentials, groups: RouteGroups) -> Option<String> {
        let rules = CatalogContext {
            max_ttl_seconds: 3_600,
            phone_numbers: PhoneNumbers::new(rlibphonenumber::Region::US),
            default_credentials: server,
            variables: Arc::new(|_| None),
        };
        let draft = CatalogFile::parse("test", text).unwrap();
        let catalog = Catalog::from_file("test", &draft, &rules).unwrap();
        catalog.example_command("http://127.0.0.1:8080", groups, false)
    }

    fn service(name: &str, kind: &str, more: &str) -> String {
        format!("[services.{name:?}]\n_type = \"builtin\"\n_service = {kind:?}\n{more}\n")
    }

    #[test]
    fn the_command_names_a_configured_builtin() {
        let at = |rest: &str| Some(format!("curl -X POST {rest} -d key=value"));
        let url = "http://127.0.0.1:8080/genesys/1/service";
        let group = "[resources.DNIS]\n_allocation_strategy = \"RANDOM\"\nnumbers = [\"1\"]\n";
        let number = group.to_owned() + &service("dial me", "request-interaction", "");
        let routing = service("match", "match-interaction", "");
        let locked = service("keep", "store", "username = \"clerk\"\npassword = \"p\"");
        for (text, expected) in [
            (String::new(), None),
            (routing.clone(), None),
            (
                "[services.far]\n_type = \"http\"\n_service = \"http://h/{id}\"".to_owned(),
                None,
            ),
            (service("shop", "store", ""), at(&format!("{url}/shop"))),
            (number.clone(), at(&format!("{url}/dial%20me"))),
            (number + &service("z", "store", ""), at(&format!("{url}/z"))),
            (locked.clone(), at(&format!("-u \"$USERNAME\" {url}/keep"))),
            (
                locked + &service("open", "store", ""),
                at(&format!("{url}/open")),
            ),
        ] {
            let none = Credentials::default();
            assert_eq!(example(&text, none.clone(), RouteGroups::ALL), expected);
            let matching = RouteGroups {
                client: false,
                ..RouteGroups::ALL
            };
            assert_eq!(example(&text, none, matching), None);
        }
        let server = Credentials {
            username: None,
            password: Some("p".to_owned().into()),
        };
        let told = example(&service("shop", "store", ""), server, RouteGroups::ALL);
        assert_eq!(told, at(&format!("-u any {url}/shop")));
    }

    #[test]
    fn addresses_and_api_keys_are_quoted_for_the_shell() {
        let text = service("shop", "store", "");
        let rules = CatalogContext {
            max_ttl_seconds: 3_600,
            phone_numbers: PhoneNumbers::new(rlibphonenumber::Region::US),
            default_credentials: Credentials::default(),
            variables: Arc::new(|_| None),
        };
        let draft = CatalogFile::parse("test", &text).unwrap();
        let catalog = Catalog::from_file("test", &draft, &rules).unwrap();
        assert_eq!(
            catalog
                .example_command("https://[::1]:8443", RouteGroups::ALL, true)
                .unwrap(),
            "curl -X POST -k -H \"x-api-key: $API_KEY\" \
             'https://[::1]:8443/genesys/1/service/shop' -d key=value"
        );
    }
}
