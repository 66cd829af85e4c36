//! The rules of the house, read off its source: who may name whom, and how long a file may be.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the tree, by its path from the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether it is, or lies under, `part`: `src/store` stands for `src/store.rs` and `src/store/`.
    fn is_in(&self, part: &str) -> bool {
        let rest = self.path.strip_prefix(part);
        rest.is_some_and(|rest| rest.starts_with(['.', '/']))
    }

    /// The lines of code with their numbers: no comments, and no tests within the file, which stand
    /// at its end.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        let lines = lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        let lines = lines.map(|(at, line)| (at + 1, line.trim()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }

    /// Where its code has one of these words.
    fn lines_naming(&self, words: &[&str]) -> Vec<String> {
        let named = self.code_lines().filter(|(_, line)| {
            let words_of_line = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words_of_line.into_iter().any(|word| words.contains(&word))
        });
        named
            .map(|(number, line)| format!("{}:{number}: {line}", self.path))
            .collect()
    }
}

/// All files under these folders whose names end with `ending`.
fn sources(folders: &[&str], ending: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap();
                let path = path.to_str().unwrap().replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// Nothing of `part` may have one of `words` in its code.
fn assert_no_dependency(part: &str, words: &[&str]) {
    let all = sources(&["src"], ".rs");
    let part: Vec<&Source> = all.iter().filter(|source| source.is_in(part)).collect();
    assert!(!part.is_empty());
    let named: Vec<String> = part
        .iter()
        .flat_map(|source| source.lines_naming(words))
        .collect();
    assert!(named.is_empty(), "{named:#?}");
}

const ACTIX: [&str; 5] = [
    "actix",
    "actix_web",
    "actix_rt",
    "actix_http",
    "actix_multipart",
];

#[test]
fn what_services_mean_does_not_depend_on_the_web_server() {
    assert_no_dependency("src/service", &ACTIX);
}

#[test]
fn stores_do_not_depend_on_the_web_server() {
    assert_no_dependency("src/store", &ACTIX);
}

#[test]
fn the_web_side_does_not_depend_on_redis() {
    assert_no_dependency(
        "src/http",
        &["redis", "deadpool", "deadpool_redis", "RedisStore"],
    );
}

#[test]
fn inner_parts_do_not_name_outer_ones() {
    let (http, service, app) = ("http", "service", "app");
    for (part, outer) in [
        ("src/store", &[http, service, app][..]),
        ("src/service", &[http, app]),
        ("src/http", &[app]),
        // All may name it, so it names none of them.
        ("src/telemetry", &[http, service, app, "store"]),
    ] {
        let all = sources(&["src"], ".rs");
        let named = all
            .iter()
            .filter(|source| source.is_in(part))
            .flat_map(|source| {
                let uses = source.code_lines().filter(|(_, line)| {
                    outer
                        .iter()
                        .any(|outer| line.contains(&format!("crate::{outer}")))
                });
                uses.map(|(number, line)| format!("{}:{number}: {line}", source.path))
            });
        let named: Vec<String> = named.collect();
        assert!(named.is_empty(), "{named:#?}");
    }
}

#[test]
fn only_settings_and_main_read_files_and_the_environment() {
    let all = sources(&["src"], ".rs");
    let others = all
        .iter()
        .filter(|source| !source.is_in("src/settings") && source.path != "src/main.rs");
    let named: Vec<String> = others
        .flat_map(|source| source.lines_naming(&["env", "fs"]))
        .collect();
    assert!(named.is_empty(), "{named:#?}");
}

/// Lines of code that have one of these texts, but for those of `allowed` files.
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
fn only_the_clock_of_the_store_tells_the_time() {
    // The second one compares files by when they were changed; the third one tells since when this process
    // has been ready, which nobody stores.
    let allowed = [
        "src/store/clock.rs",
        "src/settings/callers.rs",
        "src/model/readiness.rs",
    ];
    let wall = ["SystemTime", "UNIX_EPOCH", "Timestamp::now", "Zoned::now"];
    let named = lines_with(&wall, ".rs", &allowed);
    assert!(named.is_empty(), "{named:#?}");
    let allowed = [
        "src/app.rs",
        "src/app/upkeep.rs",
        // Since when the store is away, which nobody stores.
        "src/service/admin/outage.rs",
        "src/service/clock_skew.rs",
        "src/store.rs",
        "src/store/clock.rs",
        // Compares it with the clock of each server.
        "src/store/redis/checks/server.rs",
    ];
    let named = lines_with(&["WallClock"], ".rs", &allowed);
    assert!(named.is_empty(), "{named:#?}");
    let named = lines_with(&["'TIME'"], ".lua", &["src/store/redis/scripts/clock.lua"]);
    assert!(named.is_empty(), "{named:#?}");
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() {
    const MAX_LINES: usize = 400;
    let mut all = sources(&["src", "tests", "benches"], ".rs");
    all.extend(sources(&["src"], ".lua"));
    let long = all
        .iter()
        .filter(|source| source.text.lines().count() > MAX_LINES);
    let long: Vec<String> = long
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES}: {long:#?}");
}

#[test]
fn every_script_tells_its_keys_its_arguments_what_it_gives_and_what_it_costs() {
    let scripts = sources(&["src"], ".lua");
    assert!(!scripts.is_empty());
    for Source { path, text } in scripts {
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("--"))
            .collect();
        assert!(head.len() > 1, "{path} has no head");
        let tells = |what: &str| {
            head.iter()
                .any(|line| line.starts_with(&format!("-- {what} ")))
        };
        for what in ["KEYS", "returns", "cost"] {
            assert!(tells(what), "{path} does not tell {what}");
        }
        assert_eq!(tells("ARGV"), text.contains("ARGV["), "{path} and its ARGV");
    }
}

/// Commands that no Redis server with data is sent: sentinels are.
const SENTINEL_COMMANDS: [&str; 1] = ["SENTINEL"];

#[test]
fn every_command_that_redis_is_sent_is_among_the_documented_rights() {
    let operating = include_str!("../../docs/operations.md");
    let rights = operating.split("ACL SETUSER switchboard").nth(1).unwrap();
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
fn keys_are_spelled_in_one_place() {
    let all = sources(&["src"], ".rs");
    let kinds = [
        "\"svc:", "\"blob:{", "\"own:", "\"idem:", "\"clean:", "\"rl:",
    ];
    let place = "src/store/redis/keys.rs";
    let spells = |source: &Source| -> Vec<String> {
        let spelled = source
            .code_lines()
            .filter(|(_, line)| kinds.iter().any(|kind| line.contains(kind)));
        spelled
            .map(|(number, line)| format!("{}:{number}: {line}", source.path))
            .collect()
    };
    let (here, elsewhere): (Vec<&Source>, Vec<&Source>) =
        all.iter().partition(|source| source.path == place);
    let here: Vec<String> = here.into_iter().flat_map(spells).collect();
    assert!(here.len() >= kinds.len(), "{here:#?}");
    let elsewhere: Vec<String> = elsewhere.into_iter().flat_map(spells).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[test]
fn there_is_one_way_to_name_a_module() {
    let all = sources(&["src", "tests"], ".rs");
    let old = all.iter().filter(|source| source.path.ends_with("/mod.rs"));
    let old: Vec<&str> = old.map(|source| source.path.as_str()).collect();
    assert!(old.is_empty(), "{old:#?}");
}

/// Crates with an advisory that nobody maintains, and what brought them in.
const UNMAINTAINED: [&str; 1] = ["atomic-polyfill"];

#[test]
fn no_unmaintained_crate_is_pulled_in() {
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
