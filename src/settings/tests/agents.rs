//! `[agents]`: the entries of users and API keys.

use super::*;

pub(super) const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CUmQ5AxlVp2ezm9bZ0TmhcghPzSWs+KtOUwWDCp2E+A";
const USERS: &str = "SWITCHBOARD__AGENTS__USERS";
const KEYS: &str = "SWITCHBOARD__AGENTS__API_KEYS";

#[test]
fn users_are_lines_or_separated_by_semicolons() {
    for separator in ["\n", ";", "\r\n\n  ", " ;; "] {
        let text = format!("ann:{HASH}{separator}Bj\u{f6}rn de Vries:{HASH}{separator}");
        let agents = from_environment(USERS, &text).unwrap().agents;
        let names: Vec<&str> = agents.users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["ann", "Bj\u{f6}rn de Vries"], "{separator:?}");
        assert!(agents.are_configured());
    }
    assert!(!Settings::defaults().unwrap().agents.are_configured());
}

#[test]
fn a_plain_password_is_refused_with_the_command_that_hashes_it() {
    for text in [
        "ann:secret",
        &format!("ann:{HASH};bob:secret"),
        "ann",
        "ann:",
    ] {
        let message = environment_error(USERS, text);
        assert!(message.contains("`switchboard hash-password`"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }
}

#[test]
fn invalid_and_repeated_names_are_refused() {
    let long = "a".repeat(MAX_USER_NAME_CHARACTERS + 1);
    for name in [
        "",
        " ",
        "a\tb",
        "a\u{7f}",
        "a\u{85}b",
        "a\u{2028}b",
        "ann ",
        &long,
    ] {
        assert!(
            from_environment(USERS, &format!("{name}:{HASH}")).is_err(),
            "{name:?}"
        );
    }
    assert!(from_environment(USERS, &format!("ann:{HASH};ann:{HASH}")).is_err());
    let longest = "\u{e4}".repeat(MAX_USER_NAME_CHARACTERS);
    assert!(from_environment(USERS, &format!("{longest}:{HASH}")).is_ok());
}

#[test]
fn keys_have_names_and_a_minimum_length() {
    let read = |text: &str| from_environment(KEYS, text).map(|settings| settings.agents.api_keys);
    let agents = read("bot:0123456789abcde:;other:0123456789abcdef").unwrap();
    let keys: Vec<&str> = agents
        .iter()
        .map(|agent| agent.credential.expose_secret())
        .collect();
    assert_eq!(keys, ["0123456789abcde:", "0123456789abcdef"]);
    for text in [
        "bot:0123456789abcde",
        "0123456789abcdef",
        "bot:0123456789abcde\u{e4}",
        ":0123456789abcdef",
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(
            message.contains("16 to 256 visible ASCII characters"),
            "{message}"
        );
        assert!(!message.contains("0123"), "{message}");
    }
}
