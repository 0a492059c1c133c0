//! `countersign completions` and `countersign man`: what shells and `man` read.

use std::io::{self, Write};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::exit::Exit;

/// `countersign completions`
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: Shell,
}

/// Writes the completions of a shell for this command line.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &CompletionsArgs, mut command: Command, out: &mut dyn Write) -> io::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "countersign", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Fine)
}

/// Writes the manual page of this command line.
///
/// # Errors
/// When the writer fails.
pub fn man(command: Command, out: &mut dyn Write) -> io::Result<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    out.write_all(&page)?;
    Ok(Exit::Fine)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn shells_and_man_know_every_command() {
        let commands: Vec<String> = Cli::command().get_subcommands().map(|one| one.get_name().to_owned()).collect();
        assert!(commands.len() > 15, "{commands:?}");
        let mut texts = Vec::new();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut out = Vec::new();
            run(&CompletionsArgs { shell }, Cli::command(), &mut out).unwrap();
            texts.push(String::from_utf8(out).unwrap());
        }
        let mut out = Vec::new();
        man(Cli::command(), &mut out).unwrap();
        // A manual page escapes hyphens.
        texts.push(String::from_utf8(out).unwrap().replace("\\-", "-"));
        for text in texts {
            assert!(commands.iter().all(|command| text.contains(command.as_str())), "{text}");
        }
    }
}
