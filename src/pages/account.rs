//! What the pages below `/account` show.

use serde::Serialize;

use crate::pages::own::{Paging, Shell};
use crate::pages::uri::WebUri;
use crate::pages::views::{Scope, templates};

/// Who the broker thinks the visitor is.
#[derive(Clone, Debug, Serialize)]
pub struct AccountOverview {
    /// The frame.
    pub shell: Shell,
    /// The username.
    pub username: String,
    /// The public subject.
    pub sub: String,
    /// The name of the provider that vouched for this session.
    pub provider_name: String,
    /// When it last said what follows.
    pub claims_at: i64,
    /// The attributes.
    pub attributes: Vec<Known>,
    /// The groups.
    pub groups: Vec<Known>,
    /// The roles.
    pub roles: Vec<Known>,
    /// The linked accounts at providers.
    pub links: Vec<Linked>,
}

/// Something that the broker knows of a person, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its value, where it has one: a text as it is, anything else as JSON.
    pub value: Option<String>,
    /// Why.
    pub why: Vec<Why>,
}

/// One reason.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// What it rests on: `provider`, `system`, `rule`, `given`, `default` or `earlier`.
    pub origin: &'static str,
    /// The expression of the file, where there is one.
    pub rule: Option<String>,
    /// The line of the file, such as `broker.toml:12`, where there is one.
    pub place: Option<String>,
}

/// A linked account at a provider.
#[derive(Clone, Debug, Serialize)]
pub struct Linked {
    /// The provider's name.
    pub provider_name: String,
    /// The subject there.
    pub subject: String,
    /// Since when.
    pub created_at: i64,
    /// When the provider last said something of it.
    pub claims_at: i64,
    /// Whether this session rests on it.
    pub current: bool,
    /// Whether people can sign in there now.
    pub usable: bool,
}

/// Which apps the visitor may enter.
#[derive(Clone, Debug, Serialize)]
pub struct AccountApps {
    /// The frame.
    pub shell: Shell,
    /// The apps.
    pub apps: Vec<OwnApp>,
    /// The name of the provider that vouched for this session.
    pub provider_name: String,
    /// When it last said what the decisions rest on.
    pub claims_at: i64,
    /// The rest of the list.
    pub paging: Paging,
}

/// An app, and whether the visitor may enter it.
#[derive(Clone, Debug, Serialize)]
pub struct OwnApp {
    /// Its name.
    pub name: String,
    /// Where it begins, for an app that the visitor may enter.
    pub open: Option<WebUri>,
    /// The reason code; none for an app that the visitor may enter.
    pub refused: Option<String>,
    /// The condition that does not hold.
    pub condition: Option<ConditionRow>,
    /// Names of the providers that it accepts, where it does not accept this one.
    pub accepts: Vec<String>,
    /// Whom to ask for access.
    pub contacts: Vec<String>,
}

/// A condition that does not hold.
#[derive(Clone, Debug, Serialize)]
pub struct ConditionRow {
    /// The expression, as written.
    pub text: String,
    /// The line of the file, where there is one.
    pub place: Option<String>,
    /// What it asks for.
    pub asks: Vec<AskedRow>,
    /// What it reads of the person.
    pub values: Vec<FactRow>,
}

/// Something that a condition asks for.
#[derive(Clone, Debug, Serialize)]
pub struct AskedRow {
    /// The variable of the expression, such as `groups`.
    pub variable: String,
    /// The value that it asks for.
    pub value: String,
    /// Whether the person has it.
    pub met: bool,
}

/// What a condition reads of the person.
#[derive(Clone, Debug, Serialize)]
pub struct FactRow {
    /// The variable.
    pub name: String,
    /// Its value; empty for none.
    pub value: String,
}

/// What the visitor has allowed apps.
#[derive(Clone, Debug, Serialize)]
pub struct AccountConsents {
    /// The frame.
    pub shell: Shell,
    /// The consents.
    pub consents: Vec<OwnConsent>,
    /// The rest of the list.
    pub paging: Paging,
}

/// What an app may do.
#[derive(Clone, Debug, Serialize)]
pub struct OwnConsent {
    /// The app's name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<Scope>,
    /// Single claims beside them.
    pub claims: Vec<String>,
    /// When it was allowed.
    pub granted_at: i64,
    /// The path that takes it back.
    pub revoke_path: String,
}

/// The client certificates of the visitor.
#[derive(Clone, Debug, Serialize)]
pub struct AccountCertificates {
    /// The frame.
    pub shell: Shell,
    /// The certificates.
    pub certificates: Vec<OwnCertificate>,
    /// The path at which the browser presents another; none where people may not attach any.
    pub attach_path: Option<String>,
}

/// A client certificate.
#[derive(Clone, Debug, Serialize)]
pub struct OwnCertificate {
    /// The name of its subject; none for one that was never presented.
    pub name: Option<String>,
    /// Its fingerprint.
    pub fingerprint: String,
    /// The name of its issuer.
    pub issuer: Option<String>,
    /// How it came to be the visitor's: `by_file`, `by_user` or `at_creation`.
    pub attached: &'static str,
    /// Since when it is.
    pub since: Option<i64>,
    /// Until when it is valid.
    pub until: Option<i64>,
    /// Whether it counts now.
    pub counts: bool,
    /// The path that detaches it, where the visitor may.
    pub detach_path: Option<String>,
}

/// What happened to the visitor lately.
#[derive(Clone, Debug, Serialize)]
pub struct AccountActivity {
    /// The frame.
    pub shell: Shell,
    /// The events, newest first.
    pub events: Vec<OwnEvent>,
    /// The rest of the list.
    pub paging: Paging,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct OwnEvent {
    /// What, as the audit trail names it: `sign_in`, `refusal`, `logout`.
    pub kind: &'static str,
    /// When.
    pub at: i64,
    /// The app's name.
    pub app_name: Option<String>,
    /// The provider's name.
    pub provider_name: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// The reason code of a refusal.
    pub reason: Option<String>,
    /// The id to quote.
    pub trace_id: Option<String>,
}

/// The sessions of the visitor.
#[derive(Clone, Debug, Serialize)]
pub struct AccountSessions {
    /// The frame.
    pub shell: Shell,
    /// The session in use; only on the first page.
    pub current: Option<SessionRow>,
    /// The others, newest first.
    pub others: Vec<SessionRow>,
    /// The path that ends all others.
    pub end_others_path: String,
    /// The rest of the list.
    pub paging: Paging,
}

/// A session on a page.
#[derive(Clone, Debug, Serialize)]
pub struct SessionRow {
    /// The browser, where it is known.
    pub browser: Option<String>,
    /// Its system, where it is known.
    pub system: Option<String>,
    /// What the browser says of itself, where neither is known.
    pub user_agent: Option<String>,
    /// The address that it was made from.
    pub address: Option<String>,
    /// The name of the provider that vouched.
    pub provider_name: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used.
    pub last_active: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
    /// The path that ends it.
    pub end_path: String,
}

templates! {
    AccountActivity => "account_activity.html",
    AccountApps => "account_apps.html",
    AccountCertificates => "account_certificates.html",
    AccountConsents => "account_consents.html",
    AccountOverview => "account_overview.html",
    AccountSessions => "account_sessions.html",
}
