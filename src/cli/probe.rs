//! `countersign providers probe`: examines a provider, and proposes lines of the file by what it says of itself or sent when
//! somebody signed in.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::analysis::proposal::{Proposal, Seen, propose};
use crate::cli::broker::{self, Broker};
use crate::cli::exit::Exit;
use crate::config::language::scalar::SecretValue;
use crate::config::load::files::Files;
use crate::env::{Clock as _, SystemClock, SystemRandomness};
use crate::outbound::HttpClient;
use crate::upstream::RelyingParty;
use crate::upstream::probe::{Credentials, Examination, Somebody};

/// Where the claims of a sign-in are to be had.
pub(crate) struct Told<'a> {
    /// A person who has signed in.
    pub(crate) person: Option<&'a str>,
    /// A file.
    pub(crate) claims: Option<&'a Path>,
}

impl Told<'_> {
    /// The claims, if any are named, or the exit code with which the command ends because they can't be had.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) fn read(
        &self,
        broker: &Broker,
        id: &str,
        files: &dyn Files,
        out: &mut dyn Write,
    ) -> io::Result<Result<Option<Map<String, Value>>, Exit>> {
        if let Some(path) = self.claims {
            return Self::of_file(path, files, out);
        }
        let Some(name) = self.person else { return Ok(Ok(None)) };
        let known = match broker::find(broker, name, out)? {
            Ok(person) => broker::known(person),
            Err(exit) => return Ok(Err(exit)),
        };
        let links = known.links.into_iter().filter(|link| link.provider == id);
        match links.max_by_key(|link| link.claims_at) {
            Some(link) => Ok(Ok(Some(link.claims))),
            None => {
                writeln!(out, "error: {name} has not signed in through {id}")?;
                Ok(Err(Exit::Problem))
            }
        }
    }

    fn of_file(
        path: &Path,
        files: &dyn Files,
        out: &mut dyn Write,
    ) -> io::Result<Result<Option<Map<String, Value>>, Exit>> {
        let bytes = match files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                writeln!(out, "error: {}: {error}", path.display())?;
                return Ok(Err(Exit::CouldNotRun));
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let payload = || URL_SAFE_NO_PAD.decode(text.trim().split('.').nth(1)?).ok();
        let object = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).ok();
        match object(&bytes).or_else(|| object(&payload()?)) {
            Some(claims) => Ok(Ok(Some(claims))),
            None => {
                writeln!(out, "error: {} has neither a JSON object nor a JWT", path.display())?;
                Ok(Err(Exit::Problem))
            }
        }
    }
}

/// The access token in a file, if one is named, or the exit code with which the command ends because it can't be had.
///
/// # Errors
/// When the writer fails.
pub(crate) fn read_token(
    path: Option<&Path>,
    files: &dyn Files,
    out: &mut dyn Write,
) -> io::Result<Result<Option<SecretValue>, Exit>> {
    let Some(path) = path else { return Ok(Ok(None)) };
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            writeln!(out, "error: {}: {error}", path.display())?;
            return Ok(Err(Exit::CouldNotRun));
        }
    };
    // RFC 6750 §2.1
    let token = String::from_utf8(bytes).unwrap_or_default().trim().to_owned();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        writeln!(out, "error: {} has no access token: it must hold one, and nothing else", path.display())?;
        return Ok(Err(Exit::Problem));
    }
    Ok(Ok(Some(SecretValue::new(token))))
}

/// A provider to examine.
pub(crate) struct Probe<'a> {
    pub(crate) broker: &'a Broker,
    /// The provider's id.
    pub(crate) id: &'a str,
    pub(crate) without_secrets: bool,
    /// The claims of a sign-in.
    pub(crate) sent: Option<Map<String, Value>>,
    /// An access token of a person, for the API that groups come from.
    pub(crate) access_token: Option<SecretValue>,
    pub(crate) as_json: bool,
}

impl Probe<'_> {
    /// Runs the command.
    ///
    /// # Errors
    /// When the writer fails.
    pub(crate) fn run(&self, http: Arc<dyn HttpClient>, out: &mut dyn Write) -> io::Result<Exit> {
        let snapshot = &self.broker.snapshot;
        let (Some(settings), Some(declared)) =
            (snapshot.providers.get(self.id), snapshot.config.providers.get(self.id))
        else {
            return Ok(Exit::Problem);
        };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                writeln!(out, "error: no runtime: {error}")?;
                return Ok(Exit::CouldNotRun);
            }
        };
        let withheld = Credentials::Withhold("our credentials were not read");
        let credentials = if self.without_secrets { withheld } else { Credentials::Send };
        let upstreams = RelyingParty::new(http, Arc::new(SystemRandomness::default()));
        let somebody = Somebody { claims: self.sent.as_ref(), access_token: self.access_token.as_ref() };
        let found = runtime.block_on(upstreams.examine(settings, declared, credentials, somebody, SystemClock.now()));
        let seen = Seen {
            claims: self.sent.as_ref(),
            listed: found.offers.claims.as_deref(),
            scopes: found.offers.scopes.as_deref(),
            issuer: found.offers.issuer.as_deref(),
        };
        let proposal = propose(&snapshot.policy, &snapshot.config, self.id, &seen);
        if self.as_json {
            self.print_json(&found, &proposal, out)?
        } else {
            self.print(&found, &proposal, out)?
        }
        Ok(if found.has_trouble() { Exit::Problem } else { Exit::Fine })
    }

    fn print_json(&self, found: &Examination, proposal: &Proposal, out: &mut dyn Write) -> io::Result<()> {
        let mut document = serde_json::to_value(found)?;
        if let Some(object) = document.as_object_mut() {
            object.insert("provider".to_owned(), json!(self.id));
            object.insert("trouble".to_owned(), json!(found.has_trouble()));
            object.insert("proposal".to_owned(), proposal.to_toml(self.id).into());
            let kinds = |claims: &Map<String, Value>| -> Map<String, Value> {
                claims.iter().map(|(name, value)| (name.clone(), kind(value).into())).collect()
            };
            object.extend(self.sent.as_ref().map(|claims| ("sent".to_owned(), kinds(claims).into())));
        }
        writeln!(out, "{document:#}")
    }

    fn print(&self, found: &Examination, proposal: &Proposal, out: &mut dyn Write) -> io::Result<()> {
        let id = self.id;
        writeln!(out, "provider {id}")?;
        for step in &found.steps {
            let url = step.url.as_deref().map(|url| format!("{url}: ")).unwrap_or_default();
            writeln!(out, "  {:9} {:10} {url}{}", step.outcome, step.asked, step.answer)?;
        }
        if !found.missing.is_empty() {
            writeln!(out, "\nA sign-in would do without")?;
            for missing in &found.missing {
                writeln!(out, "  {missing}")?;
            }
        }
        if let Some(claims) = &self.sent {
            writeln!(out, "\nIt sent")?;
            for (name, value) in claims {
                writeln!(out, "  {name}: {}", kind(value))?;
            }
        }
        if !proposal.is_empty() {
            let from = if self.sent.is_some() { "what it sent" } else { "its discovery document" };
            writeln!(out, "\nLines for the file, by {from}\n\n{}", proposal.to_toml(id).trim_end())?;
        } else if self.sent.is_some() {
            writeln!(out, "\nThe file maps what it sent.")?;
        }
        if self.sent.is_none() {
            writeln!(
                out,
                "\nWhat it really sends: --person PERSON after a sign-in, or --claims FILE with a token or userinfo"
            )?;
        }
        let verdict = if found.has_trouble() { "sign-ins would fail" } else { "no trouble" };
        writeln!(out, "\n{id}: {verdict}")
    }
}

/// The form of a claim's value, which is not shown itself.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(items) => match items.first() {
            Some(first) => format!("a list of {}, the first {}", items.len(), kind(first)),
            None => "an empty list".to_owned(),
        },
        Value::Object(members) => {
            format!("an object with {}", members.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
    }
}
