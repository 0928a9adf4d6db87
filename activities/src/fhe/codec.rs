//! Frames between worker and child: the length (u32, big-endian), then one CBOR message.

use std::io;

use fhe::child::protocol::MAX_FRAME;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A message as a frame.
///
/// # Errors
/// The message is larger than a frame may be.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    ciborium::into_writer(message, &mut frame).map_err(io::Error::other)?;
    let length = frame.len() - 4;
    let header = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME).ok_or_else(|| too_long(length))?;
    frame[..4].copy_from_slice(&header.to_be_bytes());
    Ok(frame)
}

/// The next message; `None` when the other side has closed the pipe between two frames.
///
/// # Errors
/// The pipe broke, or carries something else than frames of messages.
pub(super) async fn read<T: DeserializeOwned>(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let mut header = [0; 4];
    let first = pipe.read(&mut header).await?;
    if first == 0 {
        return Ok(None);
    }
    pipe.read_exact(&mut header[first..]).await?;
    let length = u32::from_be_bytes(header) as usize;
    if length > MAX_FRAME {
        return Err(too_long(length));
    }
    // Grows with what arrives: a length alone must not cost memory.
    let mut body = Vec::new();
    pipe.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let message = ciborium::from_reader(body.as_slice());
    message.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

fn too_long(length: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is longer than {MAX_FRAME}"))
}

#[cfg(test)]
mod tests {
    use fhe::child::protocol::Event;

    use super::*;

    #[tokio::test]
    async fn messages_read_back_until_the_pipe_closes() {
        let events = [Event::KeyLoaded, Event::Progress { step: 3, pbs: 99 }];
        let frames: Vec<u8> = events.iter().flat_map(|event| encode(event).unwrap()).collect();
        let mut pipe = frames.as_slice();
        for event in &events {
            let read: Event = read(&mut pipe).await.unwrap().unwrap();
            assert_eq!(format!("{read:?}"), format!("{event:?}"));
        }
        assert!(read::<Event>(&mut pipe).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_broken_or_foreign_frame_is_an_error() {
        let whole = encode(&Event::Stopped).unwrap();
        let huge = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes();
        let foreign = [&5_u32.to_be_bytes()[..], b"hello"].concat();
        for bytes in [&whole[..2], &whole[..whole.len() - 1], &huge, &foreign] {
            let mut pipe = bytes;
            assert!(read::<Event>(&mut pipe).await.is_err(), "{bytes:?}");
        }
    }
}
