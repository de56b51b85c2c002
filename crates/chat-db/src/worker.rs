//! A thread that works through a queue.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use diesel::{Connection, QueryResult};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::job::{Job, Work};
use crate::{DbError, SyncMode};

/// A piece of work for a connection `C`.
pub(crate) type Piece<C> = Box<dyn Work<C>>;

/// A thread, and the queue of its work. Work runs in the order of submission.
pub(crate) struct Worker<C> {
    /// `None` once it was ended. The thread ends when the sender is dropped and the queue is empty.
    queue: Mutex<Option<mpsc::Sender<Piece<C>>>>,
    /// The thread, until [`join`](Self::join) takes it to wait for its end.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<C> std::fmt::Debug for Worker<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl<C: Connection + 'static> Worker<C> {
    /// Starts a thread of this name, with what it does with the queue.
    pub(crate) fn start(
        name: String,
        run: impl FnOnce(mpsc::Receiver<Piece<C>>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, queue) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(queue))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    /// Queues work. If the worker was ended, the callback of the work is called at once.
    pub(crate) fn submit(&self, work: Piece<C>) {
        let refused = match &*self.queue.lock() {
            Some(queue) => queue.send(work).err().map(|refused| refused.0),
            None => Some(work),
        };
        // dropped without the lock held: work that never ran calls its callback
        drop(refused);
    }

    /// Queues work once there is a permit, and returns its result.
    pub(crate) async fn run<T, F>(
        &self,
        permits: &Arc<Semaphore>,
        sync_mode: SyncMode,
        work: F,
    ) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut C) -> QueryResult<T> + Send + 'static,
    {
        let permit = Arc::clone(permits).acquire_owned().await.map_err(|_| DbError::Closed)?;
        let (answer, result) = oneshot::channel();
        let done = move |outcome| {
            drop(permit);
            // the caller may be gone; the write stands
            let _ = answer.send(outcome);
        };
        self.submit(Box::new(Job::new(sync_mode, work, done)));
        result.await.map_err(|_| DbError::Closed)?
    }

    /// Accepts no more work.
    pub(crate) fn end(&self) {
        self.queue.lock().take();
    }

    /// Waits for the queued work. Blocks.
    pub(crate) fn join(&self) {
        if let Some(thread) = self.thread.lock().take() {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(thread = name, "a thread of the database ended with a panic");
            }
        }
    }
}
