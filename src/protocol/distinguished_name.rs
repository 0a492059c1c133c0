//! Distinguished names, as RFC 4514 writes them: the most specific part first, `CN=app,OU=Ops,O=Example`.

use std::fmt::Write as _;

use crate::protocol::comparable;

/// A distinguished name: relative names, the most specific first, each with its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(pub Vec<Vec<(String, AttributeValue)>>);

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttributeValue {
    /// A text, whichever ASN.1 type it is encoded as.
    Text(String),
    /// The BER encoding of a value that is no text.
    Encoded(Vec<u8>),
}

/// Attribute types: object identifier, the keyword by which the type is written, and others by which it is read. Those of
/// RFC 4514 §3 and those that OpenSSL writes, with the names that LDAP has for them (RFC 4519 §2).
const TYPES: &[(&str, &str, &[&str])] = &[
    ("2.5.4.3", "CN", &["commonName"]),
    ("2.5.4.4", "SN", &["surname"]),
    ("2.5.4.5", "serialNumber", &[]),
    ("2.5.4.6", "C", &["countryName"]),
    ("2.5.4.7", "L", &["localityName"]),
    ("2.5.4.8", "ST", &["stateOrProvinceName", "S"]),
    ("2.5.4.9", "STREET", &["streetAddress"]),
    ("2.5.4.10", "O", &["organizationName"]),
    ("2.5.4.11", "OU", &["organizationalUnitName"]),
    ("2.5.4.12", "title", &[]),
    ("2.5.4.13", "description", &[]),
    ("2.5.4.15", "businessCategory", &[]),
    ("2.5.4.17", "postalCode", &[]),
    ("2.5.4.41", "name", &[]),
    ("2.5.4.42", "GN", &["givenName"]),
    ("2.5.4.43", "initials", &[]),
    ("2.5.4.44", "generationQualifier", &[]),
    ("2.5.4.45", "x500UniqueIdentifier", &[]),
    ("2.5.4.46", "dnQualifier", &[]),
    ("2.5.4.65", "pseudonym", &[]),
    ("2.5.4.97", "organizationIdentifier", &[]),
    ("0.9.2342.19200300.100.1.25", "DC", &["domainComponent"]),
    ("0.9.2342.19200300.100.1.1", "UID", &["userId"]),
    ("1.2.840.113549.1.9.1", "emailAddress", &["E"]),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL", &["jurisdictionLocalityName"]),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST", &["jurisdictionStateOrProvinceName"]),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC", &["jurisdictionCountryName"]),
];

/// The characters that a value has only after a backslash (RFC 4514 §3, `escaped`).
const ESCAPED: &[u8] = b"\"+,;<>";

/// The keyword of an attribute type; the object identifier itself where it has none.
#[must_use]
pub fn keyword(oid: &str) -> &str {
    TYPES.iter().find(|(known, ..)| *known == oid).map_or(oid, |(_, keyword, _)| keyword)
}

/// The keyword of the type that `kind` names, by any keyword in any case or by its object identifier; `None` if there is none.
fn known(kind: &str) -> Option<&str> {
    let kind = kind.trim_matches(' ');
    let is = |keyword: &str| keyword.eq_ignore_ascii_case(kind);
    if let Some((_, keyword, _)) =
        TYPES.iter().find(|(_, keyword, others)| is(keyword) || others.iter().any(|it| is(it)))
    {
        return Some(keyword);
    }
    // Some programs write `OID.` before an object identifier, as RFC 1779 §2.3 did.
    let oid =
        kind.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("OID.")).and_then(|_| kind.get(4..)).unwrap_or(kind);
    let mut arcs = oid.split('.');
    let number = |arc: &str| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
    (oid.contains('.') && arcs.all(number)).then(|| keyword(oid))
}

impl AttributeValue {
    /// A value whose BER encoding is `whole`, with this tag and content. What is encoded as a text is one (RFC 5280 §4.1.2.4).
    /// `None` for a text that is damaged.
    #[must_use]
    pub fn of(tag: u32, content: &[u8], whole: &[u8]) -> Option<Self> {
        let utf8 = || std::str::from_utf8(content).ok().map(str::to_owned);
        match tag {
            // UTF8String, NumericString, PrintableString, IA5String.
            12 | 18 | 19 | 22 => utf8().map(Self::Text),
            // BMPString, which is UTF-16 with the high octet first.
            30 => {
                let (pairs, rest) = content.as_chunks::<2>();
                let text = String::from_utf16(&pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>());
                text.ok().filter(|_| rest.is_empty()).map(Self::Text)
            }
            _ => Some(Self::Encoded(whole.to_vec())),
        }
    }

    /// Reads a value as RFC 4514 §2.4 writes it: a text, or `#` and the hexadecimal digits of a BER encoding.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(' ');
        match text.strip_prefix('#') {
            Some(digits) => Self::decode(&bytes(digits.trim_end_matches(' '))?),
            None => unescape(text).map(Self::Text),
        }
    }

    /// Reads exactly one value of a primitive type, or of a constructed one that is no text.
    fn decode(whole: &[u8]) -> Option<Self> {
        let (&tag, rest) = whole.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, content) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, content) =
                rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), content)
        };
        (first != 0x80 && length == content.len()).then(|| Self::of(u32::from(tag), content, whole)).flatten()
    }

    /// The form in which values are compared.
    fn prepared(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(comparable::text(text)),
            Self::Encoded(whole) => Self::Encoded(whole.clone()),
        }
    }

    /// The text as it is, or the encoding as RFC 4514 §2.4 writes it.
    #[must_use]
    pub fn plain(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Encoded(whole) => {
                let digits = whole.iter().map(|byte| format!("{byte:02x}"));
                format!("#{}", digits.collect::<String>()).into()
            }
        }
    }
}

/// The octets that hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let octet = |pair: &[u8; 2]| {
        let digits = std::str::from_utf8(pair).ok().filter(|_| pair.iter().all(u8::is_ascii_hexdigit))?;
        u8::from_str_radix(digits, 16).ok()
    };
    pairs.iter().map(octet).collect::<Option<Vec<_>>>().filter(|_| rest.is_empty())
}

impl Name {
    /// Reads a name; `None` when it is none. Spaces around separators are ignored, as RFC 2253 §4 let them be written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut relative = Vec::new();
        for part in split(text, ',') {
            let attributes = split(part, '+').into_iter().map(|attribute| {
                let (kind, value) = attribute.split_once('=')?;
                Some((known(kind)?.to_owned(), AttributeValue::parse(value)?))
            });
            let mut attributes = attributes.collect::<Option<Vec<_>>>()?;
            attributes.sort();
            relative.push(attributes);
        }
        Some(Self(relative))
    }

    /// Whether two names are the same (RFC 5280 §7.1): the case of letters, how characters are composed, and how much white space
    /// there is, do not matter.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.prepared() == other.prepared()
    }

    /// The name with its texts in the form in which they are compared.
    fn prepared(&self) -> Self {
        let relative = |attributes: &Vec<(String, AttributeValue)>| {
            let prepared = attributes.iter().map(|(kind, value)| (kind.clone(), value.prepared()));
            let mut prepared: Vec<_> = prepared.collect();
            prepared.sort();
            prepared
        };
        Self(self.0.iter().map(relative).collect())
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
                let value = match value {
                    AttributeValue::Text(text) => escape(text),
                    AttributeValue::Encoded(_) => value.plain().into_owned(),
                };
                write!(f, "{plus}{kind}={value}")?;
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

/// Escapes a value (RFC 4514 §2.4).
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

/// Undoes the escapes of RFC 4514 §3: `\` with a special character, or with two hexadecimal digits. Trailing spaces that are
/// not escaped are not part of the value.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let mut kept = 0;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            if byte == 0 || ESCAPED.contains(&byte) {
                return None;
            }
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
            None => (*rest.first().filter(|byte| ESCAPED.contains(byte) || b" #=\\".contains(byte))?, 1),
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
            "commonName=app,organizationalUnitName=Ops,OID.2.5.4.10=Example Inc.",
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
        for none in [
            "",
            "app",
            "CN=app,",
            "CN=",
            "CN=app\\",
            "CN=a;O=b",
            "CN=\"a\"",
            "CN=a<b",
            "CN=\\app",
            "CM=app",
            "2.5.=app",
            "2=app",
            "CN=#",
            "CN=#0c",
            "CN=#0c0361",
            "CN=#0c03617070ff",
            "CN=#0c80617070",
            "CN=#app",
        ] {
            assert_eq!(Name::parse(none), None, "{none}");
        }
    }

    /// RFC 4514 §2.4: the encoding of a text is that text, whichever of the types of RFC 5280 §4.1.2.4 it has.
    #[test]
    fn values_by_their_encoding() {
        let name = Name::parse("CN=app,organizationIdentifier=PSD-1").unwrap();
        for spelling in [
            "2.5.4.3=#0C03617070,2.5.4.97=#13055053442d31",
            "commonName=#1603617070,2.5.4.97=PSD-1",
            "CN=#1e06006100700070 ,OID.2.5.4.97=PSD-1",
            "CN=#0c8103617070,organizationidentifier=PSD-1",
        ] {
            assert_eq!(Name::parse(spelling).as_ref(), Some(&name), "{spelling}");
        }
        // A bit string (RFC 4514 §4 has such an example, with another type).
        let other = Name::parse("2.5.4.45=#03020780,O=Test").unwrap();
        assert_eq!(other.to_string(), "x500UniqueIdentifier=#03020780,O=Test");
        assert_ne!(Name::parse("2.5.4.45=\\#03020780,O=Test"), Some(other), "a text that looks like an encoding");
    }

    /// RFC 4514 §4.
    #[test]
    fn what_is_written_is_read_again() {
        for value in ["James \"Jim\" Smith, III", "Before\rAfter", "#hash", " spaced ", "a+b=c;d<e>f\\g", "Lučić"] {
            let part = |kind: &str, value: &str| vec![(kind.to_owned(), AttributeValue::Text(value.to_owned()))];
            let name = Name(vec![part("CN", value), part("O", "x")]);
            assert_eq!(Name::parse(&name.to_string()), Some(name), "{value:?}");
        }
        assert_eq!(Name::parse("CN=Lu\\C4\\8Di\\C4\\87").unwrap().to_string(), "CN=Lučić");
    }
}
