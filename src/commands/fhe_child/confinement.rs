//! What a computing process gives up before it reads anything from outside: root, files, sockets, other processes.
//!
//! The system calls that remain are listed, and all others fail with EPERM. Landlock (Linux 5.13 and newer) says the
//! same of files, sockets and signals once more, in a place of its own in the kernel.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus, Scope};
use nix::libc::{self, c_long};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, getpid, setgroups, setresgid, setresuid};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Compare, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::output;

/// The user `nobody`, and its group: who computes when the worker is root.
const NOBODY: u32 = 65_534;
/// Standard input, output and error, and no file beside.
const OPEN_FILES: u64 = 3;
/// `PR_SET_NAME`: threads have names.
const SET_NAME: u64 = libc::PR_SET_NAME as u64;

/// System calls of a process that computes on several threads and talks over pipes that are open already.
const ALLOWED: [c_long; 33] = [
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    // The other filter has the last word on it.
    libc::SYS_clone3,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_fstat,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Root can do too much, even here. Where there is no other user (some containers), that is said, and the rest of the
/// confinement stands alone.
pub(super) fn give_up_root() {
    if !Uid::effective().is_root() {
        return;
    }
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let given_up =
        setgroups(&[]).and_then(|()| setresgid(group, group, group)).and_then(|()| setresuid(user, user, user));
    if let Err(error) = given_up {
        output::notice(format_args!("the computing process stays root: {error}"));
    }
}

/// Leaves this process its pipes, its memory and its threads. Called while there is one thread alone.
///
/// # Errors
/// The kernel does not know seccomp, or refuses.
pub(super) fn confine() -> Result<()> {
    set_no_new_privs().context("Failed to give up new privileges")?;
    landlock()?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0).context("Failed to forbid files")?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES).context("Failed to forbid further files")?;
    seccomp()
}

fn landlock() -> Result<()> {
    let newest = ABI::V6;
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(newest)))
        .and_then(|rules| rules.scope(Scope::from_all(newest)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    match restricted.context("Failed to close the file system")?.ruleset {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => {
            output::notice("this kernel knows a part of Landlock alone; seccomp confines the computing process");
        }
        RulesetStatus::NotEnforced => {
            output::notice("this kernel has no Landlock; seccomp alone confines the computing process");
        }
    }
    Ok(())
}

fn seccomp() -> Result<()> {
    // The flags of `clone3` lie in memory, where no filter looks. Unknown, it is replaced by `clone`. First, since the
    // second filter allows no third.
    let no_clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    install(no_clone3, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32), "the filter of clone3")?;
    install(allowed()?, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow, "the list of system calls")
}

fn install(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
    name: &'static str,
) -> Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).with_context(|| format!("{name}: unknown processor"))?;
    let filter = SeccompFilter::new(rules, others, these, arch).with_context(|| format!("{name} is not sound"))?;
    let program = seccompiler::BpfProgram::try_from(filter).with_context(|| format!("{name} cannot be compiled"))?;
    seccompiler::apply_filter(&program).with_context(|| format!("Failed to install {name}"))
}

fn allowed() -> Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    let thread = libc::CLONE_THREAD as u64;
    let us = u64::from(getpid().as_raw().unsigned_abs());
    // Threads and no processes (`fork` and `vfork` are not listed); names of threads; our own end and limits, nobody else's.
    rules.insert(libc::SYS_clone, only(Length::Qword, Compare::MaskedEq(thread), thread)?);
    rules.insert(libc::SYS_prctl, only(Length::Dword, Compare::Eq, SET_NAME)?);
    rules.insert(libc::SYS_tgkill, only(Length::Dword, Compare::Eq, us)?);
    rules.insert(libc::SYS_prlimit64, only(Length::Dword, Compare::Eq, 0)?);
    Ok(rules)
}

/// Where the first argument compares so.
fn only(length: Length, compare: Compare, value: u64) -> Result<Vec<SeccompRule>> {
    let condition = SeccompCondition::new(0, length, compare, value).context("a condition is not sound")?;
    Ok(vec![SeccompRule::new(vec![condition]).context("a rule is not sound")?])
}
