//! `issuer`, `[server]`, `[admin]`, `[store]`.

use url::Url;

use crate::config::check::context::Context;
use crate::config::check::urls;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::address::Listen;

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    match urls::own_issuer(&config.issuer) {
        Err(expected) => context.must(&At::Root.key("issuer"), expected, quote(&config.issuer)),
        Ok(url) => usual_form(context, &url),
    }
    listeners(context);
    store(context);
}

/// Apps compare the issuer character for character (OIDC Core §3.1.3.7), and some libraries first normalise a URL: scheme and
/// host in lower case, without the default port.
fn usual_form(context: &mut Context<'_>, url: &Url) {
    let written = &context.config.issuer;
    let origin = url.origin().ascii_serialization();
    let authority = written.split_once("://").map_or(0, |(scheme, _)| scheme.len() + "://".len());
    let path_at = written.get(authority..).and_then(|rest| rest.find('/')).map_or(written.len(), |at| authority + at);
    let (own, path) = written.split_at_checked(path_at).unwrap_or((written, ""));
    if own == origin {
        return;
    }
    let message = format!(
        "`issuer` is {}, which many apps write as {}: they would not accept each other's form",
        quote(written),
        quote(&format!("{origin}{path}"))
    );
    let way_out = format!("write issuer = {}", quote(&format!("{origin}{path}")));
    context.warn(&At::Root.key("issuer"), message, &way_out);
}

fn listeners(context: &mut Context<'_>) {
    let config = context.config;
    let (server, admin) = (At::Root.key("server"), At::Root.key("admin"));
    let listen = server.key("listen");
    if config.server.listen.is_empty() {
        context.must(&listen, "a list of at least one address", "empty");
    }
    for (index, address) in config.server.listen.iter().enumerate() {
        listen_address(context, &listen.index(index), address);
    }
    context.no_duplicates(&listen, &config.server.listen, Clone::clone);
    let unix_only = !config.server.listen.is_empty() && config.server.listen.iter().all(|it| it.starts_with("unix:"));
    if unix_only && config.server.tls.is_some() {
        let message = "`tls` is for TCP, but `listen` has unix sockets only: it would never be used";
        context.key_error(&server.key("tls"), message, "leave `tls` out, or add an address such as \"0.0.0.0:443\"");
    }
    let address = &config.admin.listen;
    let off_loopback = listen_address(context, &admin.key("listen"), address).is_some_and(|it| !it.is_loopback());
    if off_loopback && config.admin.token.is_none() {
        let message = format!("`token` must be set: the admin listener {} is not on loopback", quote(address));
        let at = if context.is_set(&admin.key("listen")) { admin.key("listen") } else { admin };
        context.needs(&at, &["token"], message, "add token = { file = \"...\" } to [admin], or listen on 127.0.0.1");
    }
    if config.server.listen.contains(address) && !address.ends_with(":0") {
        context.error(
            &admin.key("listen"),
            format!("`admin.listen` must be an address of its own but {} is in `server.listen` too", quote(address)),
            "use another port",
        );
    }
}

fn listen_address(context: &mut Context<'_>, at: &At<'_>, text: &str) -> Option<Listen> {
    match Listen::parse(text) {
        Ok(listen) => Some(listen),
        Err(expected) => {
            context.must(at, expected, quote(text));
            None
        }
    }
}

fn store(context: &mut Context<'_>) {
    let url = context.config.store.url.expose();
    let sqlite = url.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty() && !path.starts_with("//"));
    let postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !sqlite && !postgres {
        let expected = "\"sqlite:PATH\", \"sqlite::memory:\" or \"postgres://...\"";
        let path = url.strip_prefix("sqlite://").filter(|path| path.starts_with('/'));
        let path = path.or_else(|| Some(url).filter(|url| url.starts_with(['/', '.'])));
        let way_out = path.map(|path| format!("write url = {}", quote(&format!("sqlite:{path}"))));
        let at = At::Root.key("store");
        context.must_or(&at.key("url"), expected, quote(&context.config.store.url.to_string()), way_out);
    }
    if postgres && context.config.store.encryption_keys.is_empty() {
        let store = At::Root.key("store");
        let message = "`encryption_keys` must be set with a PostgreSQL store: all replicas need the same key";
        let way_out = "make a key with `openssl rand -base64 32`, and add encryption_keys = [{ file = \"...\" }]";
        context.needs(&store, &["url", "encryption_keys"], message, way_out);
    }
}
