//! Requests to upgrade the connection. This service upgrades to nothing, so it ignores them (RFC 9110 7.8).
//!
//! actix-http 3.20 does not: it answers `connection: upgrade` and then closes the connection, and for
//! `Upgrade: websocket` it reads the body up to the end of the connection instead of its length. Both are
//! decided before any service is called, and a response can only make it close properly. So such a request is
//! read as the one without, and its response says `connection: close` (RFC 9112 9.6): the client knows that the
//! next request needs a new connection. See `docs/upstream/actix-http-upgrade.md`; the test
//! `actix_still_decides_about_upgrades_by_itself` says when this can go.

use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{
        ConnectionType, Version,
        header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, UPGRADE},
    },
    web::Bytes,
};
use futures_util::{Stream, StreamExt, stream};

/// Whether a request asked for an upgrade in a form that actix-http acts on.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpgradeRequest(bool);

impl UpgradeRequest {
    /// Whether it did.
    pub(super) fn is_requested(self) -> bool {
        self.0
    }
}

/// Makes a request that asks for an upgrade the one without.
pub(super) fn strip_upgrade(request: &mut ServiceRequest) -> UpgradeRequest {
    let head = request.head();
    if head.version > Version::HTTP_11 {
        return UpgradeRequest(false);
    }
    let connection = head.connection_type() == ConnectionType::Upgrade;
    let reads_to_end = is_read_to_end(head.headers());
    if reads_to_end {
        // The decoder has refused a length that is none.
        let length = head.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        let body = limit_body(request.take_payload(), length.unwrap_or(0));
        request.set_payload(Payload::from(body.boxed_local()));
    }
    UpgradeRequest(connection || reads_to_end)
}

/// Has the connection closed after this response, which says so.
pub(super) fn close_connection<B>(response: &mut ServiceResponse<B>) {
    let head = response.response_mut().head_mut();
    head.set_connection_type(ConnectionType::Close);
}

/// Whether actix-http takes everything that follows on the connection for the body.
fn is_read_to_end(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE);
    let websocket = upgrades.any(|upgrade| {
        upgrade
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"websocket")
    });
    websocket && !headers.contains_key(TRANSFER_ENCODING)
}

/// The first `length` bytes of a body; one that ends before is incomplete.
fn limit_body(body: Payload, length: u64) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::unfold(Some((body, length)), async |state| {
        let (mut body, left) = state.filter(|(_, left)| *left > 0)?;
        match body.next().await {
            Some(Ok(mut bytes)) => {
                bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left.saturating_sub(bytes.len() as u64);
                Some((Ok(bytes), Some((body, left))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(PayloadError::Incomplete(None)), None)),
        }
    })
}
