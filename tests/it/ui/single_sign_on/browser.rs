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
    /// The console at a host name of its own, with an admin password.
    async fn start() -> Self {
        Self::start_with(&ADMIN_SETTINGS).await
    }

    async fn start_with(others: &[(&str, &str)]) -> Self {
        let provider = IdentityProvider::start();
        let port = free_port();
        let origin = format!("http://switchboard.test:{port}");
        let listen = format!("127.0.0.1:{port}");
        let single_sign_on = settings(&provider.issuer);
        let mut all = others.to_vec();
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
    let text = browser.text().await;
    assert!(!text.contains("Sign out at"), "{text}");
    browser.goto(&fixture.url("")).await;
    browser.field("Password").await;
}

#[tokio::test]
async fn a_user_signs_out_at_the_provider_too() {
    let settings = [
        ADMIN_SETTINGS[0],
        ("single_sign_on.provider_sign_out", "true"),
    ];
    let fixture = Fixture::start_with(&settings).await;
    let browser = Browser::open().await;
    browser.goto(&fixture.url("")).await;
    browser.follow("Sign in with Example Login").await;
    browser.wait_for_text("Continue").await;
    browser.follow("Continue").await;
    browser.wait_for_text("Signed in as sso:ann").await;
    browser.press("Sign out").await;
    browser
        .wait_for_text("You are signed out of Switchboard.")
        .await;
    inspect_page(&browser, "signed-out").await;
    browser
        .follow("Sign out at the identity provider too")
        .await;
    browser.wait_for_text("Log out").await;
    assert_eq!(fixture.provider.requests("/end-session"), 1);
    browser.follow("Log out").await;
    browser.field("Password").await;
    let text = browser.text().await;
    assert!(!text.contains("signed out"), "{text}");
    // The document is cached, so this is another replica.
    let fixture = Fixture::start_with(&settings).await;
    // A sign-in does not need a valid URL there.
    fixture.provider.state().document = json!({"end_session_endpoint": "/relative"});
    let path = "/sign-in/provider-sign-out";
    browser.goto(&fixture.url(path)).await;
    browser
        .wait_for_text("The identity provider does not offer to sign out.")
        .await;
    let without = Fixture::start().await;
    browser.goto(&without.url(path)).await;
    browser.wait_for_text("404").await;
}

#[tokio::test]
async fn the_sign_in_page_without_passwords_passes_the_accessibility_checks() {
    let fixture = Fixture::start_with(&[]).await;
    let browser = Browser::open().await;
    browser.goto(&fixture.url("")).await;
    browser.wait_for_text("Sign in with Example Login").await;
    let text = browser.text().await;
    assert!(
        !text.contains("Password") && !text.contains("password"),
        "{text}"
    );
    inspect_page(&browser, "sign-in-without-passwords").await;
    fixture.provider.state().is_denied = true;
    browser.follow("Sign in with Example Login").await;
    browser.wait_for_text("Continue").await;
    browser.follow("Continue").await;
    browser
        .wait_for_text("The identity provider has rejected the sign-in")
        .await;
    inspect_page(&browser, "rejected-sign-in").await;
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
