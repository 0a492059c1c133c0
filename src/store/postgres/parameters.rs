//! Records as parameters of functions, in the order in which the functions take them.

use crate::store::bounds::{GRANTS_OF_APP, NOTICES_OF_CLIENT, REFUSALS_OF_STRANGERS, REFUSALS_OF_USER, UNUSED_CODES};
use crate::store::encoding::json;
use crate::store::ids::SessionId;
use crate::store::model::{Consent, LinkKey, RefreshToken};
use crate::store::postgres::database::Parameter;
use crate::store::rows::{AccountRow, CodeRow, GrantRow, LinkRow, SessionRow, TraceRow};
use crate::store::{Result, StoreError, Tell};

/// What is absent.
pub(crate) const NO_TEXT: &Option<&str> = &None;
pub(crate) const NO_BYTES: &Option<&[u8]> = &None;
pub(crate) const NO_NUMBER: &Option<i64> = &None;

/// Bounds, as columns have them.
const MOST_CODES: i32 = bound(UNUSED_CODES);
const MOST_GRANTS: i32 = bound(GRANTS_OF_APP);
const MOST_NOTICES: i32 = bound(NOTICES_OF_CLIENT);
const MOST_OF_USER: i32 = bound(REFUSALS_OF_USER);
const MOST_OF_STRANGERS: i32 = bound(REFUSALS_OF_STRANGERS);

const fn bound(number: u32) -> i32 {
    number.cast_signed()
}

/// An account: `p_create` to `p_user_created`.
pub(crate) fn account(row: &AccountRow) -> [Parameter<'_>; 8] {
    match row {
        AccountRow::Create(user, profile) => {
            [&true, &user.id, &user.username, &user.username_key, &user.sub, profile, &user.disabled, &user.created_at]
        }
        AccountRow::Update(id, profile) => [&false, id, NO_TEXT, NO_TEXT, NO_TEXT, profile, &false, NO_NUMBER],
    }
}

/// The key of a link: provider, issuer, subject.
pub(crate) fn link_key(key: &LinkKey) -> [Parameter<'_>; 3] {
    [&key.provider, &key.issuer, &key.subject]
}

/// The key of a link that may be absent.
pub(crate) fn some_link_key(key: Option<&LinkKey>) -> [Parameter<'_>; 3] {
    key.map_or([NO_TEXT, NO_TEXT, NO_TEXT], link_key)
}

/// A link: `p_provider` to `p_link_created`.
pub(crate) fn link(row: &LinkRow) -> [Parameter<'_>; 9] {
    let link = &row.link;
    let [provider, issuer, subject] = link_key(&link.key);
    [
        provider,
        issuer,
        subject,
        &link.user_id,
        &row.claims,
        &link.claims_at,
        &link.verified_email,
        &row.refresh_token,
        &link.created_at,
    ]
}

/// A link that may be absent.
pub(crate) fn some_link(row: Option<&LinkRow>) -> [Parameter<'_>; 9] {
    let none: [Parameter<'_>; 9] =
        [NO_TEXT, NO_TEXT, NO_TEXT, NO_TEXT, NO_BYTES, NO_NUMBER, NO_TEXT, NO_BYTES, NO_NUMBER];
    row.map_or(none, link)
}

/// A session: `p_session` to `p_session_expires`.
pub(crate) fn session(row: &SessionRow) -> [Parameter<'_>; 13] {
    let session = &row.session;
    let [provider, issuer, subject] = link_key(&session.link);
    [
        &session.id,
        &row.secret,
        &session.user_id,
        provider,
        issuer,
        subject,
        &row.data,
        &session.upstream_sid,
        &row.upstream_id_token,
        &session.created_at,
        &session.last_active,
        &session.max_inactive,
        &session.expires_at,
    ]
}

/// A code, with the bound of its session.
pub(crate) fn code(row: &CodeRow) -> [Parameter<'_>; 8] {
    let (code, grant) = (&row.code, &row.code.grant);
    [&code.hash, &grant.id, &grant.client, &grant.sid, &grant.session_id, &row.data, &code.expires_at, &MOST_CODES]
}

/// A code that may be absent.
pub(crate) fn some_code(row: Option<&CodeRow>) -> [Parameter<'_>; 8] {
    let none: [Parameter<'_>; 8] = [NO_BYTES, NO_TEXT, NO_TEXT, NO_TEXT, NO_TEXT, NO_TEXT, NO_NUMBER, &MOST_CODES];
    row.map_or(none, code)
}

/// The session that a grant was made in.
pub(crate) fn made_in(row: &GrantRow) -> Option<&SessionId> {
    row.grant.session_id.as_ref().or(row.grant.sid.as_ref())
}

/// A grant, with the bound of its app in its session. `made_in` is the session that it was made in.
pub(crate) fn grant<'p>(row: &'p GrantRow, made_in: &'p Option<&'p SessionId>) -> [Parameter<'p>; 15] {
    let grant = &row.grant;
    let [provider, issuer, subject] = some_link_key(grant.link.as_ref());
    [
        &grant.id,
        &grant.client,
        &grant.user_id,
        provider,
        issuer,
        subject,
        &grant.session_id,
        made_in,
        &grant.sid,
        &row.data,
        &grant.dpop_jkt,
        &grant.created_at,
        &grant.revoked_at,
        &grant.expires_at,
        &MOST_GRANTS,
    ]
}

/// A refresh token that may be absent: its hash to the end of its family.
pub(crate) fn some_refresh(token: Option<&RefreshToken>) -> [Parameter<'_>; 6] {
    match token {
        None => [NO_BYTES, NO_TEXT, NO_NUMBER, NO_NUMBER, NO_NUMBER, NO_NUMBER],
        Some(token) => [
            &token.hash,
            &token.grant_id,
            &token.created_at,
            &token.used_at,
            &token.expires_at,
            &token.family_expires_at,
        ],
    }
}

/// The apps to tell of the end of a session, as functions take them.
pub(crate) struct TellRows<'t> {
    tell: &'t Tell,
    clients: Vec<&'t String>,
}

impl<'t> TellRows<'t> {
    pub(crate) fn of(tell: &'t Tell) -> Self {
        Self { tell, clients: tell.clients.iter().collect() }
    }

    /// `p_tell` to `p_most`.
    pub(crate) fn parameters(&self) -> [Parameter<'_>; 4] {
        [&self.clients, &self.tell.trace_id, &self.tell.held_until, &MOST_NOTICES]
    }
}

/// A decision: `p_trace` to `p_trace_expires`.
pub(crate) fn trace(row: &TraceRow) -> [Parameter<'_>; 6] {
    let trace = &row.trace;
    [&trace.id, &trace.user_id, &trace.client, &row.data, &trace.at, &trace.expires_at]
}

/// The bound for decisions without a sign-in that are like this one.
pub(crate) fn most_traces(row: &TraceRow) -> Parameter<'_> {
    if row.trace.user_id.is_some() { &MOST_OF_USER } else { &MOST_OF_STRANGERS }
}

/// The names that a decision is found by.
pub(crate) fn names(row: &TraceRow) -> Vec<&[u8]> {
    row.names.iter().map(<[u8; 8]>::as_slice).collect()
}

/// A consent in the form in which it is written.
pub(crate) struct ConsentRow {
    consent: Option<Consent>,
    scopes: String,
    claims: String,
}

impl ConsentRow {
    pub(crate) fn new(consent: Option<Consent>) -> Result<Self> {
        let text =
            |list: fn(&Consent) -> &Vec<String>| consent.as_ref().map_or(Ok(String::new()), |some| json(list(some)));
        let (scopes, claims) = (text(|consent| &consent.scopes)?, text(|consent| &consent.claims)?);
        Ok(Self { consent, scopes, claims })
    }

    /// Its user to its time.
    pub(crate) fn parameters(&self) -> [Parameter<'_>; 5] {
        match &self.consent {
            None => [NO_TEXT, NO_TEXT, NO_TEXT, NO_TEXT, NO_NUMBER],
            Some(consent) => [&consent.user_id, &consent.client, &self.scopes, &self.claims, &consent.granted_at],
        }
    }
}

/// What a function must have answered.
pub(crate) fn answered<T>(answer: Option<T>) -> Result<T> {
    answer.ok_or_else(|| StoreError::Corrupt("a function of the store gave no answer".to_owned()))
}
