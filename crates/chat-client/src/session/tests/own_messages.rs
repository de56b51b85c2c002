//! The user's own messages, whose acks may have been lost.

use super::*;

#[test]
fn a_recovered_message_of_the_user_answers_a_pending_one_with_its_id() {
    let mut fixture = Fixture::in_lobby();
    let (sent, other, unstored) = (fixture.send("one"), fixture.send("two"), fixture.send("three"));
    fixture.written();
    fixture.disconnect();
    fixture.welcome();
    // the body has been changed, and another user has chosen the same id
    let messages = json!([message(6, "one", "g_ana"), message(7, "two", "g_another")]);
    fixture.joined(7, &messages, true);
    let ack = answer(sent).unwrap();
    assert_eq!((ack.seq, ack.id.as_str(), ack.stored), (6, "one", true));
    let resent = fixture.written();
    assert_eq!(resent.len(), 2, "{resent:?}");
    for (frame, reply, seq) in [(&resent[0], other, 8), (&resent[1], unstored, 9)] {
        fixture.acked(frame, seq);
        assert_eq!(answer(reply).unwrap().seq, seq);
    }
}

#[test]
fn a_live_message_of_the_user_answers_one_that_is_sent_again() {
    let mut fixture = Fixture::in_lobby();
    let mut sent = fixture.send("one");
    fixture.written();
    fixture.disconnect();
    fixture.welcome();
    fixture.joined(5, &json!([]), true);
    let resent = fixture.written().pop().unwrap();
    fixture.delivers(&message(6, "one", "g_another"));
    assert!((&mut sent).now_or_never().is_none(), "the id of another user");
    fixture.delivers(&message(7, "one", "g_ana"));
    assert_eq!(answer(sent).unwrap().seq, 7);
    fixture.acked(&resent, 7);
    assert_eq!(fixture.session.counters.read().unexpected_frames, 0);
    assert!(fixture.session.pending.is_empty());
}

#[test]
fn a_message_on_its_first_connection_is_answered_by_its_ack_alone() {
    let mut fixture = Fixture::in_lobby();
    let mut sent = fixture.send("one");
    let frame = fixture.written().pop().unwrap();
    // an earlier message of the user with this id and another text
    fixture.delivers(&message(6, "one", "g_ana"));
    assert!((&mut sent).now_or_never().is_none());
    fixture.refused(&frame, "id_reused");
    assert_eq!(error_of(sent).code(), Some(ErrorCode::IdReused));
}

#[test]
fn an_answer_by_a_message_says_whether_the_server_stores() {
    let mut fixture = Fixture::in_lobby();
    let (first, second) = (fixture.send("one"), fixture.send("two"));
    let frames = fixture.written();
    fixture.receives(&json!({
        "type": "ack", "ref": frames[0]["ref"], "room": "lobby", "seq": 6, "id": "one",
        "sent_at": "2026-01-01T00:00:00.000Z", "stored": false,
    }));
    assert!(!answer(first).unwrap().stored);
    fixture.disconnect();
    fixture.welcome();
    fixture.joined(7, &json!([message(6, "one", "g_ana"), message(7, "two", "g_ana")]), true);
    assert!(!answer(second).unwrap().stored);
}

#[test]
fn every_list_answers_a_pending_message() {
    let lists: [fn(&mut Fixture, Value); 3] = [
        |fixture, message| {
            fixture.receives(
                &json!({"type": "sync", "room": "lobby", "first_seq": 6, "seq": 7, "recovered": true,
                                     "messages": [message]}),
            );
        },
        |fixture, message| {
            fixture.receives(
                &json!({"type": "sync", "room": "lobby", "first_seq": 7, "seq": 7, "recovered": true,
                                     "messages": [], "changed": [message]}),
            );
        },
        |fixture, message| {
            drop(fixture.history());
            let history = fixture.written().into_iter().rfind(|frame| frame["type"] == "history").unwrap();
            fixture
                .receives(&json!({"type": "history", "ref": history["ref"], "room": "lobby", "epoch": "e",
                                     "first": 6, "last": 6, "messages": [message], "more": false}));
        },
    ];
    for list in lists {
        let mut fixture = Fixture::in_lobby();
        let sent = fixture.send("one");
        fixture.written();
        fixture.disconnect();
        fixture.welcome();
        fixture.joined(5, &json!([]), true);
        list(&mut fixture, message(6, "one", "g_ana"));
        assert_eq!(answer(sent).unwrap().seq, 6);
    }
}

#[test]
fn messages_are_sent_again_if_the_room_starts_again() {
    let mut fixture = Fixture::in_lobby();
    let (stored, sent) = (fixture.send("one"), fixture.send("two"));
    let frames = fixture.written();
    fixture.delivers(&message(9, "9", "g_bob"));
    let join = fixture.written().pop().unwrap();
    fixture.answers_join(&join, "f", 2, &json!([]), None);
    let resent = fixture.written();
    assert_eq!(resent, frames, "under the same ids");
    fixture.delivers(&message(3, "one", "g_ana"));
    assert_eq!(answer(stored).unwrap().seq, 3, "it may have been stored before");
    fixture.acked(&resent[1], 4);
    fixture.acked(&resent[1], 4);
    assert_eq!(answer(sent).unwrap().seq, 4);
    assert_eq!(fixture.session.counters.read().unexpected_frames, 0);
}

#[test]
fn a_resync_that_recovers_sends_nothing_again() {
    let mut fixture = Fixture::in_lobby();
    let (first, mut second) = (fixture.send("one"), fixture.send("two"));
    for frame in fixture.written() {
        fixture.refused(&frame, "store_unavailable");
    }
    fixture.delivers(&message(9, "9", "g_bob"));
    let join = fixture.written().pop().unwrap();
    fixture.answers_join(&join, "e", 9, &json!([message(8, "one", "g_ana")]), Some(&json!([])));
    assert_eq!(answer(first).unwrap().seq, 8, "the store had taken it");
    assert_eq!(fixture.bodies(), [""; 0], "the delay is not over");
    fixture.advance(Duration::from_millis(100));
    assert_eq!(fixture.bodies(), ["two"]);
    assert!((&mut second).now_or_never().is_none());
}
