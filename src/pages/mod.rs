//! The pages that people see: typed views in, HTML out.
//!
//! Owns the templates, the stylesheet and script, the texts in every language, the choice of language, the
//! Content-Security-Policy, and the changes that `[ui]` makes to them. Knows nothing of HTTP requests, sessions or the store: a
//! handler fills a view, asks for its HTML, and sends it with the headers of [`csp`].
//!
//! ```
//! use countersign::pages::{Lang, Languages, Pages, SignedOut, WebUri};
//!
//! let pages = Pages::new("/sso")?;
//! let lang = Lang::choose(&Languages::wanted(None, ["de-AT, en;q=0.8"]));
//! let back_uri = WebUri::parse("https://grafana.example");
//! let view = SignedOut { client_name: Some("Grafana".to_owned()), back_uri, frames: Vec::new(), ended: true };
//! assert!(pages.render(lang, &view)?.contains("Sie sind abgemeldet"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
pub mod assets;
mod banner;
mod console;
pub mod csp;
mod demo;
mod drafts;
mod html;
mod json;
mod lang;
mod languages;
mod looks;
mod messages;
mod own;
mod reasons;
mod sample;
mod samples;
mod samples_drafts;
mod samples_own;
mod status;
mod templates;
#[cfg(test)]
mod tests;
mod theme;
mod time;
mod uri;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, UndefinedBehavior, Value};

pub use account::{
    AccountActivity, AccountApps, AccountCertificates, AccountConsents, AccountOverview, AccountSessions, AskedRow,
    ConditionRow, FactRow, Known, Linked, OwnApp, OwnCertificate, OwnConsent, OwnEvent, SessionRow, Why,
};
pub use banner::BreakGlassBanner;
pub use console::*;
pub use demo::{
    DemoApp, DemoFault, DemoFile, DemoHome, DemoLine, DemoNav, DemoRefused, DemoStep, DemoTokens, Persona,
    PersonaPicker,
};
pub use drafts::{
    DraftEffect, DraftFault, DraftField, DraftForm, DraftGroup, DraftLine, DraftPerson, DraftPlan, DraftProbe,
    DraftProblem, DraftResult, DraftStep,
};
pub use lang::Lang;
pub use languages::Languages;
pub use looks::{LookPlace, LookProblem};
pub use messages::CatalogueError;
pub use own::{Action, ConfirmAction, Did, Notice, Paging, Shell};
pub use status::{KeyStatus, ProviderStatus, Status, StatusCounts, StatusPage};
pub use time::moment;
pub use uri::{Destination, WebUri};
pub use views::{
    AppLink, BreakGlassPage, ConfirmSignOut, Consent, Elsewhere, ErrorPage, Field, FormPost, Home, PostForm, Provider,
    Redirect, Scope, SignIn, SignedInAccount, SignedOut, SigningOut, TraceLine, View,
};

use messages::Catalogue;
use templates::{BUILT_IN, TEMPLATES};

use crate::config::language::ui::Ui;
use crate::config::load::templates::TemplateFile;

/// The form field that carries the CSRF token of every form that changes something (D20).
pub const CSRF_FIELD: &str = "csrf";

/// The stylesheet's name.
const STYLESHEET: &str = "style.css";

/// Why the pages can't be built: a template or a catalogue of the build is broken, or something in `[ui]`.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// A template does not compile.
    #[error("a page template does not compile: {0}")]
    Template(#[from] minijinja::Error),
    /// A catalogue of texts does not fit.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
    /// What is wrong with `[ui]`.
    #[error("the looks have problems: {0:?}")]
    Looks(Vec<LookProblem>),
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

/// One environment a language, so that a text costs no look-up of the language. They share the compiled templates.
type Environments = Vec<(Lang, Environment<'static>)>;

/// The compiled pages of one configuration generation.
#[derive(Debug)]
pub struct Pages {
    environments: Environments,
    /// The built-in templates alone, where some are replaced: what is shown when one of those fails.
    fallback: Environments,
    logo: Option<WebUri>,
    /// The stylesheet with an accent colour of its own, and its version.
    stylesheet: Option<(String, String)>,
    /// What the broker is called in each language.
    brands: Vec<(Lang, String)>,
    /// The texts of each language.
    catalogues: Vec<(Lang, Arc<Catalogue>)>,
}

/// What every environment has.
struct Common<'c> {
    base: &'c str,
    logo: Option<&'c WebUri>,
    stylesheet: Option<&'c str>,
}

impl Pages {
    /// Compiles every template for every language, with the built-in looks. `issuer_path` is the path of the issuer, under
    /// which the static files are served: `""` or `"/"` for none, `"/sso"`.
    ///
    /// # Errors
    /// When a template does not compile, or a catalogue can't be read.
    pub fn new(issuer_path: &str) -> Result<Self, PagesError> {
        Self::with_looks(issuer_path, &Ui::default(), &[])
    }

    /// The same with the looks of a file. A `logo_uri` that is no web address is left out: `check` has reported it.
    ///
    /// # Errors
    /// As [`Self::new`]; and every problem of the texts and templates, in [`PagesError::Looks`].
    pub fn with_looks(issuer_path: &str, ui: &Ui, templates: &[TemplateFile]) -> Result<Self, PagesError> {
        let logo = ui.logo_uri.as_deref().and_then(WebUri::parse);
        let stylesheet = ui.color.map(|color| {
            let css = format!("{}{}", include_str!("../../static/style.css"), theme::rules(color));
            let version = assets::version_of(css.as_bytes());
            (css, version)
        });
        let common = Common {
            base: issuer_path.trim_end_matches('/'),
            logo: logo.as_ref(),
            stylesheet: stylesheet.as_ref().map(|(_, version)| version.as_str()),
        };
        let mut problems = Vec::new();
        looks::check_names(ui, templates, &mut problems);
        let built_in = compiled()?;
        let own = if templates.is_empty() {
            built_in.clone()
        } else {
            let mut own = built_in.clone();
            for (name, source) in TEMPLATES {
                own.add_template_owned(format!("{BUILT_IN}{name}"), *source)?;
            }
            looks::add_templates(&mut own, templates, &mut problems);
            own
        };
        let english = Catalogue::load(Lang::En)?;
        let (mut environments, mut fallback) = (Environments::new(), Environments::new());
        let (mut brands, mut catalogues) = (Vec::new(), Vec::new());
        for &lang in Lang::ALL {
            let mut catalogue = Catalogue::load(lang)?;
            looks::replace_texts(&mut catalogue, &english, ui, &mut problems);
            let catalogue = Arc::new(catalogue);
            brands.push((lang, catalogue.plain("brand.name", &[]).unwrap_or_default()));
            environments.push((lang, in_language(own.clone(), &catalogue, &common)));
            if !templates.is_empty() {
                fallback.push((lang, in_language(built_in.clone(), &catalogue, &common)));
            }
            catalogues.push((lang, catalogue));
        }
        let mut problems = BTreeSet::from_iter(problems);
        if problems.is_empty() && !templates.is_empty() {
            environments.iter().for_each(|(_, environment)| looks::prove(environment, templates, &mut problems));
        }
        if !problems.is_empty() {
            return Err(PagesError::Looks(Vec::from_iter(problems)));
        }
        Ok(Self { environments, fallback, logo, stylesheet, brands, catalogues })
    }

    /// What the error page says for a reason code, in English and as one text: its title, and what happened.
    #[must_use]
    pub fn english_reason(&self, code: &str) -> String {
        let [title, message] = ["title", "message"].map(|part| {
            let key = format!("reason.{}.{part}", reasons::known(code));
            self.text(Lang::En, &key)
        });
        format!("{title}. {message}")
    }

    /// A text without places, as plain text.
    #[must_use]
    pub fn text(&self, lang: Lang, key: &str) -> String {
        let catalogue = self.catalogues.iter().find(|(of, _)| *of == lang).map(|(_, catalogue)| catalogue);
        catalogue.and_then(|catalogue| catalogue.plain(key, &[])).unwrap_or_default()
    }

    /// What the broker is called: the text `brand.name`.
    #[must_use]
    pub fn brand(&self, lang: Lang) -> &str {
        self.brands.iter().find(|(of, _)| *of == lang).map_or("Countersign", |(_, name)| name)
    }

    /// The HTML of `view` in `lang`: a whole document, to be sent as `text/html; charset=utf-8` with
    /// [`csp::content_security_policy`] and `Cache-Control: no-store`. Where a template of the file fails, which its proof
    /// at load time can't rule out, the log says so and the built-in page is shown.
    ///
    /// # Errors
    /// When the template and the view do not fit each other; the tests rule that out for the built-in templates.
    pub fn render<V: View>(&self, lang: Lang, view: &V) -> Result<String, RenderError> {
        let rendered = render(&self.environments, lang, view);
        let why = match &rendered {
            Ok(html) if html.trim().is_empty() => "the page is empty".to_owned(),
            Ok(_) => return rendered,
            Err(error) => error.cause.to_string(),
        };
        if self.fallback.is_empty() {
            return rendered;
        }
        tracing::error!(event = "template_failed", template = V::TEMPLATE, why, "the built-in page is shown instead");
        render(&self.fallback, lang, view)
    }

    /// The pictures from elsewhere on a page: the logo, and the view's own.
    pub fn pictures<'p, V: View>(&'p self, view: &'p V) -> impl Iterator<Item = &'p url::Url> {
        self.logo.iter().chain(view.picture()).map(WebUri::url)
    }

    /// The media type, the contents and the version of a static file, the stylesheet with this generation's colours;
    /// `None` for a name that is none.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<(&'static str, &[u8], &str)> {
        let (media_type, contents) = assets::asset(name)?;
        match &self.stylesheet {
            Some((css, version)) if name == STYLESHEET => Some((media_type, css.as_bytes(), version)),
            _ => Some((media_type, contents, assets::version(name)?)),
        }
    }
}

fn render<V: View>(environments: &Environments, lang: Lang, view: &V) -> Result<String, RenderError> {
    let template = V::TEMPLATE;
    let environment = environments.iter().find(|(of, _)| *of == lang).map(|(_, environment)| environment);
    environment
        .ok_or_else(|| minijinja::Error::from(minijinja::ErrorKind::TemplateNotFound))
        .and_then(|environment| environment.get_template(template)?.render(Serde(view)))
        .map_err(|cause| RenderError { template, cause })
}

/// An environment with the built-in templates, compiled: strict and escaping, without what depends on the language.
fn compiled() -> Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    // Every template is HTML, whatever it is called.
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    for (name, source) in TEMPLATES {
        env.add_template(name, source)?;
    }
    Ok(env)
}

/// The environment of one language: `env`, which has the templates, with the values and functions that they use.
fn in_language(mut env: Environment<'static>, catalogue: &Arc<Catalogue>, common: &Common<'_>) -> Environment<'static> {
    let (base, lang) = (common.base, catalogue.lang());
    env.add_global("lang", lang.tag());
    env.add_global("dir", lang.dir());
    env.add_global("base", base);
    env.add_global("logo", common.logo.map_or_else(|| Value::from(()), |logo| Value::from(Serde(logo))));

    let texts = Arc::clone(catalogue);
    env.add_function("t", move |key: &str, values: Kwargs| {
        texts.html(key, &named(&values)?).map(Value::from_safe_string).ok_or_else(|| missing(key))
    });
    let texts = Arc::clone(catalogue);
    env.add_function("text", move |key: &str, values: Kwargs| {
        texts.plain(key, &named(&values)?).ok_or_else(|| missing(key))
    });
    let texts = Arc::clone(catalogue);
    env.add_function("has_text", move |key: &str| texts.has(key));
    let texts = Arc::clone(catalogue);
    env.add_function("draft_help", move |key: &str, input: &str| {
        let help = |key: String| texts.html(&key, &[]).map(Value::from_safe_string);
        help(format!("draft.help.{key}")).or_else(|| help(format!("draft.input.{input}")))
    });
    let texts = Arc::clone(catalogue);
    env.add_function("reason_text", move |code: &str, part: &str| {
        let key = format!("reason.{}.{part}", reasons::known(code));
        texts.plain(&key, &[]).ok_or_else(|| missing(&key))
    });
    let texts = Arc::clone(catalogue);
    env.add_function("advice_text", move |code: &str| {
        let key = format!("advice.{}", reasons::advice(code).key());
        texts.plain(&key, &[]).ok_or_else(|| missing(&key))
    });

    let draft_base = format!("{base}/console/draft/");
    let static_base = format!("{base}/static");
    let stylesheet = common.stylesheet.map(str::to_owned);
    env.add_function("asset", move |name: &str| {
        let own = stylesheet.as_deref().filter(|_| name == STYLESHEET);
        let version = own.or_else(|| assets::version(name)).ok_or_else(|| missing(name))?;
        Ok::<_, minijinja::Error>(format!("{static_base}/{name}?v={version}"))
    });
    env.add_function("when", move |seconds: i64| Value::from_safe_string(time::element(lang, seconds)));
    env.add_function("draft_path", move |kind: &str, id: Option<&str>| html::draft_path(&draft_base, kind, id));
    env.add_function("fit", html::fit);
    env.add_function("monogram", html::monogram);
    env.add_function("tone", html::tone);
    env
}

/// The named values of a text, each as a string.
fn named(values: &Kwargs) -> Result<Vec<(String, String)>, minijinja::Error> {
    values.args().map(|name| Ok((name.to_owned(), values.get::<String>(name)?))).collect()
}

/// A template names a text or a file that is not there.
fn missing(what: &str) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::UndefinedError, format!("nothing is called {what:?}"))
}
