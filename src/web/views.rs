//! What `op` found, as the data of a page: names in the person's language, addresses that are safe to show, our own forms.

use serde_json::Value;

use crate::config::resolved::{Client, Localized};
use crate::op::break_glass;
use crate::op::break_glass::Problem;
use crate::op::error;
use crate::op::error::PageError;
use crate::op::outcome::{AccountChoice, ConsentPage, SignInPage};
use crate::pages::{
    AppLink, BreakGlassPage, ConfirmSignOut, Consent, Elsewhere, ErrorPage, Field, Home, Lang, PostForm, Provider,
    Scope, SignIn, SignedInAccount, SignedOut, WebUri,
};
use crate::protocol::own_paths::AccountPage;
use crate::protocol::paths::{Endpoint, Page};
use crate::web::exchange::Exchange;

/// The name of a client, by its key; the key itself where the file has no such client any more.
pub(super) fn client_name(exchange: &Exchange<'_>, key: &str, ui_locales: Option<&str>) -> String {
    let client = exchange.context.snapshot.clients.get(key);
    client.map_or(key, |client| client.name_in(&exchange.languages(ui_locales))).to_owned()
}

/// A JSON value as people read it.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(value_text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// An address of a client that is safe to show, in the person's language.
fn address(
    exchange: &Exchange<'_>,
    key: &str,
    ui_locales: Option<&str>,
    of: impl FnOnce(&Client) -> &Localized,
) -> Option<WebUri> {
    let client = exchange.context.snapshot.clients.get(key)?;
    client.text_in(&exchange.languages(ui_locales), of).and_then(WebUri::parse)
}

/// A form of ours: the interaction's secret id, bound to the browser's cookie, is its CSRF token.
fn form(exchange: &Exchange<'_>, page: Page, interaction: &str) -> PostForm {
    let action = exchange.context.snapshot.issuer.path_of(page.path());
    PostForm { action, csrf: interaction.to_owned(), fields: Vec::new() }
}

/// The sign-in page.
pub(super) fn sign_in(exchange: &Exchange<'_>, page: &SignInPage) -> SignIn {
    let languages = page.ui_locales.as_deref();
    let providers = page.choices.iter().map(|choice| Provider {
        name: choice.name.clone(),
        action_value: choice.id.clone(),
        last_used: choice.last_used,
    });
    let client = page.client.as_deref();
    let address_of = |of: fn(&Client) -> &Localized| address(exchange, client?, languages, of);
    let brand = || exchange.context.snapshot.pages.brand(Lang::choose(&exchange.languages(languages))).to_owned();
    SignIn {
        client_name: client.map_or_else(brand, |client| client_name(exchange, client, languages)),
        client_logo: address_of(|client| &client.logo_uri),
        client_uri: address_of(|client| &client.client_uri),
        account: page.account.as_ref().map(|account| account_choice(exchange, account)),
        providers: providers.collect(),
        show_email_field: page.by_address,
        login_hint: page.login_hint.clone(),
        error: page.unknown_address.then(|| "domain_unknown".to_owned()),
        form: form(exchange, Page::SignIn, &page.interaction),
    }
}

fn account_choice(exchange: &Exchange<'_>, account: &AccountChoice) -> SignedInAccount {
    SignedInAccount {
        user_name: account.user.clone(),
        provider_name: exchange.context.snapshot.provider_name(&account.provider).to_owned(),
        action_value: account.session.to_string(),
    }
}

/// The built-in scope whose text says what a single claim is. Other claims are named as they are.
fn scope_about(claim: &str) -> Option<&'static str> {
    match claim {
        "email" | "email_verified" => Some("email"),
        "phone_number" | "phone_number_verified" => Some("phone"),
        "address" => Some("address"),
        "groups" => Some("groups"),
        "roles" => Some("roles"),
        _ => None,
    }
}

/// The consent page.
pub(super) fn consent(exchange: &Exchange<'_>, page: &ConsentPage) -> Consent {
    let languages = page.ui_locales.as_deref();
    let named =
        |(name, description): &(String, Option<String>)| Scope { name: name.clone(), description: description.clone() };
    let mut scopes: Vec<Scope> = page.scopes.iter().map(named).collect();
    for name in page.claims.iter().filter_map(|claim| scope_about(claim)) {
        if !scopes.iter().any(|scope| scope.name == name && scope.description.is_none()) {
            scopes.push(Scope { name: name.to_owned(), description: None });
        }
    }
    Consent {
        client_name: client_name(exchange, &page.client, languages),
        client_logo: address(exchange, &page.client, languages, |client| &client.logo_uri),
        user_name: page.user.clone(),
        scopes,
        claims: page.claims.iter().filter(|claim| scope_about(claim).is_none()).cloned().collect(),
        policy_uri: address(exchange, &page.client, languages, |client| &client.policy_uri),
        tos_uri: address(exchange, &page.client, languages, |client| &client.tos_uri),
        form: form(exchange, Page::Consent, &page.interaction),
    }
}

/// The error page. Without a way back of its own it leads to the app that it is about, and, if a request `waits` for it, to the
/// break-glass page as well.
pub(super) fn error(exchange: &Exchange<'_>, failure: &PageError, waits: bool) -> ErrorPage {
    let snapshot = exchange.context.snapshot;
    let client = failure.client.as_deref().and_then(|key| snapshot.clients.get(key));
    let entry = || client.filter(|client| client.enabled)?.entry(&snapshot.issuer.text);
    let refused = failure.refused.as_deref();
    let another_account = refused.and_then(|person| person.another_account.as_deref());
    ErrorPage {
        status: failure.status,
        reason_code: failure.reason.to_owned(),
        trace_id: Some(exchange.context.trace_id.to_string()),
        detail: None,
        client_name: failure.client.as_deref().map(|key| client_name(exchange, key, None)),
        provider_name: failure.provider.as_deref().map(|id| snapshot.provider_name(id).to_owned()),
        contacts: client.map(|client| client.contacts.clone()).unwrap_or_default(),
        back_uri: failure.back.clone().or_else(entry).as_deref().and_then(WebUri::parse),
        user_name: refused.and_then(|person| person.name.clone()),
        another_account: another_account.map(|id| form(exchange, Page::SignIn, id)),
        elsewhere: failure.elsewhere.as_deref().map(|others| elsewhere(exchange, others)),
        account_path: account_path(exchange).filter(|_| leads_to_account(failure)),
        break_glass_path: waits.then(|| break_glass_path(exchange)).flatten(),
    }
}

fn elsewhere(exchange: &Exchange<'_>, others: &error::Elsewhere) -> Elsewhere {
    let provider =
        |(id, name): &(String, String)| Provider { name: name.clone(), action_value: id.clone(), last_used: false };
    Elsewhere {
        providers: others.providers.iter().map(provider).collect(),
        form: form(exchange, Page::SignIn, &others.interaction),
    }
}

/// Whether the account pages may help: they say what an app requires and what the person has, and a form of theirs that was
/// refused is started again there.
fn leads_to_account(failure: &PageError) -> bool {
    let by_app = ["client_requirement_not_met", "client_provider_not_allowed"].contains(&failure.reason);
    let by_form = ["csrf_failed", "session_expired", "sign_in_too_old"].contains(&failure.reason);
    by_app || (by_form && failure.client.is_none())
}

/// The path of the break-glass page, with its query.
fn break_glass_path(exchange: &Exchange<'_>) -> Option<String> {
    let account = exchange.context.snapshot.resolved.break_glass.as_ref()?;
    Some(format!("{}?backup=1", exchange.context.snapshot.issuer.path_of(&account.path)))
}

/// The break-glass page.
pub(super) fn break_glass(exchange: &Exchange<'_>, page: &break_glass::Page) -> BreakGlassPage {
    let waiting = page.waiting.iter().map(|id| Field::new("waiting", id.clone())).collect();
    let wait_seconds = match page.problem {
        Some(Problem::TooMany(seconds)) => Some(seconds.to_string()),
        Some(Problem::Wrong) | None => None,
    };
    BreakGlassPage {
        client_name: page.client.as_deref().map(|key| client_name(exchange, key, None)),
        problem: page.problem.is_some(),
        wait_seconds,
        form: PostForm {
            action: break_glass_path(exchange).unwrap_or_default(),
            csrf: page.csrf.clone(),
            fields: waiting,
        },
    }
}

/// The apps that the break-glass account may enter, where it is signed in.
fn break_glass_apps(exchange: &Exchange<'_>) -> Vec<AppLink> {
    let snapshot = exchange.context.snapshot;
    let account = snapshot.resolved.break_glass.as_ref();
    let clients = account.iter().flat_map(|account| &account.clients).filter_map(|key| snapshot.clients.get(key));
    let link = |client: &crate::snapshot::client::Client| {
        let uri = WebUri::parse(&client.entry(&snapshot.issuer.text)?)?;
        Some(AppLink { name: client_name(exchange, &client.key, None), uri })
    };
    clients.filter(|client| client.enabled).filter_map(link).collect()
}

/// The signed-out page. `client` is the key of the app that asked for it; `ended`, whether a session ended.
pub(super) fn signed_out(exchange: &Exchange<'_>, client: Option<&str>, frames: Vec<WebUri>, ended: bool) -> SignedOut {
    SignedOut {
        client_name: client.map(|key| client_name(exchange, key, None)),
        back_uri: client.and_then(|key| address(exchange, key, None, |client| &client.client_uri)),
        frames,
        ended,
    }
}

/// The page that asks whether to sign out. `client` is the key of the app that asks.
pub(super) fn confirm_sign_out(
    exchange: &Exchange<'_>,
    client: Option<&str>,
    user: &str,
    interaction: &str,
) -> ConfirmSignOut {
    ConfirmSignOut {
        client_name: client.map(|key| client_name(exchange, key, None)),
        user_name: user.to_owned(),
        form: form(exchange, Page::ConfirmSignOut, interaction),
    }
}

/// The path of the account pages, where there are any.
fn account_path(exchange: &Exchange<'_>) -> Option<String> {
    let snapshot = exchange.context.snapshot;
    snapshot.config.account.as_ref().map(|_| snapshot.issuer.path_of(AccountPage::Overview.path()))
}

/// The page at the issuer itself. It leads on to the apps of the break-glass account where it is that account's.
pub(super) fn home(exchange: &Exchange<'_>, user_name: Option<String>, break_glass: bool) -> Home {
    let snapshot = exchange.context.snapshot;
    let sign_out = || snapshot.issuer.path_of(snapshot.config.endpoints.path(Endpoint::EndSession));
    Home {
        issuer: snapshot.issuer.text.clone(),
        sign_out_path: user_name.is_some().then(sign_out),
        account_path: account_path(exchange),
        user_name,
        apps: if break_glass { break_glass_apps(exchange) } else { Vec::new() },
    }
}
