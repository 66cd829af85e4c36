//! The discovery document and the keys of the provider, which this process caches.

use std::{sync::Arc, time::Duration};

use openidconnect::{
    AdditionalProviderMetadata, DiscoveryError, EndSessionUrl, IssuerUrl, ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{SingleSignOnError, http::ProviderHttp};
use crate::tls_errors;

/// How long a document and its keys are used, so that a key that the provider has removed is not accepted for longer.
const MAX_AGE: Duration = Duration::from_secs(3600);
/// How long the error of a failed request is the result of further ones.
const FAILURE_TTL: Duration = Duration::from_secs(5);
/// The minimum interval of requests because of unknown keys.
const REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// The timeout of both requests together.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(8);

/// The document of a provider, and its keys.
pub(super) type Document = ProviderMetadata<
    SignOutMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The member of the document about signing out. It is parsed when it is used, because the crate's type for it rejects the
/// whole document if the URL is invalid.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct SignOutMetadata {
    #[serde(default)]
    end_session_endpoint: Value,
}

impl AdditionalProviderMetadata for SignOutMetadata {}

impl SignOutMetadata {
    /// The URL at which users sign out, if it is valid.
    pub(super) fn end_session_url(&self) -> Option<EndSessionUrl> {
        let url = self.end_session_endpoint.as_str()?.to_owned();
        EndSessionUrl::new(url).ok()
    }
}

/// The cache. Its lock is held during requests, so that there is one at a time.
pub(super) struct Discovery {
    issuer: IssuerUrl,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<(Arc<Document>, Instant)>,
    failure: Option<(String, Instant)>,
    refreshed_at: Option<Instant>,
}

impl Discovery {
    pub(super) fn new(issuer: IssuerUrl) -> Self {
        Self {
            issuer,
            state: Mutex::default(),
        }
    }

    /// The document and the keys.
    ///
    /// # Errors
    /// [`SingleSignOnError::Unavailable`], also if the last request failed within [`FAILURE_TTL`].
    pub(super) async fn metadata(
        &self,
        http: &ProviderHttp,
    ) -> Result<Arc<Document>, SingleSignOnError> {
        let mut state = self.state.lock().await;
        match &state.current {
            Some((metadata, at)) if at.elapsed() < MAX_AGE => Ok(Arc::clone(metadata)),
            _ => self.request(&mut state, http).await,
        }
    }

    /// The document and the keys, requested again because `used` lacks a key. `None` if they were requested for that
    /// reason within [`REFRESH_INTERVAL`] and there are no newer ones.
    ///
    /// # Errors
    /// As [`Discovery::metadata`].
    pub(super) async fn refresh(
        &self,
        used: &Arc<Document>,
        http: &ProviderHttp,
    ) -> Result<Option<Arc<Document>>, SingleSignOnError> {
        let mut state = self.state.lock().await;
        if let Some((metadata, _)) = &state.current
            && !Arc::ptr_eq(metadata, used)
        {
            return Ok(Some(Arc::clone(metadata)));
        }
        let is_recent = |at: Instant| at.elapsed() < REFRESH_INTERVAL;
        if state.refreshed_at.is_some_and(is_recent) {
            return Ok(None);
        }
        state.refreshed_at = Some(Instant::now());
        self.request(&mut state, http).await.map(Some)
    }

    async fn request(
        &self,
        state: &mut State,
        http: &ProviderHttp,
    ) -> Result<Arc<Document>, SingleSignOnError> {
        if let Some((reason, at)) = &state.failure
            && at.elapsed() < FAILURE_TTL
        {
            return Err(SingleSignOnError::Unavailable(reason.clone()));
        }
        let request = Document::discover_async(self.issuer.clone(), http);
        let result = match timeout(DISCOVERY_TIMEOUT, request).await {
            Ok(Ok(metadata)) => Ok(Arc::new(metadata)),
            Ok(Err(DiscoveryError::Response(_, _, reason))) => Err(reason),
            Ok(Err(error)) => Err(tls_errors::with_advice(tls_errors::error_chain(&error))),
            Err(_elapsed) => Err("the discovery took too long".to_owned()),
        };
        match result {
            Ok(metadata) => {
                state.failure = None;
                state.current = Some((Arc::clone(&metadata), Instant::now()));
                Ok(metadata)
            }
            Err(reason) => {
                state.failure = Some((reason.clone(), Instant::now()));
                Err(SingleSignOnError::Unavailable(reason))
            }
        }
    }
}
