//! What the tests in a browser are made of: replicas with an administration, and an operator before them.

use crate::support::{TestApp, TestRedis, browser::Browser, random_prefix};

pub(super) use super::fixture::HOME;
pub(super) use crate::admin::fixture::{ADMIN_SETTINGS, PASSWORD};

/// Makes two tests of each function named: with one service on the embedded store, and with two replicas
/// on Redis.
macro_rules! in_a_browser {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::ui::browser_fixture::BrowserFixture::on_memory().await).await;
            })*
        }
        mod on_two_replicas {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::ui::browser_fixture::BrowserFixture::on_redis().await).await;
            })*
        }
    };
}
pub(super) use in_a_browser;

/// Two replicas, or one that is both.
pub(super) struct BrowserFixture {
    pub(super) app: TestApp,
    there: Option<TestApp>,
}

impl BrowserFixture {
    pub(super) async fn on_memory() -> Self {
        Self {
            app: TestApp::start(None, &random_prefix(), &ADMIN_SETTINGS).await,
            there: None,
        }
    }

    pub(super) async fn on_redis() -> Self {
        let (redis, prefix) = (TestRedis::shared(), random_prefix());
        let here = TestApp::start(Some(redis.clone()), &prefix, &ADMIN_SETTINGS).await;
        let there = TestApp::start(Some(redis), &prefix, &ADMIN_SETTINGS).await;
        Self {
            app: here,
            there: Some(there),
        }
    }

    /// The other replica, where there is one.
    pub(super) fn other(&self) -> &TestApp {
        self.there.as_ref().unwrap_or(&self.app)
    }

    /// A browser whose operator is signed in.
    pub(super) async fn open_signed_in(&self) -> Browser {
        let browser = Browser::open().await;
        sign_in(&browser, &self.app).await;
        browser
    }
}

/// Signs in at `app`.
pub(super) async fn sign_in(browser: &Browser, app: &TestApp) {
    browser.goto(&app.url("/genesys/1/admin")).await;
    browser.fill("User name", "admin").await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.wait_for_text("Signed in as admin").await;
}
