//! The identity provider: its discovery document, its keys and the exchange of codes.

use std::sync::Arc;

use chrono::DateTime;
use openidconnect::{
    AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, IssuerUrl, LogoutRequest, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    PostLogoutRedirectUrl, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenVerifier,
        CoreJwsSigningAlgorithm, CoreTokenResponse,
    },
};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{
    SingleSignOnError,
    claims::verified_claims,
    discovery::{Discovery, Document},
    http::ProviderHttp,
    pending::SignInSecrets,
};
use crate::{model::Timestamp, settings, tls_errors};

/// The path of the callback, after `single_sign_on.public_url`.
pub const CALLBACK_PATH: &str = "/genesys/1/admin/ui/sign-in/callback";
/// The path of the sign-in page, to which the provider returns users who have signed out there.
pub const SIGN_IN_PATH: &str = "/genesys/1/admin/ui/sign-in";
/// The maximum number of concurrent exchanges of codes.
const MAX_EXCHANGES: usize = 16;

/// The accepted signatures of ID tokens: those with a public key.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The client of the identity provider.
pub(super) struct Provider {
    client_id: ClientId,
    client_secret: ClientSecret,
    redirect_url: RedirectUrl,
    signed_out_url: PostLogoutRedirectUrl,
    scopes: Vec<Scope>,
    http: ProviderHttp,
    discovery: Discovery,
    exchanges: Semaphore,
}

impl Provider {
    /// Sends nothing.
    ///
    /// # Errors
    /// A URL that is not valid, or certificates that cannot be used.
    pub(super) fn new(settings: &settings::SingleSignOn) -> Result<Self, String> {
        let issuer = IssuerUrl::new(settings.issuer.clone());
        let issuer = issuer.map_err(|error| format!("single_sign_on.issuer: {error}"))?;
        let redirect_url = RedirectUrl::new([&settings.public_url, CALLBACK_PATH].concat());
        let signed_out_url =
            PostLogoutRedirectUrl::new([&settings.public_url, SIGN_IN_PATH].concat());
        let invalid_url = |error| format!("single_sign_on.public_url: {error}");
        let scopes = settings.scopes.iter().cloned().map(Scope::new);
        Ok(Self {
            client_id: ClientId::new(settings.client_id.clone()),
            client_secret: ClientSecret::new(settings.exposed_secret().to_owned()),
            redirect_url: redirect_url.map_err(invalid_url)?,
            signed_out_url: signed_out_url.map_err(invalid_url)?,
            scopes: scopes.collect(),
            http: ProviderHttp::new(settings),
            discovery: Discovery::new(issuer),
            exchanges: Semaphore::new(MAX_EXCHANGES),
        })
    }

    /// The URL at which the provider authenticates the user.
    ///
    /// # Errors
    /// [`SingleSignOnError::Unavailable`], [`SingleSignOnError::InvalidResponse`].
    pub(super) async fn authorization_url(
        &self,
        secrets: &SignInSecrets,
    ) -> Result<String, SingleSignOnError> {
        let metadata = self.discovery.metadata(&self.http).await?;
        let client = self.client(&metadata);
        let (state, nonce) = (
            CsrfToken::new(secrets.state.clone()),
            Nonce::new(secrets.nonce.clone()),
        );
        let verifier = PkceCodeVerifier::new(secrets.pkce_verifier.clone());
        let flow: CoreAuthenticationFlow = AuthenticationFlow::AuthorizationCode;
        let request = client
            .authorize_url(flow, || state, || nonce)
            .add_scopes(self.scopes.iter().cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let (url, _, _) = request.url();
        self.http.check_scheme(url.scheme())?;
        Ok(url.into())
    }

    /// The URL at which the provider ends the session of the browser. It identifies this client, and no user: the tokens of
    /// users are not stored.
    ///
    /// # Errors
    /// As [`Provider::authorization_url`]; [`SingleSignOnError::NoSignOut`].
    pub(super) async fn sign_out_url(&self) -> Result<String, SingleSignOnError> {
        let metadata = self.discovery.metadata(&self.http).await?;
        let endpoint = metadata.additional_metadata().end_session_url();
        let request = LogoutRequest::from(endpoint.ok_or(SingleSignOnError::NoSignOut)?)
            .set_client_id(self.client_id.clone())
            .set_post_logout_redirect_uri(self.signed_out_url.clone());
        let url = request.http_get_url();
        self.http.check_scheme(url.scheme())?;
        Ok(url.into())
    }

    /// Exchanges an authorization code for an ID token, verifies it, and returns its claims.
    ///
    /// # Errors
    /// [`SingleSignOnError::Unavailable`], [`SingleSignOnError::InvalidResponse`].
    pub(super) async fn exchange(
        &self,
        code: String,
        secrets: &SignInSecrets,
        now: Timestamp,
    ) -> Result<Map<String, Value>, SingleSignOnError> {
        let busy = "too many sign-ins are being completed";
        let permit = self.exchanges.try_acquire();
        let _permit = permit.map_err(|_error| SingleSignOnError::Unavailable(busy.to_owned()))?;
        let metadata = self.discovery.metadata(&self.http).await?;
        let response = self.request_token(&metadata, code, secrets).await?;
        let token = response.id_token().ok_or_else(|| {
            SingleSignOnError::InvalidResponse("the token response has no ID token".to_owned())
        })?;
        let nonce = Nonce::new(secrets.nonce.clone());
        let mut verified = self.verify(&metadata, token, &nonce, now);
        if let Err(error) = &verified
            && is_unknown_key(error)
            && let Some(metadata) = self.discovery.refresh(&metadata, &self.http).await?
        {
            verified = self.verify(&metadata, token, &nonce, now);
        }
        verified.map_err(|error| invalid(&error))?;
        verified_claims(token)
    }

    async fn request_token(
        &self,
        metadata: &Arc<Document>,
        code: String,
        secrets: &SignInSecrets,
    ) -> Result<CoreTokenResponse, SingleSignOnError> {
        let client = self.client(metadata);
        let request = client.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|error| invalid(&error))?;
        let verifier = PkceCodeVerifier::new(secrets.pkce_verifier.clone());
        let response = request
            .set_pkce_verifier(verifier)
            .request_async(&self.http)
            .await;
        response.map_err(|error| match error {
            RequestTokenError::Request(error) => error.into(),
            // The error itself may contain a part of a token.
            RequestTokenError::Parse(error, _) => {
                let path = error.path();
                let reason = format!("the token response is malformed at {path}");
                SingleSignOnError::InvalidResponse(reason)
            }
            error => invalid(&error),
        })
    }

    /// Verifies signature, issuer, audience, expiration and nonce of an ID token.
    fn verify(
        &self,
        metadata: &Document,
        token: &CoreIdToken,
        nonce: &Nonce,
        now: Timestamp,
    ) -> Result<(), ClaimsVerificationError> {
        let now = DateTime::from_timestamp_millis(now.millis()).unwrap_or_default();
        // "public" excludes signatures with the client secret, which other programs may know too.
        let verifier = CoreIdTokenVerifier::new_public_client(
            self.client_id.clone(),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        );
        let verifier = verifier
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || now);
        token.claims(&verifier, nonce).map(|_claims| ())
    }

    fn client(&self, metadata: &Document) -> ConfiguredClient {
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            self.client_id.clone(),
            Some(self.client_secret.clone()),
        );
        let methods = metadata.token_endpoint_auth_methods_supported();
        let has = |method| methods.is_some_and(|methods| methods.contains(&method));
        // HTTP Basic is the default.
        let is_in_body = has(CoreClientAuthMethod::ClientSecretPost)
            && !has(CoreClientAuthMethod::ClientSecretBasic);
        let auth_type = if is_in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        };
        client
            .set_auth_type(auth_type)
            .set_redirect_uri(self.redirect_url.clone())
    }
}

/// The client of a discovered provider.
type ConfiguredClient = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

fn is_unknown_key(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)
    )
}

fn invalid(error: &(dyn std::error::Error + 'static)) -> SingleSignOnError {
    SingleSignOnError::InvalidResponse(tls_errors::error_chain(error))
}
