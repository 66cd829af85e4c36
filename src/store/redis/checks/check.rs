//! A check of a server, its result, and its target.

use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection};

use crate::{
    model::{CheckResult, CheckRow, StoreError},
    store::redis::{
        RedisStore,
        connection::{Node, store_error},
    },
};

/// A check.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// The action to take if it fails.
    pub(super) action: &'static str,
    pub(super) run:
        for<'a> fn(&'a mut CheckTarget<'_>) -> BoxFuture<'a, Result<CheckOutcome, StoreError>>,
}

/// The result of a check.
pub(super) struct CheckOutcome {
    pub(super) result: CheckResult,
    pub(super) detail: String,
    pub(super) is_blocking: bool,
}

impl CheckOutcome {
    pub(super) fn new(passed: bool, detail: impl Into<String>) -> Self {
        let result = if passed {
            CheckResult::Pass
        } else {
            CheckResult::Fail
        };
        Self {
            result,
            detail: detail.into(),
            is_blocking: false,
        }
    }

    pub(super) fn unknown(denied: &str) -> Self {
        Self {
            result: CheckResult::Unknown,
            detail: format!("Redis does not permit {denied}"),
            is_blocking: false,
        }
    }
}

/// The target of the checks: one server.
pub(super) struct CheckTarget<'a> {
    pub(super) store: &'a RedisStore,
    pub(super) node: &'a Node,
    pub(super) connection: MultiplexedConnection,
    /// The server's description of itself, once it has been queried.
    pub(super) server_info: Option<ServerInfo>,
}

impl<'a> CheckTarget<'a> {
    pub(super) async fn new(store: &'a RedisStore, node: &'a Node) -> Result<Self, StoreError> {
        Ok(Self {
            store,
            node,
            connection: node.dedicated_connection().await?,
            server_info: None,
        })
    }

    /// Sends a command; `None` if the server rejects it.
    ///
    /// # Errors
    /// If the server is unreachable.
    pub(super) async fn query<T: FromRedisValue>(
        &mut self,
        command: &Cmd,
    ) -> Result<Option<T>, StoreError> {
        let reply = command.query_async(&mut self.connection).await;
        match reply.map_err(|error| store_error(&error)) {
            Ok(value) => Ok(Some(value)),
            Err(error @ StoreError::Unknown(_)) => Err(error),
            Err(_rejected) => Ok(None),
        }
    }

    /// Runs the given checks.
    pub(super) async fn run(
        &mut self,
        checks: impl Iterator<Item = &Check>,
    ) -> Result<Vec<CheckRow>, StoreError> {
        let mut rows = Vec::new();
        for Check { name, action, run } in checks {
            let CheckOutcome {
                result,
                detail,
                is_blocking,
            } = run(self).await?;
            rows.push(CheckRow {
                server: self.node.name(),
                check: name,
                result,
                detail,
                action,
                is_blocking,
            });
        }
        Ok(rows)
    }
}

/// The server's description of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerInfo {
    pub(super) server: Option<String>,
    pub(super) version: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) role: Option<String>,
}
