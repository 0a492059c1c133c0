//! Records in the form in which every backend writes them: sealed and encoded before the transaction begins, so that it only
//! has to write them.

use serde_json::{Map, Value};

use crate::store::bounds::REFUSED;
use crate::store::encoding::{columns, json, link_row, once_key, seal_json, seal_text};
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Code, Grant, Link, LinkKey, Session, StoredTrace, TokenHash, User};
use crate::store::seal::{IndexKey, Sealer};
use crate::store::{AccountWrite, ChangedClaims, EndOnce, Result, Rotation, SignIn, Tell};

/// A finished sign-in, without its events.
pub(crate) struct SignInRows {
    pub(crate) account: AccountRow,
    pub(crate) only_here: bool,
    pub(crate) link: LinkRow,
    pub(crate) system_roles: Vec<String>,
    pub(crate) session: SessionRow,
    pub(crate) replaces: Option<SessionId>,
    pub(crate) code: Option<CodeRow>,
    pub(crate) trace: TraceRow,
    pub(crate) tell: Tell,
}

impl SignInRows {
    pub(crate) fn new(sealer: &Sealer, sign_in: SignIn) -> Result<Self> {
        Ok(Self {
            account: AccountRow::new(sealer, sign_in.account)?,
            only_here: sign_in.only_here,
            link: LinkRow::new(sealer, sign_in.link)?,
            system_roles: sign_in.system_roles,
            session: SessionRow::new(sealer, sign_in.session, sign_in.session_secret)?,
            replaces: sign_in.replaces,
            code: sign_in.code.map(CodeRow::new).transpose()?,
            trace: TraceRow::new(sealer, sign_in.trace)?,
            tell: sign_in.tell,
        })
    }
}

/// An account as it is written.
pub(crate) enum AccountRow {
    Create(User, Vec<u8>),
    Update(UserId, Option<Vec<u8>>),
}

impl AccountRow {
    pub(crate) fn new(sealer: &Sealer, account: AccountWrite) -> Result<Self> {
        Ok(match account {
            AccountWrite::Create(user) => {
                let profile = seal_profile(sealer, &user.id, &user.profile)?;
                Self::Create(user, profile)
            }
            AccountWrite::Update { user_id, profile } => {
                let profile = profile.map(|profile| seal_profile(sealer, &user_id, &profile)).transpose()?;
                Self::Update(user_id, profile)
            }
        })
    }
}

/// A user's attributes, sealed.
pub(crate) fn seal_profile(sealer: &Sealer, user_id: &UserId, profile: &Map<String, Value>) -> Result<Vec<u8>> {
    seal_json(sealer, columns::PROFILE, user_id.as_str().as_bytes(), profile)
}

/// A link in the form in which it is written.
pub(crate) struct LinkRow {
    pub(crate) link: Link,
    pub(crate) claims: Vec<u8>,
    pub(crate) refresh_token: Option<Vec<u8>>,
}

impl LinkRow {
    pub(crate) fn new(sealer: &Sealer, link: Link) -> Result<Self> {
        let row = link_row(&link.key);
        Ok(Self {
            claims: seal_json(sealer, columns::CLAIMS, &row, &link.claims)?,
            refresh_token: seal_text(sealer, columns::UPSTREAM_REFRESH, &row, link.refresh_token.as_deref())?,
            link,
        })
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }
}

/// A session in the form in which it is written.
pub(crate) struct SessionRow {
    pub(crate) session: Session,
    pub(crate) secret: TokenHash,
    pub(crate) data: String,
    pub(crate) upstream_id_token: Option<Vec<u8>>,
}

impl SessionRow {
    pub(crate) fn new(sealer: &Sealer, mut session: Session, secret: TokenHash) -> Result<Self> {
        let token = session.upstream_id_token.take();
        let row = session.id.as_str().as_bytes();
        Ok(Self {
            upstream_id_token: seal_text(sealer, columns::UPSTREAM_ID_TOKEN, row, token.as_deref())?,
            data: json(&session)?,
            secret,
            session,
        })
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.session.id
    }

    pub(crate) fn user_id(&self) -> &UserId {
        &self.session.user_id
    }

    pub(crate) fn link(&self) -> &LinkKey {
        &self.session.link
    }

    pub(crate) fn expires_at(&self) -> i64 {
        self.session.expires_at
    }
}

/// A code in the form in which it is written.
pub(crate) struct CodeRow {
    pub(crate) code: Code,
    pub(crate) data: String,
}

impl CodeRow {
    pub(crate) fn new(code: Code) -> Result<Self> {
        Ok(Self { data: json(&code)?, code })
    }
}

/// A grant in the form in which it is written.
pub(crate) struct GrantRow {
    /// The grant.
    pub(crate) grant: Grant,
    pub(crate) data: String,
}

impl GrantRow {
    pub(crate) fn new(grant: Grant) -> Result<Self> {
        Ok(Self { data: json(&grant)?, grant })
    }
}

/// A decision in the form in which it is written.
pub(crate) struct TraceRow {
    pub(crate) trace: StoredTrace,
    pub(crate) data: Vec<u8>,
    /// What it is found by.
    pub(crate) names: Vec<IndexKey>,
}

impl TraceRow {
    pub(crate) fn new(sealer: &Sealer, trace: StoredTrace) -> Result<Self> {
        let names = trace.names.iter().filter_map(|name| sealer.index_key(REFUSED, &name.to_lowercase())).collect();
        Ok(Self { names, data: sealer.seal(columns::TRACE, trace.id.as_bytes(), trace.data.as_bytes())?, trace })
    }
}

/// A [`Rotation`] with its sealed values.
pub(crate) struct RotationRows {
    pub(crate) rotation: Rotation,
    pub(crate) successor: Option<Vec<u8>>,
    pub(crate) link: Option<LinkRow>,
    pub(crate) profile: Option<(UserId, Vec<u8>)>,
}

impl RotationRows {
    pub(crate) fn new(sealer: &Sealer, mut rotation: Rotation) -> Result<Self> {
        let successor = match &rotation.successor {
            Some((_, token)) if rotation.grace > 0 => {
                Some(sealer.seal(columns::SUCCESSOR, &rotation.parent.0, token.as_bytes())?)
            }
            _ => None,
        };
        let link = rotation.link.take().map(|link| LinkRow::new(sealer, link)).transpose()?;
        let profile = match rotation.profile.take() {
            Some((id, profile)) => {
                let sealed = seal_profile(sealer, &id, &profile)?;
                Some((id, sealed))
            }
            None => None,
        };
        Ok(Self { rotation, successor, link, profile })
    }
}

/// What ends because a provider says so, in the form in which it is written.
pub(crate) struct EndRows {
    pub(crate) end: EndOnce,
    /// The stored form of the one-time identifier.
    pub(crate) key: [u8; 32],
    /// The claims of each changed link.
    pub(crate) claims: Vec<Vec<u8>>,
}

impl EndRows {
    pub(crate) fn new(sealer: &Sealer, end: EndOnce) -> Result<Self> {
        let seal =
            |changed: &ChangedClaims| seal_json(sealer, columns::CLAIMS, &link_row(&changed.key), &changed.claims);
        let claims = end.claims.iter().map(seal).collect::<Result<_>>()?;
        Ok(Self { key: once_key(end.once.0, &end.once.1), claims, end })
    }
}
