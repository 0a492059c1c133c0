//! Parts of expressions as the broker writes them: in imports, proposals, the way out of a problem, and conditions that stand
//! for a setting.

/// Words that CEL reserves, which can't follow a dot.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A string.
pub(crate) fn cel_text(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A list of strings.
pub(crate) fn cel_list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| cel_text(item)).collect();
    format!("[{}]", items.join(", "))
}

/// Whether a name can follow a dot.
fn is_identifier(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !RESERVED.contains(&name)
}

/// `object.name`, or `object['odd name']` for a name that is not an identifier.
pub(crate) fn cel_member(object: &str, name: &str) -> String {
    if is_identifier(name) { format!("{object}.{name}") } else { format!("{object}[{}]", cel_text(name)) }
}

/// `claims.a.b` for a path of names.
pub(crate) fn cel_path(root: &str, names: &[String]) -> String {
    names.iter().fold(root.to_owned(), |object, name| cel_member(&object, name))
}

/// The same for a list that may be absent: `claims.?a.?b.orValue([])`.
pub(crate) fn cel_maybe(root: &str, names: &[String]) -> String {
    let chain = names.iter().fold(root.to_owned(), |object, name| {
        if is_identifier(name) { format!("{object}.?{name}") } else { format!("{object}[?{}]", cel_text(name)) }
    });
    format!("{chain}.orValue([])")
}
