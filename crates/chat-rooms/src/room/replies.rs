//! Replies to a member's requests: to join, for a page of messages, for a page of members. Each
//! reply is ordered with the events of the room, so that it is consistent with the events before
//! and after it.

use std::sync::Arc;

use chat_history::{Messages, Page};
use chat_protocol::{Epoch, Event, Identity, Member, MemberPage, Message, MessagePage, Reference, Snapshot};

use crate::delivery::audience::{Audience, LogicalTime, PresenceStyle, SubscriptionId};
use crate::delivery::sink::Sink;
use crate::delivery::subscriber::Recipient;
use crate::room::catch_up::{CatchUp, CaughtUp, Step};
use crate::room::core::Core;
use crate::room::state::effects::{Effect, Effects};
use crate::room::state::roster::{RosterPage, RosterQuery};
use crate::room::{Position, Room};

/// What every reply carries.
#[derive(Debug, Clone)]
pub(crate) struct ReplyContext {
    pub(crate) epoch: Epoch,
    pub(crate) reference: Option<Reference>,
    /// The maximum number of members in a snapshot.
    pub(crate) members: usize,
}

/// Who joins a room.
#[derive(Debug)]
pub(crate) struct Joiner<'a> {
    /// The user. Its name is reserved.
    pub(crate) user: &'a Identity,
    /// The user's presence record, if one was written: it becomes the member, unless the user is
    /// in the room already.
    pub(crate) record: Option<&'a Arc<Member>>,
    /// Where the events of the session go.
    pub(crate) sink: &'a Sink,
}

/// A session that has joined.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) member: Arc<Member>,
    pub(crate) session: SubscriptionId,
    /// The position of its first event.
    pub(crate) sent: Position,
}

/// What has to be done before a session can join.
#[derive(Debug)]
pub(crate) enum NotJoined {
    /// Read this page from the store.
    Read(Page),
    /// Write a presence record: the user is not in the room any more.
    NoRecord,
}

impl Room {
    /// Joins a session with [`PresenceStyle::Changes`] as soon as all messages that it missed are
    /// at hand. Its first event is a snapshot of the room, and the live stream begins right after
    /// it.
    ///
    /// # Errors
    /// [`NotJoined`] if it cannot join yet.
    pub(crate) fn join(
        &self,
        joiner: &Joiner<'_>,
        catch_up: &mut CatchUp,
        context: &ReplyContext,
    ) -> Result<Entry, NotJoined> {
        let cutoff = self.cutoff();
        self.change(|core, effects| {
            if let Some(cutoff) = cutoff {
                core.tail.retain(cutoff);
            }
            let CaughtUp { messages, recovered } = match catch_up.step(&core.tail) {
                Step::Read(page) => return Err(NotJoined::Read(page)),
                Step::Done(caught) => caught,
            };
            let (member, session) = self.enter(core, joiner, PresenceStyle::Changes, effects)?;
            let query = RosterQuery { after: None, prefix: "", limit: context.members };
            let (members, count) = core
                .state
                .roster_page(member.id, query)
                .map_or((Vec::new(), 0), |RosterPage { members, count, .. }| (members, count));
            let snapshot = Snapshot {
                reference: context.reference.clone(),
                room: self.name.clone(),
                epoch: context.epoch.clone(),
                seq: core.tail.newest(),
                members,
                member_count: count,
                messages,
                recovered,
            };
            effects.push(Effect::Send(Event::Joined(Box::new(snapshot)), Audience::Only(session.0)));
            let sink = joiner.sink.clone();
            let recipient = recipient(&member, session, PresenceStyle::Changes);
            let sent = core.subscribe(recipient, sink, effects, self.context());
            Ok(Entry { member, session: session.0, sent })
        })
    }

    /// Joins a session with [`PresenceStyle::Lists`]. Its first event is the entry of its member.
    ///
    /// # Errors
    /// [`NotJoined::NoRecord`].
    pub(crate) fn join_with_lists(&self, joiner: &Joiner<'_>) -> Result<Entry, NotJoined> {
        self.change(|core, effects| {
            let (member, session) = self.enter(core, joiner, PresenceStyle::Lists, effects)?;
            let sink = joiner.sink.clone();
            let recipient = recipient(&member, session, PresenceStyle::Lists);
            let sent = core.subscribe(recipient, sink, effects, self.context());
            Ok(Entry { member, session: session.0, sent })
        })
    }

    /// Adds a session to the member that its user is in the room, or makes it a member.
    fn enter(
        &self,
        core: &mut Core,
        Joiner { user, record, sink }: &Joiner<'_>,
        style: PresenceStyle,
        effects: &mut Effects,
    ) -> Result<(Arc<Member>, (SubscriptionId, LogicalTime)), NotJoined> {
        let present = core.state.present(user.username(), user.id());
        if let Some(session) = present.and_then(|id| core.state.add_session(id, style, effects))
            && let Some(member) = core.state.member_of(session.0).cloned()
        {
            let earlier = core.finish_leaving_from(sink, member.id, effects);
            core.inherit(session.0, &earlier);
            return Ok((member, session));
        }
        let member = Arc::clone(record.ok_or(NotJoined::NoRecord)?);
        let namesakes = core.finish_leaving_namesake(&member, effects);
        let session = core.state.enter(&member, style, effects);
        core.inherit(session.0, &namesakes);
        self.meters().joined();
        Ok((member, session))
    }

    /// Sends a session a page of messages, as read from the store, or from memory if that is
    /// sufficient. The page contains no message that arrives later with the live stream.
    ///
    /// # Errors
    /// The page that has to be read from the store first.
    pub(crate) fn reply_history(
        &self,
        to: SubscriptionId,
        page: Page,
        max_bytes: usize,
        read: Option<Messages>,
        context: &ReplyContext,
    ) -> Result<Option<Position>, Page> {
        let cutoff = self.cutoff();
        self.change(|core, effects| {
            if let Some(cutoff) = cutoff {
                core.tail.retain(cutoff);
            }
            let read = read.map(|read| fit(read, page, max_bytes));
            let Some(Messages { mut messages, more }) = read.or_else(|| in_memory(core, page, max_bytes))
            else {
                return Err(only_delivered(core, page));
            };
            let delivered_count = messages.partition_point(|message| message.seq <= core.tail.newest());
            let more = more && delivered_count == messages.len();
            messages.truncate(delivered_count);
            let page = MessagePage {
                reference: context.reference.clone(),
                room: self.name.clone(),
                epoch: context.epoch.clone(),
                messages,
                more,
            };
            Ok(reply(core, to, Event::History(Box::new(page)), effects))
        })
    }

    /// Sends a session a page of members. Returns `None` if it is not in the room, or the room has
    /// no sessions with [`PresenceStyle::Changes`].
    pub(crate) fn reply_members(
        &self,
        to: SubscriptionId,
        query: RosterQuery<'_>,
        reference: Option<Reference>,
    ) -> Option<Position> {
        self.change(|core, effects| {
            let member = core.state.member_of(to)?.id;
            let RosterPage { members, count, more } = core.state.roster_page(member, query)?;
            let room = self.name.clone();
            let page = MemberPage { reference, room, members, member_count: count, more };
            reply(core, to, Event::Members(Box::new(page)), effects)
        })
    }
}

fn recipient(
    member: &Member,
    (id, arrival): (SubscriptionId, LogicalTime),
    style: PresenceStyle,
) -> Recipient {
    Recipient { id, member: member.id, style, arrival }
}

fn reply(core: &Core, to: SubscriptionId, event: Event, effects: &mut Effects) -> Option<Position> {
    core.subscribers.contains_key(&to).then(|| {
        effects.push(Effect::Send(event, Audience::Only(to)));
        Position { position: core.position }
    })
}

/// The same page, without messages that are stored but not delivered yet.
fn only_delivered(core: &Core, page: Page) -> Page {
    match page {
        Page::Before { seq, limit } => Page::Before { seq: seq.min(core.tail.newest() + 1), limit },
        Page::After { seq, limit } => Page::After { seq, limit },
    }
}

/// A page from the room's tail, or `None` if the store has to be asked.
fn in_memory(core: &Core, page: Page, max_bytes: usize) -> Option<Messages> {
    let mut fits = fits(max_bytes);
    match only_delivered(core, page) {
        Page::After { seq, limit } => {
            let rest = core.tail.from(seq.saturating_add(1).min(core.tail.newest() + 1))?;
            let messages: Vec<_> = rest.take(limit).take_while(&mut fits).map(Arc::clone).collect();
            let more = messages.last().map_or(seq, |last| last.seq) < core.tail.newest();
            Some(Messages { messages, more })
        }
        Page::Before { seq, limit } => {
            let from = seq.saturating_sub(limit as u64).max(1);
            let all: Vec<_> = core.tail.from(from)?.take_while(|message| message.seq < seq).collect();
            let count = all.iter().rev().copied().take_while(&mut fits).count();
            let messages: Vec<_> =
                all[all.len() - count..].iter().map(|message| Arc::clone(message)).collect();
            let first = messages.first()?.seq;
            // only the store knows whether the messages before the tail still exist
            let more = if first == 1 { false } else { (core.tail.oldest() < first).then_some(true)? };
            Some(Messages { messages, more })
        }
    }
}

/// Cuts a page that was read from the store to `max_bytes`, at its far end. One message always
/// fits.
fn fit(Messages { mut messages, mut more }: Messages, page: Page, max_bytes: usize) -> Messages {
    let mut fits = fits(max_bytes);
    let count = match page {
        Page::After { .. } => messages.iter().take_while(&mut fits).count(),
        Page::Before { .. } => messages.iter().rev().take_while(&mut fits).count(),
    };
    if count < messages.len() {
        more = true;
        match page {
            Page::After { .. } => messages.truncate(count),
            Page::Before { .. } => drop(messages.drain(..messages.len() - count)),
        }
    }
    Messages { messages, more }
}

/// Whether each message, one after the other, still fits into a page of `max_bytes`. The first one
/// always does.
fn fits(max_bytes: usize) -> impl FnMut(&&Arc<Message>) -> bool {
    let mut bytes = 0;
    move |message| {
        bytes += message.encoded_size();
        bytes <= max_bytes || bytes == message.encoded_size()
    }
}
