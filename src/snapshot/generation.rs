//! From files to a configuration generation: load, check, read secrets and tables, run the file's own tests, compile.
//!
//! `check`, `serve` and every reload use the same code, so what `check` accepts is what runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::analysis::mapping_test;
use crate::config::Config;
use crate::config::check::{ExpressionPlace, ExpressionProblem, check};
use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::problem::{Problem, Problems, Severity};
use crate::config::load::files::Files;
use crate::config::load::origins::OriginRow;
use crate::config::load::secrets::{ProviderFiles, Secrets, read_provider_files, read_secrets, read_tables, read_tls};
use crate::config::load::templates::{TemplateFile, read_templates};
use crate::config::load::{Inputs, Involved, Loaded, Unreadable, load};
use crate::decision::policy::key_segment;
use crate::decision::trace::Source;
use crate::digest::{sha256, sha256_hex};
use crate::expression::{Compiler, Place, Vocabulary};
use crate::pages::{LookPlace, LookProblem, Pages, PagesError};
use crate::protocol::ClaimType;
use crate::snapshot::certificate::{Certificate, untimely_client};
use crate::snapshot::client_authorities::client_authorities;
use crate::snapshot::issuer::Issuer;
use crate::snapshot::settings::Settings;
use crate::snapshot::{BuildProblem, Parts, Snapshot, store_url};

/// What to prepare.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Number of the generation.
    pub number: u64,
    /// Leave secrets unread, because their files do not exist where a pull request is checked.
    pub without_secrets: bool,
    /// The time, for warnings about expired certificates; these are read with the secrets.
    pub now: i64,
}

/// Contents of the files that a generation was made from, as hashes; `None` for those that could not be read.
pub type Fingerprint = BTreeMap<PathBuf, Option<[u8; 32]>>;

/// The outcome.
pub struct Prepared {
    /// Everything that is wrong, and warnings.
    pub problems: Problems,
    /// Where every value came from.
    pub layers: Layers,
    /// Every value with where it came from; secrets masked.
    pub origins: Vec<OriginRow>,
    /// What a reload must watch.
    pub involved: Involved,
    /// The files as they were read.
    pub fingerprint: Fingerprint,
    /// The generation, if there are no errors.
    pub snapshot: Option<Snapshot>,
    /// The keys that seal the store; the first one seals.
    pub encryption_keys: Vec<Vec<u8>>,
}

/// Reads files and remembers the hashes of their contents.
struct Recorder<'f> {
    files: &'f dyn Files,
    read: RefCell<Fingerprint>,
}

impl Files for Recorder<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = self.files.read(path);
        let hash = content.as_ref().ok().map(|bytes| sha256(bytes));
        self.read.borrow_mut().insert(path.to_owned(), hash);
        content
    }

    fn glob(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        self.files.glob(folder, pattern)
    }

    // What is only tried is not what the generation is made from.
    fn readable(&self, path: &Path) -> io::Result<()> {
        self.files.readable(path)
    }
}

/// Prepares a generation. Problems are in the result; nothing is changed.
///
/// # Errors
/// If the main file or an overlay can't be read at all.
pub fn prepare(inputs: &Inputs, files: &dyn Files, options: Options) -> Result<Prepared, Unreadable> {
    let mut prepared = prepare_untested(inputs, files, options)?;
    if let Some(snapshot) = &prepared.snapshot {
        run_tests(snapshot, &prepared.layers, &mut prepared.problems);
        prepared.problems.sort();
    }
    prepared.snapshot = prepared.snapshot.filter(|_| !prepared.problems.has_errors());
    if let Some(snapshot) = &mut prepared.snapshot
        && prepared.problems.iter().next().is_some()
    {
        snapshot.warnings = prepared.problems.render(&prepared.layers, false);
    }
    Ok(prepared)
}

/// Prepares a generation without running the file's own tests, for the commands that run them themselves.
///
/// # Errors
/// If the main file or an overlay can't be read at all.
pub fn prepare_untested(inputs: &Inputs, files: &dyn Files, options: Options) -> Result<Prepared, Unreadable> {
    prepare_adapted(inputs, files, options, &|_| {})
}

/// Prepares a generation of a configuration that is changed after it is read and before it is checked, to run in other
/// surroundings than those that it was written for. Its tests are not run.
///
/// # Errors
/// If the main file or an overlay can't be read at all.
pub fn prepare_adapted(
    inputs: &Inputs,
    files: &dyn Files,
    options: Options,
    adapt: &dyn Fn(&mut Config),
) -> Result<Prepared, Unreadable> {
    let recorder = Recorder { files, read: RefCell::default() };
    let mut loaded = load(inputs, &recorder)?;
    if let Some(config) = &mut loaded.config {
        adapt(config);
    }
    let mut problems = std::mem::take(&mut loaded.problems);
    let (tables, missing) = read_tables(&loaded, &recorder);
    problems.append(missing);
    let (templates, missing) = read_templates(&mut loaded, &recorder);
    problems.append(missing);
    let secrets = if options.without_secrets {
        Secrets::default()
    } else {
        let (secrets, missing) = read_secrets(&loaded, &inputs.environment, &recorder);
        problems.append(missing);
        secrets
    };
    // What seals the store is read all the same, if it is there: commands that only read the store need nothing else.
    let store_secrets = if options.without_secrets {
        read_secrets(&loaded, &inputs.environment, &recorder).0
    } else {
        Secrets::default()
    };
    let sealing = if options.without_secrets { &store_secrets } else { &secrets };
    let certificate =
        if options.without_secrets { None } else { certificate(&loaded, &recorder, options.now, &mut problems) };
    let client_authorities =
        if options.without_secrets { None } else { client_authorities(&loaded, &recorder, options.now, &mut problems) };
    let vocabulary = loaded.config.as_ref().map(Vocabulary::of).unwrap_or_default();
    let mut compiler = Compiler::with_vocabulary(tables, vocabulary);
    let compile = &mut |place: ExpressionPlace, _: &str, text: &str| compile(&mut compiler, place, text);
    let checked = check(&loaded, compile);
    problems.append(checked.problems);
    let provider_files =
        loaded.config.as_ref().map(|config| read_provider_files(config, &recorder)).unwrap_or_default();
    if let Some(config) = &loaded.config {
        store_url::check(config, &loaded.layers, &mut problems);
    }
    warn_of_client_certificates(&loaded, &provider_files, options.now, &mut problems);
    let fingerprint = recorder.read.into_inner();
    let origins = loaded.origins();
    let (mut layers, config) = (loaded.layers, loaded.config);
    let pages = config.as_ref().and_then(|config| pages(config, &templates, &mut layers, &mut problems));
    let encryption_keys = config.as_ref().map(|config| encryption_keys(config, sealing)).unwrap_or_default();
    let snapshot = match config.zip(checked.resolved).zip(pages) {
        Some(((config, resolved), pages)) if !problems.has_errors() => {
            let locate = |path: &str| Source::of(&layers, path);
            let settings = Settings::of(&origins);
            let parts = Parts {
                generation: options.number,
                hash: short_hash(&fingerprint),
                config,
                resolved,
                secrets: &secrets,
                files: provider_files,
                certificate,
                client_authorities,
                compiler: &mut compiler,
                pages,
                settings,
                locate: &locate,
            };
            match Snapshot::build(parts) {
                Ok(snapshot) => Some(snapshot),
                Err(found) => {
                    found.into_iter().for_each(|problem| problems.push(build_problem(&layers, problem)));
                    None
                }
            }
        }
        _ => None,
    };
    problems.sort();
    let involved = loaded.involved;
    Ok(Prepared { problems, layers, origins, involved, fingerprint, snapshot, encryption_keys })
}

/// The keys that seal the store; the first one seals.
fn encryption_keys(config: &Config, secrets: &Secrets) -> Vec<Vec<u8>> {
    let paths = (0..config.store.encryption_keys.len()).map(|n| format!("store.encryption_keys[{n}]"));
    paths
        .flat_map(|path| {
            secrets.get(&path).iter().map(|secret| secret.expose().as_bytes().to_vec()).collect::<Vec<_>>()
        })
        .collect()
}

/// The listener's certificate; problems with it are reported.
fn certificate(loaded: &Loaded, files: &dyn Files, now: i64, problems: &mut Problems) -> Option<Certificate> {
    let (read, missing) = read_tls(loaded, files);
    problems.append(missing);
    let names = loaded.config.as_ref()?.server.tls.as_ref()?;
    match Certificate::read(names, &read?) {
        Ok(certificate) => {
            if let Some(untimely) = certificate.untimely(now) {
                let message = format!("`cert`: in {} {untimely}: clients refuse it", names.cert.display());
                let problem = loaded.layers.problem_at_path(Severity::Warning, "server.tls.cert", message);
                problems.push(problem.suggest("renew it; the files are read again when they change"));
            }
            Some(certificate)
        }
        Err(faults) => {
            for fault in faults {
                let path = format!("server.tls.{}", fault.file.name());
                problems.push(loaded.layers.error_at_path(&path, fault.message).suggest(fault.way_out));
            }
            None
        }
    }
}

/// Warns of the broker's own certificates that providers will refuse.
fn warn_of_client_certificates(
    loaded: &Loaded,
    files: &BTreeMap<String, ProviderFiles>,
    now: i64,
    problems: &mut Problems,
) {
    for (id, files) in files {
        let Some(untimely) = files.client_certificate.as_ref().and_then(|pem| untimely_client(pem, now)) else {
            continue;
        };
        let path = format!("providers.{}.client_certificate", key_segment(id));
        let message = format!("`client_certificate`: it {untimely}: the provider refuses it");
        let problem = loaded.layers.problem_at_path(Severity::Warning, &path, message);
        problems.push(problem.suggest("renew it; the file is read again when it changes"));
    }
}

fn compile(compiler: &mut Compiler, place: ExpressionPlace, text: &str) -> Vec<ExpressionProblem> {
    let compiled = match place {
        ExpressionPlace::Claims(claim) => compiler.compile_claim(Place::Claims, claim, text),
        ExpressionPlace::Subject => compiler.compile_claim(Place::Claims, ClaimType::Text, text),
        ExpressionPlace::Allow => compiler.compile_condition(Place::Allow, text),
        ExpressionPlace::When => compiler.compile_condition(Place::When, text),
        ExpressionPlace::Certificate => compiler.compile_claim(Place::Certificate, ClaimType::Text, text),
        ExpressionPlace::App(claim) => compiler.compile_claim(Place::App, claim, text),
        ExpressionPlace::Require => compiler.compile_condition(Place::App, text),
    };
    let problems = compiled.err().unwrap_or_default();
    problems
        .into_iter()
        .map(|problem| ExpressionProblem {
            offset: problem.offset,
            len: problem.len,
            message: problem.message,
            suggestion: problem.suggestion.map(|name| format!("did you mean `{name}`?")),
        })
        .collect()
}

/// Compiles the pages with the settings of `[ui]`. `None` if those have problems.
fn pages(config: &Config, templates: &[TemplateFile], layers: &mut Layers, problems: &mut Problems) -> Option<Pages> {
    // An invalid issuer has been reported.
    let path = Issuer::parse(&config.issuer).map(|issuer| issuer.path).unwrap_or_default();
    match Pages::with_looks(&path, &config.ui, templates) {
        Ok(pages) => return Some(pages),
        Err(PagesError::Looks(found)) => {
            found.into_iter().for_each(|problem| problems.push(look_problem(layers, templates, problem)));
        }
        Err(error) => problems.push(layers.error_at_path("ui", error.to_string())),
    }
    None
}

fn look_problem(layers: &mut Layers, templates: &[TemplateFile], problem: LookProblem) -> Problem {
    let LookProblem { place, message, suggestion } = problem;
    let problem = match &place {
        LookPlace::Key(path) => layers.error_at_path(path, message),
        LookPlace::Template(name, line) => match templates.iter().find(|file| file.name == *name) {
            Some(file) => layers.error_in_file(&file.path, &file.text, *line, message),
            None => layers.error_at_path("ui.templates", message),
        },
    };
    problem.suggest_maybe(suggestion)
}

fn short_hash(fingerprint: &Fingerprint) -> String {
    let mut all = Vec::new();
    for (path, hash) in fingerprint {
        all.extend_from_slice(path.as_os_str().as_encoded_bytes());
        all.extend_from_slice(hash.as_ref().map_or(&[0][..], |hash| &hash[..]));
    }
    sha256_hex(&all).chars().take(12).collect()
}

fn build_problem(layers: &Layers, problem: BuildProblem) -> Problem {
    match problem {
        BuildProblem::Expression(found) => layers.error_at_path(&found.path, found.problem.message),
        BuildProblem::Other { path, message } => layers.error_at_path(&path, message),
    }
}

/// Runs the file's own tests; each failure is a problem at the place of the test.
fn run_tests(snapshot: &Snapshot, layers: &Layers, problems: &mut Problems) {
    for failure in mapping_test::run_all(&snapshot.policy, &snapshot.config) {
        for difference in &failure.differences {
            let path = failure.path_of(difference);
            if difference.what.is_empty() {
                let message = format!("the test {:?} can't be run: {}", failure.name, difference.got);
                problems.push(layers.error_at_path(&path, message).because(&difference.because));
                continue;
            }
            let message =
                format!("the test {:?} fails: it expects another value of `{}`", failure.name, difference.what);
            let problem = layers.error_at_path(&path, message);
            let problem = problem.found(difference.got.clone()).expected(difference.expected.clone());
            problems.push(problem.because(&difference.because));
        }
    }
}
