//! The parameters of an authorization request, parsed once (RFC 6749 §4.1.1, OIDC Core §3.1.2.1). Nothing is checked here.

use serde::{Deserialize, Serialize};

use crate::op::params::{Duplicate, Form, Params};

/// The authorization request as sent: in the query, in a request object, or pushed (RFC 9126), when it is stored as this.
/// Parameters that mean nothing here are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthorizationForm {
    /// `client_id`
    pub client_id: Option<String>,
    /// `redirect_uri`
    pub redirect_uri: Option<String>,
    /// `state`
    pub state: Option<String>,
    /// `response_type`; all words, when it came more than once.
    pub response_type: Option<String>,
    /// `response_mode`
    pub response_mode: Option<String>,
    /// `scope`
    pub scope: Option<String>,
    /// `nonce`
    pub nonce: Option<String>,
    /// `code_challenge` (RFC 7636 §4.3)
    pub code_challenge: Option<String>,
    /// `code_challenge_method` (RFC 7636 §4.3)
    pub code_challenge_method: Option<String>,
    /// `dpop_jkt` (RFC 9449 §10)
    pub dpop_jkt: Option<String>,
    /// `prompt`
    pub prompt: Option<String>,
    /// `max_age`
    pub max_age: Option<String>,
    /// `login_hint`
    pub login_hint: Option<String>,
    /// `id_token_hint`
    pub id_token_hint: Option<String>,
    /// `ui_locales`
    pub ui_locales: Option<String>,
    /// `acr_values`
    pub acr_values: Option<String>,
    /// `claims` (OIDC Core §5.5)
    pub claims: Option<String>,
    /// `registration` (OIDC Core §7.2.1)
    pub registration: Option<String>,
    /// `resource`, which may repeat (RFC 8707 §2)
    pub resources: Vec<String>,
    /// `provider`, or `kc_idp_hint` as apps made for Keycloak send it: the provider that the app asks for.
    pub provider: Option<String>,
    /// `request`, a request object (OIDC Core §6.1)
    pub request: Option<String>,
    /// `request_uri`, a reference to one (OIDC Core §6.2) or to a pushed request (RFC 9126 §4)
    pub request_uri: Option<String>,
    /// What came more than once and may not, known or not. The answer depends on which it was.
    #[serde(skip)]
    pub repeated: Vec<Duplicate>,
}

impl AuthorizationForm {
    /// Whether one of these came more than once.
    ///
    /// # Errors
    /// That one.
    pub fn once(&self, names: &[&str]) -> Result<(), Duplicate> {
        match self.repeated.iter().find(|Duplicate(name)| names.contains(&name.as_str())) {
            Some(duplicate) => Err(duplicate.clone()),
            None => Ok(()),
        }
    }
}

impl Form<'_> for AuthorizationForm {
    const MAY_REPEAT: &'static [&'static str] = &["resource"];

    fn read(params: &Params) -> Self {
        let text = |name: &str| params.text(name).map(str::to_owned);
        let response_types = params.all("response_type");
        Self {
            client_id: text("client_id"),
            redirect_uri: text("redirect_uri"),
            state: text("state"),
            response_type: (!response_types.is_empty()).then(|| response_types.join(" ")),
            response_mode: text("response_mode"),
            scope: text("scope"),
            nonce: text("nonce"),
            code_challenge: text("code_challenge"),
            code_challenge_method: text("code_challenge_method"),
            dpop_jkt: text("dpop_jkt"),
            prompt: text("prompt"),
            max_age: text("max_age"),
            login_hint: text("login_hint"),
            id_token_hint: text("id_token_hint"),
            ui_locales: text("ui_locales"),
            acr_values: text("acr_values"),
            claims: text("claims"),
            registration: text("registration"),
            resources: params.all("resource"),
            provider: text("provider").or_else(|| text("kc_idp_hint")),
            request: text("request"),
            request_uri: text("request_uri"),
            repeated: params.duplicates(Self::MAY_REPEAT),
        }
    }
}
