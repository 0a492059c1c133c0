//! What leads to a role, as `reach` prints it.

use crate::analysis::reach::*;
use crate::decision::testing::compiled;

const FILE: &str = r#"
issuer = "https://sso.example.com"
[policy]
default_roles = ["viewer"]
[tables.ids]
entries = { "1b2c" = "sre", "9f3c" = "dev" }
[providers.corp]
issuer = "https://login.example"
client_id = "c"
asserted_roles = ["viewer"]
[providers.corp.claims]
groups = "claims.groups.lookup('ids')"
[providers.keycloak]
issuer = "https://kc.example"
client_id = "k"
create_roles = true
[providers.keycloak.claims]
roles = "claims.realm_access.roles"
[roles.admin]
permissions = ["users:write"]
description = "May change anything"
[roles.viewer]
[[role_rules]]
when = "'sre' in groups && provider == 'corp'"
roles = ["admin"]
[[role_rules]]
when = "groups.exists(g, g == 'dev') && !('banned' in groups)"
roles = ["viewer"]
[[role_rules]]
provider = "keycloak"
each = "groups"
matches = '^app-(?<app>[a-z]+)-(?<level>admin|viewer)$'
roles = ["{app}:{level}"]
[[role_rules]]
provider = "keycloak"
each = "groups"
matches = '(?<team>[a-z]+)-(lead|boss)[0-9]*'
roles = ["lead:{team}"]
[users.alice]
groups = ["sre"]
roles = ["admin"]
"#;

fn reached(role: &str) -> String {
    let (config, policy) = compiled(FILE);
    reach(&config, &policy, role).to_string()
}

#[test]
fn every_way_to_a_role_has_its_line_and_what_is_behind_it() {
    assert_eq!(
        reached("admin"),
        "Role admin  [broker.toml:19], permissions users:write
  May change anything
  provider keycloak may assert it  [broker.toml:13]
      role admin
          keycloak: claims.realm_access.roles  [broker.toml:18]
  rule for users of any provider, when 'sre' in groups && provider == 'corp'  [broker.toml:23]
      group sre
          corp: 1b2c in claims.groups.lookup('ids')  [broker.toml:12]
          user alice has it  [broker.toml:39]
  user alice has it  [broker.toml:39]
"
    );
    let (config, policy) = compiled(&format!("{FILE}\n[break_glass]\nusername = \"root\"\nroles = [\"admin\"]\n"));
    let admin = reach(&config, &policy, "admin").to_string();
    assert!(admin.contains("the break-glass account root has it  [broker.toml:"), "{admin}");
    let viewer = reached("viewer");
    assert!(viewer.contains("      group dev\n          corp: 9f3c in "), "{viewer}");
    let default = "          keycloak: claims.groups  [providers.keycloak.claims.groups (default)]\n";
    assert!(viewer.contains(default), "{viewer}");
    assert!(viewer.contains("provider corp may assert it  [broker.toml:10]"), "{viewer}");
    assert!(viewer.contains("every user without another role has it by default  [broker.toml:4]"), "{viewer}");
    assert!(!viewer.contains("      group banned"), "a negated test leads nowhere: {viewer}");
}

#[test]
fn families_are_read_backwards() {
    let red = reached("red:admin");
    assert!(red.contains("Role red:admin, not declared, without permissions"), "{red}");
    assert!(red.contains("      group app-red-admin\n          keycloak: claims.groups"), "{red}");
    let owner = reached("red:owner");
    assert!(!owner.contains("rule for"), "{owner}");
    let lead = reached("lead:ops");
    assert!(lead.contains("      group any that matches ops-(lead|boss)[0-9]*\n"), "{lead}");
    assert!(!reached("lead:OPS").contains("rule for"));
    assert!(reached("nobody").contains("keycloak may assert it, as a System role"));
}

/// The names of groups for which one rule gives a role, as `reach` prints them.
fn names(matches: &str, template: &str, role: &str) -> Vec<String> {
    let file = format!(
        "issuer = \"https://sso.example.com\"\n[providers.corp]\nissuer = \"https://login.example\"\nclient_id = \"c\"\n\
         [[role_rules]]\neach = \"groups\"\nmatches = '''{matches}'''\nroles = [\"{template}\"]"
    );
    let (config, policy) = compiled(&file);
    let rule = reach(&config, &policy, role).ways.into_iter().find(|way| way.kind == "rule");
    rule.into_iter().flat_map(|rule| rule.names).map(|name| name.name).collect()
}

#[test]
fn few_names_are_listed_and_many_are_described() {
    for (matches, template, role, expected) in [
        (r"x[a(]|y", "it", "it", &["x(", "xa", "y"][..]),
        ("^team|app$", "it", "it", &["app", "team"]),
        ("(?i)ab", "it", "it", &["AB", "Ab", "aB", "ab"]),
        ("(?x) a b # two", "it", "it", &["ab"]),
        ("a||b", "it", "it", &["a", "b"]),
        (r"\bops\b-\bx", "it", "it", &["ops-x"]),
        ("a^b|c", "it", "it", &["c"]),
        ("a^b", "it", "it", &[]),
        ("team-.*", "it", "it", &[r"any that matches team-.*"]),
        ("[!-0]{9}", "it", "it", &[r"any that matches [!-0]{9}"]),
    ] {
        assert_eq!(names(matches, template, role), expected, "{matches}");
    }
}

#[test]
fn captures_are_read_backwards_however_they_are_written() {
    for (matches, template, role, expected) in [
        ("(?P<a>[a-z]+)-admins", "{a}", "red", &["red-admins"][..]),
        ("(?<a>[)(|]+)x", "{a}", "(|", &["(|x"]),
        ("(?<a>x(?<b>y+)z)", "{a}:{b}", "xyyz:yy", &["xyyz"]),
        ("(?<a>x(?<b>y+)z)", "{a}:{b}", "xyyz:y", &[]),
        ("(?<a>[a-z]+)-(?<b>[a-z-]+)", "{a}-{b}", "x-y-z", &["x-y-z"]),
        ("(?<a>x)|(?<b>y)|z", "{b}", "y", &["y"]),
        ("(?<a>x)|(?<b>y)", "{a}{b}", "xy", &[]),
        ("(?<a>[a-z]*)-x", "it:{a}", "it:", &[]),
        ("(?:(?<a>[xy])-){2}", "{a}", "y", &["x-y-", "y-y-"]),
        ("(?<a>[a-z]+)-(?<b>[a-z]+)", "{a}/{a}", "x/x", &["any that matches x-(?:[a-z]+)"]),
        ("(?<a>^[a-z]+)-x", "it:{a}", "it:red", &["red-x"]),
        ("(?x) (?<a> [a-z]+ ) - x # red", "{a}", "red", &["red-x"]),
        ("(?<a>[a-z]+)-x", "{b}", "red", &[]),
        ("(?<a>[a-z]+)-x", "{a}", "RED", &[]),
    ] {
        assert_eq!(names(matches, template, role), expected, "{matches} {template} {role}");
    }
}
