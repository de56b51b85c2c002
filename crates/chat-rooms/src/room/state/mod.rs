//! The state of a room: who holds which name, who is in the room with which sessions, and who
//! receives which event. It uses no task, no lock and no clock: commands go in, effects come out.

pub(crate) mod coalesce;
pub(crate) mod effects;
mod elsewhere;
mod names;
pub(crate) mod policy;
mod presence;
pub(crate) mod reactions;
pub(crate) mod refusal;
pub(crate) mod roster;
pub(crate) mod sequencer;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_protocol::{
    Event, LISTED_MEMBERS, Member, MemberId, MemberList, Message, NoticeLevel, Reference, RoomName, UserId,
    Username,
};

use crate::delivery::audience::{Audience, LogicalTime, PresenceStyle, SubscriptionId};
use crate::room::state::coalesce::PresenceBatcher;
use crate::room::state::effects::{Effect, Effects};
use crate::room::state::elsewhere::Records;
use crate::room::state::names::NameIndex;
use crate::room::state::refusal::Refusal;
use crate::room::state::roster::Roster;
use crate::sync::steps;

/// Who holds a name: a user that is in the room, or is about to join.
#[derive(Debug)]
struct NameHolder {
    user: UserId,
    /// How many of its sessions have reserved the name and have not joined yet.
    reserved: usize,
    /// The user as a member; `None` before its first session has joined.
    member: Option<MemberId>,
}

/// Whether the user that reserves a name is in the room already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// The user is a member.
    Present,
    /// The user has no session in the room.
    Absent,
}

/// Another user holds a name: the member, or `None` if that has not joined yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameTaken(pub(crate) Option<MemberId>);

#[derive(Debug)]
struct MemberEntry {
    member: Arc<Member>,
    arrival: LogicalTime,
    /// Its sessions on this node, including those that are about to leave.
    sessions: Vec<SubscriptionId>,
    /// Its presence records, unless its id is the only one. In a box, because few members have
    /// others.
    records: Option<Box<Records>>,
    /// How many of its sessions are not about to leave.
    staying: usize,
    /// When the other members were last notified that it is typing.
    typed_at: Option<Instant>,
}

/// A session of a member.
#[derive(Debug)]
struct Session {
    member: MemberId,
    style: PresenceStyle,
    /// Whether it leaves as soon as its last messages are delivered.
    is_leaving: bool,
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
    holders: HashMap<Username, NameHolder>,
    /// The members, in order of arrival.
    members: BTreeMap<MemberId, MemberEntry>,
    /// The members by name, whatever the case.
    names: NameIndex,
    /// The sessions of the members on this node.
    sessions: HashMap<SubscriptionId, Session>,
    /// How many reservations there are.
    reservations: usize,
    /// The members of the presence records of other nodes.
    records: HashMap<MemberId, MemberId>,
    /// The id of the newest session.
    last_session: SubscriptionId,
    /// The members that are about to leave and whose names are free already.
    leaving: HashMap<Username, MemberId>,
    /// How many sessions have [`PresenceStyle::Lists`].
    list_sessions: usize,
    /// The current list of members; `None` after a change, until it is needed.
    list: Option<Arc<MemberList>>,
    /// The list for events while no session receives lists.
    empty_list: Arc<MemberList>,
    batcher: PresenceBatcher,
    /// The list for sessions with [`PresenceStyle::Changes`]; `None` while there are none.
    roster: Option<Roster>,
    /// How many sessions have [`PresenceStyle::Changes`].
    change_sessions: usize,
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
            names: NameIndex::default(),
            sessions: HashMap::new(),
            reservations: 0,
            records: HashMap::new(),
            last_session: SubscriptionId::default(),
            leaving: HashMap::new(),
            list_sessions: 0,
            list: None,
            empty_list: Arc::new(MemberList::new(Vec::new(), 0)),
            batcher: PresenceBatcher::default(),
            roster: None,
            change_sessions: 0,
            now: LogicalTime::default(),
        }
    }

    /// The name of the room.
    pub(crate) fn room(&self) -> &RoomName {
        &self.room
    }

    /// Whether the room has neither sessions nor reserved names on this node.
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.reservations == 0
    }

    /// Whether a name is taken or reserved.
    pub(crate) fn is_name_taken(&self, username: &Username) -> bool {
        self.holders.contains_key(username)
    }

    /// The member that has a name; `None` if nobody has it, or it is only reserved.
    pub(crate) fn holder(&self, username: &Username) -> Option<MemberId> {
        self.holders.get(username)?.member
    }

    /// The newest member and the newest session. Both are ids that increase over time.
    pub(crate) fn newest(&self) -> Option<(MemberId, SubscriptionId)> {
        let (member, _) = self.members.last_key_value()?;
        Some((*member, self.last_session))
    }

    /// Up to `max` ids of members, in order: after `after`, and up to `last`.
    pub(crate) fn ids(&self, after: Option<MemberId>, last: MemberId, max: usize) -> Vec<MemberId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.members.range((from, Bound::Unbounded)).map(|(id, _)| *id);
        ids.take_while(|id| *id <= last).take(max).collect()
    }

    /// Whether this session is in the room.
    pub(crate) fn has_session(&self, id: SubscriptionId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// The sessions of a member.
    pub(crate) fn sessions_of(&self, id: MemberId) -> &[SubscriptionId] {
        self.members.get(&id).map_or(&[], |entry| &entry.sessions)
    }

    /// The member to whom a session belongs.
    pub(crate) fn member_of(&self, id: SubscriptionId) -> Option<&Arc<Member>> {
        let session = self.sessions.get(&id)?;
        self.members.get(&session.member).map(|entry| &entry.member)
    }

    /// The number of names that are taken: those of the members, and the reserved ones.
    pub(crate) fn names(&self) -> usize {
        self.holders.len()
    }

    /// The number of members.
    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// Reserves a name for a session of a user. Each reservation ends with [`enter`](Self::enter),
    /// [`add_session`](Self::add_session) or [`release`](Self::release).
    ///
    /// # Errors
    /// [`NameTaken`] if another user holds the name.
    pub(crate) fn reserve(&mut self, username: &Username, user: &UserId) -> Result<Reserved, NameTaken> {
        let is_elsewhere = |id: &MemberId| self.members.get(id).is_some_and(MemberEntry::is_elsewhere);
        let reserved = match self.holders.get_mut(username) {
            Some(holder) if holder.user == *user => {
                holder.reserved += 1;
                let is_here = holder.member.is_some_and(|id| !is_elsewhere(&id));
                if is_here { Reserved::Present } else { Reserved::Absent }
            }
            // the presence store knows if it is still there
            Some(holder) if holder.reserved == 0 && holder.member.as_ref().is_some_and(is_elsewhere) => {
                let before =
                    mem::replace(holder, NameHolder { user: user.clone(), reserved: 1, member: None });
                self.leaving.extend(before.member.map(|id| (username.clone(), id)));
                Reserved::Absent
            }
            Some(holder) => return Err(NameTaken(holder.member)),
            None => {
                let holder = NameHolder { user: user.clone(), reserved: 1, member: None };
                self.holders.insert(username.clone(), holder);
                Reserved::Absent
            }
        };
        self.reservations += 1;
        Ok(reserved)
    }

    /// Ends the reservation of a session that has joined or gives up.
    pub(crate) fn release(&mut self, username: &Username) {
        let Some(holder) = self.holders.get_mut(username) else { return };
        if holder.reserved == 0 {
            return;
        }
        holder.reserved -= 1;
        self.reservations -= 1;
        if holder.reserved == 0 && holder.member.is_none() {
            self.holders.remove(username);
            self.restore_elsewhere(username);
        }
    }

    /// The member as whom a user is in the room, or was until a moment ago: a member whose last
    /// session is about to leave stays if the user joins again.
    pub(crate) fn present(&self, username: &Username, user: &UserId) -> Option<MemberId> {
        let holder = self.holders.get(username).filter(|holder| holder.user == *user);
        let leaving = || self.leaving(username).filter(|id| self.members[id].member.user == *user);
        holder.and_then(|holder| holder.member).or_else(leaving)
    }

    /// Joins a member whose name is reserved, with its first session. Returns the session and the
    /// time of its arrival. The first event of a session with [`PresenceStyle::Lists`] is its own
    /// entry.
    pub(crate) fn enter(
        &mut self,
        member: &Arc<Member>,
        style: PresenceStyle,
        effects: &mut Effects,
    ) -> (SubscriptionId, LogicalTime) {
        let session = self.new_session(member.id, style);
        let coalesces = self.members.len() + 1 > self.coalesce_above;
        if !coalesces {
            self.close_window(effects);
        }
        let arrival = self.now.tick();
        if let Some(holder) = self.holders.get_mut(&member.username) {
            holder.member = Some(member.id);
        }
        self.release(&member.username);
        let entry = MemberEntry {
            member: Arc::clone(member),
            arrival,
            sessions: vec![session],
            records: None,
            staying: 1,
            typed_at: None,
        };
        let own_entry = (style == PresenceStyle::Lists).then_some(session);
        self.add_member(entry, coalesces, own_entry, effects);
        (session, arrival)
    }

    /// Adds a member, and notifies the others, or `own_entry` alone if joins are coalesced: that
    /// session receives the entry of its member in any case.
    fn add_member(
        &mut self,
        entry: MemberEntry,
        coalesces: bool,
        own_entry: Option<SubscriptionId>,
        effects: &mut Effects,
    ) {
        let (member, arrival) = (Arc::clone(&entry.member), entry.arrival);
        self.members.insert(member.id, entry);
        self.names.entered(member.id, &member.username);
        self.list = None;
        self.add_to_roster(&member, effects);
        if self.list_sessions == 0 {
            return;
        }
        let audience = match own_entry {
            _ if !coalesces => Some(Audience::Lists),
            Some(session) => Some(Audience::Only(session)),
            None => None,
        };
        if let Some(audience) = audience {
            let group = Arc::clone(&member).into();
            effects.push(Effect::Send(Event::Entered { group, members: self.event_list() }, audience));
        }
        if coalesces && self.batcher.entered(arrival, member) {
            effects.push(Effect::OpenWindow);
        }
    }

    /// Adds a session to a member that is [present](Self::present). The others do not notice. The
    /// first event of a session with [`PresenceStyle::Lists`] is the entry of its member.
    pub(crate) fn add_session(
        &mut self,
        id: MemberId,
        style: PresenceStyle,
        effects: &mut Effects,
    ) -> Option<(SubscriptionId, LogicalTime)> {
        let member = Arc::clone(&self.members.get(&id)?.member);
        if style == PresenceStyle::Lists {
            // the changes before now are in the list that the session receives
            self.close_window(effects);
        }
        let session = self.new_session(id, style);
        if let Some(entry) = self.members.get_mut(&id) {
            entry.sessions.push(session);
            entry.staying += 1;
        }
        if let Some(holder) = self.holders.get_mut(&member.username) {
            holder.member = Some(id);
        }
        self.release(&member.username);
        self.leaving.remove(&member.username);
        self.create_roster();
        if style == PresenceStyle::Lists {
            let entered = Event::Entered { group: member.into(), members: self.event_list() };
            effects.push(Effect::Send(entered, Audience::Only(session)));
        }
        Some((session, self.now.tick()))
    }

    fn new_session(&mut self, member: MemberId, style: PresenceStyle) -> SubscriptionId {
        let id = self.last_session.next();
        self.sessions.insert(id, Session { member, style, is_leaving: false });
        self.list_sessions += usize::from(style == PresenceStyle::Lists);
        self.change_sessions += usize::from(style == PresenceStyle::Changes);
        id
    }

    /// Notes that a session leaves as soon as its last messages are delivered. If it is the last
    /// one of its member, the name is free.
    pub(crate) fn begin_leaving(&mut self, id: SubscriptionId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.is_leaving) else { return };
        session.is_leaving = true;
        let member = session.member;
        self.stop_staying(member);
    }

    /// Counts one staying session less. After the last one, the name is free, although the member
    /// may still have sessions that are about to leave.
    fn stop_staying(&mut self, id: MemberId) {
        let Some(entry) = self.members.get_mut(&id) else { return };
        entry.staying -= 1;
        self.free_name(id);
    }

    /// Frees the name of a member that has no staying session, here or on another node.
    fn free_name(&mut self, id: MemberId) {
        let Some(entry) = self.members.get(&id) else { return };
        let username = &entry.member.username;
        let holder = self.holders.get_mut(username).filter(|holder| holder.member == Some(id));
        let is_leaving = entry.staying == 0 && entry.elsewhere().is_empty();
        let Some(holder) = holder.filter(|_| is_leaving) else { return };
        holder.member = None;
        let is_reserved = holder.reserved > 0;
        self.leaving.insert(username.clone(), id);
        if !is_reserved {
            self.holders.remove(username);
        }
    }

    /// The member that is about to leave and had this name.
    pub(crate) fn leaving(&self, username: &Username) -> Option<MemberId> {
        self.leaving.get(username).copied()
    }

    /// Removes a session, and its member with the last one. Returns `false` if the session had left
    /// before.
    pub(crate) fn leave(&mut self, id: SubscriptionId, effects: &mut Effects) -> bool {
        let Some(Session { member, style, is_leaving }) = self.sessions.remove(&id) else { return false };
        if !is_leaving {
            self.stop_staying(member);
        }
        let Some(entry) = self.members.get_mut(&member) else { return false };
        entry.sessions.retain(|session| *session != id);
        if entry.sessions.is_empty() {
            effects.extend(entry.own().map(Effect::MemberLeft));
            if entry.elsewhere().is_empty() {
                self.remove_member(member, Some(style), effects);
                return true;
            }
            entry.records_mut().own = None;
        }
        self.forget_style(style, effects);
        true
    }

    /// Removes a member that has no session any more. Its last one had this style, if it was on
    /// this node.
    fn remove_member(&mut self, id: MemberId, style: Option<PresenceStyle>, effects: &mut Effects) {
        let coalesces = self.members.len() > self.coalesce_above;
        if !coalesces {
            self.close_window(effects);
        }
        let Some(MemberEntry { member, arrival, .. }) = self.members.remove(&id) else { return };
        self.names.left(id, &member.username);
        if self.leaving.get(&member.username) == Some(&id) {
            self.leaving.remove(&member.username);
        }
        self.list = None;
        let now = self.now.tick();
        if self.roster.as_mut().is_some_and(|roster| roster.left(&member.username)) {
            effects.push(Effect::OpenPresence);
        }
        if let Some(style) = style {
            self.forget_style(style, effects);
        }
        if self.list_sessions == 0 {
            return;
        }
        if coalesces {
            if self.batcher.left(now, member, arrival) {
                effects.push(Effect::OpenWindow);
            }
        } else {
            let event = Event::Left { group: member.into(), members: self.event_list() };
            effects.push(Effect::Send(event, Audience::Lists));
        }
    }

    /// Adds up to `max` members to the index of names. Returns whether it has all of them.
    pub(crate) fn index_names(&mut self, max: usize) -> bool {
        let Some(range) = self.names.missing() else { return true };
        let members = self.members.range(range).take(max);
        let members: Vec<_> = members.map(|(id, entry)| (*id, entry.member.username.clone())).collect();
        steps::count(members.len());
        self.names.fill(members, max);
        self.names.missing().is_none()
    }

    /// The newest member with this folded name. The index has to be
    /// [complete](Self::index_names).
    pub(crate) fn find_folded(&self, folded: &str) -> Option<&Arc<Member>> {
        let newest = self.names.find(folded).iter().max()?;
        self.members.get(newest).map(|entry| &entry.member)
    }

    /// The member who has sent a message from another node; `None` if it is not known here.
    pub(crate) fn author(&self, message: &Message) -> Option<Arc<Member>> {
        let text = message.text()?;
        let id = self.present(&text.from, &text.user)?;
        self.members.get(&id).map(|entry| Arc::clone(&entry.member))
    }

    /// The event for a message from a current or former member.
    pub(crate) fn message_event(&mut self, message: Arc<Message>, from: Option<Arc<Member>>) -> Event {
        Event::Message { message, from, members: self.event_list() }
    }

    /// Whether any session receives lists.
    pub(crate) fn has_list_sessions(&self) -> bool {
        self.list_sessions > 0
    }

    /// The event for a notice, in this room or in all rooms.
    pub(crate) fn notice(&mut self, room: Option<RoomName>, level: NoticeLevel, body: Arc<str>) -> Event {
        Event::Notice { room, level, body, members: self.event_list() }
    }

    /// The event for a member that is typing, with the member. `None` if no other member would
    /// receive it, the previous one is less than `interval` ago, or the session is not in the room.
    pub(crate) fn typing(
        &mut self,
        id: SubscriptionId,
        now: Instant,
        interval: Duration,
    ) -> Option<(Event, MemberId)> {
        let member = self.sessions.get(&id)?.member;
        if self.members.len() < 2 || self.change_sessions == 0 {
            return None;
        }
        let entry = self.members.get_mut(&member)?;
        if entry.typed_at.is_some_and(|last| now.duration_since(last) < interval) {
            return None;
        }
        entry.typed_at = Some(now);
        let username = entry.member.username.clone();
        Some((Event::Typing { room: self.room.clone(), username }, member))
    }

    /// The event for something that a session sent and that was not accepted. `None` if the session
    /// is not in the room.
    pub(crate) fn refuse(
        &mut self,
        to: SubscriptionId,
        Refusal { code, reason, denied, until, retry_after }: Refusal,
        reference: Option<Reference>,
    ) -> Option<Event> {
        let members = self.has_session(to).then(|| self.event_list())?;
        Some(Event::Refused { code, reason, denied, reference, until, retry_after, members })
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

    /// The list for an event: it is empty while no session receives lists.
    fn event_list(&mut self) -> Arc<MemberList> {
        if self.list_sessions == 0 { Arc::clone(&self.empty_list) } else { self.list() }
    }
}

#[cfg(test)]
mod tests;
