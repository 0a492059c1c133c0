//! Client certificates of users: the certificate grant, sign-in without a page, and whose certificate it is.

use http::Method;
use serde_json::{Value, json};

use crate::harness::app::secret_of;
use crate::harness::certificates::{Ca, Leaf};
use crate::harness::{BASE, Browser, Reply, START, TestApp, Tokens, alice, claims_of};

const GRANT: &str = "urn:countersign:grant:certificate";
const HEADER: &str = "x-client-cert";

/// Certificates create users, for the client `app`.
pub(crate) const CREATING: &str = r#"
server.trusted_proxies = ["10.0.0.0/8"]
[certificates]
listen = ["127.0.0.1:8444"]
ca = "clients-ca.pem"
clients = ["app"]
create_users = true
[roles.robot]
[[role_rules]]
when = "provider == 'certificate'"
roles = ["robot"]
"#;

/// A certificate of this user is in the file.
fn attached(user: &str, leaf: &Leaf) -> String {
    format!(
        r#"
server.trusted_proxies = ["10.0.0.0/8"]
[certificates]
listen = ["127.0.0.1:8444"]
ca = "clients-ca.pem"
clients = ["app"]
[roles.admin]
[users.{user}]
certificates = ["{}"]
groups = ["machines"]
roles = ["admin"]
"#,
        leaf.fingerprint().to_uppercase().replace("SHA256", "sha256")
    )
}

pub(crate) fn script(leaf: &Leaf) -> Browser {
    Browser::presenting(HEADER, &leaf.escaped())
}

/// A token request of a client, from this browser.
async fn post(app: &TestApp, from: &mut Browser, client: &str, form: &[(&str, &str)]) -> Reply {
    let secret = secret_of(client);
    let form: Vec<(&str, &str)> =
        form.iter().copied().chain([("client_id", client), ("client_secret", secret.as_str())]).collect();
    from.send(app, Method::POST, "/oauth2/token", Some(&form), &[]).await
}

/// The certificate grant, with these scopes.
pub(crate) async fn exchange(app: &TestApp, leaf: &Leaf, scope: &str) -> Reply {
    post(app, &mut script(leaf), "app", &[("grant_type", GRANT), ("scope", scope)]).await
}

async fn refused(app: &TestApp, leaf: &Leaf, reason: &str) {
    let reply = exchange(app, leaf, "openid").await;
    reply.assert_json_error(400, "invalid_grant");
    let text = reply.json()["error_description"].as_str().unwrap().to_owned();
    assert!(text.contains(reason), "{text}");
}

#[tokio::test]
async fn a_script_gets_tokens_of_a_new_user_in_one_request() {
    let app = TestApp::with(CREATING).await;
    let leaf = Leaf::named("ci-runner");
    let tokens = Tokens::read(&exchange(&app, &leaf, "openid profile roles offline_access").await);
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(tokens.body["expires_in"], 3600);
    assert_eq!(tokens.body["scope"], "openid profile roles", "offline_access is nothing for a certificate");
    assert!(tokens.body.get("refresh_token").is_none());
    let claims = tokens.claims();
    assert_eq!(claims["preferred_username"], "ci-runner");
    assert_eq!(claims["roles"], json!(["robot"]));
    assert_eq!((&claims["auth_time"], &claims["amr"]), (&json!(START), &json!(["pop"])));
    assert_eq!(claims_of(tokens.access())["roles"], json!(["robot"]));
    assert_eq!(app.userinfo(tokens.access()).await.json()["preferred_username"], "ci-runner");
    assert_eq!(app.introspect("app", tokens.access()).await.json()["username"], "ci-runner");

    app.wait(60);
    let again = Tokens::read(&exchange(&app, &leaf, "openid").await);
    assert_eq!(again.sub(), tokens.sub(), "the same certificate is the same user");
    let person = app.broker.store.user("ci-runner").await.unwrap().unwrap();
    assert_eq!(person.links.len(), 1);
    assert_eq!(person.links[0].key.subject, leaf.fingerprint());
    // Revoked tokens are gone; the certificate gets others.
    app.revoke("app", again.access()).await;
    assert_eq!(app.introspect("app", again.access()).await.json()["active"], false);
}

#[tokio::test]
async fn a_certificate_in_the_file_is_its_users() {
    let leaf = Leaf::named("whatever");
    let app = TestApp::with(&attached("alice", &leaf)).await;
    let tokens = Tokens::read(&exchange(&app, &leaf, "openid profile groups roles").await);
    let claims = tokens.claims();
    assert_eq!(claims["preferred_username"], "alice");
    assert_eq!((&claims["groups"], &claims["roles"]), (&json!(["machines"]), &json!(["admin"])));
    refused(&app, &Leaf::named("whatever"), "user_not_declared").await;
}

#[tokio::test]
async fn one_user_may_hold_a_provider_link_and_certificates() {
    let (first, second) = (Leaf::named("a"), Leaf::named("b"));
    let both = attached("alice", &first).replace(
        "\"]\ngroups",
        &format!("\", \"{}\"]\nlinks = [{{ provider = \"staff\", sub = \"1\" }}]\ngroups", second.fingerprint()),
    );
    let app = TestApp::with(&both).await;
    let (_, by_provider) = app.sign_in("app", &alice()).await;
    for leaf in [&first, &second] {
        let tokens = Tokens::read(&exchange(&app, leaf, "openid profile").await);
        assert_eq!(tokens.sub(), by_provider.sub());
        assert_eq!(tokens.claims()["name"], "Alice Example", "the stored profile stays as the provider filled it");
    }
    let (_, later) = app.sign_in("app", &alice()).await;
    assert_eq!(later.claims()["name"], "Alice Example");
}

/// What the file takes away is gone at once, in what was issued before, too.
#[tokio::test]
async fn a_certificate_that_the_file_no_longer_attaches_is_nobodys() {
    let leaf = Leaf::named("machine");
    let app = TestApp::with(&attached("alice", &leaf)).await;
    let tokens = Tokens::read(&exchange(&app, &leaf, "openid").await);
    app.reload(BASE, &[&attached("alice", &Leaf::named("machine"))]).await;
    assert_eq!(app.introspect("app", tokens.access()).await.json()["active"], false);
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    refused(&app, &leaf, "user_not_declared").await;
    // It may become somebody else's.
    app.reload(BASE, &[&attached("bob", &leaf)]).await;
    let tokens = Tokens::read(&exchange(&app, &leaf, "openid profile").await);
    assert_eq!(tokens.claims()["preferred_username"], "bob");
}

#[tokio::test]
async fn d41_a_certificate_never_gets_a_name_that_is_taken_or_reserved() {
    let declared = format!(
        "{CREATING}\n[policy]\nreserved_usernames = [\"root\"]\non_username_conflict = \"suffix\"\n[users.carol]\n"
    );
    let app = TestApp::with(&declared).await;
    app.sign_in("app", &alice()).await;
    for (name, reason) in [
        ("alice", "username_taken"),
        ("ALICE", "username_taken"),
        ("ａｌｉｃｅ", "username_taken"),
        (" alice ", "username_taken"),
        ("carol", "username_taken"),
        ("Carol", "username_taken"),
        ("root", "username_reserved"),
        ("Root", "username_reserved"),
        ("r00t", "username_reserved"),
        ("rооt", "username_reserved"),
        ("ro\u{200b}ot", "username_invalid"),
        ("al\u{0}ice", "username_invalid"),
        ("", "username_missing"),
    ] {
        refused(&app, &Leaf::named(name), reason).await;
    }
    let person = app.broker.store.user("alice").await.unwrap().unwrap();
    assert_eq!(person.links.len(), 1, "nothing was linked: {person:?}");
    assert!(app.broker.store.user("alice-2").await.unwrap().is_none());
    // Two common names say nothing; which of them would be meant?
    let two = crate::harness::certificates::ca().issue("x", |params| {
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CommonName, "x");
        name.push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 3]), "y");
        params.distinguished_name = name;
    });
    refused(&app, &two, "claim_mapping_failed").await;
}

#[tokio::test]
async fn the_grant_is_for_declared_clients_on_its_own_listener() {
    let app = TestApp::with(CREATING).await;
    let leaf = Leaf::named("ci-runner");
    let form = [("grant_type", GRANT), ("scope", "openid")];
    post(&app, &mut script(&leaf), "other", &form).await.assert_json_error(400, "unauthorized_client");
    let mut elsewhere = Browser { by_certificates: false, ..script(&leaf) };
    let reply = post(&app, &mut elsewhere, "app", &form).await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.text().contains("mtls_endpoint_aliases"), "{reply}");
    let mut without = Browser { headers: Vec::new(), ..script(&leaf) };
    post(&app, &mut without, "app", &form).await.assert_json_error(400, "invalid_grant");
    let wrong = [("client_id", "app"), ("client_secret", "wrong"), ("grant_type", GRANT)];
    let reply = script(&leaf).send(&app, Method::POST, "/oauth2/token", Some(&wrong), &[]).await;
    reply.assert_json_error(401, "invalid_client");
    let target = [("grant_type", GRANT), ("resource", "https://api.example/unknown")];
    post(&app, &mut script(&leaf), "app", &target).await.assert_json_error(400, "invalid_target");

    let document = app.get("/.well-known/openid-configuration").await.json();
    let aliases = &document["mtls_endpoint_aliases"];
    assert_eq!(aliases["token_endpoint"], "https://sso.example.com:8444/oauth2/token");
    assert_eq!(aliases["userinfo_endpoint"], "https://sso.example.com:8444/oauth2/userinfo");
    let grants: Vec<&str> =
        document["grant_types_supported"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(grants.contains(&GRANT), "{grants:?}");
    let plain = TestApp::base().await.get("/.well-known/openid-configuration").await.json();
    assert!(
        plain.get("mtls_endpoint_aliases").is_none()
            && plain.get("tls_client_certificate_bound_access_tokens").is_none()
    );
}

#[tokio::test]
async fn the_same_policy_decides_as_for_everybody() {
    let strict = format!(
        "{CREATING}\n[clients.app]\nrequire = \"'robot' in roles && 'pop' in amr && user.username != 'rogue'\""
    );
    let app = TestApp::with(&strict).await;
    assert_eq!(exchange(&app, &Leaf::named("ci-runner"), "openid").await.status, 200);
    refused(&app, &Leaf::named("rogue"), "client_requirement_not_met").await;
    // The policy acts on what was issued, and a disabled user is out.
    let tokens = Tokens::read(&exchange(&app, &Leaf::named("worker"), "openid").await);
    app.set_user_disabled("worker", true).await;
    assert_eq!(app.introspect("app", tokens.access()).await.json()["active"], false);
    let other = format!("{CREATING}\n[clients.app]\nproviders = [\"staff\"]");
    app.reload(BASE, &[&other]).await;
    assert_eq!(exchange(&app, &Leaf::named("second"), "openid").await.status, 200, "certificates.clients names it");
}

#[tokio::test]
async fn the_expression_names_the_user() {
    let by_address = CREATING.replace("create_users = true", "create_users = true\nusername = \"cert.san.email[0].before('@') + '-' + cert.issuer.cn.lower().replace(' ', '-')\"");
    let app = TestApp::with(&by_address).await;
    let leaf = crate::harness::certificates::ca().issue("ignored", |params| {
        let ip = "192.0.2.1".parse().unwrap();
        params.subject_alt_names =
            crate::harness::certificates::alternatives("x.example", "urn:x", "ci@corp.example", ip);
    });
    let tokens = Tokens::read(&exchange(&app, &leaf, "openid profile").await);
    assert_eq!(tokens.claims()["preferred_username"], "ci-clients-ca");
}

/// 20 requests of a certificate that nobody knows yet make one user.
#[tokio::test]
async fn parallel_first_uses_make_one_user() {
    let app = TestApp::with(CREATING).await;
    let leaf = Leaf::named("ci-runner");
    let requests = (0..20).map(|_| exchange(&app, &leaf, "openid"));
    let replies = futures_joined(requests).await;
    let subs: std::collections::BTreeSet<String> = replies.iter().map(|reply| Tokens::read(reply).sub()).collect();
    assert_eq!(subs.len(), 1);
}

async fn futures_joined<F: Future<Output = Reply>>(futures: impl Iterator<Item = F>) -> Vec<Reply> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<Reply>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, reply) in futures.iter_mut().zip(&mut done).filter(|(_, reply)| reply.is_none()) {
            if let std::task::Poll::Ready(ready) = future.as_mut().poll(context) {
                *reply = Some(ready);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_refusal_can_be_explained() {
    let app = TestApp::with(CREATING).await;
    let leaf = Leaf::named("ci-runner");
    Tokens::read(&exchange(&app, &leaf, "openid").await);
    let strict = format!("{CREATING}\n[clients.app]\nrequire = \"'nobody' in groups\"");
    app.reload(BASE, &[&strict]).await;
    let reply = exchange(&app, &leaf, "openid").await;
    let text = reply.json()["error_description"].as_str().unwrap().to_owned();
    let trace = text.rsplit("trace ").next().unwrap().trim_end_matches(')');
    let stored = app.broker.store.trace(trace, app.now()).await.unwrap().unwrap();
    let data: Value = serde_json::from_str(&stored.data).unwrap();
    assert_eq!((&data["refused"], &data["provider"]), (&json!("client_requirement_not_met"), &json!("certificate")));
    assert!(stored.user_id.is_some());
}

/// An authority that is only on disk: `ca` is read again when it changes, and a bad file changes nothing.
#[tokio::test]
async fn the_authorities_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (main, ca) = (folder.path().join("broker.toml"), folder.path().join("clients-ca.pem"));
    let (old, new) = (Ca::root("Old CA", |_| {}), Ca::root("New CA", |_| {}));
    std::fs::write(&ca, &old.pem).unwrap();
    let tables = CREATING.replace("server.trusted_proxies = [\"10.0.0.0/8\"]", "");
    std::fs::write(&main, format!("{BASE}\n[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n{tables}")).unwrap();
    let app = TestApp::on_disk(&main).await;
    let mut reloader = app.broker.reloader(&main);
    let (before, after) = (old.issue("before", |_| {}), new.issue("after", |_| {}));
    assert_eq!(exchange(&app, &before, "openid").await.status, 200);
    refused(&app, &after, "not issued by an authority").await;

    for (content, said) in [
        ("nonsense", "holds no certificate"),
        (before.pem.as_str(), "not a certificate authority's"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "can't be read"),
    ] {
        std::fs::write(&ca, content).unwrap();
        let outcome = format!("{:?}", reloader.reload().await);
        assert!(outcome.contains("Refused") && outcome.contains(said), "{outcome}");
        assert!(app.broker.reload_failed());
        assert_eq!(exchange(&app, &before, "openid").await.status, 200);
    }
    std::fs::write(&ca, &new.pem).unwrap();
    let outcome = format!("{:?}", reloader.reload().await);
    assert!(outcome.contains("Applied"), "{outcome}");
    assert_eq!(exchange(&app, &after, "openid").await.status, 200);
    refused(&app, &before, "not issued by an authority").await;

    let moved = std::fs::read_to_string(&main).unwrap().replace("127.0.0.1:8444", "127.0.0.1:8445");
    std::fs::write(&main, moved).unwrap();
    let outcome = format!("{:?}", reloader.reload().await);
    assert!(outcome.contains("certificates.listen: a change needs a restart"), "{outcome}");
}

/// What the audit trail has of certificates: sign-ins with their account and tokens, and refusals with what was wrong.
#[tokio::test]
async fn the_audit_trail_tells_of_certificates() {
    use countersign::audit::{Action, Kind};
    use countersign::store::EventQuery;
    let app = TestApp::with(CREATING).await;
    let leaf = Leaf::named("ci-runner");
    exchange(&app, &leaf, "openid").await;
    exchange(&app, &leaf, "openid").await;
    let late =
        crate::harness::certificates::ca().issue("late", |params| params.not_after = rcgen::date_time_ymd(2026, 10, 2));
    exchange(&app, &late, "openid").await;
    exchange(&app, &Leaf::named("alice-2"), "openid").await;
    app.reload(BASE, &[&attached("bob", &leaf)]).await;
    exchange(&app, &leaf, "openid").await;
    let page = app.broker.store.events(EventQuery { limit: 100, ..EventQuery::default() }).await.unwrap();
    let mut events: Vec<_> = page.events.into_iter().map(|recorded| recorded.event).collect();
    events.retain(|event| event.kind != Kind::Reload);
    events.reverse();
    let kinds: Vec<Kind> = events.iter().map(|event| event.kind).collect();
    let first = [Kind::SignIn, Kind::AccountCreated, Kind::TokenIssued, Kind::SignIn, Kind::TokenIssued, Kind::Refusal];
    assert_eq!(kinds.get(..6), Some(&first[..]), "{events:#?}");
    let (sign_in, refusal) = (&events[0], &events[5]);
    assert_eq!((sign_in.user.as_deref(), sign_in.provider.as_deref()), (Some("ci-runner"), Some("certificate")));
    assert_eq!((refusal.reason.as_deref(), refusal.client.as_deref()), (Some("certificate_invalid"), Some("app")));
    assert!(refusal.detail.as_deref().unwrap().contains("expired"), "{refusal:?}");
    let detached = events.iter().find(|event| event.action == Some(Action::CertificateDetached)).unwrap();
    assert_eq!((detached.user.as_deref(), detached.grants), (Some("ci-runner"), Some(2)));
}

#[tokio::test]
async fn certificates_are_not_listed_as_a_provider() {
    let app = TestApp::with(CREATING).await;
    let status: Value = serde_json::from_str(&app.broker.status().await).unwrap();
    let ids: Vec<&Value> = status["providers"].as_array().unwrap().iter().map(|provider| &provider["id"]).collect();
    assert_eq!((ids, &status["counts"]["providers"]), (vec![&json!("staff")], &json!(1)));
}
