//! `config/default.toml` is the reference of the settings: complete and correct.

use super::*;

const DEFAULTS: &str = include_str!("../../../config/default.toml");

const REFERENCE: &str = include_str!("../../../docs/configuration.md");
/// The lines before and after the generated table of settings.
const MARKERS: [&str; 2] = [
    "<!-- settings: made by `make docs` -->\n",
    "<!-- /settings -->",
];

/// A setting of `config/default.toml`.
pub(super) struct DocumentedSetting {
    pub(super) name: String,
    default: &'static str,
    comment: String,
}

pub(super) fn documented_settings() -> Vec<DocumentedSetting> {
    let (mut section, mut comment, mut settings) = ("", String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment += text;
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            comment.clear();
        } else if let Some((key, default)) = line.split_once(" = ") {
            settings.push(DocumentedSetting {
                name: format!("{section}.{key}"),
                default,
                comment: std::mem::take(&mut comment),
            });
        } else {
            assert_eq!(line, "", "neither comment, section, setting nor empty");
            comment.clear();
        }
    }
    settings
}

/// The settings as a table, with the first sentence of each comment.
fn table() -> String {
    let row = |DocumentedSetting {
                   name,
                   default,
                   comment,
               }: &DocumentedSetting| {
        let text = comment.trim().split(". ").next().unwrap_or_default();
        let text = text
            .trim_end_matches('.')
            .replace('|', "\\|")
            .replace('<', "&lt;");
        format!("| `{name}` | `{default}` | {text} |\n")
    };
    let rows: String = documented_settings().iter().map(row).collect();
    format!("| setting | default | |\n|---|---|---|\n{rows}")
}

/// Writes the table if `SWITCHBOARD_WRITE_DOCS` is set, as `make docs` does.
#[test]
fn the_table_of_settings_in_the_reference_is_that_of_the_defaults() {
    let [begin, end] = MARKERS;
    let (before, rest) = REFERENCE.split_once(begin).unwrap();
    let (current, after) = rest.split_once(end).unwrap();
    if std::env::var_os("SWITCHBOARD_WRITE_DOCS").is_some() {
        let text = format!("{before}{begin}{}{end}{after}", table());
        fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md"),
            text,
        )
        .unwrap();
        return;
    }
    assert_eq!(current, table(), "run `make docs`");
}

#[test]
fn every_default_has_a_comment_above_it() {
    let settings = documented_settings();
    assert!(settings.len() > 20, "{}", settings.len());
    for DocumentedSetting {
        name: setting,
        comment,
        ..
    } in settings
    {
        assert!(comment.len() > 30, "{setting}: {comment:?}");
    }
}

#[test]
fn comments_say_never_printed_for_secrets_only() {
    for DocumentedSetting { name, comment, .. } in documented_settings() {
        let is_secret = super::super::secrets::SECRETS.contains(&&*name);
        assert_eq!(comment.contains("Never printed"), is_secret, "{name}");
    }
}

#[test]
fn the_ranges_in_the_comments_are_the_enforced_ranges() {
    let mut checked = 0;
    for DocumentedSetting {
        name: setting,
        comment,
        ..
    } in documented_settings()
    {
        let Some(range) = comment.split("Allowed: ").nth(1) else {
            continue;
        };
        let Some((min, max)) = range.trim_end_matches('.').split_once(" to ") else {
            continue;
        };
        let (Ok(min), Ok(max)) = (min.parse::<i64>(), max.parse::<i64>()) else {
            continue;
        };
        checked += 1;
        let variable = setting_names::variable(&setting);
        for valid in [min, max] {
            let read = from_environment(&variable, &valid.to_string());
            assert!(read.is_ok(), "{setting} = {valid}: {read:?}");
        }
        for invalid in [min - 1, max + 1] {
            let message = environment_error(&variable, &invalid.to_string());
            let expected = format!(
                "setting `{setting}` (environment variable {variable}) is \"{invalid}\": \
                 expected an integer from {min} to {max}"
            );
            assert_eq!(message, expected);
        }
    }
    assert_eq!(checked, 52);
}
