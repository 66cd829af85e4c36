//! The layers and the names in them; beside this, one file for each other question.

use std::{
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::*;

mod documentation;
mod redis;
mod secrets;
mod traces;
mod values;

/// A file that goes with the test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("switchboard-settings-{}-{count}.toml", process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const NO_VARIABLES: [(&str, &str); 0] = [];

fn from_environment(name: &str, value: &str) -> Result<Settings, SettingsError> {
    Settings::load(None, [(name, value)])
}

fn from_file(content: &str) -> Result<Settings, SettingsError> {
    let file = TempFile::new(content);
    Settings::load(Some(&file.0), [("HOME", "/")])
}

/// The error's message, from a file whose path is left out of it.
fn file_error(content: &str) -> String {
    let file = TempFile::new(content);
    let error = Settings::load(Some(&file.0), [("HOME", "/")]).unwrap_err();
    let told = error.to_string();
    let path = file.0.display().to_string();
    assert!(told.contains(&path), "{told}");
    told.replace(&path, "FILE")
}

fn environment_error(name: &str, value: &str) -> String {
    from_environment(name, value).unwrap_err().to_string()
}

#[test]
fn a_file_goes_over_the_defaults_and_the_environment_over_the_file() {
    let file =
        TempFile::new("[limits]\nfields = 7\nkeys = 8\n[server]\nlisten = \"localhost:0\"\n");
    let environment = [
        ("SWITCHBOARD__LIMITS__KEYS", "9"),
        ("SWITCHBOARD__LOG__FORMAT", "json"),
    ];
    let settings = Settings::load(Some(&file.0), environment).unwrap();
    assert_eq!(settings.limits.json_depth, 64, "from the defaults");
    assert_eq!(settings.limits.fields, 7, "from the file");
    assert_eq!(settings.server.listen, "localhost:0", "from the file");
    assert_eq!(settings.limits.keys, 9, "from the environment");
    assert_eq!(settings.log.format, LogFormat::Json, "from the environment");
}

#[test]
fn a_variable_that_is_empty_is_as_if_it_was_not_set() {
    let file = TempFile::new("[limits]\nfields = 7\n[log]\nformat = \"json\"\n");
    let (defaults, of_file) = (
        Settings::defaults().unwrap(),
        Settings::load(Some(&file.0), NO_VARIABLES),
    );
    let (defaults, of_file) = (format!("{defaults:?}"), format!("{:?}", of_file.unwrap()));
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
            let read = Settings::load(Some(&file.0), [(&*variable, empty)]).unwrap();
            assert_eq!(format!("{read:?}"), of_file, "{variable}={empty:?}");
        }
    }
}

#[test]
fn what_is_not_named_after_us_in_the_environment_is_ignored() {
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
fn a_variable_that_is_no_text_is_an_error_only_if_it_is_ours() {
    use std::os::unix::ffi::OsStringExt;
    let no_text = || OsString::from_vec(vec![b'a', 0xff]);
    assert!(Settings::load(None, [("OTHER", no_text())]).is_ok());
    let error = Settings::load(None, [("SWITCHBOARD__CATALOG__FILE", no_text())]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `catalog.file` (environment variable SWITCHBOARD__CATALOG__FILE): \
         expected text in UTF-8"
    );
}

#[test]
fn an_unknown_setting_names_itself_its_origin_and_what_is_allowed() {
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
fn an_unknown_section_is_told_the_sections() {
    let sections = "expected one of [admin], [api], [auth], [backend], [catalog], [cors], [limits], [log], [memory], \
         [metrics], [phone], [rate_limit], [redis], [server], [tls]";
    for (content, name) in [
        ("[servr]\nlisten = \"\"", "servr"),
        ("listen = \"\"", "listen"),
        ("\"server.listen\" = \"\"", "server.listen"),
        ("\"server[-9]\" = 1", "server[-9]"),
    ] {
        let told = file_error(content);
        assert!(
            told.starts_with(&format!("unknown setting `{name}` (file FILE)")),
            "{told}"
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
        let told = environment_error(name, "localhost:1");
        let begin = format!("unknown setting `{setting}` (environment variable {name}): ");
        assert!(told.starts_with(&begin), "{told}");
    }
}

#[test]
fn a_section_that_is_no_table_is_refused() {
    assert_eq!(
        file_error("server = 8080"),
        "setting `server` (file FILE): expected a section [server]"
    );
    assert!(file_error("[[server]]").ends_with("expected a section [server]"));
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_place() {
    assert_eq!(
        file_error("[server]\nlisten = \"a:1\"\nworkers 3\n"),
        "file FILE: TOML parse error at line 3, column 9: key with no value, expected `=`"
    );
    let told = file_error("[limits]\nkeys = 99999999999999999999\n");
    assert!(told.starts_with("file FILE: number too large"), "{told}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let absent = Path::new("/nowhere/switchboard.toml");
    let error = Settings::load(Some(absent), [("HOME", "/")]).unwrap_err();
    let told = error.to_string();
    let begin = "cannot read the settings file /nowhere/switchboard.toml: ";
    assert!(told.starts_with(begin), "{told}");

    let no_text = TempFile::new([b'#', 0xff]);
    let error = Settings::load(Some(&no_text.0), [("HOME", "/")]).unwrap_err();
    assert!(
        matches!(error, SettingsError::SettingsFile { .. }),
        "{error}"
    );
}

#[test]
fn the_catalogue_is_the_shipped_one_or_the_file() {
    let (origin, text) = Settings::defaults().unwrap().catalog_text().unwrap();
    assert_eq!(origin, "shipped catalogue");
    assert_eq!(text, SHIPPED_CATALOG);

    let file = TempFile::new("[services.mine]\n");
    let path = file.0.to_str().unwrap().to_owned();
    let settings = from_environment("SWITCHBOARD__CATALOG__FILE", &path).unwrap();
    assert_eq!(
        settings.catalog_text().unwrap(),
        (path, "[services.mine]\n".to_owned())
    );

    drop(file);
    let told = settings.catalog_text().unwrap_err().to_string();
    assert!(
        told.starts_with("setting `catalog.file`: cannot read "),
        "{told}"
    );
}
