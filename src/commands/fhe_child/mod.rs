//! `zama-jobs fhe-child`: the process that reads outside ciphertexts and computes on them. An FHE worker starts it; it
//! holds no secret, can reach none, and cannot outlive or outgrow what its worker grants.

mod confinement;
mod self_check;

use std::io::{stdin, stdout};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Uid, getppid, setsid};

/// What the worker grants.
#[derive(clap::Args)]
pub struct FheChildArgs {
    /// The worker's process id: without it there is nothing to compute for.
    #[arg(long)]
    parent: i32,
    /// Largest address space in bytes.
    #[arg(long)]
    memory_bytes: u64,
    /// Serve nobody: print what this process could do to its surroundings, as JSON.
    #[arg(long)]
    self_check: bool,
}

/// Serves the worker until it closes its end.
///
/// # Errors
/// The worker is gone, or speaks another language; or this process cannot be confined.
pub fn run(args: &FheChildArgs) -> Result<()> {
    // It was started as /proc/self/exe, and would be called "exe".
    set_name(c"zama-fhe-child").context("Failed to name this process")?;
    // A session of its own: a terminal's Ctrl-C is for the worker, which then ends this process.
    setsid().context("Failed to begin a session")?;
    confinement::give_up_root();
    // After the user: a change of user clears it.
    set_pdeathsig(Signal::SIGKILL).context("Failed to set the parent-death signal")?;
    if getppid().as_raw() != args.parent {
        bail!("the worker ended before its computing process began");
    }
    setrlimit(Resource::RLIMIT_AS, args.memory_bytes, args.memory_bytes).context("Failed to limit the memory")?;
    // A core would hold ciphertexts and 300 MB of keys.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("Failed to forbid core files")?;
    // Keys, inputs and results come and go through the pipes, so that nothing else is needed from here on.
    let is_root = Uid::effective().is_root();
    confinement::confine()?;
    if args.self_check {
        return self_check::run(args.parent, is_root);
    }
    fhe::child::serve(stdin(), stdout()).context("the worker cannot be understood")
}
