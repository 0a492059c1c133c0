//! The keys of a Dex configuration, level by level, so that unknown keys are reported.

use serde_json::Value;

use crate::import::document::{Mark, Table};
use crate::import::read::{below, items, text};
use crate::import::words::unknown_keys;

const SECTIONS: &[&str] = &[
    "issuer",
    "storage",
    "web",
    "telemetry",
    "oauth2",
    "grpc",
    "expiry",
    "logger",
    "frontend",
    "enablePasswordDB",
    "staticClients",
    "connectors",
    "staticPasswords",
    "signer",
    "sessions",
    "mfa",
    "additionalFeatures",
];

const LIST: &str = "a list";
const TABLE: &str = "a table";

/// What the sections are, so that one of another type is reported.
const SHAPES: &[(&str, &str)] = &[
    ("staticClients", LIST),
    ("connectors", LIST),
    ("staticPasswords", LIST),
    ("storage", TABLE),
    ("web", TABLE),
    ("telemetry", TABLE),
    ("oauth2", TABLE),
    ("expiry", TABLE),
    ("signer", TABLE),
];

/// Tables below a section, by path, with their keys.
const TABLES: &[(&[&str], &[&str])] = &[
    (&["storage"], &["type", "config", "retryAttempts", "retryDelay"]),
    (
        &["web"],
        &[
            "http",
            "https",
            "tlsCert",
            "tlsKey",
            "tlsMinVersion",
            "tlsMaxVersion",
            "allowedOrigins",
            "allowedHeaders",
            "clientRemoteIP",
            "headers",
        ],
    ),
    (&["web", "clientRemoteIP"], &["header", "trustedProxies"]),
    (&["telemetry"], &["http", "enableProfiling"]),
    (
        &["oauth2"],
        &[
            "grantTypes",
            "responseTypes",
            "skipApprovalScreen",
            "alwaysShowLoginScreen",
            "passwordConnector",
            "pkce",
            "tokenExchange",
        ],
    ),
    (&["oauth2", "pkce"], &["enforce", "codeChallengeMethodsSupported"]),
    (&["expiry"], &["signingKeys", "idTokens", "authRequests", "deviceRequests", "refreshTokens"]),
    (&["expiry", "refreshTokens"], &["disableRotation", "reuseInterval", "absoluteLifetime", "validIfNotUsedFor"]),
    (&["logger"], &["level", "format", "excludeFields"]),
    (&["signer"], &["type", "config"]),
];

const CLIENT: &[&str] = &[
    "id",
    "idEnv",
    "secret",
    "secretEnv",
    "redirectURIs",
    "postLogoutRedirectURIs",
    "trustedPeers",
    "public",
    "name",
    "logoURL",
    "allowedConnectors",
    "ssoSharedWith",
    "mfaChain",
    "allowedScopes",
    "allowedGrantTypes",
];
const PERSON: &[&str] =
    &["email", "hash", "hashFromEnv", "username", "userID", "name", "preferredUsername", "emailVerified", "groups"];
const CONNECTOR: &[&str] = &["type", "id", "name", "config", "grantTypes"];

/// Keys of the `config` of connectors that become providers.
pub(crate) const CONNECTOR_CONFIG: &[&str] = &[
    "issuer",
    "issuerAlias",
    "clientID",
    "clientSecret",
    "redirectURI",
    "providerDiscoveryOverrides",
    "basicAuthUnsupported",
    "scopes",
    "hostedDomains",
    "rootCAs",
    "insecureSkipEmailVerified",
    "insecureEnableGroups",
    "allowedGroups",
    "acrValues",
    "insecureSkipVerify",
    "getUserInfo",
    "userIDKey",
    "userNameKey",
    "promptType",
    "pkceChallenge",
    "overrideClaimMapping",
    "claimMapping",
    "claimModifications",
    "groups",
    "serviceAccountFilePath",
    "adminEmail",
    "domainToAdminEmail",
    "fetchTransitiveGroupMembership",
    "baseURL",
    "useLoginAsID",
    "getGroupsPermission",
    "tenant",
    "onlySecurityGroups",
    "groupNameFormat",
    "useGroupsAsWhitelist",
    "emailToLowercase",
    "apiURL",
    "graphURL",
    "domainHint",
    "preferredUsernameField",
];

/// A comment for each unknown key, except those in the `config` of connectors.
pub(crate) fn note_unknown(dex: &Value) -> Table {
    let mut table = Table::new(&[]);
    for note in unknown_keys(dex, SECTIONS) {
        table.above(Mark::ToDo, note);
    }
    for (section, shape) in SHAPES {
        let value = below(dex, section);
        let fits = value.is_null() || if *shape == LIST { value.is_array() } else { value.is_object() };
        if !fits {
            table.above(Mark::ToDo, format!("`{section}` is not {shape}, and nothing of it was imported."));
        }
    }
    let mut tell = |place: &str, value: &Value, known: &[&str]| {
        for note in unknown_keys(value, known) {
            table.above(Mark::ToDo, format!("in {place}: {note}"));
        }
    };
    for (path, known) in TABLES {
        let value = path.iter().fold(dex, |value, key| below(value, key));
        tell(&format!("`{}`", path.join(".")), value, known);
    }
    for (section, id, known) in
        [("staticClients", "id", CLIENT), ("connectors", "id", CONNECTOR), ("staticPasswords", "email", PERSON)]
    {
        for (index, entry) in items(dex, section).iter().enumerate() {
            let name = text(entry, id).unwrap_or_else(|| format!("number {}", index + 1));
            tell(&format!("`{section}` {name}"), entry, known);
        }
    }
    table
}
