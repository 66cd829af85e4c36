//! Search of active services by operators.

use std::collections::HashSet;

use super::{Admin, AdminError};
use crate::model::{
    Cursor, ListRange, ListedService, ServiceFilter, ServiceId, ServicePage, ServiceQuery,
    Timestamp,
};

/// Maximum number of active services, or of bookings of a number, that one search reads.
pub const MAX_SEARCHED: usize = 5_000;

/// A search of active services. Without a filter it is a list.
#[derive(Debug, Clone, Default)]
pub struct ServiceSearch {
    /// The part of the list that is searched, in its order.
    pub range: ListRange,
    /// The services that are returned.
    pub filter: ServiceFilter,
    /// Only services for which this number is booked.
    pub number: Option<String>,
    /// The maximum number of services that are returned.
    pub limit: usize,
}

/// The result of a search.
#[derive(Debug)]
pub struct ServiceSearchResult {
    /// The services, and the position at which the search continues.
    pub page: ServicePage,
    /// Whether the number has more than [`MAX_SEARCHED`] bookings, of which the others were not read.
    pub has_unread_bookings: bool,
}

impl ServiceSearchResult {
    /// Whether the page contains all services from its beginning on that the search finds.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.page.next.is_none() && !self.has_unread_bookings
    }
}

impl ServiceSearch {
    /// Whether the search returns all services of its range.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.filter.is_empty() && self.number.is_none()
    }

    fn query(&self) -> ServiceQuery {
        let is_list = self.filter.is_empty();
        ServiceQuery {
            range: self.range.clone(),
            filter: self.filter.clone(),
            limit: self.limit,
            max_searched: if is_list { self.limit } else { MAX_SEARCHED },
        }
    }
}

impl Admin {
    /// The approximate number of active services.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn count_services(&self) -> Result<u64, AdminError> {
        Ok(self.store.count_services().await?)
    }

    /// The active services that a search finds. It reads at most [`MAX_SEARCHED`] services, in the order of their
    /// expiration times; the services of a number are found by its bookings.
    ///
    /// # Errors
    /// [`AdminError::Service`] for an invalid number and errors of the store.
    pub async fn search_services(
        &self,
        search: &ServiceSearch,
    ) -> Result<ServiceSearchResult, AdminError> {
        let Some(number) = &search.number else {
            return Ok(ServiceSearchResult {
                page: self.store.services_by_end(&search.query()).await?,
                has_unread_bookings: false,
            });
        };
        let mut bookings = self
            .bookings_of_number(number, None, MAX_SEARCHED + 1)
            .await?;
        let has_unread_bookings = bookings.len() > MAX_SEARCHED;
        bookings.truncate(MAX_SEARCHED);
        let mut ids = HashSet::new();
        ids.extend(bookings.into_iter().map(|(_, booking)| booking.service));
        Ok(ServiceSearchResult {
            page: self.select_services(search, ids).await?,
            has_unread_bookings,
        })
    }

    /// The ones of these services that a search finds.
    async fn select_services(
        &self,
        search: &ServiceSearch,
        ids: HashSet<ServiceId>,
    ) -> Result<ServicePage, AdminError> {
        let ids: Vec<ServiceId> = ids.into_iter().collect();
        let services = self.store.services_by_id(&ids).await?;
        let matching = services.into_iter();
        let matching = matching.filter(|service| search.filter.matches(service));
        let selected = search.range.select(matching, position);
        let entries = selected.into_iter().map(|service| {
            let (end, name) = position(&service);
            let name = name.to_owned();
            (Cursor { end, name }, Some(service))
        });
        let mut page = ServicePage::default();
        let query = ServiceQuery {
            max_searched: MAX_SEARCHED,
            ..search.query()
        };
        page.extend(&query, entries, false);
        Ok(page)
    }
}

fn position(service: &ListedService) -> (Timestamp, &str) {
    (service.end, service.id.as_str())
}
