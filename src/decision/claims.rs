//! Maps upstream claims to attributes.
//!
//! An attribute only has a value that a rule maps to it. If the claim is absent, so is the attribute. A claim of the wrong type
//! refuses the sign-in if the file maps it; if it is mapped by default, the attribute is left out.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::config::language::policy::IgnoreCase;
use crate::config::language::provider::EmailVerified;
use crate::decision::policy::{ClaimRule, Policy, ProviderPolicy, string_list};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Source, Stage, Trace};
use crate::expression::{Bindings, ConditionError, Variable, first_present};
use crate::protocol::{ClaimType, claim_type, is_absent};

/// The attributes of one sign-in, as mapped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    /// The username that the provider gives.
    pub username: Option<String>,
    /// Upstream groups.
    pub groups: Vec<String>,
    /// Upstream roles, before any rule.
    pub roles: Vec<String>,
    /// Every other attribute.
    pub values: Map<String, Value>,
    /// There is no username because the provider sent a value that is not a string.
    pub odd_username: bool,
}

impl Attributes {
    /// The address in lower case (ASCII), if it is valid and was verified.
    #[must_use]
    pub fn verified_email(&self) -> Option<String> {
        let email = self.values.get("email")?.as_str()?;
        let verified = self.values.get("email_verified")?.as_bool()?;
        (verified && is_address(email)).then(|| email.to_ascii_lowercase())
    }
}

/// Whether a text is an address: one `@`, something on both sides, no invisible characters.
fn is_address(text: &str) -> bool {
    let mut parts = text.split('@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    !local.is_empty() && !domain.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn fits(kind: ClaimType, value: &Value) -> bool {
    match kind {
        ClaimType::Text => value.is_string(),
        ClaimType::Boolean => value.is_boolean(),
        ClaimType::Number => value.is_number(),
        ClaimType::Object => value.is_object(),
        ClaimType::List | ClaimType::Any => true,
    }
}

/// Maps upstream claims and evaluates `allow`.
///
/// # Errors
/// [`Reason::ClaimMappingFailed`] when a rule of the file fails or its value has the wrong type, [`Reason::NotAllowed`]
/// when `allow` is not true.
pub fn map(
    policy: &Policy,
    provider: &ProviderPolicy,
    claims: &Map<String, Value>,
    trace: Trace,
) -> Result<(Attributes, Trace), Refusal> {
    let (attributes, trace) = attributes(policy, provider, claims, trace)?;
    admit(policy, provider, &provider.normal.claims(claims), &attributes, trace).map(|trace| (attributes, trace))
}

/// Maps upstream claims, whether or not `allow` holds.
///
/// # Errors
/// [`Reason::ClaimMappingFailed`] when a rule of the file fails or its value has the wrong type.
pub(crate) fn attributes(
    policy: &Policy,
    provider: &ProviderPolicy,
    claims: &Map<String, Value>,
    mut trace: Trace,
) -> Result<(Attributes, Trace), Refusal> {
    let evidence = if provider.is_certificate() { "cert" } else { "claims" };
    let claims = provider.normal.claims(claims);
    let bindings = Bindings::read_by(&policy.engine, &provider.reads).with(evidence, Variable::object(&claims));
    let mut attributes = Attributes::default();
    for rule in &provider.claims {
        if rule.name == "email_verified" && provider.email_verified != EmailVerified::Claim {
            continue;
        }
        let (value, problems) = if rule.by_default { fitting(rule, &bindings) } else { written(rule, &bindings) };
        let (name, source) = (rule.name.as_str(), Some(&rule.source));
        for problem in &problems {
            if !rule.by_default {
                let text = format!("{name} can't be mapped: {problem}");
                return Err(trace.refuse(Stage::Claims, source, Reason::ClaimMappingFailed, text));
            }
            let what = if value.is_some() { "a claim is passed over" } else { "left out" };
            trace.add(Stage::Claims, source, format!("{name}: {what}: {problem}"));
        }
        match value {
            Some(value) => place(policy, rule, value, &mut attributes, &mut trace),
            None if !rule.by_default => trace.add(Stage::Claims, source, format!("{name} is absent")),
            None => attributes.odd_username |= name == "username" && !problems.is_empty(),
        }
    }
    match provider.email_verified {
        EmailVerified::Claim => {}
        fixed if attributes.values.contains_key("email") => {
            attributes.values.insert("email_verified".to_owned(), Value::Bool(fixed == EmailVerified::Always));
        }
        _ => {}
    }
    Ok((attributes, trace))
}

/// A value of the type that its attribute must have.
enum Typed {
    List(Vec<String>),
    Other(Value),
}

/// The value of a rule, and the problems that were found while evaluating it.
type Found = (Option<Typed>, Vec<String>);

/// The value of a rule written in the file: the first alternative that is present is used, and its type must fit.
fn written(rule: &ClaimRule, bindings: &Bindings<'_>) -> Found {
    let found = first_present(&rule.alternatives, bindings).map_err(|(_, error)| error.to_string());
    match found.and_then(|found| found.map_or(Ok(None), |(value, _)| typed(&rule.name, value))) {
        Ok(value) => (value, Vec::new()),
        Err(problem) => (None, vec![problem]),
    }
}

/// The value of a default rule: the first alternative that is present and whose type fits. A claim of another type is skipped,
/// because a claim that nobody asked for must not prevent a sign-in.
fn fitting(rule: &ClaimRule, bindings: &Bindings<'_>) -> Found {
    let mut problems = Vec::new();
    for alternative in &rule.alternatives {
        let found = first_present(std::slice::from_ref(alternative), bindings).map_err(|(_, error)| error.to_string());
        match found.and_then(|found| found.map_or(Ok(None), |(value, _)| typed(&rule.name, value))) {
            Ok(Some(value)) => return (Some(value), problems),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (None, problems)
}

/// A value converted to the type of its attribute; `None` if nothing remains of it.
fn typed(attribute: &str, value: Value) -> Result<Option<Typed>, String> {
    let kind = claim_type(attribute);
    match value {
        value if kind == ClaimType::List => match string_list(value) {
            Ok(list) => Ok(Some(Typed::List(list))),
            Err(found) => Err(format!("it must be a string or a list of strings, but it is {found}")),
        },
        value if !fits(kind, &value) => Err(format!("it has the wrong type: it is {}", described(&value))),
        // A member of the address is also a claim: without a value it is omitted (OIDC Core §5.1.1, §5.3.2).
        Value::Object(mut members) if kind == ClaimType::Object => {
            members.retain(|_, member| !is_absent(member));
            Ok((!members.is_empty()).then_some(Typed::Other(Value::Object(members))))
        }
        value => Ok(Some(Typed::Other(value))),
    }
}

/// Assigns a mapped value to its field.
fn place(policy: &Policy, rule: &ClaimRule, value: Typed, attributes: &mut Attributes, trace: &mut Trace) {
    let name = rule.name.as_str();
    let source = Some(&rule.source);
    match value {
        Typed::List(mut list) => {
            let flag = if name == "groups" { IgnoreCase::Groups } else { IgnoreCase::Roles };
            if policy.ignore_case.contains(&flag) {
                list.iter_mut().for_each(|item| *item = item.to_lowercase());
            }
            let list = distinct(list);
            trace.add(Stage::Claims, source, format!("{name}: {} mapped", list.len()));
            if name == "groups" {
                attributes.groups = list
            } else {
                attributes.roles = list
            }
            return;
        }
        Typed::Other(value) if name == "username" => {
            let text = value.as_str().unwrap_or_default();
            let folded =
                if policy.ignore_case.contains(&IgnoreCase::Username) { text.to_lowercase() } else { text.to_owned() };
            attributes.username = Some(folded);
        }
        Typed::Other(value) => {
            attributes.values.insert(name.to_owned(), value);
        }
    }
    if !rule.by_default {
        trace.add(Stage::Claims, source, format!("{name} mapped"));
    }
}

/// Evaluates the lists of those who may sign in, and `allow`.
fn admit(
    policy: &Policy,
    provider: &ProviderPolicy,
    claims: &Map<String, Value>,
    attributes: &Attributes,
    mut trace: Trace,
) -> Result<Trace, Refusal> {
    for (name, condition) in provider.conditions() {
        let bindings = Bindings::read_by(&policy.engine, condition.expression.reads())
            .with("claims", Variable::object(claims))
            .with("user", user_variable(attributes))
            .with("provider", Variable::text(&provider.id));
        let source = Some(&condition.source);
        match condition.expression.holds(&bindings) {
            Ok(true) => trace.add(Stage::Allow, source, format!("{name} holds")),
            outcome => return Err(trace.refuse(Stage::Allow, source, Reason::NotAllowed, unmet(name, outcome))),
        }
    }
    Ok(trace)
}

/// Describes why a condition refuses.
pub(crate) fn unmet(name: &str, outcome: Result<bool, ConditionError>) -> String {
    match outcome {
        Ok(_) => format!("{name} does not hold"),
        Err(error) => format!("{name} is neither true nor false: {error}"),
    }
}

/// The `user` variable of `allow`: every mapped attribute.
fn user_variable(attributes: &Attributes) -> Variable<'_> {
    let user = Variable::object(&attributes.values)
        .with("groups", Variable::strings(&attributes.groups))
        .with("roles", Variable::strings(&attributes.roles));
    match &attributes.username {
        Some(username) => user.with("username", Variable::text(username)),
        None => user,
    }
}

/// One of an app's own claims: its name, its value (`None` if it is to be removed), and where it is declared.
pub(crate) type OwnClaim = (String, Option<Value>, Source);

/// Evaluates an app's own claims.
///
/// # Errors
/// [`Reason::AppClaimFailed`] with the place of the rule that failed.
pub(crate) fn app_claims(rules: &[ClaimRule], bindings: &Bindings<'_>) -> Result<Vec<OwnClaim>, (Source, String)> {
    rules
        .iter()
        .map(|rule| {
            let failed = |text: String| (rule.source.clone(), format!("{} can't be made: {text}", rule.name));
            let value = match first_present(&rule.alternatives, bindings) {
                Ok(found) => found.map(|(value, _)| value),
                Err((_, error)) => return Err(failed(error.to_string())),
            };
            let value = match value {
                Some(value) if matches!(rule.name.as_str(), "groups" | "roles") => {
                    Some(string_list(value).map_err(|found| failed(format!("it is {found}")))?.into())
                }
                other => other,
            };
            Ok((rule.name.clone(), value, rule.source.clone()))
        })
        .collect()
}

/// The items in order, without duplicates and empty strings.
pub(crate) fn distinct(list: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity_and_hasher(list.len(), foldhash::quality::RandomState::default());
    let keep: Vec<bool> = list.iter().map(|item| !item.is_empty() && seen.insert(item.as_str())).collect();
    list.into_iter().zip(keep).filter_map(|(item, keep)| keep.then_some(item)).collect()
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
