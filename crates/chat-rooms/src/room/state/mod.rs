//! A room as plain state: who holds which name, who is in, and what is to be told to whom. It knows no task, no lock and no
//! clock; commands go in, effects come out.

pub(crate) mod coalesce;
pub(crate) mod roster;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use chat_protocol::{
    ErrorCode, Event, LISTED_MEMBERS, Member, MemberId, MemberInfo, MemberList, Message, NoticeLevel,
    PresenceChange, Reference, RoomName, Username,
};

use crate::delivery::audience::LogicalTime;
use crate::delivery::audience::{Audience, PresenceStyle};
use crate::room::state::coalesce::{BatchedPresence, Changes, PresenceBatcher};
use crate::room::state::roster::{Roster, RosterChanges, RosterPage, RosterQuery};

/// What the room has to do after a command.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Tell this, after everything before it.
    Send(Event, Audience),
    /// Call [`RoomState::close_window`] after the time that comings and goings are gathered for.
    OpenWindow,
    /// Call [`RoomState::flush_presence`] after the time that changes are gathered for.
    OpenPresence,
}

/// MemberGroup holds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Somebody whose stay is being written, and who is not in yet.
    Reserved,
    /// A member.
    Member(MemberId),
}

#[derive(Debug)]
struct MemberEntry {
    member: Arc<Member>,
    arrival: LogicalTime,
    style: PresenceStyle,
}

/// A room's members and names.
#[derive(Debug)]
pub(crate) struct RoomState {
    room: RoomName,
    /// A room with more members than this coalesces comings and goings.
    coalesce_above: usize,
    /// The maximum number of names in each list of a change of presence in a room with more than [`LISTED_MEMBERS`] members.
    presence_names: usize,
    /// Every name that nobody else can have.
    holders: HashMap<Username, Holder>,
    /// Those who are in, in order of arrival.
    members: BTreeMap<MemberId, MemberEntry>,
    /// Those of them who are about to go, and whose names are free already.
    leaving: HashMap<Username, MemberId>,
    /// How many members are told at once who is there.
    each: usize,
    /// The list as it stands; none after a change, until somebody asks for it.
    list: Option<Arc<MemberList>>,
    /// What goes with events while nobody is told lists.
    untold: Arc<MemberList>,
    batcher: PresenceBatcher,
    /// What the others are told; none while there are no others.
    roster: Option<Roster>,
    /// How many of the others there are.
    deltas: usize,
    now: LogicalTime,
}

impl RoomState {
    pub(crate) fn new(room: RoomName, coalesce_above: usize, presence_names: usize) -> Self {
        Self {
            room,
            coalesce_above,
            presence_names,
            holders: HashMap::new(),
            members: BTreeMap::new(),
            leaving: HashMap::new(),
            each: 0,
            list: None,
            untold: Arc::new(MemberList::new(Vec::new(), 0)),
            batcher: PresenceBatcher::default(),
            roster: None,
            deltas: 0,
            now: LogicalTime::default(),
        }
    }

    /// The room's name.
    pub(crate) fn room(&self) -> &RoomName {
        &self.room
    }

    /// Whether nobody is in and nobody is coming.
    pub(crate) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.members.is_empty()
    }

    /// Whether somebody has this name, or is about to.
    pub(crate) fn holds(&self, username: &Username) -> bool {
        self.holders.contains_key(username)
    }

    /// Whose name that is; none where nobody has it, or somebody is still coming.
    pub(crate) fn holder(&self, username: &Username) -> Option<MemberId> {
        match self.holders.get(username)? {
            Holder::Reserved => None,
            Holder::Member(id) => Some(*id),
        }
    }

    /// Everybody who is in.
    pub(crate) fn ids(&self) -> Vec<MemberId> {
        self.members.keys().copied().collect()
    }

    /// Whether this stay goes on.
    pub(crate) fn seats(&self, id: MemberId) -> bool {
        self.members.contains_key(&id)
    }

    /// The member of this stay.
    pub(crate) fn member(&self, id: MemberId) -> Option<&Arc<Member>> {
        self.members.get(&id).map(|seated| &seated.member)
    }

    /// When this stay began.
    pub(crate) fn arrival(&self, id: MemberId) -> Option<LogicalTime> {
        self.members.get(&id).map(|seated| seated.arrival)
    }

    /// How many names nobody else can have: those of the members, and of those who are coming.
    pub(crate) fn names(&self) -> usize {
        self.holders.len()
    }

    /// How many are in.
    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// Keeps a name for somebody, or says who has it.
    pub(crate) fn reserve(&mut self, username: &Username) -> Result<(), Holder> {
        match self.holders.get(username) {
            Some(holder) => Err(*holder),
            None => {
                self.holders.insert(username.clone(), Holder::Reserved);
                Ok(())
            }
        }
    }

    /// Gives up a name that was kept for somebody who did not come.
    pub(crate) fn release(&mut self, username: &Username) {
        if self.holders.get(username) == Some(&Holder::Reserved) {
            self.holders.remove(username);
        }
    }

    /// Lets in somebody whose name was kept. Gives the moment of arrival. The first event of a member that is told at once is its
    /// own entering.
    pub(crate) fn enter(
        &mut self,
        member: &Arc<Member>,
        style: PresenceStyle,
        effects: &mut Vec<Effect>,
    ) -> LogicalTime {
        self.each += usize::from(style == PresenceStyle::Lists);
        self.deltas += usize::from(style == PresenceStyle::Changes);
        let coalesces = self.members.len() + 1 > self.coalesce_above;
        if !coalesces {
            self.close_window(effects);
        }
        let arrival = self.now.tick();
        self.holders.insert(member.username.clone(), Holder::Member(member.id));
        self.members.insert(member.id, MemberEntry { member: Arc::clone(member), arrival, style });
        self.list = None;
        self.note_in_roster(member, effects);
        if self.each == 0 {
            return arrival;
        }
        if !coalesces || style == PresenceStyle::Lists {
            let audience = if coalesces { Audience::Only(member.id) } else { Audience::Lists };
            let who = Arc::clone(member).into();
            effects.push(Effect::Send(Event::Entered { group: who, members: self.event_list() }, audience));
        }
        if coalesces && self.batcher.entered(arrival, Arc::clone(member)) {
            effects.push(Effect::OpenWindow);
        }
        arrival
    }

    fn note_in_roster(&mut self, member: &Arc<Member>, effects: &mut Vec<Effect>) {
        if let Some(roster) = &mut self.roster {
            if roster.entered(&member.username, member.joined_at) {
                effects.push(Effect::OpenPresence);
            }
        } else if self.deltas > 0 {
            // the first who is to be told: it has just come, and knows everyone from its snapshot
            let names = self.members.values().map(|seated| &seated.member);
            self.roster = Some(Roster::new(names.map(|m| (m.username.clone(), m.joined_at))));
        }
    }

    /// Frees the name of somebody who will go as soon as its last words are told.
    pub(crate) fn begin_to_leave(&mut self, id: MemberId) {
        let Some(seated) = self.members.get(&id) else { return };
        let username = &seated.member.username;
        if self.holders.get(username) == Some(&Holder::Member(id)) {
            self.holders.remove(username);
            self.leaving.insert(username.clone(), id);
        }
    }

    /// MemberGroup is about to go, and had this name.
    pub(crate) fn leaving(&self, username: &Username) -> Option<MemberId> {
        self.leaving.get(username).copied()
    }

    /// Lets somebody go. False when that stay had ended before.
    pub(crate) fn leave(&mut self, id: MemberId, effects: &mut Vec<Effect>) -> bool {
        let coalesces = self.members.len() > self.coalesce_above;
        if !self.seats(id) {
            return false;
        }
        if !coalesces {
            self.close_window(effects);
        }
        let Some(MemberEntry { member, arrival, style }) = self.members.remove(&id) else {
            return false;
        };
        if self.holders.get(&member.username) == Some(&Holder::Member(id)) {
            self.holders.remove(&member.username);
        }
        if self.leaving.get(&member.username) == Some(&id) {
            self.leaving.remove(&member.username);
        }
        self.list = None;
        let now = self.now.tick();
        self.strike_from_roster(&member, style, effects);
        self.each -= usize::from(style == PresenceStyle::Lists);
        if self.each == 0 {
            // nobody is left whom what was gathered is for
            self.batcher = PresenceBatcher::default();
        } else if coalesces {
            if self.batcher.left(now, member, arrival) {
                effects.push(Effect::OpenWindow);
            }
        } else {
            let event = Event::Left { group: member.into(), members: self.event_list() };
            effects.push(Effect::Send(event, Audience::Lists));
        }
        true
    }

    fn strike_from_roster(&mut self, member: &Arc<Member>, style: PresenceStyle, effects: &mut Vec<Effect>) {
        self.deltas -= usize::from(style == PresenceStyle::Changes);
        if self.deltas == 0 {
            self.roster = None;
        } else if self.roster.as_mut().is_some_and(|roster| roster.left(&member.username)) {
            effects.push(Effect::OpenPresence);
        }
    }

    /// Tells at last who came and went, to those who are told with lists. Does nothing when no window is open.
    pub(crate) fn close_window(&mut self, effects: &mut Vec<Effect>) {
        let Some(BatchedPresence { to_all, before, to_newcomers }) = self.batcher.close() else {
            return;
        };
        self.tell(to_all, Audience::ListsBefore(before), effects);
        for (newcomer, changes) in to_newcomers {
            if self.members.get(&newcomer).is_some_and(|seated| seated.style == PresenceStyle::Lists) {
                self.tell(changes, Audience::Only(newcomer), effects);
            }
        }
    }

    fn tell(&mut self, Changes { left, entered }: Changes, audience: Audience, effects: &mut Vec<Effect>) {
        let members = self.event_list();
        if let Some(who) = left {
            effects.push(Effect::Send(Event::Left { group: who, members: Arc::clone(&members) }, audience));
        }
        if let Some(who) = entered {
            effects.push(Effect::Send(Event::Entered { group: who, members }, audience));
        }
    }

    /// Tells what has changed, to those who are told so. Does nothing when nothing has.
    pub(crate) fn flush_presence(&mut self, effects: &mut Vec<Effect>) {
        let Some(changes) = self.roster.as_mut().and_then(Roster::close) else {
            return;
        };
        let RosterChanges { mut joined, mut left, count } = changes;
        let partial = count > LISTED_MEMBERS;
        if partial {
            joined.truncate(self.presence_names);
            left.truncate(self.presence_names);
        }
        let room = self.room.clone();
        let change = PresenceChange { room, joined, left, member_count: count, partial };
        effects.push(Effect::Send(Event::PresenceChanged(Box::new(change)), Audience::Changes));
    }

    /// A part of the list as it was last told, and the member who asks; none when that is not in, or not told so.
    pub(crate) fn roster_page(&self, asks: MemberId, query: RosterQuery<'_>) -> Option<RosterPage> {
        let member = self.member(asks)?;
        let own = MemberInfo { username: member.username.clone(), joined_at: member.joined_at };
        Some(self.roster.as_ref()?.page(&own, query))
    }

    /// A message of somebody who is in, or was, as an event for everybody.
    pub(crate) fn said(&mut self, message: Arc<Message>, from: Option<Arc<Member>>) -> Event {
        Event::Message { message, from, members: self.event_list() }
    }

    /// Whether some members are told at once who is there.
    pub(crate) fn has_list_members(&self) -> bool {
        self.each > 0
    }

    /// What the operator says, in this room or to everyone, as an event for members.
    pub(crate) fn notice(&mut self, room: Option<RoomName>, level: NoticeLevel, body: Arc<str>) -> Event {
        Event::Notice { room, level, body, members: self.event_list() }
    }

    /// Somebody is typing, as an event for those who are told so; none when nobody else is, or the member is not in.
    pub(crate) fn typing(&self, id: MemberId) -> Option<Event> {
        let member = self.member(id).filter(|_| self.deltas > 1)?;
        Some(Event::Typing { room: self.room.clone(), username: member.username.clone() })
    }

    /// Why something that a member sent was not accepted, as an event for that member; none when it is not in.
    pub(crate) fn refuse(
        &mut self,
        to: MemberId,
        code: ErrorCode,
        reason: Arc<str>,
        reference: Option<Reference>,
    ) -> Option<Event> {
        self.seats(to).then(|| Event::Refused { code, reason, reference, members: self.event_list() })
    }

    /// The members as they stand, shared until they change.
    pub(crate) fn list(&mut self) -> Arc<MemberList> {
        let members = &self.members;
        let build = || {
            let first =
                members.values().take(LISTED_MEMBERS).map(|seated| Arc::clone(&seated.member)).collect();
            Arc::new(MemberList::new(first, members.len()))
        };
        Arc::clone(self.list.get_or_insert_with(build))
    }

    /// Some of the members, in order of arrival.
    pub(crate) fn members_after(&self, after: Option<MemberId>, limit: usize) -> Vec<Arc<Member>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let members = self.members.range((from, Bound::Unbounded)).take(limit);
        members.map(|(_, seated)| Arc::clone(&seated.member)).collect()
    }

    /// The list for an event: nothing is listed while nobody is told lists.
    fn event_list(&mut self) -> Arc<MemberList> {
        if self.each == 0 { Arc::clone(&self.untold) } else { self.list() }
    }
}

#[cfg(test)]
mod tests;
