//! The tests of replies, reactions and mentions.

use std::sync::Arc;

use chat_protocol::{
    Emoji, MAX_REACTIONS, MayPost, Mention, OwnReactions, Reaction, ReactionChange, Reactor, ReplyTo,
    RoomSettings, UserId, Username,
};

use super::History;
use super::helpers::{
    append, configure, delete, duplicate, edit, id, idempotent_message, message, name, newest, page, prune,
    react, reaction, room, seq_of, seqs, stored, user,
};
use crate::{
    AppendError, Appended, Count, HistoryStore, Mentions, MessageContext, NewEdit, NewEvent, NewMessage,
    NewReaction, Page, Permission, Retention,
};

fn emoji(text: &str) -> Emoji {
    Emoji::parse(text).unwrap()
}

fn reactor(text: &str) -> Reactor {
    Reactor { username: name(text), user: user(text) }
}

/// The reactions on a message as `emoji:count:names`, as a page has them.
async fn reactions(store: &dyn HistoryStore, seq: u64) -> Vec<String> {
    let found = page(store, "r", Page::After { seq: seq - 1, limit: 1 }).await;
    let text = found.messages[0].text().unwrap();
    let each = |reaction: &Reaction| {
        let names: Vec<_> = reaction.users.iter().map(Username::as_str).collect();
        format!("{}:{}:{}", reaction.emoji, reaction.count, names.join(","))
    };
    text.reactions().iter().map(each).collect()
}

async fn own(store: &dyn HistoryStore, targets: &[u64], users: &[&str]) -> OwnReactions {
    let users = users.iter().map(|name| user(name)).collect();
    store.own_reactions(room("r"), targets.to_vec(), users).await.unwrap().reactions
}

fn reply(from: &str, body: &str, target: u64) -> NewMessage {
    with_context(message("r", from, body), Some(target), Mentions::default())
}

fn with_context(message: NewMessage, reply_to: Option<u64>, mentions: Mentions) -> NewMessage {
    message.context(MessageContext::new(reply_to, mentions))
}

/// A reply has the author of its target, as it was, and needs one that exists.
pub async fn a_reply_names_the_author_of_its_target(history: History) {
    let store = &*history.store;
    assert_eq!(append(store, reply("bob", "hi", 1)).await, Err(AppendError::NotFound));
    // in one commit
    let (first, second) = (append(store, message("r", "ana", "hi")), append(store, reply("bob", "you", 1)));
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!((first.seq(), second.seq()), (Some(1), Some(2)));
    let expected = ReplyTo { seq: 1, from: name("ana"), user: user("ana") };
    assert_eq!(second.message().unwrap().text().unwrap().reply_to.as_deref(), Some(&expected));
    seq_of(store, message("r", "ana", "bye")).await;
    delete(store, "r", &[3]).await;
    for target in [3, 4, 5, 1 << 50, u64::MAX] {
        assert_eq!(append(store, reply("bob", "hi", target)).await, Err(AppendError::NotFound), "{target}");
    }
    delete(store, "r", &[1]).await;
    let found = page(store, "r", Page::After { seq: 1, limit: 1 }).await;
    assert_eq!(found.messages[0], *second.message().unwrap());
    // the deletion of a reply removes what it replies to
    delete(store, "r", &[2]).await;
    let found = page(store, "r", Page::After { seq: 1, limit: 1 }).await;
    assert!(found.messages[0].text().is_none());
}

/// A repeated reply is recognised although its target was deleted, and one to another target is not
/// a repeat.
pub async fn a_repeated_reply_is_a_duplicate(history: History) {
    let store = &*history.store;
    for from in ["ana", "bob"] {
        seq_of(store, message("r", from, "hi")).await;
    }
    let own = |target| with_context(idempotent_message("r", "cid", "you", "a"), target, Mentions::default());
    let first = stored(store, own(Some(1))).await;
    delete(store, "r", &[1]).await;
    assert_eq!(duplicate(store, own(Some(1))).await, first);
    for other in [Some(2), Some(9), None] {
        assert_eq!(append(store, own(other)).await, Err(AppendError::IdReused), "{other:?}");
    }
    assert_eq!(newest(store, "r").await, 4);
}

/// A reaction is an event with a number, and changes the state of its message.
pub async fn a_reaction_changes_its_message(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "hi")).await;
    seq_of(store, message("r", "ana", "there")).await;
    let added = react(store, reaction("r", "bob", 1, "👍", true)).await;
    let change = |count, added: &[&str], removed: &[&str]| ReactionChange {
        emoji: emoji("👍"),
        count,
        added: added.iter().map(|name| reactor(name)).collect(),
        removed: removed.iter().map(|name| reactor(name)).collect(),
    };
    assert_eq!((added.seq, &added.change), (3, &change(1, &["bob"], &[])));
    assert_eq!((added.message.seq, added.message.changed_seq), (1, Some(3)));
    assert!(added.message.text().unwrap().edited_at.is_none());
    let found = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    assert_eq!((&found.messages[0], seqs(&found.messages)), (&added.message, vec![1, 2]));
    let changed = store.changed(room("r"), 2, 9).await.unwrap();
    assert_eq!(changed.messages.unwrap(), [Arc::clone(&added.message)]);

    react(store, reaction("r", "cid", 1, "🎉", true)).await;
    react(store, reaction("r", "cid", 1, "👍", true)).await;
    assert_eq!(reactions(store, 1).await, ["👍:2:bob,cid", "🎉:1:cid"]);
    let again = append(store, reaction("r", "cid", 1, ":+1:", true)).await;
    assert_eq!(again, Ok(Appended::Unchanged), "in another spelling");
    let removed = react(store, reaction("r", "bob", 1, "👍", false)).await;
    assert_eq!((removed.seq, &removed.change), (6, &change(1, &[], &["bob"])));
    assert_eq!(append(store, reaction("r", "bob", 1, "👍", false)).await, Ok(Appended::Unchanged));
    react(store, reaction("r", "cid", 1, "👍", false)).await;
    assert_eq!(reactions(store, 1).await, ["🎉:1:cid"]);
    react(store, reaction("r", "cid", 1, "👍", true)).await;
    assert_eq!(reactions(store, 1).await, ["🎉:1:cid", "👍:1:cid"], "an emoji that was gone is the last");
    assert_eq!(newest(store, "r").await, 8);
}

/// An edit keeps the reactions, and a deletion removes them.
pub async fn reactions_stay_with_the_text(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "hi")).await;
    react(store, reaction("r", "bob", 1, "👍", true)).await;
    let authors: Arc<[UserId]> = [user("ana")].into();
    let edited = edit(store, NewEdit::new(room("r"), 1, Arc::clone(&authors), name("ana"), "hello")).await;
    assert_eq!(edited.message.text().unwrap().reactions().len(), 1);
    assert_eq!(reactions(store, 1).await, ["👍:1:bob"]);
    let reacted = react(store, reaction("r", "cid", 1, "👍", true)).await;
    let text = reacted.message.text().unwrap();
    assert_eq!((&*text.body, text.edited_at), ("hello", edited.message.text().unwrap().edited_at));
    assert_eq!(reacted.message.sent_at, edited.message.sent_at);

    delete(store, "r", &[1]).await;
    for is_added in [true, false] {
        let late = append(store, reaction("r", "bob", 1, "👍", is_added)).await;
        assert_eq!(late, Err(AppendError::NotFound));
    }
    assert_eq!(own(store, &[1], &["bob"]).await, OwnReactions::new());
    for target in [5, 6, 1 << 50, u64::MAX] {
        let wrong = append(store, reaction("r", "bob", target, "👍", true)).await;
        assert_eq!(wrong, Err(AppendError::NotFound), "{target}");
    }
    assert_eq!(append(store, reaction("s", "bob", 1, "👍", true)).await, Err(AppendError::NotFound));
}

/// Counts are exact however many users react; the names are a sample.
pub async fn reactions_are_counted(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "hi")).await;
    let mut pending = Vec::new();
    for n in 0..30 {
        pending.push(append(store, reaction("r", &format!("u{n}"), 1, "👍", true)));
    }
    for (n, appended) in pending.into_iter().enumerate() {
        assert_eq!(appended.await.unwrap().seq(), Some(n as u64 + 2));
    }
    let listed = |found: &[String]| {
        let parts: Vec<_> = found[0].split(':').collect();
        (parts[1].parse::<u64>().unwrap(), parts[2].split(',').count())
    };
    assert_eq!(listed(&reactions(store, 1).await), (30, 10));
    for n in 0..25 {
        react(store, reaction("r", &format!("u{n}"), 1, "👍", false)).await;
    }
    assert_eq!(reactions(store, 1).await.len(), 1);
    let found = reactions(store, 1).await;
    let mut names: Vec<_> = found[0].rsplit(':').next().unwrap().split(',').collect();
    names.sort_unstable();
    assert_eq!((listed(&found).0, names), (5, vec!["u25", "u26", "u27", "u28", "u29"]));
}

/// A message has at most [`MAX_REACTIONS`] different emoji.
pub async fn a_message_has_a_limited_number_of_emoji(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "hi")).await;
    let all: Vec<_> = ('\u{1f600}'..).take(MAX_REACTIONS + 1).map(|emoji| emoji.to_string()).collect();
    for emoji in &all[..MAX_REACTIONS] {
        react(store, reaction("r", "bob", 1, emoji, true)).await;
    }
    let more = || append(store, reaction("r", "bob", 1, &all[MAX_REACTIONS], true));
    assert_eq!(more().await, Err(AppendError::LimitReached));
    react(store, reaction("r", "cid", 1, &all[0], true)).await;
    for from in ["bob", "cid"] {
        react(store, reaction("r", from, 1, &all[0], false)).await;
    }
    assert!(matches!(more().await, Ok(Appended::Stored(_))));
    assert_eq!(reactions(store, 1).await.len(), MAX_REACTIONS);
}

/// All ids of a user are one user.
pub async fn a_user_reacts_once_under_all_of_its_ids(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "hi")).await;
    react(store, reaction("r", "guest", 1, "👍", true)).await;
    react(store, reaction("r", "bob", 1, "👍", true)).await;
    let authors: Arc<[UserId]> = [user("account"), user("guest")].into();
    let as_account = |is_added| {
        NewReaction::new(room("r"), 1, Arc::clone(&authors), name("account"), emoji("👍"), is_added)
    };
    assert_eq!(append(store, as_account(true)).await, Ok(Appended::Unchanged));
    let mine = OwnReactions::from([(1, vec![emoji("👍")])]);
    assert_eq!(own(store, &[1], &["account", "guest"]).await, mine);
    let removed = react(store, as_account(false)).await;
    assert_eq!((removed.change.count, &removed.change.removed), (1, &vec![reactor("guest")]));
    assert_eq!(own(store, &[1], &["account", "guest"]).await, OwnReactions::new());
    assert_eq!(own(store, &[1, 7, u64::MAX], &["bob"]).await, mine);
    let nowhere = store.own_reactions(room("s"), vec![1], vec![user("bob")]).await.unwrap();
    assert_eq!((nowhere.reactions, nowhere.newest), (OwnReactions::new(), newest(store, "s").await));
    let all = store.own_reactions(room("r"), vec![1], vec![user("bob")]).await.unwrap();
    assert_eq!(all.newest, 4);
}

/// Who may not post may not react.
pub async fn a_reaction_needs_permission(history: History) {
    let store = &*history.store;
    seq_of(store, message("r", "ana", "hi")).await;
    let (_, version) = configure(store, "r", &RoomSettings::default().post(MayPost::Moderators)).await;
    let mut new = reaction("r", "bob", 1, "👍", true);
    new.permission = Some(Permission::new(version - 1, true));
    let outdated = AppendError::PolicyChanged(Box::new(NewEvent::Reaction(new.clone())));
    assert_eq!(append(store, new.clone()).await, Err(outdated));
    new.permission = Some(Permission::new(version, false));
    assert_eq!(append(store, new.clone()).await, Err(AppendError::NotAllowed));
    new.permission = Some(Permission::new(version, true));
    assert!(matches!(append(store, new).await, Ok(Appended::Stored(_))));
}

/// Retention counts messages, whatever their reactions, and takes the reactions along.
pub async fn pruning_takes_reactions_and_mentions_along(history: History) {
    let store = &*history.store;
    for n in 0..4 {
        let mentions = Mentions::new([Mention::User(user("eve"))], Vec::new());
        seq_of(store, with_context(message("r", "ana", &n.to_string()), None, mentions)).await;
    }
    for n in 0..1_000 {
        let (from, target) = (format!("u{n}"), n % 4 + 1);
        react(store, reaction("r", &from, target, "👍", true)).await;
    }
    let kept = Retention::new(None, Some(2));
    let found = store.page(room("r"), Page::After { seq: 0, limit: 9 }, kept).await.unwrap();
    assert_eq!(seqs(&found.messages), [3, 4]);
    prune(store, kept).await;
    let found = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    assert_eq!((seqs(&found.messages), found.newest), (vec![3, 4], 1_004));
    assert_eq!(reactions(store, 3).await[0].split(':').nth(1), Some("250"));
    assert_eq!(own(store, &[1, 2, 3, 4], &["u0", "u2"]).await.into_keys().collect::<Vec<_>>(), [3]);
    let late = append(store, reaction("r", "bob", 1, "👍", true)).await;
    assert_eq!(late, Err(AppendError::NotFound));
    assert_eq!(append(store, reply("bob", "hi", 2)).await, Err(AppendError::NotFound));
    assert_eq!(mentioned(store, 0, &["eve"], 9).await, 2);
}

async fn mentioned(store: &dyn HistoryStore, after: u64, users: &[&str], max: usize) -> usize {
    let users = users.iter().map(|name| user(name)).collect();
    let counted =
        store.mentions_after(room("r"), after, users, Vec::new(), max, Retention::default()).await.unwrap();
    assert_eq!(counted.newest, newest(store, "r").await);
    counted.messages
}

/// Mentions of a user, and of everyone, are counted in messages of others.
pub async fn mentions_are_counted(history: History) {
    let store = &*history.store;
    let to = |named: &[&str], counted: &[&str]| {
        let mention = |name: &&str| match *name {
            "@room" => Mention::Room,
            name => Mention::User(user(name)),
        };
        let named: Vec<_> = named.iter().map(mention).collect();
        Mentions::new(named, counted.iter().map(|name| user(name)).collect())
    };
    for (from, mentions) in [
        ("ana", to(&["bob"], &[])),
        ("ana", to(&["bob", "bob", "cid"], &["bob"])),
        ("bob", to(&["@room"], &[])),
        ("ana", to(&[], &["bob"])),
        ("ana", to(&[], &[])),
    ] {
        seq_of(store, with_context(message("r", from, "hi"), None, mentions)).await;
    }
    let found = page(store, "r", Page::After { seq: 0, limit: 9 }).await;
    let named: Vec<_> =
        found.messages.iter().map(|message| message.text().unwrap().mentions().to_vec()).collect();
    let (bob, cid) = (Mention::User(user("bob")), Mention::User(user("cid")));
    assert_eq!(named, [vec![bob.clone()], vec![bob.clone(), cid], vec![Mention::Room], vec![], vec![]]);
    assert_eq!(mentioned(store, 0, &["bob"], 9).await, 3, "not his own");
    assert_eq!(mentioned(store, 0, &["bob"], 2).await, 2, "up to a limit");
    assert_eq!(mentioned(store, 1, &["bob"], 9).await, 2);
    assert_eq!(mentioned(store, 0, &["cid"], 9).await, 2, "everyone");
    assert_eq!(mentioned(store, 0, &["ana"], 9).await, 1);
    assert_eq!(mentioned(store, 0, &["ana", "bob"], 9).await, 0, "as one user");
    assert_eq!(mentioned(store, u64::MAX, &["bob"], 9).await, 0);

    // an edit addresses others, and a deletion nobody
    let authors: Arc<[UserId]> = [user("ana")].into();
    let mut new = NewEdit::new(room("r"), 1, authors, name("ana"), "hello");
    new.mentions = to(&["dan"], &["eve"]);
    new.id = Some(id("e"));
    let edited = edit(store, new).await;
    assert_eq!(edited.message.text().unwrap().mentions(), [Mention::User(user("dan"))]);
    assert_eq!(mentioned(store, 0, &["bob"], 9).await, 2);
    assert_eq!(mentioned(store, 0, &["eve"], 9).await, 2);
    delete(store, "r", &[2, 3]).await;
    assert_eq!(mentioned(store, 0, &["cid"], 9).await, 0);
    let none =
        store.mentions_after(room("s"), 0, vec![user("bob")], Vec::new(), 9, Retention::default()).await;
    assert_eq!(none, Ok(Count::new(0, newest(store, "s").await)));
}
