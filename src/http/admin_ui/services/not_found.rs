//! The page for an id without an active service, and the URLs of the pages of services.

use actix_web::http::StatusCode;
use askama::Template;

use crate::{
    http::admin_ui::{Layout, PageResult, page_url, render, signed_in::SignedIn},
    model::ServiceId,
};

/// The path of the list; the page of a service is below it.
pub(in crate::http::admin_ui) const SERVICES_PATH: &str = "/genesys/1/admin/ui/active-services";

/// The URL of the page of a service.
pub(in crate::http::admin_ui) fn service_url(id: &ServiceId) -> String {
    page_url(&["active-services", id.as_str()])
}

/// What `id` identifies, at the beginning of a sentence or in a heading.
pub(super) fn kind_label(id: &ServiceId) -> &'static str {
    if id.is_storage_area() {
        "Storage area"
    } else {
        "Service"
    }
}

#[derive(Template)]
#[template(path = "service_not_found.html")]
struct ServiceNotFoundPage<'a> {
    layout: Layout,
    id: &'a ServiceId,
    /// What the id identifies.
    kind: &'static str,
}

/// The page for an id without an active service.
pub(super) fn service_not_found_page(session: &SignedIn, id: &ServiceId) -> PageResult {
    let kind = kind_label(id);
    let title = format!("{kind} not found");
    let layout = Layout::new(session, "active-services", title);
    let page = ServiceNotFoundPage { layout, id, kind };
    render(StatusCode::NOT_FOUND, &page)
}
