//! What providers say when they refuse the broker, and what it means: the mistakes that their administrators make most.
//!
//! A provider's own words are for those who know its error codes. Each hint names the setting, here or there.

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
    ("AADSTS50011", "the redirect URI is not registered: add it under Authentication, platform Web"),
    ("AADSTS50105", "the person is not assigned to the app: Enterprise applications, Users and groups"),
    ("AADSTS65001", "nobody has consented to the scopes: API permissions, Grant admin consent"),
    ("AADSTS650053", "a scope does not exist there: compare `scopes` with API permissions"),
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
    // Auth0
    ("not allowed for the client", "allow the grant type under Advanced Settings, Grant Types, of the application"),
    // AD FS
    ("MSIS9321", "the application has no permission for the web API: Application Permissions of the application group"),
    ("MSIS9223", "the client identifier is unknown there, or the application is disabled"),
    ("MSIS9224", "the redirect URI is not registered: add it to the server application"),
    // Keycloak
    (
        "Invalid client or Invalid client credentials",
        "copy the secret from the tab Credentials again; Client authentication must be on",
    ),
    // GitLab
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
