//! What to propose for the claims that a provider sent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::analysis::proposal::model::{Proposal, with};
use crate::analysis::proposal::shape::Shape;
use crate::analysis::proposal::{names, shape};
use crate::config::language::cel_source::cel_member;
use crate::config::language::provider::{EmailVerified, Provider};
use crate::config::resolved::preset;
use crate::decision::claims::{Attributes, attributes};
use crate::decision::normal::Normal;
use crate::decision::policy::{Policy, ProviderPolicy, string_list};
use crate::decision::trace::Trace;
use crate::expression::{Bindings, Compiler, Outcome, Place, Tables, Variable};
use crate::protocol::{ClaimType, claim_type};

/// How deep claims are looked for.
const DEPTH: usize = 3;
/// The most places that are looked at.
const MOST: usize = 1000;
/// Claims whose members say nothing of a person's name, groups or roles.
const PASSED_OVER: [&str; 6] = ["address", "cnf", "act", "_claim_names", "_claim_sources", "amr"];

/// A value and where it is.
struct At<'a> {
    expression: String,
    /// The claim that it is in.
    claim: &'a str,
    /// Whether it is the claim itself.
    direct: bool,
    local: String,
    value: &'a Value,
}

pub(super) fn propose(
    proposal: &mut Proposal,
    policy: &Policy,
    (declared, known): (&Provider, &ProviderPolicy),
    claims: &Map<String, Value>,
) {
    let mapped = attributes(policy, known, claims, Trace::default()).map(|(mapped, _)| mapped).unwrap_or_default();
    let places = places(claims, &declared.client_id);
    let mut compiler = Compiler::new(Tables::default());
    for attribute in names::attributes() {
        let fixed = attribute == "email_verified" && declared.email_verified != EmailVerified::Claim;
        if declared.claims.contains_key(attribute) || fixed || is_mapped(attribute, &mapped) {
            continue;
        }
        let found = names::of(attribute)
            .iter()
            .flat_map(|alias| places.iter().filter(move |at| at.local == *alias))
            .filter_map(|at| Some((at, fitting(attribute, at)?)))
            .find(|(at, shape)| works(&mut compiler, attribute, at, shape, claims));
        match found {
            Some((at, shape)) => add(proposal, declared, attribute, at, shape),
            None if attribute == "username" && claims.get("sub").is_some_and(Value::is_string) => {
                proposal.map("username", "claims.sub".to_owned(), "nothing else that it sends names people");
            }
            None => {}
        }
    }
}

/// Whether an attribute has a value that needs no further line.
fn is_mapped(attribute: &str, mapped: &Attributes) -> bool {
    match attribute {
        "username" => mapped.username.is_some(),
        "groups" => is_fine(&mapped.groups),
        "roles" => is_fine(&mapped.roles),
        other => mapped.values.contains_key(other),
    }
}

/// Whether these are names: neither distinguished ones, nor several in one text.
fn is_fine(names: &[String]) -> bool {
    let several = matches!(names, [one] if one.contains([',', ';', '[', '{']));
    !names.is_empty() && !several && !names.iter().all(|name| shape::is_distinguished(name))
}

/// All places in the claims, those nearest to the top first.
fn places<'a>(claims: &'a Map<String, Value>, client_id: &str) -> Vec<At<'a>> {
    let mut level: Vec<At<'a>> = Vec::new();
    for (name, value) in claims.iter().filter(|(name, _)| !PASSED_OVER.contains(&name.as_str())) {
        let expression = cel_member("claims", name);
        level.push(At { expression, claim: name, direct: true, local: names::local(name), value });
    }
    let mut all = Vec::new();
    for _ in 0..DEPTH {
        let mut below = Vec::new();
        for at in &level {
            for (name, value) in at.value.as_object().into_iter().flatten() {
                // Keycloak has the roles of every client there (`resource_access`); those of another one are not the broker's.
                if at.local == "resourceaccess" && name != client_id {
                    continue;
                }
                let expression = cel_member(&at.expression, name);
                below.push(At { expression, claim: at.claim, direct: false, local: names::local(name), value });
            }
        }
        all.append(&mut level);
        below.truncate(MOST);
        level = below;
    }
    all
}

/// The expression for a value, by the type that the attribute has.
fn fitting(attribute: &str, at: &At<'_>) -> Option<Shape> {
    match claim_type(attribute) {
        ClaimType::List => shape::list(&at.expression, at.value, at.direct),
        ClaimType::Boolean => shape::boolean(&at.expression, at.value, at.direct),
        _ => shape::text(&at.expression, at.value),
    }
}

/// Whether the expression gives a value of the attribute's type for these claims.
fn works(compiler: &mut Compiler, attribute: &str, at: &At<'_>, shape: &Shape, claims: &Map<String, Value>) -> bool {
    let quirks = |booleans: &[&str], names: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Normal::of(&preset::Quirks { booleans: list(booleans), distinguished_names: list(names), ..Default::default() })
    };
    let (expression, normal) = match shape {
        Shape::Expression(expression) => (expression, Normal::default()),
        Shape::Boolean(expression) => (expression, quirks(&[at.claim], &[])),
        Shape::DistinguishedNames(expression) => (expression, quirks(&[], &[at.claim])),
        // It is told, in place of a line.
        Shape::Unreadable(_) => return true,
    };
    let kind = claim_type(attribute);
    let Ok(compiled) = compiler.compile_claim(Place::Claims, kind, expression) else { return false };
    let claims = normal.claims(claims);
    let engine = compiler.engine();
    let bindings = Bindings::new(&engine).with("claims", Variable::object(&claims));
    match compiled.eval(&bindings) {
        Ok(Outcome::Present(value)) => match kind {
            ClaimType::List => string_list(value).is_ok(),
            ClaimType::Boolean => value.is_boolean(),
            _ => value.as_str().is_some_and(|text| !text.is_empty()),
        },
        _ => false,
    }
}

fn add(proposal: &mut Proposal, declared: &Provider, attribute: &'static str, at: &At<'_>, shape: Shape) {
    let quirks = preset::written_or_preset(declared);
    // A claim that only has to be read in another form needs no line of its own where it is mapped by default.
    let by_default = |expression: &str| {
        let rules: BTreeMap<_, _> = preset::claims(declared);
        rules.get(attribute).is_some_and(|rule| rule.as_slice().iter().any(|read| read.as_str() == expression))
    };
    let expression = match shape {
        Shape::Unreadable(why) => return proposal.notes.push(format!("{attribute}: {}: {why}", at.expression)),
        Shape::Expression(expression) => expression,
        Shape::Boolean(expression) => {
            proposal.booleans = with(quirks.booleans, at.claim);
            expression
        }
        Shape::DistinguishedNames(expression) => {
            proposal.distinguished_names = with(quirks.distinguished_names, at.claim);
            expression
        }
    };
    if by_default(&expression) {
        return;
    }
    let why = match attribute {
        "username" if at.local.contains("mail") => "it sends no username: people are known by their address".to_owned(),
        "email_verified" => "make sure that it says this of the address".to_owned(),
        _ => String::new(),
    };
    proposal.map(attribute, expression, why);
}
