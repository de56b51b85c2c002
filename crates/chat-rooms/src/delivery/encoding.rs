//! Who turns events into bytes.

use std::fmt;
use std::sync::Arc;

use chat_protocol::{Event, RoomName, Timestamp};

/// A way of writing events, such as a dialect in WebSocket frames. An event is written at most once in each.
pub trait Encoding: Send + Sync + 'static {
    /// Appends the event as one frame.
    fn encode(&self, event: &Event, frame: &mut Vec<u8>);

    /// About how many bytes [`encode`](Self::encode) will append. The room's back-pressure counts with it.
    fn size_hint(&self, event: &Event) -> usize;

    /// Messages were erased, or are not kept any longer: whatever the encoding keeps of them has to go. `is_gone` tells which they are, by room,
    /// number and time. Does nothing unless an encoding keeps something.
    fn forget(&self, is_gone: IsGone<'_>) {
        let _ = is_gone;
    }
}

/// Whether the message with this number, stored at this time, is gone from this room.
pub type IsGone<'a> = &'a dyn Fn(&RoomName, u64, Timestamp) -> bool;

/// Which of an engine's encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingId(pub(crate) usize);

/// The encodings of an engine, in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Encodings(Arc<[Box<dyn Encoding>]>);

impl Encodings {
    pub(crate) fn new(encodings: Vec<Box<dyn Encoding>>) -> Self {
        Self(encodings.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// See [`Encoding::forget`].
    pub(crate) fn forget(&self, is_gone: IsGone<'_>) {
        self.0.iter().for_each(|encoding| encoding.forget(is_gone));
    }

    pub(crate) fn get(&self, id: EncodingId) -> &dyn Encoding {
        &*self.0[id.0]
    }
}

impl fmt::Debug for Encodings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} encodings", self.0.len())
    }
}
