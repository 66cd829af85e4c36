//! Checks that the words of an earlier, private vocabulary do not come back.
//!
//! Readers search this tree for the terms of HTTP, Redis, OpenTelemetry and Prometheus (`docs/glossary.md`). The
//! words below stood for such terms once. `CONTRIBUTING.md` has the rules of language.

use std::path::Path;

use super::architecture::{Source, sources};

/// What to write instead is in the second place.
const WORDS: [(&[&str], &str); 10] = [
    (
        &["tell", "tells", "told", "telling"],
        "return, report, log, show",
    ),
    (
        &["nobody", "somebody", "anybody", "everybody", "whoever"],
        "the role: client, operator, replica",
    ),
    (&["tally", "tallies"], "rate limit, count"),
    (
        &["lane", "lanes"],
        "multiplexed connection, shared connection",
    ),
    (&["heed", "heeds", "heeded"], "handle, follow"),
    (&["patience", "impatient"], "timeout, poll interval"),
    (&["fate", "fates"], "outcome"),
    (&["scout", "scouts"], "refresh task"),
    (
        &["catalogue", "catalogues", "licence", "behaviour", "colour"],
        "the American spelling",
    ),
    (&["dialled", "labelled"], "the American spelling"),
];

/// Sequences of words, also as parts of identifiers.
const PHRASES: [(&[&str], &str); 11] = [
    (&["give", "back"], "release, return"),
    (&["gives", "back"], "release, return"),
    (&["given", "back"], "released, returned"),
    (&["giving", "back"], "release, return"),
    (&["stands", "by"], "is a standby"),
    (&["stand", "by"], "is a standby"),
    (&["look", "at"], "read, check, inspect"),
    (&["looks", "at"], "reads, checks, inspects"),
    (&["looked", "at"], "read, checked, inspected"),
    (&["looks", "again"], "polls, rechecks"),
    (&["lives", "on"], "stays active"),
];

/// Parts of identifiers.
const IDENTIFIERS: [(&str, &str); 4] = [
    ("way_to", "url, path"),
    ("MOST_", "MAX_"),
    ("PATIENCE", "_TIMEOUT"),
    ("_LIFE", "_TTL"),
];

const FOLDERS: [&str; 7] = [
    "src", "tests", "benches", "docs", "helm", "config", "deploy",
];
const FILES: [&str; 3] = ["README.md", "Makefile", "docker-compose.yml"];
const ENDINGS: [&str; 11] = [
    ".rs", ".lua", ".md", ".html", ".js", ".css", ".toml", ".yaml", ".yml", ".tpl", ".json",
];
/// This file, test data, and reports that quote other projects. CONTRIBUTING.md lists words to avoid.
const EXCLUDED: [&str; 3] = [
    "tests/it/code/vocabulary.rs",
    "tests/it/data/",
    "docs/upstream/",
];

fn files() -> Vec<Source> {
    let in_folders = ENDINGS.iter().flat_map(|ending| sources(&FOLDERS, ending));
    let in_root = FILES.iter().map(|file| Source::read(Path::new(file)));
    let is_checked = |source: &Source| {
        let path = &source.path;
        !EXCLUDED.iter().any(|excluded| path.starts_with(excluded))
    };
    in_folders.chain(in_root).filter(is_checked).collect()
}

/// The words of a line in lower case; `_` and other punctuation separate them.
fn words(line: &str) -> Vec<String> {
    line.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The private terms of a line, each with its replacement.
fn private_terms(line: &str) -> Vec<(String, &'static str)> {
    let words = words(line);
    let single = WORDS.iter().flat_map(|(terms, instead)| {
        let found = terms
            .iter()
            .filter(|term| words.iter().any(|word| word == *term));
        found.map(|term| ((*term).to_owned(), *instead))
    });
    let phrases = PHRASES.iter().filter(|(phrase, _)| {
        words
            .windows(phrase.len())
            .any(|window| window.iter().eq(phrase.iter()))
    });
    let phrases = phrases.map(|(phrase, instead)| (phrase.join(" "), *instead));
    let identifiers = IDENTIFIERS.iter().filter(|(term, _)| line.contains(term));
    let identifiers = identifiers.map(|(term, instead)| ((*term).to_owned(), *instead));
    let constructor = line.contains("::of(") && !line.contains("option::of(");
    let constructor = constructor.then(|| ("::of(".to_owned(), "new, from_x, parse"));
    single
        .chain(phrases)
        .chain(identifiers)
        .chain(constructor)
        .collect()
}

#[test]
fn no_private_vocabulary_is_used() {
    let files = files();
    assert!(files.len() > 300, "{}", files.len());
    let mut found = Vec::new();
    for Source { path, text } in &files {
        for (number, line) in text.lines().enumerate() {
            for (term, instead) in private_terms(line) {
                found.push(format!("{path}:{}: {term:?}; write: {instead}", number + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} terms of the private vocabulary. Use the terms of the field, see docs/glossary.md and the language rules \
         in CONTRIBUTING.md:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn private_terms_are_found_in_text_and_identifiers() {
    let terms = |line: &str| -> Vec<String> {
        private_terms(line)
            .into_iter()
            .map(|(term, _)| term)
            .collect()
    };
    assert_eq!(terms("/// What it tells the client"), ["tells"]);
    assert_eq!(terms("fn told_page() {}"), ["told"]);
    assert_eq!(terms("the number is given back"), ["given back"]);
    assert_eq!(terms("fn way_to(&self)"), ["way_to"]);
    assert_eq!(terms("const MOST_BYTES: usize = 1;"), ["MOST_"]);
    assert_eq!(terms("let call = Call::of(x);"), ["::of("]);
    assert!(terms("the store returns the number to the pool").is_empty());
    assert!(terms("a contract of intellectuals").is_empty());
}
