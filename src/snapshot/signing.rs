//! What signing keys a configuration asks for.

use crate::keys::KeyPolicy;
use crate::snapshot::Snapshot;

impl Snapshot {
    /// What signing keys the configuration asks for. Keys stay published for as long as any token of theirs can live, and
    /// verify hints for as long as a session can.
    #[must_use]
    pub fn key_policy(&self) -> KeyPolicy {
        let config = &self.config;
        let clients = self.clients.values().map(|client| &client.tokens);
        let lifetimes = clients.chain([&config.tokens]).flat_map(|tokens| [tokens.id_token, tokens.access_token]);
        let resources = config.resources.values().filter_map(|resource| resource.access_token);
        let longest = lifetimes.chain(resources).max().unwrap_or(config.tokens.access_token);
        KeyPolicy {
            algorithms: config.keys.algorithms.clone(),
            rotate_every: config.keys.rotate_every.seconds(),
            keep: longest.seconds(),
            remember: config.session.max_lifetime.seconds(),
        }
    }
}
