//! The connector `github` of Dex → `[providers.X]` with preset `github`.
//!
//! Dex lets members of the listed organisations in, of some only members of listed teams, and names teams `org:team`. The preset
//! names them `org/slug`.

use serde_json::Value;

use crate::config::language::cel_source::{cel_list, cel_text};
use crate::import::document::{Mark, Table};
use crate::import::read::{is_set, items, on, text, texts};
use crate::import::words;

/// Keys of the connector's `config` that are read here, or where the callback and the credentials are.
pub(crate) const KNOWN: &[&str] = &[
    "clientID",
    "clientSecret",
    "redirectURI",
    "org",
    "orgs",
    "hostName",
    "rootCA",
    "loadAllGroups",
    "teamNameField",
    "useLoginAsID",
    "preferredEmailDomain",
];

/// Writes what is GitHub's own: its address, who may sign in, and the names of groups.
pub(crate) fn convert(config: &Value, table: &mut Table, claims: &mut Table) {
    table.set("preset", "github");
    let host = text(config, "hostName").filter(|host| host != "github.com");
    if let Some(host) = &host {
        table.set("base_url", format!("https://{host}"));
    }
    let organizations = organizations(config);
    if organizations.is_empty() {
        words::set_allow(table, &format!("https://{}", host.as_deref().unwrap_or("github.com")), &[]);
    } else {
        let names: Vec<String> = organizations.iter().map(|organization| organization.name.clone()).collect();
        table.set("organizations", names);
        if organizations.iter().any(|organization| !organization.teams.is_empty()) {
            let who: Vec<String> = organizations.iter().map(Organization::admits).collect();
            table.set("allow", who.join(" || "));
        }
    }
    groups(config, &organizations, table, claims);
    left_out(config, table);
}

/// An organisation, and the teams in it whose members may sign in, as `org/slug`. None: all members may.
struct Organization {
    name: String,
    teams: Vec<String>,
}

impl Organization {
    /// The condition for its members.
    fn admits(&self) -> String {
        match self.teams.is_empty() {
            true => format!("{} in claims.groups", cel_text(&self.name)),
            false => format!("claims.groups.intersects({})", cel_list(&self.teams)),
        }
    }

    /// The condition for a group `g` to be one of its teams that Dex passes on.
    fn passes(&self) -> String {
        match self.teams.is_empty() {
            true => format!("g.startsWith({})", cel_text(&format!("{}/", self.name))),
            false => format!("g in {}", cel_list(&self.teams)),
        }
    }
}

fn organizations(config: &Value) -> Vec<Organization> {
    let single = text(config, "org").map(|name| Organization { name, teams: Vec::new() });
    let listed = items(config, "orgs").iter().filter_map(|organization| {
        let name = text(organization, "name")?;
        let teams = texts(organization, "teams").iter().map(|team| format!("{name}/{}", slug(team))).collect();
        Some(Organization { name, teams })
    });
    let listed: Vec<Organization> = listed.collect();
    if listed.is_empty() { single.into_iter().collect() } else { listed }
}

/// The slug that GitHub makes of a team's name.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let dashed: String = name.chars().map(plain).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn groups(config: &Value, organizations: &[Organization], table: &mut Table, claims: &mut Table) {
    if organizations.is_empty() && !on(config, "loadAllGroups") {
        claims.note(
            Mark::Plain,
            "Dex takes no groups without `orgs` or `loadAllGroups`. Without this line they are taken.",
        );
        return claims.set("groups", "[]");
    }
    if text(config, "teamNameField").as_deref() != Some("slug") {
        let way = "Apps and rules that name a team by another name have to change";
        table.note(Mark::Changed, format!("teams are named by their slug, such as `platform-admins`. {way}."));
    }
    let named = ".map(g, g.replace('/', ':'))";
    if organizations.is_empty() {
        let teams = "claims.groups.filter(g, g.contains('/'))";
        claims.set("groups", format!("claims.organizations + {teams}{named}"));
    } else if text(config, "org").is_some() && items(config, "orgs").is_empty() {
        let teams: Vec<String> = organizations.iter().map(Organization::passes).collect();
        claims.set("groups", format!("claims.groups.filter(g, {}).map(g, g.after('/'))", teams.join(" || ")));
    } else {
        let teams: Vec<String> = organizations.iter().map(Organization::passes).collect();
        claims.set("groups", format!("claims.groups.filter(g, {}){named}", teams.join(" || ")));
    }
}

fn left_out(config: &Value, table: &mut Table) {
    if on(config, "useLoginAsID") {
        let why = "an account is known by GitHub's numeric id, which stays when the login changes";
        table.note(Mark::NotSupported, format!("`useLoginAsID`: {why}."));
    }
    if is_set(config, "preferredEmailDomain") {
        table.note(Mark::NotSupported, "`preferredEmailDomain`: the address is the primary one, if it is verified.");
    }
    if let Some(ca) = text(config, "rootCA") {
        table.set("ca", ca);
    }
    for note in words::unknown_keys(config, KNOWN) {
        table.note(Mark::ToDo, note);
    }
}
