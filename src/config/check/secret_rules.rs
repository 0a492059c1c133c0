//! Secrets as written in the file: literal ones cause a warning, empty ones are an error.

use crate::config::check::context::Context;
use crate::config::diagnostics::locate::Origin;
use crate::config::diagnostics::path::At;
use crate::config::language::scalar::{Secret, SecretSource};
use crate::config::load::secret_places::each_secret;

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    each_secret(config, &mut |at, secret| one(context, at, secret));
}

fn one(context: &mut Context<'_>, at: &At<'_>, secret: &Secret) {
    let sources = secret.sources();
    for (index, source) in sources.iter().enumerate() {
        let here = if sources.len() > 1 { at.index(index) } else { *at };
        match source {
            SecretSource::Literal(text) if text.expose().is_empty() => {
                context.must(&here, "a secret that is not empty", "empty")
            }
            SecretSource::Literal(text) => literal(context, &here, &at.name(), text.expose()),
            SecretSource::Env(env) if env.env.is_empty() => {
                context.must(&here.key("env"), "the name of an environment variable", "empty");
            }
            // The name may be the secret itself, which is not repeated.
            SecretSource::Env(env) if env.env.contains(|c: char| "${}=".contains(c) || c.is_whitespace()) => {
                let found = "a text with `$`, a brace, `=` or white space";
                let way_out = Some("write the plain name: { env = \"NAME\" }".to_owned());
                context.must_or(&here.key("env"), "the name of an environment variable", found, way_out);
            }
            SecretSource::File(file) if file.file.as_os_str().is_empty() => {
                context.must(&here.key("file"), "the path of a file", "empty");
            }
            _ => {}
        }
    }
}

fn literal(context: &mut Context<'_>, at: &At<'_>, name: &str, text: &str) {
    if let Some(way_out) = placeholder(text) {
        let message = format!("`{name}` is a placeholder: nothing in this file is substituted");
        return context.error(at, message, &way_out);
    }
    // A variable of the environment is as good a place as one that { env = "..." } names.
    if matches!(context.layers.origin_at(at), Origin::Environment(_)) {
        return;
    }
    let message = format!("`{name}` is written into the file, where everyone who can read the file sees it");
    context.warn(at, message, "keep it elsewhere: { file = \"...\" } or { env = \"...\" }");
}

/// What to write for the placeholder of a shell or of a template: whoever reads the file would know the secret.
fn placeholder(text: &str) -> Option<String> {
    let text = text.trim();
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if let Some(name) = name.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        return Some(format!("write {{ env = \"{name}\" }}"));
    }
    let template = text.starts_with("${") || text.starts_with("{{");
    (template && text.ends_with('}')).then(|| "write { file = \"...\" } or { env = \"...\" }".to_owned())
}
