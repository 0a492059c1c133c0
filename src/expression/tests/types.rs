//! Types and names at load: what can only fail or be one answer is refused, with the way out, in branches never taken too; what
//! can be evaluated is accepted.

use crate::config::Config;
use crate::expression::tests::*;
use crate::protocol::ClaimType;

const FILE: &str = r#"
issuer = "https://sso.example.com"
[policy]
ignore_case = ["groups", "username"]
[providers.corp]
issuer = "https://corp.example"
client_id = "c"
asserted_roles = ["viewer"]
[providers.corp.claims]
department = "claims.dept"
[providers.okta]
issuer = "https://okta.example"
client_id = "c"
asserted_roles = ["editor"]
[roles.admin]
permissions = ["users:write"]
[roles.viewer]
[roles.editor]
[roles.nobody]
[[role_rules]]
roles = ["admin"]
[[role_rules]]
each = "groups"
matches = 'app-(?<app>[a-z]+)'
roles = ["{app}:user"]
[clients.grafana]
[scopes.tenant]
"#;

fn compiler() -> Compiler {
    let config: Config = toml::from_str(FILE).unwrap();
    Compiler::with_vocabulary(tables(), Vocabulary::of(&config))
}

/// What is underlined, said and suggested; each expression must be refused once.
#[track_caller]
fn assert_refused(condition: bool, place: Place, cases: &[(&str, &str, &str, Option<&str>)]) {
    for (source, marked, message, suggestion) in cases {
        let mut compiler = compiler();
        let found = if condition { compiler.compile_condition(place, source) } else { compiler.compile(place, source) };
        let found = found.expect_err(source);
        assert_eq!(found.len(), 1, "{source}: {found:#?}");
        let problem = &found[0];
        assert!(problem.message.contains(message), "{source}: {found:#?}");
        assert_eq!(problem.suggestion.as_deref(), *suggestion, "{source}: {found:#?}");
        assert_eq!(source.get(problem.offset..problem.offset + problem.len), Some(*marked), "{source}: {found:#?}");
    }
}

#[test]
fn what_can_only_fail_is_refused() {
    let fails = "this can only fail";
    assert_refused(
        true,
        Place::App,
        &[
            ("groups.contains('x')", "groups", fails, Some("'x' in groups")),
            ("user.groups.contains('x')", "groups", fails, Some("'x' in user.groups")),
            ("true || groups.contains('x')", "groups", fails, Some("'x' in groups")),
            ("false ? groups.contains('x') : 'y' in groups", "groups", fails, Some("'x' in groups")),
            ("groups.startsWith('a')", "groups", fails, Some("groups.exists(x, x.startsWith('a'))")),
            ("groups.matches('^a')", "groups", fails, Some("groups.exists(x, x.matches('^a'))")),
            ("groups.lower() == 'x'", "groups", fails, Some("groups.map(x, x.lower())")),
            ("'x' in provider", "in", fails, Some("provider == 'x'")),
            ("'x' in user.name", "in", fails, Some("user.name == 'x'")),
            ("provider.exists(p, p == 'corp')", "provider", "a loop goes through a list", None),
            ("amr.domain() == 'x'", "amr", fails, Some("amr.map(x, x.domain())")),
            ("scopes.size().lower() == 'x'", "(", fails, None),
            ("groups > 3", ">", "can't be ordered", None),
            ("size(groups) > 'a'", ">", "can't be ordered", None),
            ("user.email.x == 'y'", "x", "a string has no members", None),
            ("groups.x == 'y'", "x", "a list of strings has no members", None),
            ("!groups", "groups", "this must be true or false, and is a list of strings", None),
            ("!provider || 'x' in groups", "provider", "this must be true or false, and is a string", None),
            ("'admins' && 'x' in groups", "'admins'", "this must be true or false", None),
            ("groups ? true : 'x' in groups", "groups", "this must be true or false", None),
            ("groups + 'x' == ['x']", "+", "+ can't be applied to a list of strings and a string", None),
            ("provider + 1 == 'x'", "+", "+ can't be applied to a string and an int", None),
            ("groups['x'] == 'y'", "[", "can't be indexed with a string", None),
            ("provider[0] == 'y'", "[", "can't be indexed with an int", None),
            ("'x'.intersects(groups)", "'x'", fails, None),
            ("groups.intersects('x')", "'x'", "intersects() is given a string where it takes a list", None),
            ("groups.join(1) == 'x'", "1", "join() is given an int where it takes a string", None),
            ("groups.orValue([]) == []", "groups", fails, None),
            ("groups.exists(g, g > 1)", ">", "can't be ordered", None),
            ("groups.map(g, g.size()).exists(n, n.startsWith('x'))", "n", fails, None),
            ("groups.filter(g, g != 'x').exists(g, g.y)", "y", "a string has no members", None),
            ("int(groups) > 1", "groups", fails, None),
            ("user.email_verified.lower() == 'true'", "email_verified", fails, None),
        ],
    );
}

#[test]
fn what_is_one_answer_for_everybody_is_refused() {
    let never = "never equals";
    let depends = "does not depend on who signs in";
    assert_refused(
        true,
        Place::App,
        &[
            ("'admins'", "'admins'", "a condition is true or false, and this is a string", None),
            ("groups", "groups", "and this is a list of strings", None),
            ("user.name", "user.name", "and this is a string", None),
            ("size(groups)", "size(groups)", "and this is an int", None),
            ("true", "true", depends, None),
            ("1 == 1", "1 == 1", depends, None),
            ("'a' in ['a', 'b']", "'a' in ['a', 'b']", depends, None),
            ("['a'].exists(x, x == 'a')", "['a'].exists(x, x == 'a')", depends, None),
            ("'x' in groups || true", "'x' in groups || true", depends, None),
            ("'x' in groups && false", "'x' in groups && false", depends, None),
            ("!true", "!true", depends, None),
            ("'x' in groups ? true : true", "'x' in groups ? true : true", depends, None),
            ("size(groups) >= 0", "size(groups) >= 0", depends, None),
            ("provider in []", "provider in []", depends, None),
            ("groups == 'admins'", "==", never, Some("'admins' in groups")),
            ("'admins' != groups", "!=", never, Some("'admins' in groups")),
            ("amr == 'mfa'", "==", never, Some("'mfa' in amr")),
            ("user.email_verified == 'true'", "==", never, None),
            ("user.name == true", "==", never, None),
            ("size(groups) == '3'", "==", never, None),
            ("1 in groups", "in", "an int is never in a list of strings", None),
            ("provider in [1, 2]", "in", "a string is never in a list", None),
        ],
    );
    assert_refused(true, Place::When, &[("false", "false", "remove the rule", None), ("true", "true", depends, None)]);
    assert_refused(
        true,
        Place::Allow,
        &[("true", "true", depends, None), ("claims", "claims", "this is an object", None)],
    );
    // `false` is how a door is kept shut.
    for place in [Place::Allow, Place::App] {
        assert!(compiler().compile_condition(place, "false").is_ok());
    }
}

#[test]
fn names_that_nothing_has_are_refused() {
    assert_refused(
        false,
        Place::App,
        &[
            (
                "user.departmnt == 'it'",
                "departmnt",
                "no provider maps the attribute departmnt",
                Some("user.department"),
            ),
            ("user['departmnt'] == 'it'", "'departmnt'", "no provider maps", Some("user.department")),
            ("has(user.costCentre)", "has", "no provider maps the attribute costCentre", None),
            ("user.?costCentre.hasValue()", "costCentre", "no provider maps", None),
            ("true ? 'x' : user.costCentre", "costCentre", "no provider maps", None),
            ("user.roles.size() > 0", "roles", "`user` has no roles here", Some("roles")),
            ("'nobody' in roles", "'nobody'", "nothing can give the role \"nobody\"", None),
            ("'admn' in roles", "'admn'", "nothing can give the role", Some("'admin'")),
            ("'Admin' in roles", "'Admin'", "nothing can give the role", Some("'admin'")),
            ("roles.exists(r, r == 'viewr')", "'viewr'", "nothing can give the role", Some("'viewer'")),
            ("roles.filter(r, r in ['viewer', 'owner']).size() > 0", "'owner'", "nothing can give the role", None),
            ("roles.intersects(['admin', 'root'])", "'root'", "nothing can give the role", None),
            ("!('bannd' in roles)", "'bannd'", "nothing can give the role", None),
            ("'users:read' in permissions", "'users:read'", "no role has the permission", None),
            ("'tenants' in scopes", "'tenants'", "there is no scope", Some("'tenant'")),
            ("provider == 'crop'", "'crop'", "there is no provider", Some("'corp'")),
            ("provider in ['corp', 'oktaa']", "'oktaa'", "there is no provider", Some("'okta'")),
            ("client == 'grafan'", "'grafan'", "there is no client", Some("'grafana'")),
        ],
    );
    assert_refused(
        false,
        Place::When,
        &[("'admin' in roles", "'admin'", "no provider may assert the role \"admin\": add it to asserted_roles", None)],
    );
}

#[test]
fn letters_that_a_folded_value_never_has_are_refused() {
    let never = "is compared with a value that is always in lower case";
    assert_refused(
        false,
        Place::App,
        &[
            ("'Admins' in groups", "'Admins'", never, Some("'admins'")),
            ("'Admins' in user.groups", "'Admins'", never, Some("'admins'")),
            ("groups.exists(g, g == 'SRE')", "'SRE'", never, Some("'sre'")),
            ("groups.exists(g, g.startsWith('App-'))", "'App-'", never, Some("'app-'")),
            ("groups.exists(g, g in ['dev', 'Ops'])", "'Ops'", never, Some("'ops'")),
            ("groups.intersects(['Dev'])", "'Dev'", never, Some("'dev'")),
            ("user.username == 'Bob'", "'Bob'", never, Some("'bob'")),
            ("user.email.lower() == 'A@corp.example'", "'A@corp.example'", never, Some("'a@corp.example'")),
            ("user.email.domain() == 'Corp.example'", "'Corp.example'", never, Some("'corp.example'")),
            ("user.name.upper() == 'Bob'", "'Bob'", "always in upper case", Some("'BOB'")),
            ("user.name.lowerAscii() in ['Bob']", "'Bob'", never, Some("'bob'")),
        ],
    );
    assert_refused(false, Place::Allow, &[("'Admins' in user.groups", "'Admins'", never, Some("'admins'"))]);
}

#[test]
fn what_can_be_evaluated_is_accepted() {
    for (place, source) in [
        (Place::App, "'admins' in groups && 'mfa' in amr"),
        (Place::App, "groups.exists(g, g.startsWith('app-'))"),
        (Place::App, "groups.map(g, g.upper()).exists(g, g == 'SRE')"),
        (Place::App, "size(groups) > 0 && groups[0] != 'x'"),
        (Place::App, "groups.size() + roles.size() > 3"),
        (Place::App, "groups == ['a'] || groups != []"),
        (Place::App, "groups.join(',').contains('x')"),
        (Place::App, "groups.filter(g, g != 'x').map(g, {'name': g}).size() == 2"),
        (Place::App, "'viewer' in roles || 'shop:user' in roles"),
        (Place::App, "!('nobody' in roles)"),
        (Place::App, "'users:write' in permissions && 'tenant' in scopes && 'openid' in scopes"),
        (Place::App, "provider in ['corp', 'certificate'] && client == 'grafana'"),
        (Place::App, "user.department == 'IT' && user.email.endsWith('@corp.example')"),
        (Place::App, "has(user.department) ? user.department.lower() == 'it' : user.email_verified"),
        (Place::App, "user.?department.orValue('') in ['it', 'Hr']"),
        (Place::App, "user.updated_at > 1700000000"),
        (Place::App, "user.address.country == 'DE' && user.department.size() > 1"),
        (Place::App, "type(user.department) == string"),
        (Place::App, "groups.asList().distinct().sorted().prefix('x:').intersects(['x:y'])"),
        (Place::App, "[user.department].flatten().exists(d, string(d) == 'x')"),
        (Place::App, "groups.all(g, g != 'banned') && acr != ''"),
        (Place::App, "timestamp('2026-01-01T00:00:00Z').getFullYear() > user.department.size()"),
        (Place::App, "groups.lookup('teams').size() > 0"),
        (Place::When, "'viewer' in roles && provider == 'corp'"),
        (Place::When, "'sre' in user.groups"),
        (Place::Allow, "claims.tid == 'X' && 'Any' in claims.groups && user.username != 'root'"),
        (Place::Allow, "'Anything' in user.roles"),
        (Place::Allow, "claims.email.domain() == 'corp.example' && claims.email_verified"),
        (Place::Allow, "claims.level > 3 || claims.level == '3'"),
        (Place::Allow, "claims.org.units.exists(u, u.name == 'It' && u.size > 3)"),
    ] {
        let found = compiler().compile_condition(place, source);
        assert!(found.is_ok(), "{source}: {found:#?}");
    }
    for source in [
        "'admin' in roles ? 'Admin' : 'Viewer'",
        "roles.map(r, r.upper())",
        "{'groups': groups, 'n': size(groups)}",
        "user.department",
        "null",
        "groups.map(g, g.substring(g.lastIndexOf('/') + 1))",
        "roles.filter(r, r.startsWith('shop:')).map(r, r.after(':'))",
    ] {
        let found = compiler().compile(Place::App, source);
        assert!(found.is_ok(), "{source}: {found:#?}");
    }
    // Without a file, every name is possible.
    assert!(Compiler::new(tables()).compile(Place::App, "'x' in roles && user.y == 'Z'").is_ok());
}

#[test]
fn members_that_no_certificate_has_are_refused() {
    assert_refused(
        false,
        Place::Certificate,
        &[
            (
                "cert.cn",
                "cn",
                "cert has no cn; it may have subject, issuer, san, serial, fingerprint, not_before",
                None,
            ),
            ("cert.subject.comon", "comon", "cert.subject has no comon; it may have cn, o,", None),
            ("cert.issuer.surnme", "surnme", "cert.issuer has no surnme", Some("cert.issuer.surname")),
            ("cert.san.mail[0].before('@')", "mail", "cert.san has no mail", Some("cert.san.email")),
            ("has(cert.subject.uid) ? 'x' : cert.fingerprnt", "fingerprnt", "cert has no", Some("cert.fingerprint")),
            ("has(cert.serialnumber)", "has", "cert has no serialnumber", None),
        ],
    );
    for good in ["cert.subject.cn", "cert.san.email.map(cert, cert.before('@'))[0]", "cert.subject.dn + cert.serial"] {
        assert!(compiler().compile_claim(Place::Certificate, ClaimType::Text, good).is_ok(), "{good}");
    }
}
