//! Logout tokens (OIDC Back-Channel Logout 1.0 §2.4): what an app is notified of.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::protocol::SigningAlgorithm;
use crate::store::NoticeHold;
use crate::store::ids::SessionId;

/// `typ` of logout tokens (Back-Channel Logout §2.4).
pub const LOGOUT_TOKEN_TYPE: &str = "logout+jwt";

/// The member of `events` that makes a token a logout token (Back-Channel Logout §2.4).
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Seconds that a logout token lives; §4 recommends two minutes at most.
const LIFETIME: i64 = 120;

/// A session that ended, as one app is notified of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The hold on what the store keeps of it.
    pub hold: NoticeHold,
    /// Until when it is held.
    pub held_until: i64,
    /// How often delivery was attempted.
    pub attempts: u32,
    /// Key of the client, for the log.
    pub client: String,
    /// Its `backchannel_logout_uri`.
    pub url: Url,
    /// `aud`: its client id.
    pub audience: String,
    /// `iss`.
    pub issuer: String,
    /// `sub`, as this client sees it.
    pub subject: String,
    /// `sid` of its tokens; `None` for a client that is registered without: then all sessions of the user are meant (§2.4).
    pub sid: Option<SessionId>,
    /// The algorithm of its ID tokens, which is that of its logout tokens too (§2.4).
    pub algorithm: SigningAlgorithm,
    /// Id of the request that ended the session, for the log.
    pub trace_id: String,
    /// How long it is held back.
    pub after: Duration,
}

/// The claims of a logout token.
#[must_use]
pub fn claims(notice: &Notice, jti: &str, now: i64) -> Value {
    let mut claims = json!({
        "iss": notice.issuer,
        "sub": notice.subject,
        "aud": notice.audience,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": jti,
        "events": { LOGOUT_EVENT: {} },
    });
    if let (Some(object), Some(sid)) = (claims.as_object_mut(), &notice.sid) {
        object.insert("sid".to_owned(), sid.as_str().into());
    }
    claims
}
