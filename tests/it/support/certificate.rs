//! Certificates of one test, and clients that trust one of them.

use std::{fs, io, net::SocketAddr, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A unique certificate for `localhost`, and its key.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn generate() -> Self {
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            pem: generated.cert.pem(),
            key: generated.signing_key.serialize_pem(),
            der: generated.cert.der().clone(),
        }
    }

    /// The configuration of a server with this certificate.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth();
        config
            .with_single_cert(vec![self.der.clone()], key)
            .unwrap()
    }

    /// Connects as a client that trusts only this certificate and offers these protocols.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        protocols: &[&str],
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.der.clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(trusted).with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().into())
            .collect();
        let socket = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, socket).await
    }
}

/// Two temporary files, deleted on drop.
pub(crate) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl CertificateFiles {
    pub(crate) fn write(certificate: &Certificate) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let name = uuid::Uuid::new_v4().simple();
        let files = Self {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        };
        files.replace(&certificate.pem, &certificate.key);
        files
    }

    /// Replaces the contents of both files.
    pub(crate) fn replace(&self, certificate: &str, key: &str) {
        fs::write(&self.certificate, certificate).unwrap();
        fs::write(&self.key, key).unwrap();
    }

    pub(crate) fn settings(&self) -> [(&str, &str); 2] {
        [
            ("tls.certificate_file", self.certificate.to_str().unwrap()),
            ("tls.key_file", self.key.to_str().unwrap()),
        ]
    }
}

impl Drop for CertificateFiles {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.certificate));
        drop(fs::remove_file(&self.key));
    }
}
