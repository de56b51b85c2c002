use serde_json::json;

use super::{PASSWORD, User, end};
use crate::support::{config, start_with_accounts};

#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_chats_and_cannot_take_the_account() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    let created = ana.post(server.address, "me/tokens", &json!({"label": "a bot"})).await;
    assert_eq!(created.status, 201);
    let body = created.json();
    let bot = User { token: body["secret"].as_str().unwrap().to_owned(), id: ana.id.clone() };
    let mut session = bot.hello(server.address).await;
    assert!(session.welcome.get("expires_at").is_none());
    session.join("lobby").await;
    assert_eq!(bot.get(server.address, "me").await.json()["id"], ana.id);
    let (none, password) = (json!({}), json!({"old": PASSWORD, "new": "battery staple"}));
    for (method, path, body) in [
        ("POST", "me/password", &password),
        ("POST", "me/tokens", &none),
        ("GET", "me/tokens", &none),
        ("GET", "me/sessions", &none),
        ("DELETE", "me", &json!({"password": PASSWORD})),
    ] {
        let answer = bot.send(server.address, method, path, body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("forbidden")), "{path}");
    }
    let listed = ana.get(server.address, "me/tokens").await.json();
    assert_eq!(listed["tokens"][0]["label"], "a bot");
    assert!(!listed.to_string().contains(&bot.token));
    let path = format!("me/tokens/{}", listed["tokens"][0]["id"].as_str().unwrap());
    assert_eq!(ana.send(server.address, "DELETE", &path, &none).await.status, 204);
    assert_eq!(end(&mut session).await, (false, 4401));
    assert_eq!(bot.get(server.address, "me").await.status, 401);
    server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_ends_its_session() {
    let server = start_with_accounts(config()).await;
    let ana = User::register(server.address, "ana").await;
    for wrong in ["yesterday", "2020-01-01T00:00:00Z"] {
        let answer = ana.post(server.address, "me/tokens", &json!({"expires_at": wrong})).await;
        assert_eq!(answer.status, 422, "{wrong}");
    }
    let soon = chat_protocol::Timestamp::from_millis(chat_protocol::Timestamp::now().as_millis() + 2_000);
    let created = ana.post(server.address, "me/tokens", &json!({"expires_at": soon.to_string()})).await;
    let secret = created.json()["secret"].as_str().unwrap().to_owned();
    let bot = User { token: secret, id: ana.id.clone() };
    let mut session = bot.hello(server.address).await;
    assert_eq!(session.welcome["expires_at"], soon.to_string());
    // the server looks every 15 s
    let error = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let frame = session.frame().await;
            if frame["type"] == "error" {
                return frame;
            }
        }
    });
    assert_eq!(error.await.unwrap()["code"], "expired");
    assert_eq!(end(&mut session).await, (true, 4401));
    assert_eq!(bot.get(server.address, "me").await.status, 401);
    server.stop().await.unwrap();
}
