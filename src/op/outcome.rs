//! The outcome of a request that a browser makes, as data: what comes next, and the cookies to set. It owns only these types:
//! the endpoints decide which outcome it is, and `web` turns it into HTTP.

use crate::env::RandomUnavailable;
use crate::op::authorize::request::model::{ResponseMode, ReturnAddress};
use crate::op::error::{OAuthError, PageError};
use crate::op::last_provider::LastProviders;
use crate::store::StoreError;
use crate::store::ids::SessionId;
use crate::store::model::TokenHash;

/// What the browser brought along.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The session cookie's secret.
    pub session: Option<String>,
    /// The secrets that bind sign-ins under way to this browser: several where requests were answered at the same time.
    pub bindings: Vec<String>,
    /// The providers that were last used here.
    pub last_providers: LastProviders,
    /// Secret id of a request that waits for a sign-in.
    pub waiting: Option<String>,
    /// Whether its session may be one of the break-glass account.
    pub break_glass: bool,
}

impl Browser {
    /// Whether it has the binding secret with this hash: the browser began what is bound by it.
    #[must_use]
    pub fn is_bound_by(&self, hash: TokenHash) -> bool {
        self.bound_by().contains(&hash)
    }

    /// The hashes of its binding secrets.
    #[must_use]
    pub fn bound_by(&self) -> Vec<TokenHash> {
        self.bindings.iter().map(|secret| TokenHash::of(secret)).collect()
    }
}

/// A cookie to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetCookie {
    /// The session cookie's secret.
    Session(String),
    /// The session is over.
    EndSession,
    /// The secret that binds sign-ins under way.
    Binding(String),
    /// The providers that were used last.
    LastProviders(LastProviders),
    /// Secret id of a request that waits for a sign-in.
    Waiting(String),
    /// The session is one of the break-glass account, for this many seconds.
    BreakGlass(i64),
}

/// An answer to an app: goes to its proven redirect URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where it goes.
    pub to: ReturnAddress,
    /// Its parameters, `state` and `iss` among them.
    pub fields: Vec<(String, String)>,
}

impl Answer {
    /// Its parameters, encoded.
    #[must_use]
    pub fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    /// Where it leads when nothing can be posted: in the fragment if that is where the app looks, in the query otherwise.
    #[must_use]
    pub fn url(&self) -> String {
        let uri = &self.to.redirect_uri;
        let separator = match self.to.mode {
            ResponseMode::Fragment => '#',
            ResponseMode::Query | ResponseMode::FormPost if uri.contains('?') => '&',
            ResponseMode::Query | ResponseMode::FormPost => '?',
        };
        format!("{uri}{separator}{}", self.encoded())
    }
}

/// One entry of the sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Provider id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it was used last.
    pub last_used: bool,
}

/// Somebody who is signed in, on the sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChoice {
    /// The person's name.
    pub user: String,
    /// Id of the provider that vouched.
    pub provider: String,
    /// Id of the session.
    pub session: SessionId,
}

/// The sign-in page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInPage {
    /// Key of the client; `None` where the sign-in is for a page of the broker's own.
    pub client: Option<String>,
    /// Who is signed in already, where the app asks which account to use.
    pub account: Option<AccountChoice>,
    /// What may be chosen.
    pub choices: Vec<Choice>,
    /// Whether an address can be asked for.
    pub by_address: bool,
    /// The address that the app suggests.
    pub login_hint: Option<String>,
    /// `ui_locales` of the request.
    pub ui_locales: Option<String>,
    /// Secret id of the interaction, for the form.
    pub interaction: String,
    /// Whether the address given leads nowhere.
    pub unknown_address: bool,
}

/// The consent page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentPage {
    /// Key of the client.
    pub client: String,
    /// The user's name.
    pub user: String,
    /// Scopes: name and the file's description.
    pub scopes: Vec<(String, Option<String>)>,
    /// Names of the claims that the app may get beyond the scopes.
    pub claims: Vec<String>,
    /// `ui_locales` of the request.
    pub ui_locales: Option<String>,
    /// Secret id of the interaction, for the form.
    pub interaction: String,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Show the sign-in page.
    SignIn(SignInPage),
    /// Show the consent page.
    Consent(ConsentPage),
    /// Go to a provider.
    Provider(String),
    /// Go back to the app.
    App(Answer),
    /// Go to a page of the broker's own, by its path and query.
    Own(String),
    /// Show the page at this URL, which is served where client certificates are read.
    ForCertificate(String),
    /// Show an error.
    Error(PageError),
}

/// What comes next at an endpoint, with the cookies to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<N = Next> {
    /// What comes next.
    pub next: N,
    /// Cookies to set.
    pub cookies: Vec<SetCookie>,
}

impl<N> From<N> for Outcome<N> {
    fn from(next: N) -> Self {
        Self { next, cookies: Vec::new() }
    }
}

/// Why a step stopped.
#[derive(Clone, Debug)]
pub enum Stop {
    /// For the person.
    Page(PageError),
    /// For the app.
    App(OAuthError),
}

impl From<PageError> for Stop {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Page(error.into())
    }
}

impl From<RandomUnavailable> for Stop {
    fn from(error: RandomUnavailable) -> Self {
        Self::Page(error.into())
    }
}

impl From<OAuthError> for Stop {
    fn from(error: OAuthError) -> Self {
        Self::App(error)
    }
}
