//! The changes of a storage, as server-sent events.

use std::{convert::Infallible, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::Method, web::Bytes};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

use crate::{
    http::{ApiError, AppState, accept, event_stream, response},
    model::{Revision, readiness::Readiness},
    service::{ServiceError, StorageEvent, StorageEventKind, StorageWatchItem, StorageWatcher},
};

/// The revision after which a stream of events continues.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct LastRevisionHeader {
    /// The id of the last event of a stream that the client has. If it is still the current revision, the stream begins
    /// with the next change, otherwise with a snapshot.
    #[param(rename = "Last-Event-ID", required = false)]
    last_event_id: String,
}

const EVENT_STREAM: &str = "text/event-stream";

/// Whether the client requests a stream of events: by its name, because `text/*` also means other types.
pub(in crate::http) fn accepts_events(request: &HttpRequest) -> bool {
    let headers = request.headers();
    accept::names_type(headers, EVENT_STREAM)
        && accept::preferred_type(headers, &["application/json", EVENT_STREAM]) == EVENT_STREAM
}

/// The response with the changes of a storage, which `watch` opens after the revision that the client has.
///
/// # Errors
/// Those of `watch`.
pub(in crate::http) async fn watch_response<W>(
    state: &AppState,
    request: &HttpRequest,
    watch: impl FnOnce(Option<Revision>) -> W,
) -> Result<HttpResponse, ApiError>
where
    W: Future<Output = Result<StorageWatcher, ServiceError>>,
{
    if state.readiness.is_draining() {
        let body = event_stream::reconnect_elsewhere();
        let response = event_stream::event_stream_response().body(body);
        return Ok(response::depending_on_accept(response));
    }
    let watcher = watch(known_revision(request)).await?;
    let response = if request.method() == Method::HEAD {
        event_stream::event_stream_response().streaming(stream::empty::<Result<_, Infallible>>())
    } else {
        event_stream::stream_events(events(watcher, state.readiness.clone()))
    };
    Ok(response::depending_on_accept(response))
}

/// The revision in `Last-Event-ID`. Anything else means that the client has none.
fn known_revision(request: &HttpRequest) -> Option<Revision> {
    let last_id = request.headers().get("last-event-id")?;
    last_id.to_str().ok()?.parse().ok().map(Revision::new)
}

/// The data of the last event.
#[derive(Serialize)]
struct End {
    reason: &'static str,
}

/// Bytes of the stream.
enum Part {
    Bytes(Bytes),
    Event(Arc<StorageEvent>),
}

/// The events until the end of the service, or until the replica is shutting down.
fn events(
    watcher: StorageWatcher,
    readiness: Readiness,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    // On the heap, because the future below contains what it captures and what it returns.
    let watcher = Box::new(watcher);
    let parts = stream::unfold(Some((watcher, readiness)), |state| async move {
        let (mut watcher, readiness) = state?;
        let (part, goes_on) = loop {
            if readiness.is_draining() {
                break (Part::Bytes(event_stream::reconnect_elsewhere()), false);
            }
            break match watcher.next().await {
                StorageWatchItem::Changed => continue,
                StorageWatchItem::Event(event) => (Part::Event(event), true),
                StorageWatchItem::Heartbeat => (Part::Bytes(event_stream::heartbeat()), true),
                StorageWatchItem::Ended => (end(&watcher, "ended")?, false),
                StorageWatchItem::TooLarge => (end(&watcher, "too_large")?, false),
            };
        };
        Some((part, goes_on.then_some((watcher, readiness))))
    });
    parts.flat_map(|part| stream::iter(bytes_of(part)).map(Ok))
}

/// The last event. A serialization that fails is a bug, which ends the stream.
fn end(watcher: &StorageWatcher, reason: &'static str) -> Option<Part> {
    let id = watcher.revision().unwrap_or_default();
    let event = event_stream::json_event(Some("end"), id, &End { reason }).ok()?;
    Some(Part::Bytes(event))
}

/// The bytes of a part, in chunks.
fn bytes_of(part: Part) -> impl Iterator<Item = Bytes> {
    let (head, event) = match part {
        Part::Bytes(bytes) => (bytes, None),
        Part::Event(event) => {
            let name = match event.kind {
                StorageEventKind::Snapshot => "snapshot",
                StorageEventKind::Change => "change",
            };
            let head = format!("event: {name}\nid: {}\ndata: ", event.revision);
            (Bytes::from(head), Some(event))
        }
    };
    let tail = event.as_ref().map(|_| Bytes::from_static(b"\n\n"));
    let (mut index, mut head, mut tail) = (0, Some(head), tail);
    std::iter::from_fn(move || {
        if let Some(head) = head.take() {
            return Some(head);
        }
        // The memory of the event is reserved until its last part is sent.
        let chunk = event.as_ref().and_then(|event| event.json.get(index));
        index += 1;
        chunk.cloned().or_else(|| tail.take())
    })
}
