//! The contents of access tokens and ID tokens. `keys` signs them; the endpoints decide which are issued.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::decision::app::Release;
use crate::jose::half_hash;
use crate::op::RequestContext;
use crate::op::error::OAuthError;
use crate::protocol::BREAK_GLASS;
use crate::protocol::{ErrorCode, GrantType, SigningAlgorithm};
use crate::snapshot::client::Client;
use crate::store::ids::SessionId;
use crate::store::model::{Grant, LinkKey};

/// `typ` of ID tokens.
pub const ID_TOKEN_TYPE: &str = "JWT";

/// Whether these are the claims of an access token. A client's access tokens may have the `typ` of ID tokens, which never have
/// these claims: an app's own claims can't have these names.
#[must_use]
pub fn is_access_token(claims: &Map<String, Value>) -> bool {
    ["client_id", "jti", "scope"].iter().all(|name| claims.contains_key(*name))
}

/// The contents of a token: the claims for the app, then those of the protocol, which override them. Serialised in place,
/// without an object in between.
struct TokenClaims<'a> {
    app: &'a Map<String, Value>,
    protocol: Vec<(&'static str, Claim<'a>)>,
}

/// A claim's value, borrowed.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Claim<'a> {
    Text(&'a str),
    Number(i64),
    List(&'a [String]),
    Any(&'a Value),
}

impl Serialize for TokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let overridden = |name: &str| self.protocol.iter().any(|(taken, _)| *taken == name);
        let app = self.app.iter().filter(|(name, _)| !overridden(name));
        let app = app.map(|(name, value)| (name.as_str(), Claim::Any(value)));
        serializer.collect_map(app.chain(self.protocol.iter().copied()))
    }
}

/// An access token with its lifetime.
pub struct AccessToken {
    /// The JWT.
    pub token: String,
    /// Seconds until it expires.
    pub expires_in: i64,
}

/// Seconds that an access token for these resources lives: the shortest that one of them asks for, or the client's.
#[must_use]
pub fn access_token_lifetime(context: &RequestContext<'_>, client: &Client, resources: &[String]) -> i64 {
    let shortest = resources.iter().filter_map(|uri| context.snapshot.resource(uri)?.access_token);
    shortest.min().unwrap_or(client.tokens.access_token).seconds()
}

/// When a grant ends: when the last token that can be issued from it has expired, and not before the session that it was made
/// in, because the apps of a session are notified when it ends. Without refresh tokens, a grant is not kept any longer. That of
/// the break-glass account ends with its session.
#[must_use]
pub fn grant_end(
    context: &RequestContext<'_>,
    client: &Client,
    link: &LinkKey,
    resources: &[String],
    session_end: i64,
) -> i64 {
    if link.provider == BREAK_GLASS {
        return session_end;
    }
    let tokens = access_token_lifetime(context, client, resources).max(client.tokens.id_token.seconds());
    let family = client.tokens.refresh_token.max_lifetime.seconds();
    let lifetime = if client.may(GrantType::RefreshToken) { tokens.max(family) } else { tokens };
    session_end.max(context.now + lifetime)
}

/// Seconds that a token of this grant lives, which usually are `lifetime`: one of the break-glass account is not valid any
/// longer than its session, even where nobody asks the broker.
#[must_use]
pub fn within_grant(context: &RequestContext<'_>, grant: &Grant, lifetime: i64) -> i64 {
    match &grant.link {
        Some(link) if link.provider == BREAK_GLASS => lifetime.min(grant.expires_at - context.now).max(0),
        _ => lifetime,
    }
}

/// What an access token is made from.
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenContents<'a> {
    /// The client that it is issued to.
    pub client: &'a Client,
    /// The grant that it comes from.
    pub grant: &'a Grant,
    /// `sub`: the user as the client sees them, or the client id.
    pub subject: &'a str,
    /// `scope`: all that the grant has, or fewer.
    pub scopes: &'a [String],
    /// `aud`: resources of the grant (RFC 8707); without one, the client id.
    pub resources: &'a [String],
    /// Claims of the user that the scopes release, and `cnf`.
    pub claims: &'a Map<String, Value>,
}

/// Signs an access token (RFC 9068 §2.2), with the `typ` for which its client is registered. Its `jti` begins with the grant's
/// id, by which userinfo, introspection and revocation find it.
///
/// # Errors
/// `server_error` when it can't be signed.
pub fn access_token(
    context: &RequestContext<'_>,
    contents: &AccessTokenContents<'_>,
) -> Result<AccessToken, OAuthError> {
    let AccessTokenContents { client, grant, subject, scopes, resources, claims } = *contents;
    let lifetime = within_grant(context, grant, access_token_lifetime(context, client, resources));
    let audience = match resources {
        [] => Claim::Text(&client.client_id),
        [one] => Claim::Text(one),
        many => Claim::List(many),
    };
    let jti = format!("{}.{}", grant.id, context.random().id()?);
    let scope = scopes.join(" ");
    let mut protocol = vec![
        ("iss", Claim::Text(&context.snapshot.issuer.text)),
        ("sub", Claim::Text(subject)),
        ("aud", audience),
        ("client_id", Claim::Text(&client.client_id)),
        ("iat", Claim::Number(context.now)),
        ("exp", Claim::Number(context.now + lifetime)),
        ("jti", Claim::Text(&jti)),
        ("scope", Claim::Text(&scope)),
    ];
    protocol.extend(authentication(grant));
    let typ = client.access_token_typ.name();
    let token = sign(context, SigningAlgorithm::RS256, typ, &TokenClaims { app: claims, protocol })?;
    Ok(AccessToken { token, expires_in: lifetime })
}

/// What is issued together with an ID token, which carries a hash of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct IssuedWith<'a> {
    /// The access token: `at_hash`.
    pub access_token: Option<&'a str>,
    /// The code: `c_hash`.
    pub code: Option<&'a str>,
}

/// Signs an ID token (OIDC Core §2, §3.1.3.6, §3.2.2.10, §3.3.2.11).
///
/// # Errors
/// `server_error` when it can't be signed.
pub fn id_token(
    context: &RequestContext<'_>,
    client: &Client,
    grant: &Grant,
    subject: &str,
    release: &Release,
    issued_with: IssuedWith<'_>,
) -> Result<String, OAuthError> {
    let hash = |value: &str| half_hash(client.id_token_alg.algorithm(), value);
    let (at_hash, c_hash) = (issued_with.access_token.map(hash), issued_with.code.map(hash));
    let mut protocol = vec![
        ("iss", Claim::Text(&context.snapshot.issuer.text)),
        ("sub", Claim::Text(subject)),
        ("aud", Claim::Text(&client.client_id)),
        ("iat", Claim::Number(context.now)),
        ("exp", Claim::Number(context.now + within_grant(context, grant, client.tokens.id_token.seconds()))),
    ];
    let (at_hash, c_hash, nonce) = (at_hash.as_deref(), c_hash.as_deref(), grant.nonce.as_deref());
    let sid = grant.sid.as_ref().map(SessionId::as_str);
    let texts = [("at_hash", at_hash), ("c_hash", c_hash), ("nonce", nonce), ("sid", sid)];
    protocol.extend(texts.into_iter().filter_map(|(name, text)| Some((name, Claim::Text(text?)))));
    protocol.extend(authentication(grant));
    sign(context, client.id_token_alg, ID_TOKEN_TYPE, &TokenClaims { app: &release.id_token, protocol })
}

/// `auth_time`, `acr` and `amr`, as the provider asserted them; one that it did not assert is left out.
fn authentication(grant: &Grant) -> impl Iterator<Item = (&'static str, Claim<'_>)> {
    let auth_time = grant.auth_time.map(Claim::Number);
    let acr = grant.acr.as_deref().map(Claim::Text);
    let amr = (!grant.amr.is_empty()).then_some(Claim::List(&grant.amr));
    [("auth_time", auth_time), ("acr", acr), ("amr", amr)].into_iter().filter_map(|(name, claim)| Some((name, claim?)))
}

fn sign(
    context: &RequestContext<'_>,
    alg: SigningAlgorithm,
    typ: &str,
    claims: &TokenClaims<'_>,
) -> Result<String, OAuthError> {
    context.services.keys.set().sign(alg, typ, claims).map_err(|error| {
        tracing::error!(%error, "signing failed");
        OAuthError::new(ErrorCode::ServerError, "the token can't be signed")
    })
}
