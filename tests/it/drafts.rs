//! Drafts of changes: what the forms show, what a change would be and mean, and what a draft can't be used for.

use countersign::digest::{sha256_base64url, sha256_hex};
use http::Method;
use regex::Regex;

use crate::harness::browser::unescape;
use crate::harness::{BASE, Browser, Form, Reply, TestApp, alice, bob};

/// Alice is on call, Bob is not.
const CONSOLE: &str = "[console]\nrequire = \"'oncall' in groups\"\n";

/// One provider, an app of which the file has only the hash of the secret, and a role by group.
const FILE: &str = r#"# The broker of the company.
issuer = "https://sso.example.com"
store.url = "sqlite::memory:"

[providers.staff]
name = "Staff accounts"   # on the sign-in page
issuer = "https://idp.example"
client_id = "countersign"
client_secret = "the-brokers-secret-at-the-provider"

[roles.admin]
[[role_rules]]
when = "'oncall' in groups"
roles = ["admin"]

[clients.app]
scopes = ["openid", "profile", "email", "groups", "roles", "offline_access"]
client_secret_hashes = ["sha256:abb566146c49288c062805c432e974357def12f83fa1b0eefd7ba598711a0f6b"]
redirect_uris = [
  "https://app.example/cb", # production
]
"#;

/// The broker of a file that anybody may read, with Alice at its console.
async fn operator(file: &str, overlays: &[&str]) -> (TestApp, Browser) {
    let overlays: Vec<&str> = [CONSOLE].into_iter().chain(overlays.iter().copied()).collect();
    let app = TestApp::of(file, &overlays).await;
    let mut browser = Browser::new();
    let reply = enter(&app, &mut browser, "/console").await;
    assert_eq!(reply.status, 200, "{reply}");
    (app, browser)
}

async fn enter(app: &TestApp, browser: &mut Browser, path: &str) -> Reply {
    let leaving = browser.open(app, path).await.location();
    let callback = app.net.idp_of(&leaving).authorize(&leaving, &alice());
    browser.open(app, &callback).await
}

/// The form of a draft as a browser sends it: boxes that are ticked, texts and choices; not what is disabled.
fn form(page: &Reply) -> Form {
    let html = page.text();
    let action = Form::all(&html).into_iter().find(|form| form.action.contains("/draft/")).unwrap().action;
    let html = html.split("class=\"draft\"").nth(1).unwrap_or(&html);
    let html = html.split("</form>").next().unwrap();
    let attribute = |tag: &str, name: &str| {
        let pattern = Regex::new(&format!("\\s{name}=\"([^\"]*)\"")).unwrap();
        pattern.captures(tag).map(|found| unescape(&found[1]))
    };
    let mut fields = Vec::new();
    for tag in Regex::new(r"<input\b[^>]*>").unwrap().find_iter(html).map(|tag| tag.as_str()) {
        let unticked = tag.contains("checkbox") && !tag.contains(" checked");
        if let Some(name) = attribute(tag, "name").filter(|_| !unticked && !tag.contains(" disabled")) {
            fields.push((name, attribute(tag, "value").unwrap_or_default()));
        }
    }
    for found in Regex::new(r"(?s)(<textarea[^>]*>)\n(.*?)</textarea>").unwrap().captures_iter(html) {
        if let Some(name) = attribute(&found[1], "name").filter(|_| !found[1].contains(" disabled")) {
            fields.push((name, unescape(&found[2])));
        }
    }
    for found in Regex::new(r"(?s)(<select[^>]*>)(.*?)</select>").unwrap().captures_iter(html) {
        let chosen = found[2].split("<option").find(|option| option.contains(" selected"));
        // An option without a value has that of its text (HTML, the option element).
        let value =
            |option: &str| attribute(option, "value").or_else(|| Some(unescape(option.split(['>', '<']).nth(1)?)));
        if let Some(name) = attribute(&found[1], "name").filter(|_| !found[1].contains(" disabled")) {
            fields.push((name, chosen.and_then(value).unwrap_or_default()));
        }
    }
    Form { action, fields, buttons: Vec::new() }
}

/// Opens a draft, types, and sends it.
async fn drafted(app: &TestApp, browser: &mut Browser, path: &str, typed: &[(&str, &str)]) -> Reply {
    let page = browser.open(app, path).await;
    assert_eq!(page.status, 200, "{page}");
    let reply = browser.submit_form(app, &form(&page), typed).await;
    assert_eq!(reply.status, 200, "{reply}");
    reply
}

/// The patch of a change that a page shows.
async fn patch(app: &TestApp, browser: &mut Browser, result: &Reply) -> Reply {
    let form = Form::all(&result.text()).remove(0);
    browser.submit_form(app, &form, &[("as", "patch")]).await
}

#[tokio::test]
async fn a_change_is_a_patch_of_the_file_with_its_check_and_nothing_is_written() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let path = "/console/draft/client?id=app";
    let found = drafted(
        &app,
        &mut browser,
        path,
        &[("redirect_uris", "https://app.example/cb\r\nhttps://app.example/cb2"), ("require", "'admin' in roles")],
    )
    .await;
    let text = found.text();
    for part in [
        ">+  &quot;https:&#x2f;&#x2f;app.example&#x2f;cb2&quot;,<",
        ">+require = &quot;&#x27;admin&#x27; in roles&quot;<",
    ] {
        assert!(unescape(&text).contains(&unescape(part)), "{part}: {text}");
    }
    assert!(text.contains("in the file already") && !text.contains("tag bad"), "the secret in the file: {text}");
    let reply = patch(&app, &mut browser, &found).await;
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"client-app.patch\"");
    let expected = "--- a/broker.toml\n+++ b/broker.toml\n@@ -18,4 +18,6 @@\n client_secret_hashes = [\"sha256:abb566146c49288c062805c432e974357def12f83fa1b0eefd7ba598711a0f6b\"]\n redirect_uris = [\n   \"https://app.example/cb\", # production\n+  \"https://app.example/cb2\",\n ]\n+require = \"'admin' in roles\"\n";
    assert_eq!(reply.text(), expected);
    // The form again, with what was typed; and the file is as it was.
    let again = browser.submit_form(&app, &Form::all(&text).remove(0), &[("as", "again")]).await;
    assert_eq!(form(&again).field("require"), Some("'admin' in roles"));
    assert_eq!(form(&browser.open(&app, path).await).field("require"), Some(""));
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_what_was_typed_stays() {
    let (app, mut browser) = operator(FILE, &["[clients.app]\nclient_name = \"The app\"\n"]).await;
    let typed = [("id", "Two Words"), ("claims", "a = 5"), ("client_id", ""), ("name", "<b>\"'</b>")];
    let reply = drafted(&app, &mut browser, "/console/draft/provider", &typed).await;
    let text = reply.text();
    for key in ["id", "claims", "client_id"] {
        assert!(text.contains(&format!("id=\"fault-{key}\"")), "{key}: {text}");
    }
    assert!(!text.contains("<b>"), "{text}");
    let again = form(&reply);
    for (key, value) in typed {
        assert_eq!(again.field(key), Some(value));
    }
    // What an overlay sets can't be changed here, and is not lost either.
    let page = browser.open(&app, "/console/draft/client?id=app").await;
    assert!(page.text().contains("overlay-1.toml:2") && form(&page).field("client_name").is_none(), "{page}");
    let found = drafted(&app, &mut browser, "/console/draft/client?id=app", &[("pkce", "required")]).await;
    assert!(found.text().contains(">+pkce = ") && !found.text().contains("client_name ="), "{found}");
    let forced = drafted(&app, &mut browser, "/console/draft/client?id=app", &[("client_name", "Other")]).await;
    assert!(forced.text().contains("id=\"fault-client_name\""), "{forced}");
    let above = browser.open(&app, "/console/draft/role?id=nothing").await;
    assert_eq!(form(&above).field("id"), Some("nothing"), "an entry that is not there is a new one");
}

/// The fields of a form, but for those that every form has.
fn own_fields(page: &Reply) -> Vec<String> {
    let fields = form(page).fields.into_iter().map(|(name, _)| name);
    fields.filter(|name| !["csrf", "id", "seen", "shown", "probe", "file"].contains(&name.as_str())).collect()
}

#[tokio::test]
async fn a_provider_is_drafted_with_the_settings_of_its_preset() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let has = |page: &Reply, key: &str| page.text().contains(&format!("id=\"{key}\""));
    let page = browser.open(&app, "/console/draft/provider").await;
    assert!(has(&page, "issuer") && !has(&page, "tenants") && !has(&page, "team_id"), "{page}");
    assert!(page.text().contains("<option selected>generic</option>"), "{page}");
    let page = browser.open(&app, "/console/draft/provider?preset=apple").await;
    for (key, shown) in [("team_id", true), ("key_id", true), ("client_key", true), ("client_secret", false)] {
        assert_eq!(has(&page, key), shown, "{key}: {page}");
    }
    assert_eq!((form(&page).field("preset"), form(&page).field("shown")), (Some("apple"), Some("apple")));
    // What the preset needs is asked for at its field, and what was typed stays.
    let typed = [("id", "apple"), ("client_id", "com.example.sso"), ("team_id", "ABCDE12345")];
    let path = "/console/draft/provider?preset=apple";
    let again = drafted(&app, &mut browser, path, &typed).await;
    for key in ["key_id", "client_key"] {
        assert!(again.text().contains(&format!("id=\"fault-{key}\"")), "{key}: {again}");
    }
    assert_eq!(form(&again).field("team_id"), Some("ABCDE12345"));
    assert_eq!(form(&again).field("preset"), Some("apple"));

    let path = "/console/draft/provider?preset=google";
    let typed = [
        ("id", "google"),
        ("client_id", "c.apps.googleusercontent.com"),
        ("client_secret", "/run/secrets/google"),
        ("hosted_domains", "corp.example"),
        ("groups_from.source", "cloud_identity"),
        ("groups_from.credentials", "/run/secrets/google.json"),
    ];
    let found = drafted(&app, &mut browser, path, &typed).await;
    let shown = unescape(&found.text());
    for line in [
        ">+preset = \"google\"<",
        ">+hosted_domains = [\"corp.example\"]<",
        ">+groups_from = { source = \"cloud_identity\", credentials = { file = \"/run/secrets/google.json\" } }<",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains("logout = false") && !shown.contains("tag bad\">Error"), "{found}");
    assert!(!has(&browser.open(&app, "/console/draft/provider?preset=nothing").await, "tenants"));
}

#[tokio::test]
async fn a_provider_that_gets_another_preset_keeps_what_its_form_did_not_show() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let path = "/console/draft/provider?id=staff&preset=apple";
    let page = browser.open(&app, path).await;
    assert!(own_fields(&page).contains(&"issuer".to_owned()) && !own_fields(&page).contains(&"team_id".to_owned()));
    let found = drafted(&app, &mut browser, path, &[("preset", "entra")]).await;
    assert!(found.text().contains(">+preset = ") && !found.text().contains(">+logout"), "{found}");
    // Back at the form, it has the fields of the new preset, and boxes as the file has them.
    let again = browser.submit_form(&app, &Form::all(&found.text()).remove(0), &[("as", "again")]).await;
    assert!(own_fields(&again).contains(&"tenants".to_owned()), "{again}");
    assert_eq!(form(&again).field("shown"), Some("entra"));
    assert_eq!(form(&again).field("logout"), Some("on"));
}

#[tokio::test]
async fn a_change_names_the_people_whom_it_hits() {
    let (app, mut browser) = operator(FILE, &[]).await;
    app.sign_in("app", &bob()).await;
    let found = drafted(&app, &mut browser, "/console/draft/client?id=app", &[("require", "'admin' in roles")]).await;
    let text = found.text();
    assert!(
        text.contains(">bob<") && text.contains("loses the app <bdi>app</bdi>") && !text.contains("<bdi>alice"),
        "{text}"
    );
    assert!(text.contains("client_requirement_not_met") && text.contains("broker.toml:"), "{text}");
    // Nobody can sign in without the only provider; what refers to a deleted role is a problem with its place.
    let found = drafted(&app, &mut browser, "/console/draft/provider?id=staff&delete=1", &[]).await;
    assert!(
        found.text().contains(">-[providers.staff]<") && found.text().contains("no longer sign in at all"),
        "{found}"
    );
    let found = drafted(&app, &mut browser, "/console/draft/role?id=admin&delete=1", &[]).await;
    assert!(found.text().contains("broker.toml:13:") && found.text().contains("Not known while"), "{found}");
    browser.open(&app, "/console/draft/role?id=gone&delete=1").await.assert_error_page(404, "not_found");
}

#[tokio::test]
async fn d40_a_draft_shows_no_secret_and_gives_no_patch_that_holds_one() {
    let (app, mut browser) = operator(BASE, &[]).await;
    let page = browser.open(&app, "/console/draft/client?id=app").await;
    assert!(!page.text().contains("secret-of-app"), "{page}");
    let found = drafted(&app, &mut browser, "/console/draft/client?id=app", &[("client_name", "Another")]).await;
    assert!(!found.text().contains("secret-of-app") && found.text().contains("***"), "{found}");
    let refused = patch(&app, &mut browser, &found).await;
    assert!(refused.header("content-type").starts_with("text/html") && !refused.text().contains("secret-of-app"));
    let deleted = drafted(&app, &mut browser, "/console/draft/client?id=app&delete=1", &[]).await;
    assert!(!deleted.text().contains("secret-of-app") && deleted.text().contains(">-client_secret = ***"), "{deleted}");
}

#[tokio::test]
async fn d40_the_form_of_a_client_shows_no_hash_of_its_secret_and_keeps_it() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let path = "/console/draft/client?id=app";
    let page = browser.open(&app, path).await;
    assert!(!page.text().contains("abb566146c49288c062805c432e974357def12f83fa1b0eefd7ba598711a0f6b"), "{page}");
    assert!(page.text().contains("The file has hashes, which are not shown and stay."), "{page}");
    let found = drafted(&app, &mut browser, path, &[("pkce", "required")]).await;
    assert!(!found.text().contains("-client_secret_hashes"), "it stays: {found}");
    let hash = format!("sha256:{}", "0".repeat(64));
    let found = drafted(&app, &mut browser, path, &[("client_secret_hashes", &hash)]).await;
    assert!(found.text().contains("-client_secret_hashes") && found.text().contains(&hash), "{found}");
}

/// What says that the file is still the same must be no hash of it, against which a secret in the file could be guessed.
#[tokio::test]
async fn d40_the_form_of_a_draft_holds_no_hash_of_the_file() {
    const STALE: &str = "The file has changed since you opened the form";
    let (app, mut browser) = operator(BASE, &[]).await;
    let path = "/console/draft/client?id=app";
    let page = browser.open(&app, path).await;
    let seen = form(&page).field("seen").unwrap().to_owned();
    let (hex, base64url) = (sha256_hex(BASE.as_bytes()), sha256_base64url(BASE.as_bytes()));
    assert!(seen.len() >= 16 && !hex.starts_with(&seen) && !base64url.starts_with(&seen), "{seen}");
    let found = drafted(&app, &mut browser, path, &[("client_name", "Another")]).await;
    assert!(!found.text().contains(STALE), "{found}");
    for made_up in [&hex[..16], hex.as_str(), base64url.as_str(), "", "AAAAAAAAAAAAAAAAAAAAAA"] {
        let typed = [("client_name", "Another"), ("seen", made_up)];
        let found = drafted(&app, &mut browser, path, &typed).await;
        assert!(found.text().contains(STALE), "{made_up}: {found}");
    }
}

#[tokio::test]
async fn d24_a_draft_is_no_way_to_private_addresses_or_to_the_credentials_of_a_provider() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let path = "/console/draft/provider?id=staff";
    let idp = app.net.idp_of("https://idp.example");
    // As it runs: the credentials are sent, where they are sent anyway.
    let before = idp.count("token");
    let found = drafted(&app, &mut browser, path, &[("name", "People"), ("probe", "on")]).await;
    assert!(found.text().contains("accepts our credentials"), "{found}");
    assert_eq!(idp.count("token"), before + 2, "with our secret, and with a wrong one");
    // Another client id, another secret, another issuer: no credentials.
    for typed in [("client_id", "other"), ("client_secret", "/run/other")] {
        let found = drafted(&app, &mut browser, path, &[typed, ("probe", "on")]).await;
        assert!(found.text().contains("credentials are sent only as"), "{typed:?}: {found}");
    }
    // Addresses that the running configuration does not have must be public ones.
    let asked = app.net.asked().len();
    for issuer in ["https://10.0.0.1", "https://localhost", "http://idp.example"] {
        let typed = [("issuer", issuer), ("allow_http", "on"), ("probe", "on")];
        let found = drafted(&app, &mut browser, path, &typed).await;
        assert!(found.text().contains("not at a public https address"), "{issuer}: {found}");
    }
    let private = |url: &String| url.contains("10.0.0.1") || url.contains("localhost") || url.starts_with("http:");
    let called: Vec<String> = app.net.asked().split_off(asked).into_iter().filter(private).collect();
    assert!(called.len() <= 3, "{called:?}");
    assert_eq!(idp.count("token"), before + 2);
}

/// A provider inside the network is trusted at its own address, and not with every service of its host.
#[tokio::test]
async fn d24_a_draft_reaches_no_other_service_on_the_host_of_a_provider() {
    let inside = |key: &str| {
        format!(
            "{FILE}\n[providers.inside]\nissuer = \"https://10.0.0.9/staff\"\nclient_id = \"x\"\nclient_secret = \"y\"\n\
             hidden = true\n{key}\n"
        )
    };
    for (key, issuer, asked) in [
        ("", "https://10.0.0.9/guests", true),
        ("", "https://10.0.0.9:9000/staff", false),
        ("", "https://10.0.0.9:9000", false),
        ("allow_private_network = true", "https://10.0.0.9/guests", false),
        ("allow_private_network = true", "https://10.0.0.9:9000/staff", false),
    ] {
        let (app, mut browser) = operator(&inside(key), &[]).await;
        let path = "/console/draft/provider?id=inside";
        let found = drafted(&app, &mut browser, path, &[("issuer", issuer), ("probe", "on")]).await;
        let text = unescape(&found.text());
        assert!(text.contains(&format!("{issuer}/.well-known/openid-configuration")), "{issuer}: {found}");
        assert_eq!(!text.contains("not at a public https address"), asked, "{issuer}: {found}");
    }
}

#[tokio::test]
async fn d20_a_draft_wants_its_own_form_and_somebody_whom_the_console_admits() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let page = browser.open(&app, "/console/draft/role").await;
    let own = form(&page);
    let headers = [("origin", app.origin()), ("sec-fetch-site", "same-origin")];
    let bare = [("id", "x")];
    let without = browser.send(&app, Method::POST, "/console/draft/role", Some(&bare), &headers).await;
    without.assert_error_page(403, "csrf_failed");
    let elsewhere = Form { action: "/console/draft/user".to_owned(), ..own.clone() };
    browser.submit_form(&app, &elsewhere, &[("id", "x")]).await.assert_error_page(403, "csrf_failed");
    let mut other = Browser::new();
    enter(&app, &mut other, "/console").await;
    other.submit_form(&app, &own, &[("id", "x")]).await.assert_error_page(403, "csrf_failed");
    let (mut plain, _) = app.sign_in("app", &bob()).await;
    let refused = plain.open(&app, "/console/draft/role").await;
    assert_eq!(refused.status, 403, "{refused}");
    let app = TestApp::of(FILE, &[]).await;
    app.get("/console/draft/role").await.assert_error_page(404, "not_found");
}

#[tokio::test]
async fn long_names_and_markup_are_text() {
    let (app, mut browser) = operator(FILE, &[]).await;
    let long = format!("<script>alert(1)</script>{}", "x".repeat(1000));
    let found = drafted(&app, &mut browser, "/console/draft/user", &[("id", &long), ("groups", &long)]).await;
    assert!(!found.text().contains("<script>alert"), "{found}");
    assert!(unescape(&found.text()).contains(&format!("+[users.\"{long}\"]")), "{found}");
    let reply = patch(&app, &mut browser, &found).await;
    let name = reply.header("content-disposition");
    assert!(name.len() < 110 && !name.contains('<'), "{name}");
}
