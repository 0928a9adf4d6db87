//! One test in the words and with the arguments of Rust's own runner, which cannot ignore a test for what it finds when it
//! runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// What Rust's runner ends with when a test failed.
const FAILED: u8 = 101;

/// Arguments that are followed by a value.
const WITH_VALUES: [&str; 6] = ["--test-threads", "--format", "--logfile", "--color", "-Z", "--shuffle-seed"];

/// What is found once the test is to run.
pub enum Outcome {
    Run(Box<dyn FnOnce()>),
    /// Why not.
    Ignored(String),
}

/// What the arguments ask for.
#[derive(Default)]
struct Asked {
    names: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    only_ignored: bool,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => asked.exact = true,
                "--list" => asked.list = true,
                "--ignored" => asked.only_ignored = true,
                "--skip" => asked.skipped.extend(arguments.next()),
                option if WITH_VALUES.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                name => asked.names.push(name.to_owned()),
            }
        }
        asked
    }

    fn is_about(&self, test: &str) -> bool {
        let fits = |name: &String| if self.exact { test == name } else { test.contains(name.as_str()) };
        (self.names.is_empty() || self.names.iter().any(fits)) && !self.skipped.iter().any(fits) && !self.only_ignored
    }
}

/// Runs the test, if the arguments ask for it. `prepare` finds out whether it can run here.
pub fn run(test: &str, prepare: impl FnOnce() -> Outcome) -> ExitCode {
    let asked = Asked::read(std::env::args().skip(1));
    let is_wanted = asked.is_about(test);
    if asked.list {
        if is_wanted {
            println!("{test}: test");
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} test{}", u8::from(is_wanted), if is_wanted { "" } else { "s" });
    let [mut passed, mut failed, mut ignored] = [0_u8; 3];
    if is_wanted {
        match prepare() {
            Outcome::Ignored(why) => {
                ignored = 1;
                println!("test {test} ... ignored, {why}");
            }
            Outcome::Run(work) => {
                let ended = catch_unwind(AssertUnwindSafe(work));
                (passed, failed) = if ended.is_ok() { (1, 0) } else { (0, 1) };
                println!("test {test} ... {}", if ended.is_ok() { "ok" } else { "FAILED" });
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let filtered = u8::from(!is_wanted);
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {filtered} filtered out\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
