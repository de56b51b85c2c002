//! The lock of a room, held.

use std::ops::{Deref, DerefMut};

use parking_lot::MutexGuard;

use crate::room::Room;
use crate::room::core::Core;

/// The core of a room while its lock is held. In unit tests, it counts the steps that are taken
/// meanwhile.
pub(crate) struct CoreGuard<'a> {
    // counted before the lock is released
    #[cfg(test)]
    _hold: crate::sync::steps::Hold<'a>,
    core: MutexGuard<'a, Core>,
}

impl Room {
    pub(crate) fn lock(&self) -> CoreGuard<'_> {
        let core = self.core.lock();
        CoreGuard {
            #[cfg(test)]
            _hold: crate::sync::steps::Hold::new(&self.steps),
            core,
        }
    }
}

impl Deref for CoreGuard<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for CoreGuard<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}
