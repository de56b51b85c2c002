//! Checks the events of one participant against the stored messages and the members.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_history::Page;
use chat_protocol::v2::{
    Ack, ErrorCode, HistoryPage, Joined, MembersPage, MessageFrame, PAGE_MEMBERS_DEFAULT, Presence,
    ServerFrame, StoredMessage,
};
use chat_protocol::{
    COALESCE_ABOVE, Emoji, Identity, Member, MemberInfo, MessageId, Reference, RoomName, UserId, Username,
};
use chat_rooms::MembersQuery;

use super::log::Logged;
use super::reader::Received;
use super::store::HeldHistory;
use super::timeline::{MessageStream, Timeline, Wanted, assert_message};

/// Longer lists are compared by length only, because comparing each list of each member would
/// dominate the run time.
const MAX_COMPARED: usize = 12;

/// A request that expects a reply.
pub(super) enum Request {
    /// A message to store.
    Send {
        id: Option<MessageId>,
        body: Arc<str>,
        reply_to: Option<u64>,
        append: u64,
    },
    /// Another text for a message.
    Edit {
        target: u64,
        body: Arc<str>,
    },
    /// An emoji that is put on a message, or removed.
    React {
        target: u64,
        emoji: Emoji,
        is_added: bool,
    },
    /// A page of messages. The event `delivered` was delivered when it was requested.
    History {
        page: Page,
        delivered: u64,
    },
    Resync(Wanted),
    Members(MembersQuery),
    Refuse,
}

impl Request {
    /// Whether it is carried out by the store, and answered by an ack.
    fn is_stored(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::Edit { .. } | Self::React { .. })
    }
}

/// A member as others see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Present {
    pub(super) name: Username,
    user: UserId,
}

impl From<&Identity> for Present {
    fn from(user: &Identity) -> Self {
        Self { name: user.username().clone(), user: user.id().clone() }
    }
}

impl From<&Member> for Present {
    fn from(member: &Member) -> Self {
        Self { name: member.username.clone(), user: member.user.clone() }
    }
}

impl From<MemberInfo> for Present {
    fn from(member: MemberInfo) -> Self {
        Self { name: member.username, user: member.user }
    }
}

/// The state at which a participant joined.
#[derive(Clone, Default)]
pub(super) struct Start {
    /// The number of an event that was certainly delivered before.
    pub(super) delivered: u64,
    /// The number of the newest event that was stored.
    pub(super) stored: u64,
    pub(super) wanted: Wanted,
}

/// A participant's view of the room.
pub(super) struct Checker {
    room: RoomName,
    own: Present,
    /// Whether it receives joins and leaves immediately, with lists of members.
    receives_lists: bool,
    start: Start,
    /// What it knows of the messages, if it receives changes; `None` before the first event.
    timeline: Option<Timeline>,
    /// What it knows of the messages, if it receives lists; `None` before the first event.
    stream: Option<MessageStream>,
    /// The members; `None` if it has received only a sample.
    view: Option<BTreeSet<Present>>,
    pending: BTreeMap<Reference, Request>,
    /// Whether leaves are no longer announced.
    is_closed: bool,
    /// Whether another user took its name after it left.
    is_name_taken: bool,
    /// Whether it received its leave notice.
    has_left: bool,
}

impl Checker {
    pub(super) fn new(room: RoomName, own: Present, receives_lists: bool, start: Start) -> Self {
        let (timeline, stream, view, pending) = (None, None, None, BTreeMap::new());
        let (is_closed, is_name_taken, has_left) = (false, false, false);
        Self {
            room,
            own,
            receives_lists,
            start,
            timeline,
            stream,
            view,
            pending,
            is_closed,
            is_name_taken,
            has_left,
        }
    }

    pub(super) fn expect_reply(&mut self, reference: Reference, request: Request) {
        self.pending.insert(reference, request);
    }

    /// The engine is closing and does not announce leaves any more, so the view of the members is
    /// not checked from now on.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Another user takes its name before its messages are stored: it leaves at once and receives
    /// no replies to them.
    pub(super) fn name_taken(&mut self) {
        self.is_name_taken = true;
    }

    /// Checks a participant that has read everything, with nothing in flight.
    pub(super) fn assert_complete(&self, store: &HeldHistory) {
        assert!(self.has_joined(), "{:?} in {}", self.own, self.room);
        // a timeline that is behind is complete after the resync
        let timeline = self.timeline.iter().filter(|timeline| !timeline.is_behind());
        timeline.for_each(|timeline| timeline.assert_complete(store));
        let newest = store.newest(&self.room);
        self.stream.iter().for_each(|stream| stream.assert_no_message(&self.room, newest, store));
        // participants with lists receive no acks
        let unanswered = self.pending.values().filter(|request| !self.receives_lists || !request.is_stored());
        assert_eq!(unanswered.count(), 0, "unanswered: {:?}", self.pending.keys());
    }

    /// Checks the view of a participant that has read everything, after the coalescing window.
    pub(super) fn assert_view(&self, expected: &BTreeSet<Present>) {
        if let Some(view) = self.view.as_ref().filter(|_| !self.is_closed) {
            assert_eq!(view, expected, "the view of {:?} in {}", self.own, self.room);
        }
    }

    /// The number of the newest event that it was sent; `None` before the first one.
    pub(super) fn cursor(&self) -> Option<u64> {
        self.timeline.as_ref().map(Timeline::cursor)
    }

    /// Whether it has missed events, and does not wait for what they were.
    pub(super) fn has_to_resync(&self) -> bool {
        let is_resync = |request: &Request| matches!(request, Request::Resync(_));
        self.is_behind() && !self.pending.values().any(is_resync)
    }

    pub(super) fn is_behind(&self) -> bool {
        self.timeline.as_ref().is_some_and(Timeline::is_behind)
    }

    fn has_joined(&self) -> bool {
        self.timeline.is_some() || self.stream.is_some()
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    pub(super) fn receive(&mut self, received: Received, store: &HeldHistory) {
        assert!(!self.has_left, "{received:?} after it has left");
        match received {
            Received::Joined(group, listed) => self.others_joined(&group, listed.first()),
            Received::Left(group, listed) => self.others_left(&group, listed.first()),
            Received::DeletedMessage(seq) => {
                let is_deletion =
                    |change: &u64| matches!(store.event(&self.room, *change), Some(Logged::Deletion { .. }));
                assert!(store.changes(&self.room, seq).iter().any(is_deletion), "{seq} is not deleted");
                self.listed_message(seq, store);
            }
            Received::Frame(frame) => match *frame {
                ServerFrame::Joined(joined) if self.has_joined() => self.resynced(joined, store),
                ServerFrame::Joined(joined) => self.joined(joined, store),
                frame => {
                    assert!(self.has_joined(), "{frame:?} before its own join");
                    self.frame(frame, store);
                }
            },
        }
    }

    fn others_joined(&mut self, group: &[Arc<Member>], listed: &[Arc<Member>]) {
        assert!(self.receives_lists);
        if self.stream.is_none() {
            assert!(group.iter().any(|member| member.user == self.own.user), "its own join comes first");
            self.stream = Some(MessageStream::new(self.start.delivered, self.start.stored));
            self.view = Some(present(listed));
            return;
        }
        self.change(present(group), &BTreeSet::new(), listed);
    }

    fn others_left(&mut self, group: &[Arc<Member>], listed: &[Arc<Member>]) {
        assert!(self.receives_lists && self.has_joined());
        self.change(BTreeSet::new(), &present(group), listed);
    }

    fn change(&mut self, joined: BTreeSet<Present>, left: &BTreeSet<Present>, listed: &[Arc<Member>]) {
        let Some(view) = self.view.as_mut().filter(|_| !self.is_closed) else { return };
        // in a large room, a member may have left and another joined with the same name since then
        if listed.len() < COALESCE_ABOVE {
            assert!(left.is_subset(view) && joined.is_disjoint(view), "-{left:?} +{joined:?} in {view:?}");
        }
        view.retain(|present| !left.contains(present));
        view.extend(joined);
        if listed.len() < COALESCE_ABOVE {
            assert_eq!(view.len(), listed.len(), "the list is the state after the event");
        }
        if listed.len() < MAX_COMPARED {
            assert_eq!(*view, present(listed), "the list is the state after the event");
        }
    }

    fn joined(&mut self, joined: Joined, store: &HeldHistory) {
        assert!(!self.receives_lists && joined.room == self.room);
        assert!((self.start.delivered..=self.start.stored).contains(&joined.seq), "{}", joined.seq);
        self.timeline = Some(Timeline::new(&joined, self.own.user.clone(), &self.start.wanted, store));
        let view: BTreeSet<_> = joined.members.into_iter().map(Present::from).collect();
        assert!(view.len() as u64 == joined.member_count || view.len() == PAGE_MEMBERS_DEFAULT);
        assert!(view.contains(&self.own) || view.len() == PAGE_MEMBERS_DEFAULT);
        self.view = (view.len() as u64 == joined.member_count).then_some(view);
    }

    fn resynced(&mut self, joined: Joined, store: &HeldHistory) {
        let Some(Request::Resync(wanted)) = self.replied(joined.reference.clone()) else {
            panic!("a snapshot without a request")
        };
        self.timeline_mut().resynced(&joined, &wanted, store);
        let answered = |seq: u64| self.assert_answered(seq, store);
        joined.messages.iter().map(StoredMessage::seq).for_each(answered);
        let members: BTreeSet<_> = joined.members.into_iter().map(Present::from).collect();
        assert!(members.len() as u64 == joined.member_count || members.len() == PAGE_MEMBERS_DEFAULT);
        let is_whole = members.len() as u64 == joined.member_count;
        if let Some(view) = self.view.as_ref().filter(|_| is_whole && !self.is_closed) {
            assert_eq!(*view, members, "the members as of the last change");
        }
        if is_whole {
            self.view = Some(members);
        }
    }

    fn timeline_mut(&mut self) -> &mut Timeline {
        self.timeline.as_mut().expect("a participant with changes")
    }

    /// Checks that it was sent the outcome of its own message before the message.
    fn assert_answered(&self, seq: u64, store: &HeldHistory) {
        let number = store.message(&self.room, seq).append;
        let is_own = |sent: &Request| matches!(sent, Request::Send { append, .. } if *append == number);
        let is_unanswered = !self.receives_lists && self.pending.values().any(is_own);
        assert!(!is_unanswered, "the ack of {seq} precedes the message");
    }

    fn message(&mut self, message: &MessageFrame, store: &HeldHistory) {
        assert_eq!(message.room, self.room);
        assert_message(message, self.receives_lists, store);
        self.assert_answered(message.seq, store);
        if self.receives_lists {
            self.listed_message(message.seq, store);
        } else {
            self.timeline_mut().message(message);
        }
    }

    /// A message arrives at a session with lists of members.
    fn listed_message(&mut self, seq: u64, store: &HeldHistory) {
        let stored = store.message(&self.room, seq);
        // the sender may have left when the room finds a message whose append has failed
        if !stored.has_failed {
            self.assert_member(&stored.message.from);
        }
        let stream = self.stream.as_mut().expect("a participant with lists");
        stream.message(&self.room, seq, store);
    }

    fn frame(&mut self, frame: ServerFrame, store: &HeldHistory) {
        match frame {
            ServerFrame::Message(message) => self.message(&message, store),
            ServerFrame::Edited(edited) => self.timeline_mut().edited(&edited, store),
            ServerFrame::Reactions(reactions) => self.timeline_mut().reacted(&reactions, store),
            ServerFrame::RoomChanged(changed) => self.timeline_mut().room_changed(&changed, store),
            ServerFrame::Deleted(deleted) => self.timeline_mut().deleted(&deleted, store),
            ServerFrame::Sync(sync) => {
                let messages = self.timeline_mut().synced(&sync, store);
                messages.into_iter().for_each(|seq| self.assert_answered(seq, store));
            }
            ServerFrame::Ack(ack) => self.ack(ack, store),
            ServerFrame::Error(error) => {
                let is_expected = match self.replied(error.reference) {
                    Some(Request::Send { reply_to, .. }) => match error.code {
                        ErrorCode::NotFound => reply_to.is_some(),
                        code => matches!(
                            code,
                            ErrorCode::IdReused | ErrorCode::StoreUnavailable | ErrorCode::Forbidden
                        ),
                    },
                    Some(Request::Edit { .. }) => matches!(
                        error.code,
                        ErrorCode::IdReused
                            | ErrorCode::StoreUnavailable
                            | ErrorCode::Forbidden
                            | ErrorCode::NotFound
                    ),
                    Some(Request::React { .. }) => matches!(
                        error.code,
                        ErrorCode::StoreUnavailable | ErrorCode::Forbidden | ErrorCode::NotFound
                    ),
                    Some(Request::Refuse) => error.code == ErrorCode::BadJson,
                    _ => false,
                };
                assert!(is_expected, "{:?} {}", error.code, error.message);
            }
            ServerFrame::Presence(presence) => self.presence(presence),
            ServerFrame::History(page) => self.history(page, store),
            ServerFrame::Members(page) => self.members(page),
            ServerFrame::Typing(typing) => {
                assert!(!self.receives_lists && typing.username != self.own.name && typing.room == self.room);
            }
            ServerFrame::Notice(notice) => assert_eq!(notice.room.as_ref(), Some(&self.room)),
            ServerFrame::Left(left) => {
                assert_eq!(left.room, self.room);
                self.has_left = true;
                let may_be_unacked = self.receives_lists || self.is_name_taken;
                assert!(
                    may_be_unacked || !self.pending.values().any(Request::is_stored),
                    "it leaves after its messages"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    fn ack(&mut self, ack: Ack, store: &HeldHistory) {
        let request = self.replied(ack.reference);
        assert!(ack.room == self.room && ack.stored);
        let event = ack.seq.and_then(|seq| store.event(&self.room, seq));
        assert_eq!(event.is_some(), ack.seq.is_some(), "it is stored");
        match (request, event) {
            (Some(Request::Send { id, body, reply_to, .. }), Some(Logged::Message(stored))) => {
                let stored = stored.message;
                let own_id = ack.id.expect("the ack of a message");
                assert_eq!((&stored.user, &stored.id, &stored.body), (&self.own.user, &own_id, &body));
                assert!(id.is_none_or(|id| id == own_id) && stored.reply_to() == reply_to);
            }
            (
                Some(Request::Edit { target, body }),
                Some(Logged::Edit { target: stored, authors, body: text }),
            ) => {
                assert_eq!((target, &body), (stored, &text));
                assert!(authors.contains(&self.own.user));
            }
            (
                Some(Request::React { target, emoji, is_added }),
                Some(Logged::Reaction { target: stored, emoji: of, user, is_added: is }),
            ) => assert_eq!((target, &emoji, &self.own.user, is_added), (stored, &of, &user, is)),
            // nothing was changed
            (Some(Request::Edit { .. } | Request::React { .. }), None) => {}
            (_, event) => panic!("an ack without a request, for {event:?}"),
        }
    }

    /// Checks that the sender is in the list, if joins and leaves are sent immediately.
    fn assert_member(&self, from: &Username) {
        let view = self.view.as_ref().filter(|_| self.receives_lists && !self.is_closed);
        if let Some(view) = view.filter(|view| view.len() < COALESCE_ABOVE) {
            assert!(
                view.iter().any(|present| present.name == *from),
                "{from} sends a message, but is not in {view:?}"
            );
        }
    }

    fn replied(&mut self, reference: Option<Reference>) -> Option<Request> {
        self.pending.remove(&reference?)
    }

    fn presence(&mut self, presence: Presence) {
        assert!(!self.receives_lists && presence.room == self.room);
        let Some(view) = self.view.as_mut().filter(|_| !self.is_closed) else { return };
        if presence.partial {
            self.view = None;
            return;
        }
        let has_joined = |name: &Username| presence.joined.iter().any(|member| member.username == *name);
        assert!(!presence.left.iter().any(has_joined), "a name is in one of the lists");
        view.retain(|present| !presence.left.contains(&present.name) && !has_joined(&present.name));
        view.extend(presence.joined.into_iter().map(Present::from));
        assert_eq!(view.len() as u64, presence.member_count, "snapshot and changes add up");
    }

    fn history(&mut self, answer: HistoryPage, store: &HeldHistory) {
        let Some(Request::History { page, delivered }) = self.replied(answer.reference) else {
            panic!("a page without a request")
        };
        let HistoryPage { first, last, messages, more, .. } = answer;
        self.timeline_mut().page(first, last, &messages, store);
        let newest = self.cursor().unwrap_or_default();
        let reach = self.timeline_mut().reach(store);
        let count = |first, last| store.messages(&self.room, first, last).len();
        // how many messages are surely missing in the requested direction, and how many may be
        let (limit, required, allowed) = match page {
            Page::After { seq, limit } => {
                let expected = seq.min(newest).saturating_add(1)..=seq.min(reach).saturating_add(1);
                assert!(expected.contains(&first), "{first} after {seq} of {newest}");
                // what was sent after the page was read has arrived with the live stream
                assert!(more || last >= delivered.min(newest), "{last} is before {delivered}");
                (limit, count(last + 1, delivered), count(last + 1, store.newest(&self.room)))
            }
            Page::Before { seq, limit } => {
                let last_of = |newest: u64| seq.min(newest + 1).saturating_sub(1);
                assert!((last_of(delivered)..=last_of(reach)).contains(&last), "{last} of {newest}");
                assert!(more || first == 1, "{first} is not the oldest number");
                (limit, count(1, first - 1), count(1, first - 1))
            }
        };
        assert!(messages.len() <= limit, "{} of {limit} messages", messages.len());
        assert!(required == 0 || more, "{first} to {last} of {newest}");
        assert!(allowed > 0 || !more, "{first} to {last} of {newest}");
        assert!(!more || messages.len() == limit || required == 0, "a page ends at its limit");
    }

    fn members(&mut self, page: MembersPage) {
        let Some(Request::Members(query)) = self.replied(page.reference) else {
            panic!("a page without a request")
        };
        let Some(view) = self.view.as_ref().filter(|_| !self.is_closed) else { return };
        let is_after = |name: &Username| query.after.as_deref().is_none_or(|after| name.as_str() > after);
        let mut matching = view
            .iter()
            .map(|present| &present.name)
            .filter(|name| name.as_str().starts_with(&query.prefix) && is_after(name));
        let limit = query.limit;
        let expected: Vec<_> = matching.by_ref().take(limit).collect();
        assert_eq!(page.members.iter().map(|member| &member.username).collect::<Vec<_>>(), expected);
        assert_eq!((page.member_count, page.more), (view.len() as u64, matching.next().is_some()));
    }
}

fn present(members: &[Arc<Member>]) -> BTreeSet<Present> {
    members.iter().map(|member| Present::from(&**member)).collect()
}
