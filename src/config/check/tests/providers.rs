//! `[providers.X]`.

use crate::config::check::tests::*;

/// A second provider, with the lines of a case added to it.
fn provider(lines: &str, expected: &[&str]) -> Option<String> {
    let text = format!(
        "{}[providers.second]\nissuer = \"https://second.example\"\nclient_id = \"x\"\nasserted_roles = []\n{lines}",
        BASE.replace("client_id = \"countersign\"", "client_id = \"countersign\"\nasserted_roles = []")
    );
    mismatch(&text, expected)
}

#[test]
fn providers() {
    // The header is in line 11; the case's own lines begin in line 15.
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
        ("redirect_path = \"/oauth2/token\"", &["16:17 error ~ a path that is not an endpoint"]),
        ("redirect_path = \"/auth/oidc\"", &[]),
        ("backchannel_url = \"ftp://x\"", &["16:19 error `backchannel_url` must be"]),
        ("backchannel_url = \"http://10.1.2.3:8080/realms/main\"", &[]),
        ("proxy = \"socks5://proxy.example\"", &["16:9 error `proxy` must be an http or https URL"]),
        ("domains = [\"corp.example\", \"@corp\"]", &["16:28 error `domains[1]` must be a domain"]),
        ("domains = [\"corp.example\", \"*.corp.example\"]", &[]),
        ("domains = [\"*.*.example\"]", &["16:12 error `domains[0]` must be a domain"]),
        ("domains = [\"*\"]", &["16:12 error `domains[0]` must be a domain"]),
        ("signals = {}", &[]),
        ("signals = { events = [] }", &["16:22 error `events` must be a list of at least one event"]),
        (
            "signals = { events = [\"session-revoked\", \"session-revoked\"] }",
            &["16:42 error `events` lists \"session-revoked\" twice"],
        ),
        ("signals = { jwks_uri = \"http://idp.example/keys\" }", &["16:24 error `jwks_uri` must be an https URL"]),
        ("signals = { issuer = \"\" }", &["16:22 error `issuer` must be the `iss`"]),
        ("signals = { audience = [\"a\", \"b c\"] }", &["16:24 error `audience` must be the `aud`"]),
        ("signals = { path = \"x\" }", &["16:20 error `path` must be a path"]),
        ("signals = { path = \"/oauth2/token\" }", &["16:20 error `path` must be a path of its own"]),
        ("signals = { path = \"/static/x\" }", &["16:20 error `path` must be a path that the broker does not use"]),
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
            &[
                "11:1 error `jwks_uri` must be set ~ or none to use discovery",
                "11:1 error `token_endpoint` must be set",
            ],
        ),
        ("preset = \"google\"", &["11:1 error `providers.second` would admit everyone in the world"]),
        ("preset = \"google\"\nhosted_domains = [\"corp.example\"]", &[]),
        (
            "introspect = true\nauthorization_endpoint = \"https://i.example/a\"\ntoken_endpoint = \"https://i.example/t\"\njwks_uri = \"https://i.example/k\"",
            &["16:14 error `introspect` needs discovery"],
        ),
        ("introspect = true", &[]),
        ("introspect = { audiences = [\"account\", \"https://api.example\"] }", &[]),
        ("introspect = { audiences = [] }", &["16:28 error `audiences` must be a list of at least one value"]),
        ("introspect = [\"account\"]", &["16:14 error `introspect` must be a boolean or a table but is an array"]),
        (
            "introspect = { audiences = [\"account\", \"\", \"account\"] }",
            &[
                "16:40 error `audiences[1]` must be the `aud` of tokens",
                "16:44 error `audiences` lists \"account\" twice",
            ],
        ),
        (
            "preset = \"google\"\nhosted_domains = [\"@corp.example\", \"gmail.com\"]\nscopes = [\"openid\", \"groups\"]",
            &[
                "17:19 error `hosted_domains[0]` must be a domain",
                "17:36 error accounts of gmail.com are of no organisation",
                "18:21 error Google has no scope \"groups\" ~ cloud_identity",
            ],
        ),
        (
            "preset = \"entra\"\ntenants = [\"corp.onmicrosoft.com\"]\nscopes = [\"openid\", \"email\"]",
            &[
                "17:12 error `tenants[0]` must be the id of a tenant ~ Overview",
                "18:10 error `scopes` must have \"profile\" ~ oid",
            ],
        ),
        (
            "preset = \"entra\"\nemail_verified = \"always\"",
            &["17:18 warning anybody who runs one of several tenants can give an account any address ~ xms_edov"],
        ),
        (
            "preset = \"entra\"\nemail_verified = \"never\"\nlink_by = \"verified_email\"\nlink_with = [\"staff\"]",
            &["18:11 error `link_by` has no effect"],
        ),
        (
            "preset = \"github\"\norganizations = [\"acme\"]\ngroups_from = \"userinfo\"",
            &[
                "12:10 error `issuer` must not be set with preset = \"github\"",
                "18:15 error groups of preset = \"github\" come from \"github\" alone ~ [write groups_from = { source = \"github\"",
            ],
        ),
        ("groups_from = \"github\"", &["16:15 error groups come from \"github\" with preset = \"github\" alone"]),
        ("groups_from = \"scim\"", &["16:15 error groups from \"scim\" need the `url` and `credentials`"]),
        (
            "groups_from = { source = \"scim\", nested = true, claim = \"\" }",
            &[
                "16:15 error `credentials` must be set",
                "16:15 error `url` must be set",
                "16:43 error `nested` has no effect unless groups come from \"cloud_identity\"",
                "16:57 error `claim` must be the name of a claim",
            ],
        ),
        (
            "groups_from = { source = \"graph\", attribute = \"id\", claim = \"oid\" }",
            &[
                "16:47 error `attribute` has no effect unless groups come from \"scim\"",
                "16:61 error `claim` has no effect unless groups come from \"scim\"",
            ],
        ),
        ("groups_from = \"userinfo\"", &[]),
        ("preset = \"okta\"\ndpop_bound_access_tokens = true", &[]),
        ("groups_from = \"userinfo\"\nclaims_from = [\"id_token\"]", &["16:15 error groups can't come from userinfo"]),
        ("groups_from = \"graf\"", &["16:15 error `groups_from` must be one of \"token\", \"userinfo\", \"graph\""]),
        (
            "groups_from = \"graph\"\nscopes = [\"openid\"]",
            &["17:10 error `scopes` has none ~ \"graph\" ~ [add \"User.Read\"]"],
        ),
        ("groups_from = \"cloud_identity\"", &["16:15 error ~ need the `credentials` of a service account"]),
        ("groups_from = { source = \"cloud_identity\" }", &["16:15 error `credentials` must be set"]),
        (
            "groups_from = { source = \"userinfo\", max_age = \"5m\", levels = true }",
            &[
                "16:48 error `max_age` has no effect unless groups come from \"graph\" or \"gitlab\" or \"cloud_identity\"",
                "16:63 error `levels` has no effect unless groups come from \"gitlab\"",
            ],
        ),
        (
            "groups_from = { source = \"graph\", max_age = \"2h\", url = \"ftp://x\" }",
            &["16:45 error `max_stale` must be at least `max_age`", "16:57 error `url` must be"],
        ),
        (
            "groups_from = { source = \"graph\", unavailable = \"deny\", max_stale = \"1h\" }",
            &["16:69 error `max_stale` has no effect"],
        ),
        (
            "preset = \"adfs\"\nresource = \"https://sso.example.com\"",
            &["12:10 warning `issuer` has no path ~ below /adfs"],
        ),
        ("resource = \"https://sso.example.com\"", &["16:12 error `resource` has no effect without preset = \"adfs\""]),
        ("quirks = { subject_claims = [\"oid\", \"tid\"], booleans = [\"xms_edov\"], pkce = false }", &[]),
        ("quirks = { subject_claims = [] }", &["16:29 error `subject_claims` must be a list of at least one value"]),
        (
            "quirks = { booleans = [\"a\", \"\", \"a\"] }",
            &["16:29 error ~ must be a name but is empty", "16:33 error ~ twice"],
        ),
        ("quirks = { unsuported_prompts = [] }", &["16:12 error ~ [did you mean `unsupported_prompts`?]"]),
        ("quirks = { unsupported_prompts = [\"login\"] }", &["16:35 error prompt=login is always passed on ~ reauth"]),
        (
            "[providers.second.quirks.authorization_params]\nkc_idp_hint = \"corp\"\nstate = \"x\"\nscope = \"y\"",
            &[
                "18:1 error the broker sets the parameter `state` itself [remove it]",
                "19:1 error the broker sets the parameter `scope` itself [`scopes` decides it: remove it]",
            ],
        ),
        ("quirks = { offline_access = \"access_type\" }", &["16:29 error `offline_access` has no effect"]),
        ("scopes = [\"openid\", \"offline_access\"]\nquirks = { offline_access = \"access_type\" }", &[]),
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
        &["2:1 error `providers.staff` would admit ~ tenants = [\"TENANT-ID\"]", "2:1 error `tenants` must be set"],
    );
}

#[test]
fn a_provider_of_the_whole_world_must_say_who_may_enter() {
    let at = |issuer: &str, lines: &str| {
        BASE.replace("https://id.example/realms/staff", issuer)
            .replace("[clients.app]", &format!("{lines}\n[clients.app]"))
    };
    for (issuer, line) in [
        ("https://accounts.google.com", "allow = \"claims.hd == 'corp.example'\""),
        ("https://accounts.google.com/", "allow = \"claims.hd == 'corp.example'\""),
        ("https://Accounts.Google.com./", "allow = \"claims.hd == 'corp.example'\""),
        ("https://login.microsoftonline.com/common/v2.0", "allow = \"claims.tid == 'TENANT-ID'\""),
        ("https://login.microsoftonline.com/Organizations/v2.0", "allow = \"claims.tid == 'TENANT-ID'\""),
        ("https://gitlab.com", "allow = \"'GROUP' in claims.groups\""),
        ("https://www.linkedin.com/oauth", "claims.email.domain() == 'corp.example'\""),
        ("https://github.com/login/oauth", "claims.email.domain() == 'corp.example'\""),
    ] {
        let expected =
            format!("2:1 error `providers.staff` would admit everyone in the world ~ {line} ~ create_users = false");
        assert_problems(&at(issuer, ""), &[&expected]);
        assert_problems(&at(issuer, "allow = \"claims.hd == 'corp.example'\""), &[]);
        assert_problems(&at(issuer, "create_users = false"), &[]);
    }
    // By the preset, whatever the host, and where the preset has the issuer.
    let preset = |lines: &str| BASE.replace("issuer = \"https://id.example/realms/staff\"", lines);
    for (lines, open) in [
        ("preset = \"google\"", true),
        ("preset = \"google\"\nhosted_domains = [\"corp.example\"]", false),
        ("preset = \"gitlab\"", true),
        ("preset = \"gitlab\"\nbase_url = \"https://gitlab.com/\"", true),
        ("preset = \"gitlab\"\nbase_url = \"https://gitlab.corp.example\"", false),
        ("preset = \"gitlab\"\nallow = \"'corp' in claims.groups\"", false),
        (
            "preset = \"entra\"\nissuer = \"https://login.example/common/v2.0\"\ncreate_users = false\ntenants = [\"9f3c0000-0000-0000-0000-00000000000a\"]",
            false,
        ),
    ] {
        let expected = ["2:1 error `providers.staff` would admit everyone in the world"];
        assert_problems(&preset(lines), if open { &expected } else { &[] });
    }
    let many = preset("preset = \"entra\"\nissuer = \"https://login.example/common/v2.0\"");
    assert_problems(
        &many,
        &["2:1 error `providers.staff` would admit ~ tenants = [\"TENANT-ID\"]", "2:1 error `tenants` must be set"],
    );
    let document = "https://accounts.google.com/.well-known/openid-configuration";
    assert_problems(&at(document, ""), &["2:1 error `providers.staff` would admit everyone"]);
    assert_problems(
        &at("https://user@accounts.google.com", ""),
        &["2:1 error ~ would admit everyone", "3:10 error ~ user information"],
    );
    let by_endpoint = "authorization_endpoint = \"https://accounts.google.com/o/oauth2/v2/auth\"\ntoken_endpoint = \"https://oauth2.googleapis.com/token\"\njwks_uri = \"https://www.googleapis.com/oauth2/v3/certs\"";
    assert_problems(&at("https://id.example", by_endpoint), &["2:1 error ~ would admit everyone"]);
    // The condition that the help proposes admits only the intended users.
    assert_problems(
        &at("https://accounts.google.com", "hosted_domains = [\"corp.example\"]"),
        &["6:18 error ~ [write allow = \"claims.hd in ['corp.example']\" instead]"],
    );
    assert_problems(&at("https://accounts.google.com", "preset = \"google\"\nallow = \"claims.hd == 'x'\""), &[]);
    assert_problems(
        &at("https://accounts.google.com", "hosted_domains = []"),
        &["2:1 error ~ would admit", "6:18 error"],
    );
}

#[test]
fn roles_and_the_profile_that_a_provider_brings() {
    let cases = [
        (
            "asserted_roles = [\"admin\"]\ncreate_roles = true",
            &["7:16 error `create_roles` has no effect together with `asserted_roles` ~ [remove one of them]"][..],
        ),
        ("create_roles = true", &[]),
        ("asserted_roles = [\"admin\"]\ncreate_roles = false", &[]),
        ("sync = [\"given_name\", \"email\", \"phone_number\"]", &[]),
        (
            "sync = [\"givenname\", \"department\", \"groups\", \"username\"]",
            &[
                "6:9 error `sync[0]` must be an attribute that this provider maps but is \"givenname\" ~ `given_name`",
                "6:22 error `sync[1]` must be an attribute ~ [map it in the provider's claims]",
                "6:36 error \"groups\" is not part of the stored profile",
                "6:46 error \"username\" never changes",
            ],
        ),
        ("sync = [\"department\"]\n[providers.staff.claims]\ndepartment = \"claims.dept\"", &[]),
        ("sync = [\"email\", \"email\"]", &["6:18 error ~ lists \"email\" twice"]),
    ];
    assert_all(cases.iter().map(|(lines, expected)| {
        mismatch(&BASE.replace("[clients.app]", &format!("{lines}\n[clients.app]")), expected)
    }));
}

#[test]
fn what_is_copied_from_the_wrong_place_is_told_with_the_right_one() {
    for (lines, part) in [
        ("preset = \"okta\"\nissuer = \"https://acme-admin.okta.com\"", "write \"https://acme.okta.com\""),
        ("preset = \"github\"\nclient_id = \"123456\"\norganizations = [\"acme\"]", "it must be the Client ID"),
        ("preset = \"github\"\norganizations = [\"acme/sre\"]", "the login of an organisation"),
        ("preset = \"github\"\norganizations = [\"https://github.com/acme\"]", "the login of an organisation"),
        ("preset = \"github\"\nbase_url = \"https://git.example/api/v3\"", "write \"https://git.example\""),
        ("preset = \"google\"\nclient_id = \"1234567890\"", ".apps.googleusercontent.com"),
        (
            "preset = \"apple\"\nteam_id = \"ACME Inc\"\nkey_id = \"ABC123DEFG\"",
            "`team_id` must be ten letters and digits",
        ),
        (
            "preset = \"apple\"\nteam_id = \"A1B2C3D4E5\"\nkey_id = \"AuthKey_ABC123DEFG\"",
            "`key_id` must be ten letters and digits",
        ),
        (
            "preset = \"apple\"\nclient_id = \"A1B2C3D4E5.com.example\"\nteam_id = \"A1B2C3D4E5\"\nkey_id = \"ABC123DEFG\"",
            "the Services ID",
        ),
        (
            "preset = \"entra\"\nissuer = \"https://login.microsoftonline.com/9f3c0000-0000-0000-0000-00000000000a\"",
            "end with /v2.0",
        ),
    ] {
        let client_id = if lines.contains("client_id") { "" } else { "client_id = \"x\"\n" };
        let found = problems(&format!(
            "issuer = \"https://sso.example.com\"\n[providers.second]\n{client_id}create_users = false\n{lines}\n"
        ));
        assert!(found.iter().any(|line| line.contains(part)), "{lines}\n{found:#?}");
    }
}

#[test]
fn the_broker_is_not_its_own_provider() {
    for own in [
        "https://sso.example.com",
        "https://SSO.example.com:443/",
        "https://sso.example.com/.well-known/openid-configuration",
    ] {
        let text = BASE.replace("https://id.example/realms/staff", own);
        assert_problems(&text, &["3:10 error `issuer` is this broker's own ~ that people sign in with"]);
    }
    assert_problems(&BASE.replace("https://id.example/realms/staff", "https://sso.example.com/realms/staff"), &[]);
}
