//! `[telemetry]`: what a collector of OTLP over HTTP receives.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

use crate::harness::{Auth, Authorize, Browser, Reply, TestApp, alice, log};

/// A collector: the spans that it was sent, and the status that it answers with.
#[derive(Default)]
struct Collected {
    spans: Vec<Value>,
    bodies: String,
    headers: Vec<(String, HeaderMap)>,
    fails: bool,
    /// What it answers with.
    answer: &'static str,
}

struct Collector {
    endpoint: String,
    collected: Arc<Mutex<Collected>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let collected = Arc::<Mutex<Collected>>::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&collected));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, collected }
    }

    /// The overlay that sends traces here.
    fn section(&self, more: &str) -> String {
        format!("[telemetry]\notlp_endpoint = \"{}\"\n{more}\n", self.endpoint)
    }

    /// The spans that were sent since the last call.
    async fn spans(&self, app: &TestApp) -> Vec<Span> {
        app.broker.export_spans().await;
        std::mem::take(&mut self.collected.lock().unwrap().spans).into_iter().map(Span).collect()
    }
}

async fn take(
    State(collected): State<Arc<Mutex<Collected>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let mut collected = collected.lock().unwrap();
    if collected.fails {
        return (StatusCode::SERVICE_UNAVAILABLE, "");
    }
    collected.bodies.push_str(std::str::from_utf8(&body).unwrap());
    let request: Value = serde_json::from_slice(&body).unwrap();
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    collected.spans.extend(spans);
    collected.headers.push((uri.path().to_owned(), headers));
    (StatusCode::OK, collected.answer)
}

#[derive(Debug)]
struct Span(Value);

impl Span {
    fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    fn attribute(&self, key: &str) -> String {
        let attributes = self.0["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|one| one["key"] == key).map(|one| &one["value"]);
        let value = found.and_then(|value| value.get("stringValue").or_else(|| value.get("intValue")));
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.text("name") == name).collect()
}

#[tokio::test]
async fn a_sign_in_is_one_trace_from_the_authorization_request_to_the_refresh() {
    let collector = Collector::start().await;
    let app = TestApp::with(&collector.section("headers = { x-api-key = \"collectors-key\" }")).await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
    let spans = collector.spans(&app).await;
    let requests = [("GET authorization", 1), ("GET callback", 1), ("POST token", 2)];
    let trace = named(&spans, "GET authorization")[0].text("traceId").to_owned();
    assert_eq!(trace.len(), 32);
    let shown = named(&spans, "GET authorization")[0].attribute("countersign.trace_id");
    assert!(shown.len() == 10 && shown.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()), "{shown}");
    for (name, count) in requests {
        let found = named(&spans, name);
        assert_eq!(found.len(), count, "{name}: {spans:#?}");
        for span in found {
            assert_eq!((span.text("traceId"), span.attribute("countersign.trace_id")), (&*trace, shown.clone()));
            assert_eq!(span.0["kind"], 2);
            assert!(span.0.get("parentSpanId").is_none());
        }
    }
    assert_eq!(named(&spans, "POST token")[0].attribute("http.response.status_code"), "200");
    // The calls to the provider are parts of the request that made them.
    let callback = named(&spans, "GET callback")[0].text("spanId");
    let calls: Vec<&Span> = spans.iter().filter(|span| span.0["kind"] == 3).collect();
    assert!(calls.len() >= 4, "{calls:#?}");
    let exchange = calls.iter().find(|call| call.attribute("url.full") == "https://idp.example/token").unwrap();
    assert_eq!((exchange.text("traceId"), exchange.text("parentSpanId")), (&*trace, callback));
    assert_eq!(exchange.attribute("countersign.provider"), "staff");
    assert!(calls.iter().all(|call| call.text("traceId") == trace));
    for span in &spans {
        let [from, to] = ["startTimeUnixNano", "endTimeUnixNano"].map(|at| span.text(at).parse::<u64>().unwrap());
        assert!(from <= to && from >= 1_793_491_200_000_000_000, "{span:?}");
    }
    let (path, headers) = collector.collected.lock().unwrap().headers[0].clone();
    assert_eq!((path.as_str(), headers["x-api-key"].to_str().unwrap()), ("/v1/traces", "collectors-key"));
    assert_eq!(headers["content-type"], "application/json");
}

#[tokio::test]
async fn spans_hold_no_secret_token_code_or_claim() {
    let collector = Collector::start().await;
    let app = TestApp::with(&collector.section("")).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("login_hint", "alice@corp.example");
    let callback = app.at_provider(&mut browser, &request, &alice()).await;
    let answer = browser.open(&app, &callback).await;
    let code = answer.param("code");
    let tokens = app.tokens("app", &answer).await;
    app.userinfo(tokens.access()).await;
    app.introspect("app", tokens.access()).await;
    browser.get(&app, &format!("{}/no/such/alice@corp.example?secret=canary", app.origin())).await;
    collector.spans(&app).await;
    let sent = collector.collected.lock().unwrap().bodies.clone();
    assert!(sent.contains("GET callback"));
    let state = url::Url::parse(&callback).unwrap();
    let state: Vec<String> = state.query_pairs().map(|(_, value)| value.into_owned()).collect();
    let session = browser.session().unwrap().1;
    let secrets = [&code, tokens.access(), tokens.id(), tokens.refresh(), &session, "the-brokers-secret", "canary"];
    let personal = ["alice", "Alice", "corp.example", "oncall"];
    for text in secrets.into_iter().chain(personal).chain(state.iter().map(String::as_str).filter(|one| one.len() > 8))
    {
        if text != crate::harness::IDP {
            assert!(!sent.contains(text), "{text}");
        }
    }
}

async fn authorize(app: &TestApp, from: Option<&str>, traceparent: &str) -> Reply {
    let mut browser = from.map_or_else(Browser::new, Browser::at);
    let url = Authorize::of("app").url(app);
    browser.send(app, Method::GET, &url, None, &[("traceparent", traceparent)]).await
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn traceparent_counts_only_from_trusted_proxies_and_decides_on_sampling() {
    let collector = Collector::start().await;
    let trusted = "sample_ratio = 0\n[server]\ntrusted_proxies = [\"10.0.0.0/8\"]";
    let app = TestApp::with(&collector.section(trusted)).await;
    authorize(&app, Some("10.1.2.3"), PARENT).await;
    let spans = collector.spans(&app).await;
    let [span] = named(&spans, "GET authorization")[..] else { panic!("{spans:?}") };
    assert_eq!(span.text("traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span.text("parentSpanId"), "00f067aa0ba902b7");
    for (from, parent) in [
        (Some("192.0.2.1"), PARENT),
        (None, PARENT),
        (Some("10.1.2.3"), "not one"),
        (Some("10.1.2.3"), &PARENT.replace("-01", "-00")),
    ] {
        authorize(&app, from, parent).await;
        let spans = collector.spans(&app).await;
        assert!(spans.is_empty(), "{from:?} {parent}: {spans:?}");
    }
}

#[tokio::test]
async fn the_callback_stays_in_the_trace_of_its_sign_in_and_links_to_its_caller() {
    let collector = Collector::start().await;
    let trusted = "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]";
    let app = TestApp::with(&collector.section(trusted)).await;
    let mut browser = Browser::at("10.1.2.3");
    let url = Authorize::of("app").url(&app);
    let leaving = browser.send(&app, Method::GET, &url, None, &[("traceparent", PARENT)]).await.location();
    let callback = app.idp().authorize(&leaving, &alice());
    let other = PARENT.replace("4bf92f", "aaaaaa");
    let answer = browser.send(&app, Method::GET, &callback, None, &[("traceparent", &other)]).await;
    app.token(&Auth::of("app"), &[("grant_type", "authorization_code")]).await;
    app.tokens("app", &answer).await;
    let spans = collector.spans(&app).await;
    let callback = named(&spans, "GET callback")[0];
    assert_eq!(callback.text("traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(callback.0["links"][0]["traceId"], other.split('-').nth(1).unwrap());
    assert!(callback.0.get("parentSpanId").is_none());
    let token = named(&spans, "POST token");
    let ids: Vec<&str> = token.iter().map(|span| span.text("traceId")).collect();
    assert_eq!(ids[1], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(ids[0], ids[1], "a request that failed before it had a code is a trace of its own");
}

#[tokio::test]
async fn a_collector_that_is_down_costs_a_counter_and_one_line() {
    log::capture();
    let collector = Collector::start().await;
    let app = TestApp::with(&collector.section("")).await;
    collector.collected.lock().unwrap().fails = true;
    for _ in 0..3 {
        app.sign_in("app", &alice()).await;
        assert!(collector.spans(&app).await.is_empty());
    }
    let url = &collector.endpoint;
    assert_eq!(log::lines(&["telemetry_export_failed", url]).len(), 1, "one line");
    let metrics = app.broker.metrics().await;
    assert!(metrics.contains("countersign_telemetry_export_failures_total 3"), "{metrics}");
    assert!(!metrics.contains("countersign_telemetry_spans_dropped_total 0"));
    collector.collected.lock().unwrap().fails = false;
    app.sign_in("app", &alice()).await;
    assert!(!collector.spans(&app).await.is_empty(), "and it works again by itself");
}

#[tokio::test]
async fn a_reload_turns_traces_off_and_on() {
    let collector = Collector::start().await;
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    assert!(collector.spans(&app).await.is_empty());
    app.reload(crate::harness::BASE, &[&collector.section("service_name = \"sso\"")]).await;
    app.sign_in("app", &alice()).await;
    assert!(!collector.spans(&app).await.is_empty());
    assert!(collector.collected.lock().unwrap().bodies.contains("\"sso\""));
    app.reload(crate::harness::BASE, &[]).await;
    app.sign_in("app", &alice()).await;
    assert!(collector.spans(&app).await.is_empty());
}

#[tokio::test]
async fn all_lines_of_a_sign_in_have_the_trace_id_of_its_first_request() {
    log::capture();
    let app = TestApp::base().await;
    let somebody = serde_json::json!({ "sub": "trace-77", "preferred_username": "trace-77" });
    let (_, tokens) = app.sign_in("app", &somebody).await;
    app.refresh("app", tokens.refresh()).await;
    let lines = log::lines(&["trace-77"]);
    let of = |line: &String| {
        let (_, rest) = line.split_once("trace_id").unwrap_or_else(|| panic!("{line}"));
        let digits = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        digits.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()
    };
    let ids: std::collections::BTreeSet<String> = lines.iter().map(of).collect();
    assert!(lines.len() >= 3, "{lines:?}");
    assert_eq!(ids.len(), 1, "{lines:?}");
    assert_eq!(ids.first().unwrap().len(), 10);
}

/// A collector may take a request and reject some of its spans (OTLP 1.0, "Partial Success").
#[tokio::test]
async fn spans_that_the_collector_rejects_are_counted_as_dropped() {
    let collector = Collector::start().await;
    let app = TestApp::with(&collector.section("")).await;
    let figure = async |name: &str| {
        let text = app.broker.metrics().await;
        let line =
            text.lines().find_map(|line| line.strip_prefix(&format!("countersign_telemetry_spans_{name}_total ")));
        line.unwrap().parse::<u64>().unwrap()
    };
    for (answer, dropped) in [
        ("{}", 0),
        ("{\"partialSuccess\":{\"rejectedSpans\":\"2\",\"errorMessage\":\"quota\"}}", 2),
        ("{\"partialSuccess\":{\"rejectedSpans\":1}}", 3),
        ("{\"partialSuccess\":{\"errorMessage\":\"only a warning\"}}", 3),
        ("not JSON", 3),
    ] {
        collector.collected.lock().unwrap().answer = answer;
        app.sign_in("app", &alice()).await;
        let before = figure("sent").await + figure("dropped").await;
        let sent = collector.spans(&app).await.len() as u64;
        assert!(sent > 2);
        assert_eq!(figure("dropped").await, dropped, "{answer}");
        assert_eq!(figure("sent").await + figure("dropped").await, before + sent, "{answer}");
    }
}
