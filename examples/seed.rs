//! Fills the store of a configuration with people and with expired rows, to try `plan`, `explain`, `audit query`, sweeping and
//! backups at the size of a large organisation: `cargo run --release --example seed -- broker.toml 100000 1000000`.
//!
//! Each person has an account that is linked at the first provider of the file, claims with one of ten groups, a session, the
//! trace of a sign-in and its event. The expired rows are sessions, codes and traces of sign-ins of the same people a year ago;
//! with `swept` as the last argument they are deleted again, as the broker would do.
//! The broker must not be running.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::ops::Range;
use std::sync::Arc;

use countersign::audit::{Event, Identify, Kind, Person};
use countersign::cli::{environment, store};
use countersign::config::load::Inputs;
use countersign::config::load::files::Disk;
use countersign::env::{Clock as _, SystemClock, SystemRandomness};
use countersign::snapshot::generation::{Options, prepare};
use countersign::store::ids::{GrantId, SessionId, UserId};
use countersign::store::model::{Code, Device, Grant, Link, LinkKey, Session, StoredTrace, TokenHash, User};
use countersign::store::{AccountWrite, SignIn, Store, Tell};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// How many sign-ins are under way at a time.
const AT_ONCE: usize = 64;
/// How many rows an expired sign-in leaves.
const EXPIRED_ROWS: usize = 3;
/// How many rows are deleted, or events indexed, at a time.
const BATCH: u32 = 5_000;
/// Seconds.
const YEAR: i64 = 365 * 86_400;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let usage = "usage: seed FILE PEOPLE [EXPIRED_ROWS [swept]]";
    let file = args.next().ok_or(usage)?;
    let people: usize = args.next().ok_or(usage)?.parse()?;
    let expired: usize = args.next().map_or(Ok(0), |text| text.parse())?;
    let swept = args.next().map_or(Ok(false), |text| if text == "swept" { Ok(true) } else { Err(usage) })?;
    fill(&file, 0..people, expired).await?;
    if swept {
        sweep(&file).await?;
    }
    let what = if swept { "swept rows" } else { "expired rows" };
    println!("{people} people: person-0 to person-{}; {expired} {what}", people.saturating_sub(1));
    Ok(())
}

/// The store of a configuration, with its first provider and that one's issuer.
async fn open(file: &str) -> Result<(Arc<dyn Store>, String, String), Failure> {
    let inputs = Inputs { main: file.into(), overlays: Vec::new(), environment: environment() };
    let now = SystemClock.now();
    let prepared = prepare(&inputs, &Disk, Options { number: 1, without_secrets: true, now })?;
    let snapshot = prepared.snapshot.ok_or("the file has problems: `countersign check` shows them")?;
    let provider = snapshot.providers.keys().next().ok_or("the file has no provider")?.clone();
    let issuer = snapshot.policy.providers.get(&provider).map(|provider| provider.issuer.clone()).unwrap_or_default();
    let random = Arc::new(SystemRandomness::default());
    Ok((store::open(&snapshot, &prepared.encryption_keys, random).await?, provider, issuer))
}

/// Deletes the expired rows from the store of a configuration.
pub(crate) async fn sweep(file: &str) -> Result<(), Failure> {
    let (store, ..) = open(file).await?;
    while store.sweep(SystemClock.now(), BATCH).await? {}
    Ok(())
}

/// Adds the people with these numbers, and at least as many expired rows, to the store of a configuration.
pub(crate) async fn fill(file: &str, people: Range<usize>, expired: usize) -> Result<(), Failure> {
    let (store, provider, issuer) = open(file).await?;
    let now = SystemClock.now();
    let link = |n| LinkKey { provider: provider.clone(), issuer: issuer.clone(), subject: format!("upstream-{n}") };
    let attempts = expired.div_ceil(EXPIRED_ROWS);
    let of_old = (0..attempts).map(|n| (expired_sign_in(n, link(n % people.end.max(1)), now - YEAR), now - YEAR));
    let of_today = people.clone().map(|n| (sign_in(n, link(n), now), now));
    let mut tasks = tokio::task::JoinSet::new();
    for (sign_in, at) in of_today.chain(of_old) {
        if tasks.len() >= AT_ONCE {
            tasks.join_next().await.ok_or("no task")???;
        }
        let store = Arc::clone(&store);
        tasks
            .spawn(async move { store.finish_sign_in(sign_in, at).await.map(drop).map_err(|error| error.to_string()) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    // At this time nothing is expired: this only indexes the events, as the broker does now and then.
    while store.sweep(now - 2 * YEAR, BATCH).await? {}
    // Whoever sweeps next need not wait for this process.
    store.give_back_leases().await?;
    Ok(())
}

/// A sign-in of a person whose session, code and trace are expired: [`EXPIRED_ROWS`] rows.
fn expired_sign_in(n: usize, key: LinkKey, at: i64) -> SignIn {
    let person = key.subject.trim_start_matches("upstream-").parse().unwrap_or_default();
    let mut sign_in = sign_in(person, key, at);
    let AccountWrite::Create(user) = &sign_in.account else { return sign_in };
    let user_id = user.id.clone();
    sign_in.session.id = SessionId::new(format!("expired-session-{n}"));
    sign_in.session_secret = TokenHash::of(&format!("expired-secret-{n}"));
    sign_in.trace.id = format!("E{n:09}");
    sign_in.trace.expires_at = at + 3_600;
    sign_in.events = Vec::new();
    let grant = Grant {
        id: GrantId::new(format!("expired-grant-{n}")),
        client: "app".to_owned(),
        user_id: Some(user_id.clone()),
        link: Some(sign_in.link.key.clone()),
        session_id: Some(sign_in.session.id.clone()),
        sid: Some(sign_in.session.id.clone()),
        scopes: vec!["openid".to_owned()],
        resources: Vec::new(),
        nonce: None,
        claims_request: None,
        auth_time: Some(at),
        acr: None,
        amr: Vec::new(),
        dpop_jkt: None,
        certificate: None,
        trace: None,
        created_at: at,
        revoked_at: None,
        expires_at: at + 3_600,
    };
    sign_in.code = Some(Code {
        hash: TokenHash::of(&format!("expired-code-{n}")),
        grant,
        redirect_uri: "https://app.example/callback".to_owned(),
        code_challenge: None,
        dpop_jkt: None,
        used_at: None,
        expires_at: at + 60,
    });
    sign_in.account = AccountWrite::Update { user_id, profile: None };
    sign_in
}

/// The first sign-in of a person.
fn sign_in(n: usize, key: LinkKey, now: i64) -> SignIn {
    let name = format!("person-{n}");
    let address = format!("{name}@example.com");
    let claims = json!({
        "sub": key.subject, "preferred_username": name, "name": format!("Person {n}"), "email": address,
        "email_verified": true, "groups": [format!("group-{}", n % 10), "everyone"],
    });
    let claims = claims.as_object().cloned().unwrap_or_default();
    let user = User {
        id: UserId::new(format!("seeded-{n}")),
        username: name.clone(),
        username_key: name.clone(),
        sub: format!("seeded-sub-{n}"),
        profile: claims.clone(),
        disabled: false,
        created_at: now,
    };
    let session = Session {
        id: SessionId::new(format!("seeded-session-{n}")),
        user_id: user.id.clone(),
        link: key.clone(),
        auth_time: Some(now),
        acr: None,
        amr: Vec::new(),
        upstream_id_token: None,
        upstream_sid: None,
        device: Device::default(),
        created_at: now,
        last_active: now,
        max_inactive: 1_800,
        expires_at: now + 43_200,
    };
    let trace = StoredTrace {
        id: format!("S{n:09}"),
        names: Vec::new(),
        user_id: Some(user.id.clone()),
        client: None,
        data: json!({ "steps": [], "refused": null, "provider": key.provider }).to_string(),
        at: now,
        expires_at: now + 2_592_000,
    };
    let about = Person { account: user.id.as_str(), username: &name, sub: &user.sub };
    let event = Event::new(Kind::SignIn, now, Identify::Username).about(about).provider(&key.provider);
    let event = event.trace_id(&trace.id);
    let link = Link {
        key,
        user_id: user.id.clone(),
        claims,
        claims_at: now,
        verified_email: Some(address),
        refresh_token: None,
        created_at: now,
    };
    SignIn {
        account: AccountWrite::Create(user),
        only_here: false,
        link,
        system_roles: Vec::new(),
        session,
        session_secret: TokenHash::of(&name),
        replaces: None,
        code: None,
        trace,
        events: vec![event],
        tell: Tell::default(),
    }
}
