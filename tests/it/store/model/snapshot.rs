//! Reads an atomic snapshot of a group from Redis and checks its consistency.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, rngs::StdRng};
use redis::{Script, aio::MultiplexedConnection, pipe};

use super::{EXCLUSIVE_GROUP, SHARED_GROUPS};

/// Returns the keys of these patterns that do not expire, or not at the end in the hash. A key that has just expired is
/// still listed.
const ENDS: &str = "
    local wrong = {}
    for _, pattern in ipairs(ARGV) do
        for _, key in ipairs(redis.call('KEYS', pattern)) do
            local expires = redis.call('PEXPIRETIME', key)
            local ends = redis.call('HGET', key, '_end')
            if expires == -1 or ends and expires >= 0 and tonumber(ends) ~= expires then
                wrong[#wrong + 1] = key
            end
        end
    end
    return wrong";

pub(super) struct SnapshotChecker {
    connection: MultiplexedConnection,
    prefix: String,
}

type Snapshot = (
    BTreeMap<String, String>,
    BTreeSet<String>,
    BTreeSet<String>,
    BTreeMap<String, String>,
    BTreeSet<String>,
    BTreeMap<String, String>,
);

impl SnapshotChecker {
    pub(super) fn new(connection: MultiplexedConnection, prefix: &str) -> Self {
        Self {
            connection,
            prefix: prefix.to_owned(),
        }
    }

    /// Checks a random group, and sometimes the expirations of all services.
    pub(super) async fn check(&self, random: &mut StdRng) {
        self.check_group(random).await;
        if random.random_bool(0.05) {
            self.check_ends().await;
        }
    }

    /// Checks that each key of a service expires at the end in its hash, and that every key of its resources expires.
    async fn check_ends(&self) {
        let script = Script::new(ENDS);
        let mut check = script.prepare_invoke();
        for kind in ["svc:*", "own:*", "blob:*", "chat:*"] {
            check.arg(format!("{}{kind}", self.prefix));
        }
        let mut connection = self.connection.clone();
        let wrong: Vec<String> = check.invoke_async(&mut connection).await.unwrap();
        assert_eq!(wrong, Vec::<String>::new());
    }

    async fn check_group(&self, random: &mut StdRng) {
        let group = [
            EXCLUSIVE_GROUP,
            EXCLUSIVE_GROUP,
            SHARED_GROUPS[0],
            SHARED_GROUPS[1],
        ][random.random_range(0..4)];
        let key = |part: &str| format!("{}grp:{{{group}}}:{part}", self.prefix);
        let mut all = pipe();
        all.atomic();
        all.hgetall(key("numbers"));
        for part in ["free", "booked"] {
            all.zrange(key(part), 0, -1);
        }
        all.hgetall(key("bookings")).zrange(key("index"), 0, -1);
        all.hgetall(key("codes"));
        let mut connection = self.connection.clone();
        let (numbers, free, booked, bookings, index, codes): Snapshot =
            all.query_async(&mut connection).await.unwrap();

        let (mut booking_counts, mut expected_index) = (BTreeMap::new(), BTreeSet::new());
        let mut expected_codes = BTreeMap::new();
        for (id, text) in &bookings {
            let parts: Vec<&str> = text.split('\n').collect();
            let [number, subscriber, _service, code, caller, _longest, ..] = parts[..] else {
                panic!("{text:?}");
            };
            *booking_counts.entry(number.to_owned()).or_insert(0) += 1;
            expected_index.insert(format!("n\n{subscriber}\n{id}"));
            if !caller.is_empty() {
                expected_index.insert(format!("p\n{subscriber}\n{caller}\n{id}"));
            }
            if !code.is_empty() {
                let code_key = format!("{subscriber}\n{code}");
                let previous = expected_codes.insert(code_key, id.clone());
                assert_eq!(previous, None, "one code for two: {bookings:#?}");
            }
        }
        for number in numbers.keys() {
            let count = booking_counts.get(number).copied().unwrap_or(0);
            if group == EXCLUSIVE_GROUP {
                assert!(
                    count <= 1,
                    "{number} is booked {count} times: {bookings:#?}"
                );
                let is_free = free.contains(number);
                assert_eq!(
                    is_free,
                    count == 0,
                    "{number} is lost, or free while booked"
                );
            } else {
                assert!(free.contains(number), "{number} is lost");
            }
        }
        assert!(free.iter().all(|number| numbers.contains_key(number)));
        assert!(
            booking_counts
                .keys()
                .all(|number| numbers.contains_key(number))
        );
        assert!(
            booked.iter().eq(bookings.keys()),
            "{booked:?}: {bookings:?}"
        );
        assert_eq!(index, expected_index);
        assert_eq!(codes, expected_codes);
    }
}
