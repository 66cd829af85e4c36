//! The settings of Redis, and that the one secret among them stays one.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn a_redis_url_may_hold_credentials_or_name_a_socket() {
    for right in [
        "redis://redis",
        "redis://user:p%40ss@10.0.0.1:6380/3",
        "redis://[::1]:6379",
        "unix:/run/redis.sock",
        "redis+unix:///run/redis.sock?db=2&pass=x",
    ] {
        let url = from_environment("SWITCHBOARD__REDIS__URL", right)
            .unwrap()
            .redis
            .url;
        assert_eq!(url.unwrap().expose_secret(), right);
    }
}

#[test]
fn a_redis_url_is_never_printed() {
    let settings = from_environment("SWITCHBOARD__REDIS__URL", "redis://us3r:pa55@h0st/1").unwrap();
    let printed = format!("{settings:?} {settings:#?} {:?}", settings.redis.url);
    for part in ["us3r", "pa55", "h0st"] {
        assert!(!printed.contains(part), "{printed}");
    }

    let wrong_urls = [
        "us3r:pa55@h0st",
        "rediss://us3r:pa55@h0st",
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

#[test]
fn tls_and_other_modes_are_refused_by_name() {
    let told = refused_in_environment("SWITCHBOARD__REDIS__URL", "rediss://redis");
    assert!(
        told.contains("TLS is not supported by this version"),
        "{told}"
    );
    for mode in ["cluster", "sentinel"] {
        let told = refused_in_environment("SWITCHBOARD__REDIS__MODE", mode);
        assert!(told.contains("this version serves single only"), "{told}");
    }
    let told = refused_in_environment("SWITCHBOARD__REDIS__MODE", "Single");
    assert!(told.ends_with(": expected \"single\""), "{told}");
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
