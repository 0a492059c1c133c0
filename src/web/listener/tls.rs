//! TLS on a TCP listener: 1.2 and 1.3, with the certificate of the generation that serves.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::snapshot::Snapshot;

/// The answer to plain HTTP.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS: use https://...\n";

/// The certificate of the generation that serves, so that a reload swaps it together with everything else.
#[derive(Debug)]
struct Current(Arc<ArcSwap<Snapshot>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().certificate.as_ref().map(crate::snapshot::certificate::Certificate::key)
    }
}

/// Accepts TLS connections with the certificate of the generation that serves: TLS 1.2 (RFC 5246) or 1.3 (RFC 8446), ALPN
/// `http/1.1` (RFC 7301), no client certificates.
///
/// # Errors
/// When the cryptographic provider has no suite for these versions.
pub fn acceptor(snapshot: Arc<ArcSwap<Snapshot>>) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Current(snapshot)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Runs the TLS handshake. A client that sends plain HTTP gets an answer in plain HTTP that says so.
pub(super) async fn handshake(tls: &TlsAcceptor, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A handshake begins with the record type 22; a request with the letters of its method.
    if first.iter().all(u8::is_ascii_uppercase) {
        // What was sent is taken in first: closing a socket with bytes unread would take the answer back.
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await?;
        stream.write_all(PLAIN_HTTP).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP was sent to a TLS port"));
    }
    tls.accept(stream).await
}
