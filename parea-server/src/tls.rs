//! TLS by files, which are read anew when they change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{config::Config, operator};

/// How often the files are looked at, while connections come.
const EVERY: Duration = Duration::from_secs(5);

/// The certificate that the server shows.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    version: [Option<SystemTime>; 2],
    at: Instant,
}

impl Tls {
    /// What the settings name; nothing when they name none.
    pub(crate) fn of(config: &Config) -> io::Result<Option<Arc<Self>>> {
        let (certificate, key) = match (&config.tls_cert, &config.tls_key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            _ => return Err(io::Error::other("both `tls_cert` and `tls_key` are needed")),
        };
        let version = version(&certificate, &key);
        let current = Current { config: load(&certificate, &key)?, version, at: Instant::now() };
        Ok(Some(Arc::new(Self { certificate, key, current: Mutex::new(current) })))
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config()).accept(stream).await
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.at.elapsed() > EVERY {
            current.at = Instant::now();
            let version = version(&self.certificate, &self.key);
            if version != current.version {
                match load(&self.certificate, &self.key) {
                    Ok(config) => {
                        current.config = config;
                        current.version = version;
                    }
                    // Half written perhaps: what was good stays until the new ones are.
                    Err(error) => operator::tell(format_args!("parea: the new certificate cannot be used: {error}")),
                }
            }
        }
        Arc::clone(&current.config)
    }
}

fn version(certificate: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [certificate, key].map(|path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
}

fn load(certificate: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let of = |path: &Path, why: &dyn std::fmt::Display| io::Error::other(format!("{}: {why}", path.display()));
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| of(certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| of(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| of(certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
