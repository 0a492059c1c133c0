//! Sample values of the pages for people who are signed in.

use crate::pages::account::{
    AccountActivity, AccountApps, AccountCertificates, AccountConsents, AccountOverview, AccountSessions, AskedRow,
    ConditionRow, FactRow, Known, Linked, OwnApp, OwnCertificate, OwnConsent, OwnEvent, SessionRow, Why,
};
use crate::pages::own::{Action, ConfirmAction, Did, Notice, Paging, Shell};
use crate::pages::sample::{CSRF, Sample, form, sample, text};
use crate::pages::uri::WebUri;
use crate::pages::views::Scope;

/// Adds them.
pub(crate) fn add(all: &mut Vec<Sample>) {
    actions(all);
    account(all);
}

fn shell(notice: Option<Did>) -> Shell {
    Shell {
        layout: "_account.html",
        section: "overview",
        user_name: text("Person"),
        sign_out_path: "/oauth2/logout".to_owned(),
        certificates: true,
        notice: notice.map(|did| Notice { key: did.key(), about: text("about") }),
    }
}

fn actions(all: &mut Vec<Sample>) {
    for action in Action::ALL {
        for recent in [true, false] {
            let (shell, about, back) = (shell(None), text("about"), "/account".to_owned());
            let view = ConfirmAction { shell, action: action.key(), about, recent, back, form: form() };
            all.push(sample(&view, &[CSRF]));
        }
    }
}

fn account(all: &mut Vec<Sample>) {
    overview(all);
    apps(all);
    consents(all);
    certificates(all);
    activity(all);
    let row = SessionRow {
        browser: Some(text("Firefox")),
        system: Some(text("Linux")),
        user_agent: None,
        address: Some("192.0.2.1".to_owned()),
        provider_name: text("Provider"),
        created_at: 1_793_491_200,
        last_active: 1_793_491_200,
        expires_at: 1_793_491_200,
        end_path: "/account/sessions/end?id=1".to_owned(),
    };
    let unknown = SessionRow { browser: None, system: None, user_agent: Some(text("agent")), ..row.clone() };
    let nameless = SessionRow { user_agent: None, address: None, ..unknown.clone() };
    let path = || Some("/account/sessions".to_owned());
    for did in Did::ALL {
        let view = AccountSessions {
            shell: shell(Some(*did)),
            current: Some(row.clone()),
            others: vec![row.clone(), unknown.clone(), nameless.clone()],
            end_others_path: "/account/sessions/end-others".to_owned(),
            paging: Paging { first: path(), next: path() },
        };
        all.push(sample(&view, &[]));
    }
    let view = AccountSessions {
        shell: shell(None),
        current: None,
        others: Vec::new(),
        end_others_path: "/account/sessions/end-others".to_owned(),
        paging: Paging::default(),
    };
    all.push(sample(&view, &[]));
}

fn overview(all: &mut Vec<Sample>) {
    let origins = ["provider", "system", "rule", "given", "default", "earlier"];
    let why = origins.map(|origin| Why { origin, rule: Some(text("rule")), place: Some(text("broker.toml:1")) });
    let bare_why = Why { origin: "provider", rule: None, place: None };
    let known = Known { name: text("name"), value: Some(text("value")), why: why.to_vec() };
    let nameless = Known { value: None, why: vec![bare_why], ..known.clone() };
    let link = Linked {
        provider_name: text("Provider"),
        subject: text("subject"),
        created_at: 1_793_491_200,
        claims_at: 1_793_491_200,
        current: true,
        usable: true,
    };
    let dead = Linked { current: false, usable: false, ..link.clone() };
    let full = AccountOverview {
        shell: shell(None),
        username: text("person"),
        sub: text("subject"),
        provider_name: text("Provider"),
        claims_at: 1_793_491_200,
        attributes: vec![known.clone()],
        groups: vec![nameless.clone()],
        roles: vec![known, nameless],
        links: vec![link, dead],
    };
    let (attributes, groups, roles, links) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    all.push(sample(&full, &[]));
    all.push(sample(&AccountOverview { attributes, groups, roles, links, ..full }, &[]));
}

fn apps(all: &mut Vec<Sample>) {
    let ask = |variable: &str, met: bool| AskedRow { variable: variable.to_owned(), value: text("value"), met };
    let condition = ConditionRow {
        text: text("condition"),
        place: Some(text("broker.toml:1")),
        asks: ["groups", "roles", "permissions", "amr", "provider", "other"]
            .map(|name| ask(name, name == "amr"))
            .to_vec(),
        values: vec![
            FactRow { name: text("name"), value: text("value") },
            FactRow { name: text("name"), value: String::new() },
        ],
    };
    let open = OwnApp {
        name: text("App"),
        open: WebUri::parse("https://app.example/"),
        refused: None,
        condition: None,
        accepts: Vec::new(),
        contacts: Vec::new(),
    };
    let refused = OwnApp {
        open: None,
        refused: Some("client_requirement_not_met".to_owned()),
        condition: Some(condition.clone()),
        contacts: vec![text("contact")],
        ..open.clone()
    };
    let bare = ConditionRow { place: None, asks: Vec::new(), values: Vec::new(), ..condition };
    let bare = OwnApp { condition: Some(bare), accepts: vec![text("Provider")], ..refused.clone() };
    let path = || Some("/account/apps".to_owned());
    let full = AccountApps {
        shell: shell(None),
        apps: vec![open, refused, bare],
        provider_name: text("Provider"),
        claims_at: 1_793_491_200,
        paging: Paging { first: path(), next: path() },
    };
    all.push(sample(&full, &[]));
    all.push(sample(&AccountApps { apps: Vec::new(), paging: Paging::default(), ..full }, &[]));
}

fn consents(all: &mut Vec<Sample>) {
    let scope = |name: &str, description: Option<String>| Scope { name: name.to_owned(), description };
    let consent = OwnConsent {
        name: text("App"),
        scopes: vec![scope("openid", None), scope("tenant", Some(text("why"))), scope(&text("other"), None)],
        claims: vec![text("claim")],
        granted_at: 1_793_491_200,
        revoke_path: "/account/consents/revoke?app=1".to_owned(),
    };
    let full = AccountConsents { shell: shell(None), consents: vec![consent], paging: Paging::default() };
    all.push(sample(&full, &[]));
    all.push(sample(&AccountConsents { consents: Vec::new(), ..full }, &[]));
}

fn certificates(all: &mut Vec<Sample>) {
    let of = |attached| OwnCertificate {
        name: Some(text("Certificate")),
        fingerprint: text("sha256:1"),
        issuer: Some(text("issuer")),
        attached,
        since: Some(1_793_491_200),
        until: Some(1_793_491_200),
        counts: attached != "at_creation",
        detach_path: (attached == "by_user").then(|| "/account/certificates/detach?certificate=1".to_owned()),
    };
    let unused = OwnCertificate { name: None, issuer: None, since: None, until: None, ..of("by_file") };
    let full = AccountCertificates {
        shell: shell(None),
        certificates: vec![of("by_file"), of("by_user"), of("at_creation"), unused],
        attach_path: Some("/account/certificates/attach".to_owned()),
    };
    all.push(sample(&full, &[]));
    let shell = Shell { certificates: false, ..shell(None) };
    all.push(sample(&AccountCertificates { shell, certificates: Vec::new(), attach_path: None }, &[]));
}

fn activity(all: &mut Vec<Sample>) {
    let kinds = [
        "sign_in",
        "refusal",
        "logout",
        "account_linked",
        "consent_revoked",
        "certificate_attached",
        "certificate_detached",
        "admin_action",
    ];
    let bare = |kind| OwnEvent {
        kind,
        at: 1_793_491_200,
        app_name: None,
        provider_name: None,
        address: None,
        reason: None,
        trace_id: None,
    };
    let whole = |kind| OwnEvent {
        app_name: Some(text("App")),
        provider_name: Some(text("Provider")),
        address: Some(text("192.0.2.1")),
        reason: Some("not_allowed".to_owned()),
        trace_id: Some(text("trace")),
        ..bare(kind)
    };
    let events = kinds.into_iter().flat_map(|kind| [whole(kind), bare(kind)]).collect();
    let path = || Some("/account/activity".to_owned());
    let paging = Paging { first: path(), next: path() };
    let full = AccountActivity { shell: shell(None), events, paging };
    all.push(sample(&full, &[]));
    all.push(sample(&AccountActivity { events: Vec::new(), ..full }, &[]));
}
