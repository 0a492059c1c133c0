//! `[providers.X.quirks]`: in what a provider differs from the specifications, or from most other providers.
//!
//! A preset sets some of them. Each can be set without a preset too, and what the file sets counts more than the preset.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// How a provider is asked for a refresh token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfflineAccess {
    /// By the scope `offline_access` (OIDC Core §11).
    #[default]
    Scope,
    /// By the parameter `access_type=offline`, with `prompt=consent` because a refresh token comes only with a consent. Sent
    /// when `scopes` has `offline_access`, in place of that scope.
    AccessType,
}

/// `[providers.X.quirks]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Values of `prompt` that the provider fails on, which are left out. `login` and `none` are always passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsupported_prompts: Option<Vec<String>>,
    /// Claims of the ID token that identify an account together, joined with dots; in all but the last, `%` is written as `%25`
    /// and a dot as `%2E`. Default: `sub`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub subject_claims: Option<Vec<String>>,
    /// Claims that are booleans although the provider sends them as text (`"true"`) or as a number (`1`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booleans: Option<Vec<String>>,
    /// Claims with distinguished names (RFC 4514), of which only the first value counts: `CN=sre,OU=groups` is `sre`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinguished_names: Option<Vec<String>>,
    /// Further parameters of every authorization request, such as `kc_idp_hint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_params: Option<BTreeMap<String, String>>,
    /// Whether ID tokens have the `nonce` of the request. Default: true. An ID token with another nonce is always refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<bool>,
    /// Whether PKCE is used. Default: unless the provider's metadata says that it does not support S256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkce: Option<bool>,
    /// How a refresh token is asked for. Default: `scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_access: Option<OfflineAccess>,
    /// Whether the person's name comes only with their first sign-in, in the parameter `user` of the answer (Sign in with
    /// Apple). It is kept from then on. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_once: Option<bool>,
    /// Whether each tenant of the provider is an issuer of its own, as at Microsoft's identity platform: the discovery document
    /// may have `{tenantid}` in its issuer, and tokens name their tenant in `tid` and `iss`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_issuer: Option<bool>,
    /// Whether a slash at the end of the issuer is ignored when issuers are compared. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional_slash: Option<bool>,
}

impl Quirks {
    /// These, and of `others` those that are not set here.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        fn first<T: Clone>(one: &Option<T>, other: &Option<T>) -> Option<T> {
            one.as_ref().or(other.as_ref()).cloned()
        }
        Self {
            unsupported_prompts: first(&self.unsupported_prompts, &others.unsupported_prompts),
            subject_claims: first(&self.subject_claims, &others.subject_claims),
            booleans: first(&self.booleans, &others.booleans),
            distinguished_names: first(&self.distinguished_names, &others.distinguished_names),
            authorization_params: first(&self.authorization_params, &others.authorization_params),
            nonce: first(&self.nonce, &others.nonce),
            pkce: first(&self.pkce, &others.pkce),
            offline_access: first(&self.offline_access, &others.offline_access),
            name_once: first(&self.name_once, &others.name_once),
            tenant_issuer: first(&self.tenant_issuer, &others.tenant_issuer),
            optional_slash: first(&self.optional_slash, &others.optional_slash),
        }
    }
}
