//! The listeners of a chat. A listener connects to the next replica after each error, and continues after the position
//! that it has.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::history::Row;
use crate::support::{TestResponse, event_stream::EventStream};

/// The time without any event or response after which a listener has failed.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A kind of client that receives the events of a chat.
#[async_trait]
pub(super) trait Listener: Send + Sync {
    /// Returns all events until the end of the chat. The first connection is to the replica `start`.
    async fn listen(&self, replicas: Vec<SocketAddr>, start: usize, chat: &str) -> Vec<Row>;
}

/// The events so far, and the next replica.
struct Received {
    rows: Vec<Row>,
    replicas: Vec<SocketAddr>,
    attempts: usize,
}

impl Received {
    fn new(replicas: Vec<SocketAddr>, start: usize) -> Self {
        Self {
            rows: Vec::new(),
            replicas,
            attempts: start,
        }
    }

    fn next_replica(&mut self) -> SocketAddr {
        self.attempts += 1;
        self.replicas[self.attempts % self.replicas.len()]
    }

    /// The position of the last event.
    fn position(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Adds the events of a chat object, which follow those so far without a gap.
    fn add(&mut self, object: &Value) {
        let rows = object["transcriptToShow"].as_array().unwrap();
        for row in rows {
            let text = |n: usize| row[n].as_str().unwrap().to_owned();
            self.rows.push([text(0), text(1), text(2), text(4)]);
        }
        assert_eq!(object["transcriptPosition"], self.position(), "{object}");
    }
}

/// Requests new events again and again.
pub(super) struct PollingListener;

#[async_trait]
impl Listener for PollingListener {
    async fn listen(&self, replicas: Vec<SocketAddr>, start: usize, chat: &str) -> Vec<Row> {
        let client = Client::builder().timeout(TIMEOUT).build().unwrap();
        let mut received = Received::new(replicas, start);
        loop {
            let (replica, position) = (received.next_replica(), received.position());
            let url = format!("http://{replica}{chat}/refresh?transcriptPosition={position}");
            if let Ok(response) = client.post(url).send().await {
                let response = TestResponse::from_response(response).await;
                if response.status == 200 {
                    let object = response.json();
                    received.add(&object);
                    if object["chatIxnState"] == "DISCONNECTED" {
                        return received.rows;
                    }
                }
            }
            sleep(Duration::from_millis(40)).await;
        }
    }
}

/// Receives server-sent events.
pub(super) struct EventListener;

impl EventListener {
    /// Receives events over one connection; returns whether the chat has ended.
    async fn receive(
        client: &Client,
        received: &mut Received,
        chat: &str,
    ) -> Result<bool, reqwest::Error> {
        let (replica, position) = (received.next_replica(), received.position());
        let request = client.get(format!("http://{replica}{chat}/events"));
        let response = request.header("last-event-id", position).send().await?;
        let response = response.error_for_status()?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(true);
        }
        let mut stream = EventStream::from_response(response);
        while let Some(event) = stream.next().await {
            if event.event == "end" {
                return Ok(true);
            }
            received.add(&event.data);
            assert_eq!(event.id, received.position().to_string());
        }
        Ok(false)
    }
}

#[async_trait]
impl Listener for EventListener {
    async fn listen(&self, replicas: Vec<SocketAddr>, start: usize, chat: &str) -> Vec<Row> {
        let client = Client::new();
        let mut received = Received::new(replicas, start);
        loop {
            let ended = Self::receive(&client, &mut received, chat);
            let ended = timeout(TIMEOUT, ended).await;
            if ended.unwrap().unwrap_or(false) {
                return received.rows;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
