//! The process that reads outside bytes and computes on them. It is disposable: bytes that make tfhe panic are
//! refused, and bytes that make it abort kill this process alone, which its parent then starts again.

mod compile;
pub mod frames;
mod inbox;
mod keyring;
pub mod protocol;
mod run;

#[cfg(test)]
mod tests;

use std::io::{Read, Write};

pub use self::compile::{Compile, CompileError, Compiled, compile};
use self::frames::FrameError;
use self::inbox::{Inbox, Work};
use self::keyring::Keyring;
use self::protocol::{Event, Request};
use crate::profile;

/// The child's main loop: answers requests until the parent closes its end. [`Request::Stop`] is taken while an
/// operation runs; one that comes when nothing runs any more has no answer.
///
/// # Errors
/// Frames that cannot be read or written: the parent is gone, or is no parent of ours.
pub fn serve(reader: impl Read + Send + 'static, writer: impl Write) -> Result<(), FrameError> {
    serve_with(reader, writer, &compile)
}

/// [`serve`] with another compiler of payloads.
///
/// # Errors
/// As [`serve`].
pub fn serve_with(
    reader: impl Read + Send + 'static,
    writer: impl Write,
    compile: &Compile<'_>,
) -> Result<(), FrameError> {
    profile::pin();
    let inbox = Inbox::open(reader);
    let mut events = Events(writer);
    let mut keys = Keyring::default();
    while let Some(Work { request, stop }) = inbox.next() {
        match request {
            Request::LoadKey(load) => events.send(&keys.load(load))?,
            Request::CheckKey { evaluation_key } => events.send(&keyring::check(&evaluation_key.0))?,
            Request::Run(run) => {
                let last = run::run(*run, &keys, compile, &stop, &mut events)?;
                events.send(&last)?;
            }
            Request::Stop => {}
        }
    }
    inbox.close()
}

/// The way to the parent.
struct Events<W>(W);

impl<W: Write> Events<W> {
    fn send(&mut self, event: &Event) -> Result<(), FrameError> {
        frames::write(&mut self.0, event)
    }
}
