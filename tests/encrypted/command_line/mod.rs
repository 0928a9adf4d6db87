//! The commands of `zama-jobs` about encrypted jobs, run as people and scripts run them: what goes to stdout, what to
//! stderr, and the exit code. Under the network's key, under a key of one's own, and what is refused.

mod network_key;
mod own_key;
mod refusals;

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::story::{KEY_CACHE, Owner};
use crate::harness::{PROGRAM, Run, Stack};

/// A person at a shell of an own machine: address, token, node, registry and submitter's key in the environment, and a
/// folder to work in.
struct Shell<'a> {
    owner: Owner<'a>,
    folder: TempDir,
}

impl<'a> Shell<'a> {
    async fn of(stack: &'a Stack, user: &str) -> Self {
        Self { owner: Owner::colleague(stack, user).await, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let stack = self.owner.zama.stack;
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.env("ZAMA_API", &stack.api).env("ZAMA_TOKEN", &self.owner.zama.token).env("ZAMA_KEY_CACHE", KEY_CACHE);
        command.env("ZAMA_RPC", &stack.rpc).env("ZAMA_REGISTRY", &stack.registry);
        command.env("ZAMA_SUBMITTER_KEY", &self.owner.secret);
        command
    }

    fn runs(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// What a person sees of a command that does as it was told.
    fn person(&self, arguments: &[&str]) -> Run {
        self.runs(arguments).ends(0)
    }

    /// What a script reads of it: stdout is one document.
    fn script(&self, arguments: &[&str]) -> Value {
        self.runs(&[arguments, &["--json"]].concat()).ends(0).document()
    }

    /// A command that ends with another code than 0: a person finds the reason on stderr, and a script on stdout too.
    fn refused(&self, arguments: &[&str], code: i32, reason: &str) {
        let run = self.runs(arguments).ends(code);
        assert!(run.stdout.is_empty() && run.stderr.contains(reason), "{arguments:?}: {reason} in {run:?}");
        let run = self.runs(&[arguments, &["--json"]].concat()).ends(code);
        assert!(run.stderr.contains(reason), "{arguments:?}: {run:?}");
        let error = &run.document::<Value>()["error"];
        assert_eq!(error["exit_code"], json!(code), "{arguments:?}: {run:?}");
    }
}
