//! Who is there, the rooms, and what everyone shares.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_history::SqliteHistory;
use chat_testkit::http::send_json;
use chat_testkit::v2::guest_token;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Mutex as Lock;

use crate::link::Link;
use crate::log::{Entry, Fact, Stay, text};
use crate::server::{Running, newest};

pub(crate) const LOBBY: &str = "lobby";
/// The room whose settings the owner changes.
pub(crate) const TEA: &str = "tea";

/// Everyone. The first ten are the people; of them, the first is the owner of the rooms.
const NAMES: [&str; 15] = [
    "ana", "ben", "cleo", "dan", "eve", "finn", "gil", "hal", "ida", "jo", "mo", "mia", "mallory", "spam",
    "outsider",
];
pub(crate) const PEOPLE: usize = 10;
/// The people without an account.
const GUESTS: std::ops::Range<usize> = 7..10;
pub(crate) const OWNER: usize = 0;
/// The second one loses the role now and then.
pub(crate) const MODERATORS: [usize; 2] = [10, 11];
pub(crate) const MEMBER: usize = 12;
pub(crate) const SPAMMER: usize = 13;
pub(crate) const OUTSIDER: usize = 14;
/// Those who have a direct room.
pub(crate) const PAIRS: [[usize; 2]; 2] = [[0, 1], [2, 3]];

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: &'static str,
    pub(crate) id: String,
    pub(crate) hello: Value,
    pub(crate) is_guest: bool,
}

/// What a user is in a room. Whoever acts on a user there holds the lock of it meanwhile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    pub(crate) role: Option<&'static str>,
    /// Whether the user is banned, and for how many seconds.
    pub(crate) ban: Option<Option<u64>>,
    pub(crate) mute: Option<Option<u64>>,
    pub(crate) is_invited: bool,
}

impl Standing {
    pub(crate) fn moderates(&self) -> bool {
        matches!(self.role, Some("moderator" | "owner"))
    }
}

/// A message that someone may act on.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) seq: u64,
    pub(crate) author: usize,
}

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) epoch: String,
    pub(crate) users: Vec<User>,
    /// The lobby, the tea room, the club, and the direct rooms.
    pub(crate) rooms: Vec<String>,
    pub(crate) standings: HashMap<(String, usize), Lock<Standing>>,
    pub(crate) known: Mutex<HashMap<String, Vec<Known>>>,
    history: Arc<SqliteHistory>,
    clock: AtomicU64,
    log: Mutex<Vec<Entry>>,
    stays: Mutex<Vec<Stay>>,
    /// Who may know of a room with an address: room and user.
    insiders: Mutex<HashSet<(String, String)>>,
}

impl World {
    /// Registers everyone, and the rooms.
    pub(crate) async fn new(server: &Running) -> (Arc<Self>, Vec<Link>) {
        let mut users = Vec::new();
        for (index, name) in NAMES.into_iter().enumerate() {
            users.push(register(server.address, name, GUESTS.contains(&index)).await);
        }
        let mut world = Self {
            address: server.address,
            epoch: server.engine.epoch().as_str().to_owned(),
            users,
            rooms: vec![LOBBY.to_owned(), TEA.to_owned()],
            standings: HashMap::new(),
            known: Mutex::default(),
            history: Arc::clone(&server.history),
            clock: AtomicU64::new(1),
            log: Mutex::default(),
            stays: Mutex::default(),
            insiders: Mutex::default(),
        };
        let addresses = world.open_addresses().await;
        world.rooms.extend(addresses);
        for room in &world.rooms {
            let standings = (0..NAMES.len()).map(|user| ((room.clone(), user), Lock::default()));
            world.standings.extend(standings);
        }
        let direct = world.rooms[3..].to_vec();
        for (pair, room) in PAIRS.iter().zip(&direct) {
            for user in pair {
                world.standing_mut(room, *user).role = Some("member");
                world.let_know(room, *user);
            }
        }
        let club = world.rooms[2].clone();
        world.standing_mut(&club, OWNER).role = Some("owner");
        world.let_know(&club, OWNER);
        let world = Arc::new(world);
        let mut links = Vec::new();
        for user in &world.users {
            links.push(Link::connect(&world, user).await);
        }
        world.settle(&mut links).await;
        (world, links)
    }

    /// Creates the rooms that have an address.
    async fn open_addresses(&self) -> Vec<String> {
        let mut rooms = Vec::new();
        let session = async |user: usize| {
            chat_testkit::v2::Session::hello_with(self.address, self.users[user].hello.clone()).await
        };
        let club = session(OWNER).await.ask(json!({"type": "create_room", "title": "The club"})).await;
        rooms.push(text(&club, "room").to_owned());
        for [one, other] in PAIRS {
            let command = json!({"type": "direct", "username": self.users[other].name});
            rooms.push(text(&session(one).await.ask(command).await, "room").to_owned());
        }
        rooms
    }

    fn standing_mut(&mut self, room: &str, user: usize) -> &mut Standing {
        self.standings.get_mut(&(room.to_owned(), user)).unwrap().get_mut()
    }

    /// The owner registers the rooms, and gives the moderators their role.
    async fn settle(self: &Arc<Self>, links: &mut [Link]) {
        let owner = self.users[OWNER].id.clone();
        for room in &self.rooms[..3] {
            links[OWNER].join(room, false).await;
            if !room.starts_with('~') {
                let (answer, entry) = links[OWNER].ask(json!({"type": "create_room", "room": room})).await;
                assert_eq!(answer["type"], "ack", "{answer}");
                self.note(entry, "register", &owner, true, room).await;
                self.standing(room, OWNER).await.role = Some("owner");
            }
            for user in MODERATORS.into_iter().chain([MEMBER]) {
                self.welcome(links, room, user).await;
            }
        }
    }

    async fn welcome(self: &Arc<Self>, links: &mut [Link], room: &str, user: usize) {
        let User { name, id, .. } = self.users[user].clone();
        if room.starts_with('~') {
            self.let_know(room, user);
            let invite = json!({"type": "invite", "room": room, "username": name});
            let (_, entry) = links[OWNER].ask(invite).await;
            self.note(entry, "invite", &id, true, room).await;
            let (answer, entry) = links[user].join(room, false).await;
            assert_eq!(answer["type"], "joined", "{answer}");
            self.note(entry, "accept", &id, true, room).await;
            self.standing(room, user).await.role = Some("member");
        } else {
            links[user].join(room, false).await;
        }
        if user != MEMBER {
            let command = json!({"type": "set_role", "room": room, "user": id, "role": "moderator"});
            let (answer, entry) = links[OWNER].ask(command).await;
            assert_eq!(answer["type"], "done", "{answer}");
            self.note(entry, "set_role", &id, true, room).await;
            self.standing(room, user).await.role = Some("moderator");
        }
    }

    pub(crate) fn club(&self) -> &str {
        &self.rooms[2]
    }

    pub(crate) async fn standing(&self, room: &str, user: usize) -> tokio::sync::MutexGuard<'_, Standing> {
        self.standings[&(room.to_owned(), user)].lock().await
    }

    pub(crate) fn index(&self, id: &str) -> usize {
        self.users.iter().position(|user| user.id == id).unwrap()
    }

    /// The next tick of the clock that everyone shares.
    pub(crate) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn add(&self, entry: Entry) -> usize {
        let mut log = self.log.lock();
        log.push(entry);
        log.len() - 1
    }

    /// Adds to an entry what the command has changed.
    pub(crate) async fn note(
        &self,
        entry: usize,
        act: &'static str,
        target: &str,
        changed: bool,
        room: &str,
    ) {
        let newest = newest(&self.history, room).await;
        self.log.lock()[entry].fact = Some(Fact { act, target: target.to_owned(), changed, newest });
    }

    pub(crate) fn log(&self) -> Vec<Entry> {
        self.log.lock().clone()
    }

    pub(crate) fn add_stay(&self, stay: Stay) {
        self.stays.lock().push(stay);
    }

    pub(crate) fn stays(&self) -> Vec<Stay> {
        self.stays.lock().clone()
    }

    pub(crate) fn let_know(&self, room: &str, user: usize) {
        self.insiders.lock().insert((room.to_owned(), self.users[user].id.clone()));
    }

    pub(crate) fn may_know(&self, room: &str, user: &str) -> bool {
        self.insiders.lock().contains(&(room.to_owned(), user.to_owned()))
    }

    pub(crate) fn add_known(&self, room: &str, known: Known) {
        self.known.lock().entry(room.to_owned()).or_default().push(known);
    }
}

async fn register(server: SocketAddr, name: &'static str, is_guest: bool) -> User {
    if is_guest {
        let hello = json!({"username": name, "guest_token": guest_token()});
        let session = chat_testkit::v2::Session::hello_with(server, hello.clone()).await;
        return User { name, id: session.user().to_owned(), hello, is_guest };
    }
    let credentials = json!({"username": name, "password": "correct horse"});
    let answer = send_json(server, "POST", "/api/v1/accounts", &[], &credentials).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = answer.json();
    let id = text(&answer["user"], "id").to_owned();
    User { name, id, hello: json!({"token": answer["token"]}), is_guest }
}
