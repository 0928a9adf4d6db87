//! The command line as a whole.

use clap::{CommandFactory, Parser};

use super::*;

/// A binary as main.rs makes it, with a command of its own that has a `--json` too.
#[derive(Debug, Parser)]
struct Binary {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Jobs(JobsCommand),
    Dev {
        #[arg(long)]
        json: bool,
    },
}

const ID: &str = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";

#[test]
fn the_definition_is_sound() {
    Binary::command().debug_assert();
}

#[test]
fn globals_are_read_before_and_after_the_command() {
    for line in [
        vec!["zama-jobs", "--json", "--api", "http://a", "status", ID],
        vec!["zama-jobs", "status", ID, "--api", "http://a", "--json"],
    ] {
        let binary = Binary::try_parse_from(line).expect("a valid line");
        assert!(binary.globals.json);
        assert_eq!(binary.globals.api.as_deref(), Some("http://a"));
        assert!(matches!(binary.command, Command::Jobs(JobsCommand::Status(args)) if args.id.to_string() == ID));
    }
}

#[test]
fn another_commands_own_json_flag_is_left_alone() {
    let binary = Binary::try_parse_from(["zama-jobs", "dev", "--json"]).expect("a valid line");
    assert!(matches!(binary.command, Command::Dev { json: true }));
}

#[test]
fn an_id_has_one_spelling() {
    let fault = Binary::try_parse_from(["zama-jobs", "status", "nonsense"]).expect_err("refused").to_string();
    assert!(fault.contains("a job id is a lower-case hyphenated UUID"), "{fault}");
}

#[test]
fn every_command_documents_the_exit_codes() {
    let binary = Binary::command();
    for name in [
        "submit", "quote", "status", "wait", "list", "cancel", "result", "receipt", "verify", "encrypt", "decrypt",
        "grant", "revoke", "usage", "whoami",
    ] {
        let command = binary.find_subcommand(name).expect("the command exists");
        assert_eq!(command.get_after_help().map(ToString::to_string).as_deref(), Some(EXIT_CODES), "{name}");
    }
}

#[test]
fn every_command_about_keys_documents_the_exit_codes() {
    let binary = Binary::command();
    let keys = binary.find_subcommand("keys").expect("the command exists");
    for name in ["network", "generate", "upload", "list", "sealing", "register"] {
        let command = keys.find_subcommand(name).expect("the command exists");
        assert_eq!(command.get_after_help().map(ToString::to_string).as_deref(), Some(EXIT_CODES), "{name}");
    }
    let keys = binary.find_subcommand("api-keys").expect("the command exists");
    for name in ["create", "list", "rotate", "revoke"] {
        let command = keys.find_subcommand(name).expect("the command exists");
        assert_eq!(command.get_after_help().map(ToString::to_string).as_deref(), Some(EXIT_CODES), "{name}");
    }
}

/// A secret on a command line stands in the process table and in the shell's history.
#[test]
fn secret_keys_are_never_flag_values() {
    for command in ["encrypt", "decrypt", "submit", "quote"] {
        let binary = Binary::command();
        let command = binary.find_subcommand(command).expect("the command exists");
        let secret =
            |flag: &&clap::Arg| ["submitter_key", "client_key", "sealing_key"].contains(&flag.get_id().as_str());
        let flags: Vec<_> = command.get_arguments().filter(secret).collect();
        assert!(flags.len() > 1, "{} takes keys", command.get_name());
        for flag in flags {
            let names = flag.get_value_names().expect("a value");
            assert_eq!(names, ["FILE"], "{}", flag.get_id());
            assert!(flag.get_env().is_none(), "{}", flag.get_id());
        }
    }
}
