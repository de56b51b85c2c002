//! The announcement of the operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_access::SqliteAccess;
use chat_db::sqlite::Database;
use chat_protocol::v2::NoticeLevel;
use chat_server::{AnnounceError, Config, Control};
use chat_testkit::Client;
use chat_testkit::v2::Session;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{config, start, start_with};

/// All announcements and withdrawals before the reply to a ping.
async fn announcements(session: &mut Session) -> Vec<Value> {
    session.send(&json!({ "type": "ping" })).await;
    let mut found = Vec::new();
    loop {
        let frame = session.frame().await;
        match frame["type"].as_str() {
            Some("announcement") => found.push(frame),
            Some("pong") => return found,
            _ => {}
        }
    }
}

async fn announce(control: &Control, level: NoticeLevel, body: &str) -> Value {
    let made = control.announce(level, body).await.unwrap();
    json!({ "id": made.id, "level": made.level, "body": body })
}

/// The announcement in a frame of its own.
fn framed(announcement: &Value) -> Value {
    let mut frame = announcement.clone();
    frame["type"] = "announcement".into();
    frame
}

fn withdrawn(announcement: &Value) -> Value {
    json!({ "type": "announcement", "id": announcement["id"], "withdrawn": true })
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_receive_the_announcement_and_new_ones_have_it_in_their_welcome() {
    let server = start().await;
    let (mut ana, _) = Session::enter(server.address, "one", "ana").await;
    ana.join("two").await;
    let mut roomless = Session::hello(server.address, "cid").await;
    let mut rendered =
        Session::hello_with(server.address, json!({ "username": "bob", "render": true })).await;
    assert!(ana.welcome.get("announcement").is_none());
    let mut classic = Client::enter(server.address, "one", "dan").await;
    assert_eq!(classic.brief().await, "+dan");

    let first = announce(&server.control, NoticeLevel::Warning, "we *move*").await;
    let mut first_html = first.clone();
    first_html["html"] = "<p dir=\"auto\">we <em>move</em></p>\n".into();
    assert_eq!(announcements(&mut ana).await, [framed(&first)]);
    assert_eq!(announcements(&mut roomless).await, [framed(&first)]);
    assert_eq!(announcements(&mut rendered).await, [framed(&first_html)]);
    let later = Session::hello(server.address, "eve").await;
    assert_eq!(later.welcome["announcement"], first);
    let later = Session::hello_with(server.address, json!({ "username": "eve", "render": true })).await;
    assert_eq!(later.welcome["announcement"], first_html);

    // the same again brings nothing back that users have dismissed
    assert_eq!(announce(&server.control, NoticeLevel::Warning, "we *move*").await, first);
    assert_eq!(announcements(&mut ana).await, [] as [Value; 0]);
    // another one takes its place, also if only the level differs
    let second = announce(&server.control, NoticeLevel::Info, "we *move*").await;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(announcements(&mut ana).await, [framed(&second)]);

    let taken = server.control.withdraw_announcement().await.unwrap().unwrap();
    assert_eq!(json!(taken.id), second["id"]);
    assert_eq!(announcements(&mut ana).await, [withdrawn(&second)]);
    assert_eq!(announcements(&mut rendered).await.pop(), Some(withdrawn(&second)));
    assert_eq!(server.control.withdraw_announcement().await.unwrap(), None);
    assert_eq!(announcements(&mut ana).await, [] as [Value; 0]);
    assert!(Session::hello(server.address, "eve").await.welcome.get("announcement").is_none());
    // classic clients receive nothing of it
    classic.send_message("hi").await;
    assert_eq!(classic.brief().await, "dan: hi");
    server.stop().await.unwrap();
}

/// What a session is sent after its `welcome`, up to this announcement.
async fn frames_up_to(mut session: Session, last: &str) -> (Option<Value>, Vec<Value>) {
    let mut frames = Vec::new();
    let welcomed = session.welcome.get("announcement").map(framed);
    while welcomed.iter().chain(&frames).next_back().is_none_or(|frame| frame["body"] != last) {
        frames.push(session.next("announcement").await);
    }
    (welcomed, frames)
}

/// Sessions begin while the announcement changes all the time. Each is sent every change after the
/// one that its `welcome` has.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_begins_during_a_change_does_not_miss_it() {
    let server = start().await;
    let (control, is_over) = (server.control.clone(), Arc::new(AtomicBool::new(false)));
    let ending = Arc::clone(&is_over);
    let changes = tokio::spawn(async move {
        let mut changes = Vec::new();
        for n in 0.. {
            let is_last = ending.load(Ordering::Relaxed);
            let body = if is_last { "last".to_owned() } else { n.to_string() };
            let made = announce(&control, NoticeLevel::Info, &body).await;
            changes.push(framed(&made));
            if is_last {
                break;
            }
            if n % 3 == 0 {
                control.withdraw_announcement().await.unwrap();
                changes.push(withdrawn(&made));
            }
        }
        changes
    });
    let starting = async |n: usize| {
        let mut sessions = Vec::new();
        for m in 0..25 {
            let session = Session::hello(server.address, &format!("u{n}-{m}")).await;
            sessions.push(tokio::spawn(frames_up_to(session, "last")));
        }
        sessions
    };
    let sessions = join_all((0..8).map(starting)).await;
    is_over.store(true, Ordering::Relaxed);
    let changes = changes.await.unwrap();
    for session in sessions.into_iter().flatten() {
        let (welcomed, mut frames) = session.await.unwrap();
        // a frame may repeat what `welcome` has, also that there is none
        let repeats = |first: &Value| match &welcomed {
            Some(welcomed) => first == welcomed,
            None => first["withdrawn"] == true,
        };
        if frames.first().is_some_and(repeats) {
            frames.remove(0);
        }
        let (before, after) = changes.split_at(changes.len() - frames.len());
        assert_eq!(frames, after, "every later change, in order");
        let last = before.last().filter(|change| change.get("withdrawn").is_none());
        assert_eq!(welcomed.as_ref(), last, "and the welcome has what was before");
    }
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_announcement_survives_a_restart_and_a_failure_of_the_store_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("access.sqlite3")).unwrap();
    let stored = || Config { access: Some(Arc::new(SqliteAccess::new(database.clone()))), ..config() };
    let server = start_with(stored()).await;
    let made = announce(&server.control, NoticeLevel::Info, "we move").await;
    let control = server.control.clone();
    server.stop().await.unwrap();
    let late = control.announce(NoticeLevel::Info, "too late").await;
    assert!(matches!(late, Err(AnnounceError::ShuttingDown)), "{late:?}");

    let server = start_with(stored()).await;
    let mut ana = Session::hello(server.address, "ana").await;
    assert_eq!(ana.welcome["announcement"], made);
    database.close().await;
    let failed = server.control.announce(NoticeLevel::Info, "not stored").await;
    assert!(matches!(failed, Err(AnnounceError::Store(_))), "{failed:?}");
    let failed = server.control.withdraw_announcement().await;
    assert!(matches!(failed, Err(AnnounceError::Store(_))), "{failed:?}");
    assert_eq!(announcements(&mut ana).await, [] as [Value; 0]);
    assert_eq!(&*server.control.announcement().unwrap().body, "we move");
    assert_eq!(Session::hello(server.address, "bob").await.welcome["announcement"], made);
    server.stop().await.unwrap();
}
