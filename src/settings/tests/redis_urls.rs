//! URLs of Redis, and their confidentiality.

use super::*;

#[test]
fn a_redis_url_may_contain_credentials_or_the_path_of_a_socket() {
    for valid in [
        "redis://redis",
        "redis://user:p%40ss@10.0.0.1:6380/3",
        "redis://[::1]:6379",
        "rediss://user:p%40ss@redis:6380/1",
        "unix:/run/redis.sock",
        "unix:///run/redis.sock",
        "redis+unix:///run/redis.sock?db=2&pass=x",
        "redis+unix:///run/redis.sock?user=u&pass=a?b%26c%2B&protocol=3",
        "redis://h/",
        "redis://h?",
        "redis://:p@h",
        "redis://:p:p@h",
        "redis://u:\u{fc}\u{260e}|^\"<>@h",
        "REDIS://h/15/",
        "rediss://h/0?protocol=resp3",
    ] {
        assert_eq!(urls("single", valid), [valid]);
    }
}

#[test]
fn addresses_in_a_list_get_the_other_parts_of_the_first_url() {
    for mode in ["sentinel", "cluster"] {
        assert_eq!(urls(mode, "redis://a:1"), ["redis://a:1"]);
        assert_eq!(
            urls(
                mode,
                "rediss://u:p@a:1/0?protocol=resp3, b:2,[::1]:3,rediss://c"
            ),
            [
                "rediss://u:p@a:1/0?protocol=resp3",
                "rediss://u:p@b:2/0?protocol=resp3",
                "rediss://u:p@[::1]:3/0?protocol=resp3",
                "rediss://u:p@c/0?protocol=resp3"
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

    let invalid_urls = [
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
    let as_variables = invalid_urls.map(|url| from_environment("SWITCHBOARD__REDIS__URL", url));
    let in_files = invalid_urls.map(|url| from_file(&format!("[redis]\nurl = \"{url}\"")));
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
    let malformed = [
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
        .chain(malformed);
    for result in results {
        let error = result.unwrap_err();
        let message = format!("{error} {error:?}");
        for part in ["us3r", "pa55", "h0st"] {
            assert!(!message.contains(part), "{message}");
        }
    }
}

#[test]
fn unsupported_parts_of_a_url_are_refused_with_the_alternative() {
    let encode = "percent-encoded";
    for (url, expected) in [
        ("redis://h?db=3", "redis://host:6379/3"),
        ("redis://h/?DB=3", "redis://host:6379/3"),
        ("redis://h?timeout=5", "redis.connect_timeout_ms"),
        ("redis://h?socket_timeout=5", "redis.response_timeout_ms"),
        ("rediss://h?ssl_cert_reqs=none", "redis.tls_ca_file"),
        ("redis://h?ssl=true", "rediss://"),
        ("redis://h?password=pa55", "redis.password"),
        ("redis://h?pa55", "protocol=resp2"),
        ("redis://h?protocol=4", "protocol=resp2"),
        ("redis://h?protocol=resp3&protocol=resp2", "once"),
        ("redis://h?protocol=resp3&db=3", "protocol=resp2"),
        ("redis://h/-1", "number of a database"),
        ("redis://h/+1", "number of a database"),
        ("redis://h/1.0", "number of a database"),
        ("redis://h/0/1", "number of a database"),
        ("redis://h//1", "number of a database"),
        ("redis://h/pa55", "number of a database"),
        ("redis://h/1234567890", "number of a database"),
        ("redis://h#", "%23"),
        ("redis://h/#pa55", "%23"),
        ("rediss://h/#insecure", "redis.tls_ca_file"),
        ("redis://us3r:12?45@h", encode),
        ("redis://us3r:12/45@h", encode),
        ("redis://us3r:12#45@h", encode),
        ("redis://us3r:pa@55@h", encode),
        ("redis://us3r:pa%55%@h", encode),
        ("redis://us3r:pa%zz@h", encode),
        ("redis://us3r:pa%ff@h", encode),
        ("redis://us3r:pa 55@h", encode),
        ("redis://us3r:pa\t55@h", encode),
        ("redis://us3r:pa\n55@h", encode),
        ("redis://us3r:pa55,pa55", "expected a URL of the form"),
        ("redis://us3r@h", "expected a user and a password"),
        ("redis://us3r:@h", "expected a user and a password"),
        ("redis://@h", "expected a user and a password"),
        ("redis://:@h", "expected a user and a password"),
        ("redis://h:0", "a port from 1 to 65535"),
        ("redis://h:", "a port from 1 to 65535"),
        ("redis://h:+1", "a port from 1 to 65535"),
        ("redis://us3r:pa55", "a port from 1 to 65535"),
        ("redis://h:1:2", "a port from 1 to 65535"),
        ("redis://:6379", "a port from 1 to 65535"),
        ("redis://h%41", "a host name or an address"),
        ("redis://h\u{f6}st", "a host name or an address"),
        ("redis://[::1", "IPv6 in brackets"),
        ("redis://::1", "IPv6 in brackets"),
        ("redis://0.0.0.0", "accepts connections"),
        ("redis://[::]:1", "accepts connections"),
        ("valkey://h", "expected a URL of the form"),
        ("redis:/h", "expected a URL of the form"),
        ("unix:run/redis.sock", "absolute path"),
        ("unix://run/redis.sock", "absolute path"),
        ("unix:////run/redis.sock", "absolute path"),
        ("unix:/", "absolute path"),
        ("unix:/x?timeout=5", "except db, user, pass and protocol"),
        ("unix:/x?db=-1", "except db, user, pass and protocol"),
        ("unix:/x?db=1&db=2", "each once"),
        ("unix:/x?pass=pa&55", "percent-encoded"),
        ("unix:/x?pass=pa+55", "%2B"),
        ("unix:/x?pass=pa#55", "%23"),
        ("unix:/x?user=us3r", "pass in addition to user"),
    ] {
        let message = redis_error(&[("URL", url)]);
        assert!(
            message.starts_with("setting `redis.url`") && message.contains(expected),
            "{url}: {message}"
        );
        for part in ["us3r", "pa55", "12", "45@", "pa%", "pa@", "pa&"] {
            assert!(!message.contains(part), "{url}: {message}");
        }
    }
}

#[test]
fn servers_of_a_list_differ_in_host_and_port_only() {
    for list in [
        "rediss://a,redis://b",
        "redis://us3r:pa55@a,redis://us3r:0ther@b",
        "redis://a,redis://us3r:pa55@b",
        "redis://a,us3r:pa55@b",
        "redis://a/0,b/1",
        "redis://a,b/0",
        "redis://a,redis://b/1",
        "redis://a?protocol=resp3,redis://b?protocol=resp2",
        "redis://a,unix:/run/redis.sock",
        "redis://us3r:pa,55@a,b",
    ] {
        for mode in ["sentinel", "cluster"] {
            let message =
                redis_error(&[("URL", list), ("MODE", mode), ("SENTINEL_MASTER", "main")]);
            assert!(
                message.starts_with("setting `redis.url`"),
                "{list}: {message}"
            );
            for part in ["us3r", "pa", "55@", "0ther"] {
                let message = message.replace("parameters", "").replace("password", "");
                assert!(!message.contains(part), "{list}: {message}");
            }
        }
    }
}
