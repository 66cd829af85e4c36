//! The check of what listeners of a chat have seen.

use std::collections::HashSet;

/// An event: its kind, nickname, text and party.
pub(super) type Row = [String; 4];

/// What happened in one chat, which has ended.
pub(super) struct History {
    /// The acknowledged messages of each writer, in the order in which it sent them.
    pub(super) acknowledged: [Vec<String>; 2],
    /// The transcript, read after the end.
    pub(super) transcript: Vec<Row>,
    /// What each listener has seen; positions have no gaps.
    pub(super) seen: Vec<Vec<Row>>,
}

impl History {
    /// Asserts that nothing was lost, doubled or reordered.
    pub(super) fn check(&self) {
        for (n, seen) in self.seen.iter().enumerate() {
            let pairs = seen.iter().zip(&self.transcript);
            let same = pairs.take_while(|(seen, stored)| seen == stored).count();
            assert!(
                *seen == self.transcript,
                "listener {n} differs after event {same}: it saw {:?} of {} events, the transcript has {:?} of {}",
                seen.get(same),
                seen.len(),
                self.transcript.get(same),
                self.transcript.len()
            );
        }
        let messages: Vec<&str> = self.transcript.iter().filter_map(message).collect();
        let mut once = HashSet::new();
        for message in &messages {
            assert!(
                once.insert(*message),
                "{message} is in the transcript twice"
            );
        }
        for acknowledged in &self.acknowledged {
            self.check_order(acknowledged, &messages);
        }
    }

    /// Asserts that the acknowledged messages are in the transcript, in the order in which they were sent.
    fn check_order(&self, acknowledged: &[String], messages: &[&str]) {
        let sent: HashSet<&str> = acknowledged.iter().map(String::as_str).collect();
        let stored = messages.iter().filter(|message| sent.contains(**message));
        let stored: Vec<&str> = stored.copied().collect();
        let pairs = stored.iter().zip(acknowledged);
        let same = pairs.take_while(|(stored, sent)| *stored == sent).count();
        assert!(
            stored == *acknowledged,
            "acknowledged {:?} of {}, but the transcript has {:?} of {}; {} events",
            acknowledged.get(same),
            acknowledged.len(),
            stored.get(same),
            stored.len(),
            self.transcript.len()
        );
    }
}

/// The text of a message.
fn message(row: &Row) -> Option<&str> {
    (row[0] == "Message.Text").then_some(row[2].as_str())
}
