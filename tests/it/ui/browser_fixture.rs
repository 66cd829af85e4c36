//! Fixture of the browser tests: replicas with the console, and a signed-in browser.

use crate::support::{TestApp, TestRedis, browser::Browser, random_prefix};

pub(super) use super::fixture::HOME;
pub(super) use crate::api::admin::fixture::{ADMIN_SETTINGS, PASSWORD};

/// Makes a test of each listed function on two replicas with Redis.
macro_rules! in_a_browser {
    ($($name:ident),* $(,)?) => {
        mod on_two_replicas {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::ui::browser_fixture::BrowserFixture::on_redis().await).await;
            })*
        }
    };
}
pub(super) use in_a_browser;

/// Two replicas, or one in both roles.
pub(super) struct BrowserFixture {
    pub(super) app: TestApp,
    second: Option<TestApp>,
}

impl BrowserFixture {
    pub(super) async fn on_memory() -> Self {
        Self {
            app: TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await,
            second: None,
        }
    }

    pub(super) async fn on_redis() -> Self {
        let (redis, prefix) = (TestRedis::shared(), random_prefix());
        let first = TestApp::start(Some(redis.clone()), &prefix, &ADMIN_SETTINGS).await;
        let second = TestApp::start(Some(redis), &prefix, &ADMIN_SETTINGS).await;
        Self {
            app: first,
            second: Some(second),
        }
    }

    /// The second replica if there is one.
    pub(super) fn other(&self) -> &TestApp {
        self.second.as_ref().unwrap_or(&self.app)
    }

    /// A signed-in browser.
    pub(super) async fn open_signed_in(&self) -> Browser {
        let browser = Browser::open().await;
        sign_in(&browser, &self.app).await;
        browser
    }
}

/// Signs in to `app`.
pub(super) async fn sign_in(browser: &Browser, app: &TestApp) {
    browser.goto(&app.url("/genesys/1/admin")).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_text("Signed in as admin").await;
}
