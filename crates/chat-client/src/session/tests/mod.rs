//! The session without a socket: commands and frames go in, frames and events come out.

mod conformance;
mod convergence;
mod own_messages;
mod resync;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::command::{Class, CommandQueue, PendingReply, Request};
use crate::model::{Ack, Closed, ConnectError, Disconnect};

struct Fixture {
    session: Session,
    queue: Arc<CommandQueue>,
    commands: mpsc::UnboundedReceiver<Request>,
    now: Instant,
}

fn lobby() -> RoomName {
    "lobby".parse().unwrap()
}

/// A message in a list, whose body is not the one that was sent.
fn message(seq: u64, id: &str, user: &str) -> Value {
    json!({"seq": seq, "id": id, "from": "ana", "user": user, "body": "changed", "sent_at": "2026-01-01T00:00:00Z"})
}

/// The answer of a command that has been answered.
fn answer<T>(reply: PendingReply<T>) -> Result<T, CommandError> {
    reply.now_or_never().expect("an answer")
}

fn error_of<T: std::fmt::Debug>(reply: PendingReply<T>) -> CommandError {
    answer(reply).unwrap_err()
}

impl Fixture {
    /// A connected session in no room.
    fn connected() -> Self {
        Self::connected_as(&json!({"id": "g_ana"}))
    }

    /// A connected session in no room, of the user with this `id` and, as a guest before, `was`.
    fn connected_as(user: &Value) -> Self {
        let options = Arc::new(Options::new("ws://localhost/ws", "ana".parse().unwrap()));
        let session = Session::new(options, Arc::default(), || 1.0);
        let (queue, commands) = CommandQueue::new(100, 100);
        let mut fixture = Self { session, queue, commands, now: Instant::now() };
        fixture.welcome_as(user);
        fixture
    }

    /// A session in the lobby, at number 5.
    fn in_lobby() -> Self {
        let mut fixture = Self::connected();
        let _joining = fixture.join();
        fixture.joined(5, &json!([]), false);
        fixture.events();
        fixture
    }

    fn welcome(&mut self) {
        self.welcome_as(&json!({"id": "g_ana"}));
    }

    fn welcome_as(&mut self, user: &Value) {
        let was = user.get("was").cloned().unwrap_or_else(|| json!([]));
        let welcome = json!({
            "session": "s1", "server": "test", "heartbeat_ms": 25_000,
            "user": {"id": user["id"], "username": "ana", "kind": "guest", "role": "user", "was": was},
            "limits": {"message_bytes": 1_000, "messages_per_second": 0, "burst": 0, "rooms": 10, "sessions": 20},
        });
        self.session.on_connected(serde_json::from_value(welcome).unwrap(), self.now);
    }

    fn submit<T: Send + 'static>(
        &mut self,
        request: impl FnOnce(Responder<T>) -> Request + Send + 'static,
    ) -> PendingReply<T> {
        let reply = self.queue.submit(Class::Call, request);
        self.session.on_request(self.commands.try_recv().unwrap(), self.now);
        reply
    }

    fn join(&mut self) -> PendingReply<Arc<crate::model::Joined>> {
        self.submit(|responder| Request::Join { room: lobby(), invite: None, history: 9, responder })
    }

    fn leave(&mut self) -> PendingReply<()> {
        self.submit(|responder| Request::Leave { room: lobby(), responder })
    }

    fn send(&mut self, body: &str) -> PendingReply<Ack> {
        let id = body.chars().take(8).collect::<String>().parse().unwrap();
        let message = body.into();
        self.submit(move |responder| Request::Send { room: lobby(), message, id, responder })
    }

    fn history(&mut self) -> PendingReply<Arc<HistoryPage>> {
        let query = crate::model::Page::Newest { limit: 1 }.into_frame(lobby());
        self.submit(|responder| Request::History { query, responder })
    }

    /// The frames that the session writes now.
    fn written(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.session.next_frame())
            .map(|frame| serde_json::from_str(&frame).unwrap())
            .collect()
    }

    /// The texts of the messages that the session writes now.
    fn bodies(&mut self) -> Vec<String> {
        self.written().iter().map(|frame| frame["body"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.next_event()).collect()
    }

    fn receives(&mut self, frame: &Value) {
        self.session.on_frame(&frame.to_string(), self.now);
    }

    /// A message of the lobby arrives.
    fn delivers(&mut self, message: &Value) {
        let mut frame = message.clone();
        frame["type"] = "message".into();
        frame["room"] = "lobby".into();
        self.receives(&frame);
    }

    /// The server answers the last join.
    fn joined(&mut self, seq: u64, messages: &Value, recovered: bool) -> Value {
        let join = self.written().into_iter().rfind(|frame| frame["type"] == "join").unwrap();
        self.answers_join(&join, "e", seq, messages, recovered.then_some(&json!([])));
        join
    }

    /// The server answers a join: without `changed`, nothing is recovered.
    fn answers_join(
        &mut self,
        join: &Value,
        epoch: &str,
        seq: u64,
        messages: &Value,
        changed: Option<&Value>,
    ) {
        let first = messages[0]["seq"].as_u64().unwrap_or(seq + 1);
        let mut joined = json!({
            "type": "joined", "ref": join["ref"], "room": "lobby", "epoch": epoch, "seq": seq, "oldest": 1,
            "members": [], "member_count": 1, "first": first, "last": seq, "messages": messages,
            "recovered": changed.is_some(),
        });
        if let Some(changed) = changed {
            joined["changed"] = changed.clone();
        }
        self.receives(&joined);
    }

    fn refused(&mut self, frame: &Value, code: &str) {
        self.receives(&json!({"type": "error", "ref": frame["ref"], "code": code, "message": "no"}));
    }

    fn acked(&mut self, frame: &Value, seq: u64) {
        self.receives(&json!({
            "type": "ack", "ref": frame["ref"], "room": "lobby", "seq": seq, "id": frame["id"],
            "sent_at": "2026-01-01T00:00:00.000Z",
        }));
    }

    fn disconnect(&mut self) -> Option<Duration> {
        self.session.on_disconnected(Disconnect::Lost("reset".into()), self.now)
    }

    /// The number of the last event of the lobby that was applied.
    fn cursor(&self) -> u64 {
        self.session.rooms[&lobby()].stream.as_ref().unwrap().cursor().seq
    }

    fn advance(&mut self, time: Duration) {
        self.now += time;
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.session.on_deadline(self.now);
        }
    }
}

#[test]
fn messages_are_sent_once_the_room_is_joined() {
    let mut fixture = Fixture::connected();
    let joining = fixture.join();
    let sent = fixture.send("one");
    drop(fixture.send("two"));
    let join = fixture.joined(0, &json!([]), false);
    assert_eq!((&join["history"], &join["since"]), (&json!(9), &Value::Null));
    assert_eq!(answer(joining).unwrap().seq, 0);
    let frames = fixture.written();
    assert_eq!((&frames[0]["body"], &frames[1]["body"]), (&json!("one"), &json!("two")));
    fixture.acked(&frames[0], 1);
    assert_eq!(answer(sent).unwrap().seq, 1);
    fixture.acked(&frames[0], 1);
    assert_eq!(
        fixture.session.counters.read().unexpected_frames,
        0,
        "a message that was sent again may be acked twice"
    );
}

#[test]
fn a_reconnect_rejoins_the_room_and_sends_unacked_messages_again() {
    let mut fixture = Fixture::in_lobby();
    assert_eq!(fixture.session.hello().replaces.as_deref(), Some("s1"));
    let sent = fixture.send("one");
    drop(fixture.send("two"));
    let first = fixture.written();
    fixture.acked(&first[0], 6);
    assert!(answer(sent).is_ok());
    assert!(fixture.disconnect().is_some());
    drop(fixture.send("three"));
    assert_eq!(fixture.written(), [] as [Value; 0], "not connected");
    fixture.welcome();
    let message = message(6, "one", "g_ana");
    let join = fixture.joined(6, &json!([message]), true);
    assert_eq!(join["since"], json!({"epoch": "e", "seq": 5}));
    let resent = fixture.written();
    assert_eq!(
        (&resent[0]["body"], &resent[0]["id"], &resent[1]["body"]),
        (&json!("two"), &first[1]["id"], &json!("three"))
    );
    let events = fixture.events();
    assert!(
        matches!(&events[..], [
        Event::Disconnected { .. },
        Event::Connected(_),
        Event::Joined(joined),
        Event::Message { .. },
        Event::Recovered { count: 1, .. },
    ] if joined.recovered && joined.messages.is_empty()),
        "{events:?}"
    );
}

#[test]
fn a_lost_join_is_repeated() {
    let mut fixture = Fixture::connected();
    let joining = fixture.join();
    fixture.written();
    fixture.disconnect();
    fixture.welcome();
    let join = fixture.joined(7, &json!([]), false);
    assert_eq!(join["since"], Value::Null);
    assert_eq!(answer(joining).unwrap().since, None);
}

#[test]
fn a_lost_join_that_is_refused_is_given_up() {
    let mut fixture = Fixture::connected();
    let joining = fixture.join();
    fixture.disconnect();
    fixture.welcome();
    let join = fixture.written().pop().unwrap();
    fixture.refused(&join, "username_taken");
    assert_eq!(error_of(joining).code(), Some(ErrorCode::UsernameTaken), "another user has the name");
    assert!(fixture.session.rooms.is_empty());
}

#[test]
fn a_first_join_is_refused_at_once() {
    let mut fixture = Fixture::connected();
    let joining = fixture.join();
    let sent = fixture.send("one");
    let join = fixture.written().pop().unwrap();
    fixture.refused(&join, "username_taken");
    assert_eq!(error_of(joining).code(), Some(ErrorCode::UsernameTaken));
    assert_eq!(error_of(sent).code(), Some(ErrorCode::UsernameTaken));
    assert!(fixture.session.rooms.is_empty() && fixture.session.pending.is_empty());
}

#[test]
fn messages_that_the_store_refuses_are_sent_again_in_order() {
    let mut fixture = Fixture::in_lobby();
    let sent = fixture.send("one");
    drop((fixture.send("two"), fixture.send("three")));
    let frames = fixture.written();
    fixture.refused(&frames[0], "store_unavailable");
    fixture.refused(&frames[1], "store_unavailable");
    fixture.refused(&frames[2], "store_unavailable");
    drop(fixture.send("four"));
    fixture.advance(Duration::from_millis(99));
    assert_eq!(fixture.bodies(), [""; 0]);
    fixture.advance(Duration::from_millis(1));
    let resent = fixture.written();
    assert_eq!((resent.len(), &resent[0]["id"], &resent[0]["ref"]), (1, &frames[0]["id"], &frames[0]["ref"]));
    fixture.refused(&resent[0], "store_unavailable");
    fixture.advance(Duration::from_millis(199));
    assert_eq!(fixture.bodies(), [""; 0], "the delay grows");
    fixture.advance(Duration::from_millis(1));
    let resent = fixture.written();
    fixture.acked(&resent[0], 6);
    assert!(answer(sent).is_ok());
    assert_eq!(fixture.bodies(), ["two", "three", "four"]);
}

#[test]
fn a_frame_over_the_limit_is_not_written() {
    let mut fixture = Fixture::in_lobby();
    let sent = fixture.send(&"x".repeat(1_000));
    drop(fixture.send("small"));
    assert_eq!(fixture.bodies(), ["small"]);
    assert_eq!(error_of(sent).code(), Some(ErrorCode::MessageTooLarge));
}

#[test]
fn an_endless_retry_delay_is_accepted() {
    let mut fixture = Fixture::in_lobby();
    let _sent = fixture.send("one");
    let send = fixture.written().pop().unwrap();
    fixture
        .receives(&json!({"type": "error", "ref": send["ref"], "code": "store_unavailable", "message": "no",
                       "retry_after_ms": u64::MAX}));
    fixture.advance(Duration::from_secs(3_600));
    assert_eq!(fixture.bodies(), [""; 0]);
    fixture.receives(
        &json!({"type": "bye", "code": 1001, "reason": "r", "reconnect": true, "after_ms": u64::MAX}),
    );
    assert!(fixture.disconnect() > Some(Duration::from_secs(3_600)));
}

#[test]
fn queries_fail_when_their_connection_ends() {
    let mut fixture = Fixture::in_lobby();
    let read = fixture.history();
    fixture.disconnect();
    assert_eq!(error_of(read), CommandError::Disconnected);
    assert_eq!(error_of(fixture.history()), CommandError::Disconnected);
}

#[test]
fn a_room_that_was_left_is_not_joined_again() {
    let mut fixture = Fixture::in_lobby();
    let sent = fixture.send("one");
    let leaving = fixture.leave();
    assert_eq!(error_of(fixture.send("two")).code(), Some(ErrorCode::NotInRoom));
    assert_eq!(error_of(fixture.join()).code(), Some(ErrorCode::AlreadyInRoom));
    let frames = fixture.written();
    assert_eq!((&frames[0]["type"], &frames[1]["type"]), (&json!("send"), &json!("leave")));
    fixture.disconnect();
    assert_eq!(answer(leaving), Ok(()));
    assert_eq!(error_of(sent), CommandError::LeftRoom);
    fixture.welcome();
    assert_eq!(fixture.written(), [] as [Value; 0]);
    let events = fixture.events();
    assert!(matches!(&events[..], [Event::Left { .. }, Event::Disconnected { .. }, Event::Connected(_)]));
}

#[test]
fn being_removed_while_leaving_answers_both() {
    let mut fixture = Fixture::in_lobby();
    let leaving = fixture.leave();
    let leave = fixture.written().pop().unwrap();
    fixture.receives(&json!({"type": "left", "room": "lobby", "reason": "kicked"}));
    assert_eq!(answer(leaving), Ok(()));
    let joining = fixture.join();
    fixture.refused(&leave, "not_in_room");
    fixture.joined(9, &json!([]), false);
    assert!(answer(joining).is_ok(), "the late answer is not for the new join");
}

#[test]
fn an_unreadable_answer_is_an_error() {
    let mut fixture = Fixture::in_lobby();
    let read = fixture.history();
    let frame = fixture.written().pop().unwrap();
    fixture.receives(&json!({"type": "history", "ref": frame["ref"], "room": "lobby", "messages": "many"}));
    let CommandError::Refused { code, message, .. } = error_of(read) else { panic!("not refused") };
    assert_eq!((code, &*message), (ErrorCode::Internal, "cannot read the answer of the server"));
    fixture.receives(&json!({"type": "unknown_thing"}));
    assert_eq!(fixture.session.counters.read().unexpected_frames, 2);
}

#[test]
fn unexpected_frames_are_counted_and_not_delivered() {
    let mut fixture = Fixture::connected();
    fixture.events();
    fixture.receives(&json!({"type": "typing", "room": "lobby", "username": "bob"}));
    fixture.receives(
        &json!({"type": "message", "room": "lobby", "seq": 1, "id": "i", "from": "bob", "user": "g_bob",
                       "body": "hi",
                       "sent_at": "2026-01-01T00:00:00Z"}),
    );
    fixture.receives(&json!({"type": "pong", "ref": "77"}));
    fixture.receives(&json!({"type": "pong"}));
    assert_eq!((fixture.events().len(), fixture.session.counters.read().unexpected_frames), (0, 3));
}

#[test]
fn delays_grow_until_a_connection_lasts() {
    let mut fixture = Fixture::connected();
    assert_eq!(fixture.disconnect(), Some(Duration::from_millis(100)));
    let refused = ConnectError::Handshake { status: 503 };
    assert_eq!(fixture.session.on_connect_failed(refused), Some(Duration::from_millis(200)));
    fixture.welcome();
    assert_eq!(fixture.disconnect(), Some(Duration::from_millis(400)), "a short connection does not count");
    fixture.welcome();
    fixture.advance(Duration::from_secs(11));
    assert_eq!(fixture.disconnect(), Some(Duration::from_millis(100)));
}

#[test]
fn a_bye_decides_whether_to_reconnect_and_otherwise_the_close_code() {
    let bye = |reconnect, after: Option<u64>| {
        let mut fixture = Fixture::connected();
        fixture.receives(
            &json!({"type": "bye", "code": 1001, "reason": "r", "reconnect": reconnect, "after_ms": after}),
        );
        fixture.disconnect()
    };
    assert_eq!(bye(false, None), None);
    assert_eq!(bye(true, None), Some(Duration::from_millis(100)));
    assert_eq!(bye(true, Some(3_000)), Some(Duration::from_millis(3_100)));
    for code in [4401, 4403, 4409] {
        let mut fixture = Fixture::connected();
        let end = Disconnect::Closed { code, reason: String::new() };
        assert_eq!(fixture.session.on_disconnected(end, fixture.now), None);
        assert!(matches!(fixture.events().pop(), Some(Event::Closed(Closed::Forbidden { .. }))));
    }
    for code in [1000, 1001, 1005, 1009, 4408, 4503] {
        let mut fixture = Fixture::connected();
        assert!(
            fixture
                .session
                .on_disconnected(Disconnect::Closed { code, reason: String::new() }, fixture.now)
                .is_some()
        );
    }
}

#[test]
fn an_answered_leave_is_removed() {
    let mut fixture = Fixture::connected();
    for _ in 0..3 {
        let _joining = fixture.join();
        fixture.joined(5, &json!([]), false);
        let _leaving = fixture.leave();
        let leave = fixture.written().pop().unwrap();
        fixture.receives(&json!({"type": "left", "ref": leave["ref"], "room": "lobby", "reason": "asked"}));
        fixture.events();
    }
    assert!(fixture.session.rooms.is_empty());
    assert_eq!(fixture.session.pending.len(), 0);
}

#[test]
fn messages_precede_a_later_leave_while_the_join_is_unanswered() {
    let mut fixture = Fixture::connected();
    let _joining = fixture.join();
    let join = fixture.written().pop().unwrap();
    let _receipt = fixture.send("hello");
    let leaving = fixture.leave();
    assert!(fixture.written().is_empty());
    fixture.answers_join(&join, "e", 5, &json!([]), None);
    let written = fixture.written();
    let types: Vec<_> = written.iter().map(|frame| frame["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["send", "leave"]);
    fixture.receives(&json!({"type": "left", "ref": written[1]["ref"], "room": "lobby", "reason": "asked"}));
    assert_eq!(answer(leaving), Ok(()));
}

#[test]
fn the_announcement_of_a_welcome_is_reported_unless_it_was_before() {
    let mut fixture = Fixture::connected();
    fixture.events();
    let announcement = |id: &str| json!({"id": id, "level": "info", "body": "b"});
    let mut reported = |announcement: Value| {
        let mut welcome = json!({
            "session": "s1", "server": "test", "heartbeat_ms": 25_000,
            "user": {"id": "g_ana", "username": "ana", "kind": "guest", "role": "user"},
            "limits": {"message_bytes": 1_000, "messages_per_second": 0, "burst": 0, "rooms": 10, "sessions": 20},
        });
        if !announcement.is_null() {
            welcome["announcement"] = announcement;
        }
        fixture.session.on_connected(serde_json::from_value(welcome).unwrap(), fixture.now);
        let events = std::iter::from_fn(|| fixture.session.next_event());
        let announcements = events.filter_map(|event| match event {
            Event::Announcement(announcement) => Some(announcement.map(|found| found.id.to_string())),
            _ => None,
        });
        announcements.collect::<Vec<_>>()
    };
    assert_eq!(reported(Value::Null), []);
    assert_eq!(reported(announcement("a1")), [Some("a1".to_owned())]);
    assert_eq!(reported(announcement("a1")), [], "after a reconnect");
    assert_eq!(reported(announcement("a2")), [Some("a2".to_owned())]);
    assert_eq!(reported(Value::Null), [None], "withdrawn while the client was away");
    assert_eq!(reported(Value::Null), []);
}
