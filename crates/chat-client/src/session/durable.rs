//! Durable events: the frames that have a number in a room's stream, whatever their type. A client
//! that follows the numbers notices what it has missed, and asks for it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chat_protocol::RoomName;
use chat_protocol::v2::{
    Deleted, Edited, HistoryPage, MessageFrame, Reactions, RoomChanged, RoomInfo, StoredMessage, SyncFrame,
};
use serde::Deserialize;

use super::Session;
use super::room::Stage;
use super::stream::{Fit, Stream};
use crate::model::{Event, Reacted};

/// The fields that place a frame in the stream of a room. They have the same meaning in every type
/// but `joined` and `ack`.
#[derive(Deserialize)]
struct Place {
    #[serde(rename = "type")]
    kind: String,
    room: RoomName,
    /// As `seq` if it is absent.
    first_seq: Option<u64>,
    seq: u64,
    /// In `sync`.
    recovered: Option<bool>,
}

impl Session {
    pub(super) fn is_joined(&self, room: &RoomName) -> bool {
        self.rooms.get(room).is_some_and(|room| room.stage.is_joined())
    }

    pub(super) fn on_message(&mut self, frame: MessageFrame, text: &str) {
        let MessageFrame { room: name, seq, id, from, user, body, html, reply_to, mentions, sent_at } = frame;
        if !self.is_joined(&name) {
            self.unexpected(None, "a message");
            return;
        }
        let (edited_at, changed_seq, reactions) = (None, None, Vec::new());
        let message = StoredMessage::Text {
            seq,
            id,
            from,
            user,
            body,
            html,
            reply_to,
            mentions,
            sent_at,
            edited_at,
            changed_seq,
            reactions,
        };
        self.settle_stored(&name, [&message]);
        if self.follows(&name, seq..=seq, text) {
            self.events.push_back(Event::Message { room: name, message });
        }
    }

    pub(super) fn on_edited(&mut self, edited: Edited, text: &str) {
        if !self.is_joined(&edited.room) {
            self.unexpected(None, "an edit");
        } else if self.follows(&edited.room.clone(), edited.seq..=edited.seq, text) {
            self.events.push_back(Event::Edited(edited));
        }
    }

    pub(super) fn on_deleted(&mut self, deleted: Deleted, text: &str) {
        if !self.is_joined(&deleted.room) {
            self.unexpected(None, "a deletion");
        } else if self.follows(&deleted.room.clone(), deleted.seq..=deleted.seq, text) {
            self.events.push_back(Event::Deleted(deleted));
        }
    }

    pub(super) fn on_reactions(&mut self, reactions: Reactions, text: &str) {
        let range = reactions.first_seq.unwrap_or(reactions.seq)..=reactions.seq;
        if !self.is_joined(&reactions.room) {
            self.unexpected(None, "reactions");
        } else if self.follows(&reactions.room.clone(), range, text) {
            let reacted = Reacted::new(reactions, &self.own_ids);
            self.events.push_back(Event::Reacted(reacted));
        }
    }

    pub(super) fn on_room_changed(&mut self, changed: RoomChanged, text: &str) {
        if !self.is_joined(&changed.room) {
            self.unexpected(None, "a change of the settings");
        } else if self.follows(&changed.room.clone(), changed.seq..=changed.seq, text) {
            let RoomChanged { room, info, .. } = changed;
            self.events.push_back(room_changed(room, info));
        }
    }

    pub(super) fn on_sync(&mut self, sync: SyncFrame) {
        let SyncFrame { room: name, first_seq, seq, recovered, messages, changed, info } = sync;
        if !self.is_joined(&name) {
            self.unexpected(None, "a range of events");
            return;
        }
        let (messages, changed) = (messages.unwrap_or_default(), changed.unwrap_or_default());
        self.settle_stored(&name, messages.iter().chain(&changed));
        let Some(stream) = self.stream(&name) else { return };
        match stream.fit(first_seq, seq) {
            Fit::Old => {}
            Fit::Next if recovered => {
                let Some(stream) = self.rooms.get_mut(&name).and_then(|room| room.stream.as_mut()) else {
                    return;
                };
                let after = first_seq.saturating_sub(1);
                stream.apply(after, seq, messages, changed, &mut self.events, &self.counters);
                let changed = info.map(|info| room_changed(name, info));
                self.events.extend(changed);
            }
            Fit::Next => {
                self.resync(&name);
            }
            Fit::Gap => self.on_gap(&name, first_seq),
        }
    }

    /// A frame that cannot be read, perhaps of a type that this client does not know. If it is an
    /// event, the cursor moves past it. The stream would stop for good if it did not, because the
    /// server would send the same again.
    pub(super) fn on_unknown_event(&mut self, text: &str) {
        let Ok(Place { kind, room: name, first_seq, seq, recovered }) = serde_json::from_str(text) else {
            return;
        };
        if matches!(&*kind, "joined" | "ack") || !self.is_joined(&name) {
            return;
        }
        let Some(stream) = self.stream(&name) else { return };
        let first_seq = first_seq.unwrap_or(seq);
        match stream.fit(first_seq, seq) {
            Fit::Old => {}
            Fit::Next if kind == "sync" && recovered == Some(false) => {
                self.resync(&name);
            }
            Fit::Next => self.advance(&name, seq),
            Fit::Gap => self.on_gap(&name, first_seq),
        }
    }

    /// A page of history: its place in the stream is here.
    pub(super) fn on_history(&mut self, page: &Arc<HistoryPage>) {
        let Some(stream) = self.stream(&page.room).filter(|_| self.is_joined(&page.room)) else { return };
        if *stream.epoch() == page.epoch {
            self.settle_stored(&page.room, &page.messages);
            self.events.push_back(Event::History(Arc::clone(page)));
        } else {
            self.resync(&page.room);
        }
    }

    /// Whether to apply an event, whose frame is given. If so, the cursor has moved past it.
    fn follows(&mut self, name: &RoomName, events: RangeInclusive<u64>, text: &str) -> bool {
        let Some(stream) = self.stream(name) else { return false };
        let (first_seq, seq) = events.into_inner();
        let mut fit = stream.fit(first_seq, seq);
        if fit == Fit::Gap
            && first_seq == seq
            && let Ok(Place { first_seq: Some(first_seq), .. }) = serde_json::from_str(text)
        {
            // most types do not stand for several events today, so this is read only if it matters
            fit = stream.fit(first_seq, seq);
        }
        match fit {
            Fit::Old => {
                self.counters.duplicate();
                tracing::warn!(room = %name, seq, "an event was delivered twice");
            }
            Fit::Next => self.advance(name, seq),
            Fit::Gap => self.on_gap(name, seq),
        }
        fit == Fit::Next
    }

    /// A frame does not fit, because events before it are missing.
    fn on_gap(&mut self, name: &RoomName, got: u64) {
        // what follows the first such frame does not fit either, until the answer arrives
        if self.resync(name) {
            self.counters.sequence_gap();
            tracing::warn!(room = %name, got, "events are missing");
        }
    }

    /// Asks for the events after the cursor. Returns false if that is under way, or if the session
    /// is leaving the room.
    fn resync(&mut self, name: &RoomName) -> bool {
        let room = self.rooms.get(name);
        let is_due = room.is_some_and(|room| room.stage == Stage::Joined && room.leaving.is_none());
        if is_due {
            self.counters.resync();
            self.request_join(name);
        }
        is_due
    }

    fn stream(&self, name: &RoomName) -> Option<&Stream> {
        self.rooms.get(name)?.stream.as_ref()
    }

    fn advance(&mut self, name: &RoomName, seq: u64) {
        if let Some(stream) = self.rooms.get_mut(name).and_then(|room| room.stream.as_mut()) {
            stream.advance(seq);
        }
    }
}

fn room_changed(room: RoomName, RoomInfo { settings: info, topic_html, .. }: RoomInfo) -> Event {
    Event::RoomChanged { room, info, topic_html }
}
