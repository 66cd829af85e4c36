//! What is wrong with a certificate, and how to make a right one.
//!
//! TLS reports a name such as `CaUsedAsEndEntity`. Errors of TLS reach this program within those of the
//! Redis client, of the HTTP client and of the exporter of traces, so they are known by their text.

use std::error::Error;

/// A part of the text of an error, and what to do.
const ADVICE: [(&str, &str); 19] = [
    (
        "CaUsedAsEndEntity",
        "the server's certificate is one of an authority (CA:TRUE), as openssl makes a self-signed one by \
         default: make one with basicConstraints=CA:FALSE",
    ),
    (
        "EndEntityUsedAsCa",
        "the certificate of the authority is none of an authority: make one with basicConstraints=CA:TRUE",
    ),
    (
        "UnsupportedCertVersion",
        "the certificate is one of X.509 version 1, which has no extensions: make one of version 3, with \
         subjectAltName",
    ),
    (
        "UnknownIssuer",
        "nobody who is trusted signed the server's certificate: name the certificate of its authority \
         (redis.tls_ca_file, backend.ca_file, OTEL_EXPORTER_OTLP_CERTIFICATE), and have the server send \
         those between the two",
    ),
    (
        "not valid for any names",
        "the certificate names no host: make one with subjectAltName; the common name does not count",
    ),
    (
        "not valid for name",
        "the certificate is for other hosts: connect by a name that it has, or make one whose subjectAltName \
         has this name or address",
    ),
    (
        "NotValidForName",
        "the certificate is for other hosts: make one whose subjectAltName has this one",
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
        "the certificate was signed with another key than that of the authority that is trusted, which may \
         have been renewed under the same name",
    ),
    (
        "does not allow extended key usage",
        "the certificate is not one for servers: make one with extendedKeyUsage=serverAuth, or without it",
    ),
    (
        "UnsupportedSignatureAlgorithm",
        "the certificate is signed by an algorithm that is no longer safe, such as SHA-1: make one with \
         SHA-256",
    ),
    (
        "signature algorithm",
        "the certificate is signed by an algorithm that is not supported: make one with SHA-256 and RSA of \
         2048 to 8192 bits or ECDSA P-256",
    ),
    ("BadEncoding", "the certificate is damaged"),
    (
        "CertificateRequired",
        "the server asks for a certificate of this client: redis.tls_cert_file and redis.tls_key_file",
    ),
    (
        "UnknownCA",
        "the server does not trust the certificate of this client (redis.tls_cert_file)",
    ),
    (
        "InvalidContentType",
        "the server does not speak TLS on this port",
    ),
    (
        "UnhandledCriticalExtension",
        "the certificate has a critical extension that is not understood",
    ),
];

/// Where it says how to make a certificate.
const DOCS_HINT: &str = "see Certificates in docs/security.md";

/// The text of an error, with what to do where it is one of TLS.
pub(crate) fn with_advice(text: String) -> String {
    match advice(&text) {
        Some(advice) => format!("{text}; {advice}; {DOCS_HINT}"),
        None => text,
    }
}

/// What to do about an error of TLS whose text this is.
pub(crate) fn advice(text: &str) -> Option<&'static str> {
    let of_tls = ["certificate", "fatal alert", "corrupt message"];
    if !of_tls.iter().any(|words| text.contains(words)) {
        return None;
    }
    let known = ADVICE.iter().find(|(words, _)| text.contains(words));
    known.map(|(_, advice)| *advice)
}

/// The texts of an error and of all that it came from.
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

    /// What a client that trusts `trusted` says of a server named `redis` that shows `shown`.
    fn handshake(
        shown: CertificateDer<'static>,
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
            .with_single_cert(vec![shown], key)
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
    fn what_is_wrong_with_a_certificate_is_said_with_what_makes_a_right_one() {
        let key = KeyPair::generate().unwrap();
        let alone = |params: CertificateParams| params.self_signed(&key).unwrap().der().clone();
        let right = alone(params("redis"));
        handshake(right.clone(), &key, right.clone()).unwrap();

        let mut authority = params("redis");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = alone(authority);
        let mut nameless = CertificateParams::default();
        nameless.subject_alt_names.clear();
        let mut old = params("redis");
        old.not_after = date_time_ymd(2001, 1, 1);
        let mut new = params("redis");
        new.not_before = date_time_ymd(2999, 1, 1);
        new.not_after = date_time_ymd(3000, 1, 1);
        for (shown, expected) in [
            (authority.clone(), "basicConstraints=CA:FALSE"),
            (alone(params("other")), "for other hosts"),
            (alone(nameless), "names no host"),
            (alone(old), "has expired"),
            (alone(new), "not valid yet"),
        ] {
            let told = with_advice(handshake(shown.clone(), &key, shown).unwrap_err());
            assert!(
                told.contains(expected) && told.contains(DOCS_HINT),
                "{told}"
            );
        }
        let (other, mut stranger) = (KeyPair::generate().unwrap(), params("stranger"));
        stranger
            .distinguished_name
            .push(DnType::CommonName, "stranger");
        let stranger = stranger.self_signed(&other).unwrap();
        let told = with_advice(handshake(right, &key, stranger.der().clone()).unwrap_err());
        assert!(told.contains("redis.tls_ca_file"), "{told}");

        // With an authority of its own it is right again.
        let mut of_authority = params("ca");
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signing = KeyPair::generate().unwrap();
        let root = of_authority.self_signed(&signing).unwrap();
        let issuer = Issuer::new(of_authority, signing);
        let signed = params("redis").signed_by(&key, &issuer).unwrap();
        handshake(signed.der().clone(), &key, root.der().clone()).unwrap();
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        for text in ["Connection refused (os error 111)", "WRONGPASS Expired", ""] {
            assert_eq!(with_advice(text.to_owned()), text);
        }
        for (text, expected) in [
            (
                "invalid peer certificate: UnsupportedCertVersion",
                "version 3",
            ),
            (
                "received corrupt message of type InvalidContentType",
                "does not speak TLS",
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
