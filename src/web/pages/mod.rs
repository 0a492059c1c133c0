//! The pages that people see: typed views in, HTML out.
//!
//! Owns the templates, the stylesheet and script, the texts in every language, the choice of language and the
//! Content-Security-Policy. Knows nothing of HTTP requests, sessions or the store: a handler fills a view, asks for its
//! HTML, and sends it with the headers of [`csp`].
//!
//! ```
//! use countersign::web::pages::{Lang, Pages, SignedOut, WebUri};
//!
//! let pages = Pages::new("/sso")?;
//! let lang = Lang::negotiate(None, Some("de-AT, en;q=0.8"));
//! let back_uri = WebUri::parse("https://grafana.example");
//! let view = SignedOut { client_name: Some("Grafana".to_owned()), back_uri, frames: Vec::new() };
//! assert!(pages.render(lang, &view)?.contains("Sie sind abgemeldet"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod assets;
pub mod csp;
mod html;
mod json;
mod lang;
mod messages;
mod reasons;
#[cfg(test)]
mod tests;
mod uri;
mod views;

use std::sync::Arc;

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, UndefinedBehavior, Value};

pub use lang::Lang;
pub use messages::CatalogueError;
pub use uri::{Destination, WebUri};
pub use views::{
    ConfirmSignOut, Consent, DemoHome, DemoTokens, ErrorPage, Field, FormPost, Home, Onward, Persona, PersonaPicker,
    PostForm, Provider, Scope, SignIn, SignedOut, SigningOut, TraceLine, View,
};

use messages::Catalogue;

/// The form field that carries the CSRF token of every form that changes something (D20).
pub const CSRF_FIELD: &str = "csrf";

/// Every template: its name, and its text as built into the binary.
const TEMPLATES: &[(&str, &str)] = &[
    ("_parts.html", include_str!("../../../templates/_parts.html")),
    ("base.html", include_str!("../../../templates/base.html")),
    ("confirm_sign_out.html", include_str!("../../../templates/confirm_sign_out.html")),
    ("consent.html", include_str!("../../../templates/consent.html")),
    ("demo_home.html", include_str!("../../../templates/demo_home.html")),
    ("demo_tokens.html", include_str!("../../../templates/demo_tokens.html")),
    ("error.html", include_str!("../../../templates/error.html")),
    ("form_post.html", include_str!("../../../templates/form_post.html")),
    ("home.html", include_str!("../../../templates/home.html")),
    ("onward.html", include_str!("../../../templates/onward.html")),
    ("persona_picker.html", include_str!("../../../templates/persona_picker.html")),
    ("sign_in.html", include_str!("../../../templates/sign_in.html")),
    ("signed_out.html", include_str!("../../../templates/signed_out.html")),
    ("signing_out.html", include_str!("../../../templates/signing_out.html")),
];

/// Why the pages can't be built: a template or a catalogue is broken. A fault of the build, found at start.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// A template does not compile.
    #[error("a page template does not compile: {0}")]
    Template(#[from] minijinja::Error),
    /// A catalogue of texts does not fit.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
}

/// A page could not be rendered. Answered with status 500 and no page.
#[derive(Debug, thiserror::Error)]
#[error("the page {template} could not be rendered: {cause}")]
pub struct RenderError {
    /// The template's name.
    pub template: &'static str,
    /// What minijinja says.
    #[source]
    pub cause: minijinja::Error,
}

/// The compiled pages, one environment a language, so that a text costs no look-up of the language.
#[derive(Debug)]
pub struct Pages {
    environments: Vec<(Lang, Environment<'static>)>,
}

impl Pages {
    /// Compiles every template for every language. `issuer_path` is the path of the issuer, under which the static files
    /// stand: `""` or `"/"` for none, `"/sso"`.
    ///
    /// # Errors
    /// When a template does not compile, or a catalogue lacks a text that the English one has.
    pub fn new(issuer_path: &str) -> Result<Self, PagesError> {
        let base = issuer_path.trim_end_matches('/');
        let english = Catalogue::load(Lang::En)?;
        let mut environments = Vec::with_capacity(Lang::ALL.len());
        for &lang in Lang::ALL {
            let catalogue = Catalogue::load(lang)?;
            catalogue.same_shape_as(&english)?;
            environments.push((lang, environment(lang, catalogue, base)?));
        }
        Ok(Self { environments })
    }

    /// The HTML of `view` in `lang`: a whole document, to be sent as `text/html; charset=utf-8` with
    /// [`csp::content_security_policy`] and `Cache-Control: no-store`.
    ///
    /// # Errors
    /// When the template and the view do not fit each other; the tests rule that out for the built-in templates.
    pub fn render<V: View>(&self, lang: Lang, view: &V) -> Result<String, RenderError> {
        let template = V::TEMPLATE;
        let environment = self.environments.iter().find(|(of, _)| *of == lang).map(|(_, environment)| environment);
        environment
            .ok_or_else(|| minijinja::Error::from(minijinja::ErrorKind::TemplateNotFound))
            .and_then(|environment| environment.get_template(template)?.render(Serde(view)))
            .map_err(|cause| RenderError { template, cause })
    }
}

/// The environment of one language: strict, escaping, with the functions that the templates use.
fn environment(lang: Lang, catalogue: Catalogue, base: &str) -> Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    // Every template is HTML, whatever it is called.
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    env.add_global("lang", lang.tag());
    env.add_global("dir", lang.dir());
    env.add_global("base", base);

    let catalogue = Arc::new(catalogue);
    let texts = Arc::clone(&catalogue);
    env.add_function("t", move |key: &str, values: Kwargs| {
        texts.html(key, &named(&values)?).map(Value::from_safe_string).ok_or_else(|| missing(key))
    });
    let texts = Arc::clone(&catalogue);
    env.add_function("text", move |key: &str, values: Kwargs| {
        texts.plain(key, &named(&values)?).ok_or_else(|| missing(key))
    });
    let texts = Arc::clone(&catalogue);
    env.add_function("has_text", move |key: &str| texts.has(key));
    let texts = Arc::clone(&catalogue);
    env.add_function("reason_text", move |code: &str, part: &str| {
        let key = format!("reason.{}.{part}", reasons::known(code));
        texts.plain(&key, &[]).ok_or_else(|| missing(&key))
    });
    env.add_function("advice_text", move |code: &str| {
        let key = format!("advice.{}", reasons::advice(code).key());
        catalogue.plain(&key, &[]).ok_or_else(|| missing(&key))
    });

    let static_base = format!("{base}/static");
    env.add_function("asset", move |name: &str| {
        assets::version(name).map(|version| format!("{static_base}/{name}?v={version}")).ok_or_else(|| missing(name))
    });
    env.add_function("monogram", html::monogram);
    env.add_function("tone", html::tone);

    for (name, source) in TEMPLATES {
        env.add_template(name, source)?;
    }
    Ok(env)
}

/// The named values of a text, each as a string.
fn named(values: &Kwargs) -> Result<Vec<(String, String)>, minijinja::Error> {
    values.args().map(|name| Ok((name.to_owned(), values.get::<String>(name)?))).collect()
}

/// A template names a text or a file that is not there.
fn missing(what: &str) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::UndefinedError, format!("nothing is called {what:?}"))
}
