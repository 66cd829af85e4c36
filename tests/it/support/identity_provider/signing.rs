//! Keys of the identity provider, and signatures of its tokens.

use std::process::Command;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use serde_json::{Value, json};

/// A key pair with its id.
pub(crate) struct SigningKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    /// A new key for ES256.
    pub(crate) fn es256() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            pair: Pair::Es256(pair),
        }
    }

    /// A new key for RS256. `ring` cannot generate it.
    pub(crate) fn rs256() -> Self {
        let arguments = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER";
        let key = Command::new("openssl").args(arguments.split(' ')).output();
        let key = key.unwrap().stdout;
        // The format depends on the version.
        let pair = RsaKeyPair::from_der(&key).or_else(|_| RsaKeyPair::from_pkcs8(&key));
        Self {
            id: uuid::Uuid::new_v4().to_string(),
            pair: Pair::Rs256(pair.unwrap()),
        }
    }

    /// The public key as a JSON Web Key.
    pub(super) fn to_jwk(&self) -> Value {
        match &self.pair {
            Pair::Es256(pair) => {
                // An uncompressed point.
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({
                    "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
                    "x": encode(x), "y": encode(y),
                })
            }
            Pair::Rs256(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id,
                    "n": encode(public.n), "e": encode(public.e),
                })
            }
        }
    }

    /// A signed token with these claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let algorithm = match &self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        };
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.id});
        let content = unsigned(&header, claims);
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&random, content.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let (padding, content) = (&RSA_PKCS1_SHA256, content.as_bytes());
                pair.sign(padding, &random, content, &mut signature)
                    .unwrap();
                signature
            }
        };
        format!("{content}.{}", encode(signature))
    }
}

/// The header and the claims of a token.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

/// A token that is signed with a shared secret.
pub(super) fn sign_with_secret(secret: &str, claims: &Value) -> String {
    let content = unsigned(&json!({"alg": "HS256", "typ": "JWT"}), claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = ring::hmac::sign(&key, content.as_bytes());
    format!("{content}.{}", encode(signature))
}
