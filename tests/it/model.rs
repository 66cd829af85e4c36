//! Random operations of several clients on services with numbers, checked after every step: by what
//! clients are told (`ledger`) and, where it can be looked at, by what the store has (`books`). The clocks of
//! the replicas differ by minutes, and jump.

use std::{cell::RefCell, sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use self::{
    books::Books,
    ledger::{Ledger, Touch},
};
use crate::support::{
    Answer, Bodies, TestApp, TestRedis,
    bookings::{
        Booked, ask, audit, book_when_free, catalogue, eventually, group, keys, number, service,
        serving,
    },
    now, random_prefix,
};

mod books;
mod ledger;

/// How long a number is held, and how long a service lives unless that is changed.
const TIMEOUT: Duration = Duration::from_secs(5);
const LIFE: Duration = Duration::from_secs(6);
/// Services that live at once, about.
const SERVICES: usize = 30;
/// The group that holds a number for one service, and its numbers.
const EXCLUSIVE: &str = "held";
const NUMBERS: usize = 12;
const SHARED: [&str; 2] = ["turn", "any"];
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
    let mut more = group(EXCLUSIVE, "CLUSTER", held);
    more += &group(SHARED[0], "ROUND_ROBIN", &shared[..3]);
    more += &group(SHARED[1], "RANDOM", &shared[3..]);
    for (name, builtin) in [("first", "request-interaction"), ("more", "request-access")] {
        more += &service(name, builtin);
        more += "_access_code_length = 2\n_return_pool_health = true\n";
        more += &format!("_booking_expiration_timeout = {}\n", TIMEOUT.as_secs());
        more += &format!("_ttl = {}\n", LIFE.as_secs());
    }
    more
}

/// What clients do, and what they know of it.
struct World {
    ledger: RefCell<Ledger>,
    books: Option<Books>,
    seed: u64,
}

impl World {
    /// One client, for so many steps.
    async fn client(&self, app: &TestApp, seed: u64, steps: usize) {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..steps {
            self.step(app, &mut random).await;
            if let Some(books) = &self.books {
                books.check(&mut random).await;
            }
        }
    }

    async fn step(&self, app: &TestApp, random: &mut StdRng) {
        if random.random_bool(0.02) {
            app.clock.set_shift(random.random_range(-120_000..=120_000));
        }
        let living = self.ledger.borrow().living();
        let chosen = living.choose(random).cloned();
        let crowded = living.len() >= SERVICES;
        match (random.random_range(0..100_u32), chosen) {
            (0..35, _) if !crowded => self.create(app, random).await,
            (0..45, Some(id)) if !crowded => self.access(app, &id, random).await,
            (0..75, Some(_)) => self.call(app, random).await,
            (75..88, Some(id)) => self.delete(app, &id).await,
            (88..97, Some(id)) => {
                let soon = Duration::from_millis(random.random_range(2..60));
                self.move_end(app, &id, Some(soon)).await;
            }
            (97.., Some(id)) => self.move_end(app, &id, None).await,
            (_, None) => self.create(app, random).await,
        }
    }

    /// A form that wants a number in some group, the group, and the caller.
    fn wish(random: &mut StdRng) -> (String, &'static str, Option<usize>) {
        let group = *[EXCLUSIVE, EXCLUSIVE, SHARED[0], SHARED[1]]
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
        let (form, group, caller) = Self::wish(random);
        let ticket = self.ledger.borrow_mut().begin(Touch::Creating);
        let answer = ask(app, "first", &form).await;
        let mut ledger = self.ledger.borrow_mut();
        let done = ledger.done(&ticket);
        if let Some(booked) = Self::booked(&answer, group) {
            ledger.made(&done, &booked.id);
            ledger.booked(&done, &booked.id, group, &booked, caller);
        }
    }

    async fn access(&self, app: &TestApp, id: &str, random: &mut StdRng) {
        let (form, group, caller) = Self::wish(random);
        let ticket = self.ledger.borrow_mut().begin(Touch::Asking(id.to_owned()));
        let answer = ask(app, "more", &format!("{form}&_id={id}")).await;
        let mut ledger = self.ledger.borrow_mut();
        let done = ledger.done(&ticket);
        if answer.status == 404 {
            answer.message_of("ServiceNotFound", 404);
            ledger.not_found(&done, id);
        } else if let Some(booked) = Self::booked(&answer, group) {
            ledger.booked(&done, id, group, &booked, caller);
        }
    }

    /// What a request for a number was told; `None` where all are taken.
    fn booked(answer: &Answer, group: &str) -> Option<Booked> {
        if answer.status == 503 {
            answer.message_of("NoAccessNumber", 503);
            assert_eq!(group, EXCLUSIVE, "a shared group never runs out of numbers");
            return None;
        }
        Some(Booked::of(answer))
    }

    async fn call(&self, app: &TestApp, random: &mut StdRng) {
        let Some(mut call) = self.ledger.borrow().some_call(random) else {
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
        let ticket = self.ledger.borrow_mut().begin(Touch::Call(call.clone()));
        let answer = ask(app, "match-interaction", &form).await;
        let mut ledger = self.ledger.borrow_mut();
        let done = ledger.done(&ticket);
        if answer.status == 404 {
            answer.message_of("NoMatch", 404);
            ledger.not_matched(&done, &call);
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text());
            ledger.matched(&done, &call, answer.json()["_id"].as_str().unwrap());
        }
    }

    async fn delete(&self, app: &TestApp, id: &str) {
        let ticket = self
            .ledger
            .borrow_mut()
            .begin(Touch::Service(id.to_owned()));
        let answer = Answer::of(app.delete(&format!("/genesys/1/service/{id}"))).await;
        let mut ledger = self.ledger.borrow_mut();
        let done = ledger.done(&ticket);
        match answer.status.as_u16() {
            200 => ledger.ended(&done, id),
            404 => ledger.not_found(&done, id),
            _ => panic!("{}", answer.text()),
        }
    }

    /// Has a service end soon, or live for as long as a new one.
    async fn move_end(&self, app: &TestApp, id: &str, soon: Option<Duration>) {
        if self.ledger.borrow().is_touched(id) {
            return; // of two moves at once nobody knows which is the last
        }
        let ticket = self
            .ledger
            .borrow_mut()
            .begin(Touch::Service(id.to_owned()));
        let end = soon.map(|soon| now().after(soon));
        let form = match end {
            Some(end) => format!("expiration_time={end}"),
            None => format!("ttl={}", LIFE.as_secs()),
        };
        let request = app.request(reqwest::Method::PUT, &format!("/genesys/1/service/{id}"));
        let answer = Answer::of(request.form_body(&form)).await;
        let mut ledger = self.ledger.borrow_mut();
        let done = ledger.done(&ticket);
        match answer.status.as_u16() {
            200 => {
                let new = (done.sent.after(LIFE), done.answered.after(LIFE));
                ledger.moved(id, end.map_or(new, |end| (end, end)));
            }
            404 => ledger.not_found(&done, id),
            // That end was over when it arrived.
            _ => drop(answer.message_of("InvalidParameter", 400)),
        }
    }

    /// Ends what lives; then every number is to be had again.
    async fn end_all(&self, app: &TestApp) {
        let living = self.ledger.borrow().living();
        join_all(living.iter().map(|id| self.delete(app, id))).await;
        let mut numbers = Vec::new();
        for _ in 0..NUMBERS {
            let form = format!("_resource_group={EXCLUSIVE}");
            numbers.push(book_when_free(app, &form).await.number);
        }
        numbers.sort();
        let all: Vec<String> = (0..NUMBERS).map(number).collect();
        assert_eq!(numbers, all, "seed {}", self.seed);
        let counts = self.ledger.borrow().counts();
        assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
    }
}

/// Four clients at two doors, for so many steps in all.
async fn run(apps: [&TestApp; 2], books: Option<Books>, steps: usize) {
    let seed = rand::random();
    let world = World {
        ledger: RefCell::new(Ledger::new(seed, TIMEOUT, LIFE, NUMBERS)),
        books,
        seed,
    };
    let clients = (0..4).map(|n| {
        let app = apps[usize::from(n % 2 == 1)];
        world.client(app, seed.wrapping_add(n), steps / 4)
    });
    join_all(clients).await;
    world.end_all(apps[0]).await;
}

#[tokio::test]
async fn four_clients_of_one_service_find_numbers_held_once_and_calls_matched_once() {
    let app = serving(&TestApp::on_memory().await, &groups()).await;
    run([&app, &app], None, 4_000).await;
}

#[tokio::test]
async fn four_clients_of_two_replicas_find_numbers_held_once_and_calls_matched_once() {
    let (redis, prefix) = (Arc::new(TestRedis::own()), random_prefix());
    let catalogue = catalogue(&groups());
    let overrides = [("catalog.file", catalogue.path())];
    let one = TestApp::start(Some(Arc::clone(&redis)), &prefix, &overrides).await;
    let other = TestApp::start(Some(Arc::clone(&redis)), &prefix, &overrides).await;
    one.clock.set_shift(45_000);
    other.clock.set_shift(-120_000);
    let books = Books::new(redis.connection().await, &prefix);
    run([&one, &other], Some(books), 10_000).await;

    for service in keys(&one, "svc:*").await {
        let id = service.split(['{', '}']).nth(1).unwrap().to_owned();
        Answer::of(one.delete(&format!("/genesys/1/service/{id}"))).await;
    }
    eventually("all is given back", async || {
        let audit = audit(&one, &groups()).await;
        assert!(audit.lost.is_empty(), "{audit}");
        let owns = keys(&one, "own:*").await;
        (audit.is_clean() && audit.held.is_empty() && owns.is_empty()).then_some(())
    })
    .await;
}
