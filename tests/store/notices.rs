//! Notices of apps that are still to be told that a session ended.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::audit::Kind;
use countersign::store::model::{Grant, LinkKey};
use countersign::store::notices::{LONGEST_HOLD, NOTICE_LIFETIME};
use countersign::store::self_service::OwnSessions;
use countersign::store::{AppSession, EndOnce, NoticeHold, SignInWritten, Store, StoredNotice, Tell};
use tokio::task::JoinSet;

use crate::fixtures::{NOW, event, grant_id, person, session_id};

/// Until when whoever ends a session holds the notices in these tests.
const HELD: i64 = NOW + 60;

/// Of the two apps of every session here, one is told.
fn tell() -> Tell {
    Tell { clients: BTreeSet::from(["app".to_owned()]), trace_id: "a-request".to_owned(), held_until: HELD }
}

async fn take(store: &Arc<dyn Store>, now: i64) -> Vec<StoredNotice> {
    store.take_notices(now, now + 60, &BTreeSet::new(), 100).await.unwrap()
}

/// A session of a user, new or not, with two apps in it.
async fn with_apps(store: &Arc<dyn Store>, name: &str, session: &str, link: Option<&LinkKey>) {
    let someone = person(name);
    let known = store.user(&format!("key-{name}")).await.unwrap().is_some();
    let mut sign_in = if known { someone.sign_in_again(session) } else { someone.sign_in(session) };
    if let Some(link) = link {
        (sign_in.link.key, sign_in.session.link) = (link.clone(), link.clone());
    }
    assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);
    for grant in [
        someone.grant(&format!("a-{session}"), session),
        Grant { id: grant_id(&format!("b-{session}")), ..someone.offline_grant("b", session) },
    ] {
        store.save_grant(grant, None, NOW, Vec::new()).await.unwrap();
    }
}

pub(crate) async fn every_way_to_end_a_session_keeps_notices_for_the_apps_that_are_told(store: Arc<dyn Store>) {
    let alice = person("alice");
    let certificate = LinkKey { provider: "certificate".to_owned(), ..alice.key() };
    for (session, link) in
        [("ended", None), ("own", None), ("once", None), ("cert", Some(&certificate)), ("disabled", None)]
    {
        with_apps(&store, "alice", session, link).await;
    }
    with_apps(&store, "bob", "replaced", None).await;
    let tell = tell();
    let once = || EndOnce {
        once: ("logout", "jti".to_owned()),
        expires_at: NOW + 60,
        sessions: vec![session_id("once")],
        tell: tell.clone(),
        ..EndOnce::default()
    };
    let own = OwnSessions::One(session_id("own"));
    let mut sign_in = alice.sign_in_again("new");
    sign_in.replaces = Some(session_id("replaced"));
    sign_in.tell = tell.clone();
    let mut ended: Vec<(&str, Vec<AppSession>)> = vec![
        ("ended", store.end_session(&session_id("ended"), NOW, vec![event()], &tell).await.unwrap()),
        ("own", store.end_own_sessions(&alice.user_id(), own, NOW, event(), &tell).await.unwrap().apps),
        ("once", store.end_once(once(), NOW, Vec::new()).await.unwrap().unwrap().remove(0)),
    ];
    assert_eq!(store.end_once(once(), NOW, Vec::new()).await.unwrap(), None, "nobody is told twice");
    let detached = store.detach_certificate(&alice.user_id(), &certificate, NOW, event(), &tell).await.unwrap();
    ended.push(("cert", detached.unwrap().apps));
    let SignInWritten::Replaced(apps) = store.finish_sign_in(sign_in, NOW).await.unwrap() else {
        panic!("another user's session ended")
    };
    ended.push(("replaced", apps));
    let disabled = store.set_user_disabled(&alice.user_id(), true, NOW, event(), &tell).await.unwrap();
    ended.push(("disabled", disabled.unwrap().apps));

    let mut kept: Vec<(NoticeHold, String)> = Vec::new();
    for (session, apps) in ended {
        for (client, told) in [("app", true), ("offline-app", false)] {
            let app = apps.iter().find(|app| app.client == client).unwrap_or_else(|| panic!("{session}: no {client}"));
            assert_eq!((&app.sid, app.notice.is_some()), (&session_id(session), told), "{session}, {client}");
            kept.extend(app.notice.map(|hold| (hold, session.to_owned())));
        }
    }
    assert_eq!(take(&store, HELD - 1).await, [], "whoever ended them still holds them");
    let mut left = take(&store, HELD).await;
    left.sort_by_key(|notice| notice.hold.id);
    kept.sort_by_key(|(hold, _)| hold.id);
    let expected = kept.into_iter().map(|(hold, session)| {
        let name = if session == "replaced" { "bob" } else { "alice" };
        StoredNotice {
            hold: NoticeHold { fence: hold.fence + 1, ..hold },
            client: "app".to_owned(),
            user_id: person(name).user_id(),
            sub: person(name).user().sub,
            sid: session_id(&session),
            trace_id: "a-request".to_owned(),
            attempts: 0,
            created_at: NOW,
        }
    });
    assert_eq!(left, expected.collect::<Vec<_>>());
}

pub(crate) async fn a_notice_is_for_the_one_who_took_it_last(store: Arc<dyn Store>) {
    with_apps(&store, "alice", "s", None).await;
    let apps = store.end_session(&session_id("s"), NOW, Vec::new(), &tell()).await.unwrap();
    let first = apps.iter().find_map(|app| app.notice).unwrap();
    assert!(store.hold_notice(first, 1, NOW + 80).await.unwrap());
    assert_eq!(take(&store, NOW + 79).await, [], "held for longer");
    let but_app = BTreeSet::from(["other".to_owned(), "app".to_owned()]);
    assert_eq!(store.take_notices(NOW + 80, NOW + 140, &but_app, 9).await.unwrap(), []);
    let but_another = BTreeSet::from(["ap".to_owned(), "app2".to_owned()]);
    let taken = store.take_notices(NOW + 80, NOW + 140, &but_another, 9).await.unwrap().remove(0);
    assert_eq!(taken.attempts, 1);
    assert!(!store.hold_notice(first, 9, NOW + 500).await.unwrap(), "it was taken from this one");
    assert!(!store.forget_notice(first).await.unwrap());
    // A clock that is set back afterwards would leave it alone for longer than anybody holds a notice.
    assert!(store.hold_notice(taken.hold, 2, NOW + LONGEST_HOLD + 200).await.unwrap());
    assert_eq!(take(&store, NOW + 200).await, []);
    let again = take(&store, NOW + 199).await.remove(0);
    assert_eq!((again.attempts, again.hold.fence > taken.hold.fence), (2, true));
    assert!(!store.forget_notice(taken.hold).await.unwrap());
    assert!(store.forget_notice(again.hold).await.unwrap());
    assert!(!store.forget_notice(again.hold).await.unwrap(), "it is gone");
    assert_eq!(take(&store, NOW + 9_999).await, []);
}

pub(crate) async fn of_several_takers_one_gets_each_notice(store: Arc<dyn Store>) {
    const SESSIONS: usize = 24;
    for n in 0..SESSIONS {
        with_apps(&store, "alice", &format!("s{n}"), None).await;
        store.end_session(&session_id(&format!("s{n}")), NOW, Vec::new(), &tell()).await.unwrap();
    }
    let mut takers = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        takers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let some = store.take_notices(HELD, HELD + 60, &BTreeSet::new(), 2).await.unwrap();
                assert!(some.len() <= 2);
                if some.is_empty() {
                    return taken;
                }
                taken.extend(some);
            }
        });
    }
    let mut all: Vec<String> = Vec::new();
    while let Some(taken) = takers.join_next().await {
        all.extend(taken.unwrap().into_iter().map(|notice| notice.sid.to_string()));
    }
    all.extend(take(&store, HELD).await.into_iter().map(|notice| notice.sid.to_string()));
    let distinct: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (SESSIONS, SESSIONS));
}

pub(crate) async fn a_notice_is_worth_nothing_after_a_day(store: Arc<dyn Store>) {
    with_apps(&store, "alice", "s", None).await;
    store.end_session(&session_id("s"), NOW, vec![person("alice").event(Kind::Logout)], &tell()).await.unwrap();
    while store.sweep(HELD + NOTICE_LIFETIME - 1, 100).await.unwrap() {}
    assert_eq!(take(&store, HELD).await.len(), 1);
    while store.sweep(HELD + 60 + NOTICE_LIFETIME, 100).await.unwrap() {}
    assert_eq!(take(&store, HELD + 9_999).await, []);
}
