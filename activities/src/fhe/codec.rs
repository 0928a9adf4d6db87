//! Frames between worker and child: the length (u32, big-endian), then one CBOR message.

use std::io;

use fhe::child::protocol::{Event, MAX_CHECKPOINT, MAX_FRAME};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A message as a frame.
///
/// # Errors
/// The message is larger than a frame may be.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    ciborium::into_writer(message, &mut frame).map_err(io::Error::other)?;
    let length = frame.len() - 4;
    let header =
        u32::try_from(length).ok().filter(|_| length <= MAX_FRAME).ok_or_else(|| too_long(length, MAX_FRAME))?;
    frame[..4].copy_from_slice(&header.to_be_bytes());
    Ok(frame)
}

/// Largest message that is neither a checkpoint nor a result, in bytes.
const MAX_SMALL: usize = 64 * 1024;
/// Largest result: sixteen values of half a megabyte, and room around them.
const MAX_RESULT: usize = 16 * 1024 * 1024;

/// The child's next event; `None` when it has closed the pipe between two frames.
///
/// # Errors
/// The pipe broke, or carries something else than events, or one that is larger than its kind can be: the child is not
/// to be believed, and must not fill our memory.
pub(super) async fn read_event(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Event>> {
    let Some(length) = read_length(pipe).await? else { return Ok(None) };
    // A map of one member, whose name says what it is.
    let mut name = [0; 12];
    let known = length.min(name.len());
    pipe.read_exact(&mut name[..known]).await?;
    let limit = match &name {
        name if name.starts_with(b"\xa1\x6acheckpoint") => MAX_CHECKPOINT + MAX_SMALL,
        name if name.starts_with(b"\xa1\x64done") => MAX_RESULT,
        _ => MAX_SMALL,
    };
    if length > limit {
        return Err(too_long(length, limit));
    }
    let mut body = name[..known].to_vec();
    pipe.take((length - known) as u64).read_to_end(&mut body).await?;
    whole(&body, length).map(Some)
}

async fn read_length(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<usize>> {
    let mut header = [0; 4];
    let first = pipe.read(&mut header).await?;
    if first == 0 {
        return Ok(None);
    }
    pipe.read_exact(&mut header[first..]).await?;
    Ok(Some(u32::from_be_bytes(header) as usize))
}

fn whole(body: &[u8], length: usize) -> io::Result<Event> {
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    ciborium::from_reader(body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

fn too_long(length: usize, limit: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is longer than {limit}"))
}

#[cfg(test)]
mod tests {
    use fhe::child::protocol::{Blob, Checkpoint, Done};

    use super::*;

    #[tokio::test]
    async fn events_read_back_until_the_pipe_closes() {
        let values = Blob(vec![7; 2 * MAX_SMALL]);
        let checkpoint = Checkpoint { program_hash: [1; 32], inputs_hash: [2; 32], step: 3, values };
        let result = Blob(vec![8; 2 * MAX_SMALL]);
        let events = [
            Event::KeyLoaded,
            Event::Progress { step: 3, pbs: 99 },
            Event::Checkpoint(checkpoint),
            Event::Stopped,
            Event::Done(Done { result, result_hash: [4; 32] }),
        ];
        let frames: Vec<u8> = events.iter().flat_map(|event| encode(event).unwrap()).collect();
        let mut pipe = frames.as_slice();
        for event in &events {
            let read = read_event(&mut pipe).await.unwrap().unwrap();
            assert_eq!(format!("{read:?}"), format!("{event:?}"));
        }
        assert!(read_event(&mut pipe).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_broken_or_foreign_frame_is_an_error() {
        let whole = encode(&Event::Stopped).unwrap();
        let huge = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes();
        let foreign = [&5_u32.to_be_bytes()[..], b"hello"].concat();
        for bytes in [&whole[..2], &whole[..whole.len() - 1], &huge, &foreign] {
            let mut pipe = bytes;
            assert!(read_event(&mut pipe).await.is_err(), "{bytes:?}");
        }
    }

    /// A child that lies fills no memory of ours: the length is refused before anything of it is read.
    #[tokio::test]
    async fn no_event_is_larger_than_its_kind_can_be() {
        let done = |length| Event::Done(Done { result: Blob(vec![0; length]), result_hash: [0; 32] });
        let failed = Event::Failed { detail: "x".repeat(MAX_SMALL) };
        for event in [done(MAX_RESULT), failed] {
            let frame = encode(&event).unwrap();
            let error = read_event(&mut &frame[..20]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        let largest = encode(&done(MAX_RESULT - 200)).unwrap();
        assert!(read_event(&mut largest.as_slice()).await.is_ok());
    }
}
