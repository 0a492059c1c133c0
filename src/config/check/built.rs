//! Keys of the language that are not built yet. Each is refused at its place, so that no key is ever accepted and ignored. When
//! something is built, its line is removed from [`NOT_BUILT`].

use std::collections::BTreeMap;
use std::sync::OnceLock;

use figment::value::{Dict, Value};

use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problems, Severity, quote};

/// Which values of a setting are not built.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Any value of the setting.
    Set,
    /// Only these values.
    Is(&'static [&'static str]),
    /// Any value except the default, which changes nothing.
    Unless(&'static str),
}

use When::{Is, Set, Unless};

/// Path (`*`: any key or item), and which values are not built.
const NOT_BUILT: &[(&str, When)] = &[
    ("registration", Set),
    ("token_exchange", Set),
    ("device", Set),
    ("config", Set),
    ("endpoints.device_authorization", Unless("/oauth2/device")),
    ("endpoints.registration", Unless("/oauth2/register")),
    ("clients.*.security_profile", Is(&["fapi2"])),
    (
        "clients.*.grant_types.*",
        Is(&["urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"]),
    ),
];

/// Whether a key is refused regardless of its value, by itself or with its section.
pub(crate) fn is_refused(path: &str) -> bool {
    let whole = |when: &When| matches!(when, Set | Unless(_));
    let around =
        |refused: &str| path.strip_prefix(refused).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    NOT_BUILT.iter().any(|(refused, when)| whole(when) && around(refused))
}

/// The list as a tree, so that a file is walked only once.
#[derive(Debug, Default)]
struct Branch {
    when: Option<When>,
    children: BTreeMap<&'static str, Branch>,
}

impl Branch {
    fn root() -> &'static Self {
        static ROOT: OnceLock<Branch> = OnceLock::new();
        ROOT.get_or_init(|| {
            let mut root = Self::default();
            for (path, when) in NOT_BUILT {
                let leaf = path.split('.').fold(&mut root, |branch, step| branch.children.entry(step).or_default());
                leaf.when = Some(*when);
            }
            root
        })
    }

    fn child(&self, step: &str) -> Option<&Self> {
        self.children.get(step).or_else(|| self.children.get("*"))
    }
}

/// Reports every setting of the merged values that is not built yet.
pub(crate) fn check(values: &Dict, layers: &Layers, problems: &mut Problems) {
    table(Branch::root(), values, &At::Root, &mut |at, text| {
        let key_span = if text.is_none() { layers.key_span(at) } else { None };
        let span = key_span.unwrap_or_else(|| layers.nearest_span(at));
        let what = text.map(|text| format!("{} = {}", at.name(), quote(text))).unwrap_or_else(|| at.name());
        let problem = layers.problem_at(Severity::Error, span, at.to_string(), format!("`{what}` is not built yet"));
        problems.push(problem.suggest(WAY_OUT));
    });
}

/// How to correct the problem.
const WAY_OUT: &str = "leave it out; this version of Countersign does not have it";

type Report<'r> = dyn FnMut(&At<'_>, Option<&str>) + 'r;

fn table(branch: &Branch, dict: &Dict, at: &At<'_>, report: &mut Report<'_>) {
    for (key, value) in dict {
        if let Some(branch) = branch.child(key) {
            visit(branch, value, &at.key(key), report);
        }
    }
}

fn visit(branch: &Branch, value: &Value, at: &At<'_>, report: &mut Report<'_>) {
    let text = value.as_str();
    let refused = match branch.when {
        None => false,
        Some(Set) => true,
        Some(Is(values)) => text.is_some_and(|text| values.contains(&text)),
        Some(Unless(default)) => text != Some(default),
    };
    if refused {
        return report(at, text.filter(|_| matches!(branch.when, Some(Is(_)))));
    }
    match value {
        Value::Dict(_, dict) => table(branch, dict, at, report),
        Value::Array(_, items) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(branch) = branch.child("*") {
                    visit(branch, item, &at.index(index), report);
                }
            }
        }
        _ => {}
    }
}
