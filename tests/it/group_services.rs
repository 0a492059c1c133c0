//! What every service that lists groups does when something is wrong with it or in front of it, whatever its protocol: refuse,
//! throttle, fail, hang, or answer with a page. Nobody gets in, one call is made, and operators are told why.

use std::sync::Arc;

use countersign::outbound::OutboundError;
use serde_json::{Value, json};

use crate::group_sources::{CLOUD, GRAPH, SCIM, dora, google, with_graph, with_scim};
use crate::harness::services::{Reply, Service, json as answer, raw, throttled};
use crate::harness::{Authorize, Browser, TestApp, alice};

/// A name, an answer, and what the status page says of it.
type Wrong = (&'static str, fn() -> Reply, &'static str);

const WRONG: [Wrong; 13] = [
    ("unauthorized", || answer(401, &json!({})), "status 401: the "),
    ("forbidden", || answer(403, &json!({ "error": { "code": 403 } })), "status 403: the "),
    ("forbidden by a proxy", || raw(403, "text/html", b"<h1>Access denied</h1>".to_vec()), "status 403: the "),
    ("not found", || answer(404, &json!({ "message": "404 Not Found" })), "status 404: the "),
    ("throttled", || throttled("7"), "is not asked again for 7 s"),
    ("throttled without end", || throttled("99999999"), "is not asked again for 600 s"),
    ("failing", || answer(500, &json!({})), "status 500"),
    ("a page", || raw(200, "text/html", b"<html>Sign in</html>".to_vec()), "not a JSON document"),
    ("truncated", || raw(200, "application/json", b"{\"value\": [{\"id\": \"1".to_vec()), "not a JSON document"),
    ("noise", || raw(200, "application/json", vec![0xff; 512]), "not a JSON document"),
    ("huge", || Err(OutboundError::TooLarge(1 << 20)), "larger than"),
    ("slow", || Err(OutboundError::Timeout), "no answer in time"),
    ("elsewhere", || Err(OutboundError::Redirect(302)), "redirect"),
];

async fn failures(app: &TestApp) -> f64 {
    let metrics = app.broker.metrics().await;
    let of_groups = |line: &&str| {
        line.starts_with("countersign_upstream_failures_total{")
            && line.contains("\"groups\"")
            && line.contains("staff")
    };
    let line = metrics.lines().find(of_groups);
    line.map_or(0.0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

/// Makes everything go wrong at a service, one after the other.
async fn goes_wrong(source: &str, app: &TestApp, service: &Arc<Service>, person: &Value) {
    for (what, reply, said) in WRONG {
        service.answers(move |_| reply());
        let (calls, before) = (service.count(), failures(app).await);
        let mut browser = Browser::new();
        let page = app.through_provider(&mut browser, &Authorize::of("app"), person).await;
        page.assert_error_page(502, "groups_unavailable");
        assert!(browser.session().is_none(), "{source}, {what}");
        assert_eq!(service.count() - calls, 1, "{source}, {what}: it is asked once");
        let status = app.broker.status().await;
        assert!(status.contains(said), "{source}, {what}: {said} is not in {status}");
        assert_eq!(failures(app).await - before, 1.0, "{source}, {what}: it is counted");
        let events = app.broker.store.events_after(0, u32::MAX).await.unwrap();
        assert!(events.last().unwrap().contains("groups_unavailable"), "{source}, {what}: {:?}", events.last());
        // The provider itself is fine.
        let state: Value = serde_json::from_str(&status).unwrap();
        let staff = state["providers"].as_array().unwrap().iter().find(|provider| provider["id"] == "staff").unwrap();
        assert_eq!(staff["healthy"], true, "{source}, {what}: {status}");
        app.wait(if what.starts_with("throttled") { 601 } else { 11 });
    }
}

#[tokio::test]
async fn d24_a_service_that_lists_groups_and_goes_wrong_lets_nobody_in_and_is_asked_once() {
    let app = with_graph("").await;
    goes_wrong("graph", &app, &Service::at(&app, GRAPH, |_| answer(500, &json!({}))), &alice()).await;

    const GITLAB: &str = "https://gitlab.example/api/v4";
    let from = format!("groups_from = {{ source = \"gitlab\", url = \"{GITLAB}\", levels = true }}");
    let app =
        TestApp::with(&format!("[providers.staff]\npreset = \"gitlab\"\nissuer = \"https://idp.example\"\n{from}"))
            .await;
    goes_wrong("gitlab", &app, &Service::at(&app, GITLAB, |_| answer(500, &json!({}))), &alice()).await;

    let (app, _tokens) = google("").await;
    goes_wrong("cloud_identity", &app, &Service::at(&app, CLOUD, |_| answer(500, &json!({}))), &dora()).await;
    // What gives the broker its token goes wrong in the same ways.
    let (app, tokens) = google("").await;
    let service = Service::at(&app, CLOUD, |_| answer(200, &json!({})));
    goes_wrong("cloud_identity's token", &app, &tokens, &dora()).await;
    assert_eq!(service.count(), 0);

    let app = with_scim("").await;
    goes_wrong("scim", &app, &Service::at(&app, SCIM, |_| answer(500, &json!({}))), &alice()).await;
}
