//! WebSocket connections of `CometD`. A text frame has an array of messages.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::ORIGIN,
    rt,
    web::{Data, Payload},
};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use tokio::time::{self, Instant, timeout};
use tracing::debug;

use super::comet_client;
use crate::{
    http::{
        ApiError, AppState, body::MAX_MESSAGE_BYTES, fetch_metadata::is_same_origin,
        middleware::cors,
    },
    service::{CometClient, CometMessage, CometReplies, ServiceError},
    telemetry::metrics::CometTransport,
};

/// The interval of pings. Proxies close connections without data, usually after a minute.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// The time without any frame of the client after which the connection is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The time for a client that does not read to take a frame.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which waiting connects end after their session was closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum number of waiting connects of a connection. All but the last one are about to end.
const MAX_WAITING: usize = 8;

/// `GET /genesys/cometd` with a WebSocket handshake.
pub(in crate::http) async fn open_websocket(
    state: Data<AppState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    check_origin(&state, &request)?;
    let client = comet_client(&request, CometTransport::WebSocket)?;
    let comet = state.services.comet();
    let max = comet.settings.max_connections;
    let permit = comet.metrics.track_websocket(max).ok_or_else(|| {
        ApiError::Overloaded(format!(
            "there are {max} WebSockets (comet.max_connections)"
        ))
    })?;
    let (response, session, frames) = actix_ws::handle(&request, payload)
        .map_err(|error| ApiError::InvalidParameter(format!("no WebSocket handshake: {error}")))?;
    let connection = Connection {
        client,
        state,
        session,
        waiting: FuturesUnordered::new(),
    };
    let frames = frames.max_frame_size(MAX_MESSAGE_BYTES);
    let frames = frames.aggregate_continuations();
    let frames = frames.max_continuation_size(MAX_MESSAGE_BYTES);
    rt::spawn(async move {
        connection.run(frames).await;
        drop(permit);
    });
    Ok(response)
}

/// Rejects pages of other sites. Browsers allow any page to open a WebSocket, with the credentials of its user.
fn check_origin(state: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    let Some(origin) = request.headers().get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default();
    if is_same_origin(request, origin) || cors::is_allowed_origin(&state.cors, origin) {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "WebSockets are not allowed unless the origin of the page is listed in cors.allowed_origins",
    ))
}

/// An open WebSocket.
struct Connection {
    state: Data<AppState>,
    client: CometClient,
    session: Session,
    waiting: FuturesUnordered<LocalBoxFuture<'static, Result<CometReplies, ServiceError>>>,
}

/// Why a connection ends: with this code, or without because it is closed.
struct Ended(Option<CloseCode>);

impl From<actix_ws::Closed> for Ended {
    fn from(_: actix_ws::Closed) -> Self {
        Self(None)
    }
}

impl From<ServiceError> for Ended {
    /// The store is unavailable. Clients connect again.
    fn from(error: ServiceError) -> Self {
        debug!(%error, "WebSocket closed");
        Self(Some(CloseCode::Again))
    }
}

/// Waits until a frame is written. A client that does not read ends the connection.
async fn in_time(write: impl Future<Output = Result<(), actix_ws::Closed>>) -> Result<(), Ended> {
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(Ended(None)),
    }
}

impl Connection {
    /// Serves the connection until it is closed, and closes it.
    async fn run(mut self, mut frames: AggregatedMessageStream) {
        let Err(Ended(code)) = self.serve(&mut frames).await;
        if let Some(code) = code {
            let reason = CloseReason::from(code);
            drop(timeout(WRITE_TIMEOUT, self.session.close(Some(reason))).await);
        }
    }

    async fn serve(
        &mut self,
        frames: &mut AggregatedMessageStream,
    ) -> Result<std::convert::Infallible, Ended> {
        let mut pings = time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
        let mut received = Instant::now();
        loop {
            tokio::select! {
                frame = frames.recv() => {
                    received = Instant::now();
                    match frame {
                        Some(Ok(frame)) => self.handle_frame(frame).await?,
                        Some(Err(_)) => return Err(Ended(Some(CloseCode::Protocol))),
                        None => return Err(Ended(None)),
                    }
                }
                Some(replies) = self.waiting.next() => self.send(&replies?).await?,
                _ = pings.tick() => {
                    if received.elapsed() > IDLE_TIMEOUT {
                        return Err(Ended(Some(CloseCode::Away)));
                    }
                    in_time(self.session.ping(b"")).await?;
                }
            }
            if self.waiting.is_empty() && self.state.readiness.is_draining() {
                return Err(Ended(Some(CloseCode::Restart)));
            }
        }
    }

    async fn handle_frame(&mut self, frame: AggregatedMessage) -> Result<(), Ended> {
        match frame {
            AggregatedMessage::Text(text) => self.handle_messages(&text).await,
            AggregatedMessage::Ping(bytes) => in_time(self.session.pong(&bytes)).await,
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Binary(_) => Err(Ended(Some(CloseCode::Unsupported))),
            AggregatedMessage::Close(_) => Err(Ended(Some(CloseCode::Normal))),
        }
    }

    async fn handle_messages(&mut self, text: &str) -> Result<(), Ended> {
        let mut messages = Vec::new();
        if let Err(error) = CometMessage::parse(text, &mut messages) {
            return self
                .send(&CometReplies::malformed(&error.to_string()))
                .await;
        }
        let services = &self.state.services;
        let response = services
            .process_comet_messages(&self.client, &messages)
            .await?;
        let mut replies = CometReplies::default();
        if response.closes {
            // Clients close the connection after the reply to a disconnect, if no other reply is missing.
            let until = Instant::now() + CLOSE_TIMEOUT;
            while let Ok(Some(ended)) = time::timeout_at(until, self.waiting.next()).await {
                replies.extend(ended?);
            }
        }
        replies.extend(response.replies);
        if let Some(waiting) = response.waiting {
            if self.waiting.len() >= MAX_WAITING {
                return Err(Ended(Some(CloseCode::Policy)));
            }
            self.waiting.push(waiting.wait().boxed_local());
        }
        self.send(&replies).await
    }

    /// Sends messages, if there are any.
    async fn send(&mut self, replies: &CometReplies) -> Result<(), Ended> {
        if replies.is_empty() {
            return Ok(());
        }
        let json = replies
            .to_json()
            .map_err(|_error| Ended(Some(CloseCode::Error)))?;
        in_time(self.session.text(json)).await
    }
}
