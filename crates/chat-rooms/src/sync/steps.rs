//! The number of steps that are taken under a lock: what depends on the number of members counts
//! here, so that tests can bound it without a clock. Outside of this crate's own tests, nothing is
//! counted, and every function is empty.

/// Counts steps that are taken under the lock that this thread holds.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    counting::STEPS.set(counting::STEPS.get() + steps);
    #[cfg(not(test))]
    let _ = steps;
}

#[cfg(test)]
pub(crate) use counting::{Hold, Steps};

#[cfg(test)]
mod counting {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};

    thread_local! {
        /// The steps since the lock was taken.
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    /// The steps that were taken under one lock since the last call of [`take`](Self::take).
    #[derive(Debug, Default)]
    pub(crate) struct Steps {
        max: AtomicUsize,
        total: AtomicUsize,
    }

    impl Steps {
        /// Returns the most steps in one go, and the number of all steps.
        pub(crate) fn take(&self) -> (usize, usize) {
            (self.max.swap(0, Ordering::SeqCst), self.total.swap(0, Ordering::SeqCst))
        }
    }

    /// A lock that is held. Dropped right before the lock is released.
    #[derive(Debug)]
    pub(crate) struct Hold<'a>(&'a Steps);

    impl<'a> Hold<'a> {
        pub(crate) fn new(steps: &'a Steps) -> Self {
            STEPS.set(0);
            Self(steps)
        }
    }

    impl Drop for Hold<'_> {
        fn drop(&mut self) {
            self.0.max.fetch_max(STEPS.get(), Ordering::SeqCst);
            self.0.total.fetch_add(STEPS.get(), Ordering::SeqCst);
        }
    }
}
