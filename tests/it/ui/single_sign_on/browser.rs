//! Single sign-on in a browser: the provider is another site, so cookies are those that a browser sends after a redirect
//! from another site.

use serde_json::json;

use super::fixture::settings;
use crate::{
    api::admin::fixture::ADMIN_SETTINGS,
    support::{
        TestApp, TestRedis, browser::Browser, identity_provider::IdentityProvider,
        ports::free_port, random_prefix,
    },
    ui::{browser::inspect_page, fixture::HOME},
};

struct Fixture {
    provider: IdentityProvider,
    /// Kept running.
    _app: TestApp,
    /// The URL of the console.
    origin: String,
}

impl Fixture {
    /// The console at a host name of its own.
    async fn start() -> Self {
        let provider = IdentityProvider::start();
        let port = free_port();
        let origin = format!("http://switchboard.test:{port}");
        let listen = format!("127.0.0.1:{port}");
        let single_sign_on = settings(&provider.issuer);
        let mut all = ADMIN_SETTINGS.to_vec();
        all.extend(
            single_sign_on
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        all.push(("single_sign_on.public_url", &origin));
        all.push(("single_sign_on.button", "Sign in with Example Login"));
        all.push(("server.listen", &listen));
        let app = TestApp::start(Some(TestRedis::shared()), &random_prefix(), &all).await;
        provider.state().has_page = true;
        Self {
            provider,
            _app: app,
            origin,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{HOME}{path}", self.origin)
    }
}

#[tokio::test]
async fn a_user_signs_in_by_the_button_and_signs_out() {
    let fixture = Fixture::start().await;
    let browser = Browser::open().await;
    browser.goto(&fixture.url("/audit-log?limit=20")).await;
    browser.field("Password").await;
    browser.follow("Sign in with Example Login").await;
    browser.wait_for_text("Continue").await;
    browser.follow("Continue").await;
    browser.wait_for_text("Signed in as sso:ann").await;
    let path = format!("{HOME}/audit-log");
    assert_eq!(browser.path().await, path, "the requested page");
    browser.press("Sign out").await;
    browser.field("Password").await;
    browser.goto(&fixture.url("")).await;
    browser.field("Password").await;
}

#[tokio::test]
async fn the_callback_of_another_user_is_rejected() {
    let fixture = Fixture::start().await;
    // The attacker stops before the callback.
    let attacker = Browser::open().await;
    attacker.goto(&fixture.url("")).await;
    attacker.follow("Sign in with Example Login").await;
    attacker.wait_for_text("Continue").await;
    let link = attacker
        .run("return document.querySelector('a').href")
        .await;
    let user = Browser::open().await;
    user.goto(&fixture.url("")).await;
    user.goto(link.as_str().unwrap()).await;
    user.wait_for_text("This sign-in was not begun in this browser")
        .await;
    user.goto(&fixture.url("")).await;
    user.field("Password").await;
}

#[tokio::test]
async fn the_sign_in_page_passes_the_accessibility_checks() {
    let fixture = Fixture::start().await;
    let browser = Browser::open().await;
    browser.goto(&fixture.url("")).await;
    inspect_page(&browser, "sign-in-single-sign-on").await;
    fixture.provider.state().claims = json!({"preferred_username": "ann"});
    browser.follow("Sign in with Example Login").await;
    browser.wait_for_text("Continue").await;
    browser.follow("Continue").await;
    browser.wait_for_text("You are signed in as").await;
    browser.inspect("a sign-in without a role").await;
    // By keyboard: the button is before the form.
    let focused = "return document.activeElement.id";
    assert_eq!(browser.run(focused).await, "name");
}
