//! The callback from a provider: its binding to the browser, the authorization response, the tokens.

use serde_json::{Value, json};

use crate::harness::{
    Answer, Authorize, BASE, Browser, IDP, PARTNER, Reply, START, Signing, TestApp, WITH_PARTNER, alice, with,
};

/// Signs Alice in with the provider's current script, and returns the broker's last response.
async fn attempt(app: &TestApp) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await
}

#[tokio::test]
async fn d01_a_callback_in_another_browser_makes_no_session() {
    let app = TestApp::base().await;
    let mut attacker = Browser::new();
    let callback = app.at_provider(&mut attacker, &Authorize::of("app"), &alice()).await;
    let mut victim = Browser::new();
    let reply = victim.open(&app, &callback).await;
    reply.assert_error_page(400, "login_other_browser");
    assert!(victim.session().is_none());
    assert_eq!(app.idp().count("token"), 0, "the code is not redeemed");

    // A browser with a sign-in of its own in progress is still another browser.
    let callback = app.at_provider(&mut attacker, &Authorize::of("app"), &alice()).await;
    app.at_provider(&mut victim, &Authorize::of("app"), &alice()).await;
    victim.open(&app, &callback).await.assert_error_page(400, "login_other_browser");
    // The sign-in still belongs to the browser that began it (D48).
    assert!(attacker.open(&app, &callback).await.location().starts_with("https://app.example/cb?code="));
}

#[tokio::test]
async fn d01_a_replayed_callback_is_refused() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let session = {
        browser.open(&app, &callback).await;
        browser.session()
    };
    browser.open(&app, &callback).await.assert_error_page(400, "login_not_found");
    assert_eq!(browser.session(), session);
    assert_eq!(app.idp().count("token"), 1);
}

#[tokio::test]
async fn a_callback_needs_a_sign_in_under_way() {
    let app = TestApp::base().await;
    for path in [
        "/callback/staff",
        "/callback/staff?code=x",
        "/callback/staff?code=x&state=",
        "/callback/staff?code=x&state=made-up",
        "/callback/staff?error=access_denied&state=made-up",
    ] {
        app.get(path).await.assert_error_page(400, "login_not_found");
    }
    assert_eq!(app.get("/callback/unheard-of?state=x").await.status, 404);

    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.wait(601);
    browser.open(&app, &callback).await.assert_error_page(400, "login_not_found");
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.wait(599);
    assert!(browser.open(&app, &callback).await.location().contains("code="));
}

/// The provider sent it: the page does not blame the app.
#[tokio::test]
async fn d15_an_answer_with_a_repeated_parameter_is_refused_before_any_call() {
    let app = TestApp::base().await;
    for again in ["code=other", "iss=https://idp.example&iss=https://idp.example", "error=a&error=b", "x=1&x=1"] {
        let mut browser = Browser::new();
        let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
        let reply = browser.open(&app, &format!("{callback}&{again}")).await;
        reply.assert_error_page(400, "invalid_request");
        assert!(browser.session().is_none());
    }
    assert_eq!(app.idp().count("token"), 0);
}

#[tokio::test]
async fn d05_another_providers_callback_is_refused_before_any_call() {
    let app = TestApp::with(WITH_PARTNER).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("provider", "staff");
    let callback = app.at_provider(&mut browser, &request, &alice()).await;
    let crossed = callback.replace("/callback/staff", "/callback/partner");
    browser.open(&app, &crossed).await.assert_error_page(400, "login_not_found");
    assert_eq!(app.idp().count("token") + app.partner().count("token"), 0);
}

#[tokio::test]
async fn d05_the_issuer_of_the_response_is_checked_before_any_call() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    browser
        .open(&app, &format!("{callback}&iss=https://evil.example"))
        .await
        .assert_error_page(400, "response_invalid");

    app.idp().script(|script| script.iss_in_response = true);
    app.wait(24 * 3600);
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    assert!(callback.contains("iss="), "{callback}");
    let reply = browser.open(&app, &callback).await;
    assert!(reply.location().contains("code="), "{reply}");
    let callback = app.at_provider(&mut browser, &Authorize::of("app").set("prompt", "login"), &alice()).await;
    let without = callback.split("&iss=").next().unwrap().to_owned();
    browser.open(&app, &without).await.assert_error_page(400, "response_invalid");
    let before = app.idp().count("token");
    let error = app.at_provider(&mut browser, &Authorize::of("app").set("prompt", "login"), &alice()).await;
    let error = error.replace("code=", "error=access_denied&was=").replace("idp.example", "evil.example");
    browser.open(&app, &error).await.assert_error_page(400, "response_invalid");
    assert_eq!(app.idp().count("token"), before);
}

#[tokio::test]
async fn d06_tokens_must_be_signed_by_a_key_of_the_provider() {
    let app = TestApp::base().await;
    for signing in [Signing::None, Signing::HmacOfPublicKey, Signing::ForeignKey, Signing::Broken] {
        app.idp().script(|script| script.signing = signing);
        attempt(&app).await.assert_error_page(400, "token_invalid");
    }
    for signing in [Signing::Rs256, Signing::Es256] {
        app.idp().script(|script| script.signing = signing);
        assert!(attempt(&app).await.location().contains("code="), "{signing:?}");
    }
}

#[tokio::test]
async fn d06_an_algorithm_that_is_not_listed_is_refused() {
    let app = TestApp::base().await;
    app.idp().edit_discovery(|document| {
        document.insert("id_token_signing_alg_values_supported".to_owned(), json!(["RS256", "none", "HS256"]));
    });
    app.idp().script(|script| script.signing = Signing::Es256);
    attempt(&app).await.assert_error_page(400, "token_invalid");

    let app = TestApp::with("providers.staff.id_token_signed_response_alg = \"ES256\"").await;
    attempt(&app).await.assert_error_page(400, "token_invalid");
    app.idp().script(|script| script.signing = Signing::Es256);
    assert!(attempt(&app).await.location().contains("code="));
}

#[tokio::test]
async fn d06_unsigned_and_misshapen_tokens_are_refused() {
    use crate::harness::keys::{encode, header, sign};
    let app = TestApp::base().await;
    let claims = json!({ "iss": IDP, "aud": "countersign", "sub": "1", "exp": START + 300, "iat": START });
    let payload = encode(claims.to_string().as_bytes());
    let signed = sign(Signing::Rs256, &header(Signing::Rs256), &claims);
    let parts: Vec<&str> = signed.split('.').collect();
    let jwe = encode(br#"{"alg":"dir","enc":"A128CBC-HS256","kid":"rsa-1"}"#);
    for token in [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        format!("{}.{payload}.", parts[0]),
        format!("{}.{payload}", parts[0]),
        format!("{}.{payload}.{}", encode(br#"{"alg":"NONE"}"#), parts[2]),
        format!("{}.{payload}.{}", encode(br#"{"alg":"rs256","kid":"rsa-1"}"#), parts[2]),
        format!("{jwe}..{}.{payload}.{}", encode(b"iv"), encode(b"tag")),
        format!("{signed}.{}", parts[2]),
        format!("{}.{}.{}", parts[0], encode(b"[]"), parts[2]),
    ] {
        let shown = token.clone();
        app.idp()
            .edit_token_response(move |response| drop(response.insert("id_token".to_owned(), token.clone().into())));
        let reply = attempt(&app).await;
        assert_eq!(reply.status, 400, "{shown}: {reply}");
        reply.assert_error_page(400, "token_invalid");
    }
    app.idp().edit_token_response(|response| drop(response.remove("id_token")));
    attempt(&app).await.assert_error_page(400, "token_invalid");
}

#[tokio::test]
async fn d07_keys_in_the_token_are_ignored_and_nothing_is_fetched() {
    let app = TestApp::base().await;
    let foreign = crate::harness::keys::jwks(true)[0].clone();
    let refused = [
        json!({ "jku": "https://evil.example/jwks" }),
        json!({ "x5u": "https://evil.example/x5u" }),
        json!({ "jwk": foreign }),
        json!({ "jwk": foreign, "jku": "https://evil.example/jwks", "kid": "../../../etc/passwd" }),
        json!({ "kid": "' OR 1=1 --" }),
        json!({ "kid": "k".repeat(1 << 20) }),
        json!({ "kid": 1 }),
        json!({ "crit": ["exp"] }),
    ];
    for header in refused {
        app.idp().script(|script| {
            script.signing = Signing::ForeignKey;
            script.header = header.as_object().unwrap().clone();
        });
        attempt(&app).await.assert_error_page(400, "token_invalid");
    }
    assert!(app.net.asked().iter().all(|url| url.starts_with(IDP)), "{:?}", app.net.asked());
    // Next to a valid signature, they have no effect.
    app.idp().script(|script| {
        script.signing = Signing::Rs256;
        script.header =
            json!({ "jku": "https://evil.example/jwks", "x5u": "https://evil.example" }).as_object().unwrap().clone();
    });
    assert!(attempt(&app).await.location().contains("code="));
    assert!(app.net.asked().iter().all(|url| url.starts_with(IDP)));
}

/// Sets claims of the ID token, or removes them where the value is null.
fn change(app: &TestApp, change: &Value) {
    let change = change.as_object().unwrap().clone();
    app.idp().edit_id_token(move |claims| {
        for (name, value) in &change {
            if value.is_null() {
                claims.remove(name);
            } else {
                claims.insert(name.clone(), value.clone());
            }
        }
    });
}

#[tokio::test]
async fn d08_issuer_audience_party_and_nonce_must_be_right() {
    let app = TestApp::base().await;
    for bad in [
        json!({ "iss": null }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": "https://idp.example/" }),
        json!({ "iss": [IDP] }),
        json!({ "aud": null }),
        json!({ "aud": "somebody-else" }),
        json!({ "aud": [] }),
        json!({ "aud": ["somebody-else"] }),
        json!({ "aud": ["countersign", "somebody-else"] }),
        json!({ "aud": ["countersign", 7], "azp": "countersign" }),
        json!({ "azp": "somebody-else" }),
        json!({ "aud": ["countersign", "somebody-else"], "azp": "somebody-else" }),
        json!({ "nonce": null }),
        json!({ "nonce": "another" }),
        json!({ "nonce": 1 }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": 1 }),
        json!({ "sub": "x".repeat(256) }),
        json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }),
    ] {
        change(&app, &bad);
        let reply = attempt(&app).await;
        assert_eq!(reply.status, 400, "{bad}: {reply}");
        reply.assert_error_page(400, "token_invalid");
    }
    change(&app, &json!({ "aud": ["countersign", "somebody-else"], "azp": "countersign" }));
    assert!(attempt(&app).await.location().contains("code="));
}

#[tokio::test]
async fn d09_times_must_be_there_be_numbers_and_be_right() {
    let app = TestApp::base().await;
    for bad in [
        json!({ "exp": null }),
        json!({ "exp": START - 61 }),
        json!({ "exp": (START + 300).to_string() }),
        json!({ "exp": true }),
        json!({ "exp": [START + 300] }),
        json!({ "iat": null }),
        json!({ "iat": START + 120 }),
        json!({ "iat": START.to_string() }),
        json!({ "nbf": START + 120 }),
        json!({ "nbf": START.to_string() }),
        json!({ "auth_time": "now" }),
        json!({ "auth_time": START + 3600 }),
    ] {
        change(&app, &bad);
        let reply = attempt(&app).await;
        assert_eq!(reply.status, 400, "{bad}: {reply}");
        reply.assert_error_page(400, "token_invalid");
    }
    for good in [json!({ "exp": START - 30 }), json!({ "iat": START + 30, "nbf": START + 30 })] {
        change(&app, &good);
        assert!(attempt(&app).await.location().contains("code="), "a minute of difference is fine: {good}");
    }
}

#[tokio::test]
async fn d23_userinfo_of_another_subject_is_refused_and_nothing_of_it_kept() {
    let app = TestApp::base().await;
    app.idp().edit_userinfo(|claims| {
        claims.insert("sub".to_owned(), "2".into());
        claims.insert("groups".to_owned(), json!(["admins"]));
    });
    attempt(&app).await.assert_error_page(400, "token_invalid");
    app.idp().edit_userinfo(|claims| drop(claims.remove("sub")));
    attempt(&app).await.assert_error_page(400, "token_invalid");
    app.idp().behave();
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(tokens.claims()["groups"], json!(["staff", "oncall"]));
}

#[tokio::test]
async fn userinfo_adds_to_the_id_token_and_overrides_nothing() {
    let app = TestApp::base().await;
    app.idp().edit_id_token(|claims| {
        claims.remove("email");
        claims.insert("name".to_owned(), "From the ID token".into());
    });
    app.idp().edit_userinfo(|claims| {
        claims.insert("iss".to_owned(), "https://evil.example".into());
        claims.insert("auth_time".to_owned(), 1.into());
    });
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(tokens.claims()["name"], "From the ID token");
    assert_eq!(tokens.claims()["email"], "alice@corp.example");
    assert_eq!(tokens.claims()["auth_time"], START);
}

#[tokio::test]
async fn claims_may_be_taken_from_the_id_token_alone() {
    let app = TestApp::with("providers.staff.claims_from = [\"id_token\"]").await;
    app.idp().answer("userinfo", Answer::json(500, &json!({})));
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(tokens.claims()["email"], "alice@corp.example");
    assert_eq!(app.idp().count("userinfo"), 0);
}

#[tokio::test]
async fn d22_a_form_post_callback_works_with_lax_cookies() {
    let app = TestApp::with("providers.staff.response_mode = \"form_post\"").await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    assert_eq!(app.idp().last_request()["response_mode"], "form_post");
    let url = url::Url::parse(&callback).unwrap();
    let fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.post_cross_site(&app, url.path(), &fields).await;
    app.tokens("app", &answer).await;

    let stolen = app.at_provider(&mut browser, &Authorize::of("app").set("prompt", "login"), &alice()).await;
    let url = url::Url::parse(&stolen).unwrap();
    let fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let reply = Browser::new().post_cross_site(&app, url.path(), &fields).await;
    reply.assert_error_page(400, "login_other_browser");
}

#[tokio::test]
async fn d38_a_provider_that_goes_while_the_user_is_there_admits_nobody() {
    let app = TestApp::with(WITH_PARTNER).await;
    let away = async |browser: &mut Browser| {
        app.at_provider(browser, &Authorize::of("app").set("provider", "staff"), &alice()).await
    };
    let mut browser = Browser::new();
    let callback = away(&mut browser).await;
    app.reload(BASE, &[WITH_PARTNER, "providers.staff.enabled = false"]).await;
    browser.open(&app, &callback).await.assert_error_page(403, "provider_removed");
    assert_eq!(app.idp().count("token"), 0);
    assert!(browser.session().is_none());

    app.reload(BASE, &[WITH_PARTNER]).await;
    let callback = away(&mut browser).await;
    let pointed_elsewhere = format!("providers.staff.issuer = \"{PARTNER}\"\n[providers.partner]\nenabled = false\n");
    app.reload(BASE, &[WITH_PARTNER, &pointed_elsewhere]).await;
    browser.open(&app, &callback).await.assert_error_page(403, "provider_removed");

    app.reload(BASE, &[WITH_PARTNER]).await;
    let callback = away(&mut browser).await;
    let without = BASE.replace("[providers.staff]", "[providers.renamed]");
    app.reload(&without, &[]).await;
    assert_eq!(browser.open(&app, &callback).await.status, 404, "its callback is gone with it");
}

#[tokio::test]
async fn a_client_that_goes_while_the_user_is_away_gets_no_code() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.reload(BASE, &["clients.app.enabled = false"]).await;
    browser.open(&app, &callback).await.assert_error_page(403, "client_disabled");
}

#[tokio::test]
async fn a_redirect_uri_that_is_taken_away_meanwhile_gets_no_code() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.reload(BASE, &["clients.app.redirect_uris = [\"https://app.example/new\"]"]).await;
    let reply = browser.open(&app, &callback).await;
    reply.assert_error_page(400, "invalid_redirect_uri");
}

#[tokio::test]
async fn providers_may_share_a_callback_when_they_name_themselves() {
    let shared =
        format!("providers.staff.redirect_path = \"/auth/oidc\"\n{WITH_PARTNER}redirect_path = \"/auth/oidc\"\n");
    let app = TestApp::with(&shared).await;
    for idp in [app.idp(), app.partner()] {
        idp.script(|script| script.iss_in_response = true);
    }
    for provider in ["staff", "partner"] {
        let person = with(alice(), json!({ "preferred_username": provider }));
        let request = Authorize::of("app").set("provider", provider);
        let mut browser = Browser::new();
        let callback = app.at_provider(&mut browser, &request, &person).await;
        assert!(callback.starts_with("https://sso.example.com/auth/oidc?"), "{callback}");
        let answer = browser.open(&app, &callback).await;
        app.tokens("app", &answer).await;
    }
    // A response of one provider in the sign-in of the other is a mix-up.
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("provider", "staff");
    let callback = app.at_provider(&mut browser, &request, &alice()).await;
    let mixed: String = url::form_urlencoded::byte_serialize(IDP.as_bytes()).collect();
    let other: String = url::form_urlencoded::byte_serialize(PARTNER.as_bytes()).collect();
    let reply = browser.open(&app, &callback.replace(&mixed, &other)).await;
    reply.assert_error_page(400, "response_invalid");
}

#[tokio::test]
async fn d05_at_a_shared_callback_an_answer_without_iss_is_refused_before_any_call() {
    let shared =
        format!("providers.staff.redirect_path = \"/auth/oidc\"\n{WITH_PARTNER}redirect_path = \"/auth/oidc\"\n");
    let app = TestApp::with(&shared).await;
    // Whether the user's provider promises `iss` varies; the other provider would receive the code.
    for promises in [false, true] {
        app.idp().script(|script| script.iss_in_response = promises);
        app.wait(24 * 3600);
        for person in ["code", "error"] {
            let mut browser = Browser::new();
            let request = Authorize::of("app").set("provider", "staff").set("prompt", "login");
            let callback = app.at_provider(&mut browser, &request, &alice()).await;
            let callback = callback.split("&iss=").next().unwrap().replace("code=", &format!("{person}="));
            let asked = app.net.asked().len();
            browser.open(&app, &callback).await.assert_error_page(400, "response_invalid");
            assert_eq!(app.net.asked().len(), asked, "nobody is called");
        }
    }
}
