//! `configure_room`: changes the settings of a room.

use chat_protocol::v2::{Ack, ConfigureRoom, ErrorCode, ServerFrame};
use chat_protocol::{MayJoin, MayPost, MentionRoom, Reference, RoomSettings};
use chat_rooms::ConfigureError;

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone};

/// Changes to settings. Those that are `None` stay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) join: Option<MayJoin>,
    pub(super) post: Option<MayPost>,
    pub(super) slow_mode_s: Option<u64>,
    pub(super) mention_room: Option<MentionRoom>,
}

impl Change {
    pub(super) fn is_empty(self) -> bool {
        let Self { join, post, slow_mode_s, mention_room } = self;
        join.is_none() && post.is_none() && slow_mode_s.is_none() && mention_room.is_none()
    }

    /// Whether the values are valid.
    pub(super) fn check(self) -> Result<(), NotDone> {
        let max = RoomSettings::MAX_SLOW_MODE_S;
        if self.slow_mode_s.is_some_and(|seconds| seconds > max.into()) {
            let message = format!("the field \"slow_mode_s\" is invalid: it must be at most {max}");
            return Err(NotDone::Refused(ErrorCode::MissingField, message));
        }
        Ok(())
    }

    fn apply(self, settings: &RoomSettings) -> RoomSettings {
        let mut settings = settings.clone();
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
        let ConfigureRoom { room, join, post, slow_mode_s, mention_room } = configure;
        let change = Change { join, post, slow_mode_s, mention_room };
        self.act(&room, reference, |acting| change_settings(acting, change));
    }
}

async fn change_settings(acting: Acting, change: Change) -> Result<ServerFrame, NotDone> {
    change.check()?;
    let seq = configure(&acting, change).await?;
    let (room, stored) = (acting.room().clone(), acting.context.engine.is_durable());
    Ok(ServerFrame::Ack(Ack { reference: None, room, seq, id: None, sent_at: None, stored }))
}

/// Changes the settings of the room. Returns the number of the event, if there is one.
pub(super) async fn configure(acting: &Acting, change: Change) -> Result<Option<u64>, NotDone> {
    acting.member.configure(|settings| change.apply(settings)).await.map_err(|error| match error {
        ConfigureError::Denied(denied) => NotDone::Refused(ErrorCode::Forbidden, denied.to_string()),
        ConfigureError::Store(error) => NotDone::Failed(error.to_string()),
        error => NotDone::Refused(ErrorCode::NotInRoom, error.to_string()),
    })
}
