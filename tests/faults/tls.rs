//! A server behind TLS, with a certificate that is good or not.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;

use crate::{
    hostile::{Hostile, Manner},
    program::{Ran, run},
};

/// Authority, certificates and key, made for these tests; all but the expired one hold until 2120.
pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/faults/certificates").join(name)
}

/// Decrypts what comes for `plain`; each connection carries one request.
pub(crate) fn in_front_of(plain: SocketAddr, certificate: &str) -> String {
    let chain = vec![CertificateDer::from_pem_file(file(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for socket in listener.incoming() {
            let config = Arc::clone(&config);
            // A handshake that fails is the point.
            thread::spawn(move || {
                forward(StreamOwned::new(ServerConnection::new(config).unwrap(), socket.unwrap()), plain)
            });
        }
    });
    url
}

fn forward(mut client: StreamOwned<ServerConnection, TcpStream>, plain: SocketAddr) -> std::io::Result<()> {
    let mut server = TcpStream::connect(plain)?;
    let mut request = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let is_whole = |request: &[u8]| {
        let Some(head) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
        let text = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        request.len() >= head + 4 + length.map_or(0, |length| length.parse().unwrap())
    };
    while !is_whole(&request) {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..read]);
    }
    server.write_all(&request)?;
    server.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)?;
    client.conn.send_close_notify();
    client.flush()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_does_not_fit_costs_no_log() {
    let server = Hostile::start(Manner::Good).await;
    let authority = file("authority.pem");
    let authority = authority.to_str().unwrap();
    let start = async |certificate: &str, trusted: bool| -> Ran {
        let (folder, url) = (tempfile::tempdir().unwrap(), in_front_of(server.address, certificate));
        let environment = [("PAREA_BASE_URL", &*url), ("CALLS", "10"), ("SSL_CERT_FILE", authority)];
        run(folder.path(), &environment[..if trusted { 3 } else { 2 }]).await
    };
    for (certificate, trusted, said) in [
        ("expired.pem", true, "xpired"),
        ("wrong_name.pem", true, "not valid for"),
        // Signed by nobody that is known.
        ("good.pem", false, "UnknownIssuer"),
    ] {
        let ran = start(certificate, trusted).await;
        let report = ran.report();
        assert_eq!((&report["spooled"], &report["dropped"], server.count()), (&json!(20), &json!({}), 0), "{report}");
        assert!(report["error"].as_str().unwrap().contains(said), "{report}");
        assert!(ran.stderr.contains("20 logs wait in "), "{}", ran.stderr);
    }
    let ran = start("good.pem", true).await;
    assert_eq!((&ran.report()["delivered"], server.count()), (&json!(20), 20), "{}", ran.report());
}
