//! *Chats*: the page of agents, and the roles of sessions.

use super::browser_fixture::ADMIN_SETTINGS;
use crate::{
    api::chat::agents::fixture::{ANN, BOB, hash},
    support::{TestApp, TestRedis, browser::Browser, random_prefix},
};

mod access;
mod conversation;
mod hostile;
mod volume;

/// The page, below the console.
const CHATS: &str = "/chats";

/// A service with the console and two agents, on the same kind of store as `app`.
async fn start_with_agents(app: &TestApp) -> TestApp {
    start_with_users(app, &random_prefix(), &[ANN, BOB]).await
}

/// The same on Redis.
async fn start_on_redis() -> TestApp {
    let redis = TestApp::start(Some(TestRedis::shared()), &random_prefix(), &[]).await;
    start_with_agents(&redis).await
}

/// A replica with these agents.
async fn start_with_users(app: &TestApp, prefix: &str, users: &[(&str, &str)]) -> TestApp {
    let users = users.iter();
    let users: Vec<_> = users
        .map(|(name, password)| format!("{name}:{}", hash(password)))
        .collect();
    let users = users.join("\n");
    let settings = [&ADMIN_SETTINGS[..], &[("agents.users", users.as_str())]].concat();
    TestApp::start(app.redis.clone(), prefix, &settings).await
}

/// A browser in which an agent has signed in, on the page *Chats*.
async fn open_agent(app: &TestApp, agent: (&str, &str)) -> Browser {
    let browser = Browser::open().await;
    browser.goto(&app.url("/genesys/1/admin")).await;
    browser.fill("User name", agent.0).await;
    browser.fill("Password", agent.1).await;
    browser.press("Sign in").await;
    browser.wait_for_text("Waiting (").await;
    browser.wait_for_text("Live").await;
    browser
}
