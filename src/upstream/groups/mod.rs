//! A person's groups from an API, where the provider's tokens do not have them.
//!
//! When an API is asked and what happens when it does not answer is here: one call at a time for a person, none while the
//! groups are young, none for a moment after a failure. Each source knows how its service lists groups. A person whose groups
//! can't be had does not get in: a policy must never take "no answer" for "in no group".
//!
//! | module | the service |
//! | --- | --- |
//! | `graph` | Microsoft Graph |
//! | `gitlab` | GitLab |
//! | `cloud_identity` | Google |
//! | `scim` | a directory that speaks SCIM 2.0 |
//! | `cache` | what is kept |
//! | `facts` | what an API said |

pub(crate) mod cache;
mod cloud_identity;
mod facts;
mod gitlab;
mod graph;
mod scim;

use serde_json::{Map, Value};
use url::Url;

use crate::config::language::groups_from::{GroupSource, GroupsWhen};
use crate::config::language::scalar::SecretValue;
use crate::upstream::api::{Api, Bounds};
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::service_account::ServiceAccount;
use facts::{Facts, GROUPS};

impl ProviderContext<'_> {
    /// Sets the groups in the claims of a person, whose `sub` is `sub`, where `groups_from` takes them from an API.
    pub(crate) async fn groups(
        &self,
        claims: &mut Map<String, Value>,
        access_token: &SecretValue,
        sub: &str,
    ) -> Result<(), UpstreamError> {
        let from = &self.settings.groups_from;
        // Cloud Identity knows only people whom the service account's organisation vouches for.
        let asked = match from.source {
            // GitHub's are in its claims.
            GroupSource::Token | GroupSource::Userinfo | GroupSource::Github => false,
            GroupSource::CloudIdentity | GroupSource::Scim => known_or_in_none(self.is_known_to_groups(claims), claims),
            GroupSource::Graph | GroupSource::Gitlab => from.when == GroupsWhen::Always || has_overage(claims),
        };
        if !asked {
            return Ok(());
        }
        // By what accounts are known: a `sub` may be unique within a tenant only.
        let mut person = self.settings.quirks.subject(claims).unwrap_or_else(|_| sub.to_owned());
        // Somebody who is known to the directory by another value from now on has the groups of that.
        if let Some(value) = scim::person(from, claims).filter(|_| from.source == GroupSource::Scim) {
            person = format!("{person} {value}");
        }
        let cache = &self.upstream.groups;
        let facts = cache.get(&person, from, self.now, || self.fetch_groups(claims, access_token)).await?;
        // What stood for the groups is of no use any more.
        for name in ["_claim_names", "_claim_sources", "hasgroups"] {
            claims.shift_remove(name);
        }
        claims.extend(facts.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(())
    }

    /// Whether the source knows a person with these claims by name.
    pub(crate) fn is_known_to_groups(&self, claims: &Map<String, Value>) -> bool {
        let from = &self.settings.groups_from;
        match from.source {
            GroupSource::CloudIdentity => cloud_identity::member(claims).is_some(),
            GroupSource::Scim => scim::person(from, claims).is_some(),
            _ => true,
        }
    }

    /// The groups of a person, asked for now.
    pub(crate) async fn fetch_groups(
        &self,
        claims: &Map<String, Value>,
        access_token: &SecretValue,
    ) -> Result<Facts, Unavailable> {
        let from = &self.settings.groups_from;
        let bounds = Bounds::start();
        let api = Api::beside(self, &bounds, Document::Groups).with_way_out(way_out(from.source));
        let base = self.api_url(&api)?;
        let facts = match from.source {
            GroupSource::Token | GroupSource::Userinfo | GroupSource::Github => Facts::new(),
            GroupSource::Graph => graph::groups(&api.with_token(access_token), from, &base).await?,
            GroupSource::Gitlab => gitlab::groups(&api.with_token(access_token), from, &base).await?,
            GroupSource::CloudIdentity => {
                let member = cloud_identity::member(claims).unwrap_or_default();
                cloud_identity::groups(&api, from, self.service_account(&api, &base)?, &base, member).await?
            }
            GroupSource::Scim => {
                let token = self.directory_token(&api, &base)?;
                let person = scim::person(from, claims).unwrap_or_default();
                scim::groups(&api.with_own_token(token), from, &base, person).await?
            }
        };
        let count = facts.get(GROUPS).and_then(Value::as_array).map_or(0, Vec::len);
        if count > from.max_groups {
            return Err(api.failed(&base, UnavailableProblem::TooManyGroups(from.max_groups)));
        }
        Ok(facts)
    }

    /// Whether the API that groups come from answers the broker itself: with nobody's groups, or those of the administrator for
    /// whom a service account acts.
    ///
    /// # Errors
    /// It gives no usable answer.
    pub(crate) async fn examine_groups(&self) -> Result<&'static str, Unavailable> {
        let from = &self.settings.groups_from;
        let bounds = Bounds::start();
        let api = Api::beside(self, &bounds, Document::Groups).with_way_out(way_out(from.source));
        let base = self.api_url(&api)?;
        match from.source {
            GroupSource::CloudIdentity => {
                let account = self.service_account(&api, &base)?;
                let Some(member) = from.subject.as_deref() else {
                    cloud_identity::token(&api, account, from).await?;
                    return Ok(
                        "our service account gets a token; without `subject`, only a sign-in shows whether it may read groups",
                    );
                };
                cloud_identity::groups(&api, from, account, &base, member).await?;
                Ok("it lists the groups of `subject`")
            }
            GroupSource::Scim => {
                let token = self.directory_token(&api, &base)?;
                scim::examine(&api.with_own_token(token), from, &base).await
            }
            _ => Ok("it is not asked"),
        }
    }

    fn service_account(&self, api: &Api<'_>, base: &Url) -> Result<&ServiceAccount, Unavailable> {
        let account = self.settings.service_account.as_deref();
        account.ok_or_else(|| api.malformed(base, "the credentials of the service account were not read"))
    }

    fn directory_token(&self, api: &Api<'_>, base: &Url) -> Result<&SecretValue, Unavailable> {
        let token = self.settings.directory_token.as_ref();
        token.ok_or_else(|| api.malformed(base, "the token for the directory was not read"))
    }

    /// The address of the API: the one that the file has, or the service's own.
    fn api_url(&self, api: &Api<'_>) -> Result<Url, Unavailable> {
        let from = &self.settings.groups_from;
        let graph_host = || self.metadata.graph_host.as_deref().unwrap_or("graph.microsoft.com");
        let address = match (&from.url, from.source) {
            (Some(url), _) => url.clone(),
            (None, GroupSource::Gitlab) => format!("{}/api/v4", self.settings.service_url),
            (None, GroupSource::CloudIdentity) => "https://cloudidentity.googleapis.com/v1".to_owned(),
            (None, _) => format!("https://{}/v1.0", graph_host()),
        };
        let issuer = &self.settings.source.issuer_url;
        Url::parse(&address).map_err(|_| api.malformed(issuer, "its address is not a URL"))
    }
}

/// Sets no groups for somebody whom a source can't know by name, whatever the token says, and returns whether it can.
fn known_or_in_none(known: bool, claims: &mut Map<String, Value>) -> bool {
    if !known {
        claims.insert(GROUPS.to_owned(), Value::Array(Vec::new()));
    }
    known
}

/// Whether a token says that it has no room for the groups. Where it names a place to ask at, that place is not asked: it is an
/// API that was switched off, and an address that a token names is not called.
fn has_overage(claims: &Map<String, Value>) -> bool {
    let named = claims.get("_claim_names").is_some_and(|names| names.get(GROUPS).is_some());
    let flagged = claims.get("hasgroups").is_some_and(|flag| flag == true || flag == "true");
    named || flagged
}

/// What an operator has to do when the service refuses to answer.
const fn way_out(source: GroupSource) -> &'static str {
    match source {
        GroupSource::Graph => {
            "the access token may not read groups: add \"User.Read\" to scopes (with names, \"GroupMember.Read.All\"), and grant it \
             in the app registration under API permissions"
        }
        GroupSource::Gitlab => {
            "the access token may not read groups: add \"read_api\" to scopes, and allow it in the application"
        }
        GroupSource::CloudIdentity => {
            "the service account may not read groups: give it the role Groups Reader, or domain-wide delegation with `subject`; \
             groups of groups need an Enterprise or Cloud Identity Premium edition (nested = false)"
        }
        GroupSource::Scim => {
            "the token may not read users and groups: see groups_from.credentials, and its permissions in the directory"
        }
        GroupSource::Token | GroupSource::Userinfo | GroupSource::Github => "",
    }
}
