//! A client of server-sent events.

use std::{pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::time;

/// The time to wait for an expected event on a busy machine, and while another server takes over.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A received event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServerEvent {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// The first event of a stream, as text. It can arrive in parts that end within a character.
pub(crate) async fn first_event(mut stream: Response) -> String {
    let mut received: Vec<u8> = Vec::new();
    loop {
        let part = time::timeout(TIMEOUT, stream.chunk()).await;
        received.extend_from_slice(&part.unwrap().unwrap().unwrap());
        if let Some(end) = received.windows(2).position(|two| two == b"\n\n") {
            received.truncate(end);
            return String::from_utf8(received).unwrap();
        }
    }
}

/// An open stream of server-sent events.
pub(crate) struct EventStream {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    /// What is received but not read yet: the start of a block, which can end within a character.
    buffer: Vec<u8>,
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
            buffer: Vec::new(),
            retry: None,
        }
    }

    /// The next event; comments are skipped. `None` at the end of the stream, or if it breaks.
    pub(crate) async fn next(&mut self) -> Option<ServerEvent> {
        let next = time::timeout(TIMEOUT, self.read());
        next.await.unwrap()
    }

    /// The next event with this name; others are skipped.
    pub(crate) async fn next_named(&mut self, name: &str) -> ServerEvent {
        loop {
            let event = self.next().await.unwrap();
            if event.name == name {
                return event;
            }
        }
    }

    async fn read(&mut self) -> Option<ServerEvent> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = self.parse(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            let bytes = self.bytes.next().await?.ok()?;
            self.buffer.extend_from_slice(&bytes);
        }
    }

    fn parse(&mut self, block: &str) -> Option<ServerEvent> {
        let (mut name, mut id, mut data) = (String::new(), String::new(), None);
        for line in block.lines().filter(|line| !line.is_empty()) {
            match line.split_once(": ").unwrap() {
                ("event", value) => value.clone_into(&mut name),
                ("id", value) => value.clone_into(&mut id),
                ("data", json) => data = Some(serde_json::from_str(json).unwrap()),
                ("retry", delay) => self.retry = Some(delay.parse().unwrap()),
                ("", _comment) => {}
                other => panic!("unknown field {other:?}"),
            }
        }
        Some(ServerEvent {
            name,
            id,
            data: data?,
        })
    }
}
