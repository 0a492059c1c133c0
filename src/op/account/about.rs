//! Who the broker thinks a visitor is, and what each part of it rests on: the provider's claims, a rule of the file, or an
//! entry of the person's own.

use std::path::Path;

use serde_json::Value;

use crate::decision::pipeline::{Evidence, begin};
use crate::decision::policy::{ClaimRule, ProviderPolicy};
use crate::decision::trace::{RoleOrigin, Source, Step};
use crate::op::RequestContext;
use crate::op::authorize::stage::Admitted;
use crate::op::error::PageError;
use crate::store::AccountQuery;
use crate::store::model::Link;

/// What something known about a visitor rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The provider says so.
    Provider,
    /// The provider says so, of a role that nobody declares.
    System,
    /// A rule gives it.
    Rule,
    /// It is given to this person by name.
    Given,
    /// It is given to those who have nothing else.
    Default,
    /// An earlier sign-in brought it, and this one says nothing else.
    Earlier,
}

impl Origin {
    /// Its name on pages.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::System => "system",
            Self::Rule => "rule",
            Self::Given => "given",
            Self::Default => "default",
            Self::Earlier => "earlier",
        }
    }

    const fn of_role(origin: RoleOrigin) -> Self {
        match origin {
            RoleOrigin::Asserted => Self::Provider,
            RoleOrigin::System => Self::System,
            RoleOrigin::Rule => Self::Rule,
            RoleOrigin::User | RoleOrigin::BreakGlass => Self::Given,
            RoleOrigin::Default => Self::Default,
        }
    }
}

/// One reason for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// What it rests on.
    pub origin: Origin,
    /// The expression or the pattern of the file, where there is one.
    pub rule: Option<String>,
    /// The line of the file, where there is one.
    pub place: Option<String>,
}

/// Something that a visitor has, with the reasons for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known<T = ()> {
    /// Its name.
    pub name: String,
    /// Its value, where it has one.
    pub value: T,
    /// Why.
    pub why: Vec<Why>,
}

/// Who the broker thinks a visitor is.
pub struct About {
    /// The upstream account that vouched for this session.
    pub link: Link,
    /// Every upstream account of theirs.
    pub links: Vec<Link>,
    /// The attributes.
    pub attributes: Vec<Known<Value>>,
    /// The groups.
    pub groups: Vec<Known>,
    /// The roles.
    pub roles: Vec<Known>,
}

/// The place of a line, without the folders of the server; `None` for what no line sets.
pub(super) fn place(context: &RequestContext<'_>, source: &Source) -> Option<String> {
    let main = context.services.sources.as_ref().map(|sources| sources.inputs.main.as_path());
    (source.line > 0).then(|| format!("{}:{}", from_folder_of(main, &source.file), source.line))
}

/// A file as seen from the folder of the main file; of a file that is elsewhere, its name alone.
fn from_folder_of<'f>(main: Option<&Path>, file: &'f str) -> &'f str {
    let path = Path::new(file);
    let below = main.and_then(Path::parent).and_then(|folder| path.strip_prefix(folder).ok());
    let shown = below.filter(|below| below.is_relative()).or_else(|| path.file_name().map(Path::new));
    shown.and_then(Path::to_str).unwrap_or(file)
}

/// The upstream account that vouched for a visitor's session.
///
/// # Errors
/// When it is gone, or the store is not available.
pub async fn link(context: &RequestContext<'_>, visitor: &Admitted) -> Result<Link, PageError> {
    let query = AccountQuery { key: Some(visitor.session.link.clone()), ..AccountQuery::default() };
    let linked = context.store().accounts(query).await?.linked.map(|(_, link)| link);
    linked.ok_or_else(|| PageError::new(403, "session_expired", "the upstream account was unlinked meanwhile"))
}

/// Who the broker thinks the visitor is.
///
/// # Errors
/// When the store is not available.
pub async fn about(context: &RequestContext<'_>, visitor: &Admitted) -> Result<About, PageError> {
    let link = link(context, visitor).await?;
    let person = context.store().user(&visitor.user.username_key).await?;
    let links = person.map(|person| person.links).unwrap_or_default();
    Ok(About {
        attributes: attributes(context, visitor, &link),
        groups: groups(context, visitor),
        roles: roles(context, visitor),
        link,
        links,
    })
}

fn provider<'c>(context: &'c RequestContext<'_>, visitor: &Admitted) -> Option<&'c ProviderPolicy> {
    context.snapshot.policy.providers.get(&visitor.decision.provider)
}

/// The reason that the mapping of a claim gives.
fn by_mapping(context: &RequestContext<'_>, visitor: &Admitted, name: &str, origin: Origin) -> Why {
    let provider = provider(context, visitor);
    let rule = provider.and_then(|provider| provider.claims.iter().find(|rule| rule.name == name));
    let written = rule.filter(|rule| !rule.by_default);
    let text = |rule: &ClaimRule| rule.alternatives.iter().map(|one| one.source()).collect::<Vec<_>>().join(", ");
    Why { origin, rule: written.map(text), place: written.and_then(|rule| place(context, &rule.source)) }
}

fn attributes(context: &RequestContext<'_>, visitor: &Admitted, link: &Link) -> Vec<Known<Value>> {
    let (key, claims) = (&link.key, &link.claims);
    let evidence = Evidence { provider: &key.provider, issuer: Some(&key.issuer), subject: &key.subject, claims };
    let mapped = begin(&context.snapshot.policy, &evidence).ok();
    let fresh = |name: &str| mapped.as_ref().and_then(|mapped| mapped.attributes().values.get(name).cloned());
    let known = |(name, value): (&String, &Value)| {
        let origin = if fresh(name).as_ref() == Some(value) { Origin::Provider } else { Origin::Earlier };
        Known { name: name.clone(), value: value.clone(), why: vec![by_mapping(context, visitor, name, origin)] }
    };
    visitor.decision.profile.iter().map(known).collect()
}

fn groups(context: &RequestContext<'_>, visitor: &Admitted) -> Vec<Known> {
    let declared = context.snapshot.policy.declared(&visitor.decision.account.username);
    let known = |name: &String| {
        let given = declared.filter(|user| user.groups.contains(name));
        let why = match given {
            Some(user) => Why { origin: Origin::Given, rule: None, place: place(context, &user.source) },
            None => by_mapping(context, visitor, "groups", Origin::Provider),
        };
        Known { name: name.clone(), value: (), why: vec![why] }
    };
    visitor.decision.groups.iter().map(known).collect()
}

fn roles(context: &RequestContext<'_>, visitor: &Admitted) -> Vec<Known> {
    let steps: Vec<&Step> = visitor.decision.trace.steps.iter().filter(|step| step.gives.is_some()).collect();
    let known = |name: &String| {
        let why = steps.iter().filter_map(|step| of_role(context, name, step));
        Known { name: name.clone(), value: (), why: why.collect() }
    };
    visitor.decision.granted.roles.iter().map(known).collect()
}

/// The reason that a step of the decision gives for a role.
fn of_role(context: &RequestContext<'_>, role: &str, step: &Step) -> Option<Why> {
    let (_, origin) = step.gives.as_ref().filter(|(given, _)| given == role)?;
    let origin = Origin::of_role(*origin);
    let rules = &context.snapshot.policy.role_rules;
    let rule = step.source.as_ref().and_then(|source| rules.iter().find(|rule| rule.source == *source));
    let when = rule.and_then(|rule| rule.when.as_ref()).map(|when| when.expression.source().to_owned());
    Some(Why { origin, rule: when, place: step.source.as_ref().and_then(|source| place(context, source)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_folder_of_the_server_is_shown() {
        for (main, file, shown) in [
            ("broker.toml", "broker.toml", "broker.toml"),
            ("broker.toml", "/run/broker/overlay.toml", "overlay.toml"),
            ("./broker.toml", "./clients/app.toml", "clients/app.toml"),
            ("/etc/countersign/broker.toml", "/etc/countersign/broker.toml", "broker.toml"),
            ("/etc/countersign/broker.toml", "/etc/countersign/clients/app.toml", "clients/app.toml"),
            ("/etc/countersign/broker.toml", "/srv/team/overlay.toml", "overlay.toml"),
            ("/etc/countersign/broker.toml", "/etc/countersign-test/overlay.toml", "overlay.toml"),
        ] {
            assert_eq!(from_folder_of(Some(Path::new(main)), file), shown, "{main}: {file}");
        }
        assert_eq!(from_folder_of(None, "/etc/countersign/broker.toml"), "broker.toml");
    }
}
