//! Fixture of the tests of operators: replicas with an operator of each role.

use reqwest::{Method, RequestBuilder};

use super::fixture::ADMIN_SETTINGS;
use crate::{
    api::chat::agents::fixture::hash,
    support::{TestApp, random_prefix},
};

/// The operators and their passwords. The names have the roles viewer, operator and admin.
pub(crate) const VERA: (&str, &str) = ("vera", "reads only");
pub(crate) const OLGA: (&str, &str) = ("olga", "acts: too");
pub(crate) const ADA: (&str, &str) = ("ada", "all of it");

/// The value of `operators.users` with these operators.
pub(crate) fn users(operators: &[(&str, &str)]) -> String {
    let entry = |operator: &(&str, &str)| {
        let role = match *operator {
            (name, _) if name == VERA.0 => "viewer",
            (name, _) if name == OLGA.0 => "operator",
            _ => "admin",
        };
        format!("{}:{role}:{}", operator.0, hash(operator.1))
    };
    operators.iter().map(entry).collect::<Vec<_>>().join("\n")
}

/// A replica with the three operators and the admin password, on the same kind of store as `app`.
pub(crate) async fn start_with_operators(app: &TestApp) -> TestApp {
    start_replica_with(app, &random_prefix(), &users(&[VERA, OLGA, ADA])).await
}

/// A replica with these operators.
pub(crate) async fn start_replica_with(app: &TestApp, prefix: &str, users: &str) -> TestApp {
    let settings = [&ADMIN_SETTINGS[..], &[("operators.users", users)]].concat();
    TestApp::start(app.redis.clone(), prefix, &settings).await
}

/// A request of an operator; `path` is below `/genesys/1/admin/`.
pub(crate) fn request_as(
    app: &TestApp,
    operator: (&str, &str),
    method: Method,
    path: &str,
) -> RequestBuilder {
    let request = app.request(method, &format!("/genesys/1/admin/{path}"));
    request.basic_auth(operator.0, Some(operator.1))
}
