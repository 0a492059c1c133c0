#![expect(clippy::indexing_slicing, reason = "tests")]

use crate::analysis::mapping_test::*;
use crate::decision::testing::compiled;

const BASE: &str = r#"
issuer = "https://sso.example.com"
[policy]
default_roles = ["untrusted"]
default_roles_when = "no_groups"
[tables.entra_groups]
entries = { "1b2c" = "sre" }
[providers.corp]
issuer = "https://login.example/9f3c/v2.0"
client_id = "8f6c"
allow = "claims.tid in ['9f3c']"
email_verified = "never"
sync = ["given_name", "family_name", "email"]
[providers.corp.claims]
username = "claims.preferred_username.before('@').lower()"
groups = "claims.groups.lookup('entra_groups')"
[providers.keycloak]
preset = "keycloak"
issuer = "https://keycloak.example/realms/main"
client_id = "countersign"
link_by = "verified_email"
link_with = ["okta"]
[providers.keycloak.claims]
roles = "claims.realm_access.roles"
tenant_name = "claims.tenant.name"
[providers.okta]
issuer = "https://acme.okta.example"
client_id = "0oa"
on_refresh = { claims = "deny" }
[roles.admin]
permissions = ["users:write"]
[roles.viewer]
[roles.untrusted]
[[role_rules]]
when = "'sre' in groups && provider == 'corp'"
roles = ["admin"]
[[role_rules]]
provider = "keycloak"
each = "groups"
matches = '^app-(?<app>[a-z]+)-(?<level>admin|viewer)$'
roles = ["{app}:{level}"]
[scopes.tenant]
claims = ["tenant_name"]
[clients.grafana]
client_secret_hashes = []
scopes = ["openid", "profile", "email", "groups", "offline_access"]
access_token_claims = ["groups"]
providers = ["corp", "keycloak"]
require = "'grafana-users' in groups"
[clients.grafana.claims]
grafana_role = "'admin' in roles ? 'Admin' : 'Viewer'"
groups = "roles"
[clients.portal]
scopes = ["openid", "profile", "email", "tenant"]
[users."alice"]
links = [{ provider = "corp", sub = "1" }, { provider = "keycloak", email = "alice@corp.example" }]
sub = "legacy-4711"
groups = ["oncall"]
roles = ["admin"]
"#;

fn failures(tests: &str) -> Vec<Failure> {
    let (config, policy) = compiled(&format!("{BASE}\n{tests}"));
    run_all(&policy, &config)
}

fn holds(test: &str) {
    let failures = failures(test);
    assert!(failures.is_empty(), "{test}\n{}", failures[0]);
}

fn fails(test: &str) -> String {
    let failures = failures(test);
    assert_eq!(failures.len(), 1, "{test}");
    failures[0].to_string()
}

#[test]
fn the_languages_two_sample_tests_hold() {
    holds(
        r#"
[[tests]]
name = "an SRE without grafana-users stays out"
provider = "corp"
claims = { sub = "1", tid = "9f3c", preferred_username = "alice@corp.example", groups = ["1b2c"] }
given = [{ username = "bob", provider = "keycloak", sub = "9" }]
client = "grafana"
scopes = ["openid", "groups"]
expect = { refused = "client_requirement_not_met" }
[[tests]]
name = "with grafana-users she is Admin"
provider = "keycloak"
claims = { sub = "7", preferred_username = "dora", groups = ["grafana-users", "app-red-admin"], realm_access = { roles = ["admin", "unheard-of"] } }
client = "grafana"
expect = { username = "dora", roles = ["admin", "red:admin"], claims = { grafana_role = "Admin" }, absent = ["tenant_name"] }
"#,
    );
}

#[test]
fn how_somebody_signed_in_counts_as_at_a_sign_in() {
    let file = |amr: &str, expect: &str| {
        format!(
            r#"
[clients.strong]
client_secret = "secret"
redirect_uris = ["https://strong.example/cb"]
require = "'mfa' in amr && acr == 'gold'"
[[tests]]
name = "strong"
provider = "keycloak"
claims = {{ sub = "7", preferred_username = "dora", acr = "gold", amr = {amr}, auth_time = 1700000000 }}
client = "strong"
expect = {expect}
"#
        )
    };
    for amr in [r#"["pwd", "mfa"]"#, r#""mfa""#, r#"[1, "mfa"]"#] {
        holds(&file(amr, r#"{ username = "dora" }"#));
    }
    holds(&file(r#"["pwd"]"#, r#"{ refused = "client_requirement_not_met" }"#));
}

/// A subject that the file does not import is random, so that a test can only expect that there is one.
#[test]
fn the_subject_is_the_imported_one_or_a_placeholder() {
    let file = |provider: &str, claims: &str, more: &str, subject: &str| {
        format!(
            r#"
[clients.mirror]
client_secret = "secret"
redirect_uris = ["https://mirror.example/cb"]
[clients.mirror.claims]
me = "sub"
[[tests]]
name = "mirror"
provider = "{provider}"
claims = {claims}
{more}
client = "mirror"
expect = {{ claims = {{ me = "{subject}" }} }}
"#
        )
    };
    let (alice, dora) = (
        r#"{ sub = "1", tid = "9f3c", preferred_username = "alice" }"#,
        r#"{ sub = "7", preferred_username = "dora" }"#,
    );
    let given = r#"given = [{ username = "dora", provider = "keycloak", sub = "7" }]"#;
    holds(&file("corp", alice, "", "legacy-4711"));
    holds(&file("corp", alice, "refresh = true", "legacy-4711"));
    holds(&file("keycloak", dora, "", "(random)"));
    holds(&file("keycloak", dora, given, "(random)"));
}

#[test]
fn every_expectation_can_hold() {
    let keycloak = r#"name = "t"
provider = "keycloak""#;
    for rest in [
        // Whole sets in any order, parts of sets, attributes, and claims by the document that contains them.
        r#"claims = { sub = "7", preferred_username = "dora", name = "Dora", groups = ["grafana-users", "app-red-admin"], realm_access = { roles = ["admin"] }, tenant = { name = "T" } }
client = "grafana"
expect = { groups = ["app-red-admin", "grafana-users"], has_roles = ["admin"], lacks_roles = ["viewer"], created = true, link = "created", name = "Dora", tenant_name = "T", id_token = { groups = ["red:admin", "admin"], name = "Dora" }, userinfo = { preferred_username = "dora" }, access_token = { groups = ["admin", "red:admin"] }, absent = ["email", "tenant_name"] }"#,
        // By default, the scopes are all that the client may request.
        r#"claims = { sub = "7", preferred_username = "dora", tenant = { name = "T" } }
client = "portal"
expect = { claims = { tenant_name = "T" } }"#,
        r#"claims = { sub = "7", preferred_username = "dora", tenant = { name = "T" } }
client = "portal"
scopes = ["openid", "email"]
expect = { absent = ["tenant_name", "preferred_username"] }"#,
        // Without a client the decision ends with the roles.
        r#"claims = { sub = "7", preferred_username = "dora" }
expect = { roles = ["untrusted"], groups = [] }"#,
        // A given account is linked by provider and sub, whatever its name.
        r#"claims = { sub = "7", preferred_username = "dora" }
given = [{ username = "dorothea", provider = "keycloak", sub = "7" }]
expect = { username = "dorothea", link = "sub", created = false }"#,
        r#"claims = { sub = "7", preferred_username = "dora" }
given = [{ username = "Dora", provider = "okta", sub = "7" }]
expect = { refused = "username_taken", created = false, absent = ["x"], lacks_roles = ["admin"] }"#,
        // Verified addresses join where declared.
        r#"claims = { sub = "7", preferred_username = "dora", email = "D@x.example", email_verified = true }
given = [{ username = "dd", provider = "okta", sub = "1", email = "d@X.example", email_verified = true }]
expect = { username = "dd", link = "email", created = false }"#,
        r#"claims = { sub = "7", preferred_username = "dora", email = "D@x.example", email_verified = true }
given = [{ username = "dd", provider = "okta", sub = "1", email = "d@X.example", email_verified = true }]
expect = { link = "dd" }"#,
        r#"claims = { sub = "7", preferred_username = "dora", email = "d@x.example", email_verified = "true" }
given = [{ username = "dd", provider = "okta", sub = "1", email = "d@x.example", email_verified = true }]
expect = { username = "dora", created = true }"#,
        r#"claims = { sub = "7", preferred_username = "dora", email = "d@x.example", email_verified = true }
given = [{ username = "dd", provider = "okta", sub = "1", email = "d@x.example" }]
expect = { username = "dora", created = true }"#,
        // Declared links, and the imported subject.
        r#"claims = { sub = "7", preferred_username = "x", email = "alice@corp.example", email_verified = true }
client = "portal"
expect = { username = "alice", link = "declared", sub = "legacy-4711", claims = { sub = "legacy-4711" }, groups = ["oncall"], roles = ["admin"], created = true }"#,
        r#"claims = { sub = "7", preferred_username = "x", email = "alice@corp.example", email_verified = true }
given = [{ username = "alice", provider = "corp", sub = "1" }]
expect = { link = "alice", created = false }"#,
        // An address is only used at the first sign-in.
        r#"claims = { sub = "8", preferred_username = "x", email = "alice@corp.example", email_verified = true }
given = [{ username = "alice", provider = "keycloak", sub = "7" }]
expect = { refused = "username_taken" }"#,
        // At a refresh, the account already exists.
        r#"claims = { sub = "7", preferred_username = "dora" }
given = [{ username = "Dora", provider = "okta", sub = "7" }]
refresh = true
expect = { username = "dora", link = "sub", created = false }"#,
    ] {
        holds(&format!("[[tests]]\n{keycloak}\n{rest}"));
    }
    holds(
        r#"[[tests]]
name = "okta denies refreshes"
provider = "okta"
claims = { sub = "7", preferred_username = "dora" }
refresh = true
expect = { refused = "refresh_denied" }"#,
    );
}

#[test]
fn a_failure_names_what_was_expected_what_came_and_the_line() {
    let text = fails(
        r#"[[tests]]
name = "wrong in every way"
provider = "keycloak"
claims = { sub = "7", preferred_username = "dora", groups = ["grafana-users", "app-red-admin"], realm_access = { roles = ["viewer"] } }
client = "grafana"
expect = { username = "Dora", roles = ["admin", "viewer"], claims = { grafana_role = "Admin" }, absent = ["groups"], nickname = "d" }"#,
    );
    assert_eq!(
        text,
        "wrong in every way
  username
    expected  Dora
    got       dora
    because   created  [providers.keycloak.create_users (default)]
  roles
    expected  admin, viewer
    got       red:admin, viewer
    because   admin is missing
    because   the rule at broker.toml:34 gives it, but does not match
    because   red:admin is not expected: role red:admin: by rule  [broker.toml:37]
  nickname
    expected  \"d\"
    got       absent
  claims.grafana_role
    expected  \"Admin\"
    got       \"Viewer\"
    because   claim grafana_role: set by the client's claims  [broker.toml:51]
  absent
    expected  no groups
    got       groups in the ID token, userinfo, the access token
    because   claim groups: set by the client's claims  [broker.toml:52]
"
    );
}

#[test]
fn refusals_and_sign_ins_are_not_mistaken_for_each_other() {
    let refused = fails(
        r#"[[tests]]
name = "t"
provider = "corp"
claims = { sub = "1", tid = "other", preferred_username = "alice@corp.example", groups = [] }
expect = { username = "alice" }"#,
    );
    assert!(refused.contains("expected  a sign-in\n    got       refused: not_allowed\n"), "{refused}");
    assert!(refused.contains("allow   allow does not hold  [broker.toml:11]"), "{refused}");
    let admitted = fails(
        r#"[[tests]]
name = "t"
provider = "corp"
claims = { sub = "1", tid = "9f3c", preferred_username = "alice@corp.example", groups = [] }
expect = { refused = "not_alowed" }"#,
    );
    assert!(admitted.contains("expected  refused: not_alowed\n    got       a sign-in\n"), "{admitted}");
    assert!(admitted.contains("did you mean not_allowed?"), "{admitted}");
    let other = fails(
        r#"[[tests]]
name = "t"
provider = "corp"
claims = { sub = "1", tid = "other" , preferred_username = "x", groups = [] }
expect = { refused = "user_disabled" }"#,
    );
    assert!(other.contains("expected  user_disabled\n    got       refused: not_allowed\n"), "{other}");
    let unmet = fails(
        r#"[[tests]]
name = "t"
provider = "corp"
claims = { sub = "1", tid = "other" , preferred_username = "x", groups = [] }
expect = { refused = "not_allowed", username = "alice" }"#,
    );
    assert!(unmet.contains("  username\n    expected  alice\n    got       nothing:"), "{unmet}");
}

#[test]
fn a_test_that_cannot_run_says_why() {
    let text = fails("[[tests]]\nname = \"t\"\nclaims = { sub = \"1\" }\nexpect = { created = true }");
    assert!(text.contains("the test names no provider"), "{text}");
    assert_eq!(failures("[[tests]]\nname = \"t\"\nclaims = {}\nexpect = {}")[0].path, "tests[0]");
}

#[test]
fn certificates_are_tested_like_claims() {
    let print = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let file = |creating: bool, certificate: &str, more: &str, expect: &str| {
        format!(
            r#"
[certificates]
listen = ["127.0.0.1:8444"]
ca = "ca.pem"
clients = ["robots"]
create_users = {creating}
[users."bob"]
certificates = ["{}"]
roles = ["viewer"]
[clients.robots]
scopes = ["openid", "profile"]
grant_types = []
[[role_rules]]
when = "provider == 'certificate'"
roles = ["admin"]
[[tests]]
name = "t"
certificate = {certificate}
client = "robots"
{more}
expect = {expect}
"#,
            print("b")
        )
    };
    let of =
        |digit: &str, name: &str| format!("{{ subject = {{ cn = \"{name}\" }}, fingerprint = \"{}\" }}", print(digit));
    // The file says whose it is; anything else creates a user, or nobody signs in.
    holds(&file(false, &of("b", "x"), "", r#"{ username = "bob", roles = ["admin", "untrusted", "viewer"] }"#));
    holds(&file(true, &of("a", "runner"), "", r#"{ username = "runner", roles = ["admin", "untrusted"] }"#));
    holds(&file(false, &of("a", "runner"), "", r#"{ refused = "user_not_declared" }"#));
    // It never gets a name that somebody has or that is declared, whatever the policy on conflicts says.
    let taken = "given = [{ username = \"runner\", provider = \"corp\", sub = \"9\" }]";
    holds(&file(true, &of("a", "Runner"), taken, r#"{ refused = "username_taken" }"#));
    holds(&file(true, &of("a", "alice"), "", r#"{ refused = "username_taken" }"#));
    holds(&file(true, "{ subject = {} }", "", r#"{ refused = "username_missing" }"#));
    let failure = fails(&file(true, &of("a", "runner"), "", r#"{ username = "alice" }"#));
    assert!(failure.contains("runner"), "{failure}");
}
