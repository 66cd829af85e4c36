//! A hash that every replica, of every version, comes to alike.

/// FNV-1a of 64 bits. For spreading and telling apart, not against anyone who wants two alike.
#[must_use]
pub fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
