//! The types of variables and of the attributes of `user`.

use crate::expression::catalogue::TYPES;
use crate::expression::names::nearest;
use crate::expression::place::Place;
use crate::expression::types::{Case, Origin, TEXT, Type};
use crate::expression::vocabulary::Vocabulary;
use crate::protocol::{CERTIFICATE_ALTERNATIVES, CERTIFICATE_FACTS, CERTIFICATE_NAMES, ClaimType, claim_type};

const fn lower(folded: bool) -> Case {
    if folded { Case::Lower } else { Case::Any }
}

fn texts(case: Case, origin: Origin) -> Type {
    Type::list(Type::Text(case, origin))
}

/// The type of a variable at a place, or of the name of a type.
pub(crate) fn variable_type(place: Place, vocabulary: &Vocabulary, name: &str) -> Type {
    match place.variable(name) {
        Some("groups") => texts(lower(vocabulary.lower_local_groups), Origin::Elsewhere),
        Some("roles") if place == Place::When => texts(lower(vocabulary.lower_roles), Origin::AssertedRole),
        Some("roles") => texts(Case::Any, Origin::Role),
        Some("permissions") => texts(Case::Any, Origin::Permission),
        Some("scopes") => texts(Case::Any, Origin::Scope),
        Some("amr") => texts(Case::Any, Origin::Elsewhere),
        Some("provider") => Type::Text(Case::Any, Origin::Provider),
        Some("client") => Type::Text(Case::Any, Origin::Client),
        Some("acr" | "sub") => TEXT,
        Some("user" | "claims" | "cert") => Type::Map,
        _ if TYPES.contains(&name) => Type::Meta,
        _ => Type::Any,
    }
}

/// What is wrong with a member of `cert`, `cert.subject`, `cert.issuer` or `cert.san` that no certificate has, and the nearest
/// one.
pub(crate) fn certificate_member(object: &str, name: &str) -> Option<(String, Option<String>)> {
    let known = match object {
        "cert" => CERTIFICATE_FACTS,
        "cert.subject" | "cert.issuer" => CERTIFICATE_NAMES,
        "cert.san" => CERTIFICATE_ALTERNATIVES,
        _ => return None,
    };
    let near = || nearest(name, known.iter().copied()).map(|near| format!("{object}.{near}"));
    (!known.contains(&name)).then(|| (format!("{object} has no {name}; it may have {}", known.join(", ")), near()))
}

/// The type of `user.X`. `allow` is evaluated before local groups are added to those of the provider.
pub(crate) fn attribute_type(place: Place, vocabulary: &Vocabulary, name: &str) -> Type {
    match (name, claim_type(name)) {
        ("groups", _) if place == Place::Allow => texts(lower(vocabulary.lower_groups), Origin::Elsewhere),
        ("groups", _) => texts(lower(vocabulary.lower_local_groups), Origin::Elsewhere),
        ("roles", _) => texts(lower(vocabulary.lower_roles), Origin::Elsewhere),
        ("username", _) => Type::Text(lower(vocabulary.lower_username), Origin::Elsewhere),
        (_, ClaimType::Text) => TEXT,
        (_, ClaimType::Boolean) => Type::Bool,
        (_, ClaimType::Object) => Type::Map,
        (_, ClaimType::Number | ClaimType::List | ClaimType::Any) => Type::Any,
    }
}
