//! Frames of the conversation between parent and child, for both sides.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::MAX_FRAME;

/// Why a frame was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes is larger than {MAX_FRAME}")]
    TooLarge(usize),
    #[error("a frame is not the message it should be: {0}")]
    Message(String),
    #[error("a frame could not be transferred")]
    Io(#[from] io::Error),
}

/// Writes one message and flushes.
///
/// # Errors
/// A message that is too large, or a writer that fails.
pub fn write<T: Serialize>(writer: &mut impl Write, message: &T) -> Result<(), FrameError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).map_err(|error| FrameError::Message(error.to_string()))?;
    if bytes.len() > MAX_FRAME {
        return Err(FrameError::TooLarge(bytes.len()));
    }
    writer.write_all(&(bytes.len() as u32).to_be_bytes())?;
    writer.write_all(&bytes)?;
    Ok(writer.flush()?)
}

/// Reads one message; `None` when the other side closed between two.
///
/// # Errors
/// A frame that is too large, cut off or of another form.
pub fn read<T: DeserializeOwned>(reader: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    match reader.read(&mut length[..1])? {
        0 => return Ok(None),
        _ => reader.read_exact(&mut length[1..])?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    let mut bytes = Vec::new();
    if reader.take(length as u64).read_to_end(&mut bytes)? < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    ciborium::from_reader(bytes.as_slice()).map(Some).map_err(|error| FrameError::Message(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::protocol::{Blob, Event};

    #[test]
    fn messages_come_back_in_their_order_and_then_the_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Event::Progress { step: 3, pbs: 70 }).expect("memory");
        write(&mut bytes, &Event::Stopped).expect("memory");
        let mut reader = bytes.as_slice();
        assert!(matches!(read(&mut reader), Ok(Some(Event::Progress { step: 3, pbs: 70 }))));
        assert!(matches!(read(&mut reader), Ok(Some(Event::Stopped))));
        assert!(matches!(read::<Event>(&mut reader), Ok(None)));
    }

    #[test]
    fn a_cut_frame_and_a_huge_length_are_errors() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Blob(vec![1; 100])).expect("memory");
        for length in [1, 3, 4, 50] {
            assert!(matches!(read::<Blob>(&mut &bytes[..length]), Err(FrameError::Io(_))), "{length}");
        }
        assert!(matches!(read::<Blob>(&mut [0xff; 8].as_slice()), Err(FrameError::TooLarge(_))));
        assert!(matches!(read::<Event>(&mut bytes.as_slice()), Err(FrameError::Message(_))));
    }
}
