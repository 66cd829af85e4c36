//! Queries of the list of active services.

use super::{Cursor, ListRange, ListedService, ServiceId};

/// The services that a query returns. An empty filter matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFilter {
    /// The beginning of the id or of the custom id, ignoring case.
    pub id_prefix: Option<String>,
    /// The name of the configured service.
    pub definition: Option<String>,
    /// The `gms_user` of the create request.
    pub gms_user: Option<String>,
}

impl ServiceFilter {
    /// Whether the filter matches all services.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a service with this id can match.
    #[must_use]
    pub fn matches_id(&self, id: &ServiceId) -> bool {
        let Some(prefix) = &self.id_prefix else {
            return true;
        };
        let begins_with_prefix = |text: &str| {
            let head = text.get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        let custom_id = id.custom_id();
        begins_with_prefix(id.as_str()) || custom_id.is_some_and(|id| begins_with_prefix(&id))
    }

    /// Whether the service matches.
    #[must_use]
    pub fn matches(&self, service: &ListedService) -> bool {
        let matches_user = |user: &String| service.gms_user.as_ref() == Some(user);
        self.matches_id(&service.id)
            && self
                .definition
                .as_ref()
                .is_none_or(|name| *name == service.definition)
            && self.gms_user.as_ref().is_none_or(matches_user)
    }
}

/// A query of active services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceQuery {
    /// The part of the list that is read, in its order.
    pub range: ListRange,
    /// The services of that part that are returned.
    pub filter: ServiceFilter,
    /// The maximum number of services that are returned.
    pub limit: usize,
    /// The maximum number of services that are read.
    pub max_searched: usize,
}

/// The result of a [`ServiceQuery`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePage {
    /// The services.
    pub services: Vec<ListedService>,
    /// The number of entries of the list that were read.
    pub searched: usize,
    /// The position at which the query continues; `None` if the end of the list was reached.
    pub next: Option<Cursor>,
}

impl ServicePage {
    /// Adds entries of the list in their order: position, and the service if it exists. `more` is whether
    /// the list has entries after these. Returns whether the page is complete.
    pub fn extend(
        &mut self,
        query: &ServiceQuery,
        entries: impl IntoIterator<Item = (Cursor, Option<ListedService>)>,
        more: bool,
    ) -> bool {
        let mut entries = entries.into_iter().peekable();
        while let Some((position, service)) = entries.next() {
            self.searched += 1;
            let matching = service.filter(|service| query.filter.matches(service));
            self.services.extend(matching);
            self.next = Some(position);
            if self.services.len() >= query.limit || self.searched >= query.max_searched {
                if !more && entries.peek().is_none() {
                    self.next = None;
                }
                return true;
            }
        }
        if !more {
            self.next = None;
        }
        !more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn entry(n: i64) -> (Cursor, Option<ListedService>) {
        let end = Timestamp::from_millis(n);
        let id = ServiceId::from(format!("id{n}"));
        let service = ListedService {
            id: id.clone(),
            definition: if n % 2 == 0 { "even" } else { "odd" }.to_owned(),
            created: end,
            end,
            gms_user: None,
        };
        let name = id.as_str().to_owned();
        (Cursor { end, name }, Some(service))
    }

    fn query(definition: Option<&str>, limit: usize, max_searched: usize) -> ServiceQuery {
        ServiceQuery {
            filter: ServiceFilter {
                definition: definition.map(str::to_owned),
                ..ServiceFilter::default()
            },
            limit,
            max_searched,
            ..ServiceQuery::default()
        }
    }

    /// The ends of the services of a page, the number of entries that were read, and the end of the cursor.
    fn run(query: &ServiceQuery, batches: &[&[i64]]) -> (Vec<i64>, usize, Option<i64>) {
        let mut page = ServicePage::default();
        for (index, batch) in batches.iter().enumerate() {
            let more = index + 1 < batches.len();
            if page.extend(query, batch.iter().copied().map(entry), more) {
                break;
            }
        }
        let ends = page.services.iter().map(|service| service.end.millis());
        let next = page.next.map(|next| next.end.millis());
        (ends.collect(), page.searched, next)
    }

    #[test]
    fn page_ends_at_the_limit_or_after_the_maximum_number_of_entries() {
        let batches: [&[i64]; 2] = [&[1, 2, 3, 4], &[5, 6]];
        let even = Some("even");
        for (query, expected) in [
            (query(None, 10, 10), (vec![1, 2, 3, 4, 5, 6], 6, None)),
            (query(None, 2, 2), (vec![1, 2], 2, Some(2))),
            (query(None, 4, 4), (vec![1, 2, 3, 4], 4, Some(4))),
            (query(None, 6, 6), (vec![1, 2, 3, 4, 5, 6], 6, None)),
            (query(even, 2, 10), (vec![2, 4], 4, Some(4))),
            (query(even, 9, 5), (vec![2, 4], 5, Some(5))),
            (query(even, 9, 9), (vec![2, 4, 6], 6, None)),
            (query(Some("none"), 9, 9), (vec![], 6, None)),
        ] {
            assert_eq!(run(&query, &batches), expected, "{query:?}");
        }
        assert_eq!(run(&query(None, 1, 1), &[&[]]), (vec![], 0, None));
    }

    #[test]
    fn prefix_ignores_case_and_includes_custom_ids() {
        let filter = |prefix: &str| ServiceFilter {
            id_prefix: Some(prefix.to_owned()),
            ..ServiceFilter::default()
        };
        let custom = ServiceId::custom("ann", "Session1");
        assert!(filter("SESS").matches_id(&custom));
        assert!(!filter("ann").matches_id(&custom));
        let plain = ServiceId::from("0f9d".to_owned());
        assert!(filter("0F9").matches_id(&plain));
        assert!(!filter("0f9d7").matches_id(&plain));
    }
}
