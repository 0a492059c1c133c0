//! A client as the running broker sees it: defaults filled in, secrets read.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use url::Url;

use crate::config::Config;
use crate::config::language::client::{ApplicationType, Client as Declared, Consent, Pkce};
use crate::config::language::lifetimes::Tokens;
use crate::config::language::scalar::SecretValue;
use crate::decision::policy::default_scopes;
use crate::jose::KeySet;
use crate::protocol::ClientAuthMethod;
use crate::protocol::{GrantType, ResponseType};
use crate::protocol::{SigningAlgorithm, SubjectType};

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its key in the file.
    pub key: String,
    /// Its client id.
    pub client_id: String,
    /// Its name on the pages, and the names in other languages.
    pub name: String,
    /// `client_name#xx` by language tag.
    pub names: BTreeMap<String, String>,
    /// Off: unknown to everyone.
    pub enabled: bool,
    /// SHA-256 of each secret that it may use.
    secret_hashes: Vec<[u8; 32]>,
    /// The secrets themselves, for the methods and signatures that need them.
    pub secrets: Vec<SecretValue>,
    /// Where its public keys are.
    pub keys: ClientKeys,
    /// The only algorithm that its request objects may have (OIDC Registration §2).
    pub request_object_alg: Option<String>,
    /// Where its request objects may be fetched from.
    pub request_uris: Vec<String>,
    /// It must push its authorization requests.
    pub pushes_requests: bool,
    /// Methods that it may authenticate with.
    pub auth_methods: Vec<ClientAuthMethod>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Where the browser may be sent after sign-out.
    pub post_logout_redirect_uris: Vec<String>,
    /// Grants that it may use.
    pub grant_types: Vec<GrantType>,
    /// Response types that it may ask for.
    pub response_types: Vec<ResponseType>,
    /// Scopes that it may ask for.
    pub scopes: Vec<String>,
    /// Whether PKCE is required of it.
    pub pkce_required: bool,
    /// Whether its access tokens must be bound to a key (RFC 9449 §5.2).
    pub dpop_bound: bool,
    /// Whether its users are asked.
    pub consent: Consent,
    /// Its lifetimes.
    pub tokens: Tokens,
    /// The algorithm of its ID tokens.
    pub id_token_alg: SigningAlgorithm,
    /// The algorithm of its userinfo responses; `None` for plain JSON.
    pub userinfo_alg: Option<SigningAlgorithm>,
    /// How its subjects are made.
    pub subject_type: SubjectType,
    /// The sector of its pairwise subjects (OIDC Core §8.1).
    pub sector: String,
    /// Origins that may call the token and userinfo endpoints.
    pub origins: Vec<String>,
    /// Seconds after which it wants a fresh sign-in.
    pub default_max_age: Option<i64>,
    /// Its ID tokens always carry `auth_time`.
    pub require_auth_time: bool,
    /// Authentication context classes that it asks for by default.
    pub default_acr_values: Vec<String>,
    /// Native apps may use any loopback port (RFC 8252 §7.3).
    pub native: bool,
    /// Its logo.
    pub logo_uri: Option<String>,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Its terms.
    pub tos_uri: Option<String>,
    /// Where others may start a sign-in.
    pub initiate_login_uri: Option<String>,
    /// Its page that a browser loads in a frame at sign-out (OIDC Front-Channel Logout §2).
    pub frontchannel_logout_uri: Option<Url>,
    /// Where its logout tokens are posted (OIDC Back-Channel Logout §2.2).
    pub backchannel_logout_uri: Option<Url>,
}

/// Where a client's public keys are.
#[derive(Clone, Debug)]
pub enum ClientKeys {
    /// It has none.
    None,
    /// In the file: `jwks`.
    Inline(Arc<KeySet>),
    /// At `jwks_uri`.
    Remote(Url),
}

impl ClientKeys {
    /// Of a checked client: a `jwks` without a usable key is a problem of the generation's, see [`ClientKeys::problem`].
    fn of(declared: &Declared) -> Self {
        let inline = declared.jwks.as_ref().and_then(|jwks| KeySet::parse(jwks.to_string().as_bytes()).ok());
        let remote = declared.jwks_uri.as_ref().and_then(|uri| Url::parse(uri).ok());
        match (inline, remote) {
            (Some(keys), _) => Self::Inline(Arc::new(keys)),
            (None, Some(url)) => Self::Remote(url),
            (None, None) => Self::None,
        }
    }

    /// Where they are fetched from.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        match self {
            Self::Remote(url) => Some(url),
            Self::None | Self::Inline(_) => None,
        }
    }

    /// What is wrong with a declared `jwks`.
    #[must_use]
    pub fn problem(declared: &Declared) -> Option<&'static str> {
        KeySet::parse(declared.jwks.as_ref()?.to_string().as_bytes()).err()
    }
}

impl Client {
    /// Fills in a declared client. `secrets` are its `client_secret` values, as read.
    #[must_use]
    pub fn resolve(config: &Config, key: &str, declared: &Declared, secrets: &[SecretValue]) -> Self {
        let mut hashes: Vec<[u8; 32]> = secrets.iter().map(|secret| sha256(secret.expose().as_bytes())).collect();
        hashes.extend(declared.client_secret_hashes.iter().filter_map(|text| parse_hash(text)));
        let keys = ClientKeys::of(declared);
        let auth_methods = match declared.token_endpoint_auth_method {
            Some(method) => vec![method],
            None if hashes.is_empty() && !matches!(keys, ClientKeys::None) => vec![ClientAuthMethod::PrivateKeyJwt],
            // It gets nothing at the token endpoint, and may revoke what it got as public clients do.
            None if declared.only_implicit() && hashes.is_empty() => vec![ClientAuthMethod::None],
            None => vec![ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost],
        };
        let public = declared.token_endpoint_auth_method == Some(ClientAuthMethod::None);
        let name = declared.client_name.clone().unwrap_or_else(|| key.to_owned());
        let names = declared
            .localized
            .iter()
            .filter_map(|(key, text)| Some((key.strip_prefix("client_name#")?.to_lowercase(), text.clone())))
            .collect();
        Self {
            key: key.to_owned(),
            client_id: declared.client_id.clone().unwrap_or_else(|| key.to_owned()),
            name,
            names,
            enabled: declared.enabled.unwrap_or(true),
            secret_hashes: hashes,
            secrets: secrets.to_vec(),
            keys,
            request_object_alg: declared.request_object_signing_alg.clone(),
            request_uris: declared.request_uris.clone(),
            pushes_requests: declared.require_pushed_authorization_requests,
            pkce_required: public || declared.pkce == Pkce::Required,
            auth_methods,
            dpop_bound: declared.dpop_bound_access_tokens,
            redirect_uris: declared.redirect_uris.clone(),
            post_logout_redirect_uris: declared.post_logout_redirect_uris.clone(),
            grant_types: declared
                .grant_types
                .clone()
                .unwrap_or_else(|| vec![GrantType::AuthorizationCode, GrantType::RefreshToken]),
            response_types: declared.response_types.clone().unwrap_or_else(|| vec![ResponseType::Code]),
            scopes: declared.scopes.clone().unwrap_or_else(default_scopes),
            consent: declared.consent,
            tokens: config.tokens.for_client(&declared.tokens),
            id_token_alg: declared.id_token_signed_response_alg.unwrap_or(SigningAlgorithm::RS256),
            userinfo_alg: declared.userinfo_signed_response_alg,
            subject_type: declared.subject_type.unwrap_or(config.subject.kind),
            sector: sector(declared, key),
            origins: origins(declared),
            default_max_age: declared.default_max_age.map(|age| age.seconds()),
            require_auth_time: declared.require_auth_time,
            default_acr_values: declared.default_acr_values.clone(),
            native: declared.application_type == ApplicationType::Native || public,
            logo_uri: declared.logo_uri.clone(),
            client_uri: declared.client_uri.clone(),
            policy_uri: declared.policy_uri.clone(),
            tos_uri: declared.tos_uri.clone(),
            initiate_login_uri: declared.initiate_login_uri.clone(),
            frontchannel_logout_uri: url(declared.frontchannel_logout_uri.as_deref()),
            backchannel_logout_uri: url(declared.backchannel_logout_uri.as_deref()),
        }
    }

    /// Whether it is a public client (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth_methods == [ClientAuthMethod::None]
    }

    /// Whether it may use a grant.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether it may ask the authorization endpoint for this (OIDC Registration §2).
    #[must_use]
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        self.response_types.contains(&response_type) && response_type.grant_types().iter().all(|grant| self.may(*grant))
    }

    /// Compares a presented secret with each that it may use, in constant time.
    #[must_use]
    pub fn secret_matches(&self, presented: &str) -> bool {
        let hash = sha256(presented.as_bytes());
        self.secret_hashes.iter().fold(false, |found, known| verify_slices_are_equal(known, &hash).is_ok() | found)
    }

    /// Its name for the first of the languages that it has one for.
    #[must_use]
    pub fn name_in(&self, languages: &[String]) -> &str {
        languages
            .iter()
            .find_map(|language| {
                let language = language.to_lowercase();
                let primary = language.split('-').next().unwrap_or(&language).to_owned();
                self.names.get(&language).or_else(|| self.names.get(&primary))
            })
            .unwrap_or(&self.name)
    }

    /// Whether a redirect URI is registered: the same string, but for the port of a native client's loopback address
    /// (RFC 6749 §3.1.2.3, RFC 8252 §7.3).
    #[must_use]
    pub fn has_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|known| known == uri || (self.native && same_loopback(known, uri)))
    }
}

/// The same loopback URI but for the port. Strings are compared around the port, so that nothing is normalised away.
fn same_loopback(known: &str, uri: &str) -> bool {
    match (split_port(known), split_port(uri)) {
        (Some((host, rest)), Some((other_host, other_rest))) => host == other_host && rest == other_rest,
        _ => false,
    }
}

/// `http://127.0.0.1:8080/cb` → (`127.0.0.1`, `/cb`); only for loopback hosts.
fn split_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.get(host.len()..)?;
    let (port, path) = match rest.strip_prefix(':') {
        Some(with_port) => {
            let end = with_port.find('/').unwrap_or(with_port.len());
            with_port.split_at(end)
        }
        None => ("80", rest),
    };
    let valid_port =
        port.len() <= 5 && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let valid_path = path.is_empty() || path.starts_with('/');
    (valid_port && valid_path).then_some((host, path))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    hash
}

/// `sha256:` with 64 hexadecimal digits or 43 characters of base64url.
#[must_use]
pub fn parse_hash(text: &str) -> Option<[u8; 32]> {
    use base64::Engine as _;
    let digits = text.strip_prefix("sha256:")?;
    if digits.len() == 64 {
        let byte = |n: usize| u8::from_str_radix(digits.get(n * 2..n * 2 + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
        return bytes?.try_into().ok();
    }
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(digits.trim_end_matches('=')).ok()?;
    bytes.try_into().ok()
}

/// A URL that `check` has accepted.
fn url(text: Option<&str>) -> Option<Url> {
    text.and_then(|text| Url::parse(text).ok())
}

/// The host of its `sector_identifier_uri`, else of its redirect URIs (OIDC Core §8.1); its key where it has none. That the
/// document there lists the redirect URIs proves who registers a client (§8.1 of Registration); this file is the operator's.
fn sector(declared: &Declared, key: &str) -> String {
    let host = |uri: &String| Url::parse(uri).ok()?.host_str().map(str::to_owned);
    declared
        .sector_identifier_uri
        .iter()
        .chain(&declared.redirect_uris)
        .find_map(host)
        .unwrap_or_else(|| key.to_owned())
}

fn origins(declared: &Declared) -> Vec<String> {
    let of_redirects = declared.redirect_uris.iter().filter_map(|uri| {
        let origin = Url::parse(uri).ok()?.origin();
        origin.is_tuple().then(|| origin.ascii_serialization())
    });
    let mut origins: Vec<String> = of_redirects.chain(declared.allowed_origins.iter().cloned()).collect();
    origins.sort();
    origins.dedup();
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_ports_are_free_and_nothing_else_is() {
        for (known, uri, same) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb", true),
            ("http://[::1]:1/cb", "http://[::1]:2/cb", true),
            ("http://localhost/cb", "http://localhost:9/cb", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:2/cb/", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:2@evil.example/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false),
            ("http://127.0.0.1/cb", "https://127.0.0.1:2/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb", false),
            ("https://a.example/cb", "https://a.example:2/cb", false),
        ] {
            assert_eq!(same_loopback(known, uri), same, "{known} {uri}");
        }
    }
}
