//! A client as seen by the running broker: its resolved entry, with its secrets and its keys.

use std::ops::Deref;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use url::Url;

use crate::config::Config;
use crate::config::language::client::Client as Declared;
use crate::config::language::scalar::SecretValue;
use crate::config::resolved;
use crate::config::resolved::Localized;
use crate::digest::sha256;
use crate::jose::KeySet;
use crate::pages::Languages;

/// A client. It dereferences to its resolved entry.
#[derive(Clone, Debug)]
pub struct Client {
    resolved: Arc<resolved::Client>,
    /// SHA-256 of each secret that it may use.
    secret_hashes: Vec<[u8; 32]>,
    /// The secrets themselves, for the methods and signatures that need them.
    pub secrets: Vec<SecretValue>,
    /// Where its public keys are.
    pub keys: ClientKeys,
}

impl Deref for Client {
    type Target = resolved::Client;

    fn deref(&self) -> &Self::Target {
        &self.resolved
    }
}

/// Where a client's public keys are.
#[derive(Clone, Debug)]
pub enum ClientKeys {
    /// It has no public keys.
    None,
    /// In the file: `jwks`.
    Inline(Arc<KeySet>),
    /// At `jwks_uri`.
    Remote(Url),
}

impl ClientKeys {
    /// The keys of a checked client. A `jwks` without a usable key is a problem of the generation, see [`ClientKeys::problem`].
    fn of(declared: &Declared) -> Self {
        let inline = declared.jwks.as_ref().and_then(|jwks| KeySet::parse(jwks.to_string().as_bytes()).ok());
        let remote = declared.jwks_uri.as_ref().and_then(|uri| Url::parse(uri).ok());
        match (inline, remote) {
            (Some(keys), _) => Self::Inline(Arc::new(keys)),
            (None, Some(url)) => Self::Remote(url),
            (None, None) => Self::None,
        }
    }

    /// Where they are fetched from, if they are.
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
    /// The broker's own pages as a client. Its key is none that a file can declare, and it gets neither codes nor tokens. As
    /// for any client, every provider that is not hidden may authenticate its users.
    #[must_use]
    pub fn own(config: &Config) -> Self {
        let declared = Declared { grant_types: Some(Vec::new()), ..Declared::default() };
        Self::new(Arc::new(resolved::Client::of(config, "", &declared)), &declared, &[])
    }

    /// Adds secrets and keys to a resolved client. `secrets` are its `client_secret` values as read; hashes of secrets and
    /// public keys are in the file.
    #[must_use]
    pub fn new(resolved: Arc<resolved::Client>, declared: &Declared, secrets: &[SecretValue]) -> Self {
        let mut secret_hashes: Vec<[u8; 32]> =
            secrets.iter().map(|secret| sha256(secret.expose().as_bytes())).collect();
        secret_hashes.extend(declared.client_secret_hashes.iter().filter_map(|text| parse_hash(text)));
        Self { resolved, secret_hashes, secrets: secrets.to_vec(), keys: ClientKeys::of(declared) }
    }

    /// Compares a presented secret with each that it may use, in constant time.
    #[must_use]
    pub fn secret_matches(&self, presented: &str) -> bool {
        let hash = sha256(presented.as_bytes());
        self.secret_hashes.iter().fold(false, |found, known| verify_slices_are_equal(known, &hash).is_ok() | found)
    }

    /// Where others can start a sign-in (OIDC Core §4): its `initiate_login_uri`, with the issuer to sign in at.
    #[must_use]
    pub fn initiate_link(&self, issuer: &str) -> Option<String> {
        let uri = self.initiate_login_uri.as_ref()?;
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("iss", issuer).finish();
        let separator = if uri.contains('?') { '&' } else { '?' };
        Some(format!("{uri}{separator}{query}"))
    }

    /// Where a user finds the app again if a sign-in can't continue: where the app starts one, its home page, or the host of
    /// its first redirect URI. All of these addresses are registered in the file.
    #[must_use]
    pub fn entry(&self, issuer: &str) -> Option<String> {
        let home = || {
            let origin = Url::parse(self.redirect_uris.first()?).ok()?.origin();
            (!self.any_loopback_port && origin.is_tuple()).then(|| format!("{}/", origin.ascii_serialization()))
        };
        self.initiate_link(issuer).or_else(|| self.client_uri.default().map(str::to_owned)).or_else(home)
    }

    /// Its name in the best match for the requested languages (`client_name#de`; Dynamic Client Registration §2.1).
    #[must_use]
    pub fn name_in(&self, languages: &Languages) -> &str {
        self.text_in(languages, |client| &client.names).unwrap_or(&self.name)
    }

    /// One of its texts or addresses in the best match for the requested languages, such as `policy_uri#de`; otherwise the one
    /// without a language tag.
    pub fn text_in(&self, languages: &Languages, of: impl FnOnce(&resolved::Client) -> &Localized) -> Option<&str> {
        let text = of(&self.resolved);
        languages.choose(|tag| text.in_language(tag)).or_else(|| text.default())
    }
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
