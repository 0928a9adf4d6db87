//! What a running stack tells about itself: the state file that `dev status` reads, and what it reads back.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::data_dir::{DataDir, write_private};
use super::part::{Part, PartName};
use super::probe::Probe;

/// One part as the state file holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub name: PartName,
    pub pid: Option<u32>,
    /// Clock ticks from boot to the process's start: tells it from a later process with the same pid.
    pub started_ticks: Option<u64>,
    pub address: SocketAddr,
    pub restarts: u32,
    pub probe: Probe,
}

impl Entry {
    /// Whether the process that this entry names is still there.
    pub fn is_alive(&self) -> bool {
        self.started_ticks.is_some() && self.pid.and_then(started_ticks) == self.started_ticks
    }
}

/// The parts of this process's stack; every change goes to the state file.
#[derive(Clone, Debug)]
pub struct Board {
    data: DataDir,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Board {
    pub fn new(data: DataDir) -> Self {
        Self { data, entries: Arc::default() }
    }

    /// Adds a part that is about to start.
    pub fn add(&self, part: &Part) {
        self.change(|entries| {
            entries.push(Entry {
                name: part.name,
                pid: None,
                started_ticks: None,
                address: part.address,
                restarts: 0,
                probe: part.probe.clone(),
            });
        });
    }

    pub fn set_pid(&self, name: PartName, pid: Option<u32>) {
        self.change(|entries| {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) {
                entry.pid = pid;
                entry.started_ticks = pid.and_then(started_ticks);
            }
        });
    }

    /// Counts one more restart and tells how many there were.
    pub fn count_restart(&self, name: PartName) -> u32 {
        let mut count = 0;
        self.change(|entries| {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) {
                entry.restarts += 1;
                count = entry.restarts;
            }
        });
        count
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Entry>)) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut entries);
        let written = serde_json::to_string_pretty(&*entries)
            .context("Failed to write the state")
            .and_then(|text| write_private(&self.data.state_file(), &text));
        if let Err(error) = written {
            tracing::warn!("the state file is out of date: {error:#}");
        }
    }
}

/// The parts that a state file names; none when there is no such file.
///
/// # Errors
/// The file cannot be understood.
pub fn read(state_file: &Path) -> Result<Vec<Entry>> {
    match fs::read_to_string(state_file) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("Failed to read {}", state_file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("Failed to read {}", state_file.display())),
    }
}

/// Field 22 of /proc/PID/stat; none for a process that is gone or a zombie.
fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and brackets; what follows its last bracket is plain.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    const BETWEEN_STATE_AND_START: usize = 18;
    fields.nth(BETWEEN_STATE_AND_START)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_start() {
        let own = started_ticks(std::process::id());
        assert!(own.is_some());
        assert_eq!(own, started_ticks(std::process::id()));
        assert_ne!(own, started_ticks(1));
        assert_eq!(started_ticks(u32::MAX), None);
    }
}
