//! The check of keyspace notifications for operators: one probe over a dedicated subscription.

use futures_util::StreamExt;
use redis::{aio::PubSubStream, cmd};
use tokio::time::timeout;

use super::{CheckOutcome, CheckTarget, rights, server};
use crate::{
    model::{CheckResult, StoreError},
    store::redis::{
        keyspace_notifications,
        probe::{PROBE_TIMEOUT, Probe},
    },
};

pub(super) async fn check(target: &mut CheckTarget<'_>) -> Result<CheckOutcome, StoreError> {
    let mut events = target.node.subscriber().await?;
    let channels = target.node.notification_channels();
    match target
        .node
        .with_response_timeout(events.subscribe(&channels))
        .await
    {
        Ok(()) => {}
        Err(error @ StoreError::Unknown(_)) => return Err(error),
        Err(error) => return Ok(CheckOutcome::new(false, error.to_string())),
    }
    let (_sink, messages) = events.split();
    let mut probe = match Probe::write(target.store, target.node).await {
        Ok(probe) => probe,
        Err(error @ StoreError::Unknown(_)) => return Err(error),
        Err(error) => return Ok(CheckOutcome::unknown(&format!("a probe: {error}"))),
    };
    let received = timeout(PROBE_TIMEOUT, receive_probe_events(messages, &mut probe)).await;
    if received.is_ok() && probe.is_complete() {
        return Ok(CheckOutcome::new(true, "notifications arrive"));
    }
    if can_be_enabled(target).await? {
        return Ok(CheckOutcome {
            result: CheckResult::Unknown,
            detail: "disabled; Switchboard enables them when it connects".to_owned(),
            is_blocking: false,
        });
    }
    let detail = format!("missing notifications: {}", probe.missing());
    Ok(CheckOutcome::new(false, detail))
}

/// Whether the server has them disabled and permits enabling them.
async fn can_be_enabled(target: &mut CheckTarget<'_>) -> Result<bool, StoreError> {
    let flags = server::config(target, "notify-keyspace-events").await?;
    if flags.is_none_or(|flags| keyspace_notifications::flags_are_sufficient(&flags)) {
        return Ok(false);
    }
    let mut set = cmd("CONFIG");
    set.arg("SET")
        .arg("notify-keyspace-events")
        .arg(keyspace_notifications::REQUIRED_FLAGS);
    Ok(rights::is_permitted(target, &set).await? != Some(false))
}

async fn receive_probe_events(mut messages: PubSubStream, probe: &mut Probe) {
    while !probe.is_complete() {
        let Some(message) = messages.next().await else {
            return;
        };
        let key = message.get_payload::<String>().unwrap_or_default();
        probe.record(message.get_channel_name(), &key);
    }
}
