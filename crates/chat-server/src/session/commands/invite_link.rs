//! `invite_link`: makes a link that invites users into a room, or ends all links.

use std::time::Duration;

use chat_access::{ActKind, Action, Link, NewAct, Person, Scope};
use chat_protocol::v2::{ErrorCode, InviteLink, InviteLinkFrame, ServerFrame};
use chat_protocol::{InviteCode, Reference, Timestamp};

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone, carry_out};

/// How many users may use a link.
const MAX_USES: u64 = 1_000;
/// For how many seconds a link holds, if the client does not say, and at most.
const FOR_S: u64 = 7 * 86_400;
const MAX_FOR_S: u64 = 30 * 86_400;

impl Session {
    pub(super) fn invite_link(&mut self, link: InviteLink, reference: Option<Reference>) {
        let InviteLink { room, uses, for_s } = link;
        let (uses, for_s) = (uses.unwrap_or(1), for_s.unwrap_or(FOR_S));
        if uses > MAX_USES || for_s > MAX_FOR_S || for_s == 0 {
            let message = format!(
                "the link is invalid: \"uses\" must be at most {MAX_USES}, and \"for_s\" from 1 to {MAX_FOR_S}"
            );
            return self.error(reference, ErrorCode::MissingField, message);
        }
        self.act(&room, reference, |acting| change(acting, uses, for_s));
    }
}

async fn change(acting: Acting, uses: u64, for_s: u64) -> Result<ServerFrame, NotDone> {
    acting.may(Action::Invite)?;
    let room = acting.room().clone();
    let act = |kind| NewAct::new(Scope::Room(room.clone()), acting.doer(), kind, Person::from(&*acting.user));
    if uses == 0 {
        carry_out(&acting.context, act(ActKind::EndLinks)).await?;
        let ended = InviteLinkFrame { reference: None, room, invite: None, uses, expires_at: None };
        return Ok(ServerFrame::InviteLink(ended));
    }
    let expires_at = Timestamp::now().saturating_add(Duration::from_secs(for_s));
    let code = InviteCode::from_random(rand::random());
    let link = Link { hash: code.hash(), uses: u32::try_from(uses).unwrap_or(u32::MAX) };
    carry_out(&acting.context, act(ActKind::InviteLink(expires_at)).link(link)).await?;
    let (invite, expires_at) = (Some(code), Some(expires_at));
    Ok(ServerFrame::InviteLink(InviteLinkFrame { reference: None, room, invite, uses, expires_at }))
}
