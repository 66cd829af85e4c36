//! Push by `CometD` over HTTP (long polling) and over WebSocket connections.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, HeaderValue},
    },
    web,
};

use super::{
    ApiError, AppState, body,
    openapi::{
        errors::{ClientErrors, InvalidBody, StoreFull, TooLarge, UnsupportedMediaType},
        parameters::UserHeader,
    },
    propagation, response,
};
use crate::{
    service::{CometClient, CometMessage, CometReplies},
    telemetry::metrics::CometTransport,
};

pub(super) mod websocket;

const PATH: &str = "/genesys/cometd";
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

/// Whether a path is served by `CometD`.
pub(super) fn is_path(path: &str) -> bool {
    let below = path.strip_prefix(PATH);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// `POST /genesys/cometd`
#[utoipa::path(
    post,
    path = "/genesys/cometd",
    operation_id = "exchangeCometMessages",
    tag = "chats",
    summary = "Exchange messages of CometD",
    description = "\
        Bayeux protocol 1.0 with the connection type `long-polling`; also at every path below this one. The body is a \
        message, an array of messages, or a form with fields `message`. A WebSocket handshake at the same paths opens a \
        connection of the type `websocket`, whose text frames have arrays of messages. Clients open a session with \
        `/meta/handshake`, subscribe to `/_genesys`, and then send `/meta/connect` again and again: it waits for \
        events. Chats that were started with `notify_by=comet` and the `gms_user` of the handshake are pushed on \
        `/_genesys`. Each request can be sent to another replica. The extension `ack` is supported. Errors of \
        messages are replies with `successful: false`.",
    params(UserHeader),
    request_body(
        content = inline(Value),
        content_type = "application/json",
        example = json!([{
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"],
        }]),
    ),
    responses(
        (status = 200, description = "The replies, after pushed events", body = inline(Vec<Object>)),
        ClientErrors, InvalidBody, TooLarge, UnsupportedMediaType, StoreFull,
    ),
    security(()),
)]
pub(super) async fn exchange_messages(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let client = comet_client(&request, CometTransport::LongPolling)?;
    let texts = body::read_messages(&state, &request, payload).await?;
    let mut response = match parse(texts) {
        Ok(messages) => {
            state
                .services
                .process_comet_messages(&client, &messages)
                .await?
        }
        Err(reason) => return respond(&CometReplies::malformed(&reason)),
    };
    if let Some(waiting) = response.waiting.take() {
        response.replies.extend(waiting.wait().await?);
    }
    respond(&response.replies)
}

/// Parses all messages of a request.
fn parse(texts: Vec<String>) -> Result<Vec<CometMessage>, String> {
    let mut messages = Vec::new();
    for text in texts {
        CometMessage::parse(&text, &mut messages).map_err(|error| error.to_string())?;
    }
    Ok(messages)
}

fn respond(replies: &CometReplies) -> Result<HttpResponse, ApiError> {
    let mut response = response::with_default_headers(StatusCode::OK);
    response::json_with(response.insert_header((CONTENT_TYPE, JSON)), replies)
}

/// The client of a request.
///
/// # Errors
/// [`ApiError::InvalidParameter`] if the user is ambiguous.
fn comet_client(request: &HttpRequest, transport: CometTransport) -> Result<CometClient, ApiError> {
    Ok(CometClient::new(propagation::user(request)?, transport))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_are_served() {
        for path in ["/genesys/cometd", "/genesys/cometd/", "/genesys/cometd/a/b"] {
            assert!(is_path(path), "{path}");
        }
        for path in ["/genesys", "/genesys/cometda", "/cometd"] {
            assert!(!is_path(path), "{path}");
        }
    }
}
