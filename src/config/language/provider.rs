//! `[providers.X]`: an upstream identity provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::connection_url::ConnectionUrl;
use crate::config::language::groups_from::GroupsFrom;
use crate::config::language::introspect::Introspect;
use crate::config::language::issuer::ProviderIssuer;
use crate::config::language::quirks::Quirks;
use crate::config::language::refresh::OnRefresh;
use crate::config::language::scalar::{Duration, Expression, OneOrMany, Secret, SecretFile};
use crate::config::language::signals::Signals;
use crate::protocol::ClientAuthMethod;

/// Attribute or claim name → expression, or a list of which the first that yields a value counts.
pub type ClaimTable = BTreeMap<String, OneOrMany<Expression>>;

/// Defaults and special cases of a kind of provider. A preset is data and has no code path of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Any OpenID provider, with discovery or with its endpoints set in the file.
    #[default]
    Generic,
    /// Microsoft Entra ID.
    Entra,
    /// Google.
    Google,
    /// Okta.
    Okta,
    /// Keycloak: roles may be only in its access token, which is then verified as a JWT.
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
    /// Its name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Entra => "entra",
            Self::Google => "google",
            Self::Okta => "okta",
            Self::Keycloak => "keycloak",
            Self::Authentik => "authentik",
            Self::Auth0 => "auth0",
            Self::Gitlab => "gitlab",
            Self::Github => "github",
            Self::Apple => "apple",
            Self::Adfs => "adfs",
            Self::Pingfederate => "pingfederate",
            Self::Linkedin => "linkedin",
            Self::Oauth2 => "oauth2",
        }
    }

    /// Whether it supports OpenID Connect. The others support OAuth 2.0 only: no issuer, no ID token, no `iss` in responses.
    #[must_use]
    pub const fn is_openid(self) -> bool {
        !matches!(self, Self::Github | Self::Oauth2)
    }
}

/// Where the claims of a provider come from that speaks OAuth 2.0 and not OpenID Connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// From the document at `userinfo_endpoint`.
    #[default]
    Userinfo,
    /// From the parts of GitHub's API about the person.
    Github,
}

/// The source of `email_verified`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailVerified {
    /// The claim of that name, if it is a boolean.
    #[default]
    Claim,
    /// Every address of this provider counts as verified.
    Always,
    /// No address of this provider counts as verified.
    Never,
}

/// A document from which upstream claims are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsSource {
    /// The ID token.
    IdToken,
    /// The userinfo response.
    Userinfo,
    /// The access token, if it can be verified as a JWT of the issuer.
    AccessToken,
}

/// How an account may be linked with one of another provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkBy {
    /// Never.
    #[default]
    None,
    /// By an email address that both providers have verified.
    VerifiedEmail,
}

/// How `prompt=login` and `max_age` are fulfilled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reauth {
    /// The provider's `auth_time` must prove it.
    #[default]
    Verify,
    /// The provider is trusted to have done what was requested.
    Trust,
    /// The provider does not support it: such requests end in `login_required`.
    Unsupported,
}

/// A provider's own session limits, which can only shorten those of `[session]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSession {
    /// A session ends after this time of inactivity.
    pub max_inactive: Option<Duration>,
    /// A session ends at this age.
    pub max_lifetime: Option<Duration>,
    /// A session ends when the upstream access token expires, if the provider states when that is.
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

/// How the provider returns the authorization response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderResponseMode {
    /// In the query.
    Query,
    /// In a form that the browser posts.
    FormPost,
}

/// `[providers.X]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Defaults and special cases to start from.
    #[serde(default)]
    pub preset: Preset,
    /// Name on the sign-in page; 3 to 127 characters, unique, any script. Default: the id.
    pub name: Option<String>,
    /// When false, nobody can sign in through it, and its sessions yield no codes and no refreshed tokens.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The issuer, character for character as the provider states it, or the address of its discovery document.
    #[schemars(with = "Option<String>")]
    pub issuer: Option<ProviderIssuer>,
    /// Ids of the tenants that may sign in (entra; needed with `organizations` and `common`).
    #[serde(default)]
    pub tenants: Vec<String>,
    /// The client id that the provider assigned to the broker.
    pub client_id: String,
    /// The client secret that the provider issued to the broker.
    pub client_secret: Option<Secret>,
    /// A private key, PEM, for `private_key_jwt` and for the certificate. Two while it is rotated: the first signs, with its
    /// RFC 7638 thumbprint as `kid`, and both are published at `/oauth2/rp-jwks`.
    pub client_key: Option<Secret>,
    /// The broker's certificate with its chain, PEM, for `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705); with
    /// `private_key_jwt`, its thumbprints are in the header (`x5t`, `x5t#S256`). Its key is the first of `client_key`.
    /// Re-read when it changes.
    #[schemars(extend("x-path" = true))]
    pub client_certificate: Option<PathBuf>,
    /// A file with a JWT that another issuer signs for the broker's workload, sent in place of a secret (RFC 7523 §2.2): the
    /// token of a Kubernetes service account, for example. Read at each use.
    pub client_assertion: Option<SecretFile>,
    /// The developer team in whose name the client secret is signed, with `client_key` (apple).
    pub team_id: Option<String>,
    /// The provider's id of `client_key` (apple).
    pub key_id: Option<String>,
    /// How the broker authenticates at the provider's token endpoint. Default: what the provider's metadata prefers.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Whether authorization requests are pushed (RFC 9126) although the provider's metadata does not require it.
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// Whether the provider's tokens are bound to a key of the broker's, with a proof in every request (DPoP, RFC 9449). A
    /// provider that gives a bearer token all the same is refused.
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
    /// Scopes to request. Default: openid profile email.
    pub scopes: Option<Vec<String>>,
    /// Path of the callback. Default: `/callback/ID`. If providers share it, responses without `iss` are refused.
    pub redirect_path: Option<String>,
    /// Full URL of the callback, if another one than the default is registered with the provider.
    pub redirect_uri: Option<String>,
    /// Where the provider sends the browser after a sign-out that names no app. Default: the signed-out page.
    pub post_logout_redirect_uri: Option<String>,
    /// Address domains that lead to this provider; `*.corp.example` stands for every domain below that one. They never restrict who
    /// may enter.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Who may enter: a condition over `claims`, `user`, `provider`. Default: everyone who can sign in at the provider.
    pub allow: Option<Expression>,
    /// Roles that its `roles` claim may assign. Default: all.
    pub asserted_roles: Option<Vec<String>>,
    /// When false, only users declared in the file may sign in.
    #[serde(default = "yes")]
    pub create_users: bool,
    /// When true, unknown role names become System roles without permissions. Has no effect with `asserted_roles`.
    #[serde(default)]
    pub create_roles: bool,
    /// The source of `email_verified`.
    #[serde(default)]
    pub email_verified: EmailVerified,
    /// Documents from which claims are taken; later ones add to earlier ones. Default: ID token and userinfo.
    pub claims_from: Option<Vec<ClaimsSource>>,
    /// How an account may be linked with one of another provider.
    #[serde(default)]
    pub link_by: LinkBy,
    /// The providers with whose accounts `link_by` may link.
    #[serde(default)]
    pub link_with: Vec<String>,
    /// Attributes of the stored profile that a sign-in refreshes, among those that this provider maps. Default: all.
    pub sync: Option<Vec<String>>,
    /// Limits for sessions of users who sign in through this provider.
    #[serde(default)]
    pub session: ProviderSession,
    /// Where a refresh, or a sign-in to another app with an existing session, takes its claims from.
    #[serde(default)]
    pub on_refresh: OnRefresh,
    /// How `prompt=login` and `max_age` are fulfilled.
    #[serde(default)]
    pub reauth: Reauth,
    /// Parameters forwarded to the provider. Default: login_hint ui_locales acr_values max_age prompt.
    pub forward: Option<Vec<Forward>>,
    /// Whether a sign-out also signs out at the provider.
    #[serde(default = "yes")]
    pub logout: bool,
    /// Whether its bearer tokens can be introspected here; `{ audiences = [...] }` for those that are for other audiences too.
    #[serde(default)]
    pub introspect: Introspect,
    /// Offered only to clients whose `providers` names it. Others can't reach it by a hint, a domain or a session.
    #[serde(default)]
    pub hidden: bool,
    /// Address to which discovery and back-channel calls are sent instead; `issuer` and the browser's authorization and logout
    /// requests are not affected.
    pub backchannel_url: Option<String>,
    /// Whether plain http is accepted beyond loopback.
    #[serde(default)]
    pub allow_http: bool,
    /// Attribute → expression over `claims`. Default: `username` from the claims `username` and `preferred_username`, every
    /// other standard claim of OIDC Core §5.1, `groups` and `roles` from the claim of the same name if it has the usual form.
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
    /// Expression over `claims` that yields the account's subject (oauth2): what is never given to another person.
    pub subject: Option<Expression>,
    /// Certificate authorities, PEM, for calls to this provider.
    #[schemars(extend("x-path" = true))]
    pub ca: Option<PathBuf>,
    /// HTTP proxy for calls to this provider.
    pub proxy: Option<ConnectionUrl>,
    /// Whether addresses that come from discovery may be private.
    #[serde(default)]
    pub allow_private_network: bool,
    /// Organisations whose members may enter (github).
    #[serde(default)]
    pub organizations: Vec<String>,
    /// The address of the service (github, gitlab if self-hosted).
    pub base_url: Option<String>,
    /// Accepted values of `hd` (google).
    #[serde(default)]
    pub hosted_domains: Vec<String>,
    /// The `resource` parameter (adfs, and entra with tokens of version 1).
    pub resource: Option<String>,
    /// The algorithm with which its ID tokens must be signed. Default: any that its metadata lists.
    pub id_token_signed_response_alg: Option<String>,
    /// How it returns the authorization response. Default: in the query.
    pub response_mode: Option<ProviderResponseMode>,
    /// Where the `groups` claim comes from, if not from the provider's tokens. Default: the preset's source.
    pub groups_from: Option<GroupsFrom>,
    /// In what it differs from other providers, where its preset does not say so.
    #[serde(default)]
    pub quirks: Quirks,
    /// Security events that it sends (Shared Signals).
    pub signals: Option<Signals>,
}

fn yes() -> bool {
    true
}
