//! The queue of log lines for standard error. A thread of its own writes them; the server never
//! waits for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// The maximum size of the queue, in bytes. The thread holds as much again while it writes.
const MAX_QUEUED: usize = 1 << 20;

/// Queues log lines and writes them. Clones share the queue.
#[derive(Debug, Clone)]
pub(crate) struct LogWriter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when lines are queued, and when all lines are written.
    changed: Condvar,
    /// The number of lines that were dropped since the start.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    queue: Vec<u8>,
    /// The number of queued lines.
    count: u64,
    /// The number of dropped lines that the log has not reported yet.
    unreported: u64,
    is_writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `out`.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let writer = Self(Arc::default());
        let shared = Arc::clone(&writer.0);
        // the thread runs until the process ends
        std::thread::Builder::new().name("chatd-log".into()).spawn(move || shared.write_to(out))?;
        Ok(writer)
    }

    /// The number of lines that were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, for `timeout` at most.
    pub(super) fn flush(&self, timeout: Duration) {
        let until = Instant::now() + timeout;
        let mut state = self.0.state.lock();
        while state.is_writing || !state.queue.is_empty() {
            if self.0.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    /// Queues one line. If the queue is full, the line is dropped and counted.
    fn push(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        if state.queue.len() + line.len() > MAX_QUEUED {
            state.unreported += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.queue.extend_from_slice(line);
        state.count += 1;
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Writes queued lines, forever.
    fn write_to(&self, mut out: impl Write) {
        let mut is_broken = false;
        let mut chunk = Vec::new();
        loop {
            let (count, mut unreported) = self.next(&mut chunk);
            // The report is queued after the lines that were queued before the drop and before
            // later lines. While writing fails there is no report: it would be lost, too, and be
            // counted again.
            if !is_broken {
                report_dropped(std::mem::take(&mut unreported));
            }
            is_broken = out.write_all(&chunk).is_err();
            chunk.clear();
            if is_broken {
                self.dropped.fetch_add(count, Ordering::Relaxed);
                self.state.lock().unreported += unreported + count;
            } else {
                report_dropped(unreported);
            }
        }
    }

    /// Waits for lines and takes all of them. Returns their number, and the number of dropped lines
    /// that were not reported yet.
    fn next(&self, chunk: &mut Vec<u8>) -> (u64, u64) {
        let mut state = self.state.lock();
        state.is_writing = false;
        self.changed.notify_all();
        while state.queue.is_empty() {
            self.changed.wait(&mut state);
        }
        state.is_writing = true;
        std::mem::swap(chunk, &mut state.queue);
        (std::mem::take(&mut state.count), std::mem::take(&mut state.unreported))
    }
}

/// Logs the number of dropped lines.
fn report_dropped(lines: u64) {
    if lines > 0 {
        tracing::warn!(lines, "log lines were dropped because standard error did not take them in time");
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self)
    }
}

/// The writer of one line. The library writes a whole line with one call.
#[derive(Debug)]
pub(crate) struct LineWriter<'a>(&'a LogWriter);

impl Write for LineWriter<'_> {
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

    /// A writer that performs a write only when the test allows it, and reports what it wrote.
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
        let writer = LogWriter::start(Slow { allowed, began, taken }).unwrap();
        writer.push(b"first\n");
        begun.recv().unwrap();
        let line = vec![b'x'; MAX_QUEUED / 4];
        (0..6).for_each(|_| writer.push(&line));
        assert_eq!(writer.dropped(), 2);
        writer.flush(Duration::from_millis(1));

        allow.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), b"first\n");
        allow.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap().len(), MAX_QUEUED);
        writer.flush(Duration::from_secs(30));
        assert_eq!(writer.dropped(), 2);

        writer.push(b"lost\n");
        allow.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        writer.flush(Duration::from_secs(30));
        assert_eq!(writer.dropped(), 3, "a line that can't be written is counted as well");
    }
}
