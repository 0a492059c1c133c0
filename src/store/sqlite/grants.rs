//! Operations on codes, grants, refresh tokens and consents: sealing and JSON on the caller's thread, then one transaction.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::audit::Event;
use crate::store::encoding::{columns, open_text};
use crate::store::ids::{GrantId, UserId};
use crate::store::model::{Code, Consent, Grant, RefreshToken, TokenHash};
use crate::store::rows::{CodeRow, GrantRow, RotationRows};
use crate::store::sqlite::codes;
use crate::store::sqlite::consents::{self, remember};
use crate::store::sqlite::refresh::{self, RotatedRow};
use crate::store::sqlite::rows::run;
use crate::store::sqlite::shared::Outcome;
use crate::store::sqlite::writer::Survives;
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{GrantView, Grants, Redeemed, Result, Rotated, Rotation, SessionView};

#[async_trait]
impl Grants for SqliteStore {
    async fn save_code(&self, code: Code, consent: Option<Consent>, now: i64) -> Result<()> {
        let row = CodeRow::new(code)?;
        self.write_passing(move |connection| row.save(connection, consent.as_ref(), now)).await
    }

    async fn code(&self, hash: TokenHash) -> Result<Option<(Code, Option<SessionView>)>> {
        self.read_recent(move |reader| {
            let Some(code) = codes::read(reader, hash)? else { return Ok(None) };
            let session = code.grant.sid.as_ref().map(|id| reader.session(sql::SESSION, [id])).transpose()?.flatten();
            let view = session.map(|session| reader.session_view(session)).transpose()?.flatten();
            Ok(Some((code, view)))
        })
        .await
    }

    async fn redeem_code(
        &self,
        hash: TokenHash,
        grant: Grant,
        first: Option<RefreshToken>,
        now: i64,
        events: Vec<Event>,
    ) -> Result<Redeemed> {
        let grant = GrantRow::new(grant)?;
        let events = self.event_rows(events);
        self.write(move |connection| {
            let redeemed = codes::redeem(connection, hash, &grant, first.as_ref(), now)?;
            if redeemed == Redeemed::First {
                events.append(connection)?;
            }
            Ok(redeemed)
        })
        .await
    }

    async fn save_grant(&self, grant: Grant, consent: Option<Consent>, now: i64, events: Vec<Event>) -> Result<()> {
        let row = GrantRow::new(grant)?;
        let events = self.event_rows(events);
        self.write(move |connection| {
            row.insert(connection, None)?;
            remember(connection, &row.grant, consent.as_ref(), now)?;
            events.append(connection)
        })
        .await
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<GrantView>> {
        let id = id.clone();
        self.read(move |reader| reader.grant_view(&id)).await
    }

    async fn revoke_grant(&self, id: &GrantId, now: i64, events: Vec<Event>) -> Result<()> {
        let id = id.clone();
        let events = self.event_rows(events);
        self.write(move |connection| {
            run(connection, sql::REVOKE_GRANT, (id, now))?;
            events.append(connection)
        })
        .await
    }

    async fn refresh_token(&self, hash: TokenHash) -> Result<Option<(RefreshToken, GrantView)>> {
        self.read(move |reader| {
            let Some(token) = refresh::read(reader, hash)? else { return Ok(None) };
            Ok(reader.grant_view(&token.grant_id)?.map(|grant| (token, grant)))
        })
        .await
    }

    async fn rotate_refresh(&self, mut rotation: Rotation, now: i64) -> Result<Rotated> {
        let parent = rotation.parent;
        let issued = self.event_rows(std::mem::take(&mut rotation.events));
        let reused = self.event_rows(std::mem::take(&mut rotation.reuse_events));
        let rows = RotationRows::new(&self.sealer, rotation)?;
        let rotate = move |connection: &Connection| {
            let outcome = rows.write(connection, now)?;
            Ok(match outcome {
                Outcome::Keep(RotatedRow::Reused) => {
                    reused.append(connection)?;
                    outcome
                }
                Outcome::Keep(RotatedRow::New) => {
                    issued.append(connection)?;
                    outcome
                }
                // Nothing was changed before, so that only the events stay.
                Outcome::Undo(replayed @ RotatedRow::Replayed(_)) => {
                    issued.append(connection)?;
                    Outcome::Keep(replayed)
                }
                outcome => outcome,
            })
        };
        let rotated = self.decide(Survives::PowerCut, rotate).await?;
        Ok(match rotated {
            RotatedRow::New => Rotated::New,
            RotatedRow::Replayed(sealed) => {
                Rotated::Replayed(open_text(&self.sealer, columns::SUCCESSOR, &parent.0, &sealed)?)
            }
            RotatedRow::Reused => Rotated::Reused,
            RotatedRow::Refused => Rotated::Refused,
        })
    }

    async fn consent(&self, user_id: &UserId, client: &str) -> Result<Option<Consent>> {
        let (user_id, client) = (user_id.clone(), client.to_owned());
        self.read(move |reader| consents::read(reader, &user_id, &client)).await
    }
}
