//! SHA-256 digests as text.

use ring::digest::Context;

/// The length of a digest in hexadecimal digits.
pub(super) const DIGEST_LENGTH: usize = 64;

/// A SHA-256 in hexadecimal digits.
pub(super) fn sha256_hex(context: &Context) -> String {
    use std::fmt::Write as _;
    let digest = context.clone().finish();
    let mut text = String::with_capacity(DIGEST_LENGTH);
    for byte in digest.as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
