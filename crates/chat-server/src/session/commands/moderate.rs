//! `moderate`: removes, bans, mutes or warns a user, or ends a ban or a mute.

use std::time::Duration;

use chat_access::{ActKind, Action, Doer, NewAct, Person, Scope};
use chat_protocol::v2::{ErrorCode, Moderate, ServerFrame};
use chat_protocol::{Moderation, Reference, Role, Timestamp, UserId, UserKind, Username};

use crate::session::Session;
use crate::session::list::Lists;
use crate::session::moderation::{Acting, NotDone, carry_out, find, moderates_server};

/// The longest time that a ban or a mute with an end may hold: ten years.
const MAX_FOR_S: u64 = 10 * 365 * 86_400;

impl Session {
    pub(super) fn moderate(&mut self, moderate: Moderate, reference: Option<Reference>) {
        if moderate.user.is_none() && moderate.target.is_none() {
            let message = "one of the fields \"user\" and \"target\" is needed";
            return self.error(reference, ErrorCode::MissingField, message);
        }
        match moderate.room.clone() {
            Some(room) => self.act(&room, reference, |acting| act(acting, moderate)),
            None => self.act_outside(reference, |lists| act_on_server(lists, moderate)),
        }
    }
}

/// Acts on a user in all rooms.
async fn act_on_server(lists: Lists, moderate: Moderate) -> Result<ServerFrame, NotDone> {
    let Lists { context, user, .. } = lists;
    let by = Person::from(&*user);
    // whoever moderates nobody learns nothing about who is known here
    moderates_server(&user)?;
    let Moderate { action, user, reason, for_s, .. } = moderate;
    let Some(id) = user else {
        let message = "the field \"user\" is missing: without a room it is needed".to_owned();
        return Err(NotDone::Refused(ErrorCode::MissingField, message));
    };
    let target = match find(&context, &id).await? {
        Some(person) => person,
        None => {
            let restricted = context.engine.access().restriction(Scope::Server, id).await?;
            let restriction = restricted.ok_or_else(NotDone::no_such_user)?;
            unknown(restriction.user.id, restriction.user.username)
        }
    };
    let kind = ActKind::Moderate(action, until(action, for_s));
    carry_out(&context, NewAct::new(Scope::Server, Doer::User(by), kind, target).reason(reason)).await
}

/// When a ban or a mute ends that holds for this many seconds.
fn until(action: Moderation, for_s: Option<u64>) -> Option<Timestamp> {
    let seconds = for_s.filter(|_| matches!(action, Moderation::Ban | Moderation::Mute))?;
    Some(Timestamp::now().saturating_add(Duration::from_secs(seconds.min(MAX_FOR_S))))
}

async fn act(acting: Acting, moderate: Moderate) -> Result<ServerFrame, NotDone> {
    let Moderate { action, user, target, reason, for_s, .. } = moderate;
    // whoever moderates nobody learns nothing about who is known here
    acting.may(Action::Moderate)?;
    let target = person(&acting, action, user, target).await?.ok_or_else(NotDone::no_such_user)?;
    let (scope, by) = (Scope::Room(acting.room().clone()), acting.doer());
    let kind = ActKind::Moderate(action, until(action, for_s));
    carry_out(&acting.context, NewAct::new(scope, by, kind, target).reason(reason)).await
}

/// The user who is meant: one who is connected, has an account, has written the message, or is
/// banned or muted here.
async fn person(
    acting: &Acting,
    action: Moderation,
    user: Option<UserId>,
    target: Option<u64>,
) -> Result<Option<Person>, NotDone> {
    let failed = |error: &dyn std::fmt::Display| NotDone::Failed(error.to_string());
    let context = &acting.context;
    if let Some(id) = user.clone() {
        // nobody else is warned without a message of theirs: otherwise everyone could write to
        // everyone by a room of their own, and name its address
        if let Some(person) = find(context, &id).await?
            && (action != Moderation::Warn || acting.knows(&person).await?)
        {
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
    Person { id, username, kind, role: Role::User, network: None }
}
