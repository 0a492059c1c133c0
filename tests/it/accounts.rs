//! Which account a sign-in belongs to: usernames, links and addresses.

use serde_json::{Value, json};

use crate::harness::{Authorize, BASE, Browser, Reply, TestApp, WITH_PARTNER, alice, bob, with};

/// Signs a person in through a provider. Returns the broker's response to the app.
async fn attempt(app: &TestApp, provider: &str, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app").set("provider", provider), person).await
}

/// Signs a person in through a provider. Returns the ID token's claims.
async fn claims(app: &TestApp, provider: &str, person: &Value) -> serde_json::Map<String, Value> {
    let answer = attempt(app, provider, person).await;
    app.tokens("app", &answer).await.claims()
}

#[tokio::test]
async fn d04_the_same_subject_at_two_providers_is_two_people() {
    let app = TestApp::with(WITH_PARTNER).await;
    let one = claims(&app, "staff", &alice()).await;
    let two = claims(&app, "partner", &with(alice(), json!({ "preferred_username": "alice2" }))).await;
    assert_ne!(one["sub"], two["sub"]);
    assert_eq!(two["preferred_username"], "alice2");
}

#[tokio::test]
async fn a_taken_username_is_refused_or_numbered_and_never_merged() {
    let app = TestApp::with(WITH_PARTNER).await;
    let first = claims(&app, "staff", &alice()).await;
    for name in ["alice", "Alice", "ALICE", "ａｌｉｃｅ", " alice "] {
        let other = with(alice(), json!({ "preferred_username": name, "sub": "99" }));
        attempt(&app, "partner", &other).await.assert_error_page(403, "username_taken");
    }
    assert_eq!(claims(&app, "staff", &alice()).await["sub"], first["sub"], "alice herself is not locked out");

    let app = TestApp::with(&format!("policy.on_username_conflict = \"suffix\"\n{WITH_PARTNER}")).await;
    let first = claims(&app, "staff", &with(alice(), json!({ "name": null }))).await;
    let request = Authorize::of("app").set("provider", "partner");
    let mut browser = Browser::new();
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    assert_ne!(tokens.sub(), first["sub"].as_str().unwrap());
    assert_eq!(app.introspect("app", tokens.access()).await.json()["username"], "alice-2");
    let again = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    assert_eq!(again.sub(), tokens.sub());
}

#[tokio::test]
async fn a_reserved_username_is_out_of_reach() {
    let app = TestApp::with("policy.reserved_usernames = [\"root\", \"administrator\"]").await;
    for (n, name) in [
        "root",
        "Root",
        "ROOT",
        " root ",
        "root\u{a0}",
        "\troot\n",
        "ro ot",
        "ｒｏｏｔ",
        "𝗋𝗈𝗈𝗍",
        "rооt",
        "r\u{200b}oot",
        "root\u{202e}",
        "roo\u{ad}t",
        "ro\u{0}ot",
        "adrninistrator",
        "Administrator",
        "аdministrator",
    ]
    .into_iter()
    .enumerate()
    {
        let person = json!({ "sub": format!("r{n}"), "preferred_username": name });
        let reply = attempt(&app, "staff", &person).await;
        assert_eq!(reply.status, 403, "{name:?}: {reply}");
        let html = reply.text();
        assert!(html.contains("username_reserved") || html.contains("username_invalid"), "{name:?}: {html}");
    }
    for name in ["groot", "rooter", "admin"] {
        let person = json!({ "sub": name, "preferred_username": name });
        assert!(attempt(&app, "staff", &person).await.location().contains("code="), "{name}");
    }
}

#[tokio::test]
async fn a_username_may_not_be_missing_or_unfit() {
    let app = TestApp::base().await;
    let person = |name: Value| with(alice(), json!({ "preferred_username": name }));
    for missing in [Value::Null, "".into()] {
        attempt(&app, "staff", &person(missing)).await.assert_error_page(403, "username_missing");
    }
    for unfit in ["   ", "a\u{0}b", "a\nb", &"x".repeat(256)] {
        let reply = attempt(&app, "staff", &person(unfit.into())).await;
        reply.assert_error_page(403, "username_invalid");
    }
    let unicode = claims(&app, "staff", &person("王小明".into())).await;
    assert_eq!(unicode["preferred_username"], "王小明");
    // Once the account exists, it keeps its username, whatever the provider sends.
    let later = claims(&app, "staff", &person(Value::Null)).await;
    assert_eq!(later["sub"], unicode["sub"]);
}

#[tokio::test]
async fn wrong_types_refuse_with_a_reason_never_with_a_server_error() {
    let mapped = "[providers.staff.claims]\nname = \"claims.name\"\nemail = \"claims.email\"\ngroups = \"claims.groups\"\n\
                  roles = \"claims.roles\"\npicture = \"claims.picture\"\nlocale = \"claims.locale\"\n";
    let app = TestApp::with(mapped).await;
    for change in [
        json!({ "preferred_username": 7 }),
        json!({ "preferred_username": ["alice"] }),
        json!({ "preferred_username": { "name": "alice" } }),
        json!({ "name": ["Alice"] }),
        json!({ "email": 1 }),
        json!({ "email": { "value": "a@b.example" } }),
        json!({ "groups": { "staff": true } }),
        json!({ "groups": 7 }),
        json!({ "groups": true }),
        json!({ "groups": ["staff", 7] }),
        json!({ "groups": [["staff"]] }),
        json!({ "roles": [null] }),
        json!({ "picture": 1.5 }),
        json!({ "locale": ["de"] }),
    ] {
        let reply = attempt(&app, "staff", &with(alice(), change.clone())).await;
        assert_eq!(reply.status, 403, "{change}: {reply}");
        reply.assert_error_page(403, "claim_mapping_failed");
    }
    for change in
        [json!({ "groups": null }), json!({ "groups": "staff" }), json!({ "groups": [] }), json!({ "name": null })]
    {
        assert!(attempt(&app, "staff", &with(alice(), change.clone())).await.location().contains("code="), "{change}");
    }
}

#[tokio::test]
async fn a_single_group_is_a_list_of_one() {
    let app = TestApp::base().await;
    assert_eq!(claims(&app, "staff", &with(alice(), json!({ "groups": "staff" }))).await["groups"], json!(["staff"]));
}

/// Bob at `staff` has the address; a person with other claims signs in through `partner`.
async fn joined(linking: &str, claims_of_the_other: &Value) -> (Reply, String, TestApp) {
    let app = TestApp::with(&format!("{WITH_PARTNER}{linking}")).await;
    let victim =
        json!({ "sub": "v", "preferred_username": "victim", "email": "victim@corp.example", "email_verified": true });
    let (_, tokens) = {
        let mut browser = Browser::new();
        let request = Authorize::of("app").set("provider", "staff");
        let tokens = app.sign_in_with(&mut browser, &request, &victim).await;
        (browser, tokens)
    };
    let attacker = with(json!({ "sub": "a", "preferred_username": "attacker" }), claims_of_the_other.clone());
    let reply = attempt(&app, "partner", &attacker).await;
    (reply, tokens.sub(), app)
}

#[tokio::test]
async fn d03_an_address_links_nobody_unless_declared() {
    for verified in [json!(true), json!(false), json!("true"), json!("false"), json!(1), Value::Null] {
        let claims = json!({ "email": "victim@corp.example", "email_verified": verified });
        let (reply, victim, app) = joined("", &claims).await;
        assert_ne!(app.tokens("app", &reply).await.sub(), victim, "{claims}");
    }
}

const LINKED: &str = "link_by = \"verified_email\"\nlink_with = [\"staff\"]\n";

#[tokio::test]
async fn d03_declared_linking_takes_a_verified_boolean_only() {
    for (email, verified) in [
        ("victim@corp.example", json!(false)),
        ("victim@corp.example", json!("true")),
        ("victim@corp.example", json!("false")),
        ("victim@corp.example", Value::Null),
        ("victim@corp.example@evil.example", json!(true)),
        ("victim@corp.example ", json!(true)),
        ("victim@evil.example", json!(true)),
        ("victim@corp.example\u{0}", json!(true)),
    ] {
        let claims = json!({ "email": email, "email_verified": verified });
        let (reply, victim, app) = joined(LINKED, &claims).await;
        assert_ne!(app.tokens("app", &reply).await.sub(), victim, "{claims}");
    }
    for email in ["victim@corp.example", "VICTIM@Corp.Example"] {
        let (reply, victim, app) = joined(LINKED, &json!({ "email": email, "email_verified": true })).await;
        assert_eq!(app.tokens("app", &reply).await.sub(), victim, "declared, and verified on both sides");
    }
}

#[tokio::test]
async fn d03_linking_needs_the_other_side_verified_and_the_direction_declared() {
    // The victim's own address was never verified.
    let app = TestApp::with(&format!("{WITH_PARTNER}{LINKED}")).await;
    let victim = json!({ "sub": "v", "preferred_username": "victim", "email": "victim@corp.example" });
    let sub = claims(&app, "staff", &victim).await["sub"].clone();
    let other =
        json!({ "sub": "a", "preferred_username": "attacker", "email": "victim@corp.example", "email_verified": true });
    assert_ne!(claims(&app, "partner", &other).await["sub"], sub);

    // It is declared on `partner`, whose users may join the accounts of `staff`, but not the reverse.
    let app = TestApp::with(&format!("{WITH_PARTNER}{LINKED}")).await;
    let first = claims(&app, "partner", &other).await["sub"].clone();
    let second = with(victim, json!({ "email_verified": true }));
    assert_ne!(claims(&app, "staff", &second).await["sub"], first);
}

#[tokio::test]
async fn email_verified_may_be_settled_by_the_file() {
    let app = TestApp::with("providers.staff.email_verified = \"never\"").await;
    assert_eq!(claims(&app, "staff", &alice()).await["email_verified"], false);
    let app = TestApp::with("providers.staff.email_verified = \"always\"").await;
    assert_eq!(claims(&app, "staff", &bob()).await["email_verified"], true);
}

#[tokio::test]
async fn declared_users_are_found_by_sub_and_keep_an_imported_subject() {
    let users = r#"
[users.carol]
links = [{ provider = "staff", sub = "1" }, { provider = "partner", sub = "p1" }]
sub = "legacy-4711"
groups = ["local"]
"#;
    let app = TestApp::with(&format!("{WITH_PARTNER}{users}")).await;
    let first = claims(&app, "staff", &alice()).await;
    assert_eq!(first["sub"], "legacy-4711");
    assert_eq!(first["groups"], json!(["staff", "oncall", "local"]));
    let second = claims(&app, "partner", &with(bob(), json!({ "sub": "p1" }))).await;
    assert_eq!(second["sub"], "legacy-4711", "two ways into one account");
    // Nobody else can take the username that the file assigned.
    let other = json!({ "sub": "666", "preferred_username": "carol" });
    attempt(&app, "staff", &other).await.assert_error_page(403, "username_taken");
}

#[tokio::test]
async fn providers_may_create_no_users() {
    let app = TestApp::with(
        "[providers.staff]\ncreate_users = false\n[users.alice]\nlinks = [{ provider = \"staff\", sub = \"1\" }]\n",
    )
    .await;
    claims(&app, "staff", &alice()).await;
    attempt(&app, "staff", &bob()).await.assert_error_page(403, "user_not_declared");
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["users.alice.enabled = false"]).await;
    browser.open(&app, &Authorize::of("app").url(&app)).await.assert_error_page(403, "user_disabled");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    attempt(&app, "staff", &alice()).await.assert_error_page(403, "user_disabled");

    // With `users disable`, sessions and grants end and are not restored later.
    app.reload(BASE, &[]).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    app.set_user_disabled("alice", true).await;
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    attempt(&app, "staff", &alice()).await.assert_error_page(403, "user_disabled");
    app.set_user_disabled("alice", false).await;
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    let reply = browser.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    reply.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn the_profile_follows_the_provider_as_sync_says() {
    let app = TestApp::with("providers.staff.sync = [\"email\"]").await;
    claims(&app, "staff", &alice()).await;
    let changed = with(alice(), json!({ "email": "new@corp.example", "name": "New Name", "groups": ["new"] }));
    let later = claims(&app, "staff", &changed).await;
    assert_eq!(later["email"], "new@corp.example");
    assert_eq!(later["name"], "Alice Example", "not synchronised");
    assert_eq!(later["groups"], json!(["new"]), "groups always follow");
}

#[tokio::test]
async fn parallel_first_sign_ins_of_one_person_make_one_account() {
    let app = std::sync::Arc::new(TestApp::base().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let app = std::sync::Arc::clone(&app);
        tasks.spawn(async move { app.sign_in("app", &alice()).await.1.sub() });
    }
    let mut subjects = tasks.join_all().await;
    subjects.dedup();
    assert_eq!(subjects.len(), 1);
}

#[tokio::test]
async fn a_declared_address_links_a_verified_boolean_at_its_provider_only() {
    let users =
        "[users.carol]\nlinks = [{ provider = \"staff\", email = \"alice@corp.example\" }]\nsub = \"legacy-1\"\n";
    let app = TestApp::with(&format!("{WITH_PARTNER}{users}")).await;
    for unproven in [json!(false), json!("true"), Value::Null] {
        let person = with(alice(), json!({ "sub": unproven.to_string(), "email_verified": unproven }));
        let person = with(person, json!({ "preferred_username": format!("x{unproven}").replace('"', "") }));
        assert_ne!(claims(&app, "staff", &person).await["sub"], "legacy-1");
    }
    let elsewhere = with(alice(), json!({ "preferred_username": "elsewhere" }));
    assert_ne!(claims(&app, "partner", &elsewhere).await["sub"], "legacy-1");
    assert_eq!(claims(&app, "staff", &alice()).await["sub"], "legacy-1");
    // From then on the link is by subject, and the address may be reassigned.
    let moved = with(alice(), json!({ "email": "new@corp.example" }));
    assert_eq!(claims(&app, "staff", &moved).await["sub"], "legacy-1");
}

/// Like [`LINKED`], but for both providers: both verify addresses, and either may join the other's accounts.
const LINKED_BOTH: &str = "[providers.staff]\nlink_by = \"verified_email\"\nlink_with = [\"partner\"]\n";

fn holder(sub: &str, name: &str) -> Value {
    json!({ "sub": sub, "preferred_username": name, "email": "desk@corp.example", "email_verified": true })
}

#[tokio::test]
async fn d47_an_address_that_a_provider_gave_to_another_subject_joins_nobody() {
    let app = TestApp::with(&format!("{WITH_PARTNER}{LINKED}")).await;
    let first = claims(&app, "staff", &holder("s1", "anna")).await["sub"].clone();
    assert_eq!(claims(&app, "partner", &holder("p1", "anna")).await["sub"], first, "the first is joined");
    // The partner assigns Anna's address to a second person, and to a third.
    for (sub, name) in [("p2", "ben"), ("p3", "cleo")] {
        let other = claims(&app, "partner", &holder(sub, name)).await;
        assert_ne!(other["sub"], first, "{name}");
        assert_eq!(other["preferred_username"], name);
    }
    assert_eq!(claims(&app, "partner", &holder("p1", "anna")).await["sub"], first, "who was joined stays so");
}

#[tokio::test]
async fn d47_an_address_joins_one_subject_of_a_provider_in_either_direction() {
    let app = TestApp::with(&format!("{WITH_PARTNER}{LINKED}{LINKED_BOTH}")).await;
    let first = claims(&app, "partner", &holder("p1", "anna")).await["sub"].clone();
    assert_eq!(claims(&app, "staff", &holder("s1", "anna")).await["sub"], first);
    assert_ne!(claims(&app, "staff", &holder("s2", "ben")).await["sub"], first);
    // By now, two accounts have the address.
    attempt(&app, "partner", &holder("p2", "cleo")).await.assert_error_page(403, "email_ambiguous");
}

/// Several subjects of one provider sign in with the same address at once. Returns their subjects here, or `None` if refused.
async fn at_once(app: TestApp, provider: &'static str) -> Vec<Option<String>> {
    let app = std::sync::Arc::new(app);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..12 {
        let app = std::sync::Arc::clone(&app);
        tasks.spawn(async move {
            let reply = attempt(&app, provider, &holder(&format!("p{n}"), &format!("person-{n}"))).await;
            if reply.status == 403 {
                return None;
            }
            Some(app.tokens("app", &reply).await.sub())
        });
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d47_of_subjects_that_race_for_an_address_one_joins() {
    let app = TestApp::with(&format!("{WITH_PARTNER}{LINKED}")).await;
    let first = claims(&app, "staff", &holder("s1", "anna")).await["sub"].clone();
    let subs = at_once(app, "partner").await;
    let joined = subs.iter().filter(|sub| sub.as_deref() == first.as_str()).count();
    assert_eq!(joined, 1, "{subs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d47_of_subjects_that_race_for_a_declared_address_one_is_let_in() {
    let declared = "[users.anna]\nlinks = [{ provider = \"partner\", email = \"desk@corp.example\" }, { provider = \"staff\", sub = \"s1\" }]\n";
    for there_before in [false, true] {
        let app = TestApp::with(&format!("{WITH_PARTNER}{declared}")).await;
        if there_before {
            claims(&app, "staff", &holder("s1", "anna")).await;
        }
        let subs = at_once(app, "partner").await;
        assert_eq!(subs.iter().flatten().count(), 1, "{there_before}: {subs:?}");
    }
}
