//! Responses with active services.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        admin_api::{bookings, format_cursor},
        client_api::services::{BinaryResponse, binary_responses},
    },
    model::{Description, ListedBooking, ListedService, ServiceId, Timestamp},
    service::{ServiceSearch, ServiceSearchResult},
};

/// Active services, sorted by expiration time
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActiveServiceList)]
#[serde(deny_unknown_fields)]
pub(super) struct ServicePageResponse {
    /// Approximate total number of active services
    approximate_count: u64,
    services: Vec<ServiceSummaryResponse>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
    /// Only with `prefix`, `service`, `gms_user` or `number`: whether the search found all services. Otherwise `next`
    /// continues it; it is null if the number has more than 5,000 bookings, of which only these were read
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    complete: Option<bool>,
    /// Only with `prefix`, `service`, `gms_user` or `number`: the number of services that were read
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    searched: Option<usize>,
}

/// Whether an entry is a service or a storage area
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActiveServiceKind)]
#[serde(rename_all = "snake_case")]
enum ServiceKind {
    Service,
    StorageArea,
}

/// An active service or storage area
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActiveServiceSummary)]
pub(super) struct ServiceSummaryResponse {
    id: String,
    kind: ServiceKind,
    /// The custom id of a storage area, if it has one
    #[schema(required)]
    custom_id: Option<String>,
    /// Name of its configured service; `_storage` for a storage area
    service: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    /// Seconds until the service expires
    ttl: u64,
    /// The header `gms_user` of the create request
    #[schema(required)]
    gms_user: Option<String>,
}

/// An active service, without the values of its storage
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActiveService)]
pub(super) struct ServiceDetailResponse<'a> {
    #[serde(flatten)]
    service: ServiceSummaryResponse,
    /// Keys with a string value
    keys: &'a [String],
    /// Keys with a binary value
    binaries: Vec<BinaryResponse<'a>>,
    /// Booked access numbers
    bookings: Vec<ServiceBookingResponse>,
}

/// A booking of an active service
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActiveServiceBooking)]
pub(super) struct ServiceBookingResponse {
    group: String,
    #[serde(flatten)]
    booking: bookings::BookingResponse,
}

impl ServicePageResponse {
    /// The result of a search, of `approximate_count` services.
    pub(super) fn new(
        found: ServiceSearchResult,
        search: &ServiceSearch,
        approximate_count: u64,
        now: Timestamp,
    ) -> Self {
        let is_search = !search.is_list();
        let complete = found.is_complete();
        let page = found.page;
        let services = page.services.into_iter();
        Self {
            approximate_count,
            services: services
                .map(|service| ServiceSummaryResponse::new(service, now))
                .collect(),
            next: page.next.as_ref().map(format_cursor),
            complete: is_search.then_some(complete),
            searched: is_search.then_some(page.searched),
        }
    }
}

impl ServiceSummaryResponse {
    pub(super) fn new(listed: ListedService, now: Timestamp) -> Self {
        Self {
            id: listed.id.as_str().to_owned(),
            kind: if listed.id.is_storage_area() {
                ServiceKind::StorageArea
            } else {
                ServiceKind::Service
            },
            custom_id: listed.id.custom_id().map(Cow::into_owned),
            service: listed.definition,
            created_at: listed.created.to_string(),
            expires_at: listed.end.to_string(),
            ttl: listed.end.since(now).as_secs(),
            gms_user: listed.gms_user,
        }
    }
}

impl<'a> ServiceDetailResponse<'a> {
    pub(super) fn new(
        id: &ServiceId,
        description: &'a Description,
        bookings: Vec<(String, ListedBooking)>,
        now: Timestamp,
    ) -> Self {
        let listed = ListedService {
            id: id.clone(),
            definition: description.definition.clone(),
            created: description.created,
            end: description.end,
            gms_user: description.gms_user.clone(),
        };
        let bookings = bookings
            .into_iter()
            .map(|(group, booking)| ServiceBookingResponse {
                group,
                booking: booking.into(),
            });
        Self {
            service: ServiceSummaryResponse::new(listed, now),
            keys: &description.keys,
            binaries: binary_responses(description),
            bookings: bookings.collect(),
        }
    }
}
