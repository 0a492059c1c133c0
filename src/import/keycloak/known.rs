//! The keys of a realm's export, level by level, so that none is dropped in silence: those that have no equivalent here and
//! those that are unknown get a comment.
//!
//! The keys of identity providers are in [`provider_settings`](crate::import::keycloak::provider_settings).

use serde_json::Value;

use crate::import::document::{Mark, Table};
use crate::import::keycloak::realm::is_own_client;
use crate::import::read::{below, is_set, items, text};
use crate::import::words::unknown_keys;

/// The keys of one level.
struct Keys {
    /// Imported or commented on elsewhere, or without effect on a broker.
    handled: &'static [&'static str],
    /// Settings that have no equivalent here.
    left_out: &'static [&'static str],
}

const REALM: Keys = Keys {
    handled: &[
        // Imported or commented on.
        "realm",
        "enabled",
        "accessCodeLifespan",
        "accessTokenLifespan",
        "offlineSessionIdleTimeout",
        "offlineSessionMaxLifespan",
        "offlineSessionMaxLifespanEnabled",
        "revokeRefreshToken",
        "ssoSessionIdleTimeout",
        "ssoSessionMaxLifespan",
        "attributes",
        "clients",
        "clientScopes",
        "components",
        "defaultDefaultClientScopes",
        "defaultGroups",
        "defaultOptionalClientScopes",
        "defaultRole",
        "defaultSignatureAlgorithm",
        "groups",
        "identityProviderMappers",
        "identityProviders",
        "roles",
        "users",
        "clientPolicies",
        "clientProfiles",
        "eventsListeners",
        "loginTheme",
        "organizationsEnabled",
        "smtpServer",
        "userManagedAccessAllowed",
        // The roles of clients without `fullScopeAllowed`, which the client's comment is about.
        "clientScopeMappings",
        "scopeMappings",
        // Passwords, second factors and the login form: one comment names those that matter.
        "authenticationFlows",
        "authenticatorConfig",
        "browserFlow",
        "bruteForceProtected",
        "bruteForceStrategy",
        "clientAuthenticationFlow",
        "directGrantFlow",
        "dockerAuthenticationFlow",
        "duplicateEmailsAllowed",
        "editUsernameAllowed",
        "failureFactor",
        "firstBrokerLoginFlow",
        "loginWithEmailAllowed",
        "maxDeltaTimeSeconds",
        "maxFailureWaitSeconds",
        "maxTemporaryLockouts",
        "minimumQuickLoginWaitSeconds",
        "otpSupportedApplications",
        "passwordPolicy",
        "permanentLockout",
        "quickLoginCheckMilliSeconds",
        "registrationAllowed",
        "registrationEmailAsUsername",
        "registrationFlow",
        "rememberMe",
        "requiredActions",
        "requiredCredentials",
        "resetCredentialsFlow",
        "resetPasswordAllowed",
        "verifiableCredentialsEnabled",
        "verifyEmail",
        "waitIncrementSeconds",
        // Without effect: internal values, keys that the broker makes itself, headers that it always sends.
        "id",
        "browserSecurityHeaders",
        "certificate",
        "codeSecret",
        "keycloakVersion",
        "privateKey",
        "publicKey",
        "realmCacheEnabled",
        "sslRequired",
        "userCacheEnabled",
    ],
    left_out: &[
        "accessCodeLifespanLogin",
        "accessTokenLifespanForImplicitFlow",
        "accountTheme",
        "adminEventsDetailsEnabled",
        "adminEventsEnabled",
        "adminPermissionsEnabled",
        "adminTheme",
        "applicationScopeMappings",
        "applications",
        "clientOfflineSessionIdleTimeout",
        "clientOfflineSessionMaxLifespan",
        "clientSessionIdleTimeout",
        "clientSessionMaxLifespan",
        "clientTemplates",
        "defaultLocale",
        "defaultRoles",
        "displayName",
        "displayNameHtml",
        "emailTheme",
        "enabledEventTypes",
        "eventsEnabled",
        "eventsExpiration",
        "federatedUsers",
        "internationalizationEnabled",
        "localizationTexts",
        "notBefore",
        "oauthClients",
        "oid4VciEnabled",
        "organizations",
        "passwordCredentialGrantAllowed",
        "protocolMappers",
        "refreshTokenMaxReuse",
        "social",
        "socialProviders",
        "ssoSessionIdleTimeoutRememberMe",
        "ssoSessionMaxLifespanRememberMe",
        "supportedLocales",
        "updateProfileOnInitialSocialLogin",
        "userFederationMappers",
        "userFederationProviders",
    ],
};

/// Beginnings of families of keys about passwords and second factors, and about flows that are not imported.
const HANDLED_FAMILIES: &[&str] =
    &["otpPolicy", "webAuthnPolicy", "actionTokenGeneratedBy", "oauth2Device", "cibaPolicy", "accessCodeLifespanUser"];

const CLIENT: Keys = Keys {
    handled: &[
        "id",
        "clientId",
        "name",
        "enabled",
        "protocol",
        "attributes",
        "authenticationFlowBindingOverrides",
        "authorizationServicesEnabled",
        "authorizationSettings",
        "bearerOnly",
        "clientAuthenticatorType",
        "consentRequired",
        "defaultClientScopes",
        "directAccessGrantsEnabled",
        "frontchannelLogout",
        "fullScopeAllowed",
        "implicitFlowEnabled",
        "optionalClientScopes",
        "protocolMappers",
        "publicClient",
        "redirectUris",
        "rootUrl",
        "secret",
        "serviceAccountsEnabled",
        "standardFlowEnabled",
        "webOrigins",
        // Without effect: rights in Keycloak's console, its adapters' cluster nodes.
        "access",
        "nodeReRegistrationTimeout",
        "origin",
        "registeredNodes",
        "registrationAccessToken",
        "surrogateAuthRequired",
        "type",
    ],
    left_out: &[
        "adminUrl",
        "alwaysDisplayInConsole",
        "baseUrl",
        "clientTemplate",
        "defaultRoles",
        "description",
        "directGrantsOnly",
        "notBefore",
        "proofKeyForCodeExchangeRequired",
        "useTemplateConfig",
        "useTemplateMappers",
        "useTemplateScope",
    ],
};

const SCOPE: Keys =
    Keys { handled: &["id", "name", "description", "protocol", "attributes", "protocolMappers"], left_out: &[] };

const ROLE: Keys = Keys {
    handled: &["id", "name", "description", "composite", "composites", "clientRole", "containerId"],
    left_out: &["attributes", "scopeParamRequired"],
};

const GROUP: Keys = Keys {
    handled: &[
        "id",
        "name",
        "path",
        "parentId",
        "attributes",
        "realmRoles",
        "clientRoles",
        "subGroups",
        "subGroupCount",
        "access",
    ],
    left_out: &["description"],
};

const USER: Keys = Keys {
    handled: &[
        "id",
        "username",
        "enabled",
        "attributes",
        "clientRoles",
        "credentials",
        "email",
        "emailVerified",
        "federatedIdentities",
        "groups",
        "realmRoles",
        "serviceAccountClientId",
        // The provider's, at each sign-in.
        "firstName",
        "lastName",
        "requiredActions",
        "totp",
        // Without effect.
        "access",
        "createdTimestamp",
        "disableableCredentialTypes",
        "notBefore",
        "origin",
        "self",
        "userProfileMetadata",
    ],
    left_out: &["applicationRoles", "clientConsents", "federationLink", "serviceAccountClientLink", "socialLinks"],
};

impl Keys {
    /// The comments about an object. Values are not shown, because they may be secret.
    fn notes(&self, value: &Value) -> Vec<(Mark, String)> {
        let set: Vec<&str> = self.left_out.iter().copied().filter(|key| is_set(value, key)).collect();
        let left_out = (!set.is_empty()).then(|| {
            (
                Mark::NotSupported,
                format!("`{}`: there is no equivalent here, and nothing was imported.", set.join("`, `")),
            )
        });
        let known: Vec<&str> = self.handled.iter().chain(self.left_out).copied().collect();
        let unknown = unknown_keys(value, &known).into_iter().map(|note| (Mark::ToDo, note));
        left_out.into_iter().chain(unknown).collect()
    }
}

/// Comments on the keys of the realm itself, and on those of its scopes, roles, groups and users.
pub(crate) fn realm(value: &Value) -> Table {
    let mut table = Table::new(&[]);
    let own: Value = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !HANDLED_FAMILIES.iter().any(|family| key.starts_with(family)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for (mark, note) in REALM.notes(&own) {
        table.above(mark, note);
    }
    let mut tell = |keys: &Keys, what: &str, name: &str, entry: &Value| {
        for (mark, note) in keys.notes(entry) {
            let name = text(entry, name).unwrap_or_default();
            table.above(mark, format!("in the {what} {name}: {note}"));
        }
    };
    items(value, "clientScopes").iter().for_each(|scope| tell(&SCOPE, "client scope", "name", scope));
    let roles = below(value, "roles");
    let of_clients = below(roles, "client").as_object().into_iter().flatten();
    let of_clients = of_clients.filter(|(client, _)| !is_own_client(client)).filter_map(|(_, roles)| roles.as_array());
    items(roles, "realm").iter().chain(of_clients.flatten()).for_each(|role| tell(&ROLE, "role", "name", role));
    let mut groups: Vec<&Value> = items(value, "groups").iter().collect();
    while let Some(group) = groups.pop() {
        tell(&GROUP, "group", "name", group);
        groups.extend(items(group, "subGroups"));
    }
    items(value, "users").iter().for_each(|user| tell(&USER, "user", "username", user));
    table
}

/// Comments on the keys of a client.
pub(crate) fn client(value: &Value, table: &mut Table) {
    for (mark, note) in CLIENT.notes(value) {
        table.note(mark, note);
    }
}
