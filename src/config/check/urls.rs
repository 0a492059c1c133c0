//! Rules for the text of URLs, redirect URIs, paths, domains and networks. They do not know the place in the file; their
//! callers report.

use url::{Host, Url};

use crate::config::language::address::{self, is_loopback};

/// What the text must be, as an error says it.
pub(crate) type Expected = &'static str;

/// Where plain http is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    /// On loopback only.
    Loopback,
    /// Anywhere, because the operator allowed it.
    Anywhere,
}

/// An absolute https URL (http on loopback or where it is allowed), without user information and fragment.
pub(crate) fn web_url(text: &str, http: Http) -> Result<Url, Expected> {
    if !text.is_ascii() || text.contains(|c: char| c.is_ascii_control() || " \\<>\"{}|^`".contains(c)) {
        return Err("a URL of plain ASCII without spaces (international names in punycode)");
    }
    let url = Url::parse(text).map_err(|_| "an absolute URL such as \"https://host/path\"")?;
    let host = url.host().ok_or("an absolute URL such as \"https://host/path\"")?;
    // Browsers add missing slashes and drop surplus ones, so this text names another place than it seems to.
    if text.split_once("://").is_none_or(|(_, rest)| rest.starts_with('/')) {
        return Err("an absolute URL such as \"https://host/path\"");
    }
    match url.scheme() {
        "https" => {}
        "http" if http == Http::Anywhere || is_loopback(&host) => {}
        "http" => return Err("an https URL (http is accepted on loopback only)"),
        _ if http == Http::Anywhere => return Err("an http or https URL"),
        _ => return Err("an https URL"),
    }
    let authority = text.split("://").nth(1).unwrap_or("").split(['/', '?', '#']).next().unwrap_or("");
    if authority.contains('@') {
        return Err("a URL without user information");
    }
    if text.contains('#') {
        return Err("a URL without a fragment");
    }
    Ok(url)
}

/// An issuer identifier (OIDC Discovery §3): no query, no fragment, no dot segments.
pub(crate) fn issuer(text: &str, http: Http) -> Result<Url, Expected> {
    let url = web_url(text, http)?;
    if text.contains('?') {
        return Err("a URL without a query");
    }
    if has_dot_segments(text) {
        return Err("a URL without `.` and `..` in its path");
    }
    Ok(url)
}

/// Whether two issuers, or the address of the discovery document of one, are at one place.
pub(crate) fn is_same_issuer(one: &str, other: &str) -> bool {
    let place = |text: &str| {
        let url = Url::parse(text).ok()?;
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/.well-known/openid-configuration").unwrap_or(path).trim_end_matches('/');
        Some((url.origin(), path.to_owned()))
    };
    place(one).is_some_and(|one| Some(one) == place(other))
}

/// The broker's own issuer: every endpoint's path begins with its path, so it has no empty segments. It may be percent-encoded,
/// such as that of a Keycloak realm with a space in its name.
pub(crate) fn own_issuer(text: &str) -> Result<Url, Expected> {
    let url = issuer(text, Http::Loopback)?;
    if url.path().contains("//") {
        return Err("a URL without empty segments in its path");
    }
    Ok(url)
}

/// A redirect URI that is compared character for character (RFC 6749 §3.1.2, RFC 8252 §7). With `private_use`, the
/// reverse-domain scheme of a native app is accepted too.
pub(crate) fn redirect_uri(text: &str, private_use: bool) -> Result<(), Expected> {
    if text.contains('*') {
        return Err("one whole URI: wildcards are not supported, each URI is listed");
    }
    if text.contains('#') {
        return Err("a URI without a fragment");
    }
    if has_dot_segments(text) {
        return Err("a URI without `.` and `..` in its path");
    }
    let scheme = text.split(':').next().unwrap_or("").to_ascii_lowercase();
    if scheme == "https" || scheme == "http" {
        return web_url(text, Http::Loopback).map(|_| ());
    }
    let valid =
        Url::parse(text).is_ok() && text.is_ascii() && !text.contains(|c: char| c.is_ascii_control() || c == ' ');
    if !valid {
        return Err("an absolute URI such as \"https://app.example.com/callback\"");
    }
    let reverse_domain = scheme.contains('.') && scheme.split('.').all(|label| !label.is_empty());
    match (reverse_domain, private_use) {
        (true, true) => Ok(()),
        (true, false) => Err("an https URI (a private-use scheme needs `application_type = \"native\"`)"),
        (false, _) => {
            Err("an https URI, or a reverse-domain scheme of a native app such as \"com.example.app:/callback\"")
        }
    }
}

/// `.` or `..` as a segment of the path, encoded ones included.
fn has_dot_segments(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or("");
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    path.split('/').skip(1).any(|segment| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    })
}

/// The path of an endpoint or callback: it begins with `/` and contains nothing that a proxy or browser would rewrite.
pub(crate) fn path(text: &str) -> Result<(), Expected> {
    if text == "/" {
        return Err("a path below `/`");
    }
    if !text.starts_with('/') {
        return Err("a path that begins with `/`");
    }
    if text.ends_with('/') || text.contains("//") || has_dot_segments(&format!("x:{text}")) {
        return Err("a path without empty, `.` and `..` segments and without a `/` at its end");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~!$&'()*+,=:@".contains(c);
    if !text.chars().all(plain) || text.contains(['*', '{', '}']) {
        return Err("a plain path: letters, digits and `-._~`, without query and fragment");
    }
    Ok(())
}

/// A mail domain.
pub(crate) fn domain(text: &str) -> Result<(), Expected> {
    const EXPECTED: Expected = "a domain such as \"corp.example\"";
    if text.contains(['@', '*', '/', ':', ' ']) || text.starts_with('.') || text.ends_with('.') {
        return Err(EXPECTED);
    }
    match Host::parse(text) {
        Ok(Host::Domain(_)) => Ok(()),
        _ => Err(EXPECTED),
    }
}

/// A network (`10.0.0.0/8`) or an address.
pub(crate) fn network(text: &str) -> Result<(), Expected> {
    address::network(text).map(drop).ok_or("a network such as \"10.0.0.0/8\" or an address")
}

/// `sha256:` and the hash: 64 hexadecimal digits or, with `base64url`, 43 characters of base64url.
pub(crate) fn sha256_text(text: &str, base64url: bool) -> bool {
    let Some(hash) = text.strip_prefix("sha256:") else { return false };
    let hex = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let base64 = hash.len() == 43 && hash.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    hex || (base64url && base64)
}

/// What a text is that should be the SHA-256 hash of a secret. The text is not repeated, because it may be the secret itself.
pub(crate) fn instead_of_hash(text: &str) -> String {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let schemes = [
        ("$2", "a bcrypt hash"),
        ("$argon2", "an Argon2 hash"),
        ("$scrypt", "an scrypt hash"),
        ("$pbkdf2", "a PBKDF2 hash"),
        ("$5$", "a SHA-256-crypt hash"),
        ("$6$", "a SHA-512-crypt hash"),
        ("sha512:", "a SHA-512 hash"),
        ("sha1:", "a SHA-1 hash"),
        ("md5:", "an MD5 hash"),
    ];
    let lower = text.to_ascii_lowercase();
    if let Some((_, what)) = schemes.iter().find(|(start, _)| lower.starts_with(start)) {
        return (*what).to_owned();
    }
    let prefixed = lower.strip_prefix("sha256:").or_else(|| lower.strip_prefix("sha-256:"));
    let prefixed = prefixed.or_else(|| lower.strip_prefix("sha256-")).or_else(|| lower.strip_prefix("sha256="));
    match prefixed {
        None if text.is_empty() => "empty".to_owned(),
        None if text.len() == 64 && digits(text) => "64 hexadecimal digits without \"sha256:\"".to_owned(),
        None => format!("{} without \"sha256:\", perhaps the secret itself", characters(text)),
        Some("") => "\"sha256:\" without a hash".to_owned(),
        Some(hash) if hash != hash.trim() => "a hash with spaces around it".to_owned(),
        Some(hash) if hash.ends_with('=') => "a hash in base64 with padding: leave out the `=`".to_owned(),
        Some(hash) if hash.contains(['+', '/']) => "a hash in base64, not base64url".to_owned(),
        Some(hash) if !text.starts_with("sha256:") && hash.len() == 64 => {
            format!("a hash after {:?}", text.get(..text.len() - hash.len()).unwrap_or_default())
        }
        Some(hash) if digits(hash) => format!("\"sha256:\" and {} hexadecimal digits", hash.len()),
        Some(hash) => format!("\"sha256:\" and {}", characters(hash)),
    }
}

/// "1 character", "2 characters".
fn characters(text: &str) -> String {
    match text.chars().count() {
        1 => "1 character".to_owned(),
        count => format!("{count} characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_that_a_browser_could_be_led_astray_with_are_refused() {
        for (uri, private_use, accepted) in [
            ("https://app.example.com/cb", false, true),
            ("https://app.example.com:8443/cb?x=1", false, true),
            ("http://localhost:3000/cb", false, true),
            ("http://127.0.0.1/cb", false, true),
            ("http://127.9.9.9:1/cb", false, true),
            ("http://[::1]:3000/cb", false, true),
            ("http://app.example.com/cb", false, false),
            ("http://localhost.example.com/cb", false, false),
            ("https://*.example.com/cb", false, false),
            ("https://app.example.com/cb#x", false, false),
            ("https://user@app.example.com/cb", false, false),
            ("https://app.example.com/a/../cb", false, false),
            ("https://app.example.com/%2E%2e/cb", false, false),
            ("https://app.example.com\\@evil.example/cb", false, false),
            ("https://äpp.example.com/cb", false, false),
            ("https://xn--pp-via.example.com/cb", false, true),
            ("/cb", true, false),
            ("app.example.com/cb", true, false),
            ("javascript:alert(1)", true, false),
            ("data:text/html,x", true, false),
            ("myapp://cb", true, false),
            ("com.example.app:/cb", true, true),
            ("com.example.app:/cb", false, false),
            ("com..app:/cb", true, false),
            ("https:app.example.com", false, false),
            ("https:///app.example.com", false, false),
        ] {
            assert_eq!(redirect_uri(uri, private_use).is_ok(), accepted, "{uri}");
        }
    }

    #[test]
    fn paths_and_issuers() {
        for (text, accepted) in [
            ("/a/b", true),
            ("/auth/oidc", true),
            ("a", false),
            ("/", false),
            ("/a/", false),
            ("/a//b", false),
            ("/a/../b", false),
            ("/a?b", false),
            ("/é", false),
            ("/{x}", false),
        ] {
            assert_eq!(path(text).is_ok(), accepted, "{text}");
        }
        for (text, accepted) in [
            ("https://sso.example.com", true),
            ("https://sso.example.com/", true),
            ("https://host/api", true),
            ("http://localhost:8080", true),
            ("http://sso.example.com", false),
            ("https://sso.example.com?x", false),
            ("https://sso.example.com/#", false),
            ("sso.example.com", false),
            ("https://a@sso.example.com", false),
        ] {
            assert_eq!(issuer(text, Http::Loopback).is_ok(), accepted, "{text}");
        }
    }
}
