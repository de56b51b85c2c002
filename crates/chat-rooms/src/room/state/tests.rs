//! Rooms driven by random commands, and what their members receive.

use std::collections::{BTreeSet, HashMap};

use chat_protocol::{ChannelName, Content, MessageId, Timestamp};
use proptest::prelude::*;

use super::*;

fn member(id: i64, name: &str) -> Arc<Member> {
    Arc::new(Member {
        id: MemberId::new(id),
        room: RoomName::parse("r").unwrap(),
        username: Username::parse(name).unwrap(),
        channel: ChannelName::new(0),
        joined_at: Timestamp::from_millis(0),
    })
}

/// What one member has received.
struct View {
    style: PresenceStyle,
    arrival: LogicalTime,
    seen: BTreeSet<String>,
    own_enters: usize,
    messages: Vec<String>,
}

fn message(seq: usize, from: &str) -> Arc<Message> {
    let content = Content::Said {
        id: MessageId::from_random(seq as u128),
        from: Username::parse(from).unwrap(),
        body: format!("m{seq}").into(),
    };
    Arc::new(Message {
        room: RoomName::parse("r").unwrap(),
        seq: seq as u64,
        sent_at: Timestamp::from_millis(0),
        content,
    })
}

/// A room, and what its members have received.
struct World {
    state: RoomState,
    next_id: i64,
    ids: HashMap<String, MemberId>,
    views: HashMap<MemberId, View>,
    windows: usize,
    sent: Vec<String>,
}

#[derive(Debug, Clone)]
enum Command {
    Enter(u8, PresenceStyle),
    Leave(u8),
    /// The name is free at once, and the member leaves later.
    LeaveInTwoSteps(u8),
    Send(u8),
    Reserve(u8),
    CloseWindow,
    FlushPresence,
}

impl World {
    fn new(coalesce_above: usize) -> Self {
        let (ids, views) = (HashMap::new(), HashMap::new());
        Self {
            state: RoomState::new(RoomName::parse("r").unwrap(), coalesce_above, 50),
            next_id: 0,
            ids,
            views,
            windows: 0,
            sent: Vec::new(),
        }
    }

    fn run(&mut self, command: &Command) {
        let mut effects = Vec::new();
        let name = |n: u8| format!("p{n}");
        match command {
            Command::Enter(n, style) => {
                let username = Username::parse(&name(*n)).unwrap();
                let taken = self.ids.get(&name(*n)).map(|id| Holder::Member(*id));
                assert_eq!(self.state.reserve(&username).err(), taken);
                if taken.is_none() {
                    assert_eq!(self.state.reserve(&username), Err(Holder::Reserved));
                    self.next_id += 1;
                    let member = member(self.next_id, &name(*n));
                    let arrival = self.state.enter(&member, *style, &mut effects);
                    let view = View {
                        style: *style,
                        arrival,
                        seen: self.snapshot(member.id),
                        own_enters: 0,
                        messages: Vec::new(),
                    };
                    self.views.insert(member.id, view);
                    self.ids.insert(name(*n), member.id);
                }
            }
            Command::Leave(n) => match self.ids.remove(&name(*n)) {
                Some(id) => {
                    assert!(self.state.leave(id, &mut effects));
                    self.views.remove(&id);
                    assert!(!self.state.leave(id, &mut effects));
                }
                None => assert!(!self.state.is_name_taken(&Username::parse(&name(*n)).unwrap())),
            },
            Command::LeaveInTwoSteps(n) => {
                if let Some(id) = self.ids.remove(&name(*n)) {
                    let username = Username::parse(&name(*n)).unwrap();
                    self.state.begin_leaving(id);
                    assert!(!self.state.is_name_taken(&username), "the name is free");
                    assert_eq!(self.state.leaving(&username), Some(id));
                    assert!(self.state.reserve(&username).is_ok());
                    self.state.release(&username);
                    assert!(self.state.leave(id, &mut effects));
                    assert_eq!(self.state.leaving(&username), None);
                    self.views.remove(&id);
                }
            }
            Command::Send(n) => {
                let from = self.ids.get(&name(*n)).and_then(|id| self.state.member(*id)).cloned();
                if from.is_some() {
                    let event = self.state.message_event(message(self.sent.len(), &name(*n)), from);
                    effects.push(Effect::Send(event, Audience::All));
                    self.sent.push(format!("m{}", self.sent.len()));
                }
            }
            Command::Reserve(n) => {
                let username = Username::parse(&name(*n)).unwrap();
                if self.state.reserve(&username).is_ok() {
                    assert!(self.state.is_name_taken(&username));
                    self.state.release(&username);
                }
                assert_eq!(self.state.is_name_taken(&username), self.ids.contains_key(&name(*n)));
            }
            Command::CloseWindow => self.state.close_window(&mut effects),
            Command::FlushPresence => self.state.flush_presence(&mut effects),
        }
        self.apply(effects);
    }

    /// The list in the snapshot of a member; empty for members with lists.
    fn snapshot(&self, id: MemberId) -> BTreeSet<String> {
        let query = RosterQuery { after: None, prefix: "", limit: usize::MAX };
        let page = self.state.roster_page(id, query);
        page.into_iter().flat_map(|page| page.members).map(|m| m.username.to_string()).collect()
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Send(event, audience) = effect else {
                self.windows += 1;
                continue;
            };
            for (id, view) in &mut self.views {
                let receives = match audience {
                    Audience::All => true,
                    Audience::Lists => view.style == PresenceStyle::Lists,
                    Audience::ListsBefore(time) => view.style == PresenceStyle::Lists && view.arrival < time,
                    Audience::Changes => view.style == PresenceStyle::Changes,
                    Audience::ChangesExcept(except) => view.style == PresenceStyle::Changes && *id != except,
                    Audience::Only(only) => only == *id,
                };
                if receives {
                    view.receive(*id, &event);
                }
            }
        }
    }
}

impl View {
    fn receive(&mut self, id: MemberId, event: &Event) {
        let names = |group: &[Arc<Member>]| group.iter().map(|m| m.username.to_string()).collect::<Vec<_>>();
        match event {
            Event::Entered { group, members } if group.iter().any(|member| member.id == id) => {
                assert_eq!(group.len(), 1, "a member's own join is sent alone");
                self.own_enters += 1;
                self.seen = names(members.first()).into_iter().collect();
            }
            Event::Entered { group, .. } => {
                for name in names(group) {
                    assert!(self.seen.insert(name), "no member enters twice");
                }
            }
            Event::Left { group, .. } => {
                for name in names(group) {
                    assert!(self.seen.remove(&name), "only a member that is present leaves");
                }
            }
            Event::Message { message, .. } => {
                let Content::Said { body, .. } = &message.content else { unreachable!() };
                self.messages.push(body.to_string());
            }
            Event::PresenceChanged(presence) => {
                for username in &presence.left {
                    assert!(self.seen.remove(username.as_str()), "only a member that is present leaves");
                }
                self.seen.extend(presence.joined.iter().map(|member| member.username.to_string()));
                assert_eq!(presence.member_count, self.seen.len());
            }
            other => assert!(matches!(other, Event::Notice { .. } | Event::Refused { .. }), "{other:?}"),
        }
        let own_enters = usize::from(self.style == PresenceStyle::Lists);
        assert!(self.own_enters == own_enters, "the own entry comes first, and once");
    }
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let command = prop_oneof![
        5 => (0..12_u8, prop_oneof![Just(PresenceStyle::Lists), Just(PresenceStyle::Changes)])
            .prop_map(|(n, style)| Command::Enter(n, style)),
        4 => (0..12_u8).prop_map(Command::Leave),
        1 => (0..12_u8).prop_map(Command::LeaveInTwoSteps),
        2 => (0..12_u8).prop_map(Command::Send),
        1 => (0..12_u8).prop_map(Command::Reserve),
        2 => Just(Command::CloseWindow),
        2 => Just(Command::FlushPresence),
    ];
    prop::collection::vec(command, 1..120)
}

proptest! {
    /// Whatever happens in whatever order, in rooms that coalesce and in rooms that do not: the own
    /// entry of a member with lists comes first and once, no member receives a join or leave that
    /// it could not have seen, and once nothing is being coalesced every member's list is the
    /// room's.
    #[test]
    fn members_receive_a_consistent_view(commands in commands(), coalesce_above in 0..14_usize) {
        let mut world = World::new(coalesce_above);
        for command in &commands {
            world.run(command);
            let list = world.state.list();
            prop_assert_eq!(list.total(), world.ids.len());
            prop_assert!(list.first().is_sorted_by_key(|member| member.id));
            prop_assert_eq!(world.state.is_empty(), world.ids.is_empty());
        }
        world.run(&Command::CloseWindow);
        world.run(&Command::FlushPresence);
        let present: BTreeSet<String> = world.ids.keys().cloned().collect();
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
        let member = member(id, &format!("p{id}"));
        state.reserve(&member.username).unwrap();
        state.enter(&member, PresenceStyle::Lists, &mut Vec::new());
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
        world.run(&Command::Enter(n, PresenceStyle::Lists));
    }
    world.run(&Command::Leave(2));
    assert_eq!(world.windows, 1);
    world.run(&Command::Leave(1));
    assert_eq!(world.views[&MemberId::new(1)].seen, BTreeSet::from(["p0".to_owned()]));
}

#[test]
fn a_large_room_cuts_presence_lists_but_counts_all_members() {
    let mut state = RoomState::new(RoomName::parse("r").unwrap(), 100, 50);
    let mut effects = Vec::new();
    for id in 1..=700 {
        let member = member(id, &format!("p{id}"));
        state.reserve(&member.username).unwrap();
        state.enter(&member, PresenceStyle::Changes, &mut effects);
    }
    assert!(matches!(effects[..], [Effect::OpenPresence]), "nothing is sent yet, and no list is built");
    effects.clear();
    state.flush_presence(&mut effects);
    let Some(Effect::Send(Event::PresenceChanged(presence), Audience::Changes)) = effects.pop() else {
        unreachable!()
    };
    assert_eq!((presence.joined.len(), presence.member_count, presence.partial), (50, 700, true));
}
