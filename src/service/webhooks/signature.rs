//! Signatures of the Standard Webhooks specification, with one or two secrets.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use standardwebhooks::{Webhook, WebhookError};

/// The prefix of a secret.
const SECRET_PREFIX: &str = "whsec_";
/// The sizes of a key in bytes that the specification allows.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The maximum number of secrets: the current one, and the previous or next one during a rotation.
const MAX_SECRETS: usize = 2;
/// The expected form of secrets, for messages, which do not contain the value.
const EXPECTED: &str = "expected one or two secrets, separated by a space, of the form whsec_<base64>, each of 24 to 64 \
                        bytes; openssl rand -base64 32 makes the part after whsec_";

/// The keys that sign the events of a webhook.
pub(super) struct Signer(Vec<Webhook>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Parses the value of the option.
    ///
    /// # Errors
    /// The expected form.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let keys: Option<Vec<Webhook>> = text.split_whitespace().map(parse_secret).collect();
        keys.filter(|keys| (1..=MAX_SECRETS).contains(&keys.len()))
            .map(Self)
            .ok_or_else(|| EXPECTED.to_owned())
    }

    /// The value of `webhook-signature`: a signature for each secret.
    ///
    /// # Errors
    /// None for a body in UTF-8.
    pub(super) fn sign(
        &self,
        id: &str,
        timestamp: i64,
        body: &[u8],
    ) -> Result<String, WebhookError> {
        let signatures = self.0.iter().map(|key| key.sign(id, timestamp, body));
        let signatures: Result<Vec<String>, WebhookError> = signatures.collect();
        Ok(signatures?.join(" "))
    }
}

fn parse_secret(secret: &str) -> Option<Webhook> {
    let key = BASE64_STANDARD
        .decode(secret.strip_prefix(SECRET_PREFIX)?)
        .ok()?;
    let is_valid = KEY_BYTES.contains(&key.len());
    is_valid.then(|| Webhook::from_bytes(key).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SECOND: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification.
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let sign = |secrets: &str| {
            let signer = Signer::parse(secrets).unwrap();
            signer
                .sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, BODY)
                .unwrap()
        };
        assert_eq!(sign(FIRST), expected);
        let both = sign(&format!("{SECOND} {FIRST}"));
        let (second, first) = both.split_once(' ').unwrap();
        assert_eq!(first, expected);
        assert_eq!(second, sign(SECOND));
    }

    #[test]
    fn a_secret_has_24_to_64_bytes_of_base64() {
        let secret = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; bytes]));
        for valid in [
            secret(24),
            secret(64),
            format!("  {}  {} ", secret(24), secret(32)),
        ] {
            assert!(Signer::parse(&valid).is_ok(), "{valid}");
        }
        for invalid in [
            String::new(),
            secret(23),
            secret(65),
            secret(32).replace("whsec_", ""),
            "whsec_no base64".to_owned(),
            [FIRST, SECOND, FIRST].join(" "),
            format!("{FIRST},{SECOND}"),
        ] {
            let message = Signer::parse(&invalid).unwrap_err();
            assert!(
                message.starts_with("expected one or two secrets"),
                "{invalid}"
            );
        }
        assert_eq!(format!("{:?}", Signer::parse(FIRST).unwrap()), "Signer");
    }
}
