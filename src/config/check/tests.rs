//! TOML in, problems out: line, column, severity and words.

use std::path::PathBuf;

use crate::config::check::*;
use crate::config::diagnostics::problem::Problem;
use crate::config::load::files::Memory;
use crate::config::load::{Inputs, load};

/// A file that nothing is wrong with, to which the cases add.
const BASE: &str = r#"issuer = "https://sso.example.com"
[providers.staff]
issuer = "https://id.example/realms/staff"
client_id = "countersign"
client_secret = { file = "staff" }
[clients.app]
client_secret = { file = "app" }
redirect_uris = ["https://app.example/cb"]
[roles.admin]
"#;

fn loaded(text: &str) -> Loaded {
    let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
    load(&inputs, &Memory::of([("broker.toml", text)])).unwrap()
}

/// All problems, one line each: `line:column severity message [suggestion]`.
fn problems(text: &str) -> Vec<String> {
    let loaded = loaded(text);
    let mut problems = check(&loaded, &mut |_, _, _| Vec::new()).problems;
    problems.append(loaded.problems);
    problems.sort();
    let line = |p: &Problem| {
        let suggestion = p.suggestion.as_ref().map(|text| format!(" [{text}]")).unwrap_or_default();
        format!("{}:{} {} {}{suggestion}", p.line, p.column, p.severity, p.message)
    };
    problems.iter().map(line).collect()
}

/// Each expectation is a beginning (the place) and parts that must stand in the line, separated by ` ~ `.
fn mismatch(text: &str, expected: &[&str]) -> Option<String> {
    let found = problems(text);
    let fits = |line: &str, expected: &str| {
        let mut parts = expected.split(" ~ ");
        line.starts_with(parts.next().unwrap()) && parts.all(|part| line.contains(part))
    };
    let all = found.len() == expected.len() && found.iter().zip(expected).all(|(line, expected)| fits(line, expected));
    (!all).then(|| format!("in\n{text}\nfound {found:#?}\nexpected {expected:#?}\n"))
}

fn assert_problems(text: &str, expected: &[&str]) {
    assert_all([mismatch(text, expected)]);
}

/// Every case that went wrong, at once.
fn assert_all(mismatches: impl IntoIterator<Item = Option<String>>) {
    let wrong: Vec<String> = mismatches.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The base with lines after it; places are counted from the first of these.
fn added(lines: &str, expected: &[&str]) -> Option<String> {
    let text = format!("{BASE}{lines}");
    let first = BASE.lines().count().cast_signed();
    let moved: Vec<String> = expected
        .iter()
        .map(|line| {
            let (number, rest) = line.split_once(':').unwrap();
            format!("{}:{rest}", number.parse::<isize>().unwrap() + first)
        })
        .collect();
    mismatch(&text, &moved.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_base_has_no_problem() {
    assert_problems(BASE, &[]);
}

#[test]
fn structure() {
    let cases = [
        (
            "[server]\nlisten = \"127.0.0.1:1\"",
            &["2:10 error ~ `listen` must be an array of strings but is the string ~ [put it in brackets"][..],
        ),
        ("[clients.b]\nclient_secret = 5\ngrant_types = []", &["2:17 error ~ must be a secret ~ but is a number"]),
        ("[admin]\ntoken = { flie = \"x\" }", &["2:11 error unknown key `flie` ~ [did you mean `file`?]"]),
        (
            "[tokens]\naccess_token = 60",
            &["2:16 error ~ must be a duration such as ~ but is the integer 60 ~ [write \"60s\" for seconds]"],
        ),
        ("[tokens]\naccess_token = \"60 min\"", &["2:16 error ~ must be a duration such as ~ \"60 min\""]),
        ("[limits]\nbody = \"64kb\"", &["2:8 error ~ must be a size such as"]),
        ("[limits]\nbody = \"0B\"", &["2:8 error `body` must be more than nothing but is \"0B\""]),
        ("[limits]\nheaders = \"0KiB\"", &["2:11 error `headers` must be more than nothing but is \"0B\""]),
        ("[limits]\nquery = \"64KiB\"", &["2:9 error `query` must be at most \"60KiB\" but is \"64KiB\""]),
        ("[limits]\nconnections = 0", &["2:15 error `connections` must be at least 1 but is 0"]),
        ("[limits]\npending_sign_ins = -1", &["2:20 error `pending_sign_ins` must be at least 1 but is -1"]),
        (
            "[limits]\nconnections = \"many\"",
            &["2:15 error `connections` must be an integer but is the string \"many\""],
        ),
        (
            "[limits]\nper_address = { rate = \"50/sec\" }",
            &["2:24 error `rate` must be a rate such as \"50/s\", \"10/m\" or \"100/h\" ~ but is \"50/sec\""],
        ),
        ("[limits]\nper_address = { rate = 50 }", &["2:24 error `rate` must be a rate ~ but is the integer 50"]),
        ("[limits]\nper_address = { rate = \"0/s\" }", &["2:24 error `rate` must be a rate ~ at least 1"]),
        ("[limits]\nper_address = \"50/s\"", &["2:15 error `per_address` must be a table but is the string"]),
        ("[limits]\nfailed_authentication = { burst = 0 }", &["2:35 error `burst` must be at least 1 but is 0"]),
        (
            "[limits]\nfailed_authentication = { burts = 5 }",
            &["2:27 error unknown key `burts` ~ [did you mean `burst`?]"],
        ),
        (
            "[policy]\ndefault_roles_when = \"never\"",
            &["2:22 error ~ must be one of \"no_roles\", \"no_groups\" but is \"never\""],
        ),
        (
            "[clients.b]\npkce = \"requird\"\nclient_secret = { file = \"b\" }\nredirect_uris = [\"https://b.example/\"]",
            &["2:8 error ~ must be one of \"auto\", \"required\" ~ [did you mean `required`?]"],
        ),
        (
            "[clients.b]\ndisabled = true\ngrant_types = []\nclient_secret = { env = \"B\" }",
            &["2:1 error unknown key `disabled` ~ [write `enabled = false`]"],
        ),
        (
            "[clients.b]\nenabled = \"false\"\ngrant_types = []\nclient_secret = { env = \"B\" }",
            &["2:11 error ~ must be a boolean but is the string \"false\" ~ [write false without quotes]"],
        ),
        ("[[role_rules]]\nwhen = \"true\"", &["1:1 error `roles` must be set in `role_rules[0]`"]),
        ("[[role_rules]]\nroles = []", &["2:9 error `roles` must be a list of at least one"]),
        ("[resources.api]\nscopes = []", &["1:1 error `uri` must be set in `resources.api`"]),
        ("[users.bob]\nlinks = [{ sub = \"1\" }]", &["2:10 error `provider` must be set in `users.bob.links[0]`"]),
        (
            "[clients.Up]\ngrant_types = []\nclient_secret = { env = \"B\" }",
            &["1:10 error the key \"Up\" must be 1 to 63 of"],
        ),
        (
            "[providers.certificate]\nissuer = \"https://c.example\"\nclient_id = \"c\"\nclient_secret = { env = \"C\" }\nasserted_roles = []",
            &["-7:1 warning ~ asserted_roles", "1:12 error \"certificate\" is reserved"],
        ),
        ("[scopes.\"a b\"]", &["1:9 error ~ without spaces"]),
        (
            "[clients.app.claims]\nhttps.tier = \"user.tier\"",
            &["2:1 error `https` must be an expression ~ [quote the key: \"https.tier\""],
        ),
        (
            "[clients.app.claims]\npkce = \"required\"",
            &["2:1 error `pkce` is a setting of `clients.app`, not a claim ~ above"],
        ),
        (
            "[providers.staff.claims]\nname = \"claims.cn\"\nscopes = \"claims.scope\"",
            &["3:1 error `scopes` is a setting of `providers.staff`"],
        ),
        ("[clients.app.claims]\nx = []", &["2:5 error ~ at least one value but is empty"]),
        ("[clients.app.claims]\nx = \"\"", &["2:5 error `x` must be an expression (a string) but is empty"]),
        ("[session]\nissuer = \"https://x.example\"", &["2:1 error unknown key `issuer` ~ top-level key"]),
        ("[sesion]\nmax_inactive = \"1h\"", &["1:2 error unknown key `sesion` ~ [did you mean `session`?]"]),
        ("[roles.admin]", &["1:8 error duplicate key `admin`"]),
        ("[policy]\ndefault_roles = [\"admin\"]\ndefault_roles = []", &["3:1 error duplicate key `default_roles`"]),
        ("[keys]\nrotate_every = 2026-01-01", &["2:16 error no setting is a date or time"]),
        ("[keys]\nrotate_every = \"99999999d\"", &["2:16 error ~ duration"]),
        (
            "[admin]\ntoken = [{ env = \"A\" }, { env = \"B\" }, { env = \"C\" }]",
            &["2:9 error ~ a list of at most 2 but is a list of 3"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { created = \"yes\" }",
            &["5:22 error `created` must be a boolean"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = { x = 1 }\nexpect = { rolez = [] }",
            &["5:12 error `rolez` is neither ~ [did you mean `roles`?]"],
        ),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn texts_that_are_no_toml() {
    let cases = [
        (
            "issuer = https://x.example\n[clients.a]\npkce = \"x\"",
            &["1:10 error a string must be quoted", "3:8 error ~ must be one of"][..],
        ),
        (
            "issuer = \"https://x.example\nserver = 5",
            &["1:28 error invalid basic string", "2:10 error `server` must be a table"],
        ),
        ("issuer =\n", &["1:9 error a value is missing"]),
        ("issuer\n", &["1:7 error a key needs a value"]),
        ("[server\nlisten = []", &["1:8 error unclosed table"]),
        (
            "[server]\nlisten = [\"a\",\n[admin]\nlisten = \"b\"\n",
            &["2:10 error the array that begins here is never closed"],
        ),
    ];
    assert_all(cases.iter().map(|(text, expected)| mismatch(text, expected)));
}

#[test]
fn addresses_and_endpoints() {
    let issuers = [
        ("issuer = \"http://sso.example.com\"", "1:10 error `issuer` must be an https URL"),
        ("issuer = \"https://sso.example.com/?x\"", "1:10 error `issuer` must be a URL without a query"),
        ("issuer = \"sso.example.com\"", "1:10 error `issuer` must be an absolute URL"),
        ("issuer = \"\"", "1:10 error `issuer` must be an absolute URL"),
    ];
    assert_all(issuers.iter().map(|(text, expected)| mismatch(text, &["1:1 warning no provider", expected])));
    let cases = [
        ("[server]\nlisten = [\"127.0.0.1\"]", &["2:11 error `listen[0]` must be an address such as"][..]),
        ("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]", &["2:20 error `trusted_proxies[0]` must be a network"]),
        ("[server]\nlisten = [\"unix:/run/a.sock\", \"[::1]:1\"]\ntrusted_proxies = [\"unix:\"]", &[]),
        ("[server]\nlisten = [\"unix:a.sock\"]", &["2:11 error `listen[0]` must be an address such as"]),
        ("[server]\ntrusted_proxies = [\"unix:/run/a.sock\"]", &["2:20 error ~ or \"unix:\""]),
        (
            "[server]\nlisten = [\"unix:/a\"]\ntls = { cert = \"c\", key = \"k\" }",
            &["3:1 error `tls` is for TCP ~ unix sockets only ~ [leave `tls` out"],
        ),
        ("[server]\nlisten = [\"unix:/a\", \"0.0.0.0:443\"]\ntls = { cert = \"c\", key = \"k\" }", &[]),
        ("[admin]\nlisten = \"0.0.0.0:9464\"", &["2:10 error `token` must be set: the admin listener"]),
        ("[admin]\nlisten = \"127.0.0.1:8080\"", &["2:10 error ~ in `server.listen` too"]),
        ("[endpoints]\ntoken = \"/callback/x\"", &["2:9 error ~ (/callback: the callbacks of providers)"]),
        ("[endpoints]\ntoken = \"token\"", &["2:9 error `token` must be a path that begins with `/`"]),
        ("[endpoints]\njwks = \"/oauth2/token\"", &["2:8 error ~ must be different paths"]),
        ("[endpoints]\nauthorization = \"/login/oauth/authorize\"", &[]),
        (
            "[store]\nurl = \"mysql://u:secret@h/db\"",
            &["2:7 error `url` must be \"sqlite:PATH\" ~ \"mysql://u:***@h/db\""],
        ),
        ("[store]\nurl = \"postgres://u:secret@h/db\"", &["2:7 error `url = \"postgres:\"` is not built yet"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn lifetimes_and_keys() {
    let cases = [
        ("[tokens]\nauthorization_code = \"10m\"", &["2:22 error ~ must be at most \"5m\" but is \"10m\""][..]),
        ("[tokens]\naccess_token = \"0s\"", &["2:16 error ~ longer than nothing"]),
        (
            "[tokens]\nrefresh_token = { max_inactive = \"30d\", max_lifetime = \"1d\" }",
            &["2:34 error `max_inactive` must be at most `max_lifetime`"],
        ),
        ("[clients.app.tokens]\nauthorization_code = \"6m\"", &["2:22 error ~ at most \"5m\""]),
        (
            "[session]\nmax_lifetime = \"1m\"",
            &["2:16 error `max_inactive` must be at most `max_lifetime` (\"1m\") but is \"30m\""],
        ),
        ("[keys]\nalgorithms = [\"ES256\"]", &["2:14 error ~ a list with \"RS256\""]),
        ("[keys]\nalgorithms = [\"RS256\", \"RS256\"]", &["2:24 error ~ lists \"RS256\" twice"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

/// A second provider, with what a case adds to it.
fn provider(lines: &str, expected: &[&str]) -> Option<String> {
    let text = format!(
        "{}[providers.second]\nissuer = \"https://second.example\"\nclient_id = \"x\"\nasserted_roles = []\n{lines}",
        BASE.replace("client_id = \"countersign\"", "client_id = \"countersign\"\nasserted_roles = []")
    );
    mismatch(&text, expected)
}

#[test]
fn providers() {
    // The header stands in line 11, the case's own lines begin in line 15.
    let secret = "client_secret = { file = \"s\" }\n";
    assert_all([provider(secret, &[])]);
    let cases = [
        ("", &["11:1 error `client_secret` must be set in `providers.second` ~ token_endpoint_auth_method"][..]),
        ("token_endpoint_auth_method = \"none\"", &[]),
        (
            "client_secret = { env = \"S\" }\ntoken_endpoint_auth_method = \"none\"",
            &["16:30 error ~ a method that uses the secret"],
        ),
        ("client_id = \"y\"", &["11:1 error `client_secret`", "15:1 error duplicate key `client_id`"]),
        (
            "clent_secret = { env = \"S\" }",
            &["15:1 error unknown key `clent_secret` ~ [did you mean `client_secret`?]"],
        ),
    ];
    assert_all(cases.iter().map(|(lines, expected)| provider(lines, expected)));
    let cases = [
        ("name = \"ab\"", &["16:8 error `name` must be 3 to 127 characters long but is 2 long"][..]),
        ("name = \"STAFF\"", &["16:8 error the name \"STAFF\" must be unique"]),
        ("scopes = [\"profile\"]", &["16:10 error `scopes` must be a list with \"openid\""]),
        ("redirect_path = \"/callback/staff\"", &["16:17 warning `redirect_path` is shared with `staff`"]),
        ("redirect_path = \"/oauth2/token\"", &["16:17 error ~ a path that is no endpoint"]),
        ("redirect_path = \"/auth/oidc\"", &[]),
        ("backchannel_url = \"ftp://x\"", &["16:19 error `backchannel_url` must be"]),
        ("backchannel_url = \"http://10.1.2.3:8080/realms/main\"", &[]),
        ("domains = [\"corp.example\", \"@corp\"]", &["16:28 error `domains[1]` must be a domain"]),
        ("link_by = \"verified_email\"", &["11:1 error `link_with` must be set"]),
        ("link_with = [\"staff\"]", &["16:13 error `link_with` has no effect"]),
        (
            "link_by = \"verified_email\"\nlink_with = [\"second\", \"staf\"]",
            &[
                "17:14 error ~ another provider",
                "17:24 error ~ a declared provider but is \"staf\" ~ [did you mean `staff`?]",
            ],
        ),
        (
            "on_refresh = { claims = \"upstream\", max_age = \"2h\", max_stale = \"1h\" }",
            &["16:65 error `max_stale` (\"1h\") must be at least `max_age`"],
        ),
        ("on_refresh = { max_age = \"2h\" }", &["16:26 warning `max_age` has no effect unless claims"]),
        ("session = { max_lifetime = \"24h\" }", &["16:28 warning `max_lifetime` is \"1d\", but [session]"]),
        ("tenants = [\"x\"]", &["16:11 error `tenants` has no effect without preset = \"entra\""]),
        (
            "authorization_endpoint = \"https://second.example/a\"",
            &["11:1 error `jwks_uri` must be set ~ not half", "11:1 error `token_endpoint` must be set"],
        ),
        (
            "preset = \"google\"",
            &[
                "11:1 error `providers.second` would admit everyone in the world",
                "16:10 error `preset = \"google\"` is not built yet",
            ],
        ),
        (
            "preset = \"google\"\nhosted_domains = [\"corp.example\"]",
            &["16:10 error `preset = \"google\"` is not built yet"],
        ),
        (
            "introspect = true\nauthorization_endpoint = \"https://i.example/a\"\ntoken_endpoint = \"https://i.example/t\"\njwks_uri = \"https://i.example/k\"",
            &["16:14 error `introspect` needs discovery"],
        ),
        ("introspect = true", &[]),
        ("preset = \"entra\"\nallow = \"true\"", &["16:10 error ~ not built yet"]),
        ("preset = \"keycloack\"", &["16:10 error ~ [did you mean `keycloak`?]"]),
        ("[providers.second.claims]\nsub = \"claims.oid\"", &["17:1 error `sub` can't be mapped"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| provider(&format!("{secret}{lines}"), expected)));
    assert_problems(
        "issuer = \"https://x.example\"\n[providers.idp]\nissuer = \"http://idp.internal\"\nclient_id = \"c\"\nclient_secret = { file = \"s\" }",
        &["3:10 error `issuer` must be an https URL ~ allow_http = true"],
    );
    let entra = BASE
        .replace("https://id.example/realms/staff", "https://login.microsoftonline.com/common/v2.0")
        .replace("[providers.staff]", "[providers.staff]\npreset = \"entra\"");
    assert_problems(
        &entra,
        &["2:1 error `providers.staff` would admit", "2:1 error `tenants` must be set", "3:10 error ~ not built"],
    );
}

#[test]
fn clients() {
    let secret = "client_secret = { file = \"b\" }\n";
    let uris = "redirect_uris = [\"https://b.example/cb\"]\n";
    let cases = [
        (String::new(), &["1:1 error `client_secret` must be set in `clients.b`", "1:1 error `redirect_uris` must be set"][..]),
        (format!("{secret}{uris}"), &[]),
        (format!("{secret}grant_types = []"), &[]),
        (format!("token_endpoint_auth_method = \"none\"\n{uris}"), &[]),
        (format!("{secret}{uris}token_endpoint_auth_method = \"none\""), &["4:30 error ~ a method that uses the secret"]),
        (format!("{secret}redirect_uris = [\"https://*.example/cb\", \"http://b.example\", \"https://b.example/x\", \"https://b.example/x\"]"),
            &["3:18 error ~ wildcards", "3:42 error ~ https", "3:85 error `redirect_uris` lists \"https://b.example/x\" twice"]),
        (format!("{secret}redirect_uris = [\"com.example.b:/cb\"]"), &["3:18 error ~ application_type"]),
        (format!("{secret}redirect_uris = [\"com.example.b:/cb\"]\napplication_type = \"native\""), &[]),
        ("client_secret_hashes = [\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", \"md5:x\"]\ngrant_types = []".to_owned(),
            &["2:100 error `client_secret_hashes[1]` must be \"sha256:\" ~ countersign client secret b"]),
        (format!("{secret}{uris}client_secret_hashes = [\"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"]"), &["4:24 error ~ must not both be set"]),
        (format!("{secret}{uris}client_id = \"app\""), &["4:13 error the client id \"app\" must be unique but is that of `app` too"]),
        (format!("{secret}{uris}client_id = \"bé\""), &["4:13 error `client_id` must be 1 to 255 printable ASCII"]),
        (format!("{secret}{uris}scopes = [\"openid\", \"profil\"]"), &["4:21 error `scopes[1]` must be a declared scope ~ [did you mean `profile`?]"]),
        (format!("{secret}{uris}providers = [\"staff\", \"certificate\", \"nope\"]"), &["4:38 error ~ declared provider but is \"nope\" ~ [declare [providers.nope]]"]),
        (format!("{secret}{uris}grant_types = [\"client_credentials\"]\nresponse_types = [\"code\"]"), &["5:18 error `response_types` has \"code\", which needs \"authorization_code\" in `grant_types` too ~ [add \"authorization_code\" to grant_types]"]),
        (format!("{secret}{uris}response_types = []"), &["4:18 error ~ needs a response type"]),
        ("token_endpoint_auth_method = \"none\"\ngrant_types = [\"client_credentials\"]".to_owned(), &["3:15 error ~ must not be open to a public client"]),
        (format!("{secret}redirect_uris = [\"https://b.example/cb\", \"https://c.example/cb\"]\nsubject_type = \"pairwise\""), &["3:17 warning ~ several hosts ~ sector_identifier_uri"]),
        (format!("{secret}redirect_uris = [\"https://b.example/cb\", \"https://c.example/cb\"]\nsubject_type = \"pairwise\"\nsector_identifier_uri = \"https://b.example/s\""), &[]),
        (format!("{secret}grant_types = [\"refresh_token\"]"), &["3:15 error ~ nothing would ever issue one"]),
        (format!("{secret}{uris}response_types = [\"code\", \"code id_token\"]"), &["4:18 error `response_types` has \"code id_token\", which needs \"implicit\" in `grant_types` too ~ [add \"implicit\" to grant_types]"]),
        (format!("{secret}{uris}grant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code\", \"code id_token\"]"), &[]),
        (format!("{secret}{uris}grant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code\", \"code token\"]"), &["5:27 warning the response type \"code token\" hands access tokens to the browser, which RFC 9700 §2.1.2 ~ with PKCE"]),
        (format!("{secret}{uris}grant_types = [\"authorization_code\", \"implicit\"]"), &["4:15 error `grant_types` has \"implicit\", which needs a response type ~ \"id_token\""]),
        (format!("{secret}{uris}grant_types = [\"implicit\"]\nresponse_types = [\"id_token\", \"code id_token\"]"), &["5:18 error `response_types` has \"code id_token\", which needs \"authorization_code\""]),
        (format!("{uris}grant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]"), &[]),
        (format!("{secret}{uris}security_profile = \"fapi2\"\ngrant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code id_token\"]"), &["4:20 error ~ not built yet", "6:19 error the response type \"code id_token\" must not be used under \"fapi2\""]),
        (format!("{uris}grant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]\nscopes = [\"email\"]"), &["4:19 error the response type \"id_token\" needs the scope \"openid\""]),
        (format!("{uris}grant_types = [\"implicit\", \"refresh_token\"]\nresponse_types = [\"id_token\"]"), &["1:1 error `client_secret` must be set", "3:15 error ~ nothing would ever issue one"]),
        ("redirect_uris = [\"http://localhost/cb\"]\ngrant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]".to_owned(), &["2:18 warning ~ should use https and not localhost ~ application_type"]),
        ("application_type = \"native\"\nredirect_uris = [\"http://localhost/cb\"]\ngrant_types = [\"implicit\"]\nresponse_types = [\"id_token\"]".to_owned(), &[]),
        (format!("{secret}{uris}id_token_signed_response_alg = \"EdDSA\""), &["4:32 error ~ one of the algorithms in [keys]"]),
        (format!("{secret}{uris}access_token_claims = [\"sub\", \"grups\", \"groups\"]"), &["4:24 error ~ RFC 9068", "4:31 warning nothing gives the claim \"grups\" ~ `groups`"]),
        (format!("{secret}{uris}[clients.b.claims]\naud = \"'x'\""), &["5:1 error the claim `aud` can't be set"]),
        (format!("{uris}token_endpoint_auth_method = \"none\"\ntokens = {{ refresh_token = {{ rotate = false }} }}"), &["4:39 error `rotate = false` must not apply to a public client"]),
        (format!("{secret}{uris}allowed_origins = [\"https://b.example\", \"https://b.example/\"]"), &["4:41 error `allowed_origins[1]` must be an origin"]),
        (format!("{secret}{uris}\"client_name#ja\" = \"アプリ\"\n\"logo_uri#ja\" = \"x\"\n\"scopes#ja\" = \"x\""), &["5:17 error `logo_uri#ja` must be an absolute URL", "6:1 error unknown key `scopes#ja` ~ language tag"]),
        (format!("{secret}{uris}tls_client_auth_subject_dn = \"CN=b\"\ntls_client_certificate_bound_access_tokens = true"), &["4:1 error `tls_client_auth_subject_dn` is not built yet", "5:1 error `tls_client_certificate_bound_access_tokens` is not built yet"]),
        (format!("{secret}{uris}dpop_bound_access_tokens = true"), &[]),
        (format!("{secret}{uris}dpop_bound_access_tokens = true\ngrant_types = [\"authorization_code\", \"implicit\"]\nresponse_types = [\"code\", \"code token\"]"),
            &["4:28 error ~ must not go with response types that have \"token\"", "6:27 warning ~ RFC 9700"]),
        (format!("{uris}token_endpoint_auth_method = \"client_secret_jwt\"\nclient_secret_hashes = [\"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\"]"), &["3:30 error \"client_secret_jwt\" needs the secret itself"]),
        (format!("{secret}redirect_uris = [\"https://b.example/cb\", \"http://localhost:3000/cb\"]\nbackchannel_logout_uri = \"https://10.1.2.3/out?x=1\"\nfrontchannel_logout_uri = \"http://localhost:3000/out\""), &[]),
        (format!("{secret}{uris}backchannel_logout_uri = \"http://b.example/out\"\nfrontchannel_logout_uri = \"/out\""),
            &["4:26 error `backchannel_logout_uri` must be an https URL", "5:27 error `frontchannel_logout_uri` must be an absolute URL"]),
        (format!("{secret}{uris}backchannel_logout_uri = \"https://b.example/out#x\"\nfrontchannel_logout_uri = \"https://b.example:8443/out\""),
            &["4:26 error `backchannel_logout_uri` must be a URL without a fragment", "5:27 error `frontchannel_logout_uri` must be a URL with the scheme, host and port of one of"]),
        (format!("{secret}{uris}logo_uri = \"http://b.example/logo\""), &["4:12 error `logo_uri` must be an https URL"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(&format!("[clients.b]\n{lines}"), expected)));
    assert_all([added("client_secret = \"x\"", &["1:1 error unknown key `client_secret`"])]);
    let literal = BASE.replace("client_secret = { file = \"app\" }", "client_secret = \"hunter2\"");
    assert_problems(&literal, &["7:17 warning `client_secret` is written into the file"]);
    assert_problems(
        &literal.replace("hunter2", ""),
        &["7:17 error `client_secret` must be a secret that is not empty"],
    );
}

#[test]
fn roles_tables_users_and_tests() {
    let cases = [
        (
            "[policy]\ndefault_roles = [\"admn\"]",
            &["2:18 error `default_roles[0]` must be a declared role but is \"admn\" ~ [did you mean `admin`?]"][..],
        ),
        (
            "[[role_rules]]\nroles = [\"boss\"]",
            &["2:10 error ~ a declared role but is \"boss\" ~ [declare [roles.boss]]"],
        ),
        ("[[role_rules]]\neach = \"groups\"\nroles = [\"admin\"]", &["1:1 error `matches` must be set"]),
        ("[[role_rules]]\nmatches = 'x'\nroles = [\"admin\"]", &["1:1 error `each` must be set"]),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '('\nroles = [\"{app}\"]",
            &["3:11 error `matches` must be a regular expression but is none: unclosed group"],
        ),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '^app-(?<app>[a-z]+)$'\nroles = [\"{app}:{level}\"]",
            &["4:10 error `{level}` must be a named capture"],
        ),
        ("[[role_rules]]\neach = \"groups\"\nmatches = '^app-(?<app>[a-z]+)$'\nroles = [\"{app}:x\"]", &[]),
        ("[[role_rules]]\neach = \"groups\"\nmatches = '(?x) app-(?P<app>[a-z]+) # name'\nroles = [\"{app}:x\"]", &[]),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '\\Qapp\\E'\nroles = [\"admin\"]",
            &["3:11 error `matches` must be a regular expression but is none: unrecognized escape sequence"],
        ),
        (
            "[[role_rules]]\neach = \"groups\"\nmatches = '(\\w{1000}){1000}'\nroles = [\"admin\"]",
            &["3:11 error `matches` must be a regular expression but is none: Compiled regex exceeds size limit"],
        ),
        (
            "[[role_rules]]\nprovider = \"stuff\"\nroles = [\"admin\"]",
            &["2:12 error ~ declared provider ~ [did you mean `staff`?]"],
        ),
        ("[tables.t]", &["1:1 error `entries` or `file` must be set in `tables.t`"]),
        ("[tables.t]\nfile = \"t.json\"\nentries = { a = \"b\" }", &["2:8 error ~ must not both be set"]),
        (
            "[scopes.tenant]\nclaims = [\"tenant_name\", \"groups\", \"sub\"]",
            &["2:11 warning nothing gives the claim \"tenant_name\"", "2:36 error ~ the protocol sets it"],
        ),
        (
            "[users.a]\nlinks = [{ provider = \"staff\", sub = \"1\" }]\nsub = \"x\"\n[users.b]\nlinks = [{ provider = \"staff\", sub = \"1\" }, { provider = \"staff\" }, { provider = \"staff\", sub = \"2\", email = \"b@x\" }]\nsub = \"x\"",
            &[
                "5:10 error \"1\" of `staff` must belong to one user but is linked to `a` too",
                "5:45 error a link must have `sub` or `email`",
                "5:69 error a link must have `sub` or `email`, not both",
                "6:7 error the subject \"x\" must be unique",
            ],
        ),
        (
            "[users.a]\nroles = [\"nope\"]\nsub = \"é\"",
            &["2:10 error ~ declared role", "3:7 error `sub` must be 1 to 255 printable ASCII"],
        ),
        (
            "[users.a]\ncertificates = [\"sha256:zz\"]",
            &["2:1 error `certificates` is not built yet", "2:17 error `certificates[0]` must be \"sha256:\""],
        ),
        (
            "[resources.api]\nuri = \"api\"\nclients = [\"ap\"]",
            &[
                "2:7 error `uri` must be an absolute URI",
                "3:12 error `clients[0]` must be a declared client but is \"ap\" ~ `app`",
            ],
        ),
        (
            "[[tests]]\nname = \"t\"\nclaims = { sub = \"1\" }\nexpect = {}",
            &[
                "1:1 error `provider` must be set in `tests[0]`",
                "4:10 error `expect` must be a table of what must come out but is empty",
            ],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"x\"\nclient = \"y\"\nscopes = [\"z\"]\nclaims = {}\nexpect = { refused = \"r\" }",
            &["3:12 error ~ declared provider", "4:10 error ~ declared client", "5:11 error ~ declared scope"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { claims = { a = 1 } }",
            &["5:21 error ~ must name a `client`"],
        ),
        (
            "[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { roles = [] }\n[[tests]]\nname = \"t\"\nprovider = \"staff\"\nclaims = {}\nexpect = { roles = [] }",
            &["7:8 error the test name \"t\" must be unique"],
        ),
        ("[ui]\ncolor = \"red\"", &["2:9 error `color` must be a colour such as \"#0c5f50\" but is \"red\""]),
        ("[ui]\ncolor = \"#0c5f5\"", &["2:9 error `color` must be a colour ~ \"#0c5f5\""]),
        ("[ui]\nlogo_uri = \"http://cdn.example/logo.svg\"", &["2:12 error `logo_uri` must be an https URL"]),
        ("[ui]\nlogo_uri = \"logo.svg\"", &["2:12 error `logo_uri` must be an absolute URL"]),
        ("[ui]\nlogo_uri = \"data:image/svg+xml,x\"", &["2:12 error `logo_uri` must be"]),
        ("[ui]\nlogo_uri = \"http://localhost:9000/logo.svg\"\ncolor = \"#FFD400\"", &[]),
        ("[ui.texts.en]\nbrand.name = \"x\"", &["2:1 error `brand` must be a string ~ quote the key: \"brand.name\""]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| added(lines, expected)));
}

#[test]
fn what_was_reported_is_not_reported_again() {
    // The provider is there, though it is no table: what names it is not at fault.
    assert_problems(
        "issuer = \"https://x.example\"\nproviders.staff = 5\n[clients.app]\nclient_secret = { file = \"a\" }\nredirect_uris = [\"https://a.example\"]\nproviders = [\"staff\"]\n[users.bob]\nlinks = [{ provider = \"staff\", sub = \"1\" }]",
        &["2:19 error `staff` must be a table but is the integer 5"],
    );
    // A grant that is misspelt says nothing of the response types.
    assert_all([added(
        "[clients.b]\nclient_secret = { file = \"b\" }\ngrant_types = [\"authorisation_code\"]\nresponse_types = [\"code\"]",
        &["3:16 error ~ [did you mean `authorization_code`?]"],
    )]);
}

#[test]
fn twenty_mistakes_are_reported_at_once() {
    let text = r#"issuer = "http://sso.example.com"
[server]
listen = ["8080"]
[admin]
lisen = "127.0.0.1:9464"
[endpoints]
token = "/static/token"
[keys]
algorithms = ["ES256", "HS256"]
[tokens]
authorization_code = "1h"
access_token = 3600
[policy]
default_roles = ["untrusted"]
[providers.corp]
issuer = "https://id.example"
client_id = "x"
scopes = ["profile"]
on_refresh = { claims = "never" }
[providers.corp.claims]
username = 5
a.b = "claims.x"
[clients.grafana]
client_secret = "hunter2"
redirect_uris = ["https://*.example.com/cb", 7]
scopes = ["openid", "grups"]
providers = ["corpp"]
[clients.grafana.claims]
pkce = "required"
iss = "'me'"
[[role_rules]]
each = "group"
matches = "("
roles = ["boss"]
[users.alice]
links = [{ provider = "corp" }]
[console]
"#;
    assert_problems(
        text,
        &[
            "1:10 error `issuer` must be an https URL",
            "3:11 error `listen[0]` must be an address",
            "5:1 error unknown key `lisen`",
            "7:9 error `token` must be a path that the broker does not use itself (/static: static files)",
            "9:24 error `algorithms[1]` must be one of",
            "11:22 error `authorization_code` must be at most",
            "12:16 error `access_token` must be a duration",
            "14:18 error `default_roles[0]` must be a declared role",
            "15:1 error `client_secret` must be set in `providers.corp`",
            "18:10 error `scopes` must be a list with \"openid\"",
            "19:25 error `claims` must be one of",
            "21:12 error `username` must be an expression",
            "22:1 error `a` must be an expression ~ quote the key",
            "24:17 warning `client_secret` is written into the file",
            "25:18 error `redirect_uris[0]` must be one whole URI",
            "25:46 error `redirect_uris[1]` must be a string",
            "26:21 error `scopes[1]` must be a declared scope",
            "27:14 error `providers[0]` must be a declared provider",
            "29:1 error `pkce` is a setting",
            "30:1 error the claim `iss` can't be set",
            "32:8 error `each` must be one of",
            "33:11 error `matches` must be a regular expression",
            "36:10 error a link must have",
            "37:2 error `console` is not built yet",
        ],
    );
}

#[test]
fn expressions_are_placed_inside_their_string() {
    let text = format!(
        "{BASE}[clients.app.claims]\nx = [\"user.a\", \"user.\\\"é\\\" + bad\"]\n[[role_rules]]\nwhen = \"\"\"\n  'a' in groups &&\n  bad\"\"\"\nroles = [\"admin\"]"
    );
    let loaded = loaded(&text);
    let mut places = Vec::new();
    let problems = check(&loaded, &mut |place, path, text| {
        places.push(format!("{place:?} {path}"));
        let bad = text.find("bad").map(|offset| ExpressionProblem {
            offset,
            len: 3,
            message: "unknown name".to_owned(),
            suggestion: Some("did you mean `had`?".to_owned()),
        });
        bad.into_iter().collect()
    })
    .problems;
    let found: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.path.as_str(), p.found.as_deref())).collect();
    assert_eq!(found, [(11, 30, "clients.app.claims.x[1]", Some("bad")), (15, 3, "role_rules[0].when", Some("bad"))]);
    assert_eq!(places, ["When role_rules[0].when", "App clients.app.claims.x[0]", "App clients.app.claims.x[1]"]);
    let text = problems.render(&loaded.layers, false);
    assert!(
        text.contains("11 | x = [\"user.a\", \"user.\\\"é\\\" + bad\"]\n   |                              ^^^\n"),
        "{text}"
    );
    assert!(text.contains("15 |   bad\"\"\"\n   |   ^^^\n"), "{text}");
}

#[test]
fn secrets_are_never_shown() {
    for text in [
        BASE.replace("{ file = \"app\" }", "\"canary-1\""),
        BASE.replace("{ file = \"app\" }", "[\"canary-1\", \"canary-1\", \"canary-1\"]"),
        BASE.replace("client_secret = { file = \"app\" }", "client_secrett = \"canary-1\""),
        BASE.replace("client_secret = { file = \"app\" }", "client_secret = \"canary-1"),
        BASE.replace("client_secret = { file = \"app\" }", "client_secret = canary-1"),
        BASE.replace("client_secret = { file = \"app\" }", "client_secret = { value = \"canary-1\" }"),
        format!("{BASE}[admin]\ntoken = \"\"\"\ncanary-1\"\"\"\n"),
        format!("{BASE}[clientss]\nx = {{ client_secret = \"canary-1\", bad = 1 }}\n"),
        format!("{BASE}[store]\nurl = \"postgres://u:canary-1@h/db\"\n"),
    ] {
        let mut loaded = loaded(&text);
        let mut problems = check(&loaded, &mut |_, _, _| Vec::new()).problems;
        problems.append(std::mem::take(&mut loaded.problems));
        assert!(problems.iter().next().is_some(), "{text}");
        let shown = format!("{}{}{:?}", problems.render(&loaded.layers, false), problems.json(), loaded.config);
        assert!(!shown.contains("canary-1"), "{shown}");
        let origins = loaded.origins();
        assert!(!format!("{origins:?}").contains("canary-1"), "{origins:?}");
    }
}

#[test]
fn proxies_that_could_be_anybody_are_refused() {
    let refused = |networks: &str, covered: &str| {
        let lines = format!("[server]\ntrusted_proxies = {networks}");
        let line =
            format!("2:19 error `trusted_proxies` covers {covered}, a large part ~ [name the networks of your own");
        added(&lines, &[&line])
    };
    assert_all([
        refused(r#"["0.0.0.0/0"]"#, "0.0.0.0/0"),
        refused(r#"["::/0"]"#, "::/0"),
        refused(r#"["0.0.0.0/1", "unix:", "128.0.0.0/1"]"#, "0.0.0.0/0"),
        refused(r#"["128.0.0.0/2"]"#, "128.0.0.0/2"),
        refused(r#"["10.0.0.0/8", "11.0.0.0/8"]"#, "10.0.0.0/7"),
        refused(r#"["::ffff:0:0/96"]"#, "0.0.0.0/0"),
        refused(r#"["2000::/3"]"#, "2000::/3"),
        added(
            r#"[server]
               trusted_proxies = ["10.0.0.0/8", "172.16.0.0/12", "fc00::/7", "192.0.2.1", "unix:"]"#,
            &[],
        ),
    ]);
}
