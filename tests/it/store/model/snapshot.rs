//! Reads an atomic snapshot of a group from Redis and checks its consistency.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, rngs::StdRng};
use redis::{aio::MultiplexedConnection, pipe};

use super::{EXCLUSIVE_GROUP, SHARED_GROUPS};

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

    /// Checks a random group.
    pub(super) async fn check(&self, random: &mut StdRng) {
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
            let [number, subscriber, _service, code, caller, _longest] = parts[..] else {
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
