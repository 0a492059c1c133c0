//! Drafts of changes: from what was typed to `op::draft`, and from what it found to the pages.

use std::path::PathBuf;

use crate::analysis::draft::difference::LineKind;
use crate::analysis::draft::{Action, Draft, Fault, Filled, Form, Group, Held, Kind, Posted, SHOWN, What};
use crate::analysis::plan::Plan;
use crate::analysis::plan::impact::{Affected, Why};
use crate::config::diagnostics::problem::{Problem, Severity};
use crate::config::language::provider::Preset;
use crate::op::draft::{Opened, Outcome, Sent};
use crate::op::error::PageError;
use crate::op::params::Params;
use crate::pages::{
    DraftEffect, DraftFault, DraftField, DraftForm, DraftGroup, DraftLine, DraftPerson, DraftPlan, DraftProbe,
    DraftProblem, DraftResult, DraftStep, Field, PostForm, Shell,
};
use crate::upstream::probe::{Asked, Examination, Outcome as Answered};
use crate::web::console::{Built, Desk};
use crate::web::own::own_path;

/// The most people whom a page names.
const NAMED: usize = 50;
/// The setting with the preset of a provider.
const PRESET: &str = "preset";
/// The most notices that a page shows.
const NOTICES: usize = 20;

/// A request about a draft.
pub(crate) struct Request {
    /// What it is a draft of.
    pub(crate) kind: Kind,
    /// The entry that the address names.
    pub(crate) id: Option<String>,
    /// Whether it is to be deleted.
    pub(crate) delete: bool,
    /// The path of the draft, below the issuer's.
    pub(crate) page: &'static str,
    /// The preset that was chosen for a new provider.
    pub(crate) preset: Option<String>,
}

impl Request {
    /// The path of the request, in the one form that tokens of its forms are made for.
    pub(crate) fn path(&self) -> String {
        self.path_with(self.delete)
    }

    fn path_with(&self, delete: bool) -> String {
        let id = self.id.iter().map(|id| ("id", id.as_str()));
        let delete = delete.then_some(("delete", "1"));
        own_path(self.page, &id.chain(delete).collect::<Vec<_>>())
    }

    /// What is to happen to the entry, now that it is known whether the files have it.
    fn action(&self, opened: &Opened, typed: &Typed) -> Action {
        match &opened.form.id {
            Some(id) if self.delete => Action::Delete { id: id.clone() },
            Some(id) => Action::Edit { id: id.clone() },
            None => Action::Create { file: typed.file.clone().map(PathBuf::from) },
        }
    }
}

/// What a form sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed {
    posted: Posted,
    file: Option<String>,
    seen: String,
    probe: bool,
}

impl Typed {
    /// The fields of a form; of one that comes twice, the first.
    pub(crate) fn of(kind: Kind, form: &Params) -> Self {
        let first = |name: &str| form.pairs().iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let keys = kind.fields().map(|field| field.key).chain(["id", SHOWN]);
        Self {
            posted: keys.filter_map(|key| Some((key.to_owned(), first(key)?))).collect(),
            file: first("file"),
            seen: first("seen").unwrap_or_default(),
            probe: first("probe").is_some(),
        }
    }

    /// The same as hidden fields.
    fn hidden(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = self.posted.iter().map(|(key, value)| Field::new(key, value)).collect();
        fields.extend(self.file.iter().map(|file| Field::new("file", file)));
        fields.push(Field::new("seen", &self.seen));
        if self.probe {
            fields.push(Field::new("probe", "on"));
        }
        fields
    }
}

const fn action_name(action: &Action) -> &'static str {
    match action {
        Action::Create { .. } => "create",
        Action::Edit { .. } => "edit",
        Action::Delete { .. } => "delete",
    }
}

impl Desk<'_> {
    fn draft_shell(&self, kind: Kind) -> Shell {
        self.shell(kind.section())
    }

    fn up(&self, kind: Kind) -> String {
        self.exchange.context.snapshot.issuer.path_of(&format!("/console/{}", kind.section()))
    }

    fn draft_post(&self, request: &Request, fields: Vec<Field>) -> Built<PostForm> {
        let form = self.exchange.action_form(&self.operator, &request.path())?;
        Ok(PostForm { fields, ..form })
    }

    /// The draft that a form sent.
    pub(crate) fn draft(&self, request: &Request, opened: &Opened, typed: &Typed) -> Sent {
        let action = request.action(opened, typed);
        let draft = Draft { kind: request.kind, action, posted: typed.posted.clone() };
        Sent { draft, seen: typed.seen.clone(), probe: typed.probe }
    }

    /// The form of a draft: as the files say, or as it was typed, with what is wrong.
    pub(crate) fn draft_form(
        &self,
        request: &Request,
        opened: &Opened,
        typed: Option<&Typed>,
        faults: &[Fault],
        impossible: Option<String>,
    ) -> Built<DraftForm> {
        let (kind, form) = (request.kind, &opened.form);
        if request.delete && form.id.is_none() {
            return Err(PageError::new(404, "not_found", "the files have no such entry"));
        }
        let action = request.action(opened, &Typed::default());
        let seen = typed.map_or(opened.seen.as_str(), |typed| typed.seen.as_str());
        let fault = |key: &str| faults.iter().find(|fault| fault.key == key).map(|fault| described(&fault.what));
        let preset = chosen_preset(request, form, typed);
        let creates = matches!(action, Action::Create { .. });
        let typed_id = typed.and_then(|typed| typed.posted.get("id").cloned());
        let chosen = typed.and_then(|typed| typed.file.clone());
        let delete_path = (matches!(action, Action::Edit { .. })).then(|| request.path_with(true));
        let of_provider = kind == Kind::Provider && !request.delete;
        let mut hidden = vec![Field::new("seen", seen)];
        if of_provider {
            hidden.push(Field::new(SHOWN, preset.name()));
        }
        if of_provider && creates {
            hidden.push(Field::new(PRESET, if preset == Preset::default() { "" } else { preset.name() }));
        }
        Ok(DraftForm {
            shell: self.draft_shell(kind),
            kind: kind.name(),
            action: action_name(&action),
            id: typed_id.or_else(|| form.id.clone()).or_else(|| request.id.clone()).unwrap_or_default(),
            id_fault: fault("id"),
            file: chosen.unwrap_or_else(|| form.file.display().to_string()),
            files: form.files.iter().map(|file| file.display().to_string()).collect(),
            groups: if request.delete { Vec::new() } else { groups(form, preset, typed, &fault) },
            others: form.others.clone(),
            presets: if of_provider && creates { kind.choices(PRESET).to_vec() } else { Vec::new() },
            preset: of_provider.then(|| preset.name()),
            faulty: !faults.is_empty(),
            impossible: impossible.or_else(|| opened.impossible.clone()),
            probe: (kind == Kind::Provider).then(|| typed.is_none_or(|typed| typed.probe)),
            back: self.up(kind),
            delete_path: delete_path.map(|path| self.exchange.context.snapshot.issuer.path_of(&path)),
            form: self.draft_post(request, hidden)?,
        })
    }

    /// What a draft would change and mean.
    pub(crate) fn draft_result(
        &self,
        request: &Request,
        sent: (&Action, &str),
        typed: &Typed,
        found: Outcome,
    ) -> Built<DraftResult> {
        let (action, id) = sent;
        let kind = request.kind;
        let line = |line: crate::analysis::draft::difference::Line| DraftLine {
            kind: match line.kind {
                LineKind::Place => "place",
                LineKind::Same => "same",
                LineKind::Removed => "removed",
                LineKind::Added => "added",
            },
            text: line.text,
        };
        Ok(DraftResult {
            shell: self.draft_shell(kind),
            kind: kind.name(),
            action: action_name(action),
            id: id.to_owned(),
            file: found.file,
            patch: found.difference.patch.as_ref().map(|_| patch_name(kind, id)),
            lines: found.difference.lines.into_iter().map(line).collect(),
            toml: if request.delete { String::new() } else { found.toml },
            stale: found.stale,
            problems: found.problems.into_iter().map(problem).collect(),
            plan: found.plan.map(|plan| people(plan, found.cut.is_some())),
            probe: found.probe.map(probe),
            form: self.draft_post(request, typed.hidden())?,
            back: self.up(kind),
        })
    }
}

/// The file name of a patch.
pub(crate) fn patch_name(kind: Kind, id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
    let id: String = id.chars().map(plain).take(64).collect();
    format!("{}-{id}.patch", kind.name())
}

/// The preset whose fields are shown: the one that was typed or chosen, or that of the entry.
fn chosen_preset(request: &Request, form: &Form, typed: Option<&Typed>) -> Preset {
    let chosen = typed.and_then(|typed| typed.posted.get(PRESET)).or(request.preset.as_ref());
    form.preset(chosen.filter(|_| typed.is_some() || form.id.is_none()).map(String::as_str))
}

/// The fields that the preset has, those of the entry, and those into which something was typed. The preset of a new provider
/// is chosen before.
fn groups(
    form: &Form,
    preset: Preset,
    typed: Option<&Typed>,
    fault: &impl Fn(&str) -> Option<DraftFault>,
) -> Vec<DraftGroup> {
    let is_typed = |key: &str| typed.is_some_and(|typed| typed.posted.get(key).is_some_and(|value| !value.is_empty()));
    let shown = |filled: &&Filled| {
        let key = filled.field.key;
        let chosen_before = key == PRESET && form.id.is_none();
        !chosen_before && (filled.is_shown(preset) || is_typed(key) || fault(key).is_some())
    };
    // A box that the form did not have was not left unticked.
    let before = typed.map(|typed| form.preset(typed.posted.get(SHOWN).map(String::as_str)));
    let was_shown =
        |filled: &Filled| before.is_some_and(|before| filled.is_shown(before)) || is_typed(filled.field.key);
    let group = |group: &Group| {
        let filled = group.fields.iter().filter_map(|one| form.field(one.key)).filter(shown);
        let field = |filled: &Filled| {
            let typed = typed.filter(|_| was_shown(filled));
            field(form.kind, filled, typed, (form.needs(filled, preset), fault(filled.field.key)))
        };
        DraftGroup { name: group.name, fields: filled.map(field).collect() }
    };
    form.kind.groups().iter().map(group).collect()
}

fn field(
    kind: Kind,
    filled: &Filled,
    typed: Option<&Typed>,
    (required, fault): (bool, Option<DraftFault>),
) -> DraftField {
    let key = filled.field.key;
    // A box that is not ticked, and a field that can't be changed, are not sent.
    let sent = typed.filter(|_| filled.locked.is_none()).map(|typed| typed.posted.get(key).cloned());
    let held = filled.held.as_ref().map(|held| match held {
        Held::Literal => DraftFault { code: "literal", detail: String::new() },
        Held::Env(name) => DraftFault { code: "env", detail: name.clone() },
        Held::Several => DraftFault { code: "several", detail: String::new() },
        Held::Hashes => DraftFault { code: "hashes", detail: String::new() },
    });
    let field = DraftField {
        key,
        input: filled.field.input.name(),
        notes: String::new(),
        required: required && held.is_none(),
        value: sent.map_or_else(|| filled.value.clone(), Option::unwrap_or_default),
        choices: kind.choices(key).to_vec(),
        locked: filled.locked.as_ref().map(ToString::to_string),
        held,
        fault,
    };
    field.noted()
}

fn described(what: &What) -> DraftFault {
    let (code, detail) = match what {
        What::Missing => ("missing", ""),
        What::Locked(place) => ("locked", place.as_str()),
        What::Misnamed(expected) => ("misnamed", expected.as_str()),
        What::Taken => ("taken", ""),
        What::Toml(text) => ("toml", text.as_str()),
        What::Link(line) => ("link", line.as_str()),
        What::Choice => ("choice", ""),
        What::Control => ("control", ""),
    };
    DraftFault { code, detail: detail.to_owned() }
}

fn problem((problem, known): (Problem, bool)) -> DraftProblem {
    DraftProblem {
        error: problem.severity == Severity::Error,
        known,
        place: format!("{}:{}:{}", problem.file, problem.line, problem.column),
        message: problem.message,
        suggestion: problem.suggestion,
    }
}

fn probe(found: Examination) -> DraftProbe {
    let steps = found.steps.into_iter().map(|step| DraftStep {
        asked: match step.asked {
            Asked::Discovery => "discovery",
            Asked::Keys => "keys",
            Asked::Push => "push",
            Asked::Authorize => "authorize",
            Asked::Token => "token",
            Asked::Groups => "groups",
        },
        outcome: match step.outcome {
            Answered::Fine => "fine",
            Answered::Unclear => "unclear",
            Answered::Trouble => "trouble",
            Answered::Skipped => "skipped",
        },
        url: step.url,
        answer: step.answer,
    });
    DraftProbe { steps: steps.collect(), missing: found.missing }
}

fn people(plan: Plan, cut: bool) -> DraftPlan {
    let found = plan.people.unwrap_or_default();
    let more = found.affected.len().saturating_sub(NAMED);
    // Those who lose something come first.
    let mut affected = found.affected;
    affected.sort_by_key(|one| {
        (!one.locked_out, one.shut_out.is_none(), one.apps_lost.is_empty(), one.roles_lost.is_empty())
    });
    let person = |one: Affected| DraftPerson { effects: effects(&one), name: one.username, provider: one.provider };
    DraftPlan {
        known: found.known,
        cut,
        people: affected.into_iter().take(NAMED).map(person).collect(),
        more,
        notices: plan.notices.into_iter().take(NOTICES).map(|notice| notice.text).collect(),
        restart: plan.restart,
    }
}

fn effects(one: &Affected) -> Vec<DraftEffect> {
    let plain = |bad: bool, key: &'static str, about: &str| DraftEffect {
        bad,
        key,
        about: about.to_owned(),
        reason: None,
        place: String::new(),
    };
    let refused = |key: &'static str, about: &str, why: &Why| DraftEffect {
        reason: Some(why.reason),
        place: why.place.clone(),
        ..plain(true, key, about)
    };
    let mut effects = Vec::new();
    effects.extend(one.shut_out.as_ref().map(|why| refused("shut_out", "", why)));
    effects.extend(one.locked_out.then(|| plain(true, "locked_out", "")));
    effects.extend(one.let_in.then(|| plain(false, "let_in", "")));
    effects.extend(one.apps_lost.iter().map(|(app, why)| refused("app_lost", app, why)));
    effects.extend(one.apps_gained.iter().map(|app| plain(false, "app_gained", app)));
    effects.extend(one.roles_lost.iter().map(|role| plain(true, "role_lost", role)));
    effects.extend(one.roles_gained.iter().map(|role| plain(false, "role_gained", role)));
    for (app, claims) in &one.claims {
        let named = |name: &String| format!("{name} ({app})");
        effects.extend(claims.lost.iter().map(|name| plain(true, "claim_lost", &named(name))));
        effects.extend(claims.gained.iter().map(|name| plain(false, "claim_gained", &named(name))));
        effects.extend(claims.changed.iter().map(|name| plain(false, "claim_changed", &named(name))));
    }
    effects
}
