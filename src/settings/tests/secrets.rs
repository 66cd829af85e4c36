//! Secrets: their sources, their parsing, and that nothing prints them.

use super::{super::secrets::SECRETS, *};

/// The parsed value of each secret setting.
fn secret(settings: &Settings, setting: &str) -> Option<String> {
    let expose = |secret: &secrecy::SecretString| secret.expose_secret().to_owned();
    match setting {
        "admin.password" => settings.admin.password.as_ref().map(expose),
        "agents.api_keys" => {
            let agent = settings.agents.api_keys.first()?;
            Some(format!("{}:{}", agent.name, expose(&agent.credential)))
        }
        "agents.users" => {
            let agent = settings.agents.users.first()?;
            Some(format!("{}:{}", agent.name, agent.credential.to_phc()))
        }
        "auth.api_keys" => settings.auth.api_keys.first().map(expose),
        "auth.password" => settings.auth.password.as_ref().map(expose),
        "operators.users" => {
            let operator = settings.operators.users.first()?;
            let (name, credential) = (&operator.name, &operator.credential);
            let hash = credential.password.to_phc();
            Some(format!("{name}:{}:{hash}", credential.role))
        }
        "redis.password" => settings.redis.password.as_ref().map(expose),
        "redis.sentinel_password" => settings.redis.sentinel_password.as_ref().map(expose),
        "redis.url" => settings.redis.urls.first().map(expose),
        "single_sign_on.client_secret" => {
            let secret = settings.single_sign_on.client_secret.as_ref();
            secret.map(expose)
        }
        other => panic!("no test for the secret {other}"),
    }
}

const VALID_URL: &str = "redis://s3cret";
const VALID_KEYS: &str = "bot:s3cret-0123456789";
const VALID_USERS: &str =
    "ann:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CUmQ5AxlVp2ezm9bZ0TmhcghPzSWs+KtOUwWDCp2E+A";

const VALID_OPERATORS: &str =
    "ann:viewer:$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CUmQ5AxlVp2ezm9bZ0TmhcghPzSWs+KtOUwWDCp2E+A";

/// A valid value of a secret setting.
fn valid_value(setting: &str) -> &'static str {
    match setting {
        "agents.api_keys" => VALID_KEYS,
        "agents.users" => VALID_USERS,
        "operators.users" => VALID_OPERATORS,
        _ => VALID_URL,
    }
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn every_secret_can_be_read_from_a_file() {
    for setting in SECRETS {
        let valid = valid_value(setting);
        for line_end in ["", "\n", "\r\n"] {
            let file = temp_file([valid, line_end].concat());
            let variable = setting_names::variable(&format!("{setting}_file"));
            let read = from_environment(&variable, path(&file)).unwrap();
            assert_eq!(secret(&read, setting).as_deref(), Some(valid), "{setting}");

            let (section, key) = setting.split_once('.').unwrap();
            let read = from_file(&format!("[{section}]\n{key}_file = {:?}", path(&file))).unwrap();
            assert_eq!(secret(&read, setting).as_deref(), Some(valid), "{setting}");
            let debug = format!("{read:?} {read:#?}");
            assert!(
                !debug.contains("s3cret") && !debug.contains("$argon2id"),
                "{setting}"
            );
        }
    }
}

#[test]
fn only_one_trailing_line_end_of_a_secret_is_removed() {
    for setting in SECRETS {
        let valid = valid_value(setting);
        for line_end in ["\n", "\r\n", ""] {
            let text = [valid, line_end].concat();
            let read = from_environment(&setting_names::variable(setting), &text).unwrap();
            assert_eq!(secret(&read, setting).as_deref(), Some(valid), "{setting}");
        }
    }
    for (text, expected) in [
        (" a b ", " a b "),
        ("a\n\n", "a\n"),
        ("/#?@:%&=+\"'\\ ü☎", "/#?@:%&=+\"'\\ ü☎"),
    ] {
        let file = temp_file(text);
        for read in [
            from_environment("SWITCHBOARD__REDIS__PASSWORD", text),
            from_environment("SWITCHBOARD__REDIS__PASSWORD_FILE", path(&file)),
        ] {
            let password = secret(&read.unwrap(), "redis.password");
            assert_eq!(password.as_deref(), Some(expected));
        }
    }
}

#[test]
fn a_secret_and_its_file_in_the_same_layer_are_refused() {
    let file = temp_file("s3cret");
    let both = [
        ("SWITCHBOARD__ADMIN__PASSWORD", "s3cret"),
        ("SWITCHBOARD__ADMIN__PASSWORD_FILE", path(&file)),
    ];
    let message = Settings::load(None, both).unwrap_err().to_string();
    assert_eq!(
        message,
        "setting `admin.password_file` (environment variable SWITCHBOARD__ADMIN__PASSWORD_FILE): \
         `admin.password` is set too: set only one of the two"
    );
    let both = format!(
        "[admin]\npassword = \"s3cret\"\npassword_file = {:?}",
        path(&file)
    );
    assert!(file_error(&both).contains("set only one of the two"));

    // Empty counts as unset.
    for empty in ["", "\n", "\r\n"] {
        let one = [
            ("SWITCHBOARD__ADMIN__PASSWORD", empty),
            file_override(&file),
        ];
        let read = Settings::load(None, one).unwrap();
        assert_eq!(secret(&read, "admin.password").as_deref(), Some("s3cret"));
        let none = [
            ("SWITCHBOARD__ADMIN__PASSWORD", "s3cret"),
            ("SWITCHBOARD__ADMIN__PASSWORD_FILE", ""),
        ];
        assert!(Settings::load(None, none).is_ok());
    }
}

fn file_override(file: &NamedTempFile) -> (&'static str, &str) {
    ("SWITCHBOARD__ADMIN__PASSWORD_FILE", path(file))
}

#[test]
fn a_secret_of_the_environment_overrides_the_settings_file() {
    let (file_secret, environment_secret) =
        (temp_file("of the file"), temp_file("of the environment"));
    let by_value = temp_file("[admin]\npassword = \"of the file\"");
    let by_name = temp_file(format!("[admin]\npassword_file = {:?}", path(&file_secret)));
    for layer in [&by_value, &by_name] {
        for variable in [
            ("SWITCHBOARD__ADMIN__PASSWORD", "of the environment"),
            file_override(&environment_secret),
        ] {
            let read = Settings::load(Some(layer.path()), [variable]).unwrap();
            let password = secret(&read, "admin.password");
            assert_eq!(password.as_deref(), Some("of the environment"));
        }
        // An empty variable must not disable the password of the settings file.
        for empty in ["", "\n"] {
            let variable = [("SWITCHBOARD__ADMIN__PASSWORD", empty)];
            let read = Settings::load(Some(layer.path()), variable).unwrap();
            assert_eq!(
                secret(&read, "admin.password").as_deref(),
                Some("of the file")
            );
        }
    }
}

#[test]
fn the_error_for_a_secret_file_has_its_path_and_not_its_content() {
    let name = "SWITCHBOARD__AUTH__PASSWORD_FILE";
    let begins = format!("setting `auth.password_file` (environment variable {name}): ");
    let message = environment_error(name, "/nowhere/password");
    assert_eq!(
        message,
        format!(
            "{begins}cannot read the file /nowhere/password: No such file or directory (os error 2)"
        )
    );
    for (content, reason) in [
        (&b""[..], "it is empty"),
        (b"\n", "it is empty"),
        (b"s3cret\xff", "UTF-8"),
        (&vec![b's'; 65_537], "it is larger than 65536 bytes"),
    ] {
        let file = temp_file(content);
        let message = environment_error(name, path(&file));
        let begins = format!("{begins}cannot read the file {}: ", path(&file));
        assert!(
            message.starts_with(&begins) && message.contains(reason),
            "{message}"
        );
        assert!(!message.contains("s3cret"), "{message}");
    }
    // A value in place of the path may be the secret itself.
    let message = environment_error(name, "s3cret");
    assert!(
        message.starts_with(&begins) && !message.contains("s3cret"),
        "{message}"
    );
    assert!(file_error("[auth]\npassword_file = 5").ends_with("expected text in quotes"));
}

#[test]
fn the_error_for_an_invalid_secret_has_the_path_of_its_file() {
    let file = temp_file("http://redis");
    let message = environment_error("SWITCHBOARD__REDIS__URL_FILE", path(&file));
    let begins = format!("setting `redis.url` (file {}): expected ", path(&file));
    assert!(message.starts_with(&begins), "{message}");
}

#[test]
fn no_error_contains_a_secret_or_text_that_may_be_one() {
    let key = "-----BEGIN PRIVATE KEY-----\ns3cret";
    let (non_ascii, not_a_url) = ("s3cr\u{e9}t s3cret", "http://s3cret");
    let bare_key = ["s3cret"; 20].concat();
    for (setting, value) in [
        ("auth.api_keys", non_ascii),
        ("agents.api_keys", "bot:s3cret"),
        ("agents.users", "ann:s3cret"),
        ("operators.users", "ann:viewer:s3cret"),
        ("redis.url", not_a_url),
        ("redis.tls_key_file", key),
        ("tls.key_file", key),
        ("server.listen", "redis://:s3cret@redis"),
        ("limits.keys", "redis://:s3cret@redis"),
        ("redis.mode", "unix:/redis.sock?user=app&pass=s3cret"),
        ("auth.username", "shop:s3cret"),
        ("redis.tls_key_file", &bare_key),
    ] {
        let (section, field) = setting.split_once('.').unwrap();
        for error in [
            from_environment(&setting_names::variable(setting), value).unwrap_err(),
            from_file(&format!("[{section}]\n{field} = {value:?}")).unwrap_err(),
        ] {
            let message = format!("{error} {error:?}");
            assert!(message.contains(setting), "{message}");
            assert!(message.contains("expected"), "{message}");
            assert!(!message.contains("s3cr"), "{message}");
        }
    }
}

#[test]
fn agents_have_distinct_names_and_keys() {
    let error = |users: &str, keys: &str| {
        let variables = [("agents.users", users), ("agents.api_keys", keys)];
        let variables = variables.map(|(name, value)| (setting_names::variable(name), value));
        Settings::load(None, variables)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(error(VALID_USERS, VALID_KEYS), None);
    for (keys, expected) in [
        (
            "ann:s3cret-0123456789",
            "expected names that are not in `agents.users`",
        ),
        (
            "bot:s3cret-0123456789;app:s3cret-0123456789",
            "expected a different key for each name",
        ),
    ] {
        let error = error(VALID_USERS, keys).unwrap();
        assert!(
            error.contains("agents.api_keys") && error.contains(expected),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn only_secrets_have_files() {
    let message = environment_error("SWITCHBOARD__SERVER__LISTEN_FILE", "/x");
    assert!(
        message.starts_with("unknown setting `server.listen_file`"),
        "{message}"
    );
    let message = environment_error("SWITCHBOARD__REDIS__PASSWORDFILE", "/x");
    assert!(message.contains("redis.password_file"), "{message}");
}

#[test]
fn a_header_of_the_catalog_can_be_read_from_a_file() {
    let file = temp_file("s3cret\n");
    let settings = from_environment("SWITCHBOARD_HEADER_PARTNER_FILE", path(&file)).unwrap();
    assert_eq!(
        settings.variable("SWITCHBOARD_HEADER_PARTNER"),
        Some("s3cret")
    );
    assert!(!format!("{settings:?}").contains("s3cret"));

    let settings = from_environment("SWITCHBOARD_HEADER_PARTNER", "s3cret\n").unwrap();
    assert_eq!(
        settings.variable("SWITCHBOARD_HEADER_PARTNER"),
        Some("s3cret")
    );

    let both = [
        ("SWITCHBOARD_HEADER_PARTNER", "s3cret"),
        ("SWITCHBOARD_HEADER_PARTNER_FILE", path(&file)),
    ];
    let message = Settings::load(None, both).unwrap_err().to_string();
    assert!(
        message.contains("`SWITCHBOARD_HEADER_PARTNER` is set too") && !message.contains("s3cret"),
        "{message}"
    );
    let message = environment_error("SWITCHBOARD_HEADER_PARTNER_FILE", "/nowhere/partner");
    assert!(
        message.contains("cannot read the file /nowhere/partner"),
        "{message}"
    );
    // Other variables with this suffix are not read.
    assert!(from_environment("SSL_CERT_FILE", "/nowhere/cert.pem").is_ok());
}
