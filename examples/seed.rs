//! Fills the store of a configuration with people, to try `plan`, `explain`, `audit query` and backups at the size of a large
//! organisation: `cargo run --release --example seed -- broker.toml 100000`.
//!
//! Each has an account that is linked at the first provider of the file, claims with one of ten groups, a session, the trace of
//! a sign-in and its event. The broker must not be running.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::sync::Arc;

use countersign::audit::{Event, Identify, Kind, Person};
use countersign::cli::environment;
use countersign::config::load::Inputs;
use countersign::config::load::files::Disk;
use countersign::env::{Clock as _, SystemClock, SystemRandomness};
use countersign::snapshot::generation::{Options, prepare};
use countersign::store::ids::{SessionId, UserId};
use countersign::store::model::{Device, Link, LinkKey, Session, StoredTrace, TokenHash, User};
use countersign::store::sqlite::{Location, SqliteStore};
use countersign::store::{AccountWrite, Maintenance as _, Sessions as _, SignIn};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// How many sign-ins are under way at a time.
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: seed FILE NUMBER")?;
    let number: usize = args.next().ok_or("usage: seed FILE NUMBER")?.parse()?;
    fill(&file, number).await?;
    println!("{number} people: person-0 to person-{}", number.saturating_sub(1));
    Ok(())
}

/// Adds people to the store of a configuration.
pub(crate) async fn fill(file: &str, number: usize) -> Result<(), Failure> {
    let inputs = Inputs { main: file.into(), overlays: Vec::new(), environment: environment() };
    let options = Options { number: 1, without_secrets: true, now: SystemClock.now() };
    let prepared = prepare(&inputs, &Disk, options).map_err(|error| error.to_string())?;
    let snapshot = prepared.snapshot.ok_or("the file has problems: `countersign check` shows them")?;
    let provider = snapshot.providers.keys().next().ok_or("the file has no provider")?.clone();
    let issuer = snapshot.policy.providers.get(&provider).map(|provider| provider.issuer.clone()).unwrap_or_default();
    let location = Location::from_url(snapshot.config.store.url.expose()).ok_or("the store is not a SQLite file")?;
    let random = Arc::new(SystemRandomness::default());
    let store = Arc::new(SqliteStore::open(&location, &prepared.encryption_keys, random)?);
    let now = SystemClock.now();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..number {
        if tasks.len() >= AT_ONCE {
            tasks.join_next().await.ok_or("no task")???;
        }
        let key = LinkKey { provider: provider.clone(), issuer: issuer.clone(), subject: format!("upstream-{n}") };
        let (store, sign_in) = (Arc::clone(&store), sign_in(n, key, now));
        tasks.spawn(
            async move { store.finish_sign_in(sign_in, now).await.map(drop).map_err(|error| error.to_string()) },
        );
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    // Indexes the events, as the broker does now and then.
    while store.sweep(now, 5_000).await? {}
    Ok(())
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
    }
}
