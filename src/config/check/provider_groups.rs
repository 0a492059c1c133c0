//! `[providers.X] groups_from`.

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::check::urls::Http;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::groups_from::{GroupSource, GroupsSettings};
use crate::config::language::provider::{ClaimsSource, Preset, Provider};
use crate::config::language::refresh::RefreshUnavailable;
use crate::config::resolved::groups_from::GroupsFrom;
use crate::config::resolved::preset;

use GroupSource::{CloudIdentity, Github, Gitlab, Graph, Scim};

/// Sources that are an API.
const APIS: &[GroupSource] = &[Graph, Gitlab, CloudIdentity, Github, Scim];

/// Settings that some sources have.
const KEYS: &[(&str, &[GroupSource])] = &[
    ("when", &[Graph]),
    ("max_age", APIS),
    ("unavailable", APIS),
    ("max_stale", APIS),
    ("max_groups", APIS),
    ("names", &[Graph]),
    ("levels", &[Gitlab]),
    ("nested", &[CloudIdentity]),
    ("url", &[Graph, Gitlab, CloudIdentity, Scim]),
    ("credentials", &[CloudIdentity, Scim]),
    ("subject", &[CloudIdentity]),
    ("attribute", &[Scim]),
    ("claim", &[Scim]),
];

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider, http: Http) {
    let here = at.key("groups_from");
    let Some(declared) = &provider.groups_from else { return };
    let source = declared.source();
    if context.broken.within(&here) {
        return;
    }
    let github = provider.preset == Preset::Github;
    if !github && !provider.preset.is_openid() {
        let message = "`groups_from` is for OpenID providers and GitHub: this preset's groups are in its profile";
        return context.error(&here, message, "remove it");
    }
    if github != (source == Github) {
        let (message, way_out) = if github {
            (
                "groups of preset = \"github\" come from \"github\" alone",
                "write groups_from = { source = \"github\", ... }",
            )
        } else {
            ("groups come from \"github\" with preset = \"github\" alone", "")
        };
        return context.error(&here, message, way_out);
    }
    if source == GroupSource::Userinfo && !preset::claims_from(provider).contains(&ClaimsSource::Userinfo) {
        let message = "groups can't come from userinfo, which `claims_from` does not have";
        context.error(&here, message, "add \"userinfo\" to `claims_from`");
    }
    let needed = preset::source_scopes(provider);
    if let (Some(scopes), Some(narrowest)) = (&provider.scopes, needed.first())
        && !scopes.iter().any(|scope| needed.contains(&scope.as_str()))
    {
        let message = format!("`scopes` has none with which {} may be asked for groups", quote(name(source)));
        context.error(&at.key("scopes"), message, &format!("add {}", quote(narrowest)));
    }
    let Some(settings) = declared.settings() else {
        match source {
            CloudIdentity => {
                let message = "groups from \"cloud_identity\" need the `credentials` of a service account";
                context.error(&here, message, EXAMPLE);
            }
            Scim => {
                context.error(&here, "groups from \"scim\" need the `url` and `credentials` of a directory", DIRECTORY)
            }
            _ => {}
        }
        return;
    };
    check_settings(context, &here, source, settings, http);
    let resolved = GroupsFrom::of(provider);
    if resolved.max_stale.is_some_and(|max_stale| max_stale < resolved.max_age) {
        let key = if settings.max_stale.is_some() { "max_stale" } else { "max_age" };
        let message = "`max_stale` must be at least `max_age`: younger groups are not asked for again";
        context.error(&here.key(key), message, "");
    }
}

/// How groups from Google are declared.
const EXAMPLE: &str =
    "write groups_from = { source = \"cloud_identity\", credentials = { file = \"service-account.json\" } }";

/// How groups from a SCIM directory are declared.
const DIRECTORY: &str = "write groups_from = { source = \"scim\", url = \"https://directory.corp.example/scim/v2\", \
                         credentials = { file = \"scim-token\" } }";

fn check_settings(context: &mut Context<'_>, at: &At<'_>, source: GroupSource, settings: &GroupsSettings, http: Http) {
    for (key, sources) in KEYS {
        if context.is_set(&at.key(key)) && !sources.contains(&source) {
            let names: Vec<String> = sources.iter().map(|source| quote(name(*source))).collect();
            let message = format!("`{key}` has no effect unless groups come from {}", names.join(" or "));
            context.error(&at.key(key), message, "remove it");
        }
    }
    if source == CloudIdentity && settings.credentials.is_none() {
        let message = format!("`credentials` must be set in `{at}`: the key of a service account");
        context.needs(at, &["credentials"], message, "add credentials = { file = \"service-account.json\" }");
    }
    if source == Scim {
        for key in ["url", "credentials"] {
            let there = if key == "url" { settings.url.is_some() } else { settings.credentials.is_some() };
            if !there {
                let message = format!("`{key}` must be set in `{at}`: the directory's");
                context.needs(at, &[key], message, DIRECTORY);
            }
        }
        if settings.claim.as_deref().is_some_and(str::is_empty) {
            context.must(&at.key("claim"), "the name of a claim", "empty");
        }
    }
    if let Some(url) = &settings.url
        && let Err(expected) = urls::web_url(url, http)
    {
        context.must(&at.key("url"), expected, quote(url));
    }
    if settings.unavailable == Some(RefreshUnavailable::Deny) && settings.max_stale.is_some() {
        let message = "`max_stale` has no effect with unavailable = \"deny\"";
        context.error(&at.key("max_stale"), message, "remove it");
    }
}

/// The name of a source in the file.
const fn name(source: GroupSource) -> &'static str {
    match source {
        GroupSource::Token => "token",
        GroupSource::Userinfo => "userinfo",
        Graph => "graph",
        Gitlab => "gitlab",
        CloudIdentity => "cloud_identity",
        Github => "github",
        Scim => "scim",
    }
}
