//! The static files, built into the binary, served under `{issuer path}/static/NAME?v=VERSION`. The version is taken from the
//! contents: an answer to a request with the current one may be cached for good. A stylesheet with an accent colour of its own
//! belongs to the [`Pages`](crate::pages::Pages) of its generation.

use std::sync::OnceLock;

use crate::digest::sha256_base64url;

/// Name, media type, contents.
type Asset = (&'static str, &'static str, &'static [u8]);

const ASSETS: &[Asset] = &[
    ("style.css", "text/css; charset=utf-8", include_bytes!("../../static/style.css")),
    ("demo.css", "text/css; charset=utf-8", include_bytes!("../../static/demo.css")),
    ("page.js", "text/javascript; charset=utf-8", include_bytes!("../../static/page.js")),
    ("mark.svg", "image/svg+xml", include_bytes!("../../static/mark.svg")),
    ("favicon.svg", "image/svg+xml", include_bytes!("../../static/mark.svg")),
    ("guilloche.svg", "image/svg+xml", include_bytes!("../../static/guilloche.svg")),
];

/// The media type and the contents of a static file; `None` for a name that is none.
#[must_use]
pub fn asset(name: &str) -> Option<(&'static str, &'static [u8])> {
    ASSETS.iter().find(|(known, ..)| *known == name).map(|(_, media_type, contents)| (*media_type, *contents))
}

/// The version of a static file: 12 characters that change with its contents.
#[must_use]
pub fn version(name: &str) -> Option<&'static str> {
    static VERSIONS: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
    let versions =
        VERSIONS.get_or_init(|| ASSETS.iter().map(|(name, _, contents)| (*name, version_of(contents))).collect());
    versions.iter().find(|(known, _)| *known == name).map(|(_, version)| version.as_str())
}

/// The version of these contents.
pub(crate) fn version_of(contents: &[u8]) -> String {
    sha256_base64url(contents).chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn files_are_found_by_exact_name() {
        let (media_type, contents) = asset("style.css").unwrap();
        assert_eq!(media_type, "text/css; charset=utf-8");
        assert!(!contents.is_empty());
        assert_eq!(version("style.css").unwrap().len(), 12);
        assert_ne!(version("style.css"), version("page.js"));
        for name in ["", "../style.css", "STYLE.CSS", "style.css?v=1"] {
            assert_eq!((asset(name), version(name)), (None, None));
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for (name, _, contents) in ASSETS {
            let text = std::str::from_utf8(contents).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("://") && !text.contains("@import"), "{name}");
        }
    }
}
