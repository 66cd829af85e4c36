//! A configured service: a flat table of options under the vendor's names.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::SecretString;
use thiserror::Error;

use super::{
    access_code::parse_access_codes,
    backend::BackendDefinition,
    builtin::Builtin,
    parameters::parse_integer,
    schema::{self, DEFAULT_TTL, TYPES},
};
use crate::settings::Credentials;

/// What is wrong with a definition.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{kind} {name:?}, option {option}: {problem}")]
pub struct DefinitionError {
    /// What is defined.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The option at fault.
    pub option: String,
    /// What it is and what was expected.
    pub problem: String,
}

/// Who does what a service is for.
#[derive(Debug)]
pub(super) enum DefinitionKind {
    /// This program.
    Builtin(Builtin),
    /// A backend.
    Backend(Box<BackendDefinition>),
}

/// A configured service.
#[derive(Debug)]
pub(super) struct Definition {
    name: String,
    kind: DefinitionKind,
    options: BTreeMap<String, String>,
    credentials: Credentials,
    overwritable: BTreeSet<String>,
}

impl Definition {
    /// Reads a definition; an option with an empty value is as good as absent.
    ///
    /// # Errors
    /// A [`DefinitionError`] for an option that is missing, unknown in its value, or malformed.
    pub(super) fn new(
        name: &str,
        mut options: BTreeMap<String, String>,
        longest_life: u64,
    ) -> Result<Self, DefinitionError> {
        options.retain(|_, value| !value.is_empty());
        let fail = |option: &str, problem: String| DefinitionError {
            kind: "service",
            name: name.to_owned(),
            option: option.to_owned(),
            problem,
        };
        // Out of the options, so that they are never printed nor sent to a backend with them.
        let credentials = Credentials {
            username: options.remove("username"),
            password: options.remove("password").map(SecretString::from),
        };
        if credentials
            .username
            .as_ref()
            .is_some_and(|name| name.contains(':'))
        {
            return Err(fail("username", "expected no colon in it".to_owned()));
        }
        let kind = options.get("_type").cloned().unwrap_or_default();
        let plan = BackendDefinition::parse(&kind, &mut options);
        let plan = plan.map_err(|wrong| fail(&wrong.option, wrong.problem))?;
        let kind = match plan {
            Some(plan) => DefinitionKind::Backend(Box::new(plan)),
            None if kind == "builtin" => {
                let named = options.get("_service").map_or("", String::as_str);
                let builtin = Builtin::from_name(named).ok_or_else(|| {
                    let known = Builtin::NAMES.join(", ");
                    fail("_service", format!("is {named:?}, expected one of {known}"))
                })?;
                DefinitionKind::Builtin(builtin)
            }
            None => {
                let known = schema::join_with_or(&TYPES.map(|known| format!("{known:?}")));
                return Err(fail("_type", format!("is {kind:?}, expected {known}")));
            }
        };
        let checked = schema::check_service(&options, longest_life);
        checked.map_err(|(option, problem)| fail(&option, problem))?;
        let option = |name: &str| options.get(name).map(String::as_str);
        let prefix = option("_access_code_prefix");
        let codes = parse_access_codes(option("_access_code_length"), prefix);
        codes.map_err(|error| fail("_access_code_prefix", error.to_string()))?;
        let listed = option("_overwritable_options").unwrap_or_default();
        let overwritable = listed.split(',').map(str::trim).map(str::to_owned);
        let overwritable = overwritable.collect();
        Ok(Self {
            name: name.to_owned(),
            kind,
            credentials,
            overwritable,
            options,
        })
    }

    /// What is wrong with an option of this definition, found by who knows more.
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

    /// Whether it is the routing side that asks for it.
    pub(super) fn is_for_routing(&self) -> bool {
        matches!(
            self.kind,
            DefinitionKind::Builtin(Builtin::MatchInteraction)
        )
    }

    /// How it runs on a backend; `None` for one that needs none.
    pub(super) fn backend(&self) -> Option<&BackendDefinition> {
        match &self.kind {
            DefinitionKind::Backend(plan) => Some(plan),
            DefinitionKind::Builtin(_) => None,
        }
    }

    /// Whether a create makes a service; if not it only answers.
    pub(super) fn creates_service(&self) -> bool {
        match &self.kind {
            DefinitionKind::Builtin(builtin) => builtin.creates_service(),
            DefinitionKind::Backend(_) => true,
        }
    }

    /// The user name and the password that it has of its own.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub(super) fn is_overwritable(&self, option: &str) -> bool {
        self.overwritable.contains(option)
    }

    /// Seconds that a service lives where the request has no say or says nothing.
    pub(super) fn ttl(&self) -> u64 {
        let configured = self.option("_ttl").and_then(parse_integer);
        configured.unwrap_or(DEFAULT_TTL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&str, &str)]) -> Result<Definition, String> {
        let options = options.iter();
        let options = options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Definition::new("shop", options.collect(), 3_600).map_err(|error| error.to_string())
    }

    #[test]
    fn a_definition_that_is_wrong_names_service_option_and_what_was_expected() {
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
                "is \"\", expected one of app-to-connect-basic, match-interaction, request-access, request-interaction, store",
            ),
            (
                &[builtin, ("_service", "x")],
                "_service",
                "is \"x\", expected one of app-to-connect-basic, match-interaction, request-access, request-interaction, store",
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
            let message = read(options).unwrap_err();
            let start = format!("service \"shop\", option {option}: ");
            assert!(message.starts_with(&start), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn the_default_ttl_is_one_day() {
        let base = [("_type", "builtin"), ("_service", "store")];
        assert_eq!(read(&base).unwrap().ttl(), 86_400);
        let with_ttl = [base[0], base[1], ("_ttl", "60")];
        assert_eq!(read(&with_ttl).unwrap().ttl(), 60);
    }
}
