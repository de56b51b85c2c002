//! Notices to all rooms. Each sink receives them once, however many rooms it is in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_protocol::{Event, MemberList, NoticeLevel};

use crate::delivery::encoding::Encodings;
use crate::delivery::frames::Frames;
use crate::delivery::sink::Sink;
use crate::delivery::walk::catch_panic;
use crate::engine::Engine;

impl Engine {
    /// Sends a notice from the operator to the members of all rooms. Returns the number of rooms.
    ///
    /// A sink that is in several rooms receives the notice once. Members that joined [with
    /// lists](crate::Subscribe::with_lists) receive it in each of their rooms, with the list of
    /// that room.
    ///
    /// ```
    /// # use chat_presence::{MemoryPresence, NodeId};
    /// # use chat_rooms::{Engine, Sink, Subscribe};
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let engine = Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await?;
    /// # let lobby = "lobby".parse()?;
    /// # let ana = chat_protocol::Identity::account("u_1".parse()?, "ana".parse()?)?;
    /// # let (sink, mut events) = Sink::channel(100);
    /// # let member = engine.join(&ana, &lobby, Subscribe::new(sink)).await?;
    /// let rooms = engine.notice_all(chat_protocol::NoticeLevel::Warning, "a restart at noon");
    /// assert_eq!(rooms, 1);
    /// # drop(member);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn notice_all(&self, level: NoticeLevel, body: impl Into<Arc<str>>) -> usize {
        self.notice_all_with(level, body, [])
    }

    /// Sends a notice as [`notice_all`](Self::notice_all) does, and also to the sinks `others`,
    /// which may be in no room. A sink that is in a room as well receives it once.
    pub fn notice_all_with(
        &self,
        level: NoticeLevel,
        body: impl Into<Arc<str>>,
        others: impl IntoIterator<Item = Sink>,
    ) -> usize {
        let body = body.into();
        let rooms = self.shared.all_rooms();
        let in_rooms = rooms.iter().flat_map(|room| room.notice_all(level, Arc::clone(&body)));
        let mut sinks: Vec<_> = in_rooms.collect();
        sinks.extend(others);
        let members = Arc::new(MemberList::new(Vec::new(), 0));
        let mut notice = Encoded {
            event: Arc::new(Event::Notice { room: None, level, body, members }),
            encodings: &self.shared.context.encodings,
            frames: HashMap::new(),
        };
        let mut seen = HashSet::new();
        sinks.iter().filter(|sink| seen.insert(sink.address())).for_each(|sink| notice.offer(sink));
        rooms.len()
    }
}

/// A notice, encoded at most once per encoding.
struct Encoded<'e> {
    event: Arc<Event>,
    encodings: &'e Encodings,
    frames: HashMap<usize, Frames>,
}

impl Encoded<'_> {
    fn offer(&mut self, sink: &Sink) {
        // a closed sink also refuses the next event of its room, and the room's pump then removes
        // the member
        let _ = match sink {
            Sink::Events(sink) => catch_panic(|| sink.offer(&self.event)),
            Sink::Frames { encoding, sink } => {
                let Some(index) = self.encodings.find(*encoding) else { return sink.fail() };
                let frames = self.frames.entry(index.get()).or_insert_with(|| {
                    let mut bytes = Vec::new();
                    self.encodings.get(index).encode(&self.event, &mut bytes);
                    Frames::one(bytes)
                });
                catch_panic(|| sink.offer(std::slice::from_ref(frames)))
            }
        };
    }
}
