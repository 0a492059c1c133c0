//! Providers that speak OAuth 2.0 and not OpenID Connect. They sign nothing: who signed in is what their API says when it is
//! asked with the access token that they gave for the broker's code.
//!
//! What ties that to the sign-in is the code, by `state`, PKCE and the redirect URI. Claims with the names of an ID token's
//! protocol claims mean nothing here, and are left out.

use serde_json::{Map, Value};

use crate::config::language::provider::Profile;
use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Problem};
use crate::upstream::api::{Api, Bounds};
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Document, UpstreamError};
use crate::upstream::gather::PROTOCOL;
use crate::upstream::github;
use crate::upstream::request::unusable;
use crate::upstream::token::Tokens;

/// Marks an access token that is kept in place of a refresh token.
const KEPT: &str = "access-token:";

/// Who signed in.
pub(crate) struct Who {
    pub(crate) subject: String,
    pub(crate) claims: Map<String, Value>,
}

/// Asks the provider's API who signed in. Of the person with the subject `known`, whom a refresh is about, nothing is asked
/// while what the API said is young.
pub(crate) async fn who(
    provider: &ProviderContext<'_>,
    profile: Profile,
    token: &SecretValue,
    known: Option<&str>,
) -> Result<Who, UpstreamError> {
    let endpoint = provider.metadata.userinfo_endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| unusable(Document::Profile))?;
    let bounds = Bounds::start();
    let api = Api::of(provider, &bounds, Document::Profile).with_token(token);
    let (subject, mut claims) = match profile {
        Profile::Github => match known.and_then(|known| Some((known, github::known(provider, known)?))) {
            Some((known, claims)) => (known.to_owned(), claims),
            None => {
                let profile = github::profile(&api, endpoint).await?;
                let subject = subject(provider, &profile)?;
                // Nothing more is asked with a token of somebody else.
                let claims = match known {
                    Some(known) if known != subject => profile,
                    _ => github::claims(&api, endpoint, profile, &subject).await?,
                };
                (subject, claims)
            }
        },
        Profile::Userinfo => {
            let claims = api.object(endpoint).await?;
            (subject(provider, &claims)?, claims)
        }
    };
    claims.retain(|name, _| !PROTOCOL.contains(&name.as_str()));
    claims.insert("sub".to_owned(), subject.as_str().into());
    claims.insert("iss".to_owned(), provider.metadata.issuer.as_str().into());
    Ok(Who { subject, claims })
}

/// The account's subject, by the expression of the file or of the preset. Of an ID token's protocol claims it can only read
/// `sub`, which some services have in their profile.
fn subject(provider: &ProviderContext<'_>, profile: &Map<String, Value>) -> Result<String, UpstreamError> {
    let invalid = |check| UpstreamError::invalid(Document::Profile, check);
    let missing = || invalid(Check::Claim("subject", Problem::Missing));
    let rule = provider.settings.subject.as_ref().ok_or_else(missing)?;
    let mut claims = profile.clone();
    claims.retain(|name, _| !PROTOCOL.contains(&name.as_str()) || name == "sub");
    rule.of(&claims).map_err(|problem| invalid(Check::Form(problem)))
}

/// What the provider is asked with again: its refresh token or, where it gave none and an access token that does not expire,
/// that one.
pub(crate) fn kept(tokens: &Tokens) -> Option<SecretValue> {
    let lasting =
        tokens.expires_at.is_none().then(|| SecretValue::new(format!("{KEPT}{}", tokens.access_token.expose())));
    tokens.refresh_token.clone().or(lasting)
}

/// The access token that was kept in place of a refresh token; `None` if this is a refresh token.
pub(crate) fn lasting(kept: &SecretValue) -> Option<SecretValue> {
    kept.expose().strip_prefix(KEPT).map(|token| SecretValue::new(token.to_owned()))
}
