//! Where a test lets the sender die: between any two of its steps, as kill -9 would. Not in release builds, and only in
//! a process that was started with ZAMA_TEST_MORTAL.

/// A step that is done; the next one has not begun.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Sealed,
    Estimated,
    WrittenAhead,
    Broadcast,
    /// A dearer transaction is written down and not sent.
    Raised,
    /// One that uses up a nonce is written down and not sent.
    Filled,
    Mined,
    Completed,
    /// A batch was taken back, and is not sent again.
    Lifted,
    Finalized,
    /// A transaction was given up for a stranger's, and its batch has no other.
    Overtaken,
    /// A batch was given up, and its jobs have no new indices.
    Abandoned,
}

/// Dies here if the folder of the development stack has a file `die-at/STEP`, and takes the file along.
#[cfg(debug_assertions)]
pub(super) fn after(step: Step) {
    if std::env::var_os("ZAMA_TEST_MORTAL").is_none() {
        return;
    }
    let Some(folder) = std::env::var_os("ZAMA_DEV_DATA_DIR") else { return };
    let order = std::path::Path::new(&folder).join("die-at").join(format!("{step:?}"));
    if std::fs::remove_file(order).is_ok() {
        let myself = nix::unistd::Pid::this();
        // Nothing is flushed and nothing is dropped.
        let _ = nix::sys::signal::kill(myself, nix::sys::signal::Signal::SIGKILL);
    }
}

#[cfg(not(debug_assertions))]
pub(super) fn after(_step: Step) {}
