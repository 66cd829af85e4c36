//! The table of options is complete and consistent with the validation.

use std::{collections::BTreeSet, sync::Arc};

use rlibphonenumber::Region;

use super::*;
use crate::{
    service::{
        CatalogContext, Options, WebhookRules, definition::Definition, options::OptionValue,
        phone_numbers::PhoneNumbers, resource_groups::ResourceGroups,
    },
    settings::Credentials,
};

mod presets;

const MAX_TTL_SECONDS: u64 = 3_600;

/// The files that read options.
const READERS: [&str; 16] = [
    include_str!("../chat/client.rs"),
    include_str!("../chat/start.rs"),
    include_str!("../access_code.rs"),
    include_str!("../../backend/http.rs"),
    include_str!("../../backend/options.rs"),
    include_str!("../book_number.rs"),
    include_str!("../builtin/match_interaction.rs"),
    include_str!("../builtin/request_access.rs"),
    include_str!("../builtin/request_interaction.rs"),
    include_str!("../catalog/entry.rs"),
    include_str!("../create.rs"),
    include_str!("../definition.rs"),
    include_str!("../ttl.rs"),
    include_str!("../resource_groups.rs"),
    include_str!("../create_on_backend.rs"),
    include_str!("../webhooks/config.rs"),
];
/// Parameters of requests and members of responses that are not options.
const NOT_OPTIONS: [&str; 5] = [
    "_access_number",
    "_access_code",
    "_data_id",
    "_id",
    "_phone_number",
];

/// The option names and prefixes in the code that reads options.
fn names_in_code() -> BTreeSet<&'static str> {
    let mut names = BTreeSet::from(["numbers", "username", "password"]);
    for text in READERS {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
        for literal in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let name = literal.split('{').next().unwrap_or_default();
            let is_name =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
            if name.len() > 1 && name.starts_with('_') && name.chars().all(is_name) {
                names.insert(name);
            }
        }
    }
    names
}

/// The name of an option in code; of a pattern, its prefix.
fn name_in_code(row: &OptionSpec) -> &'static str {
    row.name.split('<').next().unwrap_or_default()
}

fn rows() -> impl Iterator<Item = &'static OptionSpec> {
    SERVICE_OPTIONS.iter().chain(GROUP_OPTIONS)
}

/// The name and a valid value of an option; for a pattern, one of its names.
fn example(option: &OptionDoc) -> (String, String) {
    let value = match option.option_type {
        OptionType::Boolean => "True",
        OptionType::Integer(low, _) => return (example_name(option), low.to_string()),
        OptionType::Choice(all) => option.default.as_deref().unwrap_or(all[0]),
        OptionType::Url => "http://host:81/a.scxml",
        OptionType::UrlList => "http://one:81, https://two/a",
        OptionType::UrlTemplate => "/rooms/{id}",
        OptionType::ServiceNames => "store, shop",
        OptionType::OptionNames => "_ttl, _provide_code",
        OptionType::AccessNumber => "8005550100",
        OptionType::Text(_) if option.name == "_webhook_url" => "https://host:81/hook",
        OptionType::Text(_) if option.name == "_webhook_events" => "*",
        OptionType::Text(_) if option.name == "_webhook_secret" => {
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        }
        OptionType::Text(_)
        | OptionType::Pattern(..)
        | OptionType::ResourceGroup
        | OptionType::AccessNumbers => "7",
    };
    (example_name(option), value.to_owned())
}

fn example_name(option: &OptionDoc) -> String {
    let name = option.name.split('<').next().unwrap_or_default();
    format!("{name}{}", if option.is_pattern { "x" } else { "" })
}

/// The options of a preset whose importance `is_included`.
fn preset_options(
    preset: &ServicePreset,
    is_included: fn(Importance) -> bool,
) -> BTreeMap<String, String> {
    let options = preset.options(MAX_TTL_SECONDS).into_iter();
    let examples = options
        .filter(|option| is_included(option.importance))
        .map(|option| example(&option));
    let fixed = preset.fixed.iter();
    let fixed = fixed.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    examples.chain(fixed).collect()
}

fn check_definition(options: &BTreeMap<String, String>) -> Result<(), String> {
    let defined = Definition::new(
        "mine",
        options.clone(),
        MAX_TTL_SECONDS,
        WebhookRules::default(),
    );
    defined.map(drop).map_err(|error| error.to_string())
}

/// All options of a group, with example values.
fn group_options_with_examples() -> Options {
    let examples = group_options().into_iter().map(|option| {
        let (name, text) = example(&option);
        let value = match option.option_type {
            OptionType::AccessNumbers => OptionValue::List(vec![text]),
            _ => OptionValue::Text(text),
        };
        (name, value)
    });
    examples.collect()
}

fn check_group_options(options: Options) -> Result<(), String> {
    let context = CatalogContext {
        max_ttl_seconds: MAX_TTL_SECONDS,
        phone_numbers: PhoneNumbers::new(Region::US),
        default_credentials: Credentials::default(),
        variables: Arc::new(|_| None),
        webhooks: WebhookRules::default(),
    };
    let added = ResourceGroups::default().add("mine", options, &context);
    added.map_err(|error| error.to_string())
}

/// Valid and invalid values of a type, if it has general examples.
fn values(option_type: OptionType) -> (Vec<String>, Vec<String>) {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    match option_type {
        OptionType::Boolean => (texts(&["true", "FALSE"]), texts(&["maybe", "1"])),
        OptionType::Integer(low, high) => (
            vec![low.to_string(), high.to_string()],
            vec![
                (low - 1).to_string(),
                (high + 1).to_string(),
                "soon".to_owned(),
            ],
        ),
        OptionType::Choice(all) => (texts(all), texts(&["none of them"])),
        _ => (Vec::new(), Vec::new()),
    }
}

#[test]
fn every_option_that_is_read_is_in_the_table() {
    let in_table: BTreeSet<&str> = rows().map(name_in_code).chain(NOT_OPTIONS).collect();
    let unknown: Vec<_> = names_in_code().difference(&in_table).copied().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_option_in_the_table_is_read() {
    let in_code = names_in_code();
    let unread = rows()
        .map(name_in_code)
        .filter(|name| !in_code.contains(name));
    let unread: Vec<&str> = unread.collect();
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn a_preset_needs_exactly_its_mandatory_options() {
    for preset in presets() {
        let mandatory = preset_options(preset, |importance| importance == Importance::Mandatory);
        // Paths need base URLs, which are optional, so hosts are added.
        let mandatory = with_host(mandatory);
        assert_eq!(check_definition(&mandatory), Ok(()), "{}", preset.name);
        for option in mandatory.keys() {
            let mut without = mandatory.clone();
            without.remove(option);
            let message = check_definition(&without).unwrap_err();
            assert!(
                message.contains(&format!("option {option}: ")),
                "{}: {message}",
                preset.name
            );
        }
    }
}

fn with_host(mut options: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for value in options.values_mut().filter(|value| value.starts_with('/')) {
        value.insert_str(0, "http://host:81");
    }
    options
}

#[test]
fn a_preset_accepts_all_its_options() {
    for preset in presets() {
        let all = preset_options(preset, |_| true);
        assert_eq!(check_definition(&all), Ok(()), "{}", preset.name);
    }
    assert_eq!(check_group_options(group_options_with_examples()), Ok(()));
}

#[test]
fn an_invalid_value_is_rejected_with_the_option_name() {
    let mut checked = 0;
    for preset in presets() {
        for option in preset.options(MAX_TTL_SECONDS) {
            let (name, (valid, invalid)) = (example_name(&option), values(option.option_type));
            let with = |value: String| {
                let mut options = preset_options(preset, |_| true);
                options.insert(name.clone(), value);
                check_definition(&options)
            };
            for value in valid {
                // Another type or builtin is another preset.
                if preset.fixed(&name).is_none() {
                    assert_eq!(with(value), Ok(()), "{name}");
                }
            }
            for value in invalid {
                let message = with(value.clone()).unwrap_err();
                let begin = format!("service \"mine\", option {name}: ");
                assert!(message.starts_with(&begin), "{value}: {message}");
                checked += 1;
            }
        }
    }
    for option in group_options() {
        let (valid, invalid) = values(option.option_type);
        let with = |value: String| {
            let mut options = group_options_with_examples();
            options.insert(option.name.to_owned(), OptionValue::Text(value));
            check_group_options(options)
        };
        for value in valid {
            assert_eq!(with(value), Ok(()), "{}", option.name);
        }
        for value in invalid {
            let message = with(value.clone()).unwrap_err();
            let begin = format!("resource group \"mine\", option {}: ", option.name);
            assert!(message.starts_with(&begin), "{value}: {message}");
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn a_group_needs_its_mandatory_options_and_rejects_unknown_ones() {
    let mut options = group_options_with_examples();
    options.insert("_x".to_owned(), OptionValue::Text("1".to_owned()));
    let message = check_group_options(options).unwrap_err();
    let expected = "resource group \"mine\", option _x: is unknown, expected one of _allocation_strategy, \
                    _backup_resource, _booking_expiration_timeout, _max_booking_expiration_timeout, _services, \
                    _webhook_url, _webhook_events, _webhook_secret, _webhook_user_data, numbers";
    assert_eq!(message, expected);
    for option in group_options() {
        let mut options = group_options_with_examples();
        options.remove(option.name);
        if option.name.starts_with("_webhook_") {
            // A webhook needs both its URL and its secret.
            options.retain(|name, _| !name.starts_with("_webhook_"));
        }
        let is_mandatory = option.importance == Importance::Mandatory;
        assert_eq!(
            check_group_options(options).is_err(),
            is_mandatory,
            "{}",
            option.name
        );
    }
}

#[test]
fn a_default_is_a_valid_value() {
    let all = presets().iter();
    let options = all.flat_map(|preset| preset.options(MAX_TTL_SECONDS));
    for option in options.chain(group_options()) {
        let Some(default) = &option.default else {
            continue;
        };
        assert_eq!(option.option_type.check(default), Ok(()), "{}", option.name);
        if let OptionType::Choice(all) = option.option_type {
            assert!(all.contains(&default.as_str()), "{}", option.name);
        }
    }
    let ttl = |max_ttl_seconds| {
        let options = preset_named("store").options(max_ttl_seconds);
        let ttl = options.into_iter().find(|option| option.matches("_ttl"));
        ttl.map(|ttl| (ttl.default, ttl.option_type.describe()))
    };
    let expected = |default: &str, words: &str| Some((Some(default.to_owned()), words.to_owned()));
    assert_eq!(ttl(60), expected("60", "an integer from 1 to 60"));
    assert_eq!(ttl(90_000), expected("86400", "an integer from 1 to 90000"));
}

fn preset_named(name: &str) -> &'static ServicePreset {
    let mut all = presets().iter();
    all.find(|preset| preset.name == name).unwrap()
}

#[test]
fn server_side_options_are_not_parameters() {
    for name in [
        "_type",
        "_service",
        "_ors",
        "_header",
        "_header.X-Key",
        "_request.a/b",
        "_method.a",
        "_overwritable_options",
    ] {
        assert!(is_server_side(name), "{name}");
    }
    for name in ["_ttl", "_provide_code", "_types", "type", "_", ""] {
        assert!(!is_server_side(name), "{name}");
    }
}
