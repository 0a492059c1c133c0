//! One provider with its metadata, for one operation, and how the person's access token is presented there.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::upstream::dpop::{DPOP, ProofKey, Proven};
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::Upstream;
use crate::upstream::request::{authorization, bearer};
use crate::upstream::settings::ProviderSettings;

/// One provider with its metadata, for one operation.
pub(crate) struct ProviderContext<'a> {
    pub(crate) upstream: &'a Arc<Upstream>,
    pub(crate) settings: &'a ProviderSettings,
    pub(crate) metadata: &'a Metadata,
    /// The key that the tokens of the operation are bound to, where they are.
    pub(crate) key: Option<Arc<ProofKey>>,
    pub(crate) now: i64,
}

impl ProviderContext<'_> {
    /// Presents the person's access token in a request: as a bearer token (RFC 6750 §2.1), or bound to a key, with a proof
    /// (RFC 9449 §7.1). `None` if the token has characters that no header can have, or no proof can be made.
    pub(crate) fn present(&self, request: &mut http::Request<Vec<u8>>, url: &Url, token: &SecretValue) -> Option<()> {
        let Some(key) = &self.key else {
            request.headers_mut().insert(AUTHORIZATION, bearer(token)?);
            return Some(());
        };
        let nonce = self.upstream.nonces.of(url);
        let method = request.method().clone();
        let proven = Proven { method: &method, url, access_token: Some(token), nonce: nonce.as_deref() };
        let proof = key.proof(proven, &self.upstream.random.id().ok()?, self.now)?;
        request.headers_mut().insert(AUTHORIZATION, authorization(&format!("DPoP {}", token.expose())).ok()?);
        request.headers_mut().insert(DPOP, proof);
        Some(())
    }
}
