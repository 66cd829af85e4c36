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
        Api, ApiError, binaries, body, fetch_metadata,
        pages::{Page, encoded},
        path, reply,
    },
    store::ServiceId,
};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// `GET /genesys/1/admin/ui/live/{id}/values/{key}`: a whole string.
pub(in crate::http::pages) async fn value(api: Data<Api>, request: HttpRequest) -> Page {
    fetch_metadata::check_destination(&request)?;
    let (id, key) = named(&api, &request)?;
    let mut answer = reply::value(api.services.read(&id, &key).await?)?;
    // Opened from where it is kept, it is text still.
    let name = binaries::attachment(&format!("{key}.txt"));
    let name = name.parse().map_err(|_wrong| ApiError::Internal)?;
    answer.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(answer)
}

/// `GET /genesys/1/admin/ui/live/{id}/binaries/{key}`
pub(in crate::http::pages) async fn binary(api: Data<Api>, request: HttpRequest) -> Page {
    let (id, key) = named(&api, &request)?;
    let mut answer = binaries::send(&api, &request, id, key).await?;
    if answer.headers().contains_key(CONTENT_TYPE) {
        answer.headers_mut().insert(CONTENT_TYPE, BYTES);
    }
    Ok(answer)
}

/// Where that is, for a name of the service whose page is at `place`. No browser leaves `.` or `..` in a
/// path, however they are written there, so these stand in the query.
pub(super) fn way_to(place: &str, kind: &str, key: &str) -> String {
    let name = encoded(key);
    if matches!(key, "." | "..") {
        return format!("{place}/{kind}/dots?key={name}");
    }
    format!("{place}/{kind}/{name}")
}

fn named(api: &Api, request: &HttpRequest) -> Result<(ServiceId, String), ApiError> {
    let id = ServiceId::from(path::page_name(request)?);
    let query = body::query(api, request)?;
    match query.text("key") {
        Some(dots) => Ok((id, dots.to_owned())),
        None => Ok((id, path::page_part(request)?)),
    }
}
