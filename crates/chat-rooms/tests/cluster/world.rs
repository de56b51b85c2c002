//! One world: nodes that fail and start again, and clients that move between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_backplane::NodeName;
use chat_history::{HistoryStore, MemoryHistory, Retention};
use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{RoomName, RoomSettings};
use chat_rooms::Engine;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::{Builder, Handle};
use tokio::time::sleep;

use crate::client::Client;
use crate::guarantees;
use crate::net::{Net, Weather};
use crate::presence::RunPresence;
use crate::store::{Faults, NodeStore};

const NODES: usize = 3;
const CLIENTS: usize = 7;

/// The client that wants the same name as the one before it, as another user.
const RIVAL: usize = CLIENTS - 1;
const TURN: Duration = Duration::from_millis(10);

/// The number of turns with faults (6 s), and the maximum number after them (20 s).
const FAULTY_TURNS: usize = 600;
const MAX_CALM_TURNS: usize = 2_000;

const EMOJI: [&str; 2] = ["👍", "🎉"];

pub(crate) struct World {
    rng: SmallRng,
    room: RoomName,
    store: Arc<MemoryHistory>,
    net: Arc<Net>,
    /// Whose records all nodes share.
    presence: MemoryPresence,
    /// `None` while a node is down.
    nodes: Vec<Option<Engine>>,
    /// For the run of each node: whether it was killed.
    are_dead: Vec<Arc<AtomicBool>>,
    faults: Vec<Arc<Faults>>,
    clients: Vec<Client>,
}

impl World {
    pub(crate) fn run(seed: u64) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = Self::new(seed).await;
            world.live().await;
            world.calm_down().await;
            let stored = guarantees::stored(&world.store, &world.room).await;
            let clients = &world.clients;
            let syncs: usize = clients.iter().map(|client| client.syncs).sum();
            let recoveries: usize = clients.iter().map(|client| client.recoveries).sum();
            println!("{} messages, {syncs} syncs, {recoveries} recoveries", stored.len());
            guarantees::check(&stored, clients);
        });
    }

    async fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let net = Net::new(NODES, rng.random(), Handle::current());
        let name = |number: usize| format!("client{}", number.min(RIVAL - 1));
        let clients = (0..CLIENTS).map(|number| Client::new(&name(number), rng.random()));
        let mut world = Self {
            room: "r".parse().unwrap(),
            store: Arc::new(MemoryHistory::new()),
            net,
            presence: MemoryPresence::new(NodeId::new("none")),
            nodes: (0..NODES).map(|_| None).collect(),
            are_dead: (0..NODES).map(|_| Arc::default()).collect(),
            faults: (0..NODES).map(|_| Arc::default()).collect(),
            clients: clients.collect(),
            rng,
        };
        for number in 0..NODES {
            world.start(number).await;
        }
        world
    }

    fn chance(&mut self, thousandths: u32) -> bool {
        self.rng.random_range(0..1_000) < thousandths
    }

    async fn start(&mut self, number: usize) {
        let name = format!("node{number}");
        let (port, receiver) = self.net.join(number);
        let is_dead = Arc::<AtomicBool>::default();
        self.are_dead[number] = Arc::clone(&is_dead);
        let inner = self.presence.for_node(NodeId::new(&*name));
        let presence = RunPresence { inner, is_dead: Arc::clone(&is_dead) };
        let faults = Arc::clone(&self.faults[number]);
        let store = NodeStore::new(Arc::clone(&self.store), faults, is_dead, self.rng.random());
        let engine = Engine::builder(presence)
            .history(store)
            .node(NodeName::parse(&name).unwrap(), port, receiver)
            .start()
            .await
            .unwrap();
        self.nodes[number] = Some(engine);
    }

    /// Kills a node: nothing that is on its way there arrives.
    fn kill(&mut self, number: usize) {
        self.net.leave(number);
        self.are_dead[number].store(true, Ordering::Relaxed);
        self.nodes[number] = None;
        for client in self.clients.iter_mut().filter(|client| client.node() == Some(number)) {
            client.disconnect();
        }
    }

    async fn live(&mut self) {
        for _ in 0..FAULTY_TURNS {
            self.fail().await;
            for number in 0..CLIENTS {
                self.act(number).await;
            }
            let have_name = self.clients[RIVAL - 1..].iter().all(|client| client.node().is_some());
            assert!(!have_name, "a name belongs to one user at a time");
            sleep(TURN).await;
        }
    }

    /// Something may break, or come back.
    async fn fail(&mut self) {
        if self.chance(20) {
            let max_delay = Duration::from_millis(self.rng.random_range(0..200));
            let mut random = || self.rng.random_range(0..300) * u32::from(self.rng.random_bool(0.5));
            let (lost, repeated, late) = (random(), random(), random());
            self.net.set_weather(Weather { lost, repeated, late, max_delay });
        }
        for number in 0..NODES {
            if self.chance(8) {
                let is_connected = self.rng.random_bool(0.6);
                self.net.set_connected(number, is_connected);
            }
            if self.chance(6) {
                let is_cut = self.rng.random_bool(0.4);
                self.faults[number].is_cut.store(is_cut, Ordering::Relaxed);
                let lost = self.rng.random_range(0..40) * u32::from(self.rng.random_bool(0.5));
                self.faults[number].lost_answers.store(lost, Ordering::Relaxed);
            }
            match self.nodes[number].is_some() {
                true if self.chance(2) => self.kill(number),
                false if self.chance(20) => self.start(number).await,
                _ => {}
            }
        }
    }

    /// A client does something.
    async fn act(&mut self, number: usize) {
        if self.clients[number].node().is_none() {
            if self.chance(200) {
                self.connect(number).await;
            }
            return;
        }
        // now and then, it does not read for a while
        if self.chance(700) {
            self.clients[number].read().await;
        }
        let action = self.rng.random_range(0..1_000);
        let own: Vec<_> = self.clients[number].acked.values().copied().collect();
        let any: Vec<_> = self.clients[number].delivered.keys().copied().collect();
        let mut one_of = |all: &[u64]| {
            (!all.is_empty()).then(|| all[self.rng.random_range(all.len().saturating_sub(20)..all.len())])
        };
        let (own, any) = (one_of(&own), one_of(&any));
        let client = &mut self.clients[number];
        match (action, own, any) {
            (0..60, _, _) => client.say().await,
            (60..75, _, _) => {
                for id in client.pending.clone() {
                    client.send(&id).await;
                }
            }
            (75..90, Some(target), _) => client.edit(target, format!("edited in {action}")).await,
            (90..95, Some(target), _) => client.delete(target).await,
            (95..130, _, Some(target)) => {
                let emoji = EMOJI[action % EMOJI.len()].parse().unwrap();
                client.react(target, emoji, action % 5 != 0).await;
            }
            (130..135, _, _) => client.resync().await,
            (135..140, _, _) => client.disconnect(),
            (140..142, _, _) => {
                let settings = RoomSettings::default().slow_mode_s(0).topic(Some("t".parse().unwrap()));
                let engine = client.node().and_then(|node| self.nodes[node].clone());
                if let Some(engine) = engine {
                    let configured = engine.configure(&self.room, settings);
                    let _ = tokio::time::timeout(Duration::from_millis(100), configured).await;
                }
            }
            _ => {}
        }
    }

    /// Connects a client to any node that is up.
    async fn connect(&mut self, number: usize) {
        let node = self.rng.random_range(0..NODES);
        if let Some(engine) = self.nodes[node].clone() {
            self.clients[number].connect(node, &engine, &self.room.clone()).await;
        }
    }

    /// Nothing fails any more: everyone has to get everything by itself.
    async fn calm_down(&mut self) {
        self.net.set_weather(Weather::default());
        for number in 0..NODES {
            self.net.set_connected(number, true);
            self.faults[number].is_cut.store(false, Ordering::Relaxed);
            self.faults[number].lost_answers.store(0, Ordering::Relaxed);
            if self.nodes[number].is_none() {
                self.start(number).await;
            }
        }
        self.clients[RIVAL].retire();
        for turn in 0..MAX_CALM_TURNS {
            for number in 0..RIVAL {
                if self.clients[number].node().is_none() {
                    self.connect(number).await;
                }
                let client = &mut self.clients[number];
                client.read().await;
                if turn % 50 == 0 {
                    for id in client.pending.clone() {
                        client.send(&id).await;
                    }
                }
            }
            sleep(TURN).await;
            let newest = self.store.extent(self.room.clone(), Retention::default()).await.unwrap().newest;
            let members: BTreeMap<_, _> = self.clients[..RIVAL].iter().map(Client::user).collect();
            let is_done = |client: &Client| {
                client.cursor() == newest && client.pending.is_empty() && client.members == members
            };
            if self.clients[..RIVAL].iter().all(is_done) {
                return;
            }
        }
        let cursors: Vec<_> = self
            .clients
            .iter()
            .map(|client| (client.node(), client.cursor(), client.pending.len(), client.members.keys()))
            .collect();
        let newest = self.store.extent(self.room.clone(), Retention::default()).await.unwrap().newest;
        panic!("not everyone has everything: {newest} events, {cursors:?}");
    }
}
