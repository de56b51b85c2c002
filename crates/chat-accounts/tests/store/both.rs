//! What the durable stores promise beyond the suite.

use chat_accounts::{
    CreateError, InviteCode, NewAccount, NewInvite, NewToken, Reservation, RoomChange, StoreErrorKind,
    Subject, TokenSecret, look_alike_version,
};
use chat_db::DbError;
use chat_protocol::Epoch;

use crate::Place;
use crate::place::{at, create, name, reserved};

/// Makes two tests of each function: one for each kind of database.
macro_rules! tests {
    ($($test:ident)*) => {
        mod in_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(crate::Place::Sqlite(crate::sqlite::File::new())).await;
                }
            )*
        }

        mod in_postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some(server) = crate::place::server() {
                        super::$test(crate::Place::Postgres(server)).await;
                    }
                }
            )*
        }
    };
}

tests! {
    everything_is_there_after_a_restart
    names_are_compared_by_the_data_of_this_version
    a_damaged_row_is_reported_without_its_content
    a_store_on_a_closed_database_fails
    a_future_that_is_never_polled_has_no_effect
}

async fn everything_is_there_after_a_restart(place: Place) {
    let (database, store) = place.open().await;
    let subject = Subject::new("https://issuer.example", "1").unwrap();
    let new = NewAccount::new(name("ana"), at(0)).with_subject(subject).adopting("g_1".parse().unwrap());
    let ana = store.create(new).await.unwrap();
    let (secret, code) = (TokenSecret::random(), InviteCode::random());
    store.add_token(NewToken::api(ana.id.clone(), secret.hash(), at(0))).await.unwrap();
    let invite = store.add_invite(NewInvite::new(code.hash(), at(0))).await.unwrap();
    let change = RoomChange::new(Epoch::new("e"), u64::MAX).favourite(true);
    store.keep(ana.id.clone(), "r".parse().unwrap(), change).await.unwrap();
    let gone = create(&*store, "bob").await;
    store.delete(gone.id, at(9)).await.unwrap();
    database.close().await;

    let (database, store) = place.open().await;
    assert_eq!(store.by_username(name("ana")).await.unwrap(), Some(ana.clone()));
    assert_eq!(store.find_token(secret.hash(), at(1)).await.unwrap().unwrap().1, ana);
    assert_eq!(store.invites(at(1)).await.unwrap(), [invite]);
    let rooms = store.rooms(ana.id).await.unwrap();
    assert_eq!((rooms.len(), rooms[0].read_up_to), (1, i64::MAX.unsigned_abs()));
    assert_eq!(reserved(&*store, "Bob").await, Some(Reservation::kept(name("bob"), at(9))));
    database.close().await;
}

async fn names_are_compared_by_the_data_of_this_version(place: Place) {
    let (database, store) = place.open().await;
    assert_eq!(place.text("(SELECT names_version FROM account_meta)"), look_alike_version());
    // more than one statement inserts
    let created = (0..1_200).map(|i| store.create(NewAccount::new(name(&format!("user{i}x")), at(0))));
    assert!(futures::future::join_all(created).await.iter().all(Result::is_ok));
    create(&*store, "ana").await;
    create(&*store, "bob").await;
    let eve = create(&*store, "eve").await;
    store.delete(eve.id, at(100)).await.unwrap();
    let names = place.number("(SELECT count(*) FROM account_names)");
    database.close().await;

    // what a version would leave to which "ana" and "bob" looks different from a name with a
    // Cyrillic letter
    place.execute(
        "UPDATE accounts SET username = 'аna' WHERE username = 'bob';
         UPDATE account_names SET username = 'аna', skeleton = 'x' WHERE username = 'bob';
         UPDATE account_names SET skeleton = 'y' || skeleton WHERE username <> 'аna';
         UPDATE account_meta SET names_version = 'older'",
    );
    let (database, store) = place.open().await;
    assert_eq!(place.number("(SELECT count(*) FROM account_names)"), names);
    assert_eq!(place.text("(SELECT names_version FROM account_meta)"), look_alike_version());
    for username in ["ana", "аna"] {
        assert!(store.by_username(name(username)).await.unwrap().is_some(), "both stay");
        assert_eq!(reserved(&*store, username).await, Some(Reservation::account(name(username))));
    }
    assert!(reserved(&*store, "user1199X").await.is_some());
    assert_eq!(reserved(&*store, "Eve").await, Some(Reservation::kept(name("eve"), at(100))));
    let refused = store.create(NewAccount::new(name("Ana"), at(0))).await;
    assert!(matches!(refused, Err(CreateError::NameTaken(_))), "{refused:?}");
    // one of them still has the name after the other is gone
    let first = store.by_username(name("ana")).await.unwrap().unwrap();
    store.delete(first.id, at(0)).await.unwrap();
    assert_eq!(reserved(&*store, "ana").await, Some(Reservation::account(name("аna"))));
    database.close().await;

    // the same version: nothing is computed
    place.execute("DELETE FROM account_names");
    let (database, _) = place.open().await;
    assert_eq!(place.number("(SELECT count(*) FROM account_names)"), 0);
    database.close().await;
}

async fn a_damaged_row_is_reported_without_its_content(place: Place) {
    let (database, store) = place.open().await;
    let ana = create(&*store, "ana").await;
    for (column, value, valid) in [
        ("role", "'king'", "'user'"),
        ("password_hash", "'opensesame'", "NULL"),
        ("issuer", "'https://issuer.example'", "NULL"),
        ("display_name", "''", "NULL"),
    ] {
        place.execute(&format!("UPDATE accounts SET {column} = {value}"));
        let error = store.account(ana.id.clone()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Damaged, "{column}");
        let text = error.to_string();
        assert!(text.contains("accounts") && text.contains(ana.id.as_str()), "{text}");
        assert!(!text.contains("opensesame"), "{text}");
        place.execute(&format!("UPDATE accounts SET {column} = {valid}"));
    }
    assert_eq!(store.account(ana.id.clone()).await.unwrap(), Some(ana));
    database.close().await;
}

async fn a_store_on_a_closed_database_fails(place: Place) {
    let (database, store) = place.open().await;
    database.close().await;
    let refused = store.create(NewAccount::new(name("ana"), at(0))).await;
    assert!(matches!(refused, Err(CreateError::Store(_))), "{refused:?}");
    assert!(store.check().await.is_err());
    let error = store.by_username(name("ana")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
    let cause = std::error::Error::source(&error).unwrap();
    assert!(matches!(cause.downcast_ref(), Some(DbError::Closed)));
}

async fn a_future_that_is_never_polled_has_no_effect(place: Place) {
    let (database, store) = place.open().await;
    drop(store.create(NewAccount::new(name("ana"), at(0))));
    assert_eq!(store.counts().await.unwrap().accounts, 0);
    database.close().await;
}
