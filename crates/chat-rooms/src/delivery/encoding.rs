//! The encodings that turn events into bytes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chat_protocol::{Event, RoomName, Timestamp};

/// Turns events into bytes, for example into the WebSocket frames of one dialect.
///
/// An event for several members is encoded at most once per encoding and presence style.
pub trait Encoding: Send + Sync + 'static {
    /// Appends the event to `frame` as one frame.
    fn encode(&self, event: &Event, frame: &mut Vec<u8>);

    /// Returns about how many bytes [`encode`](Self::encode) will append. The back-pressure of the
    /// room counts with this number.
    fn size_hint(&self, event: &Event) -> usize;

    /// Called after messages were deleted or have expired: everything that the encoding keeps of
    /// them has to be removed. `is_gone` tells which messages they are.
    ///
    /// The default implementation does nothing, which is right for an encoding that keeps nothing.
    fn redact(&self, is_gone: IsGone<'_>) {
        let _ = is_gone;
    }
}

/// Returns whether the message of this room with this number, stored at this time, is gone.
pub type IsGone<'a> = &'a dyn Fn(&RoomName, u64, Timestamp) -> bool;

/// Identifies an encoding of an engine. It is passed to the builder with the encoding, and to each
/// sink that takes its bytes.
///
/// Every call of [`new`](Self::new) returns a different id, so an id never denotes an encoding of
/// another engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingId(u32);

impl EncodingId {
    /// Creates a new id.
    #[expect(clippy::new_without_default, reason = "two defaults would not be equal")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The index of an encoding among those of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EncodingIndex(u16);

impl EncodingIndex {
    pub(crate) fn get(self) -> usize {
        self.0.into()
    }
}

/// The encodings of an engine, in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Encodings(Arc<[(EncodingId, Box<dyn Encoding>)]>);

impl Encodings {
    /// At most 65,535 encodings can be used.
    pub(crate) fn new(encodings: Vec<(EncodingId, Box<dyn Encoding>)>) -> Self {
        Self(encodings.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// See [`Encoding::redact`].
    pub(crate) fn redact(&self, is_gone: IsGone<'_>) {
        self.0.iter().for_each(|(_, encoding)| encoding.redact(is_gone));
    }

    /// Returns the index of the encoding with this id, or `None` if the engine has no such
    /// encoding.
    pub(crate) fn find(&self, id: EncodingId) -> Option<EncodingIndex> {
        let index = self.0.iter().position(|(known, _)| *known == id)?;
        u16::try_from(index).ok().map(EncodingIndex)
    }

    pub(crate) fn get(&self, index: EncodingIndex) -> &dyn Encoding {
        &*self.0[index.get()].1
    }

    /// Returns all encodings with their indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EncodingIndex, &dyn Encoding)> {
        (0..).map(EncodingIndex).zip(self.0.iter().map(|(_, encoding)| &**encoding))
    }
}

impl fmt::Debug for Encodings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} encodings", self.0.len())
    }
}
