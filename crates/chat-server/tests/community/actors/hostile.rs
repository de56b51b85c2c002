//! The hostile users: one that does what only moderators may, one that goes on while it is muted or
//! banned, and one that knows the addresses of rooms in which it has no role.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Actor;
use crate::link::Link;
use crate::log::{outcome, text};
use crate::world::{LOBBY, TEA};

/// The address of no room.
const NOWHERE: &str = "~aaaaaaaaaaaaaaaaaaaaaaaaaa";

impl Actor {
    /// A member without rights tries everything that moderators and owners do.
    pub(super) async fn usurp(&mut self) {
        let world = Arc::clone(&self.world);
        let (me, club) = (self.me(), world.club());
        let room = self.pick(&[LOBBY, LOBBY, TEA, club]);
        self.enter(0, room).await;
        if self.chance(30) && self.links[0].is_in(room) {
            self.say(0, room, None).await;
        }
        let everyone: Vec<usize> = (0..world.users.len()).collect();
        for _ in 0..4 {
            let target = self.pick(&everyone);
            let user = world.users[target].clone();
            let message = self.message(room);
            let seq = message.as_ref().map_or(1, |message| message.seq);
            let mut command = match self.chance_of(&[40, 15, 10, 5, 5, 5, 5, 5, 5]) {
                0 => {
                    let action = self.pick(&["kick", "ban", "unban", "mute", "unmute", "warn"]);
                    if self.chance(70) {
                        json!({"type": "moderate", "action": action, "user": user.id})
                    } else {
                        json!({"type": "moderate", "action": action, "target": seq})
                    }
                }
                // its own role it may give up
                1 => {
                    let roles = if user.id == me.id {
                        ["moderator", "owner", "owner"]
                    } else {
                        ["member", "moderator", "owner"]
                    };
                    json!({"type": "set_role", "user": user.id, "role": self.pick(&roles)})
                }
                2 => json!({"type": "configure_room", "post": "moderators", "title": "mine"}),
                3 => json!({"type": "invite", "username": user.name}),
                4 => json!({"type": "invite_link", "uses": 5}),
                5 => json!({"type": "reports"}),
                6 => json!({"type": "close_report", "number": seq}),
                7 => json!({"type": "audit"}),
                _ => json!({"type": "create_room"}),
            };
            command["room"] = room.into();
            self.ask(0, command, &["forbidden", "not_in_room"]).await;
            // on the whole server
            if self.chance(10) {
                let command = json!({"type": "moderate", "action": "ban", "user": user.id});
                self.ask(0, command, &["forbidden"]).await;
            }
            if let Some(message) = message.filter(|message| message.author != self.index) {
                self.forge(room, message.seq).await;
            }
        }
    }

    /// Changes a message of another user.
    async fn forge(&mut self, room: &str, target: u64) {
        // while it is muted, it learns that first
        let refusals = ["forbidden", "not_in_room", "not_found", "muted"];
        let edit = json!({"type": "edit", "room": room, "target": target, "body": "forged"});
        self.ask(0, edit, &refusals).await;
        let delete = json!({"type": "delete", "room": room, "target": target});
        let (answer, _) = self.links[0].ask(delete.clone()).await;
        // one that is deleted already may be deleted again
        let is_nothing = answer["type"] == "ack" && answer.get("seq").is_none();
        assert!(is_nothing || refusals.contains(&outcome(&answer)), "{delete}: {answer}");
    }

    /// A spammer goes on whatever the moderators do.
    pub(super) async fn spam(&mut self) {
        if self.links.len() == 1 {
            let (world, me) = (Arc::clone(&self.world), self.me());
            self.links.push(Link::connect(&world, &me).await);
        }
        let world = Arc::clone(&self.world);
        let (link, room) = (self.link(), self.pick(&[LOBBY, LOBBY, LOBBY, TEA, world.club()]));
        for _ in 0..4 {
            // a session that is not there tries nevertheless
            self.enter(link, room).await;
            match self.chance_of(&[40, 15, 15, 10, 5, 10]) {
                0 => self.say(link, room, None).await,
                1 => {
                    if let Some(target) = self.own_message(room) {
                        self.edit(link, room, target).await;
                    }
                }
                2 => self.send_again(link, room).await,
                3 if self.links[link].is_in(room) => self.react(link, room).await,
                4 => {
                    if let Some(target) = self.own_message(room) {
                        self.delete(link, room, target).await;
                    }
                }
                _ => self.reconnect(link).await,
            }
        }
    }

    /// Sends an earlier message again, sometimes with another text.
    async fn send_again(&mut self, link: usize, room: &str) {
        let own: Vec<_> = self.own.iter().filter(|own| own.room == room).cloned().collect();
        if own.is_empty() {
            return;
        }
        let own = self.pick(&own);
        let mut command = own.command;
        let is_other = self.chance(30);
        if is_other {
            command["body"] = "another text".into();
        }
        let (answer, _) = self.links[link].ask(command.clone()).await;
        match outcome(&answer) {
            "ack" if !is_other => assert_eq!(answer["seq"], own.seq, "{command}: {answer}"),
            "id_reused" if is_other => {}
            "muted" | "forbidden" | "not_in_room" => {}
            _ => panic!("{command}: {answer}"),
        }
    }

    /// An outsider gets the same answers about the rooms whose addresses it knows as about none.
    pub(super) async fn spy(&mut self) {
        let world = Arc::clone(&self.world);
        if self.chance(10) {
            self.reconnect(0).await;
        }
        let room = self.pick(&world.rooms[2..]);
        let user = self.pick(&world.users);
        for _ in 0..6 {
            let command = self.question(&user.id, user.name);
            let there = self.answer(command.clone(), &room).await;
            let nowhere = self.answer(command.clone(), NOWHERE).await;
            assert_eq!(there, nowhere, "{command}");
            assert!(["error", "dropped"].contains(&text(&there, "type")), "{command}: {there}");
        }
        for query in ["text", "edit"] {
            let search = json!({"type": "search", "query": query});
            let found = self.ask(0, search, &["found"]).await;
            assert_eq!(found["messages"], json!([]), "{found}");
        }
        let directory = self.ask(0, json!({"type": "directory"}), &["directory"]).await;
        assert!(!directory.to_string().contains('~'), "{directory}");
    }

    async fn answer(&mut self, mut command: Value, room: &str) -> Value {
        command["room"] = room.into();
        let (mut answer, _) = self.links[0].ask(command).await;
        answer.as_object_mut().unwrap().remove("ref");
        serde_json::from_str(&answer.to_string().replace(room, "~")).unwrap()
    }

    fn question(&mut self, user: &str, name: &str) -> Value {
        let epoch = self.world.epoch.clone();
        let action = self.pick(&["kick", "ban", "unban", "mute", "unmute", "warn"]);
        let on = self.chance(50);
        self.pick(&[
            json!({"type": "join"}),
            json!({"type": "join", "history": 50}),
            json!({"type": "join", "since": {"epoch": epoch, "seq": 1}}),
            json!({"type": "join", "invite": "AAAAAAAAAAAAAAAAAAAAAA"}),
            json!({"type": "leave"}),
            json!({"type": "send", "body": "x", "id": "m1"}),
            json!({"type": "edit", "target": 5, "body": "x"}),
            json!({"type": "delete", "target": 5}),
            json!({"type": "react", "target": 5, "emoji": "🎉", "on": on}),
            json!({"type": "history"}),
            json!({"type": "members"}),
            json!({"type": "search", "query": "text"}),
            json!({"type": "typing"}),
            json!({"type": "create_room"}),
            json!({"type": "configure_room", "title": "x"}),
            json!({"type": "set_role", "user": user, "role": "member"}),
            json!({"type": "roles"}),
            json!({"type": "invite", "username": name}),
            json!({"type": "invite_link"}),
            json!({"type": "report", "target": 5}),
            json!({"type": "reports"}),
            json!({"type": "close_report", "number": 1}),
            json!({"type": "audit"}),
            json!({"type": "keep", "favourite": on}),
            json!({"type": "keep"}),
            json!({"type": "mark_read", "epoch": epoch, "up_to": 9}),
            json!({"type": "moderate", "action": action, "user": user}),
            json!({"type": "moderate", "action": action, "target": 5}),
        ])
    }
}
