//! Rooms driven by random commands, and what their members receive.

use std::collections::{BTreeMap, HashMap};

use chat_protocol::{ChannelName, Content, Identity, LISTED_MEMBERS, MessageId, Text, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::room::state::effects::Effects;
use crate::room::state::roster::RosterQuery;

/// One of two users of a name.
fn user(name: &str, number: u8) -> Identity {
    Identity::one_time_guest(number.into(), Username::parse(name).unwrap())
}

fn member(id: i64, name: &str, user: &UserId) -> Arc<Member> {
    Arc::new(Member {
        id: MemberId::new(id),
        room: RoomName::parse("r").unwrap(),
        user: user.clone(),
        username: Username::parse(name).unwrap(),
        channel: ChannelName::new(0),
        joined_at: Timestamp::from_millis(0),
    })
}

/// What one session has received.
struct View {
    member: MemberId,
    style: PresenceStyle,
    arrival: LogicalTime,
    seen: BTreeMap<String, UserId>,
    own_enters: usize,
    messages: Vec<String>,
}

fn message(seq: usize, from: &str) -> Arc<Message> {
    let (id, from) = (MessageId::from_random(seq as u128), user(from, 0));
    let text = Text::new(id, from.id().clone(), from.username().clone(), format!("m{seq}"));
    let (room, sent_at) = (RoomName::parse("r").unwrap(), Timestamp::from_millis(0));
    Arc::new(Message::new(room, seq as u64, sent_at, Content::Text(text)))
}

/// A room, and what its sessions have received.
struct World {
    state: RoomState,
    next_id: i64,
    /// The sessions by name, and the user that has the name.
    present: HashMap<String, (UserId, Vec<SubscriptionId>)>,
    /// The sessions that are about to leave, and the users of their members.
    leaving: Vec<(String, UserId, SubscriptionId)>,
    views: HashMap<SubscriptionId, View>,
    windows: usize,
    left: usize,
    sent: Vec<String>,
}

#[derive(Debug, Clone)]
enum Command {
    /// A session of one of two users of a name.
    Enter(u8, u8, PresenceStyle),
    /// The newest session of a name.
    Leave(u8),
    /// The name is free at once if this is the last session, and the session leaves later.
    BeginLeaving(u8),
    /// A session that is about to leave has left.
    FinishLeaving(u8),
    Send(u8),
    Reserve(u8, u8),
    CloseWindow,
    FlushPresence,
}

fn name(n: u8) -> String {
    format!("p{n}")
}

impl World {
    fn new(coalesce_above: usize) -> Self {
        Self {
            state: RoomState::new(RoomName::parse("r").unwrap(), coalesce_above, 50),
            next_id: 0,
            present: HashMap::new(),
            leaving: Vec::new(),
            views: HashMap::new(),
            windows: 0,
            left: 0,
            sent: Vec::new(),
        }
    }

    fn run(&mut self, command: &Command) {
        let mut effects = Effects::default();
        match command {
            Command::Enter(n, number, style) => {
                let user = user(&name(*n), *number);
                let holder = self.present.get(&name(*n)).map(|(user, _)| user.clone());
                let reserved = self.state.reserve(user.username(), user.id());
                match holder {
                    Some(holder) if holder != *user.id() => assert!(reserved.is_err()),
                    Some(_) => {
                        assert_eq!(reserved, Ok(Reserved::Present));
                        self.add_session(&user, *style, &mut effects);
                    }
                    None => {
                        assert_eq!(reserved, Ok(Reserved::Absent));
                        let other = self::user(&name(*n), 1 - *number);
                        assert!(self.state.reserve(other.username(), other.id()).is_err());
                        self.finish_namesake(&user, &mut effects);
                        // the session that joins does not receive what was sent before
                        self.apply(mem::take(&mut effects));
                        if self.is_leaving(&user) {
                            // its last session is about to leave: it stays
                            self.add_session(&user, *style, &mut effects);
                        } else {
                            self.enter(&user, *style, &mut effects);
                        }
                    }
                }
            }
            Command::Leave(n) => {
                if let Some(id) = self.pop_session(*n) {
                    assert!(self.state.leave(id, &mut effects));
                    self.views.remove(&id);
                    assert!(!self.state.leave(id, &mut effects));
                }
            }
            Command::BeginLeaving(n) => {
                if let Some((user, _)) = self.present.get(&name(*n)).cloned()
                    && let Some(id) = self.pop_session(*n)
                {
                    self.state.begin_leaving(id);
                    let username = Username::parse(&name(*n)).unwrap();
                    assert_eq!(self.state.is_name_taken(&username), self.present.contains_key(&name(*n)));
                    self.leaving.push((name(*n), user, id));
                }
            }
            Command::FinishLeaving(n) => {
                if !self.leaving.is_empty() {
                    let (_, _, id) = self.leaving.swap_remove(usize::from(*n) % self.leaving.len());
                    assert!(self.state.leave(id, &mut effects));
                    self.views.remove(&id);
                }
            }
            Command::Send(n) => {
                let session = self.present.get(&name(*n)).map(|(_, sessions)| sessions[0]);
                let from = session.and_then(|id| self.state.member_of(id)).cloned();
                if from.is_some() {
                    let event = self.state.message_event(message(self.sent.len(), &name(*n)), from);
                    effects.push(Effect::Send(event, Audience::All));
                    self.sent.push(format!("m{}", self.sent.len()));
                }
            }
            Command::Reserve(n, number) => {
                let user = user(&name(*n), *number);
                if self.state.reserve(user.username(), user.id()).is_ok() {
                    assert!(self.state.is_name_taken(user.username()));
                    self.state.release(user.username());
                }
                assert_eq!(self.state.is_name_taken(user.username()), self.present.contains_key(&name(*n)));
            }
            Command::CloseWindow => self.state.close_window(&mut effects),
            Command::FlushPresence => while self.state.flush_presence(3, &mut effects) {},
        }
        self.apply(effects);
    }

    fn is_leaving(&self, user: &Identity) -> bool {
        let is_same = |name: &String, id: &UserId| name == user.username().as_str() && id == user.id();
        self.leaving.iter().any(|(name, id, _)| is_same(name, id))
    }

    /// Another user of the name, who is about to leave, leaves at once.
    fn finish_namesake(&mut self, user: &Identity, effects: &mut Effects) {
        let is_other = |(name, id, _): &mut (String, UserId, SubscriptionId)| {
            name == user.username().as_str() && id != user.id()
        };
        for (_, _, id) in self.leaving.extract_if(.., is_other) {
            assert!(self.state.leave(id, effects));
            self.views.remove(&id);
        }
    }

    /// The members that the list has: those with a session, even if it is about to leave.
    fn expected(&self) -> BTreeMap<String, UserId> {
        let present = self.present.iter().map(|(name, (user, _))| (name.clone(), user.clone()));
        let leaving = self.leaving.iter().map(|(name, user, _)| (name.clone(), user.clone()));
        leaving.chain(present).collect()
    }

    /// The newest session of a name, which is about to leave.
    fn pop_session(&mut self, n: u8) -> Option<SubscriptionId> {
        let (_, sessions) = self.present.get_mut(&name(n))?;
        let session = sessions.pop();
        if sessions.is_empty() {
            self.present.remove(&name(n));
        }
        session
    }

    fn enter(&mut self, user: &Identity, style: PresenceStyle, effects: &mut Effects) {
        assert_eq!(self.state.present(user.username(), user.id()), None);
        self.next_id += 1;
        let member = member(self.next_id, user.username().as_str(), user.id());
        let session = self.state.enter(&member, style, effects);
        self.joined(user, member.id, session, style);
    }

    fn add_session(&mut self, user: &Identity, style: PresenceStyle, effects: &mut Effects) {
        let member = self.state.present(user.username(), user.id()).unwrap();
        let session = self.state.add_session(member, style, effects).unwrap();
        self.joined(user, member, session, style);
    }

    fn joined(
        &mut self,
        user: &Identity,
        member: MemberId,
        (session, arrival): (SubscriptionId, LogicalTime),
        style: PresenceStyle,
    ) {
        let seen = self.snapshot(member);
        let view = View { member, style, arrival, seen, own_enters: 0, messages: Vec::new() };
        self.views.insert(session, view);
        let present = self.present.entry(user.username().to_string());
        present.or_insert_with(|| (user.id().clone(), Vec::new())).1.push(session);
    }

    /// The list in the snapshot of a member; empty if no session receives changes.
    fn snapshot(&self, id: MemberId) -> BTreeMap<String, UserId> {
        let query = RosterQuery { after: None, prefix: "", limit: usize::MAX };
        let page = self.state.roster_page(id, query);
        page.into_iter().flat_map(|page| page.members).map(|m| (m.username.to_string(), m.user)).collect()
    }

    fn apply(&mut self, effects: Effects) {
        for effect in effects {
            let (event, audience) = match effect {
                Effect::Send(event, audience) => (event, audience),
                Effect::MemberLeft(_) => {
                    self.left += 1;
                    continue;
                }
                Effect::OpenWindow | Effect::OpenPresence => {
                    self.windows += 1;
                    continue;
                }
                Effect::OpenReactions
                | Effect::MemberEntered(_)
                | Effect::RecordReplaced(_)
                | Effect::CheckMembers
                | Effect::ReadPolicy(_)
                | Effect::Discard(_) => continue,
            };
            for (id, view) in &mut self.views {
                let receives = match audience {
                    Audience::All => true,
                    Audience::Lists => view.style == PresenceStyle::Lists,
                    Audience::ListsBefore(time) => view.style == PresenceStyle::Lists && view.arrival < time,
                    Audience::Changes => view.style == PresenceStyle::Changes,
                    Audience::ChangesExcept(except) => {
                        view.style == PresenceStyle::Changes && view.member != except
                    }
                    Audience::Only(only) => only == *id,
                };
                if receives {
                    view.receive(&event);
                }
            }
        }
    }
}

impl View {
    fn receive(&mut self, event: &Event) {
        let users = |group: &[Arc<Member>]| {
            group.iter().map(|m| (m.username.to_string(), m.user.clone())).collect::<Vec<_>>()
        };
        match event {
            Event::Entered { group, members } if group.iter().any(|member| member.id == self.member) => {
                assert_eq!(group.len(), 1, "a member's own join is sent alone");
                self.own_enters += 1;
                self.seen = users(members.first()).into_iter().collect();
            }
            Event::Entered { group, .. } => {
                for (name, user) in users(group) {
                    assert!(self.seen.insert(name, user).is_none(), "no member enters twice");
                }
            }
            Event::Left { group, .. } => {
                for (name, user) in users(group) {
                    assert_eq!(self.seen.remove(&name), Some(user), "only a member that is present leaves");
                }
            }
            Event::Message { message, .. } => {
                self.messages.push(message.text().unwrap().body.to_string());
            }
            Event::PresenceChanged(presence) => {
                for username in &presence.left {
                    let left = self.seen.remove(username.as_str());
                    assert!(left.is_some(), "only a member that is present leaves");
                }
                let joined = presence.joined.iter().map(|m| (m.username.to_string(), m.user.clone()));
                self.seen.extend(joined);
                assert_eq!(presence.member_count, self.seen.len());
            }
            other => assert!(matches!(other, Event::Notice { .. } | Event::Refused { .. }), "{other:?}"),
        }
        let own_enters = usize::from(self.style == PresenceStyle::Lists);
        assert!(self.own_enters == own_enters, "the own entry comes first, and once");
    }
}

fn style() -> impl Strategy<Value = PresenceStyle> {
    prop_oneof![Just(PresenceStyle::Lists), Just(PresenceStyle::Changes)]
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        6 => (0..12_u8, 0..2_u8, style()).prop_map(|(n, user, style)| Command::Enter(n, user, style)),
        4 => (0..12_u8).prop_map(Command::Leave),
        2 => (0..12_u8).prop_map(Command::BeginLeaving),
        1 => (0..12_u8).prop_map(Command::FinishLeaving),
        2 => (0..12_u8).prop_map(Command::Send),
        1 => (0..12_u8, 0..2_u8).prop_map(|(n, user)| Command::Reserve(n, user)),
        2 => Just(Command::CloseWindow),
        2 => Just(Command::FlushPresence),
    ];
    prop::collection::vec(command, 1..120)
}

proptest! {
    /// Whatever happens in whatever order, in rooms that coalesce and in rooms that do not: the own
    /// entry of a session with lists comes first and once, no session receives a join or leave that
    /// it could not have seen, and once nothing is being coalesced every session's list is the
    /// room's.
    #[test]
    fn members_receive_a_consistent_view(commands in commands(), coalesce_above in 0..14_usize) {
        let mut world = World::new(coalesce_above);
        for command in &commands {
            world.run(command);
            let list = world.state.list();
            let expected = world.expected();
            prop_assert_eq!(list.total(), expected.len());
            prop_assert!(list.first().is_sorted_by_key(|member| member.id));
            prop_assert_eq!(world.state.is_empty(), expected.is_empty());
            let entered = usize::try_from(world.next_id).unwrap();
            prop_assert_eq!(entered - world.left, expected.len(), "each member leaves once");
        }
        world.run(&Command::CloseWindow);
        world.run(&Command::FlushPresence);
        let present = world.expected();
        for view in world.views.values() {
            prop_assert_eq!(&view.seen, &present);
            prop_assert!(world.sent.ends_with(&view.messages), "the messages since it joined, in order");
        }
    }
}

#[test]
fn a_large_list_is_cut_but_counts_all_members() {
    let mut state = RoomState::new(RoomName::parse("r").unwrap(), 100, 50);
    for id in 1..=600 {
        let user = user(&format!("p{id}"), 0);
        let member = member(id, user.username().as_str(), user.id());
        state.reserve(&member.username, &member.user).unwrap();
        state.enter(&member, PresenceStyle::Lists, &mut Effects::default());
    }
    let list = state.list();
    assert_eq!((list.first().len(), list.total()), (LISTED_MEMBERS, 600));
    assert!(list.lists(MemberId::new(500)) && !list.lists(MemberId::new(501)));
    assert!(Arc::ptr_eq(&list, &state.list()), "shared until the room changes");
}

#[test]
fn a_shrinking_room_sends_coalesced_changes_first() {
    let mut world = World::new(2);
    for n in 0..3 {
        world.run(&Command::Enter(n, 0, PresenceStyle::Lists));
    }
    world.run(&Command::Leave(2));
    assert_eq!(world.windows, 1);
    world.run(&Command::Leave(1));
    let (_, sessions) = &world.present["p0"];
    assert_eq!(world.views[&sessions[0]].seen.keys().collect::<Vec<_>>(), ["p0"]);
}

#[test]
fn a_large_room_cuts_presence_lists_but_counts_all_members() {
    let mut state = RoomState::new(RoomName::parse("r").unwrap(), 100, 50);
    let mut effects = Effects::default();
    for id in 1..=700 {
        let user = user(&format!("p{id}"), 0);
        let member = member(id, user.username().as_str(), user.id());
        state.reserve(&member.username, &member.user).unwrap();
        state.enter(&member, PresenceStyle::Changes, &mut effects);
    }
    let so_far: Vec<_> = mem::take(&mut effects).into_iter().collect();
    assert!(matches!(so_far[..], [Effect::OpenPresence]), "nothing is sent yet, and no list is built");
    while state.flush_presence(100, &mut effects) {}
    let Some(Effect::Send(Event::PresenceChanged(presence), Audience::Changes)) = effects.into_iter().last()
    else {
        unreachable!()
    };
    assert_eq!((presence.joined.len(), presence.member_count, presence.partial), (50, 700, true));
}
