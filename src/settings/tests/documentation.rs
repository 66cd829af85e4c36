//! `config/default.toml` is the documentation: it must be complete, and true.

use super::*;

const DEFAULTS: &str = include_str!("../../../config/default.toml");

/// Each setting of `config/default.toml` with the comment over it.
fn documented() -> Vec<(String, String)> {
    let (mut section, mut comment, mut settings) = ("", String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment += text;
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            comment.clear();
        } else if let Some((key, _)) = line.split_once(" = ") {
            settings.push((format!("{section}.{key}"), std::mem::take(&mut comment)));
        } else {
            assert_eq!(line, "", "neither comment, section, setting nor empty");
            comment.clear();
        }
    }
    settings
}

#[test]
fn every_default_has_a_comment_above_it() {
    let settings = documented();
    assert!(settings.len() > 20, "{}", settings.len());
    for (setting, comment) in settings {
        assert!(comment.len() > 30, "{setting}: {comment:?}");
    }
}

#[test]
fn the_ranges_in_the_comments_are_the_ranges_that_hold() {
    let mut seen = 0;
    for (setting, comment) in documented() {
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
        let variable = names::variable(&setting);
        for right in [least, most] {
            let read = from_environment(&variable, &right.to_string());
            assert!(read.is_ok(), "{setting} = {right}: {read:?}");
        }
        for wrong in [least - 1, most + 1] {
            let told = refused_in_environment(&variable, &wrong.to_string());
            let expected = format!(
                "setting `{setting}` (environment variable {variable}): \
                 expected a whole number from {least} to {most}"
            );
            assert_eq!(told, expected);
        }
    }
    assert_eq!(seen, 36);
}
