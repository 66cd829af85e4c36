//! `[single_sign_on]`: values, and the settings that belong together.

use super::*;
use crate::model::Role;

/// Settings that belong together, without their section and in capitals.
const COMPLETE: [(&str, &str); 5] = [
    ("ISSUER", "https://login.example.com/realms/main"),
    ("CLIENT_ID", "switchboard"),
    ("CLIENT_SECRET", "s3cret of the client"),
    ("PUBLIC_URL", "https://switchboard.example.com/"),
    ("ADMIN_VALUES", "chiefs, root"),
];

/// The complete settings with these changes.
fn load(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let all = COMPLETE.iter().chain(changes);
    let variables = all.map(|(key, value)| (format!("SWITCHBOARD__SINGLE_SIGN_ON__{key}"), *value));
    let merged: std::collections::BTreeMap<_, _> = variables.collect();
    Settings::load(None, merged)
}

fn error(changes: &[(&str, &str)]) -> String {
    load(changes).unwrap_err().to_string()
}

#[test]
fn an_issuer_enables_it_and_the_admin_api() {
    assert!(!Settings::defaults().unwrap().single_sign_on.is_enabled());
    let settings = load(&[]).unwrap();
    assert!(settings.is_admin_enabled());
    let debug = format!("{settings:?}");
    assert!(!debug.contains("s3cret"), "{debug}");
    let single_sign_on = settings.single_sign_on;
    assert_eq!(single_sign_on.issuer, COMPLETE[0].1);
    assert_eq!(single_sign_on.public_url, "https://switchboard.example.com");
    assert_eq!(single_sign_on.exposed_secret(), "s3cret of the client");
    assert_eq!(single_sign_on.scopes, ["profile", "email"]);
    let [(admin, role), (operator, _), (viewer, _)] = single_sign_on.roles();
    assert_eq!(
        (admin, role),
        (&["chiefs".to_owned(), "root".to_owned()][..], Role::Admin)
    );
    assert!(operator.is_empty() && viewer.is_empty());
}

#[test]
fn the_missing_setting_is_named() {
    for (missing, named) in [
        ("CLIENT_ID", "client_id"),
        ("CLIENT_SECRET", "client_secret"),
        ("PUBLIC_URL", "public_url"),
        ("ADMIN_VALUES", "admin_values"),
        ("ISSUER", "issuer"),
    ] {
        let message = error(&[(missing, "")]);
        let begins = format!("setting `single_sign_on.{named}` (built-in defaults): expected ");
        assert!(message.starts_with(&begins), "{message}");
    }
    assert!(load(&[("ADMIN_VALUES", ""), ("VIEWER_VALUES", "staff")]).is_ok());
    // Without a client nothing was intended.
    let off = [("ISSUER", ""), ("CLIENT_ID", "")];
    assert!(!load(&off).unwrap().is_admin_enabled());
}

#[test]
fn a_short_client_secret_is_rejected() {
    let message = error(&[("CLIENT_SECRET", "15 bytes secret")]);
    assert!(
        message.contains("expected a client secret of at least 16 bytes"),
        "{message}"
    );
    assert!(!message.contains("15 bytes secret"), "{message}");
}

#[test]
fn an_issuer_is_encrypted_or_local() {
    for allowed in [
        "https://login.example.com",
        "https://login.example.com:8443/tenant/v2.0",
        "http://localhost:8080/realms/main",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ] {
        let settings = load(&[("ISSUER", allowed)]).unwrap();
        assert_eq!(settings.single_sign_on.issuer, allowed);
    }
    for refused in [
        "http://login.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "https://ann:s3cret@login.example.com",
        "https://login.example.com?tenant=1",
        "https://login.example.com#main",
        "ftp://login.example.com",
        "login.example.com",
        "https://",
    ] {
        let message = error(&[("ISSUER", refused)]);
        assert!(message.contains("`single_sign_on.issuer`"), "{message}");
        assert!(message.contains("expected an https URL"), "{message}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}

#[test]
fn other_values_are_checked() {
    for (key, refused, expected) in [
        (
            "PUBLIC_URL",
            "https://switchboard.example.com/console",
            "without a path",
        ),
        (
            "PUBLIC_URL",
            "switchboard.example.com",
            "expected an https or http URL",
        ),
        (
            "PUBLIC_URL",
            "https://switchboard.example.com?a=1",
            "expected an https or http URL",
        ),
        ("SCOPES", "profile, e mail", "expected scopes"),
        (
            "BUTTON",
            &"a".repeat(61),
            "expected text of 1 to 60 characters",
        ),
        ("CA_FILE", "/no/such/file", "expected a readable file"),
    ] {
        let message = error(&[(key, refused)]);
        assert!(
            message.contains(&format!("single_sign_on.{}", key.to_lowercase())),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
    let settings = load(&[
        ("SCOPES", "groups"),
        ("BUTTON", " Log in "),
        ("PUBLIC_URL", "http://console:8081"),
    ]);
    let single_sign_on = settings.unwrap().single_sign_on;
    assert_eq!(single_sign_on.scopes, ["groups"]);
    assert_eq!(single_sign_on.button, "Log in");
    assert_eq!(single_sign_on.public_url, "http://console:8081");
}
