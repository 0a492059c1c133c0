//! What a browser gets that arrives with our authorization request, and in which nobody is signed in.
//!
//! This is the only place at which most providers compare the redirect URI, and the wrong one is the commonest mistake of all.
//! Nobody is asked to sign in (`prompt=none`, OIDC Core §3.1.2.1): a provider that knows the broker sends the browser back with
//! an error that says so. Any other says what is wrong on a page of its own, which is searched for what is known of it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, LOCATION};
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::outbound::RedirectIsAnswer;
use crate::upstream::error::{Document, ProviderError, Stage};
use crate::upstream::hints::{hint, hint_on_page};
use crate::upstream::metadata::Metadata;
use crate::upstream::probe::answers::{NO_CODE, VERIFIER, said};
use crate::upstream::probe::model::{Asked, Examination, Outcome};
use crate::upstream::provider::Upstream;
use crate::upstream::pushed;
use crate::upstream::request::request;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::sign_in::{BeginParams, authorization_query, with_query};

/// What a provider says that would have let somebody sign in (OIDC Core §3.1.2.6).
const WANTS_A_PERSON: [&str; 4] =
    ["login_required", "interaction_required", "account_selection_required", "consent_required"];
/// Errors that say nothing about the request.
const PASSES: [&str; 3] = ["server_error", "temporarily_unavailable", "access_denied"];

/// The query of an authorization request that nobody will follow.
pub(super) fn query<'s>(
    settings: &'s ProviderSettings,
    metadata: &Metadata,
    prompt: &[String],
) -> Vec<(&'s str, String)> {
    let verifier = SecretValue::new(VERIFIER.to_owned());
    let params = BeginParams {
        state: NO_CODE,
        nonce: NO_CODE,
        code_verifier: &verifier,
        redirect_uri: &settings.redirect_uri,
        prompt,
        another_account: false,
        max_age: None,
        login_hint: None,
        ui_locales: None,
        acr_values: None,
    };
    authorization_query(settings, metadata, &params, false)
}

/// Asks the authorization endpoint, unless requests are pushed: then the endpoint for that is asked.
pub(super) async fn examine(
    found: &mut Examination,
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    now: i64,
) {
    if !matches!(pushed::endpoint(settings, metadata), Ok(None)) {
        return;
    }
    let endpoint = &metadata.authorization_endpoint;
    let prompt = if settings.profile.is_none() { vec!["none".to_owned()] } else { Vec::new() };
    let url = with_query(endpoint, &query(settings, metadata, &prompt));
    let call = request(http::Method::GET, &url).header(ACCEPT, "text/html").extension(RedirectIsAnswer);
    let Ok(call) = call.body(Vec::new()) else { return };
    let (outcome, answer) = match upstream.call_api(Document::AuthorizationPage, call, now).await {
        Ok(answer) => read(settings, endpoint, &answer),
        // Browsers go there, and the broker need not be able to.
        Err(error) => (Outcome::Unclear, format!("{}: people's browsers go there, and we can't look", error.problem)),
    };
    found.note(Asked::Authorize, Some(endpoint), outcome, answer);
}

fn read(settings: &ProviderSettings, endpoint: &Url, answer: &http::Response<Vec<u8>>) -> (Outcome, String) {
    let status = answer.status();
    if !status.is_redirection() {
        return page(settings, status.as_u16(), &unescaped(&String::from_utf8_lossy(answer.body())));
    }
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(target) = location.and_then(|location| endpoint.join(location).ok()) else {
        return (Outcome::Unclear, format!("status {}, and nowhere to go", status.as_u16()));
    };
    if is_ours(settings, &target) {
        return back(&target);
    }
    match hint(&hidden_in(&target), None) {
        Some(hint) => (Outcome::Trouble, format!("it sends people to a page with an error: {hint}")),
        None => (Outcome::Unclear, silent("it lets people sign in first", settings)),
    }
}

/// Whether the browser comes back to the broker.
fn is_ours(settings: &ProviderSettings, target: &Url) -> bool {
    let ours = Url::parse(&settings.redirect_uri).ok();
    ours.is_some_and(|ours| ours.origin() == target.origin() && ours.path() == target.path())
}

/// The provider knows client and redirect URI; what it says is about the rest of the request.
fn back(target: &Url) -> (Outcome, String) {
    let fragment = format!("?{}", target.fragment().unwrap_or_default());
    let fragment = target.join(&fragment).ok();
    let pairs = || target.query_pairs().chain(fragment.iter().flat_map(Url::query_pairs));
    let value = |name: &str| pairs().find(|(key, _)| key == name).map(|(_, value)| unescaped(&value));
    const KNOWN: &str = "it knows our client_id and redirect URI";
    match value("error") {
        Some(error) if WANTS_A_PERSON.contains(&error.as_str()) => {
            (Outcome::Fine, format!("{KNOWN}, and wants somebody to sign in ({error})"))
        }
        Some(error) => {
            let error = ProviderError::new(Stage::Authorization, &error, value("error_description").as_deref());
            let outcome = if PASSES.contains(&error.error.as_str()) { Outcome::Unclear } else { Outcome::Trouble };
            (outcome, format!("{KNOWN}, and refuses our authorization requests: {}", said(&error)))
        }
        None => (Outcome::Fine, KNOWN.to_owned()),
    }
}

/// A page in place of a redirect: a sign-in, a form that posts the answer, or an error that the provider shows to people.
fn page(settings: &ProviderSettings, status: u16, text: &str) -> (Outcome, String) {
    // Whatever the status: some give a form that posts an error the status of the error.
    let posted = WANTS_A_PERSON.into_iter().find(|error| text.contains(error));
    if let Some(error) = posted.filter(|_| text.contains(&settings.redirect_uri)) {
        return (Outcome::Fine, format!("it posts to our redirect URI, and wants somebody to sign in ({error})"));
    }
    let known = if status == 200 { hint_on_page(text) } else { hint(text, None) };
    if let Some(hint) = known {
        return (Outcome::Trouble, format!("it shows people an error (status {status}): {hint}"));
    }
    match status {
        400 | 401 => {
            let uri = &settings.redirect_uri;
            let answer = format!(
                "it refuses our authorization requests (status {status}): compare client_id, and register the redirect URI {uri}"
            );
            (Outcome::Trouble, answer)
        }
        200 => (Outcome::Unclear, silent("it shows a page", settings)),
        _ => (Outcome::Unclear, silent(&format!("status {status}"), settings)),
    }
}

fn silent(what: &str, settings: &ProviderSettings) -> String {
    format!("{what}: only a sign-in shows whether it knows the redirect URI {}", settings.redirect_uri)
}

/// The text of an address, with what its parameters have encoded: Google's error page has its error there.
fn hidden_in(target: &Url) -> String {
    let mut text = unescaped(target.path());
    for (_, value) in target.query_pairs() {
        let decoded = URL_SAFE_NO_PAD.decode(value.trim_end_matches('=').replace('+', "-").replace('/', "_"));
        text = format!("{text} {value} {}", String::from_utf8_lossy(&decoded.unwrap_or_default()));
    }
    text
}

/// The text with the entities that error messages have.
fn unescaped(text: &str) -> String {
    const ENTITIES: [(&str, &str); 7] = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#039;", "'"),
        ("&#x27;", "'"),
        ("&#x2F;", "/"),
        ("&amp;", "&"),
    ];
    ENTITIES.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}
