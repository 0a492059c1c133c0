//! Standard output: a reader that stops reading is no error, and colour is only for terminals that show it.

use std::io::{self, ErrorKind, Write};

use crate::cli::Environment;

/// A writer whose reader may go away, as `head` does. What is written afterwards is dropped, so that the command ends with the
/// exit code that its result has.
#[derive(Debug)]
pub struct Output<W>(W);

impl<W: Write> Output<W> {
    /// Writes to `inner`.
    pub const fn new(inner: W) -> Self {
        Self(inner)
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Whether output is coloured: only on a terminal, not with `NO_COLOR` (if it is not empty), and not on a terminal that is
/// called `dumb`.
#[must_use]
pub fn colour(environment: &Environment, terminal: bool) -> bool {
    let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = environment.get("TERM").is_some_and(|name| name == "dumb");
    terminal && !refused && !dumb
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_a_full_disk_is_one() {
        let mut pipe = Output::new(Closed(ErrorKind::BrokenPipe));
        writeln!(pipe, "text").and_then(|()| pipe.flush()).unwrap();
        assert_eq!(
            writeln!(Output::new(Closed(ErrorKind::StorageFull)), "x").unwrap_err().kind(),
            ErrorKind::StorageFull
        );
    }

    #[test]
    fn colour_is_for_terminals_that_show_it() {
        for (variables, terminal, expected) in [
            (&[][..], true, true),
            (&[], false, false),
            (&[("NO_COLOR", "1")], true, false),
            (&[("NO_COLOR", "")], true, true),
            (&[("TERM", "dumb")], true, false),
            (&[("TERM", "xterm-256color")], true, true),
        ] {
            let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(colour(&environment, terminal), expected, "{variables:?}");
        }
    }
}
