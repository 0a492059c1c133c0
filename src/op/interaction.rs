//! Interactions that wait for a user: stored, bound to the browser that began them, and resumed by that browser only.
//!
//! It owns the kinds of interactions and their stored form. The endpoints decide what happens when the user answers.

use serde::{Deserialize, Serialize};

use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::op::authorize::request::form::AuthorizationForm;
use crate::op::authorize::request::model::AuthorizeRequest;
use crate::op::error::PageError;
use crate::op::logout::request::LogoutRequest;
use crate::op::mark;
use crate::op::outcome::{Browser, SetCookie};
use crate::store::ids::SessionId;
use crate::store::model::{Interaction, TokenHash, UpstreamSession};

/// How long a sign-in or a page may take, in seconds.
pub const LIFETIME: i64 = 600;

/// An interaction. It is stored under a secret id, which is the form's CSRF token, or the `state` or `request_uri` that comes
/// back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    /// The sign-in page, where the user chooses a provider.
    SignIn(Box<AuthorizeRequest>),
    /// The consent page.
    Consent {
        /// The request.
        request: Box<AuthorizeRequest>,
        /// Id of the session whose user is asked.
        session: SessionId,
    },
    /// The page that confirms a sign-out.
    SignOut(LogoutRequest),
    /// The provider's logout, before the browser returns from it.
    ProviderLogout {
        /// The request.
        request: LogoutRequest,
        /// The provider's id.
        provider: String,
        /// The sessions at other providers that end afterwards.
        #[serde(default)]
        then: Vec<UpstreamSession>,
    },
    /// A pushed authorization request (RFC 9126), before the browser brings its reference. It is bound to the client.
    Pushed(Box<AuthorizationForm>),
}

impl Pending {
    /// Key of the client that it is about, where one is known.
    fn client(&self) -> Option<&str> {
        match self {
            Self::SignIn(request) | Self::Consent { request, .. } => request.to.client(),
            Self::SignOut(request) | Self::ProviderLogout { request, .. } => request.client.as_deref(),
            Self::Pushed(_) => None,
        }
    }

    /// As a row of the store. `owner` is the hash of the secret that must be presented to resume it.
    #[must_use]
    pub fn row(&self, id: &str, owner: TokenHash, expires_at: i64) -> Interaction {
        // It contains only text and numbers, so that serialising it can't fail.
        let data = serde_json::to_string(self).unwrap_or_default();
        Interaction { id: TokenHash::of(id), browser: owner, data, expires_at }
    }

    /// From a row of the store. `None` when another version of the broker wrote it in another form: it counts as expired.
    #[must_use]
    pub fn read(row: &Interaction) -> Option<Self> {
        serde_json::from_str(&row.data).ok()
    }
}

/// A binding secret of the browser, made where it has none, with the cookie to set: it is kept for as long as something is
/// bound by it.
///
/// # Errors
/// When the generator is not available.
pub fn binding(context: &RequestContext<'_>, browser: &Browser) -> Result<(String, Vec<SetCookie>), RandomUnavailable> {
    let secret = match browser.bindings.first() {
        Some(secret) => secret.clone(),
        None => context.random().secret()?,
    };
    Ok((secret.clone(), vec![SetCookie::Binding(secret)]))
}

/// Stores an interaction, bound to the browser. Returns the secret id, with the cookies to set.
///
/// # Errors
/// When the store or the generator is not available.
pub async fn keep(
    context: &RequestContext<'_>,
    pending: &Pending,
    browser: &Browser,
) -> Result<(String, Vec<SetCookie>), PageError> {
    let id = mark::with_client(context, context.random().secret()?, pending.client());
    let (binding, cookies) = binding(context, browser)?;
    let row = pending.row(&id, TokenHash::of(&binding), context.now + LIFETIME);
    context.store().save_interaction(row, context.pending_bound()).await?;
    Ok((id, cookies))
}

/// The interaction with this id, which stays stored. Only the browser that began it may see it.
///
/// # Errors
/// A page: 400 when it is unknown, taken or expired, 403 when another browser began it.
pub async fn find(context: &RequestContext<'_>, id: &str, browser: &Browser) -> Result<Pending, PageError> {
    let expired = || expired(context, id);
    let found = context.store().interaction(TokenHash::of(id), context.now).await?.ok_or_else(expired)?;
    if !browser.is_bound_by(found.browser) {
        let page = PageError::new(403, "login_other_browser", "the interaction belongs to another browser");
        return Err(PageError { client: mark::client_of(context, id), ..page });
    }
    Pending::read(&found).ok_or_else(expired)
}

/// Takes the interaction with this id: nobody can resume it again.
///
/// # Errors
/// A page: 400 when it was taken or has expired meanwhile.
pub async fn take(context: &RequestContext<'_>, id: &str) -> Result<(), PageError> {
    match context.store().take_interaction(TokenHash::of(id), context.now).await? {
        Some(_) => Ok(()),
        None => Err(expired(context, id)),
    }
}

/// The page for a form that came with the token of another page's form.
#[must_use]
pub fn other_form(context: &RequestContext<'_>, id: &str) -> PageError {
    let page = PageError::new(400, "invalid_request", "the form came with the token of another form");
    PageError { client: mark::client_of(context, id), ..page }
}

/// The page for an interaction that no longer exists. It leads back to the app that the id was made for.
fn expired(context: &RequestContext<'_>, id: &str) -> PageError {
    let page = PageError::new(400, "login_not_found", "the interaction is unknown or has expired");
    PageError { client: mark::client_of(context, id), ..page }
}
