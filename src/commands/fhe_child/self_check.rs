//! What a confined process still could do to its surroundings: told by trying. Tests compare it with nothing at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _, stdout};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::Result;
use nix::sys::prctl::get_dumpable;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Tries everything, and prints which attempts succeeded: `{"read the worker's environment": false, ...}`.
pub(super) fn run(parent: i32, is_root: bool) -> Result<()> {
    let of_parent = |file: &str| fs::read(format!("/proc/{parent}/{file}")).is_ok();
    let memory = File::options().read(true).write(true).open(format!("/proc/{parent}/mem"));
    let attempts = BTreeMap::from([
        ("read the worker's environment", of_parent("environ")),
        ("read the worker's command line", of_parent("cmdline")),
        ("open the worker's memory", memory.is_ok()),
        ("read a file", fs::read("/etc/passwd").is_ok()),
        ("list a folder", fs::read_dir("/").is_ok()),
        ("write a file", fs::write("/tmp/zama-jobs-fhe-child", b"here").is_ok()),
        ("listen", TcpListener::bind("127.0.0.1:0").is_ok()),
        ("connect", TcpStream::connect("127.0.0.1:9").is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)),
        ("send", UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("make a local socket", UnixStream::pair().is_ok()),
        ("signal the worker", kill(Pid::from_raw(parent), None).is_ok()),
        ("start a program", Command::new("/bin/true").spawn().is_ok()),
        ("look at its own settings", get_dumpable().is_ok()),
        ("be root", is_root),
    ]);
    // Threads it needs.
    let threads = std::thread::Builder::new().name("needed".to_owned()).spawn(|| ()).is_ok_and(|it| it.join().is_ok());
    let told = serde_json::json!({ "could": attempts, "threads": threads });
    writeln!(stdout(), "{told}")?;
    Ok(())
}
