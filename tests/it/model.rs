//! Random operations of several clients on services with numbers, checked after every step: by what
//! clients are told (`ledger`) and, where it can be looked at, by what the store has (`books`). The clocks of
//! the replicas differ by minutes, and jump.

use std::{cell::RefCell, sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use self::{
    oracle::{Operation, Oracle},
    snapshot::SnapshotChecker,
};
use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse,
    bookings::{
        Booked, book_when_free, catalog, create, eventually, group_toml, keys, number,
        service_toml, start_app, verify_bookings,
    },
    now, random_prefix,
};

mod oracle;
mod snapshot;

/// How long a number is held, and how long a service lives unless that is changed.
const TIMEOUT: Duration = Duration::from_secs(5);
const TTL: Duration = Duration::from_secs(6);
/// Services that live at once, about.
const SERVICES: usize = 30;
/// The group that holds a number for one service, and its numbers.
const EXCLUSIVE_GROUP: &str = "held";
const NUMBERS: usize = 12;
const SHARED_GROUPS: [&str; 2] = ["turn", "any"];
/// Ways to write three callers.
const CALLERS: [[&str; 2]; 3] = [
    ["6504690001", "%2B1 650 469-0001"],
    ["6504690002", "(650) 469.0002"],
    ["%2B49 30 123456", "%2B4930123456"],
];

fn groups() -> String {
    let numbers: Vec<String> = (0..NUMBERS + 5).map(number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let (held, shared) = numbers.split_at(NUMBERS);
    let mut more = group_toml(EXCLUSIVE_GROUP, "CLUSTER", held);
    more += &group_toml(SHARED_GROUPS[0], "ROUND_ROBIN", &shared[..3]);
    more += &group_toml(SHARED_GROUPS[1], "RANDOM", &shared[3..]);
    for (name, builtin) in [("first", "request-interaction"), ("more", "request-access")] {
        more += &service_toml(name, builtin);
        more += "_access_code_length = 2\n_return_pool_health = true\n";
        more += &format!("_booking_expiration_timeout = {}\n", TIMEOUT.as_secs());
        more += &format!("_ttl = {}\n", TTL.as_secs());
    }
    more
}

/// What clients do, and what they know of it.
struct ModelRun {
    oracle: RefCell<Oracle>,
    snapshot: Option<SnapshotChecker>,
    seed: u64,
}

impl ModelRun {
    /// One client, for so many steps.
    async fn client(&self, app: &TestApp, seed: u64, steps: usize) {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..steps {
            self.step(app, &mut random).await;
            if let Some(books) = &self.snapshot {
                books.check(&mut random).await;
            }
        }
    }

    async fn step(&self, app: &TestApp, random: &mut StdRng) {
        if random.random_bool(0.02) {
            app.clock.set_shift(random.random_range(-120_000..=120_000));
        }
        let living = self.oracle.borrow().active_services();
        let chosen = living.choose(random).cloned();
        let crowded = living.len() >= SERVICES;
        match (random.random_range(0..100_u32), chosen) {
            (0..35, _) if !crowded => self.create(app, random).await,
            (0..45, Some(id)) if !crowded => self.request_access(app, &id, random).await,
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

    /// A form that wants a number in some group, the group, and the caller.
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
        let ticket = self.oracle.borrow_mut().start(Operation::Create);
        let answer = create(app, "first", &form).await;
        let mut ledger = self.oracle.borrow_mut();
        let done = ledger.finish(&ticket);
        if let Some(booked) = Self::booked(&answer, group) {
            ledger.record_create(&done, &booked.id);
            ledger.record_booking(&done, &booked.id, group, &booked, caller);
        }
    }

    async fn request_access(&self, app: &TestApp, id: &str, random: &mut StdRng) {
        let (form, group, caller) = Self::booking_form(random);
        let ticket = self
            .oracle
            .borrow_mut()
            .start(Operation::BookNumber(id.to_owned()));
        let answer = create(app, "more", &format!("{form}&_id={id}")).await;
        let mut ledger = self.oracle.borrow_mut();
        let done = ledger.finish(&ticket);
        if answer.status == 404 {
            answer.error_message("ServiceNotFound", 404);
            ledger.record_not_found(&done, id);
        } else if let Some(booked) = Self::booked(&answer, group) {
            ledger.record_booking(&done, id, group, &booked, caller);
        }
    }

    /// What a request for a number was told; `None` where all are taken.
    fn booked(answer: &TestResponse, group: &str) -> Option<Booked> {
        if answer.status == 503 {
            answer.error_message("NoAccessNumber", 503);
            assert_eq!(
                group, EXCLUSIVE_GROUP,
                "a shared group never runs out of numbers"
            );
            return None;
        }
        Some(Booked::from_response(answer))
    }

    async fn match_call(&self, app: &TestApp, random: &mut StdRng) {
        let Some(mut call) = self.oracle.borrow().random_call(random) else {
            return;
        };
        if random.random_bool(0.05) {
            call.code = Some("77".to_owned()); // perhaps nobody's
        }
        let mut form = format!("_access_number={}", call.number);
        if let Some(code) = &call.code {
            form += &format!("&_access_code={code}");
        }
        if let Some(caller) = call.caller {
            let caller = CALLERS[caller].choose(random).unwrap().replace(' ', "%20");
            form += &format!("&_phone_number={caller}");
        }
        let ticket = self
            .oracle
            .borrow_mut()
            .start(Operation::Call(call.clone()));
        let answer = create(app, "match-interaction", &form).await;
        let mut ledger = self.oracle.borrow_mut();
        let done = ledger.finish(&ticket);
        if answer.status == 404 {
            answer.error_message("NoMatch", 404);
            ledger.record_no_match(&done, &call);
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text());
            ledger.matched(&done, &call, answer.json()["_id"].as_str().unwrap());
        }
    }

    async fn delete(&self, app: &TestApp, id: &str) {
        let ticket = self
            .oracle
            .borrow_mut()
            .start(Operation::Service(id.to_owned()));
        let answer = TestResponse::send(app.delete(&format!("/genesys/1/service/{id}"))).await;
        let mut ledger = self.oracle.borrow_mut();
        let done = ledger.finish(&ticket);
        match answer.status.as_u16() {
            200 => ledger.record_end(&done, id),
            404 => ledger.record_not_found(&done, id),
            _ => panic!("{}", answer.text()),
        }
    }

    /// Has a service end soon, or live for as long as a new one.
    async fn set_end(&self, app: &TestApp, id: &str, soon: Option<Duration>) {
        if self.oracle.borrow().is_in_flight(id) {
            return; // of two moves at once nobody knows which is the last
        }
        let ticket = self
            .oracle
            .borrow_mut()
            .start(Operation::Service(id.to_owned()));
        let end = soon.map(|soon| now().after(soon));
        let form = match end {
            Some(end) => format!("expiration_time={end}"),
            None => format!("ttl={}", TTL.as_secs()),
        };
        let request = app.request(reqwest::Method::PUT, &format!("/genesys/1/service/{id}"));
        let answer = TestResponse::send(request.form_body(&form)).await;
        let mut ledger = self.oracle.borrow_mut();
        let done = ledger.finish(&ticket);
        match answer.status.as_u16() {
            200 => {
                let new = (done.sent.after(TTL), done.answered.after(TTL));
                ledger.record_set_end(id, end.map_or(new, |end| (end, end)));
            }
            404 => ledger.record_not_found(&done, id),
            // That end was over when it arrived.
            _ => drop(answer.error_message("InvalidParameter", 400)),
        }
    }

    /// Ends what lives; then every number is to be had again.
    async fn delete_all(&self, app: &TestApp) {
        let living = self.oracle.borrow().active_services();
        join_all(living.iter().map(|id| self.delete(app, id))).await;
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
    }
}

/// Four clients at two doors, for so many steps in all.
async fn run(apps: [&TestApp; 2], books: Option<SnapshotChecker>, steps: usize) {
    let seed = rand::random();
    let world = ModelRun {
        oracle: RefCell::new(Oracle::new(seed, TIMEOUT, TTL, NUMBERS)),
        snapshot: books,
        seed,
    };
    let clients = (0..4).map(|n| {
        let app = apps[usize::from(n % 2 == 1)];
        world.client(app, seed.wrapping_add(n), steps / 4)
    });
    join_all(clients).await;
    world.delete_all(apps[0]).await;
}

#[tokio::test]
async fn four_clients_of_one_service_find_numbers_held_once_and_calls_matched_once() {
    let app = start_app(&TestApp::on_memory().await, &groups()).await;
    run([&app, &app], None, 4_000).await;
}

#[tokio::test]
async fn four_clients_of_two_replicas_find_numbers_held_once_and_calls_matched_once() {
    let (redis, prefix) = (Arc::new(TestRedis::dedicated()), random_prefix());
    let catalogue = catalog(&groups());
    let overrides = [("catalog.file", catalogue.path())];
    let one = TestApp::start(Some(Arc::clone(&redis)), &prefix, &overrides).await;
    let other = TestApp::start(Some(Arc::clone(&redis)), &prefix, &overrides).await;
    one.clock.set_shift(45_000);
    other.clock.set_shift(-120_000);
    let books = SnapshotChecker::new(redis.connection().await, &prefix);
    run([&one, &other], Some(books), 10_000).await;

    for service in keys(&one, "svc:*").await {
        let id = service.split(['{', '}']).nth(1).unwrap().to_owned();
        TestResponse::send(one.delete(&format!("/genesys/1/service/{id}"))).await;
    }
    eventually("all is given back", async || {
        let audit = verify_bookings(&one, &groups()).await;
        assert!(audit.lost.is_empty(), "{audit}");
        let owns = keys(&one, "own:*").await;
        (audit.is_clean() && audit.booked.is_empty() && owns.is_empty()).then_some(())
    })
    .await;
}
