//! A configuration on one machine: the same file, with the addresses of this process in place of the real ones.
//!
//! What decides (mappings, conditions, rules, scopes, tests) is untouched. Changed is only what would reach elsewhere or needs
//! what is not there: addresses, secrets, keys and the store.

use std::sync::{Arc, Mutex, PoisonError};

use url::{Host, Url};

use crate::config::Config;
use crate::config::language::client::Client;
use crate::config::language::connection_url::ConnectionUrl;
use crate::config::language::groups_from::{GroupSource, GroupsFrom};
use crate::config::language::provider::{Provider, ProviderResponseMode, Reauth};
use crate::config::language::scalar::Expression;
use crate::config::load::Inputs;
use crate::config::load::files::Files;
use crate::digest::sha256_hex;
use crate::protocol::{ClientAuthMethod, GrantType, ResponseType};
use crate::snapshot::generation::{Options, Prepared, prepare, prepare_adapted};
use crate::snapshot::reload::Prepare;

/// The configuration that `countersign dev` runs without a file.
pub const BUILT_IN: &str = include_str!("broker.toml");

/// The addresses of this process, without a slash at the end, and the secret of the demo app.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The broker.
    pub broker: String,
    /// The simulated providers.
    pub idp: String,
    /// The demo app.
    pub app: String,
    /// The demo app's secret, at each app that it plays.
    pub secret: String,
}

/// The files of the last configuration that was read, to be shown: name and lines, secrets masked.
pub type Shown = Arc<Mutex<Vec<(String, Vec<String>)>>>;

impl Setting {
    /// The issuer of a simulated provider.
    #[must_use]
    pub fn provider(&self, id: &str) -> String {
        format!("{}/{id}", self.idp)
    }

    /// Where the demo app receives codes.
    #[must_use]
    pub fn callback(&self) -> String {
        format!("{}/callback", self.app)
    }

    /// Makes a generation: the file must be right as it is, with its tests, and is then prepared for this machine.
    pub fn prepare(self: &Arc<Self>, files: Arc<dyn Files + Send + Sync>, shown: &Shown) -> Prepare {
        let (setting, shown) = (Arc::clone(self), Arc::clone(shown));
        Arc::new(move |inputs: &Inputs, options: Options| {
            let options = Options { without_secrets: true, ..options };
            let written = prepare(inputs, &*files, options)?;
            let mut adapted = match written.snapshot {
                Some(_) => prepare_adapted(inputs, &*files, options, &|config| setting.adapt(config))?,
                None => written,
            };
            // Folders of secrets need not exist here; those that do not can't be watched.
            let is_here =
                |file: &std::path::PathBuf| file.parent().is_none_or(|at| at.as_os_str().is_empty() || at.is_dir());
            adapted.involved.files.retain(is_here);
            *shown.lock().unwrap_or_else(PoisonError::into_inner) = adapted.layers.shown();
            Ok::<Prepared, _>(adapted)
        })
    }

    fn adapt(&self, config: &mut Config) {
        let path = Url::parse(&config.issuer).map(|issuer| issuer.path().trim_end_matches('/').to_owned());
        config.issuer = format!("{}{}", self.broker, path.unwrap_or_default());
        config.server.listen = vec![self.broker.trim_start_matches("http://").to_owned()];
        config.server.tls = None;
        config.store.url = ConnectionUrl::new("sqlite::memory:".to_owned());
        config.store.encryption_keys.clear();
        for (id, provider) in &mut config.providers {
            self.adapt_provider(id, provider);
        }
        for client in config.clients.values_mut().filter(|client| signs_people_in(client)) {
            self.adapt_client(client);
        }
    }

    /// The simulated provider accepts the broker without a secret.
    fn adapt_provider(&self, id: &str, provider: &mut Provider) {
        provider.issuer = Some(self.provider(id).into());
        provider.backchannel_url = None;
        provider.base_url = None;
        provider.authorization_endpoint = None;
        provider.token_endpoint = None;
        provider.userinfo_endpoint = None;
        provider.jwks_uri = None;
        provider.redirect_uri = None;
        provider.post_logout_redirect_uri = None;
        provider.client_secret = None;
        provider.client_key = None;
        provider.client_certificate = None;
        provider.client_assertion = None;
        provider.team_id = None;
        provider.key_id = None;
        provider.require_pushed_authorization_requests = false;
        provider.dpop_bound_access_tokens = false;
        provider.signals = None;
        provider.token_endpoint_auth_method = Some(ClientAuthMethod::None);
        provider.id_token_signed_response_alg = None;
        provider.response_mode = Some(ProviderResponseMode::Query);
        provider.ca = None;
        provider.proxy = None;
        if !provider.preset.is_openid() {
            let endpoint = |name: &str| Some(format!("{}/{name}", self.provider(id)));
            provider.authorization_endpoint = endpoint("authorize");
            provider.token_endpoint = endpoint("token");
            provider.userinfo_endpoint = endpoint("userinfo");
            provider.subject = Some(Expression("claims.sub".to_owned()));
            provider.reauth = Reauth::Trust;
        }
        // People are those of the file's tests: their groups are there, and their `sub` tells them apart, as it does in a test.
        let in_token = GroupsFrom::Source(GroupSource::Token);
        provider.groups_from = provider.preset.is_openid().then_some(in_token);
        provider.quirks.subject_claims = Some(vec!["sub".to_owned()]);
        provider.quirks.tenant_issuer = Some(false);
    }

    /// The demo app plays every app. What is on this machine anyway may go on using the broker with a hashed secret.
    fn adapt_client(&self, client: &mut Client) {
        client.redirect_uris.retain(|uri| is_loopback(uri));
        client.redirect_uris.push(self.callback());
        client.post_logout_redirect_uris.retain(|uri| is_loopback(uri));
        client.post_logout_redirect_uris.push(format!("{}/", self.app));
        if client.token_endpoint_auth_method != Some(ClientAuthMethod::None) {
            client.token_endpoint_auth_method = None;
            client.client_secret = None;
            client.client_secret_hashes.truncate(1);
            client.client_secret_hashes.push(format!("sha256:{}", sha256_hex(self.secret.as_bytes())));
        }
        client.sector_identifier_uri = None;
        client.frontchannel_logout_uri = None;
        client.backchannel_logout_uri = None;
        client.request_uris.clear();
        client.request_object_signing_alg = None;
        client.require_pushed_authorization_requests = false;
        client.dpop_bound_access_tokens = false;
        client.tls_client_certificate_bound_access_tokens = false;
        client.tls_client_auth_subject_dn = None;
        client.tls_client_auth_san_dns = None;
        client.tls_client_auth_san_uri = None;
        client.tls_client_auth_san_ip = None;
        client.tls_client_auth_san_email = None;
    }
}

/// Whether the app signs people in with the code flow, so that the demo app can play it.
#[must_use]
pub fn signs_people_in(client: &Client) -> bool {
    let grants = client.grant_types.as_deref().is_none_or(|grants| grants.contains(&GrantType::AuthorizationCode));
    let responds = client.response_types.as_deref().is_none_or(|types| types.contains(&ResponseType::Code));
    grants && responds && client.enabled.unwrap_or(true)
}

fn is_loopback(uri: &str) -> bool {
    match Url::parse(uri).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
