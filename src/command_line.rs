//! The command line as a whole: which of the flags that may stand anywhere serve which command. One that would change
//! nothing is refused, and is not in the command's help.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use crate::Cli;

/// Settings are read.
const CONFIG: &str = "config";
/// The answer has a form for programs.
const JSON: &str = "json";
/// The API is asked ...
const API: &str = "api";
/// ... as somebody.
const TOKEN: &str = "token";

/// What a command has a use for, by the names that lead to it. One that is not listed takes none.
fn useful(path: &[&str]) -> &'static [&'static str] {
    match path {
        ["api" | "worker" | "kms" | "health" | "lago-standin"] => &[CONFIG],
        // They tell on stderr alone that it is done.
        ["clients", "delete"] | ["token", "keys", "withdraw"] => &[CONFIG],
        ["migrate" | "login-code"] | ["kms", "init"] => &[CONFIG, JSON],
        ["temporal" | "chain" | "tenants" | "credits" | "billing" | "token" | "clients" | "policy", ..] => {
            &[CONFIG, JSON]
        }
        // It has a flag of its own.
        ["dev", "status"] => &[JSON],
        // On this machine alone, or against the chain.
        ["verify"] | ["keys", "generate" | "sealing"] => &[JSON],
        ["login" | "logout"] => &[API, JSON],
        [
            "submit" | "quote" | "status" | "wait" | "list" | "cancel" | "result" | "receipt" | "encrypt" | "decrypt"
            | "grant" | "revoke" | "keys" | "api-keys" | "audit" | "usage" | "whoami",
            ..,
        ] => &[API, TOKEN, JSON],
        _ => &[],
    }
}

/// Reads the line; ends the program where it is wrong, as clap does.
pub fn read() -> Cli {
    let matches = definition().get_matches();
    let read = refusal(&matches).map_or_else(|| Cli::from_arg_matches(&matches), Err);
    read.unwrap_or_else(|error| error.exit())
}

/// As declared, but that each command shows in its help only those of the flags that serve it.
fn definition() -> Command {
    let declared = Cli::command();
    let anywhere = anywhere(&declared);
    declared.mut_subcommands(|below| fitted(below, &[], &anywhere))
}

/// The flags that may stand before a command and after it.
fn anywhere(declared: &Command) -> Vec<Arg> {
    declared.get_arguments().filter(|flag| flag.is_global_set()).cloned().collect()
}

fn fitted(command: Command, above: &[&str], anywhere: &[Arg]) -> Command {
    let name = command.get_name().to_owned();
    let path = [above, &[name.as_str()]].concat();
    let own: Vec<_> = command.get_arguments().map(|flag| flag.get_id().clone()).collect();
    let useful = useful(&path);
    let flags = anywhere.iter().filter(|flag| !own.contains(flag.get_id()));
    let flags = flags.map(|flag| flag.clone().hide(!useful.contains(&flag.get_id().as_str())));
    command.args(flags).mut_subcommands(|below| fitted(below, &path, anywhere))
}

/// The refusal of a flag on the line that its command has no use for. Variables of the environment are for whom they
/// concern.
fn refusal(matches: &ArgMatches) -> Option<Error> {
    let mut path = Vec::new();
    let mut at = matches;
    while let Some((name, below)) = at.subcommand() {
        path.push(name);
        at = below;
    }
    let useful = useful(&path);
    let is_given = |flag: &&str| matches.value_source(flag) == Some(ValueSource::CommandLine);
    let vain = [CONFIG, API, TOKEN, JSON].into_iter().filter(|flag| !useful.contains(flag)).find(is_given)?;
    let told = format!("`zama-jobs {}` has no use for --{vain}", path.join(" "));
    Some(definition().error(ErrorKind::ArgumentConflict, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each command takes, by the names that lead to it.
    fn commands() -> Vec<(Vec<String>, Command)> {
        let mut found = Vec::new();
        let mut open: Vec<(Vec<String>, Command)> = vec![(Vec::new(), definition())];
        while let Some((path, command)) = open.pop() {
            for below in command.get_subcommands() {
                let path = [path.as_slice(), &[below.get_name().to_owned()]].concat();
                open.push((path, below.clone()));
            }
            found.push((path, command));
        }
        found.retain(|(path, _)| !path.is_empty());
        found
    }

    fn is_refused(line: &[&str]) -> Option<String> {
        let matches = definition().try_get_matches_from([&["zama-jobs"], line].concat());
        let error = match matches {
            Ok(matches) => refusal(&matches)?,
            Err(error) => error,
        };
        assert_eq!(error.exit_code(), 2, "{line:?}: {error}");
        Some(error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
        let flags: Vec<_> = anywhere(&Cli::command()).iter().map(|flag| flag.get_id().to_string()).collect();
        assert_eq!(flags.len(), 4, "{flags:?}: each is in the table of who has a use for it");
        assert!([CONFIG, API, TOKEN, JSON].iter().all(|flag| flags.iter().any(|known| known == flag)), "{flags:?}");
    }

    /// A command that is new takes none of them until the table says so; this says what may be in the table.
    #[test]
    fn every_command_shows_the_flags_that_it_has_a_use_for() {
        for (path, command) in commands() {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            for flag in [CONFIG, API, TOKEN, JSON] {
                let shown = command.get_arguments().any(|known| known.get_id() == flag && !known.is_hide_set());
                assert_eq!(shown, useful(&path).contains(&flag), "{path:?} --{flag}");
            }
            let asks = useful(&path).contains(&API) || useful(&path).contains(&TOKEN);
            assert!(!(asks && useful(&path).contains(&CONFIG)), "{path:?}: a client has no settings");
        }
    }

    #[test]
    fn the_table_names_commands_that_there_are() {
        let commands = commands();
        let serves = |name: &str| {
            let of_it = commands.iter().filter(|(path, _)| path[0] == name);
            of_it.map(|(path, _)| useful(&path.iter().map(String::as_str).collect::<Vec<_>>()).len()).max()
        };
        for none in ["demo", "config", "openapi", "fhe-child", "spawn"] {
            assert_eq!(serves(none), Some(0), "{none}");
        }
        let listed = commands.iter().filter(|(path, _)| path.len() == 1 && serves(&path[0]) != Some(0)).count();
        let all = commands.iter().filter(|(path, _)| path.len() == 1).count();
        assert_eq!(all - listed, 5, "every other command takes one of the flags");
    }

    #[test]
    fn a_flag_without_effect_is_refused_wherever_it_stands() {
        for server in [&["api"][..], &["worker"], &["kms"], &["lago-standin", "--data", "d", "--key", "k"]] {
            for flag in [&["--token", "secret"][..], &["--api", "http://a"], &["--json"]] {
                for line in [[flag, server].concat(), [server, flag].concat()] {
                    let said = is_refused(&line).unwrap_or_else(|| panic!("{line:?} is accepted"));
                    assert!(said.contains(&format!("`zama-jobs {}` has no use for {}", server[0], flag[0])), "{said}");
                    assert!(!said.contains("secret"), "{said}");
                }
            }
        }
        for line in [
            &["dev", "--config", "c.toml"][..],
            &["--config", "c.toml", "demo"],
            &["dev", "--json"],
            &["dev", "stop", "--json"],
            &["demo", "--ready-file", "f"],
            &["config", "--json"],
            &["--config", "c.toml", "whoami"],
            &["verify", "receipt.json", "--token", "t"],
            &["migrate", "--token", "t"],
        ] {
            assert!(is_refused(line).is_some(), "{line:?}");
        }
    }

    #[test]
    fn a_flag_with_effect_stands_before_its_command_or_after_it() {
        for line in [
            &["--config", "c.toml", "api"][..],
            &["worker", "--config", "c.toml"],
            &["--json", "dev", "status"],
            &["dev", "status", "--json"],
            &["dev", "--ready-file", "f"],
            &["migrate", "--json"],
            &["--json", "kms", "init"],
            &["--json", "token", "keys", "list"],
            &["billing", "close-month", "2026-11", "--json", "--config", "c.toml"],
            &["--api", "http://a", "login"],
            &["keys", "list", "--api", "http://a", "--token", "t", "--json"],
        ] {
            assert_eq!(is_refused(line), None, "{line:?}");
            let matches = definition().try_get_matches_from([&["zama-jobs"], line].concat()).expect("a valid line");
            let cli = Cli::from_arg_matches(&matches).expect("a valid line");
            assert_eq!(cli.globals.json, line.contains(&"--json"), "{line:?}");
            assert_eq!(cli.config.is_some(), line.contains(&"--config"), "{line:?}");
        }
    }
}
