//! The certificate grant (`urn:countersign:grant:certificate`): a user's client certificate is exchanged for tokens in one
//! request, without a browser.
//!
//! Owns which clients may use it, and what is written. There is no refresh token: the certificate itself gets the next access
//! token, for as long as it is valid.

use crate::audit::Kind;
use crate::config::language::client::Consent;
use crate::decision::account::AccountIds;
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::env::RandomUnavailable;
use crate::op::RequestContext;
use crate::op::callback::rows;
use crate::op::certificate;
use crate::op::certificate_withdrawn;
use crate::op::decide;
use crate::op::dpop;
use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::issue;
use crate::op::params::{Form, Params};
use crate::op::token::policy;
use crate::op::token::request::{TokenRequest, invalid_grant};
use crate::op::token::response::{Issue, TokenResponse, respond};
use crate::protocol::{CERTIFICATE_AMR, ErrorCode, GrantType};
use crate::snapshot::client::Client;
use crate::store::ids::{GrantId, UserId};
use crate::store::model::{Grant, Link, LinkKey, User};
use crate::store::{AccountView, CertificateGrant};
use crate::x509::Certificate;

/// How often a grant is decided anew when others take its username in between.
const ATTEMPTS: usize = 4;
/// Seconds after which the link of a certificate is marked as used again.
const MARKED_EVERY: i64 = 3600;

/// The parameters of this grant.
pub(super) struct CertificateForm<'p> {
    scope: Option<&'p str>,
    resources: Vec<String>,
}

impl<'p> Form<'p> for CertificateForm<'p> {
    fn read(params: &'p Params) -> Self {
        Self { scope: params.text("scope"), resources: params.all("resource") }
    }
}

/// Exchanges the certificate of the request for tokens of its user.
///
/// # Errors
/// `unauthorized_client` unless `certificates.clients` lists the client; `invalid_grant` when there is no valid certificate, or
/// the policy refuses; `invalid_target`, `consent_required`.
pub(super) async fn grant(request: &TokenRequest<'_>, form: CertificateForm<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { context, client, mut proof } = *request;
    if !client.may(GrantType::Certificate) {
        let text = "this client may not exchange certificates for tokens; see certificates.clients";
        return Err(OAuthError::new(ErrorCode::UnauthorizedClient, text));
    }
    let certificate = certificate::of_user(context, Some(&client.key)).await;
    let certificate = certificate.map_err(|unusable| invalid_grant(&unusable.to_string()))?;
    if !form.resources.iter().all(|uri| entitlement::may_reach(context, client, uri)) {
        return Err(OAuthError::new(ErrorCode::InvalidTarget, "this client may not ask for that resource"));
    }
    let asked = asked_scopes(form.scope);
    let new = AccountIds { id: UserId::random(context.random())?.as_str().to_owned(), sub: context.random().id()? };
    for _ in 0..ATTEMPTS {
        let key = certificate::link_key(&certificate.fingerprint());
        let (view, decision) = decided(request, certificate, (&key, &new), &asked).await?;
        let user = rows::account(context, rows::existing(&view, &decision), &decision);
        let grant = own_grant(context, client, (&user, &key), &decision, form.resources.clone())?;
        consented(context, client, &grant).await?;
        dpop::use_once(context, proof.take()).await?;
        let events = rows::events(request.event(Kind::SignIn, &grant, Some(&user)), &view, &decision);
        let issued = request.event(Kind::TokenIssued, &grant, Some(&user));
        let written = CertificateGrant {
            account: rows::write(&view, &decision, &user),
            link: link(context, certificate, &key, &view, (&user, &decision)),
            grant: grant.clone(),
            trace: decide::stored_trace(
                context,
                Some(user.id.clone()),
                Some(&client.key),
                &key.provider,
                &decision.trace,
            ),
            events: events.iter().chain([&issued]).cloned().collect(),
        };
        if context.store().grant_by_certificate(written).await? {
            context.announce(&events);
            let (scopes, resources) = (grant.scopes.as_slice(), grant.resources.as_slice());
            let user = Some((&user, &decision));
            return respond(
                request,
                Issue { grant: &grant, scopes, resources, user, refresh_token: None, event: issued },
            );
        }
    }
    Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, "too many sign-ins for this username at once; try again"))
}

/// The scopes asked for. `offline_access` is left out, and the response says so (RFC 6749 §3.3).
fn asked_scopes(asked: Option<&str>) -> Vec<String> {
    let asked = asked.unwrap_or_default().split_ascii_whitespace().filter(|scope| *scope != "offline_access");
    asked.map(str::to_owned).collect()
}

/// The policy's decision, with the accounts that it was made on.
async fn decided(
    request: &TokenRequest<'_>,
    certificate: &Certificate,
    (key, new): (&LinkKey, &AccountIds),
    scopes: &[String],
) -> Result<(AccountView, Decision), OAuthError> {
    let TokenRequest { context, client, .. } = *request;
    let amr = [CERTIFICATE_AMR.to_owned()];
    let app = AppRequest { client: &client.key, scopes, amr: &amr, ..AppRequest::default() };
    let evidence = Evidence {
        provider: &key.provider,
        issuer: Some(&key.issuer),
        subject: &key.subject,
        claims: certificate.facts(),
    };
    let mapped = match begin(&context.snapshot.policy, &evidence) {
        Ok(mapped) => mapped,
        Err(refusal) => return Err(policy::refused_sign_in(context, client, None, refusal).await?),
    };
    let query = decide::query(key.clone(), mapped.question());
    let mut view = context.store().accounts(query.clone()).await?;
    if certificate_withdrawn::detach(context, &view).await? {
        view = context.store().accounts(query).await?;
    }
    match mapped.decide(decide::facts(&view, new.clone()), Some(&app)) {
        Ok(decision) => Ok((view, decision)),
        Err(refusal) => {
            let user = view.linked.as_ref().map(|(user, _)| user);
            Err(policy::refused_sign_in(context, client, user, refusal).await?)
        }
    }
}

/// A grant that is bound to no session, and kept as long as its only tokens.
fn own_grant(
    context: &RequestContext<'_>,
    client: &Client,
    (user, key): (&User, &LinkKey),
    decision: &Decision,
    resources: Vec<String>,
) -> Result<Grant, RandomUnavailable> {
    let longest = issue::access_token_lifetime(context, client, &resources).max(client.tokens.id_token.seconds());
    Ok(Grant {
        id: GrantId::random(context.random())?,
        client: client.key.clone(),
        user_id: Some(user.id.clone()),
        link: Some(key.clone()),
        session_id: None,
        sid: None,
        scopes: decision.release.as_ref().map(|release| release.scopes.clone()).unwrap_or_default(),
        resources,
        nonce: None,
        claims_request: None,
        auth_time: Some(context.now),
        acr: None,
        amr: vec![CERTIFICATE_AMR.to_owned()],
        dpop_jkt: None,
        certificate: None,
        trace: Some(context.trace()),
        created_at: context.now,
        revoked_at: None,
        expires_at: context.now + longest,
    })
}

/// Checks that the user has consented in a browser before, if the client asks for consent: no page can ask here.
async fn consented(context: &RequestContext<'_>, client: &Client, grant: &Grant) -> Result<(), OAuthError> {
    let Some(user) = grant.user_id.as_ref().filter(|_| client.consent == Consent::Explicit) else { return Ok(()) };
    let remembered = context.store().consent(user, &client.key).await?;
    let scopes = remembered.map(|consent| consent.scopes).unwrap_or_default();
    if grant.scopes.iter().all(|scope| scopes.contains(scope)) && !scopes.is_empty() {
        return Ok(());
    }
    let text = "the user has not consented to this app; sign in to it once in a browser";
    Err(OAuthError::new(ErrorCode::ConsentRequired, text))
}

/// The link as it is to be written: a new one, or one that was last marked as used a while ago. `None` leaves it as it is.
fn link(
    context: &RequestContext<'_>,
    certificate: &Certificate,
    key: &LinkKey,
    view: &AccountView,
    (user, decision): (&User, &Decision),
) -> Option<Link> {
    let known = view.linked.as_ref().map(|(_, link)| link);
    if known.is_some_and(|link| (0..MARKED_EVERY).contains(&(context.now - link.claims_at))) {
        return None;
    }
    let attached = certificate::attached_by(known, decision.account.linked_by);
    Some(Link {
        key: key.clone(),
        user_id: user.id.clone(),
        claims: certificate::kept(certificate.facts(), attached),
        claims_at: context.now,
        verified_email: None,
        refresh_token: None,
        created_at: known.map_or(context.now, |link| link.created_at),
    })
}
