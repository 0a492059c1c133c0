//! The file of `people export`: a line that says what it is, then sealed parts, one a line: a header, people, an end.
//!
//! Each part is sealed for its line of its file, so that lines can't be removed, exchanged, or put into another file.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::analysis::people::{Exported, Wanted};
use crate::cli::Environment;
use crate::config::load::files::{Files, why};
use crate::env::SystemRandomness;
use crate::store::seal::{Sealer, SealerError};

/// How the file begins, followed by an id of the export.
const MAGIC: &str = "countersign-people 1 ";
/// What the parts are sealed as.
const PART: &str = "people.part";

/// What is known of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The issuer of the broker whose people they are.
    pub(crate) issuer: String,
    /// The hash of its configuration.
    pub(crate) hash: String,
    /// When, in seconds since the Unix epoch.
    pub(crate) exported_at: i64,
    /// The salt of the pseudonyms.
    pub(crate) salt: String,
    /// The claims that were exported.
    pub(crate) wanted: Wanted,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Header(Header),
    People(Vec<Exported>),
    End(usize),
}

/// The key that a command names: the content of a file, or of an environment variable as `env:NAME`.
///
/// # Errors
/// There is no such file or variable; the text says how to make a key.
pub(crate) fn key(named: &str, environment: &Environment, files: &dyn Files) -> Result<Vec<u8>, String> {
    if let Some(name) = named.strip_prefix("env:") {
        let value = environment.get(name).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("the environment variable {name} has no key"))?;
        return Ok(value.trim_end().as_bytes().to_vec());
    }
    let read = files.read(Path::new(named)).map_err(|error| {
        let make = format!("openssl rand -base64 32 > {named}");
        format!("the key {named} can't be read: {}; `{make}` makes one, env:NAME names a variable", why(&error))
    })?;
    Ok(read.trim_ascii_end().to_vec())
}

fn sealer(key: Vec<u8>) -> Result<Sealer, String> {
    Sealer::new(&[key], Arc::new(SystemRandomness::default())).map_err(|error| match error {
        SealerError::TooShort(_) => {
            "the key has fewer than 16 bytes: make one with `openssl rand -base64 32 > people.key`".to_owned()
        }
        _ => "the cryptographic library refused the key".to_owned(),
    })
}

fn place(id: &str, line: usize) -> Vec<u8> {
    format!("{id} {line}").into_bytes()
}

/// Writes a file.
pub(crate) struct Sealing<'w> {
    out: &'w mut dyn Write,
    sealer: Sealer,
    id: String,
    line: usize,
}

impl<'w> Sealing<'w> {
    /// Begins a file. `id` is random.
    ///
    /// # Errors
    /// The key is too short, or the writer fails.
    pub(crate) fn begin(out: &'w mut dyn Write, key: Vec<u8>, id: &str, header: Header) -> Result<Self, String> {
        let sealer = sealer(key)?;
        writeln!(out, "{MAGIC}{id}").map_err(|error| unwritten(&error))?;
        let mut sealing = Self { out, sealer, id: id.to_owned(), line: 0 };
        sealing.part(&Part::Header(header))?;
        Ok(sealing)
    }

    /// Writes some people.
    ///
    /// # Errors
    /// The writer fails.
    pub(crate) fn people(&mut self, people: Vec<Exported>) -> Result<(), String> {
        if people.is_empty() { Ok(()) } else { self.part(&Part::People(people)) }
    }

    /// Ends the file, which has this many people.
    ///
    /// # Errors
    /// The writer fails.
    pub(crate) fn end(mut self, people: usize) -> Result<(), String> {
        self.part(&Part::End(people))
    }

    fn part(&mut self, part: &Part) -> Result<(), String> {
        let plain = serde_json::to_vec(part).map_err(|error| error.to_string())?;
        let sealed = self.sealer.seal(PART, &place(&self.id, self.line), &plain).map_err(|error| error.to_string())?;
        self.line += 1;
        writeln!(self.out, "{}", URL_SAFE_NO_PAD.encode(sealed)).map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &std::io::Error) -> String {
    format!("the output can't be written: {error}")
}

/// A file that was read.
pub(crate) struct SealedPeople {
    /// What is known of the export.
    pub(crate) header: Header,
    file: String,
    sealer: Sealer,
    id: String,
    lines: Vec<String>,
}

impl SealedPeople {
    /// Reads a file, and opens its header.
    ///
    /// # Errors
    /// It can't be read, is no such file, was altered, or was sealed with another key.
    pub(crate) fn open(path: &Path, key: Vec<u8>, files: &dyn Files) -> Result<Self, String> {
        let file = path.display().to_string();
        let bytes = files.read(path).map_err(|error| format!("{file} can't be read: {}", why(&error)))?;
        let text = String::from_utf8(bytes).ok();
        let mut lines = text.iter().flat_map(|text| text.lines());
        let id = lines.next().and_then(|first| first.strip_prefix(MAGIC));
        let id = id.ok_or_else(|| format!("{file} was not written by `countersign people export`"))?.to_owned();
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let sealer = sealer(key)?;
        let Some(Part::Header(header)) = lines.first().and_then(|line| opened(&sealer, &id, 0, line)) else {
            return Err(format!("{file} can't be opened: it was sealed with another key, or altered"));
        };
        Ok(Self { header, file, sealer, id, lines })
    }

    /// The people, with an error where the file was altered or has no end.
    pub(crate) fn people(&self) -> impl Iterator<Item = Result<Exported, String>> + '_ {
        let mut number = 0_usize;
        let last = self.lines.len().saturating_sub(1);
        let altered = || format!("{} was altered, or its end is missing: export the people again", self.file);
        self.lines.iter().enumerate().skip(1).flat_map(move |(at, line)| {
            match opened(&self.sealer, &self.id, at, line) {
                Some(Part::People(people)) if at < last => {
                    number += people.len();
                    people.into_iter().map(Ok).collect()
                }
                Some(Part::End(whole)) if at == last && whole == number => Vec::new(),
                _ => vec![Err(altered())],
            }
        })
    }
}

fn opened(sealer: &Sealer, id: &str, line: usize, text: &str) -> Option<Part> {
    let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
    let plain = sealer.open(PART, &place(id, line), &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}
