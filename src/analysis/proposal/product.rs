//! The product behind an issuer, where its address shows it: its preset knows what the generic one does not.

use url::Url;

use crate::config::language::provider::Preset;

/// Hosts of services, or what they end with.
const HOSTS: &[(&str, Preset)] = &[
    ("login.microsoftonline.com", Preset::Entra),
    ("login.microsoftonline.us", Preset::Entra),
    ("login.partner.microsoftonline.cn", Preset::Entra),
    ("sts.windows.net", Preset::Entra),
    ("accounts.google.com", Preset::Google),
    (".okta.com", Preset::Okta),
    (".oktapreview.com", Preset::Okta),
    (".okta-emea.com", Preset::Okta),
    (".auth0.com", Preset::Auth0),
    ("gitlab.com", Preset::Gitlab),
    ("www.linkedin.com", Preset::Linkedin),
    ("appleid.apple.com", Preset::Apple),
];

/// The preset for an issuer, and why it fits.
pub(super) fn of(issuer: &str) -> Option<(Preset, String)> {
    let url = Url::parse(issuer).ok()?;
    let host = url.host_str()?;
    let fits = |known: &str| if known.starts_with('.') { host.ends_with(known) } else { host == known };
    let preset = match HOSTS.iter().find(|(known, _)| fits(known)) {
        Some((_, preset)) => *preset,
        None if url.path().contains("/realms/") => Preset::Keycloak,
        None if url.path().contains("/application/o/") => Preset::Authentik,
        None if url.path().trim_end_matches('/') == "/adfs" => Preset::Adfs,
        None => return None,
    };
    let why = match preset {
        Preset::Entra => "set it before anybody has signed in: it knows people by oid and tid instead of sub",
        _ => "the issuer is of this product",
    };
    Some((preset, why.to_owned()))
}
