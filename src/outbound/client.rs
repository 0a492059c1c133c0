//! The real client, built on reqwest. It owns connections, name resolution under the policy, and the limits on a response.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use flate2::read::MultiGzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Proxy, redirect};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use url::Url;

use crate::outbound::{HttpClient, Identity, OutboundError, OutboundPolicy, RedirectIsAnswer};

/// The maximum number of pools, one for each policy. There are fewer providers; only many reloads reach the limit.
const MAX_POOLS: usize = 1024;

/// The limits of a call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The duration from the first byte sent to the last byte received.
    pub total: Duration,
    /// The largest body that is accepted, in bytes.
    pub body: usize,
}

impl Default for Limits {
    /// 5 seconds, 1 MiB.
    fn default() -> Self {
        Self { total: Duration::from_secs(5), body: 1024 * 1024 }
    }
}

/// Resolves names. It is a parameter so that tests can change a name's address between the check and the connection.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// The name has no address.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The broker's [`HttpClient`]: HTTP/1.1, no redirects, no cookies, no proxy from the environment. It requests uncompressed
/// responses, but also reads gzipped ones.
///
/// Each policy has its own pool of kept-alive connections, so that a connection that one policy permits is never used
/// under another. Names are resolved by the policy's own resolver at the time of connecting, so that the checked address
/// is the one that is connected to.
pub struct GuardedClient {
    limits: Limits,
    lookup: Arc<dyn Lookup>,
    pools: Mutex<Pools>,
}

/// The clients and TLS configurations built so far. Reading the system's certificate authorities takes milliseconds and a
/// megabyte or more, so they are read once for each `ca` and not for each policy.
#[derive(Default)]
struct Pools {
    clients: HashMap<OutboundPolicy, Client>,
    tls: HashMap<Option<Arc<[u8]>>, ClientConfig>,
}

impl GuardedClient {
    /// A client with these limits and this resolver.
    #[must_use]
    pub fn new(limits: Limits, lookup: Arc<dyn Lookup>) -> Self {
        Self { limits, lookup, pools: Mutex::default() }
    }

    fn pool(&self, policy: &OutboundPolicy) -> Result<Client, OutboundError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pools.clients.get(policy) {
            return Ok(client.clone());
        }
        if pools.clients.len() >= MAX_POOLS {
            *pools = Pools::default();
        }
        let tls = match pools.tls.get(&policy.ca) {
            Some(tls) => tls.clone(),
            None => {
                let built = tls(policy.ca.as_deref())?;
                pools.tls.insert(policy.ca.clone(), built.clone());
                built
            }
        };
        let tls = match policy.identity() {
            Some(identity) => presenting(identity, tls),
            None => tls,
        };
        let client = self.build(policy, tls)?;
        pools.clients.insert(policy.clone(), client.clone());
        Ok(client)
    }

    fn build(&self, policy: &OutboundPolicy, tls: ClientConfig) -> Result<Client, OutboundError> {
        let resolver = GuardedResolver { policy: policy.clone(), lookup: Arc::clone(&self.lookup) };
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .timeout(self.limits.total)
            .dns_resolver(Arc::new(resolver));
        let builder = match &policy.proxy {
            Some(url) => builder.proxy(Proxy::all(url).map_err(|error| OutboundError::Connect(cause(error)))?),
            None => builder,
        };
        builder.build().map_err(|error| OutboundError::Connect(cause(error)))
    }
}

/// TLS 1.2 or 1.3 that trusts the system's certificate authorities and those in `ca`.
fn tls(ca: Option<&[u8]>) -> Result<ClientConfig, OutboundError> {
    let unusable = || OutboundError::Connect("ca holds no certificate in PEM form".to_owned());
    let authorities: Vec<CertificateDer<'static>> = match ca {
        None => Vec::new(),
        Some(pem) => CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| unusable())?,
    };
    if ca.is_some() && authorities.is_empty() {
        return Err(unusable());
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let broken = |error: rustls::Error| OutboundError::Connect(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(broken)?;
    let builder = match Verifier::new_with_extra_roots(authorities, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        // A machine without certificate authorities (a minimal container image) can still use plain http on loopback.
        Err(_) if ca.is_none() => builder.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(broken(error)),
    };
    Ok(builder.with_no_client_auth())
}

/// The same, presenting a certificate where it is asked for. Sessions are its own: a resumed one would keep the client of the
/// handshake that began it (RFC 8446 §4.6.1).
fn presenting(identity: &Identity, mut tls: ClientConfig) -> ClientConfig {
    tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity.pair()));
    tls.resumption = Resumption::default();
    tls
}

impl Default for GuardedClient {
    fn default() -> Self {
        Self::new(Limits::default(), Arc::new(SystemLookup))
    }
}

#[async_trait]
impl HttpClient for GuardedClient {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: &OutboundPolicy,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let (parts, body) = request.into_parts();
        let redirect_is_answer = parts.extensions.get::<RedirectIsAnswer>().is_some();
        // The policy checks the URL as the client has parsed it, in which `http://2130706433/` has become 127.0.0.1.
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| OutboundError::InvalidUrl(error.to_string()))?;
        policy.check(&url)?;
        let call = self.pool(policy)?.request(parts.method, url.clone()).headers(parts.headers);
        let call = call.header(ACCEPT_ENCODING, "identity").body(body);
        let response = call.send().await.map_err(|error| failure(&url, error))?;
        if response.status().is_redirection() && !redirect_is_answer {
            return Err(OutboundError::Redirect(response.status().as_u16()));
        }
        self.read(&url, response).await
    }
}

impl GuardedClient {
    async fn read(&self, url: &Url, mut response: reqwest::Response) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let gzipped = is_gzipped(response.headers())?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        // The bytes are counted as they arrive, because Content-Length can't be trusted.
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(url, error))? {
            if answer.body().len().saturating_add(chunk.len()) > self.limits.body {
                return Err(OutboundError::TooLarge(self.limits.body));
            }
            answer.body_mut().extend_from_slice(&chunk);
        }
        if gzipped {
            *answer.body_mut() = unzipped(answer.body(), self.limits.body)?;
            answer.headers_mut().remove(CONTENT_ENCODING);
            answer.headers_mut().remove(CONTENT_LENGTH);
        }
        Ok(answer)
    }
}

/// Whether the body is gzipped (RFC 9110 §8.4.1.3: `x-gzip` is equivalent) or not compressed.
fn is_gzipped(headers: &http::HeaderMap) -> Result<bool, OutboundError> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(false) };
    match encoding.to_str().unwrap_or_default().to_ascii_lowercase().as_str() {
        "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        _ => Err(OutboundError::Compressed),
    }
}

/// The contents of a gzipped body, up to the limit for a body.
fn unzipped(body: &[u8], limit: usize) -> Result<Vec<u8>, OutboundError> {
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut contents = Vec::new();
    let read = MultiGzDecoder::new(body).take(bound).read_to_end(&mut contents);
    read.map_err(|_| OutboundError::Compressed)?;
    if contents.len() > limit { Err(OutboundError::TooLarge(limit)) } else { Ok(contents) }
}

struct GuardedResolver {
    policy: OutboundPolicy,
    lookup: Arc<dyn Lookup>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (self.policy.clone(), Arc::clone(&self.lookup));
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await?;
            let permitted: Vec<SocketAddr> = found
                .iter()
                .filter(|address| policy.permits(name.as_str(), **address))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if permitted.is_empty() && !found.is_empty() {
                return Err(Box::new(Forbidden) as Box<dyn StdError + Send + Sync>);
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Passed through reqwest's error chain to distinguish a forbidden address from a name that does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("every address of the name is forbidden")]
struct Forbidden;

fn failure(url: &Url, error: reqwest::Error) -> OutboundError {
    if chain(&error).any(|cause| cause.is::<Forbidden>()) {
        return OutboundError::ForbiddenAddress(url.host_str().unwrap_or_default().to_owned());
    }
    if error.is_timeout() {
        return OutboundError::Timeout;
    }
    if error.is_connect() { OutboundError::Connect(cause(error)) } else { OutboundError::Failed(cause(error)) }
}

/// The innermost cause, which is the most useful one and contains no URL.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    chain(&error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}
