//! Two runtimes, one for the server and one for the clients, each with its own paused clock, which
//! advances only when the runtime is idle. They run alternately in turns of a few milliseconds. A
//! kill drops the server's runtime, whatever it is doing.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::GuestToken;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::{self, Client};
use crate::disk::Disk;
use crate::faults::Faults;
use crate::guarantees;
use crate::link::{Address, Link};
use crate::run::Run;

/// The duration of a turn.
const TURN: Duration = Duration::from_millis(10);

/// The number of turns with faults (10 s), and the maximum number of turns after them until every
/// client has received everything (120 s).
const FAULTY_TURNS: usize = 1_000;
const MAX_CALM_TURNS: usize = 12_000;

const NAMES: [&str; 4] = ["ana", "bob", "cid", "dee"];
pub(crate) const ROOMS: [&str; 2] = ["lobby", "tea"];

pub(crate) struct World {
    pub(crate) rng: SmallRng,
    outside: Runtime,
    /// `None` while the server is down.
    pub(crate) server: Option<Run>,
    /// The store, which survives the server.
    pub(crate) disk: Arc<Disk>,
    /// The address of the server.
    address: Address,
    /// The clients, each with its link to the server.
    pub(crate) clients: Vec<(Arc<Client>, Arc<Link>)>,
    tasks: Vec<JoinHandle<()>>,
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let (mut rng, outside) = (SmallRng::seed_from_u64(seed), runtime());
        let (disk, address) = (Arc::new(Disk::new(rng.random())), Address::default());
        let mut clients = Vec::new();
        // each user has a token; a rival with another token competes for the first user's name, and
        // leaves when the faults end; the second user has a second client
        let users = NAMES.map(|name| (name, GuestToken::from_random(rng.random()), false));
        let rival = (NAMES[0], GuestToken::from_random(rng.random()), true);
        let second_client = users[1].clone();
        for (name, token, is_rival) in users.into_iter().chain([rival, second_client]) {
            let link = Arc::new(Link::new(rng.random()));
            clients.push((Arc::new(Client::new(name, token, is_rival, rng.random())), link));
        }
        let tasks = outside.block_on(async {
            let spawn = |(client, link): &(Arc<Client>, Arc<Link>)| {
                tokio::spawn(client::run(Arc::clone(client), Arc::clone(link), address.clone()))
            };
            clients.iter().map(spawn).collect()
        });
        let mut world = Self { rng, outside, server: None, disk, address, clients, tasks };
        world.start();
        world
    }

    pub(crate) fn start(&mut self) {
        let server = Run::start(&self.disk, self.rng.random());
        self.address.set(Some(server.address));
        self.server = Some(server);
    }

    /// Kills the server, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.address.set(None);
        self.server = None;
    }

    /// Runs the clients and the server for one turn.
    fn turn(&mut self) {
        self.outside.block_on(async { sleep(TURN).await });
        if let Some(server) = &mut self.server {
            server.turn(TURN);
            guarantees::assert_unique_names(server);
        }
        // client tasks end only if the rival has left or an assertion failed
        let ended: Vec<_> = self.tasks.extract_if(.., |task| task.is_finished()).collect();
        for task in ended {
            self.outside.block_on(task).unwrap();
        }
    }

    /// Returns a digest of what the clients received.
    pub(crate) fn run(mut self) -> u64 {
        let mut faults = Faults::default();
        for _ in 0..FAULTY_TURNS {
            faults.inject(&mut self);
            self.turn();
        }
        faults.end(&mut self);
        self.clients.iter().for_each(|(client, _)| client.calm_down());
        for _ in 0..MAX_CALM_TURNS {
            if guarantees::is_quiet(&self) {
                guarantees::check(&self);
                return guarantees::digest(&self);
            }
            self.turn();
        }
        panic!("not every client has received everything:\n{}", guarantees::missing(&self));
    }
}
