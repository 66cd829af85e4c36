//! The settings of Redis.

use super::*;

#[test]
fn credentials_are_in_the_url_or_in_settings_of_their_own() {
    let password = ("PASSWORD", "p/a#s?s@:%word");
    for url in ["redis://h0st:1/2", "rediss://h0st", "unix:/run/h0st.sock"] {
        let read = redis(&[("URL", url), ("USERNAME", "us3r"), password]).unwrap();
        assert_eq!(read.username.as_deref(), Some("us3r"));
        let exposed = read.password.unwrap().expose_secret().to_owned();
        assert_eq!(exposed, password.1);
        assert!(redis(&[("URL", url), password]).is_ok());
    }
    for url in [
        "redis://us3r:pa55@h0st",
        "redis://:pa55@h0st",
        "unix:/run/h0st.sock?pass=pa55",
    ] {
        let message = redis(&[("URL", url), password]).unwrap_err().to_string();
        assert!(
            message.starts_with("setting `redis.password` (environment variable")
                && message.contains("from the URL"),
            "{message}"
        );
        for part in ["us3r", "pa55", "h0st", "s?s"] {
            assert!(!message.contains(part), "{message}");
        }
    }
    for (user, secret) in [
        ("USERNAME", "redis.password"),
        ("SENTINEL_USERNAME", "redis.sentinel_password"),
    ] {
        let message = redis_error(&[("URL", "redis://h0st"), (user, "us3r")]);
        assert!(
            message.starts_with(&format!("setting `{secret}`")),
            "{message}"
        );
        assert!(message.contains("expected a password"), "{message}");
    }
}

#[test]
fn a_line_end_after_a_user_name_is_dropped() {
    for line_end in ["\n", "\r\n"] {
        let variables = [
            ("SWITCHBOARD__REDIS__URL", "redis://h".to_owned()),
            ("SWITCHBOARD__REDIS__USERNAME", format!("sw{line_end}")),
            ("SWITCHBOARD__REDIS__PASSWORD", "secret".to_owned()),
            ("SWITCHBOARD__AUTH__USERNAME", format!("client{line_end}")),
            ("SWITCHBOARD__AUTH__PASSWORD", "secret".to_owned()),
            ("SWITCHBOARD__ADMIN__USERNAME", format!("op{line_end}")),
            ("SWITCHBOARD__ADMIN__PASSWORD", "secret".to_owned()),
        ];
        let settings = Settings::load(None, variables).unwrap();
        assert_eq!(settings.redis.username.as_deref(), Some("sw"));
        let client = settings.auth.username;
        assert_eq!(client.as_deref(), Some("client"));
        let operator = settings.admin.username;
        assert_eq!(operator.as_deref(), Some("op"));
    }
}

#[test]
fn the_error_for_a_setting_that_does_not_match_the_mode_has_its_name() {
    let message = redis_error(&[("MODE", "Single")]);
    assert!(
        message.ends_with("expected one of \"single\", \"sentinel\", \"cluster\""),
        "{message}"
    );
    let message = redis_error(&[("MODE", "sentinel"), ("URL", "redis://a")]);
    assert!(message.contains("`redis.sentinel_master`"), "{message}");
    for (mode, url, expected) in [
        ("cluster", "redis://a/1", "expected database 0"),
        (
            "cluster",
            "unix:/run/redis.sock",
            "expected URLs of members of the Cluster",
        ),
        ("cluster", "redis://a,", ""),
        (
            "single",
            "redis://a,b",
            "expected a URL of the form redis://",
        ),
        (
            "single",
            "redis://u:p@a:1,redis://u:p@b:2",
            "set redis.mode to sentinel or cluster",
        ),
        ("single", "rediss://a#insecure", "expected no #insecure"),
    ] {
        if expected.is_empty() {
            assert_eq!(urls(mode, url), ["redis://a"]);
            continue;
        }
        let message = redis_error(&[("MODE", mode), ("URL", url)]);
        assert!(
            message.contains("`redis.url`") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn a_prefix_has_only_visible_ascii_characters_without_braces() {
    let longest = "p".repeat(64);
    for valid in ["p", "team-a:sb1:", &longest] {
        assert!(from_environment("SWITCHBOARD__REDIS__PREFIX", valid).is_ok());
    }
    let too_long = "p".repeat(65);
    for invalid in ["{a}", "a}", "a b", "a\t", "\u{e9}:", &too_long] {
        let message = environment_error("SWITCHBOARD__REDIS__PREFIX", invalid);
        assert!(
            message.contains("expected 1 to 64 visible ASCII characters"),
            "{message}"
        );
    }
}
