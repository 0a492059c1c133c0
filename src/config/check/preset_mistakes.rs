//! What administrators of a product copy from the wrong place, and the file alone shows.

use url::Url;

use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::quote;
use crate::config::language::provider::{EmailVerified, LinkBy, Preset, Provider};
use crate::config::language::refresh::RefreshClaims;

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
        Preset::Adfs => adfs(context, at, issuer.as_ref()),
        Preset::Auth0 => auth0(context, at, issuer.as_ref()),
        Preset::Authentik => authentik(context, at, provider, issuer.as_ref()),
        Preset::Linkedin => linkedin(context, at, provider, issuer.as_ref()),
        Preset::Pingfederate => pingfederate(context, at, provider, issuer.as_ref()),
        Preset::Oauth2 => oauth2(context, at, provider),
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
    refresh_token(context, at, provider);
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
    let sees = |scope: &String| matches!(scope.as_str(), "read:org" | "write:org" | "admin:org");
    if let Some(scopes) = &provider.scopes
        && !provider.organizations.is_empty()
        && !scopes.iter().any(sees)
    {
        let message = "`scopes` lacks \"read:org\", without which an OAuth app sees no organisation";
        context.warn(&at.key("scopes"), message, "add \"read:org\"");
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

/// The issuer of tokens for SAML and WS-Federation is another one than that of OpenID Connect.
fn adfs(context: &mut Context<'_>, at: &At<'_>, issuer: Option<&Url>) {
    let Some(url) = issuer else { return };
    let way_out = format!("write \"{}/adfs\"", origin(url).replacen("http://", "https://", 1));
    if url.path().trim_end_matches('/').ends_with("/services/trust") {
        let message = "`issuer` is the identifier of the federation service, which is for SAML and WS-Federation";
        context.error(&at.key("issuer"), message, &way_out);
    } else if url.path() == "/" {
        context.warn(
            &at.key("issuer"),
            "`issuer` has no path: the discovery document of AD FS is below /adfs",
            &way_out,
        );
    }
}

/// The dashboard has a host of its own.
fn auth0(context: &mut Context<'_>, at: &At<'_>, issuer: Option<&Url>) {
    let Some(url) = issuer else { return };
    if url.host_str() == Some("manage.auth0.com") {
        let way_out = "write https:// and the Domain on the tab Settings of the application";
        context.error(&at.key("issuer"), "`issuer` is the address of Auth0's dashboard", way_out);
    } else if url.path().starts_with("/api/") {
        let message = "`issuer` is the address of Auth0's Management API: it must be that of the tenant";
        context.error(&at.key("issuer"), message, &format!("write \"{}/\"", origin(url)));
    }
}

fn authentik(context: &mut Context<'_>, at: &At<'_>, provider: &Provider, issuer: Option<&Url>) {
    const ENDPOINTS: [&str; 6] = ["authorize", "token", "userinfo", "introspect", "revoke", "device"];
    const WAY_OUT: &str =
        "write OpenID Configuration Issuer of the provider's page, as in https://id.corp.example/application/o/SLUG/";
    if let Some(url) = issuer {
        let slug = url.path().split_once("/application/o/").map(|(_, slug)| slug.trim_end_matches('/'));
        if slug.is_some_and(|slug| ENDPOINTS.contains(&slug)) {
            context.error(
                &at.key("issuer"),
                "`issuer` is an endpoint of authentik, which all applications share",
                WAY_OUT,
            );
        } else if slug.is_none_or(str::is_empty) && provider.authorization_endpoint.is_none() {
            let message = "`issuer` names no application: authentik has a discovery document for each";
            context.warn(&at.key("issuer"), message, WAY_OUT);
        }
    }
    if let Some(scopes) = &provider.scopes
        && !scopes.iter().any(|scope| scope == "profile")
    {
        let message = "`scopes` lacks \"profile\", with which authentik sends `preferred_username` and `groups`";
        context.warn(&at.key("scopes"), message, "add \"profile\"");
    }
    if provider.link_by == LinkBy::VerifiedEmail
        && provider.email_verified == EmailVerified::Claim
        && !provider.claims.contains_key("email_verified")
    {
        let message = "`link_by` has no effect: authentik says of every address that it is not verified, since 2025.10";
        let way_out = "write email_verified = \"always\" if administrators alone set addresses there";
        context.warn(&at.key("link_by"), message, way_out);
    }
}

fn linkedin(context: &mut Context<'_>, at: &At<'_>, provider: &Provider, issuer: Option<&Url>) {
    let at_linkedin = |url: &&Url| url.host_str().is_some_and(|host| host.trim_start_matches("www.") == "linkedin.com");
    if issuer.filter(at_linkedin).is_some_and(|url| url.as_str() != "https://www.linkedin.com/oauth") {
        let message = "`issuer` is not LinkedIn's, which ends with /oauth";
        context.error(&at.key("issuer"), message, "remove it: the preset knows it");
    }
    if is_number(&provider.client_id) {
        let message = "`client_id` is the App ID: it must be the Client ID";
        context.error(&at.key("client_id"), message, "it is on the tab Auth of the app");
    }
    let scopes = at.key("scopes");
    for (index, scope) in provider.scopes.iter().flatten().enumerate() {
        let here = scopes.index(index);
        match scope.as_str() {
            "r_liteprofile" | "r_basicprofile" | "r_fullprofile" | "r_emailaddress" => {
                let message = format!("{} is a scope of LinkedIn's former sign-in", quote(scope));
                context.error(&here, message, "write scopes = [\"openid\", \"profile\", \"email\"]");
            }
            "offline_access" | "groups" => {
                let message = format!("LinkedIn has no scope {}, and refuses sign-ins that ask for it", quote(scope));
                context.error(&here, message, "remove it");
            }
            _ => {}
        }
    }
    let claims = at.key("claims");
    for (name, expressions) in &provider.claims {
        for missing in ["preferred_username", "groups", "roles"] {
            let read = format!("claims.{missing}");
            if expressions.as_slice().iter().any(|expression| expression.as_str().contains(&read)) {
                let way_out = "it sends sub, name, given_name, family_name, picture, locale, email, email_verified";
                context.warn(&claims.key(name), format!("LinkedIn sends no `{missing}`"), way_out);
            }
        }
    }
}

fn pingfederate(context: &mut Context<'_>, at: &At<'_>, provider: &Provider, issuer: Option<&Url>) {
    const BASE_URL: &str = "write the Base URL under System > Protocol Settings, or the virtual issuer";
    if let Some(url) = issuer {
        let of_endpoint = ["/as/", "/idp/", "/pf/", "/pf-ws/", "/sp/"].iter().any(|part| url.path().starts_with(part));
        if url.port() == Some(9999) || url.path().starts_with("/pingfederate/") {
            context.error(&at.key("issuer"), "`issuer` is the address of the administrative console", BASE_URL);
        } else if of_endpoint {
            context.error(
                &at.key("issuer"),
                "`issuer` is the address of an endpoint",
                &format!("write \"{}\"", origin(url)),
            );
        }
    }
    let unread = provider.quirks.distinguished_names.is_none();
    let groups = provider.claims.get("groups").filter(|_| unread);
    let takes_apart =
        |text: &str| text.to_lowercase().contains("claims.memberof") && text.to_lowercase().contains("cn=");
    if groups.is_some_and(|groups| groups.as_slice().iter().any(|expression| takes_apart(expression.as_str()))) {
        let message = "the preset has read the distinguished names of `memberof` already: they are names without CN=";
        let way_out = "remove the expression, or set quirks.distinguished_names = []";
        context.warn(&at.key("claims").key("groups"), message, way_out);
    }
}

/// What identifies an account must never be given to another person.
fn oauth2(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let subject = provider.subject.as_ref().map(|subject| subject.as_str().trim());
    let changes = ["login", "username", "name", "email", "preferred_username", "nickname"];
    let named = |subject: &str| changes.iter().copied().find(|name| subject == format!("claims.{name}"));
    if let Some(name) = subject.and_then(named) {
        let message = format!("`subject` is `{name}`, which may become somebody else's: they would get the account");
        context.warn(&at.key("subject"), message, "name the account's id, for example subject = \"string(claims.id)\"");
    }
}

/// Some products give a refresh token only where one is asked for.
fn refresh_token(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    use Preset::{Auth0, Authentik, Entra, Google, Okta};
    let only_if_asked = matches!(provider.preset, Auth0 | Authentik | Entra | Google | Okta);
    let asked = provider.scopes.iter().flatten().any(|scope| scope == "offline_access");
    if only_if_asked && !asked && provider.on_refresh.claims == RefreshClaims::Upstream {
        let message = "without a refresh token the claims stay those of the sign-in, and the scope \"offline_access\" is not asked for";
        let way_out = "add \"offline_access\" to `scopes`";
        context.warn(&at.key("on_refresh").key("claims"), message, way_out);
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
