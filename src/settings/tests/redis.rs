//! The settings of Redis, and that the one secret among them stays one.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn a_redis_url_may_hold_credentials_or_name_a_socket() {
    for right in [
        "redis://redis",
        "redis://user:p%40ss@10.0.0.1:6380/3",
        "redis://[::1]:6379",
        "rediss://user:p%40ss@redis:6380/1",
        "unix:/run/redis.sock",
        "redis+unix:///run/redis.sock?db=2&pass=x",
    ] {
        assert_eq!(urls("single", right), [right]);
    }
}

/// The URLs as they are understood.
fn urls(mode: &str, url: &str) -> Vec<String> {
    let settings = Settings::load(
        None,
        [
            ("SWITCHBOARD__REDIS__MODE", mode),
            ("SWITCHBOARD__REDIS__URL", url),
            ("SWITCHBOARD__REDIS__SENTINEL_MASTER", "main"),
        ],
    );
    let urls = settings.unwrap().redis.urls;
    let exposed = urls.iter().map(|url| url.expose_secret().to_owned());
    exposed.collect()
}

#[test]
fn several_urls_are_like_the_first_where_they_are_only_addresses() {
    for mode in ["sentinel", "cluster"] {
        assert_eq!(urls(mode, "redis://a:1"), ["redis://a:1"]);
        assert_eq!(
            urls(
                mode,
                "rediss://u:p@a:1/0?protocol=resp3, b:2,[::1]:3,redis://c"
            ),
            [
                "rediss://u:p@a:1/0?protocol=resp3",
                "rediss://u:p@b:2/0?protocol=resp3",
                "rediss://u:p@[::1]:3/0?protocol=resp3",
                "redis://c"
            ]
        );
    }
    assert_eq!(
        urls("sentinel", "redis://a/3,b"),
        ["redis://a/3", "redis://b/3"]
    );
}

#[test]
fn a_redis_url_is_never_printed() {
    let settings = from_environment("SWITCHBOARD__REDIS__URL", "redis://us3r:pa55@h0st/1").unwrap();
    let printed = format!("{settings:?} {settings:#?} {:?}", settings.redis.urls);
    for part in ["us3r", "pa55", "h0st"] {
        assert!(!printed.contains(part), "{printed}");
    }

    let wrong_urls = [
        "us3r:pa55@h0st",
        "rediss://us3r:pa55@h0st#insecure",
        "redis://us3r:pa55@h0st,h0st",
        "http://us3r:pa55@h0st",
        "redis://us3r:pa55@h0st:pa55",
        "redis://us3r:pa55@h0st/us3r",
        "redis:us3r",
        "redis://",
        "unix:",
        "unix:us3r",
    ];
    let as_variables = wrong_urls.map(|url| from_environment("SWITCHBOARD__REDIS__URL", url));
    let in_files = wrong_urls.map(|url| from_file(&format!("[redis]\nurl = \"{url}\"")));
    let misplaced = [
        from_environment("SWITCHBOARD__REDIS__UR", "redis://us3r:pa55@h0st"),
        from_environment("SWITCHBOARD__REDIS__PREFIX", "{redis://us3r:pa55@h0st}"),
        from_environment("SWITCHBOARD__SERVER__LISTEN", "redis://us3r:pa55@h0st"),
        from_environment("SWITCHBOARD__LOG__LEVEL", "redis://us3r:pa55@h0st"),
        from_file("[redis]\nurl = [\"redis://us3r:pa55@h0st\"]"),
        from_file("[redis]\nuri = \"redis://us3r:pa55@h0st\""),
        from_file("redis = \"redis://us3r:pa55@h0st\""),
        from_file("[limits]\nkeys = \"redis://us3r:pa55@h0st\""),
    ];
    let no_toml = [
        "[redis]\nurl = \"redis://us3r:pa55@h0st",
        "[redis]\nurl = redis://us3r:pa55@h0st\n",
        "[redis]\nurl = 'redis://us3r:pa55@h0st' pa55\n",
        "[redis]\nurl = \"redis://us3r:pa55\\@h0st\"\n",
        "[redis]\nurl = \"redis://us3r:pa55@h0st\"\nurl = \"redis://us3r:pa55@h0st\"\n",
        "[redis]\nurl = \"\"\"\nredis://us3r:pa55@h0st\n",
        "[redis\nurl = \"redis://us3r:pa55@h0st\"\n",
        "url \"redis://us3r:pa55@h0st\"\n",
        "redis://us3r:pa55@h0st",
        "[redis]\nurl = \"redis://us3r:pa55\u{1}@h0st\"\n",
        "[redis]\nurl = 1e99999\nx = \"us3r\"",
    ]
    .map(from_file);

    let results = as_variables
        .into_iter()
        .chain(in_files)
        .chain(misplaced)
        .chain(no_toml);
    for result in results {
        let error = result.unwrap_err();
        let told = format!("{error} {error:?}");
        for part in ["us3r", "pa55", "h0st"] {
            assert!(!told.contains(part), "{told}");
        }
    }
}

/// What is told where these settings of `[redis]` are refused.
fn refused(settings: &[(&str, &str)]) -> String {
    let variables = settings
        .iter()
        .map(|(key, value)| (format!("SWITCHBOARD__REDIS__{key}"), (*value).to_owned()));
    Settings::load(None, variables).unwrap_err().to_string()
}

#[test]
fn what_does_not_fit_the_mode_is_refused_by_name() {
    let told = refused(&[("MODE", "Single")]);
    assert!(
        told.ends_with("expected \"single\", \"sentinel\" or \"cluster\""),
        "{told}"
    );
    let told = refused(&[("MODE", "sentinel"), ("URL", "redis://a")]);
    assert!(told.contains("`redis.sentinel_master`"), "{told}");
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
        ("single", "rediss://a#insecure", "expected no #insecure"),
    ] {
        if expected.is_empty() {
            assert_eq!(urls(mode, url), ["redis://a"]);
            continue;
        }
        let told = refused(&[("MODE", mode), ("URL", url)]);
        assert!(
            told.contains("`redis.url`") && told.contains(expected),
            "{told}"
        );
    }
}

#[test]
fn certificates_that_cannot_be_used_are_refused_by_name() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let told = refused(&[("TLS_CA_FILE", "/nowhere/ca.pem")]);
    assert!(
        told.contains("`redis.tls_ca_file`") && told.contains("a file to read"),
        "{told}"
    );
    let told = refused(&[("TLS_CERT_FILE", manifest)]);
    assert!(told.contains("`redis.tls_key_file`"), "{told}");
    let told = refused(&[("TLS_KEY_FILE", manifest)]);
    assert!(told.contains("`redis.tls_cert_file`"), "{told}");
    let both = [
        ("URL", "rediss://redis"),
        ("TLS_KEY_FILE", manifest),
        ("TLS_CERT_FILE", manifest),
    ];
    assert!(refused(&both).contains("in PEM"), "{}", refused(&both));
}

#[test]
fn a_prefix_has_no_braces_spaces_or_other_letters() {
    let longest = "p".repeat(64);
    for right in ["p", "team-a:sb1:", &longest] {
        assert!(from_environment("SWITCHBOARD__REDIS__PREFIX", right).is_ok());
    }
    let too_long = "p".repeat(65);
    for wrong in ["", "{a}", "a}", "a b", "a\t", "\u{e9}:", &too_long] {
        let told = refused_in_environment("SWITCHBOARD__REDIS__PREFIX", wrong);
        assert!(
            told.contains("expected 1 to 64 visible ASCII characters"),
            "{told}"
        );
    }
}
