//! What happens after a service has ended: what it held outside its hash is given back.
//!
//! Redis tells every replica that `svc:{id}` is gone. Whoever gets a short claim on the id unlinks
//! what `own:{id}` lists and then `own:{id}` itself; doing it twice harms nothing. These messages are
//! fire-and-forget. What one that is lost leaves behind ends by itself with the life it was given:
//! binaries when their service would have ended, `own:{id}` an hour later.

use std::time::Duration;

use futures_util::StreamExt;
use redis::{aio::PubSub, cmd};
use tokio::time;
use tracing::{debug, info, warn};

use super::{RedisStore, keys};
use crate::store::{ServiceId, Store, StoreError};

/// Events after which a service is gone: `del` also stands for `UNLINK`.
const EVENTS: [&str; 3] = ["del", "expired", "evicted"];
/// What `notify-keyspace-events` must contain for them: keyevent channels, and those three kinds.
const FLAGS: &str = "Egxe";
/// Longest time that one replica keeps the others from cleaning up after a service.
const CLAIM_LIFE: Duration = Duration::from_secs(10);
/// How long a subscription may be silent before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);
/// Pause before a subscription is made again.
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(500);

impl RedisStore {
    /// Cleans up after services that end, for as long as it is polled.
    pub async fn clean_up(self) {
        loop {
            match self.subscribe().await {
                Ok(events) => {
                    info!("listening for services that end");
                    self.follow(events).await;
                    warn!("no longer told of services that end");
                }
                Err(error) => debug!(%error, "cannot listen for services that end yet"),
            }
            time::sleep(RESUBSCRIBE_AFTER).await;
        }
    }

    async fn subscribe(&self) -> Result<PubSub, StoreError> {
        self.turn_notifications_on().await?;
        let mut events = self.connector.subscriber().await?;
        let database = self.connector.database();
        let channels = EVENTS.map(|event| format!("__keyevent@{database}__:{event}"));
        let subscribed = events.subscribe(&channels);
        self.connector.in_time(subscribed).await?;
        Ok(events)
    }

    /// Sees to it that Redis sends what [`EVENTS`] names, and leaves other flags as they are.
    async fn turn_notifications_on(&self) -> Result<(), StoreError> {
        const NAME: &str = "notify-keyspace-events";
        let get = cmd("CONFIG").arg("GET").arg(NAME).to_owned();
        let mut set = cmd("CONFIG");
        let outcome = match self.lane.query::<(String, String)>(&get).await {
            Ok((_, flags)) => {
                let has = |flag| flags.contains(flag) || (flag != 'E' && flags.contains('A'));
                if FLAGS.chars().all(has) {
                    return Ok(());
                }
                set.arg("SET").arg(NAME).arg(format!("{flags}{FLAGS}"));
                self.lane.query::<()>(&set).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Err(StoreError::Bug(reason)) => {
                warn!(
                    reason,
                    "Redis does not let this service see to {NAME}. Set it to \"{FLAGS}\" in Redis, \
                     or what services held is kept until the time they were made to end at"
                );
                Ok(())
            }
            other => other,
        }
    }

    /// Returns when the subscription is lost. Silence may mean that nothing ends, or that Redis is no
    /// longer at the other end and nobody said so; asking tells.
    async fn follow(&self, events: PubSub) {
        let (mut asking, mut messages) = events.split();
        loop {
            let message = match time::timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(_elapsed) => match self.connector.in_time(asking.ping::<()>()).await {
                    Ok(()) => continue,
                    Err(_lost) => return,
                },
            };
            let Ok(key) = message.get_payload::<String>() else {
                continue;
            };
            if let Some(id) = self.keys.service_id(&key)
                && let Err(error) = self.give_back(&id).await
            {
                warn!(%id, %error, "what an ended service held is not given back yet");
            }
        }
    }

    /// Gives back what a service held, if it is gone and nobody else is at it.
    async fn give_back(&self, id: &ServiceId) -> Result<(), StoreError> {
        let own = self.keys.own(id);
        let fields: Vec<String> = self.lane.query(cmd("HKEYS").arg(&own)).await?;
        if fields.is_empty() || self.definition(id).await?.is_some() {
            return Ok(());
        }
        let mut claim = cmd("SET");
        claim.arg(self.keys.cleaning(id)).arg("").arg("NX");
        claim
            .arg("PX")
            .arg(u64::try_from(CLAIM_LIFE.as_millis()).unwrap_or(u64::MAX));
        if self.lane.query::<Option<String>>(&claim).await?.is_none() {
            return Ok(());
        }
        let blobs = fields.iter().filter_map(|field| keys::owned_blob(field));
        let mut unlink = cmd("UNLINK");
        for blob in blobs {
            unlink.arg(self.keys.blob(id, &blob));
        }
        unlink.arg(own).arg(self.keys.cleaning(id));
        self.lane.query(&unlink).await
    }
}
