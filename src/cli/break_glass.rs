//! `countersign break-glass hash`: makes the password hash of the break-glass account.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::cli::Exit;
use crate::env::SystemRandomness;
use crate::snapshot::password_hash::PasswordHash;

/// A password of fewer characters causes a warning.
const SHORT: usize = 12;

/// Arguments of `break-glass`.
#[derive(Debug, Args)]
pub struct BreakGlassArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: BreakGlassCommand,
}

/// What `break-glass` can do.
#[derive(Debug, Subcommand)]
pub enum BreakGlassCommand {
    /// Ask for a password twice and print its Argon2id hash, for `break_glass.password_hash`. Without a terminal the password
    /// is the first line of the input.
    Hash,
}

/// Where passwords are read from.
pub trait Passwords {
    /// The next one, without its line end; `None` at the end of the input.
    ///
    /// # Errors
    /// When it can't be read.
    fn next(&mut self, prompt: &str) -> io::Result<Option<String>>;

    /// Whether a person types them, and may mistype one.
    fn typed(&self) -> bool;
}

/// The process's input: a terminal, which does not show what is typed, or anything else.
pub struct Input;

/// Shows what is typed again when it is dropped.
struct Hidden<F: AsFd>(F, Termios);

impl<F: AsFd> Hidden<F> {
    fn of(terminal: F) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self(terminal, before))
    }
}

impl<F: AsFd> Drop for Hidden<F> {
    fn drop(&mut self) {
        // The command is about to end: nobody is left to be told.
        let _ = tcsetattr(&self.0, OptionalActions::Flush, &self.1);
    }
}

impl Passwords for Input {
    fn next(&mut self, prompt: &str) -> io::Result<Option<String>> {
        let input = io::stdin();
        let _hidden = if input.is_terminal() {
            let mut out = io::stderr();
            write!(out, "{prompt}: ")?;
            out.flush()?;
            Some(Hidden::of(io::stdin())?)
        } else {
            None
        };
        let mut line = String::new();
        let read = input.lock().read_line(&mut line)?;
        let text = line.strip_suffix('\n').unwrap_or(&line);
        Ok((read > 0).then(|| text.strip_suffix('\r').unwrap_or(text).to_owned()))
    }

    fn typed(&self) -> bool {
        io::stdin().is_terminal()
    }
}

/// Runs the command: the hash alone goes to `out`, everything else to `notes`.
///
/// # Errors
/// When the input can't be read, or a writer fails.
pub fn run(
    args: &BreakGlassArgs,
    passwords: &mut dyn Passwords,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> io::Result<Exit> {
    let BreakGlassCommand::Hash = args.command;
    let first = passwords.next("Password of the break-glass account")?.unwrap_or_default();
    if first.is_empty() {
        writeln!(notes, "error: the password is empty")?;
        return Ok(Exit::Problem);
    }
    if passwords.typed() && passwords.next("The same once more")?.as_ref() != Some(&first) {
        writeln!(notes, "error: the two passwords differ")?;
        return Ok(Exit::Problem);
    }
    if first.chars().count() < SHORT {
        writeln!(notes, "warning: the password has fewer than {SHORT} characters; a longer one is harder to guess")?;
    }
    match PasswordHash::make(&first, &SystemRandomness::default()) {
        Ok(hash) => {
            writeln!(out, "{hash}")?;
            Ok(Exit::Fine)
        }
        Err(error) => {
            writeln!(notes, "error: {error}")?;
            Ok(Exit::CouldNotRun)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    struct Lines(Vec<&'static str>, bool);

    impl Passwords for Lines {
        fn next(&mut self, _: &str) -> io::Result<Option<String>> {
            Ok((!self.0.is_empty()).then(|| self.0.remove(0).to_owned()))
        }

        fn typed(&self) -> bool {
            self.1
        }
    }

    fn hash(lines: &[&'static str], typed: bool) -> (Exit, String, String) {
        let (mut out, mut notes) = (Vec::new(), Vec::new());
        let args = BreakGlassArgs { command: BreakGlassCommand::Hash };
        let exit = run(&args, &mut Lines(lines.to_vec(), typed), &mut out, &mut notes).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap())
    }

    #[test]
    fn only_the_hash_is_printed_and_it_is_accepted() {
        for (lines, typed) in [(&["correct horse battery"][..], false), (&["correct horse battery"; 2], true)] {
            let (exit, out, notes) = hash(lines, typed);
            assert_eq!((exit, notes.as_str()), (Exit::Fine, ""));
            let text = out.strip_suffix('\n').unwrap();
            assert_eq!(PasswordHash::parse(text).unwrap().matches("correct horse battery"), Ok(true));
        }
    }

    #[test]
    fn a_password_that_is_empty_or_mistyped_is_refused_and_a_short_one_warned_about() {
        for (lines, typed, exit, note) in [
            (&[][..], false, Exit::Problem, "the password is empty"),
            (&[""], false, Exit::Problem, "the password is empty"),
            (&["correct horse", "correct house"], true, Exit::Problem, "the two passwords differ"),
            (&["correct horse"], true, Exit::Problem, "the two passwords differ"),
            (&["short"], false, Exit::Fine, "fewer than 12 characters"),
        ] {
            let (found, out, notes) = hash(lines, typed);
            assert_eq!(found, exit, "{lines:?}");
            assert!(notes.contains(note), "{lines:?}: {notes}");
            assert_eq!(out.is_empty(), exit != Exit::Fine, "{lines:?}: {out}");
            assert!(!notes.contains("horse"), "{notes}");
        }
    }
}
