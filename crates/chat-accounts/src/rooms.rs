//! A user's list of rooms, and whom the user has blocked.

use chat_protocol::{Epoch, Notify, RoomName, UserId, Username};

/// A room in the list of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomEntry {
    /// The room.
    pub room: RoomName,
    /// Whether it is a favourite.
    pub favourite: bool,
    /// Which messages the user is notified of.
    pub notify: Notify,
    /// The epoch of the read mark.
    pub epoch: Epoch,
    /// The read mark: the number of the last event that the user has read. In another epoch it
    /// counts as 0.
    pub read_up_to: u64,
}

impl RoomEntry {
    /// Makes the changes. The read mark stays.
    pub fn apply(&mut self, change: &RoomChange) {
        self.favourite = change.favourite.unwrap_or(self.favourite);
        self.notify = change.notify.unwrap_or(self.notify);
    }

    /// Moves the read mark: never backwards within an epoch, anywhere in another epoch. Returns
    /// whether that changes anything.
    ///
    /// ```
    /// use chat_accounts::RoomChange;
    /// use chat_protocol::Epoch;
    ///
    /// let mut entry = RoomChange::new(Epoch::new("e1"), 7).into_entry("lobby".parse()?);
    /// assert!(!entry.mark_read(&Epoch::new("e1"), 5));
    /// assert!(entry.mark_read(&Epoch::new("e1"), 9));
    /// assert!(entry.mark_read(&Epoch::new("e2"), 1));
    /// assert_eq!(entry.read_up_to, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mark_read(&mut self, epoch: &Epoch, up_to: u64) -> bool {
        if self.epoch == *epoch && up_to <= self.read_up_to {
            return false;
        }
        self.epoch = epoch.clone();
        self.read_up_to = up_to;
        true
    }
}

/// A change of an entry in a list of rooms. Parts that are `None` stay as they are, or have their
/// defaults in a new entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomChange {
    /// Whether the room is a favourite (default: no).
    pub favourite: Option<bool>,
    /// Which messages the user is notified of (default: all).
    pub notify: Option<Notify>,
    /// The current epoch, for a new entry.
    pub epoch: Epoch,
    /// The newest number of the room, up to which a new entry is read.
    pub read_up_to: u64,
}

impl RoomChange {
    /// A change that only adds the room if it is missing: read up to this number of this epoch.
    pub fn new(epoch: Epoch, read_up_to: u64) -> Self {
        Self { favourite: None, notify: None, epoch, read_up_to }
    }

    /// Sets whether the room is a favourite.
    #[must_use]
    pub fn favourite(self, favourite: bool) -> Self {
        Self { favourite: Some(favourite), ..self }
    }

    /// Sets which messages the user is notified of.
    #[must_use]
    pub fn notify(self, notify: Notify) -> Self {
        Self { notify: Some(notify), ..self }
    }

    /// The new entry of a room that is not in the list.
    pub fn into_entry(self, room: RoomName) -> RoomEntry {
        RoomEntry {
            room,
            favourite: self.favourite.unwrap_or_default(),
            notify: self.notify.unwrap_or_default(),
            epoch: self.epoch,
            read_up_to: self.read_up_to,
        }
    }
}

/// A user whom an account has blocked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct BlockedUser {
    /// The id of the user.
    pub id: UserId,
    /// The name that the user had then, if it was known.
    pub username: Option<Username>,
}

impl BlockedUser {
    /// A user with this id and name.
    pub fn new(id: UserId, username: Option<Username>) -> Self {
        Self { id, username }
    }
}
