//! What each page shows, as plain data.
//!
//! Every string may be untrusted: the templates escape it. Addresses that leave the broker are [`WebUri`]s;
//! paths (`action`, `sign_in_path`) are our own, absolute, and include the issuer's path.

use serde::Serialize;

use crate::decision::trace::{Step, Trace};
use crate::pages::uri::{Destination, WebUri};

/// A page's data; names its template.
pub trait View: Serialize {
    /// The template's file name.
    const TEMPLATE: &'static str;

    /// The picture from elsewhere on the page, besides the broker's own logo.
    fn picture(&self) -> Option<&WebUri> {
        None
    }
}

/// A field of a form, sent on as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Field {
    /// A field.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A form of ours that changes something: a POST to our own path, with the CSRF token in the field
/// [`CSRF_FIELD`](crate::pages::CSRF_FIELD).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PostForm {
    /// The path that it is sent to.
    pub action: String,
    /// The CSRF token.
    pub csrf: String,
    /// Further hidden fields, such as the id of an interaction.
    pub fields: Vec<Field>,
}

/// The sign-in page: choose a provider. The form sends `provider` (an [`action_value`](Provider::action_value)), `email`, or
/// `account` (an [`action_value`](SignedInAccount::action_value)).
/// Up to six providers are buttons, more are a searchable list. Without any, and without the address field, the page says that
/// sign-in is not available.
#[derive(Clone, Debug, Serialize)]
pub struct SignIn {
    /// The app that asks.
    pub client_name: String,
    /// Its logo.
    pub client_logo: Option<WebUri>,
    /// Its home page; the host is shown.
    pub client_uri: Option<WebUri>,
    /// Who is signed in already, where the app asks which account to use (`prompt=select_account`, OIDC Core §3.1.2.1).
    pub account: Option<SignedInAccount>,
    /// The providers to choose from, the last used first.
    pub providers: Vec<Provider>,
    /// Whether to ask for an email address, to find the provider by its domain.
    pub show_email_field: bool,
    /// What the address field is filled with.
    pub login_hint: Option<String>,
    /// A reason code to explain on top, such as `domain_unknown`.
    pub error: Option<String>,
    /// Where the choice is sent.
    pub form: PostForm,
}

/// Somebody who is signed in, on the sign-in page.
#[derive(Clone, Debug, Serialize)]
pub struct SignedInAccount {
    /// The person's name.
    pub user_name: String,
    /// The provider that vouched.
    pub provider_name: String,
    /// What the form sends as `account`: the session's id.
    pub action_value: String,
}

/// A provider on the sign-in page.
#[derive(Clone, Debug, Serialize)]
pub struct Provider {
    /// The name that people see.
    pub name: String,
    /// What the form sends as `provider`: the id.
    pub action_value: String,
    /// Whether this browser used it last.
    pub last_used: bool,
}

/// The consent page. The form sends `decision`: `allow` or `deny`.
#[derive(Clone, Debug, Serialize)]
pub struct Consent {
    /// The app that asks.
    pub client_name: String,
    /// Its logo.
    pub client_logo: Option<WebUri>,
    /// Who is signed in.
    pub user_name: String,
    /// What it asks for.
    pub scopes: Vec<Scope>,
    /// The names of single claims that it asks for beside the scopes.
    pub claims: Vec<String>,
    /// The app's privacy policy.
    pub policy_uri: Option<WebUri>,
    /// The app's terms of service.
    pub tos_uri: Option<WebUri>,
    /// Where the decision is sent.
    pub form: PostForm,
}

/// A scope on the consent page.
#[derive(Clone, Debug, Serialize)]
pub struct Scope {
    /// The scope value.
    pub name: String,
    /// What the file says about it. Without, the built-in scopes have a text in every language; others show their name.
    pub description: Option<String>,
}

/// The error page. Title, message and advice follow from the reason code; an unknown code gets general ones.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorPage {
    /// The HTTP status that it is sent with.
    pub status: u16,
    /// Why; quoted on the page.
    pub reason_code: String,
    /// The id of this request in the logs.
    pub trace_id: Option<String>,
    /// One more sentence for those who can fix it, in English or as an IdP sent it: which parameter, which setting.
    pub detail: Option<String>,
    /// The app that it is about, where known.
    pub client_name: Option<String>,
    /// The provider that it is about, where known.
    pub provider_name: Option<String>,
    /// Whom people may ask about the app, as its file says.
    pub contacts: Vec<String>,
    /// A proven address of the app to go back to.
    pub back_uri: Option<WebUri>,
    /// Who is refused, where it is a person who signed in.
    pub user_name: Option<String>,
    /// Signs in with another account, where that may help.
    pub another_account: Option<PostForm>,
    /// Signs in by another provider, where this one can't be used.
    pub elsewhere: Option<Elsewhere>,
    /// The path of the account pages, where they may help.
    pub account_path: Option<String>,
    /// The break-glass page, where it may be used and the request waits for it.
    pub break_glass_path: Option<String>,
}

impl ErrorPage {
    /// A page that says why, and nothing else.
    #[must_use]
    pub fn bare(status: u16, reason_code: &str) -> Self {
        Self {
            status,
            reason_code: reason_code.to_owned(),
            trace_id: None,
            detail: None,
            client_name: None,
            provider_name: None,
            contacts: Vec::new(),
            back_uri: None,
            user_name: None,
            another_account: None,
            elsewhere: None,
            account_path: None,
            break_glass_path: None,
        }
    }
}

/// The other ways to sign in, on an error page.
#[derive(Clone, Debug, Serialize)]
pub struct Elsewhere {
    /// The providers.
    pub providers: Vec<Provider>,
    /// Where the choice is sent.
    pub form: PostForm,
}

/// Signed out.
#[derive(Clone, Debug, Serialize)]
pub struct SignedOut {
    /// The app that asked for it.
    pub client_name: Option<String>,
    /// A proven address of the app to go back to.
    pub back_uri: Option<WebUri>,
    /// Pages of apps that sign out there, loaded in invisible frames (OIDC Front-Channel Logout §2).
    pub frames: Vec<WebUri>,
    /// Whether a session ended; otherwise nobody was signed in.
    pub ended: bool,
}

/// The session here has ended: apps sign out in invisible frames, then the page redirects; frames that do not load in time
/// are not waited for.
#[derive(Clone, Debug, Serialize)]
pub struct SigningOut {
    /// Pages of apps, as in [`SignedOut`].
    pub frames: Vec<WebUri>,
    /// The address to redirect to.
    pub to: Destination,
}

/// Confirm the sign-out (RP-Initiated Logout §2). The form sends `decision`: `sign_out` or `stay`.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmSignOut {
    /// The app that asks for it.
    pub client_name: Option<String>,
    /// Who is signed in.
    pub user_name: String,
    /// Where the decision is sent.
    pub form: PostForm,
}

/// The authorization response as a form that sends itself (OAuth 2.0 Form Post Response Mode §2).
#[derive(Clone, Debug, Serialize)]
pub struct FormPost {
    /// The validated redirect URI.
    pub action: WebUri,
    /// The response parameters.
    pub fields: Vec<Field>,
}

impl FormPost {
    /// A form of these names and values.
    #[must_use]
    pub fn new(action: WebUri, fields: &[(String, String)]) -> Self {
        Self { action, fields: fields.iter().map(|(name, value)| Field::new(name, value)).collect() }
    }
}

/// A redirect to another site as a page that refreshes: the answer to a form whose further redirects can't be named in
/// `form-action`, since an IdP redirects wherever it likes.
#[derive(Clone, Debug, Serialize)]
pub struct Redirect {
    /// Where to.
    pub to: WebUri,
}

/// The break-glass page. The form sends `username` and `password`.
#[derive(Clone, Debug, Serialize)]
pub struct BreakGlassPage {
    /// The app that is entered by it, where one waits.
    pub client_name: Option<String>,
    /// Whether the attempt before was refused.
    pub problem: bool,
    /// How long to wait before the next one, in seconds, where there were too many.
    pub wait_seconds: Option<String>,
    /// Where the form is sent.
    pub form: PostForm,
}

/// A link to an app.
#[derive(Clone, Debug, Serialize)]
pub struct AppLink {
    /// The app's name.
    pub name: String,
    /// Where a sign-in to it starts.
    pub uri: WebUri,
}

/// The page at the issuer itself.
#[derive(Clone, Debug, Serialize)]
pub struct Home {
    /// The issuer.
    pub issuer: String,
    /// Who is signed in.
    pub user_name: Option<String>,
    /// The path that a sign-out begins at, for someone who is signed in.
    pub sign_out_path: Option<String>,
    /// The path of the account pages, where there are any.
    pub account_path: Option<String>,
    /// The apps that the break-glass account may enter, where it is signed in.
    pub apps: Vec<AppLink>,
}

/// A step of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceLine {
    /// The stage of the pipeline.
    pub stage: String,
    /// What happened.
    pub text: String,
    /// The line that made it, such as `broker.toml:12`.
    pub place: Option<String>,
}

impl TraceLine {
    /// The lines of a trace.
    #[must_use]
    pub fn of(trace: &Trace) -> Vec<Self> {
        Self::of_steps(&trace.steps)
    }

    /// The lines of these steps.
    #[must_use]
    pub fn of_steps(steps: &[Step]) -> Vec<Self> {
        let line = |step: &Step| Self {
            stage: step.stage.name().to_owned(),
            text: step.text.to_string(),
            place: step.source.as_ref().map(ToString::to_string),
        };
        steps.iter().map(line).collect()
    }
}

impl View for SignIn {
    const TEMPLATE: &'static str = "sign_in.html";

    fn picture(&self) -> Option<&WebUri> {
        self.client_logo.as_ref()
    }
}

impl View for Consent {
    const TEMPLATE: &'static str = "consent.html";

    fn picture(&self) -> Option<&WebUri> {
        self.client_logo.as_ref()
    }
}

/// Gives each view its template.
macro_rules! templates {
    ($($view:ty => $template:literal),+ $(,)?) => {
        $(impl $crate::pages::views::View for $view { const TEMPLATE: &'static str = $template; })+
    };
}
pub(super) use templates;

templates! {
    BreakGlassPage => "break_glass.html",
    ConfirmSignOut => "confirm_sign_out.html",
    ErrorPage => "error.html",
    FormPost => "form_post.html",
    Home => "home.html",
    Redirect => "redirect.html",
    SignedOut => "signed_out.html",
    SigningOut => "signing_out.html",
}
