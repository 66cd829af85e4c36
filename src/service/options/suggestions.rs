//! Suggestions for misspelled option names.

use super::{
    Importance, OptionSpec, ServiceKind,
    group_table::GROUP_OPTIONS,
    preset_of,
    table::{BUILTIN_KINDS, SERVICE_OPTIONS},
};
use crate::{
    model::{EntryName, Table},
    service::{definition::DefinitionError, options::Options},
};

/// The maximum number of edits between a misspelled name and the suggested option.
const MAX_EDITS: usize = 3;
/// One edit is allowed for this number of characters of the suggested option.
const CHARACTERS_PER_EDIT: usize = 5;
/// The maximum number of warnings about one entry.
const MAX_WARNINGS: usize = 20;
/// The option that lists names of options.
const OVERWRITABLE_OPTIONS: &str = "_overwritable_options";

/// Warnings about options of an entry that are probably misspelled. Unknown options are permitted in configured
/// services, so these are not errors. Unknown options of resource groups are rejected (see [`suggested_for_group`]).
pub(in crate::service) fn option_warnings(
    (table, name): &EntryName,
    options: &Options,
) -> Vec<String> {
    let preset = preset_of(options).filter(|_| *table == Table::Services);
    let Some(kind) = preset.map(|preset| preset.kind) else {
        return Vec::new();
    };
    let warnings = options.iter().filter(|(_, value)| !value.is_empty());
    let warnings = warnings.filter_map(|(option, _)| {
        let suggested = suggested_for_service(option, kind)?;
        let problem = format!("is unknown; did you mean {suggested}?");
        Some((option.as_str(), problem))
    });
    let listed = options.get(OVERWRITABLE_OPTIONS);
    let listed = listed.and_then(|value| value.text()).unwrap_or_default();
    let listed = listed.split(',').map(str::trim).filter_map(|option| {
        let suggested = suggested_for_overwritable(option, kind)?;
        let problem = format!("contains {option:?}, which is unknown; did you mean {suggested}?");
        Some((OVERWRITABLE_OPTIONS, problem))
    });
    let warnings = warnings.chain(listed).map(|(option, problem)| {
        let warning = DefinitionError {
            kind: "service",
            name: name.clone(),
            option: option.to_owned(),
            problem,
        };
        warning.to_string()
    });
    warnings.take(MAX_WARNINGS).collect()
}

/// The option of a configured service of this type that `option` probably misspells.
fn suggested_for_service(option: &str, kind: ServiceKind) -> Option<String> {
    // A name without the underscore is compared only with such options: `type` and `ttl` are ordinary names.
    let has_underscore = option.trim_start().starts_with('_');
    suggested(option, kind, |row| {
        has_underscore || !row.name.starts_with('_')
    })
}

/// The option that `option` in `_overwritable_options` probably misspells. Only parameters have an effect there.
fn suggested_for_overwritable(option: &str, kind: ServiceKind) -> Option<String> {
    suggested(option, kind, |row| {
        row.name.starts_with('_') && !row.is_server_side
    })
}

/// The most similar option of a configured service of this type that `is_suggested`; `None` if `option` is known.
fn suggested(
    option: &str,
    kind: ServiceKind,
    is_suggested: impl Fn(&OptionSpec) -> bool,
) -> Option<String> {
    if SERVICE_OPTIONS.iter().any(|row| row.matches(option)) {
        return None;
    }
    // Options of other builtins have no effect, but are suggested for misspelled names.
    let kinds = if BUILTIN_KINDS.contains(&kind) {
        BUILTIN_KINDS
    } else {
        &[kind]
    };
    // A mandatory option is present, so a similar name does not misspell it.
    let is_candidate = |row: &&OptionSpec| {
        let mut importances = kinds.iter().filter_map(|kind| row.importance_for(*kind));
        is_suggested(row) && importances.any(|importance| importance != Importance::Mandatory)
    };
    closest(option.trim(), SERVICE_OPTIONS.iter().filter(is_candidate))
}

/// The option of resource groups that the unknown `option` probably misspells.
pub(in crate::service) fn suggested_for_group(option: &str) -> Option<String> {
    closest(option, GROUP_OPTIONS.iter())
}

/// The most similar name of `rows`, if one is similar enough.
fn closest<'a>(option: &str, rows: impl Iterator<Item = &'a OptionSpec>) -> Option<String> {
    let similar = rows.filter_map(|row| {
        // Of a pattern such as `_header.<Name>` only the part before the dot is compared.
        let (option_name, placeholder) = match row.name.split_once('.') {
            Some((option_name, placeholder)) => (option_name, Some(placeholder)),
            None => (row.name, None),
        };
        let (written, rest) = match (option.split_once('.'), placeholder) {
            (Some((written, rest)), Some(_)) => (written, Some(rest)),
            _ => (option, placeholder),
        };
        Some((
            edit_distance(written, option_name)?,
            rest.is_some(),
            option_name,
            rest,
        ))
    });
    let closest = similar.min_by_key(|(edits, is_family, ..)| (*edits, *is_family));
    closest.map(|(_, _, option_name, rest)| match rest {
        Some(rest) => format!("{option_name}.{rest}"),
        None => option_name.to_owned(),
    })
}

/// The number of edits between the two, regardless of case; `None` if there are too many.
fn edit_distance(written: &str, option_name: &str) -> Option<usize> {
    let length = option_name.chars().count();
    let allowed = (length / CHARACTERS_PER_EDIT).clamp(1, MAX_EDITS);
    if written.chars().count().abs_diff(length) > allowed {
        return None;
    }
    let edits = strsim::osa_distance(&written.to_ascii_lowercase(), option_name);
    (edits <= allowed).then_some(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{CatalogFile, OptionValue};

    const STORE: &[(&str, &str)] = &[("_type", "builtin"), ("_service", "store")];
    const NUMBER: &[(&str, &str)] = &[("_type", "builtin"), ("_service", "request-interaction")];
    const WEB: &[(&str, &str)] = &[("_type", "http"), ("_service", "http://localhost/")];

    fn warnings_of(base: &[(&str, &str)], others: &[(&str, &str)]) -> Vec<String> {
        let options = base.iter().chain(others);
        let options = options.map(|(name, value)| {
            let value = OptionValue::Text((*value).to_owned());
            ((*name).to_owned(), value)
        });
        option_warnings(&(Table::Services, "shop".to_owned()), &options.collect())
    }

    #[test]
    fn a_misspelled_option_is_reported_with_a_suggestion() {
        for (base, written, intended) in [
            (STORE, "_tll", "_ttl"),
            (STORE, "_tlt", "_ttl"),
            (STORE, "_ttll", "_ttl"),
            (STORE, "_TTL", "_ttl"),
            (STORE, "_ttl ", "_ttl"),
            (STORE, "  _ttl", "_ttl"),
            (STORE, "_password", "password"),
            (STORE, "passwort", "password"),
            (STORE, "Password", "password"),
            (NUMBER, "pasword", "password"),
            (NUMBER, "usernam", "username"),
            (WEB, "userName", "username"),
            (WEB, "user_name", "username"),
            (STORE, "_ressource_group", "_resource_group"),
            (NUMBER, "_resourceGroup", "_resource_group"),
            (NUMBER, "_acess_code_length", "_access_code_length"),
            (NUMBER, "_accessCodePrefix", "_access_code_prefix"),
            (
                NUMBER,
                "_booking_expiration_timout",
                "_booking_expiration_timeout",
            ),
            (WEB, "_reqeust", "_request"),
            (WEB, "_reqest.orders/list", "_request.orders/list"),
            (WEB, "_Header.X-Key", "_header.X-Key"),
            (WEB, "_header", "_header.<Name>"),
            (WEB, "_teminate", "_terminate"),
        ] {
            let expected =
                format!("service \"shop\", option {written}: is unknown; did you mean {intended}?");
            assert_eq!(warnings_of(base, &[(written, "1")]), [expected]);
        }
    }

    #[test]
    fn a_misspelled_name_in_overwritable_options_is_reported() {
        for (base, listed, expected) in [
            (STORE, "_tll", &[("_tll", "_ttl")][..]),
            (STORE, "ttl", &[("ttl", "_ttl")]),
            (WEB, "_ttl, _TTL ,,_url", &[("_TTL", "_ttl")]),
            (
                NUMBER,
                "_provide_cod,_tll",
                &[("_provide_cod", "_provide_code"), ("_tll", "_ttl")],
            ),
            (
                NUMBER,
                "_ttl, _resource_group, _phone_number, _customer_tier",
                &[],
            ),
            (WEB, "Password, _reqest, nick", &[]),
            (WEB, "", &[]),
        ] {
            let expected = expected.iter().map(|(written, intended)| {
                format!(
                    "service \"shop\", option _overwritable_options: contains \"{written}\", which is unknown; \
                     did you mean {intended}?"
                )
            });
            let expected: Vec<_> = expected.collect();
            let warnings = warnings_of(base, &[("_overwritable_options", listed)]);
            assert_eq!(warnings, expected, "{listed}");
        }
    }

    #[test]
    fn other_names_are_no_warning() {
        let long = "_".repeat(100_000);
        for base in [STORE, NUMBER, WEB] {
            for name in [
                "_customer_tier",
                "_url",
                "_x",
                "_",
                "",
                "_time",
                "_services",
                "_note",
                "_ünï",
                "tll",
                "TTL",
                "type",
                "service",
                "session",
                "user",
                "surname",
                "pass",
                "numbers",
                "name",
                "city",
                "_phone_number",
                "_access_code",
                "_id",
                &long,
            ] {
                let warnings = warnings_of(base, &[(name, "1")]);
                assert_eq!(warnings, [""; 0], "{name}");
            }
            for row in SERVICE_OPTIONS
                .iter()
                .filter(|row| row.name.starts_with('_'))
            {
                assert_eq!(suggested_for_service(row.name, ServiceKind::Http), None);
            }
            assert_eq!(
                warnings_of(base, &[("_tll", "")]),
                [""; 0],
                "an empty option is absent"
            );
        }
        assert_eq!(warnings_of(&[], &[("_tll", "1")]), [""; 0]);
    }

    #[test]
    fn the_shipped_catalog_has_no_warnings() {
        let file =
            CatalogFile::parse("shipped", include_str!("../../../config/catalog.toml")).unwrap();
        assert_eq!(file.warnings(), [""; 0]);
    }

    #[test]
    fn options_of_groups_are_suggested_too() {
        for (written, intended) in [
            ("_servces", Some("_services")),
            ("_allocation_stategy", Some("_allocation_strategy")),
            ("Numbers", Some("numbers")),
            ("_x", None),
        ] {
            assert_eq!(suggested_for_group(written).as_deref(), intended);
        }
    }
}
