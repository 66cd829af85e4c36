//! Helpers of tests of access numbers: catalogs, requests, and direct access to bookings.

use std::{sync::Arc, time::Duration};

use redis::{aio::MultiplexedConnection, cmd};
use serde_json::Value;
use switchboard::{
    app,
    model::{
        AccessNumber, AllocationStrategy, BookResult, Booking, BookingOwner, BookingRequest,
        Changes, ConsistencyReport, Group, KeyName, NewService, ServiceId,
    },
    store::{Store, memory::MemoryStore, redis::RedisStore},
    telemetry::metrics::RedisMetrics,
};

use super::{Bodies, TestApp, TestRedis, TestResponse, now, random_prefix, settings};
pub(crate) use super::{catalog::CatalogFile, eventually, multipart::Multipart, program};

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

/// A catalog file with the builtins and `more`, as TOML.
pub(crate) fn catalog(more: &str) -> CatalogFile {
    CatalogFile::new(&format!("{SERVICES}{more}"))
}

/// A configured service, as TOML; appended lines are further options.
pub(crate) fn service_toml(name: &str, builtin: &str) -> String {
    format!("[services.{name}]\n_type = \"builtin\"\n_service = \"{builtin}\"\n")
}

/// A resource group, as TOML; appended lines are further options.
pub(crate) fn group_toml(name: &str, strategy: &str, numbers: &[&str]) -> String {
    format!("[resources.{name}]\n_allocation_strategy = \"{strategy}\"\nnumbers = {numbers:?}\n")
}

/// The default resource group, with `count` numbers.
pub(crate) fn default_group_toml(strategy: &str, count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    group_toml("DNIS", strategy, &numbers)
}

/// Number `n` of the default group.
pub(crate) fn number(n: usize) -> String {
    format!("800{:07}", 5_550_000 + n)
}

/// A service with the builtins and `more`, on a store of the same kind as `app`.
pub(crate) async fn start_app(app: &TestApp, more: &str) -> TestApp {
    start_app_with(app, more, &[]).await
}

/// The same with further settings.
pub(crate) async fn start_app_with(app: &TestApp, more: &str, others: &[(&str, &str)]) -> TestApp {
    // The file is read only once, at startup.
    let catalog = catalog(more);
    let mut overrides = vec![("catalog.file", catalog.path())];
    overrides.extend_from_slice(others);
    TestApp::start(app.redis.clone(), &random_prefix(), &overrides).await
}

/// The response of the configured service `name` to a form.
pub(crate) async fn create(app: &TestApp, name: &str, form: &str) -> TestResponse {
    let request = app.post(&format!("/genesys/1/service/{name}"));
    TestResponse::send(request.form_body(form)).await
}

/// A booked number.
#[derive(Debug, Clone)]
pub(crate) struct Booked {
    pub(crate) id: String,
    pub(crate) number: String,
    pub(crate) code: Option<String>,
    /// The whole response.
    pub(crate) response: Value,
}

impl Booked {
    /// Parses a 200 response. One of `request-access` has no `_id`.
    pub(crate) fn from_response(response: &TestResponse) -> Self {
        assert_eq!(response.status, 200, "{}", response.text());
        let response = response.json();
        let member = |name: &str| response[name].as_str().map(str::to_owned);
        Self {
            id: member("_id").unwrap_or_default(),
            number: member("_access_number").unwrap(),
            code: member("_access_code"),
            response,
        }
    }

    pub(crate) fn code(&self) -> &str {
        self.code.as_deref().unwrap()
    }

    /// The path of the service.
    pub(crate) fn service_path(&self) -> String {
        format!("/genesys/1/service/{}", self.id)
    }

    /// A numeric member of the response.
    pub(crate) fn count(&self, member: &str) -> u64 {
        self.response[member].as_str().unwrap().parse().unwrap()
    }
}

/// Creates a service with a booked number.
pub(crate) async fn book_number(app: &TestApp, form: &str) -> Booked {
    Booked::from_response(&create(app, "request-interaction", form).await)
}

/// Books a number for the service `id`.
pub(crate) async fn book_another(app: &TestApp, id: &str, form: &str) -> Booked {
    let form = format!("_id={id}&{form}");
    Booked::from_response(&create(app, "request-access", &form).await)
}

/// Asserts that no number is free, and returns `Retry-After`.
pub(crate) async fn assert_none_free(app: &TestApp, form: &str) -> u64 {
    let response = create(app, "request-interaction", form).await;
    response.error_message("NoAccessNumber", 503);
    response.header("retry-after").parse().unwrap()
}

/// The id of the service that matches a call.
pub(crate) async fn match_call(app: &TestApp, form: &str) -> String {
    let response = create(app, "match-interaction", form).await;
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["_id"].as_str().unwrap().to_owned()
}

/// Asserts that no service matches a call.
pub(crate) async fn assert_no_match(app: &TestApp, form: &str) {
    let response = create(app, "match-interaction", form).await;
    response.error_message("NoMatch", 404);
}

/// Ends a service.
pub(crate) async fn delete_service(app: &TestApp, booked: &Booked) {
    let response = TestResponse::send(app.delete(&booked.service_path())).await;
    assert_eq!(response.status, 200, "{}", response.text());
}

/// Sets the expiration time of a service.
pub(crate) async fn set_end(app: &TestApp, booked: &Booked, form: &str) {
    let request = app.request(reqwest::Method::PUT, &booked.service_path());
    let response = TestResponse::send(request.form_body(form)).await;
    assert_eq!(response.status, 200, "{}", response.text());
}

/// Waits until a number is free, and books it.
pub(crate) async fn book_when_free(app: &TestApp, form: &str) -> Booked {
    eventually("a number is free", async || {
        let response = create(app, "request-interaction", form).await;
        if response.status == 503 {
            response.error_message("NoAccessNumber", 503);
            return None;
        }
        Some(Booked::from_response(&response))
    })
    .await
}

/// Waits for the next millisecond of the clock.
pub(crate) async fn wait_for_clock_tick() {
    let start = now();
    let has_ticked = async || (now() > start.after(Duration::from_millis(1))).then_some(());
    eventually("the clock advances", has_ticked).await;
}

/// The consistency report about the bookings of `app`, which is on Redis.
pub(crate) async fn verify_bookings(app: &TestApp, more: &str) -> ConsistencyReport {
    let (catalog, redis) = (catalog(more), app.redis.as_ref().unwrap().settings());
    let mut all = vec![
        ("redis.prefix", app.prefix.as_str()),
        ("catalog.file", catalog.path()),
    ];
    all.extend(redis.iter().map(|(name, value)| (*name, value.as_str())));
    app::verify_bookings(&settings(&all)).await.unwrap()
}

/// The Redis keys of `app` that match `pattern` after the prefix; none on the embedded store.
pub(crate) async fn keys(app: &TestApp, pattern: &str) -> Vec<String> {
    let Some(redis) = &app.redis else {
        return Vec::new();
    };
    redis.keys(&format!("{}{pattern}", app.prefix)).await
}

/// The Redis keys that match `pattern`.
pub(crate) async fn keys_in(connection: &mut MultiplexedConnection, pattern: &str) -> Vec<String> {
    let keys = cmd("KEYS").arg(pattern).to_owned();
    keys.query_async(connection).await.unwrap()
}

/// A store on Redis, without cleanup.
pub(crate) async fn redis_store(redis: &TestRedis, prefix: &str) -> RedisStore {
    let url = redis.url();
    let settings = settings(&[("redis.prefix", prefix), ("redis.url", &url)]).redis;
    RedisStore::open(&settings, 1_000, &RedisMetrics::default())
        .await
        .unwrap()
}

/// An empty store of each kind, by name, and the server and prefix of the one on Redis.
pub(crate) async fn stores() -> (Arc<TestRedis>, String, [(&'static str, Arc<dyn Store>); 2]) {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let on_redis: Arc<dyn Store> = Arc::new(redis_store(&redis, &prefix).await);
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(1 << 30, 1_000));
    (redis, prefix, [("memory", memory), ("redis", on_redis)])
}

/// A resource group in the type of the store, with `count` numbers.
pub(crate) fn resource_group(strategy: AllocationStrategy, count: usize) -> Arc<Group> {
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

/// A request for a booking with this timeout.
pub(crate) fn booking_request(millis: u64) -> BookingRequest {
    BookingRequest {
        caller: None,
        region: String::new(),
        codes: None,
        timeout: Duration::from_millis(millis),
        include_pool: true,
        webhooks: None,
    }
}

/// Books a number through the store. Panics unless one is booked.
pub(crate) async fn book_in_store(
    store: &dyn Store,
    owner: BookingOwner<'_>,
    group: &Group,
    request: &BookingRequest,
) -> Booking {
    match store.book_number(owner, group, request).await {
        Ok(BookResult::Booked(booking)) => booking,
        other => panic!("{other:?}"),
    }
}

/// Creates a service with this TTL.
pub(crate) async fn create_service(store: &dyn Store, millis: u64) -> ServiceId {
    let (id, now) = (ServiceId::generate(), now());
    let service = NewService {
        id: id.clone(),
        definition: "store".to_owned(),
        created: now,
        end: now.after(Duration::from_millis(millis)),
        gms_user: None,
        data: Vec::new(),
        booking: None,
        idempotency: None,
        webhook: None,
        is_pending: false,
    };
    store.create(service).await.unwrap();
    id
}

/// Writes a string to a service; returns whether the service is active.
pub(crate) async fn write_string(store: &dyn Store, id: &ServiceId) -> bool {
    let name = KeyName::new("a".to_owned()).unwrap();
    let set = vec![(name, switchboard::model::Value::Text("1".to_owned()))];
    let changes = Changes {
        set,
        ..Changes::default()
    };
    let written = store.write(id, &changes, None).await.unwrap();
    matches!(written, switchboard::model::WriteResult::Stored(_))
}
