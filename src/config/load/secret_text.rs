//! Turns the content of a secret file or variable into the intended secret.
//!
//! Editors and shells leave line ends and byte order marks that are not intended, and they are not part of a secret. What can't
//! be intended, or can't be sent, is refused here with the reason, because the other side would only report a wrong secret.

/// The form that a secret's text must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretKind {
    /// A client secret: one line of printable ASCII (RFC 6749 §A.2). Other letters cause a warning, because they arrive only if
    /// both sides form-encode them (RFC 6749 §2.3.1).
    Client,
    /// One line of printable ASCII: a bearer token (RFC 6750 §2.1), a password hash.
    Line,
    /// Several lines: a private key, PEM, or the JSON file that has one.
    Pem,
    /// Any text: a key is derived from it, and it is never sent.
    Seed,
}

impl SecretKind {
    /// The kind of the secret setting with this path.
    pub(crate) fn of(path: &str) -> Self {
        if path.ends_with(".client_secret") {
            Self::Client
        } else if path.ends_with(".client_key") || path.ends_with(".groups_from.credentials") {
            Self::Pem
        } else if path.starts_with("store.encryption_keys") {
            Self::Seed
        } else {
            Self::Line
        }
    }
}

/// A secret that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meant<'t> {
    /// The secret.
    pub(crate) secret: &'t str,
    /// A warning about it, to follow the name of its place.
    pub(crate) warning: Option<String>,
}

/// The text of a file.
///
/// # Errors
/// If it is not UTF-8; the reason mentions UTF-16 if it is that.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    const UTF_16: &str = "it is UTF-16: save it as UTF-8";
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UTF_16);
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
    if text.contains('\0') {
        return Err("it has zero bytes, as UTF-16 text has: save it as UTF-8");
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The secret that a text is intended to be.
///
/// # Errors
/// What is wrong with it, to follow the name of its place. The text itself is never repeated.
pub(crate) fn meant(kind: SecretKind, text: &str) -> Result<Meant<'_>, String> {
    let without_mark = text.strip_prefix('\u{feff}').unwrap_or(text);
    let secret = match kind {
        SecretKind::Client | SecretKind::Line => without_mark.trim_end_matches(['\n', '\r']),
        SecretKind::Pem => without_mark,
        SecretKind::Seed => text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(text),
    };
    if secret.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    let warning = match kind {
        SecretKind::Client | SecretKind::Line => one_line(kind, secret)?,
        SecretKind::Pem | SecretKind::Seed => None,
    };
    Ok(Meant { secret, warning })
}

/// Refuses text that can't be one line of printable ASCII; returns a warning about other letters.
fn one_line(kind: SecretKind, secret: &str) -> Result<Option<String>, String> {
    if secret.contains(['\n', '\r']) {
        return Err("must be one line but has a line end inside: remove it".to_owned());
    }
    if secret.trim() != secret {
        return Err("must not begin or end with white space: remove it".to_owned());
    }
    let Some((at, c)) = secret.chars().enumerate().find(|(_, c)| !matches!(c, ' '..='~')) else { return Ok(None) };
    let message = format!("must be printable ASCII (RFC 6749 §A.2), but its character {} is not", at + 1);
    if kind == SecretKind::Client && secret.chars().all(|c| c == ' ' || is_visible(c)) && !c.is_control() {
        return Ok(Some(message.replace("must be", "should be")));
    }
    Err(message)
}

/// Whether a character is visible.
fn is_visible(c: char) -> bool {
    let format = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    !c.is_control() && !c.is_whitespace() && !format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_as_it_is_meant() {
        for text in ["s3cret x", "s3cret x\n", "s3cret x\n\n", "s3cret x\r\n", "s3cret x\r", "\u{feff}s3cret x\r\n\r\n"]
        {
            let expected = Ok(Meant { secret: "s3cret x", warning: None });
            assert_eq!(meant(SecretKind::Client, text), expected, "{text:?}");
            assert_eq!(meant(SecretKind::Line, text), expected, "{text:?}");
        }
        assert_eq!(decode(b"\xef\xbb\xbfs3cret\n".to_vec()).as_deref(), Ok("s3cret\n"));
        for (bytes, part) in [
            (&b"\xff\xfes\x003\x00"[..], "UTF-16"),
            (b"\xfe\xff\x00s\x003", "UTF-16"),
            (b"s\x003\x00\n\x00", "UTF-16"),
            (b"s\xe9cret", "not UTF-8"),
        ] {
            let reason = decode(bytes.to_vec()).err().unwrap_or_default();
            assert!(reason.contains(part), "{bytes:?}: {reason}");
        }
    }

    #[test]
    fn what_can_not_be_meant_is_refused_without_repeating_it() {
        for (text, part) in [
            ("", "empty"),
            ("\n\n", "empty"),
            (" \t\n", "empty"),
            ("\u{feff}", "empty"),
            ("canary ", "white space"),
            (" canary", "white space"),
            ("canary \n", "white space"),
            ("canary\t\r\n", "white space"),
            ("can\nary", "line end inside"),
            ("can\rary", "line end inside"),
            ("\ncanary", "line end inside"),
            ("can\tary", "character 4 is not"),
            ("canary\u{a0}canary", "character 7 is not"),
            ("can\u{e4}ry", "character 4 is not"),
            ("canary\u{200b}", "character 7 is not"),
        ] {
            let reason = meant(SecretKind::Line, text).err().unwrap_or_default();
            assert!(reason.contains(part) && !reason.contains("canary"), "{text:?}: {reason:?}");
            let of_client = meant(SecretKind::Client, text);
            if text.contains('\u{e4}') {
                let warning = of_client.ok().and_then(|meant| meant.warning).unwrap_or_default();
                assert!(warning.contains("should be printable ASCII") && warning.contains("character 4"), "{warning}");
            } else {
                assert_eq!(of_client.err(), Some(reason), "{text:?}");
            }
        }
    }

    #[test]
    fn a_key_keeps_its_lines_and_a_seed_its_text() {
        for (kind, text, secret) in [
            (SecretKind::Pem, "\u{feff}-----BEGIN\nx\n", "-----BEGIN\nx\n"),
            (SecretKind::Seed, " a\nb \r\n", " a\nb "),
        ] {
            assert_eq!(meant(kind, text), Ok(Meant { secret, warning: None }));
        }
    }
}
