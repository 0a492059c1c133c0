//! Codes, grants, refresh tokens and consents.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::encoding::{columns, open_text, parse};
use crate::store::ids::{GrantId, UserId};
use crate::store::model::{Code, Consent, Grant, RefreshToken, TokenHash};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::error::Fate;
use crate::store::postgres::parameters::{self, ConsentRow, answered, made_in};
use crate::store::postgres::rows::{
    Cells, consent, grant_columns, grant_view, grant_view_of, link_columns, session_columns, session_view,
    user_columns, value,
};
use crate::store::rows::{CodeRow, GrantRow, RotationRows};
use crate::store::{GrantView, Grants, Redeemed, Result, Rotated, Rotation, SessionView, StoreError};

const CODE: &str = concat!(
    "SELECT c.data, c.used_at, c.sid, c.session_id, ",
    session_view!(),
    " FROM codes c LEFT JOIN sessions s ON s.id = c.sid LEFT JOIN users u ON u.id = s.user_id
    LEFT JOIN links l ON l.subject = s.subject AND l.issuer = s.issuer AND l.provider = s.provider WHERE c.hash = $1"
);
const GRANT: &str = concat!("SELECT ", grant_view!(), grant_view_of!("grants g"), " WHERE g.id = $1");
const REFRESH_TOKEN: &str = concat!(
    "SELECT t.grant_id, t.created_at, t.used_at, t.expires_at, t.family_expires_at, ",
    grant_view!(),
    grant_view_of!("refresh_tokens t JOIN grants g ON g.id = t.grant_id"),
    " WHERE t.hash = $1"
);
const CONSENT: &str = "SELECT client, scopes, claims, granted_at FROM consents WHERE user_id = $1 AND client = $2";

#[async_trait]
impl Grants for PostgresStore {
    async fn save_code(&self, code: Code, consent: Option<Consent>, now: i64) -> Result<()> {
        let (row, consent) = (CodeRow::new(code)?, ConsentRow::new(consent)?);
        let mut all: Vec<Parameter<'_>> = parameters::code(&row).to_vec();
        all.push(&now);
        all.extend(consent.parameters());
        self.call("save_code", &all, Repeat::Never).await.map(drop)
    }

    async fn code(&self, hash: TokenHash) -> Result<Option<(Code, Option<SessionView>)>> {
        let Some(row) = self.read_one(CODE, &[&hash]).await? else { return Ok(None) };
        let mut cells = Cells::of(&row);
        let mut code: Code = parse("codes.data", cells.next::<&str>()?.as_bytes())?;
        code.used_at = cells.next()?;
        code.grant.sid = cells.next()?;
        code.grant.session_id = cells.next()?;
        Ok(Some((code, self.reader().session_view(&mut cells)?)))
    }

    async fn redeem_code(
        &self,
        hash: TokenHash,
        grant: Grant,
        refresh: Option<RefreshToken>,
        now: i64,
        events: Vec<Event>,
    ) -> Result<Redeemed> {
        let (row, events) = (GrantRow::new(grant)?, self.events(&events)?);
        let made_in = made_in(&row);
        let redeem = async |again: bool| {
            let mut all: Vec<Parameter<'_>> = vec![&hash, &now, &again];
            all.extend(parameters::grant(&row, &made_in));
            all.extend(parameters::some_refresh(refresh.as_ref()));
            all.extend(events.parameters());
            self.try_call("redeem_code", &all, Repeat::Never).await
        };
        let answer = match redeem(false).await {
            Err(failure) if failure.fate == Fate::Unknown => redeem(true).await,
            answer => answer,
        };
        let first = answered(value(&answer.map_err(|failure| self.at_place(failure))?)?)?;
        Ok(if first { Redeemed::First } else { Redeemed::Refused })
    }

    async fn save_grant(&self, grant: Grant, consent: Option<Consent>, now: i64, events: Vec<Event>) -> Result<()> {
        let (row, consent, events) = (GrantRow::new(grant)?, ConsentRow::new(consent)?, self.events(&events)?);
        let made_in = made_in(&row);
        let mut all: Vec<Parameter<'_>> = parameters::grant(&row, &made_in).to_vec();
        all.push(&now);
        all.extend(consent.parameters());
        all.extend(events.parameters());
        self.call("save_grant", &all, Repeat::Never).await.map(drop)
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<GrantView>> {
        let row = self.read_one(GRANT, &[id]).await?;
        row.map(|row| self.reader().grant_view(&mut Cells::of(&row))).transpose()
    }

    async fn revoke_grant(&self, id: &GrantId, now: i64, events: Vec<Event>) -> Result<()> {
        let events = self.events(&events)?;
        let [ids, data] = events.parameters();
        self.call("revoke_grant", &[id, &now, ids, data], Repeat::Never).await.map(drop)
    }

    async fn refresh_token(&self, hash: TokenHash) -> Result<Option<(RefreshToken, GrantView)>> {
        let Some(row) = self.read_one(REFRESH_TOKEN, &[&hash]).await? else { return Ok(None) };
        let mut cells = Cells::of(&row);
        let (grant_id, created_at, used_at) = (cells.next()?, cells.next()?, cells.next()?);
        let (expires_at, family_expires_at) = (cells.next()?, cells.next()?);
        let token = RefreshToken { hash, grant_id, created_at, used_at, expires_at, family_expires_at };
        Ok(Some((token, self.reader().grant_view(&mut cells)?)))
    }

    async fn rotate_refresh(&self, mut rotation: Rotation, now: i64) -> Result<Rotated> {
        let issued = self.events(&std::mem::take(&mut rotation.events))?;
        let reused = self.events(&std::mem::take(&mut rotation.reuse_events))?;
        let rows = RotationRows::new(&self.sealer, rotation)?;
        let rotate = async |again: bool| {
            let mut all = rotation_parameters(&rows, &now, &again);
            all.extend(issued.parameters());
            all.extend(reused.parameters());
            self.try_call("rotate_refresh", &all, Repeat::Never).await
        };
        let answer = match rotate(false).await {
            // Without a successor, a second time changes nothing more.
            Err(failure) if failure.fate == Fate::Unknown => rotate(true).await,
            answer => answer,
        };
        let answer = match answer {
            Ok(rows) => rows,
            Err(failure) if matches!(failure.fate, Fate::Refused(_)) => return Ok(Rotated::Refused),
            Err(failure) => return Err(self.at_place(failure)),
        };
        let mut cells = Cells::of(answered(answer.first())?);
        let (outcome, sealed): (&str, Option<&[u8]>) = (cells.next()?, cells.next()?);
        Ok(match (outcome, sealed) {
            ("new", _) => Rotated::New,
            ("replayed", Some(sealed)) => {
                let parent = &rows.rotation.parent.0;
                Rotated::Replayed(open_text(&self.sealer, columns::SUCCESSOR, parent, sealed)?)
            }
            ("reused", _) => Rotated::Reused,
            ("refused", _) => Rotated::Refused,
            (other, _) => return Err(StoreError::Corrupt(format!("this version does not know the outcome `{other}`"))),
        })
    }

    async fn consent(&self, user_id: &UserId, client: &str) -> Result<Option<Consent>> {
        let row = self.read_one(CONSENT, &[user_id, &client]).await?;
        row.map(|row| consent(user_id, &row)).transpose()
    }
}

/// A rotation, without its events.
fn rotation_parameters<'p>(rows: &'p RotationRows, now: &'p i64, again: &'p bool) -> Vec<Parameter<'p>> {
    let rotation = &rows.rotation;
    let mut all: Vec<Parameter<'p>> = vec![&rotation.parent, now, again, &rotation.grace];
    all.extend(parameters::some_refresh(rotation.successor.as_ref().map(|(token, _)| token)));
    all.push(&rows.successor);
    all.push(&rotation.keep_until);
    let has_link: Parameter<'p> = if rows.link.is_some() { &true } else { &false };
    all.push(has_link);
    let [provider, issuer, subject, _, claims, claims_at, email, refresh, _] =
        parameters::some_link(rows.link.as_ref());
    all.extend([provider, issuer, subject, claims, claims_at, email, refresh]);
    all.push(&rotation.touch_session);
    match &rows.profile {
        Some((id, profile)) => all.extend([id as Parameter<'p>, profile]),
        None => all.extend([parameters::NO_TEXT as Parameter<'p>, parameters::NO_BYTES]),
    }
    all.push(&rotation.dpop_jkt);
    all.push(&rotation.grant_expires_at);
    all
}
