//! The hidden `zama-jobs spawn` subcommand: gives up rights, ties its life to its parent's, becomes the program.
//!
//! The order matters: the kernel forgets the parent-death signal when a process changes its user, so the signal is
//! set after the user; and a parent that died in between would never send it, so the parent is compared last.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, getppid, setgid, setgroups, setuid};

/// What `zama-jobs spawn` is told by the supervisor.
#[derive(Args)]
pub struct SpawnArgs {
    /// Process that this one must not outlive.
    #[arg(long)]
    parent: i32,
    /// Signal that the kernel sends when the parent dies.
    #[arg(long)]
    death_signal: Signal,
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

/// Replaces this process by the program; returns only when that failed.
///
/// # Errors
/// The user cannot be changed, the parent is gone, or the program cannot be executed.
pub fn spawn(args: &SpawnArgs) -> Result<ExitCode> {
    if let (Some(uid), Some(gid)) = (args.uid, args.gid) {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        setgroups(&[gid]).context("Failed to give up the groups")?;
        setgid(gid).with_context(|| format!("Failed to change to group {gid}"))?;
        setuid(uid).with_context(|| format!("Failed to change to user {uid}"))?;
    }
    set_pdeathsig(args.death_signal).context("Failed to set the parent-death signal")?;
    if getppid().as_raw() != args.parent {
        bail!("the parent ended before {} began", args.program[0]);
    }
    let (program, rest) = args.program.split_first().context("no program was given")?;
    let error = Command::new(program).args(rest).exec();
    Err(error).with_context(|| format!("Failed to execute {program}"))
}
