//! Commands that cannot print: a reader that went away has seen enough, and a full disk is one line on stderr.

use std::fs::File;
use std::io::PipeWriter;
use std::process::{Command, Stdio};

use crate::anvil::Anvil;
use crate::stage::{Operator, PROGRAM, Run, Stage};

/// Commands that ask nobody.
const ALONE: [&[&str]; 4] =
    [&["openapi"], &["config"], &["billing", "conformance", "--list"], &["billing", "conformance", "--list", "--json"]];
/// Commands that ask the database or the chain, and what they end with.
const ASKING: [(&[&str], i32); 7] = [
    (&["chain", "status"], 9),
    (&["chain", "status", "--json"], 9),
    (&["billing", "notices"], 0),
    (&["billing", "notices", "--trouble"], 9),
    (&["billing", "notices", "--trouble", "--json"], 9),
    (&["tenants", "list", "--json"], 0),
    (&["token", "keys", "list", "--json"], 0),
];
const FULL: &str = "zama-jobs: Failed to write to stdout: No space left on device (os error 28)\n";

/// What is written there nobody reads any more.
fn unread() -> PipeWriter {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn alone(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(std::env::temp_dir()).env_clear().stdin(Stdio::null());
    command
}

#[track_caller]
fn ends(run: &Run, code: i32, told: &str) {
    assert_eq!((run.code, run.stderr.as_str()), (Some(code), told), "{run:?}");
}

#[test]
fn a_reader_that_went_away_has_seen_enough() {
    for arguments in ALONE {
        ends(&Run::of(alone(arguments).stdout(unread())), 0, "");
    }
    for flag in ["--help", "--version"] {
        ends(&Run::of(alone(&[flag]).stdout(unread())), 0, "");
    }
}

#[test]
fn a_full_disk_is_told_in_one_line() {
    for arguments in ALONE {
        ends(&Run::of(alone(arguments).stdout(full())), 1, FULL);
    }
}

#[tokio::test]
async fn whoever_reads_the_exit_code_is_that_of_what_was_found() {
    let mut stage = Stage::new().await;
    stage.operator.set("ZAMA__LOG__FILTER", "off");
    stage.operator.set("ZAMA__BILLING__LAGO_URL", "");
    stage.operator.set("ZAMA__CHAIN__LOW_BALANCE_ETH", "10000.5");
    let trouble = "INSERT INTO billing_notices (unique_key, kind, body) VALUES ('one', 'events.errors', '{}')";
    stage.outbox.execute(trouble).await;
    for (arguments, code) in ASKING {
        let command = || {
            let mut command = stage.operator.command(arguments[0]);
            command.args(&arguments[1..]);
            command
        };
        ends(&Run::of(command().stdout(unread())), code, "");
        ends(&Run::of(command().stdout(full())), 1, FULL);
    }
}

#[tokio::test]
async fn a_message_that_nobody_hears_leaves_the_exit_code() {
    let stage = Stage::new().await;
    for (name, arguments, code) in [("tenants", ["show", "nobody"], 1), ("chain", ["confirm-failed", "nobody"], 2)] {
        let run = Run::of(stage.operator.command(name).args(arguments).stderr(unread()));
        assert_eq!(run.code, Some(code), "{run:?}");
    }
    let undeployed = Operator::beside(Anvil::start(&[]));
    let declined = Run::of(undeployed.command("chain").arg("deploy").stderr(unread()));
    assert_eq!(declined.code, Some(10), "{declined:?}");
}
