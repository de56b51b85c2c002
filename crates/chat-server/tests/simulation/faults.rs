//! The faults that are injected.

use std::time::Duration;

use chat_history::Retention;
use rand::RngExt;

use crate::disk::Health;
use crate::link::Direction;
use crate::run::Run;
use crate::world::{ROOMS, World};

/// The fewest messages of a room that the operator keeps.
pub(crate) const MIN_KEPT: u64 = 40;

/// The faults in progress.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// The number of turns until the next fault.
    pause: usize,
    /// The number of turns until the server is started again, if it is down.
    down: usize,
    /// The number of turns until the disk recovers.
    disk_fault: usize,
}

impl Faults {
    /// Injects the next fault when it is due.
    pub(crate) fn inject(&mut self, world: &mut World) {
        self.recover(world);
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        self.pause = world.rng.random_range(1..120);
        let who = world.rng.random_range(0..world.clients.len());
        let time = Duration::from_millis(world.rng.random_range(10..8_000));
        let link = &world.clients[who].1;
        match world.rng.random_range(0..20) {
            0..3 => link.cut(),
            3..5 => link.delay(world.rng.random_range(0..200)),
            5 => link.stall(Direction::ToServer, time),
            6 => link.stall(Direction::ToClient, time),
            // a partition: no data in either direction
            7 => [Direction::ToServer, Direction::ToClient]
                .into_iter()
                .for_each(|direction| link.stall(direction, time)),
            8 => {
                for (_, link) in &world.clients {
                    link.cut();
                }
            }
            9 => {
                let (slowest_ms, failing) =
                    (world.rng.random_range(0..1_500), world.rng.random_range(0.0..0.7));
                *world.disk.health.lock() = Health { slowest_ms, failing };
                self.disk_fault = world.rng.random_range(1..200);
            }
            10 if world.server.is_some() => {
                world.kill();
                self.down = world.rng.random_range(1..200);
                if world.rng.random_bool(0.15) {
                    world.disk.lose_everything(world.rng.random());
                }
            }
            12..17 => delete(world),
            17 => {
                let count = world.rng.random_range(MIN_KEPT..200);
                if let Some(server) = &world.server {
                    server.engine.set_retention(Retention::new(None, Some(count)));
                }
            }
            18 if world.rng.random_bool(0.3) => world.disk.begin_epoch(world.rng.random()),
            11 => {
                if let Some(server) = &mut world.server {
                    server.stop();
                }
            }
            _ => {}
        }
    }

    /// Ends the faults whose time is over.
    fn recover(&mut self, world: &mut World) {
        if world.server.as_ref().is_some_and(Run::has_ended) {
            world.kill();
            self.down = world.rng.random_range(1..200);
        }
        self.down = self.down.saturating_sub(1);
        if world.server.is_none() && self.down == 0 {
            world.start();
        }
        self.disk_fault = self.disk_fault.saturating_sub(1);
        if self.disk_fault == 0 {
            *world.disk.health.lock() = Health { slowest_ms: 5, failing: 0.0 };
        }
    }

    /// Ends all faults.
    pub(crate) fn end(self, world: &mut World) {
        *world.disk.health.lock() = Health { slowest_ms: 5, failing: 0.0 };
        for (_, link) in &world.clients {
            link.delay(0);
            [Direction::ToServer, Direction::ToClient]
                .into_iter()
                .for_each(|direction| link.stall(direction, Duration::ZERO));
        }
        if world.server.as_ref().is_none_or(Run::is_ending) {
            world.kill();
            world.start();
        }
    }
}

/// The operator deletes a few messages, mostly new ones.
fn delete(world: &mut World) {
    let room = ROOMS[world.rng.random_range(0..ROOMS.len())].parse().unwrap();
    let newest = world.disk.extent(&room).newest;
    let (count, range) = (world.rng.random_range(1..6), world.rng.random_range(1..60));
    let targets = (0..count).map(|_| newest.saturating_sub(world.rng.random_range(0..range))).collect();
    if let Some(server) = &world.server {
        server.delete(room, targets);
    }
}
