//! TLS options.

use std::time::Duration;

use chat_testkit::Client;
use chat_testkit::tls::Identity;
use rustix::process::Signal;

use crate::process::{Running, chatd, refused};

#[tokio::test]
async fn sighup_reloads_the_certificate_and_ignores_an_invalid_one() {
    let folder = tempfile::tempdir().unwrap();
    let first = Identity::generate();
    let (certificate, key) = first.write(folder.path());
    let mut command = chatd(folder.path());
    command.arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key);
    let mut server = Running::start(&mut command);
    assert!(server.announced.contains(" https://"), "{}", server.announced);
    let mut ana = Client::enter(first.tunnel(server.address).await, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");

    let second = Identity::generate();
    second.write(folder.path());
    server.signal(Signal::HUP);
    server.log_up_to("the certificate was read again");
    assert!(first.connect(server.address).await.is_err());
    let mut bob = Client::enter(second.tunnel(server.address).await, "r", "bob").await;
    assert_eq!(bob.brief().await, "+bob");
    assert_eq!(ana.brief().await, "+bob");

    std::fs::write(&key, "no key").unwrap();
    server.signal(Signal::HUP);
    let log = server.log_up_to("the old one stays");
    assert!(log.contains("key.pem"), "{log}");
    assert!(second.connect(server.address).await.is_ok());
    server.signal(Signal::TERM);
    assert!(server.end_within(Duration::from_secs(10)).await.success());
}

#[tokio::test]
async fn without_a_certificate_sighup_does_not_end_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Running::start(&mut chatd(folder.path()));
    server.signal(Signal::HUP);
    server.log_up_to("SIGHUP");
    let mut ana = Client::enter(server.address, "r", "ana").await;
    assert_eq!(ana.brief().await, "+ana");
}

#[test]
fn an_invalid_certificate_is_reported_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Identity::generate().write(folder.path());
    let output = refused(chatd(folder.path()).arg("--tls-cert").arg(&certificate));
    assert!(output.contains("--tls-key is not set"), "{output}");
    let output = refused(chatd(folder.path()).arg("--tls-cert").arg(&key).arg("--tls-key").arg(&key));
    assert!(output.contains("a certificate can't be read from") && output.contains("key.pem"), "{output}");
    let output = refused(chatd(folder.path()).args(["--tls-cert", "gone.pem"]).arg("--tls-key").arg(&key));
    assert!(output.contains("gone.pem"), "{output}");
    std::fs::write(&certificate, Identity::generate().certificate_pem()).unwrap();
    let output = refused(chatd(folder.path()).arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key));
    assert!(output.contains("can't be used with the key"), "{output}");
}

#[test]
fn an_encrypted_or_broken_key_is_named_and_not_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Identity::generate().write(folder.path());
    let plain = std::fs::read_to_string(&key).unwrap();
    let body: String = plain.lines().filter(|line| !line.starts_with("---")).collect();
    let says = |pem: &str| {
        std::fs::write(&key, pem).unwrap();
        let output =
            refused(chatd(folder.path()).arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(&key));
        assert!(output.contains("key.pem") && !output.contains(&body[..32]), "{output}");
        output
    };
    let encrypted = "it is encrypted with a passphrase; write it without one: openssl pkey";
    assert!(says(&plain.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")).contains(encrypted));
    let of_openssl = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n";
    assert!(says(&format!("{of_openssl}{body}\n-----END EC PRIVATE KEY-----\n")).contains(encrypted));
    // a file without line breaks
    assert!(says(&plain.replace('\n', " ")).contains("PEM"));
    assert!(says(&plain.replace("-----END", "----END")).contains("PEM"));
}
