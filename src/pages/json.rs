//! JSON documents (claims) as coloured, indented HTML, for the demo app. Times get a readable note.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::pages::html::escape;

/// Claims whose number is a time in seconds since the epoch.
const TIMES: &[&str] = &["auth_time", "exp", "iat", "nbf", "updated_at"];

/// Serialises a JSON value as ready HTML, for `#[serde(serialize_with = ...)]` in a view.
pub(crate) fn as_html<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = String::new();
    write(&mut out, value, 0);
    minijinja::Value::from_safe_string(out).serialize(serializer)
}

fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                next_line(out, depth);
                span(out, "key", &Value::from(name.as_str()).to_string());
                out.push_str(": ");
                write(out, member, depth + 1);
                comma(out, index, members.len());
                if let Some(time) = readable_time(name, member) {
                    out.push_str("  ");
                    span(out, "note", &time);
                }
            }
            last_line(out, depth, '}');
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                next_line(out, depth);
                write(out, item, depth + 1);
                comma(out, index, items.len());
            }
            last_line(out, depth, ']');
        }
        Value::String(_) => span(out, "string", &value.to_string()),
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
            span(out, "literal", &value.to_string());
        }
    }
}

fn comma(out: &mut String, index: usize, count: usize) {
    if index + 1 < count {
        out.push(',');
    }
}

fn next_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth + 1));
}

fn last_line(out: &mut String, depth: usize, close: char) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

fn span(out: &mut String, class: &str, text: &str) {
    out.push_str("<span class=\"");
    out.push_str(class);
    out.push_str("\">");
    escape(out, text);
    out.push_str("</span>");
}

fn readable_time(name: &str, value: &Value) -> Option<String> {
    let seconds = TIMES.contains(&name).then(|| value.as_i64())??;
    Some(chrono::DateTime::from_timestamp(seconds, 0)?.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_escaped_and_annotated() {
        let mut out = String::new();
        write(&mut out, &serde_json::json!({ "<k>": ["</script>", 1], "exp": 0, "none": {}, "b": true }), 0);
        assert_eq!(
            out,
            "{\n  <span class=\"key\">&quot;&lt;k&gt;&quot;</span>: [\n    \
             <span class=\"string\">&quot;&lt;/script&gt;&quot;</span>,\n    \
             <span class=\"literal\">1</span>\n  ],\n  \
             <span class=\"key\">&quot;exp&quot;</span>: <span class=\"literal\">0</span>,  \
             <span class=\"note\">1970-01-01 00:00:00 UTC</span>\n  \
             <span class=\"key\">&quot;none&quot;</span>: <span class=\"literal\">{}</span>,\n  \
             <span class=\"key\">&quot;b&quot;</span>: <span class=\"literal\">true</span>\n}"
        );
    }

    #[test]
    fn a_time_out_of_range_gets_no_note() {
        assert_eq!(readable_time("exp", &Value::from(i64::MAX)), None);
        assert_eq!(readable_time("exp", &Value::from("0")), None);
        assert_eq!(readable_time("other", &Value::from(0)), None);
    }
}
