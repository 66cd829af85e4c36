//! Rules about the source code: dependencies between layers, file lengths and conventions.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file, with its path from the root of the repository.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Reads the file at a path from the root.
    pub(super) fn read(path: &Path) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join(path)).unwrap();
        let path = path.to_str().unwrap().replace('\\', "/");
        Self { path, text }
    }

    /// Whether it belongs to `part`: `src/store` means `src/store.rs` and `src/store/`.
    fn is_in(&self, part: &str) -> bool {
        let rest = self.path.strip_prefix(part);
        rest.is_some_and(|rest| rest.starts_with(['.', '/']))
    }

    /// The lines of code with their numbers, without comments and without the tests at the end of the
    /// file.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        let lines = lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        let lines = lines.map(|(index, line)| (index + 1, line.trim()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    /// The modules at the root of the crate that the code uses: `a`, `b` and `c` of `crate::a::x` and
    /// `use crate::{b::y, c}`.
    fn crate_modules(&self) -> Vec<&str> {
        let name = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_');
        let mut modules = Vec::new();
        let mut depth = 0;
        for (_, line) in self.code_lines() {
            if depth > 0 {
                // A line of a nested `use`; rustfmt puts each module on a line of its own.
                let module = &line[..name(line).unwrap_or(line.len())];
                if depth == 1 && !module.is_empty() {
                    modules.push(module);
                }
            } else {
                for rest in line.split("crate::").skip(1) {
                    let rest = rest.trim_start_matches('{');
                    modules.push(&rest[..name(rest).unwrap_or(rest.len())]);
                }
            }
            if depth > 0 || line.contains("use crate::{") {
                depth += line.matches('{').count();
                depth = depth.saturating_sub(line.matches('}').count());
            }
        }
        modules
    }

    /// The lines of code that contain one of these words.
    fn lines_naming(&self, words: &[&str]) -> Vec<String> {
        let matching = self.code_lines().filter(|(_, line)| {
            let words_of_line = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words_of_line.into_iter().any(|word| words.contains(&word))
        });
        matching
            .map(|(number, line)| format!("{}:{number}: {line}", self.path))
            .collect()
    }
}

/// All files in these folders whose names end with `ending`.
pub(super) fn sources(folders: &[&str], ending: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                sources.push(Source::read(path.strip_prefix(root).unwrap()));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Asserts that no code of `part` contains one of `words`.
fn assert_no_dependency(part: &str, words: &[&str]) {
    let all = sources(&["src"], ".rs");
    let part: Vec<&Source> = all.iter().filter(|source| source.is_in(part)).collect();
    assert!(!part.is_empty());
    let found: Vec<String> = part
        .iter()
        .flat_map(|source| source.lines_naming(words))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

const ACTIX: [&str; 5] = [
    "actix",
    "actix_web",
    "actix_rt",
    "actix_http",
    "actix_multipart",
];

#[test]
fn the_service_layer_does_not_depend_on_the_web_server() {
    assert_no_dependency("src/service", &ACTIX);
}

#[test]
fn stores_do_not_depend_on_the_web_server() {
    assert_no_dependency("src/store", &ACTIX);
}

#[test]
fn the_http_layer_does_not_depend_on_redis() {
    assert_no_dependency(
        "src/http",
        &["redis", "deadpool", "deadpool_redis", "RedisStore"],
    );
}

/// The layers that a part of the source must not use.
const FORBIDDEN_DEPENDENCIES: [(&str, &[&str]); 6] = [
    // All layers use these two, so they use none of them.
    (
        "src/model",
        &[
            "app",
            "backend",
            "http",
            "service",
            "settings",
            "store",
            "telemetry",
        ],
    ),
    (
        "src/telemetry",
        &["app", "backend", "http", "service", "store"],
    ),
    ("src/store", &["app", "backend", "http", "service"]),
    ("src/backend", &["app", "http", "service", "store"]),
    ("src/service", &["app", "http"]),
    ("src/http", &["app", "backend", "store"]),
];

#[test]
fn layers_use_only_the_layers_below_them() {
    let all = sources(&["src"], ".rs");
    let mut found = Vec::new();
    for (part, forbidden) in FORBIDDEN_DEPENDENCIES {
        let part: Vec<&Source> = all.iter().filter(|source| source.is_in(part)).collect();
        assert!(!part.is_empty());
        for source in part {
            let used = source.crate_modules();
            let wrong = used.iter().filter(|used| forbidden.contains(used));
            found.extend(wrong.map(|wrong| format!("{} uses {wrong}", source.path)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_settings_and_main_read_files_and_the_environment() {
    let all = sources(&["src"], ".rs");
    // The code for clients names a module of Node.js.
    let allowed = ["src/main.rs", "src/http/admin_ui/client_code/javascript.rs"];
    let others = all
        .iter()
        .filter(|source| !source.is_in("src/settings") && !allowed.contains(&source.path.as_str()));
    let found: Vec<String> = others
        .flat_map(|source| source.lines_naming(&["env", "fs"]))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// Lines of code that contain one of these texts, except in `allowed` files.
fn lines_with(texts: &[&str], ending: &str, allowed: &[&str]) -> Vec<String> {
    let all = sources(&["src"], ending);
    let others = all
        .iter()
        .filter(|source| !allowed.contains(&source.path.as_str()));
    let lines = others.flat_map(|source| {
        let lines = source
            .code_lines()
            .filter(|(_, line)| texts.iter().any(|text| line.contains(text)));
        lines.map(|(number, line)| format!("{}:{number}: {line}", source.path))
    });
    lines.collect()
}

#[test]
fn only_the_clock_of_the_store_reads_the_time() {
    // The second file compares modification times of files; the third one records since when this process
    // has been ready, which is not stored.
    let allowed = [
        "src/store/clock.rs",
        "src/settings/tls.rs",
        "src/model/readiness.rs",
    ];
    let wall = ["SystemTime", "UNIX_EPOCH", "Timestamp::now", "Zoned::now"];
    let found = lines_with(&wall, ".rs", &allowed);
    assert!(found.is_empty(), "{found:#?}");
    let allowed = [
        "src/app.rs",
        "src/app/background.rs",
        // The begin of an outage of the store, which is not stored.
        "src/service/admin/store_status.rs",
        "src/service/clock_skew.rs",
        "src/store.rs",
        "src/store/clock.rs",
        // Compared with the clock of each server.
        "src/store/redis/checks/server.rs",
    ];
    let found = lines_with(&["WallClock"], ".rs", &allowed);
    assert!(found.is_empty(), "{found:#?}");
    let allowed = [
        "src/store/redis/scripts/clock.lua",
        // Only if a storage is watched, so that other writes do not pay for it.
        "src/store/redis/scripts/revision.lua",
    ];
    let found = lines_with(&["'TIME'"], ".lua", &allowed);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_have_a_maximum_length() {
    const MAX_LINES: usize = 350;
    const MAX_LINES_OF_TESTS: usize = 400;
    let mut all = sources(&["src", "tests", "benches"], ".rs");
    all.extend(sources(&["src"], ".lua"));
    let mut long = Vec::new();
    for source in &all {
        let max = if source.is_in("src") {
            MAX_LINES
        } else {
            MAX_LINES_OF_TESTS
        };
        let lines = source.text.lines().count();
        if lines > max {
            long.push(format!("{}: {lines} lines, at most {max}", source.path));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_script_documents_its_keys_arguments_result_and_cost() {
    let scripts = sources(&["src"], ".lua");
    assert!(!scripts.is_empty());
    for Source { path, text } in scripts {
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("--"))
            .collect();
        assert!(head.len() > 1, "{path} has no head");
        let documents = |what: &str| {
            head.iter()
                .any(|line| line.starts_with(&format!("-- {what} ")))
        };
        for what in ["KEYS", "returns", "cost"] {
            assert!(documents(what), "{path} does not document {what}");
        }
        assert_eq!(
            documents("ARGV"),
            text.contains("ARGV["),
            "{path} and its ARGV"
        );
    }
}

/// Commands for sentinels only; servers with data do not need to allow them.
const SENTINEL_COMMANDS: [&str; 1] = ["SENTINEL"];

#[test]
fn every_command_sent_to_redis_is_in_the_documented_acl() {
    let operations = include_str!("../../../docs/operations.md");
    let rights = operations.split("ACL SETUSER switchboard").nth(1).unwrap();
    let rights = rights.split("```").next().unwrap();
    let rights = rights
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('+'));
    let documented: Vec<&str> = rights.filter_map(|right| right.split('|').next()).collect();
    let mut all = sources(&["src/store/redis"], ".rs");
    all.extend(sources(&["src/store/redis"], ".lua"));
    let mut sent = 0;
    for source in &all {
        for (number, line) in source.code_lines() {
            for call in ["cmd(\"", "redis.call('", "redis.pcall('"] {
                for after in line.split(call).skip(1) {
                    let command = after.split(['"', '\'']).next().unwrap_or_default();
                    let name = command.to_ascii_lowercase();
                    sent += 1;
                    assert!(
                        documented.contains(&name.as_str()) || SENTINEL_COMMANDS.contains(&command),
                        "{}:{number}: {command}",
                        source.path
                    );
                }
            }
        }
    }
    assert!(sent > 100, "{sent}");
}

#[test]
fn key_formats_are_defined_in_one_file() {
    let all = sources(&["src"], ".rs");
    let kinds = [
        "\"svc:",
        "\"blob:{",
        "\"chat:{",
        "\"{chats}",
        "\"{matches}",
        "\"own:",
        "\"idem:",
        "\"grp:",
        "\"events:",
        "\"webhook:",
        "\"{webhooks}",
        "\"rl:",
        "\"session:",
        "\"lease:",
        "\"{catalog}",
    ];
    let definition = "src/store/redis/keys.rs";
    let formats_in = |source: &Source| -> Vec<String> {
        let lines = source
            .code_lines()
            .filter(|(_, line)| kinds.iter().any(|kind| line.contains(kind)));
        lines
            .map(|(number, line)| format!("{}:{number}: {line}", source.path))
            .collect()
    };
    let (defined, others): (Vec<&Source>, Vec<&Source>) =
        all.iter().partition(|source| source.path == definition);
    let defined: Vec<String> = defined.into_iter().flat_map(formats_in).collect();
    let is_defined = |kind: &&str| defined.iter().any(|line| line.contains(kind));
    assert!(kinds.iter().all(is_defined), "{defined:#?}");
    let others: Vec<String> = others.into_iter().flat_map(formats_in).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn no_module_is_named_mod_rs() {
    let all = sources(&["src", "tests"], ".rs");
    let old = all.iter().filter(|source| source.path.ends_with("/mod.rs"));
    let old: Vec<&str> = old.map(|source| source.path.as_str()).collect();
    assert!(old.is_empty(), "{old:#?}");
}

/// Crates with an advisory about missing maintenance.
const UNMAINTAINED: [&str; 1] = ["atomic-polyfill"];

#[test]
fn no_unmaintained_crate_is_a_dependency() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let text = fs::read_to_string(root.join(lock)).unwrap();
        for name in UNMAINTAINED {
            assert!(
                !text.contains(&format!("name = \"{name}\"")),
                "{lock}: {name}"
            );
        }
    }
}
