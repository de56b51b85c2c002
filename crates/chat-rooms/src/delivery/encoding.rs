//! Who turns events into bytes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chat_protocol::{Event, RoomName, Timestamp};

/// A way of writing events, such as a dialect in WebSocket frames. An event is written at most once in each.
pub trait Encoding: Send + Sync + 'static {
    /// Appends the event as one frame.
    fn encode(&self, event: &Event, frame: &mut Vec<u8>);

    /// About how many bytes [`encode`](Self::encode) will append. The room's back-pressure counts with it.
    fn size_hint(&self, event: &Event) -> usize;

    /// Messages were erased, or are not kept any longer: whatever the encoding keeps of them has to go. `is_gone` tells which they are, by room,
    /// number and time. Does nothing unless an encoding keeps something.
    fn redact(&self, is_gone: IsGone<'_>) {
        let _ = is_gone;
    }
}

/// Whether the message with this number, stored at this time, is gone from this room.
pub type IsGone<'a> = &'a dyn Fn(&RoomName, u64, Timestamp) -> bool;

/// Names an encoding of an engine: given to the builder with the encoding, and to each sink that wants its bytes. Every call of
/// [`new`](Self::new) makes a different one, so that an id never names an encoding of another engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingId(u32);

impl EncodingId {
    /// A new id.
    #[expect(clippy::new_without_default, reason = "two defaults would not be equal")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The place of an encoding among those of an engine.
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
    /// At most 65,535 of them can be used.
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

    /// Where the encoding with this id is, or `None` if it is not one of this engine.
    pub(crate) fn find(&self, id: EncodingId) -> Option<EncodingIndex> {
        let index = self.0.iter().position(|(known, _)| *known == id)?;
        u16::try_from(index).ok().map(EncodingIndex)
    }

    pub(crate) fn get(&self, index: EncodingIndex) -> &dyn Encoding {
        &*self.0[index.get()].1
    }

    /// All of them, with their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EncodingIndex, &dyn Encoding)> {
        (0..).map(EncodingIndex).zip(self.0.iter().map(|(_, encoding)| &**encoding))
    }
}

impl fmt::Debug for Encodings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} encodings", self.0.len())
    }
}
