//! `[providers.X]`: an upstream identity provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::connection_url::ConnectionUrl;
use crate::config::language::issuer::ProviderIssuer;
use crate::config::language::scalar::{Duration, Expression, OneOrMany, Secret};
use crate::protocol::ClientAuthMethod;

/// Attribute or claim name → expression, or a list of which the first that is present counts.
pub type ClaimTable = BTreeMap<String, OneOrMany<Expression>>;

/// Defaults and quirks of a kind of provider. A preset is data, not a code path of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Any OpenID provider with discovery, or with its endpoints written here.
    #[default]
    Generic,
    /// Microsoft Entra ID.
    Entra,
    /// Google.
    Google,
    /// Okta.
    Okta,
    /// Keycloak: roles may be only in its access token, which is verified as its JWT then.
    Keycloak,
    /// authentik.
    Authentik,
    /// Auth0.
    Auth0,
    /// GitLab.
    Gitlab,
    /// GitHub: OAuth 2.0, not OpenID Connect.
    Github,
    /// Sign in with Apple.
    Apple,
    /// Active Directory Federation Services.
    Adfs,
    /// PingFederate.
    Pingfederate,
    /// LinkedIn.
    Linkedin,
    /// Any plain OAuth 2.0 service.
    Oauth2,
}

impl Preset {
    /// Whether it speaks OpenID Connect. The others speak OAuth 2.0 only: no issuer, no ID token, no `iss` in responses.
    #[must_use]
    pub const fn is_openid(self) -> bool {
        !matches!(self, Self::Github | Self::Oauth2)
    }

    /// Whether its issuer is the same everywhere unless the file says otherwise.
    #[must_use]
    pub const fn has_fixed_issuer(self) -> bool {
        matches!(self, Self::Google | Self::Apple | Self::Linkedin | Self::Gitlab)
    }
}

/// What `email_verified` is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailVerified {
    /// The claim of that name, when it is a boolean.
    #[default]
    Claim,
    /// Every address of this provider is verified.
    Always,
    /// No address of this provider is.
    Never,
}

/// A document that upstream claims are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsSource {
    /// The ID token.
    IdToken,
    /// The userinfo response.
    Userinfo,
    /// The access token, when it verifies as the issuer's JWT.
    AccessToken,
}

/// How an account of another provider may be joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkBy {
    /// Never.
    #[default]
    None,
    /// By an email address that both providers verified.
    VerifiedEmail,
}

/// What `prompt=login` and `max_age` may rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reauth {
    /// The provider's `auth_time` must prove it.
    #[default]
    Verify,
    /// The provider is trusted to have done what it was asked.
    Trust,
    /// The provider can't: such requests end in `login_required`.
    Unsupported,
}

/// Where a refresh takes its upstream claims from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshClaims {
    /// The provider is asked again.
    Upstream,
    /// Those of the last sign-in.
    #[default]
    Cached,
    /// A refresh is refused.
    Deny,
}

/// What a refresh does while the provider can't be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshUnavailable {
    /// Takes the claims of the last answer, while they are not older than `max_stale`.
    #[default]
    Cached,
    /// Is refused.
    Deny,
}

/// `on_refresh`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnRefresh {
    /// `upstream`, `cached` or `deny`.
    pub claims: RefreshClaims,
    /// Claims younger than this are not asked for again.
    pub max_age: Duration,
    /// What happens while the provider can't be asked.
    pub unavailable: RefreshUnavailable,
    /// The oldest claims that `unavailable = "cached"` may use.
    pub max_stale: Duration,
}

impl Default for OnRefresh {
    fn default() -> Self {
        Self {
            claims: RefreshClaims::default(),
            max_age: Duration::minutes(15),
            unavailable: RefreshUnavailable::default(),
            max_stale: Duration::hours(1),
        }
    }
}

/// A provider's own session bounds: narrow `[session]`, never widen it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSession {
    /// Ends when nothing happened for this long.
    pub max_inactive: Option<Duration>,
    /// Ends at this age.
    pub max_lifetime: Option<Duration>,
    /// Ends when the upstream access token expires, where the provider says when.
    pub follow_upstream_expiry: bool,
}

/// Parameters of an authorization request that may be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forward {
    /// `login_hint`
    LoginHint,
    /// `ui_locales`
    UiLocales,
    /// `acr_values`
    AcrValues,
    /// `max_age`
    MaxAge,
    /// `prompt`
    Prompt,
}

/// How the provider answers the authorization request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderResponseMode {
    /// In the query.
    Query,
    /// By a form that the browser posts.
    FormPost,
}

/// `[providers.X]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Defaults and quirks to start from.
    #[serde(default)]
    pub preset: Preset,
    /// Name on the sign-in page; 3 to 127 characters, unique, any script. Default: the id.
    pub name: Option<String>,
    /// When false, nobody can sign in through it, and its sessions yield no code and no refresh.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The issuer, character for character as the provider states it, or the address of its discovery document.
    #[schemars(with = "Option<String>")]
    pub issuer: Option<ProviderIssuer>,
    /// Tenants that may sign in (entra; needed with `organizations` and `common`).
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The client id that the provider gave the broker.
    pub client_id: String,
    /// The client secret that the provider gave the broker.
    pub client_secret: Option<Secret>,
    /// A private key, PEM, for `private_key_jwt`.
    pub client_key: Option<Secret>,
    /// How the broker authenticates at the provider's token endpoint. Default: what the provider's metadata prefers.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Scopes to ask for. Default: openid profile email.
    pub scopes: Option<Vec<String>>,
    /// Path of the callback. Default: `/callback/ID`. Where providers share it, answers without `iss` are refused.
    pub redirect_path: Option<String>,
    /// The callback's whole URL, where the registered one is elsewhere.
    pub redirect_uri: Option<String>,
    /// Where the provider sends the browser after a sign-out that names no app. Default: the signed-out page.
    pub post_logout_redirect_uri: Option<String>,
    /// Address domains that lead to this provider. Never restricts who may enter.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Who may enter: a condition over `claims`, `user`, `provider`. Default: everyone whom the provider vouches for.
    pub allow: Option<Expression>,
    /// Roles that its `roles` claim may give. Default: all.
    pub asserted_roles: Option<Vec<String>>,
    /// When false, only users declared in the file may sign in.
    #[serde(default = "yes")]
    pub create_users: bool,
    /// When true, unknown role names become System roles without permissions. Has no effect with `asserted_roles`.
    #[serde(default)]
    pub create_roles: bool,
    /// What `email_verified` is taken from.
    #[serde(default)]
    pub email_verified: EmailVerified,
    /// Documents that claims are taken from, later ones adding to earlier ones. Default: ID token and userinfo.
    pub claims_from: Option<Vec<ClaimsSource>>,
    /// How an account of another provider may be joined.
    #[serde(default)]
    pub link_by: LinkBy,
    /// The providers whose accounts `link_by` may join.
    #[serde(default)]
    pub link_with: Vec<String>,
    /// Attributes of the stored profile that a sign-in refreshes, of those that this provider maps. Default: all.
    pub sync: Option<Vec<String>>,
    /// Session bounds for sessions made by this provider.
    #[serde(default)]
    pub session: ProviderSession,
    /// Where a refresh, and another app in a live session, takes its claims from.
    #[serde(default)]
    pub on_refresh: OnRefresh,
    /// What `prompt=login` and `max_age` may rest on.
    #[serde(default)]
    pub reauth: Reauth,
    /// Parameters passed on to the provider. Default: login_hint ui_locales acr_values max_age prompt.
    pub forward: Option<Vec<Forward>>,
    /// Sign out at the provider too.
    #[serde(default = "yes")]
    pub logout: bool,
    /// Its bearer tokens may be introspected here.
    #[serde(default)]
    pub introspect: bool,
    /// Only for clients whose `providers` names it. Others reach it by no hint, no domain and no session.
    #[serde(default)]
    pub hidden: bool,
    /// Discovery and back-channel calls go here; `issuer` stays, and so do the browser's authorization and logout.
    pub backchannel_url: Option<String>,
    /// Plain http is accepted off loopback.
    #[serde(default)]
    pub allow_http: bool,
    /// Attribute → expression over `claims`. Default: `username` from the claims `username` and `preferred_username`, every other
    /// standard claim of OIDC Core §5.1, `groups` and `roles` from the claim of that name where it has the usual form.
    #[serde(default)]
    #[schemars(extend("x-claims" = true))]
    pub claims: ClaimTable,
    /// Authorization endpoint, for a provider without discovery.
    pub authorization_endpoint: Option<String>,
    /// Token endpoint, for a provider without discovery.
    pub token_endpoint: Option<String>,
    /// Userinfo endpoint, for a provider without discovery.
    pub userinfo_endpoint: Option<String>,
    /// Key set, for a provider without discovery.
    pub jwks_uri: Option<String>,
    /// Expression over `claims` that gives the account's subject (oauth2).
    pub subject: Option<Expression>,
    /// Certificate authorities, PEM, for calls to this provider.
    #[schemars(extend("x-path" = true))]
    pub ca: Option<PathBuf>,
    /// HTTP proxy for calls to this provider.
    pub proxy: Option<ConnectionUrl>,
    /// Addresses that come from discovery may be private.
    #[serde(default)]
    pub allow_private_network: bool,
    /// Organisations whose members may enter (github).
    #[serde(default)]
    pub organizations: Vec<String>,
    /// The service's own address (github, gitlab on a host of one's own).
    pub base_url: Option<String>,
    /// Domains verified in `hd` (google).
    #[serde(default)]
    pub hosted_domains: Vec<String>,
    /// The `resource` parameter (adfs).
    pub resource: Option<String>,
    /// The algorithm that its ID tokens must be signed with. Default: what its metadata lists.
    pub id_token_signed_response_alg: Option<String>,
    /// How it answers. Default: in the query.
    pub response_mode: Option<ProviderResponseMode>,
}

fn yes() -> bool {
    true
}
