//! One provider's settings, made from the file and the secrets that it names.
//!
//! What can be found wrong without asking the provider is reported here. No file is read: secrets and certificate authorities
//! come resolved.

use std::sync::Arc;

use url::Url;

use crate::config::language::groups_from::GroupSource;
use crate::config::language::issuer::ProviderIssuer;
use crate::config::language::provider::{ClaimsSource, Forward, Profile, Provider, ProviderResponseMode, Reauth};
use crate::config::language::quirks::OfflineAccess;
use crate::config::language::scalar::SecretValue;
use crate::config::language::signals::Signals;
use crate::config::load::secret_text::{SecretKind, meant};
use crate::config::resolved;
use crate::config::resolved::groups_from::GroupsFrom;
use crate::config::resolved::preset;
use crate::config::resolved::preset::Quirks;
use crate::decision::subject_rule::SubjectRule;
use crate::outbound::OutboundPolicy;
use crate::protocol::{Algorithm, ClientAuthMethod, Signal};
use crate::upstream::credentials::{Credentials, ResolvedSecrets};
use crate::upstream::metadata::Metadata;
use crate::upstream::service_account::ServiceAccount;
use crate::upstream::source::{ManualEndpoints, Source};
use crate::upstream::tenants::Tenants;

/// One provider, as this module uses it.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The provider's id in the file.
    pub id: String,
    /// The client id that the provider gave the broker.
    pub client_id: String,
    /// What the broker authenticates with.
    pub credentials: Credentials,
    /// How the broker authenticates at the token endpoint; `None`: as the metadata says.
    pub auth_method: Option<ClientAuthMethod>,
    /// Push every authorization request, whether or not the metadata requires it.
    pub pushes: bool,
    /// Whether tokens are bound to a key (RFC 9449).
    pub dpop: bool,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Scopes to ask for if the metadata lists them.
    pub optional_scopes: Vec<String>,
    /// The callback's whole URL.
    pub redirect_uri: String,
    /// Where a sign-out that names no app returns to, if not to the signed-out page.
    pub post_logout_redirect_uri: Option<String>,
    /// Documents that claims are taken from, later ones adding to earlier ones.
    pub claims_from: Vec<ClaimsSource>,
    /// What `prompt=login` and `max_age` rest on.
    pub reauth: Reauth,
    /// Parameters passed on.
    pub forward: Vec<Forward>,
    /// Sign out at the provider too.
    pub logout: bool,
    /// How the provider answers; `None`: in the query.
    pub response_mode: Option<ProviderResponseMode>,
    /// The `resource` parameter.
    pub resource: Option<String>,
    /// Audiences besides the client id whose tokens may be introspected here.
    pub audiences: Vec<String>,
    /// What its security event tokens are like, where it sends any.
    pub signals: Option<SignalSettings>,
    /// Where claims come from without an ID token; `None`: there is one.
    pub profile: Option<Profile>,
    /// The account's subject without an ID token.
    pub subject: Option<SubjectRule>,
    /// Organisations whose members may enter.
    pub organizations: Vec<String>,
    /// The only algorithm that ID tokens may be signed with; `None`: what the metadata lists.
    pub id_token_alg: Option<Algorithm>,
    /// In what it differs from other providers.
    pub quirks: Quirks,
    /// Where groups come from.
    pub groups_from: GroupsFrom,
    /// The service account that groups are read with; `None` if there is none, or secrets were left unread.
    pub service_account: Option<Arc<ServiceAccount>>,
    /// The token with which a directory is asked for groups; `None` if there is none, or secrets were left unread.
    pub directory_token: Option<SecretValue>,
    /// The address of the service, without a slash at its end.
    pub service_url: String,
    /// Where its documents are found. Caches live as long as this stays the same.
    pub source: Arc<Source>,
}

/// What the security event tokens of a provider are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalSettings {
    /// Their issuer; `None`: the provider's.
    pub issuer: Option<String>,
    /// Whom they are for; one of these is enough.
    pub audience: Vec<String>,
    /// The events that are acted upon.
    pub events: Vec<Signal>,
}

impl SignalSettings {
    fn of(declared: &Signals, client_id: &str) -> Self {
        let audience = declared.audience.as_ref().map(|audience| audience.as_slice().to_vec());
        Self {
            issuer: declared.issuer.clone(),
            audience: audience.unwrap_or_else(|| vec![client_id.to_owned()]),
            events: declared.events.clone().unwrap_or_else(|| Signal::ALL.to_vec()),
        }
    }
}

/// Why a provider can't be used as the file has it. The text names the key and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("providers.{provider}.{key}: {problem}")]
pub struct SettingsError {
    /// The provider's id.
    pub provider: String,
    /// The key.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub problem: String,
}

impl ProviderSettings {
    /// Settings of the provider `id`, for the broker whose issuer is `broker_issuer`.
    ///
    /// # Errors
    /// When something that sign-ins need is missing, or contradicts itself.
    pub fn new(
        id: &str,
        provider: &Provider,
        secrets: ResolvedSecrets,
        broker_issuer: &str,
    ) -> Result<Self, SettingsError> {
        let reader = Reader { id, provider };
        let quirks = Quirks::of(provider);
        let groups_from = GroupsFrom::of(provider);
        let (service_account, directory_token) =
            reader.group_credentials(groups_from.source, secrets.group_credentials.as_ref())?;
        let called = [
            groups_from.url.as_deref().map(|url| reader.url("groups_from", url)).transpose()?,
            service_account.as_ref().map(|account| account.token_uri().clone()),
        ];
        let source = reader.source(secrets.ca.clone(), &quirks, &called)?;
        let auth_method = reader.auth_method(&secrets.client_secret)?;
        let id_token_alg = reader.id_token_alg(&secrets.client_secret)?;
        let credentials = Credentials::of(provider, &secrets).map_err(|(key, problem)| reader.error(key, problem))?;
        let (scopes, optional_scopes) = preset::scopes(provider);
        if provider.preset.is_openid() && !scopes.iter().any(|scope| scope == "openid") {
            return Err(
                reader.error("scopes", "\"openid\" is not among them; without it there is no ID token to verify")
            );
        }
        Ok(Self {
            id: id.to_owned(),
            client_id: provider.client_id.clone(),
            credentials,
            auth_method,
            dpop: provider.dpop_bound_access_tokens,
            pushes: provider.require_pushed_authorization_requests,
            scopes,
            optional_scopes,
            redirect_uri: reader.redirect_uri(broker_issuer)?,
            post_logout_redirect_uri: provider.post_logout_redirect_uri.clone(),
            claims_from: preset::claims_from(provider),
            reauth: preset::reauth(provider),
            forward: provider.forward.clone().unwrap_or_else(|| FORWARDED.to_vec()),
            logout: provider.logout,
            response_mode: preset::response_mode(provider),
            resource: provider.resource.clone(),
            audiences: provider.introspect.audiences().to_vec(),
            signals: provider.signals.as_ref().map(|signals| SignalSettings::of(signals, &provider.client_id)),
            profile: preset::profile(provider),
            subject: None,
            organizations: provider.organizations.clone(),
            id_token_alg,
            service_url: preset::base_url(provider).unwrap_or_else(|| source.issuer.trim_end_matches('/').to_owned()),
            quirks,
            groups_from,
            service_account,
            directory_token,
            source: Arc::new(source),
        })
    }

    /// The issuer, character for character: by it the accounts of the provider are kept. What its tokens name is
    /// [`Metadata::issuer`](crate::upstream::metadata::Metadata::issuer).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.source.issuer
    }

    /// Whether PKCE is used: as the quirks say, or the metadata.
    #[must_use]
    pub fn uses_pkce(&self, metadata: &Metadata) -> bool {
        self.quirks.pkce.unwrap_or(metadata.pkce)
    }

    /// The scopes to ask for at a provider with this metadata, as they are sent.
    #[must_use]
    pub fn requested_scopes(&self, metadata: &Metadata) -> String {
        let listed = |scope: &&String| metadata.scopes.as_ref().is_some_and(|scopes| scopes.contains(scope));
        let sent = |scope: &&String| !(self.asks_by_access_type() && *scope == OFFLINE_ACCESS);
        let scopes = self.scopes.iter().chain(self.optional_scopes.iter().filter(listed)).filter(sent);
        scopes.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether a refresh token is asked for by `access_type=offline`.
    #[must_use]
    pub fn asks_by_access_type(&self) -> bool {
        let asks = self.scopes.iter().any(|scope| scope == OFFLINE_ACCESS);
        asks && self.quirks.offline_access == OfflineAccess::AccessType
    }

    /// The same, with the compiled expression for the subject.
    #[must_use]
    pub fn with_subject(self, subject: Option<SubjectRule>) -> Self {
        Self { subject, ..self }
    }

    /// Whether `parameter` is passed on.
    #[must_use]
    pub fn forwards(&self, parameter: Forward) -> bool {
        self.forward.contains(&parameter)
    }
}

/// The scope for a refresh token (OIDC Core §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// `forward` unless the file says otherwise.
const FORWARDED: [Forward; 5] =
    [Forward::LoginHint, Forward::UiLocales, Forward::AcrValues, Forward::MaxAge, Forward::Prompt];

struct Reader<'a> {
    id: &'a str,
    provider: &'a Provider,
}

impl Reader<'_> {
    fn error(&self, key: &'static str, problem: impl Into<String>) -> SettingsError {
        SettingsError { provider: self.id.to_owned(), key, problem: problem.into() }
    }

    fn url(&self, key: &'static str, text: &str) -> Result<Url, SettingsError> {
        let url = Url::parse(text).map_err(|error| self.error(key, format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(self.error(key, "must be an https URL"));
        }
        if url.fragment().is_some() {
            return Err(self.error(key, "must not have a fragment"));
        }
        Ok(url)
    }

    fn endpoint(&self, key: &'static str, written: Option<&String>) -> Result<Option<Url>, SettingsError> {
        preset::endpoint(self.provider, key, written).map(|text| self.url(key, &text)).transpose()
    }

    /// `called` are the addresses of the source of groups that the operator wrote.
    fn source(&self, ca: Option<Arc<[u8]>>, quirks: &Quirks, groups: &[Option<Url>]) -> Result<Source, SettingsError> {
        let provider = self.provider;
        let declared = preset::issuer(provider).ok_or_else(|| self.error("issuer", "is missing"))?;
        let optional_slash = quirks.optional_slash || declared.is_from_document();
        let issuer = declared.to_string();
        let issuer_url = self.url("issuer", &issuer)?;
        let backchannel = provider.backchannel_url.clone().map(ProviderIssuer::from);
        let backchannel = backchannel.map(|url| self.url("backchannel_url", &url)).transpose()?;
        for (key, url) in [("issuer", Some(&issuer_url)), ("backchannel_url", backchannel.as_ref())] {
            if url.is_some_and(|url| url.query().is_some()) {
                return Err(self.error(key, "must not have a query"));
            }
        }
        let manual = ManualEndpoints {
            authorization: self.endpoint("authorization_endpoint", provider.authorization_endpoint.as_ref())?,
            token: self.endpoint("token_endpoint", provider.token_endpoint.as_ref())?,
            userinfo: self.endpoint("userinfo_endpoint", provider.userinfo_endpoint.as_ref())?,
            jwks: self.endpoint("jwks_uri", provider.jwks_uri.as_ref())?,
        };
        let signals_jwks = provider.signals.as_ref().and_then(|signals| signals.jwks_uri.as_ref());
        let signals_jwks = signals_jwks.map(|url| self.url("signals.jwks_uri", url)).transpose()?;
        let proxy = provider.proxy.as_ref().map(|proxy| self.url("proxy", proxy.expose())).transpose()?;
        let written = [Some(&issuer_url), backchannel.as_ref(), signals_jwks.as_ref()];
        let policy =
            OutboundPolicy::trusting(written.into_iter().flatten().chain(manual.urls()).chain(groups.iter().flatten()))
                .allow_private_network(provider.allow_private_network)
                .allow_http(provider.allow_http)
                .with_ca(ca)
                .with_proxy(proxy.as_ref());
        let called = [
            // With a back channel the issuer itself is never called, but the browser goes there.
            ("issuer", Some(&issuer_url)),
            ("backchannel_url", backchannel.as_ref()),
            ("authorization_endpoint", manual.authorization.as_ref()),
            ("token_endpoint", manual.token.as_ref()),
            ("userinfo_endpoint", manual.userinfo.as_ref()),
            ("jwks_uri", manual.jwks.as_ref()),
            ("signals.jwks_uri", signals_jwks.as_ref()),
        ];
        let called = called.into_iter().chain(groups.iter().map(|url| ("groups_from", url.as_ref())));
        for (key, url) in called {
            if let Some(url) = url {
                policy.check(url).map_err(|error| self.error(key, error.to_string()))?;
            }
        }
        Ok(Source {
            id: self.id.to_owned(),
            issuer,
            optional_slash,
            tenants: quirks.tenant_issuer.then(|| Tenants::new(&issuer_url, &provider.tenants)),
            openid: provider.preset.is_openid(),
            names_issuer: provider.preset.is_openid() || provider.issuer.is_some(),
            issuer_url,
            backchannel,
            manual,
            signals_jwks,
            policy,
        })
    }

    fn auth_method(&self, secrets: &[SecretValue]) -> Result<Option<ClientAuthMethod>, SettingsError> {
        let key = "token_endpoint_auth_method";
        // The secret is signed here, and checked with its key.
        if self.provider.team_id.is_some() {
            return Ok(preset::auth_method(self.provider));
        }
        match preset::auth_method(self.provider) {
            // A declared secret may be left unread, as in a pull request.
            Some(
                ClientAuthMethod::ClientSecretBasic
                | ClientAuthMethod::ClientSecretPost
                | ClientAuthMethod::ClientSecretJwt,
            ) if secrets.is_empty() && self.provider.client_secret.is_none() => {
                Err(self.error(key, "needs a client_secret"))
            }
            Some(ClientAuthMethod::None) if !secrets.is_empty() => {
                Err(self.error(key, "is \"none\", so client_secret would never be sent; remove one of them"))
            }
            Some(ClientAuthMethod::PrivateKeyJwt)
                if self.provider.client_key.is_none() && self.provider.client_assertion.is_none() =>
            {
                Err(self.error(key, "needs a client_key or a client_assertion"))
            }
            Some(ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth)
                if self.provider.client_certificate.is_none() =>
            {
                Err(self.error(key, "needs a client_certificate, and its key in client_key"))
            }
            method => Ok(method),
        }
    }

    /// What groups are read with: a service account's key, or a token.
    fn group_credentials(
        &self,
        source: GroupSource,
        file: Option<&SecretValue>,
    ) -> Result<(Option<Arc<ServiceAccount>>, Option<SecretValue>), SettingsError> {
        let problem = |problem: String| self.error("groups_from", format!("credentials {problem}"));
        let Some(file) = file else { return Ok((None, None)) };
        if source == GroupSource::Scim {
            let token = meant(SecretKind::Line, file.expose()).map_err(problem)?;
            return Ok((None, Some(SecretValue::new(token.secret.to_owned()))));
        }
        Ok((Some(ServiceAccount::parse(file).map_err(problem)?), None))
    }

    fn id_token_alg(&self, secrets: &[SecretValue]) -> Result<Option<Algorithm>, SettingsError> {
        let key = "id_token_signed_response_alg";
        let Some(name) = &self.provider.id_token_signed_response_alg else { return Ok(None) };
        let algorithm = Algorithm::from_name(name).ok_or_else(|| {
            let asymmetric: Vec<&str> = Algorithm::all_names().filter(|name| *name != "HS256").collect();
            self.error(key, format!("must be one of {}, or HS256", asymmetric.join(", ")))
        })?;
        if algorithm == Algorithm::HS256 && secrets.is_empty() && self.provider.client_secret.is_none() {
            return Err(self.error(key, "is HS256, which needs a client_secret"));
        }
        Ok(Some(algorithm))
    }

    fn redirect_uri(&self, broker_issuer: &str) -> Result<String, SettingsError> {
        match (&self.provider.redirect_uri, &self.provider.redirect_path) {
            (Some(_), Some(_)) => Err(self.error("redirect_uri", "says the same as redirect_path; keep one of them")),
            (Some(uri), None) => self.url("redirect_uri", uri).map(|_| uri.clone()),
            (None, Some(path)) if !path.starts_with('/') => Err(self.error("redirect_path", "must start with \"/\"")),
            (None, _) => Ok(resolved::provider::callback(broker_issuer, self.id, self.provider).uri),
        }
    }
}
