//! What everyone does.

mod hostile;
mod moderators;
mod people;

use std::collections::VecDeque;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::link::Link;
use crate::log::outcome;
use crate::world::{Known, MEMBER, MODERATORS, OUTSIDER, OWNER, PEOPLE, SPAMMER, User, World};

/// The lives of all, which return their sessions.
pub(crate) fn all(
    world: &Arc<World>,
    links: Vec<Link>,
    seed: u64,
    rounds: u64,
) -> Vec<BoxFuture<'static, Vec<Link>>> {
    let actors = links.into_iter().enumerate().map(|(index, link)| Actor::new(world, index, link, seed));
    let life = |mut actor: Actor| {
        async move {
            for _ in 0..rounds {
                match actor.index {
                    OWNER => actor.rule().await,
                    index if index < PEOPLE => actor.live().await,
                    index if MODERATORS.contains(&index) => actor.moderate().await,
                    MEMBER => actor.usurp().await,
                    SPAMMER => actor.spam().await,
                    OUTSIDER => actor.spy().await,
                    index => panic!("nobody is {index}"),
                }
            }
            actor.links
        }
        .boxed()
    };
    actors.map(life).collect()
}

/// A message that was acknowledged to its sender.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    room: String,
    seq: u64,
    command: Value,
}

pub(crate) struct Actor {
    pub(crate) world: Arc<World>,
    pub(crate) index: usize,
    /// One or two sessions.
    links: Vec<Link>,
    rng: SmallRng,
    own: VecDeque<Own>,
    ids: u64,
}

impl Actor {
    fn new(world: &Arc<World>, index: usize, link: Link, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(index as u64));
        Self { world: Arc::clone(world), index, links: vec![link], rng, own: VecDeque::new(), ids: 0 }
    }

    fn me(&self) -> User {
        self.world.users[self.index].clone()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())].clone()
    }

    fn link(&mut self) -> usize {
        self.rng.random_range(0..self.links.len())
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{}-{}", self.me().name, self.ids)
    }

    /// Makes sure that a session is in the room, if the room admits the user now.
    async fn enter(&mut self, link: usize, room: &str) -> bool {
        if self.links[link].is_in(room) {
            return true;
        }
        if room == self.world.club() {
            return self.accept(link).await;
        }
        let resumes = self.chance(70);
        let (answer, _) = self.links[link].join(room, resumes).await;
        expect(&answer, &["joined", "forbidden"]);
        answer["type"] == "joined"
    }

    /// Joins the club with a role or an invitation, and learns nothing without.
    async fn accept(&mut self, link: usize) -> bool {
        let (world, me) = (Arc::clone(&self.world), self.me());
        let club = world.club();
        let mut standing = world.standing(club, self.index).await;
        let resumes = self.chance(70) && standing.role.is_some();
        let (answer, entry) = self.links[link].join(club, resumes).await;
        let expected = match (standing.role, standing.ban, standing.is_invited) {
            (Some(_), None, _) | (None, None, true) => "joined",
            (Some(_), Some(_), _) => "forbidden",
            (None, ..) => "not_found",
        };
        assert_eq!(outcome(&answer), expected, "{}, {standing:?}: {answer}", me.name);
        let joined = expected == "joined";
        if joined && standing.role.is_none() {
            (standing.role, standing.is_invited) = (Some("member"), false);
            world.note(entry, "accept", &me.id, true, club).await;
        }
        joined
    }

    async fn decline(&mut self, link: usize) {
        let (world, me) = (Arc::clone(&self.world), self.me());
        let club = world.club();
        let mut standing = world.standing(club, self.index).await;
        // the answer goes to the other session, too, which then knows of the club
        if standing.role.is_some() || !world.may_know(club, &me.id) {
            return;
        }
        let command = json!({"type": "keep", "room": club, "favourite": false});
        let (answer, entry) = self.links[link].ask(command).await;
        expect(&answer, &["dropped"]);
        let changed = standing.is_invited && standing.ban.is_none();
        standing.is_invited &= !changed;
        world.note(entry, "end_invitation", &me.id, changed, club).await;
    }

    async fn ask(&mut self, link: usize, command: Value, expected: &[&str]) -> Value {
        let (answer, _) = self.links[link].ask(command.clone()).await;
        assert!(expected.contains(&outcome(&answer)), "{}: {command}: {answer}", self.me().name);
        answer
    }

    /// Sends a message, perhaps a reply.
    async fn say(&mut self, link: usize, room: &str, reply_to: Option<u64>) {
        let id = self.next_id();
        let mut command = json!({"type": "send", "room": room, "id": id, "body": format!("text of {id}")});
        if let Some(seq) = reply_to {
            command["reply_to"] = seq.into();
        }
        // removed or muted by a moderator a moment ago, or the message replied to was deleted
        let answer =
            self.ask(link, command.clone(), &["ack", "muted", "forbidden", "not_in_room", "not_found"]).await;
        if let Some(seq) = answer["seq"].as_u64() {
            self.world.add_known(room, Known { seq, author: self.index });
            self.own.push_back(Own { room: room.to_owned(), seq, command });
            self.own.truncate(200);
        }
    }

    async fn edit(&mut self, link: usize, room: &str, target: u64) {
        let id = self.next_id();
        let command =
            json!({"type": "edit", "room": room, "target": target, "id": id, "body": format!("edit {id}")});
        self.ask(link, command, &["ack", "muted", "forbidden", "not_in_room", "not_found"]).await;
    }

    async fn delete(&mut self, link: usize, room: &str, target: u64) {
        let command = json!({"type": "delete", "room": room, "target": target});
        self.ask(link, command, &["ack", "muted", "forbidden", "not_in_room"]).await;
    }

    /// A message of a room, mostly a new one.
    fn message(&mut self, room: &str) -> Option<Known> {
        let known = self.world.known.lock().get(room).cloned().unwrap_or_default();
        let from = if self.rng.random_range(0..100) < 80 { known.len().saturating_sub(15) } else { 0 };
        (!known.is_empty()).then(|| known[self.rng.random_range(from..known.len())].clone())
    }

    /// A message that this user has sent to a room.
    fn own_message(&mut self, room: &str) -> Option<u64> {
        let own: Vec<_> = self.own.iter().filter(|own| own.room == room).map(|own| own.seq).collect();
        (!own.is_empty()).then(|| own[self.rng.random_range(0..own.len())])
    }

    /// Connects again.
    async fn reconnect(&mut self, link: usize) {
        let replaces = self.chance(70);
        let world = Arc::clone(&self.world);
        // who comes again into the club may accept an invitation by that
        let club = world.club();
        let standing = world.standing(club, self.index).await;
        let was_in = self.links[link].is_in(club);
        if was_in && standing.role.is_none() {
            // removed, and not yet notified
            self.links[link].drain().await;
        }
        self.links[link].reconnect(replaces).await;
        drop(standing);
    }
}

fn expect(answer: &Value, expected: &[&str]) {
    assert!(expected.contains(&outcome(answer)), "{answer} instead of {expected:?}");
}
