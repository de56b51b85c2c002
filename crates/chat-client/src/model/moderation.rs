//! What owners and moderators of a room do.

use std::time::Duration;

use chat_protocol::v2::{ConfigureRoom, CreateRoom, Moderate};
use chat_protocol::{MayJoin, MayPost, MentionRoom, Moderation, Reason, RoomName, UserId};

/// Changes of the settings of a room. Those that are not set stay as they are.
///
/// ```
/// use chat_client::{MayPost, SettingsChange};
///
/// let announcements = SettingsChange::default().post(MayPost::Moderators);
/// let slow = SettingsChange::default().slow_mode_s(10);
/// # let _ = (announcements, slow);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    join: Option<MayJoin>,
    post: Option<MayPost>,
    slow_mode_s: Option<u32>,
    mention_room: Option<MentionRoom>,
}

impl SettingsChange {
    /// Sets who may join.
    #[must_use]
    pub fn join(mut self, join: MayJoin) -> Self {
        self.join = Some(join);
        self
    }

    /// Sets who may post.
    #[must_use]
    pub fn post(mut self, post: MayPost) -> Self {
        self.post = Some(post);
        self
    }

    /// Sets how many seconds must pass between two messages of one user; 0: no time.
    #[must_use]
    pub fn slow_mode_s(mut self, seconds: u32) -> Self {
        self.slow_mode_s = Some(seconds);
        self
    }

    /// Sets who may address everyone with `@room`.
    #[must_use]
    pub fn mention_room(mut self, mention_room: MentionRoom) -> Self {
        self.mention_room = Some(mention_room);
        self
    }

    pub(crate) fn into_create(self, room: RoomName) -> CreateRoom {
        let Self { join, post, slow_mode_s, mention_room } = self;
        CreateRoom { room, join, post, slow_mode_s: slow_mode_s.map(Into::into), mention_room }
    }

    pub(crate) fn into_configure(self, room: RoomName) -> ConfigureRoom {
        let Self { join, post, slow_mode_s, mention_room } = self;
        ConfigureRoom { room, join, post, slow_mode_s: slow_mode_s.map(Into::into), mention_room }
    }
}

/// Whom an act concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    User(UserId),
    Author(u64),
}

/// What a moderator does to a user.
///
/// ```
/// use std::time::Duration;
///
/// use chat_client::{Act, Moderation};
///
/// let user = "u_17".parse()?; let ban = Act::on(user,
/// Moderation::Ban).lasting(Duration::from_secs(3_600)).reason("spam".parse()?); // the author of
/// the message with this number let warning = Act::on_author(41, Moderation::Warn).reason("be
/// nice".parse()?);
/// # let _ = (ban, warning);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    target: Target,
    action: Moderation,
    reason: Option<Reason>,
    duration: Option<Duration>,
}

impl Act {
    /// Something that is done to the user with this id.
    pub fn on(user: UserId, action: Moderation) -> Self {
        Self { target: Target::User(user), action, reason: None, duration: None }
    }

    /// Something that is done to the author of the message with this number.
    pub fn on_author(seq: u64, action: Moderation) -> Self {
        Self { target: Target::Author(seq), action, reason: None, duration: None }
    }

    /// Sets why.
    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Sets for how long a ban or a mute holds, in whole seconds (default: until it is ended).
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn into_frame(self, room: RoomName) -> Moderate {
        let Self { target, action, reason, duration } = self;
        let (user, target) = match target {
            Target::User(user) => (Some(user), None),
            Target::Author(seq) => (None, Some(seq)),
        };
        Moderate { room, action, user, target, reason, for_s: duration.map(|duration| duration.as_secs()) }
    }
}
