//! Redis, so that any replica serves any request.
//!
//! A service is one small hash whose expiry is its end, so most verbs are one command or one script
//! on one key: one round trip. Everything that must change together shares the hash tag `{id}`.
//! `keys` tells what is stored, `connection` how Redis is reached, `scripts` what is atomic,
//! `cleanup` what happens after a service has ended.

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_redis::Pool;
use redis::{ScriptInvocation, cmd, pipe};
use secrecy::SecretString;
use tracing::warn;

use self::{
    binaries::{descriptor, entry},
    connection::{Connector, Lane},
    keys::{Field, Keys},
    reply::Reply,
    scripts::{CLEAR, CREATE, DELETE, MOVE_CLAIM, SET_END, WRITE},
};
use super::{
    Binary, BlobId, Changes, Claim, Created, Description, IdempotencyKey, KeyName, Moment,
    NewService, ServiceId, Slot, Store, StoreError, Value, Written,
};
use crate::settings;

mod binaries;
mod cleanup;
mod connection;
mod keys;
mod reply;
mod scripts;

/// How long what belongs to a service outlives it, for the clean-up to find.
const OWN_OUTLIVES_BY: std::time::Duration = std::time::Duration::from_secs(3_600);
/// How often a change is tried again that others got in the way of.
const ATTEMPTS: usize = 8;

/// One worker's way to Redis: a lane, and a pool beside it.
pub struct RedisStore {
    lane: Lane,
    pool: Pool,
    keys: Keys,
    connector: Connector,
    max_keys: usize,
}

impl RedisStore {
    /// Opens the way to `url` on the runtime that this is called on, and returns when it is open or
    /// the first attempt has failed; from then on it comes and goes with Redis by itself.
    ///
    /// # Errors
    /// [`StoreError::Bug`] where `url` is none that the client understands.
    pub async fn open(
        url: &SecretString,
        settings: &settings::Redis,
        max_keys: usize,
    ) -> Result<Self, StoreError> {
        let connector = Connector::new(url, settings)?;
        let pool = connector.pool()?;
        let lane = Lane::open(connector.clone());
        lane.settled().await;
        Ok(Self {
            lane,
            pool,
            keys: Keys::new(&settings.prefix),
            connector,
            max_keys,
        })
    }

    /// Adds the uploaded `binaries` to a script: their keys, and what it checks and lists.
    fn with_blobs(&self, script: &mut ScriptInvocation<'_>, id: &ServiceId, binaries: &[Binary]) {
        for binary in binaries {
            script.key(self.keys.blob(id, &binary.blob));
            script.arg(binary.chunks());
            script.arg(keys::owned_blob_field(&binary.blob));
        }
    }

    /// Gives `claim` back, or moves it to `end`, if it is this service's.
    async fn move_claim(
        &self,
        claim: &str,
        id: &ServiceId,
        end: Option<Moment>,
    ) -> Result<(), StoreError> {
        let end = end.map(|end| end.millis().to_string()).unwrap_or_default();
        let mut script = MOVE_CLAIM.prepare_invoke();
        script.key(claim).arg(id.as_str()).arg(end);
        self.lane.script(&script).await
    }
}

/// The binaries among `values`.
fn binaries_of(values: &[(KeyName, Value)]) -> Vec<Binary> {
    let binary = |(_, value): &(KeyName, Value)| match value {
        Value::Binary(binary) => Some(binary.clone()),
        Value::Text(_) => None,
    };
    values.iter().filter_map(binary).collect()
}

/// Adds a list to a script: how many, then each.
fn with_list(script: &mut ScriptInvocation<'_>, items: &[String]) {
    script.arg(items.len());
    for item in items {
        script.arg(item);
    }
}

fn conflict(id: &ServiceId) -> StoreError {
    StoreError::Conflict(format!("service {id}"))
}

#[async_trait]
impl Store for RedisStore {
    async fn claim(
        &self,
        key: &IdempotencyKey,
        id: ServiceId,
        end: Moment,
    ) -> Result<Claim, StoreError> {
        let claim = self.keys.claim(key);
        let mut both = pipe();
        both.cmd("SET").arg(&claim).arg(id.as_str()).arg("NX");
        both.arg("PXAT").arg(end.millis()).cmd("GET").arg(&claim);
        for _ in 0..ATTEMPTS {
            let (won, bound): (Option<String>, Option<String>) = self.lane.pipeline(&both).await?;
            match bound.map(ServiceId::from) {
                Some(bound) if won.is_some() => return Ok(Claim::Create(bound)),
                Some(bound) => {
                    let mut get = cmd("HGET");
                    get.arg(self.keys.service(&bound)).arg(keys::ANSWER);
                    let answer: Option<String> = self.lane.query(&get).await?;
                    return Ok(answer.map_or(Claim::Create(bound), Claim::Answered));
                }
                None => {} // it ended between the two commands
            }
        }
        Err(conflict(&id))
    }

    async fn create(&self, service: NewService) -> Result<Created, StoreError> {
        let NewService { id, end, data, .. } = service;
        let mut script = CREATE.prepare_invoke();
        script.key(self.keys.service(&id)).key(self.keys.own(&id));
        script.arg(end.millis());
        script.arg(end.after(OWN_OUTLIVES_BY).millis());
        self.with_blobs(&mut script, &id, &binaries_of(&data));
        script.arg(keys::DEFINITION).arg(service.definition);
        script.arg(keys::CREATED).arg(service.created.millis());
        script.arg(keys::END).arg(end.millis());
        if let Some(user) = service.gms_user {
            script.arg(keys::GMS_USER).arg(user);
        }
        let mut claim = None;
        if let Some((key, answer)) = service.repeatable {
            let key = claim.insert(self.keys.claim(&key));
            script.arg(keys::CLAIM).arg(&*key);
            script.arg(keys::ANSWER).arg(answer);
        }
        for (name, value) in data {
            let (field, value) = entry(name, value)?;
            script.arg(field).arg(value);
        }
        match self.lane.script(&script).await? {
            Reply::Done(_) => {
                // It was bound before anybody knew how long the service would live. Not before the
                // service stands: a slower request of the same key must not move it.
                if let Some(claim) = claim
                    && let Err(error) = self.move_claim(&claim, &id, Some(end)).await
                {
                    warn!(%id, %error, "an idempotency key ends at another time than its service");
                }
                Ok(Created::New)
            }
            Reply::UploadLost => Ok(Created::UploadLost),
            Reply::Refused(mut answer) => match answer.pop() {
                Some(answer) => Ok(Created::Before(answer)),
                None => Err(StoreError::Bug(format!(
                    "the new service id {id} is in use"
                ))),
            },
            other => Err(other.unexpected()),
        }
    }

    async fn definition(&self, id: &ServiceId) -> Result<Option<String>, StoreError> {
        let mut get = cmd("HGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        self.lane.query(&get).await
    }

    async fn describe(&self, id: &ServiceId) -> Result<Option<Description>, StoreError> {
        // Two round trips, so that no value travels, however large.
        let key = self.keys.service(id);
        let fields: Vec<String> = self.lane.query(cmd("HKEYS").arg(&key)).await?;
        let ours = [keys::DEFINITION, keys::CREATED, keys::END, keys::GMS_USER];
        let described = fields.iter().filter_map(|field| match Field::of(field) {
            Field::Binary(name) => Some((name, field)),
            Field::Text(_) | Field::Ours => None,
        });
        let (names, descriptors): (Vec<&str>, Vec<&String>) = described.unzip();
        let mut get = cmd("HMGET");
        get.arg(&key).arg(&ours).arg(&descriptors);
        let values: Vec<Option<String>> = self.lane.query(&get).await?;
        let texts = fields.iter().filter_map(|field| match Field::of(field) {
            Field::Text(name) => Some(name.to_owned()),
            Field::Binary(_) | Field::Ours => None,
        });
        reply::description(values, texts.collect(), &names)
    }

    async fn read(&self, id: &ServiceId, key: &KeyName) -> Result<Option<Slot>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(key.as_str()).arg(keys::binary_field(key));
        let slot: (Option<()>, Option<String>, Option<()>) = self.lane.query(&get).await?;
        Ok(match slot {
            (None, _, _) => None,
            (Some(()), Some(text), _) => Some(Slot::Text(text)),
            (Some(()), None, Some(())) => Some(Slot::Binary),
            (Some(()), None, None) => Some(Slot::Empty),
        })
    }

    async fn read_all(&self, id: &ServiceId) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let get = cmd("HGETALL").arg(self.keys.service(id)).to_owned();
        let mut fields: Vec<(String, String)> = self.lane.query(&get).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        fields.retain(|(field, _)| matches!(Field::of(field), Field::Text(_)));
        Ok(Some(fields))
    }

    async fn write(&self, id: &ServiceId, changes: Changes) -> Result<Written, StoreError> {
        let mut touched = Vec::with_capacity(changes.set.len() + changes.remove.len());
        let mut gone = Vec::with_capacity(changes.remove.len());
        let mut set = Vec::with_capacity(2 * changes.set.len());
        let binaries = binaries_of(&changes.set);
        for name in changes.remove {
            touched.push(keys::binary_field(&name));
            gone.push(name.into_string());
        }
        for (name, value) in changes.set {
            touched.push(keys::binary_field(&name));
            if matches!(value, Value::Binary(_)) {
                gone.push(name.as_str().to_owned());
            }
            set.extend(<[String; 2]>::from(entry(name, value)?));
        }
        let mut script = WRITE.prepare_invoke();
        script.key(self.keys.service(id)).key(self.keys.own(id));
        script.arg(self.max_keys);
        script.arg(u64::try_from(OWN_OUTLIVES_BY.as_millis()).unwrap_or(u64::MAX));
        for list in [&touched, &gone, &set] {
            with_list(&mut script, list);
        }
        self.with_blobs(&mut script, id, &binaries);
        match self.lane.script(&script).await? {
            Reply::Done(replaced) => {
                self.retire(id, replaced).await;
                Ok(Written::Stored)
            }
            Reply::Refused(_) => Ok(Written::NoService),
            Reply::UploadLost => Ok(Written::UploadLost),
            Reply::TooManyKeys => Ok(Written::TooManyKeys),
            other @ Reply::Again(_) => Err(other.unexpected()),
        }
    }

    async fn clear(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let script = CLEAR.key(self.keys.service(id));
        match self.lane.script(&script).await? {
            Reply::Done(replaced) => {
                self.retire(id, replaced).await;
                Ok(Some(()))
            }
            Reply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }

    async fn set_end(&self, id: &ServiceId, end: Moment) -> Result<Option<()>, StoreError> {
        let (mut claim, mut owned) = (String::new(), Vec::new());
        for _ in 0..ATTEMPTS {
            let mut script = SET_END.prepare_invoke();
            script.key(self.keys.service(id)).key(self.keys.own(id));
            script.arg(end.millis());
            script.arg(end.after(OWN_OUTLIVES_BY).millis()).arg(&claim);
            for (field, blob) in &owned {
                script.key(self.keys.blob(id, blob)).arg(field);
            }
            match self.lane.script(&script).await? {
                Reply::Done(_) => return Ok(Some(())),
                Reply::Refused(_) => return Ok(None),
                Reply::Again(needed) => {
                    let mut needed = needed.into_iter();
                    claim = needed.next().unwrap_or_default();
                    let blob = |field: String| Some((field.clone(), keys::owned_blob(&field)?));
                    owned = needed.filter_map(blob).collect::<Vec<(String, BlobId)>>();
                }
                other => return Err(other.unexpected()),
            }
            if !claim.is_empty() {
                self.move_claim(&claim, id, Some(end)).await?;
            }
        }
        Err(conflict(id))
    }

    async fn delete(&self, id: &ServiceId) -> Result<Option<()>, StoreError> {
        let mut claim = String::new();
        for _ in 0..ATTEMPTS {
            let mut script = DELETE.key(self.keys.service(id));
            script.arg(&claim);
            match self.lane.script(&script).await? {
                Reply::Done(_) => return Ok(Some(())),
                Reply::Refused(_) => return Ok(None),
                Reply::Again(needed) => claim = needed.concat(),
                other => return Err(other.unexpected()),
            }
            self.move_claim(&claim, id, None).await?;
        }
        Err(conflict(id))
    }

    async fn find_binary(
        &self,
        id: &ServiceId,
        key: &KeyName,
    ) -> Result<Option<Option<Binary>>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(keys::binary_field(key));
        let (alive, text): (Option<()>, Option<String>) = self.lane.query(&get).await?;
        let binary = text.map(|text| descriptor(&text)).transpose()?;
        Ok(alive.map(|()| binary))
    }

    async fn read_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
    ) -> Result<Option<Bytes>, StoreError> {
        self.get_chunk(id, blob, index).await
    }

    async fn write_chunk(
        &self,
        id: &ServiceId,
        blob: &BlobId,
        index: u64,
        chunk: &[u8],
    ) -> Result<(), StoreError> {
        self.put_chunk(id, blob, index, chunk).await
    }

    async fn discard(&self, id: &ServiceId, blobs: &[BlobId]) -> Result<(), StoreError> {
        if blobs.is_empty() {
            return Ok(()); // UNLINK wants a key
        }
        let keys: Vec<String> = blobs.iter().map(|blob| self.keys.blob(id, blob)).collect();
        self.lane.query(cmd("UNLINK").arg(keys)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.lane.query(&cmd("PING")).await
    }
}
