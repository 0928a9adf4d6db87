//! Eyes for processes: who descends from whom, and who still lives.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

/// One process, told from a later one with the same pid by its start.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    name: String,
    started: String,
}

impl Process {
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// What it was started with.
    pub fn arguments(&self) -> Vec<String> {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split(|byte| *byte == 0).map(|argument| String::from_utf8_lossy(argument).into_owned()).collect()
    }

    /// The user that it runs as; none when it is gone.
    pub fn user(&self) -> Option<Uid> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let effective = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1))?;
        Some(Uid::from_raw(effective.parse().ok()?))
    }

    /// What it has computed so far, in the kernel's ticks.
    pub fn processor_time(&self) -> u64 {
        stat(self.pid).map_or(0, |stat| stat.processor_time)
    }

    pub fn kill_9(&self) {
        kill(Pid::from_raw(self.pid), Signal::SIGKILL).unwrap();
    }

    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state != "Z")
    }
}

/// All processes below one, at any depth.
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let everyone: Vec<(i32, Stat)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let mut below = vec![ancestor];
    let mut found = Vec::new();
    while let Some(parent) = below.pop() {
        for (pid, stat) in everyone.iter().filter(|(_, stat)| stat.parent == parent) {
            below.push(*pid);
            found.push(Process { pid: *pid, name: stat.name.clone(), started: stat.started.clone() });
        }
    }
    found
}

struct Stat {
    name: String,
    state: String,
    parent: i32,
    started: String,
    processor_time: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        name: name.to_owned(),
        state: fields.first()?.to_string(),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.to_string(),
        processor_time: fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?,
    })
}
