//! What commands print: answers on stdout, messages on stderr. Unlike `println!`, nothing here panics where nobody
//! reads any more or nothing can be written.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stderr, stdout};

use anyhow::{Error, Result};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// An answer as it is.
///
/// # Errors
/// stdout cannot be written. A reader that went away has seen enough.
pub fn bytes(bytes: &[u8]) -> Result<()> {
    write_to(stdout().lock(), bytes)
}

/// The same of text.
///
/// # Errors
/// As [`bytes`].
pub fn text(text: impl Display) -> Result<()> {
    bytes(text.to_string().as_bytes())
}

/// A line of an answer.
///
/// # Errors
/// As [`bytes`].
pub fn line(line: impl Display) -> Result<()> {
    bytes(format!("{line}\n").as_bytes())
}

/// An answer for programs.
///
/// # Errors
/// As [`bytes`].
pub fn document(document: &Value) -> Result<()> {
    line(format_args!("{document:#}"))
}

/// A line on stdout about work that goes on whether or not anybody can read of it.
pub fn progress(event: impl Display) {
    let _ = line(event);
}

/// A message for whoever watches, a line. Nobody is left to be told that stderr is gone.
pub fn notice(message: impl Display) {
    notices(format_args!("{message}\n"));
}

/// The same of messages that end their lines themselves.
pub fn notices(messages: impl Display) {
    let _ = stderr().write_all(messages.to_string().as_bytes());
}

/// Why a command failed, a line on stderr.
pub fn failure(why: impl Display) {
    notice(format_args!("zama-jobs: {why}"));
}

/// A moment as answers for people tell it.
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn write_to(mut target: impl Write, bytes: &[u8]) -> Result<()> {
    match target.write_all(bytes).and_then(|()| target.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::new(error).context("Failed to write to stdout"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_reader_that_went_away_has_seen_enough() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert!(write_to(&writer, b"an answer\n").is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let told = format!("{:#}", write_to(full, b"an answer\n").unwrap_err());
        assert!(told.starts_with("Failed to write to stdout: No space left on device"), "{told}");
    }
}
