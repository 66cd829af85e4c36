//! Idempotency keys of creates.

use actix_web::{
    HttpRequest,
    http::header::{AUTHORIZATION, HeaderValue},
};

use super::auth::api_key::api_key;
use crate::{model::GMS_USER, service::IdempotencyHead};

/// The idempotency key of a create and the identity that it is bound to; `None` without an `Idempotency-Key`.
pub(super) fn idempotency_head(request: &HttpRequest) -> Option<IdempotencyHead> {
    let headers = request.headers();
    let keys: Vec<&[u8]> = headers
        .get_all("idempotency-key")
        .map(HeaderValue::as_bytes)
        .collect();
    let raw = |name: &str| headers.get(name).map(|value| value.as_bytes().to_vec());
    (!keys.is_empty()).then(|| IdempotencyHead {
        // Several headers make an invalid key, because a key may not contain a space.
        key: keys.join(b" ".as_slice()),
        method: request.method().to_string(),
        identity: [
            api_key(request).map(<[u8]>::to_vec),
            raw(AUTHORIZATION.as_str()),
            raw(GMS_USER),
        ],
    })
}
