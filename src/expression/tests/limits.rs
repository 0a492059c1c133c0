//! The cost of an evaluation is bounded for all expressions and claims.

use proptest::prelude::*;

use crate::expression::tests::*;

fn many() -> Value {
    let groups: Vec<String> = (0..10_000).map(|n| format!("group-{n}")).collect();
    let ints: Vec<i64> = (0..10_000).collect();
    let objects: Vec<Value> = (0..1_000).map(|n| json!({"id": n, "tags": ["a", "b", "c"]})).collect();
    json!({"groups": groups, "ints": ints, "objects": objects, "text": "x".repeat(1_000_000), "one": "group-1"})
}

fn limited(source: &str, claims: &Value) {
    let (compiled, engine) = compile(Place::Claims, source);
    let bindings = Bindings::new(&engine).with("claims", Variable::json(claims));
    let result = compiled.eval(&bindings);
    assert_eq!(result.as_ref().map_err(|error| error.kind), Err(ErrorKind::Limit), "{source}");
    // Each payment, including a failed one, is a bounded amount of work. Loops that absorb errors continue for a while.
    let steps = crate::expression::budget::payments();
    assert!(steps <= 2 * Limit::BUDGET, "{source} took {steps} steps");
}

#[test]
fn loops_in_loops_are_stopped() {
    let claims = many();
    for source in [
        "claims.groups.map(a, claims.groups.map(b, claims.groups.map(c, a+b+c)))",
        "claims.groups.exists(a, claims.groups.exists(b, claims.groups.exists(c, a + b + c == 'no')))",
        "claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, a + b + c != 'no')))",
        "claims.groups.all(a, claims.groups.exists_one(b, claims.groups.exists(c, a + b == c)))",
        "claims.groups.filter(a, claims.groups.all(b, b != a || true))",
        "claims.groups.exists(a, claims.groups.exists(b, a < b && b < a)) || true",
        "claims.groups.exists(a, claims.groups.exists(b, claims.text + 1 == a || claims - 1 == b))",
        "claims.groups.map(a, claims.groups)",
        "claims.groups.map(a, claims.groups + [a])",
        "claims.groups.map(a, claims.groups.join(','))",
        "claims.groups.map(a, claims.groups.sorted().distinct().size())",
        "claims.groups.map(a, claims.groups.intersects([a]))",
        "claims.groups.map(a, {a: claims.groups}.size())",
        "claims.groups.map(a, claims.?groups.orValue([]).size())",
        "claims.groups.filter(a, 'y' in claims.groups)",
        "claims.groups.filter(a, a in claims.groups)",
        "claims.groups.filter(a, claims.text.contains(a))",
        "claims.groups.filter(a, claims.text == claims.text)",
        "claims.groups.filter(a, claims.groups < claims.groups || true)",
        "claims.objects.all(a, claims.objects.all(b, a.tags == b.tags || a != b))",
        "claims.groups.map(a, claims.text + a)",
        "claims.groups.map(a, claims.text.upper())",
        "claims.groups.filter(a, claims.text.lowerAscii().indexOf('z') == 1)",
        "claims.groups.filter(a, a.matches(a + '.*'))",
    ] {
        limited(source, &claims);
    }
}

#[test]
fn what_grows_is_stopped_before_it_is_built() {
    let claims = many();
    let doubling = |step: &str, times| format!("[claims.groups]{}.size()", step.repeat(times));
    for source in [
        doubling(".map(a, [a, a])", 30),
        doubling(".map(a, {'x': a, 'y': a})", 30),
        doubling(".map(a, a + a)", 30),
        "['xx']".to_owned() + &".map(a, a + a)".repeat(40) + "[0].size()",
        "['xx']".to_owned() + &".map(a, a.replace('', a))".repeat(10) + "[0].size()",
        "claims.text.replace('', claims.text).size()".to_owned(),
        "claims.text.replace('x', claims.text).size()".to_owned(),
        "claims.text.split('').join(claims.text).size()".to_owned(),
        "claims.groups.prefix(claims.text).size()".to_owned(),
        "claims.ints in claims.ints".to_owned(),
        format!("[{}].size()", vec!["claims"; 100].join(", ")),
        format!("({}).size()", vec!["claims.text"; 200].join(" + ")),
        format!("{} == 1", vec!["claims.text + claims.text == ''"; 100].join(" || ")),
    ] {
        limited(&source, &claims);
    }
}

#[test]
fn what_is_usual_is_not_stopped() {
    let claims = many();
    for (source, size) in [
        ("claims.groups.filter(g, g.endsWith('7'))", 1_000),
        ("claims.groups.map(g, 'corp:' + g)", 10_000),
        ("claims.groups.filter(g, g.startsWith('group-1')).map(g, g.after('-')).sorted()", 1_111),
        ("claims.groups.filter(g, g.matches('^group-[0-9]$'))", 10),
        ("claims.groups.distinct()", 10_000),
        ("claims.objects.filter(o, o.id < 10 && 'a' in o.tags).map(o, o.tags).flatten()", 30),
        ("claims.groups.filter(g, claims.one == g || g in ['group-2', 'group-3'])", 3),
        ("claims.groups.filter(a, claims.groups[0.5] == a || true)", 10_000),
        ("claims.groups", 10_000),
    ] {
        match eval(source, &claims) {
            Ok(Outcome::Present(Value::Array(items))) => assert_eq!(items.len(), size, "{source}"),
            other => panic!("{source}: {:?}", other.map(|_| ())),
        }
    }
    let conditions = ["claims.one in claims.groups || 'no' in claims.groups"; 10].join(" && ");
    assert_eq!(eval(&conditions, &claims), Ok(Outcome::Present(json!(true))));
}

#[test]
fn results_are_bounded() {
    let claims = many();
    assert_eq!(eval("claims", &claims).unwrap_err().kind, ErrorKind::Limit);
    assert_eq!(eval("claims.text", &claims).unwrap_err().kind, ErrorKind::Limit);
    assert_eq!(eval("claims.groups + claims.groups", &claims).unwrap_err().kind, ErrorKind::Limit);
    let nested = "[".repeat(60) + "1" + &"]".repeat(60);
    assert!(eval(&nested, &claims).is_ok());
    let deeper = "[1]".to_owned() + &".map(x, [x])".repeat(70);
    assert_eq!(eval(&deeper, &claims).unwrap_err().kind, ErrorKind::Limit);
}

#[test]
fn deep_claims_are_cut() {
    // `json!` would copy its argument by recursion.
    let around = |name: &str, inner: Value| {
        let mut members = serde_json::Map::from_iter([("l".to_owned(), json!([1])), ("sub".to_owned(), json!("x"))]);
        members.insert(name.to_owned(), inner);
        Value::Object(members)
    };
    let deep = (0..5_000).fold(json!({}), |deep, _| around("a", deep));
    let claims = around("deep", deep);
    assert_eq!(eval("claims.sub", &claims), Ok(Outcome::Present(json!("x"))));
    let path = |levels| format!("claims.deep{}.l", ".a".repeat(levels));
    assert!(matches!(eval(&path(10), &claims), Ok(Outcome::Present(_))));
    assert_eq!(eval(&path(100), &claims), Ok(Outcome::Absent));
    // serde_json drops a document by recursion, and the test's own document must not overflow the stack.
    std::mem::forget(claims);
}

/// The most deeply nested expressions that are accepted, in each shape, on a stack of the size that worker threads have.
#[test]
fn what_is_accepted_fits_the_stack() {
    type Shape = (&'static str, fn(usize) -> String);
    let shapes: &[Shape] = &[
        ("parentheses", |n| "(".repeat(n) + "1" + &")".repeat(n)),
        ("lists", |n| "[".repeat(n) + "1" + &"]".repeat(n)),
        ("objects", |n| "{'a':".repeat(n) + "1" + &"}".repeat(n)),
        ("sum", |n| "1".to_owned() + &"+1".repeat(n)),
        ("difference", |n| "claims.n".to_owned() + &" - claims.n".repeat(n)),
        ("not", |n| "!".repeat(n) + "true"),
        ("nots", |n| "!(".repeat(n) + "true" + &")".repeat(n)),
        ("selection", |n| "claims".to_owned() + &".a".repeat(n)),
        ("optional selection", |n| "claims".to_owned() + &".?a".repeat(n)),
        ("index", |n| "claims".to_owned() + &"['a']".repeat(n)),
        ("conditions", |n| "claims.gone == 1 ? 1 : ".repeat(n).replace("claims.gone", "claims.n") + "2"),
        ("conditions in front", |n| "true ? (".repeat(n) + "1" + &") : 2".repeat(n)),
        ("and", |n| "true".to_owned() + &"&&true".repeat(n)),
        ("in", |n| "1".to_owned() + &" in [1]".repeat(n)),
        ("calls", |n| "'a'".to_owned() + &".trim()".repeat(n)),
        ("calls with arguments", |n| "'a'".to_owned() + &".replace('a','a')".repeat(n)),
        ("loops in a row", |n| "[1]".to_owned() + &".map(x,x)".repeat(n)),
        ("loops in loops", |n| "[1].all(x,".repeat(n) + "true" + &")".repeat(n)),
        ("maps in maps", |n| "[1].map(x,".repeat(n) + "1" + &")".repeat(n)),
        ("arguments", |n| "'a'.before(".repeat(n) + "'b'" + &")".repeat(n)),
    ];
    let claims = json!({"n": 0, "a": {}});
    for (shape, source) in shapes {
        let mut accepted = 0;
        for n in [1, 5, 10, 20, 40, 60, 80, 100, 120, 150, 200, 240, 248, 300, 600, 1_500, 4_000] {
            let source = source(n);
            let claims = claims.clone();
            let worker = std::thread::Builder::new().stack_size(1 << 20);
            let compiled = worker.spawn(move || {
                let mut compiler = Compiler::new(Tables::new());
                let compiled = compiler.compile(Place::Claims, &source).map_err(|problems| {
                    assert!(problems.iter().all(|problem| problem.offset <= source.len()), "{problems:?}");
                });
                let engine = compiler.engine();
                let bindings = Bindings::new(&engine).with("claims", Variable::json(&claims));
                compiled.map(|compiled| compiled.eval(&bindings).is_ok()).is_ok()
            });
            if compiled.unwrap().join().unwrap() {
                accepted = n;
            }
        }
        assert!(accepted >= 10, "{shape}: only {accepted} accepted");
        assert!(accepted < 1_500 || *shape == "and" || *shape == "not", "{shape}: {accepted} accepted");
    }
}

#[test]
fn long_texts_are_refused_before_they_are_parsed() {
    for source in ["x".repeat(20_000), "(".repeat(8_000), "r'\\' + ".to_owned() + &"[".repeat(4_000), "?".repeat(8_000)]
    {
        let found = problems(Place::Claims, &source);
        assert!(found[0].offset <= source.len(), "{found:?}");
    }
    // Many names in one list are not nested.
    let list = vec!["'0a1b2c3d'"; 600].join(", ");
    assert_eq!(eval(&format!("'x' in [{list}]"), &json!({})), Ok(Outcome::Present(json!(false))));
}

#[test]
fn looking_often_at_much_is_stopped_before_it_starts() {
    let claims = many();
    let often = vec!["claims.text.contains('y')"; 200].join(" || ");
    limited(&often, &claims);
    assert_eq!(eval(&often, &json!({"text": "x"})), Ok(Outcome::Present(json!(false))));
}

#[test]
fn patterns_are_bounded() {
    let claims = json!({"text": "a".repeat(10_000), "long": "a".repeat(20_000), "p": "(a{100}){100}{100}"});
    limited("claims.long.matches('a')", &claims);
    limited("'a'.matches(claims.long)", &claims);
    limited("'a'.matches(claims.p)", &claims);
    assert_eq!(eval("claims.text.matches('^(a|a)*$')", &claims), Ok(Outcome::Present(json!(true))));
    assert_eq!(eval("claims.text.matches('^\\\\w{1,64}$')", &claims), Ok(Outcome::Present(json!(false))));
    let found = problems(Place::Claims, "'a'.matches('(\\\\w{1000}){1000}')");
    assert!(found[0].message.contains("not a regular expression"), "{found:?}");
}

#[test]
fn an_evaluation_leaves_nothing_for_the_next() {
    let claims = many();
    limited("claims.groups.map(a, claims.groups)", &claims);
    assert_eq!(eval("claims.one", &claims), Ok(Outcome::Present(json!("group-1"))));
    assert_eq!(eval("claims.gone", &claims), Ok(Outcome::Absent));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(i64::MIN)),
        "[a-c@:., é%d]{0,8}".prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-d]", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Expressions that apply every function and operator to arbitrary values.
const PROBES: &[&str] = &[
    "claims",
    "claims.a",
    "claims.a.b",
    "claims.?a.?b",
    "claims[?'a'][?0]",
    "claims.a + claims.b + claims.c",
    "claims.a - claims.b",
    "claims.a * claims.b",
    "claims.a / claims.b",
    "claims.a % claims.b",
    "-claims.a",
    "!claims.a",
    "claims.a == claims.b",
    "claims.a < claims.b",
    "claims.a in claims.b",
    "claims.a[claims.b]",
    "claims.a ? claims.b : claims.c",
    "claims.a && claims.b || claims.c",
    "has(claims.a.b)",
    "claims.a.map(x, [x, claims.b])",
    "claims.a.filter(x, x == claims.b)",
    "claims.a.exists(x, x < claims.b)",
    "claims.a.all(x, x in claims.b)",
    "claims.a.exists_one(x, x)",
    "claims.map(x, claims[x])",
    "size(claims.a)",
    "int(claims.a)",
    "uint(claims.a)",
    "double(claims.a)",
    "string(claims.a)",
    "bool(claims.a)",
    "bytes(claims.a)",
    "string(bytes(claims.a))",
    "type(claims.a)",
    "timestamp(claims.a)",
    "duration(claims.a)",
    "timestamp(claims.a) + duration(claims.b)",
    "timestamp(claims.a) - timestamp(claims.b)",
    "timestamp(claims.a).getDayOfYear(claims.b)",
    "timestamp(claims.a).getHours()",
    "duration(claims.a) - duration(claims.b)",
    "claims.a.contains(claims.b)",
    "claims.a.startsWith(claims.b)",
    "claims.a.endsWith(claims.b)",
    "claims.a.matches(claims.b)",
    "claims.a.charAt(claims.b)",
    "claims.a.format(claims.b)",
    "claims.a.format([claims.b, claims.c])",
    "claims.a.indexOf(claims.b)",
    "claims.a.indexOf(claims.b, claims.c)",
    "claims.a.lastIndexOf(claims.b)",
    "claims.a.lastIndexOf(claims.b, claims.c)",
    "claims.a.join()",
    "claims.a.join(claims.b)",
    "claims.a.lowerAscii()",
    "claims.a.upperAscii()",
    "claims.a.replace(claims.b, claims.c)",
    "claims.a.replace(claims.b, claims.c, claims.d)",
    "claims.a.reverse()",
    "claims.a.split(claims.b)",
    "claims.a.split(claims.b, claims.c)",
    "claims.a.substring(claims.b)",
    "claims.a.substring(claims.b, claims.c)",
    "claims.a.trim()",
    "strings.quote(claims.a)",
    "claims.a.lower()",
    "claims.a.upper()",
    "claims.a.before(claims.b)",
    "claims.a.after(claims.b)",
    "claims.a.domain()",
    "claims.a.sha256()",
    "claims.a.asList()",
    "claims.a.prefix(claims.b)",
    "claims.a.distinct()",
    "claims.a.sorted()",
    "claims.a.flatten()",
    "claims.a.intersects(claims.b)",
    "claims.a.lookup('teams')",
    "claims.a.lookup(claims.b)",
    "optional.of(claims.a).value()",
    "optional.ofNonZeroValue(claims.a)",
    "claims.?a.orValue(claims.b)",
    "claims.?a.or(claims.?b)",
    "claims.?a.hasValue()",
    "{claims.a: claims.b}",
    "{'a': claims.a, ?'b': claims.?b}",
    "[claims.a, ?claims.?b]",
    "dyn(claims.a) == 1",
];

fn within_bounds(value: &Value) -> (usize, usize) {
    match value {
        Value::String(text) => (1, text.len()),
        Value::Array(items) => items.iter().map(within_bounds).fold((1, 0), |(a, b), (c, d)| (a + c, b + d)),
        Value::Object(members) => members
            .iter()
            .map(|(k, v)| (k, within_bounds(v)))
            .fold((1, 0), |(a, b), (k, (c, d))| (a + c, b + d + k.len())),
        _ => (1, 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// No document makes an expression panic, and no result exceeds the limits. A caught panic is recognised by its error
    /// message, which nothing else has.
    #[test]
    fn no_document_panics(
        a in json_value(), b in json_value(), c in json_value(), d in json_value(), same in any::<bool>()
    ) {
        let b = if same { a.clone() } else { b };
        let claims = json!({"a": a, "b": b, "c": c, "d": d});
        let mut compiler = Compiler::new(tables());
        let engine = compiler.engine();
        let bindings = Bindings::new(&engine).with("claims", Variable::json(&claims));
        for source in PROBES {
            let compiled = compiler.compile(Place::Claims, source).unwrap();
            match compiled.eval(&bindings) {
                Ok(Outcome::Present(value)) => {
                    let (values, bytes) = within_bounds(&value);
                    prop_assert!(values <= Limit::RESULT_VALUES && bytes <= Limit::RESULT_BYTES, "{source}");
                }
                Ok(Outcome::Absent) => {}
                Err(error) => prop_assert_ne!(error.message.as_str(), error::UNEVALUABLE, "{}", source),
            }
        }
    }

    #[test]
    fn no_text_panics(source in "\\PC{0,40}") {
        let _ = Compiler::new(Tables::new()).compile(Place::Claims, &source);
    }

    /// Texts made of the language's own tokens get further into the parser than arbitrary ones.
    #[test]
    fn no_tokens_panic(tokens in prop::collection::vec(prop::sample::select(vec![
        "claims", ".", "?", ":", "[", "]", "(", ")", "{", "}", "'a'", "r'", "b'x'", "\"", "1", "1u", "1.5", "-", "+", "!", "&&", "||",
        "==", "in", "has(", ".map(x,", ".all(x,", ".?", "[?", "x", ",", " ", "null", "true", "matches", "é", "\\", "//", "\n", "@",
    ]), 0..24)) {
        let source = tokens.concat();
        let mut compiler = Compiler::new(tables());
        match compiler.compile(Place::Claims, &source) {
            Ok(compiled) => {
                let engine = compiler.engine();
                let claims = json!({"a": ["x"]});
                let bindings = Bindings::new(&engine).with("claims", Variable::json(&claims));
                let _ = compiled.eval(&bindings);
            }
            Err(problems) => for problem in problems {
                prop_assert!(problem.offset <= source.len() && source.is_char_boundary(problem.offset), "{problem:?}");
            },
        }
    }
}
