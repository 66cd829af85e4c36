//! Conditions on the revision of a storage.
#![expect(
    dead_code,
    reason = "the fields describe parameters and are never read"
)]

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH},
};
use utoipa::IntoParams;

use crate::{
    http::{
        ApiError,
        etag::{self, TagList},
    },
    model::{Revision, Revisions, WriteCondition},
};

/// The description of the `ETag` of responses.
pub(in crate::http) const ETAG: &str = "The revision of the storage, for `If-Match` and `If-None-Match`. Each change of a key gives it a new one.";

/// The headers of writes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct WriteConditionHeaders {
    /// `ETag`s of the storage, one of which must be its current one, or `*` if it only must exist. Otherwise
    /// `PreconditionFailed`, with the current `ETag`, and nothing is changed. Example: `"1764000000000003"`.
    #[param(rename = "If-Match", required = false)]
    if_match: String,
    /// `*`: the fields are stored only if none of their names exists, as a string or as a binary.
    #[param(rename = "If-None-Match", required = false, pattern = "^\\*$")]
    if_none_match: String,
}

/// The header of deletes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct DeleteConditionHeader {
    /// `ETag`s of the storage, one of which must be its current one, or `*` if it only must exist. Otherwise
    /// `PreconditionFailed`, with the current `ETag`, and nothing is changed. Example: `"1764000000000003"`.
    #[param(rename = "If-Match", required = false)]
    if_match: String,
}

/// The header of reads of all strings.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct StorageVersionHeader {
    /// `ETag`s of the storage, one of which must be its current one, or `*`. Weak tags never match. Example:
    /// `"1764000000000003"`.
    #[param(rename = "If-Match", required = false)]
    if_match: String,
}

/// Checks the condition of a read that has found this revision.
///
/// # Errors
/// [`ApiError::StorageChanged`]
pub(in crate::http) fn check_version(
    request: &HttpRequest,
    current: Revision,
) -> Result<(), ApiError> {
    let tag = etag::revision_tag(current);
    let has_condition = request.headers().contains_key(IF_MATCH);
    if has_condition && !etag::matches_strong(request, &IF_MATCH, &tag) {
        return Err(ApiError::StorageChanged {
            message: format!("the storage has another ETag: {tag}"),
            current: Some(current),
        });
    }
    Ok(())
}

/// The condition of a write.
///
/// # Errors
/// [`ApiError::InvalidParameter`] for a malformed header, and for `ETag`s in `If-None-Match`.
pub(in crate::http) fn write_condition(request: &HttpRequest) -> Result<WriteCondition, ApiError> {
    let names_are_new = match etag::parse_condition(request, &IF_NONE_MATCH)? {
        None => false,
        Some(TagList::Any) => true,
        Some(TagList::Listed(_)) => {
            return Err(ApiError::InvalidParameter(
                "the header if-none-match has ETags; expected * in a write".to_owned(),
            ));
        }
    };
    let revisions = listed_revisions(request, &IF_MATCH)?;
    Ok(WriteCondition {
        revisions,
        names_are_new,
    })
}

/// The condition of a delete.
///
/// # Errors
/// [`ApiError::InvalidParameter`] for a malformed `If-Match`, and for `If-None-Match`.
pub(in crate::http) fn delete_condition(request: &HttpRequest) -> Result<WriteCondition, ApiError> {
    if request.headers().contains_key(IF_NONE_MATCH) {
        return Err(ApiError::InvalidParameter(
            "the header if-none-match is not supported by deletes; expected if-match".to_owned(),
        ));
    }
    let revisions = listed_revisions(request, &IF_MATCH)?;
    Ok(WriteCondition {
        revisions,
        names_are_new: false,
    })
}

/// The revisions in a header. Weak tags are none of them, and neither are tags of anything else.
fn listed_revisions(
    request: &HttpRequest,
    header: &HeaderName,
) -> Result<Option<Revisions>, ApiError> {
    let tags = etag::parse_condition(request, header)?;
    Ok(tags.map(|tags| match tags {
        TagList::Any => Revisions::Any,
        TagList::Listed(listed) => {
            let revisions = listed.into_iter().filter_map(etag::parse_revision);
            Revisions::Listed(revisions.collect())
        }
    }))
}

/// The revisions whose contents a reader has: those in `If-None-Match`. Tags are compared weakly, and what is no tag is
/// ignored, because the response is then complete.
pub(in crate::http) fn known_revisions(request: &HttpRequest) -> Revisions {
    let tags = etag::listed_tags(request, &IF_NONE_MATCH);
    match tags {
        TagList::Any => Revisions::Any,
        TagList::Listed(listed) => {
            let strong = listed
                .into_iter()
                .map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
            Revisions::Listed(strong.filter_map(etag::parse_revision).collect())
        }
    }
}
