//! Log lines on their way to standard error. A thread of its own writes them; the server never waits for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// How many bytes may wait to be written. The thread holds as many again while it writes them.
const MAX_WAITING: usize = 1 << 20;

/// The lines that wait to be written. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something waits, or everything is written.
    changed: Condvar,
    /// How many lines were dropped since the start.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// How many lines wait.
    count: u64,
    /// How many were dropped that the log does not mention yet.
    unmentioned: u64,
    is_writing: bool,
}

impl Lines {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Self(Arc::default());
        let shared = Arc::clone(&lines.0);
        // it ends with the process
        std::thread::Builder::new().name("chatd-log".into()).spawn(move || shared.write_to(out))?;
        Ok(lines)
    }

    /// How many were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all are written, but no longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.0.state.lock();
        while state.is_writing || !state.waiting.is_empty() {
            if self.0.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    /// Takes one line; drops and counts it where too much waits already.
    fn push(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        if state.waiting.len() + line.len() > MAX_WAITING {
            state.unmentioned += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.count += 1;
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Writes what comes, for ever.
    fn write_to(&self, mut out: impl Write) {
        let mut is_broken = false;
        let mut chunk = Vec::new();
        loop {
            let (count, mut unmentioned) = self.next(&mut chunk);
            // in its place: after the lines that were there before, and before those that came since. Not while writing fails: the
            // mention would be lost as well, and mentioned again
            if !is_broken {
                mention(std::mem::take(&mut unmentioned));
            }
            is_broken = out.write_all(&chunk).is_err();
            chunk.clear();
            if is_broken {
                self.dropped.fetch_add(count, Ordering::Relaxed);
                self.state.lock().unmentioned += unmentioned + count;
            } else {
                mention(unmentioned);
            }
        }
    }

    /// Waits for lines and takes all; gives how many they are, and how many were dropped that are not mentioned yet.
    fn next(&self, chunk: &mut Vec<u8>) -> (u64, u64) {
        let mut state = self.state.lock();
        state.is_writing = false;
        self.changed.notify_all();
        while state.waiting.is_empty() {
            self.changed.wait(&mut state);
        }
        state.is_writing = true;
        std::mem::swap(chunk, &mut state.waiting);
        (std::mem::take(&mut state.count), std::mem::take(&mut state.unmentioned))
    }
}

/// Logs that lines were dropped.
fn mention(lines: u64) {
    if lines > 0 {
        tracing::warn!(lines, "log lines were dropped because standard error did not take them in time");
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

/// One line, which is written whole by one call.
#[derive(Debug)]
pub(crate) struct Line<'a>(&'a Lines);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes each write only when it is allowed to, and gives what it took.
    struct Slow {
        allowed: mpsc::Receiver<io::Result<()>>,
        began: mpsc::Sender<()>,
        taken: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.began.send(()).unwrap();
            self.allowed.recv().unwrap()?;
            self.taken.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_do_not_fit_are_dropped_and_counted_and_the_rest_is_written_in_order() {
        let (allow, allowed) = mpsc::channel();
        let (began, begun) = mpsc::channel();
        let (taken, written) = mpsc::channel();
        let lines = Lines::start(Slow { allowed, began, taken }).unwrap();
        lines.push(b"first\n");
        begun.recv().unwrap();
        let line = vec![b'x'; MAX_WAITING / 4];
        (0..6).for_each(|_| lines.push(&line));
        assert_eq!(lines.dropped(), 2);
        lines.flush(Duration::from_millis(1));

        allow.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), b"first\n");
        allow.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap().len(), MAX_WAITING);
        lines.flush(Duration::from_secs(30));
        assert_eq!(lines.dropped(), 2);

        lines.push(b"lost\n");
        allow.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        lines.flush(Duration::from_secs(30));
        assert_eq!(lines.dropped(), 3, "a line that can't be written is counted as well");
    }
}
