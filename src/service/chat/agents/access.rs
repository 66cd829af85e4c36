//! The credentials of agents.

use ring::error::Unspecified;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{
    service::password_verifier::PasswordVerifier,
    settings::{self, User},
};

/// The configured agents.
pub(super) struct AgentAccess {
    pub(super) passwords: PasswordVerifier,
    api_keys: Vec<User<SecretString>>,
}

impl AgentAccess {
    /// `None` if no agents are configured.
    ///
    /// # Errors
    /// [`Unspecified`] if the random generator of the operating system fails.
    pub(super) fn new(settings: &settings::Agents) -> Result<Option<Self>, Unspecified> {
        if !settings.are_configured() {
            return Ok(None);
        }
        let users = settings.users.iter().cloned();
        let users = users.map(|user| (user.name, user.credential));
        Ok(Some(Self {
            passwords: PasswordVerifier::new(users)?,
            api_keys: settings.api_keys.clone(),
        }))
    }

    /// The name of the agent with this API key. The keys are compared in constant time.
    pub(super) fn name_of_key(&self, key: &[u8]) -> Option<&str> {
        let mut name = None;
        for agent in &self.api_keys {
            let is_equal = agent.credential.expose_secret().as_bytes().ct_eq(key);
            if bool::from(is_equal) {
                name = Some(agent.name.as_str());
            }
        }
        name
    }
}
