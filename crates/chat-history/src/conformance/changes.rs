//! The tests of edits, and of deletions by users.

use std::sync::Arc;
use std::time::Duration;

use chat_protocol::{DeletedBy, MayPost, RoomSettings, Timestamp, UserId};

use super::History;
use super::helpers::{
    append, body, configure, delete, duplicate, edit, id, idempotent_message, message, name, newest, page,
    room, seq_of, stored, user,
};
use crate::{AppendError, Appended, NewDeletion, NewEdit, NewEvent, Page, Permission, StoredEvent};

fn ids(names: &[&str]) -> Arc<[UserId]> {
    names.iter().map(|name| user(name)).collect()
}

fn new_edit(target: u64, by: &str, body: &str) -> NewEdit {
    NewEdit::new(room("r"), target, ids(&[by]), name(by), body)
}

fn with_id(edit: NewEdit, own_id: &str) -> NewEdit {
    let mut edit = edit;
    edit.id = Some(id(own_id));
    edit
}

fn own_deletion(target: u64, by: &str) -> NewDeletion {
    NewDeletion::by_user(room("r"), target, ids(&[by]), Permission::new(0, false))
}

/// An edit is an event with a number, and changes the state of its message alone.
pub async fn an_edit_replaces_the_text(history: History) {
    let store = &*history.store;
    let first = stored(store, idempotent_message("r", "ana", "helo", "a")).await;
    seq_of(store, message("r", "bob", "hi")).await;
    let before = Timestamp::now();
    let edited = edit(store, new_edit(1, "ana", "hello")).await;
    let state = &edited.message;
    assert_eq!((edited.seq, state.seq, state.changed_seq, state.sent_at), (3, 1, Some(3), first.sent_at));
    let text = state.text().unwrap();
    assert_eq!((&*text.body, &text.user, &text.id), ("hello", &user("ana"), &id("a")));
    assert!(text.edited_at.is_some_and(|at| at >= before && at <= Timestamp::now()));

    let found = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    assert_eq!((&found.messages[0], body(&found.messages[1]), found.last), (state, Some("hi"), 3));
    let changed = store.changed(room("r"), 2, 9).await.unwrap();
    assert_eq!((changed.messages, changed.newest), (Some(vec![Arc::clone(state)]), 3));
    // the id of the message still stands for the text that was sent
    assert_eq!(&duplicate(store, idempotent_message("r", "ana", "helo", "a")).await, state);
    let other = append(store, idempotent_message("r", "ana", "hello", "a")).await;
    assert_eq!(other, Err(AppendError::IdReused));

    let again = edit(store, new_edit(1, "ana", "hello!")).await;
    assert_eq!((again.seq, again.message.changed_seq, body(&again.message)), (4, Some(4), Some("hello!")));
    let same = append(store, new_edit(1, "ana", "hello!")).await;
    assert_eq!((same, newest(store, "r").await), (Ok(Appended::Unchanged), 4));
}

/// Only the author edits a message, under any of its ids, and only a message that exists.
pub async fn only_the_author_edits(history: History) {
    let store = &*history.store;
    assert_eq!(append(store, new_edit(1, "ana", "hello")).await, Err(AppendError::NotFound));
    for by in ["ana", "bob", "ana"] {
        seq_of(store, message("r", by, "hello")).await;
    }
    delete(store, "r", &[3]).await;
    for (target, by, expected) in [
        (1, "bob", AppendError::NotAuthor),
        (2, "ana", AppendError::NotAuthor),
        (3, "ana", AppendError::NotFound),
        (4, "ana", AppendError::NotFound),
        (5, "ana", AppendError::NotFound),
        (u64::MAX, "ana", AppendError::NotFound),
    ] {
        assert_eq!(append(store, new_edit(target, by, "bye")).await, Err(expected), "{target} {by}");
    }
    let elsewhere = NewEdit::new(room("other"), 1, ids(&["ana"]), name("ana"), "bye");
    assert_eq!(append(store, elsewhere).await, Err(AppendError::NotFound));
    assert_eq!(newest(store, "r").await, 4);
    // who has registered has written under another id before
    let adopted = NewEdit::new(room("r"), 1, ids(&["new", "ana"]), name("ana"), "bye");
    assert_eq!(edit(store, adopted).await.message.text().unwrap().user, user("ana"));
}

/// An edit that is sent again is recognised by its id, whatever has happened meanwhile.
pub async fn a_repeated_edit_is_carried_out_once(history: History) {
    let store = &*history.store;
    seq_of(store, idempotent_message("r", "ana", "one", "m")).await;
    let first = || with_id(new_edit(1, "ana", "two"), "e");
    assert_eq!(edit(store, first()).await.seq, 2);
    assert_eq!(append(store, first()).await, Ok(Appended::Repeated(2)));
    assert_eq!(edit(store, new_edit(1, "ana", "three")).await.seq, 3);
    assert_eq!(append(store, first()).await, Ok(Appended::Repeated(2)));
    let found = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    assert_eq!(body(&found.messages[0]), Some("three"), "a late copy does not undo what came after");

    for other in [
        NewEvent::from(with_id(new_edit(1, "ana", "four"), "e")),
        with_id(new_edit(2, "ana", "two"), "e").into(),
        with_id(new_edit(1, "ana", "two"), "m").into(),
        idempotent_message("r", "ana", "two", "e").into(),
    ] {
        assert_eq!(append(store, other).await, Err(AppendError::IdReused));
    }
    let by_bob = with_id(new_edit(1, "bob", "two"), "e");
    assert_eq!(append(store, by_bob).await, Err(AppendError::NotAuthor), "the id of another user");
    delete(store, "r", &[1]).await;
    assert_eq!(append(store, first()).await, Ok(Appended::Repeated(2)));
    // in one commit
    let target = seq_of(store, message("r", "ana", "one")).await;
    let twice = || with_id(new_edit(target, "ana", "two"), "f");
    let (one, two) = (append(store, twice()), append(store, twice()));
    assert_eq!((one.await.unwrap().seq(), two.await), (Some(6), Ok(Appended::Repeated(6))));
}

/// Old messages are not edited, and neither are those whose author may not post any more.
pub async fn edits_have_a_window_and_need_permission(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "one")).await;
    let_time_pass();
    let windowed = |window, body| {
        let mut edit = new_edit(1, "ana", body);
        edit.window = Some(window);
        edit
    };
    assert_eq!(append(store, windowed(Duration::ZERO, "two")).await, Err(AppendError::TooLate));
    assert_eq!(edit(store, windowed(Duration::from_secs(3_600), "two")).await.seq, 2);
    configure(store, "r", &RoomSettings::default().post(MayPost::Moderators)).await;
    let checked = |version, is_allowed| {
        let mut edit = with_id(new_edit(1, "ana", "three"), "e");
        edit.permission = Some(Permission::new(version, is_allowed));
        edit
    };
    let outdated = append(store, checked(0, true)).await;
    assert_eq!(outdated, Err(AppendError::PolicyChanged(Box::new(checked(0, true).into()))));
    assert_eq!(append(store, checked(1, false)).await, Err(AppendError::NotAllowed));
    assert_eq!(edit(store, checked(1, true)).await.seq, 4);
    assert_eq!(append(store, checked(1, false)).await, Ok(Appended::Repeated(4)), "it is stored");
}

/// Waits until the clock shows another millisecond: the age of a message is more than zero then.
fn let_time_pass() {
    let start = Timestamp::now();
    while Timestamp::now() <= start {
        std::thread::yield_now();
    }
}

/// A user deletes own messages only, and a moderator those of others, too.
pub async fn a_user_deletes_own_messages(history: History) {
    let store = &*history.store;
    assert_eq!(append(store, own_deletion(1, "ana")).await, Err(AppendError::NotFound));
    for by in ["ana", "bob", "ana"] {
        seq_of(store, message("r", by, "hello")).await;
    }
    assert_eq!(append(store, own_deletion(2, "ana")).await, Err(AppendError::NotAuthor));
    assert_eq!(append(store, own_deletion(4, "ana")).await, Err(AppendError::NotFound));
    edit(store, new_edit(1, "ana", "bye")).await;
    match append(store, own_deletion(1, "ana")).await {
        Ok(Appended::Stored(StoredEvent::Deletion(deletion))) => {
            assert_eq!((deletion.seq, deletion.by), (5, DeletedBy::Author));
            assert_eq!((deletion.messages[0].seq, deletion.messages[0].text()), (1, None));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(append(store, own_deletion(1, "ana")).await, Ok(Appended::Unchanged));
    assert_eq!(append(store, new_edit(1, "ana", "again")).await, Err(AppendError::NotFound));
    let found = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    let bodies: Vec<_> = found.messages.iter().map(|message| body(message)).collect();
    assert_eq!((bodies, found.last), (vec![None, Some("hello"), Some("hello")], 5));
    let adopted = NewDeletion::by_user(room("r"), 3, ids(&["new", "ana"]), Permission::new(0, false));
    assert_eq!(append(store, adopted).await.unwrap().seq(), Some(6));
    // a moderator deletes those of others, and is the author of own ones
    seq_of(store, message("r", "mod", "hello")).await;
    for (target, expected) in [(2, DeletedBy::Moderator), (7, DeletedBy::Author)] {
        match append(store, NewDeletion::by_user(room("r"), target, ids(&["mod"]), Permission::new(0, true)))
            .await
        {
            Ok(Appended::Stored(StoredEvent::Deletion(deletion))) => assert_eq!(deletion.by, expected),
            other => panic!("{other:?}"),
        }
    }
}
