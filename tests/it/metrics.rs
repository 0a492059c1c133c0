//! Metrics, `/status` and `/readyz`: what operators see of sign-ins, providers and reloads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use countersign::metrics::catalogue::{self, Kind};
use countersign::snapshot::reload::Reloaded;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Answer, Authorize, BASE, Browser, TestApp, alice, bob, log};

/// The sum of a metric's samples whose labels contain all of these.
async fn total(app: &TestApp, name: &str, labels: &[&str]) -> f64 {
    let text = app.broker.metrics().await;
    let lines = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|l| line.contains(l))
    });
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

async fn status(app: &TestApp) -> Value {
    serde_json::from_str(&app.broker.status().await).unwrap()
}

#[tokio::test]
async fn sign_ins_are_counted_by_provider_client_outcome_and_reason() {
    let app = TestApp::with("providers.staff.allow = \"claims.preferred_username == 'alice'\"").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.refresh("app", tokens.refresh()).await;
    app.through_provider(&mut Browser::new(), &Authorize::of("other"), &bob()).await;
    app.idp().answer("token", Answer::json(500, &json!({})));
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await;
    for labels in [
        "provider=\"staff\",client=\"app\",outcome=\"success\",reason=\"\"",
        "provider=\"staff\",client=\"other\",outcome=\"refused\",reason=\"not_allowed\"",
        "provider=\"staff\",client=\"app\",outcome=\"failed\",reason=\"provider_unavailable\"",
    ] {
        assert_eq!(total(&app, "countersign_sign_ins_total", &[labels]).await, 1.0, "{labels}");
    }
    assert_eq!(total(&app, "countersign_sign_ins_total", &[]).await, 3.0);
    assert_eq!(total(&app, "countersign_tokens_issued_total", &["client=\"app\"", "grant=\"first\""]).await, 1.0);
    assert_eq!(total(&app, "countersign_tokens_issued_total", &["client=\"app\"", "grant=\"refresh\""]).await, 1.0);
    assert_eq!(total(&app, "countersign_sessions_active", &[]).await, 0.0);
    app.broker.housekeeping().await;
    assert_eq!(total(&app, "countersign_sessions_active", &[]).await, 1.0);
}

#[tokio::test]
async fn durations_are_recorded_for_endpoints_providers_and_the_store() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    app.get("/nowhere").await;
    let requests = "countersign_request_duration_seconds_count";
    for (endpoint, at_least) in [("authorization", 1.0), ("callback", 1.0), ("token", 1.0), ("other", 1.0)] {
        let counted = total(&app, requests, &[&format!("endpoint=\"{endpoint}\"")]).await;
        assert!(counted >= at_least, "{endpoint}: {counted}");
    }
    assert_eq!(total(&app, "countersign_responses_total", &["other", "4xx"]).await, 1.0);
    for document in ["discovery document", "key set", "token response"] {
        let labels = [&*format!("document=\"{document}\""), "provider=\"staff\""];
        let calls = total(&app, "countersign_upstream_request_duration_seconds_count", &labels).await;
        assert_eq!(calls, 1.0, "{document}");
    }
    assert_eq!(total(&app, "countersign_upstream_jwks_refreshes_total", &["staff"]).await, 1.0);
    assert_eq!(total(&app, "countersign_upstream_failures_total", &[]).await, 0.0);
    for operation in ["read", "write"] {
        let counted = total(&app, "countersign_store_operation_duration_seconds_count", &[operation]).await;
        assert!(counted >= 1.0, "{operation}: {counted}");
    }
}

/// Finds what is exposed in a format: name and type, and the names of the labels.
async fn exposed(app: &TestApp, accept: &str) -> (String, BTreeMap<String, (String, BTreeSet<String>)>) {
    let request = Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
    let response = app.broker.admin_router().oneshot(request).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let mut metrics = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            current = name.to_owned();
            metrics.insert(current.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            assert!(line.starts_with(&current), "{line} is a sample of {current}");
            let labels = line.split_once('{').map_or("", |(_, labels)| labels);
            let names = labels.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
            let own = names.filter(|name| *name != "le").map(str::to_owned);
            metrics.get_mut(&current).unwrap().1.extend(own);
        }
    }
    (kind, metrics)
}

#[tokio::test]
async fn what_is_exposed_is_the_catalogue() {
    let app = TestApp::with("[providers.staff.signals]").await;
    app.sign_in("app", &alice()).await;
    let event = Request::post(app.absolute("/signals/staff")).header("content-type", "application/secevent+jwt");
    assert_eq!(app.send(event.body(Body::from("x")).unwrap()).await.status, 400);
    app.idp().answer("token", Answer::json(500, &json!({})));
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await;
    let (kind, openmetrics) = exposed(&app, "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3").await;
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let described = |metric: &catalogue::Description| {
        let labels: BTreeSet<String> = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        (format!("countersign_{}", metric.name), (metric.kind.name().to_owned(), labels))
    };
    let wanted: BTreeMap<_, _> = catalogue::ALL.iter().map(described).collect();
    assert_eq!(openmetrics, wanted);
    let (kind, prometheus) = exposed(&app, "*/*").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let names: BTreeSet<String> = prometheus.into_keys().collect();
    assert_eq!(names, catalogue::ALL.iter().map(catalogue::Description::exposed).collect());
}

#[test]
fn the_reference_of_metrics_is_the_catalogue() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md")).unwrap();
    let reference = catalogue::reference();
    assert!(page.contains(&reference), "docs/operations.md must contain this table:\n{reference}");
}

/// The names of metrics that a text mentions.
fn mentioned(text: &str) -> BTreeSet<String> {
    let begins = text.match_indices("countersign_").map(|(at, _)| &text[at..]);
    let name =
        |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || matches!(c, '_' | '0'..='9')).collect();
    begins.map(name).collect()
}

#[test]
fn alert_rules_and_the_dashboard_use_metrics_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monitoring");
    let queried = |metric: &catalogue::Description| match metric.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"].map(|suffix| metric.exposed() + suffix).to_vec(),
        _ => vec![metric.exposed()],
    };
    let exist: BTreeSet<String> = catalogue::ALL.iter().flat_map(queried).collect();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (rules, dashboard) = (read("alerts.yml"), read("grafana-dashboard.json"));
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 10);
    for text in [&rules, &dashboard] {
        let unknown: Vec<String> = mentioned(text).into_iter().filter(|name| !exist.contains(name)).collect();
        assert!(unknown.is_empty() && mentioned(text).len() > 5, "{unknown:?} do not exist");
    }
    for pattern in rules.split("pattern").skip(1) {
        let value = pattern.split('"').nth(1).unwrap();
        for name in value.split('|') {
            assert!(countersign::audit::Pattern::from_name(name).is_some(), "{name} is a pattern");
        }
    }
    assert_eq!(rules.matches("- alert: ").count(), rules.matches("expr: ").count());
    assert_eq!(rules.matches("- alert: ").count(), rules.matches("summary: ").count());
}

#[tokio::test]
async fn a_provider_that_refuses_our_secret_is_not_healthy_until_it_accepts_one() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    assert_eq!(status(&app).await["providers"][0]["healthy"], true);
    assert_eq!(total(&app, "countersign_provider_healthy", &["staff"]).await, 1.0);

    app.idp().answer("token", Answer::json(401, &json!({ "error": "invalid_client" })));
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await;
    // Its documents are there, which a probe confirms; that does not make it usable.
    app.broker.housekeeping().await;
    let provider = status(&app).await["providers"][0].clone();
    assert_eq!((&provider["healthy"], &provider["refuses_our_credentials"]), (&json!(false), &json!(true)));
    let error = provider["last_error"].as_str().unwrap();
    assert!(error.contains("https://idp.example/token") && error.contains("invalid_client"), "{error}");
    assert_eq!(provider["last_error_at"], app.now());
    assert_eq!(total(&app, "countersign_provider_healthy", &["staff"]).await, 0.0);
    assert_eq!(total(&app, "countersign_upstream_failures_total", &["staff", "token response"]).await, 1.0);

    // A reload that changes something else changes nothing about that; one with another secret does.
    app.reload(BASE, &["clients.app.client_name = \"Renamed\""]).await;
    assert_eq!(status(&app).await["providers"][0]["healthy"], false);
    app.reload(&BASE.replace("the-brokers-secret-at-the-provider", "another-secret-at-the-provider"), &[]).await;
    assert_eq!(status(&app).await["providers"][0]["healthy"], true);
    app.reload(BASE, &[]).await;
    assert_eq!(status(&app).await["providers"][0]["healthy"], false);
    app.idp().behave();
    app.sign_in("app", &alice()).await;
    assert_eq!(status(&app).await["providers"][0]["healthy"], true);
}

#[tokio::test]
async fn failures_of_a_provider_name_the_url_and_the_status() {
    log::capture();
    let app = TestApp::base().await;
    app.idp().answer("discovery", Answer::json(404, &json!({})));
    Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    let wanted = "discovery document https://idp.example/.well-known/openid-configuration: status 404";
    assert_eq!(status(&app).await["providers"][0]["last_error"], wanted);
    let lines = log::lines(&["\"event\":\"upstream_failure\"", wanted, "\"client\":\"app\"", "\"provider\":\"staff\""]);
    assert!(!lines.is_empty());
}

#[tokio::test]
async fn status_tells_of_keys_counts_and_when_keys_are_due() {
    let app = TestApp::base().await;
    let shown = status(&app).await;
    assert_eq!((&shown["counts"]["clients"], &shown["counts"]["providers"]), (&json!(3), &json!(1)));
    let current: Vec<&Value> =
        shown["keys"].as_array().unwrap().iter().filter(|key| key["state"] == "current").collect();
    assert!(!current.is_empty() && current.iter().all(|key| key["rotation_due_at"].as_i64().unwrap() > app.now()));
    let due = total(&app, "countersign_signing_key_rotation_due_timestamp_seconds", &["algorithm=\"RS256\""]).await;
    assert!(due > app.now() as f64);
    assert_eq!(app.broker.ready().await.0, 200);
}

#[tokio::test]
async fn a_reload_says_what_changed_and_a_refused_one_has_a_line_for_each_problem() {
    log::capture();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let rule = "\n[[role_rules]]\nroles = [\"admin\"]\nwhen = \"'staff' in groups\"\n";
    let base = format!("{BASE}\n[roles.admin]\ndescription = \"Administrators\"\n{rule}");
    std::fs::write(&file, &base).unwrap();
    let app = TestApp::on_disk(&file).await;
    let mut reloader = app.broker.reloader(&file);
    let client = |name: &str| {
        format!(
            "\n[clients.{name}]\nclient_secret = \"secret-of-{name}-0123456789abcdef0123456789\"\nredirect_uris = [\"https://{name}.example/cb\"]\n"
        )
    };
    let changed = base.replace("'staff' in", "'oncall' in") + &client("metrics-a") + &client("metrics-b");
    std::fs::write(&file, &changed).unwrap();
    assert_eq!(reloader.reload().await, Reloaded::Applied(2));
    let line = log::lines(&["\"event\":\"reload\"", "2 clients added (metrics-a, metrics-b); role rule at "]);
    assert_eq!(line.len(), 1, "{line:#?}");
    assert!(line[0].contains("broker.toml:") && line[0].contains(" changed"), "{line:#?}");
    assert_eq!(total(&app, "countersign_config_reloads_total", &["applied"]).await, 1.0);

    let broken = "\n[clients.metrics-c]\nredirect_urls = []\n[clients.metrics-d]\nredirect_uris = 7\n";
    std::fs::write(&file, format!("{base}{broken}")).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Refused(_)));
    let shown = status(&app).await;
    let problems = shown["reload_problems"].as_array().unwrap();
    assert!(problems.len() >= 2, "{problems:#?}");
    for problem in problems {
        assert!(problem["path"].is_string() && problem["line"].as_u64().unwrap() > 0, "{problem}");
    }
    let here = folder.path().to_str().unwrap();
    let lines = log::lines(&["\"event\":\"reload_problem\"", here]);
    assert_eq!(lines.len(), problems.len(), "{lines:#?}");
    let refused = log::lines(&["\"event\":\"reload_failed\"", here]);
    assert_eq!(refused.len(), 1, "once: {refused:#?}");
    assert_eq!(total(&app, "countersign_config_reloads_total", &["refused"]).await, 1.0);
    std::fs::write(&file, &changed).unwrap();
    reloader.reload().await;
    assert_eq!(status(&app).await["reload_problems"], json!([]));
}
