//! A client of the Bayeux protocol over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Bodies, TestApp, TestResponse, eventually};

pub(super) const PATH: &str = "/genesys/cometd";

/// A session on one or more replicas.
pub(super) struct CometSession {
    pub(super) user: String,
    pub(super) client_id: String,
}

/// Sends `body` and returns the response.
pub(super) async fn post(app: &TestApp, user: &str, body: &Value) -> TestResponse {
    let mut request = app.post(PATH).json_body(&body.to_string());
    if !user.is_empty() {
        request = request.header("gms_user", user);
    }
    TestResponse::send(request).await
}

/// Sends messages and returns the replies.
pub(super) async fn exchange(app: &TestApp, user: &str, messages: &Value) -> Vec<Value> {
    let response = post(app, user, messages).await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.text());
    assert_eq!(
        response.header("content-type"),
        "application/json;charset=UTF-8"
    );
    response.json().as_array().unwrap().clone()
}

impl CometSession {
    /// Opens a session of `user` that is subscribed to the channel of chats.
    pub(super) async fn open(app: &TestApp, user: &str, has_ack: bool) -> Self {
        let session = Self::handshake(app, user, has_ack).await;
        session.subscribe(app, "/_genesys").await;
        session
    }

    pub(super) async fn handshake(app: &TestApp, user: &str, has_ack: bool) -> Self {
        let handshake = json!([{
            "id": "1", "version": "1.0", "minimumVersion": "1.0", "channel": "/meta/handshake",
            "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
            "advice": {"timeout": 60_000, "interval": 0}, "ext": {"ack": has_ack}
        }]);
        let replies = exchange(app, user, &handshake).await;
        assert_eq!(replies.len(), 1, "{replies:?}");
        let reply = &replies[0];
        assert_eq!(reply["successful"], true, "{reply}");
        assert_eq!(reply["id"], "1", "{reply}");
        assert_eq!(reply["ext"]["ack"] == true, has_ack, "{reply}");
        Self {
            user: user.to_owned(),
            client_id: reply["clientId"].as_str().unwrap().to_owned(),
        }
    }

    pub(super) fn message(&self, channel: &str) -> Value {
        json!({"channel": channel, "clientId": self.client_id, "id": "2"})
    }

    /// Sends one message with these members, and returns all replies.
    pub(super) async fn send(&self, app: &TestApp, channel: &str, members: Value) -> Vec<Value> {
        let mut message = self.message(channel);
        for (name, value) in members.as_object().unwrap() {
            message[name] = value.clone();
        }
        exchange(app, &self.user, &json!([message])).await
    }

    pub(super) async fn subscribe(&self, app: &TestApp, channel: &str) {
        let members = json!({"subscription": channel});
        let replies = self.send(app, "/meta/subscribe", members).await;
        assert_eq!(replies[0]["successful"], true, "{replies:?}");
        assert_eq!(replies[0]["subscription"], channel, "{replies:?}");
    }

    /// Connects, and returns the pushed messages and the reply.
    pub(super) async fn connect(&self, app: &TestApp, members: Value) -> (Vec<Value>, Value) {
        let mut replies = self.send(app, "/meta/connect", members).await;
        let reply = replies.pop().unwrap();
        assert_eq!(reply["channel"], "/meta/connect", "{reply}");
        assert_eq!(reply["id"], "2", "{reply}");
        (replies, reply)
    }

    /// A connect that is answered at once, and says nothing about the batch before.
    pub(super) async fn connect_at_once(&self, app: &TestApp) -> (Vec<Value>, Value) {
        let members = json!({"connectionType": "long-polling", "advice": {"timeout": 0}});
        let (pushed, reply) = self.connect(app, members).await;
        assert_eq!(reply["successful"], true, "{reply}");
        (pushed, reply)
    }
}

/// A chat.
pub(super) struct Chat {
    /// The path of its service.
    pub(super) path: String,
    /// The id of its service.
    pub(super) id: String,
    user: String,
}

impl Chat {
    /// Starts a chat of `user`.
    pub(super) async fn start(app: &TestApp, user: &str, form: &str) -> Self {
        let created = TestResponse::send(app.post("/genesys/1/service/request-chat")).await;
        let path = created.service_id();
        let chat = Self {
            id: path.rsplit('/').next().unwrap().to_owned(),
            path,
            user: user.to_owned(),
        };
        chat.request(app, "", form).await;
        chat
    }

    pub(super) async fn send(&self, app: &TestApp, message: &str) {
        self.request(app, "send", &format!("message={message}"))
            .await;
    }

    /// Sends a request of the client.
    pub(super) async fn request(&self, app: &TestApp, name: &str, form: &str) -> Value {
        let path = format!("{}/ixn/chat/{name}", self.path);
        let mut request = app.post(path.trim_end_matches('/')).form_body(form);
        if !self.user.is_empty() {
            request = request.header("gms_user", &self.user);
        }
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text());
        response.json()
    }
}

/// The pushes: the id of the service, and the positions of the first and the last event.
pub(super) fn positions(pushed: &[Value]) -> Vec<(String, u64, u64)> {
    let position = |push: &Value| {
        let tag = push["data"]["tag"].as_str().unwrap();
        let message = &push["data"]["message"];
        let last = message["transcriptPosition"].as_u64().unwrap();
        let events = message["transcriptToShow"].as_array().unwrap().len() as u64;
        (
            tag.rsplit('.').next().unwrap().to_owned(),
            last + 1 - events,
            last,
        )
    };
    pushed.iter().map(position).collect()
}

/// Waits until a connect waits on this replica.
pub(super) async fn wait_until_waiting(app: &TestApp) {
    eventually("a connect waits", async || {
        let metrics = TestResponse::send(app.get("/metrics")).await;
        let text = metrics.text();
        text.contains("switchboard_comet_connects_waiting 1")
            .then_some(())
    })
    .await;
}
