//! What tests about access numbers are made of: catalogues, requests, and a look into the books.

use std::{sync::Arc, time::Duration};

use redis::{aio::MultiplexedConnection, cmd};
use serde_json::Value;
use switchboard::{
    app,
    store::{
        AccessNumber, Audit, BookingRequest, Changes, Group, KeyName, NewService, ServiceId, Store,
        Strategy, memory::MemoryStore, redis::RedisStore,
    },
};

use super::{Answer, Bodies, TestApp, TestRedis, now, random_prefix, settings};
pub(crate) use super::{catalogue::Catalogue, eventually, multipart::Multipart, program};

/// The builtins under their own names, without options.
const SERVICES: &str = r#"
[services.store]
_type = "builtin"
_service = "store"

[services.request-interaction]
_type = "builtin"
_service = "request-interaction"

[services.request-access]
_type = "builtin"
_service = "request-access"

[services.match-interaction]
_type = "builtin"
_service = "match-interaction"

"#;

/// A catalogue of the builtins and `more`, as TOML.
pub(crate) fn catalogue(more: &str) -> Catalogue {
    Catalogue::of(&format!("{SERVICES}{more}"))
}

/// A configured service, as TOML; lines that follow add options.
pub(crate) fn service(name: &str, builtin: &str) -> String {
    format!("[services.{name}]\n_type = \"builtin\"\n_service = \"{builtin}\"\n")
}

/// A resource group, as TOML; lines that follow add options.
pub(crate) fn group(name: &str, strategy: &str, numbers: &[&str]) -> String {
    format!("[resources.{name}]\n_allocation_strategy = \"{strategy}\"\nnumbers = {numbers:?}\n")
}

/// The group that is asked where nobody names one, with as many numbers.
pub(crate) fn default_group(strategy: &str, count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    group("DNIS", strategy, &numbers)
}

/// Number `n` of such a group.
pub(crate) fn number(n: usize) -> String {
    format!("800{:07}", 5_550_000 + n)
}

/// A service beside `app`, on a store of the same kind, that serves the builtins and `more`.
pub(crate) async fn serving(app: &TestApp, more: &str) -> TestApp {
    serving_with(app, more, &[]).await
}

/// The same with other settings beside.
pub(crate) async fn serving_with(app: &TestApp, more: &str, others: &[(&str, &str)]) -> TestApp {
    // It is read when the service starts, and never again.
    let catalogue = catalogue(more);
    let mut overrides = vec![("catalog.file", catalogue.path())];
    overrides.extend_from_slice(others);
    TestApp::start(app.redis.clone(), &random_prefix(), &overrides).await
}

/// The answer of the configured service `name` to a form.
pub(crate) async fn ask(app: &TestApp, name: &str, form: &str) -> Answer {
    let request = app.post(&format!("/genesys/1/service/{name}"));
    Answer::of(request.form_body(form)).await
}

/// A number that was given.
#[derive(Debug, Clone)]
pub(crate) struct Booked {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) code: Option<String>,
    /// The whole answer.
    pub(crate) told: Value,
}

impl Booked {
    /// What a 200 tells. One of `request-access` has no `_id`.
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        let member = |name: &str| told[name].as_str().map(str::to_owned);
        Self {
            id: member("_id").unwrap_or_default(),
            number: member("_access_number").unwrap(),
            code: member("_access_code"),
            told,
        }
    }

    pub(crate) fn code(&self) -> &str {
        self.code.as_deref().unwrap()
    }

    /// The path of the service.
    pub(crate) fn service(&self) -> String {
        format!("/genesys/1/service/{}", self.id)
    }

    /// A member of the answer that is a number.
    pub(crate) fn count(&self, member: &str) -> u64 {
        self.told[member].as_str().unwrap().parse().unwrap()
    }
}

/// Makes a service and has a number given to it.
pub(crate) async fn book(app: &TestApp, form: &str) -> Booked {
    Booked::of(&ask(app, "request-interaction", form).await)
}

/// Has a number given to the service `id`.
pub(crate) async fn book_more(app: &TestApp, id: &str, form: &str) -> Booked {
    let form = format!("_id={id}&{form}");
    Booked::of(&ask(app, "request-access", &form).await)
}

/// Checks that no number is to be had, and gives the seconds after which one may be.
pub(crate) async fn none_free(app: &TestApp, form: &str) -> u64 {
    let answer = ask(app, "request-interaction", form).await;
    answer.message_of("NoAccessNumber", 503);
    answer.header("retry-after").parse().unwrap()
}

/// The id of the service that a call is for.
pub(crate) async fn matched(app: &TestApp, form: &str) -> String {
    let answer = ask(app, "match-interaction", form).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["_id"].as_str().unwrap().to_owned()
}

/// Checks that a call is for nobody.
pub(crate) async fn no_match(app: &TestApp, form: &str) {
    let answer = ask(app, "match-interaction", form).await;
    answer.message_of("NoMatch", 404);
}

/// Ends a service.
pub(crate) async fn end(app: &TestApp, booked: &Booked) {
    let answer = Answer::of(app.delete(&booked.service())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Moves the end of a service.
pub(crate) async fn move_end(app: &TestApp, booked: &Booked, form: &str) {
    let request = app.request(reqwest::Method::PUT, &booked.service());
    let answer = Answer::of(request.form_body(form)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Waits until a number is to be had, and takes it.
pub(crate) async fn book_when_free(app: &TestApp, form: &str) -> Booked {
    eventually("a number is free", async || {
        let answer = ask(app, "request-interaction", form).await;
        if answer.status == 503 {
            answer.message_of("NoAccessNumber", 503);
            return None;
        }
        Some(Booked::of(&answer))
    })
    .await
}

/// Waits until the clock shows another millisecond.
pub(crate) async fn tick() {
    let then = now();
    let on = async || (now() > then.after(Duration::from_millis(1))).then_some(());
    eventually("the clock goes on", on).await;
}

/// What an operator is told of the books behind `app`, which is on Redis.
pub(crate) async fn audit(app: &TestApp, more: &str) -> Audit {
    let (catalogue, redis) = (catalogue(more), app.redis.as_ref().unwrap().settings());
    let mut all = vec![
        ("redis.prefix", app.prefix.as_str()),
        ("catalog.file", catalogue.path()),
    ];
    all.extend(redis.iter().map(|(name, value)| (*name, value.as_str())));
    app::audit(&settings(&all)).await.unwrap()
}

/// The Redis keys behind `app`, `pattern` after its prefix; none on the embedded store.
pub(crate) async fn keys(app: &TestApp, pattern: &str) -> Vec<String> {
    let Some(redis) = &app.redis else {
        return Vec::new();
    };
    redis.keys(&format!("{}{pattern}", app.prefix)).await
}

/// The Redis keys that fit `pattern`.
pub(crate) async fn keys_in(connection: &mut MultiplexedConnection, pattern: &str) -> Vec<String> {
    let keys = cmd("KEYS").arg(pattern).to_owned();
    keys.query_async(connection).await.unwrap()
}

/// A store on a Redis, without anybody who cleans up.
pub(crate) async fn store_on(redis: &TestRedis, prefix: &str) -> RedisStore {
    let url = redis.url();
    let settings = settings(&[("redis.prefix", prefix), ("redis.url", &url)]).redis;
    RedisStore::open(&settings, 1_000).await.unwrap()
}

/// An empty store of each kind, by name, and what the one on Redis needs: its server and its prefix.
pub(crate) async fn stores() -> (Arc<TestRedis>, String, [(&'static str, Arc<dyn Store>); 2]) {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let on_redis: Arc<dyn Store> = Arc::new(store_on(&redis, &prefix).await);
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(1 << 30, 1_000));
    (redis, prefix, [("memory", memory), ("redis", on_redis)])
}

/// A group as a store wants it, with as many numbers.
pub(crate) fn pool(strategy: Strategy, count: usize) -> Arc<Group> {
    let number = |n| AccessNumber {
        text: number(n),
        subscriber: format!("+1{}", number(n)),
    };
    Arc::new(Group {
        name: "DNIS".to_owned(),
        strategy,
        numbers: (0..count).map(number).collect(),
        backup: None,
        version: format!("v{count}"),
    })
}

/// A wish for a number that is held for so many milliseconds.
pub(crate) fn wish(millis: u64) -> BookingRequest {
    BookingRequest {
        caller: None,
        region: String::new(),
        codes: None,
        timeout: Duration::from_millis(millis),
        tell_pool: true,
    }
}

/// A service that lives for so many milliseconds.
pub(crate) async fn living(store: &dyn Store, millis: u64) -> ServiceId {
    let (id, now) = (ServiceId::fresh(), now());
    let service = NewService {
        id: id.clone(),
        definition: "store".to_owned(),
        created: now,
        end: now.after(Duration::from_millis(millis)),
        gms_user: None,
        data: Vec::new(),
        booking: None,
        repeatable: None,
    };
    store.create(service).await.unwrap();
    id
}

/// Writes a string to a service; whether it lives.
pub(crate) async fn write(store: &dyn Store, id: &ServiceId) -> bool {
    let name = KeyName::new("a".to_owned()).unwrap();
    let set = vec![(name, switchboard::store::Value::Text("1".to_owned()))];
    let changes = Changes {
        set,
        remove: Vec::new(),
    };
    store.write(id, changes).await.unwrap() == switchboard::store::Written::Stored
}
