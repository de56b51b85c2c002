//! What the tests share.

use chat_protocol::{Moderation, Role, RoomRole, Timestamp, UserKind};

use crate::rules::Until;
use crate::{AccessStore, ActError, ActKind, AuditRecord, Doer, NewAct, Person, Refused, Scope};

/// The room with this name.
pub(super) fn room(name: &str) -> Scope {
    Scope::Room(name.parse().unwrap())
}

/// A user with an account whose id is `u_` and the name.
pub(super) fn account(name: &str) -> Person {
    Person {
        id: format!("u_{name}").parse().unwrap(),
        username: name.parse().unwrap(),
        kind: UserKind::Account,
        role: Role::User,
        network: None,
    }
}

/// A guest whose id is `g_` and the name.
pub(super) fn guest(name: &str) -> Person {
    Person { id: format!("g_{name}").parse().unwrap(), kind: UserKind::Guest, ..account(name) }
}

/// A moderator of the server.
pub(super) fn server_moderator(name: &str) -> Person {
    Person { role: Role::Moderator, ..account(name) }
}

/// A time before which no act of a test ends.
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// A time in the future.
pub(super) fn later(seconds: u64) -> Until {
    Some(now().saturating_add(std::time::Duration::from_secs(seconds)))
}

/// Carries out an act of a user.
pub(super) async fn act(
    store: &dyn AccessStore,
    scope: &Scope,
    by: &Person,
    kind: ActKind,
    target: &Person,
) -> Result<Option<AuditRecord>, Refused> {
    act_of(store, scope, Doer::User(by.clone()), kind, target).await
}

/// Carries out an act.
pub(super) async fn act_of(
    store: &dyn AccessStore,
    scope: &Scope,
    by: Doer,
    kind: ActKind,
    target: &Person,
) -> Result<Option<AuditRecord>, Refused> {
    match store.act(NewAct::new(scope.clone(), by, kind, target.clone())).await {
        Ok(record) => Ok(record),
        Err(ActError::Refused(refused)) => Err(refused),
        Err(error) => panic!("{error}"),
    }
}

/// Gives a user a role, as the operator.
pub(super) async fn give(store: &dyn AccessStore, scope: &Scope, target: &Person, role: RoomRole) {
    let given = act_of(store, scope, Doer::Operator, ActKind::SetRole(Some(role)), target).await;
    assert!(given.unwrap().is_some());
}

/// The act of moderation without an end.
pub(super) fn moderate(action: Moderation) -> ActKind {
    ActKind::Moderate(action, None)
}
