//! The table is what the checks know, no more and no less.

use std::collections::BTreeSet;

use rlibphonenumber::Region;

use super::*;
use crate::service::{
    Options, definition::Definition, options::OptionValue, resources::Pools, subscriber::Numbering,
};

const LONGEST_LIFE: u64 = 3_600;

/// Where options are read.
const READERS: [&str; 13] = [
    include_str!("../access_code.rs"),
    include_str!("../backend/http.rs"),
    include_str!("../backend/options.rs"),
    include_str!("../booking.rs"),
    include_str!("../builtin/match_interaction.rs"),
    include_str!("../builtin/request_access.rs"),
    include_str!("../builtin/request_interaction.rs"),
    include_str!("../catalog/entry.rs"),
    include_str!("../creation.rs"),
    include_str!("../definition.rs"),
    include_str!("../life.rs"),
    include_str!("../resources.rs"),
    include_str!("../start.rs"),
];
/// Parameters of requests and members of answers, which nobody configures.
const NO_OPTIONS: [&str; 5] = [
    "_access_number",
    "_access_code",
    "_data_id",
    "_id",
    "_phone_number",
];

/// The names, and beginnings of names, that stand in the code of who reads options.
fn names_in_code() -> BTreeSet<&'static str> {
    let mut names = BTreeSet::from(["numbers", "username", "password"]);
    for text in READERS {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
        for literal in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            let name = literal.split('{').next().unwrap_or_default();
            let is_name = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
            if name.len() > 1 && name.starts_with('_') && name.chars().all(is_name) {
                names.insert(name);
            }
        }
    }
    names
}

/// What an option is called in code: a family by what it begins with.
fn name_in_code(row: &Row) -> &'static str {
    row.name.split('<').next().unwrap_or_default()
}

fn rows() -> impl Iterator<Item = &'static Row> {
    SERVICES.iter().chain(GROUPS)
}

/// A value that is allowed, and the name of a member of a family.
fn example(option: &OptionHelp) -> (String, String) {
    let value = match option.allowed {
        Allowed::Boolean => "True",
        Allowed::WholeNumber(low, _) => return (member(option), low.to_string()),
        Allowed::Choice(all) => option.default.as_deref().unwrap_or(all[0]),
        Allowed::Url => "http://host:81/a.scxml",
        Allowed::UrlList => "http://one:81, https://two/a",
        Allowed::UrlTemplate => "/rooms/{id}",
        Allowed::ServiceNames => "store, shop",
        Allowed::OptionNames => "_ttl, _provide_code",
        Allowed::AccessNumber => "8005550100",
        Allowed::Text(_) | Allowed::ResourceGroup | Allowed::AccessNumbers => "7",
    };
    (member(option), value.to_owned())
}

fn member(option: &OptionHelp) -> String {
    let name = option.name.split('<').next().unwrap_or_default();
    format!("{name}{}", if option.is_family { "x" } else { "" })
}

/// All options of a template that `are` wanted.
fn filled(template: &Template, are: fn(Need) -> bool) -> BTreeMap<String, String> {
    let options = template.options(LONGEST_LIFE).into_iter();
    let examples = options
        .filter(|option| are(option.need))
        .map(|option| example(&option));
    let fixed = template.fixed.iter();
    let fixed = fixed.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    examples.chain(fixed).collect()
}

fn defined(options: &BTreeMap<String, String>) -> Result<(), String> {
    let defined = Definition::new("mine", options.clone(), LONGEST_LIFE);
    defined.map(drop).map_err(|error| error.to_string())
}

/// All options of a group.
fn filled_group() -> Options {
    let examples = group_options().into_iter().map(|option| {
        let (name, text) = example(&option);
        let value = match option.allowed {
            Allowed::AccessNumbers => OptionValue::List(vec![text]),
            _ => OptionValue::Text(text),
        };
        (name, value)
    });
    examples.collect()
}

fn grouped(options: Options) -> Result<(), String> {
    let numbering = Numbering::of(Region::US);
    let added = Pools::default().add("mine", options, numbering);
    added.map_err(|error| error.to_string())
}

/// Values that are allowed, and some that are not, where that can be said in general.
fn values(allowed: Allowed) -> (Vec<String>, Vec<String>) {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
    match allowed {
        Allowed::Boolean => (texts(&["true", "FALSE"]), texts(&["maybe", "1"])),
        Allowed::WholeNumber(low, high) => (
            vec![low.to_string(), high.to_string()],
            vec![
                (low - 1).to_string(),
                (high + 1).to_string(),
                "soon".to_owned(),
            ],
        ),
        Allowed::Choice(all) => (texts(all), texts(&["none of them"])),
        _ => (Vec::new(), Vec::new()),
    }
}

#[test]
fn every_option_that_is_read_is_in_the_table() {
    let in_table: BTreeSet<&str> = rows().map(name_in_code).chain(NO_OPTIONS).collect();
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
fn a_template_is_accepted_as_soon_as_what_is_mandatory_is_filled_in_and_no_sooner() {
    for template in templates() {
        let least = filled(template, |need| need == Need::Mandatory);
        // What is asked of a web service may stand behind a list of them, which is optional.
        let least = with_a_host(least);
        assert_eq!(defined(&least), Ok(()), "{}", template.name);
        for option in least.keys() {
            let mut without = least.clone();
            without.remove(option);
            let message = defined(&without).unwrap_err();
            assert!(
                message.contains(&format!("option {option}: ")),
                "{}: {message}",
                template.name
            );
        }
    }
}

fn with_a_host(mut options: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for value in options.values_mut().filter(|value| value.starts_with('/')) {
        value.insert_str(0, "http://host:81");
    }
    options
}

#[test]
fn every_option_of_a_template_may_be_filled_in() {
    for template in templates() {
        let all = filled(template, |_| true);
        assert_eq!(defined(&all), Ok(()), "{}", template.name);
    }
    assert_eq!(grouped(filled_group()), Ok(()));
}

#[test]
fn what_a_range_or_a_choice_does_not_allow_is_refused_with_the_name_of_the_option() {
    let mut seen = 0;
    for template in templates() {
        for option in template.options(LONGEST_LIFE) {
            let (name, (right, wrong)) = (member(&option), values(option.allowed));
            let with = |value: String| {
                let mut options = filled(template, |_| true);
                options.insert(name.clone(), value);
                defined(&options)
            };
            for value in right {
                // Another type, or another builtin, is another template.
                if template.fixed(&name).is_none() {
                    assert_eq!(with(value), Ok(()), "{name}");
                }
            }
            for value in wrong {
                let message = with(value.clone()).unwrap_err();
                let begin = format!("service \"mine\", option {name}: ");
                assert!(message.starts_with(&begin), "{value}: {message}");
                seen += 1;
            }
        }
    }
    for option in group_options() {
        let (right, wrong) = values(option.allowed);
        let with = |value: String| {
            let mut options = filled_group();
            options.insert(option.name.to_owned(), OptionValue::Text(value));
            grouped(options)
        };
        for value in right {
            assert_eq!(with(value), Ok(()), "{}", option.name);
        }
        for value in wrong {
            let message = with(value.clone()).unwrap_err();
            let begin = format!("resource group \"mine\", option {}: ", option.name);
            assert!(message.starts_with(&begin), "{value}: {message}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_group_needs_what_is_mandatory_and_has_no_other_options() {
    let mut options = filled_group();
    options.insert("_x".to_owned(), OptionValue::Text("1".to_owned()));
    let message = grouped(options).unwrap_err();
    let expected = "resource group \"mine\", option _x: is unknown, expected one of _allocation_strategy, \
                    _backup_resource, _booking_expiration_timeout, _max_booking_expiration_timeout, _services, numbers";
    assert_eq!(message, expected);
    for option in group_options() {
        let mut options = filled_group();
        options.remove(option.name);
        let is_mandatory = option.need == Need::Mandatory;
        assert_eq!(grouped(options).is_err(), is_mandatory, "{}", option.name);
    }
}

#[test]
fn a_default_is_a_value_that_is_allowed() {
    let templates = templates().iter();
    let options = templates.flat_map(|template| template.options(LONGEST_LIFE));
    for option in options.chain(group_options()) {
        let Some(default) = &option.default else {
            continue;
        };
        assert_eq!(option.allowed.check(default), Ok(()), "{}", option.name);
        if let Allowed::Choice(all) = option.allowed {
            assert!(all.contains(&default.as_str()), "{}", option.name);
        }
    }
    let ttl = |longest_life| {
        let options = templates_named("store").options(longest_life);
        let ttl = options.into_iter().find(|option| option.is("_ttl"));
        ttl.map(|ttl| (ttl.default, ttl.allowed.words()))
    };
    let expected = |default: &str, words: &str| Some((Some(default.to_owned()), words.to_owned()));
    assert_eq!(ttl(60), expected("60", "a whole number from 1 to 60"));
    assert_eq!(
        ttl(90_000),
        expected("86400", "a whole number from 1 to 90000")
    );
}

fn templates_named(name: &str) -> &'static Template {
    let mut templates = templates().iter();
    templates.find(|template| template.name == name).unwrap()
}

#[test]
fn what_is_needed_most_is_told_first_and_what_is_settled_is_told_with_the_rest() {
    for template in templates() {
        let options = template.options(LONGEST_LIFE);
        assert!(options.is_sorted_by_key(|option| option.need));
        for (name, _) in template.fixed {
            let settled = options.iter().find(|option| option.name == *name);
            assert_eq!(settled.unwrap().need, Need::Mandatory);
        }
        let names: BTreeSet<_> = options.iter().map(|option| option.name).collect();
        assert_eq!(names.len(), options.len(), "{}", template.name);
        assert!(options.iter().all(|option| option.help.len() > 20));
    }
}

#[test]
fn a_configured_service_is_known_by_its_template() {
    for template in templates() {
        let options = filled(template, |need| need == Need::Mandatory);
        assert_eq!(named(options), Some(template.name));
    }
    let older = [("_type", "builtin"), ("_service", "app-to-connect-basic")];
    assert_eq!(named(pairs(&older)), Some("request-interaction"));
    let soap = [("_type", "soap"), ("_service", "store")];
    for unknown in [&soap[..], &[("_type", "builtin")], &[("_service", "store")]] {
        assert_eq!(named(pairs(unknown)), None);
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    pairs.collect()
}

fn named(options: BTreeMap<String, String>) -> Option<&'static str> {
    let options = options.into_iter();
    let options: Options = options
        .map(|(name, value)| (name, OptionValue::Text(value)))
        .collect();
    template_of(&options).map(|template| template.name)
}

#[test]
fn what_says_how_a_service_runs_is_no_parameter_of_it() {
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
        assert!(is_wiring(name), "{name}");
    }
    for name in ["_ttl", "_provide_code", "_types", "type", "_", ""] {
        assert!(!is_wiring(name), "{name}");
    }
}

#[test]
fn choices_are_told_in_words() {
    assert_eq!(either(&["a"]), "a");
    assert_eq!(either(&["a", "b"]), "a or b");
    assert_eq!(either(&["a", "b", "c"]), "a, b or c");
}
