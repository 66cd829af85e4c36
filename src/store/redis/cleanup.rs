//! What happens after a service has ended: what it held outside its hash is given back.
//!
//! Redis tells every replica that `svc:{id}` is gone. One of them, whoever has the lease, asks
//! `take_own.lua`, which decides in one step that the service is over (a forged or late message about
//! a living one does nothing) and what it held; that is given back, and then the list of it is
//! dropped. Every step may be done twice. Redis' messages are fire-and-forget, so every few seconds the
//! same replica also sweeps the index for ids that are due, and the groups for bookings that have run
//! out. If it dies, another one has the lease within seconds.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use redis::{Cmd, cmd};
use tokio::{
    sync::{mpsc, watch},
    time,
};
use tracing::{debug, info, warn};
use uuid::Uuid;

mod reconcile;

use super::{
    RedisStore,
    connection::typed,
    keys::{self, Owned},
    millis,
    reply::Reply,
    scripts::{LEASE, LOOK_AGAIN, TAKE_OWN, call},
    sessions::Over,
};
use crate::{
    model::readiness::Readiness,
    store::{BookingId, Groups, Moment, ServiceId, Sessions, StoreError},
    telemetry::metrics::{CLEANUP_ACTIVE, CLEANUP_FAILURES, CLEANUP_SERVICES},
};

/// How long a replica that dies keeps the others from cleaning up, and how often it says it lives.
const LEASE_LIFE: Duration = Duration::from_secs(5);
const LEASE_RENEWED: Duration = Duration::from_secs(1);
/// How often the index and the groups are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How often the groups are walked through for bookings of services that are gone.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(10);
/// Services given back in one go: as many as Redis works off in about a millisecond.
const BATCH: usize = 64;
/// Ended services that may wait to be given back; the sweep finds what does not fit.
const QUEUE: usize = 100_000;
/// Services whose sessions may wait to be ended; the sweep finds what does not fit.
const SESSIONS: usize = 10_000;
/// Added to the time that ending a session may take: for what is waiting before it.
const LOOK_MARGIN: Duration = Duration::from_secs(5);
/// Bookings that have run out, given back in one go.
const LAPSED: usize = 200;
/// When a service whose list cannot be understood is looked at again.
const LOOK_LATER: Duration = Duration::from_secs(60);

/// A service that is over, as far as is known.
struct Ended {
    id: ServiceId,
    /// When it was to be looked after, where it was found in the index; else Redis told of it.
    due: Option<i64>,
}

impl Ended {
    fn told(id: ServiceId) -> Self {
        Self { id, due: None }
    }

    fn listed((id, due): (String, i64)) -> Self {
        Self {
            id: ServiceId::from(id),
            due: Some(due),
        }
    }
}

/// One replica's part in the clean-up.
struct Cleaner<'a> {
    store: &'a RedisStore,
    groups: watch::Receiver<Groups>,
    /// Where sessions go that are to be ended, and after which time somebody looks whether they were.
    over: mpsc::Sender<Over>,
    look_again: Duration,
    replica: String,
    leads: bool,
    /// Tells whoever does what only one replica is to do.
    tell: watch::Sender<bool>,
    renewed: time::Instant,
    swept: Option<time::Instant>,
    reconciled: Option<time::Instant>,
}

impl RedisStore {
    /// Cleans up after services that end, and keeps `groups` filled, for as long as it is polled.
    /// What is wrong with Redis is reported to `readiness` where it keeps requests from being served.
    /// Sessions that they held are ended by `sessions`, beside everything else: a backend that does
    /// not answer holds nothing up.
    pub async fn clean_up(
        self: Arc<Self>,
        groups: watch::Receiver<Groups>,
        sessions: Arc<dyn Sessions>,
        readiness: Readiness,
    ) {
        let (ended, queue) = mpsc::channel(QUEUE);
        let (over, held) = mpsc::channel(SESSIONS);
        let (tell, leads) = watch::channel(false);
        let surveyed = groups.clone();
        let mut cleaner = Cleaner {
            store: &self,
            groups,
            over,
            look_again: sessions.patience() + LOOK_MARGIN,
            replica: Uuid::new_v4().to_string(),
            leads: false,
            tell,
            renewed: time::Instant::now(),
            swept: None,
            reconciled: None,
        };
        let ending = self.end_sessions(held, &*sessions);
        let survey = self.survey(surveyed, leads);
        let checks = self.watch_servers(&readiness);
        tokio::join!(
            self.listen(ended),
            cleaner.work(queue),
            ending,
            survey,
            checks
        );
    }
}

impl Cleaner<'_> {
    async fn work(&mut self, mut queue: mpsc::Receiver<ServiceId>) {
        let mut ended = Vec::with_capacity(BATCH);
        let mut failing = false;
        let mut ticks = time::interval(LEASE_RENEWED);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            let worked = tokio::select! {
                biased;
                _ = ticks.tick() => self.tick().await,
                Ok(()) = self.groups.changed() => self.fill_groups().await,
                _ = queue.recv_many(&mut ended, BATCH) => {
                    let told: Vec<Ended> = ended.drain(..).map(Ended::told).collect();
                    if self.leads { self.give_back_all(&told).await } else { Ok(()) }
                }
            };
            match (&worked, failing) {
                (Err(error), false) => warn!(%error, "the clean-up stands still, and tries again"),
                (Err(error), true) => debug!(%error, "the clean-up still stands still"),
                (Ok(()), true) => info!("the clean-up goes on"),
                (Ok(()), false) => {}
            }
            failing = worked.is_err();
            CLEANUP_FAILURES.add(u64::from(failing));
        }
    }

    async fn tick(&mut self) -> Result<(), StoreError> {
        self.renew().await?;
        let due = self
            .swept
            .is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY);
        if self.leads && due {
            self.sweep().await?;
            self.swept = Some(time::Instant::now());
            self.fill_groups().await?;
            let due = self
                .reconciled
                .is_none_or(|reconciled| reconciled.elapsed() >= RECONCILE_INTERVAL);
            if due {
                self.reconcile().await?;
                self.reconciled = Some(time::Instant::now());
            }
        }
        Ok(())
    }

    /// One replica decides what the groups consist of, so that two catalogues do not take turns.
    async fn fill_groups(&mut self) -> Result<(), StoreError> {
        if !self.leads {
            return Ok(());
        }
        let groups = self.groups.borrow_and_update().clone();
        for group in &groups.current {
            self.store.fill_group(group).await?;
            self.stay().await?;
        }
        for group in &groups.retired {
            self.store.empty_group(group).await?;
        }
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), StoreError> {
        let mut lease = call(&LEASE, &[self.store.keys.cleaner()]);
        lease.arg(&self.replica).arg(millis(LEASE_LIFE));
        let leads: Result<bool, StoreError> = self.store.redis.query(&lease).await;
        let led = self.leads;
        self.leads = *leads.as_ref().unwrap_or(&false);
        CLEANUP_ACTIVE.set(self.leads);
        self.tell
            .send_if_modified(|told| mem::replace(told, self.leads) != self.leads);
        self.renewed = time::Instant::now();
        match (led, self.leads) {
            (false, true) => info!("this replica cleans up after services"),
            (true, false) => info!("this replica no longer cleans up after services"),
            _ => {}
        }
        leads.map(drop)
    }

    /// Gives back what is due by the books, whatever Redis told.
    async fn sweep(&mut self) -> Result<(), StoreError> {
        loop {
            let mut look = Vec::new();
            let now = self.store.redis.now()?.millis();
            for shard in 0..keys::SHARDS {
                let mut due = cmd("ZRANGEBYSCORE");
                due.arg(self.store.keys.shard(shard)).arg("-inf").arg(now);
                due.arg("WITHSCORES").arg("LIMIT").arg(0).arg(BATCH);
                look.push(due);
            }
            let mut due = Vec::new();
            for shard in self.store.redis.at_once(look).await? {
                let listed: Vec<(String, i64)> = typed(shard)?;
                due.extend(listed.into_iter().map(Ended::listed));
            }
            if due.is_empty() {
                break;
            }
            for batch in due.chunks(BATCH) {
                self.give_back_all(batch).await?;
            }
        }
        let groups = self.groups.borrow().clone();
        let current = groups.current.iter().map(|group| &group.name);
        for group in current.chain(&groups.retired) {
            while self.store.reclaim(group, LAPSED).await? == LAPSED {
                self.stay().await?;
            }
        }
        // Last, and whatever becomes of it: it is a list to look at, and nothing depends on it.
        if let Err(error) = self.store.forget_ended().await {
            debug!(%error, "the list of services has some in it that have ended");
        }
        Ok(())
    }

    /// Renews the lease when it is time, in the middle of much work.
    async fn stay(&mut self) -> Result<(), StoreError> {
        if self.renewed.elapsed() >= LEASE_RENEWED {
            self.renew().await?;
        }
        Ok(())
    }

    async fn give_back_all(&mut self, ended: &[Ended]) -> Result<(), StoreError> {
        self.stay().await?;
        match self.give_back(ended).await {
            Err(StoreError::Bug(_) | StoreError::Corrupt(_)) => {}
            other => return other,
        }
        // Something among them cannot be given back; it must not keep the others from it.
        for one in ended {
            let Ended { id, due } = one;
            let one = self.give_back(std::slice::from_ref(one)).await;
            if let Err(error @ (StoreError::Bug(_) | StoreError::Corrupt(_))) = one {
                warn!(id = %id.hint(), %error, "what an ended service held cannot be given back");
                if let Some(due) = due {
                    let later = self.store.redis.now()?.after(LOOK_LATER);
                    let again = self.store.look_again(id, *due, later);
                    self.store.redis.query::<()>(&again).await?;
                }
            } else {
                one?;
            }
        }
        Ok(())
    }

    /// Gives back what those of `ended` held that are over: four round trips for all of them. One that
    /// holds a session stays listed until that is ended.
    async fn give_back(&self, ended: &[Ended]) -> Result<(), StoreError> {
        let (store, now) = (self.store, self.store.redis.now()?);
        let take = |Ended { id, .. }: &Ended| {
            let mut take = call(&TAKE_OWN, &[store.keys.service(id), store.keys.own(id)]);
            take.arg(now.millis());
            take
        };
        let replies = store
            .redis
            .at_once(ended.iter().map(take).collect())
            .await?;
        let (mut give, mut lists, mut index) = (Vec::new(), Vec::new(), Vec::new());
        let (mut over, mut given) = (Vec::new(), 0);
        let mut bookings: HashMap<String, Vec<BookingId>> = HashMap::new();
        for (Ended { id, due }, reply) in ended.iter().zip(replies) {
            match typed(reply)? {
                Reply::Done(held) => {
                    let (mut blobs, mut sessions) = (Vec::new(), Vec::new());
                    let mut held = held.into_iter();
                    let since = held.next().and_then(|since| since.parse().ok());
                    let held: Vec<String> = held.collect();
                    for field in held.iter().filter(|field| *field != keys::OVER) {
                        let owned = Owned::of(field);
                        let unknown = || {
                            StoreError::Corrupt(format!("service {} holds {field:?}", id.hint()))
                        };
                        match owned.ok_or_else(unknown)? {
                            Owned::Blob(blob) => blobs.push(store.keys.blob(id, &blob)),
                            Owned::Booking(group, booking) => {
                                bookings.entry(group).or_default().push(booking);
                            }
                            Owned::Session(session) => sessions.push(session),
                        }
                    }
                    if !blobs.is_empty() {
                        give.push(cmd("UNLINK").arg(blobs).to_owned());
                    }
                    if !sessions.is_empty() {
                        index.push(store.look_at(id, now.after(self.look_again)));
                        over.push(Over {
                            id: id.clone(),
                            sessions,
                            since: since.map_or(now, Moment::from_millis),
                        });
                    } else if due.is_some() || !held.is_empty() {
                        given += u64::from(!held.is_empty());
                        lists.push(cmd("UNLINK").arg(store.keys.own(id)).to_owned());
                        let mut remove = cmd("ZREM");
                        remove.arg(store.keys.index(id)).arg(id.as_str());
                        index.push(remove);
                    }
                }
                // It lives; where the index says otherwise, its end was moved.
                Reply::Refused(end) => {
                    let Some(due) = due else { continue };
                    let end = end.first().and_then(|end| end.parse().ok()).unwrap_or(0);
                    let soon = store.redis.now()?.after(Duration::from_secs(1));
                    let when = Moment::from_millis(end).max(soon);
                    index.push(store.look_again(id, *due, when));
                }
                other => return Err(other.unexpected()),
            }
        }
        for (group, bookings) in &bookings {
            let bookings: Vec<&BookingId> = bookings.iter().collect();
            give.push(store.release_call(group, &bookings));
        }
        store.redis.at_once(give).await?;
        // In this order: an entry without a list is taken off by the sweep, a list without an entry stays.
        store.redis.at_once(lists).await?;
        store.redis.at_once(index).await?;
        CLEANUP_SERVICES.add(given);
        for one in over {
            drop(self.over.try_send(one));
        }
        Ok(())
    }
}

impl RedisStore {
    /// Has the sweep look after `id` at `when` and not when it was due, unless that was changed since.
    fn look_again(&self, id: &ServiceId, due: i64, when: Moment) -> Cmd {
        let mut again = call(&LOOK_AGAIN, &[self.keys.index(id)]);
        again.arg(id.as_str()).arg(due).arg(when.millis());
        again
    }
}
