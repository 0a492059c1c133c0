//! The roles of the file, and those that providers made.

use std::collections::BTreeMap;

use crate::op::RequestContext;
use crate::store::Result;

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Whether a provider made it: no line declares it.
    pub system: bool,
    /// What it is for, as the file says.
    pub description: Option<String>,
    /// Its permissions.
    pub permissions: Vec<String>,
    /// Where it is declared.
    pub place: Option<String>,
}

/// All roles by their names.
///
/// # Errors
/// When the store is not available.
pub async fn all(context: &RequestContext<'_>) -> Result<BTreeMap<String, Role>> {
    let snapshot = context.snapshot;
    let declared = snapshot.policy.roles.iter().map(|(name, (permissions, source))| {
        let description = snapshot.config.roles.get(name).and_then(|role| role.description.clone());
        let place = Some(source.to_string());
        (name.clone(), Role { system: false, description, permissions: permissions.clone(), place })
    });
    let mut roles: BTreeMap<String, Role> = declared.collect();
    for name in context.store().system_roles().await? {
        roles.entry(name).or_insert_with(|| Role { system: true, ..Role::default() });
    }
    Ok(roles)
}
