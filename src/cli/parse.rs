//! Reading the command line: a configuration file that is given as an argument works as `--config` does.

use std::ffi::OsString;

use clap::Parser as _;

use crate::cli::Cli;

/// Reads the arguments, of which the first is the program's name. Where they are wrong, and would be right if a file in TOML
/// were named by `--config`, it is.
///
/// # Errors
/// The arguments are wrong, or ask for help; the error prints itself.
pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args).or_else(|error| {
        let named = args.iter().enumerate().skip(1).rev();
        let mut named = named.filter(|(_, arg)| arg.to_str().is_some_and(|arg| arg.ends_with(".toml")));
        named.find_map(|(at, file)| Cli::try_parse_from(with_config(args, at, file)).ok()).ok_or(error)
    })
}

fn with_config(args: &[OsString], at: usize, file: &OsString) -> Vec<OsString> {
    let mut option = OsString::from("--config=");
    option.push(file);
    args.iter().enumerate().map(|(n, arg)| if n == at { option.clone() } else { arg.clone() }).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::Command;

    fn read(line: &str) -> Result<Command, String> {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        parse(&args).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_as_an_argument_is_the_configuration() {
        for line in ["x explain alice my.toml", "x explain my.toml alice", "x explain --last my.toml --refused"] {
            let Ok(Command::Explain(args)) = read(line) else { panic!("{line}: {:?}", read(line)) };
            assert_eq!(args.source.config, Path::new("my.toml"), "{line}");
        }
        let Ok(Command::Users(args)) = read("x users list my.toml --json") else { panic!() };
        assert_eq!(args.broker.config.config, Path::new("my.toml"));
        let Ok(Command::Healthcheck(args)) = read("x healthcheck my.toml") else { panic!() };
        assert_eq!(args.config.config, Path::new("my.toml"));
        let Ok(Command::Plan(args)) = read("x plan new.toml my.toml") else { panic!() };
        assert_eq!((args.new.as_path(), args.source.config.as_path()), (Path::new("new.toml"), Path::new("my.toml")));
    }

    #[test]
    fn what_is_wrong_otherwise_is_reported_as_it_was_written() {
        assert!(read("x users lst my.toml").unwrap_err().contains("unrecognized subcommand 'lst'"));
        assert!(read("x check my.toml --strct").unwrap_err().contains("unexpected argument '--strct'"));
        assert!(read("x users list broker.tml").unwrap_err().contains("unexpected argument 'broker.tml'"));
    }
}
