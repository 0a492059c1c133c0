//! Calls to the admin listener of a running broker, for the commands that list people and sessions and revoke access.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use reqwest::{Client, Method};
use serde_json::Value;

use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::language::address::Listen;
use crate::config::load::files::Files;
use crate::config::load::load;
use crate::config::load::secrets::read_secrets;

/// How long to wait for a response. Revoking a client's grants examines every grant.
const PATIENCE: Duration = Duration::from_secs(120);

/// Arguments of every command that calls a running broker.
#[derive(Debug, Args)]
pub struct BrokerArgs {
    /// The configuration of the running broker.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The admin listener of a running broker.
pub(crate) struct AdminListener {
    /// Its address in the file, for messages.
    name: String,
    base: String,
    client: Client,
    token: Option<String>,
    runtime: tokio::runtime::Runtime,
}

impl AdminListener {
    /// The listener that a configuration declares, with its token. If there is none, writes the reason to `err`.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) fn of(
        args: &ConfigArgs,
        environment: &Environment,
        files: &dyn Files,
        err: &mut dyn Write,
    ) -> io::Result<Result<Self, Exit>> {
        let found = declared(args, environment, files).and_then(|(listen, token)| Self::at(&listen, token));
        told(found, err)
    }

    /// The listener at a URL, with the token that a configuration declares, for a broker on another machine.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) fn of_server(
        args: &ConfigArgs,
        server: &str,
        environment: &Environment,
        files: &dyn Files,
        err: &mut dyn Write,
    ) -> io::Result<Result<Self, Exit>> {
        let unix = matches!(Listen::parse(server), Ok(Listen::Unix(_)));
        let url = url::Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !unix && url.is_none() {
            writeln!(err, "error: --server {server}: write http://HOST:PORT, https://HOST or unix:PATH")?;
            return Ok(Err(Exit::Usage));
        }
        let found = declared(args, environment, files).and_then(|(_, token)| Self::at(server, token));
        told(found, err)
    }

    fn at(listen: &str, token: Option<String>) -> Result<Self, String> {
        let mut builder = Client::builder().timeout(PATIENCE).no_proxy().redirect(reqwest::redirect::Policy::none());
        let base = match Listen::parse(listen) {
            Ok(Listen::Unix(path)) => {
                builder = builder.unix_socket(path);
                "http://admin".to_owned()
            }
            _ if listen.contains("://") => listen.trim_end_matches('/').to_owned(),
            _ => format!("http://{listen}"),
        };
        let client = builder.build().map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        Ok(Self { name: listen.to_owned(), base, client, token, runtime })
    }

    /// Its address in the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether anything listens there.
    pub(crate) fn is_there(&self) -> bool {
        let asked = self.client.request(Method::GET, format!("{}/healthz", self.base));
        !self.runtime.block_on(async { asked.send().await }).is_err_and(|error| error.is_connect())
    }

    /// Fetches a list. `path` is below `/api`.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) fn read(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        err: &mut dyn Write,
    ) -> io::Result<Result<Value, Exit>> {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.call(Method::GET, &format!("{path}?{query}"), None, err)
    }

    /// Requests an action. `path` is below `/api`.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) fn act(&self, path: &str, body: &Value, err: &mut dyn Write) -> io::Result<Result<Value, Exit>> {
        self.call(Method::POST, path, Some(body), err)
    }

    /// Requests an action, and returns the reason where it fails.
    ///
    /// # Errors
    /// The reason, in words.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(Method::POST, path, Some(body)).map_err(|(_, text)| text)
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        err: &mut dyn Write,
    ) -> io::Result<Result<Value, Exit>> {
        match self.ask(method, path, body) {
            Ok(document) => Ok(Ok(document)),
            Err((exit, text)) => {
                writeln!(err, "error: {text}")?;
                Ok(Err(exit))
            }
        }
    }

    /// The answer, or what went wrong and the exit code for that.
    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, (Exit, String)> {
        let mut request = self.client.request(method, format!("{}/api{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = self.runtime.block_on(async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?))
        });
        let (status, bytes) = answer.map_err(|error| {
            let why = if error.is_connect() { "no broker answers there".to_owned() } else { error.to_string() };
            let text = match self.base.strip_prefix("http://") {
                Some(listen) if listen == self.name || listen == "admin" => {
                    format!("admin.listen {}: {why}; start the broker, or name its file by --config", self.name)
                }
                _ => format!("--server {}: {why}", self.name),
            };
            (Exit::CouldNotRun, text)
        })?;
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(document);
        }
        let described = document.get("error_description").and_then(Value::as_str);
        let text = match (status.as_u16(), described) {
            (401, _) if self.token.is_none() => {
                "the broker asks for admin.token, which this configuration does not have".to_owned()
            }
            (401, _) => "the broker does not accept admin.token: it runs with another one".to_owned(),
            (_, Some(text)) => text.to_owned(),
            (status, None) => format!("admin.listen {} answered with status {status}: is it this broker?", self.name),
        };
        Err(match status.as_u16() {
            404 | 409 if described.is_some() => (Exit::Problem, text),
            _ => (Exit::CouldNotRun, text),
        })
    }
}

/// `admin.listen` and `admin.token` of a configuration.
fn declared(
    args: &ConfigArgs,
    environment: &Environment,
    files: &dyn Files,
) -> Result<(String, Option<String>), String> {
    let loaded = load(&args.inputs(environment), files).map_err(|error| error.with_way_out())?;
    let Some(config) = &loaded.config else {
        return Err("the configuration can't be read; `countersign check` shows why".to_owned());
    };
    let (secrets, problems) = read_secrets(&loaded, environment, files);
    let token = secrets.get("admin.token").first().map(|token| token.expose().to_owned());
    if config.admin.token.is_some() && token.is_none() {
        let own = problems.iter().find(|problem| problem.path == "admin.token");
        return Err(own.map_or_else(|| "admin.token can't be read".to_owned(), |own| own.message.clone()));
    }
    Ok((config.admin.listen.clone(), token))
}

fn told(found: Result<AdminListener, String>, err: &mut dyn Write) -> io::Result<Result<AdminListener, Exit>> {
    match found {
        Ok(listener) => Ok(Ok(listener)),
        Err(why) => {
            writeln!(err, "error: {why}")?;
            Ok(Err(Exit::CouldNotRun))
        }
    }
}
