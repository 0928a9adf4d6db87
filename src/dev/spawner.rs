//! The one thread that forks all children. The kernel sends a parent-death signal when the *thread* that forked a
//! child ends, so children must not be forked from a runtime's worker threads: this thread never ends.

use std::io;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result, anyhow};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Request {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Held for ever, so that the thread's queue never closes.
static QUEUE: OnceLock<Sender<Request>> = OnceLock::new();

/// Starts a child; this runtime can wait for it.
///
/// # Errors
/// The program cannot be started.
pub async fn start(command: Command) -> Result<Child> {
    let (reply, answer) = oneshot::channel();
    let request = Request { command, runtime: Handle::current(), reply };
    queue().send(request).map_err(|_| anyhow!("the spawning thread has ended"))?;
    answer.await.context("the spawning thread has ended")?.context("Failed to start a process")
}

fn queue() -> &'static Sender<Request> {
    QUEUE.get_or_init(|| {
        let (sender, requests) = channel::<Request>();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || {
                for request in requests {
                    let _runtime = request.runtime.enter();
                    let child = tokio::process::Command::from(request.command).spawn();
                    // Nobody waits any more: the stack is being stopped, and a child of no one must not stay.
                    if let Err(Ok(mut orphan)) = request.reply.send(child) {
                        let _ = orphan.start_kill();
                    }
                }
            })
            .expect("a thread can be started");
        sender
    })
}
