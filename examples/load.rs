//! A load test of a broker in a process of its own, with an identity provider in this program that answers at once.
//!
//! `cargo run --profile dist --example load [-- SIGN_INS]` prints one JSON line per scenario: operations per second, p50 and
//! p99 in milliseconds, errors, the broker's CPU milliseconds per operation, and its resident memory in MiB. It uses only
//! loopback, makes a fixed number of operations and ends by itself.
//!
//! The store is a new SQLite file, or with `STORE=postgres://...` an empty PostgreSQL database. `PEOPLE=1000000` and
//! `EXPIRED=10000000` fill it first, as `examples/seed.rs` does; the broker sweeps the expired rows meanwhile.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::disallowed_methods, reason = "it measures time, and its provider has the machine's clock")]

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::cli::{Environment, serve};
use countersign::env::SystemRandomness;
use countersign::keys::{KeyPolicy, Keys};
use countersign::protocol::SigningAlgorithm;
use countersign::store::sqlite::{Location, SqliteStore};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[path = "seed.rs"]
#[expect(dead_code, reason = "its own `main` is not called here")]
mod seed;

type Failure = Box<dyn Error + Send + Sync>;

/// The default number of sign-ins of a scenario.
const SIGN_INS: usize = 1000;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        // The broker is this program in a second process: its CPU time and memory are measured separately, and it is built
        // with the same profile.
        Some("broker") => {
            let config = args.next().ok_or("broker needs a configuration")?;
            let config = countersign::cli::ConfigArgs { config: config.into(), overlay: Vec::new() };
            let _exit = serve::run(&serve::ServeArgs { file: None, config, shadow: None }, &Environment::new());
            Ok(())
        }
        count => {
            let count = count.map_or(Ok(SIGN_INS), str::parse)?;
            tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(load(count))
        }
    }
}

/// The provider of the load test: it signs in any requested subject and stores only nonces. The simulated provider of
/// `countersign dev` has five people and a page to pick one; a load test needs thousands of people and no page.
struct Idp {
    issuer: String,
    keys: Keys,
    nonces: Mutex<HashMap<String, String>>,
}

impl Idp {
    async fn new(issuer: String) -> Result<Self, Failure> {
        let store = SqliteStore::open(&Location::Memory, &[], Arc::new(SystemRandomness::default()))?;
        let policy =
            KeyPolicy { algorithms: vec![SigningAlgorithm::RS256], rotate_every: 86_400, keep: 3600, remember: 0 };
        let keys = Keys::open(Arc::new(store), &policy, 0).await?;
        Ok(Self { issuer, keys, nonces: Mutex::default() })
    }

    fn id_token(&self, subject: &str, nonce: &str) -> Result<String, Failure> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": self.issuer, "sub": subject, "aud": "broker", "iat": now, "exp": now + 600, "nonce": nonce,
            "preferred_username": format!("user-{subject}"), "name": "Load Test", "email": format!("{subject}@corp.example"),
            "email_verified": true, "groups": ["a", "b", "c", "sre"]
        });
        Ok(self.keys.set().sign(SigningAlgorithm::RS256, "JWT", &claims)?)
    }
}

fn router(idp: Arc<Idp>) -> axum::Router {
    let discovery = |State(idp): State<Arc<Idp>>| async move {
        let issuer = &idp.issuer;
        axum::response::IntoResponse::into_response((
            [("content-type", "application/json")],
            json!({
                "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"]
            })
            .to_string(),
        ))
    };
    let jwks = |State(idp): State<Arc<Idp>>| async move {
        ([("content-type", "application/json")], idp.keys.set().jwks().to_vec())
    };
    let token = |State(idp): State<Arc<Idp>>, body: String| async move {
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let code = form.get("code").cloned().unwrap_or_default();
        let nonce = idp.nonces.lock().unwrap_or_else(PoisonError::into_inner).remove(&code).unwrap_or_default();
        let id_token = idp.id_token(&code, &nonce).unwrap_or_default();
        let answer =
            json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": id_token });
        ([("content-type", "application/json")], answer.to_string())
    };
    axum::Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/token", post(token))
        .with_state(idp)
}

/// The broker's process, which is ended when this is dropped.
struct Broker {
    process: Child,
    issuer: String,
    _folder: tempfile::TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> Result<u16, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn start(idp: &str) -> Result<(Broker, Duration), Failure> {
    let folder = tempfile::tempdir()?;
    let (port, admin) = (free_port()?, free_port()?);
    let issuer = format!("http://127.0.0.1:{port}");
    let config = folder.path().join("broker.toml");
    std::fs::write(&config, file(&issuer, port, admin, idp))?;
    let spawn = || {
        Command::new(std::env::current_exe()?)
            .args([Path::new("broker"), &config])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()
    };
    // The first start makes keys; the second start measures a restart.
    let mut first = spawn()?;
    let first_answer = answers(&issuer).await;
    first.kill()?;
    first.wait()?;
    first_answer?;
    let number = |name: &str| std::env::var(name).map_or(Ok(0), |text| text.parse::<usize>());
    let (people, expired) = (number("PEOPLE")?, number("EXPIRED")?);
    if people > 0 {
        let path = config.to_string_lossy();
        seed::fill(&path, people, expired).await.map_err(|error| error.to_string())?;
    }
    let started = Instant::now();
    let process = spawn()?;
    let broker = Broker { process, issuer, _folder: folder };
    answers(&broker.issuer).await?;
    Ok((broker, started.elapsed()))
}

async fn answers(issuer: &str) -> Result<(), Failure> {
    let client = reqwest::Client::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if client.get(format!("{issuer}/.well-known/openid-configuration")).send().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err("the broker did not start".into())
}

fn file(issuer: &str, port: u16, admin: u16, idp: &str) -> String {
    let store = std::env::var("STORE").map_or_else(
        |_| String::new(),
        |url| format!("[store]\nurl = \"{url}\"\nencryption_keys = [\"only for a load test on this machine\"]"),
    );
    format!(
        r#"
issuer = "{issuer}"
{store}
[server]
listen = ["127.0.0.1:{port}"]
[admin]
listen = "127.0.0.1:{admin}"
[limits]                  # all of this comes from one address
per_address = {{ rate = "1000000/s", burst = 1_000_000 }}
[providers.load]
issuer = "{idp}"
client_id = "broker"
client_secret = "not a secret"
claims_from = ["id_token"]
[roles.admin]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[clients.app]
client_secret = "not a secret either"
redirect_uris = ["http://127.0.0.1/cb"]
scopes = ["openid", "profile", "email", "groups", "offline_access"]
"#
    )
}

/// One user agent with one app, for one sign-in.
struct Agent {
    http: reqwest::Client,
    issuer: String,
    idp: Arc<Idp>,
}

impl Agent {
    async fn sign_in(&self, subject: &str) -> Result<Value, Failure> {
        let verifier = URL_SAFE_NO_PAD.encode(digest(&SHA256, subject.as_bytes()).as_ref());
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
        let url = url::Url::parse_with_params(
            &format!("{}/oauth2/authorize", self.issuer),
            [
                ("client_id", "app"),
                ("response_type", "code"),
                ("redirect_uri", "http://127.0.0.1/cb"),
                ("scope", "openid profile email groups offline_access"),
                ("state", "s"),
                ("nonce", "n"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )?;
        let (away, headers) = self.location(url, "").await?;
        let query: HashMap<String, String> = away.query_pairs().into_owned().collect();
        let text = |name: &str| query.get(name).cloned().unwrap_or_default();
        self.idp.nonces.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.to_owned(), text("nonce"));
        let mut callback = url::Url::parse(&text("redirect_uri"))?;
        callback.query_pairs_mut().append_pair("code", subject).append_pair("state", &text("state"));
        let (back, _) = self.location(callback, &cookies(&headers)).await?;
        let code = back.query_pairs().find(|(name, _)| name == "code").ok_or("no code")?.1.into_owned();
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", "http://127.0.0.1/cb"),
            ("code_verifier", &verifier),
        ])
        .await
    }

    async fn location(&self, url: url::Url, cookies: &str) -> Result<(url::Url, HeaderMap), Failure> {
        let response = self.http.get(url).header("cookie", cookies).send().await?;
        let location = response.headers().get("location").ok_or("no redirect")?.to_str()?;
        Ok((url::Url::parse(location)?, response.headers().clone()))
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Value, Failure> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            self.http.post(format!("{}/oauth2/token", self.issuer)).basic_auth("app", Some("not a secret either"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        if answer.get("access_token").is_some() { Ok(answer) } else { Err(answer.to_string().into()) }
    }

    async fn userinfo(&self, token: &str) -> Result<(), Failure> {
        let response = self.http.get(format!("{}/oauth2/userinfo", self.issuer)).bearer_auth(token).send().await?;
        if response.status().is_success() { Ok(()) } else { Err("userinfo refused".into()) }
    }
}

fn cookies(headers: &HeaderMap) -> String {
    let pairs = headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()?.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

/// CPU seconds and resident MiB of a process.
fn usage(pid: u32) -> Result<(f64, f64), Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").ok_or("stat")?.1.split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    Ok(((ticks(11) + ticks(12)) / 100.0, resident.unwrap_or_default() / 1024.0))
}

/// Runs `count` operations, `parallel` at a time, and prints the line.
async fn scenario<F, Fut, T>(
    name: &str,
    pid: u32,
    count: usize,
    parallel: usize,
    operation: F,
) -> Result<Vec<T>, Failure>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    let (cpu_before, _) = usage(pid)?;
    let started = Instant::now();
    let (mut times, mut results, mut errors) = (Vec::with_capacity(count), Vec::with_capacity(count), 0_usize);
    let mut running = tokio::task::JoinSet::new();
    let mut next = 0;
    while next < count || !running.is_empty() {
        while next < count && running.len() < parallel {
            let work = operation(next);
            running.spawn(async move {
                let started = Instant::now();
                (work.await, started.elapsed())
            });
            next += 1;
        }
        if let Some(done) = running.join_next().await {
            match done? {
                (Ok(result), time) => {
                    results.push(result);
                    times.push(time.as_secs_f64() * 1000.0);
                }
                (Err(error), _) => {
                    if errors == 0 {
                        eprintln_first(name, &error);
                    }
                    errors += 1;
                }
            }
        }
    }
    let elapsed = started.elapsed().as_secs_f64();
    let (cpu_after, resident) = usage(pid)?;
    times.sort_by(f64::total_cmp);
    let quantile =
        |q: usize| times.get((times.len() * q / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default();
    let round = |value: f64| (value * 1000.0).round() / 1000.0;
    let line = json!({
        "scenario": name, "operations": count, "parallel": parallel, "errors": errors,
        "per_second": round(count as f64 / elapsed), "p50_ms": round(quantile(50)), "p99_ms": round(quantile(99)),
        "broker_cpu_ms": round((cpu_after - cpu_before) * 1000.0 / count as f64), "broker_resident_mib": round(resident),
    });
    println!("{line}");
    Ok(results)
}

#[expect(clippy::print_stderr, reason = "the first error of a scenario says what went wrong")]
fn eprintln_first(name: &str, error: &Failure) {
    eprintln!("{name}: {error}");
}

async fn load(count: usize) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let idp = Arc::new(Idp::new(format!("http://{}", listener.local_addr()?)).await?);
    tokio::spawn(axum::serve(listener, router(Arc::clone(&idp))).into_future());
    let (broker, start_time) = start(&idp.issuer).await?;
    let pid = broker.process.id();
    let (_, resident) = usage(pid)?;
    println!(
        "{}",
        json!({ "scenario": "restart", "first_answer_ms": start_time.as_millis(), "broker_resident_mib": resident })
    );
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let agent = Arc::new(Agent { http, issuer: broker.issuer.clone(), idp });
    let sign_in = |prefix: &'static str| {
        let agent = Arc::clone(&agent);
        move |n: usize| {
            let agent = Arc::clone(&agent);
            async move { agent.sign_in(&format!("{prefix}{n}")).await }
        }
    };
    scenario("warm-up", pid, 50, 1, sign_in("w")).await?;
    scenario("first sign-in", pid, count / 4, 1, sign_in("a")).await?;
    let tokens = scenario("first sign-in", pid, count, 8, sign_in("b")).await?;
    // The same people in other browsers: the usual sign-in.
    scenario("sign-in", pid, count / 4, 1, sign_in("a")).await?;
    scenario("sign-in", pid, count, 8, sign_in("b")).await?;
    let text =
        |n: usize, name: &str| tokens.get(n).and_then(|t| t.get(name)?.as_str().map(str::to_owned)).unwrap_or_default();
    scenario("refresh", pid, tokens.len(), 8, |n| {
        let (agent, token) = (Arc::clone(&agent), text(n, "refresh_token"));
        async move { agent.token(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).await }
    })
    .await?;
    scenario("userinfo", pid, count * 4, 8, |n| {
        let (agent, token) = (Arc::clone(&agent), text(n % tokens.len().max(1), "access_token"));
        async move { agent.userinfo(&token).await }
    })
    .await?;
    scenario("discovery", pid, count * 4, 8, |_| {
        let agent = Arc::clone(&agent);
        async move {
            let url = format!("{}/.well-known/openid-configuration", agent.issuer);
            Ok(agent.http.get(url).send().await?.bytes().await?.len())
        }
    })
    .await?;
    Ok(())
}
