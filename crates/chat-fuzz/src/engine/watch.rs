//! What one stay in a room is told, held against what was said and who was there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chat_history::Page;
use chat_protocol::v2::{
    ErrorCode, HistoryPage, Joined, MembersPage, PAGE_MEMBERS_DEFAULT, PAGE_MESSAGES, Presence, ServerFrame,
    StoredMessage,
};
use chat_protocol::{COALESCE_ABOVE, Epoch, Member, MessageId, Reference, RoomName, Username};
use chat_rooms::MembersQuery;

use super::reader::Seen;
use super::store::Held;

/// Lists of more than this are compared by their length: of each event to each member it would be most of the work.
const NAMED: usize = 12;

/// What was asked for and is to be answered.
pub(super) enum Asked {
    /// To store a message.
    Said {
        id: Option<MessageId>,
        body: Arc<str>,
        append: u64,
    },
    History(Page),
    Members(MembersQuery),
    Refusal,
}

/// How a stay, or the rest of it, began.
#[derive(Clone, Default)]
pub(super) struct Start {
    /// The number of the newest message at that moment.
    pub(super) seq: u64,
    /// The place after which everything was asked for, in which epoch.
    pub(super) since: Option<(Epoch, u64)>,
    pub(super) history: usize,
}

/// A stay as its reader sees it.
pub(super) struct Watch {
    room: RoomName,
    own: Username,
    /// Whether it is told who is there at once, with the list of all.
    is_told_lists: bool,
    start: Start,
    /// None before the first event.
    newest: Option<u64>,
    /// Who is there; none where it is told a sample only.
    view: Option<BTreeSet<Username>>,
    asked: BTreeMap<Reference, Asked>,
    /// Whether nobody is told any more who leaves.
    is_closed: bool,
    /// Whether somebody else came under its name when it had left.
    is_followed: bool,
    /// Whether it was told that it has left.
    has_left: bool,
}

impl Watch {
    pub(super) fn new(room: RoomName, own: Username, is_told_lists: bool, start: Start) -> Self {
        let (newest, view, asked) = (None, None, BTreeMap::new());
        let (is_closed, is_followed, has_left) = (false, false, false);
        Self { room, own, is_told_lists, start, newest, view, asked, is_closed, is_followed, has_left }
    }

    pub(super) fn ask(&mut self, reference: Reference, asked: Asked) {
        self.asked.insert(reference, asked);
    }

    /// From now on nobody is told who leaves: what it knows of who is there is void.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Somebody takes its name before what it said is stored: it is let go at once, and hears no more of that.
    pub(super) fn follow(&mut self) {
        self.is_followed = true;
    }

    /// All is read that there is, and nothing is on its way.
    pub(super) fn assert_complete(&self, store: &Held) {
        assert_eq!(self.newest, Some(store.count(&self.room)), "{} in {}", self.own, self.room);
        // who is told at once hears nothing of what is stored
        let unanswered =
            self.asked.values().filter(|asked| !self.is_told_lists || !matches!(asked, Asked::Said { .. }));
        assert_eq!(unanswered.count(), 0, "unanswered: {:?}", self.asked.keys());
    }

    /// All is read that there is, and the time for which changes are gathered is over.
    pub(super) fn assert_sees(&self, there: &BTreeSet<Username>) {
        if let Some(view) = self.view.as_ref().filter(|_| !self.is_closed) {
            assert_eq!(view, there, "as {} sees {}", self.own, self.room);
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    pub(super) fn see(&mut self, seen: Seen, store: &Held) {
        assert!(!self.has_left, "{seen:?} after it has left");
        match seen {
            Seen::Came(who, listed) => self.came(&who, listed.first()),
            Seen::Went(who, listed) => self.went(&who, listed.first()),
            Seen::Frame(ServerFrame::Joined(joined)) => self.joined(joined, store),
            Seen::Frame(frame) => {
                assert!(self.newest.is_some(), "{frame:?} before its own entering");
                self.frame(frame, store);
            }
        }
    }

    fn came(&mut self, who: &[Arc<Member>], listed: &[Arc<Member>]) {
        assert!(self.is_told_lists);
        if self.newest.is_none() {
            assert!(who.iter().any(|member| member.username == self.own), "its own entering comes first");
            self.newest = Some(self.start.seq);
            self.view = Some(names(listed));
            return;
        }
        self.change(names(who), &BTreeSet::new(), listed);
    }

    fn went(&mut self, who: &[Arc<Member>], listed: &[Arc<Member>]) {
        assert!(self.is_told_lists && self.newest.is_some());
        self.change(BTreeSet::new(), &names(who), listed);
    }

    fn change(&mut self, came: BTreeSet<Username>, went: &BTreeSet<Username>, listed: &[Arc<Member>]) {
        let Some(view) = self.view.as_mut().filter(|_| !self.is_closed) else { return };
        // in a big room somebody may have gone and come again under the same name since
        if listed.len() < COALESCE_ABOVE {
            assert!(went.is_subset(view) && came.is_disjoint(view), "-{went:?} +{came:?} in {view:?}");
        }
        view.retain(|name| !went.contains(name));
        view.extend(came);
        if listed.len() < COALESCE_ABOVE {
            assert_eq!(view.len(), listed.len(), "the list is the room after that");
        }
        if listed.len() < NAMED {
            assert_eq!(*view, names(listed), "the list is the room after that");
        }
    }

    fn joined(&mut self, joined: Joined, store: &Held) {
        assert!(self.newest.is_none() && !self.is_told_lists);
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
        let view: BTreeSet<_> = joined.members.into_iter().map(|member| member.username).collect();
        assert!(view.len() as u64 == joined.member_count || view.len() == PAGE_MEMBERS_DEFAULT);
        assert!(view.contains(&self.own) || view.len() == PAGE_MEMBERS_DEFAULT);
        self.view = (view.len() as u64 == joined.member_count).then_some(view);
    }

    fn frame(&mut self, frame: ServerFrame, store: &Held) {
        match frame {
            ServerFrame::Message(message) => {
                let newest = self.newest.map_or(0, |newest| newest + 1);
                self.newest = Some(newest);
                assert_eq!((&message.room, message.seq), (&self.room, newest), "each once, in order");
                self.assert_there(&message.from);
                let said = store.said(&self.room, newest).expect("it is stored");
                let seen = (&message.id, &message.from, &message.body);
                assert_eq!(seen, (&said.message.id, &said.message.from, &said.message.body));
                let is_own =
                    |asked: &Asked| matches!(asked, Asked::Said { append, .. } if *append == said.append);
                let waits = !self.is_told_lists && self.asked.values().any(is_own);
                assert!(!waits, "its ack comes before its own message");
            }
            ServerFrame::Ack(ack) => {
                let Some(Asked::Said { id, body, .. }) = self.answered(ack.reference) else {
                    panic!("an ack that answers nothing")
                };
                let said = store.said(&self.room, ack.seq).expect("it is stored").message;
                assert_eq!((&said.from, &said.id, &said.body), (&self.own, &ack.id, &body));
                assert!(id.is_none_or(|id| id == ack.id) && ack.room == self.room && ack.stored);
            }
            ServerFrame::Error(error) => match self.answered(error.reference) {
                Some(Asked::Said { .. }) => {
                    assert!(matches!(error.code, ErrorCode::IdReused | ErrorCode::StoreUnavailable));
                }
                Some(Asked::Refusal) => assert_eq!(error.code, ErrorCode::BadJson),
                _ => panic!("an error that answers nothing"),
            },
            ServerFrame::Presence(presence) => self.presence(presence),
            ServerFrame::History(page) => self.history(page, store),
            ServerFrame::Members(page) => self.members(page),
            ServerFrame::Typing(typing) => {
                assert!(!self.is_told_lists && typing.username != self.own && typing.room == self.room);
            }
            ServerFrame::Notice(notice) => assert_eq!(notice.room.as_ref(), Some(&self.room)),
            ServerFrame::Left(left) => {
                assert_eq!(left.room, self.room);
                self.has_left = true;
                let is_said = |asked: &Asked| matches!(asked, Asked::Said { .. });
                let may_be = self.is_told_lists || self.is_followed;
                assert!(may_be || !self.asked.values().any(is_said), "it leaves behind what it said");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Whoever speaks is in the list, as far as comings and goings are told at once.
    fn assert_there(&self, from: &Username) {
        let view = self.view.as_ref().filter(|_| self.is_told_lists && !self.is_closed);
        if let Some(view) = view.filter(|view| view.len() < COALESCE_ABOVE) {
            assert!(view.contains(from), "{from} speaks, and is not in {view:?}");
        }
    }

    fn answered(&mut self, reference: Option<Reference>) -> Option<Asked> {
        self.asked.remove(&reference?)
    }

    fn presence(&mut self, presence: Presence) {
        assert!(!self.is_told_lists && presence.room == self.room);
        let Some(view) = self.view.as_mut().filter(|_| !self.is_closed) else { return };
        if presence.partial {
            self.view = None;
            return;
        }
        for gone in &presence.left {
            view.remove(gone);
        }
        view.extend(presence.joined.into_iter().map(|member| member.username));
        assert_eq!(view.len() as u64, presence.member_count, "snapshot and changes add up");
    }

    fn history(&mut self, page: HistoryPage, store: &Held) {
        let Some(Asked::History(asked)) = self.answered(page.reference) else {
            panic!("a page that answers nothing")
        };
        let newest = self.newest.unwrap_or_default();
        let (from, to, more) = match asked {
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

    /// These are the messages behind the start, up to the end.
    fn assert_messages(&self, messages: &[StoredMessage], range: std::ops::Range<u64>, store: &Held) {
        assert!(
            messages.iter().map(StoredMessage::seq).eq(range.start + 1..=range.end),
            "{messages:?} is no {range:?}"
        );
        for message in messages {
            let StoredMessage::Said { seq, id, from, body, .. } = message else { panic!("{message:?}") };
            let said = store.said(&self.room, *seq).expect("it is stored").message;
            assert_eq!((id, from, body), (&said.id, &said.from, &said.body));
        }
    }

    fn members(&mut self, page: MembersPage) {
        let Some(Asked::Members(query)) = self.answered(page.reference) else {
            panic!("a page that answers nothing")
        };
        let Some(view) = self.view.as_ref().filter(|_| !self.is_closed) else { return };
        let behind = |name: &Username| query.after.as_deref().is_none_or(|after| name.as_str() > after);
        let mut fit = view.iter().filter(|name| name.as_str().starts_with(&query.prefix) && behind(name));
        let limit = query.limit;
        let expected: Vec<_> = fit.by_ref().take(limit).collect();
        assert_eq!(page.members.iter().map(|member| &member.username).collect::<Vec<_>>(), expected);
        assert_eq!((page.member_count, page.more), (view.len() as u64, fit.next().is_some()));
    }
}

fn names(members: &[Arc<Member>]) -> BTreeSet<Username> {
    members.iter().map(|member| member.username.clone()).collect()
}
