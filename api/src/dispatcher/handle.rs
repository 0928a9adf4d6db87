//! How request handlers reach the dispatcher: they wake it, and never wait for it.

use std::sync::Arc;

use store::cancel::WorkflowRun;
use tokio::sync::{Notify, mpsc};

/// Cancellations that may wait to be told; more are found by the sweep.
const CANCEL_QUEUE: usize = 1024;

/// Cheap to clone; one for the whole process.
#[derive(Clone, Debug)]
pub struct Handle {
    starts: Arc<Notify>,
    keys: Arc<Notify>,
    cancels: mpsc::Sender<WorkflowRun>,
}

/// The dispatcher's ends of a [`Handle`].
#[derive(Debug)]
pub struct Mailbox {
    pub(super) starts: Arc<Notify>,
    pub(super) keys: Arc<Notify>,
    pub(super) cancels: mpsc::Receiver<WorkflowRun>,
}

/// A handle and its mailbox.
#[must_use]
pub fn channel() -> (Handle, Mailbox) {
    let starts = Arc::new(Notify::new());
    let keys = Arc::new(Notify::new());
    let (sender, receiver) = mpsc::channel(CANCEL_QUEUE);
    let handle = Handle { starts: starts.clone(), keys: keys.clone(), cancels: sender };
    (handle, Mailbox { starts, keys, cancels: receiver })
}

impl Handle {
    /// Tells that a start was committed.
    pub fn wake(&self) {
        self.starts.notify_one();
    }

    /// Tells that a key was uploaded.
    pub fn check_keys(&self) {
        self.keys.notify_one();
    }

    /// Tells that a cancellation was committed. When the queue is full the sweep tells the workflow instead.
    pub fn cancel(&self, run: WorkflowRun) {
        if self.cancels.try_send(run).is_err() {
            tracing::debug!("the cancellation waits for the sweep");
        }
    }
}
