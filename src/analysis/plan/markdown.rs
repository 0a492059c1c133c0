//! A plan as a comment on a pull request, in Markdown.
//!
//! Names come from files and people: they are written as code, in which Markdown, HTML and mentions have no effect.

use std::fmt::{self, Write as _};

use crate::analysis::plan::Plan;
use crate::analysis::plan::report::WEIGHTS;
use crate::analysis::plan::side::Weight;
use crate::config::diagnostics::problem::printable;

/// How many names are written for one effect.
const NAMES: usize = 20;
/// A platform cuts off, or refuses, a comment that is much longer.
const LONGEST: usize = 60_000;

/// What a plan says, and what was decided on it.
#[derive(Clone, Copy, Debug)]
pub struct Comment<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Why nobody is known.
    pub nobody_asked: Option<&'a str>,
    /// Names of the mapping tests that fail.
    pub failed_tests: &'a [&'a str],
    /// Whether the change is refused.
    pub refused: bool,
}

/// A text as code (CommonMark §6.1): the fence is longer than any row of backticks inside.
fn code(text: &str) -> String {
    let text = printable(&text.replace(['\n', '\r'], " "));
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text of this program with names in it, without effects of Markdown or HTML.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            // An empty comment after it keeps a mention from being one.
            '@' => escaped.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text)?;
        if text.len() > LONGEST {
            let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST).last().unwrap_or_default();
            let line = text.get(..cut).and_then(|kept| kept.rfind('\n')).unwrap_or_default();
            text.truncate(line);
            text.push_str("\n\nThe rest is left out: `countersign plan` prints all of it.\n");
        }
        f.write_str(&text)
    }
}

impl Comment<'_> {
    fn write(&self, text: &mut String) -> fmt::Result {
        let verdict = if self.refused || !self.failed_tests.is_empty() { "refused" } else { "may be merged" };
        writeln!(text, "### Countersign plan: {verdict}\n")?;
        for (weight, title) in WEIGHTS.iter().rev() {
            let notices = self.plan.notices.iter().filter(|notice| notice.weight == *weight);
            for notice in notices {
                let title = if *weight == Weight::Warning { "Warning" } else { title };
                writeln!(text, "- **{title}**: {}", plain(&notice.text))?;
            }
        }
        for name in self.failed_tests {
            writeln!(text, "- **Test fails**: {}", code(name))?;
        }
        self.people(text)?;
        self.settings(text)
    }

    fn people(&self, text: &mut String) -> fmt::Result {
        let Some(people) = &self.plan.people else {
            let why = self.nobody_asked.map(|why| format!(": {}", plain(why))).unwrap_or_default();
            return writeln!(text, "\nNobody is known{why}.");
        };
        let mut affected: Vec<&str> = people.affected.iter().map(|affected| affected.username.as_str()).collect();
        affected.dedup();
        let known = if people.known == 1 { "person" } else { "people" };
        if affected.is_empty() {
            return writeln!(text, "\n{} {known} known, nobody is affected.", people.known);
        }
        writeln!(text, "\n**{} of {} {known} affected**\n", affected.len(), people.known)?;
        for (what, whom) in people.grouped() {
            let some: Vec<String> = whom.iter().take(NAMES).map(|name| code(name)).collect();
            let more = if whom.len() > NAMES { format!(", and {} more", whom.len() - NAMES) } else { String::new() };
            writeln!(text, "- {}: {} ({}{more})", plain(&what), whom.len(), some.join(", "))?;
        }
        Ok(())
    }

    fn settings(&self, text: &mut String) -> fmt::Result {
        if !self.plan.restart.is_empty() {
            let keys: Vec<String> = self.plan.restart.iter().map(|key| code(key)).collect();
            writeln!(text, "\nNeeds a restart: {}", keys.join(", "))?;
        }
        if self.plan.changes.is_empty() {
            return writeln!(text, "\nNo setting differs.");
        }
        let summary = match self.plan.changes.len() {
            1 => "1 entry differs".to_owned(),
            several => format!("{several} entries differ"),
        };
        writeln!(text, "\n<details><summary>{summary}</summary>\n")?;
        for change in &self.plan.changes {
            // An indented block of code (CommonMark §4.4), whose lines begin with four spaces.
            for line in change.to_string().lines() {
                writeln!(text, "    {}", printable(line))?;
            }
        }
        writeln!(text, "\n</details>")
    }
}
