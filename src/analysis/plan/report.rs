//! A plan, and how it is printed.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::plan::difference::{Change, Kind};
use crate::analysis::plan::impact::{Affected, People, Why};
use crate::analysis::plan::side::{Notice, Weight};
use crate::config::diagnostics::problem::printable;

/// How many names are printed for one effect.
const NAMES: usize = 10;

/// How notices are headed, the most serious last.
pub(crate) const WEIGHTS: &[(Weight, &str)] = &[
    (Weight::Warning, "Warnings"),
    (Weight::Lockout, "Refused without --accept"),
    (Weight::Refused, "Refused without --force"),
];

/// A whole plan.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Plan {
    /// Settings that differ.
    pub changes: Vec<Change>,
    /// The changed settings that need a restart.
    pub restart: Vec<&'static str>,
    /// Consequences that the settings do not show.
    pub notices: Vec<Notice>,
    /// Whom the change affects; `None` if there is no store to read people from.
    pub people: Option<People>,
}

impl Plan {
    /// Whether the change must be refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.notices.iter().any(|notice| notice.weight == Weight::Refused)
    }

    /// Whether somebody loses their only way in, so that the change must be refused unless that is accepted.
    #[must_use]
    pub fn locks_out(&self) -> bool {
        self.notices.iter().any(|notice| notice.weight == Weight::Lockout)
    }

    /// Whether anybody's access or claims change.
    #[must_use]
    pub fn has_impact(&self) -> bool {
        self.people.as_ref().is_some_and(|people| !people.affected.is_empty()) || !self.notices.is_empty()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            writeln!(f, "No setting differs.")?;
        } else {
            writeln!(f, "Settings")?;
            self.changes.iter().try_for_each(|change| write!(f, "{change}"))?;
        }
        if !self.restart.is_empty() {
            writeln!(f, "\nNeeds a restart: {}", self.restart.join(", "))?;
        }
        match &self.people {
            None => writeln!(f, "\nPeople: not known")?,
            Some(people) => write!(f, "\n{people}")?,
        }
        for (weight, title) in WEIGHTS {
            let notices: Vec<_> = self.notices.iter().filter(|notice| notice.weight == *weight).collect();
            if !notices.is_empty() {
                writeln!(f, "\n{title}")?;
                notices.iter().try_for_each(|notice| writeln!(f, "  {}", notice.text))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            Kind::Added => '+',
            Kind::Removed => '-',
            Kind::Changed | Kind::Renamed => '~',
        };
        write!(f, "  {sign} {}", self.entry)?;
        match &self.place {
            Some(place) => writeln!(f, "  [{place}]")?,
            None => writeln!(f)?,
        }
        for change in &self.keys {
            let key = if change.key.is_empty() { "value" } else { &change.key };
            match (&change.old, &change.new) {
                (Some(old), Some(new)) => writeln!(f, "      {key}: {old} -> {new}")?,
                (None, Some(new)) if self.kind == Kind::Added => writeln!(f, "      {key} = {new}")?,
                (None, Some(new)) => writeln!(f, "      {key}: not set -> {new}")?,
                (Some(_), None) if self.kind == Kind::Removed => {}
                (Some(old), None) => writeln!(f, "      {key}: {old} -> not set")?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.affected.is_empty() {
            return writeln!(f, "People: {} known, nobody is affected", self.known);
        }
        let mut names: Vec<&str> = self.affected.iter().map(|affected| affected.username.as_str()).collect();
        names.dedup();
        writeln!(f, "People: {} known, {} affected", self.known, names.len())?;
        for (what, whom) in self.grouped() {
            let more = if whom.len() > NAMES { format!(", and {} more", whom.len() - NAMES) } else { String::new() };
            let some: Vec<String> = whom.iter().take(NAMES).map(|name| printable(name)).collect();
            writeln!(f, "  {}: {} ({}{more})", printable(&what), whom.len(), some.join(", "))?;
        }
        Ok(())
    }
}

impl People {
    /// The effects and whom they concern, the most severe first.
    pub(crate) fn grouped(&self) -> Vec<(String, Vec<&str>)> {
        let mut groups: BTreeMap<(u8, String), Vec<&str>> = BTreeMap::new();
        for affected in &self.affected {
            for (rank, what) in effects(affected) {
                groups.entry((rank, what)).or_default().push(&affected.username);
            }
        }
        groups.into_iter().map(|((_, what), whom)| (what, whom)).collect()
    }
}

fn because(why: &Why) -> String {
    if why.place.is_empty() { why.reason.to_owned() } else { format!("{} at {}", why.reason, why.place) }
}

fn effects(affected: &Affected) -> Vec<(u8, String)> {
    let through = &affected.provider;
    let mut effects = Vec::new();
    if let Some(why) = &affected.shut_out {
        let elsewhere = if affected.locked_out { "" } else { "; another provider still lets them in" };
        effects.push((0, format!("refused through {through}, {}{elsewhere}", because(why))));
    }
    if affected.let_in {
        effects.push((1, format!("let in through {through}")));
    }
    for (app, why) in &affected.apps_lost {
        effects.push((2, format!("lose app {app}, {}", because(why))));
    }
    effects.extend(affected.apps_gained.iter().map(|app| (3, format!("gain app {app}"))));
    effects.extend(affected.roles_lost.iter().map(|role| (4, format!("lose role {role}"))));
    effects.extend(affected.roles_gained.iter().map(|role| (5, format!("gain role {role}"))));
    for (app, claims) in &affected.claims {
        for (verb, names) in [("lose", &claims.lost), ("gain", &claims.gained), ("change", &claims.changed)] {
            effects.extend(names.iter().map(|name| (6, format!("{verb} claim {name} at {app}"))));
        }
    }
    effects
}
