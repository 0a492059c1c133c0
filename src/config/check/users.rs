//! `[users.X]`: links, imported subjects, certificates.

use std::collections::BTreeMap;

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::policy::User;
use crate::config::resolved;
use crate::protocol::GrantType;

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("users");
    let mut claimed = Claimed::default();
    for (name, user) in &config.users {
        let at = section.key(name);
        links(context, &at, name, user, &mut claimed);
        context.roles_declared(&at.key("roles"), &user.roles);
        if let Some(sub) = &user.sub {
            subject(context, &at.key("sub"), name, sub, &mut claimed);
        }
        let certificates = at.key("certificates");
        for (index, fingerprint) in user.certificates.iter().enumerate() {
            let here = certificates.index(index);
            if !urls::sha256_text(fingerprint, false) {
                context.must(&here, "\"sha256:\" and 64 hexadecimal digits", quote(fingerprint));
            } else if let Some(other) = claimed.certificates.insert(fingerprint.to_ascii_lowercase(), name) {
                let message = format!("a certificate must belong to one user but is that of `{other}` too");
                context.error(&here, message, "");
            }
        }
    }
}

/// Values that only one user can have, with the user who has them.
#[derive(Default)]
struct Claimed<'c> {
    links: BTreeMap<(&'c str, &'c str, bool), &'c str>,
    subjects: BTreeMap<&'c str, &'c str>,
    certificates: BTreeMap<String, &'c str>,
}

fn links<'c>(context: &mut Context<'_>, at: &At<'_>, name: &'c str, user: &'c User, claimed: &mut Claimed<'c>) {
    let list = at.key("links");
    for (index, link) in user.links.iter().enumerate() {
        let here = list.index(index);
        context.provider_declared(&here.key("provider"), &link.provider, false);
        let (value, by_email, key) = match (&link.sub, &link.email) {
            (Some(sub), None) => (sub, false, "sub"),
            (None, Some(email)) => (email, true, "email"),
            (Some(_), Some(_)) => {
                context.error(&here, "a link must have `sub` or `email`, not both", "keep one of them");
                continue;
            }
            (None, None) => {
                context.needs(&here, &["sub", "email"], "a link must have `sub` or `email`", "");
                continue;
            }
        };
        if value.is_empty() || (by_email && value.split('@').count() != 2) {
            let expected = if by_email { "an address with one `@`" } else { "the user's `sub` at the provider" };
            context.must(&here.key(key), expected, quote(value));
        } else if let Some(other) = claimed.links.insert((&link.provider, value, by_email), name) {
            let message = format!(
                "{} of `{}` must belong to one user but is linked to `{other}` too",
                quote(value),
                link.provider
            );
            context.error(&here, message, "keep one of the links");
        }
    }
}

fn subject<'c>(context: &mut Context<'_>, at: &At<'_>, name: &'c str, sub: &'c str, claimed: &mut Claimed<'c>) {
    if sub.is_empty() || sub.len() > 255 || !sub.bytes().all(|b| b.is_ascii_graphic()) {
        context.must(at, "1 to 255 printable ASCII characters (OIDC Core §2)", quote(sub));
    } else if let Some(other) = claimed.subjects.insert(sub, name) {
        context.error(at, format!("the subject {} must be unique but is that of `{other}` too", quote(sub)), "");
    } else if let Some(client) = own_subject(context, sub) {
        // RFC 9068 §5, RFC 9700 §4.15.
        let message = format!(
            "the subject {} must not be the client id of `{client}`, whose own tokens would look like those of this user",
            quote(sub)
        );
        context.error(at, message, "give the client another `client_id`; users keep their subjects");
    }
}

/// The client whose tokens of its own have this subject.
fn own_subject<'c>(context: &Context<'c>, sub: &str) -> Option<&'c str> {
    let named = |client: &resolved::Client| client.client_id == sub && client.may(GrantType::ClientCredentials);
    context.resolved.clients.iter().find(|(_, client)| named(client)).map(|(id, _)| id.as_str())
}
