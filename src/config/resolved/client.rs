//! `[clients.X]`, resolved.

use url::{Origin, Url};

use crate::config::language::Config;
use crate::config::language::address::same_but_for_loopback_port;
use crate::config::language::client::{AccessTokenTyp, ApplicationType, Client as Declared, Consent, Pkce};
use crate::config::language::lifetimes::Tokens;
use crate::config::resolved::localized::Localized;
use crate::config::resolved::provider::Provider;
use crate::protocol::{CERTIFICATE, ClientAuthMethod, GrantType, ResponseType, SigningAlgorithm, SubjectType};

/// Scopes that a client may request unless the file sets others.
const DEFAULT_SCOPES: [&str; 4] = ["openid", "profile", "email", "groups"];

/// What the certificate of a client must say of its subject (RFC 8705 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSubject {
    /// Its distinguished name, as RFC 4514 writes it.
    Dn(String),
    /// A DNS name of its subject alternative names.
    Dns(String),
    /// A URI of them.
    Uri(String),
    /// An IP address of them.
    Ip(String),
    /// An email address of them.
    Email(String),
}

impl CertificateSubject {
    /// The first that is declared; `check` refuses a second.
    fn of(declared: &Declared) -> Option<Self> {
        let (key, value) = declared.certificate_subjects().next()?;
        let value = value.to_owned();
        Some(match key {
            "tls_client_auth_san_dns" => Self::Dns(value),
            "tls_client_auth_san_uri" => Self::Uri(value),
            "tls_client_auth_san_ip" => Self::Ip(value),
            "tls_client_auth_san_email" => Self::Email(value),
            _ => Self::Dn(value),
        })
    }
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its key in the file.
    pub key: String,
    /// Its client id.
    pub client_id: String,
    /// Its name on the pages.
    pub name: String,
    /// Its name with its translations, `client_name#xx`.
    pub names: Localized,
    /// When false, sign-in, refresh, userinfo and introspection are refused.
    pub enabled: bool,
    /// Methods with which it may authenticate.
    pub auth_methods: Vec<ClientAuthMethod>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Whether a redirect URI on loopback may have any port (RFC 8252 §7.3).
    pub any_loopback_port: bool,
    /// Whether its redirect URIs may have a reverse-domain scheme (RFC 8252 §7.1).
    pub private_use_schemes: bool,
    /// Where the browser may be sent after sign-out.
    pub post_logout_redirect_uris: Vec<String>,
    /// Grant types that it may use.
    pub grant_types: Vec<GrantType>,
    /// Response types that it may request.
    pub response_types: Vec<ResponseType>,
    /// Scopes that it may request.
    pub scopes: Vec<String>,
    /// Providers whose users may sign in to it, as listed in the file; `None` for all that are not hidden.
    pub providers: Option<Vec<String>>,
    /// Whether PKCE is required of it (RFC 7636).
    pub pkce_required: bool,
    /// `typ` of its access tokens.
    pub access_token_typ: AccessTokenTyp,
    /// Whether its access tokens must be bound to a key (RFC 9449 §5.2).
    pub dpop_bound: bool,
    /// What its certificate must say (RFC 8705 §2.1.2).
    pub certificate_subject: Option<CertificateSubject>,
    /// Whether its access tokens must be bound to its certificate (RFC 8705 §3).
    pub certificate_bound: bool,
    /// Whether its users are asked for consent.
    pub consent: Consent,
    /// Its lifetimes.
    pub tokens: Tokens,
    /// The algorithm of its ID tokens.
    pub id_token_alg: SigningAlgorithm,
    /// The algorithm of its userinfo responses; `None` for plain JSON.
    pub userinfo_alg: Option<SigningAlgorithm>,
    /// The only algorithm that its request objects may have (OIDC Registration §2).
    pub request_object_alg: Option<String>,
    /// URLs from which its request objects may be fetched.
    pub request_uris: Vec<String>,
    /// Whether it must push its authorization requests (RFC 9126 §5).
    pub pushes_requests: bool,
    /// How its subjects are derived.
    pub subject_type: SubjectType,
    /// The sector of its pairwise subjects (OIDC Core §8.1).
    pub sector: String,
    /// Origins that may call the token and userinfo endpoints, sorted.
    pub origins: Vec<String>,
    /// Seconds after which it requires a new sign-in.
    pub default_max_age: Option<i64>,
    /// Whether its ID tokens always carry `auth_time`.
    pub require_auth_time: bool,
    /// Authentication context classes that it requests by default.
    pub default_acr_values: Vec<String>,
    /// Its logo.
    pub logo_uri: Localized,
    /// Its home page.
    pub client_uri: Localized,
    /// Its privacy policy.
    pub policy_uri: Localized,
    /// Its terms of service.
    pub tos_uri: Localized,
    /// Addresses or telephone numbers for questions about it.
    pub contacts: Vec<String>,
    /// URL at which others can start a sign-in (OIDC Core §4).
    pub initiate_login_uri: Option<String>,
    /// Its page that a browser loads in a frame at sign-out (OIDC Front-Channel Logout §2).
    pub frontchannel_logout_uri: Option<Url>,
    /// Whether that page receives `iss` and `sid`.
    pub frontchannel_logout_session: bool,
    /// Where its logout tokens are posted (OIDC Back-Channel Logout §2.2).
    pub backchannel_logout_uri: Option<Url>,
    /// Whether they have `sid`.
    pub backchannel_logout_session: bool,
}

impl Client {
    /// The sector of its pairwise subjects; `None` if its subjects are public (OIDC Core §8).
    #[must_use]
    pub fn pairwise_sector(&self) -> Option<&str> {
        (self.subject_type == SubjectType::Pairwise).then_some(self.sector.as_str())
    }

    /// Resolves the client that the file declares as `key`.
    #[must_use]
    pub fn of(config: &Config, key: &str, declared: &Declared) -> Self {
        let public = declared.token_endpoint_auth_method == Some(ClientAuthMethod::None);
        let native = declared.application_type == ApplicationType::Native;
        let by_certificate =
            config.certificates.as_ref().is_some_and(|section| section.clients.iter().any(|it| it == key));
        let grant_types = grant_types(declared, by_certificate);
        Self {
            key: key.to_owned(),
            client_id: declared.client_id.clone().unwrap_or_else(|| key.to_owned()),
            name: declared.client_name.clone().unwrap_or_else(|| key.to_owned()),
            names: Localized::of(declared, "client_name", declared.client_name.as_ref()),
            enabled: declared.enabled.unwrap_or(true),
            auth_methods: auth_methods(declared),
            redirect_uris: declared.redirect_uris.clone(),
            any_loopback_port: public && native,
            private_use_schemes: public || native,
            post_logout_redirect_uris: declared.post_logout_redirect_uris.clone(),
            response_types: response_types(declared, &grant_types),
            grant_types,
            scopes: declared.scopes.clone().unwrap_or_else(|| DEFAULT_SCOPES.map(str::to_owned).to_vec()),
            providers: providers(declared, by_certificate),
            pkce_required: public || declared.pkce == Pkce::Required,
            access_token_typ: declared.access_token_typ,
            dpop_bound: declared.dpop_bound_access_tokens,
            certificate_subject: CertificateSubject::of(declared),
            certificate_bound: declared.tls_client_certificate_bound_access_tokens,
            consent: declared.consent,
            tokens: config.tokens.for_client(&declared.tokens),
            id_token_alg: declared.id_token_signed_response_alg.unwrap_or(SigningAlgorithm::RS256),
            userinfo_alg: declared.userinfo_signed_response_alg,
            request_object_alg: declared.request_object_signing_alg.clone(),
            request_uris: declared.request_uris.clone(),
            pushes_requests: declared.require_pushed_authorization_requests,
            subject_type: declared.subject_type.unwrap_or(config.subject.kind),
            sector: sector(declared, key),
            origins: origins(declared),
            default_max_age: declared.default_max_age.map(|age| age.seconds()),
            require_auth_time: declared.require_auth_time,
            default_acr_values: declared.default_acr_values.clone(),
            logo_uri: Localized::of(declared, "logo_uri", declared.logo_uri.as_ref()),
            client_uri: Localized::of(declared, "client_uri", declared.client_uri.as_ref()),
            policy_uri: Localized::of(declared, "policy_uri", declared.policy_uri.as_ref()),
            tos_uri: Localized::of(declared, "tos_uri", declared.tos_uri.as_ref()),
            contacts: declared.contacts.clone(),
            initiate_login_uri: declared.initiate_login_uri.clone(),
            frontchannel_logout_uri: url(declared.frontchannel_logout_uri.as_deref()),
            frontchannel_logout_session: declared.frontchannel_logout_session_required.unwrap_or(true),
            backchannel_logout_uri: url(declared.backchannel_logout_uri.as_deref()),
            backchannel_logout_session: declared.backchannel_logout_session_required.unwrap_or(true),
        }
    }

    /// Whether it is a public client (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth_methods == [ClientAuthMethod::None]
    }

    /// Whether it may use a grant type.
    #[must_use]
    pub fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether it may request this response type (OIDC Registration §2).
    #[must_use]
    pub fn may_ask_for(&self, response_type: ResponseType) -> bool {
        self.response_types.contains(&response_type) && response_type.grant_types().iter().all(|grant| self.may(*grant))
    }

    /// Whether its users may sign in by certificate.
    #[must_use]
    pub fn takes_certificates(&self) -> bool {
        self.providers.as_ref().is_none_or(|named| named.iter().any(|id| id == CERTIFICATE))
    }

    /// Whether it accepts users of a provider, whether that provider is enabled or not. A hidden provider is accepted only by
    /// clients that name it.
    #[must_use]
    pub fn accepts(&self, provider: &Provider) -> bool {
        match &self.providers {
            Some(named) => named.contains(&provider.id),
            None => !provider.hidden,
        }
    }

    /// Whether a redirect URI is registered: the same string (RFC 6749 §3.1.2.3), except for the port of a public native
    /// client's loopback address (RFC 8252 §7.3).
    #[must_use]
    pub fn has_redirect_uri(&self, uri: &str) -> bool {
        let registered =
            |known: &String| known == uri || (self.any_loopback_port && same_but_for_loopback_port(known, uri));
        self.redirect_uris.iter().any(registered)
    }
}

/// Those that the file lists, and the one that `certificates.clients` gives it.
fn grant_types(declared: &Declared, by_certificate: bool) -> Vec<GrantType> {
    let default = || vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    let mut grants = declared.grant_types.clone().unwrap_or_else(default);
    if by_certificate && !grants.contains(&GrantType::Certificate) {
        grants.push(GrantType::Certificate);
    }
    grants
}

/// Those that the file lists; `certificates.clients` adds sign-in by certificate to the list.
fn providers(declared: &Declared, by_certificate: bool) -> Option<Vec<String>> {
    let mut providers = declared.providers.clone()?;
    if by_certificate && !providers.iter().any(|id| id == CERTIFICATE) {
        providers.push(CERTIFICATE.to_owned());
    }
    Some(providers)
}

/// By default `code`, for a client that may redeem one.
fn response_types(declared: &Declared, grant_types: &[GrantType]) -> Vec<ResponseType> {
    let default = || grant_types.contains(&GrantType::AuthorizationCode).then_some(ResponseType::Code);
    declared.response_types.clone().unwrap_or_else(|| default().into_iter().collect())
}

fn auth_methods(declared: &Declared) -> Vec<ClientAuthMethod> {
    let secret = declared.client_secret.is_some() || !declared.client_secret_hashes.is_empty();
    let keys = declared.jwks.is_some() || declared.jwks_uri.is_some();
    match declared.token_endpoint_auth_method {
        Some(method) => vec![method],
        None if !keys && !secret && declared.certificate_subjects().next().is_some() => {
            vec![ClientAuthMethod::TlsClientAuth]
        }
        None if keys && !secret => vec![ClientAuthMethod::PrivateKeyJwt],
        // It receives nothing from the token endpoint, and may revoke its tokens as public clients do.
        None if declared.only_implicit() && !secret => vec![ClientAuthMethod::None],
        None => vec![ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost],
    }
}

/// A URL that has passed `check`.
fn url(text: Option<&str>) -> Option<Url> {
    text.and_then(|text| Url::parse(text).ok())
}

/// The host of its `sector_identifier_uri`, otherwise of its first redirect URI (OIDC Core §8.1), or its key if it has neither.
/// The document at `sector_identifier_uri` (OIDC Registration §5) is not fetched: it protects against registration by
/// strangers, and only the operator writes this file.
fn sector(declared: &Declared, key: &str) -> String {
    let host = |uri: &String| Url::parse(uri).ok()?.host_str().map(str::to_owned);
    declared
        .sector_identifier_uri
        .iter()
        .chain(&declared.redirect_uris)
        .find_map(host)
        .unwrap_or_else(|| key.to_owned())
}

fn origins(declared: &Declared) -> Vec<String> {
    let of_redirects = declared.redirect_uris.iter().filter_map(|uri| {
        let origin = Url::parse(uri).ok()?.origin();
        Origin::is_tuple(&origin).then(|| origin.ascii_serialization())
    });
    let mut origins: Vec<String> = of_redirects.chain(declared.allowed_origins.iter().cloned()).collect();
    origins.sort();
    origins.dedup();
    origins
}
