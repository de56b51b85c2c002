//! Two runtimes, each with a clock of its own that stands still while there is something to do: the server's, and that of everybody else.
//! They take turns of a few milliseconds. So a kill is what it is: the server's runtime is dropped, whatever it was about to do.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::{self, Client};
use crate::disk::Disk;
use crate::faults::Faults;
use crate::life::Life;
use crate::line::{Address, Weather};
use crate::promises;

/// How long a turn takes.
const TURN: Duration = Duration::from_millis(10);

/// How many turns there are faults in, and how many it may take after that until everybody has everything: 10 s and 120 s.
const STORMY: usize = 1_000;
const CALM: usize = 12_000;

const NAMES: [&str; 4] = ["ana", "bob", "cid", "dee"];
pub(crate) const ROOMS: [&str; 2] = ["lobby", "tea"];

pub(crate) struct World {
    pub(crate) rng: SmallRng,
    outside: Runtime,
    /// None while the server is down.
    pub(crate) life: Option<Life>,
    /// What survives the server.
    pub(crate) disk: Arc<Disk>,
    /// Where the server is.
    address: Address,
    /// The clients, and the way of each to the server.
    pub(crate) clients: Vec<(Arc<Client>, Arc<Weather>)>,
    tasks: Vec<JoinHandle<()>>,
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let (mut rng, outside) = (SmallRng::seed_from_u64(seed), runtime());
        let (disk, address) = (Arc::new(Disk::new(rng.random())), Address::default());
        let mut people = Vec::new();
        // a second one wants the first one's name, and is gone when it is calm
        for (name, is_guest) in NAMES.map(|name| (name, false)).into_iter().chain([(NAMES[0], true)]) {
            let weather = Arc::new(Weather::new(rng.random()));
            people.push((Arc::new(Client::new(name, is_guest, rng.random())), weather));
        }
        let tasks = outside.block_on(async {
            let live = |(person, weather): &(Arc<Client>, Arc<Weather>)| {
                tokio::spawn(client::live(Arc::clone(person), Arc::clone(weather), address.clone()))
            };
            people.iter().map(live).collect()
        });
        let mut world = Self { rng, outside, life: None, disk, address, clients: people, tasks };
        world.start();
        world
    }

    pub(crate) fn start(&mut self) {
        let life = Life::begin(&self.disk, self.rng.random());
        self.address.set(Some(life.address));
        self.life = Some(life);
    }

    /// As by `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.address.set(None);
        self.life = None;
    }

    /// Everybody has so much time, the server too.
    fn turn(&mut self) {
        self.outside.block_on(async { sleep(TURN).await });
        if let Some(life) = &mut self.life {
            life.turn(TURN);
            promises::names_are_unique(life);
        }
        // they live for ever, but for a guest that leaves when it is calm, and for one that sees a promise broken
        let ended: Vec<_> = self.tasks.extract_if(.., |task| task.is_finished()).collect();
        for task in ended {
            self.outside.block_on(task).unwrap();
        }
    }

    /// Gives a digest of all that was seen.
    pub(crate) fn run(mut self) -> u64 {
        let mut faults = Faults::default();
        for _ in 0..STORMY {
            faults.strike(&mut self);
            self.turn();
        }
        faults.end(&mut self);
        self.clients.iter().for_each(|(client, _)| client.calm_down());
        for _ in 0..CALM {
            if promises::is_quiet(&self) {
                promises::check(&self);
                return promises::digest(&self);
            }
            self.turn();
        }
        panic!("not everybody has everything:\n{}", promises::missing(&self));
    }
}
