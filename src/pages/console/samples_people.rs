//! Sample values of the console's pages about people.

use crate::pages::console::events::{ConsoleTrace, Obstacle, ReadRow};
use crate::pages::console::people::{
    AppRow, ConsentRow, ConsoleSession, ConsoleSessions, ConsoleUser, ConsoleUsers, ConsoleWhy, LinkRow, NearUser,
    UnmatchedRow, UserRow,
};
use crate::pages::console::samples::{AT, paging, path, shell};
use crate::pages::own::{Did, Paging};
use crate::pages::sample::{Sample, sample, text};
use crate::pages::views::TraceLine;

/// Adds them.
pub(crate) fn add(all: &mut Vec<Sample>) {
    users(all);
    decisions(all);
}

fn user(access: &'static str) -> UserRow {
    UserRow {
        username: text("person"),
        sub: text("sub"),
        access,
        providers: vec![text("Provider")],
        address: Some(text("address")),
        created_at: AT,
        path: path(),
    }
}

fn session(own: bool) -> ConsoleSession {
    ConsoleSession {
        id: text("sid"),
        username: text("person"),
        user_path: path(),
        device: own.then(|| text("Firefox")),
        provider_name: text("Provider"),
        created_at: AT,
        last_active: AT,
        expires_at: AT,
        own,
        end_path: path(),
    }
}

fn users(all: &mut Vec<Sample>) {
    let rows = ["enabled", "disabled_at_runtime", "disabled_in_file"].map(user);
    let nameless = UserRow { providers: Vec::new(), address: None, ..user("enabled") };
    let full = ConsoleUsers {
        shell: shell(None),
        query: text("query"),
        users: rows.into_iter().chain([nameless]).collect(),
        near: vec![
            NearUser { username: text("near"), path: path() },
            NearUser { username: text("other"), path: path() },
        ],
        paging: paging(),
    };
    let nobody = ConsoleUsers { users: Vec::new(), paging: Paging::default(), ..full.clone() };
    let bare = ConsoleUsers { query: String::new(), near: Vec::new(), ..nobody.clone() };
    all.extend([sample(&full, &[]), sample(&nobody, &[]), sample(&bare, &[])]);
    let link = LinkRow {
        provider_name: text("Provider"),
        issuer: text("issuer"),
        subject: text("subject"),
        verified_email: Some(text("address")),
        claims_at: AT,
        created_at: AT,
        valid: false,
        why_path: path(),
    };
    let consent =
        ConsentRow { client_name: text("App"), scopes: vec![text("scope")], granted_at: AT, revoke_path: path() };
    let full = ConsoleUser {
        shell: shell(Some(Did::UserWasDisabled)),
        user: user("enabled"),
        place: Some(text("place")),
        attributes: vec![(text("name"), text("value"))],
        links: vec![link.clone(), LinkRow { valid: true, verified_email: None, ..link }],
        sessions: vec![session(true), session(false)],
        sessions_path: Some(path()),
        consents: vec![consent],
        more_consents: 3,
        events_path: path(),
        access_path: Some(path()),
        end_sessions_path: Some(path()),
    };
    let bare = ConsoleUser {
        shell: shell(None),
        user: user("disabled_at_runtime"),
        place: None,
        attributes: Vec::new(),
        links: Vec::new(),
        sessions: Vec::new(),
        sessions_path: None,
        consents: Vec::new(),
        more_consents: 0,
        access_path: None,
        end_sessions_path: None,
        ..full.clone()
    };
    all.extend([sample(&full, &[]), sample(&bare, &[])]);
    let full = ConsoleSessions {
        shell: shell(None),
        user: None,
        sessions: vec![session(true), session(false)],
        paging: paging(),
    };
    let of_one = ConsoleSessions { user: Some(user("enabled")), ..full.clone() };
    let bare = ConsoleSessions { sessions: Vec::new(), paging: Paging::default(), ..full.clone() };
    all.extend([sample(&full, &[]), sample(&of_one, &[]), sample(&bare, &[])]);
}

fn steps() -> Vec<TraceLine> {
    let step = |place: Option<String>| TraceLine { stage: text("stage"), text: text("step"), place };
    vec![step(Some(text("place"))), step(None)]
}

fn obstacle() -> Obstacle {
    let read = |value: Option<String>, left_out| ReadRow { name: text("name"), value, left_out };
    Obstacle {
        expression: text("expression"),
        values: vec![read(Some(text("value")), 3), read(None, 0)],
        near_misses: vec![text("miss")],
    }
}

fn decisions(all: &mut Vec<Sample>) {
    let rule = UnmatchedRow {
        text: text("rule"),
        roles: vec![text("role")],
        place: text("place"),
        condition: Some(obstacle()),
    };
    let app = AppRow { name: text("App"), key: text("key"), refused: Some(text("code")), path: path() };
    let full = ConsoleWhy {
        shell: shell(None),
        user: user("enabled"),
        provider_name: text("Provider"),
        claims_at: AT,
        app_name: Some(text("App")),
        refused: None,
        steps: steps(),
        refused_by: Some(obstacle()),
        change: Some(text("change")),
        unmatched: vec![rule.clone(), UnmatchedRow { condition: None, ..rule }],
        groups: vec![text("group")],
        roles: vec![text("role")],
        permissions: vec![text("permission")],
        claims: Some(serde_json::json!({ "name": text("claim") })),
        apps: vec![app.clone(), AppRow { refused: None, ..app }],
        paging: paging(),
        path: path(),
    };
    let bare = ConsoleWhy {
        app_name: None,
        refused: Some("not_allowed".to_owned()),
        steps: Vec::new(),
        refused_by: None,
        change: None,
        unmatched: Vec::new(),
        groups: Vec::new(),
        roles: Vec::new(),
        permissions: Vec::new(),
        claims: None,
        apps: Vec::new(),
        paging: Paging::default(),
        ..full.clone()
    };
    let let_in = ConsoleWhy { refused: None, ..bare.clone() };
    all.extend([sample(&full, &[]), sample(&bare, &[]), sample(&let_in, &[])]);
    let full = ConsoleTrace {
        shell: shell(None),
        id: text("id"),
        at: AT,
        client: Some(text("client")),
        provider: text("provider"),
        generation: 3,
        user: Some(text("person")),
        user_path: Some(path()),
        refused: Some(text("code")),
        steps: steps(),
        refused_by: Some(obstacle()),
        change: Some(text("change")),
        failure: Some(text("failure")),
    };
    let nameless = ConsoleTrace { user_path: None, ..full.clone() };
    let bare = ConsoleTrace {
        client: None,
        user: None,
        user_path: None,
        refused: None,
        steps: Vec::new(),
        refused_by: None,
        change: None,
        failure: None,
        ..full.clone()
    };
    all.extend([sample(&full, &[]), sample(&nameless, &[]), sample(&bare, &[])]);
}
