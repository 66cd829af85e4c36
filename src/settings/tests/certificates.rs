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

/// A certificate of X.509 version 1, which was created with `openssl x509 -req` without extensions.
const VERSION_1: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIICpTCCAY0CFFcGaM6Ts4I9ze3VxKyNh/BzcVKzMA0GCSqGSIb3DQEBCwUAMA0x\n\
CzAJBgNVBAMMAmNhMB4XDTI2MTEyOTE5MTU0OFoXDTI2MTIwNDE5MTU0OFowETEP\n\
MA0GA1UEAwwGY2xpZW50MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n\
uF28qz2DHuWtIunEQnYUdljFHH8KhT/Fqp5NnliYWdBkvYuaB24QL0nt9Igkw+x6\n\
QpQFzJLu1myBjRAyrsKPwM5FtaHcqgNe03oRfZNcndaN560ou9/4lihqiIow3mv5\n\
QpeYJJB1djsjncSRvh7Me5lQ1/7z1RpPZbB6XbcO9Y8s5ocK9TO4G/dcYRA+1rV7\n\
nmEp4Vg2Ue9E4bKnvBFsLKEw+8S7T2IXWYWyStkB8vP+H9e7NYc0pFDAfDl/J1On\n\
JyvTUdYe1OxD+myobMOijqU2umKOP88bn1aDaHbioHus/8VdGAtCG4Ca2OZ3Q0A8\n\
a4tcGc6BWANcsEAf43+3GwIDAQABMA0GCSqGSIb3DQEBCwUAA4IBAQBj+wLLyJfa\n\
a+RqkLaeosr2OdZRkc3OXVSDLMS7WuQPm0TM2JCYsIoQMi1rIeTXsQO/ekpkOHhO\n\
4H0VmjZyAxsb8DpgsGAKbXjHzCFfdZGeAdyCnnjkznl5Xg4dz0EHuC6wZ0Bbw27s\n\
QkX7Im7l8vtT3RmUlgp8mPa5EKSyRgB0TQcviIih6gt4Zium7o5D6hdp9h+Tfa4e\n\
7vb0s03g2Zqou9THWTSNxFFh9prGWGdvk3FhSM7wNJNQwymNTInpKrMZyygwU1FJ\n\
kD2dgdbDqRo+a7KATSwjtAnRpDFc5D0Lyp6vCSroqFCElLZZcdXPvE7PdHq6WUIw\n\
XhA9j0vxgmAi\n\
-----END CERTIFICATE-----\n";

#[test]
fn a_client_certificate_of_version_1_is_refused() {
    let [_, key] = certificate_and_key();
    let old = temp_file(VERSION_1);
    let [old, key] = [&old, &key].map(|file| file.path().to_str().unwrap());
    let settings = [
        ("URL", "rediss://redis"),
        ("TLS_CERT_FILE", old),
        ("TLS_KEY_FILE", key),
    ];
    let message = redis_error(&settings);
    assert!(
        message.starts_with("setting `redis.tls_cert_file` ("),
        "{message}"
    );
    assert!(
        message.contains("a certificate of X.509 version 3"),
        "{message}"
    );
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
