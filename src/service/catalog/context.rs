//! What parsing a catalog depends on.

use std::{fmt, sync::Arc};

use crate::{
    service::{phone_numbers::PhoneNumbers, webhooks::WebhookRules},
    settings::Credentials,
};

/// The lookup of variables for `${NAME}`.
pub type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The settings that parsing a catalog depends on.
#[derive(Clone)]
pub struct CatalogContext {
    /// The maximum TTL of services in seconds.
    pub max_ttl_seconds: u64,
    /// The rules for phone numbers.
    pub phone_numbers: PhoneNumbers,
    /// The default credentials of services.
    pub default_credentials: Credentials,
    /// The variables for `${NAME}` in values of `_header.` options and of `_webhook_secret`.
    pub variables: Arc<Variables>,
    /// The settings that restrict webhooks.
    pub webhooks: WebhookRules,
}

impl fmt::Debug for CatalogContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatalogContext")
    }
}

impl CatalogContext {
    /// As this context, but URLs of webhooks can have the scheme `http`.
    pub(super) fn with_http_webhooks(&self) -> Self {
        let webhooks = WebhookRules { allow_http: true };
        Self {
            webhooks,
            ..self.clone()
        }
    }
}
