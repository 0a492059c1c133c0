//! Secrets, certificates and lookup tables: reading what the configuration only refers to.
//!
//! Owns reading secret files, certificate files, environment variables and table files, and reporting those that are missing.
//! The values are kept only in memory, in [`SecretValue`]s that are never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problems, Severity};
use crate::config::language::provider::Provider;
use crate::config::language::scalar::{Secret, SecretSource, SecretValue};
use crate::config::load::Loaded;
use crate::config::load::files::Files;
use crate::config::load::secret_places::each_secret;
use crate::config::load::secret_text::{SecretKind, decode, meant};

/// Lookup tables by id, those written in the configuration and those in files.
pub type Tables = BTreeMap<String, BTreeMap<String, String>>;

/// The values of all secrets.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<String, Vec<SecretValue>>);

impl Secrets {
    /// The values of the secret at a path such as `providers.corp.client_secret`: the first one is sent, all are accepted.
    /// Empty if there is no secret.
    #[must_use]
    pub fn get(&self, path: &str) -> &[SecretValue] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}

/// Reads all secrets, and checks that certificate authorities exist. A file or variable that is missing, unreadable or empty is
/// a problem at the place that names it.
pub fn read_secrets(loaded: &Loaded, environment: &BTreeMap<String, String>, files: &dyn Files) -> (Secrets, Problems) {
    let mut reader = Reader { layers: &loaded.layers, environment, files, problems: Problems::default() };
    let mut secrets = Secrets::default();
    if let Some(config) = &loaded.config {
        each_secret(config, &mut |at, secret| {
            secrets.0.insert(at.to_string(), reader.secret(at, secret));
        });
        reader.certificates(config);
    }
    reader.problems.sort();
    (secrets, reader.problems)
}

/// Reads all lookup tables. A file that is missing or not a JSON object of strings is a problem at the place that names it.
pub fn read_tables(loaded: &Loaded, files: &dyn Files) -> (Tables, Problems) {
    let environment = BTreeMap::new();
    let mut reader = Reader { layers: &loaded.layers, environment: &environment, files, problems: Problems::default() };
    let tables = loaded.config.as_ref().map(|config| reader.tables(config)).unwrap_or_default();
    reader.problems.sort();
    (tables, reader.problems)
}

/// The certificates that a provider names, PEM.
#[derive(Clone, Debug, Default)]
pub struct ProviderFiles {
    /// `ca`
    pub ca: Option<Arc<[u8]>>,
    /// `client_certificate`
    pub client_certificate: Option<Arc<[u8]>>,
}

/// Reads the certificates that providers name, by provider id. A file that can't be read is reported by [`read_secrets`].
pub fn read_provider_files(config: &Config, files: &dyn Files) -> BTreeMap<String, ProviderFiles> {
    let read = |path: &Option<PathBuf>| path.as_ref().and_then(|path| files.read(path).ok()).map(Arc::from);
    let of = |provider: &Provider| ProviderFiles {
        ca: read(&provider.ca),
        client_certificate: read(&provider.client_certificate),
    };
    config.providers.iter().map(|(id, provider)| (id.clone(), of(provider))).collect()
}

/// The files of `[server] tls`, as read.
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

/// Reads the listener's certificate and key, if they are declared. A file that can't be read is a problem at the place that
/// names it; the contents are not examined.
pub fn read_tls(loaded: &Loaded, files: &dyn Files) -> (Option<TlsFiles>, Problems) {
    let mut problems = Problems::default();
    let Some(names) = loaded.config.as_ref().and_then(|config| config.server.tls.as_ref()) else {
        return (None, problems);
    };
    let tls = At::Root.key("server");
    let tls = tls.key("tls");
    let mut read = |key: &str, path: &Path| match files.read(path) {
        Ok(content) => Some(content),
        Err(error) => {
            let at = tls.key(key);
            let message = format!("`{key}`: the file {} can't be read: {error}", path.display());
            let span = loaded.layers.nearest_span(&at);
            let problem = loaded.layers.problem_at(Severity::Error, span, at.to_string(), message);
            problems.push(problem.suggest("put it there, readable by the broker, or leave `tls` out"));
            None
        }
    };
    let (cert, key) = (read("cert", &names.cert), read("key", &names.key));
    (cert.zip(key).map(|(cert, key)| TlsFiles { cert, key }), problems)
}

struct Reader<'r> {
    layers: &'r Layers,
    environment: &'r BTreeMap<String, String>,
    files: &'r dyn Files,
    problems: Problems,
}

impl Reader<'_> {
    fn problem(&mut self, at: &At<'_>, message: String) {
        let span = self.layers.nearest_span(at);
        self.problems.push(self.layers.problem_at(Severity::Error, span, at.to_string(), message));
    }

    fn warn(&mut self, at: &At<'_>, message: String) {
        let span = self.layers.nearest_span(at);
        self.problems.push(self.layers.problem_at(Severity::Warning, span, at.to_string(), message));
    }

    fn secret(&mut self, at: &At<'_>, secret: &Secret) -> Vec<SecretValue> {
        let sources = secret.sources();
        let mut values = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let here = if sources.len() > 1 { at.index(index) } else { *at };
            match self.value(SecretKind::of(&at.to_string()), source) {
                Ok((value, warning)) => {
                    values.push(value);
                    if let Some(warning) = warning {
                        self.warn(&here, format!("`{}`: {warning}", at.name()));
                    }
                }
                Err(message) => {
                    self.problem(&here, format!("`{}`: {message}", at.name()));
                }
            }
        }
        values
    }

    fn value(&self, kind: SecretKind, source: &SecretSource) -> Result<(SecretValue, Option<String>), String> {
        let (text, place) = match source {
            SecretSource::Literal(text) => (text.expose().to_owned(), "the secret".to_owned()),
            SecretSource::File(file) => (self.read(&file.file)?, format!("the secret file {}", file.file.display())),
            SecretSource::Env(env) => {
                let value = self.environment.get(&env.env);
                let value =
                    value.ok_or_else(|| format!("the environment variable {} must be set but is not", env.env))?;
                (value.clone(), format!("the environment variable {}", env.env))
            }
        };
        let meant = meant(kind, &text).map_err(|fault| format!("{place} {fault}"))?;
        let warning = meant.warning.map(|warning| format!("{place} {warning}"));
        Ok((SecretValue::new(meant.secret.to_owned()), warning))
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        let unreadable = |reason: String| format!("the file {} can't be read: {reason}", path.display());
        let bytes = self.files.read(path).map_err(|error| unreadable(error.to_string()))?;
        decode(bytes).map_err(|reason| unreadable(reason.to_owned()))
    }

    fn tables(&mut self, config: &Config) -> Tables {
        let mut out = Tables::new();
        let tables = At::Root.key("tables");
        for (id, table) in &config.tables {
            let entries = out.entry(id.clone()).or_default();
            entries.extend(table.entries.clone().unwrap_or_default());
            let Some(path) = &table.file else { continue };
            let read = self.read(path).and_then(|text| {
                serde_json::from_str::<BTreeMap<String, String>>(&text).map_err(|error| {
                    format!("{} must be one JSON object of strings but is not: {error}", path.display())
                })
            });
            match read {
                Ok(read) => entries.extend(read),
                Err(message) => {
                    self.problem(&tables.key(id).key("file"), format!("`file`: {message}"));
                }
            }
        }
        out
    }

    /// Checks that the certificate authorities exist.
    fn certificates(&mut self, config: &Config) {
        let providers = At::Root.key("providers");
        for (id, provider) in &config.providers {
            let at = providers.key(id);
            for (key, path) in [("ca", &provider.ca), ("client_certificate", &provider.client_certificate)] {
                if let Some(path) = path {
                    self.readable(&at.key(key), path);
                }
            }
            if let Some(assertion) = &provider.client_assertion
                && let Err(error) = self.files.readable(&assertion.file)
            {
                let message =
                    format!("`client_assertion`: the file {} can't be read: {error}", assertion.file.display());
                self.problem(&at.key("client_assertion"), message);
            }
        }
        if let Some(ca) = config.certificates.as_ref().and_then(|section| section.ca.as_ref()) {
            self.readable(&At::Root.key("certificates").key("ca"), ca);
        }
        if let Some(crl) = config.certificates.as_ref().and_then(|section| section.crl.as_ref())
            && let Err(error) = self.files.readable(crl)
        {
            let message = format!("`crl`: the file {} can't be read: {error}", crl.display());
            self.problem(&At::Root.key("certificates").key("crl"), message);
        }
    }

    fn readable(&mut self, at: &At<'_>, path: &Path) {
        if let Err(message) = self.read(path) {
            self.problem(at, format!("`{}`: {message}", at.name()));
        }
    }
}
