//! Notifying apps that a session ended: OIDC Back-Channel Logout 1.0 and Front-Channel Logout 1.0.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::harness::browser::unescape;
use crate::harness::jwt::{header_of, verified};
use crate::harness::{Authorize, Browser, ISSUER, Receiver, Reply, TestApp, Tokens, alice, bob};

const BYE: &str = "https://app.example/bye";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The logout URL with these parameters.
fn logout(params: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{ISSUER}/oauth2/logout?{query}")
}

/// A broker whose provider has no logout page, so that a sign-out redirects at once to its target.
async fn broker(overlay: &str) -> TestApp {
    TestApp::with(&format!("providers.staff.logout = false\n{overlay}")).await
}

/// A broker whose clients are notified over the back channel.
async fn with_backchannel(receiver: &Receiver, clients: &[&str], more: &str) -> TestApp {
    let set = |client: &&str| format!("clients.{client}.backchannel_logout_uri = \"{}\"\n", receiver.url(client));
    broker(&(clients.iter().map(set).collect::<String>() + more)).await
}

/// Another app in the same session.
async fn also(app: &TestApp, browser: &mut Browser, client: &str) -> Tokens {
    let reply = browser.open(app, &Authorize::of(client).url(app)).await;
    app.tokens(client, &reply).await
}

async fn sign_out(app: &TestApp, browser: &mut Browser, tokens: &Tokens) -> Reply {
    browser.open(app, &logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE)])).await
}

/// The claims of the only logout token that an app received, verified like the app does.
async fn told(app: &TestApp, receiver: &Receiver, client: &str) -> Map<String, Value> {
    let received = receiver.received(client);
    assert_eq!(received.len(), 1, "{client}: {received:?}");
    assert_eq!(received[0].method, "POST");
    assert_eq!(received[0].content_type, "application/x-www-form-urlencoded");
    verified(app, received[0].logout_token(), client).await
}

#[tokio::test]
async fn a_sign_out_tells_every_app_of_the_session_and_no_other() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app", "other", "spa"], "").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let others = also(&app, &mut browser, "other").await;
    let (_, elsewhere) = app.sign_in("spa", &alice()).await;
    let left = sign_out(&app, &mut browser, &tokens).await;
    assert_eq!(left.location(), BYE);
    app.broker.apps_are_told().await;

    for (client, tokens) in [("app", &tokens), ("other", &others)] {
        let claims = told(&app, &receiver, client).await;
        assert_eq!(claims["sid"], tokens.claims()["sid"], "{client}");
        assert_eq!(claims["sub"], json!(tokens.sub()));
        assert_eq!(claims["iat"], json!(app.now()));
        assert_eq!(claims["exp"], json!(app.now() + 120));
        assert_eq!(claims["events"], json!({ EVENT: {} }));
        assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 22));
        let expected = BTreeSet::from(["iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"]);
        assert_eq!(claims.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "above all no nonce");
        let header = header_of(receiver.received(client)[0].logout_token());
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!("RS256")));
    }
    assert!(receiver.received("spa").is_empty(), "another browser's session goes on");
    assert_eq!(app.userinfo(elsewhere.access()).await.status, 200);
}

#[tokio::test]
async fn the_app_that_asked_is_told_last_once_the_browser_is_back() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app", "other"], "").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    also(&app, &mut browser, "other").await;
    assert_eq!(sign_out(&app, &mut browser, &tokens).await.location(), BYE);
    receiver.first("other").await;
    assert!(receiver.received("app").is_empty(), "the browser may still be on its way");
    app.broker.apps_are_told().await;
    told(&app, &receiver, "app").await;
}

#[tokio::test]
async fn each_app_sees_its_own_subject_and_its_own_algorithm() {
    let receiver = Receiver::start().await;
    let more = "clients.other = { subject_type = \"pairwise\", id_token_signed_response_alg = \"ES256\" }\n";
    let app = with_backchannel(
        &receiver,
        &["app", "spa"],
        &more.replace(" }", &format!(", backchannel_logout_uri = \"{}\" }}", receiver.url("other"))),
    )
    .await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let pairwise = also(&app, &mut browser, "other").await;
    assert_ne!(pairwise.sub(), tokens.sub());
    sign_out(&app, &mut browser, &tokens).await;
    app.broker.apps_are_told().await;
    assert_eq!(told(&app, &receiver, "app").await["sub"], json!(tokens.sub()));
    assert_eq!(told(&app, &receiver, "other").await["sub"], json!(pairwise.sub()));
    assert_eq!(header_of(receiver.received("other")[0].logout_token())["alg"], "ES256");
}

#[tokio::test]
async fn an_app_with_offline_access_is_told_and_keeps_it() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app"], "").await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid offline_access").set("prompt", "consent");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    let reply = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &reply).await;
    sign_out(&app, &mut browser, &tokens).await;
    app.broker.apps_are_told().await;
    assert_eq!(told(&app, &receiver, "app").await["sid"], tokens.claims()["sid"]);
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200, "§2.7: offline_access lives on");
}

#[tokio::test]
async fn an_app_is_told_of_every_sid_that_it_knows() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app"], "").await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    // The same person signs in again: the session gets a new `sid`, and the grants move to it.
    let again = app.sign_in_with(&mut browser, &Authorize::of("app").set("prompt", "login"), &alice()).await;
    app.broker.apps_are_told().await;
    assert!(receiver.received("app").is_empty(), "nobody signed out");
    sign_out(&app, &mut browser, &again).await;
    app.broker.apps_are_told().await;
    let mut sids = BTreeSet::new();
    for received in receiver.received("app") {
        sids.insert(verified(&app, received.logout_token(), "app").await["sid"].to_string());
    }
    let known = |tokens: &Tokens| tokens.claims()["sid"].to_string();
    assert_eq!(sids, BTreeSet::from([known(&first), known(&again)]));
    assert_eq!(sids.len(), 2);
}

#[tokio::test]
async fn d30_an_app_that_hangs_holds_up_neither_the_person_nor_the_others() {
    let receiver = Receiver::start().await;
    receiver.hang("app");
    let app = with_backchannel(&receiver, &["app", "other"], "").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    also(&app, &mut browser, "other").await;
    // The app never responds. If the broker waited for it, neither of these requests would return.
    assert_eq!(sign_out(&app, &mut browser, &tokens).await.location(), BYE);
    receiver.first("app").await;
    receiver.first("other").await;
    told(&app, &receiver, "other").await;
}

#[tokio::test]
async fn another_persons_sign_in_tells_the_apps_of_the_session_before() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app", "other"], "").await;
    let (mut browser, alices) = app.sign_in("app", &alice()).await;
    let bobs = app.sign_in_with(&mut browser, &Authorize::of("other").set("prompt", "login"), &bob()).await;
    app.broker.apps_are_told().await;
    let claims = told(&app, &receiver, "app").await;
    assert_eq!((&claims["sub"], &claims["sid"]), (&json!(alices.sub()), &alices.claims()["sid"]));
    assert!(receiver.received("other").is_empty());
    assert_eq!(app.userinfo(bobs.access()).await.status, 200);
}

#[tokio::test]
async fn a_client_that_is_disabled_or_gone_is_not_told() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app", "other"], "").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    also(&app, &mut browser, "other").await;
    let back = format!("clients.app.backchannel_logout_uri = \"{}\"\n", receiver.url("app"));
    let overlay = format!(
        "providers.staff.logout = false\n{back}clients.other = {{ enabled = false, backchannel_logout_uri = \"{}\" }}",
        receiver.url("other")
    );
    app.reload(crate::harness::BASE, &[&overlay]).await;
    sign_out(&app, &mut browser, &tokens).await;
    app.broker.apps_are_told().await;
    told(&app, &receiver, "app").await;
    assert!(receiver.received("other").is_empty());
}

#[tokio::test]
async fn one_sign_out_tells_once() {
    let receiver = Receiver::start().await;
    let app = with_backchannel(&receiver, &["app"], "").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    // The broker asks first, because no hint identifies the session.
    let page = browser.open(&app, &logout(&[])).await;
    app.broker.apps_are_told().await;
    assert!(receiver.received("app").is_empty());
    browser.submit(&app, &page, &[("decision", "sign_out")]).await;
    sign_out(&app, &mut browser, &tokens).await;
    app.broker.apps_are_told().await;
    told(&app, &receiver, "app").await;
}

#[tokio::test]
async fn an_app_is_told_however_long_ago_its_tokens_ended() {
    let receiver = Receiver::start().await;
    let lifetimes = r#"
session = { max_inactive = "10h", max_lifetime = "10h" }
[tokens]
refresh_token = { max_inactive = "30m", max_lifetime = "1h" }
"#;
    let app = TestApp::with(&format!(
        "providers.staff.logout = false\nclients.app.backchannel_logout_uri = \"{}\"\n{lifetimes}",
        receiver.url("app")
    ))
    .await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    app.wait(5 * 3600);
    app.broker.housekeeping().await;
    sign_out(&app, &mut browser, &tokens).await;
    app.broker.apps_are_told().await;
    assert_eq!(told(&app, &receiver, "app").await["sid"], tokens.claims()["sid"]);
}

#[tokio::test]
async fn an_app_that_got_its_id_token_without_a_code_is_told() {
    let receiver = Receiver::start().await;
    let implicit = format!(
        r#"
[clients.front]
token_endpoint_auth_method = "none"
grant_types = ["implicit"]
response_types = ["id_token"]
redirect_uris = ["https://front.example/cb"]
post_logout_redirect_uris = ["{BYE}"]
backchannel_logout_uri = "{}"
"#,
        receiver.url("front")
    );
    let app = broker(&implicit).await;
    let mut browser = Browser::new();
    let request = Authorize::of("front").without_pkce().set("response_type", "id_token");
    let reply = app.through_provider(&mut browser, &request, &alice()).await;
    let id_token = reply.param("id_token");
    browser.open(&app, &logout(&[("id_token_hint", &id_token), ("post_logout_redirect_uri", BYE)])).await;
    app.broker.apps_are_told().await;
    let claims = told(&app, &receiver, "front").await;
    assert_eq!(claims["sid"], crate::harness::claims_of(&id_token)["sid"]);
}

/// The addresses of the frames of a page.
fn frames(page: &Reply) -> Vec<String> {
    let frame = regex::Regex::new(r#"<iframe src="([^"]*)"[^>]* hidden></iframe>"#).unwrap();
    frame.captures_iter(&page.text()).map(|found| unescape(&found[1])).collect()
}

/// The target of a page that redirects by itself, which is also the target of its link.
#[track_caller]
fn onward(page: &Reply) -> String {
    let text = page.text();
    let find = |pattern: &str| {
        let found = regex::Regex::new(pattern).unwrap().captures(&text).map(|found| unescape(&found[1]));
        found.unwrap_or_else(|| panic!("{pattern}: {page}"))
    };
    let refresh = find(r#"<meta http-equiv="refresh" content="1;url=([^"]*)">"#);
    assert_eq!(find(r#"<a class="button primary" href="([^"]*)" data-continue>"#), refresh);
    refresh
}

fn frame_src(page: &Reply) -> Option<String> {
    let policy = page.header("content-security-policy").to_owned();
    policy.split("; ").find_map(|directive| directive.strip_prefix("frame-src ")).map(str::to_owned)
}

const FRONT: &str = r#"
clients.app.frontchannel_logout_uri = "https://app.example/out?tenant=a%20b"
clients.other.frontchannel_logout_uri = "https://other.example/out"
clients.spa.frontchannel_logout_uri = "https://spa.example/out"
"#;

#[tokio::test]
async fn the_page_loads_each_apps_frame_and_goes_on() {
    let app = broker(FRONT).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    also(&app, &mut browser, "other").await;
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE), ("state", "a b&c")]);
    let page = browser.open(&app, &url).await;
    assert_eq!((page.status.as_u16(), page.header("location")), (200, ""), "{page}");
    assert!(browser.session().is_none(), "the session is over");

    let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
    let mut shown = frames(&page);
    shown.sort();
    let query = format!("iss=https%3A%2F%2Fsso.example.com&sid={sid}");
    let expected =
        [format!("https://app.example/out?tenant=a%20b&{query}"), format!("https://other.example/out?{query}")];
    assert_eq!(shown, expected);
    assert_eq!(frame_src(&page).as_deref(), Some("https://app.example https://other.example"), "these and no others");
    assert!(!page.text().contains("spa.example"));
    assert_eq!(onward(&page), "https://app.example/bye?state=a+b%26c");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").contains("script-src 'self'"), "{page}");
}

#[tokio::test]
async fn the_frames_come_before_the_providers_logout() {
    let app = TestApp::with(FRONT).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let page = sign_out(&app, &mut browser, &tokens).await;
    assert_eq!(frames(&page).len(), 1);
    let provider = url::Url::parse(&onward(&page)).unwrap();
    assert!(provider.as_str().starts_with("https://idp.example/logout?"), "{provider}");
    let state = provider.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let back = browser.open(&app, &format!("/logout/callback/staff?state={state}")).await;
    assert_eq!(back.location(), BYE);
}

#[tokio::test]
async fn a_sign_out_that_leads_nowhere_shows_the_frames_on_its_own_page() {
    let app = broker(FRONT).await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let asked = browser.open(&app, &logout(&[])).await;
    assert_eq!((frames(&asked).len(), frame_src(&asked)), (0, None));
    let page = browser.submit(&app, &asked, &[("decision", "sign_out")]).await;
    assert_eq!(frames(&page).len(), 1, "{page}");
    assert_eq!(frame_src(&page).as_deref(), Some("https://app.example"));
    assert!(!page.text().contains("http-equiv=\"refresh\""), "{page}");
    let later = browser.open(&app, "/logout/done").await;
    assert_eq!((frames(&later).len(), frame_src(&later)), (0, None));
}

#[tokio::test]
async fn a_native_app_is_gone_back_to_by_its_own_scheme() {
    let native = r#"
[clients.native]
token_endpoint_auth_method = "none"
application_type = "native"
redirect_uris = ["https://native.example/cb"]
post_logout_redirect_uris = ["com.example.native:/bye"]
frontchannel_logout_uri = "https://native.example/out"
"#;
    let app = broker(native).await;
    let (mut browser, tokens) = app.sign_in("native", &alice()).await;
    let bye = "com.example.native:/bye";
    let page = browser.open(&app, &logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", bye)])).await;
    assert_eq!((frames(&page).len(), onward(&page).as_str()), (1, bye));
}

#[tokio::test]
async fn without_an_app_in_frames_a_sign_out_redirects() {
    let app = broker("clients.spa.frontchannel_logout_uri = \"https://spa.example/out\"").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(sign_out(&app, &mut browser, &tokens).await.location(), BYE);
}

#[tokio::test]
async fn discovery_says_which_channels_are_used() {
    let names = ["backchannel_logout", "frontchannel_logout"];
    for (overlay, used) in [
        ("", [false, false]),
        ("clients.app.backchannel_logout_uri = \"https://app.example/out\"", [true, false]),
        ("clients.app.frontchannel_logout_uri = \"https://app.example/out\"", [false, true]),
        ("clients.app = { backchannel_logout_uri = \"https://app.example/out\", enabled = false }", [false, false]),
    ] {
        let document = TestApp::with(overlay).await.get("/.well-known/openid-configuration").await.json();
        for (name, used) in names.iter().zip(used) {
            for member in [format!("{name}_supported"), format!("{name}_session_supported")] {
                assert_eq!(document.get(&member), used.then_some(&json!(true)), "{overlay}: {member}");
            }
        }
    }
}

#[tokio::test]
async fn an_app_gets_the_session_in_each_channel_unless_it_is_registered_without() {
    for (required, sent) in [(None, true), (Some(true), true), (Some(false), false)] {
        let receiver = Receiver::start().await;
        let required = |channel: &str| match required {
            Some(required) => format!("clients.app.{channel}_logout_session_required = {required}\n"),
            None => String::new(),
        };
        let more = format!(
            "clients.app.frontchannel_logout_uri = \"https://app.example/out?x=1\"\n{}{}",
            required("frontchannel"),
            required("backchannel")
        );
        let app = with_backchannel(&receiver, &["app"], &more).await;
        let (mut browser, tokens) = app.sign_in("app", &alice()).await;
        let page = unescape(&sign_out(&app, &mut browser, &tokens).await.text());
        let iss: String = url::form_urlencoded::byte_serialize(ISSUER.as_bytes()).collect();
        let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
        let session = if sent { format!("&iss={iss}&sid={sid}") } else { String::new() };
        assert!(page.contains(&format!("src=\"https://app.example/out?x=1{session}\"")), "{page}");
        app.broker.apps_are_told().await;
        let claims = told(&app, &receiver, "app").await;
        assert_eq!((claims.contains_key("sid"), claims["sub"].as_str()), (sent, Some(tokens.sub().as_str())));
    }
}
