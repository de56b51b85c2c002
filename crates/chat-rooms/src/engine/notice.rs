//! Notices to everyone: each outlet gets them once, whatever rooms it is in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_protocol::{Event, MemberList, NoticeLevel};

use crate::delivery::encoding::Encodings;
use crate::delivery::frames::Frames;
use crate::delivery::sink::Sink;
use crate::delivery::walk::caught;
use crate::engine::Engine;

impl Engine {
    /// Sends a notice to everyone who is in a room; gives in how many rooms. Members who joined by [`Admission::join`](crate::Admission::join) get it once for
    /// each outlet, however many rooms they are in. Members who entered by [`Admission::enter`](crate::Admission::enter) get it in each of their rooms,
    /// with that room's list.
    pub fn notice_all(&self, level: NoticeLevel, body: impl Into<Arc<str>>) -> usize {
        self.notice_all_and(level, body, [])
    }

    /// The same as [`notice_all`](Self::notice_all), and to outlets that may be in no room. An outlet that is in a room as well gets it once.
    pub fn notice_all_and(
        &self,
        level: NoticeLevel,
        body: impl Into<Arc<str>>,
        others: impl IntoIterator<Item = Sink>,
    ) -> usize {
        let body = body.into();
        let rooms = self.shared.all_rooms();
        let in_rooms = rooms.iter().flat_map(|room| room.notice_all(level, Arc::clone(&body)));
        let mut outlets: Vec<_> = in_rooms.collect();
        outlets.extend(others);
        let members = Arc::new(MemberList::new(Vec::new(), 0));
        let mut notice = Encoded {
            event: Arc::new(Event::Notice { room: None, level, body, members }),
            encodings: &self.shared.context.encodings,
            frames: HashMap::new(),
        };
        let mut seen = HashSet::new();
        outlets.iter().filter(|outlet| seen.insert(outlet.address())).for_each(|outlet| notice.offer(outlet));
        rooms.len()
    }
}

/// A notice, encoded at most once in each encoding.
struct Encoded<'e> {
    event: Arc<Event>,
    encodings: &'e Encodings,
    frames: HashMap<usize, Frames>,
}

impl Encoded<'_> {
    fn offer(&mut self, outlet: &Sink) {
        // one that takes nothing more says so to the pump of its room, too, which lets its member go
        let _ = match outlet {
            Sink::Events(sink) => caught(|| sink.offer(&self.event)),
            Sink::Frames { encoding, sink } => {
                let Some(index) = self.encodings.find(*encoding) else { return sink.fail() };
                let frames = self.frames.entry(index.get()).or_insert_with(|| {
                    let mut bytes = Vec::new();
                    self.encodings.get(index).encode(&self.event, &mut bytes);
                    Frames::one(bytes)
                });
                caught(|| sink.offer(std::slice::from_ref(frames)))
            }
        };
    }
}
