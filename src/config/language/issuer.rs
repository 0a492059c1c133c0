//! The issuer of a provider: its identifier, or the address of its discovery document, which people often copy instead.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;

/// Where discovery documents are (OIDC Discovery §4, RFC 8414 §3).
const DOCUMENTS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// The issuer of a provider. It dereferences to its identifier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct ProviderIssuer {
    identifier: String,
    from_document: bool,
}

impl ProviderIssuer {
    /// Whether the file has the address of the discovery document. The address is the same whether or not the identifier ends
    /// with a slash, so the document decides which of them is right.
    #[must_use]
    pub const fn is_from_document(&self) -> bool {
        self.from_document
    }
}

impl From<String> for ProviderIssuer {
    fn from(text: String) -> Self {
        match of_document(&text) {
            Some(identifier) => Self { identifier, from_document: true },
            None => Self { identifier: text, from_document: false },
        }
    }
}

impl Deref for ProviderIssuer {
    type Target = str;

    fn deref(&self) -> &Self::Target {
        &self.identifier
    }
}

impl fmt::Display for ProviderIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.identifier)
    }
}

/// The issuer that the address of a discovery document is derived from. OIDC Discovery §4.1 puts the well-known part after the
/// path of the issuer, RFC 8414 §3.1 between its host and its path.
fn of_document(address: &str) -> Option<String> {
    DOCUMENTS.iter().find_map(|document| {
        let (before, after) = address.split_once(document)?;
        let behind_host = before.split_once("://").is_some_and(|(_, host)| !host.contains('/'));
        match after {
            "" => Some(before.to_owned()),
            path if behind_host && path.starts_with('/') => Some(format!("{before}{path}")),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_discovery_document_stands_for_the_issuer() {
        for (written, identifier, from_document) in [
            ("https://idp.example", "https://idp.example", false),
            ("https://idp.example/", "https://idp.example/", false),
            ("https://idp.example/.well-known/openid-configuration", "https://idp.example", true),
            ("https://idp.example/realms/a/.well-known/openid-configuration", "https://idp.example/realms/a", true),
            ("https://idp.example/a/.well-known/oauth-authorization-server", "https://idp.example/a", true),
            ("https://idp.example/.well-known/oauth-authorization-server/a/b", "https://idp.example/a/b", true),
            ("https://idp.example/.well-known/openid-configuration/a", "https://idp.example/a", true),
            // These are not addresses of an issuer's discovery document, and are left unchanged for `check` to judge.
            (
                "https://idp.example/a/.well-known/openid-configuration/b",
                "https://idp.example/a/.well-known/openid-configuration/b",
                false,
            ),
            (
                "https://idp.example/.well-known/openid-configuration?p=x",
                "https://idp.example/.well-known/openid-configuration?p=x",
                false,
            ),
            (
                "https://idp.example/.well-known/openid-configurations",
                "https://idp.example/.well-known/openid-configurations",
                false,
            ),
        ] {
            let issuer = ProviderIssuer::from(written.to_owned());
            assert_eq!((&*issuer, issuer.is_from_document()), (identifier, from_document), "{written}");
        }
    }
}
