//! The real client, over reqwest. It owns connections, name resolution under the policy, and the bounds on an answer.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Proxy, redirect};
use url::Url;

use super::{HttpClient, OutboundError, OutboundPolicy};

/// Pools kept at most, one a policy. More than there are providers; reached only by many reloads.
const MAX_POOLS: usize = 1024;

/// Bounds on a call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte out to the last byte in.
    pub total: Duration,
    /// Bytes of body accepted.
    pub body: usize,
}

impl Default for Limits {
    /// 5 seconds, 1 MiB.
    fn default() -> Self {
        Self { total: Duration::from_secs(5), body: 1024 * 1024 }
    }
}

/// Resolves names. A parameter so that tests move a name between check and use.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of a name.
    ///
    /// # Errors
    /// When there are none.
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

/// The broker's [`HttpClient`]: HTTP/1.1, no redirects, no cookies, no compression, no proxy from the environment.
///
/// Each policy has its own pool of kept-alive connections, so that a connection that one policy permits is never used
/// under another. Names are resolved by the policy's own resolver at the moment of connecting: what was checked is what
/// is connected to.
pub struct GuardedClient {
    limits: Limits,
    lookup: Arc<dyn Lookup>,
    pools: Mutex<HashMap<OutboundPolicy, Client>>,
}

impl GuardedClient {
    /// A client with these bounds and this resolver.
    #[must_use]
    pub fn new(limits: Limits, lookup: Arc<dyn Lookup>) -> Self {
        Self { limits, lookup, pools: Mutex::new(HashMap::new()) }
    }

    fn pool(&self, policy: &OutboundPolicy) -> Result<Client, OutboundError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(policy) {
            return Ok(pool.clone());
        }
        let pool = self.build(policy)?;
        if pools.len() >= MAX_POOLS {
            pools.clear();
        }
        pools.insert(policy.clone(), pool.clone());
        Ok(pool)
    }

    fn build(&self, policy: &OutboundPolicy) -> Result<Client, OutboundError> {
        let authorities = match policy.ca.as_deref().map(Certificate::from_pem_bundle) {
            None => Vec::new(),
            Some(Ok(authorities)) if !authorities.is_empty() => authorities,
            Some(_) => return Err(OutboundError::Connect("ca holds no certificate in PEM form".to_owned())),
        };
        let proxy = match &policy.proxy {
            Some(url) => Some(Proxy::all(url).map_err(|error| OutboundError::Connect(cause(error)))?),
            None => None,
        };
        let resolver = Arc::new(GuardedResolver { policy: policy.clone(), lookup: Arc::clone(&self.lookup) });
        let builder = || {
            let builder = Client::builder()
                .http1_only()
                .no_proxy()
                .redirect(redirect::Policy::none())
                .referer(false)
                .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
                .timeout(self.limits.total)
                .dns_resolver(Arc::clone(&resolver));
            match &proxy {
                Some(proxy) => builder.proxy(proxy.clone()),
                None => builder,
            }
        };
        // A machine without any certificate authority (a container made from scratch) still calls loopback and `ca`.
        builder()
            .tls_certs_merge(authorities.clone())
            .build()
            .or_else(|_| builder().tls_certs_only(authorities).build())
            .map_err(|error| OutboundError::Connect(cause(error)))
    }
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
        // The policy is asked about the URL as the client understands it: `http://2130706433/` is 127.0.0.1 by then.
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| OutboundError::InvalidUrl(error.to_string()))?;
        policy.check(&url)?;
        let call = self.pool(policy)?.request(parts.method, url.clone()).headers(parts.headers).body(body);
        let response = call.send().await.map_err(|error| failure(&url, error))?;
        if response.status().is_redirection() {
            return Err(OutboundError::Redirect(response.status().as_u16()));
        }
        self.read(&url, response).await
    }
}

impl GuardedClient {
    async fn read(&self, url: &Url, mut response: reqwest::Response) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let encoding = response.headers().get(http::header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(OutboundError::Compressed);
        }
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        // Counted as it comes: Content-Length is the sender's word only.
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(url, error))? {
            if answer.body().len().saturating_add(chunk.len()) > self.limits.body {
                return Err(OutboundError::TooLarge(self.limits.body));
            }
            answer.body_mut().extend_from_slice(&chunk);
        }
        Ok(answer)
    }
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

/// Carried through reqwest's error chain to tell a forbidden address from a name that does not resolve.
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

/// The innermost cause, which is the one that helps, and which names no URL.
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
