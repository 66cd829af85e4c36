//! `WebSocket` connections of `CometD`.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::fixture::{Chat, PATH, positions, wait_until_waiting};
use crate::support::{TestApp, on_every_kind_of_store, random_prefix};

on_every_kind_of_store!(
    events_are_pushed_over_the_connection,
    disconnect_answers_the_waiting_connect_first,
    second_connect_on_the_connection_answers_the_first,
);

const TIMEOUT: Duration = Duration::from_secs(20);
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A client that sends and receives frames.
struct Socket {
    stream: TcpStream,
    client_id: String,
}

impl Socket {
    /// Opens a connection with these header lines; `Err` is the head of another response than 101.
    async fn open(app: &TestApp, headers: &str) -> Result<Self, String> {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let head = format!(
            "GET {PATH}/ HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            app.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            response.push(timeout(TIMEOUT, stream.read_u8()).await.unwrap().unwrap());
        }
        let response = String::from_utf8(response).unwrap();
        if !response.starts_with("HTTP/1.1 101 ") {
            return Err(response);
        }
        assert!(
            response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            "{response}"
        );
        let client_id = String::new();
        Ok(Self { stream, client_id })
    }

    /// Opens a session of `user` that is subscribed and has connected once.
    async fn connected(app: &TestApp, user: &str) -> Self {
        let mut socket = Self::open(app, &format!("gms_user: {user}\r\n"))
            .await
            .unwrap();
        socket
            .send(&json!([{"channel": "/meta/handshake", "id": "1"}]))
            .await;
        let reply = socket.receive().await.remove(0);
        assert_eq!(reply["successful"], true, "{reply}");
        reply["clientId"]
            .as_str()
            .unwrap()
            .clone_into(&mut socket.client_id);
        let subscribe =
            socket.message("/meta/subscribe", "2", json!({"subscription": "/_genesys"}));
        let connect = socket.message("/meta/connect", "3", json!({"advice": {"timeout": 0}}));
        socket.send(&json!([subscribe, connect])).await;
        assert_eq!(socket.receive().await.len(), 2);
        socket
    }

    fn message(&self, channel: &str, id: &str, mut members: Value) -> Value {
        members["channel"] = json!(channel);
        members["id"] = json!(id);
        members["clientId"] = json!(self.client_id);
        members
    }

    async fn send_message(&mut self, channel: &str, id: &str) {
        let message = self.message(channel, id, json!({}));
        self.send(&json!([message])).await;
    }

    async fn send(&mut self, messages: &Value) {
        self.send_frame(0x80 | TEXT, messages.to_string().as_bytes())
            .await;
    }

    /// Sends a frame whose mask is zero.
    async fn send_frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match u16::try_from(payload.len()) {
            Ok(length) if length < 126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            Ok(length) => {
                frame.push(0xfe);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0xff);
                frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(payload);
        // The server may have closed the connection.
        drop(self.stream.write_all(&frame).await);
    }

    async fn receive_frame(&mut self) -> (u8, Vec<u8>) {
        let stream = &mut self.stream;
        let read = async {
            let first = stream.read_u8().await.unwrap();
            let length = match stream.read_u8().await.unwrap() {
                126 => u64::from(stream.read_u16().await.unwrap()),
                127 => stream.read_u64().await.unwrap(),
                length => u64::from(length),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            stream.read_exact(&mut payload).await.unwrap();
            (first & 0x0f, payload)
        };
        timeout(TIMEOUT, read).await.unwrap()
    }

    /// The messages of the next text frame.
    async fn receive(&mut self) -> Vec<Value> {
        let (opcode, payload) = self.receive_frame().await;
        assert_eq!(opcode, TEXT, "{payload:?}");
        serde_json::from_slice(&payload).unwrap()
    }

    /// The code with which the server closes the connection.
    async fn receive_close(&mut self) -> u16 {
        let (opcode, payload) = self.receive_frame().await;
        assert_eq!(opcode, CLOSE, "{payload:?}");
        u16::from_be_bytes([payload[0], payload[1]])
    }
}

fn user() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn events_are_pushed_over_the_connection(app: TestApp) {
    let user = user();
    let mut socket = Socket::connected(&app, &user).await;
    socket.send_message("/meta/connect", "4").await;
    wait_until_waiting(&app).await;
    let chat = Chat::start(&app, &user, "notify_by=comet").await;
    let mut replies = socket.receive().await;
    let reply = replies.pop().unwrap();
    assert_eq!(
        (&reply["channel"], &reply["id"]),
        (&json!("/meta/connect"), &json!("4"))
    );
    assert_eq!(positions(&replies), [(chat.id.clone(), 1, 1)]);
    // Frames are processed while a connect waits.
    socket.send_message("/meta/connect", "5").await;
    wait_until_waiting(&app).await;
    socket.send_frame(0x80 | PING, b"x").await;
    assert_eq!(socket.receive_frame().await, (PONG, b"x".to_vec()));
    let unsubscribe = socket.message("/meta/unsubscribe", "6", json!({"subscription": "/a"}));
    // In two fragments.
    let text = json!([unsubscribe]).to_string();
    socket.send_frame(TEXT, &text.as_bytes()[..10]).await;
    socket.send_frame(0x80, &text.as_bytes()[10..]).await;
    assert_eq!(socket.receive().await[0]["id"], "6");
    chat.send(&app, "Hello").await;
    let replies = socket.receive().await;
    assert_eq!(positions(&replies[..1]), [(chat.id, 2, 2)]);
}

async fn disconnect_answers_the_waiting_connect_first(app: TestApp) {
    let mut socket = Socket::connected(&app, &user()).await;
    socket.send_message("/meta/connect", "4").await;
    wait_until_waiting(&app).await;
    socket.send_message("/meta/disconnect", "5").await;
    let replies = socket.receive().await;
    let channels: Vec<&Value> = replies.iter().map(|reply| &reply["channel"]).collect();
    assert_eq!(channels, ["/meta/connect", "/meta/disconnect"]);
    assert_eq!(replies[0]["successful"], true);
}

async fn second_connect_on_the_connection_answers_the_first(app: TestApp) {
    let mut socket = Socket::connected(&app, &user()).await;
    for id in ["4", "5", "6"] {
        socket.send_message("/meta/connect", id).await;
    }
    // Both are woken by signals, which may arrive together.
    let mut answered = Vec::new();
    for _ in 0..2 {
        answered.push(socket.receive().await[0]["id"].clone());
    }
    answered.sort_by_key(Value::to_string);
    assert_eq!(answered, ["4", "5"]);
}

#[tokio::test]
async fn malformed_messages_have_error_replies_and_other_frames_close_the_connection() {
    let app = TestApp::on_memory().await;
    let mut socket = Socket::connected(&app, "ann").await;
    socket.send_frame(0x80 | TEXT, b"{").await;
    let reply = socket.receive().await.remove(0);
    assert!(
        reply["error"].as_str().unwrap().starts_with("400::"),
        "{reply}"
    );
    for (first, payload, code) in [
        (0x82, vec![1], 1003),
        (0x80 | TEXT, vec![0xff], 1002),
        (0x80 | TEXT, vec![b' '; 64 * 1024 + 1], 1002),
        (0x83, vec![], 1002),
    ] {
        let mut socket = Socket::connected(&app, "ann").await;
        socket.send_frame(first, &payload).await;
        assert_eq!(
            socket.receive_close().await,
            code,
            "{first:x} {}",
            payload.len()
        );
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_rejected() {
    let settings = [("cors.allowed_origins", "https://shop.example")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let own = format!("Origin: http://{}\r\n", app.address);
    for headers in ["", &own, "Origin: https://shop.example\r\n"] {
        assert!(Socket::open(&app, headers).await.is_ok(), "{headers}");
    }
    for headers in ["Origin: https://other.example\r\n", "Origin: null\r\n"] {
        let refused = Socket::open(&app, headers).await.err().unwrap();
        assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
        assert!(refused.contains("connection: close"), "{refused}");
    }
    let ambiguous = "gms_user: ann\r\ngms_user: bob\r\n";
    let refused = Socket::open(&app, ambiguous).await.err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_rejected() {
    let settings = [("comet.max_connections", "1")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let socket = Socket::connected(&app, "ann").await;
    let refused = Socket::open(&app, "").await.err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    drop(socket);
    let open = async || Socket::open(&app, "").await.ok().map(drop);
    crate::support::eventually("the connection is closed", open).await;
}

#[tokio::test]
async fn connections_are_closed_when_the_replica_drains() {
    let app = TestApp::on_memory().await;
    let mut socket = Socket::connected(&app, "ann").await;
    socket.send_message("/meta/connect", "4").await;
    wait_until_waiting(&app).await;
    let stopped = tokio::spawn(app.stop());
    let reply = socket.receive().await.remove(0);
    assert_eq!(reply["advice"]["reconnect"], "retry", "{reply}");
    assert_eq!(socket.receive_close().await, 1012);
    timeout(TIMEOUT, stopped).await.unwrap().unwrap();
}
