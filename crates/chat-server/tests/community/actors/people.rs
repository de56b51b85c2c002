//! Ordinary people.

use std::sync::Arc;

use serde_json::json;

use super::Actor;
use crate::link::Link;
use crate::world::{LOBBY, PAIRS, TEA};

const EMOJI: [&str; 3] = ["👍", "🎉", "🚀"];

impl Actor {
    /// One moment in the life of a person.
    pub(super) async fn live(&mut self) {
        // every other person has a second device
        if self.links.len() == 1 && self.index.is_multiple_of(2) {
            let (world, me) = (Arc::clone(&self.world), self.me());
            self.links.push(Link::connect(&world, &me).await);
        }
        let link = self.link();
        let room = self.somewhere();
        if !self.enter(link, &room).await {
            return;
        }
        match self.chance_of(&[30, 12, 10, 5, 18, 4, 6, 5, 5, 3, 2]) {
            0 => self.say(link, &room, None).await,
            1 => {
                let reply_to = self.message(&room).map(|known| known.seq);
                self.say(link, &room, reply_to).await;
            }
            2 => {
                if let Some(target) = self.own_message(&room) {
                    self.edit(link, &room, target).await;
                }
            }
            3 => {
                if let Some(target) = self.own_message(&room) {
                    self.delete(link, &room, target).await;
                }
            }
            4 => self.react(link, &room).await,
            5 => self.report(link, &room).await,
            6 => self.read(link, &room).await,
            7 => {
                self.ask(link, json!({"type": "leave", "room": room}), &["left", "not_in_room"]).await;
            }
            8 => self.reconnect(link).await,
            9 => {
                let command = json!({"type": "search", "query": "text"});
                self.ask(link, command, &["found"]).await;
            }
            _ if !self.me().is_guest => self.decline(link).await,
            _ => {}
        }
    }

    /// A room in which the person may be.
    fn somewhere(&mut self) -> String {
        let (index, world) = (self.index, Arc::clone(&self.world));
        let mut rooms = vec![LOBBY.to_owned(), LOBBY.to_owned(), TEA.to_owned()];
        if !self.me().is_guest {
            rooms.push(world.club().to_owned());
        }
        for (pair, room) in PAIRS.iter().zip(&world.rooms[3..]) {
            if pair.contains(&index) {
                rooms.push(room.clone());
            }
        }
        self.pick(&rooms)
    }

    /// One of some things to do, by their weights.
    pub(super) fn chance_of(&mut self, weights: &[u32]) -> usize {
        let mut left = rand::RngExt::random_range(&mut self.rng, 0..weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        unreachable!()
    }

    pub(super) async fn react(&mut self, link: usize, room: &str) {
        let Some(target) = self.message(room) else { return };
        let (emoji, on) = (self.pick(&EMOJI), self.chance(70));
        let command = json!({"type": "react", "room": room, "target": target.seq, "emoji": emoji, "on": on});
        self.ask(link, command, &["ack", "muted", "forbidden", "not_in_room", "not_found"]).await;
    }

    async fn report(&mut self, link: usize, room: &str) {
        let Some(target) = self.message(room) else { return };
        let command = json!({"type": "report", "room": room, "target": target.seq, "reason": "spam"});
        self.ask(link, command, &["done", "not_found", "not_in_room", "limit_reached"]).await;
    }

    pub(super) async fn read(&mut self, link: usize, room: &str) {
        let before = self.links[link].views[room].first;
        let command = json!({"type": "history", "room": room, "before": before, "limit": 30});
        self.ask(link, command, &["history", "not_in_room"]).await;
    }
}
