//! A hash that is equal on all replicas of all versions.

use std::hash::Hasher;

use fnv::FnvHasher;

/// 64-bit FNV-1a. For distribution and change detection; not resistant to deliberate collisions.
#[must_use]
pub fn stable_hash(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(stable_hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(stable_hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
