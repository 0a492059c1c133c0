//! A valid authorization request, as data. [`super`] checks it, and the steps act on it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::app::AppRequest;
use crate::protocol::ResponseType;
use crate::store::model::TraceContext;

/// How the answer travels (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query.
    #[default]
    Query,
    /// In the fragment.
    Fragment,
    /// By a form that the browser posts.
    FormPost,
}

/// A client and redirect URI that are proven: answers may go there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnAddress {
    /// Key of the client in the file.
    pub client: String,
    /// Its registered redirect URI.
    pub redirect_uri: String,
    /// How the answer travels.
    pub mode: ResponseMode,
    /// `state`, returned as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// Where a person goes once signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// An app, which gets an answer.
    App(ReturnAddress),
    /// A page of the broker's own: its path and query, below the issuer's path. The broker makes it, never a request.
    Own(String),
}

impl Destination {
    /// Key of the client, where it is an app.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        match self {
            Self::App(to) => Some(&to.client),
            Self::Own(_) => None,
        }
    }
}

/// What `prompt` asks for, and what the user asks for on one of the broker's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    /// No page may be shown.
    pub none: bool,
    /// The user must prove again who they are.
    pub login: bool,
    /// The user must be asked for consent.
    pub consent: bool,
    /// The user must choose an account.
    pub select_account: bool,
    /// The user chose on one of the broker's pages to use another account.
    pub another_account: bool,
}

impl Prompt {
    /// The values, as they are passed on to a provider.
    #[must_use]
    pub fn values(self) -> Vec<String> {
        let named = [("login", self.login), ("consent", self.consent), ("select_account", self.select_account)];
        named.into_iter().filter(|(_, asked)| *asked).map(|(name, _)| name.to_owned()).collect()
    }
}

/// A valid authorization request, or a sign-in for a page of the broker's own. Immutable from here on. It is stored while the
/// user is at a provider or a page, without the members that were not sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    /// Where the answer goes.
    pub to: Destination,
    /// What the answer carries.
    pub response_type: ResponseType,
    /// Scopes asked for, those that the client may not have left out.
    pub scopes: Vec<String>,
    /// `nonce`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// PKCE challenge, S256 (RFC 7636 §4.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// Thumbprint of the key that the code is bound to (RFC 9449 §10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// `prompt`
    pub prompt: Prompt,
    /// `max_age` in seconds, the client's default where it sent none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    /// `login_hint`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// The subject of `id_token_hint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hinted_sub: Option<String>,
    /// `ui_locales`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ui_locales: Option<String>,
    /// `acr_values`: those of the request, of its `claims` parameter, or the client's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr_values: Option<String>,
    /// The `acr` values of which one must be met (OIDC Core §5.5.1.1); empty when none is essential.
    pub essential_acr: Vec<String>,
    /// The `claims` parameter (OIDC Core §5.5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Value>,
    /// `resource` (RFC 8707), as URIs.
    pub resources: Vec<String>,
    /// The provider that the app asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_hint: Option<String>,
    /// What the requests that follow it go on with in logs and traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
}

impl AuthorizeRequest {
    /// A sign-in for a page of the broker's own, by its path and query.
    #[must_use]
    pub fn own(path: String) -> Self {
        Self {
            to: Destination::Own(path),
            response_type: ResponseType::Code,
            scopes: Vec::new(),
            nonce: None,
            code_challenge: None,
            dpop_jkt: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            hinted_sub: None,
            ui_locales: None,
            acr_values: None,
            essential_acr: Vec::new(),
            claims: None,
            resources: Vec::new(),
            provider_hint: None,
            trace: None,
        }
    }

    /// Whether this authentication context class is one of those that the app asks for, if it asks for any.
    #[must_use]
    pub fn has_asked_acr(&self, acr: Option<&str>) -> bool {
        self.acr_values.as_ref().is_none_or(|asked| asked.split_ascii_whitespace().any(|asked| Some(asked) == acr))
    }

    /// Whether this authentication context class is one that the app can't do without.
    #[must_use]
    pub fn meets_acr(&self, acr: Option<&str>) -> bool {
        self.essential_acr.is_empty() || acr.is_some_and(|acr| self.essential_acr.iter().any(|wanted| wanted == acr))
    }

    /// What the request asks of the decision, for a sign-in with this `acr` and `amr`; `None` where no app asks.
    #[must_use]
    pub fn app_request<'a>(&'a self, acr: Option<&'a str>, amr: &'a [String]) -> Option<AppRequest<'a>> {
        Some(AppRequest {
            client: self.to.client()?,
            scopes: &self.scopes,
            claims_request: self.claims.as_ref(),
            acr,
            amr,
            id_token_alone: self.response_type == ResponseType::IdToken,
        })
    }
}
