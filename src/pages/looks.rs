//! The changes that `[ui]` makes to the pages: texts and templates that replace the built-in ones, proven when they are loaded.
//!
//! Owns every problem that they can have ([`LookProblem`]). A replaced template is compiled, then rendered with each
//! [sample](crate::pages::samples) in every language. A template that can't be rendered, shows a value as markup, lacks what
//! its page is for, or needs what the Content-Security-Policy forbids is refused when the file is loaded. If one fails only
//! with other values, the built-in page is shown instead.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::Environment;
use regex::Regex;

use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{did_you_mean, quote};
use crate::config::language::ui::Ui;
use crate::config::load::templates::TemplateFile;
use crate::pages::lang::Lang;
use crate::pages::messages::Catalogue;
use crate::pages::sample::{MARKUP, Sample};
use crate::pages::samples::samples;
use crate::pages::templates::{ALL_LANGUAGES, TEMPLATES};

/// Where a problem of `[ui]` is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookPlace {
    /// A key of the configuration, as a dotted path.
    Key(String),
    /// A line, from 1, of the template file of this name.
    Template(String, usize),
}

/// A problem of `[ui]` that shows when the pages are compiled. All are errors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookProblem {
    /// Where.
    pub place: LookPlace,
    /// What is wrong, as a whole sentence without its place.
    pub message: String,
    /// The way out.
    pub suggestion: Option<String>,
}

/// Templates that replace the built-in ones have the names of pages of the broker itself.
fn replaceable() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("demo_") && !name.starts_with("persona_"))
}

/// Whether a text is on a page of the broker itself.
fn is_replaceable(key: &str) -> bool {
    !key.starts_with("demo.") && !key.starts_with("persona.")
}

/// Puts the texts of the file into the catalogue of a language: those for all languages, then its own. `built_in` has the
/// places that the pages fill, in any language.
pub(crate) fn replace_texts(catalogue: &mut Catalogue, built_in: &Catalogue, ui: &Ui, problems: &mut Vec<LookProblem>) {
    for tag in [ALL_LANGUAGES, catalogue.lang().tag()] {
        for (key, text) in ui.texts.get(tag).into_iter().flatten() {
            let known = is_replaceable(key) && catalogue.has(key);
            let (message, suggestion) = if known {
                let Err(message) = catalogue.replace(built_in, key, text) else { continue };
                (format!("{} {message}", quote(text)), None)
            } else {
                let message = format!("there is no text {}", quote(key));
                let keys = catalogue.keys().filter(|key| is_replaceable(key));
                let all = "docs/pages.md lists them all".to_owned();
                (message, Some(did_you_mean(key, keys).unwrap_or(all)))
            };
            let (ui, texts) = (At::Root.key("ui"), "texts");
            let place = LookPlace::Key(ui.key(texts).key(tag).key(key).to_string());
            problems.push(LookProblem { place, message, suggestion });
        }
    }
}

/// Reports unknown languages and file names.
pub(crate) fn check_names(ui: &Ui, templates: &[TemplateFile], problems: &mut Vec<LookProblem>) {
    let tags = || Lang::ALL.iter().map(|lang| lang.tag());
    for tag in ui.texts.keys().filter(|tag| *tag != ALL_LANGUAGES && Lang::of_tag(tag).is_none()) {
        let (section, texts) = (At::Root.key("ui"), "texts");
        let place = LookPlace::Key(section.key(texts).key(tag).to_string());
        let spoken = || format!("there are {}, and \"{ALL_LANGUAGES}\" for all", Vec::from_iter(tags()).join(", "));
        let suggestion = Some(did_you_mean(tag, tags()).unwrap_or_else(spoken));
        problems.push(LookProblem { place, message: format!("there are no pages in {}", quote(tag)), suggestion });
    }
    for file in templates {
        // Parts of one's own, for `include` and `import`, begin with an underscore.
        if replaceable().any(|known| known == file.name) || file.name.starts_with('_') {
            continue;
        }
        let all =
            || format!("pages are {}; a name with `_` before it is a part", Vec::from_iter(replaceable()).join(", "));
        problems.push(LookProblem {
            place: LookPlace::Template(file.name.clone(), 1),
            message: format!("no page has a template {}", quote(&file.name)),
            suggestion: Some(did_you_mean(&file.name, replaceable()).unwrap_or_else(all)),
        });
    }
}

/// Adds the templates of the folder to an environment that has the built-in ones.
pub(crate) fn add_templates(env: &mut Environment<'static>, files: &[TemplateFile], problems: &mut Vec<LookProblem>) {
    static AUTOESCAPE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{%[-+]?\s*autoescape\b").ok());
    for file in files {
        let place = |line| LookPlace::Template(file.name.clone(), line);
        if let Some(found) = AUTOESCAPE.as_ref().and_then(|regex| regex.find(&file.text)) {
            let line = file.text.get(..found.start()).map_or(1, |before| before.matches('\n').count() + 1);
            let message = "escaping can't be changed: the page shows untrusted names and texts".to_owned();
            problems.push(LookProblem { place: place(line), message, suggestion: None });
        }
        if let Err(error) = env.add_template_owned(file.name.clone(), file.text.clone()) {
            let message = format!("the template does not compile: {}", said(&error));
            problems.push(LookProblem { place: place(error.line().unwrap_or(1)), message, suggestion: None });
        }
    }
}

/// Renders every sample and checks the results.
pub(crate) fn prove(env: &Environment<'static>, files: &[TemplateFile], problems: &mut BTreeSet<LookProblem>) {
    for sample in samples() {
        for file in files.iter().filter(|file| file.name == sample.template) {
            undeclared(env, file, &sample, problems);
        }
        let rendered = env.get_template(sample.template).and_then(|template| template.render(&sample.values));
        match rendered {
            Ok(html) => {
                let own = files.iter().any(|file| file.name == sample.template);
                let place = match own {
                    true => LookPlace::Template(sample.template.to_owned(), 1),
                    false => LookPlace::Key("ui.templates".to_owned()),
                };
                for (message, suggestion) in faults(&html, &sample) {
                    let message = format!("{} {message}", sample.template);
                    problems.insert(LookProblem { place: place.clone(), message, suggestion });
                }
            }
            Err(error) => {
                // One mistake in what all pages share is one problem.
                let problem = failed(&error, files, sample.template);
                if !problems.iter().any(|known| known.place == problem.place) {
                    problems.insert(problem);
                }
            }
        }
    }
}

/// Values that no page of this kind has, also where no sample gets to.
fn undeclared(env: &Environment<'static>, file: &TemplateFile, sample: &Sample, problems: &mut BTreeSet<LookProblem>) {
    let Ok(template) = env.get_template(&file.name) else { return };
    let known: BTreeSet<String> = sample.names.iter().map(|name| (*name).to_owned()).collect();
    let globals: BTreeSet<String> = env.globals().map(|(name, _)| name.to_owned()).collect();
    for name in template.undeclared_variables(false) {
        if known.contains(&name) || globals.contains(&name) {
            continue;
        }
        let word = Regex::new(&format!(r"\b{}\b", regex::escape(&name))).ok();
        let line = file.text.lines().position(|line| word.as_ref().is_some_and(|word| word.is_match(line)));
        let all = || format!("the page has {}", sample.names.join(", "));
        problems.insert(LookProblem {
            place: LookPlace::Template(file.name.clone(), line.unwrap_or(0) + 1),
            message: format!("the page has no value `{name}`"),
            suggestion: Some(did_you_mean(&name, known.iter().chain(&globals).map(String::as_str)).unwrap_or_else(all)),
        });
    }
}

/// A template failed: its own line, or that of the built-in template that failed because of it.
fn failed(error: &minijinja::Error, files: &[TemplateFile], page: &str) -> LookProblem {
    let mut cause = error;
    // The innermost: the mistake is in an include or a macro.
    while let Some(inner) = std::error::Error::source(cause).and_then(|inner| inner.downcast_ref::<minijinja::Error>())
    {
        cause = inner;
    }
    let name = cause.name().or(error.name()).unwrap_or(page);
    let line = cause.line().or(error.line()).unwrap_or(1);
    let said = said(cause);
    if files.iter().any(|file| file.name == name) {
        let message = format!("{page} can't be rendered: {said}");
        return LookProblem { place: LookPlace::Template(name.to_owned(), line), message, suggestion: None };
    }
    LookProblem {
        place: LookPlace::Key("ui.templates".to_owned()),
        message: format!("{page} can't be rendered with these templates: {said} (in the built-in {name}:{line})"),
        suggestion: Some(
            "a replaced base.html or _parts.html must have all blocks and macros that pages use".to_owned(),
        ),
    }
}

/// What minijinja says, without the place.
fn said(error: &minijinja::Error) -> String {
    let kind = error.kind().to_string();
    error.detail().map_or_else(|| kind.clone(), |detail| format!("{kind}: {detail}"))
}

/// What is wrong with a rendered sample.
fn faults(html: &str, sample: &Sample) -> Vec<(String, Option<String>)> {
    let mut faults = Vec::new();
    if !html.contains("<html") || !html.contains("<title>") {
        let way_out = "begin it with {% extends \"base.html\" %}";
        faults.push(("must be a whole document with a title".to_owned(), Some(way_out.to_owned())));
    }
    if html.contains(MARKUP) {
        let way_out = "leave out the filter `safe`; values are escaped by themselves";
        faults.push(("shows a value without escaping it".to_owned(), Some(way_out.to_owned())));
    }
    for (token, what, way_out) in sample.needs {
        if !html.contains(token) {
            faults.push((format!("must have {what}"), Some((*way_out).to_owned())));
        }
    }
    for tag in tags(html) {
        if let Some(what) = forbidden(&tag) {
            let message =
                format!("has {what}, which the Content-Security-Policy keeps browsers from using: {}", quote(&tag));
            faults.push((message, None));
        }
    }
    faults
}

/// The tags of a document without the values of their attributes.
fn tags(html: &str) -> Vec<String> {
    static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"=\s*("[^"]*"|'[^']*')"#).ok());
    let Some(value) = VALUE.as_ref() else { return Vec::new() };
    let bare = value.replace_all(html, "=\"\"");
    bare.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| format!("<{tag}>")).collect()
}

/// What browsers would not run or show.
fn forbidden(tag: &str) -> Option<&'static str> {
    static HANDLER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)[\s/]on\w+\s*=").ok());
    static STYLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)[\s/]style\s*=").ok());
    let is = |regex: &LazyLock<Option<Regex>>| regex.as_ref().is_some_and(|regex| regex.is_match(tag));
    let lower = tag.to_ascii_lowercase();
    match () {
        () if lower.starts_with("<script") && !lower.contains("src=") => Some("a script in the page"),
        () if lower.starts_with("<style") => Some("a style in the page"),
        () if lower.starts_with("<base") => Some("a base address"),
        () if is(&HANDLER) => Some("a script in an attribute"),
        () if is(&STYLE) => Some("a style in an attribute"),
        () => None,
    }
}
