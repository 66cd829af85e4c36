//! Model test: explanations of random calls are compared with their matches. Each explanation comes first; the match then
//! takes the explained booking, and no other.

use std::{collections::BTreeMap, time::Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::Method;
use serde_json::Value;

use crate::{
    api::admin::fixture::{ADMIN_SETTINGS, request},
    support::{
        Bodies, RedisKind, TestApp, TestRedis, TestResponse,
        bookings::{catalog, create, group_toml},
        encode, random_prefix,
    },
};

/// Spellings of callers. Those in a row are one subscriber, under any of the two regions.
const CALLERS: [&[&str]; 6] = [
    &["+1 650 469 0001", "tel:+1-650-469-0001", "+16504690001"],
    &["+16504690002", "sip:+16504690002@example.org"],
    &["+16504690001;ext=12", "tel:+16504690001;ext=12"],
    &["+49 30 12345678", "+493012345678"],
    &["sip:alice@example.org"],
    // These depend on the region.
    &["650 469 0001", "(650) 469-0001", "030 12345678"],
];

/// Numbers to dial: of one group, of two, a backup number, one without bookings, and one that is unknown.
const DIALED: [&str; 8] = [
    "8005550000",
    "+18005550000",
    "8005550001",
    "(800) 555-0001",
    "8005550002",
    "8005550003",
    "8005550004",
    "8001112222",
];

fn groups() -> String {
    let mut groups = group_toml("single", "LOCAL", &["8005550000", "8005550001"]);
    groups += &group_toml("shared", "ROUND_ROBIN", &["8005550001", "8005550002"]);
    groups += &group_toml("any", "RANDOM", &["8005550001", "8005550002"]);
    groups += &group_toml("full", "CLUSTER", &[]);
    groups += "_backup_resource = \"8005550003\"\n";
    groups + &group_toml("unused", "LOCAL", &["8005550004"])
}

/// Replicas of one deployment, random operations on it, and counts of outcomes.
struct Model {
    replicas: Vec<TestApp>,
    random: StdRng,
    services: Vec<String>,
    codes: Vec<String>,
    outcomes: BTreeMap<String, usize>,
}

impl Model {
    async fn new(redis: Option<RedisKind>, regions: &[&str], seed: u64) -> Self {
        let (prefix, catalog) = (random_prefix(), catalog(&groups()));
        let redis = redis.map(TestRedis::shared_kind);
        let mut replicas = Vec::new();
        for region in regions {
            let others = [
                ("catalog.file", catalog.path()),
                ("phone.default_region", region),
                ("rate_limit.failed_matches_per_number", "0"),
            ];
            let settings = [&ADMIN_SETTINGS[..], &others].concat();
            replicas.push(TestApp::start(redis.clone(), &prefix, &settings).await);
        }
        Self {
            replicas,
            random: StdRng::seed_from_u64(seed),
            services: Vec::new(),
            codes: Vec::new(),
            outcomes: BTreeMap::new(),
        }
    }

    fn count(&mut self, outcome: &str) {
        *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    fn caller(&mut self) -> &'static str {
        let spellings = CALLERS.choose(&mut self.random).unwrap();
        spellings.choose(&mut self.random).unwrap()
    }

    fn replica(&mut self) -> usize {
        self.random.random_range(0..self.replicas.len())
    }

    async fn book(&mut self) {
        let groups = ["single", "shared", "shared", "any", "full"];
        let group = groups.choose(&mut self.random).unwrap();
        let mut form = format!("_resource_group={group}");
        if self.random.random_bool(0.6) {
            form += &format!("&_phone_number={}", encode(self.caller()));
        }
        if self.random.random_bool(0.4) {
            form += "&_provide_code=true&_access_code_length=1";
        }
        let seconds = if self.random.random_bool(0.9) { 5 } else { 30 };
        form += &format!("&_booking_expiration_timeout={seconds}");
        let replica = self.replica();
        let answer = create(&self.replicas[replica], "request-interaction", &form).await;
        if answer.status == 503 {
            answer.error_message("NoAccessNumber", 503);
            return;
        }
        assert_eq!(answer.status, 200, "{form}: {}", answer.text());
        let booked = answer.json();
        self.services
            .push(booked["_id"].as_str().unwrap().to_owned());
        self.codes
            .extend(booked["_access_code"].as_str().map(str::to_owned));
    }

    async fn end_service(&mut self) {
        if self.services.is_empty() {
            return;
        }
        let index = self.random.random_range(0..self.services.len());
        let id = self.services.swap_remove(index);
        let replica = self.replica();
        let path = format!("/genesys/1/service/{id}");
        let answer = TestResponse::send(self.replicas[replica].delete(&path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn call(&mut self) -> String {
        let dialed = DIALED.choose(&mut self.random).unwrap();
        let mut form = format!("_access_number={}", encode(dialed));
        let caller = match self.random.random_range(0..20) {
            0 => Some("anonymous"),
            1..9 => Some(self.caller()),
            _ => None,
        };
        if let Some(caller) = caller {
            form += &format!("&_phone_number={}", encode(caller));
        }
        if self.random.random_bool(0.4) {
            let recent = self.codes.len().saturating_sub(10);
            let code = self.codes[recent..].choose(&mut self.random);
            let code = code.map_or("0", String::as_str);
            form += &format!("&_access_code={code}");
        }
        form
    }

    async fn explain(&self, replica: usize, form: &str) -> Value {
        let request = request(&self.replicas[replica], Method::POST, "match-explanation");
        let answer = TestResponse::send(request.form_body(form)).await;
        assert_eq!(answer.status, 200, "{form}: {}", answer.text());
        answer.json()
    }

    /// Explains a random call and matches it.
    async fn compare(&mut self) {
        let (form, replica, started) = (self.call(), self.replica(), Instant::now());
        let explained = self.explain(replica, &form).await;
        if self.random.random_bool(0.1) {
            self.assert_unchanged(replica, &form, &explained, started, None)
                .await;
        }
        let answer = create(&self.replicas[replica], "match-interaction", &form).await;
        let context = || format!("{form}: {}, explained: {explained:#}", answer.text());
        let mut matches = bookings_of(&explained).filter(|one| one["is_match"] == true);
        let Some(booking) = matches.next() else {
            assert_eq!(answer.status, 404, "{}", context());
            answer.error_message("NoMatch", 404);
            let failure = explained["failure"].as_str();
            let failure = failure.unwrap_or_else(|| panic!("{}", context()));
            for mismatch in bookings_of(&explained).flat_map(mismatches_of) {
                self.count(&format!("mismatch {}", mismatch.as_str().unwrap()));
            }
            return self.count(failure);
        };
        // If the explained booking expired before the match, another one may be matched.
        if !lasts(booking, started) {
            return self.count("not compared");
        }
        assert_eq!(answer.status, 200, "{}", context());
        assert_eq!(answer.json()["_id"], booking["service"], "{}", context());
        assert_eq!(explained["failure"], Value::Null, "{}", context());
        assert!(matches.next().is_none(), "{}", context());
        self.count("match");
        if self.random.random_bool(0.3) {
            let taken = Some(&booking["booking"]);
            self.assert_unchanged(replica, &form, &explained, started, taken)
                .await;
        }
    }

    /// Asserts that the bookings of an explanation that was `started` then still exist, except for the `matched` one.
    async fn assert_unchanged(
        &self,
        replica: usize,
        form: &str,
        before: &Value,
        started: Instant,
        matched: Option<&Value>,
    ) {
        let after = self.explain(replica, form).await;
        let ids: Vec<_> = bookings_of(&after).map(|one| &one["booking"]).collect();
        for booking in bookings_of(before).filter(|one| lasts(one, started)) {
            let is_matched = Some(&booking["booking"]) == matched;
            assert_eq!(
                ids.contains(&&booking["booking"]),
                !is_matched,
                "{form}: {before:#}"
            );
        }
    }

    async fn run(mut self, cases: usize) -> BTreeMap<String, usize> {
        for _ in 0..cases {
            match self.random.random_range(0..100) {
                0..50 => self.book().await,
                50..62 => self.end_service().await,
                _ => {}
            }
            self.compare().await;
        }
        self.outcomes
    }
}

fn bookings_of(explained: &Value) -> impl Iterator<Item = &Value> {
    explained["bookings"].as_array().unwrap().iter()
}

fn mismatches_of(booking: &Value) -> &Vec<Value> {
    booking["mismatches"].as_array().unwrap()
}

/// Whether a booking of an explanation that was `started` then still exists, unless it was released. Expired ones, and
/// those of ended services, are released at any time. The clocks of replicas differ slightly.
fn lasts(booking: &Value, started: Instant) -> bool {
    let seconds = booking["expires_in_seconds"].as_f64().unwrap();
    let is_ended = mismatches_of(booking)
        .iter()
        .any(|one| one == "service_ended");
    seconds > started.elapsed().as_secs_f64() + 0.5 && !is_ended
}

/// Runs `cases` in four deployments at once. Returns the outcomes.
async fn run(
    redis: Option<RedisKind>,
    regions: &'static [&str],
    cases: usize,
) -> BTreeMap<String, usize> {
    let tasks = (0..4_u64).map(|n| {
        let seed = 4_711 + n;
        tokio::spawn(async move { Model::new(redis, regions, seed).await.run(cases / 4).await })
    });
    let mut outcomes = BTreeMap::new();
    for task in tasks.collect::<Vec<_>>() {
        for (outcome, count) in task.await.unwrap() {
            *outcomes.entry(outcome).or_default() += count;
        }
    }
    let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or_default();
    assert!(count("match") * 8 > cases, "{outcomes:?}");
    assert!(count("not compared") * 4 < cases, "{outcomes:?}");
    for failure in [
        "unknown_number",
        "no_booking",
        "other_code",
        "other_caller",
        "other_code_and_caller",
        "caller_not_comparable",
    ] {
        assert!(count(failure) > 0, "{failure}: {outcomes:?}");
    }
    outcomes
}

#[tokio::test]
async fn explanations_are_those_of_matches_in_memory() {
    run(None, &["US"], 10_000).await;
}

#[tokio::test]
async fn explanations_are_those_of_matches_on_redis() {
    let outcomes = run(Some(RedisKind::Single), &["US"], 10_000).await;
    assert!(outcomes.contains_key("mismatch expired"), "{outcomes:?}");
}

#[tokio::test]
async fn explanations_are_those_of_matches_under_two_regions() {
    run(Some(RedisKind::Single), &["US", "DE"], 2_000).await;
}

#[tokio::test]
async fn explanations_are_those_of_matches_on_a_cluster() {
    run(Some(RedisKind::Cluster), &["US"], 2_000).await;
}
