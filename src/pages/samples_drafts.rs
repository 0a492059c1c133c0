//! Sample values of the pages for drafts.

use crate::analysis::draft::{Input, Kind};
use crate::pages::drafts::{
    DraftEffect, DraftFault, DraftField, DraftForm, DraftGroup, DraftLine, DraftPerson, DraftPlan, DraftProbe,
    DraftProblem, DraftResult, DraftStep,
};
use crate::pages::own::Shell;
use crate::pages::sample::{CSRF, Need, Sample, form, sample, text};

/// The names of the buttons that the pages must have.
const FORM: &[Need] = &[CSRF, ("name=\"id\"", "the field of the id", "<input name=\"id\" ...>")];
const RESULT: &[Need] =
    &[CSRF, ("value=\"again\"", "the button back to the form", "<button name=\"as\" value=\"again\">")];

/// Adds them.
pub(crate) fn add(all: &mut Vec<Sample>) {
    forms(all);
    results(all);
}

fn shell() -> Shell {
    Shell {
        layout: "_console.html",
        section: "providers",
        user_name: text("Person"),
        sign_out_path: "/oauth2/logout".to_owned(),
        certificates: false,
        notice: None,
    }
}

const FAULTS: [&str; 8] = ["missing", "locked", "misnamed", "taken", "toml", "link", "choice", "control"];

fn fault(code: &'static str) -> DraftFault {
    DraftFault { code, detail: text("detail") }
}

fn groups(kind: Kind, full: bool) -> Vec<DraftGroup> {
    let held = ["literal", "env", "several", "hashes"];
    let field = |(index, field): (usize, &'static crate::analysis::draft::Field)| DraftField {
        key: field.key,
        input: field.input.name(),
        notes: String::new(),
        required: full,
        value: if full { text("on") } else { String::new() },
        choices: if field.input == Input::Choice { vec![text("choice")] } else { Vec::new() },
        locked: (full && index % 3 == 0).then(|| text("place")),
        held: (full && matches!(field.input, Input::Secret | Input::Hashes))
            .then(|| fault(held.get(index % 4).copied().unwrap_or("env"))),
        fault: full.then(|| fault(FAULTS.get(index % FAULTS.len()).copied().unwrap_or("missing"))),
    };
    let field = |indexed| DraftField::noted(field(indexed));
    kind.groups()
        .iter()
        .map(|group| DraftGroup { name: group.name, fields: group.fields.iter().enumerate().map(field).collect() })
        .collect()
}

fn forms(all: &mut Vec<Sample>) {
    // Templates see no difference between the kinds but the keys of the fields.
    let kind = Kind::User;
    let edit = DraftForm {
        shell: shell(),
        kind: kind.name(),
        action: "edit",
        id: text("id"),
        id_fault: Some(fault("taken")),
        file: text("file"),
        files: vec![text("file"), text("other")],
        groups: groups(kind, true),
        others: vec![text("other")],
        presets: Vec::new(),
        preset: Some("entra"),
        faulty: true,
        impossible: Some(text("why")),
        probe: Some(true),
        back: "/console/providers".to_owned(),
        delete_path: Some("/console/draft/provider?delete=1".to_owned()),
        form: form(),
    };
    let create = DraftForm {
        action: "create",
        id: String::new(),
        id_fault: None,
        files: vec![text("file")],
        groups: groups(kind, false),
        others: Vec::new(),
        presets: vec![text("preset")],
        preset: None,
        faulty: false,
        impossible: None,
        probe: None,
        delete_path: None,
        ..edit.clone()
    };
    let delete = DraftForm { action: "delete", groups: Vec::new(), ..create.clone() };
    all.extend([sample(&edit, FORM), sample(&create, FORM), sample(&delete, &[CSRF])]);
}

fn results(all: &mut Vec<Sample>) {
    let lines = ["place", "same", "removed", "added"].map(|kind| DraftLine { kind, text: text("line") });
    let effect = |key| DraftEffect { bad: true, key, about: text("about"), reason: None, place: String::new() };
    let effects = [
        "locked_out",
        "let_in",
        "app_lost",
        "app_gained",
        "role_lost",
        "role_gained",
        "claim_lost",
        "claim_gained",
        "claim_changed",
    ];
    let refused = DraftEffect { reason: Some("not_allowed"), place: text("place"), ..effect("shut_out") };
    let effects: Vec<DraftEffect> = effects.into_iter().map(effect).chain([refused]).collect();
    let plan = DraftPlan {
        known: 2,
        cut: true,
        people: vec![DraftPerson { name: text("person"), provider: text("provider"), effects }],
        more: 3,
        notices: vec![text("notice")],
        restart: vec!["issuer"],
    };
    let steps = [("discovery", "fine"), ("keys", "unclear"), ("token", "trouble"), ("token", "skipped")];
    let steps = steps.map(|(asked, outcome)| DraftStep {
        asked,
        outcome,
        url: (outcome != "skipped").then(|| text("url")),
        answer: text("answer"),
    });
    let problem = |error, known, suggestion| DraftProblem {
        error,
        known,
        place: text("place"),
        message: text("message"),
        suggestion,
    };
    let kind = Kind::User;
    let full = DraftResult {
        shell: shell(),
        kind: kind.name(),
        action: "edit",
        id: text("id"),
        file: text("file"),
        lines: lines.to_vec(),
        toml: text("toml"),
        patch: Some("provider-id.patch".to_owned()),
        stale: true,
        problems: vec![problem(true, true, Some(text("suggestion"))), problem(false, false, None)],
        plan: Some(plan.clone()),
        probe: Some(DraftProbe { steps: steps.to_vec(), missing: vec![text("missing")] }),
        form: form(),
        back: "/console/providers".to_owned(),
    };
    let nobody =
        DraftPlan { cut: false, people: Vec::new(), more: 0, notices: Vec::new(), restart: Vec::new(), ..plan.clone() };
    let bare = DraftResult {
        action: "create",
        lines: Vec::new(),
        patch: None,
        stale: false,
        problems: Vec::new(),
        plan: Some(nobody),
        probe: None,
        ..full.clone()
    };
    let unknown = DraftResult { action: "delete", plan: None, patch: None, toml: String::new(), ..full.clone() };
    all.extend([sample(&full, RESULT), sample(&bare, RESULT), sample(&unknown, RESULT)]);
}
