//! The trace: every step of a decision, with the line of the file that caused it.
//!
//! A trace names rules, roles, attributes and reasons, never claim values.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::config::diagnostics::locate::{Layers, Origin};
use crate::config::diagnostics::problem::printable;
use crate::decision::reason::Reason;

/// A place in the configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// Dotted path, such as `role_rules[0].when`.
    pub path: Arc<str>,
    /// File, as given to the command; empty for defaults.
    pub file: Arc<str>,
    /// Line, from 1; 0 for defaults.
    pub line: u32,
}

impl Source {
    /// The place of a dotted path; `None` if no file sets it.
    #[must_use]
    pub fn of(layers: &Layers, path: &str) -> Option<Self> {
        match layers.origin(path) {
            Origin::File { file, line, .. } => {
                Some(Self { path: path.into(), file: file.into(), line: u32::try_from(line).unwrap_or(u32::MAX) })
            }
            Origin::Environment(_) | Origin::Default => None,
        }
    }

    /// A default of the language, which no line sets.
    #[must_use]
    pub fn default_of(path: &str) -> Self {
        Self { path: path.into(), file: "".into(), line: 0 }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 { write!(f, "{} (default)", self.path) } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {self}", self.path)
    }
}

/// The stage of the pipeline that a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Upstream claims → attributes.
    Claims,
    /// `providers.X.allow`.
    Allow,
    /// Match, link, create.
    Account,
    /// Roles and permissions.
    Roles,
    /// Whether the app may be used.
    Client,
    /// Scopes and app claims.
    Release,
}

impl Stage {
    /// The stage's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Allow => "allow",
            Self::Account => "account",
            Self::Roles => "roles",
            Self::Client => "client",
            Self::Release => "release",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The stage of the pipeline.
    pub stage: Stage,
    /// What happened.
    pub text: Cow<'static, str>,
    /// The line that caused it.
    pub source: Option<Source>,
    /// The role that it gives, and what that rests on. It is not part of the JSON.
    pub gives: Option<(String, RoleOrigin)>,
}

/// What a role rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleOrigin {
    /// The provider asserts it, and the file declares it.
    Asserted,
    /// The provider asserts it, and nobody declares it.
    System,
    /// A rule gives it.
    Rule,
    /// It is given to this user by name.
    User,
    /// It is given to the break-glass account.
    BreakGlass,
    /// It is given to those who have nothing else.
    Default,
}

impl RoleOrigin {
    /// What the trace says of it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Asserted => "asserted by the provider",
            Self::System => "asserted by the provider, created as a System role",
            Self::Rule => "by rule",
            Self::User => "given to this user",
            Self::BreakGlass => "given to the break-glass account",
            Self::Default => "by default",
        }
    }
}

impl Step {
    /// The approximate size of the step in JSON, in bytes.
    fn size(&self) -> usize {
        const NAMES: usize = r#"{"stage":"account","text":"","path":"","file":"","line":100000},"#.len();
        let source = self.source.as_ref().map_or(0, |source| source.path.len() + source.file.len());
        NAMES + self.text.len() + source
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A step may contain the name of a role or a group as the provider sent it.
        write!(f, "{:<8} {}", self.stage.name(), printable(&self.text))?;
        self.source.iter().try_for_each(|source| write!(f, "  [{source}]"))
    }
}

/// `stage` and `text`; also `path`, `file` and `line` if a line of the file caused the step.
impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        json.serialize_entry("stage", &self.stage)?;
        json.serialize_entry("text", &self.text)?;
        if let Some(source) = &self.source {
            json.serialize_entry("path", &*source.path)?;
            if source.line > 0 {
                json.serialize_entry("file", &*source.file)?;
                json.serialize_entry("line", &source.line)?;
            }
        }
        json.end()
    }
}

/// The steps of one decision, in order. In JSON it has `steps`, and `refused`, which is the reason code or null.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trace {
    /// The steps.
    pub steps: Vec<Step>,
    /// The refusal that ended it, if one did.
    #[serde(serialize_with = "code")]
    pub refused: Option<Reason>,
}

fn code<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(Reason::code).serialize(serializer)
}

impl Trace {
    /// Records a step.
    pub fn add(&mut self, stage: Stage, source: Option<&Source>, text: impl Into<Cow<'static, str>>) {
        self.steps.push(Step { stage, text: text.into(), source: source.cloned(), gives: None });
    }

    /// Records that a role is given.
    pub fn give(&mut self, source: &Source, role: &str, origin: RoleOrigin) {
        let text = format!("role {role}: {}", origin.text()).into();
        let gives = Some((role.to_owned(), origin));
        self.steps.push(Step { stage: Stage::Roles, text, source: Some(source.clone()), gives });
    }

    /// The steps, limited to about this many bytes of JSON. If they do not fit, a step in the middle states how many are left
    /// out. A decision about a user with thousands of roles has that many steps.
    #[must_use]
    pub fn abridged(&self, bytes: usize) -> Cow<'_, [Step]> {
        if self.steps.iter().map(Step::size).sum::<usize>() <= bytes {
            return Cow::Borrowed(&self.steps);
        }
        let fitting = |steps: &mut dyn Iterator<Item = &Step>, bytes: usize| {
            let sizes = steps.scan(0, |sum, step| {
                *sum += step.size();
                Some(*sum)
            });
            sizes.take_while(|sum| *sum <= bytes).count()
        };
        // Most of the limit is used for the first steps; the last ones show how the decision ended.
        let first = fitting(&mut self.steps.iter(), bytes / 4 * 3);
        let (head, rest) = self.steps.split_at_checked(first).unwrap_or((&self.steps, &[]));
        let last = fitting(&mut rest.iter().rev(), bytes / 4);
        let (left_out, tail) = rest.split_at_checked(rest.len() - last).unwrap_or((rest, &[]));
        let Some(stage) = left_out.first().map(|step| step.stage) else { return Cow::Borrowed(&self.steps) };
        let text = format!("{} steps are left out here: a decision is kept with at most {bytes} bytes", left_out.len());
        let gap = Step { stage, text: text.into(), source: None, gives: None };
        Cow::Owned(head.iter().chain([&gap]).chain(tail).cloned().collect())
    }

    /// Ends the decision with a refusal.
    #[must_use]
    pub fn refuse(
        mut self,
        stage: Stage,
        source: Option<&Source>,
        reason: Reason,
        text: impl Into<Cow<'static, str>>,
    ) -> Refusal {
        self.add(stage, source, text);
        self.refused = Some(reason);
        Refusal { reason, trace: self }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))?;
        match self.refused {
            Some(reason) => writeln!(f, "refused  {reason}"),
            None => Ok(()),
        }
    }
}

/// A decision that refused the sign-in.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// The steps of the decision.
    pub trace: Trace,
}
