//! What the head of every request must be, whatever is asked for: a `Host` where HTTP/1.1 has one, and a header section
//! that is not too large.

use axum::http::{HeaderMap, Request, StatusCode, Version, header};

/// Whether a request may be served.
///
/// # Errors
/// The status that it is refused with: 400 without `Host`, with several, or with one that is none (RFC 9112 §3.2), 431 with
/// a larger header section (RFC 6585 §5).
pub(super) fn check<B>(request: &Request<B>, most: usize) -> Result<(), StatusCode> {
    let headers = request.headers();
    if size(headers) > most {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => Ok(()),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

/// Bytes of a header section as it is sent: each line has a colon, a space and its end.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2), which may be empty, as it is for a target without an authority.
fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text.iter().rposition(|byte| *byte == b':') {
        // The colons of `[::1]` are the address's own.
        Some(colon) if !text.ends_with(b"]") => text.split_at(colon),
        _ => (text, &b""[..]),
    };
    let port = port.strip_prefix(b":").unwrap_or(port);
    let literal = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let allowed = |byte: &u8| match literal {
        Some(_) => byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'v' | b'V'),
        None => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(byte),
    };
    literal.unwrap_or(host).iter().all(allowed) && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn status(version: Version, hosts: &[&str], more: &str) -> Option<u16> {
        let mut request = Request::builder().version(version);
        for host in hosts {
            request = request.header("host", *host);
        }
        let request = request.header("x", more).body(()).unwrap();
        check(&request, 1024).err().map(|status| status.as_u16())
    }

    #[test]
    fn a_request_has_one_host() {
        for (hosts, expected) in [
            (&["sso.example.com"][..], None),
            (&["sso.example.com:8443"], None),
            (&["127.0.0.1:80"], None),
            (&["[::1]:8080"], None),
            (&["[::1]"], None),
            (&["SSO.EXAMPLE.COM."], None),
            (&["xn--bcher-kva.example"], None),
            (&[""], None),
            (&[], Some(400)),
            (&["a.example", "b.example"], Some(400)),
            (&["a.example", "a.example"], Some(400)),
            (&["a.example, b.example"], Some(400)),
            (&["a.example/path"], Some(400)),
            (&["user@a.example"], Some(400)),
            (&["a.example:port"], Some(400)),
            (&["a example"], Some(400)),
            (&["::1"], Some(400)),
        ] {
            assert_eq!(status(Version::HTTP_11, hosts, ""), expected, "{hosts:?}");
        }
        assert_eq!(status(Version::HTTP_10, &[], ""), None);
        assert_eq!(status(Version::HTTP_10, &["a.example", "b.example"], ""), Some(400));
    }

    #[test]
    fn a_header_section_is_bounded() {
        let others = "host".len() + "a.example".len() + 4 + "x".len() + 4;
        assert_eq!(status(Version::HTTP_11, &["a.example"], &"y".repeat(1024 - others)), None);
        assert_eq!(status(Version::HTTP_11, &["a.example"], &"y".repeat(1025 - others)), Some(431));
    }
}
