//! What a part of the stack is: a process as data, so that a new one is a new entry in a list.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::data_dir::DataDir;
use super::probe::Probe;

/// The names under which `dev status` shows the parts, in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PartName {
    Postgres,
    Temporal,
    Anvil,
    Lago,
    Kms,
    Worker,
    WorkerFhe,
    Api,
}

impl PartName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Temporal => "temporal",
            Self::Anvil => "anvil",
            Self::Lago => "lago",
            Self::Kms => "kms",
            Self::Worker => "worker",
            Self::WorkerFhe => "worker-fhe",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The unprivileged user that a part changes to.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
}

/// Mends a part's files; answers what a person should know about it.
pub type BeforeStart = fn(&DataDir) -> Result<Option<String>>;

/// One process of the stack.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: PartName,
    pub program: PathBuf,
    pub args: Vec<String>,
    /// The whole environment: nothing is inherited but what stands here.
    pub env: Vec<(String, String)>,
    /// The user to run as; `None` keeps ours.
    pub identity: Option<Identity>,
    /// Where people and other parts reach it.
    pub address: SocketAddr,
    /// How to tell that it serves.
    pub probe: Probe,
    /// Parts that must serve before this one starts.
    pub depends_on: &'static [PartName],
    /// Asks it to stop in its own time.
    pub stop_signal: Signal,
    /// How long it may take before it is killed.
    pub stop_timeout: Duration,
    /// What the kernel sends it when we die without a word.
    pub death_signal: Signal,
    /// How long the first start may take.
    pub start_timeout: Duration,
    /// Looks after the part's files before each start; what it says is shown.
    pub before_start: Option<BeforeStart>,
}
