//! What a service holds, to be kept as a file.
//!
//! Strangers sent it. Whatever they say it is, it leaves as bytes or plain text that a browser shows
//! nowhere, so that none of it ever runs as a page of the administration.

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue},
    web::Data,
};

use crate::{
    http::{
        ApiError, AppState,
        admin_ui::{PageResult, percent_encode},
        binaries, body, fetch_metadata, path, response,
    },
    store::ServiceId,
};

const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// `GET /genesys/1/admin/ui/active-services/{id}/values/{key}`: a whole string.
pub(in crate::http::admin_ui) async fn download_string(
    api: Data<AppState>,
    request: HttpRequest,
) -> PageResult {
    fetch_metadata::check_destination(&request)?;
    let (id, key) = service_and_key(&api, &request)?;
    let mut answer = response::text_value(api.services.read(&id, &key).await?)?;
    // Opened from where it is kept, it is text still.
    let name = binaries::content_disposition(&format!("{key}.txt"));
    let name = name.parse().map_err(|_wrong| ApiError::Internal)?;
    answer.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(answer)
}

/// `GET /genesys/1/admin/ui/active-services/{id}/binaries/{key}`
pub(in crate::http::admin_ui) async fn download_binary(
    api: Data<AppState>,
    request: HttpRequest,
) -> PageResult {
    let (id, key) = service_and_key(&api, &request)?;
    let mut answer = binaries::binary_response(&api, &request, id, key).await?;
    if answer.headers().contains_key(CONTENT_TYPE) {
        answer.headers_mut().insert(CONTENT_TYPE, OCTET_STREAM);
    }
    Ok(answer)
}

/// Where that is, for a name of the service whose page is at `place`. No browser leaves `.` or `..` in a
/// path, however they are written there, so these stand in the query.
pub(super) fn download_url(place: &str, kind: &str, key: &str) -> String {
    let name = percent_encode(key);
    if matches!(key, "." | "..") {
        return format!("{place}/{kind}/dots?key={name}");
    }
    format!("{place}/{kind}/{name}")
}

fn service_and_key(api: &AppState, request: &HttpRequest) -> Result<(ServiceId, String), ApiError> {
    let id = ServiceId::from(path::page_name(request)?);
    let query = body::parse_query(api, request)?;
    match query.text("key") {
        Some(dots) => Ok((id, dots.to_owned())),
        None => Ok((id, path::page_key(request)?)),
    }
}
