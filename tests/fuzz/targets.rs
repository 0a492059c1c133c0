//! What strangers send, as functions of bytes: each gives them to the broker and asserts what holds for any input.
//!
//! What comes over HTTP goes through the whole router: no answer may be an internal error, redirect to a stranger, or contain
//! markup or secrets of the input. In the JSON of tokens, `"@now"`, `"@later"` and `"@new"` stand for times and an id, and
//! `"@jwk"` for the public key, so that an input stays valid but for what was mutated in it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use countersign::cli::Exit;
use countersign::cli::import::{self, ImportArgs, ImportFile, ImportSource};
use countersign::config::load::Inputs;
use countersign::config::load::files::Memory;
use countersign::expression::{Bindings, Compiler, Place, Variable};
use countersign::snapshot::generation::{Options, prepare};
use http::{HeaderValue, Method, Request};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::harness::app::secret_of;
use crate::harness::github::{Github, SECRET};
use crate::harness::keys::{TestKey, jwks, sign};
use crate::harness::services::{Asked, Service, raw};
use crate::harness::{Answer, Authorize, BASE, Browser, IDP, Reply, Signing, TestApp, alice};

/// A target: what is called with each input. `true` if the broker accepted it, so that a test can see that the corpus gets to
/// where it is meant to get.
pub(crate) type Check = Box<dyn FnMut(&[u8]) -> bool>;

/// What makes one, with a broker of its own.
type Make = fn() -> Check;

/// All targets, by name.
pub(crate) const TARGETS: &[(&str, Make)] = &[
    ("authorize", authorize),
    ("request_object", request_object),
    ("client_assertion", client_assertion),
    ("dpop", dpop),
    ("certificate_header", certificate_header),
    ("cookie", cookie),
    ("callback", callback),
    ("logout_token", logout_token),
    ("security_event", security_event),
    ("discovery", || from_provider(|app, input| app.idp().answer("discovery", document(input)))),
    ("key_set", || from_provider(|app, input| app.idp().answer("jwks", document(input)))),
    ("token_response", || from_provider(|app, input| app.idp().answer("token", document(input)))),
    ("id_token", || from_provider(claims_of_id_token)),
    ("userinfo", || from_provider(|app, input| app.idp().answer("userinfo", document(input)))),
    ("graph", graph),
    ("directory", directory),
    ("github", github),
    ("expression", expression),
    ("configuration", configuration),
    ("import_dex", || imported(ImportSource::Dex)),
    ("import_keycloak", || imported(ImportSource::Keycloak)),
];

/// After this many inputs there is a new broker, so that what they leave behind stays little.
const INPUTS: u32 = 2_000;
/// Where the broker may send a browser.
const OURS: &[&str] = &[
    "https://sso.example.com/",
    "https://idp.example/",
    "https://github.com/",
    "https://app.example/cb",
    "https://app.example/bye",
    "https://other.example/cb",
    "https://spa.example/cb",
    "https://signer.example/cb",
];

/// A broker, and what runs it.
struct World {
    runtime: Runtime,
    make: fn() -> String,
    app: TestApp,
    inputs: u32,
    /// How many brokers there were.
    worlds: u32,
}

impl World {
    /// The broker of a configuration.
    fn new(make: fn() -> String) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let app = runtime.block_on(TestApp::from(&make()));
        Self { runtime, make, app, inputs: 0, worlds: 1 }
    }

    /// The broker for the next input. Time passes, so that limits by time do not get in the way.
    fn next(&mut self) -> (&Runtime, &TestApp, u32) {
        self.inputs += 1;
        if self.inputs > INPUTS {
            self.inputs = 1;
            self.worlds += 1;
            self.app = self.runtime.block_on(TestApp::from(&(self.make)()));
        }
        self.app.wait(5);
        (&self.runtime, &self.app, self.worlds)
    }
}

fn base(more: &str) -> String {
    format!("{BASE}\n{more}")
}

/// What holds for every answer.
fn sane(reply: &Reply) {
    assert!(reply.status.as_u16() < 500 || [502, 503, 504].contains(&reply.status.as_u16()), "{reply}");
    assert!(!reply.text().contains("<canary"), "markup of the input is in the page: {reply}");
}

/// As [`sane`]; and a browser is sent to nobody but those who are declared.
fn leads_to_ours(reply: &Reply) {
    sane(reply);
    let target = reply.header("location");
    let own = target.starts_with('/') && !target.starts_with("//") && !target.starts_with("/\\");
    assert!(target.is_empty() || own || OURS.iter().any(|ours| target.starts_with(ours)), "{reply}");
}

/// The answer does not repeat a credential.
fn keeps_secret(reply: &Reply, presented: &str) {
    assert!(presented.len() < 24 || !reply.text().contains(presented), "{reply}");
}

/// Fills in times, an id and a key.
fn fill(value: &mut Value, now: i64, key: &TestKey) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    match value {
        Value::String(text) => match text.as_str() {
            "@now" => *value = now.into(),
            "@later" => *value = (now + 60).into(),
            "@new" => *value = format!("id-{}", NUMBER.fetch_add(1, Ordering::Relaxed)).into(),
            "@jwk" => {
                let mut jwk = key.jwk();
                let members = jwk.as_object_mut().unwrap();
                ["kid", "use", "alg"].into_iter().for_each(|member| drop(members.remove(member)));
                *value = jwk;
            }
            _ => {}
        },
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, now, key)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, now, key)),
        _ => {}
    }
}

/// A token from its header and its claims, a line each, signed; an input of another form is the token itself.
fn token(input: &[u8], now: i64, signer: impl Fn(&Value, &Value) -> String, key: &TestKey) -> Option<String> {
    let text = std::str::from_utf8(input).ok()?;
    let lines = text.split_once('\n');
    let parsed = lines.map(|(header, claims)| (serde_json::from_str(header), serde_json::from_str(claims)));
    let Some((Ok(mut header), Ok(mut claims))) = parsed else { return Some(text.trim().to_owned()) };
    fill(&mut header, now, key);
    fill(&mut claims, now, key);
    Some(signer(&header, &claims))
}

fn by_rsa(header: &Value, claims: &Value) -> String {
    sign(Signing::Rs256, header, claims)
}

/// A query or form as it is sent: bytes that a URI can't have are escaped.
fn escaped(input: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
    input.iter().map(|byte| if plain(*byte) { char::from(*byte).into() } else { format!("%{byte:02X}") }).collect()
}

fn form_request(path: &str, body: String) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    request.body(Body::from(body)).unwrap()
}

/// Parameters of an authorization request, in the query and in a form.
fn authorize() -> Check {
    let mut world = World::new(|| base(""));
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let text = escaped(input);
        let asked = Request::get(format!("/oauth2/authorize?{text}")).body(Body::empty());
        if let Ok(request) = asked {
            leads_to_ours(&runtime.block_on(app.send(request)));
        }
        let reply = runtime.block_on(app.send(form_request("/oauth2/authorize", text)));
        leads_to_ours(&reply);
        reply.status.is_redirection()
    })
}

/// `jwks = { keys = [...] }` with the keys of the tests.
fn inline_keys() -> String {
    let keys = jwks(false);
    let key = |key: &Value| {
        let members = key.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}"));
        format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
    };
    format!("jwks = {{ keys = [{}] }}", keys.iter().map(key).collect::<Vec<_>>().join(", "))
}

/// An authorization request as a signed object.
fn request_object() -> Check {
    let mut world = World::new(|| {
        base(&format!(
            "[clients.signer]\nclient_secret = \"secret-of-signer-0123456789abcdef\"\n{}\nrequest_object_signing_alg = \
             \"RS256\"\nredirect_uris = [\"https://signer.example/cb\"]\n",
            inline_keys()
        ))
    });
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Some(token) = token(input, app.now(), by_rsa, &TestKey::rsa()) else { return false };
        let fields = [("response_type", "code"), ("client_id", "signer"), ("scope", "openid"), ("request", &token)];
        let url = url::Url::parse_with_params("https://sso.example.com/oauth2/authorize", fields).unwrap();
        let reply = runtime.block_on(Browser::new().get(app, url.as_str()));
        leads_to_ours(&reply);
        reply.header("location").starts_with(IDP)
    })
}

/// A client's assertion.
fn client_assertion() -> Check {
    let mut world = World::new(|| {
        base(&format!("[clients.inline]\n{}\nredirect_uris = [\"https://app.example/cb\"]\n", inline_keys()))
    });
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Some(token) = token(input, app.now(), by_rsa, &TestKey::rsa()) else { return false };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", "unknown"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &token),
        ];
        let reply = runtime.block_on(app.token(&crate::harness::Auth::Nothing, &form));
        leads_to_ours(&reply);
        keeps_secret(&reply, &token);
        assert!([400, 401].contains(&reply.status.as_u16()), "{reply}");
        reply.json()["error"] == "invalid_grant"
    })
}

/// A proof of possession, at the token endpoint.
fn dpop() -> Check {
    let mut world = World::new(|| {
        base(
            "[clients.robot]\nclient_secret = \"secret-of-robot-0123456789abcdef\"\ngrant_types = [\"client_credentials\"]\n",
        )
    });
    let key = TestKey::ec256();
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Some(proof) = token(input, app.now(), |header, claims| key.sign(header, claims), &key) else {
            return false;
        };
        if HeaderValue::from_str(&proof).is_err() {
            return false;
        }
        let secret = secret_of("robot");
        let form = [("grant_type", "client_credentials"), ("client_id", "robot"), ("client_secret", &secret)];
        let headers = [("dpop", proof.as_str())];
        let mut sender = Browser::new();
        let reply = runtime.block_on(sender.send(app, Method::POST, "/oauth2/token", Some(&form), &headers));
        leads_to_ours(&reply);
        keeps_secret(&reply, &proof);
        if reply.status == 200 {
            assert_eq!(reply.json()["token_type"], "DPoP", "{reply}");
        }
        reply.status == 200
    })
}

/// The header of a proxy with a client certificate.
fn certificate_header() -> Check {
    let mut world = World::new(|| {
        base(
            "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n[certificates]\nlisten = [\"127.0.0.1:8444\"]\nca = \
             \"clients-ca.pem\"\nclients = [\"app\"]\ncreate_users = true\nheader = \"X-Client-Cert\"\n",
        )
    });
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Some(value) = std::str::from_utf8(input).ok().filter(|text| HeaderValue::from_str(text).is_ok()) else {
            return false;
        };
        let secret = secret_of("app");
        let form = [
            ("grant_type", "urn:countersign:grant:certificate"),
            ("scope", "openid"),
            ("client_id", "app"),
            ("client_secret", &secret),
        ];
        let mut proxy = Browser { by_certificates: true, ..Browser::at("10.0.0.1") };
        let headers = [("x-client-cert", value)];
        let reply = runtime.block_on(proxy.send(app, Method::POST, "/oauth2/token", Some(&form), &headers));
        leads_to_ours(&reply);
        assert_ne!(reply.status, 200, "nobody in the corpus has a certificate of this authority: {reply}");
        // It was read, and is of nobody's authority.
        !reply.text().contains("can't be read")
    })
}

/// Cookies, on pages and on the way to an app: none of these signs anybody in.
fn cookie() -> Check {
    let mut world = World::new(|| base("[account]\n"));
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Ok(value) = HeaderValue::from_bytes(input) else { return false };
        let silent = Authorize::of("app").set("prompt", "none").url(app);
        let silent = silent.strip_prefix(app.origin()).unwrap().to_owned();
        for target in [silent.as_str(), "/account", "/oauth2/logout"] {
            let request = Request::get(target).header("cookie", &value).body(Body::empty()).unwrap();
            let reply = runtime.block_on(app.send(request));
            leads_to_ours(&reply);
            assert!(!reply.header("location").contains("code="), "{reply}");
        }
        true
    })
}

/// The query of a callback. `@state` and `@code` are those of a sign-in that waits.
fn callback() -> Check {
    let mut world = World::new(|| base(""));
    let mut waiting: Option<(Browser, url::Url)> = None;
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let (mut browser, url) = match waiting.take() {
            Some(waiting) => waiting,
            None => {
                let mut browser = Browser::new();
                let back = runtime.block_on(app.at_provider(&mut browser, &Authorize::of("app"), &alice()));
                (browser, url::Url::parse(&back).unwrap())
            }
        };
        let of = |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        let (state, code) = (of("state").unwrap_or_default(), of("code").unwrap_or_default());
        let text = escaped(input).replace("@state", &state).replace("@code", &code);
        let reply = runtime.block_on(browser.get(app, &format!("{}?{text}", url.path())));
        leads_to_ours(&reply);
        // One that was used is replaced, and so is one that is nearly too old.
        if reply.status.as_u16() >= 400 && !world.inputs.is_multiple_of(50) {
            waiting = Some((browser, url));
        }
        reply.header("location").contains("code=")
    })
}

/// A provider's logout token.
fn logout_token() -> Check {
    let mut world = World::new(|| base(""));
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Some(token) = token(input, app.now(), by_rsa, &TestKey::rsa()) else { return false };
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        let reply = runtime.block_on(app.send(form_request("/backchannel-logout/staff", form)));
        leads_to_ours(&reply);
        keeps_secret(&reply, &token);
        reply.status == 200
    })
}

/// A provider's security event token.
fn security_event() -> Check {
    let mut world = World::new(|| base("[providers.staff.signals]\n"));
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        let Some(token) = token(input, app.now(), by_rsa, &TestKey::rsa()) else { return false };
        let request = Request::post("/signals/staff").header("content-type", "application/secevent+jwt");
        let request = request.header("accept", "application/json").body(Body::from(token.clone())).unwrap();
        let reply = runtime.block_on(app.send(request));
        leads_to_ours(&reply);
        keeps_secret(&reply, &token);
        reply.status == 202
    })
}

fn document(input: &[u8]) -> Answer {
    Answer::Raw(200, "application/json", input.to_vec())
}

/// Adds claims to every ID token.
fn claims_of_id_token(app: &TestApp, input: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(input) else { return };
    app.idp().edit_id_token(move |known| known.extend(claims.clone()));
}

/// A sign-in in which a provider answers with the input. Afterwards it behaves, and people can sign in.
fn from_provider(answer: fn(&TestApp, &[u8])) -> Check {
    let mut world = World::new(|| base(""));
    let mut count = 0_u32;
    Box::new(move |input| {
        let (runtime, app, _) = world.next();
        // What was fetched before is fetched again.
        app.wait(90_000);
        answer(app, input);
        let reply = runtime.block_on(attempt(app));
        app.idp().behave();
        count += 1;
        if count.is_multiple_of(20) {
            app.wait(90_000);
            let good = runtime.block_on(attempt(app));
            let in_time = good.header("location").contains("code=");
            assert!(in_time, "a sign-in failed after the provider had recovered: {good}");
        }
        reply.header("location").contains("code=")
    })
}

/// A sign-in of Alice, as far as it gets.
async fn attempt(app: &TestApp) -> Reply {
    let mut browser = Browser::new();
    let leaving = browser.open(app, &Authorize::of("app").url(app)).await;
    sane(&leaving);
    let url = leaving.header("location").to_owned();
    if !url.starts_with(&format!("{IDP}/authorize?")) || !url.contains("redirect_uri=") {
        return leaving;
    }
    let reply = browser.open(app, &app.idp().authorize(&url, &alice())).await;
    leads_to_ours(&reply);
    if reply.header("location").contains("code=") {
        sane(&app.redeem("app", &reply.param("code")).await);
    }
    reply
}

/// A sign-in of Alice whose groups come from an API that answers with the input. `place` is its address.
fn from_groups(place: &'static str, make: fn() -> String) -> Check {
    let mut world = World::new(make);
    let mut server: Option<(Arc<Service>, u32)> = None;
    Box::new(move |input| {
        let (runtime, app, worlds) = world.next();
        // Groups that are young are not asked for.
        app.wait(90_000);
        let body = input.to_vec();
        let answers = move |_: &Asked| raw(200, "application/json", body.clone());
        match &server {
            Some((service, of)) if *of == worlds => service.answers(answers),
            _ => server = Some((Service::at(app, place, answers), worlds)),
        }
        runtime.block_on(attempt(app)).header("location").contains("code=")
    })
}

/// The broker of the tests with this in the section of its provider.
fn provider_with(line: &str) -> String {
    BASE.replace("[providers.staff]", &format!("[providers.staff]\n{line}"))
}

/// Pages of Microsoft Graph.
fn graph() -> Check {
    from_groups("https://graph.example/v1.0", || {
        provider_with("groups_from = { source = \"graph\", when = \"always\", url = \"https://graph.example/v1.0\" }")
    })
}

/// Answers of a directory that speaks SCIM.
fn directory() -> Check {
    from_groups("https://directory.example/scim/v2", || {
        provider_with(
            "groups_from = { source = \"scim\", url = \"https://directory.example/scim/v2\", credentials = \"scim-token\" }",
        )
    })
}

/// Documents of GitHub: `/user`, or the pages of its lists.
fn github() -> Check {
    let mut world = World::new(|| {
        let apps = BASE.split_once("[clients.app]").unwrap().1;
        format!(
            "issuer = \"https://sso.example.com\"\nstore.url = \"sqlite::memory:\"\n[providers.github]\npreset = \
             \"github\"\nclient_id = \"Ov23li\"\nclient_secret = \"{SECRET}\"\norganizations = [\"acme\"]\n\
             [clients.app]{apps}"
        )
    });
    let mut server: Option<(Arc<Github>, u32)> = None;
    Box::new(move |input| {
        let (runtime, app, worlds) = world.next();
        let github = match server.take() {
            Some((github, of)) if of == worlds => github,
            _ => Github::at(app, "https://github.com", "https://api.github.com"),
        };
        let paths: &[&str] =
            if input.starts_with(b"{") { &["/user"] } else { &["/user/orgs", "/user/teams", "/user/emails"] };
        paths.iter().for_each(|path| github.answer(path, document(input)));
        let accepted = runtime.block_on(async {
            let mut browser = Browser::new();
            let leaving = browser.open(app, &Authorize::of("app").url(app)).await;
            let reply = browser.open(app, &github.agree(&leaving)).await;
            leads_to_ours(&reply);
            reply.header("location").contains("code=")
        });
        server = Some((github, worlds));
        accepted
    })
}

/// An expression: compiled for every place, and evaluated where it reads claims.
fn expression() -> Check {
    let claims = alice().as_object().unwrap().clone();
    Box::new(move |input| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let tables = BTreeMap::from([("teams".to_owned(), BTreeMap::from([("a".to_owned(), "b".to_owned())]))]);
        let mut compiler = Compiler::new(tables);
        for place in [Place::Allow, Place::When, Place::Certificate, Place::App] {
            drop(compiler.compile_condition(place, text));
        }
        let Ok(compiled) = compiler.compile(Place::Claims, text) else { return false };
        assert_eq!(compiled.source(), text);
        let engine = compiler.engine();
        let evaluate = || compiled.eval(&Bindings::new(&engine).with("claims", Variable::object(&claims)));
        let (once, again) = (format!("{:?}", evaluate()), format!("{:?}", evaluate()));
        assert_eq!(once, again, "an expression has the same value every time");
        true
    })
}

/// A configuration file. A secret in it is not printed.
fn configuration() -> Check {
    const LINE: &str = "client_secret = \"CANARY-secret-0123456789abcdef\"";
    Box::new(move |input| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
        let files = Memory::of([("broker.toml", text)]);
        let options = Options { number: 1, without_secrets: true, now: 1_800_000_000 };
        let Ok(prepared) = prepare(&inputs, &files, options) else { return false };
        let shown = prepared.problems.render(&prepared.layers, false);
        let whole = text.lines().filter(|line| *line == LINE).count();
        if text.matches("CANARY").count() == whole {
            assert!(!shown.contains("CANARY"), "{shown}");
        }
        assert_eq!(prepared.snapshot.is_none(), prepared.problems.has_errors(), "{shown}");
        prepared.snapshot.is_some()
    })
}

/// A file of another product. What is written for it is TOML.
fn imported(source: fn(ImportFile) -> ImportSource) -> Check {
    let folder = tempfile::tempdir().unwrap();
    Box::new(move |input| {
        let file = folder.path().join("input");
        std::fs::write(&file, input).unwrap();
        let args = ImportArgs { source: source(ImportFile { file, out: None, issuer: None }) };
        let (mut out, mut messages) = (Vec::new(), Vec::new());
        let exit = import::run(&args, &mut out, &mut messages).unwrap();
        let text = String::from_utf8(out).unwrap();
        let read = toml::from_str::<toml::Table>(&text);
        assert!(read.is_ok(), "{}\n{text}", read.unwrap_err());
        exit == Exit::Fine
    })
}
