//! A process that is stopped for a while: it keeps its connections and answers nobody.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[must_use = "dropping it ends the outage"]
pub struct Outage {
    pid: Pid,
}

impl Outage {
    pub fn begin(pid: i32) -> Self {
        let pid = Pid::from_raw(pid);
        kill(pid, Signal::SIGSTOP).unwrap();
        Self { pid }
    }

    pub fn over(self) {}
}

impl Drop for Outage {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill(self.pid, Signal::SIGCONT);
    }
}
