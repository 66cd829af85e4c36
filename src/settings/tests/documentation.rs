//! `config/default.toml` is the documentation: it must be complete, and true.

use super::*;

const DEFAULTS: &str = include_str!("../../../config/default.toml");

const REFERENCE: &str = include_str!("../../../docs/configuration.md");
/// The lines before and after the table of settings.
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

/// The settings as a table: of each comment what it begins with.
fn table() -> String {
    let row = |DocumentedSetting {
                   name,
                   default,
                   comment,
               }: &DocumentedSetting| {
        let told = comment.trim().split(". ").next().unwrap_or_default();
        let told = told
            .trim_end_matches('.')
            .replace('|', "\\|")
            .replace('<', "&lt;");
        format!("| `{name}` | `{default}` | {told} |\n")
    };
    let rows: String = documented_settings().iter().map(row).collect();
    format!("| setting | default | |\n|---|---|---|\n{rows}")
}

/// `make docs` has this write it.
#[test]
fn the_table_of_settings_in_the_reference_is_that_of_the_defaults() {
    let [begin, end] = MARKERS;
    let (before, rest) = REFERENCE.split_once(begin).unwrap();
    let (told, after) = rest.split_once(end).unwrap();
    if std::env::var_os("SWITCHBOARD_WRITE_DOCS").is_some() {
        let text = format!("{before}{begin}{}{end}{after}", table());
        fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md"),
            text,
        )
        .unwrap();
        return;
    }
    assert_eq!(told, table(), "run `make docs`");
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
fn a_setting_is_said_to_be_never_printed_if_and_only_if_it_is_a_secret() {
    for DocumentedSetting { name, comment, .. } in documented_settings() {
        let is_secret = super::super::secrets::SECRETS.contains(&&*name);
        assert_eq!(comment.contains("Never printed"), is_secret, "{name}");
    }
}

#[test]
fn the_ranges_in_the_comments_are_the_ranges_that_hold() {
    let mut seen = 0;
    for DocumentedSetting {
        name: setting,
        comment,
        ..
    } in documented_settings()
    {
        let Some(range) = comment.split("Allowed: ").nth(1) else {
            continue;
        };
        let Some((least, most)) = range.trim_end_matches('.').split_once(" to ") else {
            continue;
        };
        let (Ok(least), Ok(most)) = (least.parse::<i64>(), most.parse::<i64>()) else {
            continue;
        };
        seen += 1;
        let variable = setting_names::variable(&setting);
        for right in [least, most] {
            let read = from_environment(&variable, &right.to_string());
            assert!(read.is_ok(), "{setting} = {right}: {read:?}");
        }
        for wrong in [least - 1, most + 1] {
            let told = environment_error(&variable, &wrong.to_string());
            let expected = format!(
                "setting `{setting}` (environment variable {variable}): \
                 expected a whole number from {least} to {most}"
            );
            assert_eq!(told, expected);
        }
    }
    assert_eq!(seen, 43);
}
