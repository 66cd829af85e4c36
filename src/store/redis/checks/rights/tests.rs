//! Compares the table of commands with the documentation.

use super::*;

/// Rights of the connection setup, rights that are tested otherwise, and rights that only the checks
/// use.
const NOT_PROBED: [&str; 11] = [
    "auth",
    "hello",
    "select",
    "info",
    "acl|whoami",
    "acl|dryrun",
    "config|set",
    "subscribe",
    "unsubscribe",
    "punsubscribe",
    "publish",
];

#[test]
fn checked_rights_match_the_documentation() {
    let text = include_str!("../../../../../docs/operations.md");
    let rights = text.split("ACL SETUSER switchboard").nth(1).unwrap();
    let rights = rights.split("```").next().unwrap();
    let documented: BTreeSet<String> = rights
        .split_whitespace()
        .filter_map(|word| word.strip_prefix('+'))
        .filter(|right| !NOT_PROBED.contains(right))
        .map(str::to_owned)
        .collect();
    let checked = COMMANDS.iter().map(|(_, line)| {
        let mut words = line.split(' ');
        let mut command = cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        acl_name(&command)
    });
    assert_eq!(checked.collect::<BTreeSet<String>>(), documented);
}

#[test]
fn denials_of_all_redis_versions_are_parsed() {
    for (text, expected) in [
        (
            "NOPERM this user has no permissions to run the 'hget' command",
            Some(Denial::Command),
        ),
        (
            "NOPERM this user has no permissions to run the 'config|set' command or its subcommand",
            Some(Denial::Command),
        ),
        (
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            Some(Denial::Key),
        ),
        (
            "NOPERM this user has no permissions to access one of the channels used as arguments",
            Some(Denial::Channel),
        ),
        (
            "User sb has no permissions to run the 'hget' command",
            Some(Denial::Command),
        ),
        (
            "This user has no permissions to access the 'x' key",
            Some(Denial::Key),
        ),
        (
            "User sb has no permissions to access the 'x' channel",
            Some(Denial::Channel),
        ),
        ("NOPERM No permissions to access a key", Some(Denial::Key)),
        ("OK", None),
        (
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            None,
        ),
    ] {
        assert_eq!(parse_denial(text), expected, "{text}");
    }
}
