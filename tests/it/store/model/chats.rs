//! The model of chats: clients write to them and read them, at changing replicas, until they or their services end.

use std::{collections::HashMap, time::Duration};

use rand::{RngExt, rngs::StdRng, seq::IteratorRandom};
use switchboard::model::Timestamp;

use super::{ModelRun, area_oracle::CLOCK_ERROR};
use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::{create, eventually, keys, service_toml},
    chat::messages,
    now,
};

/// The TTL of their services.
const TTL: Duration = Duration::from_secs(1);
/// The approximate number of concurrently active chats.
const CHATS: usize = 12;

/// The configured service of the chats, as TOML.
pub(super) fn chat_toml() -> String {
    service_toml("chat", "request-chat") + &format!("_ttl = {}\n", TTL.as_secs())
}

/// A chat that no client uses at this moment.
struct Chat {
    /// Its messages.
    sent: Vec<String>,
    has_ended: bool,
    /// The earliest end of its service.
    ends: Timestamp,
}

#[derive(Default)]
pub(super) struct Chats {
    /// By the paths of the services.
    idle: HashMap<String, Chat>,
    /// The numbers of messages, of chats that a client has ended, and of deleted and of expired services.
    counts: [usize; 4],
}

impl Chats {
    /// Takes a chat that no client uses; `None` to start another one.
    fn take(&mut self, random: &mut StdRng) -> Option<(String, Chat)> {
        if self.idle.len() < CHATS && random.random_bool(0.1) {
            return None;
        }
        let path = self.idle.keys().choose(random)?.clone();
        self.idle.remove_entry(&path)
    }

    pub(super) fn counts(&self) -> [usize; 4] {
        self.counts
    }
}

impl ModelRun<'_> {
    pub(super) async fn chat_step(&self, app: &TestApp, random: &mut StdRng) {
        let chosen = self.chats.borrow_mut().take(random);
        let (path, mut chat) = match chosen {
            Some(chosen) => chosen,
            None => start_chat(app).await,
        };
        let (what, form) = match random.random_range(0..100) {
            0..8 => return self.delete_chat(app, &path, chat).await,
            8..12 => ("disconnect", String::new()),
            12..60 if !chat.has_ended => ("send", format!("message={}", chat.sent.len())),
            _ => ("refresh", String::new()),
        };
        let request = app.post(&format!("{path}/ixn/chat/{what}"));
        let request = request.form_body(&format!("transcriptPosition=1&{form}"));
        let response = TestResponse::send(request).await;
        if response.status == 404 {
            return self.record_chat_end(&response, &path, &chat);
        }
        assert_eq!(response.status, 200, "{}", response.text());
        if what == "send" {
            chat.sent.push(chat.sent.len().to_string());
            self.chats.borrow_mut().counts[0] += 1;
        }
        if what == "disconnect" && !chat.has_ended {
            chat.has_ended = true;
            self.chats.borrow_mut().counts[1] += 1;
        }
        let object = response.json();
        let is_over = object["chatIxnState"] == "DISCONNECTED";
        assert_eq!(is_over, chat.has_ended, "{object}, seed {}", self.seed);
        assert_eq!(messages(&object), chat.sent, "seed {}", self.seed);
        self.chats.borrow_mut().idle.insert(path, chat);
    }

    async fn delete_chat(&self, app: &TestApp, path: &str, chat: Chat) {
        let response = TestResponse::send(app.delete(path)).await;
        if response.status == 404 {
            return self.record_chat_end(&response, path, &chat);
        }
        response.assert_ok();
        self.chats.borrow_mut().counts[2] += 1;
        let read = TestResponse::send(app.post(&format!("{path}/ixn/chat/refresh"))).await;
        read.error_message("ServiceNotFound", 404);
    }

    fn record_chat_end(&self, response: &TestResponse, path: &str, chat: &Chat) {
        response.error_message("ServiceNotFound", 404);
        assert!(chat.ends <= now(), "{path} is lost, seed {}", self.seed);
        self.chats.borrow_mut().counts[3] += 1;
    }
}

async fn start_chat(app: &TestApp) -> (String, Chat) {
    let sent_at = now();
    let path = create(app, "chat", "").await.service_id();
    let start = TestResponse::send(app.post(&format!("{path}/ixn/chat"))).await;
    assert_eq!(start.status, 200, "{}", start.text());
    let chat = Chat {
        sent: Vec::new(),
        has_ended: false,
        ends: sent_at.after(TTL).before(CLOCK_ERROR),
    };
    (path, chat)
}

/// Waits until nothing is left of the chats, whose services end.
pub(super) async fn assert_no_chat_remains(app: &TestApp) {
    eventually("no chat remains", async || {
        let mut remaining = keys(app, "chat:*").await;
        for list in ["{chats}:open", "{chats}:ended"] {
            remaining.extend(keys(app, list).await);
        }
        remaining.is_empty().then_some(())
    })
    .await;
}
