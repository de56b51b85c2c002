//! Users, tokens, credentials and certificates.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat_backplane::{NatsOptions, SubscribeError, Topic};
use chat_testkit::nats::Server;
use chat_testkit::until;
use nkeys::KeyPair;
use tracing_subscriber::util::SubscriberInitExt;

use super::{node, room, start, two};

/// Checks that two nodes with these options receive each other's messages.
async fn works(options: NatsOptions) {
    let (here, mut there) = two(&options).await;
    there.subscribe(&room("r")).await;
    here.publish(&room("r"), "one").await;
    assert_eq!(there.message().await.1, "one");
}

fn url_with(server: &Server, user: &str) -> String {
    format!("nats://{user}@{}", server.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_password() {
    let Some(server) = start(Server::builder().user("chatd", "p@:/")) else { return };
    works(NatsOptions::new(server.url()).user_and_password("chatd", "p@:/")).await;
    works(NatsOptions::new(url_with(&server, "chatd:p%40%3A%2F"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_enough() {
    let Some(server) = start(Server::builder().line("authorization {token: \"t0ken\"}")) else { return };
    works(NatsOptions::new(server.url()).token("t0ken")).await;
    works(NatsOptions::new(url_with(&server, "t0ken"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permissions_for_the_prefix_are_enough() {
    let prefix = "team.chat";
    let builder = Server::builder().user_with_permissions("chatd", "s3cret", "team.chat.>", "team.chat.>");
    let Some(server) = start(builder) else { return };
    works(NatsOptions::new(url_with(&server, "chatd:s3cret")).prefix(prefix)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_separate_clusters() {
    let Some(server) = start(Server::builder()) else { return };
    let (here, mut there) = two(&NatsOptions::new(server.url())).await;
    let (other, _) = two(&NatsOptions::new(server.url()).prefix("other")).await;
    there.subscribe(&Topic::All).await;
    other.publish(&Topic::All, "of another cluster").await;
    // it is sent before this resolves
    other.subscribe(&Topic::All).await;
    here.publish(&Topic::All, "one").await;
    assert_eq!(there.message().await.1, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_an_own_authority() {
    let Some(server) = start(Server::builder().tls()) else { return };
    let url = format!("tls://localhost:{}", server.address().port());
    works(NatsOptions::new(url).ca_file(server.ca())).await;
    works(NatsOptions::new(server.url()).ca_file(server.ca())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_client_certificates() {
    let Some(server) = start(Server::builder().tls_with_client_certificates()) else { return };
    let (certificate, key) = server.client_certificate();
    let options = NatsOptions::new(format!("tls://{}", server.address())).ca_file(server.ca());
    works(options.client_certificate(certificate, key)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_have_a_jwt_and_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, file) = operator(folder.path());
    let builder = lines.iter().fold(Server::builder(), |builder, line| builder.line(line));
    let Some(server) = start(builder) else { return };
    works(NatsOptions::new(server.url()).credentials_file(file)).await;
}

/// An operator with an account and a user: the lines for the server, and the file for clients.
fn operator(folder: &Path) -> (Vec<String>, PathBuf) {
    let [operator, account, user] = [KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user()];
    let token = |issuer: &KeyPair, subject: &KeyPair, kind: &str| {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = encode(r#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
        let (issuer_key, subject_key) = (issuer.public_key(), subject.public_key());
        let limits = r#""subs":-1,"data":-1,"payload":-1"#;
        let limits = match kind {
            "account" => format!(r#","limits":{{{limits},"imports":-1,"exports":-1,"conn":-1,"leaf":-1}}"#),
            "user" => format!(",{limits}"),
            _ => String::new(),
        };
        let claims = encode(&format!(
            r#"{{"jti":"x","iat":1700000000,"iss":"{issuer_key}","name":"{kind}","sub":"{subject_key}","nats":{{"type":"{kind}","version":2{limits}}}}}"#
        ));
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    };
    let operator_jwt = token(&operator, &operator, "operator");
    let account_jwt = token(&operator, &account, "account");
    let user_jwt = token(&account, &user, "user");
    let file = folder.join("chatd.creds");
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().unwrap()
    );
    std::fs::write(&file, text).unwrap();
    let lines = vec![
        format!("operator: \"{operator_jwt}\""),
        "resolver: MEMORY".to_owned(),
        format!("resolver_preload: {{{}: \"{account_jwt}\"}}", account.public_key()),
    ];
    (lines, file)
}

/// What is logged in this thread.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a test in a runtime of this thread, and logs everything, also of the library.
fn logged(test: impl AsyncFnOnce(&Log)) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let _guard = subscriber.with_ansi(false).with_writer(move || writer.clone()).finish().set_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test(&log));
}

/// The lines of this crate.
fn own(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains(" chat_backplane::")).collect()
}

#[test]
fn a_wrong_password_is_reported_and_not_shown() {
    if !chat_testkit::needs::are_met(&[chat_testkit::needs::Need::Nats]) {
        return;
    }
    let server = Server::builder().user("chatd", "right").start();
    for options in [
        NatsOptions::new(server.url()).user_and_password("chatd", "s3cret"),
        NatsOptions::new(url_with(&server, "chatd:s3cret")),
        NatsOptions::new(url_with(&server, "s3cret")),
        NatsOptions::new(server.url()).token("s3cret"),
    ] {
        logged(async |log| {
            let shown = format!("{options:?}");
            let node = node(options);
            until("it is reported", async || {
                own(&log.text()).iter().any(|line| line.contains("authorization violation"))
            })
            .await;
            // more attempts
            until("it tries again", async || log.text().matches("attempting connection").count() > 8).await;
            assert!(!node.backplane().is_connected());
            let refused = node.backplane().subscribe(room("r")).await;
            assert_eq!(refused, Err(SubscribeError::NotConnected));
            let text = log.text() + &shown + &format!("{node:?} {refused:?}");
            assert!(!text.contains("s3cret"), "{text}");
            assert_eq!(own(&text).len(), 1, "the lines are limited: {text}");
            assert!(text.contains("chat_backplane"), "{text}");
        });
    }
}

#[test]
fn an_unknown_authority_is_reported() {
    if !chat_testkit::needs::are_met(&[chat_testkit::needs::Need::Nats]) {
        return;
    }
    let (server, other) = (Server::builder().tls().start(), Server::builder().tls().start());
    logged(async |log| {
        let options = NatsOptions::new(format!("tls://{}", server.address())).ca_file(other.ca());
        let node = node(options);
        until("it is reported", async || own(&log.text()).iter().any(|line| line.contains("certificate")))
            .await;
        assert!(!node.backplane().is_connected());
    });
}

#[test]
fn a_missing_permission_is_reported() {
    if !chat_testkit::needs::are_met(&[chat_testkit::needs::Need::Nats]) {
        return;
    }
    let server = Server::builder().user_with_permissions("chatd", "s3cret", "other.>", "other.>").start();
    logged(async |log| {
        let node = node(NatsOptions::new(url_with(&server, "chatd:s3cret")));
        until("both are reported", async || {
            let text = log.text();
            let has = |what| own(&text).iter().any(|line| line.contains(what));
            has("Permissions Violation") && has("the permission to publish and subscribe to \"chatd.>\"")
        })
        .await;
        assert!(!node.backplane().is_connected());
    });
}
