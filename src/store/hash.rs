//! A hash that is equal on all replicas of all versions.

/// 64-bit FNV-1a. For distribution and change detection; not resistant to deliberate collisions.
#[must_use]
pub fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
