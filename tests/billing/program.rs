//! `zama-jobs` as its operator runs it, beside a test's database and its stand-in.

use std::fs::File;
use std::io::Write as _;
use std::process::Stdio;

use nix::pty::openpty;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use tokio::process::Command;

use crate::stage::{KEY, Stage};

const PROGRAM: &str = env!("CARGO_BIN_EXE_zama-jobs");
/// Where Lago is to tell its notices, and nobody listens.
pub const WEBHOOK: &str = "http://127.0.0.1:1/v1/billing/lago-webhook";

/// What a run of the program gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Ended so.
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// What a script reads.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl Stage {
    /// `zama-jobs …` where nobody is there to ask.
    pub async fn runs(&self, arguments: &[&str]) -> Run {
        self.run(arguments, Stdio::null()).await
    }

    /// The same on a terminal, where somebody types a line.
    pub async fn runs_and_answers(&self, arguments: &[&str], answer: &str) -> Run {
        let terminal = openpty(None, None).unwrap();
        let mut hands = File::from(terminal.master);
        writeln!(hands, "{answer}").unwrap();
        let run = self.run(arguments, Stdio::from(terminal.slave)).await;
        drop(hands);
        run
    }

    async fn run(&self, arguments: &[&str], input: Stdio) -> Run {
        let database = self.outbox.options().to_url_lossy().to_string();
        let key = self.folder.path().join("signing.pem");
        let settings = [
            ("ZAMA__AUTH__SIGNING_KEY_FILE", key.to_str().unwrap()),
            ("ZAMA__DATABASE__URL", database.as_str()),
            ("ZAMA__BILLING__LAGO_URL", self.origin.as_str()),
            ("ZAMA__BILLING__LAGO_KEY", KEY),
            ("ZAMA__BILLING__WEBHOOK_URL", WEBHOOK),
        ];
        let mut command = Command::new(PROGRAM);
        // No `.zama/dev.env` is above the folder.
        command.args(arguments).current_dir(self.folder.path()).env_clear().envs(settings);
        let output = command.stdin(input).kill_on_drop(true).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
