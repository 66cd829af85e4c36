//! A client of server-sent events.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time;

/// The time to wait for an expected event on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A received event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerEvent {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// An open stream of server-sent events.
pub(crate) struct EventStream {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
    /// The last value of `retry`.
    pub(crate) retry: Option<u64>,
}

impl EventStream {
    /// Sends a request whose response is a stream.
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self::from_response(response)
    }

    pub(crate) fn from_response(response: Response) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            bytes: Box::pin(response.bytes_stream()),
            text: String::new(),
            retry: None,
        }
    }

    /// The next event; comments are skipped. `None` at the end of the stream, or if it breaks.
    pub(crate) async fn next(&mut self) -> Option<ServerEvent> {
        let next = time::timeout(TIMEOUT, self.read());
        next.await.unwrap()
    }

    async fn read(&mut self) -> Option<ServerEvent> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = self.parse(&block) {
                    return Some(event);
                }
            }
            let bytes = self.bytes.next().await?.ok()?;
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    fn parse(&mut self, block: &str) -> Option<ServerEvent> {
        let (mut event, mut id, mut data) = (String::new(), String::new(), None);
        for line in block.lines() {
            match line.split_once(": ").unwrap() {
                ("event", name) => name.clone_into(&mut event),
                ("id", value) => value.clone_into(&mut id),
                ("data", json) => data = Some(serde_json::from_str(json).unwrap()),
                ("retry", delay) => self.retry = Some(delay.parse().unwrap()),
                ("", _comment) => {}
                other => panic!("unknown field {other:?}"),
            }
        }
        Some(ServerEvent {
            event,
            id,
            data: data?,
        })
    }
}
