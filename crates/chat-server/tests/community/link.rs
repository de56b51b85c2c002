//! A session, and what it has received.

use std::collections::BTreeMap;
use std::sync::Arc;

use chat_testkit::v2::Session;
use serde_json::{Value, json};

use crate::log::{Entry, Stay, outcome, text};
use crate::view::View;
use crate::world::{User, World};

pub(crate) struct Link {
    pub(crate) user: User,
    pub(crate) views: BTreeMap<String, View>,
    world: Arc<World>,
    session: Session,
    refs: u64,
}

impl Link {
    pub(crate) async fn connect(world: &Arc<World>, user: &User) -> Self {
        let session = Session::hello_with(world.address, user.hello.clone()).await;
        Self { user: user.clone(), views: BTreeMap::new(), world: Arc::clone(world), session, refs: 0 }
    }

    /// Connects again, as a client whose connection broke, and joins the rooms in which it was.
    pub(crate) async fn reconnect(&mut self, replaces: bool) {
        let mut hello = self.user.hello.clone();
        if replaces {
            hello["replaces"] = self.session.id().into();
        }
        self.session = Session::hello_with(self.world.address, hello).await;
        for room in self.leave_all() {
            self.join(&room, true).await;
        }
    }

    /// Ends all stays. Returns the rooms.
    pub(crate) fn leave_all(&mut self) -> Vec<String> {
        let present = self.views.iter().filter(|(_, view)| view.is_present);
        let rooms: Vec<_> = present.map(|(room, _)| room.clone()).collect();
        for room in &rooms {
            self.end_stay(room);
        }
        rooms
    }

    pub(crate) fn is_in(&self, room: &str) -> bool {
        self.views.get(room).is_some_and(|view| view.is_present)
    }

    /// Joins a room: where the session was before, from its cursor on. Returns the code of an
    /// error, or `joined`, and the number of the log entry.
    pub(crate) async fn join(&mut self, room: &str, resumes: bool) -> (Value, usize) {
        let mut command = json!({"type": "join", "room": room, "history": 20});
        let known = self.views.get(room).filter(|view| resumes && view.joined > 0);
        if let Some(view) = known {
            command["since"] = json!({"epoch": self.world.epoch, "seq": view.cursor});
        }
        self.ask(command).await
    }

    /// Sends a command, and returns the answer and the number of its log entry.
    pub(crate) async fn ask(&mut self, mut command: Value) -> (Value, usize) {
        self.refs += 1;
        let reference = self.refs.to_string();
        command["ref"] = json!(reference);
        let sent = self.world.tick();
        self.session.send(&command).await;
        loop {
            let frame = self.session.frame().await;
            let is_answer = frame["ref"] == reference.as_str();
            self.take(&frame, is_answer.then_some(&command));
            if is_answer {
                let user = self.user.id.clone();
                let (answered, answer) = (self.world.tick(), frame.clone());
                let entry = Entry { user, command, answer, sent, answered, fact: None };
                return (frame, self.world.add(entry));
            }
        }
    }

    /// Everything that the server had sent before this.
    pub(crate) async fn drain(&mut self) {
        self.ask(json!({"type": "ping"})).await;
    }

    /// Waits until the session has everything up to this number, or has been removed.
    pub(crate) async fn until(&mut self, room: &str, newest: u64) {
        while self.is_in(room) && self.views[room].cursor < newest {
            let frame = self.session.frame().await;
            self.take(&frame, None);
        }
    }

    fn take(&mut self, frame: &Value, command: Option<&Value>) {
        let (kind, room) = (text(frame, "type"), text(frame, "room"));
        assert_ne!(kind, "bye", "{frame}");
        assert!(
            !matches!(outcome(frame), "internal" | "store_unavailable" | "bad_json" | "unknown_type"),
            "{command:?}: {frame}"
        );
        self.check_address(frame, command);
        match kind {
            "joined" => {
                let since = command.unwrap()["since"]["seq"].as_u64();
                let view = self.views.entry(room.to_owned()).or_default();
                assert!(!view.is_present, "{frame} in the room");
                view.joined(frame, since);
                view.joined = self.world.tick();
            }
            "left" => {
                assert!(self.is_in(room), "{frame} outside the room");
                self.end_stay(room);
            }
            "message" | "edited" | "deleted" | "reactions" | "room_changed" | "sync" | "presence"
            | "typing" | "members" | "history" | "you" => {
                let me = &self.user;
                let view = self.views.get_mut(room).filter(|view| view.is_present);
                let view = view.unwrap_or_else(|| panic!("{} received {frame} outside the room", me.name));
                match kind {
                    "history" => view.page(frame),
                    "presence" | "typing" | "members" | "you" => {}
                    _ => view.event(frame, &me.id),
                }
            }
            _ => {}
        }
    }

    /// Nobody but those who were invited there at some time receives anything about a room with an
    /// address, except as the answer to a command that names it.
    fn check_address(&self, frame: &Value, command: Option<&Value>) {
        if command.is_some_and(|command| outcome(frame) != "joined" && command.get("room").is_some()) {
            return;
        }
        let frame = frame.to_string();
        for room in &self.world.rooms {
            let may_know = !room.starts_with('~') || self.world.may_know(room, &self.user.id);
            assert!(may_know || !frame.contains(room.as_str()), "{} received {frame}", self.user.name);
        }
    }

    fn end_stay(&mut self, room: &str) {
        let view = self.views.get_mut(room).unwrap();
        view.is_present = false;
        let (user, room) = (self.user.id.clone(), room.to_owned());
        self.world.add_stay(Stay { user, room, joined: view.joined, last: view.cursor });
    }
}
