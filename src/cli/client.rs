//! `countersign client`: a new entry for an app, a secret, a start link.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::analysis::draft::{Action, Draft, Kind, Posted, Refused, What};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::language::toml_text;
use crate::config::load::files::Files;
use crate::digest::sha256_hex;
use crate::env::{Clock as _, Random, SystemClock, SystemRandomness};
use crate::protocol::ResponseType;
use crate::snapshot::client::Client;
use crate::snapshot::drafted::{DraftError, Drafted};
use crate::snapshot::generation::{Options, prepare};

/// Arguments of `client`.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ClientCommand,
}

/// What `client` can do.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Print a patch that adds an app to the configuration, for `git apply`. Its secret is shown once, on standard error.
    New(NewArgs),
    /// Make a client secret: the secret alone on standard output, its hash for the file on standard error.
    Secret {
        /// The client's key in the file.
        id: String,
    },
    /// Print the link that starts a sign-in to an app.
    Link {
        /// The client's key in the file.
        id: String,
        /// The configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Arguments of `client new`.
#[derive(Clone, Debug, Args)]
pub struct NewArgs {
    /// The client's key in the file, which is its client id too.
    pub id: String,
    /// Where codes may be sent; can be given several times.
    #[arg(long, value_name = "URI", required = true)]
    pub redirect_uri: Vec<String>,
    /// The app's name on the pages.
    #[arg(long)]
    pub name: Option<String>,
    /// A scope that it may ask for; can be given several times. Default: openid profile email groups.
    #[arg(long)]
    pub scope: Vec<String>,
    /// It has no secret and uses PKCE, as apps in browsers and on phones do.
    #[arg(long)]
    pub public: bool,
    /// The file to add it to. Default: the file that has the last app.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Runs the command. Data goes to `out`, everything else to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &ClientArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> std::io::Result<Exit> {
    let err = &mut Printable::new(err);
    match &args.command {
        // A patch holds what the file holds.
        ClientCommand::New(args) => new(args, environment, files, out, err),
        ClientCommand::Secret { id } => secret(id, &mut Printable::new(out), err),
        ClientCommand::Link { id, config } => link(id, config, environment, files, &mut Printable::new(out), err),
    }
}

/// A new secret, and its hash as the file has it. `None` when there is no randomness.
fn make_secret() -> Option<(String, String)> {
    let random = SystemRandomness::default();
    let secret = (&random as &dyn Random).secret().ok()?;
    let hash = sha256_hex(secret.as_bytes());
    Some((secret, format!("sha256:{hash}")))
}

fn secret(id: &str, out: &mut dyn Write, err: &mut dyn Write) -> std::io::Result<Exit> {
    let Some((secret, hash)) = make_secret() else { return Ok(Exit::CouldNotRun) };
    writeln!(out, "{secret}")?;
    writeln!(
        err,
        "This is the secret of {id}; it will not be shown again. Put its hash into the file (two hashes during a"
    )?;
    writeln!(err, "rotation):\n\n  [clients.{}]\n  client_secret_hashes = [\"{hash}\"]", toml_text::key(id))?;
    Ok(Exit::Fine)
}

fn new(
    args: &NewArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> std::io::Result<Exit> {
    let mut posted = Posted::from([
        ("id".to_owned(), args.id.clone()),
        ("enabled".to_owned(), "on".to_owned()),
        ("client_name".to_owned(), args.name.clone().unwrap_or_default()),
        ("redirect_uris".to_owned(), args.redirect_uri.join("\n")),
        ("scopes".to_owned(), args.scope.join("\n")),
    ]);
    let made = if args.public { None } else { make_secret() };
    match &made {
        Some((_, hash)) => posted.insert("client_secret_hashes".to_owned(), hash.clone()),
        None if args.public => posted.insert("token_endpoint_auth_method".to_owned(), "none".to_owned()),
        None => return Ok(Exit::CouldNotRun),
    };
    let draft = Draft { kind: Kind::Client, action: Action::Create { file: args.file.clone() }, posted };
    let drafted = match Drafted::of(&draft, &args.config.inputs(environment), files, SystemClock.now()) {
        Ok(drafted) => drafted,
        Err(DraftError::Refused(Refused::Faults(faults))) => {
            for fault in faults {
                writeln!(err, "error: {}: {}", fault.key, explain(&fault.what))?;
            }
            return Ok(Exit::Problem);
        }
        Err(error @ DraftError::Unreadable(_)) => {
            writeln!(err, "error: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(Exit::Problem);
        }
    };
    if args.file.as_ref().is_some_and(|file| *file != drafted.changed.file) {
        writeln!(err, "error: --file: the configuration has no clients in this file")?;
        return Ok(Exit::Problem);
    }
    if drafted.after.problems.has_errors() || drafted.problems().any(|(_, known)| !known) {
        write!(err, "{}", drafted.after.problems.render(&drafted.after.layers, false))?;
    }
    if drafted.after.problems.has_errors() {
        writeln!(err, "{}: {}", args.config.config.display(), drafted.after.problems.summary())?;
        return Ok(Exit::Problem);
    }
    match &drafted.difference.patch {
        Some(patch) => write!(out, "{patch}")?,
        None => {
            writeln!(
                err,
                "Lines beside the new entry hold a secret, so that there is no patch. Add to {}:",
                drafted.changed.file.display()
            )?;
            write!(out, "{}", drafted.entry("clients", &args.id))?;
        }
    }
    if let Some((secret, _)) = made {
        writeln!(err, "The secret of {}, which will not be shown again:\n\n  {secret}", args.id)?;
    }
    Ok(Exit::Fine)
}

fn explain(what: &What) -> String {
    match what {
        What::Taken => "there is such an entry already: choose another id, or change that entry".to_owned(),
        What::Misnamed(expected) => format!("must be {expected}"),
        What::Locked(place) => format!("is set at {place}"),
        What::Control => "must not have control characters".to_owned(),
        What::Missing => "is missing".to_owned(),
        What::Toml(text) | What::Link(text) => text.clone(),
        What::Choice => "must be one of the values".to_owned(),
    }
}

fn link(
    id: &str,
    config: &ConfigArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> std::io::Result<Exit> {
    let options = Options { number: 1, without_secrets: true, now: SystemClock.now() };
    let prepared = match prepare(&config.inputs(environment), files, options) {
        Ok(prepared) => prepared,
        Err(error) => {
            writeln!(err, "error: {}", error.with_way_out())?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let Some(snapshot) = prepared.snapshot else {
        write!(err, "{}", prepared.problems.render(&prepared.layers, false))?;
        return Ok(Exit::Problem);
    };
    let Some(client) = snapshot.clients.get(id) else {
        let known = snapshot.clients.keys().cloned().collect::<Vec<_>>().join(", ");
        writeln!(err, "error: there is no client {id}; the file has {known}")?;
        return Ok(Exit::Problem);
    };
    if !client.enabled {
        writeln!(err, "error: client {id} has enabled = false: nobody can sign in to it")?;
        return Ok(Exit::Problem);
    }
    if let Some(link) = client.initiate_link(&snapshot.issuer.text) {
        writeln!(out, "{link}")?;
        return Ok(Exit::Fine);
    }
    if let Some(why) = only_the_app(client) {
        writeln!(err, "error: client {id} {why}: only the app itself can start a sign-in")?;
        writeln!(err, "help: give it an initiate_login_uri, the address at which the app starts one (OIDC Core §4)")?;
        return Ok(Exit::Problem);
    }
    let Some(redirect_uri) = client.redirect_uris.first() else {
        writeln!(err, "error: client {id} has neither initiate_login_uri nor redirect_uris: it has no start link")?;
        return Ok(Exit::Problem);
    };
    let scopes: Vec<&str> =
        client.scopes.iter().map(String::as_str).filter(|scope| *scope != "offline_access").collect();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client.client_id)
        .append_pair("response_type", "code")
        .append_pair("scope", &scopes.join(" "))
        .append_pair("redirect_uri", redirect_uri)
        .finish();
    writeln!(out, "{}?{query}", snapshot.issuer.url_of(&snapshot.config.endpoints.authorization))?;
    Ok(Exit::Fine)
}

/// Why an authorization request that anybody could write does not work for a client.
fn only_the_app(client: &Client) -> Option<&'static str> {
    if !client.may_ask_for(ResponseType::Code) {
        Some("does not use the code flow")
    } else if client.is_public() {
        Some("is public and so must use PKCE, whose verifier the app keeps")
    } else if client.pkce_required {
        Some("has pkce = \"required\", and the app keeps the verifier")
    } else if client.pushes_requests {
        Some("must push its authorization requests, with its own credentials")
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::load::files::Memory;

    const FILE: &str = "issuer = \"https://sso.example.com\"\n[clients.one]\nclient_secret_hashes = [\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]\nredirect_uris = [\"https://one.example/cb\"]\n";

    fn ran(file: &str, command: ClientCommand) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let files = Memory::of([("b.toml", file)]);
        let exit = run(&ClientArgs { command }, &Environment::new(), &files, &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn config() -> ConfigArgs {
        ConfigArgs { config: PathBuf::from("b.toml"), overlay: Vec::new() }
    }

    fn new(id: &str, public: bool, file: Option<&str>) -> ClientCommand {
        ClientCommand::New(NewArgs {
            id: id.to_owned(),
            redirect_uri: vec!["https://app.example/cb".to_owned()],
            name: Some("The \"App\"".to_owned()),
            scope: Vec::new(),
            public,
            file: file.map(PathBuf::from),
            config: config(),
        })
    }

    #[test]
    fn a_secret_is_alone_on_standard_output() {
        let (exit, out, err) = ran("", ClientCommand::Secret { id: "a b".to_owned() });
        assert_eq!((exit, out.lines().count(), out.trim().len()), (Exit::Fine, 1, 43));
        let hash: String = sha256_hex(out.trim().as_bytes());
        assert!(err.contains("[clients.\"a b\"]") && err.contains(&format!("[\"sha256:{hash}\"]")), "{err}");
        assert!(!err.contains(out.trim()));
    }

    #[test]
    fn a_new_app_is_a_patch_and_its_secret_is_on_standard_error() {
        let (exit, out, err) = ran(FILE, new("two", false, None));
        assert_eq!(exit, Exit::Fine, "{err}");
        assert!(out.starts_with("--- a/b.toml\n+++ b/b.toml\n@@ -2,3 +2,8 @@\n"), "{out}");
        assert!(out.contains("+[clients.two]\n+client_name = 'The \"App\"'\n+redirect_uris = [\"https://app.example/cb\"]\n+client_secret_hashes = [\"sha256:"), "{out}");
        let secret = err.trim().lines().last().unwrap().trim();
        let hash: String = sha256_hex(secret.as_bytes());
        assert!(out.contains(&hash) && !out.contains(secret));
        let (exit, out, err) = ran(FILE, new("spa", true, Some("b.toml")));
        assert!(
            exit == Exit::Fine && out.contains("+token_endpoint_auth_method = \"none\"") && err.is_empty(),
            "{err}"
        );
        for (command, said) in [
            (new("one", false, None), "error: id: there is such an entry already"),
            (new("Two Words", false, None), "error: id: must be 1 to 63 of"),
            (new("two", false, Some("other.toml")), "error: --file"),
        ] {
            let (exit, out, err) = ran(FILE, command);
            assert!(exit == Exit::Problem && out.is_empty() && err.contains(said), "{err}");
        }
        let (exit, _, err) = ran("issuer = 5", new("two", false, None));
        assert!(exit == Exit::Problem && err.contains("`issuer` must be"), "{err}");
    }

    #[test]
    fn a_link_works_or_says_why_none_can() {
        let link = || ClientCommand::Link { id: "one".to_owned(), config: config() };
        let (exit, out, _) = ran(FILE, link());
        assert_eq!(exit, Exit::Fine);
        assert!(out.starts_with("https://sso.example.com/oauth2/authorize?client_id=one&response_type=code&"), "{out}");
        let public = FILE.replace(
            "client_secret_hashes = [\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]",
            "token_endpoint_auth_method = \"none\"",
        );
        for (file, said) in [
            (format!("{FILE}pkce = \"required\"\n"), "pkce = \"required\""),
            (public, "is public"),
            (format!("{FILE}require_pushed_authorization_requests = true\n"), "must push"),
            (
                format!("{FILE}grant_types = [\"client_credentials\"]\n")
                    .replace("redirect_uris = [\"https://one.example/cb\"]\n", ""),
                "code flow",
            ),
            (format!("{FILE}enabled = false\n"), "enabled = false"),
        ] {
            let (exit, out, err) = ran(&file, link());
            assert!(exit == Exit::Problem && out.is_empty() && err.contains(said), "{file}\n{err}");
        }
        let started = format!("{FILE}pkce = \"required\"\ninitiate_login_uri = \"https://one.example/start\"\n");
        assert!(ran(&started, link()).1.starts_with("https://one.example/start?iss="));
        let (exit, _, err) = ran(FILE, ClientCommand::Link { id: "two".to_owned(), config: config() });
        assert!(exit == Exit::Problem && err.contains("there is no client two; the file has one"), "{err}");
    }
}
