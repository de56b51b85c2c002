//! Hashes passwords without disturbing the rest of the server.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::task::spawn_blocking;

use crate::{HashError, Password, PasswordHash};

/// How many passwords may wait by default.
const MAX_WAITING: usize = 256;

/// Hashes and compares passwords: off the async workers, on at most half of the processors, with a
/// bounded queue. Clones share the limits.
///
/// The methods have to be called in a Tokio runtime. A future that is dropped leaves the queue; a
/// computation that has begun is finished.
///
/// ```
/// use chat_accounts::{Hasher, Password};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let hasher = Hasher::new();
/// let hash = hasher.hash(Password::new("correct horse")?).await?;
/// assert!(hasher.verify(Password::attempt("correct horse")?, hash).await?);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Hasher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// A permit for each computation at the same time.
    running: Arc<Semaphore>,
    max_running: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// A hasher that uses half of the processors, and at least one. At most 256 passwords wait.
    pub fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let half = NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN);
        Self::with_limits(half, MAX_WAITING)
    }

    /// A hasher that computes at most `max_running` hashes at the same time, each with 19 MiB of
    /// memory, while at most `max_waiting` others wait.
    pub fn with_limits(max_running: NonZeroUsize, max_waiting: usize) -> Self {
        let max_running = max_running.get().min(Semaphore::MAX_PERMITS);
        let running = Arc::new(Semaphore::new(max_running));
        Self { shared: Arc::new(Shared { running, max_running, waiting: AtomicUsize::new(0), max_waiting }) }
    }

    /// Computes the hash of a password.
    ///
    /// # Errors
    /// [`HashError::Busy`] if too many passwords wait already, [`HashError::Failed`] if there is
    /// not enough memory or the runtime shuts down.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        self.run(move || password.hash()).await
    }

    /// Whether this is the password with this hash.
    ///
    /// # Errors
    /// [`HashError::Busy`] if too many passwords wait already, [`HashError::Failed`] if there is
    /// not enough memory, the runtime shuts down, or the hash can't be used.
    pub async fn verify(&self, password: Password, hash: PasswordHash) -> Result<bool, HashError> {
        self.run(move || password.matches(&hash)).await
    }

    /// Does what [`verify`](Self::verify) does for a wrong password. Call it if there is no account
    /// of the given name, or the account has no password: else the answer would come sooner, and
    /// show that.
    ///
    /// # Errors
    /// The same as those of [`verify`](Self::verify).
    pub async fn verify_nothing(&self, password: Password) -> Result<(), HashError> {
        self.run(move || password.matches(&PasswordHash::of_nothing())).await.map(drop)
    }

    /// How many passwords are waiting.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// How many passwords are being hashed.
    pub fn running(&self) -> usize {
        self.shared.max_running - self.shared.running.available_permits()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let permit = self.permit().await?;
        // keeps the permit until the end, also if nobody waits for the result any more
        let work = move || {
            let result = work();
            drop(permit);
            result
        };
        spawn_blocking(work).await.map_err(HashError::failed)?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, HashError> {
        match Arc::clone(&self.shared.running).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(TryAcquireError::NoPermits) => {
                let _waiting = Waiting::begin(&self.shared)?;
                Arc::clone(&self.shared.running).acquire_owned().await.map_err(HashError::failed)
            }
            Err(error) => Err(HashError::failed(error)),
        }
    }
}

/// Counts a waiting password until it is dropped.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn begin(shared: &'a Shared) -> Result<Self, HashError> {
        let one_more = |waiting| (waiting < shared.max_waiting).then_some(waiting + 1);
        match shared.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(Self(shared)),
            Err(_) => Err(HashError::Busy),
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::future::{join_all, poll_immediate};

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;

    fn password() -> Password {
        Password::new("correct horse").unwrap()
    }

    /// Occupies one computation until the sender is dropped.
    async fn occupy(hasher: &Hasher) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), HashError>>) {
        let (end, ended) = mpsc::channel();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let busy = hasher.clone();
        let work = move || {
            begin.send(()).unwrap();
            let _ = ended.recv();
            Ok(())
        };
        let task = tokio::spawn(async move { busy.run(work).await });
        begun.await.unwrap();
        (end, task)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn passwords_are_hashed_and_compared() {
        let hasher = Hasher::new();
        let hash = hasher.hash(password()).await.unwrap();
        assert!(hasher.verify(password(), hash.clone()).await.unwrap());
        assert!(!hasher.verify(Password::attempt("wrong").unwrap(), hash).await.unwrap());
        hasher.verify_nothing(password()).await.unwrap();
        assert_eq!((hasher.running(), hasher.waiting()), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_queue_is_bounded() {
        let hasher = Hasher::with_limits(ONE, 2);
        let (end, occupied) = occupy(&hasher).await;
        assert_eq!((hasher.running(), hasher.waiting()), (1, 0));
        let mut first = Box::pin(hasher.verify_nothing(password()));
        assert!(poll_immediate(&mut first).await.is_none());
        let mut second = Box::pin(hasher.hash(password()));
        assert!(poll_immediate(&mut second).await.is_none());
        assert_eq!(hasher.waiting(), 2);
        let mut refused = Box::pin(hasher.hash(password()));
        assert!(matches!(poll_immediate(&mut refused).await, Some(Err(HashError::Busy))));
        // a client that is gone makes room
        drop(second);
        assert_eq!(hasher.waiting(), 1);
        let mut third = Box::pin(hasher.hash(password()));
        assert!(poll_immediate(&mut third).await.is_none());
        drop(end);
        occupied.await.unwrap().unwrap();
        first.await.unwrap();
        third.await.unwrap();
        assert_eq!((hasher.running(), hasher.waiting()), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_computation_that_was_abandoned_counts_until_its_end() {
        let hasher = Hasher::with_limits(ONE, 0);
        let (end, occupied) = occupy(&hasher).await;
        occupied.abort();
        assert!(occupied.await.unwrap_err().is_cancelled());
        assert_eq!(hasher.running(), 1);
        let mut refused = Box::pin(hasher.hash(password()));
        assert!(matches!(poll_immediate(&mut refused).await, Some(Err(HashError::Busy))));
        drop(end);
        // the permit is returned on the other thread
        while hasher.running() == 1 {
            tokio::task::yield_now().await;
        }
        hasher.hash(password()).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_hashes_than_allowed_are_computed_at_once() {
        let hasher = Hasher::with_limits(NonZeroUsize::new(2).unwrap(), 100);
        let (now, peak) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let work = || {
            let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
            hasher.run(move || {
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        };
        for done in join_all((0..100).map(|_| work())).await {
            done.unwrap();
        }
        assert!((1..=2).contains(&peak.load(Ordering::SeqCst)), "{peak:?}");
    }
}
