//! The sink of a member whose socket is not there yet.

use std::mem;
use std::sync::Arc;

use chat_outbox::BacklogLimits;
use chat_rooms::{FrameSink, Frames, SinkClosed};
use parking_lot::Mutex;

/// Queues frames until a sink is attached, then passes them on.
///
/// A handshake that is a later request of an HTTP connection is answered by HTTP: the socket is
/// available only after the response is sent. The member has joined before that.
pub(crate) struct DeferredSink {
    limits: BacklogLimits,
    state: Mutex<State>,
}

enum State {
    /// No sink is attached yet.
    Queued {
        frames: Vec<Frames>,
        size: BacklogLimits,
        is_probed: bool,
    },
    Attached(Arc<dyn FrameSink>),
    /// The queue went over its limits, or an encoding failed.
    Closed,
}

impl DeferredSink {
    pub(super) fn new(limits: BacklogLimits) -> Arc<Self> {
        let size = BacklogLimits { frames: 0, bytes: 0 };
        let state = Mutex::new(State::Queued { frames: Vec::new(), size, is_probed: false });
        Arc::new(Self { limits, state })
    }

    /// Passes on what is queued, and from now on everything. A sink attached after this one was
    /// closed fails.
    pub(super) fn attach(&self, sink: Arc<dyn FrameSink>) {
        let mut state = self.state.lock();
        match mem::replace(&mut *state, State::Closed) {
            State::Queued { frames, is_probed, .. } => {
                // a sink that is closed by this reports it again at the next offer
                let _ = sink.offer(&frames);
                if is_probed {
                    sink.probe();
                }
                *state = State::Attached(sink);
            }
            State::Attached(_) | State::Closed => sink.fail(),
        }
    }
}

impl FrameSink for DeferredSink {
    fn offer(&self, offered: &[Frames]) -> Result<(), SinkClosed> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Attached(sink) => sink.offer(offered),
            State::Closed => Err(SinkClosed),
            State::Queued { frames, size, .. } => {
                size.frames += offered.iter().map(Frames::count).sum::<usize>();
                size.bytes += offered.iter().map(|frames| frames.as_bytes().len()).sum::<usize>();
                if size.frames > self.limits.frames || size.bytes > self.limits.bytes {
                    *state = State::Closed;
                    return Err(SinkClosed);
                }
                frames.extend_from_slice(offered);
                Ok(())
            }
        }
    }

    fn fail(&self) {
        let mut state = self.state.lock();
        match &*state {
            State::Attached(sink) => sink.fail(),
            _ => *state = State::Closed,
        }
    }

    fn probe(&self) {
        match &mut *self.state.lock() {
            State::Attached(sink) => sink.probe(),
            State::Queued { is_probed, .. } => *is_probed = true,
            State::Closed => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);

    impl FrameSink for Log {
        fn offer(&self, frames: &[Frames]) -> Result<(), SinkClosed> {
            let text = frames.iter().map(|frames| String::from_utf8_lossy(frames.as_bytes()).into_owned());
            self.0.lock().extend(text);
            Ok(())
        }

        fn fail(&self) {
            self.0.lock().push("failed".to_owned());
        }

        fn probe(&self) {
            self.0.lock().push("probed".to_owned());
        }
    }

    fn frame(text: &str) -> Frames {
        Frames::one(text.as_bytes().to_vec())
    }

    #[test]
    fn queued_frames_and_probes_reach_the_sink_in_order() {
        let deferred = DeferredSink::new(BacklogLimits { frames: 2, bytes: 100 });
        deferred.offer(&[frame("one")]).unwrap();
        deferred.probe();
        deferred.offer(&[frame("two")]).unwrap();
        let log = Arc::<Log>::default();
        deferred.attach(Arc::clone(&log) as _);
        deferred.offer(&[frame("three"), frame("four"), frame("five")]).unwrap();
        assert_eq!(*log.0.lock(), ["one", "two", "probed", "three", "four", "five"]);
    }

    #[test]
    fn a_queue_over_its_limits_closes_the_sink() {
        let deferred = DeferredSink::new(BacklogLimits { frames: 2, bytes: 100 });
        deferred.offer(&[frame("one"), frame("two")]).unwrap();
        assert_eq!(deferred.offer(&[frame("three")]), Err(SinkClosed));
        assert_eq!(deferred.offer(&[frame("four")]), Err(SinkClosed));
        let log = Arc::<Log>::default();
        deferred.attach(Arc::clone(&log) as _);
        assert_eq!(*log.0.lock(), ["failed"]);
    }
}
