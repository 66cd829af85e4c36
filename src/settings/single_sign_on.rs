//! `[single_sign_on]`: sign-in to the console by `OpenID` Connect.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use super::{
    error::Contradiction,
    pem::authorities,
    values::{self, secret},
};
use crate::model::Role;

/// The maximum number of characters of the text of the button.
const MAX_BUTTON_CHARACTERS: usize = 60;
/// The minimum length of the client secret. A shorter one could be guessed from the cookie of a pending sign-in.
const MIN_SECRET_BYTES: usize = 16;

/// `[single_sign_on]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SingleSignOn {
    /// The issuer, exactly as configured: the comparison with that of the provider is by characters. Empty: disabled.
    #[serde(deserialize_with = "issuer")]
    pub issuer: String,
    /// The client id.
    #[serde(deserialize_with = "trimmed")]
    pub client_id: String,
    /// The client secret, which an issuer requires.
    #[serde(deserialize_with = "secret")]
    pub client_secret: Option<SecretString>,
    /// The URL of the console, without a path and without a slash at its end.
    #[serde(deserialize_with = "public_url")]
    pub public_url: String,
    /// The scopes besides `openid`.
    #[serde(deserialize_with = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with the name of the operator.
    #[serde(deserialize_with = "claim")]
    pub name_claim: String,
    /// The claim with the roles of the operator.
    #[serde(deserialize_with = "claim")]
    pub roles_claim: String,
    /// The values of the claim that give the role viewer.
    #[serde(deserialize_with = "role_values")]
    pub viewer_values: Vec<String>,
    /// The values of the claim that give the role operator.
    #[serde(deserialize_with = "role_values")]
    pub operator_values: Vec<String>,
    /// The values of the claim that give the role admin.
    #[serde(deserialize_with = "role_values")]
    pub admin_values: Vec<String>,
    /// The text of the button on the sign-in page.
    #[serde(deserialize_with = "button")]
    pub button: String,
    /// Whether users who sign out can sign out at the provider too.
    #[serde(deserialize_with = "values::boolean")]
    pub provider_sign_out: bool,
    /// Trusted certificates, in PEM, in addition to those of the system.
    #[serde(rename = "ca_file", deserialize_with = "authorities")]
    pub ca_certificates: Option<String>,
}

impl SingleSignOn {
    /// Whether there is an issuer.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Checks that everything is set that an issuer requires, and no client without an issuer.
    pub(super) fn validate(&self) -> Result<(), Contradiction> {
        let has_values = self.roles().iter().any(|(values, _)| !values.is_empty());
        let is_enabled = self.is_enabled();
        let rules = [
            (
                "single_sign_on.issuer",
                is_enabled || self.client_id.is_empty(),
                "expected the URL of an identity provider, because `single_sign_on.client_id` is set",
            ),
            (
                "single_sign_on.client_id",
                !is_enabled || !self.client_id.is_empty(),
                "expected a client id, because `single_sign_on.issuer` is set",
            ),
            (
                "single_sign_on.client_secret",
                !is_enabled || self.exposed_secret().len() >= MIN_SECRET_BYTES,
                "expected a client secret of at least 16 bytes, because `single_sign_on.issuer` is set",
            ),
            (
                "single_sign_on.public_url",
                !is_enabled || !self.public_url.is_empty(),
                "expected the URL of the console, because `single_sign_on.issuer` is set",
            ),
            (
                "single_sign_on.admin_values",
                !is_enabled || has_values,
                "expected a value here, in `single_sign_on.operator_values` or in `single_sign_on.viewer_values`, \
                 because no user could sign in otherwise",
            ),
        ];
        let violated = rules.into_iter().find(|(_, is_met, _)| !is_met);
        violated.map_or(Ok(()), |(setting, _, expected)| Err((setting, expected)))
    }

    /// The values of the claim with the role that they give, the highest role first.
    #[must_use]
    pub fn roles(&self) -> [(&[String], Role); 3] {
        [
            (&self.admin_values, Role::Admin),
            (&self.operator_values, Role::Operator),
            (&self.viewer_values, Role::Viewer),
        ]
    }

    /// The client secret.
    #[must_use]
    pub fn exposed_secret(&self) -> &str {
        let secret = self.client_secret.as_ref();
        secret.map_or("", ExposeSecret::expose_secret)
    }
}

/// A URL without credentials and without a query or fragment.
fn plain_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    // Others compare the text with "https:".
    let is_plain = text.starts_with(url.scheme())
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_plain.then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Text that is empty, or that `is_allowed` accepts without white space at its ends.
fn optional<'de, D: Deserializer<'de>>(
    from: D,
    expected: &str,
    is_allowed: impl FnOnce(&str) -> bool,
) -> Result<String, D::Error> {
    values::parsed(from, expected, |text| {
        let text = text.trim();
        (text.is_empty() || is_allowed(text)).then(|| text.to_owned())
    })
}

fn issuer<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let expected = "expected an https URL without user name, query and fragment, or an http URL of a loopback address";
    optional(from, expected, |text| {
        plain_url(text).is_some_and(|url| match url.scheme() {
            "https" => true,
            scheme => scheme == "http" && is_loopback(&url),
        })
    })
}

fn public_url<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let expected =
        "expected an https or http URL without a path, such as https://switchboard.example.com";
    let url = optional(from, expected, |text| {
        let url = plain_url(text).filter(|url| matches!(url.scheme(), "https" | "http"));
        url.is_some_and(|url| url.path() == "/")
    })?;
    Ok(url.trim_end_matches('/').to_owned())
}

fn trimmed<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    optional(from, "expected text in quotes", |_| true)
}

fn claim<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    values::parsed(from, "expected the name of a claim", |text| {
        let name = text.trim();
        (!name.is_empty()).then(|| name.to_owned())
    })
}

fn scopes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let expected =
        "expected scopes of visible ASCII characters except \" and \\, with commas between them";
    values::list(from, expected, |scope| {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        scope.bytes().all(is_allowed).then(|| scope.to_owned())
    })
}

fn role_values<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let expected = "expected values of a claim with commas between them";
    values::list(from, expected, |value| Some(value.to_owned()))
}

fn button<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let expected =
        format_args!("expected text of 1 to {MAX_BUTTON_CHARACTERS} characters").to_string();
    values::parsed(from, expected, |text| {
        let text = text.trim();
        let characters = text.chars().count();
        let is_allowed = (1..=MAX_BUTTON_CHARACTERS).contains(&characters);
        (is_allowed && !text.contains(char::is_control)).then(|| text.to_owned())
    })
}
