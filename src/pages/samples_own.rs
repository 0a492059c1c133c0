//! Sample values of the pages for people who are signed in.

use crate::pages::account::{AccountOverview, AccountSessions, Attribute, SessionRow};
use crate::pages::own::{Action, ConfirmAction, Did, Notice, Paging, Shell};
use crate::pages::sample::{CSRF, Sample, form, sample, text};

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
    let attribute = Attribute { name: text("name"), value: text("value") };
    let full = AccountOverview {
        shell: shell(None),
        username: text("person"),
        provider_name: text("Provider"),
        claims_at: 1_793_491_200,
        attributes: vec![attribute],
        groups: vec![text("group")],
        roles: vec![text("role")],
    };
    let bare = AccountOverview { attributes: Vec::new(), groups: Vec::new(), roles: Vec::new(), ..full.clone() };
    all.push(sample(&full, &[]));
    all.push(sample(&bare, &[]));
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
