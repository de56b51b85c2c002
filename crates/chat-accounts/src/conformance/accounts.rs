//! The tests of accounts.

use std::num::NonZeroU32;

use chat_protocol::{Identity, Role, UserKind};
use futures::future::join_all;

use super::Accounts;
use super::helpers::{
    account, add, at, create, epoch, find, guest, hash, name, new, reserved, room, token, unknown,
};
use crate::{
    Counts, CreateError, InviteCode, MAX_PAGE, NewInvite, ProfileChange, Reservation, RoomChange, Subject,
    TokenKind, TokenSecret,
};

fn subject(text: &str) -> Subject {
    Subject::new("https://issuer.example", text).unwrap()
}

/// All parts of an account are stored, and it is found by its id and its exact name.
pub async fn an_account_is_read_as_it_was_created(accounts: Accounts) {
    let store = &*accounts.store;
    let all =
        new("Ana").service().with_role(Role::Moderator).with_password(hash('x')).with_subject(subject("1"));
    let ana = store.create(all.adopting(guest("1"))).await.unwrap();
    assert_eq!(ana.username, name("Ana"));
    assert_eq!((ana.kind(), ana.role), (UserKind::Service, Role::Moderator));
    assert_eq!((ana.password_hash.clone(), ana.subject.clone()), (Some(hash('x')), Some(subject("1"))));
    assert_eq!((&*ana.guests, ana.created_at, ana.disabled_at), (&[guest("1")][..], at(0), None));
    let identity = Identity::service(ana.id.clone(), name("Ana")).unwrap().with_role(Role::Moderator);
    assert_eq!(ana.identity(), Ok(identity));

    let bob = create(store, "bob").await;
    assert_eq!((bob.kind(), bob.role), (UserKind::Account, Role::User));
    assert_eq!((&bob.password_hash, &bob.subject, bob.guests.len()), (&None, &None, 0));
    assert_eq!(account(store, &ana.id).await, ana);
    assert_eq!(store.by_username(name("Ana")).await.unwrap(), Some(ana));
    assert_eq!(store.by_username(name("bob")).await.unwrap(), Some(bob));
    assert_eq!(store.by_username(name("ana")).await.unwrap(), None);
    assert_eq!(store.account(unknown()).await.unwrap(), None);
}

/// An id is `u_` and 22 random characters.
pub async fn each_account_has_a_random_id(accounts: Accounts) {
    let (ana, bob) = (create(&*accounts.store, "ana").await, create(&*accounts.store, "bob").await);
    assert_ne!(ana.id, bob.id);
    for id in [ana.id, bob.id] {
        assert!(id.as_str().starts_with("u_") && id.as_str().len() == 24, "{id}");
    }
}

/// An account is found by issuer and subject. Both belong to one account at a time, and neither
/// does alone.
pub async fn a_subject_belongs_to_one_account(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = store.create(new("ana").with_subject(subject("1"))).await.unwrap();
    let refused = store.create(new("bob").with_subject(subject("1"))).await;
    assert!(matches!(refused, Err(CreateError::SubjectTaken)), "{refused:?}");
    assert_eq!(store.by_username(name("bob")).await.unwrap(), None);
    let other = Subject::new("https://other.example", "1").unwrap();
    let bob = store.create(new("bob").with_subject(other.clone())).await.unwrap();
    assert_eq!(store.by_subject(subject("1")).await.unwrap(), Some(ana));
    assert_eq!(store.by_subject(other).await.unwrap(), Some(bob));
    assert_eq!(store.by_subject(subject("2")).await.unwrap(), None);
    // the attempt that comes second finds that the first has succeeded, whatever name it took
    let refused = store.create(new("ana").with_subject(subject("1"))).await;
    assert!(matches!(refused, Err(CreateError::SubjectTaken)), "{refused:?}");
}

/// Subjects are told apart by each character, also by those that a database may not accept.
pub async fn a_subject_may_have_any_characters(accounts: Accounts) {
    let store = &*accounts.store;
    let subjects = ["\0", "\u{1}", "\u{1}\u{1}", "\u{1}\u{2}", "a\0b", "ab", "a\\0b", "a%b", "ä\u{fffd}"];
    for (n, text) in subjects.into_iter().enumerate() {
        for (issuer, prefix) in [("https://issuer.example", "a"), (text, "b")] {
            let subject = Subject::new(issuer, text).unwrap();
            let created = new(&format!("{prefix}{n}")).with_subject(subject.clone());
            let created = store.create(created).await.unwrap();
            assert_eq!(created.subject, Some(subject.clone()));
            assert_eq!(store.by_subject(subject).await.unwrap(), Some(created), "{text:?}");
        }
    }
}

/// The id of a guest is tied to one account.
pub async fn a_guest_is_adopted_by_one_account(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = store.create(new("ana").adopting(guest("1"))).await.unwrap();
    let refused = store.create(new("bob").adopting(guest("1"))).await;
    assert!(matches!(refused, Err(CreateError::GuestAlreadyAdopted)), "{refused:?}");
    assert_eq!(reserved(store, "bob").await, None, "nothing is left of the attempt");
    assert_eq!(store.by_guest(guest("1")).await.unwrap(), Some(ana));
    assert_eq!(store.by_guest(guest("2")).await.unwrap(), None);
}

/// Pages follow each other by name, in the order of bytes.
pub async fn accounts_are_listed_in_the_order_of_their_names(accounts: Accounts) {
    let store = &*accounts.store;
    for username in ["zoe", "Bob", "世界", "ana", "ben"] {
        create(store, username).await;
    }
    let adopted = store.create(new("eve").adopting(guest("1"))).await.unwrap();
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(after, 4).await.unwrap();
        after = page.accounts.last().map(|account| account.username.clone());
        assert!(page.accounts.iter().all(|account| account.guests.is_empty() || *account == adopted));
        names.extend(page.accounts.into_iter().map(|account| account.username.as_str().to_owned()));
        assert_eq!(page.more, names.len() == 4);
        if !page.more {
            break;
        }
    }
    assert_eq!(names, ["Bob", "ana", "ben", "eve", "zoe", "世界"]);
    let page = store.list(Some(name("ana")), 9).await.unwrap();
    assert_eq!((page.accounts.len(), page.more), (4, false));
    let page = store.list(None, 6).await.unwrap();
    assert_eq!((page.accounts.len(), page.more), (6, false));
    assert!(store.list(Some(name("世界")), 9).await.unwrap().accounts.is_empty());
    assert!(store.list(None, 0).await.unwrap().accounts.is_empty());
}

/// A page has at most [`MAX_PAGE`] accounts, whatever the limit is.
pub async fn a_page_of_accounts_is_limited(accounts: Accounts) {
    let store = &*accounts.store;
    let created = join_all((0..=MAX_PAGE).map(|i| store.create(new(&format!("user{i}x"))))).await;
    assert!(created.iter().all(Result::is_ok));
    let page = store.list(None, usize::MAX).await.unwrap();
    assert_eq!((page.accounts.len(), page.more), (MAX_PAGE, true));
}

/// Each change is stored, and changes nothing else.
pub async fn changes_are_stored_one_by_one(accounts: Accounts) {
    let store = &*accounts.store;
    let (mut ana, bob) = (create(store, "ana").await, create(store, "bob").await);
    let id = || ana.id.clone();
    assert!(store.set_role(id(), Role::Admin).await.unwrap());
    assert!(store.set_disabled(id(), Some(at(5))).await.unwrap());
    assert!(store.set_password(id(), Some(hash('x')), None).await.unwrap());
    let change = ProfileChange::new()
        .display_name(Some("Ana B.".parse().unwrap()))
        .about(Some("Two\nlines".parse().unwrap()))
        .time_zone(Some("Europe/Vienna".parse().unwrap()));
    assert!(store.set_profile(id(), change.clone()).await.unwrap());
    (ana.role, ana.disabled_at, ana.password_hash) = (Role::Admin, Some(at(5)), Some(hash('x')));
    ana.profile.apply(change);
    assert_eq!(account(store, &ana.id).await, ana);

    let id = || ana.id.clone();
    assert!(store.set_profile(id(), ProfileChange::new().about(None)).await.unwrap());
    assert!(store.set_profile(id(), ProfileChange::new()).await.unwrap());
    assert!(store.set_role(id(), Role::User).await.unwrap());
    assert!(store.set_disabled(id(), None).await.unwrap());
    assert!(store.set_password(id(), None, None).await.unwrap());
    (ana.role, ana.disabled_at, ana.password_hash, ana.profile.about) = (Role::User, None, None, None);
    assert_eq!(account(store, &ana.id).await, ana);
    assert_eq!(account(store, &bob.id).await, bob);
}

/// `counts` counts all accounts, disabled ones, and admins that can sign in.
pub async fn accounts_are_counted(accounts: Accounts) {
    let store = &*accounts.store;
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    let ana = store.create(new("ana").with_role(Role::Admin)).await.unwrap();
    let bob = store.create(new("bob").with_role(Role::Admin)).await.unwrap();
    create(store, "eve").await;
    assert_eq!(store.counts().await.unwrap(), Counts::new(3, 0, 2));
    store.set_disabled(bob.id, Some(at(0))).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::new(3, 1, 1));
    store.delete(ana.id, at(0)).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts::new(2, 1, 0));
}

/// Each change returns whether the account exists.
pub async fn changes_of_an_unknown_account_change_nothing(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    assert!(!store.set_role(unknown(), Role::Admin).await.unwrap());
    assert!(!store.set_disabled(unknown(), Some(at(0))).await.unwrap());
    assert!(!store.set_password(unknown(), Some(hash('x')), None).await.unwrap());
    assert!(!store.rehash_password(unknown(), hash('x'), hash('y')).await.unwrap());
    assert!(!store.set_profile(unknown(), ProfileChange::new().about(None)).await.unwrap());
    assert!(!store.set_profile(unknown(), ProfileChange::new()).await.unwrap());
    assert!(!store.delete(unknown(), at(0)).await.unwrap());
    assert_eq!(account(store, &ana.id).await, ana);
    assert_eq!(store.counts().await.unwrap(), Counts::new(1, 0, 0));
}

/// A new password ends all sessions but the one that is kept. API tokens stay.
pub async fn a_new_password_ends_the_other_sessions(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await, create(store, "bob").await);
    let (kept, kept_secret) = add(store, &ana, TokenKind::Session, 0).await;
    let (_, ended) = add(store, &ana, TokenKind::Session, 0).await;
    let (_, api) = add(store, &ana, TokenKind::Api, 0).await;
    let (_, other) = add(store, &bob, TokenKind::Session, 0).await;
    store.set_password(ana.id.clone(), Some(hash('x')), Some(kept.id)).await.unwrap();
    let found = async |secret: &TokenSecret| find(store, secret, 1).await.is_some();
    assert_eq!((found(&kept_secret).await, found(&ended).await), (true, false));
    assert_eq!((found(&api).await, found(&other).await), (true, true));
    store.set_password(ana.id, None, None).await.unwrap();
    assert_eq!((found(&kept_secret).await, found(&api).await), (false, true));
}

/// A hash replaces the one that it was computed for, and no other.
pub async fn only_an_unchanged_password_is_rehashed(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = store.create(new("ana").with_password(hash('x'))).await.unwrap();
    let (_, session) = add(store, &ana, TokenKind::Session, 0).await;
    assert!(store.rehash_password(ana.id.clone(), hash('x'), hash('y')).await.unwrap());
    assert!(!store.rehash_password(ana.id.clone(), hash('x'), hash('z')).await.unwrap());
    assert_eq!(account(store, &ana.id).await.password_hash, Some(hash('y')));
    assert!(find(store, &session, 1).await.is_some());
    store.set_password(ana.id.clone(), None, None).await.unwrap();
    assert!(!store.rehash_password(ana.id, hash('y'), hash('z')).await.unwrap());
}

/// Deleting an account removes everything that belongs to it, and nothing of other accounts. Its
/// name is kept.
pub async fn a_deleted_account_leaves_nothing_but_its_name(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = store.create(new("ana").with_subject(subject("1")).adopting(guest("1"))).await.unwrap();
    let bob = store.create(new("bob").with_subject(subject("2")).adopting(guest("2"))).await.unwrap();
    let mut secrets = Vec::new();
    let mut codes = Vec::new();
    for account in [&ana, &bob] {
        secrets.push(add(store, account, TokenKind::Session, 0).await.1);
        secrets.push(add(store, account, TokenKind::Api, 0).await.1);
        store.keep(account.id.clone(), room("r"), RoomChange::new(epoch("e"), 1)).await.unwrap();
        let code = InviteCode::random();
        let invite = NewInvite::new(code.hash(), at(0)).with_uses(NonZeroU32::MAX);
        store.add_invite(invite.by(account.id.clone())).await.unwrap();
        codes.push(code);
    }
    assert!(store.delete(ana.id.clone(), at(100)).await.unwrap());
    assert!(!store.delete(ana.id.clone(), at(200)).await.unwrap());

    assert_eq!(store.account(ana.id.clone()).await.unwrap(), None);
    assert_eq!(store.by_username(name("ana")).await.unwrap(), None);
    assert_eq!(store.by_subject(subject("1")).await.unwrap(), None);
    assert_eq!(store.by_guest(guest("1")).await.unwrap(), None);
    assert_eq!(store.tokens(ana.id.clone(), at(1)).await.unwrap(), []);
    assert_eq!(store.rooms(ana.id.clone()).await.unwrap(), []);
    let mut found = Vec::new();
    for secret in &secrets {
        found.push(find(store, secret, 1).await.is_some());
    }
    assert_eq!(found, [false, false, true, true]);
    let refused = store.create(new("eve").with_invite(codes[0].hash())).await;
    assert!(matches!(refused, Err(CreateError::InvalidInvite)), "{refused:?}");
    store.create(new("eve").with_invite(codes[1].hash())).await.unwrap();
    let refused = store.add_token(token(&ana, TokenKind::Api, 1).0).await;
    assert!(matches!(refused, Err(crate::AddTokenError::NoAccount)), "{refused:?}");

    assert_eq!(reserved(store, "ana").await, Some(Reservation::kept(name("ana"), at(100))));
    assert_eq!(account(store, &bob.id).await, bob);
    assert_eq!(store.by_subject(subject("2")).await.unwrap(), Some(bob.clone()));
    assert_eq!(store.by_guest(guest("2")).await.unwrap(), Some(bob.clone()));
    assert_eq!(store.rooms(bob.id).await.unwrap().len(), 1);
    // subject and guest are free for a new account
    let again = new("anna").with_subject(subject("1")).adopting(guest("1"));
    assert_ne!(store.create(again).await.unwrap().id, ana.id);
}
