//! What a stack reports while it starts, runs and stops; the console prints one line for each.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::part::PartName;

/// Receives every event, from any task.
pub type Progress = Arc<dyn Fn(&Event) + Send + Sync>;

#[derive(Clone, Debug)]
pub enum Event {
    /// A part serves, for the first time or again.
    Ready { name: PartName, address: SocketAddr, took: Duration, restarts: u32 },
    /// A step between the engines and our own parts is done.
    Provisioned { step: &'static str, took: Duration },
    /// A part died and will be started again.
    Died { name: PartName, how: String, again_in: Duration, log: PathBuf },
    /// Something that a person should know.
    Notice { name: PartName, text: String },
    /// A part was stopped on request.
    Stopped { name: PartName, how: &'static str },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { name, address, took, restarts: 0 } => {
                write!(f, "{name:<12} {address:<18} ready in {:.1} s", took.as_secs_f64())
            }
            Self::Ready { name, address, took, restarts } => {
                write!(f, "{name:<12} {address:<18} ready again in {:.1} s (restart {restarts})", took.as_secs_f64())
            }
            Self::Provisioned { step, took } => write!(f, "{step:<12} {:<18} done in {:.1} s", "", took.as_secs_f64()),
            Self::Died { name, how, again_in, log } => {
                let wait = again_in.as_secs_f64();
                write!(f, "{name:<12} died ({how}); starting it again in {wait:.1} s, see {}", log.display())
            }
            Self::Notice { name, text } => write!(f, "{name:<12} {text}"),
            Self::Stopped { name, how } => write!(f, "{name:<12} {how}"),
        }
    }
}
