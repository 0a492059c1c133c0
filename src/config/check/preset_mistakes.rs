//! What administrators of a product copy from the wrong place, and the file alone shows.

use url::Url;

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::provider::{Preset, Provider};

pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let issuer = provider.issuer.as_ref().and_then(|issuer| Url::parse(&issuer.to_string()).ok());
    match provider.preset {
        Preset::Okta => okta(context, at, issuer.as_ref()),
        Preset::Github => github(context, at, provider),
        Preset::Google if is_number(&provider.client_id) => {
            let message = "`client_id` is the number of the project: it must be the client's ID";
            context.error(
                &at.key("client_id"),
                message,
                "write the whole ID, which ends with .apps.googleusercontent.com",
            );
        }
        Preset::Apple => apple(context, at, provider),
        Preset::Entra => {
            let named = |url: &&Url| url.host_str().is_some_and(|host| host.starts_with("login.microsoftonline."));
            if let Some(url) = issuer.as_ref().filter(named)
                && !url.path().trim_end_matches('/').ends_with("/v2.0")
                && url.path().matches('/').count() <= 2
            {
                let message = "`issuer` is that of version 1: its discovery document names another issuer";
                context.warn(
                    &at.key("issuer"),
                    message,
                    "let it end with /v2.0; tokens of version 1 are understood all the same",
                );
            }
        }
        _ => {}
    }
    if let Some(url) = provider.base_url.as_deref().and_then(|url| Url::parse(url).ok())
        && ["/oauth", "/login", "/api"].iter().any(|part| url.path().starts_with(part))
    {
        let message = "`base_url` must be the address of the service, and not of a page or an API below it";
        context.error(&at.key("base_url"), message, &format!("write {}", quote(&url.origin().ascii_serialization())));
    }
}

/// The console for administrators has a host of its own, which is no issuer.
fn okta(context: &mut Context<'_>, at: &At<'_>, issuer: Option<&Url>) {
    let Some(host) = issuer.and_then(Url::host_str) else { return };
    if let Some((organization, rest)) = host.split_once("-admin.") {
        let message = "`issuer` is the address of Okta's admin console";
        context.error(&at.key("issuer"), message, &format!("write \"https://{organization}.{rest}\""));
    }
}

fn github(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    if is_number(&provider.client_id) {
        let message = "`client_id` is the App ID: it must be the Client ID";
        context.error(&at.key("client_id"), message, "it is on the app's page, and begins with Iv or Ov");
    }
    let organizations = at.key("organizations");
    for (index, name) in provider.organizations.iter().enumerate() {
        if name.contains(['/', ':']) {
            let way_out = "teams are groups: `allow` or `require` can ask for \"organisation/team\"";
            let what = "the login of an organisation, without address or team";
            context.must_or(&organizations.index(index), what, quote(name), Some(way_out.to_owned()));
        }
    }
}

/// Both ids have ten characters, which the names of keys and apps do not have.
fn apple(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let places = [
        ("team_id", &provider.team_id, "it is at Membership details in the developer account"),
        ("key_id", &provider.key_id, "it is on the key's page, and in the name of its file AuthKey_....p8"),
    ];
    for (key, id, way_out) in places {
        if let Some(id) = id
            && !(id.len() == 10 && id.chars().all(|c| c.is_ascii_alphanumeric()))
        {
            context.must_or(&at.key(key), "ten letters and digits", quote(id), Some(way_out.to_owned()));
        }
    }
    if let Some(team) = &provider.team_id
        && provider.client_id.starts_with(&format!("{team}."))
    {
        let message = "`client_id` is an App ID with its team: it must be the Services ID";
        context.error(&at.key("client_id"), message, "make a Services ID for the web, and write its identifier");
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
