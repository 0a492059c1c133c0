//! The Content-Security-Policy that every page is sent with (D19, D20): no inline script or style, nothing from elsewhere but
//! the logos on it (and, at sign-out, apps in frames), no framing of ours, forms only to where they must go.

use std::collections::BTreeSet;

use url::{Host, Url};

/// The value of the `Content-Security-Policy` header.
///
/// `form_action` are the addresses, besides our own, that a form of the page may end at. Browsers apply `form-action` to
/// redirects too, so a page whose form is answered by a redirect names every origin on that way; what can't be known
/// beforehand (an IdP that redirects on by itself) is reached over the [`Redirect`](crate::pages::Redirect) page instead.
///
/// `images` are the pictures on the page; their origins are allowed, and no redirect away from them.
#[must_use]
pub fn content_security_policy<'a>(
    form_action: impl IntoIterator<Item = &'a Url>,
    images: impl IntoIterator<Item = &'a Url>,
) -> String {
    let images = sources(images);
    let form_action = sources(form_action);
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'{images}; frame-ancestors 'none'; \
         base-uri 'none'; form-action 'self'{form_action}"
    )
}

/// The policy of a page that these sites may frame, and nobody else. It has no forms to be misled with.
#[must_use]
pub fn framed_by<'a>(parents: impl IntoIterator<Item = &'a Url>, images: impl IntoIterator<Item = &'a Url>) -> String {
    let (parents, images) = (sources(parents), sources(images));
    let parents = if parents.is_empty() { " 'none'" } else { parents.as_str() };
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'{images}; frame-ancestors{parents}; \
         base-uri 'none'; form-action 'none'"
    )
}

/// The source expressions of addresses, each once, with a space before it.
fn sources<'a>(urls: impl IntoIterator<Item = &'a Url>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for source in urls.into_iter().filter_map(source) {
        if !seen.contains(&source) {
            seen.push(source);
        }
    }
    seen.iter().map(|source| format!(" {source}")).collect()
}

/// What is appended to the policy of a page that loads these addresses in frames: `frame-src` with their origins and nothing
/// else; empty without any.
#[must_use]
pub fn frame_sources<'a>(frames: impl IntoIterator<Item = &'a Url>) -> String {
    let sources: BTreeSet<String> = frames.into_iter().filter_map(source).collect();
    if sources.is_empty() {
        return String::new();
    }
    format!("; frame-src {}", Vec::from_iter(sources).join(" "))
}

/// The CSP source expression (CSP3 §2.3.1) for an address: its origin; its scheme where the grammar can't write the host (IPv6,
/// and characters that would end the directive) or where there is none (private-use schemes of native apps). Nothing for
/// schemes that run as script.
fn source(url: &Url) -> Option<String> {
    let scheme = url.scheme();
    if matches!(scheme, "javascript" | "data" | "blob" | "vbscript" | "filesystem") {
        return None;
    }
    let host = match url.host() {
        Some(Host::Domain(host)) if is_host_source(host) => host.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        _ => return Some(format!("{scheme}:")),
    };
    Some(match url.port() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// Whether the host consists of what a host-source may have; `url` lets `;` and `'` through.
fn is_host_source(host: &str) -> bool {
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn form_action(uris: &[&str]) -> String {
        let urls: Vec<Url> = uris.iter().map(|uri| Url::parse(uri).unwrap()).collect();
        let policy = content_security_policy(&urls, []);
        policy.split("; ").find_map(|directive| directive.strip_prefix("form-action ")).unwrap().to_owned()
    }

    #[test]
    fn the_policy_is_strict() {
        assert_eq!(
            content_security_policy([], []),
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        );
    }

    #[test]
    fn forms_may_end_at_the_origins_named() {
        let uris = ["https://app.example/cb?a=1", "https://app.example/other", "http://localhost:3000/cb"];
        assert_eq!(form_action(&uris), "'self' https://app.example http://localhost:3000");
        assert_eq!(form_action(&["http://[::1]:3000/cb"]), "'self' http:");
        assert_eq!(form_action(&["com.example.app:/cb"]), "'self' com.example.app:");
        assert_eq!(form_action(&["https://bücher.example/"]), "'self' https://xn--bcher-kva.example");
    }

    #[test]
    fn pictures_come_from_the_origins_named_and_nowhere_else() {
        let uris =
            ["https://cdn.example/logo.svg?v=1", "http://localhost:9000/logo.png", "https://cdn.example/other.png"];
        let urls: Vec<Url> = uris.iter().map(|uri| Url::parse(uri).unwrap()).collect();
        let policy = content_security_policy([], &urls);
        assert!(policy.contains("; img-src 'self' https://cdn.example http://localhost:9000; "), "{policy}");
    }

    #[test]
    fn frames_come_from_the_origins_named_and_nowhere_else() {
        let urls = ["https://b.example/out?iss=x", "https://a.example:8443/", "https://b.example/other"];
        let urls: Vec<Url> = urls.iter().map(|uri| Url::parse(uri).unwrap()).collect();
        assert_eq!(frame_sources(&urls), "; frame-src https://a.example:8443 https://b.example");
        assert_eq!(frame_sources([]), "");
    }

    #[test]
    fn an_address_cannot_add_directives() {
        let urls = ["https://a;script-src.example/;script-src *", "javascript:alert(1)", "data:image/svg+xml,x"];
        let urls: Vec<Url> = urls.iter().map(|uri| Url::parse(uri).unwrap()).collect();
        let policy = content_security_policy(&urls, &urls);
        assert!(policy.ends_with("form-action 'self' https:"), "{policy}");
        assert!(policy.contains("; img-src 'self' https:; "), "{policy}");
    }
}
