//! The exit codes of commands.

/// The result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Success.
    Fine = 0,
    /// A problem was found.
    Problem = 1,
    /// The arguments are wrong.
    Usage = 2,
    /// It could not run.
    CouldNotRun = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
