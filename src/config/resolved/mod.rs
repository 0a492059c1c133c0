//! The resolved configuration: the typed file with defaults, inherited settings and derived values filled in.
//!
//! [`check`](super::check) builds it once and validates it; `snapshot` adds what needs secrets, keys and compiled expressions.
//! Every default and derived value is defined here and nowhere else. Resolving never fails: for a file that does not pass
//! `check` it returns a result that nobody uses.

pub mod break_glass;
pub mod certificates;
pub mod client;
pub mod groups_from;
pub mod limits;
mod localized;
pub mod preset;
pub mod provider;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use break_glass::BreakGlass;
pub use certificates::Certificates;
pub use client::Client;
pub use limits::Limits;
pub use localized::Localized;
pub use provider::{Provider, SessionBounds};

use crate::audit::Identify;
use crate::config::language::Config;
use crate::config::language::client::Resource;
use crate::protocol::BREAK_GLASS;
use crate::protocol::CERTIFICATE;

/// `[audit]`, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// How people are named in the log and in audit events.
    pub identify: Identify,
    /// How long events and traces are kept, in seconds.
    pub retention: i64,
}

/// The entries of a configuration, resolved.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Providers by id.
    pub providers: BTreeMap<String, Provider>,
    /// Clients by their key in the file.
    pub clients: BTreeMap<String, Arc<Client>>,
    /// Resources by their key in the file.
    pub resources: BTreeMap<String, Resource>,
    /// `[break_glass]`, where it is declared.
    pub break_glass: Option<BreakGlass>,
    /// `[session]`: the bounds of every session.
    pub session: SessionBounds,
    /// `[audit]`: the audit trail.
    pub audit: Audit,
    /// `[limits]`: limits on what strangers can make the broker do.
    pub limits: Limits,
    /// `[certificates]`: how client certificates reach the broker.
    pub certificates: Option<Certificates>,
}

impl Resolved {
    /// Resolves a typed file.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let providers = config.providers.iter();
        let clients = config.clients.iter();
        Self {
            providers: providers.map(|(id, declared)| (id.clone(), Provider::of(config, id, declared))).collect(),
            clients: clients
                .map(|(key, declared)| (key.clone(), Arc::new(Client::of(config, key, declared))))
                .collect(),
            resources: config.resources.clone(),
            break_glass: config.break_glass.as_ref().map(BreakGlass::of),
            session: SessionBounds::everyone(config),
            audit: Audit { identify: config.audit.identify, retention: config.audit.retention.seconds() },
            limits: Limits::of(&config.limits),
            certificates: Certificates::of(config),
        }
    }

    /// Whether a provider, given by its id, may authenticate the users of a client: it is enabled, and the client accepts it.
    /// The break-glass account counts as a provider of the clients that it may enter, and of the broker's own pages, whose key
    /// is empty.
    #[must_use]
    pub fn accepts(&self, client: &Client, provider: &str) -> bool {
        if provider == CERTIFICATE {
            return self.certificates.is_some() && client.takes_certificates();
        }
        if provider == BREAK_GLASS {
            let account = self.break_glass.as_ref();
            return account.is_some_and(|account| client.key.is_empty() || account.enters(&client.key));
        }
        self.providers.get(provider).is_some_and(|provider| provider.enabled && client.accepts(provider))
    }

    /// The limits of sessions of a provider; those of `[session]` if the provider no longer exists. A session that a certificate
    /// created ends with the certificate's validity.
    #[must_use]
    pub fn session_of(&self, provider: &str) -> SessionBounds {
        if provider == CERTIFICATE {
            return SessionBounds { follow_upstream_expiry: true, ..self.session };
        }
        self.providers.get(provider).map_or(self.session, |provider| provider.session)
    }

    /// The providers that may authenticate the users of a client, in order of their ids: those that its sign-in page offers,
    /// and to which a hint or an address may lead.
    pub fn accepted<'r>(&'r self, client: &'r Client) -> impl Iterator<Item = &'r Provider> {
        self.providers.values().filter(move |provider| provider.enabled && client.accepts(provider))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
