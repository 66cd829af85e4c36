//! Errors in settings and catalog are reported before anything is started.

use std::{io::ErrorKind, net::TcpListener};

use crate::support::{
    CatalogFile, TestRedis,
    certificate::{Certificate, CertificateFiles},
    eventually,
    program::{ExitedProgram, Program},
    random_prefix,
};

/// Runs `switchboard check` and `switchboard` with the same settings; both must fail with the same error.
async fn settings_error(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let mut messages = Vec::new();
    for command in [&["check"][..], &[]] {
        let arguments = [arguments, command].concat();
        let ExitedProgram {
            code,
            stdout,
            stderr,
        } = Program::run(&arguments, settings).wait().await;
        assert_eq!(code, Some(64), "{stderr}");
        assert_eq!(stdout, "");
        messages.push(stderr);
    }
    assert_eq!(messages[0], messages[1]);
    messages.remove(0)
}

fn assert_contains(message: &str, expected: &[&str]) {
    for part in expected {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[tokio::test]
async fn settings_that_would_disable_authentication_are_refused() {
    let catalog = |options: &str| {
        let head = "[services.shop]\n_type = 'builtin'\n_service = 'store'\n";
        CatalogFile::new(&format!("{head}{options}\n"))
    };
    let (plain, named) = (catalog(""), catalog("username = 'clerk'"));
    for (file, settings, cause) in [
        (&named, &[][..], "option username"),
        (
            &plain,
            &[("auth.username", "clerk")],
            "setting `auth.password`",
        ),
        (&named, &[("auth.username", "boss")], "option username"),
    ] {
        let mut all = vec![("catalog.file", file.path())];
        all.extend_from_slice(settings);
        let message = settings_error(&[], &all).await;
        assert_contains(&message, &["\"shop\"", cause, "no password"]);
    }
    let broken = catalog("password = 'hunter2");
    let message = settings_error(&[], &[("catalog.file", broken.path())]).await;
    assert_contains(&message, &[broken.path(), "line 4"]);
    assert!(!message.contains("hunter2"), "{message}");
    for (setting, value) in [
        ("auth.username", "a:b"),
        ("auth.api_keys", "a b"),
        ("cors.allowed_origins", "*"),
        ("cors.allowed_origins", "shop.example"),
        ("cors.allowed_origins", "https://shop.example/"),
        ("server.public", "clients"),
        ("server.trusted_proxies", "proxy.example"),
        ("server.private_listen", "8080"),
    ] {
        let message = settings_error(&[], &[(setting, value)]).await;
        assert_contains(&message, &[&format!("`{setting}`"), "expected"]);
    }
}

#[tokio::test]
async fn an_invalid_certificate_is_refused() {
    let (one, other) = (Certificate::generate(), Certificate::generate());
    let files = CertificateFiles::write(&one);
    let [certificate, key] = files.settings();
    for (set, missing) in [(certificate, key), (key, certificate)] {
        let message = settings_error(&[], &[set]).await;
        assert_contains(&message, &[&format!("`{}`", missing.0), set.0]);
    }
    let absent = [("tls.certificate_file", "/nowhere/a.pem"), key];
    let message = settings_error(&[], &absent).await;
    assert_contains(&message, &["`tls.certificate_file`", "/nowhere/a.pem"]);
    for (pem, key, expected) in [
        ("", one.key.as_str(), "`tls.certificate_file`"),
        (&one.pem, "", "`tls.key_file`"),
        (&one.pem, &one.pem, "`tls.key_file`"),
        (&one.pem, &other.key, "[tls]"),
    ] {
        files.replace(pem, key);
        let message = settings_error(&[], &files.settings()).await;
        assert_contains(&message, &[expected]);
        assert!(!message.contains("PRIVATE"), "{message}");
    }
}

#[tokio::test]
async fn the_error_for_an_invalid_setting_has_its_origin_and_the_expected_value() {
    for (setting, value, expected) in [
        ("server.listen", "nowhere", "host:port"),
        ("server.workers", "many", "integer from 0 to 256"),
        ("redis.url", "http://localhost", "redis://"),
        ("redis.response_timeout_ms", "0", "from 1 to 60000"),
        ("log.format", "xml", "\"json\""),
    ] {
        let message = settings_error(&[], &[(setting, value)]).await;
        let variable = setting.replace('.', "__").to_uppercase();
        let variable = format!("environment variable SWITCHBOARD__{variable}");
        assert_contains(&message, &[&format!("`{setting}`"), &variable, expected]);
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[tokio::test]
async fn the_error_for_an_invalid_setting_in_a_file_has_the_path() {
    let file = CatalogFile::new("[limits]\nkeys = 0\n");
    let message = settings_error(&["--config", file.path()], &[]).await;
    assert_contains(
        &message,
        &["`limits.keys`", file.path(), "from 1 to 1000000"],
    );
}

#[tokio::test]
async fn an_unknown_setting_is_refused_with_the_allowed_names() {
    let message = settings_error(&[], &[("server.lisen", "127.0.0.1:0")]).await;
    let variable = "SWITCHBOARD__SERVER__LISEN";
    assert_contains(&message, &["`server.lisen`", variable, "server.listen"]);
    let file = CatalogFile::new("[sever]\nlisten = \"127.0.0.1:0\"\n");
    let message = settings_error(&["--config", file.path()], &[]).await;
    assert_contains(&message, &["`sever`", file.path(), "[server]"]);
}

#[tokio::test]
async fn the_error_for_a_missing_file_has_its_path() {
    let message = settings_error(&["--config", "no/such/settings.toml"], &[]).await;
    assert_contains(&message, &["no/such/settings.toml"]);
    let message = settings_error(&[], &[("catalog.file", "no/such/catalog.toml")]).await;
    assert_contains(&message, &["`catalog.file`", "no/such/catalog.toml"]);
}

#[tokio::test]
async fn the_error_for_an_invalid_catalog_has_the_service_the_option_and_the_expected_value() {
    let valid = "[services.valid]\n_type = \"builtin\"\n_service = \"store\"\n";
    for (invalid, option, expected) in [
        (
            "_type = \"soap\"\n_service = \"store\"",
            "_type",
            "\"builtin\"",
        ),
        (
            "_type = \"builtin\"\n_service = \"shop\"",
            "_service",
            "store",
        ),
        (
            "_type = \"builtin\"\n_service = \"store\"\n_ttl = \"soon\"",
            "_ttl",
            "from 1 to",
        ),
    ] {
        let file = CatalogFile::new(&format!("{valid}[services.invalid]\n{invalid}\n"));
        let message = settings_error(&[], &[("catalog.file", file.path())]).await;
        assert_contains(&message, &[file.path(), "\"invalid\"", option, expected]);
    }
    let file = CatalogFile::new("[services.invalid");
    let message = settings_error(&[], &[("catalog.file", file.path())]).await;
    assert_contains(&message, &[file.path(), "line 1"]);
}

#[tokio::test]
async fn a_misplaced_password_is_never_printed() {
    for (setting, value) in [
        ("redis.url", "redis://clerk:hunter2@host:port"),
        ("redis.url", "rediss://clerk:hunter2@host#insecure"),
        ("redis.mode", "redis://clerk:hunter2@host"),
        ("server.listen", "redis://clerk:hunter2@host"),
    ] {
        let message = settings_error(&[], &[(setting, value)]).await;
        assert_contains(&message, &[setting]);
        assert!(!message.contains("hunter2"), "{message}");
    }
    let file = CatalogFile::new("[redis]\nurl = \"redis://clerk:hunter2@host\n");
    let message = settings_error(&["--config", file.path()], &[]).await;
    assert_contains(&message, &[file.path(), "line 2"]);
    assert!(!message.contains("hunter2"), "{message}");
}

#[tokio::test]
async fn a_check_starts_nothing() {
    let in_use = TcpListener::bind("127.0.0.1:0").unwrap();
    let redis = TcpListener::bind("127.0.0.1:0").unwrap();
    redis.set_nonblocking(true).unwrap();
    let address = in_use.local_addr().unwrap().to_string();
    let url = format!("redis://{}", redis.local_addr().unwrap());
    let settings = [("server.listen", address.as_str()), ("redis.url", &url)];
    let ended = Program::run(&["check"], &settings).wait().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "settings and catalog are valid");
    assert_eq!(ended.stderr, "");
    let connected = redis.accept().unwrap_err();
    assert_eq!(connected.kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_misspelled_option_is_a_warning_and_a_finding_of_a_strict_check() {
    const SHOP: &str = "[services.shop]\n_type = 'builtin'\n_service = 'store'\n";
    let misspelled = CatalogFile::new(&format!("{SHOP}_tll = 60\n_customer_tier = 'gold'\n"));
    let correct = CatalogFile::new(&format!(
        "{SHOP}_ttl = 60\n_customer_tier = 'gold'\nusername = 'a'\npassword = 'b'\ncity = 'x'\n\
         _overwritable_options = '_ttl, _customer_tier'\n"
    ));
    let without_underscore = CatalogFile::new(&format!("{SHOP}Password = 'b'\nusernam = 'a'\n"));
    let in_list = CatalogFile::new(&format!("{SHOP}_overwritable_options = '_tll, _ttl'\n"));
    let warning =
        "switchboard: warning: service \"shop\", option _tll: is unknown; did you mean _ttl?";
    let warnings_without_underscore = "switchboard: warning: service \"shop\", option Password: is unknown; did you \
                                       mean password?\n\
                                       switchboard: warning: service \"shop\", option usernam: is unknown; did you \
                                       mean username?";
    let warning_in_list = "switchboard: warning: service \"shop\", option _overwritable_options: contains \"_tll\", \
                           which is unknown; did you mean _ttl?";
    let valid = "settings and catalog are valid";
    for (file, arguments, code, stdout, stderr) in [
        (&misspelled, &["check"][..], 0, valid, warning),
        (&misspelled, &["check", "--strict"], 1, "", warning),
        (
            &without_underscore,
            &["check", "--strict"],
            1,
            "",
            warnings_without_underscore,
        ),
        (&in_list, &["check", "--strict"], 1, "", warning_in_list),
        (&correct, &["check"], 0, valid, ""),
        (&correct, &["check", "--strict"], 0, valid, ""),
    ] {
        let settings = [("catalog.file", file.path())];
        let ended = Program::run(arguments, &settings).wait().await;
        let actual = (ended.code, ended.stdout.as_str(), ended.stderr.trim_end());
        assert_eq!(actual, (Some(code), stdout, stderr), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_misspelled_option_is_logged_once_at_start_and_when_the_catalog_changes() {
    const OPTION: &str = "unknown option in the catalog";
    const STORE: &str = "_type = 'builtin'\n_service = 'store'\n";
    let file = format!("[services.shop]\n{STORE}_tll = 60\n_customer_tier = 'gold'\n");
    let file = CatalogFile::new(&file);
    let redis = TestRedis::shared();
    let (url, prefix) = (redis.url(), random_prefix());
    let settings = [
        ("catalog.file", file.path()),
        ("redis.url", &url),
        ("redis.prefix", &prefix),
        ("admin.password", "correct horse"),
    ];
    let (mut first, mut second) = (Program::serve(&settings), Program::serve(&settings));
    let addresses = [first.address().await, second.address().await];
    let warnings = |program: &Program| -> Vec<String> {
        let lines = program.log_events(OPTION).into_iter();
        lines
            .inspect(|line| assert_eq!(line["level"], "WARN"))
            .map(|line| line["warning"].as_str().unwrap().to_owned())
            .collect()
    };
    let file_warning = "service \"shop\", option _tll: is unknown; did you mean _ttl?";
    assert_eq!(warnings(&first), [file_warning]);
    let put = async |name: &str, option: &str| {
        let url = format!("http://{}/genesys/1/admin/services/{name}", addresses[0]);
        let options =
            format!("{{\"_type\":\"builtin\",\"_service\":\"store\",\"{option}\":\"60\"}}");
        let put = reqwest::Client::new()
            .put(url)
            .basic_auth("admin", Some("correct horse"))
            .header("content-type", "application/json");
        let response = put.body(options).send().await.unwrap();
        assert_eq!(response.status(), 201);
    };
    put("cart", "_tll").await;
    put("right", "_ttl").await;
    put("last", "_tttl").await;
    let warning_for = |name: &str, option: &str| {
        format!("service \"{name}\", option {option}: is unknown; did you mean _ttl?")
    };
    let expected = [
        file_warning.to_owned(),
        warning_for("cart", "_tll"),
        warning_for("last", "_tttl"),
    ];
    for program in [&first, &second] {
        eventually("both replicas log each warning once", async || {
            let logged = warnings(program);
            assert!(logged.len() <= expected.len(), "{logged:?}");
            (logged == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_check_reads_the_settings_file() {
    let file = CatalogFile::new("[server]\nlisten = \"127.0.0.1:0\"\n");
    for arguments in [
        ["--config", file.path(), "check"],
        ["check", "--config", file.path()],
    ] {
        let ended = Program::run(&arguments, &[]).wait().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn an_invalid_command_line_is_refused_with_a_hint_to_the_help() {
    for arguments in [&["serv"][..], &["--confg", "x"], &["--config"]] {
        let ended = Program::run(arguments, &[]).wait().await;
        assert!(matches!(ended.code, Some(code) if code != 0));
        assert!(ended.stderr.contains("--help"), "{}", ended.stderr);
    }
}
