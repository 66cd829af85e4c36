//! The name and the role of an operator, from the claims of the ID token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::core::CoreIdToken;
use serde_json::{Map, Value};

use super::SingleSignOnError;
use crate::{
    model::Role,
    settings::{MAX_USER_NAME_CHARACTERS, SingleSignOn, is_visible_name},
};

/// The prefix of the names of operators who signed in by single sign-on. Other user names contain no colon.
pub(in crate::service) const NAME_PREFIX: &str = "sso:";

/// An operator who was authenticated by the provider.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::service) struct Identity {
    /// The user name, with the prefix.
    pub(in crate::service) name: String,
    pub(in crate::service) role: Role,
    /// The subject at the provider, which never changes.
    pub(in crate::service) subject: String,
}

/// All claims of an ID token that was verified. The types of the library have the standard claims only.
///
/// # Errors
/// [`SingleSignOnError::InvalidResponse`].
pub(super) fn verified_claims(
    token: &CoreIdToken,
) -> Result<Map<String, Value>, SingleSignOnError> {
    let text = token.to_string();
    let payload = text.split('.').nth(1);
    let payload = payload.and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    claims.ok_or_else(|| {
        SingleSignOnError::InvalidResponse("the claims of the ID token are unreadable".to_owned())
    })
}

/// The operator with these claims.
///
/// # Errors
/// The text for the user: which claim is missing or gives no role.
pub(super) fn identify(
    claims: &Map<String, Value>,
    settings: &SingleSignOn,
) -> Result<Identity, String> {
    let name = name(claims, &settings.name_claim)?;
    let role = role(claims, settings)
        .map_err(|reason| format!("You are signed in as {name:?}, but have no access: {reason}"))?;
    let subject = claims.get("sub").and_then(Value::as_str);
    Ok(Identity {
        name: [NAME_PREFIX, &name].concat(),
        role,
        subject: subject.unwrap_or_default().to_owned(),
    })
}

/// A claim by its name. If there is none, dots separate the names of members of objects.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (object, member) = name.split_once('.')?;
        claim(claims.get(object)?.as_object()?, member)
    })
}

fn name(claims: &Map<String, Value>, name_claim: &str) -> Result<String, String> {
    let value = claim(claims, name_claim).and_then(Value::as_str);
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else {
        return Err(format!(
            "The ID token has no claim {name_claim:?} with your name (single_sign_on.name_claim)."
        ));
    };
    if !is_visible_name(value) {
        return Err(format!(
            "The claim {name_claim:?} must have at most {MAX_USER_NAME_CHARACTERS} characters, no control or invisible \
             characters, and no white space at its ends."
        ));
    }
    Ok(value.to_owned())
}

/// The highest role that the values of the claim give.
fn role(claims: &Map<String, Value>, settings: &SingleSignOn) -> Result<Role, String> {
    let roles_claim = &settings.roles_claim;
    let has: Box<dyn Fn(&str) -> bool> = match claim(claims, roles_claim) {
        Some(Value::String(value)) => Box::new(move |role| value == role),
        Some(Value::Array(values)) => {
            Box::new(move |role| values.iter().any(|value| value.as_str() == Some(role)))
        }
        Some(_) => {
            return Err(format!(
                "the claim {roles_claim:?} of the ID token is neither a string nor an array of strings."
            ));
        }
        None => {
            return Err(format!(
                "the ID token has no claim {roles_claim:?} (single_sign_on.roles_claim)."
            ));
        }
    };
    let mut roles = settings.roles().into_iter();
    let role = roles.find(|(values, _)| values.iter().any(|value| has(value)));
    role.map(|(_, role)| role).ok_or_else(|| {
        format!("no value of the claim {roles_claim:?} of the ID token gives a role here.")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Settings;

    fn settings(others: &[(&str, &str)]) -> SingleSignOn {
        let base = [
            ("ISSUER", "https://login.example.com"),
            ("CLIENT_ID", "switchboard"),
            ("CLIENT_SECRET", "a secret of the client"),
            ("PUBLIC_URL", "https://switchboard.example.com"),
            ("VIEWER_VALUES", "readers, staff"),
            ("OPERATOR_VALUES", "shift"),
            ("ADMIN_VALUES", "chiefs"),
        ];
        let variables = base.iter().chain(others);
        let variables = variables.map(|(name, value)| {
            (
                format!("SWITCHBOARD__SINGLE_SIGN_ON__{name}"),
                (*value).to_owned(),
            )
        });
        Settings::load(None, variables).unwrap().single_sign_on
    }

    fn identify_json(claims: Value, others: &[(&str, &str)]) -> Result<(String, Role), String> {
        let Value::Object(claims) = claims else {
            panic!("{claims}");
        };
        let identity = identify(&claims, &settings(others))?;
        Ok((identity.name, identity.role))
    }

    #[test]
    fn the_highest_role_of_the_claim_applies() {
        for (roles, expected) in [
            (json!("staff"), Role::Viewer),
            (json!(["other", "readers"]), Role::Viewer),
            (json!(["shift", "staff"]), Role::Operator),
            (json!(["staff", "shift", "chiefs", 7]), Role::Admin),
        ] {
            let claims = json!({"preferred_username": "ann", "roles": roles});
            let identity = identify_json(claims, &[]).unwrap();
            assert_eq!(identity, ("sso:ann".to_owned(), expected), "{roles}");
        }
    }

    #[test]
    fn without_a_role_the_claim_is_named() {
        for (claims, expected) in [
            (json!({}), "has no claim \"roles\""),
            (json!({"roles": []}), "no value of the claim \"roles\""),
            (json!({"roles": "Chiefs"}), "no value of the claim"),
            (json!({"roles": "chiefs,staff"}), "no value of the claim"),
            (json!({"roles": {"chiefs": true}}), "neither a string"),
            (json!({"roles": [["chiefs"]]}), "no value of the claim"),
        ] {
            let mut claims = claims;
            claims["preferred_username"] = "ann".into();
            let text = identify_json(claims, &[]).unwrap_err();
            assert!(
                text.contains(expected) && text.contains("\"ann\""),
                "{text}"
            );
        }
    }

    #[test]
    fn members_of_objects_and_names_with_dots_are_claims() {
        let nested = [("ROLES_CLAIM", "realm_access.roles")];
        for claims in [
            json!({"preferred_username": "ann", "realm_access": {"roles": ["shift"]}}),
            json!({"preferred_username": "ann", "realm_access.roles": "shift", "realm_access": 1}),
        ] {
            assert_eq!(identify_json(claims, &nested).unwrap().1, Role::Operator);
        }
        let url = [("ROLES_CLAIM", "https://example.com/roles")];
        let claims = json!({"preferred_username": "ann", "https://example.com/roles": ["chiefs"]});
        assert_eq!(identify_json(claims, &url).unwrap().1, Role::Admin);
    }

    #[test]
    fn a_missing_or_unusable_name_is_refused() {
        let long = "a".repeat(MAX_USER_NAME_CHARACTERS + 1);
        for name in [
            json!(null),
            json!(7),
            json!(""),
            json!(" "),
            json!("a\nb"),
            json!("a\u{2028}b"),
            json!("ann\u{200b}"),
            json!("\u{202e}ann"),
            json!("ann "),
            json!(long),
        ] {
            let claims = json!({"preferred_username": name, "roles": "chiefs"});
            let text = identify_json(claims, &[]).unwrap_err();
            assert!(text.contains("\"preferred_username\""), "{text}");
        }
        let claims = json!({"email": "ann@example.com", "roles": "chiefs"});
        let identity = identify_json(claims, &[("NAME_CLAIM", "email")]).unwrap();
        assert_eq!(identity.0, "sso:ann@example.com");
    }
}
