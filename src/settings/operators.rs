//! `[operators]`: users of the admin API and the console, each with a password and a role.

use serde::{Deserialize, Deserializer};

use super::{
    users::{self, User},
    values,
};
use crate::{model::Role, password_hash::PasswordHash};

/// The credential of an operator.
#[derive(Clone, Debug)]
pub struct OperatorCredential {
    /// The role: viewer, operator or admin.
    pub role: Role,
    /// The hash of the password.
    pub password: PasswordHash,
}

/// `[operators]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operators {
    /// Operators with a password.
    #[serde(deserialize_with = "passwords")]
    pub users: Vec<User<OperatorCredential>>,
}

fn passwords<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<User<OperatorCredential>>, D::Error> {
    let expected = "expected entries of the form name:role:hash, one per line or with semicolons between them; the \
                    names are distinct and valid, a role is viewer, operator or admin, and `switchboard hash-password` \
                    makes the hash of a password, which begins with $argon2id$";
    values::parsed(from, expected, |text| users::parse(text, credential))
}

/// Parses `role:hash`.
fn credential(text: &str) -> Option<OperatorCredential> {
    let (role, hash) = text.split_once(':')?;
    Some(OperatorCredential {
        role: Role::parse_operator(role.trim())?,
        password: PasswordHash::parse(hash)?,
    })
}
