//! Where a configuration names secrets.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::diagnostics::path::At;
use crate::config::language::groups_from::GroupsFrom;
use crate::config::language::scalar::{Secret, SecretSource};

/// Calls `visit` with every secret of a configuration and its path.
pub(crate) fn each_secret(config: &Config, visit: &mut dyn FnMut(&At<'_>, &Secret)) {
    let mut one = |at: &At<'_>, secret: Option<&Secret>| {
        if let Some(secret) = secret {
            visit(at, secret);
        }
    };
    one(&At::Root.key("admin").key("token"), config.admin.token.as_ref());
    let keys = At::Root.key("store");
    let keys = keys.key("encryption_keys");
    for (index, key) in config.store.encryption_keys.iter().enumerate() {
        one(&keys.index(index), Some(key));
    }
    let providers = At::Root.key("providers");
    for (id, provider) in &config.providers {
        one(&providers.key(id).key("client_secret"), provider.client_secret.as_ref());
        one(&providers.key(id).key("client_key"), provider.client_key.as_ref());
        let groups = provider.groups_from.as_ref().and_then(GroupsFrom::settings);
        let credentials = groups.and_then(|groups| groups.credentials.as_ref());
        one(&providers.key(id).key("groups_from").key("credentials"), credentials);
    }
    let clients = At::Root.key("clients");
    for (id, client) in &config.clients {
        one(&clients.key(id).key("client_secret"), client.client_secret.as_ref());
    }
    let break_glass = config.break_glass.as_ref().and_then(|section| section.password_hash.as_ref());
    one(&At::Root.key("break_glass").key("password_hash"), break_glass);
    let registration = config.registration.as_ref().and_then(|section| section.initial_access_token.as_ref());
    let headers = At::Root.key("telemetry");
    let headers = headers.key("headers");
    for (name, header) in config.telemetry.iter().flat_map(|section| &section.headers) {
        one(&headers.key(name), Some(header));
    }
    one(&At::Root.key("registration").key("initial_access_token"), registration);
}

/// The environment variables that secrets are read from.
pub(crate) fn variables(config: &Config) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_secret(config, &mut |_, secret| {
        names.extend(secret.sources().iter().filter_map(|source| match source {
            SecretSource::Env(env) => Some(env.env.clone()),
            SecretSource::Literal(_) | SecretSource::File(_) => None,
        }));
    });
    names
}
