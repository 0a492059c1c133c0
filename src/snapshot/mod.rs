//! A checked, compiled configuration, which the running broker reads. Each request holds one `Arc<Snapshot>`, and so sees a
//! single generation.
//!
//! [`Snapshot::build`] is the only constructor; everything in a snapshot is derived from the file, its secrets and its tables.

pub mod break_glass;
pub mod certificate;
pub mod client;
mod client_authorities;
pub mod compared;
pub mod drafted;
pub mod generation;
pub mod history;
pub mod issuer;
pub mod password_hash;
pub mod proxies;
pub mod reload;
pub mod settings;
pub mod shadow;
mod signing;
mod store_url;
mod telemetry;
pub mod told;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use break_glass::BreakGlass;
use certificate::Certificate;
use client::{Client, ClientKeys};
use issuer::Issuer;
use proxies::TrustedProxies;

use crate::config::Config;
use crate::config::check::paths::Paths;
use crate::config::language::client::Resource;
use crate::config::language::scalar::SecretValue;
use crate::config::load::secrets::{ProviderFiles, Secrets};
use crate::config::resolved::{Provider, Resolved};
use crate::decision::policy::{ExpressionProblem, Policy, key_segment};
use crate::decision::trace::Source;
use crate::expression::Compiler;
use crate::pages::{Lang, Pages};
use crate::upstream::{ProviderSettings, ResolvedSecrets, credentials};
use crate::x509::Authorities;
use settings::Settings;

/// One configuration generation.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts up by one with each reload.
    pub generation: u64,
    /// Short hash of everything that it was made from.
    pub hash: String,
    /// The typed file.
    pub config: Config,
    /// Its entries with their defaults and derived values.
    pub resolved: Resolved,
    /// The issuer.
    pub issuer: Issuer,
    /// The compiled policy.
    pub policy: Policy,
    /// Providers by id, with their settings for `upstream`.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Clients by key.
    pub clients: BTreeMap<String, Client>,
    /// The broker's own pages, as a client.
    pub own: Client,
    /// The proxies whose `X-Forwarded-*` headers are trusted.
    pub trusted_proxies: TrustedProxies,
    /// The admin listener's tokens.
    pub admin_tokens: Vec<SecretValue>,
    /// The certificate of TCP listeners that serve TLS.
    pub certificate: Option<Certificate>,
    /// What client certificates are verified against.
    pub client_authorities: Option<Authorities>,
    /// The break-glass account's password, where the account is declared.
    pub break_glass: Option<BreakGlass>,
    /// The broker's public keys as a client of its providers: a JWK Set.
    pub client_jwks: Vec<u8>,
    /// The paths that it serves.
    pub paths: Paths,
    /// The pages, with the settings of this generation.
    pub pages: Pages,
    /// Where traces are sent; none if they are not.
    pub telemetry: Option<Arc<crate::telemetry::Settings>>,
    /// What its files set.
    pub settings: Settings,
    /// What `check` warns of in its files, as it prints it; empty when there is nothing.
    pub warnings: String,
    by_client_id: HashMap<String, String>,
    resources: HashMap<String, Resource>,
    discovery: OnceLock<Vec<u8>>,
    sources: HashMap<String, Source>,
}

/// Why a configuration can't be built.
#[derive(Clone, Debug)]
pub enum BuildProblem {
    /// An expression that does not compile.
    Expression(ExpressionProblem),
    /// Any other problem, with the dotted path of its place.
    Other {
        /// Dotted path.
        path: String,
        /// What is wrong and how to correct it.
        message: String,
    },
}

/// What a snapshot is made from.
pub struct Parts<'a> {
    /// Number of the generation.
    pub generation: u64,
    /// Short hash of the files.
    pub hash: String,
    /// The typed file.
    pub config: Config,
    /// The entries that `check` resolved.
    pub resolved: Resolved,
    /// Secrets as read.
    pub secrets: &'a Secrets,
    /// The certificates that providers name, by provider id.
    pub files: BTreeMap<String, ProviderFiles>,
    /// The certificate of TCP listeners; `None` if it is not declared, or secrets were left unread.
    pub certificate: Option<Certificate>,
    /// The authorities of client certificates; `None` if they are not declared, or secrets were left unread.
    pub client_authorities: Option<Authorities>,
    /// Compiles expressions; it knows the lookup tables.
    pub compiler: &'a mut Compiler,
    /// The pages, compiled.
    pub pages: Pages,
    /// What the files set; empty where nothing shows it.
    pub settings: Settings,
    /// Finds the source location of a dotted path.
    pub locate: &'a dyn Fn(&str) -> Option<Source>,
}

impl Snapshot {
    /// Builds a generation from a configuration that passed `check`.
    ///
    /// # Errors
    /// All problems that become visible only here.
    pub fn build(parts: Parts<'_>) -> Result<Self, Vec<BuildProblem>> {
        let Parts { generation, hash, config, resolved, secrets, compiler, locate, .. } = parts;
        let Parts { files, certificate, client_authorities, pages, settings, .. } = parts;
        let policy = Policy::compile(&config, &resolved, compiler, locate)
            .map_err(|problems| problems.into_iter().map(BuildProblem::Expression).collect::<Vec<_>>())?;
        let other = |path: &str, message: String| BuildProblem::Other { path: path.to_owned(), message };
        let issuer = Issuer::parse(&config.issuer).map_err(|error| vec![other("issuer", error.to_string())])?;
        let mut problems = Vec::new();
        let mut providers = BTreeMap::new();
        for (id, provider) in &config.providers {
            let secret = |key: &str| secrets.get(&format!("providers.{id}.{key}")).to_vec();
            let ProviderFiles { ca, client_certificate } = files.get(id).cloned().unwrap_or_default();
            let (client_secret, client_key) = (secret("client_secret"), secret("client_key"));
            let group_credentials = secret("groups_from.credentials").first().cloned();
            let read = ResolvedSecrets { client_secret, client_key, client_certificate, ca, group_credentials };
            match ProviderSettings::new(id, provider, read, &config.issuer) {
                Ok(settings) => {
                    let subject = policy.providers.get(id).and_then(|provider| provider.subject.clone());
                    drop(providers.insert(id.clone(), settings.with_subject(subject)));
                }
                Err(error) => problems.push(other(&format!("providers.{id}.{}", error.key), error.problem)),
            }
        }
        for (key, declared) in &config.clients {
            if let Some(problem) = ClientKeys::problem(declared) {
                let message = format!("{problem}; jwks must be a JWK Set of public keys (RFC 7517 §5)");
                problems.push(other(&format!("clients.{}.jwks", key_segment(key)), message));
            }
        }
        let break_glass = break_glass(&config, secrets, &mut problems);
        let mut unusable = Vec::new();
        let telemetry = telemetry::settings(&config, secrets, &mut unusable);
        problems.extend(unusable.into_iter().map(|(path, message)| BuildProblem::Other { path, message }));
        if !problems.is_empty() {
            return Err(problems);
        }
        let clients: BTreeMap<String, Client> = config
            .clients
            .iter()
            .filter_map(|(key, declared)| {
                let secrets = secrets.get(&format!("clients.{key}.client_secret"));
                let entry = Arc::clone(resolved.clients.get(key)?);
                Some((key.clone(), Client::new(entry, declared, secrets)))
            })
            .collect();
        Ok(Self {
            generation,
            hash,
            by_client_id: clients.values().map(|client| (client.client_id.clone(), client.key.clone())).collect(),
            resources: resolved.resources.values().map(|resource| (resource.uri.clone(), resource.clone())).collect(),
            client_jwks: credentials::key_set(providers.values().map(|settings| &settings.credentials)),
            paths: Paths::of(&config, &resolved),
            discovery: OnceLock::new(),
            sources: provider_sources(&config, locate),
            own: Client::own(&config),
            trusted_proxies: TrustedProxies::of(&config.server),
            admin_tokens: secrets.get("admin.token").to_vec(),
            certificate,
            client_authorities,
            break_glass,
            pages,
            telemetry,
            settings,
            warnings: String::new(),
            config,
            resolved,
            issuer,
            policy,
            providers,
            clients,
        })
    }

    /// A client by its client id, including disabled ones.
    #[must_use]
    pub fn client_by_id(&self, client_id: &str) -> Option<&Client> {
        self.clients.get(self.by_client_id.get(client_id)?)
    }

    /// A resource by its URI.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<&Resource> {
        self.resources.get(uri)
    }

    /// The discovery document. `render` produces it at the first request for it, so once for each generation.
    pub fn discovery(&self, render: impl FnOnce(&Self) -> Vec<u8>) -> &[u8] {
        self.discovery.get_or_init(|| render(self))
    }

    /// Languages of the pages (BCP 47).
    #[must_use]
    pub fn ui_locales() -> Vec<&'static str> {
        Lang::ALL.iter().map(|lang| lang.tag()).collect()
    }

    /// A provider's name on the pages.
    #[must_use]
    pub fn provider_name<'s>(&'s self, id: &'s str) -> &'s str {
        self.provider(id).map_or(id, |provider| &provider.name)
    }

    /// A provider's resolved entry, including disabled ones.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.resolved.providers.get(id)
    }

    /// Whether a provider may authenticate the users of a client: it is enabled, and the client accepts it. The break-glass
    /// account counts as a provider of the clients that it may enter.
    #[must_use]
    pub fn accepts(&self, client: &Client, provider: &str) -> bool {
        self.resolved.accepts(client, provider)
    }

    /// The providers that may authenticate the users of a client, in order of their ids.
    pub fn accepted<'s>(&'s self, client: &'s Client) -> impl Iterator<Item = &'s Provider> {
        self.resolved.accepted(client)
    }

    /// The source location of a setting that decides at run time.
    #[must_use]
    pub fn source(&self, path: &str) -> Option<Source> {
        self.sources.get(path).cloned()
    }
}

/// The break-glass account's password; what is wrong with a hash goes to the problems. Hashes that were left unread are not
/// examined.
fn break_glass(config: &Config, secrets: &Secrets, problems: &mut Vec<BuildProblem>) -> Option<BreakGlass> {
    let declared = config.break_glass.as_ref()?;
    let hashes = secrets.get("break_glass.password_hash");
    match BreakGlass::read(&declared.username, hashes) {
        Ok(account) => Some(account),
        Err(faults) => {
            problems.extend(faults.into_iter().map(|(index, fault)| {
                let several = hashes.len() > 1;
                let path = if several {
                    format!("break_glass.password_hash[{index}]")
                } else {
                    "break_glass.password_hash".to_owned()
                };
                BuildProblem::Other { path, message: format!("`password_hash`: {fault}") }
            }));
            None
        }
    }
}

fn provider_sources(config: &Config, locate: &dyn Fn(&str) -> Option<Source>) -> HashMap<String, Source> {
    let paths = config.providers.keys().map(|id| format!("providers.{id}.on_refresh"));
    paths.filter_map(|path| locate(&path).map(|source| (path, source))).collect()
}
