//! A role of the program as a process of its own, without a stack around it.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::dev::spawn;
use super::place::{PROGRAM, Place};

pub struct Role {
    child: Child,
    log: PathBuf,
}

impl Role {
    /// Starts it in the place, with these settings and none of the caller's; does not wait.
    pub fn start(place: &Place, name: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let log = place.path(&format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["spawn", "--parent", &std::process::id().to_string(), "--death-signal", "SIGKILL", "--"]);
        command.arg(PROGRAM).args(arguments).current_dir(place.path("."));
        command.env_clear().envs(place.settings.iter().copied()).envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self { child: spawn(command), log }
    }

    /// What it has logged.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
