//! The state of a room: who holds which name, who is in the room, and who receives which event. It
//! uses no task, no lock and no clock: commands go in, effects come out.

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
    /// Send this event, after everything before it.
    Send(Event, Audience),
    /// Call [`RoomState::close_window`] when the window that coalesces joins and leaves is over.
    OpenWindow,
    /// Call [`RoomState::flush_presence`] when the window that coalesces changes is over.
    OpenPresence,
}

/// Who holds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A client that has reserved the name and has not joined yet.
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

/// The members of a room, and their names.
#[derive(Debug)]
pub(crate) struct RoomState {
    room: RoomName,
    /// A room with more members than this coalesces joins and leaves.
    coalesce_above: usize,
    /// The maximum number of names in each list of a change of presence, in a room with more than
    /// [`LISTED_MEMBERS`] members.
    presence_names: usize,
    /// Every name that is taken.
    holders: HashMap<Username, Holder>,
    /// The members, in order of arrival.
    members: BTreeMap<MemberId, MemberEntry>,
    /// The members that are about to leave and whose names are free already.
    leaving: HashMap<Username, MemberId>,
    /// How many members have [`PresenceStyle::Lists`].
    list_members: usize,
    /// The current list of members; `None` after a change, until it is needed.
    list: Option<Arc<MemberList>>,
    /// The list for events while no member receives lists.
    empty_list: Arc<MemberList>,
    batcher: PresenceBatcher,
    /// The list for members with [`PresenceStyle::Changes`]; `None` while there are none.
    roster: Option<Roster>,
    /// How many members have [`PresenceStyle::Changes`].
    change_members: usize,
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
            list_members: 0,
            list: None,
            empty_list: Arc::new(MemberList::new(Vec::new(), 0)),
            batcher: PresenceBatcher::default(),
            roster: None,
            change_members: 0,
            now: LogicalTime::default(),
        }
    }

    /// The name of the room.
    pub(crate) fn room(&self) -> &RoomName {
        &self.room
    }

    /// Whether the room has neither members nor reserved names.
    pub(crate) fn is_empty(&self) -> bool {
        self.holders.is_empty() && self.members.is_empty()
    }

    /// Whether a name is taken or reserved.
    pub(crate) fn is_name_taken(&self, username: &Username) -> bool {
        self.holders.contains_key(username)
    }

    /// The member that has a name; `None` if nobody has it, or it is only reserved.
    pub(crate) fn holder(&self, username: &Username) -> Option<MemberId> {
        match self.holders.get(username)? {
            Holder::Reserved => None,
            Holder::Member(id) => Some(*id),
        }
    }

    /// The ids of all members.
    pub(crate) fn ids(&self) -> Vec<MemberId> {
        self.members.keys().copied().collect()
    }

    /// Whether this member is in the room.
    pub(crate) fn has_member(&self, id: MemberId) -> bool {
        self.members.contains_key(&id)
    }

    /// The member with this id.
    pub(crate) fn member(&self, id: MemberId) -> Option<&Arc<Member>> {
        self.members.get(&id).map(|entry| &entry.member)
    }

    /// When this member joined.
    pub(crate) fn arrival(&self, id: MemberId) -> Option<LogicalTime> {
        self.members.get(&id).map(|entry| entry.arrival)
    }

    /// The number of names that are taken: those of the members, and the reserved ones.
    pub(crate) fn names(&self) -> usize {
        self.holders.len()
    }

    /// The number of members.
    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// Reserves a name. Returns who has it if it is taken.
    pub(crate) fn reserve(&mut self, username: &Username) -> Result<(), Holder> {
        match self.holders.get(username) {
            Some(holder) => Err(*holder),
            None => {
                self.holders.insert(username.clone(), Holder::Reserved);
                Ok(())
            }
        }
    }

    /// Releases a name whose client did not join.
    pub(crate) fn release(&mut self, username: &Username) {
        if self.holders.get(username) == Some(&Holder::Reserved) {
            self.holders.remove(username);
        }
    }

    /// Joins a member whose name is reserved, and returns the time of its arrival. The first event
    /// of a member with [`PresenceStyle::Lists`] is its own entry.
    pub(crate) fn enter(
        &mut self,
        member: &Arc<Member>,
        style: PresenceStyle,
        effects: &mut Vec<Effect>,
    ) -> LogicalTime {
        self.list_members += usize::from(style == PresenceStyle::Lists);
        self.change_members += usize::from(style == PresenceStyle::Changes);
        let coalesces = self.members.len() + 1 > self.coalesce_above;
        if !coalesces {
            self.close_window(effects);
        }
        let arrival = self.now.tick();
        self.holders.insert(member.username.clone(), Holder::Member(member.id));
        self.members.insert(member.id, MemberEntry { member: Arc::clone(member), arrival, style });
        self.list = None;
        self.add_to_roster(member, effects);
        if self.list_members == 0 {
            return arrival;
        }
        if !coalesces || style == PresenceStyle::Lists {
            let audience = if coalesces { Audience::Only(member.id) } else { Audience::Lists };
            let group = Arc::clone(member).into();
            effects.push(Effect::Send(Event::Entered { group, members: self.event_list() }, audience));
        }
        if coalesces && self.batcher.entered(arrival, Arc::clone(member)) {
            effects.push(Effect::OpenWindow);
        }
        arrival
    }

    fn add_to_roster(&mut self, member: &Arc<Member>, effects: &mut Vec<Effect>) {
        if let Some(roster) = &mut self.roster {
            if roster.entered(&member.username, member.joined_at) {
                effects.push(Effect::OpenPresence);
            }
        } else if self.change_members > 0 {
            // the first member that receives changes: it has just joined, and knows everyone from
            // its snapshot
            let names = self.members.values().map(|entry| &entry.member);
            self.roster = Some(Roster::new(names.map(|m| (m.username.clone(), m.joined_at))));
        }
    }

    /// Frees the name of a member that leaves as soon as its last messages are delivered.
    pub(crate) fn begin_leaving(&mut self, id: MemberId) {
        let Some(entry) = self.members.get(&id) else { return };
        let username = &entry.member.username;
        if self.holders.get(username) == Some(&Holder::Member(id)) {
            self.holders.remove(username);
            self.leaving.insert(username.clone(), id);
        }
    }

    /// The member that is about to leave and had this name.
    pub(crate) fn leaving(&self, username: &Username) -> Option<MemberId> {
        self.leaving.get(username).copied()
    }

    /// Removes a member. Returns `false` if it had left before.
    pub(crate) fn leave(&mut self, id: MemberId, effects: &mut Vec<Effect>) -> bool {
        let coalesces = self.members.len() > self.coalesce_above;
        if !self.has_member(id) {
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
        self.remove_from_roster(&member, style, effects);
        self.list_members -= usize::from(style == PresenceStyle::Lists);
        if self.list_members == 0 {
            // nobody is left to receive the coalesced changes
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

    fn remove_from_roster(&mut self, member: &Arc<Member>, style: PresenceStyle, effects: &mut Vec<Effect>) {
        self.change_members -= usize::from(style == PresenceStyle::Changes);
        if self.change_members == 0 {
            self.roster = None;
        } else if self.roster.as_mut().is_some_and(|roster| roster.left(&member.username)) {
            effects.push(Effect::OpenPresence);
        }
    }

    /// Sends the coalesced joins and leaves to the members with lists. Does nothing if no window is
    /// open.
    pub(crate) fn close_window(&mut self, effects: &mut Vec<Effect>) {
        let Some(BatchedPresence { to_all, before, to_newcomers }) = self.batcher.close() else {
            return;
        };
        self.push_changes(to_all, Audience::ListsBefore(before), effects);
        for (newcomer, changes) in to_newcomers {
            if self.members.get(&newcomer).is_some_and(|entry| entry.style == PresenceStyle::Lists) {
                self.push_changes(changes, Audience::Only(newcomer), effects);
            }
        }
    }

    fn push_changes(
        &mut self,
        Changes { left, entered }: Changes,
        audience: Audience,
        effects: &mut Vec<Effect>,
    ) {
        let members = self.event_list();
        if let Some(group) = left {
            effects.push(Effect::Send(Event::Left { group, members: Arc::clone(&members) }, audience));
        }
        if let Some(group) = entered {
            effects.push(Effect::Send(Event::Entered { group, members }, audience));
        }
    }

    /// Sends the changes to the members with [`PresenceStyle::Changes`]. Does nothing if there are
    /// none.
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

    /// A page of the list as it was last sent, with the requesting member itself. `None` if that is
    /// not in the room, or no member receives changes.
    pub(crate) fn roster_page(&self, requester: MemberId, query: RosterQuery<'_>) -> Option<RosterPage> {
        let member = self.member(requester)?;
        let own = MemberInfo { username: member.username.clone(), joined_at: member.joined_at };
        Some(self.roster.as_ref()?.page(&own, query))
    }

    /// The event for a message from a current or former member.
    pub(crate) fn message_event(&mut self, message: Arc<Message>, from: Option<Arc<Member>>) -> Event {
        Event::Message { message, from, members: self.event_list() }
    }

    /// Whether any member receives lists.
    pub(crate) fn has_list_members(&self) -> bool {
        self.list_members > 0
    }

    /// The event for a notice, in this room or in all rooms.
    pub(crate) fn notice(&mut self, room: Option<RoomName>, level: NoticeLevel, body: Arc<str>) -> Event {
        Event::Notice { room, level, body, members: self.event_list() }
    }

    /// The event for a member that is typing. `None` if no other member would receive it, or the
    /// member is not in the room.
    pub(crate) fn typing(&self, id: MemberId) -> Option<Event> {
        let member = self.member(id).filter(|_| self.change_members > 1)?;
        Some(Event::Typing { room: self.room.clone(), username: member.username.clone() })
    }

    /// The event for something that a member sent and that was not accepted. `None` if the member
    /// is not in the room.
    pub(crate) fn refuse(
        &mut self,
        to: MemberId,
        code: ErrorCode,
        reason: Arc<str>,
        reference: Option<Reference>,
    ) -> Option<Event> {
        self.has_member(to).then(|| Event::Refused { code, reason, reference, members: self.event_list() })
    }

    /// The current list of members, shared until they change.
    pub(crate) fn list(&mut self) -> Arc<MemberList> {
        let members = &self.members;
        let build = || {
            let first =
                members.values().take(LISTED_MEMBERS).map(|entry| Arc::clone(&entry.member)).collect();
            Arc::new(MemberList::new(first, members.len()))
        };
        Arc::clone(self.list.get_or_insert_with(build))
    }

    /// A range of the members, in order of arrival.
    pub(crate) fn members_after(&self, after: Option<MemberId>, limit: usize) -> Vec<Arc<Member>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let members = self.members.range((from, Bound::Unbounded)).take(limit);
        members.map(|(_, entry)| Arc::clone(&entry.member)).collect()
    }

    /// The list for an event: it is empty while no member receives lists.
    fn event_list(&mut self) -> Arc<MemberList> {
        if self.list_members == 0 { Arc::clone(&self.empty_list) } else { self.list() }
    }
}

#[cfg(test)]
mod tests;
