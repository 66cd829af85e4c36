//! Secrets: where they come from, how they are read, and that nothing prints them.

use secrecy::ExposeSecret;

use super::{super::secrets::SECRETS, *};

/// The value of each secret setting, as it is understood.
fn secret(settings: &Settings, setting: &str) -> Option<String> {
    let shown = |secret: &secrecy::SecretString| secret.expose_secret().to_owned();
    match setting {
        "admin.password" => settings.admin.credentials.password.as_ref().map(shown),
        "auth.api_keys" => settings.auth.api_keys.first().map(shown),
        "auth.password" => settings.auth.credentials.password.as_ref().map(shown),
        "redis.password" => settings.redis.password.as_ref().map(shown),
        "redis.sentinel_password" => settings.redis.sentinel_password.as_ref().map(shown),
        "redis.url" => settings.redis.urls.first().map(shown),
        other => panic!("a secret that no test knows: {other}"),
    }
}

const VALID_URL: &str = "redis://s3cret";

fn path(file: &TempFile) -> &str {
    file.0.to_str().unwrap()
}

#[test]
fn every_secret_may_be_in_a_file_that_the_environment_or_the_settings_file_names() {
    for setting in SECRETS {
        for content in ["redis://s3cret", "redis://s3cret\n", "redis://s3cret\r\n"] {
            let file = TempFile::new(content);
            let variable = setting_names::variable(&format!("{setting}_file"));
            let read = from_environment(&variable, path(&file)).unwrap();
            assert_eq!(
                secret(&read, setting).as_deref(),
                Some(VALID_URL),
                "{setting}"
            );

            let (section, key) = setting.split_once('.').unwrap();
            let read = from_file(&format!("[{section}]\n{key}_file = {:?}", path(&file))).unwrap();
            assert_eq!(
                secret(&read, setting).as_deref(),
                Some(VALID_URL),
                "{setting}"
            );
            assert!(
                !format!("{read:?} {read:#?}").contains("s3cret"),
                "{setting}"
            );
        }
    }
}

#[test]
fn one_line_end_behind_a_secret_is_dropped_and_nothing_else() {
    for setting in SECRETS {
        for text in ["redis://s3cret\n", "redis://s3cret\r\n", "redis://s3cret"] {
            let read = from_environment(&setting_names::variable(setting), text).unwrap();
            assert_eq!(
                secret(&read, setting).as_deref(),
                Some(VALID_URL),
                "{setting}"
            );
        }
    }
    for (text, expected) in [
        (" a b ", " a b "),
        ("a\n\n", "a\n"),
        ("/#?@:%&=+\"'\\ ü☎", "/#?@:%&=+\"'\\ ü☎"),
    ] {
        let file = TempFile::new(text);
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
fn a_secret_and_its_file_are_not_both_set_in_one_place() {
    let file = TempFile::new("s3cret");
    let both = [
        ("SWITCHBOARD__ADMIN__PASSWORD", "s3cret"),
        ("SWITCHBOARD__ADMIN__PASSWORD_FILE", path(&file)),
    ];
    let told = Settings::load(None, both).unwrap_err().to_string();
    assert_eq!(
        told,
        "setting `admin.password_file` (environment variable SWITCHBOARD__ADMIN__PASSWORD_FILE): \
         `admin.password` is set too: set only one of the two"
    );
    let both = format!(
        "[admin]\npassword = \"s3cret\"\npassword_file = {:?}",
        path(&file)
    );
    assert!(file_error(&both).contains("set only one of the two"));

    // What is empty is not set.
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

fn file_override(file: &TempFile) -> (&'static str, &str) {
    ("SWITCHBOARD__ADMIN__PASSWORD_FILE", path(file))
}

#[test]
fn the_environment_goes_over_a_settings_file_whichever_names_a_file() {
    let (of_file, of_environment) = (
        TempFile::new("of the file"),
        TempFile::new("of the environment"),
    );
    let by_value = TempFile::new("[admin]\npassword = \"of the file\"");
    let by_name = TempFile::new(format!("[admin]\npassword_file = {:?}", path(&of_file)));
    for layer in [&by_value, &by_name] {
        for variable in [
            ("SWITCHBOARD__ADMIN__PASSWORD", "of the environment"),
            file_override(&of_environment),
        ] {
            let read = Settings::load(Some(&layer.0), [variable]).unwrap();
            let password = secret(&read, "admin.password");
            assert_eq!(password.as_deref(), Some("of the environment"));
        }
        // A secret that was not filled in does not open what the file locks.
        for empty in ["", "\n"] {
            let variable = [("SWITCHBOARD__ADMIN__PASSWORD", empty)];
            let read = Settings::load(Some(&layer.0), variable).unwrap();
            assert_eq!(
                secret(&read, "admin.password").as_deref(),
                Some("of the file")
            );
        }
    }
}

#[test]
fn a_secret_file_that_cannot_be_used_is_named_and_not_what_is_in_it() {
    let name = "SWITCHBOARD__AUTH__PASSWORD_FILE";
    let begins = format!("setting `auth.password_file` (environment variable {name}): ");
    let told = environment_error(name, "/nowhere/password");
    assert_eq!(
        told,
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
        let file = TempFile::new(content);
        let told = environment_error(name, path(&file));
        let begins = format!("{begins}cannot read the file {}: ", path(&file));
        assert!(told.starts_with(&begins) && told.contains(reason), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    // Whoever takes the one setting for the other has set the secret itself.
    let told = environment_error(name, "s3cret");
    assert!(
        told.starts_with(&begins) && !told.contains("s3cret"),
        "{told}"
    );
    assert!(file_error("[auth]\npassword_file = 5").ends_with("expected text in quotes"));
}

#[test]
fn what_is_wrong_in_the_file_of_a_secret_is_told_with_the_file() {
    let file = TempFile::new("http://redis");
    let told = environment_error("SWITCHBOARD__REDIS__URL_FILE", path(&file));
    let begins = format!("setting `redis.url` (file {}): expected ", path(&file));
    assert!(told.starts_with(&begins), "{told}");
}

#[test]
fn only_secrets_have_files() {
    let told = environment_error("SWITCHBOARD__SERVER__LISTEN_FILE", "/x");
    assert!(
        told.starts_with("unknown setting `server.listen_file`"),
        "{told}"
    );
    let told = environment_error("SWITCHBOARD__REDIS__PASSWORDFILE", "/x");
    assert!(told.contains("redis.password_file"), "{told}");
}

#[test]
fn a_header_of_a_catalog_may_be_in_a_file_too() {
    let file = TempFile::new("s3cret\n");
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
    let told = Settings::load(None, both).unwrap_err().to_string();
    assert!(
        told.contains("SWITCHBOARD_HEADER_PARTNER is set too") && !told.contains("s3cret"),
        "{told}"
    );
    let told = environment_error("SWITCHBOARD_HEADER_PARTNER_FILE", "/nowhere/partner");
    assert!(
        told.contains("cannot read the file /nowhere/partner"),
        "{told}"
    );
    // Whatever else ends so is not for us.
    assert!(from_environment("SSL_CERT_FILE", "/nowhere/cert.pem").is_ok());
}
