//! One outbox that several threads offer frames to while one task drains it.

use std::sync::Arc;

use chat_outbox::{BacklogLimits, Outbox, Unsent};
use chat_rooms::FrameSink;
use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::{self, JoinHandle};

use crate::explore::explore;
use crate::socket::{Drained, Socket, drain, frame, frames_of};

const ROOMY: BacklogLimits = BacklogLimits { frames: 1_000, bytes: 10_000 };

/// Offers three frames, and returns the names of those that were accepted.
fn offer(outbox: &Arc<Outbox<Socket>>, name: char) -> JoinHandle<Vec<String>> {
    let outbox = Arc::clone(outbox);
    thread::spawn(move || {
        let offered =
            (0..3).map(|i| format!("{name}{i}")).take_while(|name| outbox.offer(&[frame(name)]).is_ok());
        offered.collect()
    })
}

/// Offers two control frames.
fn offer_control(outbox: &Arc<Outbox<Socket>>) -> JoinHandle<()> {
    let outbox = Arc::clone(outbox);
    thread::spawn(move || {
        assert!(outbox.offer_control(b"p0;"));
        assert!(outbox.offer_control(b"p1;"));
    })
}

fn draining(outbox: &Arc<Outbox<Socket>>) -> JoinHandle<Drained> {
    let outbox = Arc::clone(outbox);
    thread::spawn(move || block_on(drain(&outbox)))
}

fn reading(outbox: &Arc<Outbox<Socket>>) -> JoinHandle<()> {
    let outbox = Arc::clone(outbox);
    thread::spawn(move || outbox.transport().read_at_random())
}

/// The outbox is closed only after everything is written, so that no other wake-up makes up for a
/// missing one.
#[test]
fn offered_frames_are_written_whole_and_in_order() {
    explore(|| {
        let outbox = Arc::new(Outbox::new(Socket::default(), ROOMY));
        let (drained, read) = (draining(&outbox), reading(&outbox));
        // any subset of them, so that one that is alone has to wake the draining task itself
        let takes_part = || thread_rng().r#gen::<bool>();
        let offering: Vec<_> = ['a', 'b']
            .into_iter()
            .filter(|_| takes_part())
            .map(|name| (name, offer(&outbox, name)))
            .collect();
        let control = takes_part().then(|| offer_control(&outbox));
        let expected = offering.len() * 3 + control.iter().len() * 2;
        block_on(outbox.transport().has_written(expected * "a0;".len()));
        outbox.close(frame("end"), Unsent::Keep);
        assert_eq!(drained.join().unwrap(), Drained::default());
        read.join().unwrap();

        let frames = outbox.transport().frames();
        for (name, offered) in offering {
            assert_eq!(frames_of(name, &frames), offered.join().unwrap());
        }
        if let Some(control) = control {
            control.join().unwrap();
            assert_eq!(frames_of('p', &frames), ["p0", "p1"]);
        }
        assert_eq!(frames.len(), expected + 1);
        assert_eq!(frames.last().unwrap(), "end");
        assert_eq!(outbox.backlog(), BacklogLimits { frames: 0, bytes: 0 });
    });
}

/// The outbox is closed at any time. Frames accepted before are written or, as whole frames,
/// discarded; nothing follows the last frame.
#[test]
fn an_outbox_can_be_closed_at_any_time() {
    explore(|| {
        let unsent = if thread_rng().r#gen() { Unsent::Keep } else { Unsent::Discard };
        let outbox = Arc::new(Outbox::new(Socket::default(), ROOMY));
        let (drained, read) = (draining(&outbox), reading(&outbox));
        let (a, b, control) = (offer(&outbox, 'a'), offer(&outbox, 'b'), offer_control(&outbox));
        let closing = {
            let outbox = Arc::clone(&outbox);
            thread::spawn(move || outbox.close(frame("end"), unsent))
        };
        for thread in [closing, control, read] {
            thread.join().unwrap();
        }
        assert_eq!(drained.join().unwrap(), Drained::default());

        let frames = outbox.transport().frames();
        for (name, accepted) in [('a', a.join().unwrap()), ('b', b.join().unwrap())] {
            let got = frames_of(name, &frames);
            assert_eq!(got, accepted[..got.len()]);
            assert!(got.len() == accepted.len() || unsent == Unsent::Discard, "{got:?} of {accepted:?}");
        }
        assert_eq!(frames.iter().filter(|frame| *frame == "end").count(), 1);
        assert_eq!(frames.last().unwrap(), "end");
    });
}

/// The reader reads nothing until it is too slow: the draining task learns of it by itself.
#[test]
fn a_slow_reader_is_detected_and_receives_the_last_frame() {
    explore(|| {
        let limits = BacklogLimits { frames: 4, bytes: 1_000 };
        let outbox = Arc::new(Outbox::new(Socket::default(), limits));
        outbox.transport().accept(thread_rng().gen_range(0..5));
        let drained = draining(&outbox);
        let (a, b) = (offer(&outbox, 'a'), offer(&outbox, 'b'));
        let (a, b) = (a.join().unwrap(), b.join().unwrap());
        assert!((4..6).contains(&(a.len() + b.len())));
        outbox.transport().accept(1_000);
        assert!(drained.join().unwrap().was_too_slow);

        let frames = outbox.transport().frames();
        for (name, accepted) in [('a', a), ('b', b)] {
            let got = frames_of(name, &frames);
            assert_eq!(got, accepted[..got.len()]);
        }
        assert_eq!(frames.last().unwrap(), "slow");
    });
}

/// Nothing else happens, so the draining task is woken by the probe alone.
#[test]
fn a_probe_wakes_the_draining_task() {
    explore(|| {
        let outbox = Arc::new(Outbox::new(Socket::default(), ROOMY));
        let probing = {
            let outbox = Arc::clone(&outbox);
            thread::spawn(move || outbox.probe())
        };
        let signal = block_on(std::future::poll_fn(|cx| outbox.poll_drain(cx)));
        assert_eq!(signal, chat_outbox::Signal::Probed);
        probing.join().unwrap();
    });
}
