//! Some events behind one another, encoded at most once in each encoding, however many members get them.

use std::sync::{Arc, OnceLock};

use chat_protocol::{Event, MemberId};

use crate::delivery::audience::Audience;
use crate::delivery::audience::LogicalTime;
use crate::delivery::audience::PresenceStyle;
use crate::delivery::encoding::{EncodingIndex, Encodings};
use crate::delivery::frames::Frames;
use crate::delivery::subscriber::Subscriber;
use crate::delivery::window::InFlightGuard;
use crate::sync::Instant;
use crate::sync::atomic::AtomicUsize;

/// An event in a batch, and who gets it.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: Arc<Event>,
    pub(crate) audience: Audience,
    /// What the room's back-pressure counts for it.
    pub(crate) charge: usize,
    /// What its sender has on its way with it.
    pub(crate) _receipt: Option<InFlightGuard>,
}

/// A batch of a room's events. Those for several members lie in one buffer for each encoding and style; each member gets a slice
/// of it that begins with its first event. What is for one member alone is encoded for that member.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The position of the first item in the room's order.
    first: u64,
    items: Vec<Item>,
    /// When the first of them was told.
    pub(crate) since: Instant,
    /// What is shared by those who are told at once who is there, and by those who get what changed.
    each: SharedItems,
    deltas: SharedItems,
    /// The items that not all get for whom they lie in the buffer, by their number.
    limited: Vec<(usize, Limit)>,
    /// The items for one member alone, by member and number.
    personal: Vec<(MemberId, usize)>,
    /// How many pumps have not yet offered it to all of their members.
    pub(crate) pumps_to_go: AtomicUsize,
    /// What the room's back-pressure counts for all of it.
    pub(crate) charge: usize,
}

/// The items that all members of one style get.
#[derive(Debug)]
struct SharedItems {
    /// For each item, how many before it are shared, that is, in the buffer.
    before: Vec<usize>,
    /// The buffer in each encoding, once somebody has asked for it.
    encoded: Box<[OnceLock<Frames>]>,
}

/// Who does not get a shared item.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// Those who are told at once and arrived at this moment or later.
    ArrivedFrom(LogicalTime),
    /// This member.
    But(MemberId),
}

/// What is different for one member about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exception {
    /// It lies in the buffer, and is not for this member.
    Skipped,
    /// It is for this member alone.
    Personal,
    /// It is an answer to this member that may come before what lies between it and the answers before it.
    Ack,
}

impl Audience {
    /// Whether all members of a style get it, but for a [`Limit`].
    fn is_shared(self, style: PresenceStyle) -> bool {
        match self {
            Self::All => true,
            Self::Lists | Self::ListsBefore(_) => style == PresenceStyle::Lists,
            Self::Changes | Self::ChangesExcept(_) => style == PresenceStyle::Changes,
            Self::Only(_) => false,
        }
    }
}

impl Batch {
    pub(crate) fn new(
        first: u64,
        items: Vec<Item>,
        since: Instant,
        encodings: &Encodings,
        pumps: usize,
    ) -> Self {
        let (mut limited, mut personal) = (Vec::new(), Vec::new());
        for (number, item) in items.iter().enumerate() {
            match item.audience {
                Audience::All | Audience::Lists | Audience::Changes => {}
                Audience::ListsBefore(moment) => limited.push((number, Limit::ArrivedFrom(moment))),
                Audience::ChangesExcept(id) => limited.push((number, Limit::But(id))),
                Audience::Only(id) => personal.push((id, number)),
            }
        }
        personal.sort_unstable();
        Self {
            first,
            since,
            charge: items.iter().map(|item| item.charge).sum(),
            each: SharedItems::new(&items, PresenceStyle::Lists, encodings.len()),
            deltas: SharedItems::new(&items, PresenceStyle::Changes, encodings.len()),
            limited,
            personal,
            pumps_to_go: AtomicUsize::new(pumps),
            items,
        }
    }

    /// How many messages are in it.
    pub(crate) fn messages(&self) -> usize {
        self.items.iter().filter(|item| matches!(*item.event, Event::Message { .. })).count()
    }

    /// The position behind its last item.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Adds what of this batch is for a member, in order, to `pieces`.
    pub(crate) fn pieces(
        &self,
        subscriber: &Subscriber,
        encoding: EncodingIndex,
        encodings: &Encodings,
        pieces: &mut Vec<Frames>,
    ) {
        let (start, end) = self.range(subscriber);
        if start >= end {
            return;
        }
        let shared = self.shared(subscriber.style);
        let frames = shared.encoded[encoding.get()]
            .get_or_init(|| self.encode_shared(subscriber.style, encodings, encoding));
        let mut next = shared.before[start];
        let mut take_until = |until: usize, pieces: &mut Vec<Frames>| {
            if until > next {
                pieces.push(frames.slice(next..until));
            }
            next = next.max(until);
        };
        let exceptions = self.exceptions(subscriber, start, end);
        let mut rest = &exceptions[..];
        while let [(number, exception), behind @ ..] = rest {
            rest = behind;
            take_until(shared.before[*number], pieces);
            match exception {
                Exception::Skipped => take_until(shared.before[*number] + 1, &mut Vec::new()),
                Exception::Personal => pieces.push(self.encode(&[*number], encodings, encoding)),
                Exception::Ack => {
                    // the acks behind it go out with it: one piece for all, and what they are about comes after them anyway
                    let run = behind.iter().take_while(|(_, exception)| *exception == Exception::Ack).count();
                    let numbers: Vec<_> = [*number]
                        .into_iter()
                        .chain(behind[..run].iter().map(|(number, _)| *number))
                        .collect();
                    pieces.push(self.encode(&numbers, encodings, encoding));
                    rest = &behind[run..];
                }
            }
        }
        let shared_end = shared.before.get(end).copied().unwrap_or(frames.count());
        take_until(shared_end, pieces);
    }

    /// What of this batch is for a member, in order, as it is.
    pub(crate) fn events<'a>(&'a self, subscriber: &'a Subscriber) -> impl Iterator<Item = &'a Arc<Event>> {
        let is_for = |audience: Audience| match audience {
            Audience::All | Audience::Lists | Audience::Changes => audience.is_shared(subscriber.style),
            Audience::ListsBefore(moment) => {
                subscriber.style == PresenceStyle::Lists && subscriber.arrival < moment
            }
            Audience::ChangesExcept(id) => subscriber.style == PresenceStyle::Changes && subscriber.id != id,
            Audience::Only(id) => id == subscriber.id,
        };
        let (start, end) = self.range(subscriber);
        self.items[start.min(end)..end]
            .iter()
            .filter(move |item| is_for(item.audience))
            .map(|item| &item.event)
    }

    fn shared(&self, style: PresenceStyle) -> &SharedItems {
        match style {
            PresenceStyle::Lists => &self.each,
            PresenceStyle::Changes => &self.deltas,
        }
    }

    /// The numbers of the first item that is in the member's time, and of the first behind it.
    fn range(&self, subscriber: &Subscriber) -> (usize, usize) {
        let number = |position: u64| {
            usize::try_from(position.saturating_sub(self.first))
                .map_or(self.items.len(), |n| n.min(self.items.len()))
        };
        (number(subscriber.start), number(subscriber.end()))
    }

    /// What is different for a member in a range of items, in order. In most batches there is nothing for anyone.
    fn exceptions(&self, subscriber: &Subscriber, start: usize, end: usize) -> Vec<(usize, Exception)> {
        let from = self.personal.partition_point(|(id, number)| (*id, *number) < (subscriber.id, start));
        let own = self.personal[from..]
            .iter()
            .take_while(|(id, number)| *id == subscriber.id && *number < end)
            .map(|(_, number)| (*number, self.personal_kind(*number)));
        let is_out = |limit: Limit| match limit {
            Limit::ArrivedFrom(moment) => {
                subscriber.style == PresenceStyle::Lists && subscriber.arrival >= moment
            }
            Limit::But(id) => subscriber.style == PresenceStyle::Changes && subscriber.id == id,
        };
        let limited = self.limited.iter().filter(|(n, limit)| (start..end).contains(n) && is_out(*limit));
        let mut exceptions: Vec<_> =
            own.chain(limited.map(|(number, _)| (*number, Exception::Skipped))).collect();
        exceptions.sort_unstable();
        exceptions
    }

    fn personal_kind(&self, number: usize) -> Exception {
        match &*self.items[number].event {
            Event::Ack(_) => Exception::Ack,
            _ => Exception::Personal,
        }
    }

    fn encode_shared(&self, style: PresenceStyle, encodings: &Encodings, encoding: EncodingIndex) -> Frames {
        let shared = self.items.iter().filter(|item| item.audience.is_shared(style));
        let (mut bytes, mut ends) = (Vec::with_capacity(self.charge), Vec::with_capacity(self.items.len()));
        for item in shared {
            encodings.get(encoding).encode(&item.event, &mut bytes);
            ends.push(bytes.len());
        }
        bytes.shrink_to_fit();
        Frames::new(bytes, ends)
    }

    /// The frames of items for one member.
    fn encode(&self, numbers: &[usize], encodings: &Encodings, encoding: EncodingIndex) -> Frames {
        let (mut bytes, mut ends, mut is_reply) = (Vec::new(), Vec::with_capacity(numbers.len()), false);
        for number in numbers {
            let event = &self.items[*number].event;
            encodings.get(encoding).encode(event, &mut bytes);
            ends.push(bytes.len());
            is_reply |= is_requested(event);
        }
        let frames = Frames::new(bytes, ends);
        if is_reply { frames.as_reply() } else { frames }
    }
}

impl SharedItems {
    fn new(items: &[Item], style: PresenceStyle, encodings: usize) -> Self {
        let mut shared = 0;
        let count = |item: &Item| {
            let before = shared;
            shared += usize::from(item.audience.is_shared(style));
            before
        };
        let before = items.iter().map(count).collect();
        Self { before, encoded: (0..encodings).map(|_| OnceLock::new()).collect() }
    }
}

/// Whether a member has asked for it, so that its size is not held against it.
pub(crate) fn is_requested(event: &Event) -> bool {
    matches!(event, Event::Joined(_) | Event::History(_) | Event::Members(_))
}
