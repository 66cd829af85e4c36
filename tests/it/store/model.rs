//! Model test: random operations of several clients on services with numbers, some with webhooks, on storage areas and on
//! chats. After every step the responses are checked against an `oracle`, and on Redis the store against a `snapshot`. The
//! clocks of the replicas differ by minutes, and jump.

use std::{cell::RefCell, sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use self::{
    chats::{Chats, assert_no_chat_remains, chat_toml},
    oracle::{Operation, Oracle, ends_after},
    snapshot::SnapshotChecker,
    storage_areas::StorageAreas,
    webhooks::Webhooks,
};
use crate::{
    api::webhooks::fixture::LOCAL_RECEIVERS,
    support::{
        Bodies, TestApp, TestRedis, TestResponse,
        bookings::{
            Booked, book_when_free, catalog, create, eventually, group_toml, keys, number,
            service_toml, start_app_with, verify_bookings,
        },
        now, random_prefix,
    },
};

mod area_oracle;
mod chats;
mod oracle;
mod snapshot;
mod storage_areas;
mod webhooks;

/// The timeout of bookings, and the default TTL of services.
const TIMEOUT: Duration = Duration::from_secs(5);
const TTL: Duration = Duration::from_secs(6);
/// The approximate number of concurrently active services.
const SERVICES: usize = 30;
/// The proportion of steps on storage areas.
const STORAGE_AREA_STEPS: f64 = 0.3;
/// The proportion of steps on chats among the others.
const CHAT_STEPS: f64 = 0.15;
/// The proportion of created services with a webhook.
const OBSERVED_SERVICES: f64 = 0.25;
/// The exclusive group, and its number of numbers.
const EXCLUSIVE_GROUP: &str = "exclusive";
const NUMBERS: usize = 12;
const SHARED_GROUPS: [&str; 2] = ["round_robin", "random"];
/// Spellings of three callers.
const CALLERS: [[&str; 2]; 3] = [
    ["6504690001", "%2B1 650 469-0001"],
    ["6504690002", "(650) 469.0002"],
    ["%2B49 30 123456", "%2B4930123456"],
];

fn groups() -> String {
    let numbers: Vec<String> = (0..NUMBERS + 5).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let (exclusive, shared) = numbers.split_at(NUMBERS);
    let mut toml = group_toml(EXCLUSIVE_GROUP, "CLUSTER", exclusive);
    toml += &group_toml(SHARED_GROUPS[0], "ROUND_ROBIN", &shared[..3]);
    toml += &group_toml(SHARED_GROUPS[1], "RANDOM", &shared[3..]);
    for (name, builtin) in [("first", "request-interaction"), ("more", "request-access")] {
        toml += &service_toml(name, builtin);
        toml += "_access_code_length = 2\n_return_pool_health = true\n";
        toml += &format!("_booking_expiration_timeout = {}\n", TIMEOUT.as_secs());
        toml += &format!("_ttl = {}\n", TTL.as_secs());
    }
    toml + &chat_toml()
}

/// The state of one run of the model.
struct ModelRun<'a> {
    oracle: RefCell<Oracle>,
    areas: RefCell<StorageAreas>,
    chats: RefCell<Chats>,
    webhooks: &'a Webhooks,
    snapshot: Option<SnapshotChecker>,
    seed: u64,
}

impl ModelRun<'_> {
    /// Runs one client for `steps` steps.
    async fn client(&self, app: &TestApp, seed: u64, steps: usize) {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..steps {
            self.step(app, &mut random).await;
            if let Some(snapshot) = &self.snapshot {
                snapshot.check(&mut random).await;
            }
        }
    }

    async fn step(&self, app: &TestApp, random: &mut StdRng) {
        if random.random_bool(0.02) {
            app.clock.set_shift(random.random_range(-120_000..=120_000));
        }
        if random.random_bool(STORAGE_AREA_STEPS) {
            return self.storage_area_step(app, random).await;
        }
        if random.random_bool(CHAT_STEPS) {
            return self.chat_step(app, random).await;
        }
        let active = self.oracle.borrow().active_services();
        let chosen = active.choose(random).cloned();
        let is_at_limit = active.len() >= SERVICES;
        match (random.random_range(0..100_u32), chosen) {
            (0..35, _) if !is_at_limit => self.create(app, random).await,
            (0..45, Some(id)) if !is_at_limit => self.request_access(app, &id, random).await,
            (0..75, Some(_)) => self.match_call(app, random).await,
            (75..88, Some(id)) => self.delete(app, &id).await,
            (88..97, Some(id)) => {
                let soon = Duration::from_millis(random.random_range(2..60));
                self.set_end(app, &id, Some(soon)).await;
            }
            (97.., Some(id)) => self.set_end(app, &id, None).await,
            (_, None) => self.create(app, random).await,
        }
    }

    /// Returns a form that requests a number, its group, and its caller.
    fn booking_form(random: &mut StdRng) -> (String, &'static str, Option<usize>) {
        let group = *[
            EXCLUSIVE_GROUP,
            EXCLUSIVE_GROUP,
            SHARED_GROUPS[0],
            SHARED_GROUPS[1],
        ]
        .choose(random)
        .unwrap();
        let mut form = format!("_resource_group={group}");
        if random.random_bool(0.6) {
            form += "&_provide_code=True";
        }
        let caller = random.random_bool(0.5).then(|| random.random_range(0..3));
        if let Some(caller) = caller {
            form += &format!("&_phone_number={}", CALLERS[caller].choose(random).unwrap());
        }
        (form.replace(' ', "%20"), group, caller)
    }

    async fn create(&self, app: &TestApp, random: &mut StdRng) {
        let (form, group, caller) = Self::booking_form(random);
        let pending = self.oracle.borrow_mut().start(Operation::Create);
        let is_observed = random.random_bool(OBSERVED_SERVICES);
        // The configured group takes precedence over that of the request.
        let (definition, group) = if is_observed {
            (webhooks::DEFINITION, EXCLUSIVE_GROUP)
        } else {
            ("first", group)
        };
        let response = create(app, definition, &form).await;
        let mut oracle = self.oracle.borrow_mut();
        let completed = oracle.finish(&pending);
        if let Some(booked) = Self::booked(&response, group) {
            if is_observed {
                self.webhooks.record_create(&booked.id);
            }
            oracle.record_create(&completed, &booked.id);
            oracle.record_booking(&completed, &booked.id, group, &booked, caller);
        }
    }

    async fn request_access(&self, app: &TestApp, id: &str, random: &mut StdRng) {
        let (form, group, caller) = Self::booking_form(random);
        let pending = self
            .oracle
            .borrow_mut()
            .start(Operation::BookNumber(id.to_owned()));
        let response = create(app, "more", &format!("{form}&_id={id}")).await;
        let mut oracle = self.oracle.borrow_mut();
        let completed = oracle.finish(&pending);
        if response.status == 404 {
            response.error_message("ServiceNotFound", 404);
            oracle.record_not_found(&completed, id);
        } else if let Some(booked) = Self::booked(&response, group) {
            oracle.record_booking(&completed, id, group, &booked, caller);
        }
    }

    /// Parses the response to a request for a number; `None` if no number is free.
    fn booked(response: &TestResponse, group: &str) -> Option<Booked> {
        if response.status == 503 {
            response.error_message("NoAccessNumber", 503);
            assert_eq!(
                group, EXCLUSIVE_GROUP,
                "a shared group never runs out of numbers"
            );
            return None;
        }
        Some(Booked::from_response(response))
    }

    async fn match_call(&self, app: &TestApp, random: &mut StdRng) {
        let Some(mut call) = self.oracle.borrow().random_call(random) else {
            return;
        };
        if random.random_bool(0.05) {
            call.code = Some("77".to_owned()); // possibly unused
        }
        let mut form = format!("_access_number={}", call.number);
        if let Some(code) = &call.code {
            form += &format!("&_access_code={code}");
        }
        if let Some(caller) = call.caller {
            let caller = CALLERS[caller].choose(random).unwrap().replace(' ', "%20");
            form += &format!("&_phone_number={caller}");
        }
        let pending = self
            .oracle
            .borrow_mut()
            .start(Operation::Call(call.clone()));
        let response = create(app, "match-interaction", &form).await;
        let mut oracle = self.oracle.borrow_mut();
        let completed = oracle.finish(&pending);
        if response.status == 404 {
            response.error_message("NoMatch", 404);
            oracle.record_no_match(&completed, &call);
        } else {
            assert_eq!(response.status, 200, "{}", response.text());
            oracle.matched(&completed, &call, response.json()["_id"].as_str().unwrap());
        }
    }

    async fn delete(&self, app: &TestApp, id: &str) {
        let pending = self
            .oracle
            .borrow_mut()
            .start(Operation::Service(id.to_owned()));
        let response = TestResponse::send(app.delete(&format!("/genesys/1/service/{id}"))).await;
        let mut oracle = self.oracle.borrow_mut();
        let completed = oracle.finish(&pending);
        match response.status.as_u16() {
            200 => {
                self.webhooks.record_delete(id);
                oracle.record_end(&completed, id);
            }
            404 => oracle.record_not_found(&completed, id),
            _ => panic!("{}", response.text()),
        }
    }

    /// Lets a service end soon, or resets its TTL.
    async fn set_end(&self, app: &TestApp, id: &str, soon: Option<Duration>) {
        if self.oracle.borrow().is_in_flight(id) {
            return; // the order of concurrent changes is unknown
        }
        let pending = self
            .oracle
            .borrow_mut()
            .start(Operation::Service(id.to_owned()));
        let end = soon.map(|soon| now().after(soon));
        let form = match end {
            Some(end) => format!("expiration_time={end}"),
            None => format!("ttl={}", TTL.as_secs()),
        };
        let request = app.request(reqwest::Method::PUT, &format!("/genesys/1/service/{id}"));
        let response = TestResponse::send(request.form_body(&form)).await;
        let mut oracle = self.oracle.borrow_mut();
        let completed = oracle.finish(&pending);
        match response.status.as_u16() {
            200 => {
                self.webhooks.record_update(id);
                let range = ends_after(&completed, TTL);
                oracle.record_set_end(id, end.map_or(range, |end| (end, end)));
            }
            404 => oracle.record_not_found(&completed, id),
            // That end had passed when the request arrived.
            _ => drop(response.error_message("InvalidParameter", 400)),
        }
    }

    /// Deletes all services; then every number must become free.
    async fn delete_all(&self, app: &TestApp) {
        let active = self.oracle.borrow().active_services();
        join_all(active.iter().map(|id| self.delete(app, id))).await;
        let mut numbers = Vec::new();
        for _ in 0..NUMBERS {
            let form = format!("_resource_group={EXCLUSIVE_GROUP}");
            numbers.push(book_when_free(app, &form).await.number);
        }
        numbers.sort();
        let all: Vec<String> = (0..NUMBERS).map(number).collect();
        assert_eq!(numbers, all, "seed {}", self.seed);
        let counts = self.oracle.borrow().counts();
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
        let counts = self.chats.borrow().counts();
        assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
        let counts = self.areas.borrow().counts();
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
        let conditional = self.areas.borrow().conditional();
        assert!(
            conditional.iter().all(|count| *count > 5),
            "{conditional:?}"
        );
    }
}

/// Runs four clients at two addresses, with `steps` steps in total.
async fn run(
    apps: [&TestApp; 2],
    webhooks: &Webhooks,
    snapshot: Option<SnapshotChecker>,
    steps: usize,
) {
    let seed = rand::random();
    let run = ModelRun {
        oracle: RefCell::new(Oracle::new(seed, TIMEOUT, TTL, NUMBERS)),
        areas: RefCell::default(),
        chats: RefCell::default(),
        webhooks,
        snapshot,
        seed,
    };
    let clients = (0..4).map(|n| {
        let app = apps[usize::from(n % 2 == 1)];
        run.client(app, seed.wrapping_add(n), steps / 4)
    });
    join_all(clients).await;
    run.delete_all(apps[0]).await;
    webhooks.assert_complete().await;
}

#[tokio::test]
async fn one_process_books_and_matches_each_number_once() {
    let webhooks = Webhooks::new().await;
    let services = groups() + &webhooks.toml();
    let app = start_app_with(&TestApp::on_memory().await, &services, &LOCAL_RECEIVERS).await;
    run([&app, &app], &webhooks, None, 4_000).await;
}

#[tokio::test]
async fn two_replicas_book_and_match_each_number_once() {
    let (redis, prefix) = (Arc::new(TestRedis::dedicated()), random_prefix());
    let webhooks = Webhooks::new().await;
    let catalog_file = catalog(&(groups() + &webhooks.toml()));
    let overrides = [
        &LOCAL_RECEIVERS[..],
        &[("catalog.file", catalog_file.path())],
    ]
    .concat();
    let first = TestApp::start(Some(Arc::clone(&redis)), &prefix, &overrides).await;
    let second = TestApp::start(Some(Arc::clone(&redis)), &prefix, &overrides).await;
    first.clock.set_shift(45_000);
    second.clock.set_shift(-120_000);
    let snapshot = SnapshotChecker::new(redis.connection().await, &prefix);
    run([&first, &second], &webhooks, Some(snapshot), 10_000).await;

    for service in keys(&first, "svc:*").await {
        let id = service.split(['{', '}']).nth(1).unwrap().to_owned();
        TestResponse::send(first.delete(&format!("/genesys/1/service/{id}"))).await;
    }
    eventually("all resources are released", async || {
        let report = verify_bookings(&first, &groups()).await;
        assert!(report.lost.is_empty(), "{report}");
        let owned = keys(&first, "own:*").await;
        (report.is_clean() && report.booked.is_empty() && owned.is_empty()).then_some(())
    })
    .await;
    assert_no_chat_remains(&first).await;
}
