//! The order of a room's comings and goings.

/// A point in the order of a room's comings and goings.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Goes on to the next moment, and gives it.
    pub(crate) fn tick(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}
