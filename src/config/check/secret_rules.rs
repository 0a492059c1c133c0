//! Secrets as written in the file: literal ones cause a warning, empty ones are an error.

use crate::config::check::context::Context;
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
            SecretSource::Literal(_) => context.warn(
                &here,
                format!("`{}` is written into the file, where everyone who can read the file sees it", at.name()),
                "keep it elsewhere: { file = \"...\" } or { env = \"...\" }",
            ),
            SecretSource::Env(env) if env.env.is_empty() => {
                context.must(&here.key("env"), "the name of an environment variable", "empty");
            }
            SecretSource::File(file) if file.file.as_os_str().is_empty() => {
                context.must(&here.key("file"), "the path of a file", "empty");
            }
            _ => {}
        }
    }
}
