//! Groups from an API (`groups_from`): sign-ins with Microsoft Graph, GitLab and Google's Cloud Identity behind them, healthy
//! and not. A person whose groups can't be had does not get in.

use countersign::outbound::OutboundError;
use serde_json::{Value, json};

use crate::harness::services::{Service, cloud_identity, gitlab, graph, json as answer, raw, scim, throttled};
use crate::harness::{Authorize, Browser, IDP, Reply, TestApp, Tokens, alice, with};

pub(crate) const GRAPH: &str = "https://graph.example/v1.0";

/// The provider `staff` with groups from Graph at every sign-in, and these settings more.
pub(crate) async fn with_graph(settings: &str) -> TestApp {
    let from = format!("source = \"graph\", when = \"always\", url = \"{GRAPH}\"{settings}");
    TestApp::with(&format!("[providers.staff]\ngroups_from = {{ {from} }}")).await
}

fn many(count: usize) -> Vec<(String, String)> {
    (0..count).map(|n| (format!("id-{n:04}"), format!("Group {n}"))).collect()
}

async fn attempt(app: &TestApp, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), person).await
}

async fn groups(app: &TestApp, person: &Value) -> Value {
    app.sign_in("app", person).await.1.claims()["groups"].clone()
}

#[tokio::test]
async fn graph_s_pages_are_read_and_replace_the_token_s_groups() {
    let app = with_graph("").await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(450), 200));
    let found = groups(&app, &alice()).await;
    assert_eq!(found.as_array().unwrap().len(), 450);
    assert_eq!((&found[0], &found[449]), (&json!("id-0000"), &json!("id-0449")));
    let expected = ["POST /me/getMemberObjects", "GET /me/getMemberObjects", "GET /me/getMemberObjects"];
    assert_eq!(service.requests(), expected);
}

#[tokio::test]
async fn names_come_as_a_claim_of_their_own() {
    let app = TestApp::with(&format!(
        "[providers.staff]\ngroups_from = {{ source = \"graph\", when = \"always\", url = \"{GRAPH}\", names = true }}\n\
         [providers.staff.claims]\ngroups = \"claims.group_names\"\nnickname = \"claims.groups[0]\""
    ))
    .await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(3), 2));
    let claims = app.sign_in("app", &alice()).await.1.claims();
    assert_eq!(
        (&claims["groups"], &claims["nickname"]),
        (&json!(["Group 0", "Group 1", "Group 2"]), &json!("id-0000"))
    );
    assert_eq!(service.requests(), ["GET /me/transitiveMemberOf", "GET /me/transitiveMemberOf"]);
}

#[tokio::test]
async fn graph_is_asked_only_where_the_token_has_no_room() {
    let app =
        TestApp::with(&format!("[providers.staff]\ngroups_from = {{ source = \"graph\", url = \"{GRAPH}\" }}")).await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(2), 100));
    assert_eq!(groups(&app, &alice()).await, json!(["staff", "oncall"]));
    assert_eq!(service.count(), 0);
    // The place that the token names is not called.
    let elsewhere = Service::at(&app, "https://graph.windows.net", |_| answer(200, &json!({ "value": ["id-admin"] })));
    let overage = json!({
        "groups": null, "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://graph.windows.net/t/users/o/getMemberObjects" } },
    });
    assert_eq!(groups(&app, &with(alice(), overage)).await, json!(["id-0000", "id-0001"]));
    for flag in [json!(true), json!("true")] {
        let person = with(
            alice(),
            json!({ "sub": format!("9{flag}"), "preferred_username": format!("x{}", flag.is_string()), "groups": null, "hasgroups": flag }),
        );
        assert_eq!(groups(&app, &person).await, json!(["id-0000", "id-0001"]));
    }
    assert_eq!((elsewhere.count(), service.count()), (0, 3));
}

#[tokio::test]
async fn young_groups_are_not_asked_for_again_and_simultaneous_sign_ins_share_one_call() {
    let app = with_graph(", max_age = \"5m\"").await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(2), 100));
    let person = alice();
    let (first, second) = tokio::join!(groups(&app, &person), groups(&app, &person));
    assert_eq!((first, second, service.count()), (json!(["id-0000", "id-0001"]), json!(["id-0000", "id-0001"]), 1));
    service.answers(graph(GRAPH, many(1), 100));
    app.wait(299);
    groups(&app, &alice()).await;
    assert_eq!(service.count(), 1);
    app.wait(1);
    assert_eq!(groups(&app, &alice()).await, json!(["id-0000"]));
    // Another person's are another's.
    let bob = json!({ "sub": "2", "preferred_username": "bob" });
    groups(&app, &bob).await;
    assert_eq!(service.count(), 3);
}

/// A name, an answer that is no list of groups, and what the status says of it.
type Useless = (&'static str, fn() -> crate::harness::services::Reply, &'static str);

fn useless() -> Vec<Useless> {
    vec![
        ("forbidden", || answer(403, &json!({ "error": { "code": "Authorization_RequestDenied" } })), "status 403"),
        ("unauthorized", || answer(401, &json!({})), "status 401"),
        ("not found", || answer(404, &json!({ "error": { "code": "ResourceNotFound" } })), "status 404"),
        ("server error", || answer(500, &json!({ "value": ["id-admin"] })), "status 500"),
        ("bad gateway", || raw(502, "text/html", b"<html>".to_vec()), "status 502"),
        ("redirect", || Err(OutboundError::Redirect(302)), "redirect"),
        ("no content", || raw(204, "application/json", Vec::new()), "status 204"),
        ("html", || raw(200, "text/html", b"<html><body>Sign in</body></html>".to_vec()), "not a JSON document"),
        ("truncated", || raw(200, "application/json", b"{\"value\":[\"id-adm".to_vec()), "not a JSON document"),
        ("a number", || answer(200, &json!(7)), "not a JSON document"),
        ("no list", || answer(200, &json!({ "groups": [] })), "no list of groups"),
        ("an object", || answer(200, &json!({ "value": { "0": "id" } })), "no list of groups"),
        ("numbers", || answer(200, &json!({ "value": [1, 2] })), "a group without id"),
        ("nulls", || answer(200, &json!({ "value": [null] })), "a group without id"),
        ("empty ids", || answer(200, &json!({ "value": [""] })), "a group without id"),
        ("a wrong link", || answer(200, &json!({ "value": [], "@odata.nextLink": 7 })), "next page has no address"),
        ("huge", || Err(OutboundError::TooLarge(1 << 20)), "larger than"),
        ("slow", || Err(OutboundError::Timeout), "no answer in time"),
        ("down", || Err(OutboundError::Connect("refused".to_owned())), "no connection"),
        (
            "elsewhere",
            || answer(200, &json!({ "value": [], "@odata.nextLink": "https://evil.example/v1.0/x" })),
            "next page is somewhere else",
        ),
        (
            "elsewhere by its user",
            || {
                answer(
                    200,
                    &json!({ "value": [], "@odata.nextLink": "https://graph.microsoft.com@evil.example/v1.0/x" }),
                )
            },
            "next page is somewhere else",
        ),
        (
            "elsewhere without TLS",
            || answer(200, &json!({ "value": [], "@odata.nextLink": GRAPH.replace("https:", "http:") })),
            "next page is somewhere else",
        ),
        (
            "without end",
            || {
                answer(
                    200,
                    &json!({ "value": ["id"], "@odata.nextLink": format!("{GRAPH}/me/getMemberObjects?$skiptoken=1") }),
                )
            },
            "does not end",
        ),
    ]
}

#[tokio::test]
async fn d24_an_api_that_gives_no_groups_lets_nobody_in() {
    for (name, reply, said) in useless() {
        let app = with_graph("").await;
        let service = Service::at(&app, GRAPH, move |_| reply());
        let page = attempt(&app, &alice()).await;
        page.assert_error_page(502, "groups_unavailable");
        assert!(service.count() <= 64, "{name}: {}", service.count());
        let elsewhere = |url: &String| url.contains("evil") || url.starts_with("http:");
        assert!(!app.net.asked().iter().any(elsewhere), "{name}: the token goes nowhere else");
        let status = app.broker.status().await;
        assert!(status.contains(said), "{name}: {said} is not in {status}");
        let metrics = app.broker.metrics().await;
        assert!(metrics.lines().any(|line| line.contains("failures") && line.contains("groups")), "{name}: {metrics}");
        // The provider itself is healthy, and another person is not kept from anything.
        assert!(!page.text().contains("id-admin"), "{name}");
    }
}

#[tokio::test]
async fn groups_of_before_serve_while_the_api_is_unavailable_and_not_when_it_refuses() {
    let app = with_graph(", max_age = \"1m\", max_stale = \"10m\"").await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(1), 100));
    groups(&app, &alice()).await;
    app.wait(60);
    service.answers(|_| answer(503, &json!({})));
    assert_eq!(groups(&app, &alice()).await, json!(["id-0000"]));
    assert_eq!(service.count(), 2);
    // It is left alone for a moment.
    groups(&app, &alice()).await;
    assert_eq!(service.count(), 2);
    app.wait(10);
    groups(&app, &alice()).await;
    assert_eq!(service.count(), 3);
    app.wait(540);
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
    // It recovers by itself.
    app.wait(10);
    service.answers(graph(GRAPH, many(2), 100));
    assert_eq!(groups(&app, &alice()).await, json!(["id-0000", "id-0001"]));
    app.wait(60);
    service.answers(|_| answer(403, &json!({})));
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
    // Nor do they serve afterwards.
    app.wait(10);
    service.answers(|_| answer(503, &json!({})));
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
    let app = with_graph(", max_age = \"1m\", unavailable = \"deny\"").await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(1), 100));
    groups(&app, &alice()).await;
    app.wait(60);
    service.answers(|_| answer(503, &json!({})));
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
}

#[tokio::test]
async fn an_api_that_throttles_is_not_asked_about_anybody_until_the_time_that_it_gives() {
    let app = with_graph("").await;
    let service = Service::at(&app, GRAPH, |_| throttled("120"));
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
    service.answers(graph(GRAPH, many(1), 100));
    app.wait(119);
    let bob = json!({ "sub": "2", "preferred_username": "bob" });
    attempt(&app, &bob).await.assert_error_page(502, "groups_unavailable");
    assert_eq!(service.count(), 1);
    app.wait(1);
    assert_eq!(groups(&app, &bob).await, json!(["id-0000"]));
    assert_eq!(service.count(), 2);
}

#[tokio::test]
async fn somebody_in_more_groups_than_allowed_is_refused_and_not_cut() {
    let app = with_graph(", max_groups = 100").await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(100), 60));
    assert_eq!(groups(&app, &alice()).await.as_array().unwrap().len(), 100);
    service.answers(graph(GRAPH, many(101), 60));
    app.wait(300);
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
    assert!(app.broker.status().await.contains("more than 100 groups"));
}

#[tokio::test]
async fn a_refresh_brings_the_groups_of_now() {
    let from =
        format!("groups_from = {{ source = \"graph\", when = \"always\", max_age = \"0s\", url = \"{GRAPH}\" }}");
    let lines = "scopes = [\"openid\", \"User.Read\", \"offline_access\"]\non_refresh = { claims = \"upstream\", max_age = \"0s\", unavailable = \"deny\" }";
    let app = TestApp::with(&format!("[providers.staff]\n{from}\n{lines}")).await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, many(2), 100));
    let request = Authorize::of("app").set("scope", "openid groups offline_access");
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    service.answers(graph(GRAPH, many(1), 100));
    app.wait(60);
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!(tokens.claims()["groups"], json!(["id-0000"]));
    service.answers(|_| answer(403, &json!({})));
    app.wait(60);
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "no groups, no tokens");
}

#[tokio::test]
async fn userinfo_alone_says_the_groups_where_the_file_says_so() {
    let app = TestApp::with("[providers.staff]\ngroups_from = \"userinfo\"").await;
    app.idp().edit_id_token(|claims| drop(claims.insert("groups".to_owned(), json!(["admins"]))));
    assert_eq!(groups(&app, &alice()).await, json!(["staff", "oncall"]));
    app.idp().edit_userinfo(|claims| drop(claims.remove("groups")));
    assert_eq!(groups(&app, &alice()).await, json!([]));
    let app = TestApp::with("[providers.staff]\ngroups_from = \"userinfo\"").await;
    app.idp().edit_discovery(|document| drop(document.remove("userinfo_endpoint")));
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
}

const GITLAB: &str = "https://gitlab.example/api/v4";
const MEMBERSHIPS: &[(&str, u8)] = &[("corp", 10), ("corp/platform", 50), ("corp/platform/sre", 50), ("corp/shop", 30)];

#[tokio::test]
async fn gitlab_s_inherited_groups_come_with_their_levels() {
    let lines = |more: &str| {
        format!(
            "[providers.staff]\npreset = \"gitlab\"\nissuer = \"https://idp.example\"\n\
             groups_from = {{ source = \"gitlab\", url = \"{GITLAB}\"{more} }}"
        )
    };
    let app = TestApp::with(&lines("")).await;
    let service = Service::at(&app, GITLAB, gitlab(MEMBERSHIPS));
    let all = json!(["corp", "corp/platform", "corp/platform/sre", "corp/shop"]);
    assert_eq!((groups(&app, &alice()).await, service.count()), (all.clone(), 1));
    assert_eq!(app.idp().last_request()["scope"], "openid profile email read_api");
    let levels = format!(
        "{}\n[providers.staff.claims]\nroles = \"claims.group_levels\"\ngroups = \"claims.groups\"",
        lines(", levels = true")
    );
    let app = TestApp::with(&format!("{levels}\n[roles.\"corp/platform:owner\"]")).await;
    let service = Service::at(&app, GITLAB, gitlab(MEMBERSHIPS));
    let request = Authorize::of("app").set("scope", "openid groups roles");
    let claims = app.sign_in_with(&mut Browser::new(), &request, &alice()).await.claims();
    assert_eq!((&claims["groups"], &claims["roles"]), (&all, &json!(["corp/platform:owner"])));
    assert_eq!(service.count(), 6, "one listing for each level");
    for (reply, said) in [
        (json!({ "message": "insufficient_scope" }), "not a list of groups"),
        (json!([{ "id": 1 }]), "without full_path"),
        (json!([{ "id": 1, "full_path": 7 }]), "without full_path"),
    ] {
        let app = TestApp::with(&lines("")).await;
        let _service = Service::at(&app, GITLAB, move |_| answer(200, &reply));
        attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
        assert!(app.broker.status().await.contains(said), "{said}");
    }
}

pub(crate) const CLOUD: &str = "https://cloudidentity.example/v1";
const TOKENS: &str = "https://oauth2.example/token";

/// A person of the organisation, as Google's ID token has her.
pub(crate) fn dora() -> Value {
    json!({ "sub": "1077", "email": "dora@corp.example", "email_verified": true, "hd": "corp.example", "name": "Dora" })
}

/// The provider `staff` as Google, with a service account.
pub(crate) async fn google(more: &str) -> (TestApp, std::sync::Arc<Service>) {
    let account = ServiceKey::generate();
    let credentials = json!({
        "type": "service_account", "client_email": "broker@project.iam.gserviceaccount.com", "private_key_id": "k1",
        "private_key": account.pem, "token_uri": TOKENS,
    });
    let credentials = credentials.to_string().replace('\\', "\\\\").replace('"', "\\\"");
    let app = TestApp::with(&format!(
        "[providers.staff]\npreset = \"google\"\nissuer = \"https://idp.example\"\nhosted_domains = [\"corp.example\"]\n\
         groups_from = {{ source = \"cloud_identity\", url = \"{CLOUD}\", subject = \"admin@corp.example\", credentials = \"{credentials}\"{more} }}"
    ))
    .await;
    let now = app.now();
    let tokens = Service::at(&app, TOKENS, move |asked| {
        let form: std::collections::HashMap<String, String> =
            url::form_urlencoded::parse(&asked.body).into_owned().collect();
        assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let claims = account.verified(&form["assertion"]);
        assert_eq!(
            (&claims["iss"], &claims["aud"]),
            (&json!("broker@project.iam.gserviceaccount.com"), &json!(TOKENS))
        );
        assert_eq!(claims["sub"], "admin@corp.example");
        assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-identity.groups.readonly");
        assert!(claims["iat"].as_i64().unwrap() >= now && claims["exp"].as_i64().unwrap() <= now + 3600 * 3);
        answer(200, &json!({ "access_token": "service-token", "expires_in": 3599, "token_type": "Bearer" }))
    });
    (app, tokens)
}

/// The key of a service account.
struct ServiceKey {
    pair: aws_lc_rs::signature::RsaKeyPair,
    pem: String,
}

impl ServiceKey {
    fn generate() -> Self {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
        use base64::Engine as _;
        let pair = aws_lc_rs::signature::RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        Self { pair, pem }
    }

    /// The claims of an assertion that this key signed.
    fn verified(&self, assertion: &str) -> Value {
        use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &engine.decode(signature).unwrap()).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header: Value = serde_json::from_slice(&engine.decode(header).unwrap()).unwrap();
        assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("k1")));
        serde_json::from_slice(&engine.decode(claims).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn google_s_groups_come_by_a_service_account_nested_ones_too() {
    let (app, tokens) = google("").await;
    let (direct, nested) = (&["sre@corp.example", "ops@corp.example"], &["staff@corp.example"]);
    let service = Service::at(&app, CLOUD, cloud_identity("dora@corp.example", direct, nested));
    let claims = app.sign_in("app", &dora()).await.1.claims();
    assert_eq!(claims["groups"], json!(["ops@corp.example", "sre@corp.example", "staff@corp.example"]));
    assert_eq!(claims["preferred_username"], "dora@corp.example");
    let sent = app.idp().last_request();
    assert_eq!((sent["hd"].as_str(), sent["scope"].as_str()), ("corp.example", "openid profile email"));
    assert_eq!((tokens.count(), service.count()), (1, 3));
    // The access token is kept, and replaced before it expires.
    app.wait(300);
    groups(&app, &dora()).await;
    assert_eq!(tokens.count(), 1);
    app.wait(3300);
    groups(&app, &dora()).await;
    assert_eq!(tokens.count(), 2);
    let (app, _tokens) = google(", nested = false").await;
    let _service = Service::at(&app, CLOUD, cloud_identity("dora@corp.example", direct, nested));
    assert_eq!(groups(&app, &dora()).await, json!(["ops@corp.example", "sre@corp.example"]));
}

#[tokio::test]
async fn groups_of_an_address_that_google_does_not_vouch_for_are_not_looked_up() {
    let (app, _tokens) = google("").await;
    let service = Service::at(&app, CLOUD, cloud_identity("dora@corp.example", &["sre@corp.example"], &[]));
    let unverified = with(dora(), json!({ "email_verified": false }));
    assert_eq!(groups(&app, &unverified).await, json!([]));
    let quoted = with(dora(), json!({ "sub": "2", "email": "x' || 'a' in labels || 'y@corp.example" }));
    assert_eq!(groups(&app, &quoted).await, json!([]));
    assert_eq!(service.count(), 0);
    // A private account has no `hd`; one of another organisation has another.
    for person in [json!({ "hd": null }), json!({ "hd": "evil.example" }), json!({ "hd": ["corp.example"] })] {
        attempt(&app, &with(dora(), person)).await.assert_error_page(403, "not_allowed");
    }
}

#[tokio::test]
async fn d24_a_service_account_that_is_refused_lets_nobody_in() {
    for (status, body, said) in [
        (400, json!({ "error": "invalid_grant" }), "status 400"),
        (403, json!({}), "status 403"),
        (500, json!({}), "status 500"),
        (200, json!({ "token": "x" }), "no access_token"),
        (200, json!({ "access_token": "" }), "no access_token"),
        (200, json!({ "access_token": "a\nb" }), "can't be sent"),
    ] {
        let (app, tokens) = google("").await;
        let service = Service::at(&app, CLOUD, cloud_identity("dora@corp.example", &["sre@corp.example"], &[]));
        tokens.answers(move |_| answer(status, &body));
        attempt(&app, &dora()).await.assert_error_page(502, "groups_unavailable");
        assert_eq!(service.count(), 0);
        assert!(app.broker.status().await.contains(said), "{said}: {}", app.broker.status().await);
    }
    for (reply, said) in [
        (json!({ "memberships": {} }), "no list of groups"),
        (json!([]), "no list of groups"),
        (json!({ "memberships": [{ "group": "groups/x" }] }), "without address"),
        (json!({ "memberships": [], "nextPageToken": "again" }), "does not end"),
    ] {
        let (app, _tokens) = google("").await;
        let _service = Service::at(&app, CLOUD, move |_| answer(200, &reply));
        attempt(&app, &dora()).await.assert_error_page(502, "groups_unavailable");
        assert!(app.broker.status().await.contains(said), "{said}");
    }
    let (app, tokens) = google("").await;
    let service = Service::at(&app, CLOUD, |_| answer(401, &json!({})));
    attempt(&app, &dora()).await.assert_error_page(502, "groups_unavailable");
    // Another access token is got for the next attempt.
    service.answers(cloud_identity("dora@corp.example", &["sre@corp.example"], &[]));
    app.wait(10);
    assert_eq!((groups(&app, &dora()).await, tokens.count()), (json!(["sre@corp.example"]), 2));
}

#[tokio::test]
async fn d40_tokens_and_secrets_are_marked_in_every_call() {
    let app = with_graph(", max_age = \"1m\"").await;
    Service::at(&app, GRAPH, graph(GRAPH, many(2), 1));
    groups(&app, &alice()).await;
    let calls = app.net.authorized();
    for called in [format!("{IDP}/token"), format!("{IDP}/userinfo"), GRAPH.to_owned()] {
        assert!(calls.iter().any(|(url, _)| url.starts_with(&called)), "{called}: {calls:?}");
    }
    // A header that is not marked may be printed, and be kept by the compression of HTTP/2 (RFC 7541 §7.1.3).
    assert!(calls.iter().all(|(_, marked)| *marked), "{calls:?}");
}

pub(crate) const SCIM: &str = "https://directory.example/scim/v2";

/// The provider `staff` with groups from a directory, and these settings more.
pub(crate) async fn with_scim(settings: &str) -> TestApp {
    let from = format!("source = \"scim\", url = \"{SCIM}\", credentials = \"scim-token\"{settings}");
    TestApp::with(&format!("[providers.staff]\ngroups_from = {{ {from} }}")).await
}

fn alice_there(groups: Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "u-1", "userName": "Alice", "externalId": "1",
        "emails": [{ "value": "Alice@corp.example", "primary": true }], "groups": groups,
    })
}

#[tokio::test]
async fn a_directory_is_asked_for_the_groups_of_a_user() {
    let app = with_scim("").await;
    let own = json!([
        { "value": "g-2", "display": "SRE", "$ref": "../Groups/g-2", "type": "direct" },
        { "value": "g-1", "display": "Everyone", "type": "indirect" },
    ]);
    let service = Service::at(&app, SCIM, scim(vec![alice_there(own)], &[]));
    assert_eq!(groups(&app, &alice()).await, json!(["Everyone", "SRE"]), "those of the token do not count");
    assert_eq!(service.requests(), ["GET /Users"]);
    groups(&app, &alice()).await;
    assert_eq!(service.count(), 1, "they are young");
    // Whom the directory does not know is in no group.
    let bob = json!({ "sub": "2", "preferred_username": "bob\" or \"a\" eq \"a", "groups": ["admins"] });
    assert_eq!(groups(&app, &bob).await, json!([]));
    let nameless = json!({ "sub": "3", "username": "eve", "groups": ["admins"] });
    assert_eq!((groups(&app, &nameless).await, service.count()), (json!([]), 2));
}

#[tokio::test]
async fn a_directory_whose_users_list_no_groups_is_asked_for_their_memberships_in_pages() {
    for (attribute, claims) in [
        ("", json!({})),
        (", attribute = \"externalId\", claim = \"sub\"", json!({ "preferred_username": "somebody" })),
        (", attribute = \"emails.value\"", json!({ "preferred_username": "somebody" })),
        (", attribute = \"id\", claim = \"scim_id\"", json!({ "preferred_username": "somebody", "scim_id": "u-1" })),
    ] {
        let app = with_scim(attribute).await;
        let all: Vec<(String, String)> = (0..150).map(|n| (format!("g-{n:03}"), format!("Group {n:03}"))).collect();
        let service = Service::at(&app, SCIM, scim(vec![alice_there(Value::Null)], &all));
        let found = groups(&app, &with(alice(), claims)).await;
        assert_eq!((found.as_array().unwrap().len(), &found[149]), (150, &json!("Group 149")), "{attribute}");
        // Whether filters are applied, and two pages.
        assert_eq!(service.requests(), ["GET /Users", "GET /Groups", "GET /Groups", "GET /Groups"]);
    }
    // An address that the provider does not vouch for is nobody's.
    let app = with_scim(", attribute = \"emails.value\"").await;
    let service = Service::at(&app, SCIM, scim(vec![alice_there(json!([{ "value": "g", "display": "SRE" }]))], &[]));
    let unverified = with(alice(), json!({ "email_verified": false }));
    assert_eq!((groups(&app, &unverified).await, service.count()), (json!([]), 0));
    let app = TestApp::with(&format!(
        "[providers.staff]\ngroups_from = {{ source = \"scim\", url = \"{SCIM}\", credentials = \"scim-token\" }}\n\
         [providers.staff.claims]\ngroups = \"claims.group_ids\""
    ))
    .await;
    let _service = Service::at(&app, SCIM, scim(vec![alice_there(json!([{ "value": "g-7", "display": "SRE" }]))], &[]));
    assert_eq!(groups(&app, &alice()).await, json!(["g-7"]));
}

#[tokio::test]
async fn d24_a_directory_that_ignores_filters_or_fails_lets_nobody_in() {
    let list = |items: Value, total: Value| json!({ "schemas": [], "totalResults": total, "Resources": items });
    let everybody = json!([{ "id": "u-0", "userName": "admin", "groups": [{ "value": "g", "display": "admins" }] }]);
    let twice = json!([alice_there(json!([])), alice_there(json!([]))]);
    let groups_of_all = json!([{ "id": "g", "displayName": "admins" }]);
    let alice_alone = json!([alice_there(Value::Null)]);
    for (users, groups, said) in [
        ((200, list(everybody, json!(1))), (200, json!({})), "users that the filter does not name"),
        ((200, list(twice, json!(2))), (200, json!({})), "must tell people apart"),
        (
            (200, list(alice_alone.clone(), json!(1))),
            (200, list(groups_of_all, json!(1))),
            "ignores the filter members.value",
        ),
        ((200, list(alice_alone.clone(), json!(1))), (501, json!({})), "status 501"),
        ((200, list(alice_alone, json!(1))), (200, json!([])), "no totalResults"),
        ((401, json!({})), (200, json!({})), "status 401: the token may not read"),
        ((403, json!({})), (200, json!({})), "status 403: the token may not read"),
        ((400, json!({ "scimType": "invalidFilter" })), (200, json!({})), "status 400"),
        ((500, json!({})), (200, json!({})), "status 500"),
        ((200, json!({ "Resources": [] })), (200, json!({})), "no totalResults"),
        ((200, list(json!({}), json!(1))), (200, json!({})), "Resources are not a list"),
        ((200, list(json!([]), json!(7))), (200, json!({})), "although its list goes on"),
        ((200, list(json!([7]), json!(1))), (200, json!({})), "users that the filter does not name"),
        ((200, json!("x")), (200, json!({})), "not a JSON document"),
    ] {
        let app = with_scim("").await;
        let service = Service::at(&app, SCIM, move |asked| {
            let (status, body) = if asked.path == "/Users" { &users } else { &groups };
            answer(*status, body)
        });
        attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
        let status = app.broker.status().await;
        assert!(status.contains(said), "{said} is not in {status}");
        assert!(!status.contains("scim-token") && service.count() <= 64);
    }
    // Its list does not end, and somebody is in too many.
    let app = with_scim(", max_groups = 100").await;
    let all: Vec<(String, String)> = (0..101).map(|n| (format!("g-{n}"), format!("Group {n}"))).collect();
    let _service = Service::at(&app, SCIM, scim(vec![alice_there(Value::Null)], &all));
    attempt(&app, &alice()).await.assert_error_page(502, "groups_unavailable");
    assert!(app.broker.status().await.contains("more than 100 groups"));
}

#[tokio::test]
async fn d24_an_address_that_changes_hands_does_not_bring_the_groups_of_before() {
    let app = with_scim("").await;
    let own = json!([{ "value": "g-2", "display": "SRE" }]);
    let service = Service::at(&app, SCIM, scim(vec![alice_there(own)], &[]));
    assert_eq!(groups(&app, &alice()).await, json!(["SRE"]));
    // The same account, which the directory knows by another name by now.
    let renamed = with(alice(), json!({ "preferred_username": "alicia" }));
    assert_eq!((groups(&app, &renamed).await, service.count()), (json!([]), 2));
}
