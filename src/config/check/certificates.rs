//! `[certificates]`, and every other place that needs it: clients that authenticate by certificate or bind tokens to one,
//! certificates of users, tests.

use url::Url;

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::check::urls::Http;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::address::Listen;
use crate::config::language::certificates::Certificates;
use crate::config::language::client::{Client, Consent};
use crate::config::resolved;
use crate::protocol::distinguished_name::Name;
use crate::protocol::{ClientAuthMethod, GrantType};

/// Headers that mean something else to the broker or to the proxies before it.
const OTHER_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dpop",
    "forwarded",
    "host",
    "origin",
    "transfer-encoding",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let clients = At::Root.key("clients");
    for (id, client) in &config.clients {
        let Some(resolved) = context.resolved.clients.get(id).cloned() else { continue };
        of_client(context, &clients.key(id), client, &resolved);
    }
    let users = At::Root.key("users");
    for (name, user) in &config.users {
        if !user.certificates.is_empty() {
            needed(context, &users.key(name).key("certificates"), "`certificates`");
        }
    }
    let self_service = config.account.as_ref().is_some_and(|account| account.self_service_certificates);
    let account = At::Root.key("account");
    let self_service_at = account.key("self_service_certificates");
    if self_service {
        needed(context, &self_service_at, "`self_service_certificates`");
    }
    let Some(section) = &config.certificates else { return };
    if self_service {
        presented(context, &self_service_at);
    }
    let at = At::Root.key("certificates");
    listeners(context, &at.key("listen"), section);
    if let Some(Err(expected)) = section.origin.as_ref().map(|origin| plain_origin(origin)) {
        context.must(&at.key("origin"), expected, quote(section.origin.as_deref().unwrap_or_default()));
    }
    if let Some(header) = &section.header {
        header_name(context, &at.key("header"), header);
    }
    authorities(context, &at, section);
    context.clients_declared(&at.key("clients"), &section.clients);
    for (index, id) in section.clients.iter().enumerate() {
        let explicit = config.clients.get(id).is_some_and(|client| client.consent == Consent::Explicit);
        if explicit {
            let message = format!(
                "{} has `consent = \"explicit\"`, and no page asks for consent when a certificate is exchanged for tokens",
                quote(id)
            );
            let way_out = "its users must have consented in a browser before, to everything that they ask for";
            context.warn(&at.key("clients").index(index), message, way_out);
        }
    }
    if config.server.trusted_proxies.is_empty() {
        let message = "no proxy is trusted to forward certificates: every certificate is ignored";
        context.warn(&at, message, "name the proxy in server.trusted_proxies, such as [\"127.0.0.1\"] or [\"unix:\"]");
    }
}

/// Something needs the section.
fn needed(context: &mut Context<'_>, at: &At<'_>, what: &str) {
    let section = At::Root.key("certificates");
    if context.config.certificates.is_none() && !context.broken.within(&section) {
        let message = format!("{what} must not be set without [certificates]: nothing would read a certificate");
        context.error(at, message, "declare [certificates] with `listen`");
    }
}

/// People attach certificates in the browser in which they are signed in: it must reach the listener, and send its cookies
/// there.
fn presented(context: &mut Context<'_>, at: &At<'_>) {
    let origin = context.resolved.certificates.as_ref().and_then(|section| section.origin.clone());
    let host = |text: &str| Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let Some(origin) = origin else {
        let message = "`self_service_certificates` needs the address where browsers present certificates, and no TCP port says it";
        return context.error(at, message, "add origin = \"https://HOST:PORT\" to [certificates]");
    };
    if host(&origin) != host(&context.config.issuer) {
        let message = format!(
            "nobody can attach a certificate: `certificates.origin` is on another host than `issuer`, so browsers do not send \
             the session's cookie to {}",
            quote(&origin)
        );
        context.warn(at, message, "give certificates.origin the issuer's host, with another port");
    }
}

fn listeners(context: &mut Context<'_>, at: &At<'_>, section: &Certificates) {
    let config = context.config;
    if section.listen.is_empty() && !context.broken.covers(at) {
        context.must(at, "a list of at least one address", "empty");
    }
    for (index, address) in section.listen.iter().enumerate() {
        let here = at.index(index);
        if let Err(expected) = Listen::parse(address) {
            context.must(&here, expected, quote(address));
            continue;
        }
        let same = |other: &String| other == address && !address.ends_with(":0");
        let taken =
            [("server.listen", config.server.listen.iter().any(same)), ("admin.listen", same(&config.admin.listen))];
        for (other, _) in taken.into_iter().filter(|(_, taken)| *taken) {
            let message = format!(
                "`certificates.listen` must have addresses of its own but {} is in `{other}` too",
                quote(address)
            );
            context.error(&here, message, "use another port");
        }
    }
    context.no_duplicates(at, &section.listen, Clone::clone);
}

/// Scheme, host and port, and nothing else.
fn plain_origin(text: &str) -> Result<(), &'static str> {
    let plain = urls::web_url(text, Http::Loopback).is_ok_and(|url| url.origin().ascii_serialization() == *text);
    if plain {
        Ok(())
    } else {
        Err("an origin such as \"https://mtls.example.com:8443\", without path and default port")
    }
}

fn header_name(context: &mut Context<'_>, at: &At<'_>, header: &str) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&byte);
    if header.is_empty() || !header.bytes().all(token) {
        let expected = "the name of a header, without `_`, which many servers take for `-`";
        context.must(at, expected, quote(header));
    } else if OTHER_HEADERS.contains(&header.to_ascii_lowercase().as_str()) {
        context.must(at, "a header of its own, such as \"X-Client-Cert\"", quote(header));
    }
}

/// Whoever signs in by certificate is verified by `ca`. Apps with self-signed certificates are known by their keys.
fn authorities(context: &mut Context<'_>, at: &At<'_>, section: &Certificates) {
    let config = context.config;
    let by_chain = |client: &Client| client.token_endpoint_auth_method == Some(ClientAuthMethod::TlsClientAuth);
    let used = !section.clients.is_empty()
        || section.create_users
        || config.account.as_ref().is_some_and(|account| account.self_service_certificates)
        || config.users.values().any(|user| !user.certificates.is_empty())
        || config.clients.values().any(by_chain);
    if section.ca.is_none() && used {
        let message = "`ca` must be set in `certificates`: certificates are verified here, whatever the proxy did";
        context.needs(at, &["ca"], message, "add ca = \"clients-ca.pem\"");
    }
    if section.ca.is_none() && section.crl.is_some() {
        let message = "`crl` has no effect without `ca`: it lists what those authorities revoked";
        context.error(&at.key("crl"), message, "add ca = \"clients-ca.pem\", or leave it out");
    }
}

fn of_client(context: &mut Context<'_>, at: &At<'_>, client: &Client, resolved: &resolved::Client) {
    let methods = [ClientAuthMethod::TlsClientAuth, ClientAuthMethod::SelfSignedTlsClientAuth];
    if let Some(method) = client.token_endpoint_auth_method.filter(|method| methods.contains(method)) {
        needed(context, &at.key("token_endpoint_auth_method"), &quote(method.name()));
    }
    for (index, (key, value)) in client.certificate_subjects().enumerate() {
        let here = at.key(key);
        needed(context, &here, &format!("`{key}`"));
        if index > 0 {
            let message = "a client's certificate is known by one of its `tls_client_auth_*` keys (RFC 8705 §2.1.2)";
            context.error(&here, message, "keep one of them");
        } else if !resolved.auth_methods.contains(&ClientAuthMethod::TlsClientAuth) {
            let message =
                format!("`{key}` has no effect on a client that does not authenticate by \"tls_client_auth\"");
            context.error(&here, message, "add token_endpoint_auth_method = \"tls_client_auth\", or leave it out");
        } else if let Some(expected) = unlike(key, value) {
            context.must(&here, expected, quote(value));
        }
    }
    if client.tls_client_certificate_bound_access_tokens {
        let here = at.key("tls_client_certificate_bound_access_tokens");
        needed(context, &here, "`tls_client_certificate_bound_access_tokens`");
        if resolved.response_types.iter().any(|response| response.has_token()) {
            let message = "`tls_client_certificate_bound_access_tokens` must not go with response types that have \"token\": \
                           the app presents no certificate to the authorization endpoint";
            context.error(&here, message, "leave those out of response_types");
        }
    }
    let listed = context
        .config
        .certificates
        .as_ref()
        .is_some_and(|section| section.clients.iter().any(|id| id == &resolved.key));
    let grants = client.grant_types.as_deref().unwrap_or_default();
    if let Some(index) = grants.iter().position(|grant| *grant == GrantType::Certificate).filter(|_| !listed) {
        let message =
            format!("{} is for the clients that `certificates.clients` lists", quote(GrantType::Certificate.name()));
        let way_out = format!("add {} to certificates.clients, or leave the grant out", quote(&resolved.key));
        context.error(&at.key("grant_types").index(index), message, &way_out);
    }
}

/// What a value would have to be, where no certificate can have it.
fn unlike(key: &str, value: &str) -> Option<&'static str> {
    match key {
        "tls_client_auth_subject_dn" if Name::parse(value).is_none() => {
            Some("a distinguished name as RFC 4514 writes it, such as \"CN=app,O=Example\\, Inc.\"")
        }
        "tls_client_auth_san_ip" if value.parse::<std::net::IpAddr>().is_err() => Some("an IP address"),
        "tls_client_auth_san_email" if value.split('@').count() != 2 => Some("an address with one `@`"),
        _ if value.trim().is_empty() => Some("what the certificate has"),
        _ => None,
    }
}
