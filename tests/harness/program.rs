//! `zama-jobs` as its users run it: a process, and what it gave.

use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

use super::place::PROGRAM;
use super::stack::Stack;
use super::zama::Zama;

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end; its stdin is no terminal.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The value that stands behind a label, a line each.
    pub fn line(&self, label: &str) -> &str {
        let value = self.stdout.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix("  "));
        value.unwrap_or_else(|| panic!("no {label} in {self:?}")).trim()
    }

    /// Ended so.
    #[must_use]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// What a script reads: stdout is one document and nothing else.
    pub fn document<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Stack {
    /// `zama-jobs …` with the stack's settings, as its operator runs it.
    pub fn runs(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Run {
        let environment = self.place.path("dev.env");
        let script = format!("set -a; . {}; set +a; exec env \"$@\"", environment.display());
        let mut command = Command::new("sh");
        command.args(["-euc", &script, "sh"]).current_dir(self.place.data_dir());
        command.args(settings.iter().map(|(key, value)| format!("{key}={value}")));
        Run::of(command.arg(PROGRAM).args(arguments))
    }
}

impl Zama<'_> {
    /// `zama-jobs …` with address and token of this client and nothing else.
    pub fn runs(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.stack.place.data_dir());
        command.env_clear().env("ZAMA_API", &self.stack.api).env("ZAMA_TOKEN", &self.token);
        Run::of(&mut command)
    }
}
