//! The waker of the draining task. Under `cfg(shuttle)`, each of its operations is a step that the
//! scheduler chooses.

#[cfg(not(shuttle))]
pub(crate) use futures::task::AtomicWaker;

#[cfg(shuttle)]
pub(crate) use scheduled::AtomicWaker;

#[cfg(shuttle)]
mod scheduled {
    use std::task::Waker;

    use shuttle::sync::atomic::{AtomicBool, Ordering};

    #[derive(Default)]
    pub(crate) struct AtomicWaker(futures::task::AtomicWaker);

    /// Lets other tasks run.
    fn step() {
        AtomicBool::new(false).load(Ordering::SeqCst);
    }

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn register(&self, waker: &Waker) {
            step();
            self.0.register(waker);
        }

        pub(crate) fn wake(&self) {
            step();
            self.0.wake();
        }
    }
}
