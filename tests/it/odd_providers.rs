//! Responses of real providers that deviate from the specifications. The sign-in works, and what nobody asked for does not
//! prevent it.

use serde_json::{Value, json};

use crate::harness::keys::TestKey;
use crate::harness::{
    Authorize, BASE, Browser, IDP, ISSUER, PARTNER, Reply, Signing, TestApp, WITH_PARTNER, alice, with,
};

async fn attempt(app: &TestApp, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), person).await
}

/// All scopes that the client may request.
const ALL_SCOPES: &str =
    "clients.app.scopes = [\"openid\", \"profile\", \"email\", \"address\", \"phone\", \"groups\", \"roles\"]";

/// The claims of an ID token with all scopes.
async fn all_claims(app: &TestApp, person: &Value) -> Value {
    let request = Authorize::of("app").set("scope", "openid profile email address phone groups roles");
    Value::from(app.sign_in_with(&mut Browser::new(), &request, person).await.claims())
}

#[tokio::test]
async fn a_claim_of_an_odd_shape_that_nobody_mapped_is_left_out() {
    let app = TestApp::with(ALL_SCOPES).await;
    for (name, value) in [
        ("roles", json!([{ "name": "admin", "id": 1 }])),
        ("roles", json!({ "admin": true })),
        ("roles", json!([null])),
        ("groups", json!(7)),
        ("groups", json!(true)),
        ("groups", json!(["staff", 7])),
        ("groups", json!([["staff"]])),
        ("groups", json!({ "staff": true })),
        ("locale", json!({ "language": "de", "country": "DE" })),
        ("locale", json!(["de"])),
        ("email_verified", json!("true")),
        ("email_verified", json!(1)),
        ("email", json!({ "value": "a@b.example" })),
        ("address", json!("Main Street 1")),
        ("phone_number", json!(4_989_123)),
        ("phone_number_verified", json!("yes")),
        ("updated_at", json!("2026-11-01T00:00:00.000Z")),
        ("birthdate", json!(1970)),
        ("picture", json!(1.5)),
        ("name", json!(["Alice"])),
        ("zoneinfo", json!({})),
    ] {
        let claims = all_claims(&app, &with(alice(), json!({ name: value }))).await;
        let expected = if matches!(name, "roles" | "groups") { json!([]) } else { Value::Null };
        assert_eq!(claims[name], expected, "{name} {value}: {claims}");
        assert_eq!(claims["preferred_username"], "alice", "{name} {value}");
    }
}

#[tokio::test]
async fn a_claim_of_an_odd_shape_that_the_file_maps_refuses() {
    for (name, expression, value) in [
        ("roles", "claims.roles", json!([{ "name": "admin" }])),
        ("locale", "claims.locale", json!({ "language": "de" })),
        ("email_verified", "claims.email_verified", json!("true")),
        ("address", "claims.address", json!("Main Street 1")),
        ("groups", "claims.groups", json!(7)),
        ("name", "claims.name.upperAscii()", json!(7)),
    ] {
        let app = TestApp::with(&format!("[providers.staff.claims]\n{name} = \"{expression}\"")).await;
        attempt(&app, &with(alice(), json!({ name: value }))).await.assert_error_page(403, "claim_mapping_failed");
        assert!(attempt(&app, &with(alice(), json!({ name: null }))).await.location().contains("code="), "{name}");
    }
}

#[tokio::test]
async fn a_username_is_taken_from_the_claim_that_fits() {
    let app = TestApp::base().await;
    let odd = with(alice(), json!({ "username": { "value": "x" } }));
    let (_, tokens) = app.sign_in("app", &odd).await;
    assert_eq!(tokens.claims()["preferred_username"], "alice");
    // A known account does not need a username.
    let none = with(odd, json!({ "preferred_username": 7 }));
    assert_eq!(app.sign_in("app", &none).await.1.claims()["preferred_username"], "alice");
    // A new account needs one.
    let new = with(none, json!({ "sub": "77" }));
    attempt(&app, &new).await.assert_error_page(403, "claim_mapping_failed");
}

#[tokio::test]
async fn empty_claims_are_absent_and_the_next_alternative_counts() {
    let mapped = "[providers.staff.claims]\nnickname = [\"claims.nick\", \"claims.given_name\"]\n\
                  username = [\"claims.upn\", \"claims.preferred_username\"]\n\
                  [clients.app.claims]\ncontact = [\"user.email\", \"user.nickname\"]\nnothing = \"''\"\n";
    let app = TestApp::of(BASE, &[ALL_SCOPES, mapped]).await;
    let person = with(
        alice(),
        json!({
            "upn": "", "nick": "", "name": "", "email": "", "middle_name": null, "picture": "", "groups": ["", "staff"],
            "address": { "street_address": "", "locality": "Ulm", "region": null }, "phone_number": "",
        }),
    );
    let claims = all_claims(&app, &person).await;
    assert_eq!((&claims["preferred_username"], &claims["nickname"]), (&json!("alice"), &json!("Alice")));
    assert_eq!(claims["contact"], "Alice");
    assert_eq!(claims["address"], json!({ "locality": "Ulm" }));
    assert_eq!(claims["groups"], json!(["staff"]));
    for absent in ["name", "email", "middle_name", "picture", "phone_number", "nothing"] {
        assert!(claims.get(absent).is_none(), "{absent}: {claims}");
    }
    // An empty username counts as absent.
    let nobody = json!({ "sub": "8", "preferred_username": "" });
    attempt(&app, &nobody).await.assert_error_page(403, "username_missing");
}

#[tokio::test]
async fn userinfo_has_what_the_id_token_leaves_empty() {
    let app = TestApp::base().await;
    app.idp().edit_id_token(|claims| {
        claims.insert("email".to_owned(), "".into());
        claims.insert("name".to_owned(), Value::Null);
        claims.insert("acr".to_owned(), "".into());
        claims.insert("sid".to_owned(), "".into());
        claims.insert("azp".to_owned(), "".into());
    });
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let claims = tokens.claims();
    assert_eq!((&claims["email"], &claims["name"]), (&json!("alice@corp.example"), &json!("Alice Example")));
    assert!(!claims.contains_key("acr"));
}

#[tokio::test]
async fn odd_members_of_a_token_response_cost_no_sign_in() {
    for change in [
        json!({ "refresh_token": "" }),
        json!({ "refresh_token": null }),
        json!({ "refresh_token": 7 }),
        json!({ "refresh_token": { "token": "x" } }),
        json!({ "expires_in": "300" }),
        json!({ "expires_in": "300.0" }),
        json!({ "expires_in": 300.5 }),
        json!({ "expires_in": 0 }),
        json!({ "expires_in": "" }),
        json!({ "expires_in": [] }),
        json!({ "token_type": "" }),
        json!({ "token_type": "bearer" }),
        json!({ "scope": ["openid"], "refresh_expires_in": "", "not-before-policy": 0, "session_state": null }),
    ] {
        // A session that follows the access token's lifetime must not end at once if the provider states none.
        let app = TestApp::with("[providers.staff.session]\nfollow_upstream_expiry = true").await;
        let edit = change.clone();
        app.idp().edit_token_response(move |response| response.extend(edit.as_object().unwrap().clone()));
        let mut browser = Browser::new();
        app.sign_in_with(&mut browser, &Authorize::of("app"), &alice()).await;
        let again = browser.open(&app, &Authorize::of("other").url(&app)).await;
        assert!(again.location().contains("code="), "{change}: {again}");
    }
    for change in [
        json!({ "access_token": "" }),
        json!({ "access_token": 7 }),
        json!({ "id_token": "" }),
        json!({ "id_token": null }),
        json!({ "id_token": {} }),
        json!({ "token_type": "mac" }),
    ] {
        let app = TestApp::base().await;
        let edit = change.clone();
        app.idp().edit_token_response(move |response| response.extend(edit.as_object().unwrap().clone()));
        attempt(&app, &alice()).await.assert_error_page(400, "token_invalid");
    }
}

/// The endpoints of `staff` that `/status` reports as unusable.
async fn unusable(app: &TestApp) -> Value {
    let status: Value = serde_json::from_str(&app.broker.status().await).unwrap();
    status["providers"][0]["unusable_endpoints"].clone()
}

#[tokio::test]
async fn an_endpoint_that_a_sign_in_can_do_without_may_be_wrong() {
    for (value, problem) in [
        (json!(""), "it is empty"),
        (json!("/logout"), "it is not a URL"),
        (json!("https://10.0.0.1/logout"), "private"),
        (json!("http://idp.example/logout"), "not https"),
        (json!("https://idp.example/logout#x"), "fragment"),
        (json!("javascript:alert(1)"), "not a URL that can be called"),
        (json!(["https://idp.example/logout"]), "not a string"),
        (json!(false), "not a string"),
    ] {
        for endpoint in ["end_session_endpoint", "introspection_endpoint"] {
            let app = TestApp::with("providers.staff.introspect = true").await;
            let named = value.clone();
            app.idp().edit_discovery(move |document| drop(document.insert(endpoint.to_owned(), named.clone())));
            let (mut browser, tokens) = app.sign_in("app", &alice()).await;
            let said = unusable(&app).await;
            assert!(said[endpoint].as_str().is_some_and(|text| text.contains(problem)), "{value}: {said}");
            assert_eq!(said.as_object().unwrap().len(), 1, "{said}");
            // Only the features that need it are off.
            assert_eq!(app.introspect("app", "a-token-of-the-provider").await.json(), json!({ "active": false }));
            let hint = ("id_token_hint", tokens.id());
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([hint]).finish();
            let reply = browser.open(&app, &format!("{ISSUER}/oauth2/logout?{query}")).await;
            assert!(browser.session().is_none());
            let leads_to_the_provider = reply.header("location").starts_with("https://idp.example/logout?");
            assert_eq!(leads_to_the_provider, endpoint != "end_session_endpoint", "{value}: {reply}");
        }
    }
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    assert_eq!(unusable(&app).await, json!({}));
}

#[tokio::test]
async fn userinfo_may_be_empty_but_not_point_elsewhere() {
    let app = TestApp::base().await;
    app.idp().edit_discovery(|document| drop(document.insert("userinfo_endpoint".to_owned(), "".into())));
    app.sign_in("app", &alice()).await;
    // Documents that claims are taken from are required: with fewer claims, the policy could decide differently.
    for wrong in ["/userinfo", "https://10.0.0.1/userinfo"] {
        for (overlay, works) in [("", false), ("providers.staff.claims_from = [\"id_token\"]", true)] {
            let app = TestApp::with(overlay).await;
            app.idp()
                .edit_discovery(move |document| drop(document.insert("userinfo_endpoint".to_owned(), wrong.into())));
            let reply = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
            if works {
                app.sign_in("app", &alice()).await;
            } else {
                reply.assert_error_page(502, "provider_unavailable");
            }
        }
    }
}

#[tokio::test]
async fn an_introspection_endpoint_that_does_not_answer_is_an_error_of_introspection_alone() {
    let app = TestApp::with("providers.staff.introspect = true").await;
    app.idp().edit_discovery(|document| {
        document.insert("introspection_endpoint".to_owned(), "https://nowhere.example/introspect".into());
    });
    app.sign_in("app", &alice()).await;
    app.introspect("app", "a-token").await.assert_json_error(503, "temporarily_unavailable");
    app.sign_in("app", &alice()).await;
}

#[tokio::test]
async fn every_standard_claim_is_mapped_by_default_and_released_by_its_scope() {
    let person = with(
        alice(),
        json!({
            "middle_name": "B", "nickname": "Al", "profile": "https://p.example/alice", "website": "https://w.example",
            "gender": "female", "birthdate": "0000-02-29", "zoneinfo": "Europe/Berlin", "locale": "de-DE",
            "updated_at": 1_700_000_000, "phone_number": "+49 89 1", "phone_number_verified": true,
            "address": { "formatted": "Main Street 1\nUlm", "country": "DE" }, "roles": ["viewer"],
        }),
    );
    let app = TestApp::of(BASE, &[ALL_SCOPES, "[roles.viewer]\n"]).await;
    let by_scope: [(&str, &[&str]); 3] = [
        (
            "profile",
            &[
                "middle_name",
                "nickname",
                "profile",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
                "updated_at",
            ],
        ),
        ("phone", &["phone_number", "phone_number_verified"]),
        ("address", &["address"]),
    ];
    for (scope, released) in by_scope {
        let request = Authorize::of("app").set("scope", &format!("openid {scope}"));
        let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
        let userinfo = app.userinfo(tokens.access()).await.json();
        for (_, names) in by_scope {
            for name in names {
                let expected = if names == released { &person[*name] } else { &Value::Null };
                assert_eq!(&userinfo[*name], expected, "{scope} {name}");
            }
        }
    }
    let document = app.get("/.well-known/openid-configuration").await.json();
    let supported = document["claims_supported"].as_array().unwrap();
    for name in by_scope.iter().flat_map(|(_, names)| *names) {
        assert!(supported.contains(&json!(name)), "{name}: {supported:?}");
    }
}

#[tokio::test]
async fn an_id_token_as_ad_fs_makes_it_is_fine() {
    let app = TestApp::with(
        "[providers.staff]\nclaims_from = [\"id_token\"]\n[providers.staff.claims]\nusername = \"claims.upn\"",
    )
    .await;
    let person = json!({
        "sub": "GNk6A+", "upn": "alice@CORP.example", "unique_name": "CORP\\alice", "groups": "Domain Users",
        "apptype": "Confidential", "appid": "countersign", "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
        "ver": "1.0", "scp": "openid", "pwd_exp": "123", "mfa_auth_time": "",
    });
    let (_, tokens) = app.sign_in("app", &person).await;
    let claims = tokens.claims();
    assert_eq!(claims["groups"], json!(["Domain Users"]));
    assert_eq!(claims["preferred_username"], "alice@CORP.example");
    for foreign in ["apptype", "appid", "ver", "scp"] {
        assert!(!claims.contains_key(foreign), "{foreign}");
    }
}

#[tokio::test]
async fn the_case_of_a_mail_domain_does_not_matter() {
    let app = TestApp::with("providers.staff.allow = \"claims.email.domain() == 'corp.example'\"").await;
    for email in ["alice@corp.example", "alice@CORP.Example", "Alice@Corp.EXAMPLE"] {
        let reply = attempt(&app, &with(alice(), json!({ "email": email }))).await;
        assert!(reply.location().contains("code="), "{email}: {reply}");
    }
    attempt(&app, &with(alice(), json!({ "email": "alice@corp.example.evil" })))
        .await
        .assert_error_page(403, "not_allowed");

    let domains = format!("{WITH_PARTNER}domains = [\"Partner.EXAMPLE\", \"bücher.example\"]\n");
    let app = TestApp::with(&domains).await;
    for hint in [
        "zoe@partner.example",
        "zoe@PARTNER.example",
        " zoe@partner.example ",
        "zoe@BÜCHER.example",
        "zoe@xn--bcher-kva.example",
    ] {
        let reply = Browser::new().open(&app, &Authorize::of("app").set("login_hint", hint).url(&app)).await;
        assert!(reply.location().starts_with(PARTNER), "{hint}");
    }
}

#[tokio::test]
async fn d25_a_new_key_under_the_old_kid_is_found_and_bad_signatures_cost_one_fetch_a_cooldown() {
    let app = TestApp::base().await;
    attempt(&app, &alice()).await;
    assert_eq!(app.idp().count("jwks"), 1);
    // The provider starts again with another key under the same id.
    app.idp().keys(&[&TestKey::other_rsa("rsa-1")]);
    app.idp().script(|script| script.signing = Signing::ForeignKey);
    assert!(attempt(&app, &alice()).await.location().contains("code="));
    assert_eq!(app.idp().count("jwks"), 2);
    // A token that no key of the provider signed is refused, however often it is sent.
    app.idp().script(|script| script.signing = Signing::Broken);
    for _ in 0..20 {
        attempt(&app, &alice()).await.assert_error_page(400, "token_invalid");
    }
    assert_eq!(app.idp().count("jwks"), 3);
    app.wait(11);
    attempt(&app, &alice()).await.assert_error_page(400, "token_invalid");
    assert_eq!(app.idp().count("jwks"), 4);
    app.idp().script(|script| script.signing = Signing::ForeignKey);
    assert!(attempt(&app, &alice()).await.location().contains("code="), "the good key is kept");
}

#[tokio::test]
async fn the_providers_logout_url_stays_short_however_many_groups_there_are() {
    for (groups, with_hint) in [(2, true), (200, false)] {
        let app = TestApp::base().await;
        let names: Vec<String> =
            (0..groups).map(|n| format!("cn=group-{n:04},ou=departments,ou=groups,dc=corp,dc=example")).collect();
        let person = with(alice(), json!({ "groups": names }));
        let (mut browser, _) = app.sign_in("app", &person).await;
        let page = browser.open(&app, &format!("{ISSUER}/oauth2/logout")).await;
        let leaving = browser.submit(&app, &page, &[("decision", "sign_out")]).await.location();
        assert!(leaving.starts_with("https://idp.example/logout?") && leaving.len() < 8192, "{} bytes", leaving.len());
        let url = url::Url::parse(&leaving).unwrap();
        let param = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(param("id_token_hint").is_some(), with_hint);
        assert_eq!(param("client_id").as_deref(), Some("countersign"));
        assert!(param("post_logout_redirect_uri").is_some() && param("state").is_some());
    }
}

#[tokio::test]
async fn hints_of_an_app_are_passed_on_while_they_are_short() {
    let app = TestApp::base().await;
    for parameter in ["login_hint", "ui_locales", "acr_values"] {
        for (length, passed) in [(100, true), (5000, false)] {
            let request = Authorize::of("app").set(parameter, &"x".repeat(length));
            let leaving = Browser::new().open(&app, &request.url(&app)).await.location();
            assert_eq!(leaving.contains(&format!("{parameter}=")), passed, "{parameter} {length}");
            assert!(leaving.len() < 4096);
        }
    }
}

#[tokio::test]
async fn an_issuer_may_be_given_by_the_address_of_its_discovery_document() {
    let document = "/.well-known/openid-configuration";
    let oauth = "/.well-known/oauth-authorization-server";
    for issuer in [format!("{IDP}{document}"), format!("{IDP}{oauth}")] {
        let app = TestApp::with(&format!("providers.staff.issuer = \"{issuer}\"")).await;
        app.sign_in("app", &alice()).await;
        assert_eq!(app.net.asked()[0], format!("{IDP}{document}"));
    }
    for issuer in [format!("{PARTNER}{document}"), format!("https://partner.example{oauth}/realms/main")] {
        let app = TestApp::with(&WITH_PARTNER.replace(PARTNER, &issuer)).await;
        let request = Authorize::of("app").set("provider", "partner");
        app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    }
}

#[tokio::test]
async fn the_document_says_whether_its_issuer_ends_with_a_slash() {
    let slashed = format!("{IDP}/");
    for (written, works) in [(format!("{IDP}/.well-known/openid-configuration"), true), (IDP.to_owned(), false)] {
        let app = TestApp::with(&format!("providers.staff.issuer = \"{written}\"")).await;
        let issuer = slashed.clone();
        app.idp().edit_discovery(move |document| drop(document.insert("issuer".to_owned(), issuer.clone().into())));
        let issuer = slashed.clone();
        app.idp().edit_id_token(move |claims| drop(claims.insert("iss".to_owned(), issuer.clone().into())));
        let reply = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
        if !works {
            reply.assert_error_page(502, "provider_unavailable");
            continue;
        }
        let (_, first) = app.sign_in("app", &alice()).await;
        let (_, second) = app.sign_in("app", &alice()).await;
        assert_eq!(first.sub(), second.sub());
        // Tokens with any other issuer are refused as before.
        app.idp().edit_id_token(|claims| drop(claims.insert("iss".to_owned(), IDP.into())));
        attempt(&app, &alice()).await.assert_error_page(400, "token_invalid");
    }
}

/// The description of an error that an app receives: a sentence, followed by the details to quote.
#[track_caller]
fn assert_description(description: &str, sentence: &str, reason: &str) {
    let plain = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
    assert!(description.chars().all(plain), "RFC 6749 §4.1.2.1: {description}");
    assert!(description.starts_with(sentence), "{description}");
    let (_, end) = description.rsplit_once(" (").unwrap();
    let trace = end.strip_prefix(&format!("{reason}, trace ")).and_then(|rest| rest.strip_suffix(')'));
    assert!(trace.is_some_and(|trace| trace.len() == 10), "{description}");
}

#[tokio::test]
async fn an_error_in_an_app_is_a_sentence_with_what_to_quote_at_its_end() {
    let app = TestApp::with("clients.other.require = \"'admins' in groups\"").await;
    // A refusal, with the link on the page back to the app and without a page.
    let lacks = "You don't have access to this app. You are signed in, but your account lacks something";
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("other"), &alice()).await;
    page.assert_error_page(403, "client_requirement_not_met");
    let html = crate::harness::browser::unescape(&page.text());
    let (_, back) = html.split_once("href=\"https://other.example/cb?").unwrap();
    let back = url::form_urlencoded::parse(back.split('"').next().unwrap().as_bytes()).into_owned();
    let back: std::collections::HashMap<String, String> = back.collect();
    assert_eq!(back["error"], "access_denied");
    assert_description(&back["error_description"], lacks, "client_requirement_not_met");
    app.sign_in_with(&mut browser, &Authorize::of("app"), &alice()).await;
    let silent = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    silent.assert_app_error("other", "login_required");
    assert_description(&silent.param("error_description"), "You have no access to this app", "login_required");

    // Errors of the provider.
    for (error, expected, sentence) in [
        ("access_denied", "access_denied", "Access was refused."),
        ("server_error", "server_error", "The identity provider reported a problem."),
    ] {
        let mut browser = Browser::new();
        let leaving = browser.open(&app, &Authorize::of("app").url(&app)).await.location();
        let reply = browser.open(&app, &app.idp().refuse(&leaving, error, "detail")).await;
        reply.assert_app_error("app", expected);
        assert_description(&reply.param("error_description"), sentence, "provider_error");
    }

    // Errors that a user can resolve, and those that only a developer can.
    let silent = Browser::new().open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    assert_description(&silent.param("error_description"), "You need to sign in", "login_required");
    let wrong = Browser::new().open(&app, &Authorize::of("app").set("response_type", "token").url(&app)).await;
    assert_description(&wrong.params()["error_description"], "", &wrong.params()["error"]);

    // At the token endpoint.
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["clients.app.require = \"'admins' in groups\""]).await;
    let refused = app.refresh("app", tokens.refresh()).await;
    refused.assert_json_error(400, "invalid_grant");
    assert_description(refused.json()["error_description"].as_str().unwrap(), lacks, "client_requirement_not_met");
}

#[tokio::test]
async fn d04_claims_that_identify_an_account_together_do_not_run_into_each_other() {
    let app = TestApp::with("providers.staff.quirks.subject_claims = [\"org\", \"team\", \"person\"]").await;
    let mut accounts = std::collections::BTreeSet::new();
    // Joined by dots that are not escaped, the first three would be one person.
    let people = [
        ("corp.example", "a", "b"),
        ("corp", "example.a", "b"),
        ("corp", "example", "a.b"),
        ("corp%2Eexample", "a", "b"),
        ("corp\\.example", "a", "b"),
    ];
    for (at, (org, team, person)) in people.iter().enumerate() {
        let claims = json!({ "org": org, "team": team, "person": person, "preferred_username": format!("p{at}") });
        let (_, tokens) = app.sign_in("app", &with(alice(), claims.clone())).await;
        let again = app.sign_in("app", &with(alice(), claims)).await.1;
        assert_eq!(again.sub(), tokens.sub());
        assert!(accounts.insert(tokens.sub().to_owned()), "{org} {team} {person} is somebody else");
    }
}
