//! Files with certificates and keys for connections to Redis.

use rcgen::{CertificateParams, KeyPair};

use super::*;

/// A self-signed certificate and its private key.
fn certificate_and_key() -> [NamedTempFile; 2] {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["redis".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    [temp_file(certificate.pem()), temp_file(key.serialize_pem())]
}

#[test]
fn the_error_for_an_unusable_certificate_has_the_name_of_the_setting() {
    let [certificate, key] = certificate_and_key();
    let [_, other_key] = certificate_and_key();
    let [certificate, key, other_key] =
        [&certificate, &key, &other_key].map(|file| file.path().to_str().unwrap());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let (ca, cert, own_key) = ("TLS_CA_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE");
    for (settings, setting, expected) in [
        (
            &[(ca, "/nowhere/ca.pem")][..],
            "tls_ca_file",
            "a readable file",
        ),
        (&[(ca, manifest)], "tls_ca_file", "in PEM"),
        (&[(ca, key)], "tls_ca_file", "certificates of authorities"),
        (
            &[(cert, certificate)],
            "tls_key_file",
            "redis.tls_cert_file",
        ),
        (&[(own_key, key)], "tls_cert_file", "redis.tls_key_file"),
        (
            &[(cert, manifest), (own_key, key)],
            "tls_cert_file",
            "in PEM",
        ),
        (
            &[(cert, certificate), (own_key, manifest)],
            "tls_key_file",
            "in PEM",
        ),
        // Exchanged.
        (
            &[(cert, key), (own_key, certificate)],
            "tls_cert_file",
            "a certificate",
        ),
        // The key of another certificate.
        (
            &[(cert, certificate), (own_key, other_key)],
            "tls_key_file",
            "redis.tls_cert_file",
        ),
    ] {
        for url in ["redis://redis", "rediss://redis"] {
            let message = redis_error(&[&[("URL", url)], settings].concat());
            assert!(
                message.starts_with(&format!("setting `redis.{setting}` (")),
                "{message}"
            );
            assert!(message.contains(expected), "{message}");
        }
    }
    let valid = [
        ("URL", "rediss://redis"),
        (ca, certificate),
        (cert, certificate),
        (own_key, key),
    ];
    assert!(redis(&valid).is_ok());
}
