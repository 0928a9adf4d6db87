//! The command line, as whoever runs an installation uses it, and as a person elsewhere does.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use super::place::PROGRAM;
use super::stack::Stack;

/// A person's machine, which knows the API's address and nothing else.
pub struct Person {
    home: tempfile::TempDir,
    api: String,
}

/// A login that waits for its person.
pub struct Waiting {
    child: Child,
    /// What the person is told to type.
    pub user_code: String,
}

impl Stack {
    /// A command of the operator's, with the stack's settings.
    pub fn runs_command(&self, arguments: &[&str]) -> String {
        let output = self.tries(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// As [`Stack::runs_command`], however it ends.
    pub fn tries(&self, arguments: &[&str]) -> Output {
        let script = format!("set -a; . {}; exec {PROGRAM} \"$@\"", self.place.path("dev.env").display());
        let mut command = Command::new("sh");
        command.args(["-euc", &script, "sh"]).args(arguments).current_dir(self.place.data_dir());
        command.output().unwrap()
    }

    pub fn person(&self) -> Person {
        Person { home: tempfile::tempdir().unwrap(), api: self.api.clone() }
    }
}

impl Person {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["--api", &self.api]).args(arguments).current_dir(self.home.path());
        command.env("HOME", self.home.path()).env_remove("XDG_CONFIG_HOME").env_remove("ZAMA_TOKEN");
        command
    }

    pub fn runs(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same command so many times at once.
    pub fn runs_at_once(&self, times: usize, arguments: &[&str]) -> Vec<Output> {
        let start = |_| self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let children: Vec<Child> = (0..times).map(start).collect();
        children.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
    }

    /// Begins a login, and reads what it says.
    pub fn logs_in(&self) -> Waiting {
        let mut child =
            self.command(&["--json", "login"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let user_code = line.trim().rsplit_once("user_code=").unwrap_or_else(|| panic!("{line}")).1.to_owned();
        Waiting { child, user_code }
    }

    pub fn credentials(&self) -> PathBuf {
        self.home.path().join(".config/zama-jobs/credentials.json")
    }
}

impl Waiting {
    /// What it prints once the person has decided.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let mut told = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut told).unwrap();
        (self.child.wait().unwrap().code(), told)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
