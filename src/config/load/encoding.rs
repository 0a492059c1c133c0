//! The text of a file, and what is said about bytes that are none.

/// The text of a file, without its byte order mark.
///
/// # Errors
/// Where it stops being UTF-8 and what it probably is instead, to follow the name of the file.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, String> {
    if let Some(name) = wide(&bytes) {
        return Err(format!("it is {name}, not UTF-8: save it as UTF-8"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => Err(misfit(error.utf8_error().valid_up_to(), error.as_bytes())),
    }
}

/// The name of an encoding with two or four bytes for each character: by its byte order mark, or because every other byte of an
/// ASCII text is zero.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [0, first, 0, second, ..] | [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some("UTF-16"),
        _ => None,
    }
}

/// The first byte that is not UTF-8: its line and column, and the character that it is in Latin-1, if it is a letter there.
fn misfit(offset: usize, bytes: &[u8]) -> String {
    let before = bytes.get(..offset).unwrap_or_default();
    let byte = bytes.get(offset).copied().unwrap_or_default();
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(before.get(start..).unwrap_or_default()).chars().count() + 1;
    let guess = match windows_1252(byte) {
        Some((c, encoding)) => format!("; it is {c:?} in {encoding}: save the file as UTF-8"),
        None => ": save the file as UTF-8".to_owned(),
    };
    format!("line {line}, column {column} is not UTF-8: byte 0x{byte:02X}{guess}")
}

/// The character of a byte in Latin-1, or in Windows-1252, which adds quotes and dashes to it.
fn windows_1252(byte: u8) -> Option<(char, &'static str)> {
    match byte {
        0xa1..=0xff => Some((char::from(byte), "Latin-1")),
        0x80 => Some(('€', "Windows-1252")),
        0x84 => Some(('„', "Windows-1252")),
        0x91 => Some(('‘', "Windows-1252")),
        0x92 => Some(('’', "Windows-1252")),
        0x93 => Some(('“', "Windows-1252")),
        0x94 => Some(('”', "Windows-1252")),
        0x96 => Some(('–', "Windows-1252")),
        0x97 => Some(('—', "Windows-1252")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_with_or_without_a_mark() {
        assert_eq!(decode(b"\xef\xbb\xbfa = \"\xc3\xa9\"".to_vec()), Ok("a = \"é\"".to_owned()));
        assert_eq!(decode(Vec::new()), Ok(String::new()));
    }

    #[test]
    fn other_bytes_are_named_with_their_place_and_what_they_may_be() {
        for (bytes, said) in [
            (
                &b"a = 1\nb = \"\xc3\xa9t\xe9\"\n"[..],
                "line 2, column 8 is not UTF-8: byte 0xE9; it is 'é' in Latin-1: save the file as UTF-8",
            ),
            (
                b"a = \x93x\x94",
                "line 1, column 5 is not UTF-8: byte 0x93; it is '“' in Windows-1252: save the file as UTF-8",
            ),
            (b"\n\n\x81", "line 3, column 1 is not UTF-8: byte 0x81: save the file as UTF-8"),
            (
                b"a = 1 # \xe2\x82",
                "line 1, column 9 is not UTF-8: byte 0xE2; it is 'â' in Latin-1: save the file as UTF-8",
            ),
            (b"\xff\xfea\0", "it is UTF-16, not UTF-8: save it as UTF-8"),
            (b"\xfe\xff\0a", "it is UTF-16, not UTF-8: save it as UTF-8"),
            (b"i\0s\0s\0", "it is UTF-16, not UTF-8: save it as UTF-8"),
            (b"\0i\0s\0s", "it is UTF-16, not UTF-8: save it as UTF-8"),
            (b"\xff\xfe\0\0a\0\0\0", "it is UTF-32, not UTF-8: save it as UTF-8"),
        ] {
            assert_eq!(decode(bytes.to_vec()), Err(said.to_owned()));
        }
    }
}
