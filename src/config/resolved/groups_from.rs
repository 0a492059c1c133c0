//! `[providers.X] groups_from`, resolved.

use crate::config::language::groups_from::{
    GroupSource, GroupsFrom as Declared, GroupsSettings, GroupsWhen, ScimAttribute,
};
use crate::config::language::provider::Provider;
use crate::config::language::refresh::RefreshUnavailable;
use crate::config::language::scalar::Duration;
use crate::config::resolved::preset;

/// Where a person's groups come from, if not from the provider's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupsFrom {
    /// The source.
    pub source: GroupSource,
    /// When it is asked.
    pub when: GroupsWhen,
    /// Younger groups are not asked for again, in seconds.
    pub max_age: i64,
    /// The oldest groups, in seconds, that serve while the source is unavailable; `None`: none do.
    pub max_stale: Option<i64>,
    /// The most groups that a person may have.
    pub max_groups: usize,
    /// Whether names are fetched too.
    pub names: bool,
    /// Whether access levels are fetched too.
    pub levels: bool,
    /// Whether groups of groups count.
    pub nested: bool,
    /// The address of the API, if it is not the service's own.
    pub url: Option<String>,
    /// The administrator for whom a service account acts.
    pub subject: Option<String>,
    /// The attribute by which a SCIM directory knows a person.
    pub attribute: ScimAttribute,
    /// The claim with its value.
    pub claim: String,
}

impl GroupsFrom {
    /// The source of a provider, or its preset's.
    #[must_use]
    pub fn of(declared: &Provider) -> Self {
        let source = declared.groups_from.as_ref().map(Declared::source);
        let none = GroupsSettings::default();
        let own = declared.groups_from.as_ref().and_then(Declared::settings).unwrap_or(&none);
        let source = source.or_else(|| preset::groups_from(declared)).unwrap_or_default();
        let when = if source == GroupSource::Graph { GroupsWhen::Overage } else { GroupsWhen::Always };
        let max_stale = own.max_stale.unwrap_or(Duration::hours(1)).seconds();
        let attribute = own.attribute.unwrap_or_default();
        let claim = if attribute == ScimAttribute::Email { "email" } else { "preferred_username" };
        let cached = own.unavailable.unwrap_or_default() == RefreshUnavailable::Cached;
        Self {
            source,
            when: own.when.unwrap_or(when),
            max_age: own.max_age.unwrap_or(Duration::minutes(5)).seconds(),
            max_stale: cached.then_some(max_stale),
            max_groups: own.max_groups.and_then(|most| usize::try_from(most).ok()).unwrap_or(2000),
            names: own.names.unwrap_or_default(),
            levels: own.levels.unwrap_or_default(),
            nested: own.nested.unwrap_or(true),
            url: own.url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            subject: own.subject.clone(),
            attribute,
            claim: own.claim.clone().unwrap_or_else(|| claim.to_owned()),
        }
    }
}
