//! `[auth]` and `[admin]`: credentials of clients and operators.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    error::SettingsError,
    load::{comma_list, not_empty, seconds},
    provenance::Layers,
    secrets::without_line_end,
};

/// The value of `admin.username` that allows any user name.
const ANY_USER: &str = "*";

/// An optional user name and an optional password.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Contains no colon, which Basic authentication does not allow.
    pub username: Option<String>,
    /// Never printed.
    pub password: Option<SecretString>,
}

/// `[auth]`
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// The default for configured services without credentials of their own.
    pub credentials: Credentials,
    /// If there are any, each request must have one of them.
    pub api_keys: Vec<SecretString>,
}

/// `[admin]`
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// Without a password the admin API is disabled.
    pub credentials: Credentials,
    /// The approximate maximum number of events in the audit log.
    pub audit_log_entries: usize,
    /// An admin session without requests expires after this time.
    pub session_idle_timeout: Duration,
    /// The maximum duration of an admin session.
    pub session_max_age: Duration,
}

pub(super) fn auth(from: &Layers) -> Result<Auth, SettingsError> {
    let credentials = credentials(from, "auth.username", "auth.password")?;
    let setting = "auth.api_keys";
    let keys = comma_list(from, setting)?;
    let is_valid = |key: &String| key.len() <= 256 && key.bytes().all(|b| b.is_ascii_graphic());
    if !keys.iter().all(is_valid) {
        let expected =
            "expected keys of 1 to 256 visible ASCII characters, with commas between them";
        return Err(from.invalid(setting, expected));
    }
    Ok(Auth {
        credentials,
        api_keys: keys.into_iter().map(SecretString::from).collect(),
    })
}

pub(super) fn admin(from: &Layers) -> Result<Admin, SettingsError> {
    let mut credentials = credentials(from, "admin.username", "admin.password")?;
    // An empty environment variable is an unset one, so "any" needs a value of its own.
    credentials.username.take_if(|name| name == ANY_USER);
    Ok(Admin {
        credentials,
        audit_log_entries: from.number("admin.audit_log_entries", 100..=1_000_000)?,
        session_idle_timeout: seconds(from, "admin.session_idle_seconds", 60..=86_400)?,
        session_max_age: seconds(from, "admin.session_max_seconds", 300..=604_800)?,
    })
}

fn credentials(
    from: &Layers,
    username: &str,
    password: &str,
) -> Result<Credentials, SettingsError> {
    let name = not_empty(without_line_end(&from.text(username)?).to_owned());
    if name.as_ref().is_some_and(|name| name.contains(':')) {
        return Err(from.invalid(username, "expected a user name without a colon"));
    }
    Ok(Credentials {
        username: name,
        password: from.secret(password)?,
    })
}
