//! The owner and the moderators. Whoever acts on a user holds the user's lock, so that what the act
//! changes is certain.

use std::sync::Arc;

use rand::RngExt;
use serde_json::{Value, json};

use super::Actor;
use crate::log::{outcome, text};
use crate::world::{LOBBY, MEMBER, MODERATORS, OUTSIDER, OWNER, SPAMMER, TEA};

impl Actor {
    /// One moment in the life of a moderator.
    pub(super) async fn moderate(&mut self) {
        let world = Arc::clone(&self.world);
        let room = self.pick(&[LOBBY, LOBBY, TEA, world.club()]);
        if !self.enter(0, room).await {
            return;
        }
        match self.chance_of(&[50, 10, 8, 10, 8, 8, 3, 3]) {
            0 => self.act_on_someone(room).await,
            1 => {
                if let Some(known) = self.message(room) {
                    self.delete(0, room, known.seq).await;
                }
            }
            2 => self.close_reports(room).await,
            3 => self.invite().await,
            4 => self.say(0, room, None).await,
            5 => {
                let target = self.member();
                let role = self.pick(&[Some("member"), None]);
                self.set_role(room, target, role).await;
            }
            6 => self.reconnect(0).await,
            _ => {
                let command = json!({"type": "audit", "room": room, "limit": 5});
                self.ask(0, command, &["audit", "forbidden", "not_in_room"]).await;
            }
        }
    }

    /// One moment in the life of the owner, who is one of the people, too.
    pub(super) async fn rule(&mut self) {
        if self.chance(40) {
            return self.live().await;
        }
        let world = Arc::clone(&self.world);
        let room = self.pick(&[LOBBY, TEA, TEA, world.club()]);
        assert!(self.enter(0, room).await, "nobody bans the owner");
        match self.chance_of(&[25, 15, 15, 20, 10]) {
            0 => self.configure().await,
            1 => {
                // a moderator loses the role, and gets it again
                let target = MODERATORS[1];
                let has_role = world.standing(room, target).await.moderates();
                let lower = self.pick(&[Some("member"), None]);
                // whoever has no role in the club is outside
                let lower = if room == world.club() { Some("member") } else { lower };
                self.set_role(room, target, if has_role { lower } else { Some("moderator") }).await;
            }
            2 => {
                let target = self.member();
                let role = self.pick(&[Some("member"), Some("moderator"), None]);
                self.set_role(room, target, role).await;
            }
            3 => self.act_on_someone(room).await,
            _ => self.invite().await,
        }
    }

    /// One of those whose roles change.
    fn member(&mut self) -> usize {
        self.pick(&[1, 2, 3, 4, 5, 6, 7, SPAMMER])
    }

    async fn configure(&mut self) {
        let room = TEA;
        if !self.enter(0, room).await {
            return;
        }
        let command = match self.rng.random_range(0..4) {
            0 => json!({"join": self.pick(&["everyone", "accounts", "everyone"])}),
            1 => json!({"post": self.pick(&["everyone", "accounts", "members", "moderators", "everyone"])}),
            2 => json!({"title": format!("Tea {}", self.rng.random_range(0..3))}),
            _ => json!({"slow_mode_s": 0, "join": "everyone", "post": "everyone"}),
        };
        let mut command = command;
        (command["type"], command["room"]) = ("configure_room".into(), room.into());
        self.ask(0, command, &["ack"]).await;
    }

    pub(super) async fn act_on_someone(&mut self, room: &str) {
        let everyone: Vec<usize> = (0..self.world.users.len()).collect();
        let anyone = self.pick(&everyone);
        // the first moderator stays, so that someone always is one
        let target = self.pick(&[SPAMMER, SPAMMER, SPAMMER, MEMBER, anyone, anyone, anyone, anyone]);
        if self.index == OWNER && target == MODERATORS[0] {
            return;
        }
        let world = Arc::clone(&self.world);
        let mut standing = world.standing(room, target).await;
        let action = match (standing.ban.is_some(), standing.mute.is_some()) {
            (true, _) if self.chance(50) => "unban",
            (_, true) if self.chance(50) => "unmute",
            _ => self.pick(&["mute", "mute", "kick", "kick", "ban", "warn", "unban", "unmute"]),
        };
        let user = world.users[target].clone();
        let mut command = json!({"type": "moderate", "room": room, "action": action, "user": user.id});
        let is_timed = matches!(action, "ban" | "mute") && self.chance(30);
        // no two are the same
        let for_s = is_timed.then(|| 3_600 + world.tick());
        if let Some(for_s) = for_s {
            command["for_s"] = for_s.into();
        }
        let (answer, entry) = self.links[0].ask(command.clone()).await;
        let is_done = answer["type"] == "done";
        if is_done && action == "ban" {
            standing.is_invited = false;
        }
        let changed = is_done
            && match action {
                "ban" => standing.ban.replace(for_s) != Some(for_s),
                "mute" => standing.mute.replace(for_s) != Some(for_s),
                "unban" => standing.ban.take().is_some(),
                "unmute" => standing.mute.take().is_some(),
                _ => true,
            };
        self.check_right(&command, &answer, target, standing.moderates());
        world.note(entry, action, &user.id, changed, room).await;
    }

    /// The answer to an act on a user, whose role is known: that of the doer may be about to change
    /// if it is the second moderator.
    fn check_right(&self, command: &Value, answer: &Value, target: usize, is_high: bool) {
        let doer = self.index;
        let user = &self.world.users[target];
        let allowed: &[&str] = match doer {
            OWNER if target == OWNER => &["forbidden"],
            OWNER => &["done"],
            _ if is_high || target == doer => &["forbidden", "not_in_room"],
            _ if doer == MODERATORS[0] => &["done", "not_in_room"],
            _ => &["done", "forbidden", "not_in_room"],
        };
        // a guest who is not connected is not known, and only who is there or has a role is warned
        let may_be_unknown = user.is_guest || command["action"] == "warn";
        let is_unknown = may_be_unknown && answer["code"] == "not_found";
        let outcome = outcome(answer);
        assert!(is_unknown || allowed.contains(&outcome), "{doer}: {command}: {answer}, not {allowed:?}");
    }

    async fn set_role(&mut self, room: &str, target: usize, role: Option<&'static str>) {
        let world = Arc::clone(&self.world);
        let mut standing = world.standing(room, target).await;
        let user = world.users[target].clone();
        let mut command = json!({"type": "set_role", "room": room, "user": user.id});
        if let Some(role) = role {
            command["role"] = role.into();
        }
        let (answer, entry) = self.links[0].ask(command.clone()).await;
        let is_done = answer["type"] == "done";
        // a user who is neither there nor has a role
        let is_away = standing.role.is_none() && answer["code"] == "not_found";
        let is_possible = is_away
            || match self.index {
                OWNER if user.is_guest && role.is_some() => !is_done,
                OWNER => is_done,
                _ if standing.moderates() => !is_done,
                _ => true,
            };
        assert!(is_possible, "{}: {command}: {answer}, {standing:?}", self.me().name);
        let changed = is_done && standing.role != role;
        if is_done {
            standing.role = role;
        }
        world.note(entry, "set_role", &user.id, changed, room).await;
    }

    async fn invite(&mut self) {
        let world = Arc::clone(&self.world);
        let club = world.club();
        if !self.enter(0, club).await {
            return;
        }
        let target = self.pick(&[1, 2, 3, 4, 5, 6, SPAMMER]);
        assert_ne!(target, OUTSIDER);
        let mut standing = world.standing(club, target).await;
        world.let_know(club, target);
        let user = &world.users[target];
        let command = json!({"type": "invite", "room": club, "username": user.name});
        let (answer, entry) = self.links[0].ask(command).await;
        super::expect(&answer, &["done", "forbidden", "not_in_room"]);
        let changed = answer["type"] == "done" && standing.role.is_none() && !standing.is_invited;
        standing.is_invited |= changed;
        world.note(entry, "invite", &user.id, changed, club).await;
    }

    async fn close_reports(&mut self, room: &str) {
        let command = json!({"type": "reports", "room": room, "limit": 5});
        let answer = self.ask(0, command, &["reports", "forbidden", "not_in_room"]).await;
        for report in answer["reports"].as_array().into_iter().flatten() {
            assert!(text(report, "body").contains("text") || text(report, "body").contains("edit"));
            let command = json!({"type": "close_report", "room": room, "number": report["number"]});
            self.ask(0, command, &["done", "not_found", "forbidden", "not_in_room"]).await;
        }
    }
}
