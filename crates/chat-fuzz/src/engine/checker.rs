//! Checks the events of one participant against the stored messages and the members.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_history::Page;
use chat_protocol::v2::{
    ErrorCode, HistoryPage, Joined, MembersPage, PAGE_MEMBERS_DEFAULT, PAGE_MESSAGES, Presence, ServerFrame,
    StoredMessage,
};
use chat_protocol::{
    COALESCE_ABOVE, Epoch, Identity, Member, MemberInfo, MessageId, Reference, RoomName, UserId, Username,
};
use chat_rooms::MembersQuery;

use super::reader::Received;
use super::store::HeldHistory;

/// Longer lists are compared by length only, because comparing each list of each member would
/// dominate the run time.
const MAX_COMPARED: usize = 12;

/// A request that expects a reply.
pub(super) enum Request {
    /// A message to store.
    Send {
        id: Option<MessageId>,
        body: Arc<str>,
        append: u64,
    },
    History(Page),
    Members(MembersQuery),
    Refuse,
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
    /// The number of the newest message at that time.
    pub(super) seq: u64,
    /// The requested `since` position: epoch and number.
    pub(super) since: Option<(Epoch, u64)>,
    pub(super) history: usize,
}

/// A participant's view of the room.
pub(super) struct Checker {
    room: RoomName,
    own: Present,
    /// Whether it receives joins and leaves immediately, with lists of members.
    receives_lists: bool,
    start: Start,
    /// `None` before the first event.
    newest: Option<u64>,
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
        let (newest, view, pending) = (None, None, BTreeMap::new());
        let (is_closed, is_name_taken, has_left) = (false, false, false);
        Self { room, own, receives_lists, start, newest, view, pending, is_closed, is_name_taken, has_left }
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
        assert_eq!(self.newest, Some(store.count(&self.room)), "{:?} in {}", self.own, self.room);
        // participants with lists receive no acks
        let unanswered = self
            .pending
            .values()
            .filter(|request| !self.receives_lists || !matches!(request, Request::Send { .. }));
        assert_eq!(unanswered.count(), 0, "unanswered: {:?}", self.pending.keys());
    }

    /// Checks the view of a participant that has read everything, after the coalescing window.
    pub(super) fn assert_view(&self, expected: &BTreeSet<Present>) {
        if let Some(view) = self.view.as_ref().filter(|_| !self.is_closed) {
            assert_eq!(view, expected, "the view of {:?} in {}", self.own, self.room);
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    pub(super) fn receive(&mut self, received: Received, store: &HeldHistory) {
        assert!(!self.has_left, "{received:?} after it has left");
        match received {
            Received::Joined(group, listed) => self.others_joined(&group, listed.first()),
            Received::Left(group, listed) => self.others_left(&group, listed.first()),
            Received::Frame(ServerFrame::Joined(joined)) => self.joined(joined, store),
            Received::Frame(frame) => {
                assert!(self.newest.is_some(), "{frame:?} before its own join");
                self.frame(frame, store);
            }
        }
    }

    fn others_joined(&mut self, group: &[Arc<Member>], listed: &[Arc<Member>]) {
        assert!(self.receives_lists);
        if self.newest.is_none() {
            assert!(group.iter().any(|member| member.user == self.own.user), "its own join comes first");
            self.newest = Some(self.start.seq);
            self.view = Some(present(listed));
            return;
        }
        self.change(present(group), &BTreeSet::new(), listed);
    }

    fn others_left(&mut self, group: &[Arc<Member>], listed: &[Arc<Member>]) {
        assert!(self.receives_lists && self.newest.is_some());
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
        assert!(self.newest.is_none() && !self.receives_lists);
        assert_eq!((&joined.room, joined.seq), (&self.room, self.start.seq));
        let since =
            self.start.since.as_ref().filter(|(epoch, _)| *epoch == joined.epoch).map(|(_, seq)| *seq);
        assert_eq!(joined.recovered, since.is_some_and(|seq| seq <= joined.seq));
        let from = if joined.recovered {
            since.unwrap_or_default()
        } else {
            joined.seq.saturating_sub(self.start.history.min(PAGE_MESSAGES) as u64)
        };
        self.assert_messages(&joined.messages, from..joined.seq, store);
        self.newest = Some(joined.seq);
        let view: BTreeSet<_> = joined.members.into_iter().map(Present::from).collect();
        assert!(view.len() as u64 == joined.member_count || view.len() == PAGE_MEMBERS_DEFAULT);
        assert!(view.contains(&self.own) || view.len() == PAGE_MEMBERS_DEFAULT);
        self.view = (view.len() as u64 == joined.member_count).then_some(view);
    }

    fn frame(&mut self, frame: ServerFrame, store: &HeldHistory) {
        match frame {
            ServerFrame::Message(message) => {
                let newest = self.newest.map_or(0, |newest| newest + 1);
                self.newest = Some(newest);
                assert_eq!((&message.room, message.seq), (&self.room, newest), "each once, in order");
                self.assert_member(&message.from);
                let stored = store.stored(&self.room, newest).expect("it is stored");
                let received = (&message.id, &message.user, &message.from, &message.body);
                let expected = &stored.message;
                assert_eq!(received, (&expected.id, &expected.user, &expected.from, &expected.body));
                let is_own =
                    |sent: &Request| matches!(sent, Request::Send { append, .. } if *append == stored.append);
                let is_unacked = !self.receives_lists && self.pending.values().any(is_own);
                assert!(!is_unacked, "the ack precedes the message");
            }
            ServerFrame::Ack(ack) => {
                let Some(Request::Send { id, body, .. }) = self.replied(ack.reference) else {
                    panic!("an ack without a request")
                };
                let stored = store.stored(&self.room, ack.seq).expect("it is stored").message;
                assert_eq!((&stored.user, &stored.id, &stored.body), (&self.own.user, &ack.id, &body));
                assert!(id.is_none_or(|id| id == ack.id) && ack.room == self.room && ack.stored);
            }
            ServerFrame::Error(error) => match self.replied(error.reference) {
                Some(Request::Send { .. }) => {
                    assert!(matches!(error.code, ErrorCode::IdReused | ErrorCode::StoreUnavailable));
                }
                Some(Request::Refuse) => assert_eq!(error.code, ErrorCode::BadJson),
                _ => panic!("an error without a request"),
            },
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
                let is_send = |request: &Request| matches!(request, Request::Send { .. });
                let may_be_unacked = self.receives_lists || self.is_name_taken;
                assert!(
                    may_be_unacked || !self.pending.values().any(is_send),
                    "it leaves after its messages"
                );
            }
            other => panic!("{other:?}"),
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

    fn history(&mut self, page: HistoryPage, store: &HeldHistory) {
        let Some(Request::History(requested)) = self.replied(page.reference) else {
            panic!("a page without a request")
        };
        let newest = self.newest.unwrap_or_default();
        let (from, to, more) = match requested {
            Page::After { seq, limit } => {
                let from = seq.min(newest);
                let to = from.saturating_add(limit.min(PAGE_MESSAGES) as u64).min(newest);
                (from, to, to < newest)
            }
            Page::Before { seq, limit } => {
                let to = seq.min(newest + 1).saturating_sub(1);
                let from = to.saturating_sub(limit.min(PAGE_MESSAGES) as u64);
                (from, to, from > 0)
            }
        };
        self.assert_messages(&page.messages, from..to, store);
        assert_eq!(page.more, more, "more than {from} to {to} of {newest}");
    }

    /// Checks that the messages are those after `range.start`, up to `range.end`.
    fn assert_messages(&self, messages: &[StoredMessage], range: std::ops::Range<u64>, store: &HeldHistory) {
        assert!(
            messages.iter().map(StoredMessage::seq).eq(range.start + 1..=range.end),
            "{messages:?} is not {range:?}"
        );
        for message in messages {
            let StoredMessage::Text { seq, id, from, user, body, .. } = message else {
                panic!("{message:?}")
            };
            let stored = store.stored(&self.room, *seq).expect("it is stored").message;
            assert_eq!((id, from, user, body), (&stored.id, &stored.from, &stored.user, &stored.body));
        }
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
