//! Downloads of the strings and binaries of a service.
//!
//! The content is untrusted. Regardless of its declared type it is sent as `application/octet-stream` or `text/plain`,
//! with `Content-Disposition: attachment`, so that browsers never run it in the origin of the console.

use actix_web::{HttpRequest, http::header::CONTENT_DISPOSITION, web::Data};

use crate::{
    http::{
        ApiError, AppState,
        admin_ui::{PageResult, percent_encode},
        client_api::binaries,
        fetch_metadata, path, response,
    },
    model::ServiceId,
};

/// `GET /genesys/1/admin/ui/active-services/{id}/values/{key}`: a string.
pub(in crate::http::admin_ui) async fn download_string(
    state: Data<AppState>,
    request: HttpRequest,
) -> PageResult {
    fetch_metadata::check_destination(&request)?;
    let (id, key) = service_and_key(&state, &request)?;
    let mut response = response::text_value(state.services.read(&id, &key).await?)?;
    // The suffix `.txt` makes the downloaded file open as text.
    let disposition = binaries::content_disposition(&format!("{key}.txt"));
    let disposition = disposition.parse().map_err(|_error| ApiError::Internal)?;
    response
        .headers_mut()
        .insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// `GET /genesys/1/admin/ui/active-services/{id}/binaries/{key}`
pub(in crate::http::admin_ui) async fn download_binary(
    state: Data<AppState>,
    request: HttpRequest,
) -> PageResult {
    fetch_metadata::check_destination(&request)?;
    let (id, key) = service_and_key(&state, &request)?;
    Ok(binaries::download(&state, &request, id, key).await?)
}

/// The URL of a download, for a key of the service whose page is at `service_url`. Browsers remove the path segments
/// `.` and `..` even if they are encoded, so these keys are passed in the query.
pub(super) fn download_url(service_url: &str, kind: &str, key: &str) -> String {
    let encoded = percent_encode(key);
    if matches!(key, "." | "..") {
        return format!("{service_url}/{kind}/dots?key={encoded}");
    }
    format!("{service_url}/{kind}/{encoded}")
}

fn service_and_key(
    state: &AppState,
    request: &HttpRequest,
) -> Result<(ServiceId, String), ApiError> {
    let id = ServiceId::from(path::page_name(request)?);
    Ok((id, binaries::key_or_query(state, request, path::page_key)?))
}
