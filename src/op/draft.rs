//! Drafts of changes to the configuration: the form of an entry, and what a change would be and mean. Nothing is written.
//!
//! Whoever may draft reads the console, and need not be trusted with what the broker can reach. So no secret is read, the
//! broker's credentials are sent only where the running configuration sends them, and an address that the running
//! configuration does not have must be a public one.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::analysis::draft::difference::Difference;
use crate::analysis::draft::{Action, Draft, Fault, Form, Kind, NoForm, Refused};
use crate::analysis::known::Known;
use crate::analysis::plan::Plan;
use crate::config::diagnostics::problem::Problem;
use crate::config::load::layers;
use crate::digest::sha256_hex;
use crate::op::error::PageError;
use crate::op::sources::Sources;
use crate::op::{RequestContext, decide};
use crate::outbound::OutboundPolicy;
use crate::snapshot::Snapshot;
use crate::snapshot::drafted::{DraftError, Drafted};
use crate::upstream::ProviderSettings;
use crate::upstream::probe::{Credentials, Examination, Somebody};
use crate::upstream::source::Source;

/// The most people whose sign-ins are replayed for one draft.
const MOST_PEOPLE: usize = 5_000;
/// The most decisions about one person and one app that are made for one draft, so that it takes seconds and not minutes.
const MOST_DECISIONS: usize = 200_000;
/// The purpose of the tags of files' texts.
const SEEN: &str = "text of a drafted file";
/// How many people are read at a time.
const PAGE: u32 = 500;

/// A form, filled in as the files say now.
#[derive(Debug)]
pub struct Opened {
    /// The form.
    pub form: Form,
    /// What the file of the entry held, as a tag that only the broker can make.
    pub seen: String,
    /// Why the entry can't be changed in a file.
    pub impossible: Option<String>,
}

/// What a draft would change and mean.
#[derive(Debug)]
pub struct Outcome {
    /// The file that changes.
    pub file: String,
    /// What changes.
    pub difference: Difference,
    /// The entry in TOML as it would be.
    pub toml: String,
    /// Problems of the changed files, each with whether the files have it already.
    pub problems: Vec<(Problem, bool)>,
    /// What it means, and for whom; none while there are errors.
    pub plan: Option<Plan>,
    /// How many people were considered, where there are more.
    pub cut: Option<usize>,
    /// What the provider answered, where it was asked.
    pub probe: Option<Examination>,
    /// Whether the file has changed since the form was opened.
    pub stale: bool,
}

/// What became of a form that was sent.
#[derive(Debug)]
pub enum Submitted {
    /// Fields have to be corrected.
    Correct(Box<Opened>, Vec<Fault>),
    /// The file can't be changed in this way: why.
    Impossible(Box<Opened>, String),
    /// A change.
    Drafted(Box<Outcome>),
}

/// What was sent with a form.
pub struct Sent {
    /// The draft.
    pub draft: Draft,
    /// What the file held when the form was opened.
    pub seen: String,
    /// Whether the provider is asked.
    pub probe: bool,
}

fn sources<'c>(context: &'c RequestContext<'_>) -> Result<&'c Arc<Sources>, PageError> {
    let nowhere = || PageError::new(404, "not_found", "the configuration of this broker is not in files");
    context.services.sources.as_ref().ok_or_else(nowhere)
}

/// The form of an entry, or of a new one. An id that the files do not have gives the form of a new entry.
///
/// # Errors
/// When the files can't be read, or have the entry where a draft can't change it.
pub async fn open(context: &RequestContext<'_>, kind: Kind, id: Option<&str>) -> Result<Opened, PageError> {
    let sources = Arc::clone(sources(context)?);
    let id = id.map(str::to_owned);
    let opened = blocking(move || opened(&sources, kind, id.as_deref())).await??;
    Ok(tagged(context, opened))
}

/// The form with a tag in place of the hash of its file. A file may hold a secret, and whoever sees all of it but the secret
/// could try guesses of the secret against a hash.
fn tagged(context: &RequestContext<'_>, opened: Opened) -> Opened {
    let tag = context.services.keys.set().tag(SEEN, opened.seen.as_bytes());
    Opened { seen: tag.map(|tag| URL_SAFE_NO_PAD.encode(tag)).unwrap_or_default(), ..opened }
}

/// Whether the tag of a form was made for this text of its file.
fn is_seen(context: &RequestContext<'_>, seen: &str, text: &str) -> bool {
    let tag = URL_SAFE_NO_PAD.decode(seen).unwrap_or_default();
    context.services.keys.set().tagged(SEEN, hash(text).as_bytes(), &tag)
}

fn opened(sources: &Sources, kind: Kind, id: Option<&str>) -> Result<Opened, PageError> {
    let main = &sources.inputs.main;
    let layers = layers(&sources.inputs, &*sources.files).map_err(|error| conflict(error.to_string()))?;
    let found = id.map(|id| Form::of(&layers, kind, id)).unwrap_or(Err(NoForm::Unknown));
    let impossible = match &found {
        Err(above @ NoForm::Above(_)) => Some(above.to_string()),
        _ => None,
    };
    let form = found.unwrap_or_else(|_| Form::blank(&layers, kind, main));
    let seen = hash(layers.text_of(&form.file).unwrap_or_default());
    Ok(Opened { form, seen, impossible })
}

/// The files do not allow what is asked; the text says why.
fn conflict(why: String) -> PageError {
    PageError::new(409, "invalid_request", why)
}

fn hash(text: &str) -> String {
    sha256_hex(text.as_bytes())
}

/// Runs something that reads files and computes for long.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PageError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| PageError::new(500, "internal_error", "the draft was cut short"))
}

/// Puts what was sent to the test.
///
/// # Errors
/// When the files can't be read, or the store is not available.
pub async fn submit(context: &RequestContext<'_>, sent: Sent) -> Result<Submitted, PageError> {
    let sources = Arc::clone(sources(context)?);
    let _turn = sources.turn.acquire().await;
    let (people, cut) = people(context).await?;
    let Sent { draft, seen, probe } = sent;
    let (kind, id) = (draft.kind, draft.id().to_owned());
    let declared = match &draft.action {
        Action::Create { .. } => None,
        Action::Edit { id } | Action::Delete { id } => Some(id.clone()),
    };
    let now = context.now;
    let tested = blocking({
        let sources = Arc::clone(&sources);
        move || {
            let drafted = Drafted::of(&draft, &sources.inputs, &*sources.files, now);
            drafted.map(|drafted| {
                let plan = drafted.plan(people);
                (drafted, plan)
            })
        }
    });
    let again = async |sources: Arc<Sources>| blocking(move || opened(&sources, kind, declared.as_deref())).await?;
    let (drafted, plan) = match tested.await? {
        Ok(tested) => tested,
        Err(DraftError::Refused(Refused::Faults(faults))) => {
            let opened = tagged(context, again(Arc::clone(&sources)).await?);
            return Ok(Submitted::Correct(Box::new(opened), faults));
        }
        Err(DraftError::Refused(refused @ Refused::File { .. })) => {
            let opened = tagged(context, again(Arc::clone(&sources)).await?);
            return Ok(Submitted::Impossible(Box::new(opened), refused.to_string()));
        }
        Err(error) => return Err(conflict(error.to_string())),
    };
    let probe = if probe && kind == Kind::Provider { examine(context, &drafted, &id).await } else { None };
    Ok(Submitted::Drafted(Box::new(Outcome {
        file: drafted.changed.file.display().to_string(),
        stale: !is_seen(context, &seen, &drafted.changed.old),
        toml: drafted.entry(kind.section(), &id),
        problems: drafted.problems().map(|(problem, known)| (problem.clone(), known)).collect(),
        difference: drafted.difference,
        plan,
        cut,
        probe,
    })))
}

/// The people to consider, in order of their ids, and how many they are where there are more.
async fn people(context: &RequestContext<'_>) -> Result<(Vec<Known>, Option<usize>), PageError> {
    let clients = context.snapshot.clients.len().max(1);
    let most = (MOST_DECISIONS / clients).clamp(1, MOST_PEOPLE);
    let mut people: Vec<Known> = Vec::new();
    let mut after = None;
    loop {
        let page = context.store().people(after.as_ref(), PAGE).await?;
        let last = page.len() < PAGE as usize;
        after = page.last().map(|person| person.user.id.clone());
        people.extend(page.into_iter().map(decide::known));
        if people.len() > most {
            people.truncate(most);
            return Ok((people, Some(most)));
        }
        if last {
            return Ok((people, None));
        }
    }
}

/// Asks the provider of a draft. `None` when the changed files have errors, or it is not enabled.
async fn examine(context: &RequestContext<'_>, drafted: &Drafted, id: &str) -> Option<Examination> {
    let snapshot = drafted.after.snapshot.as_ref()?;
    let (settings, declared) = (snapshot.providers.get(id)?, snapshot.config.providers.get(id)?);
    let (settings, credentials) = guarded(context.snapshot, snapshot, settings);
    Some(context.services.upstreams.examine(&settings, declared, credentials, Somebody::default(), context.now).await)
}

/// The settings to ask a drafted provider with: credentials of the running configuration where nothing about their use differs,
/// and public addresses only where the running configuration does not have these.
fn guarded(running: &Snapshot, new: &Snapshot, drafted: &ProviderSettings) -> (ProviderSettings, Credentials) {
    let mut settings = drafted.clone();
    let id = &drafted.id;
    let declared = |snapshot: &Snapshot| {
        let provider = snapshot.config.providers.get(id)?;
        let certificate = (provider.client_certificate.clone(), provider.client_assertion.clone());
        let signer = (provider.team_id.clone(), provider.key_id.clone());
        let secrets = (provider.client_secret.clone(), provider.client_key.clone(), signer);
        Some((secrets, certificate, provider.token_endpoint_auth_method))
    };
    let same = running.providers.get(id).filter(|known| {
        known.source == drafted.source && known.client_id == drafted.client_id && declared(running) == declared(new)
    });
    if let Some(known) = same {
        settings.credentials.clone_from(&known.credentials);
        return (settings, Credentials::Send);
    }
    if !running.providers.values().any(|known| is_called_already(&known.source, &drafted.source)) {
        let policy = OutboundPolicy::strangers();
        settings.source = Arc::new(Source { policy, ..(*drafted.source).clone() });
    }
    const WITHHELD: &str = "credentials are sent only as the running configuration sends them; `countersign providers probe` sends new ones";
    (settings, Credentials::Withhold(WITHHELD))
}

/// Whether a drafted provider is called where a running one is, under the same policy. A policy trusts a host with every port,
/// but behind another port is another service, which a draft must not reach. Where the operator lets the provider's own
/// documents lead to private addresses, the draft has to name the same documents: another one on the same host may be somebody
/// else's.
fn is_called_already(running: &Source, drafted: &Source) -> bool {
    let same_documents = running.written().eq(drafted.written());
    let same_services = || drafted.written().all(|url| running.written().any(|known| known.origin() == url.origin()));
    let only_own = !drafted.policy.allows_private_network();
    running.policy == drafted.policy && (same_documents || (only_own && same_services()))
}
