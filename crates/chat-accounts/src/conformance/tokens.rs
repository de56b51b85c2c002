//! The tests of tokens.

use futures::future::join_all;

use super::Accounts;
use super::helpers::{add, at, create, find, hash, new, token, unknown};
use crate::{
    AccountStore, AddTokenError, InviteCode, MAX_TOKENS, NewInvite, NewToken, TokenId, TokenKind, TokenSecret,
};

/// The ids of the tokens of an account, in the order in which they are listed.
async fn ids(store: &dyn AccountStore, account: &crate::Account, now: i64) -> Vec<TokenId> {
    let tokens = store.tokens(account.id.clone(), at(now)).await.unwrap();
    tokens.into_iter().map(|token| token.id).collect()
}

/// A token is found with its account by the hash of its secret, and not by another one.
pub async fn a_token_is_found_by_its_secret(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await, create(store, "bob").await);
    let (new, secret) = token(&ana, TokenKind::Session, 5);
    let added = store.add_token(new.with_label("Phone".parse().unwrap())).await.unwrap();
    assert_eq!(added.replaced, None);
    let token = added.token;
    assert_eq!((&token.account, token.kind), (&ana.id, TokenKind::Session));
    assert_eq!(token.label.as_ref().unwrap().as_str(), "Phone");
    assert_eq!((token.created_at, token.last_used_at, token.expires_at), (at(5), at(5), Some(at(1_005))));
    let (api, api_secret) = add(store, &bob, TokenKind::Api, 7).await;
    assert_eq!((api.label.as_ref(), api.expires_at), (None, None));

    let found = async |secret: &TokenSecret| store.find_token(secret.hash(), at(9)).await.unwrap();
    assert_eq!(found(&secret).await, Some((token.clone(), ana.clone())));
    assert_eq!(found(&api_secret).await, Some((api.clone(), bob.clone())));
    assert_eq!(found(&TokenSecret::random()).await, None);
    assert_eq!(store.tokens(ana.id.clone(), at(9)).await.unwrap(), [token]);
    assert_eq!(store.tokens(bob.id, at(9)).await.unwrap(), [api]);
    assert_eq!(store.tokens(unknown(), at(9)).await.unwrap(), []);
    let refused = store.add_token(NewToken::api(unknown(), secret.hash(), at(0))).await;
    assert!(matches!(refused, Err(AddTokenError::NoAccount)), "{refused:?}");
}

/// A session ends at its expiry. Each use moves that to a later time, but never ends a session that
/// has expired. The expiry of an API token never moves.
pub async fn a_session_expires_unless_it_is_used(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    let (session, secret) = add(store, &ana, TokenKind::Session, 0).await;
    assert!(find(store, &secret, 999).await.is_some());
    assert_eq!(find(store, &secret, 1_000).await, None);
    assert!(store.tokens(ana.id.clone(), at(1_000)).await.unwrap().is_empty());

    assert!(store.use_token(session.id.clone(), at(500), Some(at(1_500))).await.unwrap());
    let used = find(store, &secret, 1_499).await.unwrap();
    assert_eq!((used.last_used_at, used.expires_at), (at(500), Some(at(1_500))));
    assert_eq!((used.created_at, used.id), (at(0), session.id.clone()));
    // a use that was noted late changes nothing
    assert!(store.use_token(session.id.clone(), at(400), Some(at(1_400))).await.unwrap());
    assert!(store.use_token(session.id.clone(), at(500), None).await.unwrap());
    let used = find(store, &secret, 1_499).await.unwrap();
    assert_eq!((used.last_used_at, used.expires_at), (at(500), Some(at(1_500))));
    assert!(!store.use_token(session.id.clone(), at(1_500), Some(at(9_000))).await.unwrap());
    assert_eq!(find(store, &secret, 1_500).await, None);
    assert!(!store.use_token(TokenId::random(), at(0), None).await.unwrap());

    let (new, secret) = token(&ana, TokenKind::Api, 0);
    let api = store.add_token(new.expiring_at(at(100))).await.unwrap().token;
    let (endless, endless_secret) = add(store, &ana, TokenKind::Api, 0).await;
    for id in [api.id, endless.id] {
        assert!(store.use_token(id, at(50), Some(at(500))).await.unwrap());
    }
    assert_eq!(find(store, &secret, 99).await.unwrap().last_used_at, at(50));
    assert_eq!(find(store, &secret, 100).await, None);
    assert_eq!(find(store, &endless_secret, 1_000_000).await.unwrap().expires_at, None);
}

/// While an account is disabled its tokens are not found, and it gets no new ones. They are valid
/// again when it is enabled.
pub async fn the_tokens_of_a_disabled_account_are_not_found(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    let (session, secret) = add(store, &ana, TokenKind::Session, 0).await;
    store.set_disabled(ana.id.clone(), Some(at(1))).await.unwrap();
    assert_eq!(find(store, &secret, 2).await, None);
    let refused = store.add_token(token(&ana, TokenKind::Session, 2).0).await;
    assert!(matches!(refused, Err(AddTokenError::Disabled)), "{refused:?}");
    assert_eq!(ids(store, &ana, 2).await, [session.id]);
    store.set_disabled(ana.id, None).await.unwrap();
    assert!(find(store, &secret, 3).await.is_some());
}

/// A token for a password is added only while the account has this password.
pub async fn no_token_is_added_for_an_old_password(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = store.create(new("ana").with_password(hash('x'))).await.unwrap();
    let session = |letter| token(&ana, TokenKind::Session, 0).0.for_password(hash(letter));
    store.add_token(session('x')).await.unwrap();
    store.set_password(ana.id.clone(), Some(hash('y')), None).await.unwrap();
    let refused = store.add_token(session('x')).await;
    assert!(matches!(refused, Err(AddTokenError::PasswordChanged)), "{refused:?}");
    store.add_token(session('y')).await.unwrap();
    store.set_password(ana.id.clone(), None, None).await.unwrap();
    let refused = store.add_token(session('y')).await;
    assert!(matches!(refused, Err(AddTokenError::PasswordChanged)), "{refused:?}");
    assert!(ids(store, &ana, 1).await.is_empty());
}

/// An account with [`MAX_TOKENS`] sessions gets a new one in place of the one that was used longest
/// ago. Other accounts and API tokens are not concerned.
pub async fn a_new_session_replaces_the_one_used_longest_ago(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await, create(store, "bob").await);
    let (_, other) = add(store, &bob, TokenKind::Session, 0).await;
    let (_, api) = add(store, &ana, TokenKind::Api, 0).await;
    let mut sessions = Vec::new();
    for i in 0..MAX_TOKENS {
        sessions.push(add(store, &ana, TokenKind::Session, i as i64).await);
    }
    store.use_token(sessions[0].0.id.clone(), at(500), None).await.unwrap();
    for (oldest, oldest_secret) in &sessions[1..3] {
        let added = store.add_token(token(&ana, TokenKind::Session, 200).0).await.unwrap();
        assert_eq!(added.replaced.as_ref(), Some(&oldest.id));
        assert_eq!(find(store, oldest_secret, 201).await, None);
        assert_eq!(ids(store, &ana, 201).await.len(), MAX_TOKENS + 1);
    }
    for secret in [&sessions[0].1, &sessions[3].1, &other, &api] {
        assert!(find(store, secret, 201).await.is_some());
    }
    let listed = ids(store, &ana, 201).await;
    assert_eq!(listed[0], sessions[0].0.id, "the one used last comes first");
}

/// An account has at most [`MAX_TOKENS`] API tokens, also if they are added at the same time.
pub async fn the_number_of_api_tokens_is_limited(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    add(store, &ana, TokenKind::Session, 0).await;
    let added = (0..MAX_TOKENS + 5).map(|_| store.add_token(token(&ana, TokenKind::Api, 0).0));
    let (added, refused): (Vec<_>, Vec<_>) = join_all(added).await.into_iter().partition(Result::is_ok);
    assert_eq!((added.len(), refused.len()), (MAX_TOKENS, 5));
    assert!(refused.iter().all(|refused| matches!(refused, Err(AddTokenError::LimitReached))));
    let removed = added[0].as_ref().unwrap().token.id.clone();
    assert!(store.remove_token(ana.id.clone(), removed).await.unwrap());
    add(store, &ana, TokenKind::Api, 0).await;
    let bob = create(store, "bob").await;
    add(store, &bob, TokenKind::Api, 0).await;
}

/// Expired tokens do not count towards the limit.
pub async fn expired_tokens_do_not_count(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    let (_, session) = add(store, &ana, TokenKind::Session, 0).await;
    for _ in 0..MAX_TOKENS {
        let new = token(&ana, TokenKind::Api, 0).0;
        store.add_token(new.expiring_at(at(100))).await.unwrap();
    }
    let refused = store.add_token(token(&ana, TokenKind::Api, 99).0).await;
    assert!(matches!(refused, Err(AddTokenError::LimitReached)), "{refused:?}");
    add(store, &ana, TokenKind::Api, 100).await;
    assert_eq!(ids(store, &ana, 0).await.len(), 2, "the expired ones are gone");
    assert!(find(store, &session, 101).await.is_some());
}

/// Tokens are removed one by one, or all of one kind or of an account but one. They belong to their
/// account.
pub async fn the_tokens_of_an_account_are_removed(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await, create(store, "bob").await);
    let (first, _) = add(store, &ana, TokenKind::Session, 0).await;
    let (second, _) = add(store, &ana, TokenKind::Session, 1).await;
    let (api, api_secret) = add(store, &ana, TokenKind::Api, 2).await;
    let (other, other_secret) = add(store, &bob, TokenKind::Session, 3).await;
    let remove = async |keep: Option<&TokenId>, kind| {
        store.remove_tokens(ana.id.clone(), keep.cloned(), kind).await.unwrap()
    };
    assert!(!store.remove_token(ana.id.clone(), other.id.clone()).await.unwrap());
    assert!(!store.remove_token(ana.id.clone(), TokenId::random()).await.unwrap());
    assert_eq!(remove(Some(&first.id), Some(TokenKind::Session)).await, [second.id]);
    assert_eq!(ids(store, &ana, 4).await, [api.id.clone(), first.id.clone()]);
    assert_eq!(remove(Some(&api.id), None).await, [first.id]);
    assert_eq!(remove(None, Some(TokenKind::Session)).await, []);
    assert!(find(store, &api_secret, 4).await.is_some());
    assert!(store.remove_token(ana.id.clone(), api.id.clone()).await.unwrap());
    assert!(!store.remove_token(ana.id.clone(), api.id).await.unwrap());
    assert_eq!(find(store, &api_secret, 4).await, None);
    let (third, _) = add(store, &ana, TokenKind::Api, 4).await;
    assert_eq!(remove(None, None).await, [third.id]);
    assert!(ids(store, &ana, 4).await.is_empty());
    assert!(find(store, &other_secret, 4).await.is_some());
}

/// `remove_all_tokens` removes the tokens of all accounts and nothing else.
pub async fn all_tokens_are_removed(accounts: Accounts) {
    let store = &*accounts.store;
    let (ana, bob) = (create(store, "ana").await, create(store, "bob").await);
    let (_, session) = add(store, &ana, TokenKind::Session, 0).await;
    let (_, api) = add(store, &bob, TokenKind::Api, 0).await;
    assert_eq!(store.remove_all_tokens().await.unwrap(), 2);
    assert_eq!(store.remove_all_tokens().await.unwrap(), 0);
    assert_eq!((find(store, &session, 1).await, find(store, &api, 1).await), (None, None));
    assert!(ids(store, &ana, 1).await.is_empty());
    let (_, again) = add(store, &ana, TokenKind::Session, 0).await;
    assert!(find(store, &again, 1).await.is_some());
}

/// `remove_expired` removes tokens and invites that have expired, at most as many as asked for.
pub async fn expired_tokens_are_removed_in_steps(accounts: Accounts) {
    let store = &*accounts.store;
    let ana = create(store, "ana").await;
    for _ in 0..3 {
        add(store, &ana, TokenKind::Session, 0).await;
    }
    let (api, _) = add(store, &ana, TokenKind::Api, 0).await;
    let invite = || NewInvite::new(InviteCode::random().hash(), at(0));
    store.add_invite(invite().expiring_at(at(1_000))).await.unwrap();
    let kept = store.add_invite(invite()).await.unwrap();
    assert_eq!(store.remove_expired(at(999), 9).await.unwrap(), 0);
    assert_eq!(store.remove_expired(at(1_000), 2).await.unwrap(), 3, "two tokens and an invite");
    assert_eq!(store.remove_expired(at(1_000), 2).await.unwrap(), 1);
    assert_eq!(store.remove_expired(at(1_000), 2).await.unwrap(), 0);
    // at a time at which they had not expired
    assert_eq!(ids(store, &ana, 0).await, [api.id]);
    assert_eq!(store.invites(at(0)).await.unwrap(), [kept]);
}

/// Neither secrets nor hashes are in the `Debug` output of anything that is passed to a store or
/// returned by it.
pub async fn no_secret_is_in_debug_output(accounts: Accounts) {
    let store = &*accounts.store;
    let code = InviteCode::random();
    let invite = NewInvite::new(code.hash(), at(0));
    let mut shown = format!("{invite:?}");
    shown += &format!("{:?}", store.add_invite(invite).await);
    let ana = new("ana").with_password(hash('q')).with_invite(code.hash());
    shown += &format!("{ana:?}");
    let ana = store.create(ana).await.unwrap();
    let (session, secret) = token(&ana, TokenKind::Session, 0);
    let session = session.for_password(hash('q'));
    shown += &format!("{ana:?} {session:?} {secret:?} {code:?} {:?}", secret.hash());
    shown += &format!("{:?}", store.add_token(session).await);
    shown += &format!("{:?}", store.find_token(secret.hash(), at(1)).await);
    shown += &format!("{store:?} {accounts:?}");
    assert!(shown.contains("\"ana\"") && shown.contains("TokenHash(..)"), "{shown}");
    let bytes = |bytes: &[u8]| {
        let listed: Vec<_> = bytes.iter().map(u8::to_string).collect();
        listed[..8].join(", ")
    };
    for hidden in [
        secret.to_text(),
        code.to_text(),
        bytes(secret.hash().as_bytes()),
        bytes(code.hash().as_bytes()),
        "argon2".to_owned(),
        "qqqqqqqq".to_owned(),
    ] {
        assert!(!shown.contains(&hidden), "{hidden} is in {shown}");
    }
}
