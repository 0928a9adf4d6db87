//! A worker that the test starts, kills and starts again by itself, beside a stack that has none.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use super::dev::spawn;
use super::place::PROGRAM;
use super::stack::Stack;

pub struct OwnWorker {
    child: Child,
}

impl OwnWorker {
    /// Starts it with the stack's settings and these on top; it works when the stack's jobs do.
    pub fn start(stack: &Stack, settings: &[(&str, &str)]) -> Self {
        let environment = stack.place.path("dev.env");
        let script = format!("set -a; . {}; exec env \"$@\" {PROGRAM} worker", environment.display());
        let mut command = Command::new(PROGRAM);
        command.args(["spawn", "--parent", &std::process::id().to_string(), "--death-signal", "SIGKILL", "--"]);
        command.args(["sh", "-euc", &script, "sh"]).current_dir(stack.place.data_dir());
        command.args(settings.iter().map(|(key, value)| format!("{key}={value}")));
        let log = stack.place.data_dir().join("logs/worker.log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { child: spawn(command) }
    }

    /// kill -9.
    pub fn dies(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for OwnWorker {
    fn drop(&mut self) {
        self.end();
    }
}
