//! Fixture: an identity provider, replicas that use it, and the requests of a browser.

use reqwest::{Client, RequestBuilder, redirect::Policy};

use crate::{
    api::admin::fixture::ADMIN_SETTINGS,
    support::{
        TestApp, TestResponse, encode,
        identity_provider::{CLIENT_ID, CLIENT_SECRET, IdentityProvider},
        random_prefix,
    },
    ui::fixture::HOME,
};

/// The URL of the console in the settings. The tests replace it by the address of a replica.
pub(super) const PUBLIC_URL: &str = "http://switchboard.test";
pub(super) const SIGN_IN: &str = "/genesys/1/admin/ui/sign-in";
pub(super) const CALLBACK: &str = "/genesys/1/admin/ui/sign-in/callback";
pub(super) const SESSION_COOKIE: &str = "switchboard_session";
pub(super) const PENDING_COOKIE: &str = "switchboard_single_sign_on";

/// The error of a callback that does not belong to a pending sign-in of the browser.
pub(super) const UNEXPECTED: &str = "This sign-in was not begun in this browser";

/// Settings of single sign-on at this issuer.
pub(super) fn settings(issuer: &str) -> Vec<(&'static str, String)> {
    [
        ("single_sign_on.issuer", issuer),
        ("single_sign_on.client_id", CLIENT_ID),
        ("single_sign_on.client_secret", CLIENT_SECRET),
        ("single_sign_on.public_url", PUBLIC_URL),
        ("single_sign_on.viewer_values", "readers"),
        ("single_sign_on.operator_values", "shift"),
        ("single_sign_on.admin_values", "chiefs"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// Starts a replica with the admin password and these settings, on the same kind of store as `app`.
pub(super) async fn start_replica(
    app: &TestApp,
    prefix: &str,
    issuer: &str,
    others: &[(&str, &str)],
) -> TestApp {
    let settings = settings(issuer);
    let mut all = ADMIN_SETTINGS.to_vec();
    all.extend(settings.iter().map(|(name, value)| (*name, value.as_str())));
    all.extend_from_slice(others);
    let mut app = TestApp::start(app.redis.clone(), prefix, &all).await;
    // The tests inspect redirects instead of following them.
    let client = Client::builder().redirect(Policy::none());
    // That of a provider with https.
    let client = client.tls_danger_accept_invalid_certs(true);
    app.client = client.build().unwrap();
    app
}

/// A provider, and a replica that uses it.
pub(super) struct Fixture {
    pub(super) provider: IdentityProvider,
    pub(super) app: TestApp,
}

impl Fixture {
    pub(super) async fn start(app: &TestApp) -> Self {
        Self::start_with(app, &[]).await
    }

    pub(super) async fn start_with(app: &TestApp, others: &[(&str, &str)]) -> Self {
        Self::with_provider(app, IdentityProvider::start(), others).await
    }

    pub(super) async fn with_provider(
        app: &TestApp,
        provider: IdentityProvider,
        others: &[(&str, &str)],
    ) -> Self {
        let app = start_replica(app, &random_prefix(), &provider.issuer, others).await;
        Self { provider, app }
    }

    /// Another replica, with these settings.
    pub(super) async fn start_other(&self, others: &[(&str, &str)]) -> TestApp {
        start_replica(&self.app, &self.app.prefix, &self.provider.issuer, others).await
    }

    /// Begins a sign-in, authenticates the user, and returns what the browser would send to the callback.
    pub(super) async fn authenticate(&self, app: &TestApp, to: &str) -> Callback {
        let begun = begin(app, to).await;
        assert_eq!(begun.status, 303, "{}", begun.text());
        let cookie = cookie(&begun, PENDING_COOKIE).unwrap();
        let authorized = app.client.get(begun.header("location"));
        let authorized = TestResponse::send(authorized).await;
        assert_eq!(authorized.status, 302, "{}", authorized.text());
        let target = authorized.header("location").strip_prefix(PUBLIC_URL);
        Callback {
            path: target.unwrap().to_owned(),
            cookie,
        }
    }

    /// A complete sign-in; the response of the callback.
    pub(super) async fn sign_in(&self, app: &TestApp, to: &str) -> TestResponse {
        let callback = self.authenticate(app, to).await;
        callback.send(app).await
    }

    /// Asserts that a sign-in is rejected with this status and text, and that no session is created.
    pub(super) async fn assert_rejected(&self, status: u16, text: &str) {
        let response = self.sign_in(&self.app, "").await;
        assert_rejected(&response, status, text);
    }
}

/// Asserts that no session is created, and that the pending sign-in is removed.
pub(super) fn assert_rejected(response: &TestResponse, status: u16, text: &str) {
    assert_eq!(response.status, status, "{}", response.text());
    let page = crate::ui::fixture::unescaped(response.text());
    assert!(page.contains(text), "{page}");
    assert!(page.contains("role=\"alert\""), "{page}");
    assert_eq!(cookie(response, SESSION_COOKIE), None);
    assert_eq!(cookie(response, PENDING_COOKIE).as_deref(), Some(""));
}

/// The request of a browser to the callback.
#[derive(Clone)]
pub(super) struct Callback {
    pub(super) path: String,
    /// The value of the cookie of the pending sign-in.
    pub(super) cookie: String,
}

impl Callback {
    pub(super) fn request(&self, app: &TestApp) -> RequestBuilder {
        let cookie = format!("{PENDING_COOKIE}={}", self.cookie);
        app.get(&self.path).header("cookie", cookie)
    }

    pub(super) async fn send(&self, app: &TestApp) -> TestResponse {
        TestResponse::send(self.request(app)).await
    }

    /// The value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> String {
        let url = url::Url::parse(&[PUBLIC_URL, &self.path].concat()).unwrap();
        let mut pairs = url.query_pairs();
        let (_, value) = pairs.find(|(other, _)| other == name).unwrap();
        value.into_owned()
    }
}

/// Follows the button of the sign-in page.
pub(super) async fn begin(app: &TestApp, to: &str) -> TestResponse {
    let path = format!("{SIGN_IN}/single-sign-on?to={}", encode(to));
    TestResponse::send(app.get(&path)).await
}

/// The value of a cookie that a response sets.
pub(super) fn cookie(response: &TestResponse, name: &str) -> Option<String> {
    set_cookie(response, name).map(|header| {
        let value = header.split(';').next().unwrap();
        value.split_once('=').unwrap().1.to_owned()
    })
}

/// The header that sets a cookie.
pub(super) fn set_cookie(response: &TestResponse, name: &str) -> Option<String> {
    let mut headers = response.headers.get_all("set-cookie").iter();
    let header = headers.find(|header| header.as_bytes().starts_with(name.as_bytes()))?;
    Some(header.to_str().unwrap().to_owned())
}

/// The response of a page of the console in the session of a sign-in.
pub(super) async fn page(app: &TestApp, signed_in: &TestResponse, path: &str) -> TestResponse {
    let session = cookie(signed_in, SESSION_COOKIE).unwrap();
    let request = app.get(&[HOME, path].concat());
    TestResponse::send(request.header("cookie", format!("{SESSION_COOKIE}={session}"))).await
}
