//! The sockets of the broker: opened, accepted from, closed. TCP, TCP with TLS, and unix sockets, all served alike.
//!
//! Owns connections, how many there may be ([`connections`]), and their time-outs. It does not own what is served, nor when to
//! stop: both are handed in. Everything that happens on a connection happens in a task of its own, a TLS handshake too, so that
//! no client delays another one.

mod body;
mod connections;
mod descriptors;
mod head;
mod patience;
mod tls;
mod unix;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::config::language::address::Listen;
use crate::web::respond;
use body::Awaited;
use connections::{Place, Waiting};
use patience::Patience;
use unix::SocketFile;

pub use connections::{ConnectionFigures, Connections};
pub use descriptors::raise_limit;
pub use tls::acceptor;

/// How long to wait where the system can't give another connection (too many open files).
const EXHAUSTED: Duration = Duration::from_secs(1);
/// How long an idle connection that is closed for another one may take to close, and how long one stays open when the broker
/// stops: its client may have sent a request before it could know.
const LEAVING: Duration = Duration::from_secs(1);
/// When the broker stops, how many connections are still accepted that were made before, which is as many as the system keeps
/// waiting, and how long none may be found until there is none.
const BACKLOG: usize = 1024;
const NONE_LEFT: Duration = Duration::from_millis(10);

/// Who is at the other end of a connection. An extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address.
    Address(SocketAddr),
    /// A process on this machine, through a unix socket: it has no address.
    Unix,
}

/// How long a client may take for each part of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a TLS handshake, from the first byte to the last.
    pub handshake: Duration,
    /// For the first request's head, counted from the beginning of the connection, and for a later one from its first byte.
    pub first_head: Duration,
    /// For a request's head, counted from the end of the response before it: longer than the usual proxies keep an idle
    /// connection, or they would send requests into connections that are being closed.
    pub head: Duration,
    /// For a request's body, from its first byte to its last.
    pub body: Duration,
    /// For taking an answer, from when the client first did not take it as it was sent.
    pub write: Duration,
}

impl Default for Timeouts {
    /// 10 seconds for a handshake, 10 for a head that has begun and 150 before it, 30 for a body and for an answer.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            handshake: seconds(10),
            first_head: seconds(10),
            head: seconds(150),
            body: seconds(30),
            write: seconds(30),
        }
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    async fn accept(&self) -> (Stream, Peer) {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => {
                    listener.accept().await.map(|(stream, address)| (Stream::Tcp(stream), Peer::Address(address)))
                }
                Self::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| (Stream::Unix(stream), Peer::Unix))
                }
            };
            match accepted {
                Ok(accepted) => return accepted,
                // The client closed the connection before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted; tried again in a second");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }
}

/// Why a TCP address can't be listened on, and what to do.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it, or choose another port in the configuration".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: ports below 1024 need the capability CAP_NET_BIND_SERVICE, or choose a higher one"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".to_owned(),
        _ => error.to_string(),
    }
}

/// An open socket.
pub struct Listener {
    socket: Socket,
    tls: Option<TlsAcceptor>,
    timeouts: Timeouts,
    connections: Arc<Connections>,
}

impl Listener {
    /// Opens `host:port`, `[::1]:port` or `unix:/path`. A socket file that a killed process left is replaced; the file is
    /// removed when the listener ends.
    ///
    /// # Errors
    /// When it can't be listened on; the text names the address and says why.
    pub async fn open(address: &str) -> Result<Self, String> {
        let failed = |error: String| format!("{address} can't be listened on: {error}");
        let socket = match Listen::parse(address) {
            Ok(Listen::Unix(path)) => {
                let (listener, file) = unix::open(Path::new(&path)).await.map_err(failed)?;
                Socket::Unix(listener, file)
            }
            Ok(Listen::Tcp { .. }) => {
                Socket::Tcp(TcpListener::bind(address).await.map_err(|error| failed(why(&error)))?)
            }
            Err(expected) => return Err(failed(format!("it must be {expected}"))),
        };
        Ok(Self { socket, tls: None, timeouts: Timeouts::default(), connections: Connections::alone() })
    }

    /// The same listener with TLS, where it is TCP: what comes through a unix socket does not leave the machine.
    #[must_use]
    pub fn with_tls(mut self, tls: &TlsAcceptor) -> Self {
        self.tls = matches!(self.socket, Socket::Tcp(_)).then(|| tls.clone());
        self
    }

    /// The same listener with other time-outs.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The same listener as one of several whose connections are counted together.
    #[must_use]
    pub fn with_connections(mut self, connections: &Arc<Connections>) -> Self {
        self.connections = Arc::clone(connections);
        self
    }

    /// Where it listens: `https://127.0.0.1:8443`, `http://127.0.0.1:8080`, `unix:/run/broker.sock`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match &self.socket {
            Socket::Tcp(listener) => {
                let address = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
                format!("{scheme}://{address}")
            }
            Socket::Unix(_, file) => format!("unix:{}", file.path().display()),
        }
    }

    /// Serves until `stop` is true: then only connections that are already made are accepted, the socket is closed, handshakes
    /// are broken off, requests that are under way or arrive within a second are answered, and connections are closed after that.
    /// A proxy that has just sent a request to this process therefore gets its answer, while it connects to others from now on.
    pub async fn serve(self, router: axum::Router, stop: watch::Receiver<bool>) {
        let Self { socket, tls, timeouts, connections } = self;
        let mut running = JoinSet::new();
        // Accepted first: which connection is closed for it is decided only once it exists.
        let next = async || {
            let (stream, peer) = socket.accept().await;
            (stream, peer, connections.place().await)
        };
        let begin = |running: &mut JoinSet<()>, (stream, peer, place)| {
            let (router, stop, place) = (router.clone(), stop.clone(), Arc::new(place));
            running.spawn(Connection { peer, timeouts, router, stop, place }.run(stream, tls.clone()));
        };
        let mut stopping = stop.clone();
        loop {
            tokio::select! {
                connection = next() => {
                    begin(&mut running, connection);
                    while running.try_join_next().is_some() {}
                }
                () = stopped(&mut stopping) => break,
            }
        }
        for _ in 0..BACKLOG {
            let Ok(connection) = timeout(NONE_LEFT, next()).await else { break };
            begin(&mut running, connection);
        }
        drop(socket);
        while running.join_next().await.is_some() {}
    }
}

/// Waits until it is time to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One connection.
struct Connection {
    peer: Peer,
    timeouts: Timeouts,
    router: axum::Router,
    stop: watch::Receiver<bool>,
    place: Arc<Place>,
}

impl Connection {
    async fn run(mut self, stream: Stream, tls: Option<TlsAcceptor>) {
        let stream = match stream {
            Stream::Unix(stream) => return self.http(stream).await,
            Stream::Tcp(stream) => stream,
        };
        // Answers are written whole: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.http(stream).await };
        let handshake = timeout(self.timeouts.handshake, tls::handshake(&tls, stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = stopped(&mut self.stop) => return,
            () = self.place.must_close() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.http(stream).await,
            // Anybody can cause these: no more than a detail.
            Ok(Err(error)) => tracing::debug!(peer = ?self.peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(peer = ?self.peer, "a TLS handshake took too long"),
        }
    }

    async fn http(self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Self { peer, timeouts, router, mut stop, place } = self;
        let (first_head, write) = (timeouts.first_head, timeouts.write);
        let stream = TokioIo::new(Patience::new(stream, Arc::clone(&place), first_head, write));
        let buffer = place.connections().buffer();
        let service = service_fn({
            let (place, stop) = (Arc::clone(&place), stop.clone());
            move |mut request: Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer);
                request.extensions_mut().insert(timeouts);
                answer(router.clone(), Arc::clone(&place), stop.clone(), request)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timeouts.head)
            .max_buf_size(buffer)
            .serve_connection(stream, service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stop) => match timeout(LEAVING, connection.as_mut()).await {
                Ok(ended) => ended,
                Err(_) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            },
            () = place.must_close() => {
                if matches!(place.waiting(), Some(Waiting::Begin | Waiting::Body)) {
                    return tracing::debug!(?peer, "a connection was closed to make room for others");
                }
                connection.as_mut().graceful_shutdown();
                match timeout(LEAVING, connection.as_mut()).await {
                    Ok(ended) => ended,
                    // A request came meanwhile: it is answered.
                    Err(_) if place.waiting().is_none() => connection.await,
                    Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(?peer, %error, "a connection broke");
        }
    }
}

/// Answers a request. The connection is at work until then, and is closed after it when the broker stops (RFC 9112 §9.6).
async fn answer(
    mut router: axum::Router,
    place: Arc<Place>,
    stop: watch::Receiver<bool>,
    request: Request<hyper::body::Incoming>,
) -> Result<Response, Infallible> {
    place.begins();
    let mut answered = match head::check(&request, place.connections().headers()) {
        Ok(()) => router.call(request.map(|body| Awaited::new(body, Arc::clone(&place)))).await,
        Err(status) => Ok(respond::empty(status)),
    };
    place.waits(Waiting::Next);
    if *stop.borrow()
        && let Ok(response) = &mut answered
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answered
}
