//! `[ui]`: how the pages look. Owns the section's types and reading the template files; what becomes of them is the pages'
//! business (`pages`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{Problems, Severity};
use crate::config::load::Loaded;
use crate::config::load::files::Files;

/// `[ui]`: looks.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ui {
    /// Logo on every page: an https URL (http on loopback) that browsers load it from. Its alternative text is the text
    /// `brand.name`.
    pub logo_uri: Option<String>,
    /// Accent colour, `#rrggbb`, of buttons, links and marks. Where its contrast with the page would be too low, light or
    /// dark, it is shown darker or lighter.
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
    /// When the text is anything else; the error says what is expected.
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

/// A template file of the folder that `ui.templates` names.
#[derive(Clone, Debug)]
pub struct TemplateFile {
    /// Its name without the folder, such as `sign_in.html`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// Reads the templates, sorted by name, and has the folder and its files watched. A folder without any, and a file that
/// can't be read, are problems at the place that names the folder.
pub fn read_templates(loaded: &mut Loaded, files: &dyn Files) -> (Vec<TemplateFile>, Problems) {
    let (mut found, mut problems) = (Vec::new(), Problems::default());
    let Some(folder) = loaded.config.as_ref().and_then(|config| config.ui.templates.clone()) else {
        return (found, problems);
    };
    let section = At::Root.key("ui");
    let at = section.key("templates");
    let span = loaded.layers.nearest_span(&at);
    let mut report = |message: String, way_out: &str| {
        let problem =
            loaded.layers.problem_at(Severity::Error, span, at.to_string(), format!("`templates`: {message}"));
        problems.push(problem.suggest_maybe(Some(way_out.to_owned()).filter(|text| !text.is_empty())));
    };
    let paths = files.glob(&folder, "*.html").unwrap_or_else(|reason| {
        report(format!("{} can't be read: {reason}", folder.display()), "");
        Vec::new()
    });
    if paths.is_empty() {
        let message = format!("the folder {} must hold templates but has no file *.html", folder.display());
        report(message, "put one there, such as base.html or sign_in.html, or leave the key out");
    }
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let text = files.read(&path).map_err(|error| error.to_string());
        match text.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())) {
            Ok(text) => found.push(TemplateFile { name, path: path.clone(), text }),
            Err(reason) => report(format!("{} can't be read: {reason}", path.display()), ""),
        }
        loaded.involved.files.insert(path);
    }
    loaded.involved.folders.insert(folder);
    (found, problems)
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
