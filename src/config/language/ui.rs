//! `[ui]`: the appearance of the pages.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// `[ui]`: the appearance of the pages.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ui {
    /// Logo on every page: an https URL (http on loopback) from which browsers load it. Its alternative text is the text
    /// `brand.name`.
    pub logo_uri: Option<String>,
    /// Accent colour, `#rrggbb`, of buttons, links and marks. If its contrast with the light or dark page would be too low, it
    /// is made darker or lighter there.
    pub color: Option<Color>,
    /// Texts that replace the built-in ones, by language (`"*"`: all) and key, such as `"brand.name"`.
    #[serde(default)]
    pub texts: BTreeMap<String, BTreeMap<String, String>>,
    /// Folder of templates (`*.html`) that replace the built-in ones of the same name.
    #[schemars(extend("x-path" = true))]
    pub templates: Option<PathBuf>,
}

/// A colour written as `#rrggbb`: red, green and blue of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

impl Color {
    /// Parses `#rrggbb`.
    ///
    /// # Errors
    /// If the text is anything else; the error says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a colour such as \"#0c5f50\"";
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(EXPECTED)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(EXPECTED);
        }
        let bytes = u32::from_str_radix(digits, 16).map_err(|_| EXPECTED)?.to_be_bytes();
        let [_, red, green, blue] = bytes;
        Ok(Self([red, green, blue]))
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Color {
    fn schema_name() -> Cow<'static, str> {
        "Color".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^#[0-9A-Fa-f]{6}$",
            "description": "A colour such as \"#0c5f50\".",
            "x-expected": "a colour such as \"#0c5f50\""
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!(Color::parse("#0c5F50"), Ok(Color([0x0c, 0x5f, 0x50])));
        for bad in ["", "#", "0c5f50", "#0c5f5", "#0c5f500", "#0c5f5g", "#+c5f50", "red", "#fff", "#ééé"] {
            assert!(Color::parse(bad).is_err(), "{bad}");
        }
    }
}
