//! Addresses that may become links, pictures or form targets on a page: `http` and `https` only. A `javascript:` or `data:`
//! address that a client, an IdP or a request brings can't be made into one, so no template has to think of it.

use serde::{Serialize, Serializer, ser::SerializeStruct};
use url::Url;

/// An absolute `http` or `https` address with a host and no user information. In templates it has the two fields `href` and
/// `host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUri {
    url: Url,
}

impl WebUri {
    /// `None` for anything but an absolute `http` or `https` address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_plain = url.username().is_empty() && url.password().is_none();
        (is_web && is_plain).then_some(Self { url })
    }

    /// The address as browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The address, parsed.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

/// Where a page leads on to by itself: the web, or a native app by its reverse-domain scheme (RFC 8252 §7.1), which no
/// scheme that runs as script can be. In templates it has the fields of a [`WebUri`]; `host` is a native app's scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(Url);

impl Destination {
    /// `None` for anything but a web address or one with a reverse-domain scheme.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(WebUri { url }) = WebUri::parse(text) {
            return Some(Self(url));
        }
        let url = Url::parse(text).ok()?;
        url.scheme().contains('.').then_some(Self(url))
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        address(&self.0, self.0.host_str().unwrap_or(self.0.scheme()), serializer)
    }
}

/// The fields that templates see.
fn address<S: Serializer>(url: &Url, host: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("WebUri", 2)?;
    fields.serialize_field("href", url.as_str())?;
    fields.serialize_field("host", host)?;
    fields.end()
}

impl Serialize for WebUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        address(&self.url, self.url.host_str().unwrap_or_default(), serializer)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_web_addresses_pass() {
        for good in
            ["https://app.example/cb?x=1&y=%3C", "http://localhost:3000/", "HTTPS://APP.example", "http://[::1]:9"]
        {
            assert!(WebUri::parse(good).is_some(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "\u{1}java\nscript:alert(1)",
            "data:text/html,<script>1</script>",
            "vbscript:x",
            "com.example.app:/callback",
            "//evil.example",
            "/path",
            "https://user@app.example/",
            "https://:secret@app.example/",
            "https://",
            "blob:https://app.example/1",
            "",
        ] {
            assert!(WebUri::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_destination_is_the_web_or_a_native_app() {
        for (uri, host) in [("https://app.example/bye?x=1", "app.example"), ("com.example.app:/bye", "com.example.app")]
        {
            let seen = serde_json::to_value(Destination::parse(uri).unwrap()).unwrap();
            assert_eq!(seen, serde_json::json!({ "href": uri, "host": host }));
        }
        for bad in ["javascript:alert(1)", "data:text/html,x", "myapp:/bye", "https://user@app.example/", "/path", ""] {
            assert_eq!(Destination::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_could_end_an_attribute_is_percent_encoded() {
        let uri = WebUri::parse("https://app.example/\"><script>?\"><b>").unwrap();
        assert_eq!(uri.as_str(), "https://app.example/%22%3E%3Cscript%3E?%22%3E%3Cb%3E");
    }
}
