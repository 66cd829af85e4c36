//! The ids of the events of an agent's stream: the positions in the transcripts of its chats.
//!
//! An id is the base64url of a version, and for each chat the 16 bytes of its UUID and the position as a variable-length
//! integer. A stream that begins after such an id continues exactly there, on any replica.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::model::ServiceId;

/// The first byte.
const VERSION: u8 = 1;
/// The maximum number of chats of one agent in its event stream.
pub(super) const MAX_OWN_CHATS: usize = 50;
/// The maximum length of an id: a chat has 16 bytes, and a position at most 10.
const MAX_CURSOR_LENGTH: usize = (1 + MAX_OWN_CHATS * 26).div_ceil(3) * 4;

/// Encodes chats with their positions. Ids of other forms than those of generated services are omitted.
pub(super) fn encode<'a>(chats: impl Iterator<Item = (&'a ServiceId, u64)>) -> String {
    let mut bytes = vec![VERSION];
    for (id, position) in chats {
        if let Some(uuid) = canonical_uuid(id.as_str()) {
            bytes.extend_from_slice(uuid.as_bytes());
            push_varint(&mut bytes, position);
        }
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes an id; `None` if it is malformed.
pub(super) fn decode(text: &str) -> Option<Vec<(ServiceId, u64)>> {
    if text.len() > MAX_CURSOR_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (version, mut rest) = bytes.split_first()?;
    let mut chats: Vec<(ServiceId, u64)> = Vec::new();
    while let Some((uuid, after)) = rest.split_first_chunk() {
        let id = ServiceId::from(Uuid::from_bytes(*uuid).to_string());
        let (position, after) = take_varint(after)?;
        if chats.iter().any(|(other, _)| *other == id) {
            return None;
        }
        chats.push((id, position));
        rest = after;
    }
    let is_valid = *version == VERSION && rest.is_empty() && chats.len() <= MAX_OWN_CHATS;
    is_valid.then_some(chats)
}

/// The UUID whose usual text is `text`.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.as_hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

/// Appends 7 bits per byte, the lowest first; all bytes but the last have the highest bit set.
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [bits, ..] = (number & 0x7f).to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(bits);
            return;
        }
        bytes.push(bits | 0x80);
    }
}

fn take_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * u32::try_from(index).ok()?;
        if bits.leading_zeros() < shift {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(chats: &[(ServiceId, u64)]) -> String {
        encode(chats.iter().map(|(id, position)| (id, *position)))
    }

    proptest! {
        #[test]
        fn chats_are_decoded_as_they_were_encoded(
            positions in prop::collection::vec(any::<u64>(), 0..=MAX_OWN_CHATS)
        ) {
            let chats: Vec<(ServiceId, u64)> = positions
                .into_iter()
                .map(|position| (ServiceId::generate(), position))
                .collect();
            let text = encoded(&chats);
            prop_assert!(text.len() <= MAX_CURSOR_LENGTH);
            prop_assert_eq!(decode(&text), Some(chats));
        }

        #[test]
        fn hostile_text_is_refused_or_decoded(text in "\\PC{0,100}|[A-Za-z0-9_-]{0,200}") {
            if let Some(chats) = decode(&text) {
                prop_assert!(chats.len() <= MAX_OWN_CHATS);
            }
        }
    }

    #[test]
    fn malformed_ids_are_refused() {
        let id = ServiceId::generate();
        let twice = encoded(&[(id.clone(), 1), (id.clone(), 2)]);
        let many: Vec<_> = (0..=MAX_OWN_CHATS as u64)
            .map(|n| (ServiceId::generate(), n))
            .collect();
        let cut = URL_SAFE_NO_PAD.encode([&[VERSION][..], &[7; 16]].concat());
        let overflow = [&[VERSION][..], &[7; 16], &[0xff; 9], &[2]].concat();
        for text in [
            "",
            "!",
            "Ag",
            &twice,
            &encoded(&many),
            &cut,
            &URL_SAFE_NO_PAD.encode(overflow),
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("AQ"), Some(Vec::new()));
        let other = ServiceId::from("custom/a/b".to_owned());
        assert_eq!(encoded(&[(other, 1)]), "AQ");
    }

    #[test]
    fn a_cursor_of_many_chats_fits_into_a_header() {
        let chats: Vec<_> = (0..MAX_OWN_CHATS)
            .map(|_| (ServiceId::generate(), 5_000))
            .collect();
        assert!(encoded(&chats).len() < 1_250);
    }
}
