//! `[operators]`: the entries of users, and the settings that enable the admin API.

use super::{agents::HASH, *};
use crate::model::Role;

const USERS: &str = "SWITCHBOARD__OPERATORS__USERS";

#[test]
fn users_have_a_role_and_a_password() {
    let text = format!("ann:viewer:{HASH}\nbob:operator:{HASH};C. Ode:admin:{HASH}");
    let settings = from_environment(USERS, &text).unwrap();
    assert!(settings.is_admin_enabled());
    let users = settings.operators.users.iter();
    let users: Vec<_> = users
        .map(|user| (user.name.as_str(), user.credential.role))
        .collect();
    let expected = [
        ("ann", Role::Viewer),
        ("bob", Role::Operator),
        ("C. Ode", Role::Admin),
    ];
    assert_eq!(users, expected);
    assert!(!Settings::defaults().unwrap().is_admin_enabled());
}

#[test]
fn the_admin_password_enables_the_admin_api_without_users() {
    let settings = from_environment("SWITCHBOARD__ADMIN__PASSWORD", "secret").unwrap();
    assert!(settings.is_admin_enabled());
}

#[test]
fn entries_without_a_known_role_or_a_hash_are_refused() {
    for text in [
        format!("ann:{HASH}"),
        format!("ann:agent:{HASH}"),
        format!("ann:root:{HASH}"),
        format!("ann::{HASH}"),
        format!(":viewer:{HASH}"),
        format!("ann:viewer:{HASH};ann:admin:{HASH}"),
        "ann:viewer:secret".to_owned(),
        "ann:viewer".to_owned(),
    ] {
        let message = environment_error(USERS, &text);
        assert!(
            message.contains("a role is viewer, operator or admin"),
            "{message}"
        );
        assert!(message.contains("`switchboard hash-password`"), "{message}");
        assert!(
            !message.contains("secret") && !message.contains("c29t"),
            "{message}"
        );
    }
}

#[test]
fn an_operator_cannot_have_the_name_of_another_user() {
    let users = format!("admin:viewer:{HASH}");
    let load = |password: &[(&str, &str)]| {
        let all = [&[(USERS, users.as_str())], password].concat();
        Settings::load(None, all.iter().copied())
    };
    assert!(load(&[]).is_ok());
    let message = load(&[("SWITCHBOARD__ADMIN__PASSWORD", "secret")])
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("expected names other than `admin.username`"),
        "{message}"
    );
    let agent = format!("admin:{HASH}");
    assert!(load(&[("SWITCHBOARD__AGENTS__USERS", &agent)]).is_err());
    let any = [
        ("SWITCHBOARD__ADMIN__PASSWORD", "secret"),
        ("SWITCHBOARD__ADMIN__USERNAME", "*"),
    ];
    assert!(load(&any).is_ok());
}
