//! The listeners of a chat. A listener connects to the next replica after each error, and continues after the position
//! that it has.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{Agent, history::Row, try_send};
use crate::support::{Bodies, event_stream::EventStream};

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

    /// Removes the events from a chat object that were received before.
    fn omit_repeated(&self, object: &mut Value) {
        let last = object["transcriptPosition"].as_u64().unwrap();
        let rows = object["transcriptToShow"].as_array_mut().unwrap();
        let first = last + 1 - rows.len() as u64;
        assert!(first <= self.position() + 1, "a gap before event {first}");
        let repeated = usize::try_from(self.position() + 1 - first).unwrap();
        rows.drain(..repeated.min(rows.len()));
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
            if let Some(response) = try_send(client.post(url)).await
                && response.status == 200
            {
                let object = response.json();
                received.add(&object);
                if object["chatIxnState"] == "DISCONNECTED" {
                    return received.rows;
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
            if event.name == "end" {
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

/// Receives the event stream of an agent that is in this chat only.
pub(super) struct AgentListener(pub(super) Agent);

impl AgentListener {
    /// Receives events over one connection, after the one with the id `last`; returns whether the chat has ended.
    async fn receive(
        &self,
        received: &mut Received,
        last: &mut String,
    ) -> Result<bool, reqwest::Error> {
        let url = format!("http://{}/genesys/1/agent/events", received.next_replica());
        let mut request = self.0.client.get(url).header("x-api-key", &self.0.key);
        if !last.is_empty() {
            request = request.header("last-event-id", &*last);
        }
        let response = request.send().await?.error_for_status()?;
        let mut stream = EventStream::from_response(response);
        while let Some(event) = stream.next().await {
            *last = event.id;
            match event.name.as_str() {
                "chat.event" if event.data["id"] == self.0.chat => received.add(&event.data),
                "chat.ended" if event.data["id"] == self.0.chat => return Ok(true),
                _ => {}
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Listener for AgentListener {
    async fn listen(&self, replicas: Vec<SocketAddr>, start: usize, _chat: &str) -> Vec<Row> {
        let (mut received, mut last) = (Received::new(replicas, start), String::new());
        loop {
            let ended = timeout(TIMEOUT, self.receive(&mut received, &mut last));
            if ended.await.unwrap().unwrap_or(false) {
                return received.rows;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Receives pushes of `CometD` over long polling with the extension `ack`; each request is to the next replica.
pub(super) struct CometListener {
    /// The user of the chat.
    pub(super) user: String,
}

impl CometListener {
    /// Sends a message; `None` if there is no response.
    async fn send(
        &self,
        client: &Client,
        received: &mut Received,
        message: Value,
    ) -> Option<Vec<Value>> {
        let url = format!("http://{}/genesys/cometd", received.next_replica());
        let request = client.post(url).header("gms_user", &self.user);
        let response = try_send(request.json_body(&json!([message]).to_string())).await;
        let replies = response.filter(|response| response.status == 200)?.json();
        Some(replies.as_array().unwrap().clone())
    }

    /// Opens a session with a subscription; `None` if that fails.
    async fn open_session(&self, client: &Client, received: &mut Received) -> Option<Value> {
        let handshake = json!({
            "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"],
            "ext": {"ack": true}
        });
        let replies = self.send(client, received, handshake).await?;
        let id = replies[0].get("clientId")?.clone();
        let subscribe =
            json!({"channel": "/meta/subscribe", "clientId": id, "subscription": "/_genesys"});
        let replies = self.send(client, received, subscribe).await?;
        (replies[0]["successful"] == true).then_some(id)
    }

    /// Receives events until the session is lost; returns whether the chat has ended.
    async fn receive(&self, client: &Client, received: &mut Received, id: Value) -> bool {
        let (mut acknowledged, mut is_new) = (json!(0), true);
        loop {
            let connect = json!({
                "channel": "/meta/connect", "clientId": id, "connectionType": "long-polling",
                "ext": {"ack": acknowledged}
            });
            let Some(mut replies) = self.send(client, received, connect).await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let reply = replies.pop().unwrap();
            for push in &replies {
                let mut object = push["data"]["message"].clone();
                if is_new {
                    received.omit_repeated(&mut object);
                }
                received.add(&object);
                if object["chatIxnState"] == "DISCONNECTED" {
                    return true;
                }
                is_new = false;
            }
            if reply["successful"] != true {
                return false;
            }
            acknowledged = reply["ext"]["ack"].clone();
        }
    }
}

#[async_trait]
impl Listener for CometListener {
    async fn listen(&self, replicas: Vec<SocketAddr>, start: usize, _chat: &str) -> Vec<Row> {
        let client = Client::builder().timeout(TIMEOUT).build().unwrap();
        let mut received = Received::new(replicas, start);
        loop {
            if let Some(id) = self.open_session(&client, &mut received).await
                && self.receive(&client, &mut received, id).await
            {
                return received.rows;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}
