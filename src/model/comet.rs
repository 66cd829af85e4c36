//! Sessions of the Bayeux protocol (`CometD`).

use super::ServiceId;

/// The maximum number of chats that are pushed to one user.
pub const MAX_CHATS_PER_USER: usize = 20;
/// The maximum number of sessions of one user. A further one replaces the one that expires first.
pub const MAX_SESSIONS_PER_USER: usize = 20;

/// The length of the digest of a user, and of the random part of a client id, in hexadecimal digits.
const PART_LENGTH: usize = 32;
/// The prefix of the ids of signals about users.
const SIGNAL_PREFIX: &str = "comet:";

/// A user: the digest of a `gms_user`, or a random one for a session without it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CometUser(String);

impl CometUser {
    /// A user with this digest of 128 bits or more in hexadecimal digits.
    #[must_use]
    pub fn from_digest(digest: &str) -> Self {
        Self(digest.chars().take(PART_LENGTH).collect())
    }

    /// The digest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that stands for this user in chat signals: it is sent when the chats or sessions of the user change.
    #[must_use]
    pub fn signal_id(&self) -> ServiceId {
        ServiceId::from([SIGNAL_PREFIX, &self.0].concat())
    }

    /// The user that `id` stands for; `None` for the id of a service.
    #[must_use]
    pub fn from_signal_id(id: &ServiceId) -> Option<Self> {
        let digest = id.as_str().strip_prefix(SIGNAL_PREFIX)?;
        is_part(digest).then(|| Self(digest.to_owned()))
    }
}

/// The id of a session: its user and a random part that only its client knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CometSessionId {
    /// The user.
    pub user: CometUser,
    /// The random part, in hexadecimal digits.
    pub secret: String,
}

impl CometSessionId {
    /// A new session of `user` with this random part.
    #[must_use]
    pub fn new(user: CometUser, secret: String) -> Self {
        Self { user, secret }
    }

    /// Parses a client id; `None` if this server cannot have created it.
    #[must_use]
    pub fn parse(client_id: &str) -> Option<Self> {
        let (user, secret) = client_id.split_at_checked(PART_LENGTH)?;
        (is_part(user) && is_part(secret)).then(|| Self {
            user: CometUser(user.to_owned()),
            secret: secret.to_owned(),
        })
    }

    /// The client id.
    #[must_use]
    pub fn client_id(&self) -> String {
        [self.user.as_str(), &self.secret].concat()
    }
}

/// Whether `text` is one part of a client id.
fn is_part(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == PART_LENGTH && text.bytes().all(is_digit)
}

/// What a connect says about the batch before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CometReceipt {
    /// The client has not received it, so it is sent again.
    NotReceived,
    /// The client has received it.
    Received,
    /// The client has received the batch with this number and all before.
    Batch(u64),
}

/// A chat of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CometChat {
    /// The id of its service.
    pub service: ServiceId,
    /// The position that the client has received.
    pub position: u64,
}

/// The part of a chat in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentChat {
    /// The id of its service.
    pub service: ServiceId,
    /// The position of its last event in the batch.
    pub position: u64,
    /// Whether the chat has ended and no events follow. Once the client has received the batch, the chat is removed.
    pub is_last: bool,
}

/// A session, as a connect finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CometSession {
    /// The number of connects, including this one.
    pub generation: u64,
    /// Whether it uses the extension `ack`.
    pub has_ack: bool,
    /// The number of the last batch.
    pub batch: u64,
    /// Whether it is subscribed to the channel of chats.
    pub is_subscribed: bool,
    /// Its chats.
    pub chats: Vec<CometChat>,
}

/// The result of an operation on a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CometReply<T> {
    /// The operation was performed.
    Done(T),
    /// There is no such session.
    Unknown,
    /// A later connect has replaced this one. Nothing changed.
    Superseded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ids_and_signal_ids_round_trip() {
        let user = CometUser::from_digest(&"0a".repeat(32));
        assert_eq!(user.as_str().len(), 32);
        assert_eq!(
            CometUser::from_signal_id(&user.signal_id()),
            Some(user.clone())
        );
        let session = CometSessionId::new(user, "f".repeat(32));
        assert_eq!(CometSessionId::parse(&session.client_id()), Some(session));
    }

    #[test]
    fn foreign_ids_are_rejected() {
        let part = "0".repeat(32);
        for id in [
            "",
            "x",
            &part,
            &format!("{part}{}", "g".repeat(32)),
            &format!("{part}{part}0"),
            &format!("{}é{part}", "0".repeat(31)),
        ] {
            assert_eq!(CometSessionId::parse(id), None, "{id}");
        }
        for id in ["", "comet:", "comet:x", &part] {
            let id = ServiceId::from(id.to_owned());
            assert_eq!(CometUser::from_signal_id(&id), None);
        }
    }
}
