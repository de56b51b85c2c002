//! A room as plain state: who holds which name, who is in, and what is to be told to whom. It knows no task, no lock and no
//! clock; commands go in, effects come out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chat_protocol::{Event, LISTED_MEMBERS, Member, MemberId, MemberList, Username};

use crate::gather::{Changes, Gather, Gathered};
use crate::moment::Moment;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Everybody.
    All,
    /// Those who arrived before this moment.
    ArrivedBefore(Moment),
    /// One member.
    Only(MemberId),
}

/// What the room has to do after a command.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Tell this, after everything before it.
    Tell(Event, Audience),
    /// Call [`RoomState::close_window`] after the time that comings and goings are gathered for.
    OpenWindow,
}

/// Who holds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Somebody whose stay is being written, and who is not in yet.
    Reserved,
    /// A member.
    Member(MemberId),
}

#[derive(Debug)]
struct Seated {
    member: Arc<Member>,
    arrival: Moment,
}

/// A room's members and names.
#[derive(Debug)]
pub(crate) struct RoomState {
    /// A room with more members than this gathers comings and goings.
    gather_above: usize,
    /// Every name that nobody else can have.
    holders: HashMap<Username, Holder>,
    /// Those who are in, in order of arrival.
    members: BTreeMap<MemberId, Seated>,
    /// The list as it stands; none after a change, until somebody asks for it.
    list: Option<Arc<MemberList>>,
    gather: Gather,
    now: Moment,
}

impl RoomState {
    pub(crate) fn new(gather_above: usize) -> Self {
        Self {
            gather_above,
            holders: HashMap::new(),
            members: BTreeMap::new(),
            list: None,
            gather: Gather::default(),
            now: Moment::default(),
        }
    }

    /// Whether nobody is in and nobody is coming.
    pub(crate) fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }

    /// Whether somebody has this name, or is about to.
    pub(crate) fn holds(&self, username: &Username) -> bool {
        self.holders.contains_key(username)
    }

    /// Whether this stay goes on.
    pub(crate) fn seats(&self, id: MemberId) -> bool {
        self.members.contains_key(&id)
    }

    /// Keeps a name for somebody, or says who has it.
    pub(crate) fn reserve(&mut self, username: &Username) -> Result<(), Holder> {
        match self.holders.get(username) {
            Some(holder) => Err(*holder),
            None => {
                self.holders.insert(username.clone(), Holder::Reserved);
                Ok(())
            }
        }
    }

    /// Gives up a name that was kept for somebody who did not come.
    pub(crate) fn release(&mut self, username: &Username) {
        if self.holders.get(username) == Some(&Holder::Reserved) {
            self.holders.remove(username);
        }
    }

    /// Lets in somebody whose name was kept. The member's first event is its own entering. Gives the moment of arrival.
    pub(crate) fn enter(&mut self, member: &Arc<Member>, effects: &mut Vec<Effect>) -> Moment {
        let gathers = self.members.len() + 1 > self.gather_above;
        if !gathers {
            self.close_window(effects);
        }
        let arrival = self.now.tick();
        self.holders.insert(member.username.clone(), Holder::Member(member.id));
        self.members.insert(member.id, Seated { member: Arc::clone(member), arrival });
        self.list = None;
        let audience = if gathers { Audience::Only(member.id) } else { Audience::All };
        effects.push(Effect::Tell(
            Event::Entered { who: Arc::clone(member).into(), members: self.list() },
            audience,
        ));
        if gathers && self.gather.entered(arrival, Arc::clone(member)) {
            effects.push(Effect::OpenWindow);
        }
        arrival
    }

    /// Lets somebody go. False when that stay had ended before.
    pub(crate) fn leave(&mut self, id: MemberId, effects: &mut Vec<Effect>) -> bool {
        let gathers = self.members.len() > self.gather_above;
        if !self.seats(id) {
            return false;
        }
        if !gathers {
            self.close_window(effects);
        }
        let Some(Seated { member, arrival }) = self.members.remove(&id) else {
            return false;
        };
        self.holders.remove(&member.username);
        self.list = None;
        let now = self.now.tick();
        if gathers {
            if self.gather.left(now, member, arrival) {
                effects.push(Effect::OpenWindow);
            }
        } else {
            effects
                .push(Effect::Tell(Event::Left { who: member.into(), members: self.list() }, Audience::All));
        }
        true
    }

    /// Tells what was gathered. Does nothing when no window is open.
    pub(crate) fn close_window(&mut self, effects: &mut Vec<Effect>) {
        let Some(Gathered { to_all, before, to_newcomers }) = self.gather.close() else {
            return;
        };
        self.tell(to_all, Audience::ArrivedBefore(before), effects);
        for (newcomer, changes) in to_newcomers {
            self.tell(changes, Audience::Only(newcomer), effects);
        }
    }

    fn tell(&mut self, Changes { left, entered }: Changes, audience: Audience, effects: &mut Vec<Effect>) {
        let members = self.list();
        if let Some(who) = left {
            effects.push(Effect::Tell(Event::Left { who, members: Arc::clone(&members) }, audience));
        }
        if let Some(who) = entered {
            effects.push(Effect::Tell(Event::Entered { who, members }, audience));
        }
    }

    /// What a member says, as an event for everybody; none when it is not in.
    pub(crate) fn say(&mut self, from: MemberId, body: Arc<str>) -> Option<Event> {
        let from = Arc::clone(&self.members.get(&from)?.member);
        Some(Event::Message { from, body, members: self.list() })
    }

    /// What the operator says, as an event for everybody.
    pub(crate) fn notice(&mut self, body: Arc<str>) -> Effect {
        Effect::Tell(Event::Notice { body, members: self.list() }, Audience::All)
    }

    /// Why something that a member sent was not accepted, as an event for that member; none when it is not in.
    pub(crate) fn refuse(&mut self, to: MemberId, reason: Arc<str>) -> Option<Event> {
        self.seats(to).then(|| Event::Refused { reason, members: self.list() })
    }

    /// The members as they stand, shared until they change.
    pub(crate) fn list(&mut self) -> Arc<MemberList> {
        let members = &self.members;
        let build = || {
            let first =
                members.values().take(LISTED_MEMBERS).map(|seated| Arc::clone(&seated.member)).collect();
            Arc::new(MemberList::new(first, members.len()))
        };
        Arc::clone(self.list.get_or_insert_with(build))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use chat_protocol::{ChannelName, RoomName, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn member(id: i64, name: &str) -> Arc<Member> {
        Arc::new(Member {
            id: MemberId(id),
            room: RoomName::parse("r").unwrap(),
            username: Username::parse(name).unwrap(),
            channel: ChannelName(0),
            joined_at: Timestamp(0),
        })
    }

    /// What one member has been told.
    #[derive(Default)]
    struct View {
        arrival: Moment,
        seen: BTreeSet<String>,
        own_enters: usize,
        messages: Vec<String>,
    }

    /// A room and what its members have been told.
    struct World {
        state: RoomState,
        next_id: i64,
        ids: HashMap<String, MemberId>,
        views: HashMap<MemberId, View>,
        windows: usize,
        said: Vec<String>,
    }

    #[derive(Debug, Clone)]
    enum Command {
        Enter(u8),
        Leave(u8),
        Say(u8),
        Reserve(u8),
        CloseWindow,
    }

    impl World {
        fn new(gather_above: usize) -> Self {
            let (ids, views) = (HashMap::new(), HashMap::new());
            Self { state: RoomState::new(gather_above), next_id: 0, ids, views, windows: 0, said: Vec::new() }
        }

        fn run(&mut self, command: &Command) {
            let mut effects = Vec::new();
            let name = |n: u8| format!("p{n}");
            match command {
                Command::Enter(n) => {
                    let username = Username::parse(&name(*n)).unwrap();
                    let taken = self.ids.get(&name(*n)).map(|id| Holder::Member(*id));
                    assert_eq!(self.state.reserve(&username).err(), taken);
                    if taken.is_none() {
                        assert_eq!(self.state.reserve(&username), Err(Holder::Reserved));
                        self.next_id += 1;
                        let member = member(self.next_id, &name(*n));
                        self.views.insert(member.id, View::default());
                        let arrival = self.state.enter(&member, &mut effects);
                        self.views.get_mut(&member.id).unwrap().arrival = arrival;
                        self.ids.insert(name(*n), member.id);
                    }
                }
                Command::Leave(n) => match self.ids.remove(&name(*n)) {
                    Some(id) => {
                        assert!(self.state.leave(id, &mut effects));
                        self.views.remove(&id);
                        assert!(!self.state.leave(id, &mut effects));
                    }
                    None => assert!(!self.state.holds(&Username::parse(&name(*n)).unwrap())),
                },
                Command::Say(n) => {
                    let id = self.ids.get(&name(*n)).copied().unwrap_or(MemberId(-1));
                    let text = format!("m{}", self.said.len());
                    let said = self.state.say(id, text.as_str().into());
                    assert_eq!(said.is_some(), self.ids.contains_key(&name(*n)));
                    if let Some(said) = said {
                        effects.push(Effect::Tell(said, Audience::All));
                        self.said.push(text);
                    }
                }
                Command::Reserve(n) => {
                    let username = Username::parse(&name(*n)).unwrap();
                    if self.state.reserve(&username).is_ok() {
                        assert!(self.state.holds(&username));
                        self.state.release(&username);
                    }
                    assert_eq!(self.state.holds(&username), self.ids.contains_key(&name(*n)));
                }
                Command::CloseWindow => self.state.close_window(&mut effects),
            }
            self.apply(effects);
        }

        fn apply(&mut self, effects: Vec<Effect>) {
            for effect in effects {
                let Effect::Tell(event, audience) = effect else {
                    self.windows += 1;
                    continue;
                };
                for (id, view) in &mut self.views {
                    let told = match audience {
                        Audience::All => true,
                        Audience::ArrivedBefore(moment) => view.arrival < moment,
                        Audience::Only(only) => only == *id,
                    };
                    if told {
                        view.tell(*id, &event);
                    }
                }
            }
        }
    }

    impl View {
        fn tell(&mut self, id: MemberId, event: &Event) {
            let names = |who: &[Arc<Member>]| who.iter().map(|m| m.username.to_string()).collect::<Vec<_>>();
            match event {
                Event::Entered { who, members } if who.iter().any(|member| member.id == id) => {
                    assert_eq!(who.len(), 1, "one's own entering is told alone");
                    self.own_enters += 1;
                    self.seen = names(members.first()).into_iter().collect();
                }
                Event::Entered { who, .. } => {
                    for name in names(who) {
                        assert!(self.seen.insert(name), "nobody enters twice");
                    }
                }
                Event::Left { who, .. } => {
                    for name in names(who) {
                        assert!(self.seen.remove(&name), "only who is there leaves");
                    }
                }
                Event::Message { body, .. } => self.messages.push(body.to_string()),
                Event::Notice { .. } | Event::Refused { .. } => {}
            }
            assert!(self.own_enters == 1, "its own entering comes first, and once");
        }
    }

    fn commands() -> impl Strategy<Value = Vec<Command>> {
        let command = prop_oneof![
            5 => (0..12_u8).prop_map(Command::Enter),
            4 => (0..12_u8).prop_map(Command::Leave),
            2 => (0..12_u8).prop_map(Command::Say),
            1 => (0..12_u8).prop_map(Command::Reserve),
            2 => Just(Command::CloseWindow),
        ];
        prop::collection::vec(command, 1..120)
    }

    proptest! {
        /// Whatever happens in which order, in rooms that gather and in rooms that do not: everyone's own entering comes
        /// first and once, nobody is told of a coming or going that it could not have seen, and once nothing is gathered
        /// any more everyone's list is the room's.
        #[test]
        fn what_members_are_told_adds_up(commands in commands(), gather_above in 0..14_usize) {
            let mut world = World::new(gather_above);
            for command in &commands {
                world.run(command);
                let list = world.state.list();
                prop_assert_eq!(list.total(), world.ids.len());
                prop_assert!(list.first().is_sorted_by_key(|member| member.id));
                prop_assert_eq!(world.state.is_empty(), world.ids.is_empty());
            }
            world.run(&Command::CloseWindow);
            let there: BTreeSet<String> = world.ids.keys().cloned().collect();
            for view in world.views.values() {
                prop_assert_eq!(&view.seen, &there);
                prop_assert!(world.said.ends_with(&view.messages), "the messages since it came, in order");
            }
        }
    }

    #[test]
    fn a_big_list_is_cut_and_counted() {
        let mut state = RoomState::new(100);
        for id in 1..=600 {
            let member = member(id, &format!("p{id}"));
            state.reserve(&member.username).unwrap();
            state.enter(&member, &mut Vec::new());
        }
        let list = state.list();
        assert_eq!((list.first().len(), list.total()), (LISTED_MEMBERS, 600));
        assert!(list.lists(MemberId(500)) && !list.lists(MemberId(501)));
        assert!(Arc::ptr_eq(&list, &state.list()), "shared until the room changes");
    }

    #[test]
    fn a_room_that_shrinks_tells_what_it_gathered_first() {
        let mut world = World::new(2);
        for n in 0..3 {
            world.run(&Command::Enter(n));
        }
        world.run(&Command::Leave(2));
        assert_eq!(world.windows, 1);
        world.run(&Command::Leave(1));
        assert_eq!(world.views[&MemberId(1)].seen, BTreeSet::from(["p0".to_owned()]));
    }
}
