//! `configure_room`: changes the settings of a room.

use chat_protocol::v2::{ConfigureRoom, ErrorCode, Removable, ServerFrame};
use chat_protocol::{
    MayJoin, MayPost, MentionRoom, Reference, RoomName, RoomSettings, RoomTitle, Topic, Visibility,
};
use chat_rooms::ConfigureError;

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone};

/// Changes to settings. Those that are `None` stay.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) title: Option<Removable<RoomTitle>>,
    pub(super) topic: Option<Removable<Topic>>,
    pub(super) visibility: Option<Visibility>,
    pub(super) join: Option<MayJoin>,
    pub(super) post: Option<MayPost>,
    pub(super) slow_mode_s: Option<u64>,
    pub(super) mention_room: Option<MentionRoom>,
}

impl Change {
    /// Whether the values are valid in this room; `None` is a new private one.
    pub(super) fn check(&self, room: Option<&RoomName>) -> Result<(), NotDone> {
        let is_private = room.is_none_or(RoomName::is_address);
        if is_private && self.visibility.is_some_and(|visibility| visibility != Visibility::Private) {
            let message = "a room without a name is always private".to_owned();
            return Err(NotDone::Refused(ErrorCode::Forbidden, message));
        }
        let max = RoomSettings::MAX_SLOW_MODE_S;
        if self.slow_mode_s.is_some_and(|seconds| seconds > max.into()) {
            let message = format!("the field \"slow_mode_s\" is invalid: it must be at most {max}");
            return Err(NotDone::Refused(ErrorCode::MissingField, message));
        }
        Ok(())
    }

    /// The settings with these changes.
    pub(super) fn apply(&self, settings: &RoomSettings) -> RoomSettings {
        let mut settings = settings.clone();
        if let Some(Removable(title)) = &self.title {
            settings.title.clone_from(title);
        }
        if let Some(Removable(topic)) = &self.topic {
            settings.topic.clone_from(topic);
        }
        settings.visibility = self.visibility.unwrap_or(settings.visibility);
        settings.join = self.join.unwrap_or(settings.join);
        settings.post = self.post.unwrap_or(settings.post);
        settings.mention_room = self.mention_room.unwrap_or(settings.mention_room);
        let seconds = self.slow_mode_s.and_then(|seconds| u32::try_from(seconds).ok());
        settings.slow_mode_s = seconds.unwrap_or(settings.slow_mode_s);
        settings
    }
}

impl Session {
    pub(super) fn configure_room(&mut self, configure: ConfigureRoom, reference: Option<Reference>) {
        let ConfigureRoom { room, title, topic, visibility, join, post, slow_mode_s, mention_room } =
            configure;
        let change = Change { title, topic, visibility, join, post, slow_mode_s, mention_room };
        self.act(&room, reference, |acting| change_settings(acting, change));
    }
}

async fn change_settings(acting: Acting, change: Change) -> Result<ServerFrame, NotDone> {
    change.check(Some(acting.room()))?;
    let seq = configure(&acting, &change).await?;
    Ok(acting.ack(seq))
}

/// Changes the settings of the room. Returns the number of the event, if there is one.
pub(super) async fn configure(acting: &Acting, change: &Change) -> Result<Option<u64>, NotDone> {
    let configured = acting.member.configure(|settings| change.apply(settings)).await;
    acting.context.directory.forget();
    configured.map_err(|error| match error {
        ConfigureError::Denied(denied) => NotDone::Denied(denied),
        ConfigureError::Store(error) => NotDone::Failed(error.to_string()),
        error => NotDone::Refused(ErrorCode::NotInRoom, error.to_string()),
    })
}
