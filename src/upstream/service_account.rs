//! A Google service account: its key, the assertions that it signs (RFC 7523 §2.1), and the access token that it got for one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::jose::PrivateKey;
use crate::protocol::Algorithm;

/// What the service account asks for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-identity.groups.readonly";
/// Seconds that an assertion is good for.
const ASSERTION_LIFETIME: i64 = 300;
/// Seconds before its expiry from which an access token is not used any more.
const MARGIN: i64 = 60;
/// The longest time that an access token is used, whatever its answer says.
const LONGEST: i64 = 3600;

/// The key of a service account, as Google gives it in a JSON file.
pub struct ServiceAccount {
    email: String,
    key: PrivateKey,
    key_id: Option<String>,
    token_uri: Url,
    /// The access token, with the time until which it is used.
    token: Mutex<Option<(SecretValue, i64)>>,
}

#[derive(Deserialize)]
struct File {
    client_email: String,
    private_key: SecretValue,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

impl ServiceAccount {
    /// Reads the JSON file.
    ///
    /// # Errors
    /// What is wrong with it, without anything of it.
    pub fn parse(file: &SecretValue) -> Result<Arc<Self>, String> {
        const WHAT: &str = "must be the JSON key of a service account, with client_email and private_key";
        let file: File = serde_json::from_str(file.expose()).map_err(|_| WHAT.to_owned())?;
        let key =
            PrivateKey::from_pem(file.private_key.expose()).map_err(|problem| format!("private_key: {problem}"))?;
        let token_uri = file.token_uri.as_deref().unwrap_or("https://oauth2.googleapis.com/token");
        let token_uri = Url::parse(token_uri).map_err(|_| "token_uri must be a URL".to_owned())?;
        if !key.algorithms().contains(&Algorithm::RS256) {
            return Err("private_key must be an RSA key".to_owned());
        }
        let (email, key_id) = (file.client_email, file.private_key_id);
        Ok(Arc::new(Self { email, key, key_id, token_uri, token: Mutex::default() }))
    }

    /// Where it gets its access tokens.
    pub(crate) fn token_uri(&self) -> &Url {
        &self.token_uri
    }

    /// An assertion for its token endpoint, for an administrator where one is named; `None` if it can't be signed.
    pub(crate) fn assertion(&self, subject: Option<&str>, now: i64) -> Option<String> {
        let mut claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_uri.as_str(), "iat": now, "exp": now + ASSERTION_LIFETIME,
        });
        if let (Some(claims), Some(subject)) = (claims.as_object_mut(), subject) {
            claims.insert("sub".to_owned(), subject.into());
        }
        self.key.sign(Algorithm::RS256, "JWT", self.key_id.as_deref(), claims.as_object()?).ok()
    }

    /// The access token, while it is good.
    pub(crate) fn token(&self, now: i64) -> Option<SecretValue> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        // After a clock that was set back, a token that was made later is not taken for a good one.
        let good = token.as_ref().filter(|(_, until)| (1..=LONGEST).contains(&until.saturating_sub(now)));
        good.map(|(token, _)| token.clone())
    }

    /// Keeps an access token that is good for this many seconds.
    pub(crate) fn keep(&self, token: SecretValue, lifetime: i64, now: i64) {
        let until = now.saturating_add(lifetime.min(LONGEST).saturating_sub(MARGIN));
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some((token, until));
    }

    /// Forgets the access token, which was refused.
    pub(crate) fn forget(&self) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
