use chat_protocol::Role;
use chat_server::{Config, Registration};
use chat_testkit::Client;
use chat_testkit::http::request;
use chat_testkit::v2::{Session, guest_token};
use serde_json::json;

use super::{PASSWORD, User, credentials, end, post, refused};
use crate::support::{config, start, start_with_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_registers_and_chats() {
    let server = start_with_accounts(config()).await;
    let answer = post(server.address, "accounts", None, &credentials("ana", PASSWORD)).await;
    assert_eq!(answer.status, 201);
    let body = answer.json();
    assert_eq!(body["user"]["username"], "ana");
    assert_eq!(body["user"]["role"], "user");
    assert_eq!(body["token"].as_str().unwrap().len(), 43);
    let ana = User::of(&answer);
    assert!(ana.id.starts_with("u_"));
    let mut session = ana.hello(server.address).await;
    let user = json!({"id": ana.id, "username": "ana", "kind": "account", "role": "user"});
    assert_eq!(session.welcome["user"], user);
    assert_eq!(session.welcome["expires_at"], body["expires_at"]);
    assert!(session.welcome.get("guest_token").is_none());
    session.join("lobby").await;
    let (mut bob, joined) = Session::enter(server.address, "lobby", "bob").await;
    assert_eq!(joined["members"][0]["user"], ana.id);
    session.send_message("lobby", "hello").await;
    let message = bob.next("message").await;
    assert_eq!((&message["user"], &message["from"]), (&json!(ana.id), &json!("ana")));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acceptable_is_named_by_field() {
    let server = start_with_accounts(config()).await;
    for (body, fields) in [
        (credentials("with space", "short"), vec!["password", "username"]),
        (credentials("", PASSWORD), vec!["username"]),
        (json!({"username": "ana", "password": PASSWORD, "guest_token": "x"}), vec!["guest_token"]),
        (json!({"username": "ana", "password": "x".repeat(2_000)}), vec!["password"]),
        (json!({"username": "ana", "password": PASSWORD, "device": "a\nb"}), vec!["device"]),
    ] {
        let answer = post(server.address, "accounts", None, &body).await;
        assert_eq!(answer.status, 422, "{body}");
        let problem = answer.json();
        let named: Vec<_> = problem["fields"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(named, fields, "{problem}");
        assert!(!problem.to_string().contains(PASSWORD));
    }
    // no part of a body is quoted
    for (body, status) in [(json!({"username": "ana", "pasword": PASSWORD}), 422), (json!([PASSWORD]), 422)] {
        let answer = post(server.address, "accounts", None, &body).await;
        assert_eq!(answer.status, status);
        assert!(!String::from_utf8(answer.body).unwrap().contains(PASSWORD));
    }
    let large = json!({"username": "ana", "password": "x".repeat(40_000)});
    assert_eq!(post(server.address, "accounts", None, &large).await.status, 413);
    let none = request(server.address, "POST", "/api/v1/accounts", &["Content-Length: 0"]).await;
    assert_eq!((none.status, none.json()["code"].as_str()), (415, Some("not_json")));
    assert_eq!(request(server.address, "GET", "/api/v1/accounts", &[]).await.status, 405);
    let nothing = request(server.address, "GET", "/api/v1/nothing", &[]).await;
    assert_eq!((nothing.status, nothing.json()["code"].as_str()), (404, Some("not_found")));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_closed_or_needs_an_invite() {
    let config = Config { registration: Registration::Invite, ..config() };
    let server = start_with_accounts(config.clone()).await;
    let site = request(server.address, "GET", "/api/v1/site", &[]).await.json();
    assert_eq!(
        site,
        json!({"name": "chatd", "default_room": "lobby", "guests": true, "accounts": true, "registration": "invite"})
    );
    let store = server.control.accounts().unwrap().store().clone();
    let (code, now) = (chat_accounts::InviteCode::random(), chat_protocol::Timestamp::now());
    store.add_invite(chat_accounts::NewInvite::new(code.hash(), now)).await.unwrap();
    let with = |username: &str, invite: Option<&str>| {
        let mut body = credentials(username, PASSWORD);
        body["invite"] = invite.into();
        body
    };
    let wrong = chat_accounts::InviteCode::random().to_text();
    for invite in [None, Some("x"), Some(wrong.as_str())] {
        let answer = post(server.address, "accounts", None, &with("ana", invite)).await;
        assert_eq!(answer.status, 422, "{invite:?}");
        assert!(answer.json()["fields"]["invite"].is_string());
    }
    let code = code.to_text();
    assert_eq!(post(server.address, "accounts", None, &with("ana", Some(&code))).await.status, 201);
    let used = post(server.address, "accounts", None, &with("bob", Some(&code))).await;
    assert_eq!(used.status, 422, "it has one use");
    server.control.reconfigure(Config { registration: Registration::Closed, ..config });
    let closed = post(server.address, "accounts", None, &credentials("cid", PASSWORD)).await;
    assert_eq!((closed.status, closed.json()["code"].as_str()), (403, Some("forbidden")));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_registers_its_own_name_and_stays_the_author() {
    let server = start_with_accounts(config()).await;
    let secret = guest_token();
    let mut guest = Session::hello_as(server.address, "ana", &secret).await;
    guest.join("lobby").await;
    guest.send_message("lobby", "as a guest").await;
    let was = guest.user().to_owned();
    // another user can't take the name of a guest who is connected
    let other = post(server.address, "accounts", None, &credentials("ana", PASSWORD)).await;
    assert_eq!((other.status, other.json()["code"].as_str()), (409, Some("username_taken")));
    let like = post(server.address, "accounts", None, &credentials("Ana", PASSWORD)).await;
    assert_eq!(like.status, 409, "nor one that looks like it");
    let mut body = credentials("ana", PASSWORD);
    body["guest_token"] = secret.clone().into();
    let answer = post(server.address, "accounts", None, &body).await;
    assert_eq!(answer.status, 201, "{:?}", answer.json());
    assert_eq!(end(&mut guest).await, (true, 4401), "the guest connects again, with the token");
    let ana = User::of(&answer);
    let mut session = ana.hello(server.address).await;
    assert_eq!(session.welcome["user"]["was"], json!([was]));
    session.join("lobby").await;
    // nobody is this guest again
    let hello = json!({"username": "ana", "guest_token": secret});
    assert_eq!(refused(server.address, hello).await.0["code"], "name_reserved");
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_an_admin_ends_the_guests_who_have_its_name() {
    let server = start_with_accounts(config()).await;
    let mut guest = Session::hello(server.address, "Root").await;
    let mut classic = Client::enter(server.address, "lobby", "rооt").await;
    let (mut bob, _) = Session::enter(server.address, "lobby", "bob").await;
    let new = chat_accounts::NewAccount::new("root".parse().unwrap(), chat_protocol::Timestamp::now());
    server.control.create_account(new.with_role(Role::Admin)).await.unwrap();
    assert_eq!(end(&mut guest).await, (true, 4401));
    assert_eq!(classic.closed().await, Some(4403));
    bob.send_message("lobby", "still here").await;
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_accounts_says_so() {
    let server = start().await;
    let site = request(server.address, "GET", "/api/v1/site", &[]).await.json();
    assert_eq!(
        site,
        json!({"name": "chatd", "default_room": "lobby", "guests": true, "accounts": false, "registration": "closed"})
    );
    for path in ["accounts", "login"] {
        let answer = post(server.address, path, None, &credentials("ana", PASSWORD)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    let hello = json!({"username": "ana", "token": "x"});
    let (answer, mut session) = refused(server.address, hello).await;
    assert_eq!(answer["code"], "unauthorized");
    assert_eq!(end(&mut session).await, (false, 4401));
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_register_one_name_one_gets_it() {
    let server = start_with_accounts(config()).await;
    let names = ["ana", "Ana", "ANA", "аna", "ana", "ａｎａ"];
    let registering = names.map(|name| {
        let address = server.address;
        tokio::spawn(
            async move { post(address, "accounts", None, &credentials(name, PASSWORD)).await.status },
        )
    });
    let mut statuses = Vec::new();
    for one in registering {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
    server.stop().await.unwrap();
}
