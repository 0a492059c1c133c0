//! A provider's metadata: its discovery document, read and checked, or the endpoints that the operator wrote.
//!
//! Which URL is called for each endpoint is decided here; `provider` fetches the document. The document is read member by
//! member: a typed one, such as openidconnect's, is rejected as a whole for a member that no sign-in needs, such as an empty
//! `op_policy_uri`. So is an endpoint that a sign-in can do without: what needs it is off.

use serde_json::{Map, Value};
use url::Url;

use crate::protocol::Algorithm;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem};
use crate::upstream::source::Source;

/// A provider's metadata (OIDC Discovery §3, RFC 8414 §2), with the URLs as the broker calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The issuer as the provider names itself, and as its tokens and responses name it.
    pub issuer: String,
    /// Where the browser goes to sign in.
    pub authorization_endpoint: Url,
    /// Called by the broker.
    pub token_endpoint: Url,
    /// The token endpoint as the provider names it: what an assertion of the broker's is for (RFC 7523 §3).
    pub token_audience: Url,
    /// Called by the broker.
    pub userinfo_endpoint: Option<Url>,
    /// Called by the broker; `None` if the provider signs nothing.
    pub jwks_uri: Option<Url>,
    /// Called by the broker.
    pub introspection_endpoint: Option<Url>,
    /// Called by the broker (RFC 9126 §5).
    pub pushed_request_endpoint: Option<Url>,
    /// Whether authorization requests must be pushed (RFC 9126 §5).
    pub requires_pushed_requests: bool,
    /// What is called in place of the endpoints on connections that present a certificate.
    pub mtls_aliases: MtlsAliases,
    /// Where the browser goes to sign out.
    pub end_session_endpoint: Option<Url>,
    /// What ID tokens may be signed with, unless the configuration names one.
    pub id_token_algs: Vec<Algorithm>,
    /// What userinfo may be signed with.
    pub userinfo_algs: Vec<Algorithm>,
    /// Whether every authorization response carries `iss` (RFC 9207 §3).
    pub iss_in_response: bool,
    /// Whether PKCE with S256 is used: it is supported, or the provider does not say.
    pub pkce: bool,
    /// `prompt_values_supported`, where it says.
    pub prompts: Option<Vec<String>>,
    /// `scopes_supported`, where it says.
    pub scopes: Option<Vec<String>>,
    /// `claims_supported`, where it says.
    pub claims: Option<Vec<String>>,
    /// `response_modes_supported`, where it says.
    pub response_modes: Option<Vec<String>>,
    /// `token_endpoint_auth_methods_supported`, where it says.
    pub auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`, where it says.
    pub auth_algs: Option<Vec<Algorithm>>,
    /// `dpop_signing_alg_values_supported` (RFC 9449 §5.1), where it says.
    pub dpop_algs: Option<Vec<String>>,
    /// The host of Microsoft Graph in the provider's cloud (`msgraph_host`), where it says.
    pub graph_host: Option<String>,
    /// Endpoints that a sign-in can do without, and that the document names in a way that can't be used. What needs them is
    /// off.
    pub unusable: Vec<UnusableEndpoint>,
}

/// An endpoint that is named and can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableEndpoint {
    /// The metadata member.
    pub endpoint: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// `mtls_endpoint_aliases` (RFC 8705 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MtlsAliases {
    /// `token_endpoint`
    pub token: Option<Url>,
    /// `userinfo_endpoint`
    pub userinfo: Option<Url>,
    /// `introspection_endpoint`
    pub introspection: Option<Url>,
    /// `pushed_authorization_request_endpoint`
    pub pushed_request: Option<Url>,
}

/// What is wrong with a member without a value. It is treated as absent.
const EMPTY: &str = "it is empty";

impl Metadata {
    /// The metadata of a provider whose endpoints are all written; `None` when discovery is needed.
    #[must_use]
    pub fn manual(source: &Source) -> Option<Self> {
        let manual = &source.manual;
        Some(Self {
            issuer: source.issuer.clone(),
            authorization_endpoint: manual.authorization.clone()?,
            token_endpoint: manual.token.clone()?,
            token_audience: manual.token.clone()?,
            userinfo_endpoint: manual.userinfo.clone(),
            jwks_uri: if source.openid { Some(manual.jwks.clone()?) } else { None },
            introspection_endpoint: None,
            pushed_request_endpoint: None,
            requires_pushed_requests: false,
            mtls_aliases: MtlsAliases::default(),
            end_session_endpoint: None,
            // The default of a client that registered nothing (OIDC Registration §2).
            id_token_algs: vec![Algorithm::RS256],
            userinfo_algs: vec![Algorithm::RS256],
            iss_in_response: false,
            pkce: true,
            prompts: None,
            scopes: None,
            claims: None,
            response_modes: None,
            auth_methods: None,
            auth_algs: None,
            dpop_algs: None,
            graph_host: None,
            unusable: Vec::new(),
        })
    }

    /// The URL of the discovery document (OIDC Discovery §4): below the back channel where there is one.
    #[must_use]
    pub fn discovery_url(source: &Source) -> Url {
        let mut url = source.backchannel.as_ref().unwrap_or(&source.issuer_url).clone();
        let path = format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// Reads a discovery document.
    ///
    /// # Errors
    /// When it is not one, is another issuer's, or an endpoint that every sign-in needs is missing or may not be called.
    pub fn parse(source: &Source, document: &[u8]) -> Result<Self, Unavailable> {
        let malformed = |problem| Unavailable { document: Document::Discovery, url: None, problem };
        let document: Map<String, Value> = serde_json::from_slice(document)
            .map_err(|_| malformed(UnavailableProblem::Malformed("it is not a JSON object")))?;
        let found = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if !source.may_be_named(found) {
            return Err(malformed(UnavailableProblem::Issuer {
                expected: source.issuer.clone(),
                found: found.chars().take(200).collect(),
            }));
        }
        let read = Reader { source, document: &document };
        let manual = &source.manual;
        let id_token_algs = read.algorithms("id_token_signing_alg_values_supported").unwrap_or(vec![Algorithm::RS256]);
        let token_audience = read.required("token_endpoint", manual.token.as_ref())?;
        let mut unusable = Vec::new();
        let mut optional = |name, written| match read.endpoint(name, written) {
            Ok(url) => url,
            Err(problem) => {
                unusable.push(UnusableEndpoint { endpoint: name, problem });
                None
            }
        };
        let userinfo_endpoint = optional("userinfo_endpoint", manual.userinfo.as_ref()).map(|url| read.called(url));
        let introspection_endpoint = optional("introspection_endpoint", None).map(|url| read.called(url));
        let end_session_endpoint = optional("end_session_endpoint", None);
        let pushed = optional("pushed_authorization_request_endpoint", None).map(|url| read.called(url));
        let mtls_aliases = read.mtls_aliases(&mut unusable);
        Ok(Self {
            issuer: found.to_owned(),
            authorization_endpoint: read.required("authorization_endpoint", manual.authorization.as_ref())?,
            token_endpoint: read.called(token_audience.clone()),
            token_audience,
            userinfo_endpoint,
            jwks_uri: Some(read.called(read.required("jwks_uri", manual.jwks.as_ref())?)),
            introspection_endpoint,
            pushed_request_endpoint: pushed,
            requires_pushed_requests: read.flag("require_pushed_authorization_requests"),
            mtls_aliases,
            end_session_endpoint,
            userinfo_algs: read
                .algorithms("userinfo_signing_alg_values_supported")
                .unwrap_or_else(|| id_token_algs.clone()),
            id_token_algs,
            iss_in_response: read.flag("authorization_response_iss_parameter_supported"),
            pkce: read
                .texts("code_challenge_methods_supported")
                .is_none_or(|methods| methods.iter().any(|method| method == "S256")),
            prompts: read.texts("prompt_values_supported"),
            scopes: read.texts("scopes_supported"),
            claims: read.texts("claims_supported"),
            response_modes: read.texts("response_modes_supported"),
            auth_methods: read.texts("token_endpoint_auth_methods_supported"),
            auth_algs: read.algorithms("token_endpoint_auth_signing_alg_values_supported"),
            dpop_algs: read.texts("dpop_signing_alg_values_supported"),
            graph_host: document.get("msgraph_host").and_then(Value::as_str).map(str::to_owned),
            unusable,
        })
    }

    /// The metadata with the endpoints for connections that present a certificate: the aliases, where there are such (RFC 8705
    /// §5).
    #[must_use]
    pub fn at_aliases(&self) -> Self {
        let MtlsAliases { token, userinfo, introspection, pushed_request } = self.mtls_aliases.clone();
        Self {
            token_endpoint: token.unwrap_or_else(|| self.token_endpoint.clone()),
            userinfo_endpoint: userinfo.or_else(|| self.userinfo_endpoint.clone()),
            introspection_endpoint: introspection.or_else(|| self.introspection_endpoint.clone()),
            pushed_request_endpoint: pushed_request.or_else(|| self.pushed_request_endpoint.clone()),
            ..self.clone()
        }
    }

    /// Whether claims can be taken from userinfo, where the provider has it. A provider without userinfo gives what its ID
    /// token has; one whose userinfo can't be called would give less than the policy was written for.
    ///
    /// # Errors
    /// When the document names a userinfo endpoint that can't be used.
    pub fn check_userinfo(&self) -> Result<(), Unavailable> {
        let named = |one: &&UnusableEndpoint| one.endpoint == "userinfo_endpoint" && one.problem != EMPTY;
        match self.unusable.iter().find(named) {
            Some(UnusableEndpoint { endpoint, problem }) => Err(at_endpoint(endpoint, problem.clone())),
            None => Ok(()),
        }
    }
}

fn at_endpoint(endpoint: &'static str, problem: String) -> Unavailable {
    Unavailable {
        document: Document::Discovery,
        url: None,
        problem: UnavailableProblem::Endpoint { endpoint, problem },
    }
}

struct Reader<'a> {
    source: &'a Source,
    document: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn required(&self, name: &'static str, written: Option<&Url>) -> Result<Url, Unavailable> {
        let found = self.endpoint(name, written).map_err(|problem| at_endpoint(name, problem))?;
        found.ok_or_else(|| at_endpoint(name, "it is missing".to_owned()))
    }

    /// The endpoint as it is written or named; `None` when it is neither.
    fn endpoint(&self, name: &str, written: Option<&Url>) -> Result<Option<Url>, String> {
        if let Some(url) = written {
            return Ok(Some(url.clone()));
        }
        self.url(self.document.get(name))
    }

    /// The aliases of the endpoints that the broker calls; one that can't be used is noted.
    fn mtls_aliases(&self, unusable: &mut Vec<UnusableEndpoint>) -> MtlsAliases {
        let aliases = self.document.get("mtls_endpoint_aliases").and_then(Value::as_object);
        let mut alias = |endpoint: &'static str| {
            let name = endpoint.rsplit('.').next().unwrap_or_default();
            match self.url(aliases.and_then(|aliases| aliases.get(name))) {
                Ok(url) => url.map(|url| self.called(url)),
                Err(problem) => {
                    unusable.push(UnusableEndpoint { endpoint, problem });
                    None
                }
            }
        };
        MtlsAliases {
            token: alias("mtls_endpoint_aliases.token_endpoint"),
            userinfo: alias("mtls_endpoint_aliases.userinfo_endpoint"),
            introspection: alias("mtls_endpoint_aliases.introspection_endpoint"),
            pushed_request: alias("mtls_endpoint_aliases.pushed_authorization_request_endpoint"),
        }
    }

    /// A URL that the document names and the broker may call; `None` if it is not there.
    fn url(&self, named: Option<&Value>) -> Result<Option<Url>, String> {
        let Some(text) = named.filter(|value| !value.is_null()) else { return Ok(None) };
        let text = text.as_str().ok_or("it is not a string")?;
        if text.is_empty() {
            return Err(EMPTY.to_owned());
        }
        let url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"))?;
        if url.fragment().is_some() {
            return Err("it has a fragment".to_owned());
        }
        self.source.policy.check(&url).map_err(|error| error.to_string())?;
        Ok(Some(url))
    }

    /// An endpoint as the broker calls it: below the back channel when it is below the issuer.
    fn called(&self, url: Url) -> Url {
        let Some(backchannel) = &self.source.backchannel else { return url };
        let issuer = &self.source.issuer_url;
        let prefix = issuer.path().trim_end_matches('/');
        let below = match url.path().strip_prefix(prefix) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
            _ => return url,
        };
        if url.origin() != issuer.origin() {
            return url;
        }
        let mut called = backchannel.clone();
        called.set_path(&format!("{}{below}", backchannel.path().trim_end_matches('/')));
        called.set_query(url.query());
        called
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.document.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The algorithms with a public key among those listed. Listing only others leaves none.
    fn algorithms(&self, name: &str) -> Option<Vec<Algorithm>> {
        Some(self.texts(name)?.iter().filter_map(|name| Algorithm::asymmetric(name)).collect())
    }

    fn flag(&self, name: &str) -> bool {
        self.document.get(name).and_then(Value::as_bool).unwrap_or(false)
    }
}
