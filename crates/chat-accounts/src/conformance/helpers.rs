//! What the tests have in common.

use chat_protocol::{Epoch, RoomName, Timestamp, UserId, Username};

use crate::{
    Account, AccountStore, NewAccount, NewToken, PasswordHash, Reservation, Token, TokenKind, TokenSecret,
};

/// Some time. All other times of the tests are relative to it.
const START: i64 = 1_764_000_000_000;

/// The time this many milliseconds after the start of a test.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

pub(super) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(super) fn room(text: &str) -> RoomName {
    RoomName::parse(text).unwrap()
}

pub(super) fn epoch(text: &str) -> Epoch {
    Epoch::new(text)
}

/// The id of a guest.
pub(super) fn guest(text: &str) -> UserId {
    format!("g_{text}").parse().unwrap()
}

/// An id that no account has.
pub(super) fn unknown() -> UserId {
    "u_AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap()
}

/// The hash of a password, which depends on the letter only.
pub(super) fn hash(letter: char) -> PasswordHash {
    let output: String = std::iter::repeat_n(letter, 42).chain(['A']).collect();
    format!("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ${output}").parse().unwrap()
}

/// An account that is created at the start.
pub(super) fn new(username: &str) -> NewAccount {
    NewAccount::new(name(username), at(0))
}

/// Creates an account at the start.
pub(super) async fn create(store: &dyn AccountStore, username: &str) -> Account {
    store.create(new(username)).await.unwrap()
}

/// The account with this id, which has to exist.
pub(super) async fn account(store: &dyn AccountStore, id: &UserId) -> Account {
    store.account(id.clone()).await.unwrap().unwrap()
}

/// Why a name can't be taken at the start.
pub(super) async fn reserved(store: &dyn AccountStore, username: &str) -> Option<Reservation> {
    store.reserved(name(username), at(0)).await.unwrap()
}

/// A token of this kind, created at `created`, with its secret. A session expires after 1,000 ms.
pub(super) fn token(account: &Account, kind: TokenKind, created: i64) -> (NewToken, TokenSecret) {
    let secret = TokenSecret::random();
    let id = account.id.clone();
    let new = match kind {
        TokenKind::Session => NewToken::session(id, secret.hash(), at(created), at(created + 1_000)),
        TokenKind::Api => NewToken::api(id, secret.hash(), at(created)),
    };
    (new, secret)
}

/// Adds a token of this kind, created at `created`.
pub(super) async fn add(
    store: &dyn AccountStore,
    account: &Account,
    kind: TokenKind,
    created: i64,
) -> (Token, TokenSecret) {
    let (new, secret) = token(account, kind, created);
    (store.add_token(new).await.unwrap().token, secret)
}

/// The token with this secret at this time.
pub(super) async fn find(store: &dyn AccountStore, secret: &TokenSecret, now: i64) -> Option<Token> {
    store.find_token(secret.hash(), at(now)).await.unwrap().map(|(token, _)| token)
}
