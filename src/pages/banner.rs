//! The banner that says that the break-glass account is in use. It is put into each page after it was rendered, from a template
//! of the build alone: no replaced template can leave it out.

use minijinja::value::Serde;
use serde::Serialize;

use crate::pages::{Lang, Pages, RenderError};

/// The template's name.
const TEMPLATE: &str = "_break_glass.html";

/// What the banner shows.
#[derive(Clone, Debug, Serialize)]
pub struct BreakGlassBanner {
    /// When the session ends: hours and minutes, UTC.
    pub time: String,
    /// The path that a sign-out begins at.
    pub sign_out_path: String,
}

impl Pages {
    /// The page with the banner at the beginning of its body.
    ///
    /// # Errors
    /// When the template and the banner do not fit each other; the tests rule that out.
    pub fn with_banner(&self, lang: Lang, html: &str, banner: &BreakGlassBanner) -> Result<String, RenderError> {
        let built_in = if self.fallback.is_empty() { &self.environments } else { &self.fallback };
        let environment = built_in.iter().find(|(of, _)| *of == lang).map(|(_, environment)| environment);
        let rendered = environment
            .ok_or_else(|| minijinja::Error::from(minijinja::ErrorKind::TemplateNotFound))
            .and_then(|environment| environment.get_template(TEMPLATE)?.render(Serde(banner)))
            .map_err(|cause| RenderError { template: TEMPLATE, cause })?;
        let body = html.find("<body").and_then(|start| {
            let rest = html.get(start..)?;
            Some(start + rest.find('>')? + 1)
        });
        let (before, after) = html.split_at_checked(body.unwrap_or(0)).unwrap_or(("", html));
        Ok(format!("{before}\n{rendered}{after}"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::pages::{Home, SignedOut};

    #[test]
    fn the_banner_comes_first_on_every_page_in_every_language() {
        let pages = Pages::new("").unwrap();
        let banner = BreakGlassBanner { time: "14:35".to_owned(), sign_out_path: "/out?<\"".to_owned() };
        for &lang in Lang::ALL {
            let home = Home {
                issuer: "i".to_owned(),
                user_name: None,
                sign_out_path: None,
                account_path: None,
                apps: Vec::new(),
            };
            let out = SignedOut { client_name: None, back_uri: None, frames: Vec::new(), ended: false };
            for html in [pages.render(lang, &home).unwrap(), pages.render(lang, &out).unwrap()] {
                let with = pages.with_banner(lang, &html, &banner).unwrap();
                let (_, body) = with.split_once("<body class=\"narrow\">").unwrap();
                assert!(body.trim_start().starts_with("<aside class=\"emergency\">"), "{with}");
                assert!(with.contains("14:35") && with.contains("href=\"&#x2f;out?&lt;&quot;\""), "{with}");
                assert!(with.ends_with("</html>\n") || with.ends_with("</html>"), "{with}");
            }
        }
        let with = pages.with_banner(Lang::En, "no page", &banner).unwrap();
        assert!(with.contains("14:35") && with.ends_with("no page"));
    }
}
