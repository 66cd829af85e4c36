//! An identity provider for tests: `OpenID` Connect with the authorization code flow and PKCE. Its users need no password.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::header::{AUTHORIZATION, LOCATION},
    web::{self, Data, Form, Query},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::time;
use url::Url;

pub(crate) use self::signing::SigningKey;
use self::signing::{encode, sign_with_secret, unsigned};
use super::{certificate::Certificate, now};

mod signing;

pub(crate) const CLIENT_ID: &str = "switchboard";
pub(crate) const CLIENT_SECRET: &str = "a secret: of the client";

/// How a token differs from a valid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// `alg` is `none`, and there is no signature.
    Unsigned,
    /// The signature is that of other claims.
    WrongSignature,
    /// It is signed with the client secret.
    SharedSecret,
    /// The response contains no ID token.
    Missing,
}

/// How the provider responds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderFault {
    /// No response for minutes.
    Silent,
    /// A response of some MiB.
    Huge,
    /// An error of the server.
    ServerError,
    /// A redirect to another server.
    Redirect,
    /// Text instead of JSON.
    NotJson,
}

/// The state that a test can change.
pub(crate) struct ProviderState {
    pub(crate) key: SigningKey,
    /// Claims of the user; they replace those of the provider.
    pub(crate) claims: Value,
    pub(crate) token_fault: Option<TokenFault>,
    /// Faults of the endpoints for the discovery document and for tokens.
    pub(crate) discovery_fault: Option<ProviderFault>,
    pub(crate) token_endpoint_fault: Option<ProviderFault>,
    /// The user rejects the request.
    pub(crate) is_denied: bool,
    /// The user continues by a link. Otherwise the provider redirects at once.
    pub(crate) has_page: bool,
    /// Members that replace those of the discovery document.
    pub(crate) document: Value,
    /// Number of requests by path.
    pub(crate) requests: HashMap<String, usize>,
    grants: HashMap<String, Grant>,
}

/// What an authorization code was issued for. Codes can be used several times, so that tests show that the client uses
/// them once.
struct Grant {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

/// A running provider.
pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    state: Data<Shared>,
}

struct Shared {
    issuer: String,
    state: Mutex<ProviderState>,
}

type Parameters = HashMap<String, String>;

impl IdentityProvider {
    /// Starts a provider with one user, `ann`, who has the role `chiefs`.
    pub(crate) fn start() -> Self {
        Self::start_with("http", "127.0.0.1", None)
    }

    /// The same with https.
    pub(crate) fn start_encrypted(certificate: &Certificate) -> Self {
        Self::start_with("https", "localhost", Some(certificate.server_config()))
    }

    fn start_with(scheme: &str, host: &str, tls: Option<ServerConfig>) -> Self {
        let state = ProviderState {
            key: SigningKey::es256(),
            claims: json!({"preferred_username": "ann", "roles": ["chiefs"]}),
            token_fault: None,
            discovery_fault: None,
            token_endpoint_fault: None,
            is_denied: false,
            has_page: false,
            document: json!({}),
            requests: HashMap::new(),
            grants: HashMap::new(),
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let issuer = format!("{scheme}://{host}:{port}");
        let state = Data::new(Shared {
            issuer: issuer.clone(),
            state: Mutex::new(state),
        });
        let shared = state.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/.well-known/openid-configuration", web::get().to(discover))
                .route("/keys", web::get().to(keys))
                .route("/authorize", web::get().to(authorize))
                .route("/token", web::post().to(token))
                .route("/end-session", web::get().to(end_session))
        });
        let server = server.workers(1).disable_signals();
        let server = match tls {
            Some(config) => server.listen_rustls_0_23(listener, config),
            None => server.listen(listener),
        };
        tokio::spawn(server.unwrap().run());
        Self { issuer, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, ProviderState> {
        self.state.state.lock().unwrap()
    }

    /// The number of requests to a path.
    pub(crate) fn requests(&self, path: &str) -> usize {
        self.state().requests.get(path).copied().unwrap_or_default()
    }
}

impl Shared {
    /// Counts a request, and returns the response of a faulty endpoint.
    async fn count(
        &self,
        request: &HttpRequest,
        fault: impl Fn(&ProviderState) -> Option<ProviderFault>,
    ) -> Option<HttpResponse> {
        let fault = {
            let mut state = self.state.lock().unwrap();
            *state.requests.entry(request.path().to_owned()).or_default() += 1;
            fault(&state)?
        };
        Some(match fault {
            ProviderFault::Silent => {
                time::sleep(Duration::from_secs(120)).await;
                HttpResponse::Ok().finish()
            }
            ProviderFault::Huge => HttpResponse::Ok()
                .content_type("application/json")
                .body(vec![b' '; 4 << 20]),
            ProviderFault::ServerError => HttpResponse::ServiceUnavailable().finish(),
            ProviderFault::Redirect => HttpResponse::Found()
                .insert_header((LOCATION, "http://127.0.0.1:1/elsewhere"))
                .finish(),
            ProviderFault::NotJson => HttpResponse::Ok()
                .content_type("application/json")
                .body("<html>"),
        })
    }
}

/// Replaces members of an object.
fn merge(mut object: Value, replacements: &Value) -> Value {
    for (name, value) in replacements.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

async fn discover(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    if let Some(response) = shared.count(&request, |state| state.discovery_fault).await {
        return response;
    }
    let issuer = &shared.issuer;
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/end-session"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    });
    let replacements = &shared.state.lock().unwrap().document;
    HttpResponse::Ok().json(merge(document, replacements))
}

async fn keys(shared: Data<Shared>, request: HttpRequest) -> HttpResponse {
    shared.count(&request, |_| None).await;
    let key = shared.state.lock().unwrap().key.to_jwk();
    HttpResponse::Ok().json(json!({"keys": [key]}))
}

async fn authorize(shared: Data<Shared>, query: Query<Parameters>) -> HttpResponse {
    let get = |name: &str| query.get(name).cloned().unwrap_or_default();
    let is_valid = get("client_id") == CLIENT_ID
        && get("response_type") == "code"
        && get("code_challenge_method") == "S256"
        && get("scope").split(' ').any(|scope| scope == "openid");
    if !is_valid {
        return HttpResponse::BadRequest().body(format!("{query:?}"));
    }
    let mut state = shared.state.lock().unwrap();
    let mut target = Url::parse(&get("redirect_uri")).unwrap();
    let mut parameters = target.query_pairs_mut();
    parameters.append_pair("state", &get("state"));
    parameters.append_pair("iss", &shared.issuer);
    if state.is_denied {
        parameters.append_pair("error", "access_denied");
        parameters.append_pair("error_description", "<b>the user has rejected it</b>");
    } else {
        let code = uuid::Uuid::new_v4().to_string();
        parameters.append_pair("code", &code);
        let grant = Grant {
            nonce: get("nonce"),
            challenge: get("code_challenge"),
            redirect_uri: get("redirect_uri"),
        };
        state.grants.insert(code, grant);
    }
    drop(parameters);
    if state.has_page {
        let link = target.as_str().replace('&', "&amp;");
        let page = format!("<!doctype html><title>Login</title><a href=\"{link}\">Continue</a>");
        return HttpResponse::Ok().content_type("text/html").body(page);
    }
    let location = (LOCATION, target.as_str());
    HttpResponse::Found().insert_header(location).finish()
}

/// The sign-out, which the user confirms by a link.
async fn end_session(
    shared: Data<Shared>,
    request: HttpRequest,
    query: Query<Parameters>,
) -> HttpResponse {
    shared.count(&request, |_| None).await;
    let target = query.get("post_logout_redirect_uri");
    let target = target.filter(|target| target.ends_with("/genesys/1/admin/ui/sign-in"));
    let is_valid = query.get("client_id").is_some_and(|id| id == CLIENT_ID) && query.len() == 2;
    match target {
        Some(target) if is_valid => {
            let page =
                format!("<!doctype html><title>Logout</title><a href=\"{target}\">Log out</a>");
            HttpResponse::Ok().content_type("text/html").body(page)
        }
        _ => HttpResponse::BadRequest().body(format!("{query:?}")),
    }
}

/// Whether the client authenticates with its credentials: in the body if the document says so, or else by HTTP Basic, in
/// which they are encoded as in a form (RFC 6749 2.3.1).
fn is_authenticated(request: &HttpRequest, form: &Parameters, document: &Value) -> bool {
    let header = request.headers().get(AUTHORIZATION);
    if document["token_endpoint_auth_methods_supported"] == json!(["client_secret_post"]) {
        let has = |name: &str, value: &str| form.get(name).is_some_and(|text| text == value);
        let is_in_body = has("client_id", CLIENT_ID) && has("client_secret", CLIENT_SECRET);
        return is_in_body && header.is_none();
    }
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let expected = format!("{}:{}", encode(CLIENT_ID), encode(CLIENT_SECRET));
    let expected = format!("Basic {}", STANDARD.encode(expected));
    header.is_some_and(|header| header.as_bytes() == expected.as_bytes())
}

async fn token(shared: Data<Shared>, request: HttpRequest, form: Form<Parameters>) -> HttpResponse {
    let faulty = shared.count(&request, |state| state.token_endpoint_fault);
    if let Some(response) = faulty.await {
        return response;
    }
    let get = |name: &str| form.get(name).cloned().unwrap_or_default();
    let state = shared.state.lock().unwrap();
    if !is_authenticated(&request, &form, &state.document) {
        return HttpResponse::Unauthorized().json(json!({"error": "invalid_client"}));
    }
    let verifier = get("code_verifier");
    let challenge = encode(ring::digest::digest(
        &ring::digest::SHA256,
        verifier.as_bytes(),
    ));
    let grant = state.grants.get(&get("code"));
    let grant = grant.filter(|grant| {
        get("grant_type") == "authorization_code"
            && grant.challenge == challenge
            && grant.redirect_uri == get("redirect_uri")
    });
    let Some(grant) = grant else {
        return HttpResponse::BadRequest().json(json!({"error": "invalid_grant"}));
    };
    let mut response = json!({"access_token": "an opaque token", "token_type": "Bearer"});
    if state.token_fault != Some(TokenFault::Missing) {
        response["id_token"] = id_token(&shared.issuer, &state, &grant.nonce).into();
    }
    HttpResponse::Ok().json(response)
}

fn id_token(issuer: &str, state: &ProviderState, nonce: &str) -> String {
    let seconds = now().millis() / 1000;
    let claims = json!({
        "iss": issuer,
        "aud": CLIENT_ID,
        "sub": "8a1b",
        "nonce": nonce,
        "iat": seconds,
        "exp": seconds + 300,
    });
    let claims = merge(claims, &state.claims);
    match state.token_fault {
        Some(TokenFault::Unsigned) => {
            let token = unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims);
            format!("{token}.")
        }
        Some(TokenFault::WrongSignature) => {
            let signed = state
                .key
                .sign(&merge(claims.clone(), &json!({"roles": []})));
            let (header, _) = signed.split_once('.').unwrap();
            let (_, signature) = signed.rsplit_once('.').unwrap();
            format!("{header}.{}.{signature}", encode(claims.to_string()))
        }
        Some(TokenFault::SharedSecret) => sign_with_secret(CLIENT_SECRET, &claims),
        _ => state.key.sign(&claims),
    }
}
