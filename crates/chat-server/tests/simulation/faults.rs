//! What breaks, and when.

use std::time::Duration;

use rand::RngExt;

use crate::disk::Health;
use crate::life::Life;
use crate::line::Way;
use crate::world::World;

/// The faults that go on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// So many turns until the next fault.
    pause: usize,
    /// So many turns until the server is started again, if it is down.
    down: usize,
    /// So many turns until the disk is well.
    ill: usize,
}

impl Faults {
    /// Has the next fault happen when it is time for it.
    pub(crate) fn strike(&mut self, world: &mut World) {
        self.mend(world);
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        self.pause = world.rng.random_range(1..120);
        let who = world.rng.random_range(0..world.clients.len());
        let time = Duration::from_millis(world.rng.random_range(10..8_000));
        let weather = &world.clients[who].1;
        match world.rng.random_range(0..12) {
            0..3 => weather.cut(),
            3..5 => weather.delay(world.rng.random_range(0..200)),
            5 => weather.shut(Way::ToServer, time),
            6 => weather.shut(Way::ToClient, time),
            // a partition: nobody hears of anybody
            7 => [Way::ToServer, Way::ToClient].into_iter().for_each(|way| weather.shut(way, time)),
            8 => {
                for (_, weather) in &world.clients {
                    weather.cut();
                }
            }
            9 => {
                let (slowest_ms, failing) =
                    (world.rng.random_range(0..1_500), world.rng.random_range(0.0..0.7));
                *world.disk.health.lock() = Health { slowest_ms, failing };
                self.ill = world.rng.random_range(1..200);
            }
            10 if world.life.is_some() => {
                world.kill();
                self.down = world.rng.random_range(1..200);
            }
            11 => {
                if let Some(life) = &mut world.life {
                    life.stop();
                }
            }
            _ => {}
        }
    }

    /// Has end what has lasted long enough.
    fn mend(&mut self, world: &mut World) {
        if world.life.as_ref().is_some_and(Life::has_ended) {
            world.kill();
            self.down = world.rng.random_range(1..200);
        }
        self.down = self.down.saturating_sub(1);
        if world.life.is_none() && self.down == 0 {
            world.start();
        }
        self.ill = self.ill.saturating_sub(1);
        if self.ill == 0 {
            *world.disk.health.lock() = Health { slowest_ms: 5, failing: 0.0 };
        }
    }

    /// No fault any more.
    pub(crate) fn end(self, world: &mut World) {
        *world.disk.health.lock() = Health { slowest_ms: 5, failing: 0.0 };
        for (_, weather) in &world.clients {
            weather.delay(0);
            [Way::ToServer, Way::ToClient].into_iter().for_each(|way| weather.shut(way, Duration::ZERO));
        }
        if world.life.as_ref().is_none_or(Life::is_ending) {
            world.kill();
            world.start();
        }
    }
}
