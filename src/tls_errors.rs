//! Advice for TLS errors: the problem of the certificate and how to create a valid one.
//!
//! TLS reports a name such as `CaUsedAsEndEntity`. TLS errors reach this program inside those of the Redis
//! client, the HTTP client and the trace exporter, so they are recognized by their text.

use std::error::Error;

/// A part of the text of an error, and the advice.
const ADVICE: [(&str, &str); 20] = [
    (
        "CaUsedAsEndEntity",
        "the server's certificate is a CA certificate (CA:TRUE), the default of openssl for self-signed \
         certificates: create one with basicConstraints=CA:FALSE",
    ),
    (
        "EndEntityUsedAsCa",
        "the certificate of the authority is not a CA certificate: create one with basicConstraints=CA:TRUE",
    ),
    (
        "UnsupportedCertVersion",
        "the certificate is of X.509 version 1, which has no extensions: create one of version 3, with \
         subjectAltName",
    ),
    (
        "UnknownIssuer",
        "the server's certificate is not signed by a trusted authority: configure the certificate of the \
         authority (redis.tls_ca_file, backend.ca_file, webhooks.ca_file, single_sign_on.ca_file, \
         OTEL_EXPORTER_OTLP_CERTIFICATE), and let the server send the intermediate certificates",
    ),
    (
        "not valid for any names",
        "the certificate names no host: create one with subjectAltName; the common name is ignored",
    ),
    (
        "not valid for name",
        "the certificate is for other hosts: connect by a name in it, or create one with this name or address in \
         subjectAltName",
    ),
    (
        "NotValidForName",
        "the certificate is for other hosts: create one with this name or address in subjectAltName",
    ),
    (
        "certificate expired",
        "the certificate has expired, or the clock of this machine is wrong",
    ),
    (
        "Expired",
        "the certificate has expired, or its dates are wrong",
    ),
    (
        "certificate not valid yet",
        "the certificate is not valid yet, or the clock of this machine is wrong",
    ),
    (
        "BadSignature",
        "the certificate was signed by another key than the one of the trusted authority, which may have been \
         renewed under the same name",
    ),
    ("does not allow extended key usage", NOT_FOR_SERVERS),
    // The same of the verifier with the certificates of the platform.
    ("EkuError", NOT_FOR_SERVERS),
    (
        "UnsupportedSignatureAlgorithm",
        "the certificate is signed with an insecure algorithm, such as SHA-1: create one with SHA-256",
    ),
    (
        "signature algorithm",
        "the certificate is signed with an unsupported algorithm: create one with SHA-256 and RSA of 2048 to \
         8192 bits or ECDSA P-256",
    ),
    ("BadEncoding", "the certificate is damaged"),
    (
        "CertificateRequired",
        "the server requires a client certificate: for Redis set redis.tls_cert_file and redis.tls_key_file; other \
         connections cannot have one",
    ),
    (
        "UnknownCA",
        "the server does not trust the client certificate (for Redis redis.tls_cert_file)",
    ),
    (
        "InvalidContentType",
        "the server does not use TLS on this port",
    ),
    (
        "UnhandledCriticalExtension",
        "the certificate has an unsupported critical extension",
    ),
];

const NOT_FOR_SERVERS: &str = "the certificate is not for servers: create one with extendedKeyUsage=serverAuth, or without it";

/// The documentation of certificates.
const DOCS_HINT: &str = "see Certificates in docs/security.md";

/// Appends advice to the text of a TLS error; other errors are unchanged.
pub(crate) fn with_advice(text: String) -> String {
    match advice(&text) {
        Some(advice) => format!("{text}; {advice}; {DOCS_HINT}"),
        None => text,
    }
}

/// The advice for a TLS error with this text.
pub(crate) fn advice(text: &str) -> Option<&'static str> {
    if text.contains("Unable to build client with TLS parameters") {
        return Some(
            "the client certificate or its key (redis.tls_cert_file, redis.tls_key_file) is not usable, or they do \
             not belong together",
        );
    }
    let tls_markers = ["certificate", "fatal alert", "corrupt message"];
    if !tls_markers.iter().any(|words| text.contains(words)) {
        return None;
    }
    let known = ADVICE.iter().find(|(words, _)| text.contains(words));
    known.map(|(_, advice)| *advice)
}

/// The texts of an error and of its sources.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
    };
    use rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    };

    use super::*;

    /// The error of a client that trusts `trusted` and connects to a server `redis` with this certificate.
    fn handshake(
        certificate: CertificateDer<'static>,
        key: &KeyPair,
        trusted: CertificateDer<'static>,
    ) -> Result<(), String> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(trusted).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let mut client =
            ClientConnection::new(Arc::new(client), "redis".try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client
                .process_new_packets()
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn params(name: &str) -> CertificateParams {
        CertificateParams::new(vec![name.to_owned()]).unwrap()
    }

    #[test]
    fn errors_about_certificates_have_advice() {
        let key = KeyPair::generate().unwrap();
        let self_signed =
            |params: CertificateParams| params.self_signed(&key).unwrap().der().clone();
        let valid = self_signed(params("redis"));
        handshake(valid.clone(), &key, valid.clone()).unwrap();

        let mut authority = params("redis");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = self_signed(authority);
        let mut nameless = CertificateParams::default();
        nameless.subject_alt_names.clear();
        let mut old = params("redis");
        old.not_after = date_time_ymd(2001, 1, 1);
        let mut new = params("redis");
        new.not_before = date_time_ymd(2999, 1, 1);
        new.not_after = date_time_ymd(3000, 1, 1);
        for (certificate, expected) in [
            (authority.clone(), "basicConstraints=CA:FALSE"),
            (self_signed(params("other")), "for other hosts"),
            (self_signed(nameless), "names no host"),
            (self_signed(old), "has expired"),
            (self_signed(new), "not valid yet"),
        ] {
            let error = handshake(certificate.clone(), &key, certificate).unwrap_err();
            let error = with_advice(error);
            assert!(
                error.contains(expected) && error.contains(DOCS_HINT),
                "{error}"
            );
        }
        let (other, mut stranger) = (KeyPair::generate().unwrap(), params("stranger"));
        stranger
            .distinguished_name
            .push(DnType::CommonName, "stranger");
        let stranger = stranger.self_signed(&other).unwrap();
        let error = with_advice(handshake(valid, &key, stranger.der().clone()).unwrap_err());
        assert!(error.contains("redis.tls_ca_file"), "{error}");

        // Signed by a CA of its own it is valid.
        let mut ca = params("ca");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signing = KeyPair::generate().unwrap();
        let root = ca.self_signed(&signing).unwrap();
        let issuer = Issuer::new(ca, signing);
        let signed = params("redis").signed_by(&key, &issuer).unwrap();
        handshake(signed.der().clone(), &key, root.der().clone()).unwrap();
    }

    #[test]
    fn other_errors_are_unchanged() {
        for text in ["Connection refused (os error 111)", "WRONGPASS Expired", ""] {
            assert_eq!(with_advice(text.to_owned()), text);
        }
        for (text, expected) in [
            (
                "invalid peer certificate: UnsupportedCertVersion",
                "version 3",
            ),
            (
                "Unable to build client with TLS parameters provided. - InvalidClientConfig: keys may not be \
                 consistent: KeyMismatch",
                "redis.tls_key_file",
            ),
            (
                "received corrupt message of type InvalidContentType",
                "does not use TLS",
            ),
            (
                "received fatal alert: CertificateRequired",
                "redis.tls_cert_file",
            ),
        ] {
            assert!(with_advice(text.to_owned()).contains(expected), "{text}");
        }
    }
}
