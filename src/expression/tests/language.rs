//! The language beyond the examples of `docs/expressions.md`, which [`crate::expression::tests::page`] runs.

use crate::expression::tests::*;

fn gives(source: &str, claims: &Value) -> Value {
    match eval(source, claims) {
        Ok(Outcome::Present(value)) => value,
        other => panic!("{source}: {other:?}"),
    }
}

#[test]
fn numbers_keep_their_kind_and_compare_across_kinds() {
    let claims = json!({"int": 3, "big": u64::MAX, "double": 3.0, "half": 0.5, "negative": -3});
    for (source, expected) in [
        ("type(claims.int) == int", json!(true)),
        ("type(claims.big) == uint", json!(true)),
        ("type(claims.double) == double", json!(true)),
        ("claims.int == claims.double", json!(true)),
        ("claims.double == claims.int", json!(true)),
        ("claims.int in [1.0, 3.0]", json!(true)),
        ("claims.double in [1, 3]", json!(true)),
        ("claims.half < claims.int", json!(true)),
        ("claims.big > claims.negative", json!(true)),
        ("claims.negative < claims.big", json!(true)),
        ("claims.int < 3.5 && claims.int > 2.5", json!(true)),
        ("-claims.int", json!(-3)),
        ("claims.big", json!(u64::MAX)),
        ("[3, 1.5, 2u].sorted()", json!([1.5, 2, 3])),
        ("[1, 1u, 1.0, 1.5, 1.5].distinct()", json!([1, 1.5])),
        ("[true, false].sorted()", json!([false, true])),
        ("[1].intersects([1.0])", json!(true)),
        ("[].intersects([])", json!(false)),
    ] {
        assert_eq!(gives(source, &claims), expected, "{source}");
    }
}

#[test]
fn null_is_absent_as_a_member_and_a_value_elsewhere() {
    let claims = json!({"list": [null, "a"], "gone": null, "nested": {"gone": null}});
    assert_eq!(gives("claims.list", &claims), json!([null, "a"]));
    assert_eq!(gives("claims.list[0] == null", &claims), json!(true));
    assert_eq!(gives("claims.list.filter(x, x != null)", &claims), json!(["a"]));
    assert_eq!(gives("claims.nested", &claims), json!({}));
    assert_eq!(gives("claims.size()", &claims), json!(2));
    assert_eq!(gives("{'a': null}", &claims), json!({"a": null}));
    for source in ["claims.gone", "claims.list[0]", "claims.gone == null", "claims.nested.gone", "has(claims.x.y)"] {
        assert_eq!(eval(source, &claims), Ok(Outcome::Absent), "{source}");
    }
}

#[test]
fn strings_are_read_as_the_parser_has_them() {
    let claims = json!({});
    for (source, expected) in [
        (r#"r'\d' + "\x41\u00e9\n""#, json!("\\dAé\n")),
        (r"'a\'b'.split('\'')", json!(["a", "b"])),
        ("'''a'b'''", json!("a'b")),
        ("// a comment\n 'x'", json!("x")),
        ("'é' + 'ü' // trailing", json!("éü")),
        ("'ab'.split('')", json!(["a", "b"])),
        ("''.split('')", json!([])),
        ("''.split(',')", json!([""])),
        ("'a,b'.split(',', 0)", json!([])),
        ("'a,b'.split(',', 1)", json!(["a,b"])),
        ("'a,b,c'.split(',', -1)", json!(["a", "b", "c"])),
        ("'abc'.split('', 2)", json!(["a", "bc"])),
        ("'abc'.replace('', '-')", json!("-a-b-c-")),
        ("'aaa'.replace('a', 'b', 2)", json!("bba")),
        ("'aaa'.replace('a', 'b', 0)", json!("aaa")),
        ("'aaa'.replace('a', 'b', -1)", json!("bbb")),
        ("[].join(',')", json!("")),
        ("['a', 'b'].join()", json!("ab")),
        ("'ÅÄÖ'.substring(1, 2)", json!("Ä")),
        ("'ÅÄÖ'.lowerAscii()", json!("ÅÄÖ")),
        ("'İ'.lower()", json!("i\u{307}")),
        ("'a' + 'b' + 'c' + 'd'", json!("abcd")),
        ("('a' + 'b') + ('c' + 'd')", json!("abcd")),
        ("[1] + [2] + [3]", json!([1, 2, 3])),
        ("1 + 2 + 3.size()", json!(6)),
    ] {
        match Compiler::new(tables()).compile(Place::Claims, source) {
            Ok(_) if source != "1 + 2 + 3.size()" => assert_eq!(gives(source, &claims), expected, "{source}"),
            Ok(_) => assert!(eval(source, &claims).is_err(), "{source}"),
            Err(problems) => panic!("{source}: {problems:?}"),
        }
    }
}

#[test]
fn errors_are_absorbed_by_logic_and_only_by_logic() {
    let claims = json!({"text": "x", "groups": ["a", "b"]});
    for (source, expected) in [
        ("claims.text < 1 || true", Ok(Outcome::Present(json!(true)))),
        ("true || claims.text < 1", Ok(Outcome::Present(json!(true)))),
        ("claims.text < 1 && false", Ok(Outcome::Present(json!(false)))),
        ("false && claims.text < 1", Ok(Outcome::Present(json!(false)))),
        ("claims.gone || false", Ok(Outcome::Absent)),
        ("false || claims.gone", Ok(Outcome::Absent)),
        ("claims.gone ? 1 : 2", Ok(Outcome::Absent)),
        ("true ? 1 : claims.gone", Ok(Outcome::Present(json!(1)))),
        ("[claims.text, claims.gone]", Ok(Outcome::Absent)),
        ("claims.groups.exists(g, g == 'b' || claims.gone)", Ok(Outcome::Present(json!(true)))),
        ("claims.groups.exists(g, claims.gone == g)", Ok(Outcome::Absent)),
        ("claims.groups.all(g, claims.gone == g || g == 'a')", Ok(Outcome::Absent)),
        ("claims.groups.map(g, claims.gone)", Ok(Outcome::Absent)),
        ("!('a' in claims.gone)", Ok(Outcome::Absent)),
    ] {
        assert_eq!(eval(source, &claims), expected, "{source}");
    }
}

#[test]
fn loops_over_objects_are_in_the_order_of_keys() {
    let claims = json!({"d": 1, "a": 2, "c": 3, "b": 4, "e": 5, "f": 6});
    for _ in 0..8 {
        assert_eq!(gives("claims.map(k, k)", &claims), json!(["a", "b", "c", "d", "e", "f"]));
        assert_eq!(gives("claims.map(k, claims[k])", &claims), json!([2, 4, 3, 1, 5, 6]));
    }
}

/// The configurations of Kubernetes' page "Authenticating", section "Using Authentication Configuration".
#[test]
fn kubernetes_expressions_read_the_same() {
    let claims = json!({
        "aud": "kubernetes", "exp": 1_703_232_949_i64, "iat": 1_701_107_233_i64, "iss": "https://example.com",
        "jti": "7c337942807e73caa2c30c868ac0ce910bce02ddcbfebe8c23b8b5f27ad62873", "nbf": 1_701_107_233_i64,
        "roles": "user,admin", "sub": "auth", "tenant": "72f988bf-86f1-41af-91ab-2d7cd011db4a", "username": "foo"
    });
    for (source, expected) in [
        (r#"claims.username + ":external-user""#, json!("foo:external-user")),
        (r#""system:" + claims.username"#, json!("system:foo")),
        (r#"claims.roles.split(",")"#, json!(["user", "admin"])),
        ("claims.sub", json!("auth")),
        ("claims.tenant", json!("72f988bf-86f1-41af-91ab-2d7cd011db4a")),
        ("claims.exp - claims.nbf <= 86400", json!(false)),
        ("claims.?email_verified.orValue(true) == true", json!(true)),
        ("claims.?groups.orValue(['none'])", json!(["none"])),
        ("has(claims.hd) && claims.hd == 'example.com'", json!(false)),
        ("dyn(claims.exp) == 1703232949u", json!(true)),
        ("type(claims.roles) == string ? claims.roles.split(',') : claims.roles", json!(["user", "admin"])),
        ("claims.roles.split(',').map(g, 'corp:' + g)", json!(["corp:user", "corp:admin"])),
    ] {
        assert_eq!(gives(source, &claims), expected, "{source}");
    }
    let mut compiler = Compiler::new(Tables::new());
    let engine = compiler.engine();
    let user = json!({"username": "system:foo", "groups": ["user", "admin"]});
    let bindings = Bindings::new(&engine).with("claims", Variable::json(&claims)).with("user", Variable::json(&user));
    let mut holds = |source: &str| compiler.compile(Place::Allow, source).unwrap().holds(&bindings);
    assert_eq!(holds("!user.username.startsWith('system:')"), Ok(false));
    assert_eq!(holds("user.groups.all(group, !group.startsWith('system:'))"), Ok(true));
    assert_eq!(holds(r#"claims.hd == "example.com""#), Err(ConditionError::Absent));
}

#[test]
fn d00_conditions_tell_false_from_absent_and_wrong() {
    let mut compiler = Compiler::new(Tables::new());
    let engine = compiler.engine();
    let claims = json!({"groups": "banned", "n": 1, "email": ["x@banned.example"]});
    let bindings = Bindings::new(&engine).with("claims", Variable::json(&claims));
    let mut holds = |source: &str| compiler.compile(Place::Allow, source).unwrap().holds(&bindings);
    assert_eq!(holds("claims.n == 1"), Ok(true));
    assert_eq!(holds("claims.n == 2"), Ok(false));
    assert_eq!(holds("claims.tid == 'x'"), Err(ConditionError::Absent));
    assert_eq!(holds("!(claims.tid in ['x'])"), Err(ConditionError::Absent));
    assert_eq!(holds("claims.n"), Err(ConditionError::NotBoolean("an int")));
    assert_eq!(holds("claims.groups"), Err(ConditionError::NotBoolean("a string")));
    for source in [
        "!('ban' in claims.groups)",
        "!('banned' in claims.groups)",
        "claims.email.domain() != 'banned.example'",
        "!claims.email.endsWith('@banned.example')",
        "!claims.email.matches('banned')",
        "claims.email.lower() != 'x@banned.example'",
        "claims.n.before('@') != 'x'",
        "!claims.groups.intersects(['banned'])",
    ] {
        let Err(ConditionError::Failed(error)) = holds(source) else { panic!("{source}: {:?}", holds(source)) };
        assert_eq!(error.kind, ErrorKind::NoOverload, "{source}: {error}");
    }
}

#[test]
fn the_first_alternative_that_is_present_counts() {
    let mut compiler = Compiler::new(Tables::new());
    let engine = compiler.engine();
    let claims = json!({"second": "b", "third": "c"});
    let bindings = Bindings::new(&engine).with("claims", Variable::object(claims.as_object().unwrap()));
    let mut first = |sources: &[&str]| {
        let list: Vec<Compiled> = sources.iter().map(|s| compiler.compile(Place::Claims, s).unwrap()).collect();
        first_present(&list, &bindings)
    };
    assert_eq!(first(&["claims.first", "claims.second", "claims.third"]), Ok(Some((json!("b"), 1))));
    assert_eq!(first(&["claims.first", "claims.fourth"]), Ok(None));
    assert_eq!(first(&[]), Ok(None));
    assert_eq!(first(&["claims.second", "1 / 0"]), Ok(Some((json!("b"), 0))));
    let (position, error) = first(&["claims.first", "claims.second + 1", "claims.third"]).unwrap_err();
    assert_eq!((position, error.kind), (1, ErrorKind::WrongType));
}

/// Values are personal data: an error names types and functions only.
#[test]
fn errors_carry_no_values() {
    let claims = json!({
        "name": "dora-secret", "email": "dora-secret@corp.example", "groups": ["group-secret", "other-secret"],
        "n": 424_242, "object": {"secret-key": "secret"}, "double": 1.5
    });
    for source in [
        "claims.name.before(claims.groups)",
        "claims.groups.before(claims.name)",
        "claims.groups.lower()",
        "claims.groups.sha256()",
        "claims.name.lookup(claims.name)",
        "claims.name.lookup(claims.groups)",
        "claims.name.matches(claims.email + '(')",
        "claims.name.matches(claims.groups)",
        "int(claims.name)",
        "uint(claims.name)",
        "double(claims.name)",
        "bool(claims.name)",
        "timestamp(claims.name)",
        "timestamp('2026-01-01T00:00:00Z').getHours(claims.name)",
        "duration(claims.name)",
        "claims.name + claims.n",
        "claims.groups + claims.n",
        "claims.name - claims.groups",
        "claims.name < claims.n",
        "claims.n < claims.groups",
        "claims.groups in claims.name",
        "claims.groups[claims.name]",
        "claims.groups[claims.n]",
        "claims.groups[claims.double]",
        "claims.object[claims.groups]",
        "claims.object[claims.object]",
        "{claims.groups: 1}",
        "{claims.name: 1, claims.name: 2}",
        "claims.name.substring(claims.n)",
        "claims.name.charAt(claims.n)",
        "claims.name.indexOf('x', claims.n)",
        "'%d'.format(claims.groups)",
        "claims.name.join()",
        "[claims.n].join()",
        "claims.object.sorted()",
        "[claims.object].sorted()",
        "[claims.n, claims.name].sorted()",
        "claims.n.asList()",
        "[claims.n].prefix('x')",
        "claims.name.map(x, x)",
        "claims.n.exists(x, x)",
        "claims.name && true",
        "!claims.name",
        "-claims.name",
        "claims.name ? 1 : 2",
        "claims.n * 9223372036854775807",
        "claims.n / 0",
        "claims.n % 0",
        "9223372036854775807 + claims.n",
        "claims.name.orValue(1)",
        "optional.none().value()",
        "type(claims.name)",
        "claims.name.value()",
        "1.0 / 0.0",
    ] {
        let error = eval(source, &claims).expect_err(source);
        let text = format!("{error} {error:?}");
        for value in ["secret", "dora", "corp", "424242", "1.5"] {
            assert!(!text.contains(value), "{source}: {text}");
        }
        assert_ne!(error.kind, ErrorKind::Limit, "{source}: {text}");
    }
}

#[test]
fn errors_have_a_kind() {
    let claims = json!({"n": 1, "text": "x"});
    for (source, kind, text) in [
        ("claims.text + 1", ErrorKind::WrongType, "+ can't be applied to a string and an int"),
        ("claims.text < 1", ErrorKind::NoOverload, "< can't be applied to a string and an int"),
        ("claims.n.lower()", ErrorKind::NoOverload, "lower() can't be applied to an int"),
        ("claims.text.contains(1)", ErrorKind::NoOverload, "contains() can't be applied to a string with an int"),
        (
            "claims.text.replace(1, 2)",
            ErrorKind::NoOverload,
            "replace() can't be applied to a string with an int, an int",
        ),
        ("claims.n.x", ErrorKind::NoOverload, "an int has no members"),
        ("1 / 0", ErrorKind::Failed, "division by zero"),
        ("int('x')", ErrorKind::Failed, "int() fails on this value"),
        ("claims.n.all(x, x)", ErrorKind::WrongType, "an int is given where a list or an object is needed"),
        ("'x'.matches(claims.text + '[')", ErrorKind::Failed, "matches(): the pattern is not a regular expression"),
    ] {
        let error = eval(source, &claims).expect_err(source);
        assert_eq!((error.kind, error.to_string().as_str()), (kind, text), "{source}");
    }
}

#[test]
fn problems_name_the_place_and_the_nearest_name() {
    // The expression, what is underlined, part of the message, and the suggestion.
    let cases: &[(&str, &str, &str, Option<&str>)] = &[
        ("claims.a.lowr()", "lowr", "unknown function lowr()", Some("lower")),
        ("claims.lowr.lowr().x", "lowr().", "unknown function lowr()", Some("lower")),
        ("claims.a . lowr  (1)", "lowr  ", "unknown function lowr()", Some("lower")),
        ("'é' + claims.ü_no()", "", "unexpected character", None),
        ("'é' + clams.a", "clams", "unknown variable clams", Some("claims")),
        ("'日本' == x", "x", "unknown variable x", None),
        ("false && nope(claims)", "nope", "unknown function nope()", None),
        ("_lower(claims.a)", "_lower", "unknown function _lower()", Some("lower")),
        ("claims.g.map(x, y)", "y", "unknown variable y", None),
        ("claims.g.map(grp, gpr)", "gpr", "unknown variable gpr", Some("grp")),
        ("claims.g.map(x, x.all(y, y == x)) == y", "y", "unknown variable y", None),
        ("claims.g.lookup('team')", "team", "there is no table", Some("teams")),
        ("'team' + claims.g.lookup('team')", "team')", "there is no table", Some("teams")),
        ("claims.a.before()", "before", "before() takes 1 argument, not 0", None),
        ("claims.a.substring(1, 2, 3)", "substring", "substring() takes 1 to 2 arguments, not 3", None),
        ("size()", "size", "size() takes 1 argument, not 0", None),
        ("claims.a.size(1)", "size", "size() takes no argument, not 1", None),
        ("matches(claims.a)", "matches", "matches() takes 2 arguments, not 1", None),
        ("lower(claims.a)", "lower", "lower() is written value.lower()", None),
        ("claims.a.int()", "int", "int() is written int(value)", None),
        ("has(claims)", "claims", "has() asks whether a member is there", None),
        ("claims.g.filter(x)", "filter", "filter() is written list.filter(x, condition)", None),
        ("claims.g.map('x', 1)", "'x'", "argument must be a simple name", None),
        ("claims.a.matches('(')", "(')", "not a regular expression", None),
        ("matches(claims.a, r'\\q')", "\\q", "not a regular expression", None),
        ("optional.off(1)", "off", "unknown function optional.off()", Some("of")),
        ("optional.of()", "of()", "optional.of() takes 1 argument, not 0", None),
        ("Thing{a: 1}", "Thing", "unknown type Thing", None),
        ("google.protobuf.Empty", "google", "unknown variable google", None),
        ("groups", "groups", "groups can't be read here", None),
        ("claims.a = 'x'", "=", "not expected here", Some("==")),
        ("claims.a == 'x' or true", "or", "not expected here", Some("||")),
        ("'open", "'open", "unterminated string literal", None),
        ("if", "if", "reserved identifier: if", None),
    ];
    for (source, marked, message, suggestion) in cases {
        let found = problems(Place::Claims, source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        let problem = &found[0];
        assert!(problem.message.contains(message), "{source}: {found:?}");
        assert_eq!(problem.suggestion.as_deref(), *suggestion, "{source}: {found:?}");
        let at = if marked.is_empty() { problem.offset } else { source.rfind(marked).unwrap() };
        assert_eq!(problem.offset, at, "{source}: {found:?}");
        let word =
            marked.trim_end_matches(|c: char| "()'. ".contains(c) && marked.len() > 1 && !marked.starts_with('\''));
        let len = if word.is_empty() || *marked == "(')" { problem.len } else { word.len() };
        assert_eq!(problem.len, len, "{source}: {found:?}");
    }
}

#[test]
fn syntax_errors_are_inside_the_text() {
    for source in [
        "claims.", "1 +", "'open", "a b", "((1)", "", " ", "\n\n@", "é", "a.b(1,)", "x ? y", "'\\q'", "a ++ b", "if",
        "{'a' 1}",
    ] {
        let found = problems(Place::Claims, source);
        assert_eq!(found.len(), 1, "{source:?}: {found:?}");
        assert!(found[0].offset <= source.len() && source.is_char_boundary(found[0].offset), "{source:?}: {found:?}");
        assert!(found[0].len > 0 && !found[0].message.is_empty(), "{source:?}: {found:?}");
    }
}

#[test]
fn all_unknown_names_are_reported_in_order() {
    let found = problems(Place::Claims, "foo1(claims) + bar + claims.baz() + bar");
    let offsets: Vec<usize> = found.iter().map(|problem| problem.offset).collect();
    assert_eq!(offsets, [0, 15, 28, 36], "{found:?}");
}

#[test]
fn every_place_has_its_variables_and_no_others() {
    for place in Place::ALL {
        for variable in Place::ALL.iter().flat_map(|place| place.variables()) {
            let compiled = Compiler::new(Tables::new()).compile(place, variable);
            assert_eq!(compiled.is_ok(), place.variables().contains(variable), "{place:?} {variable}");
        }
    }
}

#[test]
fn loop_variables_shadow_and_end() {
    let claims = json!({"groups": ["a"]});
    assert_eq!(gives("claims.groups.map(claims, claims + '!')", &claims), json!(["a!"]));
    assert_eq!(gives("claims.groups.map(int, int)", &claims), json!(["a"]));
    assert_eq!(gives("[[1, 2], [3]].map(x, x.map(x, x + 1))", &claims), json!([[2, 3], [4]]));
    assert_eq!(gives("type(timestamp(0)) == google.protobuf.Timestamp", &claims), json!(true));
}

#[test]
fn equal_expressions_are_compiled_once() {
    let mut compiler = Compiler::new(Tables::new());
    let first = compiler.compile(Place::Claims, "claims.sub").unwrap();
    let second = compiler.compile(Place::Claims, "claims.sub").unwrap();
    let elsewhere = compiler.compile(Place::Allow, "claims.sub").unwrap();
    assert!(Arc::ptr_eq(&first.0, &second.0));
    assert!(!Arc::ptr_eq(&first.0, &elsewhere.0));
    assert_eq!(first.source(), "claims.sub");
    assert_eq!(format!("{first:?}"), r#"Compiled("claims.sub")"#);
}

#[test]
fn lists_of_strings_are_set_without_json() {
    let (compiled, engine) = compile(Place::When, "'b' in groups && roles == []");
    let groups = ["a", "b"].map(str::to_owned);
    let bindings =
        Bindings::new(&engine).with("groups", Variable::strings(&groups)).with("roles", Variable::strings(&[]));
    assert_eq!(compiled.holds(&bindings), Ok(true));
}

/// The parser that is used and the one that is not agree on what an expression means.
#[test]
fn both_parsers_of_cel_agree() {
    use cel::IdedExpr;
    use cel::common::ast::Expr;
    fn unnumbered(node: &mut IdedExpr) {
        node.id = 0;
        match &mut node.expr {
            Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).for_each(unnumbered),
            Expr::Comprehension(c) => {
                [&mut c.iter_range, &mut c.accu_init, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
                    .into_iter()
                    .for_each(unnumbered)
            }
            Expr::List(list) => list.elements.iter_mut().for_each(unnumbered),
            Expr::Select(select) => unnumbered(&mut select.operand),
            _ => {}
        }
    }
    for source in [
        "a.b.c[0].d(1, 'x').e",
        "a + b * c - d / e % f",
        "!a && b || !c && -d < e",
        "a ? b : c ? d : e",
        "a && b && c && d || e || f",
        "x.map(a, b, c).filter(d, d in e).exists(f, f)",
        "has(a.b) && !has(a.c.d)",
        "a.?b[?c].orValue([?d, e])",
        "1u + 0x1F - 1.5e3 == -7",
        r#"r'\d' + "\u00e9" + '''a'b''' == b'x'"#,
        "a.exists_one(x, x.all(y, y == x))",
    ] {
        let mut ours = syntax::parse(source).unwrap();
        let mut theirs = cel::parser::Parser::new().enable_optional_syntax(true).parse(source).unwrap();
        unnumbered(&mut ours);
        unnumbered(&mut theirs);
        assert_eq!(ours, theirs, "{source}");
    }
}
