//! Providers, clients, roles and generations of the configuration.

use crate::analysis::reach::reach;
use crate::config::language::scalar::Duration;
use crate::config::resolved;
use crate::decision::policy::key_segment;
use crate::op::console::{events, history, roles};
use crate::op::error::PageError;
use crate::pages::{
    ChangeRow, ConsoleClient, ConsoleClients, ConsoleConfiguration, ConsoleOverview, ConsoleProvider, ConsoleProviders,
    ConsoleRole, ConsoleRoles, Count, EntryRow, GenerationRow, ProviderRow, ReplicaRow, RoleRow, RoleWay, RoleWayName,
    SettingRow, UnusableRow,
};
use crate::protocol::console_paths::ConsolePage;
use crate::snapshot::history::Summary;
use crate::snapshot::settings::Change;
use crate::store::StoredGeneration;
use crate::upstream::ProviderSettings;
use crate::web::console::{Built, Desk};

/// The most failing providers on the first page.
const FAILING: usize = 20;
/// The most counts of refusals of one kind.
const COUNTS: usize = 20;
/// How much of a process's id is shown.
const SHORT_ID: usize = 8;

impl Desk<'_> {
    /// The first page.
    pub(crate) async fn overview(&self) -> Built<ConsoleOverview> {
        let context = &self.exchange.context;
        let snapshot = context.snapshot;
        let refusals = events::refusals(context).await?;
        let failing = snapshot.providers.values().filter(|settings| {
            let enabled = snapshot.provider(&settings.id).is_some_and(|provider| provider.enabled);
            enabled && context.services.upstreams.health(settings).healthy() == Some(false)
        });
        Ok(ConsoleOverview {
            shell: self.shell("overview"),
            issuer: snapshot.issuer.text.clone(),
            generation: snapshot.generation,
            hash: snapshot.hash.clone(),
            problems: context.services.reload_status.problems(),
            providers: snapshot.resolved.providers.len(),
            clients: snapshot.clients.len(),
            roles: roles::all(context).await?.len(),
            failing: failing.take(FAILING).filter_map(|settings| self.provider_row(settings)).collect(),
            refusals: self.refusal_counts("reason", &refusals.by_reason),
            refusals_by_client: self.refusal_counts("client", &refusals.by_client),
            refusals_by_provider: self.refusal_counts("provider", &refusals.by_provider),
        })
    }

    /// How often people were refused: each count leads to the list that is filtered by this parameter.
    pub(super) fn refusal_counts(&self, parameter: &str, counted: &[(String, u64)]) -> Vec<Count> {
        let count = |(name, count): &(String, u64)| {
            let path = self.path(ConsolePage::Refusals, &[(parameter, name)]);
            Count { name: name.clone(), count: *count, path }
        };
        counted.iter().take(COUNTS).map(count).collect()
    }

    fn provider_row(&self, settings: &ProviderSettings) -> Option<ProviderRow> {
        let context = &self.exchange.context;
        let snapshot = context.snapshot;
        let resolved = snapshot.provider(&settings.id)?;
        let policy = snapshot.policy.providers.get(&settings.id)?;
        let health = context.services.upstreams.health(settings);
        Some(ProviderRow {
            id: settings.id.clone(),
            name: resolved.name.clone(),
            enabled: resolved.enabled,
            hidden: resolved.hidden,
            issuer: policy.issuer.clone(),
            client_id: settings.client_id.clone(),
            backchannel_url: settings.source.backchannel.as_ref().map(ToString::to_string),
            redirect_uri: resolved.redirect_uri.clone(),
            create_users: policy.create_users.0,
            create_roles: policy.create_roles,
            health: match health.healthy() {
                Some(true) => "ok",
                Some(false) => "failing",
                None => "unknown",
            },
            last_success: health.last_success,
            failed_at: health.last_error.as_ref().map(|(at, _)| *at),
            last_error: health.last_error.map(|(_, error)| error.to_string()),
            path: self.path(ConsolePage::Provider, &[("id", &settings.id)]),
        })
    }

    /// The providers.
    pub(crate) fn providers(&self) -> ConsoleProviders {
        let (entries, paging) = self.entries(&self.exchange.context.snapshot.providers, ConsolePage::Providers, &[]);
        let providers = entries.into_iter().filter_map(|(_, settings)| self.provider_row(settings)).collect();
        ConsoleProviders { shell: self.shell("providers"), providers, paging }
    }

    /// One provider.
    pub(crate) fn provider(&self) -> Built<ConsoleProvider> {
        let id = self.needed("id")?;
        let context = &self.exchange.context;
        let unknown = || PageError::new(404, "not_found", "no such provider");
        let settings = context.snapshot.providers.get(id).ok_or_else(unknown)?;
        let unusable = context.services.upstreams.health(settings).unusable_endpoints;
        let unusable = unusable
            .iter()
            .map(|one| UnusableRow { endpoint: one.endpoint.to_owned(), problem: one.problem.to_string() })
            .collect();
        Ok(ConsoleProvider {
            shell: self.shell("providers"),
            provider: self.provider_row(settings).ok_or_else(unknown)?,
            unusable,
            settings: self.settings("providers", id),
        })
    }

    /// What the file says of an entry of a section.
    fn settings(&self, section: &str, key: &str) -> Vec<SettingRow> {
        let table = format!("{section}.{}", key_segment(key));
        let below = self.exchange.context.snapshot.settings.below(&table);
        let row = |setting: &crate::snapshot::settings::Setting| SettingRow {
            key: setting.path.get(table.len() + 1..).unwrap_or_default().to_owned(),
            value: setting.value.to_string(),
            place: setting.place.to_string(),
        };
        below.map(row).collect()
    }

    fn entry(&self, key: &str, client: &resolved::Client) -> EntryRow {
        let policy = self.exchange.context.snapshot.policy.clients.get(key);
        let require = policy.and_then(|policy| policy.require.as_ref());
        EntryRow {
            key: key.to_owned(),
            name: self.client_name(key),
            enabled: client.enabled,
            require: require.map(|require| require.expression.source().to_owned()),
            path: self.path(ConsolePage::Client, &[("id", key)]),
        }
    }

    /// The clients.
    pub(crate) fn clients(&self) -> ConsoleClients {
        let (entries, paging) = self.entries(&self.exchange.context.snapshot.clients, ConsolePage::Clients, &[]);
        let clients = entries.into_iter().map(|(key, client)| self.entry(key, client)).collect();
        ConsoleClients { shell: self.shell("clients"), clients, paging }
    }

    /// One client.
    pub(crate) fn client(&self) -> Built<ConsoleClient> {
        let key = self.needed("id")?;
        let client = self.exchange.context.snapshot.clients.get(key);
        let client = client.ok_or_else(|| PageError::new(404, "not_found", "no such client"))?;
        Ok(ConsoleClient {
            shell: self.shell("clients"),
            client: self.entry(key, client),
            client_id: client.client_id.clone(),
            resolved: in_force(client),
            settings: self.settings("clients", key),
            refusals_path: self.path(ConsolePage::Refusals, &[("client", key)]),
            revoke_path: self.path(ConsolePage::RevokeClient, &[("id", key)]),
        })
    }

    fn role_row(&self, name: &str, role: &roles::Role) -> RoleRow {
        RoleRow {
            name: name.to_owned(),
            system: role.system,
            description: role.description.clone(),
            permissions: role.permissions.clone(),
            place: role.place.clone(),
            path: self.path(ConsolePage::Role, &[("name", name)]),
        }
    }

    /// The roles.
    pub(crate) async fn roles(&self) -> Built<ConsoleRoles> {
        let all = roles::all(&self.exchange.context).await?;
        let (entries, paging) = self.entries(&all, ConsolePage::Roles, &[]);
        let roles = entries.into_iter().map(|(name, role)| self.role_row(name, role)).collect();
        Ok(ConsoleRoles { shell: self.shell("roles"), roles, paging })
    }

    /// One role. A role that a rule makes of captures is known by its ways alone.
    pub(crate) async fn role(&self) -> Built<ConsoleRole> {
        let name = self.needed("name")?;
        let snapshot = self.exchange.context.snapshot;
        let found = reach(&snapshot.config, &snapshot.policy, name);
        let known = roles::all(&self.exchange.context).await?.remove(name);
        if known.is_none() && found.ways.is_empty() {
            return Err(PageError::new(404, "not_found", "no such role"));
        }
        let ways = found.ways.into_iter().map(|way| RoleWay {
            text: way.text,
            place: way.place,
            names: way
                .names
                .into_iter()
                .map(|name| RoleWayName {
                    name: format!("{} {}", name.list.trim_end_matches('s'), name.name),
                    from: name.from,
                })
                .collect(),
        });
        let role = self.role_row(name, &known.unwrap_or_default());
        Ok(ConsoleRole { shell: self.shell("roles"), role, ways: ways.collect() })
    }

    /// Generations of the configuration.
    pub(crate) async fn configuration(&self) -> Built<ConsoleConfiguration> {
        let context = &self.exchange.context;
        let found = history::read(context).await?;
        let this = context.services.history.replica();
        let hashes = found.replicas.windows(2).any(|pair| matches!(pair, [a, b] if a.hash != b.hash));
        let replicas = found.replicas.into_iter().map(|replica| ReplicaRow {
            this: replica.id == this,
            id: replica.id.chars().take(SHORT_ID).collect(),
            host: replica.host,
            hash: replica.hash,
            generation: replica.generation,
            started_at: replica.started_at,
            seen_at: replica.seen_at,
        });
        Ok(ConsoleConfiguration {
            shell: self.shell("configuration"),
            replicas: replicas.collect(),
            differ: hashes,
            problems: context.services.reload_status.problems(),
            generations: found.generations.into_iter().map(generation).collect(),
        })
    }
}

fn generation((row, summary): (StoredGeneration, Summary)) -> GenerationRow {
    let change = |change: Change| ChangeRow { path: change.path, before: change.before, after: change.after };
    GenerationRow {
        happened: summary.happened.name(),
        number: row.number,
        hash: row.hash,
        host: summary.host,
        at: row.at,
        changes: summary.changes.into_iter().map(change).collect(),
        more: summary.more,
        problems: summary.problems,
    }
}

/// What holds for a client, whether or not the file says it.
fn in_force(client: &resolved::Client) -> Vec<SettingRow> {
    let seconds = |duration: Duration| duration_text(duration.seconds());
    let list = |items: Vec<String>| items.join(", ");
    let uris = |uris: &[String]| uris.join(", ");
    let refresh = &client.tokens.refresh_token;
    let rows = [
        ("client_id", client.client_id.clone()),
        ("token_endpoint_auth_method", list(client.auth_methods.iter().map(|one| one.name().to_owned()).collect())),
        ("redirect_uris", uris(&client.redirect_uris)),
        ("post_logout_redirect_uris", uris(&client.post_logout_redirect_uris)),
        ("grant_types", list(client.grant_types.iter().map(|one| one.name().to_owned()).collect())),
        ("response_types", list(client.response_types.iter().map(|one| one.name().to_owned()).collect())),
        ("scopes", client.scopes.join(" ")),
        ("providers", client.providers.as_ref().map(|providers| providers.join(", ")).unwrap_or_default()),
        ("pkce", if client.pkce_required { "required" } else { "auto" }.to_owned()),
        ("subject_type", client.subject_type.name().to_owned()),
        ("id_token_signed_response_alg", client.id_token_alg.name().to_owned()),
        ("tokens.access_token", seconds(client.tokens.access_token)),
        ("tokens.id_token", seconds(client.tokens.id_token)),
        ("tokens.refresh_token.max_inactive", seconds(refresh.max_inactive)),
        ("tokens.refresh_token.max_lifetime", seconds(refresh.max_lifetime)),
        ("dpop_bound_access_tokens", client.dpop_bound.to_string()),
    ];
    let row = |(key, value): (&str, String)| SettingRow { key: key.to_owned(), value, place: String::new() };
    rows.into_iter().filter(|(_, value)| !value.is_empty()).map(row).collect()
}

/// A duration as the file writes it.
fn duration_text(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.into_iter().find(|(length, _)| seconds > 0 && seconds % length == 0);
    whole.map_or_else(|| format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}
