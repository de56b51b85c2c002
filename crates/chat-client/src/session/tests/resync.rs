//! The cursor of a room, and what happens when a frame does not fit it.

use super::*;

impl Fixture {
    /// The numbers and kinds of the room's events that were delivered since the last call.
    fn delivered(&mut self) -> Vec<String> {
        let brief = |event| match event {
            Event::Joined(joined) if joined.recovered => format!("joined {}", joined.seq),
            Event::Joined(joined) => format!("void {}", joined.seq),
            Event::Message { message, .. } => format!("message {}", message.seq()),
            Event::Changed { message, .. } => format!("changed {}", message.seq()),
            Event::Deleted(deleted) => format!("deleted {}", deleted.seq),
            Event::Recovered { count, .. } => format!("recovered {count}"),
            Event::RejoinDelayed { code, retry_in, .. } => format!("{code:?} {retry_in:?}"),
            Event::Left { .. } => "left".into(),
            other => format!("{other:?}"),
        };
        self.events().into_iter().map(brief).collect()
    }

    fn message(&mut self, seq: u64) {
        self.delivers(&message(seq, &seq.to_string(), "g_bob"));
    }

    fn event(&mut self, kind: &str, first_seq: Option<u64>, seq: u64) {
        let mut frame = json!({"type": kind, "room": "lobby", "seq": seq, "targets": [], "by": "operator"});
        if let Some(first_seq) = first_seq {
            frame["first_seq"] = first_seq.into();
        }
        self.receives(&frame);
    }

    /// The only frame that the session writes now: a `join`.
    fn requested(&mut self) -> Value {
        let mut written = self.written();
        assert_eq!(written.len(), 1, "{written:?}");
        assert_eq!(written[0]["type"], "join");
        written.remove(0)
    }
}

const NOTHING: [Value; 0] = [];

#[test]
fn a_gap_causes_one_resync_and_the_stream_continues() {
    let mut fixture = Fixture::in_lobby();
    fixture.message(6);
    fixture.message(8);
    let join = fixture.requested();
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 6}));
    fixture.message(9);
    fixture.event("deleted", None, 10);
    fixture.event("future", None, 11);
    assert_eq!(fixture.written(), NOTHING, "no second join");
    assert_eq!(fixture.delivered(), ["message 6"]);
    let messages = json!([message(7, "7", "g_bob"), message(8, "8", "g_bob"), message(9, "9", "g_bob")]);
    fixture.answers_join(&join, "e", 11, &messages, Some(&json!([])));
    fixture.message(12);
    assert_eq!(
        fixture.delivered(),
        ["joined 11", "message 7", "message 8", "message 9", "recovered 3", "message 12"]
    );
    let counters = fixture.session.counters.read();
    assert_eq!((counters.sequence_gaps, counters.resyncs, counters.duplicates), (1, 1, 0));
    fixture.message(14);
    assert_eq!(fixture.requested()["since"]["seq"], 12, "the next gap is another resync");
}

#[test]
fn frames_from_the_future_move_the_cursor() {
    let mut fixture = Fixture::in_lobby();
    fixture.event("future", None, 6);
    assert_eq!(fixture.cursor(), 6);
    fixture.event("future", Some(7), 9);
    assert_eq!(fixture.cursor(), 9);
    fixture.event("future", Some(8), 10);
    assert_eq!(fixture.cursor(), 10, "it overlaps what was applied");
    fixture.event("future", Some(9), 10);
    fixture.event("future", None, 3);
    assert_eq!(fixture.cursor(), 10, "it is old");
    fixture.receives(&json!({"type": "future", "room": "lobby", "seq": "many"}));
    fixture.receives(&json!({"type": "future", "room": "tea", "seq": 11}));
    fixture.receives(&json!({"type": "future", "seq": 11}));
    assert_eq!(fixture.cursor(), 10, "it is not an event of the room");
    fixture.message(11);
    assert_eq!(fixture.delivered(), ["message 11"]);
    assert_eq!(fixture.written(), NOTHING);
    fixture.event("future", Some(13), 15);
    assert_eq!(fixture.requested()["since"]["seq"], 11);
}

#[test]
fn an_event_that_cannot_be_read_moves_the_cursor() {
    let mut fixture = Fixture::in_lobby();
    fixture.receives(
        &json!({"type": "deleted", "room": "lobby", "seq": 6, "targets": "many", "by": "operator"}),
    );
    fixture.message(7);
    assert_eq!(fixture.delivered(), ["message 7"]);
    assert_eq!(fixture.session.counters.read().unexpected_frames, 1);
}

#[test]
fn first_seq_counts_in_every_type() {
    let mut fixture = Fixture::in_lobby();
    fixture.event("deleted", Some(6), 8);
    assert_eq!((fixture.delivered(), fixture.cursor()), (vec!["deleted 8".to_owned()], 8));
}

#[test]
fn an_ack_does_not_move_the_cursor() {
    let mut fixture = Fixture::in_lobby();
    let sent = fixture.send("one");
    let send = fixture.written().pop().unwrap();
    fixture.acked(&send, 6);
    assert_eq!((answer(sent).unwrap().seq, fixture.cursor()), (6, 5));
    // one that cannot be read
    fixture.receives(&json!({"type": "ack", "room": "lobby", "seq": 6}));
    assert_eq!(fixture.cursor(), 5);
    fixture.delivers(&message(6, "one", "g_ana"));
    assert_eq!(fixture.delivered(), ["message 6"]);
}

#[test]
fn a_refused_resync_is_repeated_with_growing_delays() {
    let mut fixture = Fixture::in_lobby();
    fixture.message(7);
    for (code, delay) in [("store_unavailable", 100), ("forbidden", 200), ("rate_limited", 400)] {
        let join = fixture.requested();
        fixture.refused(&join, code);
        fixture.message(8);
        fixture.advance(Duration::from_millis(delay - 1));
        assert_eq!(fixture.written(), NOTHING, "the delay after {code}");
        fixture.advance(Duration::from_millis(1));
    }
    let delayed = ["StoreUnavailable 100ms", "Forbidden 200ms", "RateLimited 400ms"];
    assert_eq!(fixture.delivered(), delayed);
    let join = fixture.requested();
    assert_eq!(join["since"]["seq"], 5);
    // the room was not left meanwhile
    fixture.receives(&json!({"type": "typing", "room": "lobby", "username": "bob"}));
    assert!(matches!(fixture.events()[..], [Event::Typing(_)]));
    fixture.answers_join(&join, "e", 8, &json!([]), Some(&json!([])));
    assert_eq!(fixture.delivered(), ["joined 8", "recovered 0"]);
    fixture.message(10);
    let join = fixture.requested();
    fixture.refused(&join, "internal");
    assert_eq!(fixture.delivered(), ["Internal 100ms"], "the delays begin again");
}

#[test]
fn a_sync_stands_for_its_range() {
    let mut fixture = Fixture::in_lobby();
    let deleted = |seq: u64, changed_seq: u64| {
        json!({"seq": seq, "sent_at": "2026-01-01T00:00:00Z", "deleted": true, "by": "operator",
                "changed_seq": changed_seq})
    };
    let sync = |first_seq: u64, seq: u64, messages: Value, changed: Value| {
        json!({"type": "sync", "room": "lobby", "first_seq": first_seq, "seq": seq, "recovered": true,
                "messages": messages, "changed": changed})
    };
    fixture.receives(&sync(6, 8, json!([message(7, "7", "g_bob")]), json!([deleted(2, 9)])));
    assert_eq!(fixture.delivered(), ["changed 2", "message 7"]);
    // it overlaps what was applied
    fixture.receives(&sync(7, 10, json!([deleted(7, 9), message(10, "10", "g_bob")]), json!([])));
    assert_eq!(fixture.delivered(), ["changed 7", "message 10"]);
    fixture.receives(&sync(9, 10, json!([message(10, "10", "g_bob")]), json!([])));
    assert_eq!(fixture.delivered(), [""; 0], "it is old");
    assert_eq!(fixture.cursor(), 10);
    fixture.receives(&sync(12, 13, json!([]), json!([])));
    assert_eq!(fixture.requested()["since"]["seq"], 10);
}

#[test]
fn a_sync_without_lists_causes_a_resync_from_the_cursor() {
    for unreadable in [false, true] {
        let mut fixture = Fixture::in_lobby();
        let mut sync =
            json!({"type": "sync", "room": "lobby", "first_seq": 6, "seq": 4_000, "recovered": false});
        if unreadable {
            sync["messages"] = "later".into();
        }
        fixture.receives(&sync);
        assert_eq!(fixture.requested()["since"]["seq"], 5);
        fixture.receives(&sync);
        assert_eq!(fixture.written(), NOTHING);
        let counters = fixture.session.counters.read();
        assert_eq!((counters.resyncs, counters.sequence_gaps), (1, 0));
    }
}

#[test]
fn a_page_of_another_epoch_causes_a_resync() {
    let mut fixture = Fixture::in_lobby();
    let answer_history = |fixture: &mut Fixture, epoch: &str| {
        let read = fixture.history();
        let history = fixture.written().into_iter().rfind(|frame| frame["type"] == "history").unwrap();
        fixture.receives(&json!({"type": "history", "ref": history["ref"], "room": "lobby", "epoch": epoch,
                                 "first": 1, "last": 2, "messages": [], "more": false}));
        answer(read).unwrap()
    };
    let page = answer_history(&mut fixture, "e");
    assert_eq!(fixture.events(), [Event::History(page)]);
    assert_eq!(answer_history(&mut fixture, "f").epoch, chat_protocol::Epoch::new("f"));
    assert_eq!(fixture.events(), [], "its messages are of another history");
    // what fits is applied until the answer
    fixture.message(6);
    let join = fixture.requested();
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 5}));
    fixture.answers_join(&join, "f", 2, &json!([message(2, "2", "g_bob")]), None);
    fixture.message(3);
    assert_eq!(fixture.delivered(), ["message 6", "void 2", "message 3"]);
    fixture.disconnect();
    fixture.welcome();
    assert_eq!(fixture.requested()["since"], json!({"epoch": "f", "seq": 3}));
}

#[test]
fn a_joined_that_contradicts_the_cursor_starts_again() {
    for (epoch, seq) in [("f", 9), ("e", 4)] {
        let mut fixture = Fixture::in_lobby();
        fixture.message(7);
        let join = fixture.requested();
        fixture.answers_join(&join, epoch, seq, &json!([]), Some(&json!([])));
        assert_eq!(fixture.delivered(), [format!("void {seq}")]);
    }
}

#[test]
fn a_broken_connection_ends_a_resync() {
    let mut fixture = Fixture::in_lobby();
    fixture.message(7);
    let lost = fixture.requested();
    fixture.disconnect();
    fixture.welcome();
    let join = fixture.requested();
    fixture.answers_join(&lost, "e", 7, &json!([]), Some(&json!([])));
    assert_eq!(fixture.session.counters.read().unexpected_frames, 1, "the answer on another connection");
    fixture.answers_join(&join, "e", 7, &json!([]), Some(&json!([])));
    fixture.message(9);
    let join = fixture.requested();
    fixture.refused(&join, "internal");
    fixture.disconnect();
    fixture.welcome();
    fixture.requested();
    fixture.advance(Duration::from_secs(60));
    assert_eq!(fixture.written(), NOTHING, "the delay is of the other connection");
}

#[test]
fn a_room_that_is_left_needs_no_resync() {
    for refused in [false, true] {
        let mut fixture = Fixture::in_lobby();
        fixture.message(7);
        let join = fixture.requested();
        let leaving = fixture.leave();
        let leave = fixture.written().pop().unwrap();
        if refused {
            fixture.refused(&join, "internal");
            fixture.advance(Duration::from_secs(60));
        } else {
            fixture.answers_join(&join, "e", 7, &json!([]), Some(&json!([])));
        }
        fixture.message(9);
        assert_eq!(fixture.written(), NOTHING, "no second leave and no join");
        fixture.receives(&json!({"type": "left", "ref": leave["ref"], "room": "lobby", "reason": "asked"}));
        assert_eq!(answer(leaving), Ok(()));
        assert!(fixture.session.rooms.is_empty() && fixture.session.pending.is_empty());
    }
}

#[test]
fn a_leave_ends_the_delay_of_a_resync() {
    let mut fixture = Fixture::in_lobby();
    fixture.message(7);
    let join = fixture.requested();
    fixture.refused(&join, "internal");
    let _leaving = fixture.leave();
    assert_eq!(fixture.written()[0]["type"], "leave");
    fixture.advance(Duration::from_secs(60));
    assert_eq!((fixture.written(), fixture.session.deadline()), (NOTHING.to_vec(), None));
}

#[test]
fn a_resync_that_crosses_a_removal_does_not_join_again() {
    let mut fixture = Fixture::in_lobby();
    fixture.message(7);
    let join = fixture.requested();
    fixture.receives(&json!({"type": "left", "room": "lobby", "reason": "kicked"}));
    fixture.answers_join(&join, "e", 7, &json!([]), Some(&json!([])));
    let leave = fixture.written().pop().unwrap();
    assert_eq!(leave["type"], "leave");
    // the program joins on purpose
    let joining = fixture.join();
    fixture.receives(&json!({"type": "left", "ref": leave["ref"], "room": "lobby", "reason": "asked"}));
    fixture.joined(7, &json!([]), false);
    assert!(answer(joining).is_ok(), "the answer is for the earlier leave");
}
