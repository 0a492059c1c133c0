//! Providers where anyone in the world can have an account: the entry of such a provider must say who may enter.
//!
//! They are recognised by their preset, or by the host of their issuer or of one of their endpoints, whatever the preset.

use url::Url;

use crate::config::check::context::Context;
use crate::config::check::paths::comparable;
use crate::config::diagnostics::path::At;
use crate::config::language::provider::{Preset, Provider};
use crate::config::resolved::preset;

/// A service where anyone in the world can have an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpenService {
    /// Google accounts, including private ones.
    Google,
    /// Microsoft accounts of all tenants, or private ones.
    Microsoft,
    /// GitLab.com and other public GitLab hosts.
    GitLab,
    /// Any other service.
    Other,
}

/// Hosts all of whose accounts can sign in. Those of Microsoft are open only for some tenants, see [`MICROSOFT`].
const HOSTS: &[(&str, OpenService)] = &[
    ("accounts.google.com", OpenService::Google),
    ("gitlab.com", OpenService::GitLab),
    ("salsa.debian.org", OpenService::GitLab),
    ("framagit.org", OpenService::GitLab),
    ("gitlab.gnome.org", OpenService::GitLab),
    ("gitlab.freedesktop.org", OpenService::GitLab),
    ("login.live.com", OpenService::Microsoft),
    ("access.line.me", OpenService::Other),
    ("account.apple.com", OpenService::Other),
    ("accounts.firefox.com", OpenService::Other),
    ("accounts.spotify.com", OpenService::Other),
    ("api.amazon.com", OpenService::Other),
    ("api.login.yahoo.com", OpenService::Other),
    ("appleid.apple.com", OpenService::Other),
    ("auth.atlassian.com", OpenService::Other),
    ("bitbucket.org", OpenService::Other),
    ("codeberg.org", OpenService::Other),
    ("discord.com", OpenService::Other),
    ("facebook.com", OpenService::Other),
    ("gitea.com", OpenService::Other),
    ("github.com", OpenService::Other),
    ("huggingface.co", OpenService::Other),
    ("id.atlassian.com", OpenService::Other),
    ("id.twitch.tv", OpenService::Other),
    ("id.vk.com", OpenService::Other),
    ("kauth.kakao.com", OpenService::Other),
    ("limited.facebook.com", OpenService::Other),
    ("linkedin.com", OpenService::Other),
    ("login.salesforce.com", OpenService::Other),
    ("login.yahoo.com", OpenService::Other),
    ("nid.naver.com", OpenService::Other),
    ("orcid.org", OpenService::Other),
    ("paypal.com", OpenService::Other),
    ("secure.login.gov", OpenService::Other),
    ("slack.com", OpenService::Other),
    ("www.amazon.com", OpenService::Other),
];

/// Hosts of Microsoft's identity platform. The first segment of an issuer's path is the tenant.
const MICROSOFT: &[&str] = &[
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
];

/// Tenant names that stand for many tenants: all organisations, all accounts, private accounts (the last one also by its id).
const MANY_TENANTS: &[&str] = &["common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"];

/// The service that an address belongs to, if anyone can have an account there. All spellings are recognised: the case of the
/// host, a dot at its end, user information, the path of a discovery document.
pub(crate) fn open_service(address: &str) -> Option<OpenService> {
    let address = address.trim();
    let url = Url::parse(address).or_else(|_| Url::parse(&format!("https://{address}"))).ok()?;
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    let path = comparable(url.path()).to_ascii_lowercase();
    if MICROSOFT.contains(&host.as_str()) {
        let many = path.split('/').any(|segment| MANY_TENANTS.contains(&segment));
        return many.then_some(OpenService::Microsoft);
    }
    let named = |known: &str| host == known || host.strip_prefix("www.") == Some(known);
    HOSTS.iter().find(|(known, _)| named(known)).map(|(_, service)| *service)
}

fn service(provider: &Provider) -> Option<OpenService> {
    let issuer = preset::issuer(provider);
    let addresses = [
        issuer.as_deref(),
        provider.backchannel_url.as_deref(),
        provider.base_url.as_deref(),
        provider.authorization_endpoint.as_deref(),
        provider.token_endpoint.as_deref(),
        provider.userinfo_endpoint.as_deref(),
        provider.jwks_uri.as_deref(),
    ];
    // Whatever host answers in Microsoft's stead.
    let many = |issuer: &str| issuer.split('/').any(|segment| MANY_TENANTS.contains(&&*segment.to_ascii_lowercase()));
    let by_tenants =
        || (provider.preset == Preset::Entra && issuer.as_deref().is_some_and(many)).then_some(OpenService::Microsoft);
    let by_host = addresses.into_iter().flatten().find_map(open_service).or_else(by_tenants);
    let by_preset = || match provider.preset {
        Preset::Google => Some(OpenService::Google),
        Preset::Linkedin | Preset::Apple => Some(OpenService::Other),
        Preset::Gitlab if issuer.is_none() => Some(OpenService::GitLab),
        _ => None,
    };
    by_host.or_else(by_preset)
}

/// An example of the line that says who may enter.
const fn example(service: OpenService) -> &'static str {
    match service {
        OpenService::Google => "allow = \"claims.hd == 'corp.example'\"",
        OpenService::Microsoft => "allow = \"claims.tid == 'TENANT-ID'\"",
        OpenService::GitLab => "allow = \"'GROUP' in claims.groups\"",
        OpenService::Other => "allow = \"claims.email_verified && claims.email.domain() == 'corp.example'\"",
    }
}

/// Reports a provider that would admit the whole world. A constant `allow` is reported where expressions are checked.
pub(crate) fn check(context: &mut Context<'_>, at: &At<'_>, provider: &Provider) {
    let Some(service) = service(provider) else { return };
    if provider.preset == Preset::Entra && service == OpenService::Microsoft && provider.tenants.is_empty() {
        let message = format!("`tenants` must be set in `{at}`: its issuer speaks for every tenant");
        context.needs(at, &["tenants"], message, "add tenants = [\"...\"] with the tenant ids that may sign in");
    }
    let narrowed = provider.allow.is_some()
        || !provider.organizations.is_empty()
        || !provider.hosted_domains.is_empty()
        || !provider.tenants.is_empty()
        || !provider.create_users;
    if narrowed {
        return;
    }
    context.needs(
        at,
        &["allow", "organizations", "hosted_domains", "tenants", "create_users"],
        format!("`{at}` would admit everyone in the world who has an account there"),
        &format!(
            "say who may enter, for example {}, or add create_users = false to admit only declared users",
            match provider.preset {
                Preset::Github => "organizations = [\"acme\"]",
                // Which this preset needs anyway.
                Preset::Entra => "tenants = [\"TENANT-ID\"]",
                _ => example(service),
            }
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_service_is_known_however_its_address_is_written() {
        for address in [
            "https://accounts.google.com",
            "https://accounts.google.com/",
            "https://ACCOUNTS.Google.com",
            "https://accounts.google.com./",
            "https://accounts.google.com:443",
            "https://user@accounts.google.com",
            "https://accounts.google.com/.well-known/openid-configuration",
            "accounts.google.com",
            " https://accounts.google.com ",
            "https://gitlab.com",
            "https://www.linkedin.com/oauth",
            "https://linkedin.com/oauth/",
            "https://github.com/login/oauth",
            "https://appleid.apple.com",
            "https://login.live.com",
            "https://slack.com",
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/Organizations/v2.0/",
            "https://login.microsoftonline.com/%63ommon/v2.0",
            "https://login.microsoftonline.com//consumers/v2.0/.well-known/openid-configuration",
            "https://login.microsoftonline.com/.well-known/oauth-authorization-server/common/v2.0",
            "https://login.microsoftonline.com/9188040D-6C67-4C5B-B112-36A304B66DAD/v2.0",
            "https://sts.windows.net/common/",
        ] {
            assert!(open_service(address).is_some(), "{address}");
        }
        for address in [
            "https://login.microsoftonline.com/9f3c0000-0000-0000-0000-00000000000a/v2.0",
            "https://login.microsoftonline.com/corp.onmicrosoft.com/v2.0",
            "https://gitlab.corp.example",
            "https://accounts.google.com.corp.example",
            "https://id.example/accounts.google.com",
            "https://notgitlab.com",
            "",
        ] {
            assert_eq!(open_service(address), None, "{address}");
        }
    }
}
