//! `[clients.X]` and `[resources.X]`: a downstream app, and an API that accepts tokens.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::lifetimes::ClientTokens;
use crate::config::language::provider::ClaimTable;
use crate::config::language::scalar::{Duration, Expression, Secret};
use crate::protocol::ClientAuthMethod;
use crate::protocol::{GrantType, ResponseType};
use crate::protocol::{SigningAlgorithm, SubjectType};

/// Whether a client must use PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// Required for public clients; for others, enforced if the client sends a challenge.
    #[default]
    Auto,
    /// Required.
    Required,
}

/// Which claims the ID token carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdTokenClaims {
    /// The claims of the granted scopes too.
    #[default]
    All,
    /// The claims of the scopes only in userinfo if an access token is issued (OIDC Core §5.4).
    Minimal,
}

/// The `typ` in the header of access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
pub enum AccessTokenTyp {
    /// As RFC 9068 §2.1 requires.
    #[default]
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// For resource servers that refuse `at+jwt`.
    #[serde(rename = "JWT")]
    Jwt,
}

impl AccessTokenTyp {
    /// The text in the header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

/// Whether the user is asked before an app gets claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The user is not asked: the operator has consented for all users.
    #[default]
    Implicit,
    /// The user is asked once, and the answer is remembered.
    Explicit,
}

/// The security profile that a client must follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProfile {
    /// OpenID Connect and OAuth 2.0.
    #[default]
    Oidc,
    /// FAPI 2.0 Security Profile.
    Fapi2,
}

/// The kind of app (OIDC Registration §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Runs on a server or in a browser.
    #[default]
    Web,
    /// Runs on the user's machine.
    Native,
}

/// `[clients.X]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("patternProperties" = crate::config::language::names::localized()))]
pub struct Client {
    /// The client id, if it differs from the key.
    pub client_id: Option<String>,
    /// Name on the pages, in any script. Default: the key.
    pub client_name: Option<String>,
    /// When false, sign-in, refresh, userinfo and introspection are refused at once.
    pub enabled: Option<bool>,
    /// The client secret.
    pub client_secret: Option<Secret>,
    /// Hashes of client secrets, `sha256:BASE64URL` or `sha256:HEX`; two for rotation.
    #[schemars(length(max = 2))]
    pub client_secret_hashes: Vec<String>,
    /// Where codes may be sent; compared character for character.
    pub redirect_uris: Vec<String>,
    /// Where the browser may be sent after sign-out; compared character for character.
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types that it may use. Default: authorization_code refresh_token.
    pub grant_types: Option<Vec<GrantType>>,
    /// Response types that it may request. Default: code.
    pub response_types: Option<Vec<ResponseType>>,
    /// Scopes that it may request. Default: openid profile email groups.
    pub scopes: Option<Vec<String>>,
    /// How it authenticates. Default: `client_secret_basic` or `client_secret_post` if it has a secret; `none` must be set.
    pub token_endpoint_auth_method: Option<ClientAuthMethod>,
    /// Whether it must use PKCE.
    pub pkce: Pkce,
    /// Which claims its ID tokens carry.
    pub id_token_claims: IdTokenClaims,
    /// Claims that its access tokens carry in addition to those of RFC 9068.
    pub access_token_claims: Vec<String>,
    /// The `typ` of its access tokens: `JWT` for resource servers that refuse `at+jwt` (RFC 9068), as Spring's default decoder
    /// does.
    pub access_token_typ: AccessTokenTyp,
    /// Providers whose users may sign in to it. Default: all that are not hidden.
    pub providers: Option<Vec<String>>,
    /// Who may use it: a condition over `user`, `groups`, `roles` and more, which is checked whenever tokens are issued.
    /// Default: anyone.
    pub require: Option<Expression>,
    /// Whether the user is asked before the app receives claims.
    pub consent: Consent,
    /// Its own token lifetimes.
    pub tokens: ClientTokens,
    /// The security profile that it must follow.
    pub security_profile: SecurityProfile,
    /// Claim → expression; included in the ID token and userinfo regardless of the scopes.
    #[schemars(extend("x-claims" = true))]
    pub claims: ClaimTable,
    /// Its public keys, a JWK Set (RFC 7517 §5).
    pub jwks: Option<serde_json::Value>,
    /// URL of its public keys.
    pub jwks_uri: Option<String>,
    /// Whether it is a web app or a native app.
    pub application_type: ApplicationType,
    /// Its logo, for the pages.
    pub logo_uri: Option<String>,
    /// Its home page.
    pub client_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// Addresses or telephone numbers for questions about it, shown on its error pages.
    pub contacts: Vec<String>,
    /// URL at which others can start a sign-in (OIDC Core §4).
    pub initiate_login_uri: Option<String>,
    /// Its own subject type.
    pub subject_type: Option<SubjectType>,
    /// The sector for pairwise subjects (OIDC Core §8.1).
    pub sector_identifier_uri: Option<String>,
    /// The algorithm of its ID tokens, one of those in `[keys]`. Default: RS256.
    pub id_token_signed_response_alg: Option<SigningAlgorithm>,
    /// The algorithm of its userinfo responses, one of those in `[keys]`. Default: plain JSON.
    pub userinfo_signed_response_alg: Option<SigningAlgorithm>,
    /// The algorithm with which its request objects must be signed, or "none". Default: any.
    pub request_object_signing_alg: Option<String>,
    /// Age of the sign-in after which the user must sign in again.
    pub default_max_age: Option<Duration>,
    /// Authentication context classes that it requests by default. A user whose session has none of them is sent to the
    /// provider.
    pub default_acr_values: Vec<String>,
    /// Whether its ID tokens always carry `auth_time`.
    pub require_auth_time: bool,
    /// Front-channel logout (OIDC Front-Channel Logout §2).
    pub frontchannel_logout_uri: Option<String>,
    /// Whether its front-channel logout URI receives `iss` and `sid`. Default: true.
    pub frontchannel_logout_session_required: Option<bool>,
    /// Back-channel logout (OIDC Back-Channel Logout §2.2).
    pub backchannel_logout_uri: Option<String>,
    /// Whether its logout tokens have `sid`; without it, they concern all sessions of the user. Default: true.
    pub backchannel_logout_session_required: Option<bool>,
    /// Subject of its certificate (RFC 8705 §2.1.2), as RFC 4514 writes it: `CN=app,O=Example`.
    pub tls_client_auth_subject_dn: Option<String>,
    /// A DNS name of its certificate's subject alternative names (RFC 8705 §2.1.2).
    pub tls_client_auth_san_dns: Option<String>,
    /// A URI of its certificate's subject alternative names (RFC 8705 §2.1.2).
    pub tls_client_auth_san_uri: Option<String>,
    /// An IP address of its certificate's subject alternative names (RFC 8705 §2.1.2).
    pub tls_client_auth_san_ip: Option<String>,
    /// An email address of its certificate's subject alternative names (RFC 8705 §2.1.2).
    pub tls_client_auth_san_email: Option<String>,
    /// Whether its tokens are bound to a key by DPoP (RFC 9449).
    pub dpop_bound_access_tokens: bool,
    /// Whether its tokens are bound to its certificate (RFC 8705 §3).
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Whether it must push its authorization requests (RFC 9126 §5).
    pub require_pushed_authorization_requests: bool,
    /// URLs from which its request objects may be fetched.
    pub request_uris: Vec<String>,
    /// Browser origins that may call the token and userinfo endpoints, in addition to those of its redirect URIs.
    pub allowed_origins: Vec<String>,
    /// `client_name#ja` and similar keys, moved here by the loader: key with its language tag → text.
    #[serde(rename = "#localized")]
    #[schemars(skip)]
    pub localized: BTreeMap<String, String>,
}

impl Client {
    /// What its certificate must say (RFC 8705 §2.1.2): the keys that are set, with their values.
    pub fn certificate_subjects(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let keys = [
            ("tls_client_auth_subject_dn", &self.tls_client_auth_subject_dn),
            ("tls_client_auth_san_dns", &self.tls_client_auth_san_dns),
            ("tls_client_auth_san_uri", &self.tls_client_auth_san_uri),
            ("tls_client_auth_san_ip", &self.tls_client_auth_san_ip),
            ("tls_client_auth_san_email", &self.tls_client_auth_san_email),
        ];
        keys.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }

    /// Whether it receives everything from the authorization endpoint, and so never has to authenticate.
    #[must_use]
    pub fn only_implicit(&self) -> bool {
        self.grant_types.as_deref() == Some(&[GrantType::Implicit])
    }
}

/// `[resources.X]`: an API (RFC 8707).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// The value of `resource` in requests, and of `aud` in tokens.
    pub uri: String,
    /// Scopes that belong to it.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Clients that may request tokens for it.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Clients that may introspect tokens for it.
    #[serde(default)]
    pub introspect: Vec<String>,
    /// Lifetime of access tokens for it.
    pub access_token: Option<Duration>,
}
