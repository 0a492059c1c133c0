//! Apps that receive requests: a small HTTP server on loopback that records what is posted to it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::sync::watch;

/// One received request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) method: Method,
    pub(crate) content_type: String,
    pub(crate) form: HashMap<String, String>,
}

impl Received {
    /// The logout token in it.
    #[track_caller]
    pub(crate) fn logout_token(&self) -> &str {
        self.form.get("logout_token").unwrap_or_else(|| panic!("no logout token: {self:?}"))
    }
}

#[derive(Default)]
struct Inner {
    received: watch::Sender<Vec<Received>>,
    hang: Mutex<HashSet<String>>,
}

/// The server. Each app has a path on it.
pub(crate) struct Receiver {
    origin: String,
    inner: Arc<Inner>,
}

impl Receiver {
    /// Listens until the test ends.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner::default());
        let router = Router::new().fallback(note).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { origin, inner }
    }

    /// The URL for an app's logout tokens.
    pub(crate) fn url(&self, app: &str) -> String {
        format!("{}/{app}", self.origin)
    }

    /// Makes this app never respond.
    pub(crate) fn hang(&self, app: &str) {
        self.inner.hang.lock().unwrap().insert(format!("/{app}"));
    }

    /// Makes it respond again.
    pub(crate) fn answer(&self, app: &str) {
        self.inner.hang.lock().unwrap().remove(&format!("/{app}"));
    }

    /// The requests that an app has received.
    pub(crate) fn received(&self, app: &str) -> Vec<Received> {
        let path = format!("/{app}");
        self.inner.received.borrow().iter().filter(|received| received.path == path).cloned().collect()
    }

    /// Waits for the first request to an app.
    pub(crate) async fn first(&self, app: &str) -> Received {
        let path = format!("/{app}");
        let mut seen = self.inner.received.subscribe();
        let all = seen.wait_for(|all| all.iter().any(|received| received.path == path)).await.unwrap();
        all.iter().find(|received| received.path == path).cloned().unwrap()
    }
}

async fn note(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let path = uri.path().to_owned();
    let content_type = headers.get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let form = url::form_urlencoded::parse(&body).into_owned().collect();
    let hangs = inner.hang.lock().unwrap().contains(&path);
    inner.received.send_modify(|all| all.push(Received { path, method, content_type, form }));
    if hangs {
        std::future::pending::<()>().await;
    }
    StatusCode::OK
}
