//! The session without a socket: frames and commands in, frames and events out.

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::command::{Asked, Gate, Kind, Request};
use crate::model::{Closed, ConnectError, Disconnect};

struct Talk {
    session: Session,
    gate: Arc<Gate>,
    asked: mpsc::UnboundedReceiver<Request>,
    now: Instant,
}

fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

/// The answer, which is there.
fn answer<T>(asked: Asked<T>) -> Result<T, CommandError> {
    asked.now_or_never().expect("an answer")
}

fn error_of<T: std::fmt::Debug>(asked: Asked<T>) -> CommandError {
    answer(asked).unwrap_err()
}

impl Talk {
    /// Connected, and in no room.
    fn begun() -> Self {
        let options = Arc::new(Options::new("ws://localhost/ws", "ana".parse().unwrap()));
        let session = Session::new(options, Arc::default(), || 1.0);
        let (gate, asked) = Gate::new(100, 100);
        let mut talk = Self { session, gate, asked, now: Instant::now() };
        talk.welcome();
        talk
    }

    /// Connected, and in the lobby up to 5.
    fn in_lobby() -> Self {
        let mut talk = Self::begun();
        let _joining = talk.join();
        talk.joined(5, &json!([]), false);
        talk.events();
        talk
    }

    fn welcome(&mut self) {
        let welcome = json!({
            "session": "s1", "resume": "secret", "username": "ana", "server": "test", "heartbeat_ms": 25_000,
            "limits": {"message_bytes": 1_000, "messages_per_second": 0, "burst": 0, "rooms": 10},
        });
        self.session.connected(serde_json::from_value(welcome).unwrap(), self.now);
    }

    fn ask<T: Send + 'static>(
        &mut self,
        request: impl FnOnce(Reply<T>) -> Request + Send + 'static,
    ) -> Asked<T> {
        let asked = self.gate.ask(Kind::Call, request);
        self.session.request(self.asked.try_recv().unwrap(), self.now);
        asked
    }

    fn join(&mut self) -> Asked<Arc<crate::Joined>> {
        self.ask(|reply| Request::Join { room: lobby(), history: 9, reply })
    }

    fn leave(&mut self) -> Asked<()> {
        self.ask(|reply| Request::Leave { room: lobby(), reply })
    }

    fn send(&mut self, body: &str) -> Asked<v2::Ack> {
        let id = body.chars().take(8).collect::<String>().parse().unwrap();
        let body = body.into();
        self.ask(move |reply| Request::Send { room: lobby(), body, id, reply })
    }

    fn history(&mut self) -> Asked<HistoryPage> {
        let query = crate::Page::Newest { limit: 1 }.of(lobby());
        self.ask(|reply| Request::History { query, reply })
    }

    /// What the session writes now.
    fn written(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.session.next_frame())
            .map(|frame| serde_json::from_str(&frame).unwrap())
            .collect()
    }

    /// The bodies of the messages that it writes now.
    fn bodies(&mut self) -> Vec<String> {
        self.written().iter().map(|frame| frame["body"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.next_event()).collect()
    }

    fn hears(&mut self, frame: &Value) {
        self.session.frame(&frame.to_string(), self.now);
    }

    /// The server answers the join that was written last.
    fn joined(&mut self, seq: u64, messages: &Value, recovered: bool) -> Value {
        let join = self.written().into_iter().rfind(|frame| frame["type"] == "join").unwrap();
        self.hears(&json!({
            "type": "joined", "ref": join["ref"], "room": "lobby", "epoch": "e", "seq": seq, "members": [],
            "member_count": 1, "messages": messages, "recovered": recovered,
        }));
        join
    }

    fn refuses(&mut self, frame: &Value, code: &str) {
        self.hears(&json!({"type": "error", "ref": frame["ref"], "code": code, "message": "no"}));
    }

    fn acks(&mut self, frame: &Value, seq: u64) {
        self.hears(&json!({
            "type": "ack", "ref": frame["ref"], "room": "lobby", "seq": seq, "id": frame["id"],
            "sent_at": "2026-01-01T00:00:00.000Z",
        }));
    }

    fn cut(&mut self) -> Option<Duration> {
        self.session.disconnected(Disconnect::Lost("cut".into()), self.now)
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.session.time(self.now);
        }
    }
}

#[test]
fn what_is_said_goes_out_once_the_room_is_joined() {
    let mut talk = Talk::begun();
    let joining = talk.join();
    let sent = talk.send("one");
    drop(talk.send("two"));
    let join = talk.joined(0, &json!([]), false);
    assert_eq!((&join["history"], &join["since"]), (&json!(9), &Value::Null));
    assert_eq!(answer(joining).unwrap().seq, 0);
    let frames = talk.written();
    assert_eq!((&frames[0]["body"], &frames[1]["body"]), (&json!("one"), &json!("two")));
    talk.acks(&frames[0], 1);
    assert_eq!(answer(sent).unwrap().seq, 1);
    talk.acks(&frames[0], 1);
    assert_eq!(talk.session.counting.read().strays, 0, "what was sent again may be acked twice");
}

#[test]
fn after_a_reconnect_the_room_is_joined_from_its_place_and_what_has_no_ack_goes_again() {
    let mut talk = Talk::in_lobby();
    assert_eq!(talk.session.hello().resume.as_deref(), Some("secret"));
    let sent = talk.send("one");
    drop(talk.send("two"));
    let first = talk.written();
    talk.acks(&first[0], 6);
    assert!(answer(sent).is_ok());
    assert!(talk.cut().is_some());
    drop(talk.send("three"));
    assert_eq!(talk.written(), [] as [Value; 0], "there is no connection");
    talk.welcome();
    let message =
        json!({"seq": 6, "id": "one", "from": "ana", "body": "one", "sent_at": "2026-01-01T00:00:00Z"});
    let join = talk.joined(6, &json!([message]), true);
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 5}));
    let again = talk.written();
    assert_eq!(
        (&again[0]["body"], &again[0]["id"], &again[1]["body"]),
        (&json!("two"), &first[1]["id"], &json!("three"))
    );
    let events = talk.events();
    assert!(
        matches!(&events[..], [
        Event::Disconnected { .. },
        Event::Connected(_),
        Event::Joined(joined),
        Event::Message { .. },
        Event::Recovered { count: 1, .. },
    ] if joined.rejoined && joined.messages.is_empty()),
        "{events:?}"
    );
}

#[test]
fn a_join_that_was_lost_is_asked_for_again_and_may_meet_its_own_ghost() {
    let mut talk = Talk::begun();
    let joining = talk.join();
    talk.written();
    talk.cut();
    talk.welcome();
    let join = talk.written().pop().unwrap();
    assert_eq!(join["since"], Value::Null);
    talk.refuses(&join, "username_taken");
    talk.passes(Duration::from_millis(100));
    talk.joined(7, &json!([]), false);
    assert!(!answer(joining).unwrap().rejoined);
}

#[test]
fn a_first_join_is_refused_at_once() {
    let mut talk = Talk::begun();
    let joining = talk.join();
    let sent = talk.send("one");
    let join = talk.written().pop().unwrap();
    talk.refuses(&join, "username_taken");
    assert_eq!(error_of(joining).code(), Some(ErrorCode::UsernameTaken));
    assert_eq!(error_of(sent).code(), Some(ErrorCode::UsernameTaken));
    assert!(talk.session.rooms.is_empty() && talk.session.calls.is_empty());
}

#[test]
fn what_the_store_can_t_take_goes_again_in_order() {
    let mut talk = Talk::in_lobby();
    let sent = talk.send("one");
    drop((talk.send("two"), talk.send("three")));
    let frames = talk.written();
    talk.refuses(&frames[0], "store_unavailable");
    talk.refuses(&frames[1], "store_unavailable");
    talk.refuses(&frames[2], "store_unavailable");
    drop(talk.send("four"));
    talk.passes(Duration::from_millis(99));
    assert_eq!(talk.bodies(), [""; 0]);
    talk.passes(Duration::from_millis(1));
    let again = talk.written();
    assert_eq!((again.len(), &again[0]["id"], &again[0]["ref"]), (1, &frames[0]["id"], &frames[0]["ref"]));
    talk.refuses(&again[0], "store_unavailable");
    talk.passes(Duration::from_millis(199));
    assert_eq!(talk.bodies(), [""; 0], "the pause grows");
    talk.passes(Duration::from_millis(1));
    let again = talk.written();
    talk.acks(&again[0], 6);
    assert!(answer(sent).is_ok());
    assert_eq!(talk.bodies(), ["two", "three", "four"]);
}

#[test]
fn a_frame_that_the_server_would_not_take_is_not_written() {
    let mut talk = Talk::in_lobby();
    let sent = talk.send(&"x".repeat(1_000));
    drop(talk.send("small"));
    assert_eq!(talk.bodies(), ["small"]);
    assert_eq!(error_of(sent).code(), Some(ErrorCode::MessageTooLarge));
}

#[test]
fn a_server_that_says_never_is_not_asked_again() {
    let mut talk = Talk::in_lobby();
    let _sent = talk.send("one");
    let send = talk.written().pop().unwrap();
    talk.hears(&json!({"type": "error", "ref": send["ref"], "code": "store_unavailable", "message": "no",
                       "retry_after_ms": u64::MAX}));
    talk.passes(Duration::from_secs(3_600));
    assert_eq!(talk.bodies(), [""; 0]);
    talk.hears(&json!({"type": "bye", "code": 1001, "reason": "r", "reconnect": true, "after_ms": u64::MAX}));
    assert!(talk.cut() > Some(Duration::from_secs(3_600)));
}

#[test]
fn reads_end_with_their_connection() {
    let mut talk = Talk::in_lobby();
    let read = talk.history();
    talk.cut();
    assert_eq!(error_of(read), CommandError::Disconnected);
    assert_eq!(error_of(talk.history()), CommandError::Disconnected);
}

#[test]
fn a_room_that_was_left_is_not_joined_again() {
    let mut talk = Talk::in_lobby();
    let sent = talk.send("one");
    let leaving = talk.leave();
    assert_eq!(error_of(talk.send("two")).code(), Some(ErrorCode::NotInRoom));
    assert_eq!(error_of(talk.join()).code(), Some(ErrorCode::AlreadyInRoom));
    let frames = talk.written();
    assert_eq!((&frames[0]["type"], &frames[1]["type"]), (&json!("send"), &json!("leave")));
    talk.cut();
    assert_eq!(answer(leaving), Ok(()));
    assert_eq!(error_of(sent), CommandError::LeftRoom);
    talk.welcome();
    assert_eq!(talk.written(), [] as [Value; 0]);
    let events = talk.events();
    assert!(matches!(&events[..], [Event::Left { .. }, Event::Disconnected { .. }, Event::Connected(_)]));
}

#[test]
fn being_put_out_while_leaving_ends_both() {
    let mut talk = Talk::in_lobby();
    let leaving = talk.leave();
    let leave = talk.written().pop().unwrap();
    talk.hears(&json!({"type": "left", "room": "lobby", "reason": "kicked"}));
    assert_eq!(answer(leaving), Ok(()));
    let joining = talk.join();
    talk.refuses(&leave, "not_in_room");
    talk.joined(9, &json!([]), false);
    assert!(answer(joining).is_ok(), "the late answer is not about the new stay");
}

#[test]
fn an_answer_that_can_t_be_read_is_an_answer() {
    let mut talk = Talk::in_lobby();
    let read = talk.history();
    let frame = talk.written().pop().unwrap();
    talk.refuses(&frame, "of_next_year");
    let CommandError::Refused { code, message, .. } = error_of(read) else { panic!("not refused") };
    assert_eq!((code, &*message), (ErrorCode::Internal, "of_next_year: no"));
    talk.hears(&json!({"type": "of_next_year"}));
    assert_eq!(talk.session.counting.read().strays, 2);
}

#[test]
fn what_has_no_place_is_counted_and_not_told() {
    let mut talk = Talk::begun();
    talk.events();
    talk.hears(&json!({"type": "typing", "room": "lobby", "username": "bob"}));
    talk.hears(&json!({"type": "message", "room": "lobby", "seq": 1, "id": "i", "from": "bob", "body": "hi",
                       "sent_at": "2026-01-01T00:00:00Z"}));
    talk.hears(&json!({"type": "pong", "ref": "77"}));
    talk.hears(&json!({"type": "pong"}));
    assert_eq!((talk.events().len(), talk.session.counting.read().strays), (0, 3));
}

#[test]
fn pauses_grow_until_a_connection_lasts() {
    let mut talk = Talk::begun();
    assert_eq!(talk.cut(), Some(Duration::from_millis(100)));
    let refused = ConnectError::Handshake { status: 503 };
    assert_eq!(talk.session.unreachable(refused), Some(Duration::from_millis(200)));
    talk.welcome();
    assert_eq!(talk.cut(), Some(Duration::from_millis(400)), "a short one is none");
    talk.welcome();
    talk.passes(Duration::from_secs(11));
    assert_eq!(talk.cut(), Some(Duration::from_millis(100)));
}

#[test]
fn a_bye_decides_and_without_one_a_few_codes_do() {
    let bye = |reconnect, after: Option<u64>| {
        let mut talk = Talk::begun();
        talk.hears(
            &json!({"type": "bye", "code": 1001, "reason": "r", "reconnect": reconnect, "after_ms": after}),
        );
        talk.cut()
    };
    assert_eq!(bye(false, None), None);
    assert_eq!(bye(true, None), Some(Duration::from_millis(100)));
    assert_eq!(bye(true, Some(3_000)), Some(Duration::from_millis(3_100)));
    for code in [4401, 4403, 4409] {
        let mut talk = Talk::begun();
        let end = Disconnect::Closed { code, reason: String::new() };
        assert_eq!(talk.session.disconnected(end, talk.now), None);
        assert!(matches!(talk.events().pop(), Some(Event::Closed(Closed::Forbidden { .. }))));
    }
    for code in [1000, 1001, 1005, 1009, 4408, 4503] {
        let mut talk = Talk::begun();
        assert!(
            talk.session.disconnected(Disconnect::Closed { code, reason: String::new() }, talk.now).is_some()
        );
    }
}

#[test]
fn a_leave_that_was_answered_is_forgotten() {
    let mut talk = Talk::begun();
    for _ in 0..3 {
        let _joining = talk.join();
        talk.joined(5, &json!([]), false);
        let _leaving = talk.leave();
        let leave = talk.written().pop().unwrap();
        talk.hears(&json!({"type": "left", "ref": leave["ref"], "room": "lobby", "reason": "asked"}));
        talk.events();
    }
    assert!(talk.session.rooms.is_empty());
    assert_eq!(talk.session.calls.len(), 0);
}

#[test]
fn what_was_said_before_a_leave_goes_before_it_also_while_the_join_is_unanswered() {
    let mut talk = Talk::begun();
    let _joining = talk.join();
    let join = talk.written().pop().unwrap();
    let _receipt = talk.send("hello");
    let leaving = talk.leave();
    assert!(talk.written().is_empty());
    talk.hears(&json!({
        "type": "joined", "ref": join["ref"], "room": "lobby", "epoch": "e", "seq": 5, "members": [],
        "member_count": 1, "messages": [], "recovered": false,
    }));
    let written = talk.written();
    let types: Vec<_> = written.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["send", "leave"]);
    talk.hears(&json!({"type": "left", "ref": written[1]["ref"], "room": "lobby", "reason": "asked"}));
    assert_eq!(answer(leaving), Ok(()));
}
