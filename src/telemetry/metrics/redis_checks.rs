//! Results of the checks of Redis (`store::redis::checks`), by check and server.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::encode::TextEncoder;

type Results = BTreeMap<&'static str, BTreeMap<String, bool>>;

static RESULTS: Mutex<Results> = Mutex::new(BTreeMap::new());

/// Records the result of a check of one server. `None` means that the server does not permit the
/// question: then nothing is exported for it.
pub fn record_redis_check(check: &'static str, server: &str, passed: Option<bool>) {
    let mut results = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_check = results.entry(check).or_default();
    match passed {
        Some(passed) => of_check.insert(server.to_owned(), passed),
        None => of_check.remove(server),
    };
}

/// Forgets the results of all servers but these.
pub fn retain_redis_servers(servers: &[String]) {
    let mut results = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
    for of_check in results.values_mut() {
        of_check.retain(|server, _| servers.contains(server));
    }
}

pub(super) fn write(text: &mut TextEncoder) {
    let results = RESULTS.lock().unwrap_or_else(PoisonError::into_inner);
    let help = "1 if every Redis server passes the check, else 0; absent where Redis does not permit the \
                question.";
    let mut family = text.gauge("redis_check", help);
    for (check, of_check) in results.iter().filter(|(_, servers)| !servers.is_empty()) {
        let passed = of_check.values().all(|passed| *passed);
        family.sample(&[("check", check)], u8::from(passed));
    }
}
