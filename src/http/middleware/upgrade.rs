//! Requests to upgrade the connection. Except for WebSocket connections of `CometD`, Switchboard supports no upgrade and
//! ignores them (RFC 9110 7.8).
//!
//! actix-http 3.20 does not ignore them: it responds with `connection: upgrade` and then closes the connection, and
//! for `Upgrade: websocket` it reads the body up to the end of the connection instead of its length. It decides
//! both before it calls any service; a response can only close the connection properly. Such a request is therefore
//! handled as one without `Upgrade`, and its response has `connection: close` (RFC 9112 9.6), so that the client
//! opens a new connection. See `docs/upstream/actix-http-upgrade.md`. This file can be removed when the test
//! `actix_still_handles_upgrades_itself` fails.

use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    http::{
        ConnectionType, Method, StatusCode, Version,
        header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, UPGRADE},
    },
    web::Bytes,
};
use futures_util::{Stream, StreamExt, stream};

use crate::http::comet;

/// Whether a request has an `Upgrade` that actix-http acts on.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpgradeRequest(bool);

impl UpgradeRequest {
    pub(super) fn is_requested(self) -> bool {
        self.0
    }
}

/// Whether the connection is upgraded.
pub(super) fn is_accepted<B>(response: &ServiceResponse<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

/// Makes actix-http handle a request with `Upgrade` as one without.
pub(super) fn strip_upgrade(request: &mut ServiceRequest) -> UpgradeRequest {
    let head = request.head();
    if head.version > Version::HTTP_11 {
        return UpgradeRequest(false);
    }
    let connection = head.connection_type() == ConnectionType::Upgrade;
    let reads_to_end = is_read_to_end(head.headers());
    // The handler of WebSockets reads to the end of the connection, and reads nothing if it rejects the request.
    if reads_to_end && !(head.method == Method::GET && comet::is_path(head.uri.path())) {
        // The decoder has rejected invalid lengths.
        let length = head.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        let body = limit_body(request.take_payload(), length.unwrap_or(0));
        request.set_payload(Payload::from(body.boxed_local()));
    }
    UpgradeRequest(connection || reads_to_end)
}

/// Closes the connection after this response, with `connection: close`.
pub(super) fn close_connection<B>(response: &mut ServiceResponse<B>) {
    let head = response.response_mut().head_mut();
    head.set_connection_type(ConnectionType::Close);
}

/// Whether actix-http reads the body up to the end of the connection.
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

/// The first `length` bytes of a body. A shorter body is an error.
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
