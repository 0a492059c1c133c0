//! Sample values of the console's pages.

use crate::pages::console::configuration::{
    ChangeRow, ConsoleClient, ConsoleClients, ConsoleConfiguration, ConsoleOverview, ConsoleProvider, ConsoleProviders,
    ConsoleRole, ConsoleRoles, EntryRow, GenerationRow, ProviderRow, ReplicaRow, RoleRow, RoleWay, RoleWayName,
    SettingRow, UnusableRow,
};
use crate::pages::console::events::{ConsoleEvents, Count, EventFilter, EventRow, Options};
use crate::pages::own::{Did, Notice, Paging, Shell};
use crate::pages::sample::{Sample, sample, text};

pub(crate) const AT: i64 = 1_793_491_200;

/// Adds them.
pub(crate) fn add(all: &mut Vec<Sample>) {
    overview(all);
    providers(all);
    clients(all);
    roles(all);
    configuration(all);
    events(all);
}

pub(crate) fn shell(did: Option<Did>) -> Shell {
    Shell {
        layout: "_console.html",
        section: "overview",
        user_name: text("Person"),
        sign_out_path: "/oauth2/logout".to_owned(),
        certificates: false,
        notice: did.map(|did| Notice { key: did.key(), about: text("about") }),
    }
}

pub(crate) fn path() -> String {
    "/console/sample?id=1".to_owned()
}

pub(crate) fn paging() -> Paging {
    Paging { first: Some(path()), next: Some(path()) }
}

fn count() -> Count {
    Count { name: text("reason"), count: 3, path: path() }
}

fn provider(health: &'static str) -> ProviderRow {
    ProviderRow {
        id: text("id"),
        name: text("Provider"),
        enabled: health != "unknown",
        hidden: true,
        issuer: text("issuer"),
        client_id: text("client"),
        backchannel_url: Some(text("backchannel")),
        redirect_uri: text("redirect"),
        create_users: true,
        create_roles: false,
        health,
        last_success: Some(AT),
        failed_at: Some(AT),
        last_error: Some(text("error")),
        path: path(),
    }
}

fn bare_provider() -> ProviderRow {
    ProviderRow {
        enabled: true,
        hidden: false,
        backchannel_url: None,
        last_success: None,
        failed_at: None,
        last_error: None,
        ..provider("unknown")
    }
}

fn setting() -> SettingRow {
    SettingRow { key: text("key"), value: text("value"), place: text("place") }
}

fn overview(all: &mut Vec<Sample>) {
    let full = ConsoleOverview {
        shell: shell(Some(Did::UserDisabled)),
        issuer: text("issuer"),
        generation: 7,
        hash: "0123456789ab".to_owned(),
        problems: Some(text("problems")),
        providers: 2,
        clients: 3,
        roles: 4,
        failing: vec![provider("failing"), bare_provider()],
        refusals: vec![count()],
        refusals_by_client: vec![count()],
        refusals_by_provider: vec![count()],
    };
    let bare = ConsoleOverview {
        shell: shell(None),
        problems: None,
        failing: Vec::new(),
        refusals: Vec::new(),
        refusals_by_client: Vec::new(),
        refusals_by_provider: Vec::new(),
        ..full.clone()
    };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
}

fn providers(all: &mut Vec<Sample>) {
    let rows = ["ok", "failing", "unknown"].map(provider).into_iter().chain([bare_provider()]).collect();
    let full = ConsoleProviders { shell: shell(None), providers: rows, paging: paging() };
    let bare = ConsoleProviders { providers: Vec::new(), paging: Paging::default(), ..full.clone() };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
    let unusable = vec![UnusableRow { endpoint: text("endpoint"), problem: text("problem") }];
    let full = ConsoleProvider { shell: shell(None), provider: provider("ok"), unusable, settings: vec![setting()] };
    let bare =
        ConsoleProvider { provider: bare_provider(), unusable: Vec::new(), settings: Vec::new(), ..full.clone() };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
}

fn clients(all: &mut Vec<Sample>) {
    let entry =
        EntryRow { key: text("key"), name: text("App"), enabled: false, require: Some(text("require")), path: path() };
    let open = EntryRow { enabled: true, require: None, ..entry.clone() };
    let full = ConsoleClients { shell: shell(None), clients: vec![entry.clone(), open.clone()], paging: paging() };
    let bare = ConsoleClients { clients: Vec::new(), paging: Paging::default(), ..full.clone() };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
    for client in [entry, open] {
        let view = ConsoleClient {
            shell: shell(None),
            client,
            client_id: text("id"),
            resolved: vec![SettingRow { place: String::new(), ..setting() }],
            settings: vec![setting()],
            refusals_path: path(),
            revoke_path: path(),
        };
        all.push(sample(&view, &[]));
    }
}

fn roles(all: &mut Vec<Sample>) {
    let role = RoleRow {
        name: text("role"),
        system: true,
        description: Some(text("description")),
        permissions: vec![text("a"), text("b")],
        place: Some(text("place")),
        path: path(),
    };
    let bare_role = RoleRow { system: false, description: None, permissions: Vec::new(), place: None, ..role.clone() };
    let full = ConsoleRoles { shell: shell(None), roles: vec![role.clone(), bare_role.clone()], paging: paging() };
    let bare = ConsoleRoles { roles: Vec::new(), paging: Paging::default(), ..full.clone() };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
    let names = vec![RoleWayName { name: text("group"), from: vec![text("from")] }];
    let way = RoleWay { text: text("way"), place: text("place"), names };
    all.push(sample(&ConsoleRole { shell: shell(None), role, ways: vec![way] }, &[]));
    all.push(sample(&ConsoleRole { shell: shell(None), role: bare_role, ways: Vec::new() }, &[]));
}

fn configuration(all: &mut Vec<Sample>) {
    let replica = ReplicaRow {
        host: text("host"),
        id: text("id"),
        this: true,
        hash: text("hash"),
        generation: 3,
        started_at: AT,
        seen_at: AT,
    };
    let (old, new) = (Some(text("old")), Some(text("new")));
    let change = |before, after| ChangeRow { path: text("path"), before, after };
    let generation = |happened: &'static str| GenerationRow {
        happened,
        number: 3,
        hash: text("hash"),
        host: text("host"),
        at: AT,
        changes: vec![change(old.clone(), new.clone()), change(None, new.clone()), change(old.clone(), None)],
        more: 5,
        problems: text("problems"),
    };
    let bare = GenerationRow {
        hash: String::new(),
        changes: Vec::new(),
        more: 0,
        problems: String::new(),
        ..generation("applied")
    };
    let full = ConsoleConfiguration {
        shell: shell(None),
        replicas: vec![replica.clone(), ReplicaRow { this: false, ..replica }],
        differ: true,
        problems: Some(text("problems")),
        generations: ["started", "applied", "refused"].map(generation).into_iter().chain([bare]).collect(),
    };
    let bare = ConsoleConfiguration {
        replicas: Vec::new(),
        differ: false,
        problems: None,
        generations: Vec::new(),
        ..full.clone()
    };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
}

fn events(all: &mut Vec<Sample>) {
    let options = || Options { chosen: text("b"), values: vec![text("a"), text("b")] };
    let event = EventRow {
        at: AT,
        name: text("name"),
        message: text("message"),
        reason: Some(text("reason")),
        user: Some(text("person")),
        user_path: Some(path()),
        client: Some(text("client")),
        provider: Some(text("provider")),
        address: Some(text("address")),
        actor: Some(text("actor")),
        detail: Some(text("detail")),
        trace_path: Some(path()),
        bad: true,
    };
    let nameless = EventRow { user_path: None, ..event.clone() };
    let bare_event = EventRow {
        reason: None,
        user: None,
        user_path: None,
        client: None,
        provider: None,
        address: None,
        actor: None,
        detail: None,
        trace_path: None,
        bad: false,
        ..event.clone()
    };
    let full = ConsoleEvents {
        shell: shell(None),
        refusals: true,
        counts: vec![count()],
        counted_at_most: Some(1000),
        filter: EventFilter {
            action: path(),
            kind: Some(options()),
            reason: options(),
            provider: options(),
            client: text("client"),
            user: text("user"),
            address: text("address"),
            unknown_user: true,
        },
        events: vec![event, nameless, bare_event],
        paging: paging(),
    };
    let bare = ConsoleEvents {
        refusals: false,
        counts: Vec::new(),
        counted_at_most: None,
        filter: EventFilter::default(),
        events: Vec::new(),
        paging: Paging::default(),
        ..full.clone()
    };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
}
