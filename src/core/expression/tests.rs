//! Every rule of the language's expressions, as tables.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use serde_json::json;

use super::*;

fn tables() -> Tables {
    let entry = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    [("teams".to_owned(), [entry("1b2c", "sre"), entry("9f3c", "dev")].into_iter().collect())].into_iter().collect()
}

fn eval(source: &str, claims: Value) -> Result<Outcome, EvalError> {
    let mut compiler = Compiler::new(tables());
    let compiled = compiler.compile(Place::Claims, source).unwrap_or_else(|p| panic!("{source}: {p:?}"));
    let engine = compiler.engine();
    let mut bindings = Bindings::new(&engine);
    bindings.set("claims", &claims);
    compiled.eval(&bindings)
}

fn document() -> Value {
    json!({
        "sub": "7", "preferred_username": "Dora@Corp.Example", "email": "dora@corp.example", "age": 41, "ratio": 0.5,
        "groups": ["b", "a", "b"], "one": "solo", "nothing": null, "nested": {"deep": {"x": "y"}},
        "https://ns.example/tier": "gold", "objects": [{"name": "n1", "admin": true}, {"name": "n2"}],
        "ids": ["1b2c", "none", "9f3c"], "id": "1b2c", "empty": [], "exp": 1_700_000_300, "nbf": 1_700_000_000,
        "roles": "r1,r2", "mixed": ["a", 1]
    })
}

#[test]
fn expressions_give_what_the_language_says() {
    let cases = [
        ("claims.sub", json!("7")),
        ("claims.nested.deep.x", json!("y")),
        ("claims['https://ns.example/tier']", json!("gold")),
        ("claims.age + 1", json!(42)),
        ("claims.ratio < 1.0", json!(true)),
        ("claims.age > 40.5", json!(true)),
        ("claims.groups.map(g, 'corp:' + g)", json!(["corp:b", "corp:a", "corp:b"])),
        ("claims.groups.filter(g, g != 'a')", json!(["b", "b"])),
        ("claims.groups.map(g, g == 'a', g + '!')", json!(["a!"])),
        ("claims.objects.filter(o, has(o.admin) && o.admin).map(o, o.name)", json!(["n1"])),
        ("claims.groups.exists(g, g == 'a')", json!(true)),
        ("claims.groups.exists_one(g, g == 'b')", json!(false)),
        ("claims.groups.all(g, g.size() == 1)", json!(true)),
        ("'a' in claims.groups ? 'yes' : 'no'", json!("yes")),
        ("has(claims.absent)", json!(false)),
        ("has(claims.nothing)", json!(false)),
        ("claims.?tier.orValue('none')", json!("none")),
        ("claims[?'sub'].orValue('none')", json!("7")),
        ("optional.of('x').orValue('y')", json!("x")),
        ("claims.?roles.orValue('').split(',')", json!(["r1", "r2"])),
        ("claims.preferred_username.lowerAscii()", json!("dora@corp.example")),
        ("' x '.trim()", json!("x")),
        ("['a','b'].join('-')", json!("a-b")),
        ("'aXa'.replace('a', 'b')", json!("bXb")),
        ("'hello'.substring(1, 3)", json!("el")),
        ("'hello'.indexOf('l')", json!(2)),
        ("'hello'.lastIndexOf('l')", json!(3)),
        ("'ABC'.startsWith('A') && 'ABC'.endsWith('C') && 'ABC'.contains('B')", json!(true)),
        ("'ABC'.matches('^[A-C]+$')", json!(true)),
        ("'STRASSE İ'.lower() == 'strasse i\u{307}'", json!(true)),
        ("'straße'.upper()", json!("STRASSE")),
        ("claims.preferred_username.before('@').lower()", json!("dora")),
        ("'alone'.before('@')", json!("alone")),
        ("claims.email.after('@')", json!("corp.example")),
        ("'alone'.after('@')", json!("")),
        ("claims.email.domain()", json!("corp.example")),
        ("claims.one.asList()", json!(["solo"])),
        ("claims.groups.asList()", json!(["b", "a", "b"])),
        ("'a'.prefix('x:')", json!("x:a")),
        ("claims.groups.prefix('x:')", json!(["x:b", "x:a", "x:b"])),
        ("claims.groups.distinct()", json!(["b", "a"])),
        ("claims.groups.sorted()", json!(["a", "b", "b"])),
        ("[[1, 2], [3]].flatten()", json!([1, 2, 3])),
        ("claims.groups.intersects(['z', 'a'])", json!(true)),
        ("claims.groups.intersects(['z'])", json!(false)),
        ("claims.ids.lookup('teams')", json!(["sre", "dev"])),
        ("claims.id.lookup('teams')", json!("sre")),
        ("'abc'.sha256()", json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        ("int('42') + int(1.9)", json!(43)),
        ("string(claims.age)", json!("41")),
        ("timestamp('2026-01-02T03:04:05Z').getFullYear()", json!(2026)),
        ("timestamp(claims.exp) - timestamp(claims.nbf) == duration('300s')", json!(true)),
        ("true || claims.absent", json!(true)),
        ("claims.absent || true", json!(true)),
        ("{'a': 1, 'b': [true]}", json!({"a": 1, "b": [true]})),
        ("type(claims.age) == int", json!(true)),
        ("size(claims.groups)", json!(3)),
    ];
    for (source, expected) in cases {
        assert_eq!(eval(source, document()), Ok(Outcome::Present(expected)), "{source}");
    }
}

#[test]
fn absence_is_not_an_error() {
    for source in [
        "claims.absent",
        "claims.absent.deeper",
        "claims.nothing",
        "claims.nested.gone.x",
        "null",
        "'none'.lookup('teams')",
        "claims.?absent",
        "optional.none()",
    ] {
        assert_eq!(eval(source, document()), Ok(Outcome::Absent), "{source}");
    }
}

#[test]
fn wrong_types_are_errors_without_values() {
    for source in [
        "'a' in claims.one",
        "claims.age.lower()",
        "claims.groups + 1",
        "claims.email.domain().domain()",
        "claims.empty[0]",
        "'a@b@c'.domain()",
        "claims.mixed.lower()",
        "claims.one.distinct()",
        "1 / 0",
        "'x' < 1",
        "claims.sub.deeper",
    ] {
        let error = eval(source, document()).expect_err(source);
        for value in ["dora", "solo", "corp", "41"] {
            assert!(!error.0.contains(value), "{source}: {}", error.0);
        }
    }
}

/// The documented examples of Kubernetes' structured authentication configuration: username, groups, uid, extra,
/// claim validation and user validation.
#[test]
fn kubernetes_expressions_read_the_same() {
    let claims = json!({
        "sub": "119abc", "username": "jane_doe", "preferred_username": "jane", "email": "jane@example.com",
        "email_verified": true, "aud": "kubernetes", "exp": 1_703_232_949_i64, "iat": 1_701_107_233_i64,
        "iss": "https://example.com", "jti": "7c337942807e73caa2c30c868ac0ce910bce02ddcbfebe8c23b8b5f27ad62873",
        "nbf": 1_701_107_233_i64, "roles": "user,admin", "groups": ["dev"], "hd": "example.com",
        "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db4a", "foo": "foo-value", "bar": "bar-value"
    });
    let cases = [
        ("claims.username + ':external-user'", json!("jane_doe:external-user")),
        ("claims.roles.split(',')", json!(["user", "admin"])),
        ("claims.?roles.orValue('').split(',')", json!(["user", "admin"])),
        ("claims.sub", json!("119abc")),
        ("claims.tenant", json!("72f988bf-86f1-41af-91ab-2d7cd011db4a")),
        ("claims.hd == 'example.com'", json!(true)),
        ("claims.exp - claims.nbf <= 86400", json!(false)),
        ("claims.email_verified == true", json!(true)),
        ("claims.?email_verified.orValue(true) == true", json!(true)),
        ("claims.groups.map(g, 'oidc:' + g)", json!(["oidc:dev"])),
        ("'dev' in claims.groups", json!(true)),
        ("claims.foo == 'foo-value' ? claims.bar : 'none'", json!("bar-value")),
        ("type(claims.groups) == list ? claims.groups : [claims.groups]", json!(["dev"])),
    ];
    for (source, expected) in cases {
        assert_eq!(eval(source, claims.clone()), Ok(Outcome::Present(expected)), "{source}");
    }
    let mut compiler = Compiler::new(Tables::new());
    let engine = compiler.engine();
    let mut bindings = Bindings::new(&engine);
    bindings.set("user", &json!({"username": "jane", "groups": ["dev", "system:masters"]}));
    bindings.set("claims", &claims);
    for (source, expected) in [
        ("!user.username.startsWith('system:')", true),
        ("user.groups.all(group, !group.startsWith('system:'))", false),
    ] {
        assert_eq!(compiler.compile(Place::Allow, source).unwrap().holds(&bindings), Ok(expected), "{source}");
    }
}

#[test]
fn conditions_tell_false_from_absent_and_wrong() {
    let mut compiler = Compiler::new(Tables::new());
    let engine = compiler.engine();
    let mut bindings = Bindings::new(&engine);
    bindings.set("claims", &json!({"groups": "banned", "n": 1}));
    let mut holds = |source: &str| compiler.compile(Place::Allow, source).unwrap().holds(&bindings);
    assert_eq!(holds("claims.n == 1"), Ok(true));
    assert_eq!(holds("claims.n == 2"), Ok(false));
    assert_eq!(holds("claims.tid == 'x'"), Err(ConditionError::Absent));
    assert_eq!(holds("claims.n"), Err(ConditionError::NotBoolean("int")));
    assert!(matches!(holds("!('banned' in claims.groups)"), Err(ConditionError::Failed(_))));
}

#[test]
fn problems_name_the_place_and_the_nearest_name() {
    let cases: &[(&str, usize, &str, Option<&str>)] = &[
        ("claims.a.lowr()", 9, "unknown function lowr()", Some("lower")),
        ("claim.a", 0, "unknown variable claim", Some("claims")),
        ("true ? 'x' : usr.name", 13, "unknown variable usr", None),
        ("false && nope(claims)", 9, "unknown function nope()", None),
        ("claims.g.map(x, y)", 16, "unknown variable y", None),
        ("claims.g.map(x, x) + x", 21, "unknown variable x", None),
        ("claims.g.lookup('team')", 17, "there is no table", Some("teams")),
        ("claims.a.before()", 9, "before() takes 1 arguments, not 0", None),
        ("lower(claims.a)", 0, "lower() is written value.lower()", Some("value.lower()")),
        ("claims.a.matches('[')", 9, "no regular expression", None),
        ("optional.off(1)", 9, "unknown function optional.off()", Some("of")),
        ("Thing{a: 1}", 0, "unknown type Thing", None),
    ];
    let mut compiler = Compiler::new(tables());
    for (source, offset, message, suggestion) in cases {
        let problems = compiler.compile(Place::Claims, source).expect_err(source);
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        assert_eq!(problems[0].offset, *offset, "{source}: {problems:?}");
        assert!(problems[0].message.contains(message), "{source}: {problems:?}");
        assert_eq!(problems[0].suggestion.as_deref(), *suggestion, "{source}");
    }
    for source in ["claims.", "1 +", "'open", "a b", "((1)", ""] {
        assert!(!compiler.compile(Place::Claims, source).expect_err(source).is_empty(), "{source}");
    }
    let both = compiler.compile(Place::Claims, "foo1(claims) + bar").expect_err("two");
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn equal_expressions_are_compiled_once() {
    let mut compiler = Compiler::new(Tables::new());
    let first = compiler.compile(Place::Claims, "claims.sub").unwrap();
    let second = compiler.compile(Place::Claims, "claims.sub").unwrap();
    assert!(Arc::ptr_eq(&first.0, &second.0));
}

/// Time that this thread had a processor: on a busy machine the wall clock measures the others.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

#[test]
fn evaluation_is_bounded() {
    let many: Vec<String> = (0..10_000).map(|n| format!("group-{n}")).collect();
    let claims = json!({"groups": many, "text": "x".repeat(100_000)});
    for source in [
        "claims.groups.map(a, claims.groups.map(b, claims.groups.map(c, a + b + c)))",
        "claims.groups.exists(a, claims.groups.exists(b, claims.groups.exists(c, a + b + c == 'no')))",
        "claims.groups.map(a, claims.groups.join(','))",
        "claims.groups.map(a, claims.text + a)",
        "claims.groups.map(a, claims.groups)",
        "claims.groups.filter(a, claims.groups.all(b, b != a || true))",
    ] {
        let before = cpu_seconds();
        assert!(eval(source, claims.clone()).is_err(), "{source}");
        let took = cpu_seconds() - before;
        assert!(took < 5.0, "{source} took {took} s");
    }
    assert!(matches!(eval("claims.groups.filter(g, g.endsWith('7'))", claims.clone()), Ok(Outcome::Present(_))));
    assert!(matches!(eval("claims.groups.map(g, 'corp:' + g)", claims), Ok(Outcome::Present(_))));
}

#[test]
fn sources_are_bounded() {
    let mut compiler = Compiler::new(Tables::new());
    for source in [
        "(".repeat(4000),
        "!".repeat(4000),
        "1+".repeat(3000) + "1",
        "[".repeat(3000),
        "x".repeat(20_000),
        "claims".to_owned() + &".a".repeat(3000),
    ] {
        assert!(compiler.compile(Place::Claims, &source).is_err(), "{}...", &source[..8]);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(source in "\\PC{0,40}") {
        let _ = Compiler::new(Tables::new()).compile(Place::Claims, &source);
    }
}
