//! Members on other nodes. A user on several nodes is one member, from the first record that this
//! node has heard of to the last.

use std::sync::Arc;

use chat_protocol::{Member, MemberId, Username};

use crate::room::state::effects::Effects;
use crate::room::state::{MemberEntry, NameHolder, RoomState};

/// The presence records of a member.
#[derive(Debug)]
pub(super) struct Records {
    /// That of this node; `None` if the member is on other nodes only.
    pub(super) own: Option<MemberId>,
    /// Those of other nodes.
    elsewhere: Vec<MemberId>,
}

impl MemberEntry {
    /// Whether the member is on other nodes only.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.own().is_none() && self.sessions.is_empty()
    }

    /// The record of this node; `None` if the member is on other nodes only.
    pub(super) fn own(&self) -> Option<MemberId> {
        self.records.as_ref().map_or(Some(self.member.id), |records| records.own)
    }

    /// The records of other nodes.
    pub(super) fn elsewhere(&self) -> &[MemberId] {
        self.records.as_ref().map_or(&[], |records| &records.elsewhere)
    }

    pub(super) fn records_mut(&mut self) -> &mut Records {
        let own = self.own();
        self.records.get_or_insert_with(|| Box::new(Records { own, elsewhere: Vec::new() }))
    }
}

impl RoomState {
    /// Whether a presence record of another node is known.
    pub(crate) fn has_record(&self, id: MemberId) -> bool {
        self.records.contains_key(&id)
    }

    /// The record of this node for a member; `None` if the member has no session on this node.
    pub(crate) fn own_record(&self, id: MemberId) -> Option<MemberId> {
        self.members.get(&id)?.own()
    }

    /// Notes the record of this node for a member that was on other nodes only.
    pub(crate) fn set_own_record(&mut self, id: MemberId, record: MemberId) {
        if let Some(entry) = self.members.get_mut(&id) {
            entry.records_mut().own = Some(record);
        }
    }

    /// Whether another user has the name of a record of another node here: one of the two is
    /// outdated, which the presence store decides.
    pub(crate) fn is_contested(&self, record: &Member) -> bool {
        self.holders.get(&record.username).is_some_and(|holder| holder.user != record.user)
    }

    /// A user has joined on another node. The name is not [contested](Self::is_contested), and who
    /// had it before and was about to leave has left.
    pub(crate) fn entered_elsewhere(&mut self, record: &Arc<Member>, effects: &mut Effects) {
        if let Some(id) = self.present(&record.username, &record.user) {
            self.records.insert(record.id, id);
            if let Some(entry) = self.members.get_mut(&id) {
                entry.records_mut().elsewhere.push(record.id);
            }
            // it may have been about to leave
            self.restore_elsewhere(&record.username);
            return;
        }
        match self.holders.get_mut(&record.username) {
            // a session here is about to join
            Some(holder) => holder.member = Some(record.id),
            None => {
                let member = Some(record.id);
                let holder = NameHolder { user: record.user.clone(), reserved: 0, member };
                self.holders.insert(record.username.clone(), holder);
            }
        }
        let coalesces = self.members.len() + 1 > self.coalesce_above;
        if !coalesces {
            self.close_window(effects);
        }
        let entry = MemberEntry {
            member: Arc::clone(record),
            arrival: self.now.tick(),
            sessions: Vec::new(),
            records: Some(Box::new(Records { own: None, elsewhere: vec![record.id] })),
            staying: 0,
            typed_at: None,
        };
        self.records.insert(record.id, record.id);
        self.add_member(entry, coalesces, None, effects);
    }

    /// A user has left another node: its record there is gone.
    pub(crate) fn left_elsewhere(&mut self, record: MemberId, effects: &mut Effects) {
        let Some(id) = self.records.remove(&record) else { return };
        let Some(entry) = self.members.get_mut(&id) else { return };
        let records = entry.records_mut();
        records.elsewhere.retain(|other| *other != record);
        if !records.elsewhere.is_empty() {
            return;
        }
        let has_sessions = !entry.sessions.is_empty();
        self.free_name(id);
        if !has_sessions {
            self.remove_member(id, None, effects);
        }
    }

    /// Removes at once a member on other nodes whose name another user has got.
    pub(crate) fn remove_elsewhere(&mut self, id: MemberId, effects: &mut Effects) {
        let records = self.members.get(&id).map(|entry| entry.elsewhere().to_vec()).unwrap_or_default();
        records.into_iter().for_each(|record| self.left_elsewhere(record, effects));
    }

    /// Gives a name back to its member on other nodes, if it is free: the user who wanted it has
    /// not got it.
    pub(super) fn restore_elsewhere(&mut self, username: &Username) {
        let Some(id) = self.leaving.get(username).copied() else { return };
        let Some(entry) = self.members.get(&id).filter(|entry| !entry.elsewhere().is_empty()) else { return };
        let user = entry.member.user.clone();
        let holder = self.holders.entry(username.clone());
        let holder = holder.or_insert(NameHolder { user: user.clone(), reserved: 0, member: None });
        if holder.user == user {
            holder.member = Some(id);
            self.leaving.remove(username);
        }
    }
}
