//! Finds members by their names, whatever the case of the letters.

use std::collections::HashMap;
use std::ops::Bound;

use chat_protocol::{MemberId, Username};

/// The members by their folded names. It is empty until somebody asks for a member by name; then
/// it is filled in pieces, in the order of the members' ids.
#[derive(Debug, Default)]
pub(crate) struct NameIndex {
    members: HashMap<Box<str>, Vec<MemberId>>,
    progress: Progress,
}

/// How far the index is filled.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody has asked.
    #[default]
    Unused,
    /// The members up to this one are in the index.
    UpTo(MemberId),
    Complete,
}

impl NameIndex {
    /// The range of the members that are not in the index.
    pub(super) fn missing(&self) -> Option<(Bound<MemberId>, Bound<MemberId>)> {
        match self.progress {
            Progress::Unused => Some((Bound::Unbounded, Bound::Unbounded)),
            Progress::UpTo(last) => Some((Bound::Excluded(last), Bound::Unbounded)),
            Progress::Complete => None,
        }
    }

    /// Adds the next members of that range. The index is complete if they are fewer than `max`.
    pub(super) fn fill(&mut self, members: Vec<(MemberId, Username)>, max: usize) {
        let is_complete = members.len() < max;
        for (id, username) in members {
            self.put(id, &username);
            self.progress = Progress::UpTo(id);
        }
        if is_complete {
            self.progress = Progress::Complete;
        }
    }

    /// A member has joined.
    pub(super) fn entered(&mut self, id: MemberId, username: &Username) {
        let is_covered = match self.progress {
            Progress::Unused => false,
            Progress::UpTo(last) => id <= last,
            Progress::Complete => true,
        };
        if is_covered {
            self.put(id, username);
        }
    }

    /// A member has left.
    pub(super) fn left(&mut self, id: MemberId, username: &Username) {
        if self.progress == Progress::Unused {
            return;
        }
        let folded = username.folded();
        if let Some(members) = self.members.get_mut(folded.as_str()) {
            members.retain(|member| *member != id);
            if members.is_empty() {
                self.members.remove(folded.as_str());
            }
        }
    }

    /// The members with this folded name.
    pub(super) fn find(&self, folded: &str) -> &[MemberId] {
        self.members.get(folded).map_or(&[], Vec::as_slice)
    }

    fn put(&mut self, id: MemberId, username: &Username) {
        self.members.entry(username.folded().into()).or_default().push(id);
    }
}
