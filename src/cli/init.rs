//! `countersign init`: a first configuration from three answers.

use std::io::{self, BufRead, Write};
use std::path::Path;

use clap::Args;

use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::language::toml_text;
use crate::config::load::files::{Files, Replaced};
use crate::config::schema;
use crate::digest::sha256_hex;
use crate::env::{Clock as _, Random, SystemClock, SystemRandomness};
use crate::snapshot::generation::{Options, prepare};

/// The file with the provider's secret, beside the configuration.
const SECRET_FILE: &str = "staff.secret";
/// The schema that the first line of the file names, with which editors complete and check it.
const SCHEMA_FILE: &str = "schemas/broker.schema.json";
/// What it holds until somebody puts the secret there.
const PLACEHOLDER: &str = "replace-this-with-the-client-secret-of-the-provider";

/// `countersign init`
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The address at which people and apps will reach the broker.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// The issuer of the identity provider that people sign in with.
    #[arg(long, value_name = "URL")]
    pub provider: Option<String>,
    /// The first app's redirect URI.
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Option<String>,
    /// The client id that the provider gave the broker.
    #[arg(long, default_value = "countersign")]
    pub client_id: String,
    /// The configuration to write.
    #[command(flatten)]
    pub source: ConfigArgs,
}

/// Where questions are asked: the answers, and whether anybody is there to give them.
pub struct Console<'c> {
    /// What is typed.
    pub input: &'c mut dyn BufRead,
    /// Whether it is a terminal.
    pub interactive: bool,
}

/// Runs the command: writes the file, and beside it a placeholder for the provider's secret and the schema. The first app's
/// secret alone goes to `out`; questions and what to do next go to `err`. Nothing is overwritten.
///
/// # Errors
/// When a writer, or reading an answer, fails.
pub fn run(
    args: &InitArgs,
    environment: &Environment,
    files: &dyn Files,
    console: &mut Console<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let path = &args.source.config;
    if files.read(path).is_ok() {
        writeln!(err, "error: {} is there already, and nothing is overwritten", path.display())?;
        writeln!(err, "help: `--config FILE` names another file; `countersign check` checks this one")?;
        return Ok(Exit::Problem);
    }
    let questions = [
        (&args.issuer, "--issuer", "At which address will people reach the broker (https://sso.example.com)? "),
        (&args.provider, "--provider", "What is the issuer of your identity provider (https://id.example.com)? "),
        (&args.redirect_uri, "--redirect-uri", "What is the redirect URI of the first app? "),
    ];
    let mut answers = Vec::new();
    for (given, flag, question) in questions {
        let answer = match given {
            Some(given) => given.clone(),
            None if console.interactive => ask(console, question, err)?,
            None => String::new(),
        };
        if answer.is_empty() {
            writeln!(err, "error: {flag} is missing")?;
            return Ok(Exit::Usage);
        }
        answers.push(answer);
    }
    let [issuer, provider, redirect_uri] = answers.as_slice() else { return Ok(Exit::Usage) };
    let random = SystemRandomness::default();
    let Ok(secret) = (&random as &dyn Random).secret() else { return Ok(Exit::CouldNotRun) };
    let text = file(issuer, (provider, &args.client_id), redirect_uri, &secret);
    let replaced = Replaced { files, path: path.clone(), content: text.clone().into_bytes() };
    let options = Options { number: 1, without_secrets: true, now: SystemClock.now() };
    match prepare(&args.source.inputs(environment), &replaced, options) {
        Ok(prepared) if prepared.problems.iter().next().is_some() => {
            write!(err, "{}", prepared.problems.render(&prepared.layers, false))?;
            writeln!(err, "Nothing was written.")?;
            return Ok(Exit::Problem);
        }
        Ok(_) => {}
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let secret_path = folder.join(SECRET_FILE);
    let beside = [(secret_path.clone(), PLACEHOLDER.to_owned()), (folder.join(SCHEMA_FILE), schema::text())];
    let written = write_new(path, &text).and_then(|()| {
        let mut missing = beside.iter().filter(|(path, _)| files.read(path).is_err());
        missing.try_for_each(|(path, content)| write_new(path, content))
    });
    if let Err(error) = written {
        writeln!(err, "error: {} can't be written: {error}", path.display())?;
        return Ok(Exit::CouldNotRun);
    }
    writeln!(out, "{secret}")?;
    writeln!(
        err,
        "{} is written. On standard output is the secret of the app `app`, which is shown once.",
        path.display()
    )?;
    writeln!(err, "1. Register {}/callback/staff as redirect URI at the provider.", issuer.trim_end_matches('/'))?;
    writeln!(err, "2. Put the provider's client secret into {}.", secret_path.display())?;
    writeln!(err, "3. `countersign providers probe staff`, then `countersign serve`.")?;
    Ok(Exit::Fine)
}

fn ask(console: &mut Console<'_>, question: &str, err: &mut dyn Write) -> io::Result<String> {
    write!(err, "{question}")?;
    err.flush()?;
    let mut answer = String::new();
    console.input.read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// The file; only the hash of the secret is in it.
fn file(issuer: &str, (provider, client_id): (&str, &str), redirect_uri: &str, secret: &str) -> String {
    let hash = sha256_hex(secret.as_bytes());
    let text = |text: &str| toml_text::string(text);
    let (issuer, provider, client_id) = (text(issuer), text(provider), text(client_id));
    let redirect_uri = text(redirect_uri);
    format!(
        "#:schema {SCHEMA_FILE}\nissuer = {issuer}\n\n\
         # Where people sign in. Add others, and say who may enter with `allow`.\n[providers.staff]\nissuer = {provider}\n\
         client_id = {client_id}\nclient_secret = {{ file = \"{SECRET_FILE}\" }}\n\n\
         # An app. `countersign client new ID --redirect-uri URI` drafts others.\n[clients.app]\n\
         client_secret_hashes = [\"sha256:{hash}\"]\nredirect_uris = [{redirect_uri}]\n"
    )
}

/// Writes a file that is not there yet, readable only by its owner.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cli::check;
    use crate::config::load::files::Disk;

    fn ran(folder: &Path, args: InitArgs, typed: &str, interactive: bool) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let source = ConfigArgs { config: folder.join("broker.toml"), overlay: Vec::new() };
        let args = InitArgs { source, ..args };
        let mut console = Console { input: &mut typed.as_bytes(), interactive };
        let exit = run(&args, &Environment::new(), &Disk, &mut console, &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn args(issuer: Option<&str>) -> InitArgs {
        InitArgs {
            issuer: issuer.map(str::to_owned),
            provider: Some("https://id.example.com".to_owned()),
            redirect_uri: Some("https://app.example.com/cb".to_owned()),
            client_id: "countersign".to_owned(),
            source: ConfigArgs { config: "broker.toml".into(), overlay: Vec::new() },
        }
    }

    #[test]
    fn what_is_written_passes_the_strictest_check_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, out, err) = ran(folder.path(), args(None), "https://sso.example.com\n", true);
        assert_eq!((exit, out.trim().len()), (Exit::Fine, 43), "{err}");
        assert!(err.contains("https://sso.example.com/callback/staff"), "{err}");
        let path = folder.path().join("broker.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(out.trim()));
        let named = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join(named)).unwrap(), crate::config::schema::text());
        let check = check::CheckArgs {
            file: None,
            source: ConfigArgs { config: path, overlay: Vec::new() },
            origins: false,
            without_secrets: false,
            strict: true,
            ..check::CheckArgs::default()
        };
        let mut said = Vec::new();
        let exit = check::run(&check, &Environment::new(), &Disk, 0, &mut said, false).unwrap();
        assert_eq!(exit, Exit::Fine, "{}", String::from_utf8_lossy(&said));
        let (exit, _, err) = ran(folder.path(), args(Some("https://other.example.com")), "", false);
        assert!(exit == Exit::Problem && err.contains("nothing is overwritten"), "{err}");
        assert_eq!(std::fs::read_to_string(folder.path().join("broker.toml")).unwrap(), text);
    }

    #[test]
    fn a_wrong_answer_writes_nothing_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, _, err) = ran(folder.path(), args(Some("ftp://x")), "", false);
        assert!(exit == Exit::Problem && err.contains("`issuer`") && err.contains("Nothing was written"), "{err}");
        let (exit, _, err) = ran(folder.path(), args(None), "", false);
        assert!(exit == Exit::Usage && err.contains("--issuer is missing"), "{err}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
