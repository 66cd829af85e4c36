//! Parts of lists that are ordered by expiration time.

use std::cmp::Ordering;

use super::{Cursor, Timestamp};

/// The order of a list. Entries that expire at the same time are ordered by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpiryOrder {
    /// The entry that expires first is the first.
    #[default]
    SoonestFirst,
    /// The entry that expires last is the first.
    LatestFirst,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRange {
    /// The order.
    pub order: ExpiryOrder,
    /// The position of the last entry of the previous page.
    pub after: Option<Cursor>,
    /// Only entries that expire before this time.
    pub expires_before: Option<Timestamp>,
}

/// The position of an entry: its expiration time and its name.
type Position<'a> = (Timestamp, &'a str);

impl ListRange {
    /// The entries from the first on, the one that expires first before the others.
    #[must_use]
    pub fn after(after: Option<&Cursor>) -> Self {
        Self {
            after: after.cloned(),
            ..Self::default()
        }
    }

    /// Compares two positions in the order of the list.
    #[must_use]
    pub fn compare(&self, one: Position<'_>, other: Position<'_>) -> Ordering {
        match self.order {
            ExpiryOrder::SoonestFirst => one.cmp(&other),
            ExpiryOrder::LatestFirst => other.cmp(&one),
        }
    }

    /// Whether the range includes an entry at this position.
    #[must_use]
    pub fn contains(&self, position: Position<'_>) -> bool {
        let is_before = |before: &Timestamp| position.0 < *before;
        let is_after =
            |after: &Cursor| self.compare(position, (after.end, &after.name)) == Ordering::Greater;
        self.expires_before.as_ref().is_none_or(is_before)
            && self.after.as_ref().is_none_or(is_after)
    }

    /// Returns the entries of the range in its order.
    #[must_use]
    pub fn select<T>(
        &self,
        entries: impl Iterator<Item = T>,
        position: for<'a> fn(&'a T) -> Position<'a>,
    ) -> Vec<T> {
        let mut selected: Vec<T> = entries
            .filter(|entry| self.contains(position(entry)))
            .collect();
        selected.sort_unstable_by(|one, other| self.compare(position(one), position(other)));
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entry = (i64, &'static str);

    fn position(entry: &Entry) -> Position<'_> {
        (Timestamp::from_millis(entry.0), entry.1)
    }

    const ENTRIES: [Entry; 5] = [(2, "b"), (1, "z"), (3, "a"), (2, "a"), (4, "a")];

    #[test]
    fn entries_are_selected_in_order_after_the_cursor_and_before_the_time() {
        let cursor = Cursor {
            end: Timestamp::from_millis(2),
            name: "a".to_owned(),
        };
        let select = |order, after: Option<&Cursor>, expires_before: Option<i64>| {
            let range = ListRange {
                order,
                after: after.cloned(),
                expires_before: expires_before.map(Timestamp::from_millis),
            };
            range.select(ENTRIES.into_iter(), position)
        };
        let soonest = [(1, "z"), (2, "a"), (2, "b"), (3, "a"), (4, "a")];
        let order = ExpiryOrder::SoonestFirst;
        assert_eq!(select(order, None, None), soonest);
        assert_eq!(select(order, Some(&cursor), None), soonest[2..]);
        assert_eq!(select(order, Some(&cursor), Some(4)), soonest[2..4]);
        assert_eq!(select(order, None, Some(1)), []);
        let latest = [(4, "a"), (3, "a"), (2, "b"), (2, "a"), (1, "z")];
        let order = ExpiryOrder::LatestFirst;
        assert_eq!(select(order, None, None), latest);
        assert_eq!(select(order, Some(&cursor), None), latest[4..]);
        assert_eq!(select(order, None, Some(3)), latest[2..]);
    }
}
