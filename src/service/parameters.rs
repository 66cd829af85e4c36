//! Parameters of a request and their precedence.

use std::collections::BTreeMap;

use super::{
    definition::Definition,
    options::{is_same_value, is_server_side},
};

/// The exception to the precedence: for this option the request takes precedence.
const REQUEST_PRECEDENCE_OPTION: &str = "_booking_expiration_timeout";

/// The fields of a request whose names begin with `_`.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn insert(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// The value in the request, regardless of the definition. Empty and blank values are absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.trim().is_empty())
    }

    /// Whether the request has it with an empty or blank value.
    pub(super) fn is_blank(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|value| value.trim().is_empty())
    }

    /// The value in the request if it is blank, but not empty.
    pub(super) fn white_space(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty() && value.trim().is_empty())
    }

    /// The effective value of `option`: the configured value, unless `_overwritable_options` lists the option and the
    /// request has a value. Without a configured value, that of the request.
    pub(super) fn effective<'a>(
        &'a self,
        definition: &'a Definition,
        option: &str,
    ) -> Option<&'a str> {
        let requested = self.get(option);
        match definition.option(option) {
            Some(configured) if definition.is_overwritable(option) => {
                requested.or(Some(configured))
            }
            Some(configured) => Some(configured),
            None => requested,
        }
    }
}

impl Parameters {
    /// The names of parameters that are ignored because the definition sets another value and is not overwritable.
    pub(super) fn overridden(&self, definition: &Definition) -> Vec<String> {
        let names = self.0.keys().filter(|name| {
            let requested = self.get(name).map(str::trim);
            let effective = match name.as_str() {
                REQUEST_PRECEDENCE_OPTION => requested,
                _ => self.effective(definition, name).map(str::trim),
            };
            let is_overridden =
                requested.is_some_and(|value| !is_same_value(name, value, effective.unwrap_or("")));
            is_overridden && !is_server_side(name)
        });
        names.cloned().collect()
    }

    /// The parameters that are sent to a backend, with their effective values. Server-side options are never among
    /// them.
    pub(super) fn backend_fields(&self, definition: &Definition) -> Vec<(String, String)> {
        let names = self.0.keys().filter(|name| !is_server_side(name));
        let fields = names.map(|name| {
            let value = self.effective(definition, name);
            (name.clone(), value.unwrap_or_default().to_owned())
        });
        fields.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::WebhookRules;

    fn definition(options: &[(&str, &str)]) -> Definition {
        let base = [("_type", "builtin"), ("_service", "store")];
        let options = base.iter().chain(options);
        let options = options.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Definition::new(
            "test",
            options.collect(),
            1_000_000,
            WebhookRules::default(),
        )
        .unwrap()
    }

    fn parameters(ttl: Option<&str>) -> Parameters {
        let mut parameters = Parameters::default();
        if let Some(ttl) = ttl {
            parameters.insert("_ttl".to_owned(), ttl.to_owned());
        }
        parameters
    }

    #[test]
    fn a_configured_option_wins_over_the_parameter_of_that_name() {
        let definition = definition(&[("_ttl", "60")]);
        assert_eq!(
            parameters(Some("5")).effective(&definition, "_ttl"),
            Some("60")
        );
    }

    #[test]
    fn an_overwritable_option_yields_to_the_parameter() {
        let definition = definition(&[("_ttl", "60"), ("_overwritable_options", " _a, _ttl ")]);
        assert_eq!(
            parameters(Some("5")).effective(&definition, "_ttl"),
            Some("5")
        );
        assert_eq!(
            parameters(Some("")).effective(&definition, "_ttl"),
            Some("60")
        );
        assert_eq!(parameters(None).effective(&definition, "_ttl"), Some("60"));
    }

    #[test]
    fn without_a_configured_option_the_parameter_applies() {
        let definition = definition(&[("_ttl", "")]);
        assert_eq!(
            parameters(Some("5")).effective(&definition, "_ttl"),
            Some("5")
        );
        assert_eq!(parameters(None).effective(&definition, "_ttl"), None);
    }
}
