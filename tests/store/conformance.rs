//! The guarantees of every operation of `Store`, for any backend. Each case takes an empty store; `for_each_backend!` runs all
//! of them on each.

use std::sync::Arc;

use countersign::audit::chain::{Recorded, Verifier};
use countersign::audit::{Event, Kind};
use countersign::store::history::REMEMBERED;
use countersign::store::ids::UserId;
use countersign::store::model::{Grant, KeyState, Link, LinkKey, Login, Session, StoredTrace, TokenHash};
use countersign::store::self_service::OwnSessions;
use countersign::store::{
    AccountQuery, AccountWrite, AppSession, CertificateGrant, ChangedClaims, EndOnce, Ended, EventQuery, PendingBound,
    Person, Redeemed, Replica, Rotated, Rotation, SignIn, SignInWritten, Store, StoredGeneration, Tell,
    UpstreamSessions,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::fixtures::{
    NOW, browser, code, event, grant_id, interaction, login, object, person, refresh, rotation, secret, session_id,
    signing_key, trace,
};

pub(crate) use crate::leases::*;
pub(crate) use crate::notices::*;

/// A store to test, as a trait object, so that no case can bypass the trait.
type Subject = Arc<dyn Store>;

/// The cases, by name, for one backend: `make` opens an empty store and keeps what it needs alive.
macro_rules! cases {
    ($($name:ident,)*) => {
        /// Makes a test of every case for one backend.
        macro_rules! conforms {
            ($make:path) => {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let made = $make().await;
                    crate::conformance::$name(std::sync::Arc::clone(&made.store)).await;
                })*
            };
        }
        pub(crate) use conforms;
    };
}

cases! {
    answers_when_it_can_be_used,
    d01_a_login_is_taken_once,
    a_login_ends,
    an_interaction_is_read_often_and_taken_once,
    a_sign_in_is_stored_whole,
    a_returning_user_is_updated,
    two_users_never_share_a_name_subject_or_link,
    parallel_first_sign_ins_make_one_account,
    a_disabled_account_is_not_signed_in,
    a_clients_grants_are_revoked_however_many_there_are,
    an_administrator_finds_users_by_name_sub_and_address,
    accounts_are_found_by_what_was_asked,
    d21_a_sign_in_replaces_the_session_before,
    grants_move_over_when_the_same_user_signs_in_again,
    ending_a_session_ends_what_is_bound_to_it,
    every_way_to_end_a_session_keeps_notices_for_the_apps_that_are_told,
    a_notice_is_for_the_one_who_took_it_last,
    of_several_takers_one_gets_each_notice,
    a_notice_is_worth_nothing_after_a_day,
    one_at_a_time_has_the_lease_on_a_link,
    what_is_saved_of_a_link_ends_the_lease_on_it,
    of_several_who_want_the_lease_one_gets_it,
    sessions_are_found_by_what_a_provider_says,
    a_session_is_found_by_each_upstream_account_that_it_came_from,
    sessions_are_listed_newest_first,
    own_sessions_are_paged_and_live,
    own_sessions_end_with_everything_granted_in_them,
    activity_only_moves_forward,
    sessions_are_counted_until_they_expire,
    d11_parallel_redemptions_leave_nothing,
    d12_an_expired_code_issues_nothing,
    d44_a_used_code_is_remembered_while_its_grant_lasts,
    a_code_dies_with_its_session_and_its_user,
    a_code_keeps_its_consent,
    a_grant_without_a_code_keeps_its_consent_and_its_session_awake,
    a_grant_is_read_with_whom_it_is_for,
    d13_parallel_refreshes_make_one_lineage,
    d31_a_sign_out_that_meets_a_refresh_ends_the_family,
    d31_a_sign_out_that_meets_a_redemption_leaves_no_grant,
    d31_a_user_who_is_disabled_while_signing_in_has_no_session,
    d31_a_name_that_two_want_at_once_is_of_one,
    d31_two_housekeepers_take_what_has_ended_and_nothing_else,
    d13_reuse_after_the_grace_revokes_the_family,
    d13_reuse_after_the_successor_was_used_revokes_the_family,
    no_grace_means_none,
    a_clock_set_back_revives_no_refresh_token,
    a_refresh_on_what_has_ended_is_refused,
    a_refresh_writes_what_came_with_it,
    a_refresh_binds_a_grant_once,
    a_token_that_is_not_rotated_moves_its_end,
    disabling_a_user_ends_everything,
    consent_is_remembered_and_forgotten,
    users_are_renamed_and_paged,
    users_are_found_by_the_beginning_of_a_name_a_sub_and_an_address,
    sessions_are_paged_newest_first,
    the_history_of_the_configuration_is_bounded,
    replicas_say_what_they_run,
    signing_keys_change_only_from_what_was_seen,
    traces_end,
    a_decision_under_an_id_that_comes_again_replaces_the_first,
    a_one_time_identifier_is_used_once,
    sessions_end_together_with_the_use_of_an_identifier,
    a_provider_ends_grants_and_changes_claims_once,
    d44_sweeping_takes_what_has_ended_and_nothing_else,
    d44_rows_from_the_future_hold_no_sweep_up,
    d44_an_unused_code_goes_when_it_expires,
    d42_refusals_of_one_account_are_bounded,
    a_certificate_is_exchanged_for_a_grant,
    a_certificate_belongs_to_one_user,
    a_certificate_is_detached_with_all_that_it_made,
    d42_what_waits_is_bounded_and_the_oldest_goes_first,
    d42_what_waits_is_bounded_in_bytes,
    d42_finished_sign_ins_leave_room,
    d47_an_account_found_by_an_address_has_one_link_at_a_provider,
    system_roles_are_a_set,
    events_are_chained_and_found_by_every_field,
    events_are_paged_newest_first_before_and_after_they_are_indexed,
    an_event_comes_and_goes_with_the_write_that_it_tells_of,
    d44_old_events_are_forgotten_and_the_chain_stays_whole,
    d44_events_from_the_future_hold_no_retention_up,
    refusals_of_strangers_are_found_by_name_while_they_are_kept,
    an_output_remembers_how_far_it_came,
}

async fn signed_in(store: &Subject, name: &str, session: &str) {
    let written = store.finish_sign_in(person(name).sign_in(session), NOW).await.unwrap();
    assert_eq!(written, SignInWritten::Done);
}

/// A grant of "alice" in session "s", redeemed from code `name`, with refresh token `{name}-0` if it has one.
async fn granted(store: &Subject, name: &str, grant: Grant) {
    store.save_code(code(name, grant.clone()), None, NOW).await.unwrap();
    let first = refresh(&format!("{name}-0"), grant.id.as_str());
    let redeemed = store.redeem_code(TokenHash::of(name), grant, Some(first), NOW, Vec::new()).await.unwrap();
    assert_eq!(redeemed, Redeemed::First);
}

async fn is_revoked(store: &Subject, grant: &str) -> bool {
    store.grant(&grant_id(grant)).await.unwrap().unwrap().grant.revoked_at.is_some()
}

async fn rotate(store: &Subject, parent: &str, successor: &str, grant: &str, now: i64) -> Rotated {
    store.rotate_refresh(rotation(parent, successor, grant), now).await.unwrap()
}

pub(crate) async fn answers_when_it_can_be_used(store: Subject) {
    store.ping().await.unwrap();
    store.ping().await.unwrap();
}

pub(crate) async fn d01_a_login_is_taken_once(store: Subject) {
    let kept = login("state");
    store.save_login(kept.clone(), PendingBound::default()).await.unwrap();
    assert_eq!(store.login(TokenHash::of("state"), NOW).await.unwrap(), Some(kept.clone()), "reading leaves it there");
    assert_eq!(store.login(TokenHash::of("state"), kept.expires_at).await.unwrap(), None, "it has expired");
    let other = TokenHash::of("other browser");
    for others in [&[][..], &[other]] {
        let taken = store.take_login(TokenHash::of("state"), others, NOW).await.unwrap();
        assert_eq!(taken, None, "it stays for the browser that began it");
    }
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.take_login(TokenHash::of("state"), &[other, browser()], NOW).await.unwrap() });
    }
    let taken: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [kept]);
    assert_eq!(store.take_login(TokenHash::of("other"), &[browser()], NOW).await.unwrap(), None);
}

pub(crate) async fn a_login_ends(store: Subject) {
    store.save_login(login("a"), PendingBound::default()).await.unwrap();
    store.save_login(login("b"), PendingBound::default()).await.unwrap();
    assert!(store.take_login(TokenHash::of("a"), &[browser()], NOW + 599).await.unwrap().is_some());
    assert_eq!(store.take_login(TokenHash::of("b"), &[browser()], NOW + 600).await.unwrap(), None);
    assert_eq!(store.take_login(TokenHash::of("b"), &[browser()], NOW).await.unwrap(), None);
}

pub(crate) async fn an_interaction_is_read_often_and_taken_once(store: Subject) {
    let kept = interaction("i");
    let id = TokenHash::of("i");
    store.save_interaction(kept.clone(), PendingBound::default()).await.unwrap();
    assert_eq!(store.interaction(id, NOW).await.unwrap(), Some(kept.clone()));
    assert_eq!(store.interaction(id, NOW + 600).await.unwrap(), None);
    assert_eq!(store.take_interaction(id, NOW).await.unwrap(), Some(kept));
    assert_eq!(store.take_interaction(id, NOW).await.unwrap(), None);
    assert_eq!(store.interaction(id, NOW).await.unwrap(), None);
}

pub(crate) async fn a_sign_in_is_stored_whole(store: Subject) {
    let alice = person("alice");
    let mut sign_in = alice.sign_in("s");
    sign_in.code = Some(code("c", alice.grant("g", "s")));
    assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);

    let view = store.session(secret("s")).await.unwrap().unwrap();
    assert_eq!(view.session, alice.session("s"));
    assert_eq!(view.user, alice.user());
    assert_eq!(view.link, Some(alice.link()));
    assert_eq!(store.session_by_id(&session_id("s")).await.unwrap().unwrap().session, alice.session("s"));
    assert!(store.session(secret("other")).await.unwrap().is_none());
    let (stored, session) = store.code(TokenHash::of("c")).await.unwrap().unwrap();
    assert_eq!(stored, code("c", alice.grant("g", "s")));
    assert_eq!(session.map(|view| (view.session.id, view.user.id)), Some((session_id("s"), alice.user_id())));
    assert_eq!(store.system_roles().await.unwrap(), ["staff"]);
    assert_eq!(store.trace("trace-s", NOW).await.unwrap(), Some(trace("trace-s")));
    let found = store.user("key-alice").await.unwrap().unwrap();
    assert_eq!((found.user, found.links), (alice.user(), vec![alice.link()]));
}

pub(crate) async fn a_returning_user_is_updated(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s1").await;
    let link = Link {
        claims: object(json!({ "sub": "alice", "groups": ["new"] })),
        claims_at: NOW + 5,
        verified_email: Some("new@example.org".to_owned()),
        refresh_token: None,
        created_at: NOW + 5,
        ..alice.link()
    };
    let profile = object(json!({ "name": "Alice" }));
    let account = AccountWrite::Update { user_id: alice.user_id(), profile: Some(profile.clone()) };
    let again = SignIn { account, link: link.clone(), ..alice.sign_in("s2") };
    assert_eq!(store.finish_sign_in(again, NOW + 5).await.unwrap(), SignInWritten::Done);
    let view = store.session(secret("s2")).await.unwrap().unwrap();
    assert_eq!(view.user.profile, profile);
    assert_eq!(view.link, Some(Link { created_at: NOW, ..link }));
    let found = |email: &str| AccountQuery {
        email: Some((email.to_owned(), vec![("corp".to_owned(), "https://idp.example".to_owned())])),
        ..AccountQuery::default()
    };
    assert!(store.accounts(found("alice@example.org")).await.unwrap().by_email.is_empty());
    assert_eq!(store.accounts(found("new@example.org")).await.unwrap().by_email.len(), 1);
    let unchanged = |session: &str| {
        let account = AccountWrite::Update { user_id: alice.user_id(), profile: None };
        SignIn { account, ..alice.sign_in(session) }
    };
    assert_eq!(store.finish_sign_in(unchanged("s3"), NOW + 6).await.unwrap(), SignInWritten::Done);
    assert_eq!(store.session(secret("s3")).await.unwrap().unwrap().user.profile, profile);
    store.set_user_disabled(&alice.user_id(), true, NOW + 7, event(), &Tell::default()).await.unwrap();
    assert_eq!(store.finish_sign_in(unchanged("s4"), NOW + 7).await.unwrap(), SignInWritten::Conflict);
    assert!(store.session(secret("s4")).await.unwrap().is_none());
}

pub(crate) async fn two_users_never_share_a_name_subject_or_link(store: Subject) {
    signed_in(&store, "alice", "s").await;
    let alice = person("alice").user();
    let thief = person("thief");
    let with = |change: &dyn Fn(&mut SignIn)| {
        let mut sign_in = thief.sign_in("t");
        sign_in.system_roles = vec!["never".to_owned()];
        change(&mut sign_in);
        sign_in
    };
    let user = |change: fn(&mut countersign::store::model::User)| {
        let mut user = thief.user();
        change(&mut user);
        AccountWrite::Create(user)
    };
    let attempts = [
        with(&|s| s.account = user(|u| u.username_key = "key-alice".to_owned())),
        with(&|s| s.account = user(|u| u.sub = "sub-alice".to_owned())),
        with(&|s| s.account = user(|u| u.id = UserId::new("user-alice"))),
        with(&|s| s.link.key = person("alice").key()),
        with(&|s| s.session.id = session_id("s")),
        with(&|s| s.session_secret = secret("s")),
    ];
    for attempt in attempts {
        assert_eq!(store.finish_sign_in(attempt, NOW).await.unwrap(), SignInWritten::Conflict);
        assert!(store.user("key-thief").await.unwrap().is_none());
        assert!(store.session(secret("t")).await.unwrap().is_none());
        assert!(store.trace("trace-t", NOW).await.unwrap().is_none());
        assert_eq!(store.system_roles().await.unwrap(), ["staff"]);
    }
    let found = store.user("key-alice").await.unwrap().unwrap();
    assert_eq!((found.user, found.links), (alice, vec![person("alice").link()]));
    signed_in(&store, "thief", "t").await;
}

pub(crate) async fn parallel_first_sign_ins_make_one_account(store: Subject) {
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let sign_in = person("alice").sign_in(&format!("s{n}"));
            store.finish_sign_in(sign_in, NOW).await.unwrap() == SignInWritten::Done
        });
    }
    let done = tasks.join_all().await.into_iter().filter(|done| *done).count();
    assert_eq!((done, store.sessions(None, 100).await.unwrap().len()), (1, 1));
}

pub(crate) async fn a_clients_grants_are_revoked_however_many_there_are(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    for n in 0..20 {
        let grant = Grant { client: format!("app-{}", n % 2), ..alice.offline_grant(&format!("g{n}"), "s") };
        store.save_grant(grant, None, NOW, Vec::new()).await.unwrap();
    }
    store
        .save_code(code("c", Grant { client: "app-0".to_owned(), ..alice.grant("late", "s") }), None, NOW)
        .await
        .unwrap();
    let ended = store.revoke_client("app-0", NOW, event()).await.unwrap();
    assert_eq!((ended.grants, ended.sessions), (10, 0));
    assert!(is_revoked(&store, "g0").await && !is_revoked(&store, "g1").await);
    assert!(store.code(TokenHash::of("c")).await.unwrap().is_none(), "an unused code of the client is gone");
    assert_eq!(store.revoke_client("app-0", NOW, event()).await.unwrap().grants, 0, "once");
    assert_eq!(store.revoke_client("unknown", NOW, event()).await.unwrap().grants, 0);

    let ended = store.set_user_disabled(&alice.user_id(), true, NOW, event(), &Tell::default()).await.unwrap().unwrap();
    assert_eq!((ended.sessions, ended.grants), (1, 10), "only what was not revoked before is counted");
}

pub(crate) async fn an_administrator_finds_users_by_name_sub_and_address(store: Subject) {
    for name in ["cleo", "alma", "ben"] {
        signed_in(&store, name, name).await;
    }
    let names = async |after: &str, limit| -> Vec<String> {
        let people = store.users_by_name(after, limit).await.unwrap();
        people.into_iter().map(|person| person.user.username_key).collect()
    };
    assert_eq!(names("", 2).await, ["key-alma", "key-ben"]);
    assert_eq!(names("key-ben", 2).await, ["key-cleo"]);
    let alma = person("alma").user();
    assert_eq!(store.user_by_sub(&alma.sub).await.unwrap().unwrap().user, alma);
    assert!(store.user_by_sub("nobody").await.unwrap().is_none());
    let address = person("ben").link().verified_email.unwrap();
    let found = store.users_by_address(&address, 10).await.unwrap();
    assert_eq!(found.iter().map(|person| person.user.username_key.as_str()).collect::<Vec<_>>(), ["key-ben"]);
}

pub(crate) async fn a_disabled_account_is_not_signed_in(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.set_user_disabled(&alice.user_id(), true, NOW, event(), &Tell::default()).await.unwrap();
    let written = store.finish_sign_in(alice.sign_in_again("t"), NOW).await.unwrap();
    assert_eq!(written, SignInWritten::Conflict);
    let gone = store.finish_sign_in(person("nobody").sign_in_again("t"), NOW).await.unwrap();
    assert_eq!(gone, SignInWritten::Conflict);
    store.set_user_disabled(&alice.user_id(), false, NOW, event(), &Tell::default()).await.unwrap();
    assert_eq!(store.finish_sign_in(alice.sign_in_again("t"), NOW).await.unwrap(), SignInWritten::Done);
}

pub(crate) async fn accounts_are_found_by_what_was_asked(store: Subject) {
    for name in ["ann", "anna", "bob"] {
        signed_in(&store, name, name).await;
    }
    let nothing = store.accounts(AccountQuery::default()).await.unwrap();
    assert!(nothing.linked.is_none() && nothing.declared.is_none());
    assert!(nothing.by_email.is_empty() && nothing.taken.is_empty());

    let provider = ("corp".to_owned(), "https://idp.example".to_owned());
    let view = store
        .accounts(AccountQuery {
            key: Some(person("ann").key()),
            declared: Some("key-bob".to_owned()),
            email: Some(("anna@example.org".to_owned(), vec![provider])),
            username_key: Some("key-ann".to_owned()),
        })
        .await
        .unwrap();
    assert_eq!(view.linked, Some((person("ann").user(), person("ann").link())));
    assert_eq!(view.declared, Some(person("bob").user()));
    assert_eq!(view.by_email, [person("anna").user()]);
    let taken = |name: &str| (format!("key-{name}"), UserId::new(format!("user-{name}")));
    assert_eq!(view.taken, [taken("ann"), taken("anna")]);

    let other = ("corp".to_owned(), "https://other.example".to_owned());
    let email = Some(("anna@example.org".to_owned(), vec![other]));
    let mut key = person("ann").key();
    key.issuer = "https://other.example".to_owned();
    let view = store.accounts(AccountQuery { key: Some(key), email, ..AccountQuery::default() }).await.unwrap();
    assert!(view.linked.is_none() && view.by_email.is_empty());
}

pub(crate) async fn d21_a_sign_in_replaces_the_session_before(store: Subject) {
    signed_in(&store, "alice", "old").await;
    granted(&store, "c", person("alice").grant("g", "old")).await;
    let mut sign_in = person("bob").sign_in("new");
    sign_in.replaces = Some(session_id("old"));
    let told =
        SignInWritten::Replaced(vec![AppSession { client: "app".to_owned(), sid: session_id("old"), notice: None }]);
    assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), told);
    assert!(store.session(secret("old")).await.unwrap().is_none());
    assert!(is_revoked(&store, "g").await);
    assert!(store.session(secret("new")).await.unwrap().is_some());
}

pub(crate) async fn grants_move_over_when_the_same_user_signs_in_again(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "old").await;
    granted(&store, "c1", alice.grant("bound", "old")).await;
    granted(&store, "c2", alice.offline_grant("offline", "old")).await;
    let mut again = alice.sign_in_again("new");
    again.replaces = Some(session_id("old"));
    assert_eq!(store.finish_sign_in(again, NOW).await.unwrap(), SignInWritten::Done, "nobody signed out");

    assert!(store.session(secret("old")).await.unwrap().is_none());
    let bound = store.grant(&grant_id("bound")).await.unwrap().unwrap();
    assert_eq!((bound.grant.session_id, bound.grant.sid), (Some(session_id("new")), Some(session_id("old"))));
    assert_eq!((bound.grant.revoked_at, bound.session.map(|s| s.id)), (None, Some(session_id("new"))));
    assert_eq!(store.grant(&grant_id("offline")).await.unwrap().unwrap().grant.session_id, None);
    let by_sid = async |sid: &str| store.session_by_id(&session_id(sid)).await.unwrap().map(|view| view.session.id);
    assert_eq!(by_sid("old").await, Some(session_id("new")), "what their tokens name is this session now");
    assert_eq!((by_sid("new").await, by_sid("other").await), (Some(session_id("new")), None));

    let mut apps = store.end_session(&session_id("new"), NOW, Vec::new(), &Tell::default()).await.unwrap();
    apps.sort_by(|a, b| a.client.cmp(&b.client));
    let app = |client: &str| AppSession { client: client.to_owned(), sid: session_id("old"), notice: None };
    assert_eq!(apps, [app("app"), app("offline-app")]);
    assert!(is_revoked(&store, "bound").await);
    assert!(!is_revoked(&store, "offline").await);
    assert_eq!(
        store.session_by_id(&session_id("old")).await.unwrap().map(|view| view.session.id),
        None,
        "it has ended"
    );
}

pub(crate) async fn ending_a_session_ends_what_is_bound_to_it(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    let other = alice.sign_in_again("other");
    store.finish_sign_in(other, NOW).await.unwrap();
    granted(&store, "c1", alice.grant("bound", "s")).await;
    granted(&store, "c2", alice.offline_grant("offline", "s")).await;
    granted(&store, "c3", alice.grant("elsewhere", "other")).await;
    let revoked = Grant { client: "revoked-app".to_owned(), ..alice.grant("revoked", "s") };
    granted(&store, "c4", revoked).await;
    store.revoke_grant(&grant_id("revoked"), NOW, Vec::new()).await.unwrap();

    let mut apps = store.end_session(&session_id("s"), NOW + 1, Vec::new(), &Tell::default()).await.unwrap();
    apps.sort_by(|a, b| a.client.cmp(&b.client));
    let app = |client: &str| AppSession { client: client.to_owned(), sid: session_id("s"), notice: None };
    assert_eq!(apps, [app("app"), app("offline-app"), app("revoked-app")]);
    assert!(store.session(secret("s")).await.unwrap().is_none());
    let bound = store.grant(&grant_id("bound")).await.unwrap().unwrap();
    assert_eq!((bound.grant.revoked_at, bound.session.is_none()), (Some(NOW + 1), true));
    assert!(!is_revoked(&store, "offline").await);
    assert!(!is_revoked(&store, "elsewhere").await);
    assert_eq!(store.grant(&grant_id("revoked")).await.unwrap().unwrap().grant.revoked_at, Some(NOW));
    assert_eq!(rotate(&store, "c1-0", "x", "bound", NOW + 1).await, Rotated::Refused);
    assert_eq!(rotate(&store, "c2-0", "y", "offline", NOW + 1).await, Rotated::New);
    assert!(store.end_session(&session_id("s"), NOW + 2, Vec::new(), &Tell::default()).await.unwrap().is_empty());
}

pub(crate) async fn sessions_are_found_by_what_a_provider_says(store: Subject) {
    let with_sid = |name: &str, session: &str, sid: Option<&str>, again: bool| {
        let one = person(name);
        let mut sign_in = if again { one.sign_in_again(session) } else { one.sign_in(session) };
        sign_in.session.upstream_sid = sid.map(str::to_owned);
        sign_in
    };
    for sign_in in [
        with_sid("alice", "a1", Some("up-1"), false),
        with_sid("alice", "a2", Some("up-2"), true),
        with_sid("alice", "a3", None, true),
        with_sid("bob", "b1", Some("up-1"), false),
    ] {
        assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);
    }
    let (alice, corp, here) = (Some("upstream-alice"), "corp", "https://idp.example");
    for (provider, issuer, subject, sid, expected) in [
        (corp, here, alice, None, &["a1", "a2", "a3"][..]),
        (corp, here, alice, Some("up-2"), &["a2", "a3"]),
        (corp, here, None, Some("up-1"), &["a1", "b1"]),
        (corp, here, None, Some("up-3"), &[]),
        (corp, here, Some("upstream-carol"), None, &[]),
        (corp, here, None, None, &[]),
        ("other", here, alice, None, &[]),
        ("other", here, None, Some("up-1"), &[]),
        (corp, "https://other.example", None, Some("up-1"), &[]),
    ] {
        let upstream = UpstreamSessions {
            provider: provider.to_owned(),
            issuer: issuer.to_owned(),
            subject: subject.map(str::to_owned),
            sid: sid.map(str::to_owned),
        };
        let found = store.sessions_of_upstream(upstream.clone()).await.unwrap();
        let mut ids: Vec<_> = found.into_iter().map(|from| from.view.session.id).collect();
        ids.sort();
        assert_eq!(ids, expected.iter().map(|id| session_id(id)).collect::<Vec<_>>(), "{upstream:?}");
    }
}

pub(crate) async fn a_session_is_found_by_each_upstream_account_that_it_came_from(store: Subject) {
    let alice = person("alice");
    let at = |provider: &str, session: &str, replaces: Option<&str>, after: i64| {
        let key = LinkKey { provider: provider.to_owned(), ..alice.key() };
        let mut sign_in = if replaces.is_some() { alice.sign_in_again(session) } else { alice.sign_in(session) };
        sign_in.link.key = key.clone();
        sign_in.session.link = key;
        sign_in.session.upstream_sid = Some(format!("sid-{session}"));
        sign_in.session.upstream_id_token = Some(format!("CANARY-token-{session}"));
        sign_in.session.created_at = NOW + after;
        sign_in.replaces = replaces.map(session_id);
        sign_in
    };
    for sign_in in [at("corp", "a", None, 0), at("partner", "b", Some("a"), 1), at("third", "c", Some("b"), 2)] {
        assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);
    }
    let ended = async |provider: &str, subject: Option<&str>, sid: Option<&str>| {
        let found = store.sessions_of_upstream(UpstreamSessions {
            provider: provider.to_owned(),
            issuer: "https://idp.example".to_owned(),
            subject: subject.map(str::to_owned),
            sid: sid.map(str::to_owned),
        });
        let found = found.await.unwrap();
        found
            .into_iter()
            .map(|from| (from.view.session.id.to_string(), from.upstream.id_token.unwrap()))
            .collect::<Vec<_>>()
    };
    let subject = Some("upstream-alice");
    let it = |token: &str| vec![("c".to_owned(), format!("CANARY-token-{token}"))];
    assert_eq!(ended("corp", subject, None).await, it("a"));
    assert_eq!(ended("partner", subject, Some("sid-b")).await, it("b"));
    assert_eq!(ended("partner", None, Some("sid-b")).await, it("b"));
    assert_eq!(ended("third", None, Some("sid-c")).await, it("c"));
    for (provider, subject, sid) in [
        ("corp", None, Some("sid-b")),
        ("corp", subject, Some("sid-b")),
        ("partner", Some("upstream-bob"), None),
        ("partner", None, None),
        ("third", None, Some("sid-a")),
    ] {
        assert_eq!(ended(provider, subject, sid).await, Vec::new(), "{provider} {subject:?} {sid:?}");
    }
    let before = async |id: &str| {
        let earlier = store.upstream_sessions(&session_id(id)).await.unwrap();
        earlier.into_iter().map(|up| (up.link.provider, up.sid.unwrap(), up.id_token.unwrap())).collect::<Vec<_>>()
    };
    let one = |provider: &str, id: &str| (provider.to_owned(), format!("sid-{id}"), format!("CANARY-token-{id}"));
    assert_eq!(before("c").await, [one("partner", "b"), one("corp", "a")], "the latest first");

    // Once more with the first account: its earlier session there is not another one.
    assert_eq!(store.finish_sign_in(at("corp", "d", Some("c"), 3), NOW).await.unwrap(), SignInWritten::Done);
    assert_eq!(before("d").await, [one("third", "c"), one("partner", "b")]);
    assert_eq!(ended("corp", None, Some("sid-a")).await, Vec::new());
    // Somebody else's sign-in in that browser takes nothing over, and what has ended is not found.
    let mut bobs = person("bob").sign_in("bobs");
    bobs.replaces = Some(session_id("d"));
    store.finish_sign_in(bobs, NOW).await.unwrap();
    assert_eq!(before("bobs").await, Vec::new());
    assert_eq!(before("d").await, Vec::new());
    assert_eq!(ended("partner", subject, None).await, Vec::new());
}

pub(crate) async fn sessions_are_listed_newest_first(store: Subject) {
    signed_in(&store, "alice", "a1").await;
    signed_in(&store, "bob", "b1").await;
    store.finish_sign_in(person("alice").sign_in_again("a2"), NOW).await.unwrap();
    let ids = async |user: Option<&str>, limit| -> Vec<String> {
        let sessions = store.sessions(user.map(UserId::new).as_ref(), limit).await.unwrap();
        sessions.into_iter().map(|view| view.session.id.to_string()).collect()
    };
    assert_eq!(ids(None, 10).await, ["a2", "b1", "a1"]);
    assert_eq!(ids(None, 1).await, ["a2"]);
    assert_eq!(ids(Some("user-alice"), 10).await, ["a2", "a1"]);
    assert!(ids(Some("user-nobody"), 10).await.is_empty());
}

pub(crate) async fn own_sessions_are_paged_and_live(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s0").await;
    for index in 1..5 {
        store.finish_sign_in(alice.sign_in_again(&format!("s{index}")), NOW).await.unwrap();
    }
    signed_in(&store, "bob", "bobs").await;
    let ids = |sessions: Vec<Session>| sessions.into_iter().map(|session| session.id.to_string()).collect::<Vec<_>>();
    let page = |after: Option<&'static str>, now| {
        let (store, user) = (Arc::clone(&store), alice.user_id());
        async move { ids(store.own_sessions(&user, after.map(session_id).as_ref(), now, 3).await.unwrap()) }
    };
    assert_eq!(page(None, NOW).await, ["s4", "s3", "s2"]);
    assert_eq!(page(Some("s2"), NOW).await, ["s1", "s0"]);
    assert_eq!(page(Some("s0"), NOW).await, Vec::<String>::new());
    assert_eq!(page(Some("gone"), NOW).await, ["s4", "s3", "s2"], "from the beginning");
    let found = store.own_sessions(&alice.user_id(), None, NOW, 1).await.unwrap().remove(0);
    assert!(found.upstream_id_token.is_none());
    let end = NOW + found.max_inactive;
    assert_eq!(page(None, end).await, Vec::<String>::new(), "none is live");
    store.touch_session(&session_id("s1"), NOW + 1).await.unwrap();
    assert_eq!(page(None, end).await, ["s1"]);
}

pub(crate) async fn own_sessions_end_with_everything_granted_in_them(store: Subject) {
    let (alice, bob) = (person("alice"), person("bob"));
    signed_in(&store, "alice", "laptop").await;
    store.finish_sign_in(alice.sign_in_again("phone"), NOW).await.unwrap();
    signed_in(&store, "bob", "bobs").await;
    granted(&store, "c1", alice.offline_grant("offline", "phone")).await;
    granted(&store, "c2", alice.grant("kept", "laptop")).await;
    granted(&store, "c3", bob.grant("of-bob", "bobs")).await;
    store.save_code(code("unused", alice.offline_grant("late", "phone")), None, NOW).await.unwrap();

    let one = |id| OwnSessions::One(session_id(id));
    for nothing in [one("bobs"), one("nobody")] {
        let ended =
            store.end_own_sessions(&alice.user_id(), nothing, NOW + 1, event(), &Tell::default()).await.unwrap();
        assert_eq!(ended, Ended::default());
    }
    let ended =
        store.end_own_sessions(&alice.user_id(), one("phone"), NOW + 1, event(), &Tell::default()).await.unwrap();
    assert_eq!((ended.sessions, ended.grants, ended.apps.len()), (1, 1, 1));
    assert_eq!(rotate(&store, "c1-0", "x", "offline", NOW + 1).await, Rotated::Refused);
    let late = store.redeem_code(
        code("unused", alice.grant("late", "phone")).hash,
        alice.offline_grant("late", "phone"),
        None,
        NOW + 1,
        Vec::new(),
    );
    assert_eq!(late.await.unwrap(), Redeemed::Refused);
    assert!(!is_revoked(&store, "kept").await && !is_revoked(&store, "of-bob").await);

    store.finish_sign_in(alice.sign_in_again("tablet"), NOW).await.unwrap();
    let all_but = OwnSessions::AllBut(session_id("tablet"));
    let ended = store.end_own_sessions(&alice.user_id(), all_but, NOW + 2, event(), &Tell::default()).await.unwrap();
    assert_eq!((ended.sessions, ended.grants), (1, 1));
    assert!(store.session(secret("tablet")).await.unwrap().is_some());
    assert!(store.session(secret("laptop")).await.unwrap().is_none());
    assert!(store.session(secret("bobs")).await.unwrap().is_some());
}

pub(crate) async fn sessions_are_counted_until_they_expire(store: Subject) {
    assert_eq!(store.count_sessions(NOW).await.unwrap(), 0);
    signed_in(&store, "alice", "s").await;
    signed_in(&store, "bob", "t").await;
    assert_eq!(store.count_sessions(NOW).await.unwrap(), 2);
    let expires_at = store.session(secret("s")).await.unwrap().unwrap().session.expires_at;
    assert_eq!(store.count_sessions(expires_at - 1).await.unwrap(), 2);
    assert_eq!(store.count_sessions(expires_at).await.unwrap(), 0);
    assert_eq!(store.waiting(), 0);
}

pub(crate) async fn activity_only_moves_forward(store: Subject) {
    signed_in(&store, "alice", "s").await;
    let active = async || store.session(secret("s")).await.unwrap().unwrap().session.last_active;
    store.touch_session(&session_id("s"), NOW + 100).await.unwrap();
    assert_eq!(active().await, NOW + 100);
    store.touch_session(&session_id("s"), NOW + 50).await.unwrap();
    assert_eq!(active().await, NOW + 100);
    // The session was unused for too long and does not become live again.
    store.touch_session(&session_id("s"), NOW + 100 + 1800).await.unwrap();
    assert_eq!(active().await, NOW + 100);
    store.save_code(code("c", person("alice").grant("g", "s")), None, NOW + 200).await.unwrap();
    assert_eq!(active().await, NOW + 200);
}

pub(crate) async fn d11_parallel_redemptions_leave_nothing(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.save_code(code("c", alice.grant("g", "s")), None, NOW).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let (store, grant) = (Arc::clone(&store), alice.grant("g", "s"));
        tasks.spawn(async move {
            let first = refresh(&format!("r{n}"), "g");
            store.redeem_code(TokenHash::of("c"), grant, Some(first), NOW, Vec::new()).await.unwrap()
        });
    }
    let firsts = tasks.join_all().await.into_iter().filter(|redeemed| *redeemed == Redeemed::First).count();
    assert_eq!(firsts, 1);
    assert!(is_revoked(&store, "g").await);
    for n in 0..50 {
        assert_eq!(rotate(&store, &format!("r{n}"), "x", "g", NOW).await, Rotated::Refused);
    }
    assert_eq!(store.code(TokenHash::of("c")).await.unwrap().unwrap().0.used_at, Some(NOW));
}

pub(crate) async fn d12_an_expired_code_issues_nothing(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.save_code(code("c", alice.grant("g", "s")), None, NOW).await.unwrap();
    let redeem = async |name: &str, now| {
        store.redeem_code(TokenHash::of(name), alice.grant("g", "s"), None, now, Vec::new()).await.unwrap()
    };
    assert_eq!(redeem("c", NOW + 60).await, Redeemed::Refused);
    assert_eq!(redeem("unknown", NOW).await, Redeemed::Refused);
    assert!(store.grant(&grant_id("g")).await.unwrap().is_none());
    assert_eq!(redeem("c", NOW + 59).await, Redeemed::First);
}

pub(crate) async fn d44_a_used_code_is_remembered_while_its_grant_lasts(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", alice.offline_grant("g", "s")).await;
    // A redemption may set a later expiry for its grant than the code stated.
    store.save_code(code("d", Grant { expires_at: NOW, ..alice.offline_grant("h", "s") }), None, NOW).await.unwrap();
    let grant = alice.offline_grant("h", "s");
    assert_eq!(store.redeem_code(TokenHash::of("d"), grant, None, NOW, Vec::new()).await.unwrap(), Redeemed::First);
    let late = NOW + 99_999;
    while store.sweep(late, 10).await.unwrap() {}
    for (name, id) in [("c", "g"), ("d", "h")] {
        let again =
            store.redeem_code(TokenHash::of(name), alice.offline_grant(id, "s"), None, late, Vec::new()).await.unwrap();
        assert_eq!(again, Redeemed::Refused);
        assert_eq!(store.grant(&grant_id(id)).await.unwrap().unwrap().grant.revoked_at, Some(late));
    }
    while store.sweep(NOW + 100_000, 10).await.unwrap() {}
    assert!(store.code(TokenHash::of("c")).await.unwrap().is_none());
    assert!(store.grant(&grant_id("g")).await.unwrap().is_none());
}

pub(crate) async fn a_code_dies_with_its_session_and_its_user(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    for (name, grant) in [("bound", alice.grant("b", "s")), ("offline", alice.offline_grant("o", "s"))] {
        store.save_code(code(name, grant), None, NOW).await.unwrap();
    }
    store.end_session(&session_id("s"), NOW, Vec::new(), &Tell::default()).await.unwrap();
    let redeem =
        async |name: &str, grant| store.redeem_code(TokenHash::of(name), grant, None, NOW, Vec::new()).await.unwrap();
    assert_eq!(redeem("bound", alice.grant("b", "s")).await, Redeemed::Refused);
    assert!(store.grant(&grant_id("b")).await.unwrap().is_none());
    store.set_user_disabled(&alice.user_id(), true, NOW, event(), &Tell::default()).await.unwrap();
    assert_eq!(redeem("offline", alice.offline_grant("o", "s")).await, Redeemed::Refused);
    store.set_user_disabled(&alice.user_id(), false, NOW, event(), &Tell::default()).await.unwrap();
    assert_eq!(redeem("offline", alice.offline_grant("o", "s")).await, Redeemed::Refused);
}

pub(crate) async fn a_grant_without_a_code_keeps_its_consent_and_its_session_awake(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.save_grant(alice.grant("g", "s"), Some(alice.consent()), NOW + 200, Vec::new()).await.unwrap();
    assert_eq!(store.consent(&alice.user_id(), "app").await.unwrap(), Some(alice.consent()));
    let view = store.grant(&grant_id("g")).await.unwrap().unwrap();
    assert_eq!(view.session.map(|session| session.last_active), Some(NOW + 200));
    store.end_session(&session_id("s"), NOW + 201, Vec::new(), &Tell::default()).await.unwrap();
    let view = store.grant(&grant_id("g")).await.unwrap().unwrap();
    assert_eq!((view.grant.revoked_at, view.session), (Some(NOW + 201), None));
}

pub(crate) async fn a_code_keeps_its_consent(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.save_code(code("c", alice.grant("g", "s")), Some(alice.consent()), NOW).await.unwrap();
    assert_eq!(store.consent(&alice.user_id(), "app").await.unwrap(), Some(alice.consent()));
}

pub(crate) async fn a_grant_is_read_with_whom_it_is_for(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", alice.grant("g", "s")).await;
    let view = store.grant(&grant_id("g")).await.unwrap().unwrap();
    assert_eq!(view.grant, alice.grant("g", "s"));
    assert_eq!((view.user, view.link), (Some(alice.user()), Some(alice.link())));
    assert_eq!(view.session, Some(alice.session("s")));
    let (token, view) = store.refresh_token(TokenHash::of("c-0")).await.unwrap().unwrap();
    assert_eq!((token, view.grant.id.as_str()), (refresh("c-0", "g"), "g"));

    let machine = Grant { user_id: None, link: None, session_id: None, sid: None, ..alice.grant("machine", "none") };
    store.save_grant(machine.clone(), None, NOW, Vec::new()).await.unwrap();
    let view = store.grant(&grant_id("machine")).await.unwrap().unwrap();
    assert_eq!((view.grant, view.user.is_none(), view.session.is_none()), (machine, true, true));
    assert!(store.grant(&grant_id("unknown")).await.unwrap().is_none());
    assert!(store.refresh_token(TokenHash::of("unknown")).await.unwrap().is_none());
}

pub(crate) async fn d13_parallel_refreshes_make_one_lineage(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").grant("g", "s")).await;
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let offered = format!("r{n}");
            match rotate(&store, "c-0", &offered, "g", NOW + n % 10).await {
                Rotated::New => (true, offered),
                Rotated::Replayed(successor) => (false, successor),
                other => panic!("{other:?}"),
            }
        });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|(new, _)| *new).count(), 1);
    let successor = answers.first().unwrap().1.clone();
    assert!(answers.iter().all(|(_, token)| *token == successor));
    for n in (0..50).map(|n| format!("r{n}")).filter(|token| *token != successor) {
        assert!(store.refresh_token(TokenHash::of(&n)).await.unwrap().is_none());
    }
    assert!(!is_revoked(&store, "g").await);
    assert_eq!(rotate(&store, &successor, "next", "g", NOW).await, Rotated::New);
}

pub(crate) async fn d31_a_sign_out_that_meets_a_refresh_ends_the_family(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "first").await;
    for n in 0..25 {
        let (session, grant, code) = (format!("s{n}"), format!("g{n}"), format!("c{n}"));
        let id = session_id(&session);
        store.finish_sign_in(alice.sign_in_again(&session), NOW).await.unwrap();
        granted(&store, &code, alice.grant(&grant, &session)).await;
        let (parent, successor) = (format!("{code}-0"), format!("{code}-1"));
        let turn = Rotation { touch_session: Some(id.clone()), ..rotation(&parent, &successor, &grant) };
        let nobody = Tell::default();
        let (ended, rotated) =
            tokio::join!(store.end_session(&id, NOW + 1, vec![event()], &nobody), store.rotate_refresh(turn, NOW + 1));
        assert_eq!(ended.unwrap().len(), 1);
        let rotated = rotated.unwrap();
        assert!(matches!(rotated, Rotated::New | Rotated::Refused), "{rotated:?}");
        assert!(is_revoked(&store, &grant).await);
        assert_eq!(rotate(&store, &successor, "x", &grant, NOW + 1).await, Rotated::Refused);
    }
}

pub(crate) async fn d31_a_sign_out_that_meets_a_redemption_leaves_no_grant(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "first").await;
    for n in 0..25 {
        let (session, grant, name) = (format!("s{n}"), format!("g{n}"), format!("c{n}"));
        store.finish_sign_in(alice.sign_in_again(&session), NOW).await.unwrap();
        // Whoever ends a session of their own ends what has offline access too.
        let grant = alice.offline_grant(&grant, &session);
        store.save_code(code(&name, grant.clone()), None, NOW).await.unwrap();
        let first = Some(refresh(&format!("{name}-0"), grant.id.as_str()));
        let (user, one) = (alice.user_id(), OwnSessions::One(session_id(&session)));
        let nobody = Tell::default();
        let (ended, redeemed) = tokio::join!(
            store.end_own_sessions(&user, one, NOW + 1, event(), &nobody),
            store.redeem_code(TokenHash::of(&name), grant.clone(), first, NOW + 1, Vec::new())
        );
        let (ended, redeemed) = (ended.unwrap(), redeemed.unwrap());
        assert_eq!((ended.sessions, ended.grants), (1, u64::from(redeemed == Redeemed::First)));
        let left = store.grant(&grant.id).await.unwrap();
        assert!(left.is_none_or(|view| view.grant.revoked_at.is_some()));
    }
}

pub(crate) async fn d31_a_user_who_is_disabled_while_signing_in_has_no_session(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "first").await;
    for n in 0..25 {
        let unchanged = AccountWrite::Update { user_id: alice.user_id(), profile: None };
        let sign_in = SignIn { account: unchanged, ..alice.sign_in_again(&format!("s{n}")) };
        let user = alice.user_id();
        let nobody = Tell::default();
        let (disabled, written) = tokio::join!(
            store.set_user_disabled(&user, true, NOW, event(), &nobody),
            store.finish_sign_in(sign_in, NOW)
        );
        assert!(disabled.unwrap().is_some());
        assert!(matches!(written.unwrap(), SignInWritten::Done | SignInWritten::Conflict));
        assert!(store.sessions(Some(&user), 10).await.unwrap().is_empty());
        store.set_user_disabled(&user, false, NOW, event(), &Tell::default()).await.unwrap();
    }
}

pub(crate) async fn d31_a_name_that_two_want_at_once_is_of_one(store: Subject) {
    signed_in(&store, "alice", "s").await;
    for n in 0..25 {
        let name = format!("name-{n}");
        let key = format!("key-{name}");
        let user = person("alice").user_id();
        let (renamed, written) = tokio::join!(
            store.rename_user(&user, &name, &key, event()),
            store.finish_sign_in(person(&name).sign_in(&name), NOW)
        );
        let written = written.unwrap() == SignInWritten::Done;
        assert_ne!(renamed.unwrap(), written, "exactly one of them");
        let owner = store.user(&key).await.unwrap().unwrap().user.id;
        assert_eq!(owner == user, !written);
    }
}

pub(crate) async fn d31_two_housekeepers_take_what_has_ended_and_nothing_else(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    for n in 0..40 {
        granted(&store, &format!("c{n}"), Grant { expires_at: NOW + 600, ..alice.grant(&format!("g{n}"), "s") }).await;
        store.save_login(login(&format!("l{n}")), PendingBound::default()).await.unwrap();
        store.use_once("jti", &n.to_string(), NOW + 600, NOW).await.unwrap();
    }
    granted(&store, "kept", alice.offline_grant("kept", "s")).await;
    let housekeeper = async || while store.sweep(NOW + 600, 7).await.unwrap() {};
    tokio::join!(housekeeper(), housekeeper());
    // One of them may have left the work to the other.
    housekeeper().await;
    for n in 0..40 {
        assert!(store.grant(&grant_id(&format!("g{n}"))).await.unwrap().is_none());
        assert!(store.refresh_token(TokenHash::of(&format!("c{n}-0"))).await.unwrap().is_none());
        assert_eq!(store.login(TokenHash::of(&format!("l{n}")), NOW).await.unwrap(), None);
        assert!(store.use_once("jti", &n.to_string(), NOW + 1200, NOW + 600).await.unwrap());
    }
    assert!(store.session(secret("s")).await.unwrap().is_some());
    assert_eq!(rotate(&store, "kept-0", "kept-1", "kept", NOW + 600).await, Rotated::New);
}

pub(crate) async fn d13_reuse_after_the_grace_revokes_the_family(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").grant("g", "s")).await;
    assert_eq!(rotate(&store, "c-0", "r1", "g", NOW).await, Rotated::New);
    assert_eq!(rotate(&store, "c-0", "x", "g", NOW + 9).await, Rotated::Replayed("r1".to_owned()));
    assert!(!is_revoked(&store, "g").await);
    assert_eq!(rotate(&store, "c-0", "x", "g", NOW + 10).await, Rotated::Reused);
    assert_eq!(store.grant(&grant_id("g")).await.unwrap().unwrap().grant.revoked_at, Some(NOW + 10));
    assert_eq!(rotate(&store, "r1", "r2", "g", NOW + 10).await, Rotated::Refused);
}

pub(crate) async fn d13_reuse_after_the_successor_was_used_revokes_the_family(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").grant("g", "s")).await;
    assert_eq!(rotate(&store, "c-0", "r1", "g", NOW).await, Rotated::New);
    assert_eq!(rotate(&store, "r1", "r2", "g", NOW + 1).await, Rotated::New);
    assert_eq!(rotate(&store, "c-0", "x", "g", NOW + 1).await, Rotated::Reused);
    assert!(is_revoked(&store, "g").await);
}

pub(crate) async fn no_grace_means_none(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").grant("g", "s")).await;
    let strict = |parent, successor| Rotation { grace: 0, ..rotation(parent, successor, "g") };
    assert_eq!(store.rotate_refresh(strict("c-0", "r1"), NOW).await.unwrap(), Rotated::New);
    assert_eq!(store.rotate_refresh(strict("c-0", "r1"), NOW).await.unwrap(), Rotated::Reused);
    assert!(is_revoked(&store, "g").await);
}

pub(crate) async fn a_clock_set_back_revives_no_refresh_token(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").grant("g", "s")).await;
    assert_eq!(rotate(&store, "c-0", "r1", "g", NOW).await, Rotated::New);
    assert_eq!(rotate(&store, "c-0", "x", "g", NOW - 3600).await, Rotated::Reused);
}

pub(crate) async fn a_refresh_binds_a_grant_once(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").grant("g", "s")).await;
    let bound = async || store.grant(&grant_id("g")).await.unwrap().unwrap().grant.dpop_jkt;
    assert_eq!(bound().await, None);
    let by = |parent, successor, key: &str| {
        let rotation = Rotation { dpop_jkt: Some(key.to_owned()), ..rotation(parent, successor, "g") };
        store.rotate_refresh(rotation, NOW)
    };
    assert_eq!(by("c-0", "r1", "first").await.unwrap(), Rotated::New);
    assert_eq!(bound().await.as_deref(), Some("first"));
    assert_eq!(by("r1", "r2", "second").await.unwrap(), Rotated::New);
    assert_eq!(bound().await.as_deref(), Some("first"));
}

pub(crate) async fn a_refresh_on_what_has_ended_is_refused(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    assert_eq!(rotate(&store, "unknown", "x", "g", NOW).await, Rotated::Refused);

    granted(&store, "revoked", alice.grant("g1", "s")).await;
    store.revoke_grant(&grant_id("g1"), NOW, Vec::new()).await.unwrap();
    assert_eq!(rotate(&store, "revoked-0", "x1", "g1", NOW).await, Rotated::Refused);

    granted(&store, "expired", alice.offline_grant("g2", "s")).await;
    assert_eq!(rotate(&store, "expired-0", "x2", "g2", NOW + 50_000).await, Rotated::Refused);
    assert_eq!(rotate(&store, "expired-0", "x2", "g2", NOW + 49_999).await, Rotated::New);

    granted(&store, "idle", alice.grant("g3", "s")).await;
    assert_eq!(rotate(&store, "idle-0", "x3", "g3", NOW + 1800).await, Rotated::Refused);
    assert_eq!(rotate(&store, "idle-0", "x3", "g3", NOW + 1799).await, Rotated::New);
    for never in ["x", "x1"] {
        assert!(store.refresh_token(TokenHash::of(never)).await.unwrap().is_none());
    }
}

pub(crate) async fn a_refresh_writes_what_came_with_it(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", alice.grant("g", "s")).await;
    let claims = object(json!({ "groups": ["fresh"] }));
    let profile = object(json!({ "name": "Alice B" }));
    let turn = Rotation {
        link: Some(Link { claims: claims.clone(), claims_at: NOW + 7, ..alice.link() }),
        touch_session: Some(session_id("s")),
        profile: Some((alice.user_id(), profile.clone())),
        grant_expires_at: NOW + 200_000,
        ..rotation("c-0", "r1", "g")
    };
    assert_eq!(store.rotate_refresh(turn.clone(), NOW + 7).await.unwrap(), Rotated::New);
    let view = store.grant(&grant_id("g")).await.unwrap().unwrap();
    assert_eq!(view.user.unwrap().profile, profile);
    let link = view.link.unwrap();
    assert_eq!((link.claims, link.claims_at), (claims, NOW + 7));
    assert_eq!(view.session.unwrap().last_active, NOW + 7);
    assert_eq!(view.grant.expires_at, NOW + 200_000);

    // An earlier expiry is not adopted; another user's link is not changed.
    signed_in(&store, "bob", "b").await;
    let foreign = Rotation { link: Some(person("bob").link()), ..rotation("r1", "r2", "g") };
    assert_eq!(store.rotate_refresh(foreign, NOW + 8).await.unwrap(), Rotated::Refused);
    let shorter = Rotation { grant_expires_at: NOW + 9, ..rotation("r1", "r2", "g") };
    assert_eq!(store.rotate_refresh(shorter, NOW + 8).await.unwrap(), Rotated::New);
    assert_eq!(store.grant(&grant_id("g")).await.unwrap().unwrap().grant.expires_at, NOW + 200_000);

    // A refused rotation writes nothing.
    let refused = Rotation { grant_expires_at: NOW + 300_000, ..turn };
    assert_eq!(store.rotate_refresh(refused, NOW + 60).await.unwrap(), Rotated::Reused);
    let grant = store.grant(&grant_id("g")).await.unwrap().unwrap().grant;
    assert!(grant.revoked_at.is_some() && grant.expires_at <= NOW + 200_000, "{grant:?}");
}

pub(crate) async fn a_token_that_is_not_rotated_moves_its_end(store: Subject) {
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", person("alice").offline_grant("g", "s")).await;
    let keep = || Rotation { successor: None, keep_until: NOW + 60_000, ..rotation("c-0", "none", "g") };
    for _ in 0..3 {
        assert_eq!(store.rotate_refresh(keep(), NOW + 10).await.unwrap(), Rotated::New);
    }
    let (token, _) = store.refresh_token(TokenHash::of("c-0")).await.unwrap().unwrap();
    assert_eq!((token.used_at, token.expires_at), (None, NOW + 60_000));
    assert_eq!(store.rotate_refresh(keep(), NOW + 60_000).await.unwrap(), Rotated::Refused);
}

pub(crate) async fn disabling_a_user_ends_everything(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    signed_in(&store, "bob", "b").await;
    granted(&store, "c1", alice.grant("bound", "s")).await;
    granted(&store, "c2", alice.offline_grant("offline", "s")).await;
    granted(&store, "c3", person("bob").grant("bob", "b")).await;
    store.set_user_disabled(&alice.user_id(), true, NOW, event(), &Tell::default()).await.unwrap();
    assert!(store.user("key-alice").await.unwrap().unwrap().user.disabled);
    assert!(store.session(secret("s")).await.unwrap().is_none());
    for id in ["bound", "offline"] {
        assert!(is_revoked(&store, id).await);
    }
    assert!(!is_revoked(&store, "bob").await);
    assert!(store.session(secret("b")).await.unwrap().is_some());

    store.set_user_disabled(&alice.user_id(), false, NOW, event(), &Tell::default()).await.unwrap();
    assert!(!store.user("key-alice").await.unwrap().unwrap().user.disabled);
    assert!(is_revoked(&store, "offline").await);
    assert_eq!(rotate(&store, "c2-0", "x", "offline", NOW).await, Rotated::Refused);
}

pub(crate) async fn consent_is_remembered_and_forgotten(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.save_code(code("c", alice.grant("g", "s")), Some(alice.consent()), NOW).await.unwrap();
    let mut wider = alice.consent();
    wider.scopes.push("email".to_owned());
    wider.claims.push("birthdate".to_owned());
    store.save_code(code("d", alice.grant("h", "s")), Some(wider.clone()), NOW).await.unwrap();
    assert_eq!(store.consent(&alice.user_id(), "app").await.unwrap(), Some(wider));
    assert_eq!(store.consent(&alice.user_id(), "other").await.unwrap(), None);

    granted(&store, "e", alice.grant("rests", "s")).await;
    granted(&store, "f", alice.offline_grant("other", "s")).await;
    store.revoke_consent(&alice.user_id(), "app", NOW, event()).await.unwrap();
    assert_eq!(store.consent(&alice.user_id(), "app").await.unwrap(), None);
    assert!(is_revoked(&store, "rests").await);
    assert!(!is_revoked(&store, "other").await);
}

pub(crate) async fn users_are_renamed_and_paged(store: Subject) {
    for name in ["a", "b", "c"] {
        signed_in(&store, name, name).await;
    }
    assert!(!store.rename_user(&UserId::new("user-a"), "b", "key-b", event()).await.unwrap());
    assert!(!store.rename_user(&UserId::new("user-nobody"), "z", "key-z", event()).await.unwrap());
    assert!(store.rename_user(&UserId::new("user-a"), "z", "key-z", event()).await.unwrap());
    let renamed = store.user("key-z").await.unwrap().unwrap().user;
    assert_eq!((renamed.username.as_str(), renamed.sub.as_str()), ("z", "sub-a"));
    assert!(store.user("key-a").await.unwrap().is_none());

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.people(after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.user.id.clone());
        assert!(page.iter().all(|person| person.links.len() == 1));
        seen.extend(page.into_iter().map(|person| person.user.id));
    }
    assert_eq!(seen, ["user-a", "user-b", "user-c"].map(UserId::new));
}

pub(crate) async fn users_are_found_by_the_beginning_of_a_name_a_sub_and_an_address(store: Subject) {
    for name in ["anna", "ann", "anne", "bob", "an\u{10ffff}x"] {
        signed_in(&store, name, name).await;
    }
    let names = |page: &[Person]| page.iter().map(|person| person.user.username.clone()).collect::<Vec<_>>();
    let page = store.users_named("key-ann", None, 2).await.unwrap();
    assert_eq!(names(&page), ["ann", "anna"]);
    assert!(page.iter().all(|person| person.links.len() == 1));
    let page = store.users_named("key-ann", Some("key-anna"), 2).await.unwrap();
    assert_eq!(names(&page), ["anne"]);
    // The last row of the page before may have gone.
    assert_eq!(names(&store.users_named("key-ann", Some("key-annb"), 9).await.unwrap()), ["anne"]);
    assert_eq!(names(&store.users_named("key-ann", Some("key-a"), 1).await.unwrap()), ["ann"]);
    assert_eq!(names(&store.users_named("", None, 9).await.unwrap()), ["ann", "anna", "anne", "an\u{10ffff}x", "bob"]);
    assert!(store.users_named("key-c", None, 9).await.unwrap().is_empty());

    let keys = ["key-bob", "key-nobody", "key-anna", ""].map(str::to_owned);
    let mut called = store.usernames_of(&keys).await.unwrap();
    called.sort();
    assert_eq!(called, ["anna", "bob"]);
    assert!(store.usernames_of(&[]).await.unwrap().is_empty());

    assert_eq!(names(&store.users_with_sub("sub-ann", None, 2).await.unwrap()), ["ann", "anna"]);
    assert_eq!(names(&store.users_with_sub("sub-ann", Some("sub-anna"), 2).await.unwrap()), ["anne"]);

    let mut seen = Vec::new();
    let mut after: Option<(String, i64)> = None;
    loop {
        let from = after.as_ref().map(|(address, row)| (address.as_str(), *row));
        let page = store.users_with_address("ann", from, 1).await.unwrap();
        let Some((address, row, person)) = page.into_iter().next() else { break };
        seen.push((address.clone(), person.user.username));
        after = Some((address, row));
    }
    let wanted = ["ann", "anna", "anne"].map(|name| (format!("{name}@example.org"), name.to_owned()));
    assert_eq!(seen, wanted);
}

pub(crate) async fn sessions_are_paged_newest_first(store: Subject) {
    signed_in(&store, "alice", "a").await;
    signed_in(&store, "bob", "b").await;
    for session in ["c", "d", "e"] {
        store.finish_sign_in(person("alice").sign_in_again(session), NOW).await.unwrap();
    }
    let user_id = person("alice").user_id();
    for (user, wanted) in [(None, vec!["e", "d", "c", "b", "a"]), (Some(&user_id), vec!["e", "d", "c", "a"])] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page = store.sessions_before(user, before, 2).await.unwrap();
            let Some((last, _)) = page.last() else { break };
            before = Some(*last);
            seen.extend(page.iter().map(|(_, view)| view.session.id.to_string()));
            // A session that ends meanwhile hides no other one.
            store.end_session(&session_id("d"), NOW, Vec::new(), &Tell::default()).await.unwrap();
        }
        let wanted: Vec<_> = wanted.into_iter().filter(|id| user.is_none() || *id != "d").collect();
        assert_eq!(seen, wanted);
    }
}

pub(crate) async fn the_history_of_the_configuration_is_bounded(store: Subject) {
    let generation = |number: i64| StoredGeneration {
        id: format!("g{number}"),
        replica: "r".to_owned(),
        number,
        hash: "0123456789ab".to_owned(),
        applied: number % 2 == 0,
        data: format!("{{\"number\":{number}}}"),
        at: NOW + number,
    };
    for number in 1..=i64::from(REMEMBERED) + 5 {
        store.save_generation(generation(number)).await.unwrap();
    }
    let newest = store.generations(2).await.unwrap();
    assert_eq!(newest, [generation(i64::from(REMEMBERED) + 5), generation(i64::from(REMEMBERED) + 4)]);
    let all = store.generations(10_000).await.unwrap();
    assert_eq!((all.len(), all.last().unwrap().number), (REMEMBERED as usize, 6));
}

pub(crate) async fn replicas_say_what_they_run(store: Subject) {
    let replica = |id: &str, hash: &str, seen_at: i64| Replica {
        id: id.to_owned(),
        host: "broker-0".to_owned(),
        hash: hash.to_owned(),
        generation: 1,
        started_at: NOW,
        seen_at,
    };
    for (id, hash, seen_at) in [("b", "one", NOW), ("a", "one", NOW), ("b", "two", NOW + 30)] {
        store.replica_seen(replica(id, hash, seen_at), NOW - 60).await.unwrap();
    }
    assert_eq!(store.replicas().await.unwrap(), [replica("a", "one", NOW), replica("b", "two", NOW + 30)]);
    store.replica_seen(replica("b", "two", NOW + 60), NOW + 1).await.unwrap();
    assert_eq!(store.replicas().await.unwrap(), [replica("b", "two", NOW + 60)], "one that is gone is forgotten");
}

pub(crate) async fn signing_keys_change_only_from_what_was_seen(store: Subject) {
    assert!(store.signing_keys().await.unwrap().is_empty());
    let first = signing_key("k1", KeyState::Current);
    assert!(store.replace_signing_keys(Vec::new(), vec![first.clone()]).await.unwrap());
    assert_eq!(store.signing_keys().await.unwrap(), std::slice::from_ref(&first));
    let second = signing_key("k2", KeyState::Next);
    assert!(!store.replace_signing_keys(Vec::new(), vec![second.clone()]).await.unwrap());
    assert_eq!(store.signing_keys().await.unwrap(), std::slice::from_ref(&first));
    let both = vec![first, second];
    assert!(store.replace_signing_keys(vec!["k1".to_owned()], both.clone()).await.unwrap());
    assert_eq!(store.signing_keys().await.unwrap(), both);

    let mut tasks = JoinSet::new();
    for n in 0..10 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let new = vec![signing_key(&format!("new-{n}"), KeyState::Current)];
            store.replace_signing_keys(vec!["k2".to_owned(), "k1".to_owned()], new).await.unwrap()
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|done| *done).count(), 1);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}

/// The requests of one sign-in share a trace id: what `explain --trace` shows is the last decision.
pub(crate) async fn a_decision_under_an_id_that_comes_again_replaces_the_first(store: Subject) {
    let first = StoredTrace { client: Some("app".to_owned()), names: vec!["Dora".to_owned()], ..trace("t") };
    store.save_trace(first, Vec::new()).await.unwrap();
    let again = StoredTrace { client: Some("other".to_owned()), data: "{}".to_owned(), at: NOW + 5, ..trace("t") };
    store.save_trace(again, Vec::new()).await.unwrap();
    let kept = store.trace("t", NOW).await.unwrap().unwrap();
    assert_eq!((kept.client.as_deref(), kept.data.as_str(), kept.at), (Some("other"), "{}", NOW + 5));
    assert!(store.refusals_named("dora", NOW, 9).await.unwrap().is_empty(), "it is not about her any more");
    // A refusal, and then a sign-in of somebody else that goes on with the same request.
    let refused = StoredTrace { user_id: None, names: vec!["Mallory".to_owned()], ..trace("u") };
    store.save_trace(refused, Vec::new()).await.unwrap();
    let mut sign_in = person("alice").sign_in("alice");
    sign_in.trace = trace("u");
    assert!(matches!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done));
    assert!(store.trace("u", NOW).await.unwrap().is_some());
    assert!(store.refusals_named("mallory", NOW, 9).await.unwrap().is_empty(), "Alice's decision is not Mallory's");
}

pub(crate) async fn traces_end(store: Subject) {
    store.save_trace(trace("t"), Vec::new()).await.unwrap();
    assert_eq!(store.trace("t", NOW + 86_399).await.unwrap(), Some(trace("t")));
    assert_eq!(store.trace("t", NOW + 86_400).await.unwrap(), None);
    assert_eq!(store.trace("unknown", NOW).await.unwrap(), None);
}

pub(crate) async fn a_one_time_identifier_is_used_once(store: Subject) {
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.use_once("jti", "a", NOW + 60, NOW).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|first| *first).count(), 1);
    assert!(store.use_once("dpop", "a", NOW + 60, NOW).await.unwrap());
    assert!(store.use_once("jt", "ia", NOW + 60, NOW).await.unwrap());
    assert!(store.use_once("jti", "b", NOW + 60, NOW).await.unwrap());
    assert!(!store.use_once("jti", "a", NOW + 90, NOW + 59).await.unwrap());
    assert!(store.use_once("jti", "a", NOW + 90, NOW + 60).await.unwrap());
    assert!(!store.use_once("jti", "a", NOW + 90, NOW + 60).await.unwrap());
}

pub(crate) async fn sessions_end_together_with_the_use_of_an_identifier(store: Subject) {
    for name in ["alice", "bob", "carol"] {
        signed_in(&store, name, name).await;
    }
    granted(&store, "c", person("alice").grant("g", "alice")).await;
    let end = |id: &str, sessions: &[&str]| EndOnce {
        once: ("logout", id.to_owned()),
        expires_at: NOW + 60,
        sessions: sessions.iter().map(|id| session_id(id)).collect(),
        ..EndOnce::default()
    };
    let ended = store.end_once(end("a", &["alice", "bob"]), NOW, Vec::new()).await.unwrap().unwrap();
    assert_eq!(ended.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    for (name, there) in [("alice", false), ("bob", false), ("carol", true)] {
        assert_eq!(store.session(secret(name)).await.unwrap().is_some(), there, "{name}");
    }
    assert_eq!(store.end_once(end("a", &["carol"]), NOW, vec![event()]).await.unwrap(), None);
    assert!(store.session(secret("carol")).await.unwrap().is_some(), "used before: nothing ends");
    assert!(is_revoked(&store, "g").await);
}

pub(crate) async fn a_provider_ends_grants_and_changes_claims_once(store: Subject) {
    let (alice, bob) = (person("alice"), person("bob"));
    signed_in(&store, "alice", "a").await;
    signed_in(&store, "bob", "b").await;
    granted(&store, "c1", alice.offline_grant("offline", "a")).await;
    granted(&store, "c2", Grant { created_at: NOW + 10, ..alice.offline_grant("later", "a") }).await;
    let elsewhere = Some(LinkKey { provider: "other".to_owned(), ..alice.key() });
    granted(&store, "c3", Grant { link: elsewhere, ..alice.offline_grant("elsewhere", "a") }).await;
    granted(&store, "c4", bob.offline_grant("of-bob", "b")).await;
    let link = async || {
        let query = AccountQuery { key: Some(alice.key()), ..AccountQuery::default() };
        store.accounts(query).await.unwrap().linked.unwrap().1
    };
    let changed = |group: &str, read_at: i64| ChangedClaims {
        key: alice.key(),
        claims: object(json!({ "sub": "alice", "groups": [group], "canary": "CANARY-claims" })),
        verified_email: None,
        claims_at: NOW - 900,
        read_at,
    };
    let end = |id: &str, group: &str, read_at: i64| EndOnce {
        once: ("signal", id.to_owned()),
        expires_at: NOW + 60,
        grants: vec![(alice.user_id(), alice.key(), NOW)],
        claims: vec![changed(group, read_at)],
        ..EndOnce::default()
    };
    assert_eq!(store.end_once(end("1", "new", NOW), NOW, vec![event()]).await.unwrap(), Some(Vec::new()));
    for (grant, revoked) in [("offline", true), ("later", false), ("elsewhere", false), ("of-bob", false)] {
        assert_eq!(is_revoked(&store, grant).await, revoked, "{grant}");
    }
    let now = link().await;
    assert_eq!(now.claims.get("groups"), Some(&json!(["new"])));
    assert_eq!((now.claims_at, &now.verified_email), (NOW - 900, &None));
    assert_eq!(now.refresh_token.as_deref(), Some("CANARY-upstream-refresh"), "it stays");
    assert!(store.session(secret("a")).await.unwrap().is_some());
    // Once only, and not over what the provider stated since.
    assert_eq!(store.end_once(end("1", "again", NOW), NOW, Vec::new()).await.unwrap(), None);
    assert!(store.end_once(end("2", "old", NOW - 901), NOW, Vec::new()).await.unwrap().is_some());
    assert_eq!(link().await.claims.get("groups"), Some(&json!(["new"])));
}

pub(crate) async fn d44_sweeping_takes_what_has_ended_and_nothing_else(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    granted(&store, "c", alice.grant("g", "s")).await;
    granted(&store, "d", alice.offline_grant("h", "s")).await;
    assert_eq!(rotate(&store, "d-0", "d-1", "h", NOW).await, Rotated::New);
    for n in 0..25 {
        store.save_login(login(&format!("l{n}")), PendingBound::default()).await.unwrap();
        store.save_interaction(interaction(&format!("i{n}")), PendingBound::default()).await.unwrap();
        store.use_once("jti", &n.to_string(), NOW + 600, NOW).await.unwrap();
    }
    assert!(!store.sweep(NOW, 10).await.unwrap());
    let mut rounds = 0;
    while store.sweep(NOW + 600, 10).await.unwrap() {
        rounds += 1;
    }
    assert_eq!(rounds, 2);
    assert_eq!(store.interaction(TokenHash::of("i0"), NOW).await.unwrap(), None);
    assert_eq!(store.take_login(TokenHash::of("l0"), &[browser()], NOW).await.unwrap(), None);
    assert!(store.use_once("jti", "0", NOW + 600, NOW).await.unwrap());
    assert!(store.session(secret("s")).await.unwrap().is_some());
    assert!(store.grant(&grant_id("g")).await.unwrap().is_some());
    // The grace period is over, and the sealed successor has been deleted; that the token was used is still known.
    assert_eq!(rotate(&store, "d-0", "x", "h", NOW + 5).await, Rotated::Reused);

    while store.sweep(NOW + 100_000, 10).await.unwrap() {}
    assert!(store.session(secret("s")).await.unwrap().is_none());
    assert!(store.grant(&grant_id("g")).await.unwrap().is_none());
    assert!(store.refresh_token(TokenHash::of("c-0")).await.unwrap().is_none());
    assert!(store.code(TokenHash::of("c")).await.unwrap().is_none());
    assert!(store.user("key-alice").await.unwrap().is_some());
}

pub(crate) async fn system_roles_are_a_set(store: Subject) {
    for (name, roles) in [("a", ["y", "x"]), ("b", ["x", "z"])] {
        let mut sign_in = person(name).sign_in(name);
        sign_in.system_roles = roles.map(str::to_owned).to_vec();
        store.finish_sign_in(sign_in, NOW).await.unwrap();
    }
    assert_eq!(store.system_roles().await.unwrap(), ["x", "y", "z"]);
}

pub(crate) async fn d44_rows_from_the_future_hold_no_sweep_up(store: Subject) {
    let ahead = 400 * 86_400;
    for n in 0..30 {
        let (login, trace) = (login(&format!("future-{n}")), trace(&format!("future-{n}")));
        let later = Login { expires_at: login.expires_at + ahead, ..login };
        store.save_login(later, PendingBound::default()).await.unwrap();
        store.save_trace(StoredTrace { expires_at: trace.expires_at + ahead, ..trace }, Vec::new()).await.unwrap();
    }
    store.save_login(login("now"), PendingBound::default()).await.unwrap();
    store.save_trace(trace("now"), Vec::new()).await.unwrap();
    while store.sweep(NOW + 86_400, 10).await.unwrap() {}
    assert_eq!(store.take_login(TokenHash::of("now"), &[browser()], NOW).await.unwrap(), None);
    assert_eq!(store.trace("now", NOW).await.unwrap(), None);
    assert!(store.trace("future-0", NOW).await.unwrap().is_some());
    while store.sweep(NOW + 2 * ahead, 10).await.unwrap() {}
    assert_eq!(store.trace("future-0", NOW).await.unwrap(), None);
}

pub(crate) async fn d44_an_unused_code_goes_when_it_expires(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    store.save_code(code("c", alice.offline_grant("g", "s")), None, NOW).await.unwrap();
    while store.sweep(NOW + 59, 10).await.unwrap() {}
    assert!(store.code(TokenHash::of("c")).await.unwrap().is_some());
    while store.sweep(NOW + 60, 10).await.unwrap() {}
    assert!(store.code(TokenHash::of("c")).await.unwrap().is_none());
}

pub(crate) async fn d42_what_waits_is_bounded_and_the_oldest_goes_first(store: Subject) {
    let bound = PendingBound::of(5);
    for n in 0..4 {
        store.save_login(login(&format!("l{n}")), bound).await.unwrap();
        store.save_interaction(interaction(&format!("i{n}")), bound).await.unwrap();
    }
    let login_left =
        async |n: usize| store.take_login(TokenHash::of(&format!("l{n}")), &[browser()], NOW).await.unwrap().is_some();
    let page_left = async |n: usize| store.interaction(TokenHash::of(&format!("i{n}")), NOW).await.unwrap().is_some();
    let mut left = Vec::new();
    for n in 0..4 {
        left.push((page_left(n).await, login_left(n).await));
    }
    // In the order l0 i0 l1 i1 l2 i2 l3 i3, the last five are kept.
    assert_eq!(left, [(false, false), (true, false), (true, true), (true, true)]);
}

pub(crate) async fn d42_what_waits_is_bounded_in_bytes(store: Subject) {
    let bound = PendingBound { rows: 1000, bytes: 100_000 };
    let large = |state: &str| Login { data: "x".repeat(30_000), ..login(state) };
    for n in 0..10 {
        store.save_login(large(&format!("l{n}")), bound).await.unwrap();
    }
    let mut left = 0;
    for n in 0..10 {
        left +=
            usize::from(store.take_login(TokenHash::of(&format!("l{n}")), &[browser()], NOW).await.unwrap().is_some());
    }
    assert_eq!(left, 3);
}

pub(crate) async fn d42_finished_sign_ins_leave_room(store: Subject) {
    let bound = PendingBound::of(3);
    store.save_login(login("waits"), bound).await.unwrap();
    for n in 0..50 {
        store.save_login(login(&format!("l{n}")), bound).await.unwrap();
        store.save_interaction(interaction(&format!("i{n}")), bound).await.unwrap();
        assert!(store.take_login(TokenHash::of(&format!("l{n}")), &[browser()], NOW).await.unwrap().is_some());
        assert!(store.take_interaction(TokenHash::of(&format!("i{n}")), NOW).await.unwrap().is_some());
    }
    // Swept rows free space as well.
    for n in 0..2 {
        store.save_login(Login { expires_at: NOW + 1, ..login(&format!("short-{n}")) }, bound).await.unwrap();
    }
    while store.sweep(NOW + 1, 10).await.unwrap() {}
    for n in 0..2 {
        store.save_login(login(&format!("m{n}")), bound).await.unwrap();
    }
    assert!(
        store.take_login(TokenHash::of("waits"), &[browser()], NOW).await.unwrap().is_some(),
        "nothing waits beside it"
    );
}

pub(crate) async fn d47_an_account_found_by_an_address_has_one_link_at_a_provider(store: Subject) {
    let alice = person("alice");
    let at = |provider: &str, subject: &str, session: &str| {
        let mut sign_in = alice.sign_in_again(session);
        sign_in.only_here = true;
        sign_in.link.key.provider = provider.to_owned();
        sign_in.link.key.subject = subject.to_owned();
        sign_in.session.link = sign_in.link.key.clone();
        sign_in
    };
    signed_in(&store, "alice", "s").await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (store, sign_in) = (Arc::clone(&store), at("partner", &format!("p{n}"), &format!("s{n}")));
        tasks.spawn(async move { store.finish_sign_in(sign_in, NOW).await.unwrap() });
    }
    let done = tasks.join_all().await.into_iter().filter(|written| *written == SignInWritten::Done).count();
    assert_eq!(done, 1);
    assert_eq!(store.user("key-alice").await.unwrap().unwrap().links.len(), 2);
    // Where a `sub` is declared, an account may have several.
    let mut declared = at("partner", "declared", "d");
    declared.only_here = false;
    assert_eq!(store.finish_sign_in(declared, NOW).await.unwrap(), SignInWritten::Done);
}

pub(crate) async fn d42_refusals_of_one_account_are_bounded(store: Subject) {
    signed_in(&store, "alice", "s").await;
    store.save_trace(StoredTrace { user_id: None, ..trace("stranger") }, Vec::new()).await.unwrap();
    let of_bob = StoredTrace { user_id: Some(UserId::new("bob")), ..trace("bob") };
    store.save_trace(of_bob, Vec::new()).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..1_200 {
        let (store, refused) = (Arc::clone(&store), StoredTrace { id: format!("t{n}"), ..trace("t") });
        tasks.spawn(async move { store.save_trace(refused, Vec::new()).await.unwrap() });
    }
    tasks.join_all().await;
    let mut kept = 0;
    for n in 0..1_200 {
        kept += usize::from(store.trace(&format!("t{n}"), NOW).await.unwrap().is_some());
    }
    assert_eq!(kept, 1_000);
    for other in ["stranger", "bob", "trace-s"] {
        assert!(store.trace(other, NOW).await.unwrap().is_some(), "{other}");
    }
}

/// All lines of the chain, verified.
pub(crate) async fn chain(store: &dyn Store) -> Vec<Recorded> {
    let ends = store.chain_ends().await.unwrap();
    let mut verifier = Verifier::after(ends.anchor);
    let lines = store.events_after(ends.anchor.map_or(0, |anchor| anchor.seq), u32::MAX).await.unwrap();
    let events: Vec<Recorded> = lines.iter().map(|line| verifier.next(line, false).unwrap()).collect();
    assert_eq!(verifier.last(), ends.last, "the chain ends where the store says");
    events
}

async fn found(store: &Subject, query: EventQuery) -> Vec<u64> {
    let page = store.events(EventQuery { limit: 100, ..query }).await.unwrap();
    assert_eq!(page.next, None);
    page.events.iter().map(|event| event.seq).collect()
}

pub(crate) async fn events_are_chained_and_found_by_every_field(store: Subject) {
    let (alice, bob) = (person("alice"), person("bob"));
    let refusal = bob.event(Kind::Refusal).reason("not_allowed").address("192.0.2.7".parse().ok());
    let elsewhere = Event { at: NOW + 7200, ..event().client("other").provider("partner") };
    store.record(vec![alice.event(Kind::SignIn), refusal]).await.unwrap();
    store.record(vec![elsewhere]).await.unwrap();
    // The same before and after the events are indexed.
    for indexed in [false, true] {
        if indexed {
            store.sweep(NOW, 100).await.unwrap();
        }
        let all = EventQuery::default();
        let of = |person: &crate::fixtures::Person| Some(person.user_id());
        assert_eq!(found(&store, all.clone()).await, [3, 2, 1]);
        assert_eq!(found(&store, EventQuery { account: of(&alice), ..all.clone() }).await, [1]);
        assert_eq!(found(&store, EventQuery { account: of(&person("x")), ..all.clone() }).await, [0_u64; 0]);
        assert_eq!(found(&store, EventQuery { client: Some("app".into()), ..all.clone() }).await, [2, 1]);
        assert_eq!(found(&store, EventQuery { provider: Some("partner".into()), ..all.clone() }).await, [3]);
        assert_eq!(found(&store, EventQuery { kinds: vec![Kind::SignIn], ..all.clone() }).await, [1]);
        let several = vec![Kind::SignIn, Kind::Logout, Kind::Refusal];
        assert_eq!(found(&store, EventQuery { kinds: several.clone(), account: of(&bob), ..all.clone() }).await, [2]);
        assert_eq!(found(&store, EventQuery { kinds: several, to: Some(NOW), ..all.clone() }).await, [2, 1]);
        assert_eq!(found(&store, EventQuery { reason: Some("not_allowed".into()), ..all.clone() }).await, [2]);
        assert_eq!(found(&store, EventQuery { address: Some("192.0.2.7".into()), ..all.clone() }).await, [2]);
        assert_eq!(found(&store, EventQuery { from: Some(NOW + 1), ..all.clone() }).await, [3]);
        assert_eq!(found(&store, EventQuery { to: Some(NOW), ..all.clone() }).await, [2, 1]);
        assert_eq!(
            found(&store, EventQuery { from: Some(NOW + 1), to: Some(NOW + 2), ..all.clone() }).await,
            [0_u64; 0]
        );
        let both = EventQuery { client: Some("app".into()), account: of(&bob), ..all.clone() };
        assert_eq!(found(&store, both.clone()).await, [2]);
        assert_eq!(found(&store, EventQuery { kinds: vec![Kind::Logout], ..both }).await, [0_u64; 0]);
    }
    let events = chain(&*store).await;
    let [first, second, third] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(second.event.user.as_deref(), Some("bob"));
    assert_eq!(second.event.reason.as_deref(), Some("not_allowed"));
    assert!(!first.replica.is_empty());
    assert_eq!((&second.replica, &third.replica), (&first.replica, &first.replica));
}

pub(crate) async fn events_are_paged_newest_first_before_and_after_they_are_indexed(store: Subject) {
    let (alice, bob) = (person("alice"), person("bob"));
    for n in 0..30 {
        let someone = if n % 2 == 0 { &alice } else { &bob };
        store.record(vec![someone.event(Kind::SignIn)]).await.unwrap();
        // So that a page has events of both sorts.
        if n == 14 {
            store.sweep(NOW, 100).await.unwrap();
        }
    }
    for (account, expected) in [(None, (1..=30).rev().collect()), (Some(alice.user_id()), odd(30))] {
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let query = EventQuery { account: account.clone(), before, limit: 4, ..EventQuery::default() };
            let page = store.events(query).await.unwrap();
            seen.extend(page.events.iter().map(|event| event.seq));
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, expected);
    }
    let after: Vec<u64> = chain(&*store).await.iter().map(|event| event.seq).collect();
    assert_eq!(after, (1..=30).collect::<Vec<u64>>());
}

/// The odd numbers up to `most`, from the greatest.
fn odd(most: u64) -> Vec<u64> {
    (1..=most).rev().filter(|n| n % 2 == 1).collect()
}

pub(crate) async fn an_event_comes_and_goes_with_the_write_that_it_tells_of(store: Subject) {
    let alice = person("alice");
    signed_in(&store, "alice", "s").await;
    // A conflict leaves none.
    let taken = SignIn { account: AccountWrite::Create(alice.user()), ..person("alice").sign_in("s2") };
    assert_eq!(store.finish_sign_in(taken, NOW).await.unwrap(), SignInWritten::Conflict);
    let grant = alice.grant("g", "s");
    store.save_code(code("c", grant.clone()), None, NOW).await.unwrap();
    let first = Some(refresh("r0", "g"));
    let issued = || vec![alice.event(Kind::TokenIssued)];
    store.redeem_code(TokenHash::of("c"), grant.clone(), first.clone(), NOW, issued()).await.unwrap();
    assert_eq!(
        store.redeem_code(TokenHash::of("c"), grant, first, NOW, issued()).await.unwrap(),
        Redeemed::Refused,
        "its event is not recorded"
    );
    let turn = |events| Rotation {
        events,
        reuse_events: vec![alice.event(Kind::Suspicious)],
        ..rotation("unknown", "r1", "g")
    };
    assert_eq!(store.rotate_refresh(turn(issued()), NOW).await.unwrap(), Rotated::Refused);
    let ended = store.set_user_disabled(&alice.user_id(), true, NOW, event(), &Tell::default()).await.unwrap();
    assert!(store.revoke_consent(&alice.user_id(), "nothing", NOW, event()).await.unwrap().is_none());
    let events = chain(&*store).await;
    let kinds: Vec<Kind> = events.iter().map(|event| event.event.kind).collect();
    assert_eq!(kinds, [Kind::SignIn, Kind::TokenIssued, Kind::AdminAction]);
    assert_eq!(ended.unwrap().sessions, 1);
    let last = events.last().unwrap();
    assert_eq!((last.event.sessions, last.event.grants), (Some(1), None));
}

pub(crate) async fn d44_old_events_are_forgotten_and_the_chain_stays_whole(store: Subject) {
    let at = |at: i64| Event { at, ..person("alice").event(Kind::SignIn) };
    for n in 0..40 {
        store.record(vec![at(NOW + n * 3600)]).await.unwrap();
    }
    store.sweep(NOW, 100).await.unwrap();
    let cutoff = NOW + 25 * 3600;
    let now = NOW + 40 * 3600;
    while store.forget_events(cutoff, now, 10).await.unwrap() {}
    let events = chain(&*store).await;
    assert_eq!((events.first().unwrap().seq, events.len()), (26, 15));
    assert_eq!(store.chain_ends().await.unwrap().anchor.unwrap().seq, 25);
    let mine = EventQuery { account: Some(person("alice").user_id()), ..EventQuery::default() };
    assert_eq!(found(&store, mine.clone()).await.len(), 15);
    assert_eq!(found(&store, EventQuery { to: Some(cutoff), ..mine }).await, [26]);
    // All of them may go, and the next one still follows.
    while store.forget_events(now + 1, now, 10).await.unwrap() {}
    assert!(chain(&*store).await.is_empty());
    store.record(vec![at(now)]).await.unwrap();
    assert_eq!(chain(&*store).await.first().unwrap().seq, 41);
}

pub(crate) async fn d44_events_from_the_future_hold_no_retention_up(store: Subject) {
    for at in [NOW, NOW + 1_000_000_000, NOW + 1, NOW + 100, NOW + 1_000_000_000, NOW + 101] {
        store.record(vec![Event { at, ..event() }]).await.unwrap();
    }
    store.forget_events(NOW + 50, NOW + 200, 100).await.unwrap();
    let left: Vec<u64> = chain(&*store).await.iter().map(|event| event.seq).collect();
    assert_eq!(left, [4, 5, 6], "what is young enough stays, and what is between");
}

/// What a certificate of `name` is exchanged for, by an account that it creates.
fn certificate_grant(name: &str, id: &str) -> CertificateGrant {
    let person = person(name);
    let mut link = person.link();
    link.key.provider = "certificate".to_owned();
    let grant = Grant { session_id: None, sid: None, link: Some(link.key.clone()), ..person.grant(id, "none") };
    let trace = StoredTrace { user_id: Some(person.user_id()), ..trace(&format!("trace-{id}")) };
    CertificateGrant {
        account: AccountWrite::Create(person.user()),
        link: Some(link),
        grant,
        trace,
        events: vec![person.event(Kind::SignIn)],
    }
}

/// The same of an account that exists.
fn certificate_grant_again(name: &str, id: &str) -> CertificateGrant {
    let account = AccountWrite::Update { user_id: person(name).user_id(), profile: None };
    CertificateGrant { account, link: None, ..certificate_grant(name, id) }
}

pub(crate) async fn a_certificate_is_exchanged_for_a_grant(store: Subject) {
    assert!(!store.grant_by_certificate(certificate_grant_again("alice", "none")).await.unwrap());
    assert!(store.grant_by_certificate(certificate_grant("alice", "first")).await.unwrap());
    let view = store.grant(&grant_id("first")).await.unwrap().unwrap();
    assert_eq!(view.user.unwrap().username, "alice");
    assert_eq!(view.link.unwrap().key.provider, "certificate");
    assert!(view.session.is_none());
    assert!(store.trace("trace-first", NOW).await.unwrap().is_some());

    assert!(store.grant_by_certificate(certificate_grant_again("alice", "second")).await.unwrap());
    // Another account of the same name, and another user's certificate: nothing is written.
    let mut other = certificate_grant("bob", "third");
    if let AccountWrite::Create(user) = &mut other.account {
        user.username_key = "key-alice".to_owned();
    }
    let mut taken = certificate_grant("carol", "fourth");
    taken.link.as_mut().unwrap().key = certificate_grant("alice", "x").link.unwrap().key;
    for refused in [other, taken] {
        let id = refused.grant.id.clone();
        assert!(!store.grant_by_certificate(refused).await.unwrap());
        assert!(store.grant(&id).await.unwrap().is_none());
    }
    assert!(store.user("key-carol").await.unwrap().is_none());
    store.set_user_disabled(&person("alice").user_id(), true, NOW, event(), &Tell::default()).await.unwrap();
    assert!(!store.grant_by_certificate(certificate_grant_again("alice", "fifth")).await.unwrap());
    assert!(store.grant(&grant_id("fifth")).await.unwrap().is_none());
    let kinds: Vec<Kind> = chain(&*store).await.iter().map(|event| event.event.kind).collect();
    assert_eq!(kinds, [Kind::SignIn, Kind::SignIn, Kind::AdminAction], "nothing of what was not written");
}

pub(crate) async fn a_certificate_belongs_to_one_user(store: Subject) {
    signed_in(&store, "alice", "a").await;
    signed_in(&store, "bob", "b").await;
    let (alice, bob) = (person("alice").user_id(), person("bob").user_id());
    let mut link = certificate_grant("alice", "x").link.unwrap();
    assert!(store.attach_certificate(link.clone(), event()).await.unwrap());
    assert!(!store.attach_certificate(link.clone(), event()).await.unwrap(), "twice");
    link.user_id = bob.clone();
    assert!(!store.attach_certificate(link.clone(), event()).await.unwrap(), "somebody else");
    let listed = store.links_at(&alice, "certificate").await.unwrap();
    assert_eq!(listed.iter().map(|link| link.user_id.as_str()).collect::<Vec<_>>(), [alice.as_str()]);
    assert!(store.links_at(&bob, "certificate").await.unwrap().is_empty());
    assert!(
        store.detach_certificate(&bob, &link.key, NOW, event(), &Tell::default()).await.unwrap().is_none(),
        "not his to detach"
    );
    store.set_user_disabled(&bob, true, NOW, event(), &Tell::default()).await.unwrap();
    link.key.subject = "another".to_owned();
    assert!(!store.attach_certificate(link, event()).await.unwrap(), "nothing for whom has no access");
}

pub(crate) async fn a_certificate_is_detached_with_all_that_it_made(store: Subject) {
    assert!(store.grant_by_certificate(certificate_grant("alice", "by-certificate")).await.unwrap());
    let alice = person("alice");
    // A session of the certificate, and one of a provider, each with a grant.
    let key = certificate_grant("alice", "x").link.unwrap().key;
    let mut sign_in = alice.sign_in_again("c");
    sign_in.link.key = key.clone();
    sign_in.session.link = key.clone();
    assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);
    assert_eq!(store.finish_sign_in(alice.sign_in_again("p"), NOW).await.unwrap(), SignInWritten::Done);
    let in_session = Grant { link: Some(key.clone()), ..alice.grant("in-session", "c") };
    store.save_grant(in_session, None, NOW, Vec::new()).await.unwrap();
    store.save_grant(alice.grant("of-provider", "p"), None, NOW, Vec::new()).await.unwrap();

    let ended =
        store.detach_certificate(&alice.user_id(), &key, NOW, event(), &Tell::default()).await.unwrap().unwrap();
    assert_eq!((ended.sessions, ended.grants), (1, 2));
    let events = chain(&*store).await;
    let last = &events.last().unwrap().event;
    assert_eq!((last.sessions, last.grants), (Some(1), Some(2)));
    assert_eq!(ended.apps, [AppSession { client: "app".to_owned(), sid: session_id("c"), notice: None }]);
    assert!(store.session(secret("c")).await.unwrap().is_none());
    assert!(store.session(secret("p")).await.unwrap().is_some());
    for (id, revoked) in [("by-certificate", true), ("in-session", true), ("of-provider", false)] {
        let view = store.grant(&grant_id(id)).await.unwrap();
        assert_eq!(view.is_none_or(|view| view.grant.revoked_at.is_some()), revoked, "{id}");
    }
    assert!(
        store.detach_certificate(&alice.user_id(), &key, NOW, event(), &Tell::default()).await.unwrap().is_none(),
        "it is gone"
    );
    assert!(store.attach_certificate(certificate_grant("alice", "x").link.unwrap(), event()).await.unwrap());
}

pub(crate) async fn refusals_of_strangers_are_found_by_name_while_they_are_kept(store: Subject) {
    for n in 0..3 {
        let names = vec!["Mallory".to_owned(), format!("mallory-{n}@example.org")];
        let refusal = StoredTrace { names, user_id: None, at: NOW + n, ..trace(&format!("refused-{n}")) };
        store.save_trace(refusal, vec![event()]).await.unwrap();
    }
    let found = store.refusals_named("mallory", NOW, 2).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|trace| trace.id.as_str()).collect();
    assert_eq!(ids, ["refused-2", "refused-1"]);
    assert_eq!(store.refusals_named("MALLORY-1@example.org", NOW, 9).await.unwrap().len(), 1);
    assert!(store.refusals_named("app", NOW, 9).await.unwrap().is_empty());
    assert!(store.refusals_named("mallory", NOW + 86_400, 9).await.unwrap().is_empty(), "they have expired");
    while store.sweep(NOW + 90_000, 100).await.unwrap() {}
    assert!(store.refusals_named("mallory", NOW, 9).await.unwrap().is_empty());
    assert_eq!(chain(&*store).await.len(), 3);
}

pub(crate) async fn an_output_remembers_how_far_it_came(store: Subject) {
    assert_eq!(store.exported("file a").await.unwrap(), None);
    store.set_exported("file a", 7).await.unwrap();
    store.set_exported("stdout", 1).await.unwrap();
    store.set_exported("file a", 9).await.unwrap();
    assert_eq!((store.exported("file a").await.unwrap(), store.exported("stdout").await.unwrap()), (Some(9), Some(1)));
}
