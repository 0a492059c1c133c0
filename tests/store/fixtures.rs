//! Records to store: small, valid, and distinguished by a number or a name.

use countersign::audit::{Event, Identify, Kind};
use countersign::store::ids::{GrantId, SessionId, UserId};
use countersign::store::model::{
    Code, Consent, Device, Grant, Interaction, KeyState, Link, LinkKey, Login, RefreshToken, Session, SigningKey,
    StoredTrace, TokenHash, User,
};
use countersign::store::{AccountWrite, PendingBound, Rotated, Rotation, SignIn, SignInWritten, Store, Tell};
use serde_json::{Map, Value, json};

/// The time at which the tests begin.
pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) fn grant_id(id: &str) -> GrantId {
    GrantId::new(id)
}

pub(crate) fn session_id(id: &str) -> SessionId {
    SessionId::new(id)
}

/// Everything that belongs to one person's sign-in, named `name`.
pub(crate) struct Person {
    pub(crate) name: String,
}

pub(crate) fn person(name: impl Into<String>) -> Person {
    Person { name: name.into() }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

impl Person {
    pub(crate) fn user_id(&self) -> UserId {
        UserId::new(format!("user-{}", self.name))
    }

    pub(crate) fn user(&self) -> User {
        User {
            id: self.user_id(),
            username: self.name.clone(),
            username_key: format!("key-{}", self.name),
            sub: format!("sub-{}", self.name),
            profile: object(json!({ "name": self.name, "groups": ["a", "b"], "canary": "CANARY-profile" })),
            disabled: false,
            created_at: NOW,
        }
    }

    pub(crate) fn key(&self) -> LinkKey {
        LinkKey {
            provider: "corp".to_owned(),
            issuer: "https://idp.example".to_owned(),
            subject: format!("upstream-{}", self.name),
        }
    }

    pub(crate) fn link(&self) -> Link {
        Link {
            key: self.key(),
            user_id: self.user_id(),
            claims: object(json!({ "sub": self.name, "groups": ["x", "y"], "canary": "CANARY-claims" })),
            claims_at: NOW,
            verified_email: Some(format!("{}@example.org", self.name)),
            refresh_token: Some("CANARY-upstream-refresh".to_owned()),
            created_at: NOW,
        }
    }

    pub(crate) fn session(&self, id: &str) -> Session {
        Session {
            id: session_id(id),
            user_id: self.user_id(),
            link: self.key(),
            auth_time: Some(NOW),
            acr: Some("urn:example:mfa".to_owned()),
            amr: vec!["pwd".to_owned(), "otp".to_owned()],
            upstream_id_token: Some("CANARY-id-token".to_owned()),
            upstream_sid: Some("upstream-sid".to_owned()),
            device: Device::default(),
            created_at: NOW,
            last_active: NOW,
            max_inactive: 1800,
            expires_at: NOW + 43_200,
        }
    }

    /// A grant that ends with `session`.
    pub(crate) fn grant(&self, id: &str, session: &str) -> Grant {
        Grant {
            id: grant_id(id),
            client: "app".to_owned(),
            user_id: Some(self.user_id()),
            link: Some(self.key()),
            session_id: Some(session_id(session)),
            sid: Some(session_id(session)),
            scopes: vec!["openid".to_owned(), "profile".to_owned()],
            resources: vec!["https://api.example".to_owned()],
            nonce: Some("n-0S6_WzA2Mj".to_owned()),
            claims_request: Some(json!({ "id_token": { "acr": { "essential": true } } })),
            auth_time: Some(NOW),
            acr: Some("urn:example:mfa".to_owned()),
            amr: vec!["pwd".to_owned()],
            dpop_jkt: None,
            certificate: None,
            trace: None,
            created_at: NOW,
            revoked_at: None,
            expires_at: NOW + 100_000,
        }
    }

    /// A grant with `offline_access`, issued in `session`.
    pub(crate) fn offline_grant(&self, id: &str, session: &str) -> Grant {
        Grant { session_id: None, client: "offline-app".to_owned(), ..self.grant(id, session) }
    }

    pub(crate) fn sign_in(&self, session: &str) -> SignIn {
        SignIn {
            account: AccountWrite::Create(self.user()),
            only_here: false,
            link: self.link(),
            system_roles: vec!["staff".to_owned()],
            session: self.session(session),
            session_secret: secret(session),
            replaces: None,
            code: None,
            trace: trace(&format!("trace-{session}")),
            events: vec![self.event(Kind::SignIn)],
            tell: Tell::default(),
        }
    }

    /// A further sign-in of an existing account.
    pub(crate) fn sign_in_again(&self, session: &str) -> SignIn {
        let account = AccountWrite::Update { user_id: self.user_id(), profile: Some(self.user().profile) };
        SignIn { account, ..self.sign_in(session) }
    }

    pub(crate) fn event(&self, kind: Kind) -> Event {
        let person = countersign::audit::Person {
            account: &format!("user-{}", self.name),
            username: &self.name,
            sub: &format!("sub-{}", self.name),
        };
        Event::new(kind, NOW, Identify::Username).about(person).client("app").provider("corp")
    }

    pub(crate) fn consent(&self) -> Consent {
        let scopes = vec!["openid".to_owned()];
        Consent { user_id: self.user_id(), client: "app".to_owned(), scopes, claims: Vec::new(), granted_at: NOW }
    }
}

/// What an administrator did.
pub(crate) fn event() -> Event {
    Event::new(Kind::AdminAction, NOW, Identify::Username)
}

/// Hash of a session's secret.
pub(crate) fn secret(session: &str) -> TokenHash {
    TokenHash::of(&format!("secret-{session}"))
}

/// Hash of the secret that sign-ins and requests are bound by.
pub(crate) fn browser() -> TokenHash {
    TokenHash::of("browser")
}

pub(crate) fn login(state: &str) -> Login {
    Login {
        state: TokenHash::of(state),
        browser: browser(),
        data: json!({ "nonce": "n", "canary": "CANARY-login" }).to_string(),
        expires_at: NOW + 600,
    }
}

pub(crate) fn interaction(id: &str) -> Interaction {
    Interaction {
        id: TokenHash::of(id),
        browser: browser(),
        data: json!({ "client": "app", "canary": "CANARY-interaction" }).to_string(),
        expires_at: NOW + 600,
    }
}

pub(crate) fn code(code: &str, grant: Grant) -> Code {
    Code {
        hash: TokenHash::of(code),
        grant,
        redirect_uri: "https://app.example/callback".to_owned(),
        code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        dpop_jkt: None,
        used_at: None,
        expires_at: NOW + 60,
    }
}

pub(crate) fn refresh(token: &str, grant: &str) -> RefreshToken {
    RefreshToken {
        hash: TokenHash::of(token),
        grant_id: grant_id(grant),
        created_at: NOW,
        used_at: None,
        expires_at: NOW + 50_000,
        family_expires_at: NOW + 100_000,
    }
}

/// `parent` exchanged for `successor`, with a grace period of 10 seconds.
pub(crate) fn rotation(parent: &str, successor: &str, grant: &str) -> Rotation {
    Rotation {
        parent: TokenHash::of(parent),
        successor: Some((refresh(successor, grant), successor.to_owned())),
        keep_until: 0,
        grace: 10,
        link: None,
        touch_session: None,
        profile: None,
        dpop_jkt: None,
        grant_expires_at: NOW + 100_000,
        events: vec![event()],
        reuse_events: vec![event()],
    }
}

pub(crate) fn trace(id: &str) -> StoredTrace {
    StoredTrace {
        id: id.to_owned(),
        names: Vec::new(),
        user_id: Some(UserId::new("user")),
        client: Some("app".to_owned()),
        data: json!({ "steps": ["allow", "create"], "canary": "CANARY-trace" }).to_string(),
        at: NOW,
        expires_at: NOW + 86_400,
    }
}

pub(crate) fn signing_key(kid: &str, state: KeyState) -> SigningKey {
    SigningKey {
        kid: kid.to_owned(),
        algorithm: "ES256".to_owned(),
        private: b"CANARY-private-key".to_vec(),
        state,
        created_at: NOW,
        activated_at: Some(NOW),
        retired_at: None,
    }
}

/// Stores one row in every table that has a sealed column.
pub(crate) async fn fill(store: &dyn Store) {
    let alice = person("alice");
    assert_eq!(store.finish_sign_in(alice.sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
    store.save_login(login("state"), PendingBound::default()).await.unwrap();
    store.save_interaction(interaction("interaction"), PendingBound::default()).await.unwrap();
    let grant = alice.grant("g", "s");
    store.save_code(code("CANARY-code", grant.clone()), Some(alice.consent()), NOW).await.unwrap();
    let first = refresh("CANARY-refresh-0", "g");
    store.redeem_code(TokenHash::of("CANARY-code"), grant, Some(first), NOW, Vec::new()).await.unwrap();
    let turn = rotation("CANARY-refresh-0", "CANARY-refresh-1", "g");
    assert_eq!(store.rotate_refresh(turn, NOW).await.unwrap(), Rotated::New);
    store.replace_signing_keys(Vec::new(), vec![signing_key("k", KeyState::Current)]).await.unwrap();
    store.use_once("jti", "CANARY-jti", NOW + 60, NOW).await.unwrap();
}
