//! Roles, bans, mutes and slow mode: in effect from the moment at which the act is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_access::{
    ActError, ActKind, Action, AuditQuery, Denied, Doer, NewAct, Person, Refused, Scope, SqliteAccess,
};
use chat_db::sqlite::Database;
use chat_history::{Page, SqliteHistory};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{
    ErrorCode, Event, GuestToken, Identity, LeftReason, MayJoin, MayPost, Moderation, Role, RoomRole,
    RoomSettings, Standing, Timestamp, Username,
};
use chat_rooms::{
    ConfigureError, Delete, Engine, Events, HistoryQuery, JoinError, Membership, Outgoing, RegisterError,
    SendError, Sink, Subscribe,
};
use futures::future::join;

use crate::support::{Gate, room};

fn account(name: &str) -> Identity {
    Identity::account(format!("u_{name}").parse().unwrap(), name.parse().unwrap()).unwrap()
}

fn guest(name: &str) -> Identity {
    Identity::guest(&GuestToken::from_random([7; 32]), name.parse().unwrap())
}

async fn engine() -> Engine {
    Engine::builder(MemoryPresence::new(NodeId::new("here"))).start().await.unwrap()
}

/// An engine on a database file, in which the writer of the store is another thread.
async fn durable() -> (Engine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("r.sqlite3")).unwrap();
    let history = SqliteHistory::open(database.clone()).await.unwrap();
    let access = Arc::new(SqliteAccess::new(database));
    let presence = MemoryPresence::new(NodeId::new("here"));
    (Engine::builder(presence).history(history).access(access).start().await.unwrap(), folder)
}

async fn enter(engine: &Engine, user: &Identity) -> (Membership, Events) {
    let (sink, events) = Sink::channel(50_000);
    (engine.join(user, &room(), Subscribe::new(sink)).await.unwrap(), events)
}

fn by(doer: &Identity, kind: ActKind, target: &Identity) -> NewAct {
    NewAct::new(Scope::Room(room()), Doer::User(doer.into()), kind, target.into())
}

fn by_operator(kind: ActKind, target: &Identity) -> NewAct {
    NewAct::new(Scope::Room(room()), Doer::Operator, kind, target.into())
}

fn moderate(action: Moderation) -> ActKind {
    ActKind::Moderate(action, None)
}

async fn give(engine: &Engine, user: &Identity, role: RoomRole) {
    engine.act(by_operator(ActKind::SetRole(Some(role)), user)).await.unwrap().unwrap();
}

/// The next event that is wanted.
async fn next(events: &mut Events, is_wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
    loop {
        let event = events.next().await.unwrap();
        if is_wanted(&event) {
            return event;
        }
    }
}

async fn newest(engine: &Engine) -> u64 {
    let (watcher, mut events) = enter(engine, &account("watcher").with_role(Role::Admin)).await;
    let joined = next(&mut events, |event| matches!(event, Event::Joined(_))).await;
    watcher.leave();
    let Event::Joined(snapshot) = &*joined else { unreachable!() };
    snapshot.seq
}

#[tokio::test]
async fn a_muted_member_reads_and_does_not_post() {
    let engine = engine().await;
    let (owner, ana) = (account("owner"), account("ana"));
    give(&engine, &owner, RoomRole::Owner).await;
    let (_owner, mut owner_events) = enter(&engine, &owner).await;
    let (member, mut events) = enter(&engine, &ana).await;
    let first = member.send(Outgoing { id: Some("m-1".parse().unwrap()), ..Outgoing::from("hello") }).await;
    let first = first.unwrap();
    let until = Some(Timestamp::now().saturating_add(Duration::from_secs(3_600)));
    let mute = ActKind::Moderate(Moderation::Mute, until);
    engine.act(by(&owner, mute, &ana)).await.unwrap().unwrap();

    let changed = next(&mut events, |event| matches!(event, Event::StandingChanged { .. })).await;
    let expected = Standing::new(None, Some(until));
    assert!(matches!(&*changed, Event::StandingChanged { standing, .. } if *standing == expected));
    let denied = member.send("again").await.unwrap_err();
    assert!(matches!(denied, SendError::Denied(Denied::Muted { until: end }) if end == until), "{denied:?}");
    let refused = next(&mut events, |event| matches!(event, Event::Refused { .. })).await;
    assert!(
        matches!(&*refused, Event::Refused { code: ErrorCode::Muted, until: end, .. } if *end == until),
        "{refused:?}"
    );
    // what was stored is acked all the same
    let again = Outgoing { id: Some("m-1".parse().unwrap()), ..Outgoing::from("hello") };
    assert_eq!(member.send(again).await.unwrap().seq, first.seq);
    assert!(member.delete(Delete::new(first.seq)).await.unwrap().is_some(), "its own messages are its own");
    let history = HistoryQuery::new(Page::Before { seq: u64::MAX, limit: 5 });
    member.delivered(member.history(history).await.unwrap()).await;

    engine.act(by(&owner, moderate(Moderation::Unmute), &ana)).await.unwrap().unwrap();
    let changed = next(&mut events, |event| matches!(event, Event::StandingChanged { .. })).await;
    assert!(matches!(&*changed, Event::StandingChanged { standing, .. } if *standing == Standing::default()));
    member.send("at last").await.unwrap();
    // the others are told nothing about it
    let other = next(&mut owner_events, |event| {
        matches!(event, Event::StandingChanged { .. })
            || matches!(event, Event::Message { message, .. } if message.seq > first.seq)
    });
    assert!(matches!(&*other.await, Event::Message { .. }));
}

#[tokio::test]
async fn a_newcomer_learns_its_role_and_its_mute() {
    let engine = engine().await;
    let ana = account("ana");
    give(&engine, &ana, RoomRole::Member).await;
    engine.act(by_operator(moderate(Moderation::Mute), &ana)).await.unwrap().unwrap();
    let (_member, mut events) = enter(&engine, &ana).await;
    let joined = events.next().await.unwrap();
    let expected = Standing::new(Some(RoomRole::Member), Some(None));
    assert!(matches!(&*joined, Event::Joined(snapshot) if snapshot.standing == expected), "{joined:?}");
}

/// Whatever is on its way, nothing of a muted user is stored once the mute is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_muted_user_is_stored_after_the_mute() {
    let (engine, _folder) = durable().await;
    let (gus, ana) = (guest("gus"), account("ana"));
    let (sender, _events) = enter(&engine, &gus).await;
    let (other, _other_events) = enter(&engine, &ana).await;
    for _ in 0..10 {
        let is_done = AtomicBool::new(false);
        let sending = async {
            let mut sent = 0_u32;
            while !is_done.load(Ordering::Relaxed) || sent < 200 {
                sender.submit(format!("{sent}")).await.unwrap();
                sent += 1;
            }
        };
        let muting = async {
            tokio::task::yield_now().await;
            other.send("before").await.unwrap();
            engine.act(by_operator(moderate(Moderation::Mute), &gus)).await.unwrap().unwrap();
            // it is after everything that was stored
            let mark = other.send("after").await.unwrap().seq;
            is_done.store(true, Ordering::Relaxed);
            mark
        };
        let ((), mark) = join(sending, muting).await;
        assert!(matches!(sender.send("last").await, Err(SendError::Denied(Denied::Muted { .. }))));
        assert_eq!(newest(&engine).await, mark);
        engine.act(by_operator(moderate(Moderation::Unmute), &gus)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_banned_user_is_removed_and_stays_out() {
    let engine = engine().await;
    let (moderator, gus) = (account("mod"), guest("gus"));
    give(&engine, &moderator, RoomRole::Moderator).await;
    let (member, mut events) = enter(&engine, &gus).await;
    let (second, _second_events) = enter(&engine, &gus).await;
    engine.act(by(&moderator, moderate(Moderation::Ban), &gus)).await.unwrap().unwrap();
    let left = next(&mut events, |event| matches!(event, Event::LeaveNotice { .. })).await;
    assert!(matches!(&*left, Event::LeaveNotice { reason: LeftReason::Banned, .. }));
    while second.is_member() {
        tokio::task::yield_now().await;
    }
    assert!(member.was_removed() && second.was_removed());
    drop((member, second));
    for lists in [false, true] {
        let (sink, _) = Sink::channel(10);
        let subscribe = Subscribe::new(sink);
        let subscribe = if lists { subscribe.with_lists() } else { subscribe };
        let refused = engine.join(&gus, &room(), subscribe).await;
        assert!(matches!(refused, Err(JoinError::Denied(Denied::Banned { until: None }))), "{refused:?}");
    }
    assert!(!engine.is_present(&room(), gus.username()).await.unwrap(), "the name is free");
    engine.act(by(&moderator, moderate(Moderation::Unban), &gus)).await.unwrap().unwrap();
    drop(enter(&engine, &gus).await);
}

/// The account of a former guest is the same user: a ban of the guest holds for it.
#[tokio::test]
async fn a_ban_of_a_former_id_holds() {
    let engine = engine().await;
    let (gus, registered) = (guest("gus"), account("gus"));
    engine.act(by_operator(moderate(Moderation::Ban), &gus)).await.unwrap().unwrap();
    let (sink, _) = Sink::channel(10);
    let subscribe = Subscribe::new(sink).former_ids(vec![gus.id().clone()]);
    let refused = engine.join(&registered, &room(), subscribe).await;
    assert!(matches!(refused, Err(JoinError::Denied(Denied::Banned { .. }))), "{refused:?}");
    drop(enter(&engine, &registered).await);
}

#[tokio::test]
async fn a_kicked_user_may_come_back() {
    let engine = engine().await;
    let gus = guest("gus");
    let (member, mut events) = enter(&engine, &gus).await;
    let namesake = account("gus");
    engine.act(by_operator(moderate(Moderation::Kick), &namesake)).await.unwrap().unwrap();
    assert!(member.is_member(), "another user of that name was meant");
    engine.act(by_operator(moderate(Moderation::Kick), &gus)).await.unwrap().unwrap();
    let left = next(&mut events, |event| matches!(event, Event::LeaveNotice { .. })).await;
    assert!(matches!(&*left, Event::LeaveNotice { reason: LeftReason::Kicked, .. }));
    drop(member);
    drop(enter(&engine, &gus).await);
}

/// Of a ban and a join at the same time, the ban wins in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_slips_in_while_being_banned() {
    let (engine, _folder) = durable().await;
    let (_keeper, _keeper_events) = enter(&engine, &account("keeper")).await;
    for round in 0..50 {
        let gus = guest(&format!("gus{round}"));
        let ((sink, _events), room) = (Sink::channel(100), room());
        let joining = engine.join(&gus, &room, Subscribe::new(sink));
        let banning = engine.act(by_operator(moderate(Moderation::Ban), &gus));
        let (joined, banned) = if round % 2 == 0 {
            join(joining, banning).await
        } else {
            let (banned, joined) = join(banning, joining).await;
            (joined, banned)
        };
        banned.unwrap().unwrap();
        match joined {
            Err(JoinError::Denied(Denied::Banned { .. })) => {}
            Ok(member) => {
                while member.is_member() {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// What a moderator does while it is demoted is not done afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_moderator_deletes_nothing_any_more() {
    let (engine, _folder) = durable().await;
    let moderator = account("mod");
    let (ana, _events) = enter(&engine, &account("ana")).await;
    let (member, _member_events) = enter(&engine, &moderator).await;
    for _ in 0..5 {
        give(&engine, &moderator, RoomRole::Moderator).await;
        let mut texts = Vec::new();
        for number in 0..100 {
            texts.push(ana.send(format!("{number}")).await.unwrap().seq);
        }
        let deleting = async {
            for seq in &texts {
                member.submit_delete(Delete::new(*seq)).await.unwrap();
            }
        };
        let demoting = async {
            tokio::task::yield_now().await;
            engine.act(by_operator(ActKind::SetRole(None), &moderator)).await.unwrap().unwrap();
            ana.send("a mark").await.unwrap().seq
        };
        let ((), mark) = join(deleting, demoting).await;
        let last = member.delete(Delete::new(mark)).await;
        assert!(matches!(last, Err(SendError::NotAuthor)), "{last:?}");
        assert_eq!(newest(&engine).await, mark);
    }
}

#[tokio::test]
async fn slow_mode_makes_members_wait() {
    let engine = engine().await;
    let moderator = account("mod");
    give(&engine, &moderator, RoomRole::Moderator).await;
    engine.configure(&room(), RoomSettings::default().slow_mode_s(60)).await.unwrap();
    let (ana, mut events) = enter(&engine, &account("ana")).await;
    let (second, _second_events) = enter(&engine, &account("ana")).await;
    let (moderator, _moderator_events) = enter(&engine, &moderator).await;
    let first = Outgoing { id: Some("m-1".parse().unwrap()), ..Outgoing::from("hello") };
    let stored = ana.send(first.clone()).await.unwrap();
    for member in [&ana, &second] {
        let denied = member.send("again").await.unwrap_err();
        let SendError::Denied(Denied::SlowMode { retry_after }) = denied else { panic!("{denied:?}") };
        assert!(retry_after > Duration::from_secs(50) && retry_after <= Duration::from_secs(60));
    }
    let refused = next(&mut events, |event| matches!(event, Event::Refused { .. })).await;
    assert!(
        matches!(&*refused, Event::Refused { code: ErrorCode::SlowMode, retry_after: Some(_), .. }),
        "{refused:?}"
    );
    assert_eq!(ana.send(first).await.unwrap().seq, stored.seq, "a repeat is acked");
    for _ in 0..3 {
        moderator.send("hello").await.unwrap();
    }
    assert_eq!(ana.check(Action::SkipSlowMode), Some(Err(Denied::ModeratorsOnly)));
    assert_eq!(moderator.check(Action::SkipSlowMode), Some(Ok(())));
}

#[tokio::test]
async fn a_room_is_registered_while_nobody_else_uses_it() {
    let engine = engine().await;
    let (ana, bob) = (account("ana"), account("bob"));
    let register = |user: &Identity| engine.register(by(user, ActKind::Register, user));
    let (member, _events) = enter(&engine, &ana).await;
    let (other, _other_events) = enter(&engine, &bob).await;
    let refused = register(&ana).await;
    assert!(matches!(refused, Err(RegisterError::InUse)), "{refused:?}");
    drop(other);
    register(&ana).await.unwrap().unwrap();
    let refused = register(&ana).await;
    assert!(matches!(refused, Err(RegisterError::Act(ActError::Refused(Refused::HasOwner)))), "{refused:?}");
    assert_eq!(member.check(Action::Configure), Some(Ok(())));
    let guest = guest("gus");
    let new = NewAct::new(
        Scope::Room("new".parse().unwrap()),
        Doer::User(Person::from(&guest)),
        ActKind::Register,
        Person::from(&guest),
    );
    let refused = engine.register(new).await;
    assert!(
        matches!(refused, Err(RegisterError::Act(ActError::Refused(Refused::GuestWithRole)))),
        "{refused:?}"
    );
    drop(member);
    // a room with a history
    engine.act(by_operator(ActKind::SetRole(None), &ana)).await.unwrap().unwrap();
    let (member, _events) = enter(&engine, &bob).await;
    member.send("mine").await.unwrap();
    let refused = register(&bob).await;
    assert!(matches!(refused, Err(RegisterError::InUse)), "{refused:?}");
    let moderator = account("mod").with_role(Role::Moderator);
    engine.register(by(&moderator, ActKind::Register, &bob)).await.unwrap().unwrap();
    assert_eq!(member.check(Action::Configure), Some(Ok(())));
}

#[tokio::test]
async fn only_owners_change_the_settings() {
    let engine = engine().await;
    let (owner, moderator) = (account("owner"), account("mod"));
    give(&engine, &owner, RoomRole::Owner).await;
    give(&engine, &moderator, RoomRole::Moderator).await;
    let (owner, mut events) = enter(&engine, &owner).await;
    let (moderator, _moderator_events) = enter(&engine, &moderator).await;
    let closed = |settings: &RoomSettings| settings.clone().post(MayPost::Moderators);
    let refused = moderator.configure(closed).await;
    assert!(matches!(refused, Err(ConfigureError::Denied(Denied::OwnersOnly))), "{refused:?}");
    assert_eq!(owner.configure(closed).await.unwrap(), Some(1));
    assert_eq!(owner.configure(closed).await.unwrap(), None);
    let changed = next(&mut events, |event| matches!(event, Event::RoomChanged(_))).await;
    let Event::RoomChanged(change) = &*changed else { unreachable!() };
    assert_eq!(change.by.as_ref().map(Username::as_str), Some("owner"));
    // and the roles count from then on
    moderator.send("an announcement").await.unwrap();
}

/// Two owners change different settings at the same time: both changes hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_different_settings_are_both_kept() {
    let (engine, _folder) = durable().await;
    let (one, other) = (account("one"), account("other"));
    for owner in [&one, &other] {
        give(&engine, owner, RoomRole::Owner).await;
    }
    let (one, _one_events) = enter(&engine, &one).await;
    let (other, _other_events) = enter(&engine, &other).await;
    for round in 0..20_u32 {
        let (post, join_as) = if round % 2 == 0 {
            (MayPost::Accounts, MayJoin::Accounts)
        } else {
            (MayPost::Everyone, MayJoin::Everyone)
        };
        let (first, second) = join(
            one.configure(|settings| settings.clone().post(post)),
            other.configure(|settings| settings.clone().join(join_as)),
        )
        .await;
        assert!(first.unwrap().is_some() && second.unwrap().is_some());
        let settings = engine.settings(&room()).await.unwrap();
        assert_eq!((settings.post, settings.join), (post, join_as), "round {round}");
    }
}

/// An act is in effect also if nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_is_not_waited_for_is_completed() {
    let (engine, _folder) = durable().await;
    let gus = guest("gus");
    let (member, mut events) = enter(&engine, &gus).await;
    {
        let act = engine.act(by_operator(moderate(Moderation::Mute), &gus));
        tokio::pin!(act);
        assert!(futures::poll!(act.as_mut()).is_pending());
    }
    next(&mut events, |event| matches!(event, Event::StandingChanged { .. })).await;
    assert!(matches!(member.send("hello").await, Err(SendError::Denied(_))));
    assert_eq!(engine.access().audit(AuditQuery::newest(5)).await.unwrap().len(), 1);
}

/// Rules hold in a room that is opened later, and by another engine.
#[tokio::test]
async fn rules_outlive_the_room() {
    let folder = tempfile::tempdir().unwrap();
    let gus = guest("gus");
    for round in 0..2 {
        let database = Database::open(&folder.path().join("r.sqlite3")).unwrap();
        let history = SqliteHistory::open(database.clone()).await.unwrap();
        let access = Arc::new(SqliteAccess::new(database.clone()));
        let presence = MemoryPresence::new(NodeId::new("here"));
        let engine = Engine::builder(presence).history(history).access(access).start().await.unwrap();
        if round == 0 {
            engine.act(by_operator(moderate(Moderation::Ban), &gus)).await.unwrap().unwrap();
            assert_eq!(engine.room_count(), 0, "nobody is in the room");
        }
        let refused = engine.admit(&gus, &room()).await;
        assert!(matches!(refused, Err(JoinError::Denied(Denied::Banned { .. }))));
        database.close().await;
    }
}

/// The roles of a deleted account end at once, also in a room that is open.
#[tokio::test]
async fn a_deleted_account_has_no_role_any_more() {
    let engine = engine().await;
    let moderator = account("mod");
    give(&engine, &moderator, RoomRole::Moderator).await;
    let (member, mut events) = enter(&engine, &moderator).await;
    assert_eq!(member.check(Action::Moderate), Some(Ok(())));
    engine.forget(moderator.id(), moderator.username()).await.unwrap();
    assert_eq!(member.check(Action::Moderate), Some(Err(Denied::ModeratorsOnly)));
    let changed = next(&mut events, |event| matches!(event, Event::StandingChanged { .. })).await;
    assert!(matches!(&*changed, Event::StandingChanged { standing, .. } if standing.role.is_none()));
}

/// What was checked before an act and comes to the store after it is checked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_to_the_store_after_an_act_is_checked_again() {
    let gate = Gate::default();
    let presence = MemoryPresence::new(NodeId::new("here"));
    let engine = Engine::builder(presence).history(gate.clone()).start().await.unwrap();
    let (moderator, gus) = (account("mod"), guest("gus"));
    give(&engine, &moderator, RoomRole::Moderator).await;
    let (ana, _ana_events) = enter(&engine, &account("ana")).await;
    let (member, _member_events) = enter(&engine, &moderator).await;
    let (sender, _sender_events) = enter(&engine, &gus).await;
    let text = ana.send("a text").await.unwrap().seq;
    for (kind, target) in [(ActKind::SetRole(None), &moderator), (moderate(Moderation::Mute), &gus)] {
        gate.shut();
        let acting = tokio::spawn({
            let (engine, act) = (engine.clone(), by_operator(kind, target));
            async move { engine.act(act).await }
        });
        while gate.backlog() == 0 {
            tokio::task::yield_now().await;
        }
        // the act is before them in the queue of the store, and the room has not heard of it
        let (deleting, sending) = (member.delete(Delete::new(text)), sender.send("hello"));
        let opening = async {
            while gate.backlog() < 3 {
                tokio::task::yield_now().await;
            }
            gate.open();
        };
        let (deleted, sent, ()) = tokio::join!(deleting, sending, opening);
        acting.await.unwrap().unwrap().unwrap();
        assert!(matches!(deleted, Err(SendError::NotAuthor)), "{deleted:?}");
        if target == &gus {
            assert!(matches!(sent, Err(SendError::Denied(Denied::Muted { .. }))), "{sent:?}");
        } else {
            assert!(sent.is_ok(), "{sent:?}");
        }
    }
}
