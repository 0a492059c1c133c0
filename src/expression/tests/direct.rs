//! A direct answer equals the answer of `cel`.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::expression::tests::tables;
use crate::expression::*;

/// Forms that are answered directly.
const PLAIN: &[&str] = &[
    "claims.a",
    "claims.a.b",
    "claims['a']['b'].c",
    "'x'",
    "true",
    "groups",
    "provider",
    "user.groups",
    "user.username",
    "user.a",
    "'x' in groups",
    "'x' in claims.a",
    "'b' in user.groups",
    "provider == 'x'",
    "'x' != user.a",
    "claims.a == 'x'",
    "claims.a in ['x', 'y']",
    "user.username in []",
    "!('x' in groups)",
    "!claims.a",
    "claims.a && claims.b",
    "claims.a == 'x' || claims.b == 'x'",
    "'x' in groups && provider == 'x' || user.a == 'y'",
    "claims.a ? claims.b : 'none'",
    "'x' in groups ? 'Admin' : 'Viewer'",
    "claims.a == 'x' ? claims.b.c : claims.a",
];

/// Forms that are not answered directly.
const FULL: &[&str] = &[
    "has(claims.a)",
    "claims.a.lower()",
    "claims.?a",
    "claims.a == claims.b",
    "claims.a == 1",
    "1",
    "['x']",
    "claims.a in ['x', 1]",
    "groups.exists(g, g == 'x')",
    "'x' in ['x']",
    "claims.a + 'x'",
];

fn compiled(source: &str) -> (Compiled, Arc<Engine>) {
    let place = if source.contains("claims") { Place::Allow } else { Place::When };
    let mut compiler = Compiler::new(tables());
    (compiler.compile(place, source).unwrap_or_else(|problems| panic!("{source}: {problems:?}")), compiler.engine())
}

fn bound<'v>(engine: &'v Engine, claims: &'v Map<String, Value>, groups: &'v [String]) -> Bindings<'v> {
    let user = Variable::object(claims).with("username", Variable::text("x")).with("groups", Variable::strings(groups));
    Bindings::new(engine)
        .with("claims", Variable::object(claims))
        .with("user", user)
        .with("groups", Variable::strings(groups))
        .with("provider", Variable::text("x"))
}

#[test]
fn plain_forms_need_no_conversion() {
    for source in PLAIN {
        let (compiled, _) = compiled(source);
        assert!(compiled.0.direct.is_some(), "{source}");
        assert_eq!(Reads::of([&compiled]), Reads::default(), "{source}");
    }
    for source in FULL {
        assert!(compiled(source).0.0.direct.is_none(), "{source}");
    }
}

#[test]
fn only_the_members_that_are_read_are_converted() {
    let claims = json!({"a": "X", "list": vec!["long"; 1_000]});
    let claims = claims.as_object().unwrap();
    for (source, whole) in [("claims.a.lower()", false), ("claims.?a.orValue('')", false), ("size(claims)", true)] {
        let (compiled, engine) = compiled(source);
        let reads = Reads::of([&compiled]);
        let units = Bindings::read_by(&engine, &reads).with("claims", Variable::object(claims)).shared().units;
        assert_eq!(units > 1_000, whole, "{source}: {units}");
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        Just(json!(18_446_744_073_709_551_615_u64)),
        Just(json!(1.5)),
        "[xyb]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec("[xyb]", 0..3).prop_map(Value::from),
            prop::collection::hash_map("[abc]", inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_direct_answer_is_the_full_one(
        claims in prop::collection::hash_map("[abc]", json_value(), 0..4),
        groups in prop::collection::vec("[xyb]{1,2}", 0..14),
    ) {
        let claims: Map<String, Value> = claims.into_iter().collect();
        for source in PLAIN {
            let (compiled, engine) = compiled(source);
            let Some(direct) = &compiled.0.direct else { continue };
            let bindings = bound(&engine, &claims, &groups);
            let full = compiled.0.run(bindings.shared());
            if let Some(outcome) = direct.outcome(&bindings) {
                prop_assert_eq!(full.clone(), Ok(outcome), "{}", source);
            }
            if let Some(holds) = direct.holds(&bindings) {
                prop_assert_eq!(full.clone(), Ok(Outcome::Present(Value::Bool(holds))), "{}", source);
            }
            // `eval` returns the same result with and without a direct answer.
            prop_assert_eq!(compiled.eval(&bindings), full, "{}", source);
        }
    }
}
