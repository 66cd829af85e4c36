//! Definitions of configured services: flat tables of options with the names of the vendor.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use secrecy::SecretString;
use thiserror::Error;

use super::{
    access_code::parse_access_codes,
    builtin::Builtin,
    options::{self, DEFAULT_TTL, TYPES, is_server_side},
    parse_value::{parse_boolean, parse_integer},
    webhooks::{WebhookConfig, WebhookRules, take_webhook},
};
use crate::{
    backend::BackendDefinition,
    model::{
        STORAGE_AREA, join_with_or,
        webhook::{EventTypes, Subscription},
    },
    settings::Credentials,
};

/// An error in a definition.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{kind} {name:?}, option {option}: {problem}")]
pub struct DefinitionError {
    /// The kind of the entry.
    pub kind: &'static str,
    /// The name of the entry.
    pub name: String,
    /// The invalid option.
    pub option: String,
    /// Its value and the expected form.
    pub problem: String,
}

/// Where a service is implemented.
#[derive(Debug)]
pub(super) enum DefinitionKind {
    /// In this program.
    Builtin(Builtin),
    /// On a backend.
    Backend(Box<BackendDefinition>),
}

impl DefinitionKind {
    /// The types of events of its services, chats and bookings.
    fn event_types(&self) -> EventTypes {
        let services = EventTypes::of_services();
        match self {
            Self::Builtin(Builtin::Store) | Self::Backend(_) => services,
            Self::Builtin(Builtin::RequestChat) => services.union(EventTypes::of_chats()),
            Self::Builtin(Builtin::RequestInteraction) => services.union(EventTypes::of_numbers()),
            Self::Builtin(Builtin::RequestAccess) => EventTypes::of_numbers(),
            Self::Builtin(Builtin::MatchInteraction) => EventTypes::default(),
        }
    }
}

/// A configured service.
#[derive(Debug)]
pub(super) struct Definition {
    name: String,
    kind: DefinitionKind,
    options: BTreeMap<String, String>,
    credentials: Credentials,
    overwritable: BTreeSet<String>,
    webhook: Option<Arc<WebhookConfig>>,
}

impl Definition {
    /// Parses a definition. Options with an empty value are absent.
    ///
    /// # Errors
    /// A [`DefinitionError`] for a missing or invalid option.
    pub(super) fn new(
        name: &str,
        mut options: BTreeMap<String, String>,
        max_ttl_seconds: u64,
        webhooks: WebhookRules,
    ) -> Result<Self, DefinitionError> {
        options.retain(|_, value| !value.is_empty());
        let fail = |option: &str, problem: String| DefinitionError {
            kind: "service",
            name: name.to_owned(),
            option: option.to_owned(),
            problem,
        };
        // Removed from the options, so that they are never logged or sent to a backend.
        let credentials = Credentials {
            username: options.remove("username"),
            password: options.remove("password").map(SecretString::from),
        };
        if credentials
            .username
            .as_ref()
            .is_some_and(|name| name.contains(':'))
        {
            return Err(fail("username", "expected no colon".to_owned()));
        }
        let kind = options.get("_type").cloned().unwrap_or_default();
        let backend = BackendDefinition::parse(&kind, &mut options, is_server_side);
        let backend = backend.map_err(|error| fail(&error.option, error.problem))?;
        let kind = match backend {
            Some(backend) => DefinitionKind::Backend(Box::new(backend)),
            None if kind == "builtin" => {
                let builtin_name = options.get("_service").map_or("", String::as_str);
                let builtin = Builtin::from_name(builtin_name).ok_or_else(|| {
                    let expected = Builtin::NAMES.join(", ");
                    fail(
                        "_service",
                        format!("is {builtin_name:?}, expected one of {expected}"),
                    )
                })?;
                DefinitionKind::Builtin(builtin)
            }
            None => {
                let expected = join_with_or(&TYPES.map(|expected| format!("{expected:?}")));
                return Err(fail("_type", format!("is {kind:?}, expected {expected}")));
            }
        };
        let checked = options::check_service(&options, max_ttl_seconds);
        checked.map_err(|(option, problem)| fail(&option, problem))?;
        let webhook = take_webhook(&mut options, kind.event_types(), webhooks);
        let webhook = webhook.map_err(|(option, problem)| fail(&option, problem))?;
        let option = |name: &str| options.get(name).map(String::as_str);
        let prefix = option("_access_code_prefix");
        let codes = parse_access_codes(option("_access_code_length"), prefix);
        codes.map_err(|error| fail("_access_code_prefix", error.to_string()))?;
        let option_names = option("_overwritable_options").unwrap_or_default();
        let overwritable = option_names.split(',').map(str::trim).map(str::to_owned);
        let overwritable = overwritable.collect();
        Ok(Self {
            name: name.to_owned(),
            kind,
            credentials,
            overwritable,
            options,
            webhook: webhook.map(Arc::new),
        })
    }

    /// The definition of storage areas.
    pub(super) fn storage_area() -> Self {
        Self {
            name: STORAGE_AREA.to_owned(),
            kind: DefinitionKind::Builtin(Builtin::Store),
            options: BTreeMap::new(),
            credentials: Credentials::default(),
            overwritable: BTreeSet::new(),
            webhook: None,
        }
    }

    /// An error in an option of this definition.
    pub(super) fn option_error(&self, option: &str, problem: String) -> DefinitionError {
        DefinitionError {
            kind: "service",
            name: self.name.clone(),
            option: option.to_owned(),
            problem,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kind(&self) -> &DefinitionKind {
        &self.kind
    }

    /// Whether the routing side requests it.
    pub(super) fn is_for_routing(&self) -> bool {
        matches!(
            self.kind,
            DefinitionKind::Builtin(Builtin::MatchInteraction)
        )
    }

    /// Its backend configuration; `None` for builtins.
    pub(super) fn backend(&self) -> Option<&BackendDefinition> {
        match &self.kind {
            DefinitionKind::Backend(backend) => Some(backend),
            DefinitionKind::Builtin(_) => None,
        }
    }

    /// Whether a create creates a service.
    pub(super) fn creates_service(&self) -> bool {
        match &self.kind {
            DefinitionKind::Builtin(builtin) => builtin.creates_service(),
            DefinitionKind::Backend(_) => true,
        }
    }

    /// Its own credentials.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Its webhook.
    pub(super) fn webhook(&self) -> Option<&Arc<WebhookConfig>> {
        self.webhook.as_ref()
    }

    /// What its webhook subscribes to.
    pub(super) fn subscription(&self) -> Option<Subscription> {
        self.webhook.as_ref().map(|webhook| webhook.subscription())
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The value of a boolean option, which was checked when the definition was parsed; `false` by default.
    pub(super) fn flag(&self, name: &str) -> bool {
        let value = self.option(name);
        value.is_some_and(|value| parse_boolean(name, value).unwrap_or(false))
    }

    pub(super) fn is_overwritable(&self, option: &str) -> bool {
        self.overwritable.contains(option)
    }

    /// The TTL in seconds of services whose request sets none.
    pub(super) fn ttl(&self) -> u64 {
        let configured = self.option("_ttl").and_then(parse_integer);
        configured.unwrap_or(DEFAULT_TTL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<Definition, String> {
        let options = options.iter();
        let options = options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let webhooks = WebhookRules::default();
        Definition::new("shop", options.collect(), 3_600, webhooks)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_error_names_service_option_and_expected_value() {
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
        let builtin = ("_type", "builtin");
        let store = ("_service", "store");
        let cases: [Case<'_>; 13] = [
            (
                &[store],
                "_type",
                "is \"\", expected \"builtin\", \"ors\" or \"http\"",
            ),
            (&[("_type", ""), store], "_type", "is \"\""),
            (
                &[("_type", "soap"), store],
                "_type",
                "is \"soap\", expected \"builtin\", \"ors\" or \"http\"",
            ),
            (
                &[builtin],
                "_service",
                "is \"\", expected one of app-to-connect-basic, match-interaction, request-access, request-chat, request-interaction, store",
            ),
            (
                &[builtin, ("_service", "x")],
                "_service",
                "is \"x\", expected one of app-to-connect-basic, match-interaction, request-access, request-chat, request-interaction, store",
            ),
            (&[builtin, store, ("_ttl", "0")], "_ttl", "from 1 to 3600"),
            (
                &[builtin, store, ("_ttl", "3601")],
                "_ttl",
                "from 1 to 3600",
            ),
            (&[builtin, store, ("_ttl", "soon")], "_ttl", "\"soon\""),
            (
                &[builtin, store, ("username", "a:b")],
                "username",
                "no colon",
            ),
            (
                &[builtin, store, ("_provide_code", "maybe")],
                "_provide_code",
                "true or false",
            ),
            (
                &[builtin, store, ("_access_code_length", "17")],
                "_access_code_length",
                "from 1 to 16",
            ),
            (
                &[builtin, store, ("_access_code_prefix", "9-7")],
                "_access_code_prefix",
                "\"9-7\"",
            ),
            (
                &[builtin, store, ("_booking_expiration_timeout", "4")],
                "_booking_expiration_timeout",
                "from 5 to 1800",
            ),
        ];
        for (options, option, expected) in cases {
            let message = parse(options).unwrap_err();
            let start = format!("service \"shop\", option {option}: ");
            assert!(message.starts_with(&start), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_default_ttl_is_one_day() {
        let base = [("_type", "builtin"), ("_service", "store")];
        assert_eq!(parse(&base).unwrap().ttl(), 86_400);
        let with_ttl = [base[0], base[1], ("_ttl", "60")];
        assert_eq!(parse(&with_ttl).unwrap().ttl(), 60);
    }
}
