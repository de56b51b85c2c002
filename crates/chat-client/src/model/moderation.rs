//! What owners and moderators of a room do.

use std::time::Duration;

use chat_protocol::v2::{ConfigureRoom, CreateRoom, Moderate, Removable};
use chat_protocol::{
    MayJoin, MayPost, MentionRoom, Moderation, Reason, RoomName, RoomTitle, Topic, UserId, Visibility,
};

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
    title: Option<Removable<RoomTitle>>,
    topic: Option<Removable<Topic>>,
    visibility: Option<Visibility>,
    join: Option<MayJoin>,
    post: Option<MayPost>,
    slow_mode_s: Option<u32>,
    mention_room: Option<MentionRoom>,
}

impl SettingsChange {
    /// Sets what the room is called; with `None`, by its name.
    #[must_use]
    pub fn title(mut self, title: Option<RoomTitle>) -> Self {
        self.title = Some(Removable(title));
        self
    }

    /// Sets what the room is about, in Markdown.
    #[must_use]
    pub fn topic(mut self, topic: Option<Topic>) -> Self {
        self.topic = Some(Removable(topic));
        self
    }

    /// Sets who can find the room.
    #[must_use]
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = Some(visibility);
        self
    }

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

    pub(crate) fn into_create(self, room: Option<RoomName>) -> CreateRoom {
        let Self { title, topic, visibility, join, post, slow_mode_s, mention_room } = self;
        let (title, topic) = (title.and_then(|title| title.0), topic.and_then(|topic| topic.0));
        let slow_mode_s = slow_mode_s.map(Into::into);
        CreateRoom { room, title, topic, visibility, join, post, slow_mode_s, mention_room }
    }

    pub(crate) fn into_configure(self, room: RoomName) -> ConfigureRoom {
        let Self { title, topic, visibility, join, post, slow_mode_s, mention_room } = self;
        let slow_mode_s = slow_mode_s.map(Into::into);
        ConfigureRoom { room, title, topic, visibility, join, post, slow_mode_s, mention_room }
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
/// let hour = Duration::from_secs(3_600);
/// let ban = Act::on("u_17".parse()?, Moderation::Ban).lasting(hour).reason("spam".parse()?);
/// // the author of the message with this number
/// let warning = Act::on_author(41, Moderation::Warn).reason("be nice".parse()?);
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

    pub(crate) fn into_frame(self, room: Option<RoomName>) -> Moderate {
        let Self { target, action, reason, duration } = self;
        let (user, target) = match target {
            Target::User(user) => (Some(user), None),
            Target::Author(seq) => (None, Some(seq)),
        };
        Moderate { room, action, user, target, reason, for_s: duration.map(|duration| duration.as_secs()) }
    }
}
