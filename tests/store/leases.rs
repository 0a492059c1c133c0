//! The lease on a link, under which a provider is asked with its refresh token.

use std::sync::Arc;

use countersign::store::accounts::LONGEST_LEASE;
use countersign::store::model::Link;
use countersign::store::{AccountQuery, SignInWritten, Store};
use tokio::task::JoinSet;

use crate::fixtures::{NOW, person};

async fn signed_in(store: &Arc<dyn Store>) -> Link {
    assert_eq!(store.finish_sign_in(person("alice").sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
    person("alice").link()
}

async fn stored(store: &Arc<dyn Store>) -> Link {
    let query = AccountQuery { key: Some(person("alice").key()), ..AccountQuery::default() };
    store.accounts(query).await.unwrap().linked.unwrap().1
}

/// The link with another refresh token.
fn with_token(link: &Link, token: &str) -> Link {
    Link { refresh_token: Some(token.to_owned()), claims_at: NOW + 1, ..link.clone() }
}

pub(crate) async fn one_at_a_time_has_the_lease_on_a_link(store: Arc<dyn Store>) {
    let link = signed_in(&store).await;
    let lease = async |now: i64, until: i64| store.lease_link(&link.key, now, until).await.unwrap();
    let first = lease(NOW, NOW + 45).await.unwrap();
    assert_eq!(lease(NOW + 44, NOW + 89).await, None);
    store.release_link(&link.key, first).await.unwrap();
    let second = lease(NOW + 44, NOW + 89).await.unwrap();
    store.release_link(&link.key, first).await.unwrap();
    assert_eq!(lease(NOW + 45, NOW + 90).await, None, "the first one has nothing to give back");
    let third = lease(NOW + 89, NOW + LONGEST_LEASE + 90).await.unwrap();
    assert!(first < second && second < third);
    assert!(!store.save_leased_link(with_token(&link, "too-late"), second).await.unwrap());
    assert_eq!(stored(&store).await, link);
    assert_eq!(lease(NOW + 90, NOW + 135).await, None);
    assert!(lease(NOW + 89, NOW + 134).await.is_some(), "a clock that was set back does not prolong it");
    let mut nobody = link.key.clone();
    nobody.subject = "nobody".to_owned();
    assert_eq!(store.lease_link(&nobody, NOW, NOW + 45).await.unwrap(), None);
}

pub(crate) async fn what_is_saved_of_a_link_ends_the_lease_on_it(store: Arc<dyn Store>) {
    let link = signed_in(&store).await;
    let lease = async || store.lease_link(&link.key, NOW, NOW + 45).await.unwrap();
    let fence = lease().await.unwrap();
    assert!(store.save_leased_link(with_token(&link, "rotated"), fence).await.unwrap());
    assert_eq!(stored(&store).await, with_token(&link, "rotated"));
    let fence = lease().await.unwrap();
    let mut again = person("alice").sign_in_again("t");
    again.link = with_token(&link, "of-a-sign-in");
    assert_eq!(store.finish_sign_in(again, NOW).await.unwrap(), SignInWritten::Done);
    assert!(!store.save_leased_link(with_token(&link, "late"), fence).await.unwrap());
    assert_eq!(stored(&store).await.refresh_token.as_deref(), Some("of-a-sign-in"), "the sign-in counts more");
    let fence = lease().await.unwrap();
    store.save_link(with_token(&link, "of-a-refusal")).await.unwrap();
    assert!(!store.save_leased_link(with_token(&link, "late"), fence).await.unwrap());
    assert_eq!(stored(&store).await.refresh_token.as_deref(), Some("of-a-refusal"));
}

pub(crate) async fn of_several_who_want_the_lease_one_gets_it(store: Arc<dyn Store>) {
    let link = signed_in(&store).await;
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let (store, key) = (Arc::clone(&store), link.key.clone());
        all.spawn(async move { store.lease_link(&key, NOW, NOW + 45).await.unwrap() });
    }
    assert_eq!(all.join_all().await.into_iter().flatten().count(), 1);
}
