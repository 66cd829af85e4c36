//! Tests of the layers and the setting names; the modules test the other parts.

use std::{fs, io::Write, time::Duration};

use rlibphonenumber::Region;
use secrecy::ExposeSecret;
use tempfile::NamedTempFile;

use super::*;

mod agents;
mod certificates;
mod documentation;
mod operators;
mod redis;
mod redis_urls;
mod secrets;
mod single_sign_on;
mod traces;
mod values;

const NO_VARIABLES: [(&str, &str); 0] = [];

/// A temporary file, deleted on drop.
fn temp_file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

fn from_environment(name: &str, value: &str) -> Result<Settings, SettingsError> {
    Settings::load(None, [(name, value)])
}

fn from_file(content: &str) -> Result<Settings, SettingsError> {
    let file = temp_file(content);
    Settings::load(Some(file.path()), [("HOME", "/")])
}

/// The error message for a settings file, with `FILE` in place of its path.
fn file_error(content: &str) -> String {
    let file = temp_file(content);
    let error = Settings::load(Some(file.path()), [("HOME", "/")]).unwrap_err();
    let message = error.to_string();
    let path = file.path().display().to_string();
    assert!(message.contains(&path), "{message}");
    message.replace(&path, "FILE")
}

fn environment_error(name: &str, value: &str) -> String {
    from_environment(name, value).unwrap_err().to_string()
}

/// `[redis]` with these settings, without their section and in capitals.
fn redis(settings: &[(&str, &str)]) -> Result<Redis, SettingsError> {
    let variables = settings.iter();
    let variables = variables.map(|(key, value)| (format!("SWITCHBOARD__REDIS__{key}"), *value));
    Settings::load(None, variables).map(|settings| settings.redis)
}

fn redis_error(settings: &[(&str, &str)]) -> String {
    redis(settings).unwrap_err().to_string()
}

/// The parsed URLs.
fn urls(mode: &str, url: &str) -> Vec<String> {
    let settings = [("MODE", mode), ("URL", url), ("SENTINEL_MASTER", "main")];
    let urls = redis(&settings).unwrap().urls;
    let exposed = urls.iter().map(|url| url.expose_secret().to_owned());
    exposed.collect()
}

#[test]
fn a_file_overrides_the_defaults_and_the_environment_overrides_the_file() {
    let file = temp_file("[limits]\nfields = 7\nkeys = 8\n[server]\nlisten = \"localhost:0\"\n");
    let environment = [
        ("SWITCHBOARD__LIMITS__KEYS", "9"),
        ("SWITCHBOARD__LOG__FORMAT", "json"),
    ];
    let settings = Settings::load(Some(file.path()), environment).unwrap();
    assert_eq!(settings.limits.json_depth, 64, "from the defaults");
    assert_eq!(settings.limits.fields, 7, "from the file");
    assert_eq!(settings.server.listen, "localhost:0", "from the file");
    assert_eq!(settings.limits.keys, 9, "from the environment");
    assert_eq!(settings.log.format, LogFormat::Json, "from the environment");
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let file = temp_file("[limits]\nfields = 7\n[log]\nformat = \"json\"\n");
    let (defaults, with_file) = (
        Settings::defaults().unwrap(),
        Settings::load(Some(file.path()), NO_VARIABLES),
    );
    let (defaults, with_file) = (format!("{defaults:?}"), format!("{:?}", with_file.unwrap()));
    for documented in documentation::documented_settings() {
        let variable = setting_names::variable(&documented.name);
        let blank = [" ", "\t", "\n", " \r\n"];
        let is_secret = super::secrets::SECRETS.contains(&&*documented.name);
        for empty in [""]
            .into_iter()
            .chain(blank)
            .take(if is_secret { 1 } else { 5 })
        {
            let read = from_environment(&variable, empty).unwrap();
            assert_eq!(format!("{read:?}"), defaults, "{variable}={empty:?}");
            let read = Settings::load(Some(file.path()), [(&*variable, empty)]).unwrap();
            assert_eq!(format!("{read:?}"), with_file, "{variable}={empty:?}");
        }
    }
}

#[test]
fn variables_without_the_prefix_are_ignored() {
    let names = [
        "LIMITS__KEYS",
        "SWITCHBOARD_LIMITS_KEYS",
        "XSWITCHBOARD__A__B",
    ];
    let settings = Settings::load(None, names.map(|name| (name, "1"))).unwrap();
    assert_eq!(settings.limits.keys, 10_000);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_an_error_only_for_a_setting() {
    use std::os::unix::ffi::OsStringExt;
    let not_utf_8 = || OsString::from_vec(vec![b'a', 0xff]);
    assert!(Settings::load(None, [("OTHER", not_utf_8())]).is_ok());
    let error = Settings::load(None, [("SWITCHBOARD__CATALOG__FILE", not_utf_8())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `catalog.file` (environment variable SWITCHBOARD__CATALOG__FILE): \
         expected text in UTF-8"
    );
}

#[test]
fn the_error_for_an_unknown_setting_has_its_origin_and_the_allowed_names() {
    assert_eq!(
        file_error("[log]\nlevle = \"info\"\n"),
        "unknown setting `log.levle` (file FILE): expected one of log.format, log.level, log.requests, log.slow_request_ms"
    );
    assert_eq!(
        environment_error("SWITCHBOARD__LOG__LEVLE", "info"),
        "unknown setting `log.levle` (environment variable SWITCHBOARD__LOG__LEVLE): \
         expected one of log.format, log.level, log.requests, log.slow_request_ms"
    );
}

#[test]
fn a_renamed_setting_is_unknown_and_the_error_suggests_its_new_name() {
    let documented: Vec<String> = documentation::documented_settings()
        .into_iter()
        .map(|setting| setting.name)
        .collect();
    for (old, new) in setting_names::RENAMED {
        let Some((section, key)) = old.split_once('.') else {
            let prefix = format!("{new}.");
            assert!(documented.iter().any(|name| name.starts_with(&prefix)));
            continue;
        };
        assert!(documented.iter().any(|name| name == new), "{new}");
        assert_eq!(
            file_error(&format!("[{section}]\n{key} = 1\n")),
            format!("unknown setting `{old}` (file FILE): it was renamed to {new}")
        );
        let variable = setting_names::variable(old);
        let suggestion = setting_names::variable(new);
        assert_eq!(
            environment_error(&variable, "1"),
            format!(
                "unknown setting `{old}` (environment variable {variable}): it was renamed to {suggestion}"
            )
        );
    }
}

#[test]
fn a_setting_of_a_renamed_section_is_unknown_and_the_error_suggests_its_new_name() {
    assert_eq!(
        file_error("[throttle]\nwindow_seconds = 1\n"),
        "unknown setting `throttle` (file FILE): it was renamed to [rate_limit]"
    );
    assert_eq!(
        environment_error("SWITCHBOARD__THROTTLE__WINDOW_SECONDS", "1"),
        "unknown setting `throttle.window_seconds` (environment variable \
         SWITCHBOARD__THROTTLE__WINDOW_SECONDS): it was renamed to SWITCHBOARD__RATE_LIMIT__WINDOW_SECONDS"
    );
    let message = environment_error("SWITCHBOARD__THROTTLE__WINDOW", "1");
    assert!(message.contains("expected one of [admin], "), "{message}");
}

#[test]
fn the_error_for_an_unknown_section_lists_all_sections() {
    let sections = "expected one of [admin], [agents], [api], [auth], [backend], [catalog], [comet], [cors], [limits], [log], \
         [memory], [metrics], [operators], [phone], [rate_limit], [redis], [server], [single_sign_on], [storage], [tls], [webhooks]";
    for (content, name) in [
        ("[servr]\nlisten = \"\"", "servr"),
        ("listen = \"\"", "listen"),
        ("\"server.listen\" = \"\"", "server.listen"),
        ("\"server[-9]\" = 1", "server[-9]"),
    ] {
        let message = file_error(content);
        assert!(
            message.starts_with(&format!("unknown setting `{name}` (file FILE)")),
            "{message}"
        );
    }
    assert!(file_error("[servr]").ends_with(sections));
    assert_eq!(
        environment_error("SWITCHBOARD__SERVR__LISTEN", ""),
        format!(
            "unknown setting `servr.listen` (environment variable SWITCHBOARD__SERVR__LISTEN): {sections}"
        )
    );
}

#[test]
fn a_variable_must_be_spelled_exactly() {
    for (name, setting) in [
        ("SWITCHBOARD__", ""),
        ("SWITCHBOARD__SERVER", "server"),
        ("SWITCHBOARD__SERVER_LISTEN", "server_listen"),
        ("SWITCHBOARD__SERVER__LISTEN__", "server.listen."),
        ("SWITCHBOARD__SERVER.LISTEN", "server.listen"),
        ("SWITCHBOARD__Server__Listen", "Server.Listen"),
    ] {
        let message = environment_error(name, "localhost:1");
        let begin = format!("unknown setting `{setting}` (environment variable {name}): ");
        assert!(message.starts_with(&begin), "{message}");
    }
}

#[test]
fn a_section_that_is_not_a_table_is_refused() {
    assert_eq!(
        file_error("server = 8080"),
        "setting `server` (file FILE): expected a section [server]"
    );
    assert!(file_error("[[server]]").ends_with("expected a section [server]"));
}

#[test]
fn the_error_for_malformed_toml_has_the_position() {
    assert_eq!(
        file_error("[server]\nlisten = \"a:1\"\nworkers 3\n"),
        "file FILE: TOML parse error at line 3, column 9: key with no value, expected `=`"
    );
    let message = file_error("[limits]\nkeys = 99999999999999999999\n");
    assert!(
        message.starts_with("file FILE: number too large"),
        "{message}"
    );
}

#[test]
fn the_error_for_an_unreadable_file_has_its_path() {
    let absent = Path::new("/nowhere/switchboard.toml");
    let error = Settings::load(Some(absent), [("HOME", "/")]).unwrap_err();
    let message = error.to_string();
    let begin = "cannot read the settings file /nowhere/switchboard.toml: ";
    assert!(message.starts_with(begin), "{message}");

    let not_utf_8 = temp_file([b'#', 0xff]);
    let error = Settings::load(Some(not_utf_8.path()), [("HOME", "/")]).unwrap_err();
    assert!(
        matches!(error, SettingsError::SettingsFile { .. }),
        "{error}"
    );
}

#[test]
fn the_catalog_is_the_shipped_one_or_the_configured_file() {
    let (origin, text) = Settings::defaults().unwrap().catalog.text().unwrap();
    assert_eq!(origin, "shipped catalog");
    assert_eq!(text, catalog::SHIPPED);

    let file = temp_file("[services.mine]\n");
    let path = file.path().to_str().unwrap().to_owned();
    let settings = from_environment("SWITCHBOARD__CATALOG__FILE", &path).unwrap();
    assert_eq!(
        settings.catalog.text().unwrap(),
        (path, "[services.mine]\n".to_owned())
    );

    drop(file);
    let message = settings.catalog.text().unwrap_err().to_string();
    assert!(
        message.starts_with("setting `catalog.file`: cannot read "),
        "{message}"
    );
}
