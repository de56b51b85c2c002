//! A batch of consecutive events. It is encoded at most once per encoding, however many members
//! receive it.

use std::sync::{Arc, OnceLock};

use chat_protocol::{Event, MemberId};

use crate::delivery::audience::{Audience, LogicalTime, PresenceStyle, SubscriptionId};
use crate::delivery::encoding::{EncodingIndex, Encodings};
use crate::delivery::frames::Frames;
use crate::delivery::subscriber::Subscriber;
use crate::delivery::window::InFlightGuard;
use crate::sync::Instant;
use crate::sync::atomic::AtomicUsize;

/// An event in a batch, and its audience.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) event: Arc<Event>,
    pub(crate) audience: Audience,
    /// The bytes that count towards the room's back-pressure.
    pub(crate) charge: usize,
    /// Keeps the message counted in its sender's window until the batch is delivered.
    pub(crate) _guard: Option<InFlightGuard>,
}

/// A batch of a room's events.
///
/// The events for several members are encoded into one buffer per encoding and presence style. Each
/// member receives a slice of that buffer that begins with the member's first event. An event for a
/// single member is encoded for that member alone.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The position of the first item in the room's order.
    first: u64,
    items: Vec<Item>,
    /// When the first event of the batch was queued.
    pub(crate) since: Instant,
    /// The items shared by the members with [`PresenceStyle::Lists`], and by those with
    /// [`PresenceStyle::Changes`].
    lists: SharedItems,
    changes: SharedItems,
    /// The shared items that some members do not receive, by index.
    limited: Vec<(usize, Limit)>,
    /// The items for a single member, ordered by member and index.
    personal: Vec<(SubscriptionId, usize)>,
    /// The number of pumps that have not yet offered the batch to all of their members.
    pub(crate) pending_pumps: AtomicUsize,
    /// The bytes of the whole batch that count towards the room's back-pressure.
    pub(crate) charge: usize,
}

/// The items that all members with one presence style share.
#[derive(Debug)]
struct SharedItems {
    /// For each item, the number of shared items before it, which is its index in the buffer.
    before: Vec<usize>,
    /// The indices of the shared items.
    indices: Vec<usize>,
    /// The buffer in each encoding, filled on first use.
    encoded: Box<[OnceLock<Frames>]>,
}

/// Which members do not receive a shared item.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// The members with [`PresenceStyle::Lists`] that arrived at this time or later.
    ArrivedFrom(LogicalTime),
    /// This member.
    Except(MemberId),
}

/// How an item differs for one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exception {
    /// The item is in the buffer, but not for this member.
    Skipped,
    /// The item is for this member alone.
    Personal,
    /// The item is an ack for this member. It may be sent together with the ack before it, ahead of
    /// the shared items between the two.
    Ack,
}

impl Audience {
    /// Whether all members with this style receive the event, apart from a [`Limit`].
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
        for (index, item) in items.iter().enumerate() {
            match item.audience {
                Audience::All | Audience::Lists | Audience::Changes => {}
                Audience::ListsBefore(time) => limited.push((index, Limit::ArrivedFrom(time))),
                Audience::ChangesExcept(id) => limited.push((index, Limit::Except(id))),
                Audience::Only(id) => personal.push((id, index)),
            }
        }
        personal.sort_unstable();
        Self {
            first,
            since,
            charge: items.iter().map(|item| item.charge).sum(),
            lists: SharedItems::new(&items, PresenceStyle::Lists, encodings.len()),
            changes: SharedItems::new(&items, PresenceStyle::Changes, encodings.len()),
            limited,
            personal,
            pending_pumps: AtomicUsize::new(pumps),
            items,
        }
    }

    /// The number of messages in the batch.
    pub(crate) fn messages(&self) -> usize {
        self.items.iter().filter(|item| matches!(*item.event, Event::Message { .. })).count()
    }

    /// The position after the last item.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// The sessions that receive the batch, in order, if each of its events is for one session.
    /// `None` if several members share an event.
    pub(crate) fn recipients(&self) -> Option<impl Iterator<Item = SubscriptionId>> {
        let is_shared = !self.lists.indices.is_empty() || !self.changes.indices.is_empty();
        (!is_shared).then(|| self.personal.iter().map(|(id, _)| *id))
    }

    /// Appends this member's part of the batch to `pieces`, in order.
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
        let shared = self.shared(subscriber.recipient.style);
        let frames = shared.encoded[encoding.get()]
            .get_or_init(|| self.encode_shared(subscriber.recipient.style, encodings, encoding));
        let mut next = shared.before[start];
        let mut take_until = |until: usize, pieces: &mut Vec<Frames>| {
            if until > next {
                pieces.push(frames.slice(next..until));
            }
            next = next.max(until);
        };
        let exceptions = self.exceptions(subscriber, start, end);
        let mut rest = &exceptions[..];
        while let [(index, exception), following @ ..] = rest {
            rest = following;
            take_until(shared.before[*index], pieces);
            match exception {
                Exception::Skipped => take_until(shared.before[*index] + 1, &mut Vec::new()),
                Exception::Personal => pieces.push(self.encode(&[*index], encodings, encoding)),
                Exception::Ack => {
                    // the acks that follow are sent in the same piece: the messages that they
                    // confirm come later in any case
                    let run =
                        following.iter().take_while(|(_, exception)| *exception == Exception::Ack).count();
                    let indices: Vec<_> = [*index]
                        .into_iter()
                        .chain(following[..run].iter().map(|(index, _)| *index))
                        .collect();
                    pieces.push(self.encode(&indices, encodings, encoding));
                    rest = &following[run..];
                }
            }
        }
        let shared_end = shared.before.get(end).copied().unwrap_or(frames.count());
        take_until(shared_end, pieces);
    }

    /// This member's part of the batch, in order, not encoded.
    pub(crate) fn events<'a>(&'a self, subscriber: &'a Subscriber) -> impl Iterator<Item = &'a Arc<Event>> {
        let is_for = |audience: Audience| match audience {
            Audience::All | Audience::Lists | Audience::Changes => {
                audience.is_shared(subscriber.recipient.style)
            }
            Audience::ListsBefore(time) => {
                subscriber.recipient.style == PresenceStyle::Lists && subscriber.recipient.arrival < time
            }
            Audience::ChangesExcept(id) => {
                subscriber.recipient.style == PresenceStyle::Changes && subscriber.recipient.member != id
            }
            Audience::Only(id) => id == subscriber.recipient.id,
        };
        let (start, end) = self.range(subscriber);
        let shared = &self.shared(subscriber.recipient.style).indices;
        let shared = &shared[shared.partition_point(|index| *index < start)..];
        let mut shared = shared.iter().copied().take_while(move |index| *index < end).peekable();
        // the events for other members are not visited: a room that is closed has one for each
        let mut own = self.own(subscriber, start, end).peekable();
        let next = move || match (own.peek(), shared.peek()) {
            (Some(index), Some(other)) if index < other => own.next(),
            (Some(_), None) => own.next(),
            _ => shared.next(),
        };
        let items = std::iter::from_fn(next).map(|index| &self.items[index]);
        items.filter(move |item| is_for(item.audience)).map(|item| &item.event)
    }

    /// The indices of the items of a range that are for this member alone.
    fn own(&self, subscriber: &Subscriber, start: usize, end: usize) -> impl Iterator<Item = usize> {
        let id = subscriber.recipient.id;
        let from = self.personal.partition_point(|(other, index)| (*other, *index) < (id, start));
        let own = self.personal[from..].iter();
        own.take_while(move |(other, index)| *other == id && *index < end).map(|(_, index)| *index)
    }

    fn shared(&self, style: PresenceStyle) -> &SharedItems {
        match style {
            PresenceStyle::Lists => &self.lists,
            PresenceStyle::Changes => &self.changes,
        }
    }

    /// The indices of the first item for the member, and of the first item after its last one.
    fn range(&self, subscriber: &Subscriber) -> (usize, usize) {
        let index = |position: u64| {
            usize::try_from(position.saturating_sub(self.first))
                .map_or(self.items.len(), |n| n.min(self.items.len()))
        };
        (index(subscriber.start), index(subscriber.end()))
    }

    /// The items of a range that differ for one member, in order. Most batches have none.
    fn exceptions(&self, subscriber: &Subscriber, start: usize, end: usize) -> Vec<(usize, Exception)> {
        let own = self.own(subscriber, start, end).map(|index| (index, self.personal_kind(index)));
        let is_excluded = |limit: Limit| match limit {
            Limit::ArrivedFrom(time) => {
                subscriber.recipient.style == PresenceStyle::Lists && subscriber.recipient.arrival >= time
            }
            Limit::Except(id) => {
                subscriber.recipient.style == PresenceStyle::Changes && subscriber.recipient.member == id
            }
        };
        let limited =
            self.limited.iter().filter(|(n, limit)| (start..end).contains(n) && is_excluded(*limit));
        let mut exceptions: Vec<_> =
            own.chain(limited.map(|(index, _)| (*index, Exception::Skipped))).collect();
        exceptions.sort_unstable();
        exceptions
    }

    fn personal_kind(&self, index: usize) -> Exception {
        match &*self.items[index].event {
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

    /// Encodes items for one member.
    fn encode(&self, indices: &[usize], encodings: &Encodings, encoding: EncodingIndex) -> Frames {
        let (mut bytes, mut ends, mut is_reply) = (Vec::new(), Vec::with_capacity(indices.len()), false);
        for index in indices {
            let event = &self.items[*index].event;
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
        let indices = items.iter().enumerate().filter(|(_, item)| item.audience.is_shared(style));
        let indices = indices.map(|(index, _)| index).collect();
        Self { before, indices, encoded: (0..encodings).map(|_| OnceLock::new()).collect() }
    }
}

/// Whether the member requested the event, so that its size does not count against the member's
/// backlog.
pub(crate) fn is_requested(event: &Event) -> bool {
    matches!(event, Event::Joined(_) | Event::History(_) | Event::Members(_))
}
