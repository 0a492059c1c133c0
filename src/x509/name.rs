//! Distinguished names, as RFC 4514 writes them: the most specific part first, `CN=app,OU=Ops,O=Example`.

use std::fmt::Write as _;

/// A distinguished name: relative names, the most specific first, each with its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(pub Vec<Vec<(String, String)>>);

/// The attribute types that RFC 4514 §3 names, and those that OpenSSL writes besides: keyword, object identifier.
const TYPES: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("GN", "2.5.4.42"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
];

/// The keyword of an attribute type; the object identifier itself where it has none.
#[must_use]
pub fn keyword(oid: &str) -> &str {
    TYPES.iter().find(|(_, known)| *known == oid).map_or(oid, |(keyword, _)| keyword)
}

/// The keyword by which a type is written, whatever its case, or by its object identifier.
fn known(kind: &str) -> String {
    let kind = kind.trim();
    let found = TYPES.iter().find(|(keyword, oid)| keyword.eq_ignore_ascii_case(kind) || *oid == kind);
    found.map_or(kind, |(keyword, _)| keyword).to_owned()
}

impl Name {
    /// Reads a name; `None` when it is none. Spaces around separators are ignored, as RFC 2253 §4 let them be written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut relative = Vec::new();
        for part in split(text, ',') {
            let attributes = split(part, '+').into_iter().map(|attribute| {
                let (kind, value) = attribute.split_once('=')?;
                Some((known(kind), unescape(value.trim_start())?))
            });
            let mut attributes = attributes.collect::<Option<Vec<_>>>()?;
            attributes.sort();
            relative.push(attributes);
        }
        Some(Self(relative))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, relative) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(',')?;
            }
            for (index, (kind, value)) in relative.iter().enumerate() {
                let plus = if index > 0 { "+" } else { "" };
                write!(f, "{plus}{kind}={}", escape(value))?;
            }
        }
        Ok(())
    }
}

/// The parts between separators that are not escaped.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut from, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if !escaped && c == separator {
            parts.push(text.get(from..at).unwrap_or_default());
            from = at + c.len_utf8();
        }
        escaped = !escaped && c == '\\';
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

/// RFC 4514 §2.4.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.chars().enumerate() {
        let edge = (c == ' ' && (at == 0 || at == last)) || (c == '#' && at == 0);
        match c {
            '\0' => out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => out.extend(['\\', c]),
            c if edge => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// RFC 4514 §3: `\` with a special character, or with two hexadecimal digits. Trailing spaces that are not escaped are not part
/// of the value.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut kept = 0;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            if byte != b' ' {
                kept = bytes.len();
            }
            continue;
        }
        let hex = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|digits| std::str::from_utf8(digits).ok());
        let coded = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (escaped, width) = match coded {
            Some(byte) => (byte, 2),
            None => (*rest.first()?, 1),
        };
        bytes.push(escaped);
        kept = bytes.len();
        rest = rest.get(width..)?;
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_same_name_in_several_spellings() {
        let name = Name::parse("CN=app,OU=Ops,O=Example Inc.").unwrap();
        for spelling in [
            "cn=app, ou=Ops , O=Example Inc.",
            "2.5.4.3=app,OU=Ops,O=Example\\20Inc.",
            "CN=a\\70p,OU=Ops,O=Example Inc.  ",
        ] {
            assert_eq!(Name::parse(spelling).as_ref(), Some(&name), "{spelling}");
        }
        for other in [
            "CN=app,O=Example Inc.,OU=Ops",
            "CN=App,OU=Ops,O=Example Inc.",
            "CN=app,OU=Ops",
            "CN=app+OU=Ops,O=Example Inc.",
        ] {
            assert_ne!(Name::parse(other).as_ref(), Some(&name), "{other}");
        }
        assert_eq!(Name::parse("CN=a+UID=b"), Name::parse("UID=b+CN=a"), "a relative name is a set");
        for none in ["", "app", "CN=app,", "CN=", "CN=app\\"] {
            assert_eq!(Name::parse(none), None, "{none}");
        }
    }

    /// RFC 4514 §4.
    #[test]
    fn what_is_written_is_read_again() {
        for value in ["James \"Jim\" Smith, III", "Before\rAfter", "#hash", " spaced ", "a+b=c;d<e>f\\g", "Lučić"] {
            let name = Name(vec![vec![("CN".to_owned(), value.to_owned())], vec![("O".to_owned(), "x".to_owned())]]);
            assert_eq!(Name::parse(&name.to_string()), Some(name), "{value:?}");
        }
        assert_eq!(Name::parse("CN=Lu\\C4\\8Di\\C4\\87").unwrap().to_string(), "CN=Lučić");
    }
}
