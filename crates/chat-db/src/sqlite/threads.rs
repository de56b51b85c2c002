//! The threads that read.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Reads to be run, on a thread that may block.
type Job = Box<dyn FnOnce() + Send>;

/// A few threads that are started when they are needed. Each keeps memory of its own (a heap of
/// the allocator, and the connection that it uses), so a second one starts only if a read
/// [waits](Self::add) for the first.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    max: usize,
    /// The time between the starts of two threads.
    interval: Duration,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when there is a job, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The caller limits how many there are.
    jobs: VecDeque<Job>,
    threads: usize,
    /// When the newest one was started.
    started_at: Option<Instant>,
    /// How many of them wait for a job.
    idle: usize,
    has_ended: bool,
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("max", &self.max).finish_non_exhaustive()
    }
}

impl Threads {
    /// At most `max` threads, of which none is started yet, and no two within `interval`.
    pub(crate) fn new(max: usize, interval: Duration) -> Self {
        let shared = Shared { state: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared), max, interval }
    }

    /// Queues a job. It is dropped if the threads have ended, or if it panics.
    ///
    /// # Errors
    /// If there is no thread and none can be started.
    pub(crate) fn submit(&self, job: Job) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        if state.has_ended {
            drop(state);
            drop(job);
            return Ok(());
        }
        if state.threads == 0 {
            self.start(&mut state)?;
        }
        state.jobs.push_back(job);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Starts another thread, if jobs wait although no thread does, and there are fewer than the
    /// maximum. Many callers may find at once that they wait: that starts one thread.
    pub(crate) fn add(&self) {
        let mut state = self.shared.state.lock();
        let is_needed = state.jobs.len() > state.idle && !state.has_ended;
        let is_due = state.started_at.is_none_or(|started_at| started_at.elapsed() >= self.interval);
        if is_needed
            && is_due
            && state.threads < self.max
            && let Err(error) = self.start(&mut state)
        {
            // those that there are go on
            drop(state);
            tracing::warn!(%error, "a thread that reads could not be started");
        }
    }

    fn start(&self, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        std::thread::Builder::new().name("chat-db-reader".into()).spawn(move || shared.work())?;
        state.threads += 1;
        state.started_at = Some(Instant::now());
        Ok(())
    }

    /// Ends the threads once the queued jobs are done.
    pub(crate) fn end(&self) {
        self.shared.state.lock().has_ended = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            let Some(job) = state.jobs.pop_front() else {
                if state.has_ended {
                    return;
                }
                state.idle += 1;
                self.changed.wait(&mut state);
                state.idle -= 1;
                continue;
            };
            drop(state);
            // the caller learns of a panic because its job is dropped
            let _ = catch_unwind(AssertUnwindSafe(job));
            state = self.state.lock();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A job that says that it has begun, and waits until it may end.
    fn held(begun: &Sender<()>) -> (Job, Sender<()>) {
        let (begun, (end, ended)) = (begun.clone(), channel::<()>());
        let job = move || {
            begun.send(()).unwrap();
            let _ = ended.recv();
        };
        (Box::new(job), end)
    }

    fn count(threads: &Threads) -> usize {
        threads.shared.state.lock().threads
    }

    fn nothing(has_begun: &Receiver<()>) -> bool {
        has_begun.try_recv().is_err()
    }

    #[test]
    fn a_second_thread_starts_only_if_a_job_waits() {
        let threads = Threads::new(2, Duration::ZERO);
        let (begun, has_begun) = channel();
        assert_eq!(count(&threads), 0);
        threads.add();
        assert_eq!(count(&threads), 0, "there is nothing to do");
        let (jobs, ends): (Vec<_>, Vec<_>) = (0..3).map(|_| held(&begun)).unzip();
        let mut jobs = jobs.into_iter();
        threads.submit(jobs.next().unwrap()).unwrap();
        has_begun.recv().unwrap();
        threads.add();
        assert_eq!(count(&threads), 1, "no job waits");
        jobs.for_each(|job| threads.submit(job).unwrap());
        assert_eq!((count(&threads), nothing(&has_begun)), (1, true));
        threads.add();
        has_begun.recv().unwrap();
        threads.add();
        assert_eq!((count(&threads), nothing(&has_begun)), (2, true), "two at most");
        drop(ends);
        has_begun.recv().unwrap();
    }

    #[test]
    fn threads_start_one_after_the_other() {
        let threads = Threads::new(4, Duration::MAX);
        let (begun, has_begun) = channel();
        let (jobs, ends): (Vec<_>, Vec<_>) = (0..4).map(|_| held(&begun)).unzip();
        jobs.into_iter().for_each(|job| threads.submit(job).unwrap());
        has_begun.recv().unwrap();
        (0..4).for_each(|_| threads.add());
        assert_eq!(count(&threads), 1, "many callers wait for the same thread");
        drop(ends);
        (0..3).for_each(|_| has_begun.recv().unwrap());
    }

    #[test]
    fn queued_jobs_are_done_before_the_end() {
        let threads = Threads::new(1, Duration::ZERO);
        let (begun, has_begun) = channel();
        let (jobs, ends): (Vec<_>, Vec<_>) = (0..3).map(|_| held(&begun)).unzip();
        jobs.into_iter().for_each(|job| threads.submit(job).unwrap());
        threads.end();
        let (late, _) = held(&begun);
        threads.submit(late).unwrap();
        drop((ends, begun));
        assert_eq!(has_begun.iter().count(), 3, "and the one that came too late is dropped");
    }

    #[test]
    fn a_panic_ends_one_job_only() {
        let threads = Threads::new(1, Duration::ZERO);
        let (dropped, is_dropped) = channel::<()>();
        let job = move || {
            let _dropped = dropped;
            panic!("as planned");
        };
        threads.submit(Box::new(job)).unwrap();
        assert!(is_dropped.recv().is_err());
        let (begun, has_begun) = channel();
        threads.submit(Box::new(move || begun.send(()).unwrap())).unwrap();
        has_begun.recv().unwrap();
        assert_eq!(count(&threads), 1);
    }
}
