//! What the members learn of each other's presence: the coalesced joins and leaves, and the changes
//! of the list.

use std::mem;
use std::sync::Arc;

use chat_protocol::{Event, LISTED_MEMBERS, Member, MemberId, MemberInfo, PresenceChange};

use crate::delivery::audience::{Audience, PresenceStyle};
use crate::room::state::RoomState;
use crate::room::state::coalesce::{BatchedPresence, Changes};
use crate::room::state::effects::{Effect, Effects};
use crate::room::state::roster::{Closing, Roster, RosterChanges, RosterPage, RosterQuery};

impl RoomState {
    pub(super) fn add_to_roster(&mut self, member: &Arc<Member>, effects: &mut Effects) {
        if let Some(roster) = &mut self.roster {
            if roster.entered((&**member).into()) {
                effects.push(Effect::OpenPresence);
            }
        } else {
            self.create_roster();
        }
    }

    /// Creates the roster for the first session that receives changes: it has just joined, and
    /// knows everyone from its snapshot.
    pub(super) fn create_roster(&mut self) {
        if self.roster.is_none() && self.change_sessions > 0 {
            let members = self.members.values().map(|entry| MemberInfo::from(&*entry.member));
            self.roster = Some(Roster::new(members));
        }
    }

    /// Counts one session with this style less, and drops what only such sessions need.
    pub(super) fn forget_style(&mut self, style: PresenceStyle, effects: &mut Effects) {
        match style {
            PresenceStyle::Lists => self.list_sessions -= 1,
            PresenceStyle::Changes => self.change_sessions -= 1,
        }
        if self.list_sessions == 0 && self.batcher.is_open() {
            // nobody is left to receive the coalesced changes
            effects.push(Effect::Discard(Box::new(mem::take(&mut self.batcher))));
        }
        if self.change_sessions == 0
            && let Some(roster) = self.roster.take()
        {
            effects.push(Effect::Discard(Box::new(roster)));
        }
    }

    /// Sends the coalesced joins and leaves to the sessions with lists. Does nothing if no window
    /// is open.
    pub(crate) fn close_window(&mut self, effects: &mut Effects) {
        // further sessions with lists close the window when they join: only the first one arrived
        // with its member
        let batcher = mem::take(&mut self.batcher);
        let receives_lists = |newcomer| {
            let first = self.sessions_of(newcomer).first();
            let first = first.and_then(|id| self.sessions.get(id));
            first.is_some_and(|first| first.style == PresenceStyle::Lists)
        };
        let batch = batcher.close(receives_lists);
        let Some(BatchedPresence { to_all, before, to_newcomers }) = batch else { return };
        self.push_changes(to_all, Audience::ListsBefore(before), effects);
        for (newcomer, changes) in to_newcomers {
            if let Some(session) = self.sessions_of(newcomer).first().copied() {
                self.push_changes(changes, Audience::Only(session), effects);
            }
        }
    }

    fn push_changes(
        &mut self,
        Changes { left, entered }: Changes,
        audience: Audience,
        effects: &mut Effects,
    ) {
        let members = self.event_list();
        if let Some(group) = left {
            effects.push(Effect::Send(Event::Left { group, members: Arc::clone(&members) }, audience));
        }
        if let Some(group) = entered {
            effects.push(Effect::Send(Event::Entered { group, members }, audience));
        }
    }

    /// Sends the changes to the sessions with [`PresenceStyle::Changes`], after it has made up to
    /// `max` of them in the list. Returns whether there are more.
    pub(crate) fn flush_presence(&mut self, max: usize, effects: &mut Effects) -> bool {
        let RosterChanges { mut joined, mut left, is_cut, count } =
            match self.roster.as_mut().map(|roster| roster.close(max)) {
                Some(Closing::Done(Some(changes))) => changes,
                closing => return closing == Some(Closing::More),
            };
        let partial = is_cut || count > LISTED_MEMBERS;
        if partial {
            joined.truncate(self.presence_names);
            left.truncate(self.presence_names);
        }
        let room = self.room.clone();
        let change = PresenceChange { room, joined, left, member_count: count, partial };
        effects.push(Effect::Send(Event::PresenceChanged(Box::new(change)), Audience::Changes));
        false
    }

    /// A page of the list as it was last sent, with the requesting member itself. `None` if that is
    /// not in the room, or no session receives changes.
    pub(crate) fn roster_page(&self, requester: MemberId, query: RosterQuery<'_>) -> Option<RosterPage> {
        let own = MemberInfo::from(&*self.members.get(&requester)?.member);
        Some(self.roster.as_ref()?.page(&own, query))
    }
}
