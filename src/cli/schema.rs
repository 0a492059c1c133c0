//! `countersign schema`: the JSON Schema of the configuration language, for editors and for the repository.

use std::io::{self, Write};

use crate::cli::Exit;
use crate::config::schema::text;

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(out: &mut dyn Write) -> io::Result<Exit> {
    out.write_all(text().as_bytes())?;
    Ok(Exit::Fine)
}
