//! `moderate`: removes, bans, mutes or warns a user, or ends a ban or a mute.

use std::time::Duration;

use chat_access::{ActKind, Action, Doer, NewAct, Person, Scope};
use chat_protocol::v2::{ErrorCode, Moderate, ServerFrame};
use chat_protocol::{Moderation, Reference, Role, Timestamp, UserId, UserKind, Username};

use crate::session::Session;
use crate::session::moderation::{Acting, NotDone, carry_out, find};

/// The longest time that a ban or a mute with an end may hold: ten years.
const MAX_FOR_S: u64 = 10 * 365 * 86_400;

/// Whom a command means.
enum Target {
    User(UserId),
    /// The author of the message with this number.
    AuthorOf(u64),
}

impl Session {
    pub(super) fn moderate(&mut self, moderate: Moderate, reference: Option<Reference>) {
        let target = match (&moderate.user, moderate.target) {
            (Some(user), _) => Target::User(user.clone()),
            (None, Some(seq)) => Target::AuthorOf(seq),
            (None, None) => {
                let message = "one of the fields \"user\" and \"target\" is needed";
                return self.error(reference, ErrorCode::MissingField, message);
            }
        };
        let room = moderate.room.clone();
        self.act(&room, reference, |acting| act(acting, moderate, target));
    }
}

async fn act(acting: Acting, moderate: Moderate, target: Target) -> Result<ServerFrame, NotDone> {
    let Moderate { action, reason, for_s, .. } = moderate;
    // whoever moderates nobody learns nothing about who is known here
    if let Some(Err(denied)) = acting.member.check(Action::Moderate) {
        return Err(NotDone::Refused(ErrorCode::Forbidden, denied.to_string()));
    }
    let target = person(&acting, target).await?.ok_or_else(NotDone::no_such_user)?;
    let until =
        for_s.map(|seconds| Timestamp::now().saturating_add(Duration::from_secs(seconds.min(MAX_FOR_S))));
    let until = until.filter(|_| matches!(action, Moderation::Ban | Moderation::Mute));
    let (scope, by) = (Scope::Room(acting.room().clone()), Doer::User(Person::from(&*acting.user)));
    let kind = ActKind::Moderate(action, until);
    carry_out(&acting.context, NewAct::new(scope, by, kind, target).reason(reason)).await
}

/// The user who is meant: one who is connected, has an account, has written the message, or is
/// banned or muted here.
async fn person(acting: &Acting, target: Target) -> Result<Option<Person>, NotDone> {
    let failed = |error: &dyn std::fmt::Display| NotDone::Failed(error.to_string());
    let context = &acting.context;
    match target {
        Target::User(id) => {
            if let Some(person) = find(context, &id).await? {
                return Ok(Some(person));
            }
            let scope = Scope::Room(acting.room().clone());
            let restricted = context.engine.access().restriction(scope, id).await;
            let restricted = restricted.map_err(|error| failed(&error))?;
            Ok(restricted.map(|restriction| unknown(restriction.user.id, restriction.user.username)))
        }
        Target::AuthorOf(seq) => {
            let message = context.engine.message(acting.room(), seq).await.map_err(|error| failed(&error))?;
            let Some(text) = message.as_ref().and_then(|message| message.text()) else { return Ok(None) };
            let known = find(context, &text.user).await?;
            Ok(Some(known.unwrap_or_else(|| unknown(text.user.clone(), text.from.clone()))))
        }
    }
}

/// A user of whom only the id and a name are known: a guest who is gone, or an account that was
/// deleted.
fn unknown(id: UserId, username: Username) -> Person {
    let kind = if id.is_guest() { UserKind::Guest } else { UserKind::Account };
    Person { id, username, kind, role: Role::User }
}
