//! `countersign plan`: the effects of a changed configuration, and whom it affects.
//!
//! Exit code 0: the change may be made. 1: it is refused (a `sub` would change, or somebody would lose their only way in), the
//! new configuration has problems or failing tests, or `--fail-on-impact` is set and somebody is affected.

mod people;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::analysis::mapping_test::{self, Failure};
use crate::analysis::plan;
use crate::analysis::plan::document::Document;
use crate::analysis::plan::markdown::Comment;
use crate::analysis::plan::{Notice, Plan, Weight};
use crate::cli::admin::AdminListener;
use crate::cli::broker::Broker;
use crate::cli::people::sealed::{SealedPeople, key};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::load::files::{Files, why};
use crate::snapshot::compared::Compared;
use people::Source;

/// The variable that has the key of `--people`, unless `--key` names another one.
const KEY: &str = "COUNTERSIGN_PEOPLE_KEY";

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text.
    #[default]
    Human,
    /// JSON; `countersign schema --plan` prints its schema.
    Json,
    /// A comment on a pull request.
    Markdown,
}

/// `countersign plan`
#[derive(Clone, Debug, Default, Args)]
pub struct PlanArgs {
    /// The new configuration.
    pub new: PathBuf,
    /// The old configuration, whose store has the known users. Default: that of --config.
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// The old configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// The known users, in a file of `countersign people export`.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub people: Option<PathBuf>,
    /// The key that sealed them: a file, or `env:NAME`. Default: `env:COUNTERSIGN_PEOPLE_KEY`.
    #[arg(long, value_name = "KEY", requires = "people")]
    pub key: Option<String>,
    /// The known users of a running broker, by its admin listener: `http://127.0.0.1:9464`, `unix:PATH`. The token is
    /// `admin.token` of the old configuration, or of `COUNTERSIGN__ADMIN__TOKEN`.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// Accept changes that are otherwise refused: subjects that change.
    #[arg(long)]
    pub force: bool,
    /// Accept that somebody loses their only way in.
    #[arg(long)]
    pub accept: bool,
    /// Exit with 1 when anybody is affected.
    #[arg(long)]
    pub fail_on_impact: bool,
    /// Do not read secret files and variables, for a pull request where they are not available.
    #[arg(long)]
    pub without_secrets: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Print JSON, as with `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Runs the command. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &PlanArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    for (file, what) in [(Some(&args.new), "NEW"), (args.against.as_ref(), "--against")] {
        if let Some((file, Err(error))) = file.map(|file| (file, files.read(file))) {
            writeln!(err, "error: {what}: {} can't be read: {}", file.display(), why(&error))?;
            return Ok(Exit::CouldNotRun);
        }
    }
    let old_source = with(args, args.against.as_ref().unwrap_or(&args.source.config));
    let old = match broker::load(&old_source, environment, files, args.without_secrets, err)? {
        Ok(broker) => broker,
        Err(Exit::CouldNotRun) => return Ok(Exit::CouldNotRun),
        Err(_) => {
            writeln!(err, "error: the old configuration has problems, so nothing can be compared with it")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let new = match broker::load(&with(args, &args.new), environment, files, args.without_secrets, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let source = match source(args, &old, (environment, files), err)? {
        Ok(source) => source,
        Err(exit) => return Ok(exit),
    };
    let failures = mapping_test::run_all(&new.snapshot.policy, &new.snapshot.config);
    let plan = match planned(&old, &new, &source) {
        Ok(plan) => plan,
        Err(error) => {
            writeln!(err, "error: the users can't be read: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    print(args, &plan, source.nobody(), &failures, out)?;
    let unwanted = args.fail_on_impact && plan.has_impact();
    Ok(if is_refused(args, &plan) || unwanted || !failures.is_empty() { Exit::Problem } else { Exit::Fine })
}

fn with(args: &PlanArgs, config: &std::path::Path) -> ConfigArgs {
    ConfigArgs { config: config.to_owned(), overlay: args.source.overlay.clone() }
}

/// Where the people are read. Writes why they can't be read.
fn source(
    args: &PlanArgs,
    old: &Broker,
    (environment, files): (&Environment, &dyn Files),
    err: &mut dyn Write,
) -> io::Result<Result<Source, Exit>> {
    if let Some(url) = &args.server {
        let config = with(args, args.against.as_ref().unwrap_or(&args.source.config));
        return Ok(AdminListener::of_server(&config, url, environment, files, err)?.map(Source::Server));
    }
    let opened = match &args.people {
        Some(file) => {
            let named = args.key.clone().unwrap_or_else(|| format!("env:{KEY}"));
            let way_out =
                |text| if args.key.is_none() { format!("{text}; set it, or name a key by --key") } else { text };
            let opened =
                key(&named, environment, files).map_err(way_out).and_then(|key| SealedPeople::open(file, key, files));
            opened.and_then(|people| belongs(people, old)).map(Source::Sealed)
        }
        None => match old.store() {
            Ok(Ok(store)) => Ok(Source::Store(store)),
            Ok(Err(why)) => Ok(Source::Nowhere(why)),
            Err(error) => Err(format!("the store of the old configuration can't be opened: {error}")),
        },
    };
    match opened {
        Ok(source) => Ok(Ok(source)),
        Err(error) => {
            writeln!(err, "error: {error}")?;
            Ok(Err(Exit::CouldNotRun))
        }
    }
}

fn belongs(people: SealedPeople, old: &Broker) -> Result<SealedPeople, String> {
    let (theirs, issuer) = (&people.header.issuer, &old.snapshot.issuer.text);
    if theirs == issuer {
        return Ok(people);
    }
    Err(format!("the people are those of {theirs}, and the old configuration is that of {issuer}"))
}

fn planned(old: &Broker, new: &Broker, source: &Source) -> Result<Plan, String> {
    let old_parts = Compared::of(&old.snapshot, &old.prepared.origins);
    let new_parts = Compared::of(&new.snapshot, &new.prepared.origins);
    let (before, after) = (&old.snapshot.policy, &new.snapshot.policy);
    let mut plan = plan::plan(old_parts.side(), new_parts.side(), source.people(before, after))?;
    let missing = source.missing(after);
    if !missing.is_empty() {
        let text = format!(
            "the exported people do not have claims that the new configuration reads ({}), so that their effect is not seen: \
             `countersign people export --also NEW` exports them too",
            missing.join(", ")
        );
        plan.notices.push(Notice { weight: Weight::Warning, kind: "claims_not_exported", text });
    }
    Ok(plan)
}

fn is_refused(args: &PlanArgs, plan: &Plan) -> bool {
    plan.is_refused() && !args.force || plan.locks_out() && !args.accept
}

fn print(
    args: &PlanArgs,
    plan: &Plan,
    nobody: Option<&str>,
    failures: &[Failure],
    out: &mut dyn Write,
) -> io::Result<()> {
    let failed_tests: Vec<&str> = failures.iter().map(|failure| failure.name.as_str()).collect();
    let refused = is_refused(args, plan);
    match if args.json { Format::Json } else { args.format } {
        Format::Human => {
            write!(out, "{plan}")?;
            if let Some(why) = nobody {
                writeln!(out, "  {why}")?;
            }
            failures.iter().try_for_each(|failure| write!(out, "\nFAIL  {failure}"))
        }
        Format::Json => {
            let document = Document { plan, nobody_asked: nobody, failed_tests, refused };
            writeln!(out, "{}", serde_json::to_string_pretty(&document)?)
        }
        Format::Markdown => {
            write!(out, "{}", Comment { plan, nobody_asked: nobody, failed_tests: &failed_tests, refused })
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
