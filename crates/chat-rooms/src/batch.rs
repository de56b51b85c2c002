//! Some events behind one another, encoded at most once in each encoding, however many members get them.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use chat_protocol::{Event, MemberId};

use crate::encoding::{EncodingId, Encodings};
use crate::frames::Frames;
use crate::moment::Moment;
use crate::slot::Slot;
use crate::state::Audience;

/// An event in a batch, and who gets it.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: Arc<Event>,
    pub(crate) audience: Audience,
    /// What the room's back-pressure counts for it.
    pub(crate) charge: usize,
}

/// A batch of a room's events. Those for several members lie in one buffer for each encoding; each member gets a slice of it
/// that begins with its first event. What is for one member alone is encoded for that member.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The position of the first item in the room's order.
    first: u64,
    items: Vec<Item>,
    /// For each item, how many before it are shared, that is, in the buffer.
    shared_before: Vec<usize>,
    /// The items that only those who came before a moment get, by their number.
    limited: Vec<(usize, Moment)>,
    /// The items for one member alone, by member and number.
    personal: Vec<(MemberId, usize)>,
    /// The buffer in each encoding, once somebody has asked for it.
    encoded: Box<[OnceLock<Frames>]>,
    /// How many pumps have not yet offered it to all of their members.
    pub(crate) pumps_to_go: AtomicUsize,
    /// What the room's back-pressure counts for all of it.
    pub(crate) charge: usize,
}

impl Batch {
    pub(crate) fn new(first: u64, items: Vec<Item>, encodings: &Encodings, pumps: usize) -> Self {
        let mut shared_before = Vec::with_capacity(items.len());
        let (mut shared, mut limited, mut personal) = (0, Vec::new(), Vec::new());
        for (number, item) in items.iter().enumerate() {
            shared_before.push(shared);
            match item.audience {
                Audience::All => shared += 1,
                Audience::ArrivedBefore(moment) => {
                    shared += 1;
                    limited.push((number, moment));
                }
                Audience::Only(id) => personal.push((id, number)),
            }
        }
        personal.sort_unstable();
        Self {
            first,
            charge: items.iter().map(|item| item.charge).sum(),
            shared_before,
            limited,
            personal,
            encoded: (0..encodings.len()).map(|_| OnceLock::new()).collect(),
            pumps_to_go: AtomicUsize::new(pumps),
            items,
        }
    }

    /// The position behind its last item.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Adds what of this batch is for a member, in order, to `pieces`.
    pub(crate) fn pieces(
        &self,
        slot: &Slot,
        encoding: EncodingId,
        encodings: &Encodings,
        pieces: &mut Vec<Frames>,
    ) {
        let start = self.start(slot);
        if start >= self.items.len() {
            return;
        }
        let frames = self.encoded[encoding.0].get_or_init(|| self.encode_shared(encodings, encoding));
        let mut next = self.shared_before[start];
        let mut take_until = |end: usize, pieces: &mut Vec<Frames>| {
            if end > next {
                pieces.push(frames.slice(next..end));
            }
            next = next.max(end);
        };
        for (number, is_personal) in self.exceptions(slot, start) {
            take_until(self.shared_before[number], pieces);
            if is_personal {
                pieces.push(encode_one(&self.items[number].event, encodings, encoding));
            } else {
                // skipped: it lies in the buffer, and is not for this member
                take_until(self.shared_before[number] + 1, &mut Vec::new());
            }
        }
        take_until(frames.count(), pieces);
    }

    /// What of this batch is for a member, in order, as it is.
    pub(crate) fn events<'a>(&'a self, slot: &'a Slot) -> impl Iterator<Item = &'a Arc<Event>> {
        let is_for = |audience: Audience| match audience {
            Audience::All => true,
            Audience::ArrivedBefore(moment) => slot.arrival < moment,
            Audience::Only(id) => id == slot.id,
        };
        let start = self.start(slot).min(self.items.len());
        self.items[start..].iter().filter(move |item| is_for(item.audience)).map(|item| &item.event)
    }

    /// The number of the first item that is not before the member's time.
    fn start(&self, slot: &Slot) -> usize {
        usize::try_from(slot.start.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// The items from `start` on that are for this member alone (true) or not for it although they are shared (false), in
    /// order. In most batches there are none for anyone.
    fn exceptions(&self, slot: &Slot, start: usize) -> Vec<(usize, bool)> {
        let from = self.personal.partition_point(|(id, number)| (*id, *number) < (slot.id, start));
        let own = self.personal[from..].iter().take_while(|(id, _)| *id == slot.id).map(|(_, n)| (*n, true));
        let limited = self.limited.iter().filter(|(n, moment)| *n >= start && slot.arrival >= *moment);
        let mut exceptions: Vec<_> = own.chain(limited.map(|(number, _)| (*number, false))).collect();
        exceptions.sort_unstable();
        exceptions
    }

    fn encode_shared(&self, encodings: &Encodings, encoding: EncodingId) -> Frames {
        let shared = self.items.iter().filter(|item| !matches!(item.audience, Audience::Only(_)));
        let (mut bytes, mut ends) = (Vec::with_capacity(self.charge), Vec::with_capacity(self.items.len()));
        for item in shared {
            encodings.get(encoding).encode(&item.event, &mut bytes);
            ends.push(bytes.len());
        }
        bytes.shrink_to_fit();
        Frames::new(bytes, ends)
    }
}

fn encode_one(event: &Event, encodings: &Encodings, encoding: EncodingId) -> Frames {
    let mut bytes = Vec::new();
    encodings.get(encoding).encode(event, &mut bytes);
    Frames::one(bytes)
}
