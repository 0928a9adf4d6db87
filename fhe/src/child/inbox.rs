//! Requests are read on a thread of their own, so that a stop arrives while an operation runs.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use super::frames::{self, FrameError};
use super::protocol::Request;

/// Requests in their order, stops excepted.
pub(super) struct Inbox {
    requests: Receiver<Work>,
    reader: JoinHandle<Result<(), FrameError>>,
}

/// A request and the sign that it is to be left.
pub(super) struct Work {
    pub(super) request: Request,
    pub(super) stop: Stop,
}

/// A stop is meant for what was asked before it, whether that runs already or not, and for nothing later.
pub(super) struct Stop {
    number: u64,
    stopped: Arc<AtomicU64>,
}

impl Stop {
    pub(super) fn is_asked(&self) -> bool {
        self.stopped.load(Ordering::Acquire) >= self.number
    }
}

impl Inbox {
    pub(super) fn open(mut reader: impl Read + Send + 'static) -> Self {
        let (sender, requests) = channel();
        let reader = thread::spawn(move || {
            let stopped = Arc::new(AtomicU64::new(0));
            let mut number = 0;
            let outcome = loop {
                match frames::read(&mut reader) {
                    Ok(Some(Request::Stop)) => stopped.store(number, Ordering::Release),
                    Ok(Some(request)) => {
                        number += 1;
                        let stop = Stop { number, stopped: Arc::clone(&stopped) };
                        if sender.send(Work { request, stop }).is_err() {
                            break Ok(());
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            // Nobody waits for an answer any more.
            stopped.store(u64::MAX, Ordering::Release);
            outcome
        });
        Self { requests, reader }
    }

    /// The next request; `None` when no more can come.
    pub(super) fn next(&self) -> Option<Work> {
        self.requests.recv().ok()
    }

    /// How reading ended.
    pub(super) fn close(self) -> Result<(), FrameError> {
        drop(self.requests);
        self.reader.join().unwrap_or_else(|_| Err(FrameError::Message("the reader panicked".to_owned())))
    }
}
