//! Replies to a member's requests: to join, for a page of messages, for a page of members. Each
//! reply is ordered with the events of the room, so that it is consistent with the events before
//! and after it.

use std::sync::Arc;

use chat_access::{Action, Actor, Denied};
use chat_history::{Changed, Extent, Messages, Page};
use chat_protocol::{
    Epoch, Event, Identity, Member, MemberId, MemberPage, Message, MessagePage, Reference, Snapshot,
    Timestamp,
};

use crate::delivery::audience::{Audience, LogicalTime, PresenceStyle, SubscriptionId};
use crate::delivery::sink::Sink;
use crate::delivery::subscriber::Recipient;
use crate::room::catch_up::{CatchUp, CaughtUp, Read, Step, replace};
use crate::room::core::Core;
use crate::room::own_reactions::OwnReads;
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
    /// The user, for the policy.
    pub(crate) actor: &'a Actor,
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
    /// The presence record of the member on this node.
    pub(crate) record: Option<MemberId>,
    pub(crate) session: SubscriptionId,
    /// The position of its first event.
    pub(crate) sent: Position,
}

/// What has to be done before a session can join.
#[derive(Debug)]
pub(crate) enum NotJoined {
    /// Read this from the store.
    Read(Read),
    /// Write a presence record: the user is not in the room any more.
    NoRecord,
    /// The policy of the room does not admit the user.
    Denied(Denied),
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
        self.change_retained(|core, effects| {
            let caught = match catch_up.step(&core.tail) {
                Step::Read(read) => return Err(NotJoined::Read(read)),
                Step::Done(caught) => caught,
            };
            let (member, session) = self.enter(core, joiner, PresenceStyle::Changes, effects)?;
            let snapshot = self.snapshot(core, member.id, joiner.actor, caught, context);
            effects.push(Effect::Send(Event::Joined(Box::new(snapshot)), Audience::Only(session.0)));
            let sink = joiner.sink.clone();
            let recipient = recipient(&member, session, PresenceStyle::Changes, joiner.actor.clone());
            let sent = core.subscribe(recipient, sink, effects, self.context());
            let record = core.state.own_record(member.id);
            Ok(Entry { member, record, session: session.0, sent })
        })
    }

    /// Sends a session that is in the room a snapshot, as if it had joined just now. `None` if it
    /// is not in the room.
    ///
    /// # Errors
    /// What has to be read from the store first.
    pub(crate) fn resync(
        &self,
        session: SubscriptionId,
        catch_up: &mut CatchUp,
        context: &ReplyContext,
    ) -> Result<Option<Position>, Read> {
        self.change_retained(|core, effects| {
            let caught = match catch_up.step(&core.tail) {
                Step::Read(read) => return Err(read),
                Step::Done(caught) => caught,
            };
            let Some(member) = core.state.member_of(session).map(|member| member.id) else {
                return Ok(None);
            };
            let Some(subscriber) = core.subscribers.get(&session) else { return Ok(None) };
            let snapshot = self.snapshot(core, member, &subscriber.recipient.actor, caught, context);
            Ok(reply(core, session, Event::Joined(Box::new(snapshot)), effects))
        })
    }

    /// The room as a member sees it now.
    fn snapshot(
        &self,
        core: &Core,
        member: MemberId,
        actor: &Actor,
        CaughtUp { first, messages, changed, mine }: CaughtUp,
        context: &ReplyContext,
    ) -> Snapshot {
        let query = RosterQuery { after: None, prefix: "", limit: context.members };
        let (members, count) = core
            .state
            .roster_page(member, query)
            .map_or((Vec::new(), 0), |RosterPage { members, count, .. }| (members, count));
        Snapshot {
            reference: context.reference.clone(),
            room: self.name.clone(),
            epoch: context.epoch.clone(),
            seq: core.tail.newest(),
            oldest: core.oldest(),
            settings: Arc::clone(core.policy.settings()),
            standing: core.policy.standing(actor, Timestamp::now()),
            members,
            member_count: count,
            first,
            messages,
            changed,
            mine,
        }
    }

    /// Joins a session with [`PresenceStyle::Lists`]. Its first event is the entry of its member.
    ///
    /// # Errors
    /// [`NotJoined::NoRecord`] or [`NotJoined::Denied`].
    pub(crate) fn join_with_lists(&self, joiner: &Joiner<'_>) -> Result<Entry, NotJoined> {
        self.change(|core, effects| {
            let (member, session) = self.enter(core, joiner, PresenceStyle::Lists, effects)?;
            let sink = joiner.sink.clone();
            let recipient = recipient(&member, session, PresenceStyle::Lists, joiner.actor.clone());
            let sent = core.subscribe(recipient, sink, effects, self.context());
            let record = core.state.own_record(member.id);
            Ok(Entry { member, record, session: session.0, sent })
        })
    }

    /// Adds a session to the member that its user is in the room, or makes it a member.
    fn enter(
        &self,
        core: &mut Core,
        Joiner { user, actor, record, sink }: &Joiner<'_>,
        style: PresenceStyle,
        effects: &mut Effects,
    ) -> Result<(Arc<Member>, (SubscriptionId, LogicalTime)), NotJoined> {
        core.policy.check(actor, Action::Join, Timestamp::now()).map_err(NotJoined::Denied)?;
        let present = core.state.present(user.username(), user.id());
        if let Some(id) = present {
            match (core.state.own_record(id), record) {
                // it is on other nodes only
                (None, None) => return Err(NotJoined::NoRecord),
                (Some(_), None) => {}
                // the newest one is sure to be in the store: another user may have had the name
                // while this one was about to leave
                (before, Some(record)) => {
                    core.state.set_own_record(id, record.id);
                    effects.push(Effect::MemberEntered(Arc::clone(record)));
                    effects.extend(before.map(Effect::RecordReplaced));
                    if before.is_none() {
                        self.meters().joined();
                    }
                }
            }
        }
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
        effects.push(Effect::MemberEntered(Arc::clone(&member)));
        core.inherit(session.0, &namesakes);
        self.meters().joined();
        Ok((member, session))
    }

    /// Sends a session a page of messages, as read from the store, or from memory if that is
    /// sufficient, with the reactions of its user as read by `own`. The page contains no message
    /// that arrives later with the live stream, and no state that is older than the stream so far.
    ///
    /// # Errors
    /// What has to be read from the store first.
    pub(crate) fn reply_history(
        &self,
        to: SubscriptionId,
        request: PageRequest,
        read: Option<&Messages>,
        own: &mut OwnReads,
        context: &ReplyContext,
    ) -> Result<Option<Position>, Read> {
        let PageRequest { page, max_bytes } = request;
        self.change_retained(|core, effects| {
            let found = match read {
                // events that were delivered since may have changed a message of the page
                Some(read) if !core.tail.covers(read.newest + 1) => {
                    return Err(Read::Changed { after: read.newest, limit: MAX_CHANGED });
                }
                Some(read) => current(core, fit(read.clone(), page, max_bytes)),
                None => match in_memory(core, page, max_bytes) {
                    Some(found) => found,
                    None => return Err(Read::Page(only_delivered(core, page))),
                },
            };
            let Messages { messages, first, last, more, .. } = found;
            let mine = own.step(messages.iter(), &core.tail)?;
            let page = MessagePage {
                reference: context.reference.clone(),
                room: self.name.clone(),
                epoch: context.epoch.clone(),
                first,
                last,
                messages,
                mine,
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
    actor: Actor,
) -> Recipient {
    Recipient { id, member: member.id, style, arrival, actor }
}

fn reply(core: &Core, to: SubscriptionId, event: Event, effects: &mut Effects) -> Option<Position> {
    core.subscribers.contains_key(&to).then(|| {
        effects.push(Effect::Send(event, Audience::Only(to)));
        Position { position: core.position }
    })
}

/// A page that a member asks for, and its maximum size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRequest {
    pub(crate) page: Page,
    pub(crate) max_bytes: usize,
}

/// If more messages than this were changed since a page was read, it is read again.
const MAX_CHANGED: usize = 1_000;

/// Brings a page that was read from the store up to date with messages that were changed since.
/// Returns `None` if it has to be read again.
pub(crate) fn updated(mut page: Messages, changed: Changed) -> Option<Messages> {
    changed.messages?.iter().for_each(|state| replace(&mut page.messages, state));
    page.newest = changed.newest;
    Some(page)
}

/// A page as of the newest delivered event. The tail has what was delivered since it was read.
fn current(core: &Core, mut page: Messages) -> Messages {
    core.tail
        .changed_from(page.newest + 1)
        .into_values()
        .for_each(|state| replace(&mut page.messages, state));
    let newest = core.tail.newest();
    if page.last > newest {
        // the rest arrives with the live stream
        let delivered = page.messages.partition_point(|message| message.seq <= newest);
        page.messages.truncate(delivered);
        page.last = newest;
        page.first = page.first.min(newest + 1);
        page.more = false;
    }
    page
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
    let (tail, mut fits) = (&core.tail, fits(max_bytes));
    let extent = Extent::new(core.oldest(), tail.newest());
    match only_delivered(core, page) {
        Page::After { seq, limit } => {
            let from = seq.saturating_add(1).min(tail.newest() + 1);
            if !tail.covers(from) {
                return None;
            }
            let all = tail.messages_from(from);
            let messages: Vec<_> = all.take(limit).take_while(&mut fits).map(Arc::clone).collect();
            let more = messages.len() < tail.messages_from(from).count();
            Some(Messages::new(Page::After { seq, limit }, extent, messages, more))
        }
        Page::Before { seq, limit } => {
            let before = || tail.messages().rev().skip_while(|message| message.seq >= seq);
            let mut messages: Vec<_> = before().take(limit).take_while(&mut fits).map(Arc::clone).collect();
            messages.reverse();
            let more = messages.len() < before().count();
            // only the store knows what is before the tail
            (more || tail.first() == 1)
                .then(|| Messages::new(Page::Before { seq, limit }, extent, messages, more))
        }
    }
}

/// Cuts a page that was read from the store to `max_bytes`, at its far end. One message always
/// fits.
fn fit(mut read: Messages, page: Page, max_bytes: usize) -> Messages {
    let (messages, mut fits) = (&mut read.messages, fits(max_bytes));
    let count = match page {
        Page::After { .. } => messages.iter().take_while(&mut fits).count(),
        Page::Before { .. } => messages.iter().rev().take_while(&mut fits).count(),
    };
    if count < messages.len() {
        read.more = true;
        match page {
            Page::After { .. } => {
                messages.truncate(count);
                read.last = messages.last().map_or(read.last, |last| last.seq);
            }
            Page::Before { .. } => {
                messages.drain(..messages.len() - count);
                read.first = messages.first().map_or(read.first, |first| first.seq);
            }
        }
    }
    read
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
