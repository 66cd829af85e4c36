//! A bounded queue of [`ChatSignal`]s.

use tokio::sync::{
    Mutex, Notify,
    mpsc::{self, Receiver, Sender},
};

use crate::model::{ServiceId, chat::ChatSignal};

/// The maximum number of queued signals.
const MAX_QUEUED_SIGNALS: usize = 10_000;

/// The queue. If it is full, signals are dropped and [`ChatSignal::Lost`] is received.
pub(super) struct ChatSignals {
    sender: Sender<ServiceId>,
    receiver: Mutex<Receiver<ServiceId>>,
    lost: Notify,
}

impl Default for ChatSignals {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_SIGNALS);
        Self {
            sender,
            receiver: Mutex::new(receiver),
            lost: Notify::new(),
        }
    }
}

impl ChatSignals {
    /// Adds the signal that the chat of `id` has changed.
    pub(super) fn send(&self, id: ServiceId) {
        if self.sender.try_send(id).is_err() {
            self.lost.notify_one();
        }
    }

    /// Adds the signal that any chat may have changed.
    pub(super) fn send_lost(&self) {
        self.lost.notify_one();
    }

    /// Waits for the next signal.
    pub(super) async fn next(&self) -> ChatSignal {
        let mut receiver = self.receiver.lock().await;
        tokio::select! {
            biased;
            () = self.lost.notified() => ChatSignal::Lost,
            // The sender lives as long as the receiver.
            id = receiver.recv() => id.map_or(ChatSignal::Lost, ChatSignal::Changed),
        }
    }
}
