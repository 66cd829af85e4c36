//! `/genesys/1/admin/history` and `/genesys/1/admin/replicas`: what operators did, and who is up.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::Value;

use super::{admin, page_size};
use crate::{
    http::{Api, ApiError, body, reply},
    service::{HistoryPage, Pairs, Replica},
};

/// Longest name of a place in the history.
const MAX_PLACE_BYTES: usize = 64;

/// A page of the history, as it is told.
#[derive(Debug, Serialize)]
struct ToldPage {
    events: Vec<Value>,
    next: Option<String>,
}

/// The replicas, as they are told.
#[derive(Debug, Serialize)]
struct ToldReplicas {
    replicas: Vec<Replica>,
}

/// `GET /genesys/1/admin/history`
pub(in crate::http) async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::query(&api, &request)?;
    let (after, most) = (place(&query)?, page_size(&query)?);
    let page = admin(&api)?.history(after, most).await?;
    let HistoryPage { events, next } = page;
    Ok(reply::with_headers(StatusCode::OK).json(ToldPage { events, next }))
}

/// `GET /genesys/1/admin/replicas`
pub(in crate::http) async fn replicas(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let replicas = admin(&api)?.replicas().await?;
    Ok(reply::with_headers(StatusCode::OK).json(ToldReplicas { replicas }))
}

/// The parameter `after`: where a page begins, as the page before told it.
pub(in crate::http) fn place(query: &Pairs) -> Result<Option<&str>, ApiError> {
    let Some(place) = query.text("after") else {
        return Ok(None);
    };
    let mut parts = place.splitn(2, '-');
    let numbers = parts.all(|part| part.parse::<u64>().is_ok());
    if numbers && place.len() <= MAX_PLACE_BYTES && !place.contains('+') {
        return Ok(Some(place));
    }
    Err(ApiError::InvalidParameter(format!(
        "after is {place:?}; expected what a page told as its next one"
    )))
}
