//! What providers say when they refuse the broker, and what it means: the mistakes that their administrators make most.
//!
//! A provider's own words are for those who know its error codes. Each hint names the setting, here or there.

use crate::config::language::provider::Preset;

/// What a refusal has in its code or text, and the way out.
const HINTS: &[(&str, &str)] = &[
    // Microsoft Entra ID
    ("AADSTS7000215", "client_secret must be the Value of the secret, which Entra shows once, not its Secret ID"),
    ("AADSTS7000222", "the client secret has expired: make a new one under Certificates & secrets"),
    (
        "AADSTS700016",
        "no app of this tenant has this client_id: it is the Application (client) ID on the page Overview",
    ),
    ("AADSTS700025", "the redirect URI is registered for a public client: register it under the platform Web"),
    (
        "AADSTS7000218",
        "the app registration needs a secret: register the redirect URI under the platform Web, and set client_secret",
    ),
    ("AADSTS90002", "there is no tenant of the name that issuer has"),
    ("AADSTS50194", "the app registration is for one tenant: write that tenant's id into issuer"),
    (
        "AADSTS50020",
        "the account is of a tenant that the app registration does not admit: see its Supported account types",
    ),
    ("AADSTS500113", "the app registration has no redirect URI: add it under Authentication, platform Web"),
    ("AADSTS50011", "the redirect URI is not registered: add it under Authentication, platform Web"),
    ("AADSTS50105", "the person is not assigned to the app: Enterprise applications, Users and groups"),
    ("AADSTS65001", "nobody has consented to the scopes: API permissions, Grant admin consent"),
    ("AADSTS650053", "a scope does not exist there: compare `scopes` with API permissions"),
    ("AADSTS900561", "the issuer is not that of version 2, which ends with /v2.0"),
    // Apple
    ("Invalid web redirect url", "the redirect URI is not registered: add it to the Return URLs of the Services ID"),
    // authentik
    (
        "missing, invalid, or mismatching redirection URI",
        "the redirect URI is not registered: add it to Redirect URIs/Origins of the provider, with the mode Strict",
    ),
    (
        "The client identifier (client_id) is missing or invalid",
        "client_id is of no provider: compare it with Client ID on the page of the provider",
    ),
    // GitHub
    (
        "MUST match the registered callback URL",
        "the redirect URI is not the app's Authorization callback URL, nor below it: Settings, Developer settings",
    ),
    ("incorrect_client_credentials", "generate a new client secret on the app's page, and compare its Client ID"),
    ("application_suspended", "GitHub has suspended the app: contact GitHub Support"),
    ("unverified_user_email", "the person's primary address at GitHub is not verified"),
    // LinkedIn
    (
        "is not authorized for your application",
        "add the product Sign In with LinkedIn using OpenID Connect on the tab Products of the app",
    ),
    (
        "The redirect_uri does not match the registered value",
        "the redirect URI is not registered: add it to Authorized redirect URLs for your app, on the tab Auth",
    ),
    (
        "The passed in client_id is invalid",
        "client_id must be the Client ID on the tab Auth of the app, and not the App ID",
    ),
    // Google
    ("redirect_uri_mismatch", "the redirect URI is not registered: add it to the client's Authorized redirect URIs"),
    (
        "The OAuth client was not found",
        "client_id must be the whole client ID, which ends with .apps.googleusercontent.com",
    ),
    (
        "The provided client secret is invalid",
        "client_secret is not that of this client: make a new one in the Google Cloud console",
    ),
    ("deleted_client", "the client was deleted in the Google Cloud console"),
    ("disabled_client", "the client is disabled in the Google Cloud console"),
    (
        "Client is unauthorized to retrieve access tokens using this method",
        "grant the service account domain-wide delegation for its scope: Admin console, Security, API controls",
    ),
    ("org_internal", "the consent screen is for one organisation, and the account is of another"),
    // Okta
    (
        "The client secret supplied for a confidential client is invalid",
        "copy the client secret from the tab General again",
    ),
    ("Invalid value for 'client_id' parameter", "client_id must be the Client ID on the tab General"),
    (
        "One or more scopes are not configured",
        "the authorization server has not all of `scopes`; a custom one has `groups` only if it is made",
    ),
    (
        "must be a Login redirect URI in the client app settings",
        "the redirect URI is not registered: add it to Sign-in redirect URIs on the tab General",
    ),
    (
        "User is not assigned to the client application",
        "assign the person, or a group, on the tab Assignments of the app",
    ),
    (
        "Policy evaluation failed for this request",
        "no access policy of the authorization server admits this app, person and scopes: Security, API",
    ),
    // Auth0
    ("Callback URL mismatch", "the redirect URI is not registered: add it to Allowed Callback URLs of the application"),
    ("Unknown client", "client_id is of no application of this tenant: compare it, and the tenant in issuer"),
    ("Service not found", "the audience in authorization_params is of no API of this tenant"),
    ("client requires organization", "the application is for organisations: name one in authorization_params"),
    ("not allowed for the client", "allow the grant type under Advanced Settings, Grant Types, of the application"),
    // AD FS
    ("MSIS9321", "the application has no permission for the web API: Application Permissions of the application group"),
    ("MSIS9223", "the client identifier is unknown there, or the application is disabled"),
    ("MSIS9224", "the redirect URI is not registered: add it to the server application"),
    (
        "MSIS9605",
        "the application may not use the resource: add it to the application group, with Application Permissions",
    ),
    ("MSIS9622", "client_secret is not that of the server application: reset it there"),
    // Keycloak
    ("Standard flow is disabled for the client", "switch on Standard flow, in the client's Capability config"),
    ("Invalid scopes", "a scope is not assigned to the client: Client scopes, Add client scope"),
    ("Client not found", "client_id is of no client of this realm: compare it, and the realm in issuer"),
    (
        "Invalid parameter: redirect_uri",
        "the redirect URI is not registered: add it to Valid redirect URIs of the client",
    ),
    ("Client is disabled", "the client is disabled there: switch it on"),
    ("Invalid redirect_uri", "the redirect URI is not registered: add it to the client's redirect URIs"),
    ("Missing parameter: code_challenge_method", "the client wants PKCE: remove quirks.pkce = false"),
    (
        "Invalid client or Invalid client credentials",
        "copy the secret from the tab Credentials again; Client authentication must be on",
    ),
    // PingFederate
    ("Unknown or invalid client_id", "client_id is of no enabled OAuth client: Applications, OAuth, Clients"),
    ("Invalid client or client credentials", "compare client_id, and reset the secret on the page of the OAuth client"),
    (
        "must be blank or a subset of the provided scopes",
        "a scope is not allowed to the client: Restrict common scopes, on the page of the OAuth client",
    ),
    // GitLab
    (
        "The redirect URI included is not valid",
        "the redirect URI is not registered: add it to the application, one on each line",
    ),
    (
        "The requested scope is invalid, unknown, or malformed",
        "tick all of `scopes` in the application: openid, profile, email, and read_api for groups_from",
    ),
    (
        "Client authentication failed due to unknown client",
        "compare client_id with Application ID, and make a new Secret",
    ),
];

/// The way out of a refusal with this code and text.
pub(crate) fn hint(code: &str, text: Option<&str>) -> Option<&'static str> {
    let has = |part: &str| code.contains(part) || text.is_some_and(|text| text.contains(part));
    HINTS.iter().find(|(part, _)| has(part)).map(|(_, hint)| *hint)
}

/// The way out of an error on a page with status 200. That may be a page for signing in, so only errors count whose wording no
/// other page has.
pub(crate) fn hint_on_page(text: &str) -> Option<&'static str> {
    let is_telling = |part: &str| part.starts_with("AADSTS") || part.starts_with("MSIS") || part.len() >= 24;
    HINTS.iter().find(|(part, _)| is_telling(part) && text.contains(part)).map(|(_, hint)| *hint)
}

/// What to compare where there is no discovery document at the issuer, or that of another one.
pub(crate) const fn issuer_hint(preset: Preset) -> Option<&'static str> {
    match preset {
        Preset::Adfs => Some("issuer ends with /adfs; Get-AdfsEndpoint shows the discovery document's address"),
        Preset::Auth0 => {
            Some("issuer is https:// and the Domain on the tab Settings of the application, or the custom domain alone")
        }
        Preset::Authentik => Some(
            "issuer is OpenID Configuration Issuer on the provider's page, with the application's slug; Issuer mode must be \
             that with a different issuer for each application",
        ),
        Preset::Entra => Some("issuer is https://login.microsoftonline.com/ and Directory (tenant) ID and /v2.0"),
        Preset::Gitlab => Some("base_url is GitLab's external_url"),
        Preset::Keycloak => Some(
            "issuer ends with /realms/ and the realm's name, in its case; before Keycloak 17, /auth comes before; behind a \
             proxy, Keycloak's option hostname must be its public address",
        ),
        Preset::Okta => Some(
            "issuer is the Issuer URI of the authorization server (Security, API), or the organisation's own address without \
             a path",
        ),
        Preset::Pingfederate => Some("issuer is the Base URL under System, Protocol Settings, or a virtual issuer"),
        _ => None,
    }
}

/// What groups come with, where a provider's tokens may have them.
pub(crate) const fn groups_hint(preset: Preset) -> Option<&'static str> {
    match preset {
        // They have none.
        Preset::Apple | Preset::Linkedin | Preset::Oauth2 => None,
        Preset::Auth0 => {
            Some("an Action of the Login flow sets them, under a name that is a URL; map it with claims.groups")
        }
        Preset::Authentik => Some("the scope mapping for profile has them: add it to Scopes of the provider"),
        Preset::Google => Some(
            "set groups_from = { source = \"cloud_identity\", credentials = { file = \"...\" } }; tokens have none",
        ),
        Preset::Keycloak => {
            Some("add the mapper Group Membership to the client's dedicated scope, with the claim groups")
        }
        Preset::Okta => Some("add a groups claim: Sign On of the app, or Claims of the authorization server"),
        Preset::Pingfederate => Some(
            "add memberof to the attribute contract of the OpenID Connect policy, and to the scope profile under Attribute \
             Scopes, and fulfil it with the directory's memberOf",
        ),
        Preset::Adfs => Some("a rule of the Web API sends Token-Groups as Group"),
        _ => Some(
            "let its app registration emit a claim `groups`, map another one with claims.groups, or set groups_from",
        ),
    }
}

/// What to compare where a provider refuses the broker without saying why.
pub(crate) const fn credentials_hint(preset: Preset) -> &'static str {
    match preset {
        Preset::Apple => {
            "client_id must be the Services ID and not the App ID; team_id, key_id and client_key must belong together, and \
             the key must have Sign in with Apple enabled for that App ID"
        }
        Preset::Entra => "check client_id, and that client_secret is the Value of a secret that has not expired",
        Preset::Google => "check client_id (the whole one, with .apps.googleusercontent.com) and the secret",
        Preset::Github => "compare the app's Client ID (not its App ID), and generate a new client secret",
        Preset::Linkedin => "compare Client ID and Primary Client Secret on the tab Auth of the app",
        Preset::Authentik => "the provider's Client type must be Confidential; compare its Client ID and Client Secret",
        Preset::Keycloak => "Client authentication must be on; compare the secret on the tab Credentials",
        Preset::Auth0 => {
            "compare Client ID and Client Secret on the tab Settings; the application must be a Regular Web Application, and \
             its authentication method (tab Credentials) that of token_endpoint_auth_method"
        }
        Preset::Pingfederate => {
            "on the page of the OAuth client, compare Client ID, let Client Authentication be Client Secret, and allow the \
             grant type Authorization Code"
        }
        _ => "check client_id, the secret or key, and token_endpoint_auth_method",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_code_is_found() {
        let text =
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent is the client secret value.";
        assert!(hint("invalid_client", Some(text)).is_some_and(|hint| hint.contains("Secret ID")));
        assert!(hint("redirect_uri_mismatch", None).is_some_and(|hint| hint.contains("Authorized redirect URIs")));
        assert_eq!(hint("invalid_client", Some("no")), None);
        for (at, (part, _)) in HINTS.iter().enumerate() {
            let earlier = HINTS.iter().take(at).find(|(earlier, _)| part.contains(earlier));
            assert!(earlier.is_none(), "{part} is never reached");
        }
    }
}
