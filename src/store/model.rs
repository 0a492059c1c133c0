//! What is persisted: plain records, the same for every backend.
//!
//! Times are seconds since the Unix epoch. Secrets that are presented later (state, codes, refresh tokens, cookies) are stored
//! only as a [`TokenHash`]. Fields marked *sealed* are encrypted by the backend before they are written.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::sha256;
use crate::store::ids::{GrantId, SessionId, UserId};

/// SHA-256 of a secret that was handed out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Hashes a secret as it was presented.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash")
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Internal id, never shown.
    pub id: UserId,
    /// Unique by [`User::username_key`].
    pub username: String,
    /// The form that is equal for names a person could confuse with each other; unique.
    pub username_key: String,
    /// The public subject (OIDC Core §8); never changes.
    pub sub: String,
    /// Stored attributes, as last synchronised. Sealed.
    pub profile: Map<String, Value>,
    /// Disabled at run time (`users disable`).
    pub disabled: bool,
    /// When the account was created.
    pub created_at: i64,
}

/// The key of a [`Link`]: an upstream account. The issuer is part of it, so an account at a provider whose issuer changes is a
/// different one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkKey {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer at the time of the sign-in.
    pub issuer: String,
    /// The upstream `sub`.
    pub subject: String,
}

/// The link between an upstream account and a [`User`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The upstream account.
    pub key: LinkKey,
    /// The local account.
    pub user_id: UserId,
    /// The upstream claims of the last sign-in or refresh. Sealed.
    pub claims: Map<String, Value>,
    /// When those claims were obtained.
    pub claims_at: i64,
    /// The address that `link_by = "verified_email"` compares: in lower case, and only if the provider verified it.
    pub verified_email: Option<String>,
    /// The upstream refresh token. Sealed.
    pub refresh_token: Option<String>,
    /// When the link was created.
    pub created_at: i64,
}

/// Where a session was made: what its user recognises a device by. Both as the request said, the browser's own words cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// The address that it signed in from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// A single sign-on session of one browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Internal id; also the `sid` that apps see (OIDC Back-Channel Logout §2.1).
    pub id: SessionId,
    /// The user.
    pub user_id: UserId,
    /// The upstream account that the user signed in with.
    pub link: LinkKey,
    /// When the user last authenticated, as far as the provider attests it.
    pub auth_time: Option<i64>,
    /// Authentication context class, as reported by the provider.
    pub acr: Option<String>,
    /// Authentication methods, as reported by the provider.
    pub amr: Vec<String>,
    /// The upstream ID token, for `id_token_hint` at the provider's logout. Sealed.
    pub upstream_id_token: Option<String>,
    /// The upstream session id, for the provider's back-channel logout.
    pub upstream_sid: Option<String>,
    /// The device that it was created on.
    #[serde(default)]
    pub device: Device,
    /// When it was created.
    pub created_at: i64,
    /// When it was last used.
    pub last_active: i64,
    /// The session ends after this many seconds of inactivity.
    pub max_inactive: i64,
    /// When the session ends at the latest.
    pub expires_at: i64,
}

/// A session at a provider that a [`Session`] came from before its user signed in anew with another upstream account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamSession {
    /// The upstream account.
    pub link: LinkKey,
    /// The upstream session id, for the provider's back-channel logout.
    pub sid: Option<String>,
    /// The upstream ID token. Sealed.
    pub id_token: Option<String>,
    /// When its user signed in with it.
    pub at: i64,
}

impl Session {
    /// The session at the provider that it came from last.
    #[must_use]
    pub fn upstream(&self) -> UpstreamSession {
        UpstreamSession {
            link: self.link.clone(),
            sid: self.upstream_sid.clone(),
            id_token: self.upstream_id_token.clone(),
            at: self.created_at,
        }
    }

    /// Whether it has neither expired nor been inactive for too long at `now`.
    #[must_use]
    pub fn is_live(&self, now: i64) -> bool {
        now < self.expires_at && now < self.last_active.saturating_add(self.max_inactive)
    }
}

/// A sign-in whose browser was sent to the provider (10 minutes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Login {
    /// Hash of the `state` sent to the provider.
    pub state: TokenHash,
    /// Hash of the cookie's browser secret.
    pub browser: TokenHash,
    /// Everything else, as JSON written by the flow. Sealed.
    pub data: String,
    /// When it expires.
    pub expires_at: i64,
}

/// A request that waits for a user's answer on the sign-in page or the consent page (10 minutes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Hash of the id in the page's form.
    pub id: TokenHash,
    /// Hash of the cookie's browser secret.
    pub browser: TokenHash,
    /// Everything else, as JSON written by the flow. Sealed.
    pub data: String,
    /// When it expires.
    pub expires_at: i64,
}

/// What an app was granted: the root of a refresh token family and of its access tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Id; the part of an access token's `jti` before the dot.
    pub id: GrantId,
    /// Key of the client in the configuration file.
    pub client: String,
    /// The user whose claims it gives access to; `None` for `client_credentials`.
    pub user_id: Option<UserId>,
    /// The upstream account that the user signed in with.
    pub link: Option<LinkKey>,
    /// The session that it ends with; `None` with `offline_access`.
    pub session_id: Option<SessionId>,
    /// The `sid` in its tokens, whether or not it ends with the session.
    pub sid: Option<SessionId>,
    /// Granted scopes, in the order in which they were requested.
    pub scopes: Vec<String>,
    /// Resources that its tokens may be for (RFC 8707).
    pub resources: Vec<String>,
    /// `nonce` of the authorization request.
    pub nonce: Option<String>,
    /// The `claims` parameter (OIDC Core §5.5).
    pub claims_request: Option<Value>,
    /// When the user last authenticated, as far as the provider attests it.
    pub auth_time: Option<i64>,
    /// Authentication context class.
    pub acr: Option<String>,
    /// Authentication methods.
    pub amr: Vec<String>,
    /// Thumbprint (RFC 7638) of the key that its refresh tokens are bound to (RFC 9449 §5); `None` if they are not bound.
    pub dpop_jkt: Option<String>,
    /// Thumbprint of the certificate that its refresh tokens are bound to (RFC 8705 §4); `None` if they are not bound.
    #[serde(default)]
    pub certificate: Option<String>,
    /// What its token requests go on with in logs and traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
    /// When it was created.
    pub created_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
    /// When it expires: none of its tokens can be valid after that.
    pub expires_at: i64,
}

/// What ties the requests of one sign-in together in logs and traces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    /// The trace id of the first request.
    pub id: String,
    /// Its `traceparent` (W3C Trace Context), where a trusted proxy sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// An authorization code, with everything that its redemption needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Code {
    /// Hash of the code.
    pub hash: TokenHash,
    /// The grant that its redemption stores.
    pub grant: Grant,
    /// The redirect URI of the authorization request, and whether it was sent there.
    pub redirect_uri: String,
    /// PKCE challenge (S256).
    pub code_challenge: Option<String>,
    /// Thumbprint of the key whose possession its redemption must prove (RFC 9449 §10); `None` if any key is accepted.
    pub dpop_jkt: Option<String>,
    /// When it was redeemed.
    pub used_at: Option<i64>,
    /// When it expires.
    pub expires_at: i64,
}

/// One refresh token of a family.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Hash of the token.
    pub hash: TokenHash,
    /// Its family.
    pub grant_id: GrantId,
    /// When it was created.
    pub created_at: i64,
    /// When it was exchanged for its successor.
    pub used_at: Option<i64>,
    /// When it expires if it is not used.
    pub expires_at: i64,
    /// When its family expires, even if it is used.
    pub family_expires_at: i64,
}

/// A user's remembered answer on a client's consent page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Consent {
    /// Who answered.
    pub user_id: UserId,
    /// Key of the client.
    pub client: String,
    /// Scopes that the user allowed.
    pub scopes: Vec<String>,
    /// Single claims that the user allowed beyond those of the scopes.
    #[serde(default)]
    pub claims: Vec<String>,
    /// When the user answered.
    pub granted_at: i64,
}

/// The state of a signing key in its life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published, but does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Verifies only.
    Retired,
}

/// A signing key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Key id (RFC 7638 thumbprint).
    pub kid: String,
    /// JWS algorithm name.
    pub algorithm: String,
    /// PKCS#8 document. Sealed.
    pub private: Vec<u8>,
    /// Its state.
    pub state: KeyState,
    /// When it was created.
    pub created_at: i64,
    /// When it began to sign.
    pub activated_at: Option<i64>,
    /// When it stopped signing.
    pub retired_at: Option<i64>,
}

/// A decision, kept for `explain --trace`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredTrace {
    /// The trace id that pages and logs show.
    pub id: String,
    /// The names by which somebody without an account is known at the provider: what a refusal is found by.
    #[serde(skip)]
    pub names: Vec<String>,
    /// The account, where one was found.
    pub user_id: Option<UserId>,
    /// Key of the client.
    pub client: Option<String>,
    /// The decision, step by step, as JSON. Sealed.
    pub data: String,
    /// When the decision was made.
    pub at: i64,
    /// When it expires.
    pub expires_at: i64,
}

impl Serialize for TokenHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).map_err(serde::de::Error::custom)?;
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_| serde::de::Error::custom("a SHA-256 hash has 32 bytes"))
    }
}
