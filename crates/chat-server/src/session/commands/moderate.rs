//! `moderate`: removes, bans, mutes or warns a user, or ends a ban or a mute.

use std::time::Duration;

use chat_access::{ActKind, Action, NewAct, Person, Scope};
use chat_protocol::v2::{ErrorCode, Moderate, ServerFrame};
use chat_protocol::{Moderation, Reference, Role, Timestamp, UserId, UserKind, Username};

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone, carry_out, find};

/// The longest time that a ban or a mute with an end may hold: ten years.
const MAX_FOR_S: u64 = 10 * 365 * 86_400;

impl Session {
    pub(super) fn moderate(&mut self, moderate: Moderate, reference: Option<Reference>) {
        if moderate.user.is_none() && moderate.target.is_none() {
            let message = "one of the fields \"user\" and \"target\" is needed";
            return self.error(reference, ErrorCode::MissingField, message);
        }
        let room = moderate.room.clone();
        self.act(&room, reference, |acting| act(acting, moderate));
    }
}

async fn act(acting: Acting, moderate: Moderate) -> Result<ServerFrame, NotDone> {
    let Moderate { action, user, target, reason, for_s, .. } = moderate;
    // whoever moderates nobody learns nothing about who is known here
    acting.may(Action::Moderate)?;
    let target = person(&acting, user, target).await?.ok_or_else(NotDone::no_such_user)?;
    let until =
        for_s.map(|seconds| Timestamp::now().saturating_add(Duration::from_secs(seconds.min(MAX_FOR_S))));
    let until = until.filter(|_| matches!(action, Moderation::Ban | Moderation::Mute));
    let (scope, by) = (Scope::Room(acting.room().clone()), acting.doer());
    let kind = ActKind::Moderate(action, until);
    carry_out(&acting.context, NewAct::new(scope, by, kind, target).reason(reason)).await
}

/// The user who is meant: one who is connected, has an account, has written the message, or is
/// banned or muted here.
async fn person(
    acting: &Acting,
    user: Option<UserId>,
    target: Option<u64>,
) -> Result<Option<Person>, NotDone> {
    let failed = |error: &dyn std::fmt::Display| NotDone::Failed(error.to_string());
    let context = &acting.context;
    if let Some(id) = user.clone() {
        if let Some(person) = find(context, &id).await? {
            return Ok(Some(person));
        }
        let scope = Scope::Room(acting.room().clone());
        let restricted = context.engine.access().restriction(scope, id).await;
        if let Some(restriction) = restricted.map_err(|error| failed(&error))? {
            return Ok(Some(unknown(restriction.user.id, restriction.user.username)));
        }
    }
    let Some(seq) = target else { return Ok(None) };
    let message = context.engine.message(acting.room(), seq).await.map_err(|error| failed(&error))?;
    let Some(text) = message.as_ref().and_then(|message| message.text()) else { return Ok(None) };
    // of both, the message says the name of the user
    if user.is_some_and(|user| user != text.user) {
        return Ok(None);
    }
    let known = find(context, &text.user).await?;
    Ok(Some(known.unwrap_or_else(|| unknown(text.user.clone(), text.from.clone()))))
}

/// A user of whom only the id and a name are known: a guest who is gone, or an account that was
/// deleted.
fn unknown(id: UserId, username: Username) -> Person {
    let kind = if id.is_guest() { UserKind::Guest } else { UserKind::Account };
    Person { id, username, kind, role: Role::User }
}
