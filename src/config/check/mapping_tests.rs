//! `[[tests]]`: whether each can be run, and whether the names in it are declared. `analysis` runs them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::check::context::Context;
use crate::config::check::references::attributes;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{did_you_mean, quote};
use crate::config::language::mapping_test::{Expectation, MappingTest};
use crate::protocol::{CERTIFICATE, CERTIFICATE_FACTS};

/// Keys of `expect` that are not attributes.
const EXPECTATIONS: &[&str] = &[
    "roles",
    "groups",
    "has_roles",
    "lacks_roles",
    "username",
    "sub",
    "link",
    "created",
    "claims",
    "id_token",
    "userinfo",
    "access_token",
    "absent",
    "refused",
];

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("tests");
    let attributes = attributes(config);
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, test) in config.tests.iter().enumerate() {
        let at = section.index(index);
        if test.name.trim().is_empty() {
            context.must(&at.key("name"), "a description of what the test shows", "empty");
        } else if names.insert(&test.name, index).is_some() {
            context.error(&at.key("name"), format!("the test name {} must be unique", quote(&test.name)), "");
        }
        input(context, &at, test);
        expectation(context, &at.key("expect"), &test.expect, &attributes);
    }
}

fn input(context: &mut Context<'_>, at: &At<'_>, test: &MappingTest) {
    match (&test.claims, &test.certificate) {
        (Some(_), Some(_)) => {
            context.error(&at.key("certificate"), "a test must have `claims` or `certificate`, not both", "keep one");
        }
        (None, Some(certificate)) => self::certificate(context, at, test, certificate),
        (None, None) => {
            context.needs(at, &["claims", "certificate"], "a test must have `claims` or `certificate`", "");
        }
        (Some(_), None) if test.provider.is_none() => {
            let message = format!("`provider` must be set in `{at}`: the claims are those of a provider");
            context.needs(at, &["provider"], message, "");
        }
        _ => {}
    }
    if let Some(provider) = &test.provider {
        context.provider_declared(&at.key("provider"), provider, true);
    }
    if let Some(client) = &test.client {
        context.client_declared(&at.key("client"), client);
    }
    // OIDC Core §2. A provider that only speaks OAuth has its subject from an expression.
    let openid = test.provider.as_ref().and_then(|id| context.config.providers.get(id));
    let openid = openid.is_some_and(|provider| provider.preset.is_openid());
    let subject = test.claims.as_ref().and_then(|claims| claims.get("sub")).filter(|sub| openid && !sub.is_string());
    if let Some(subject) = subject {
        let way_out = (subject.is_number() || subject.is_boolean()).then(|| "put it in quotes".to_owned());
        context.must_or(&at.key("claims").key("sub"), "a string, as in every ID token", subject, way_out);
    }
    let scopes = at.key("scopes");
    for (index, scope) in test.scopes.iter().flatten().enumerate() {
        context.scope_declared(&scopes.index(index), scope);
    }
    let given = at.key("given");
    for (index, account) in test.given.iter().enumerate() {
        let here = given.index(index);
        if let Some(provider) = &account.provider {
            context.provider_declared(&here.key("provider"), provider, true);
        }
    }
    if test.client.is_none() {
        if test.scopes.is_some() {
            context.warn(&scopes, "`scopes` has no effect without `client`", "add client = \"...\"");
        }
        let expect = at.key("expect");
        for key in ["claims", "id_token", "userinfo", "access_token", "absent"] {
            if context.is_set(&expect.key(key)) {
                let message = format!("`{key}` is about what an app receives: the test must name a `client`");
                context.error(&expect.key(key), message, "add client = \"...\"");
            }
        }
    }
}

/// A client certificate: what the `cert` of `certificates.username` would have.
fn certificate(context: &mut Context<'_>, at: &At<'_>, test: &MappingTest, certificate: &Map<String, Value>) {
    let here = at.key("certificate");
    if context.config.certificates.is_none() {
        let message = "`certificate` must not be set without [certificates]: nobody can sign in by certificate";
        context.error(&here, message, "declare [certificates]");
    }
    if test.provider.as_ref().is_some_and(|provider| provider != CERTIFICATE) {
        let message = "`provider` must not be set beside `certificate`: no provider vouches for it";
        context.error(&at.key("provider"), message, "leave it out");
    }
    for name in certificate.keys().filter(|name| !CERTIFICATE_FACTS.contains(&name.as_str())) {
        let message = format!("`{name}` is nothing that a certificate has here");
        let way_out = did_you_mean(name, CERTIFICATE_FACTS.iter().copied());
        let way_out = way_out.unwrap_or_else(|| format!("known are {}", CERTIFICATE_FACTS.join(", ")));
        context.key_error(&here.key(name), message, &way_out);
    }
    match certificate.get("fingerprint") {
        None => {}
        Some(Value::String(text)) if urls::sha256_text(text, false) => {}
        Some(other) => context.must(&here.key("fingerprint"), "\"sha256:\" and 64 hexadecimal digits", other),
    }
}

fn expectation(context: &mut Context<'_>, at: &At<'_>, expect: &Expectation, attributes: &BTreeSet<&str>) {
    let anything = EXPECTATIONS.iter().any(|key| context.is_set(&at.key(key))) || !expect.attributes.is_empty();
    if !anything {
        context.must(at, "a table of expectations", "empty");
    }
    for name in expect.attributes.keys() {
        if !attributes.contains(name.as_str()) {
            let known = EXPECTATIONS.iter().copied().chain(attributes.iter().copied());
            let message = format!("`{name}` is neither an expectation nor an attribute that a provider maps");
            let way_out =
                did_you_mean(name, known).unwrap_or_else(|| "what the app gets goes into `claims`".to_owned());
            context.key_error(&at.key(name), message, &way_out);
        }
    }
}
